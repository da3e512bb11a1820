# causes.md, W: a server that asks for an hour at its greeting: one tries, the others wait
world  seed=37 mailboxes=20 servers=2
10:00  imap1 wants 1h                     10:00  imap1 plays server_unavailable/greeting
12:30  imap1 answers                      14:00  see m1 is ok              14:30  end
expect quiet at imap1 >= 59m ; probes at imap1 <= 420 ; unknown >= 9 ; failing <= 1
