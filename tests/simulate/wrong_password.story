# H7-14: the password is changed at the provider: one state, one brake, soon
world  seed=100 seeds=40 mailboxes=20 servers=4
10:00  m3 password B                      10:00  mark
10:06  see m3 is smtp failing, imap failing                     10:06  see m3 held
11:00  end
expect state=1 state of m3=1 brake=1 brake of m3=1 brake-end=0 refused-logins=2 refused-logins of m3/smtp=1
expect delay of m3 <= 6m ; mean-delay of m3 <= 3m
