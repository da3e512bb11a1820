# resume after the cure at the provider: a login for each side, the brake ends with the second
world  seed=17 seeds=5 mailboxes=4 servers=2
10:00  m1 password X                      10:10  see m1 held
10:15  m1 password A                      10:15  m1 resume
10:20  see m1 held                        10:20  m1 resume                 10:24  see m1 free
10:24  see m1 is ok                       11:00  end
expect refused-logins of m1=2 resume of m1=2 brake=1 brake-end=1 ok of m1=1
