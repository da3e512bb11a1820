# a server that is gone for a minute: nobody is told
world  seed=1 mailboxes=40 servers=4
10:00  imap1 refuses connections          10:01:30  imap1 answers          12:00  end
expect state=0 ; refused-logins=0 ; gap <= 5m1s
