# H7-21: resume three times in an hour: one login each for the first two, no third; probe lifts nothing
world  seed=16 seeds=5 mailboxes=4 servers=2
10:00  m1 resume conflicts                10:00  m1 password X
10:10  see m1 held                        10:10  m1 resume                 10:12  m1 probe
10:20  m1 resume                          10:30  m1 resume is too often    10:31  m1 probe
10:50  see m1 held                        10:55  end
expect refused-logins of m1=4 resume of m1=2 brake=1 brake-end=0 state of m1=1
