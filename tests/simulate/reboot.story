# H7-07: a reboot: the monotonic clock begins at 0, the wall clock is 1 h behind at first: a pause and a brake end at their wall time
world  seed=55 mailboxes=4 servers=2 interval=1m
10:00  m0 password B                      10:05  m1 pause 2h               10:20  see m0 held
10:30  reboot                             10:30  wall -1h                  10:31  see m1 is paused
10:31  see m0 held                        10:35  wall +1h                  12:00  see m1 is paused
12:06  see m1 is ok                       13:00  end
expect pause of m1=1 resume of m1=1 ; brake of m0=1 ; refused-logins of m0 <= 4 in 1d ; refused-logins of m0 <= 2 in 59m
