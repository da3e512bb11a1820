# H7-12: 12 mailboxes to keep, 4 connections: never a fifth, all are probed, three slots stay with the same mailboxes
world  seed=52 seeds=10 mailboxes=12 servers=1 keep=1h connections=4
12:00  end
expect gap <= 5m2s ; kept at imap0 >= 3 ; kept at imap0 <= 4 ; logins at imap0 <= 360 ; logins at imap0 >= 300 ; state=0
