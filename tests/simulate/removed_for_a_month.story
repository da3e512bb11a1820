# H6-09: 30 days after its last refusal the last row of a removed mailbox goes, without a reload
world  seed=59 mailboxes=4 servers=2 interval=30m
10:00  m1 password B                      12:00  see m1 held               13:00  m1 removed
1d 09:00  restart                         33d 09:00  end
expect refused-logins of m1 >= 2 ; removed of m1=1 brake=1 brake-end=1 ; rows of m1 = 0 ; rows of accounts = 0
