# H2-49: the password is changed while sessions are kept: found out by SMTP, IMAP is tried by a login, not by its session
world  seed=57 seeds=5 mailboxes=4 servers=1 keep=1h
10:00  m1 password B                      10:00  mark
10:07  see m1 is smtp failing, imap failing                     10:07  see m1 held
10:30  m1 secret B                        10:50  see m1 is ok              11:00  end
expect refused-logins of m1=2 state of m1 <= 3 ; state of m0=0 ; delay of m1 <= 7m
