# H7-09: 500 mailboxes of one server hang: nobody there starves, the others are on time
world  seed=41 mailboxes=1000 servers=2 logins=600 connections=8
10:00  imap1 hangs                        18:00  end
expect gap of m0/imap <= 5m10s ; gap of m0/smtp <= 5m10s ; gap <= 1h10m ; failing <= 500 ; refused-logins=0
