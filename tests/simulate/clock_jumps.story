# H7-01: the wall clock one day ahead, one day back, a second back: no probe moves, no event, ids still rise
world  seed=34 mailboxes=40 servers=4
10:00  wall +24h                          11:00  wall -24h                 11:30  wall -24h
12:00  wall +24h                          12:30  wall -1s                  13:00  end
expect state=0 ; gap <= 5m1s ; probes <= 30 in 10s
