# causes.md, rate_limited at auth: half as many logins for an hour, told once, over a restart too; then as before
world  seed=52 mailboxes=60 servers=1 interval=2m logins=40
10:00  imap0 plays rate_limited/auth      10:00:20  imap0 answers
10:10  see m5 stretched 3m3s     10:20  restart
10:25  see m5 stretched 3m3s              11:30  see m5 is ok              11:30  end
expect brake of imap0=1 brake-end of imap0=1 ; logins at imap0 <= 40 in 60s ; failing=0 ; refused-logins=0
