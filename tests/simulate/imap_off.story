# H7-17: IMAP is switched off at the provider: SMTP goes on with its logins, IMAP is held, neither clears the other
world  seed=7 mailboxes=10 servers=2
10:00  m3 imap off                        10:00  mark
10:20  see m3 is smtp ok, imap failing    10:20  see m3 held               10:30  restart
13:00  see m3 is smtp ok, imap failing    15:00  end
expect state of m3=1 brake=1 brake-end=0 ; refused-logins of m3 <= 2 in 1h ; refused-logins of m3/smtp=0
expect logins of m3/smtp >= 70 ; delay of m3 <= 7m ; gap of m3/smtp <= 5m1s
