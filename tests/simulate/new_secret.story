# H7-19: held; the same content again; a new one is tried at once, once; refused values are not tried again; the right one ends it
world  seed=14 seeds=5 mailboxes=4 servers=2
10:00  m1 password X
10:10  see m1 held                        10:10  m1 secret A
10:20  m1 secret B                        10:26  see m1 held
10:27  m1 secrets A,B every 1m            10:50  m1 secrets A              10:55  see m1 held
10:56  m1 secret X                        11:08  see m1 is ok              11:08  see m1 free
12:00  end
expect refused-logins of m1=3 brake=1 brake-end=1 state of m1=3 incidents of m1=2
