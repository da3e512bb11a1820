# H6-09: a mailbox is removed while its logins are held: what it was refused is known for 30 days, as long as it counts
world  seed=58 mailboxes=4 servers=2 interval=30m
10:00  m1 password B                      12:00  see m1 held               13:00  m1 removed
1d 09:00  restart                         29d 09:00  end
expect refused-logins of m1 >= 2 ; removed of m1=1 brake=1 brake-end=1 ; rows of m1 = 0 ; rows of accounts = 1
