# H7-01: the wall clock a day ahead, a day back, a second back: no probe moves, no event, ids still rise
world  seed=34 mailboxes=40 servers=4
10:00  wall +24h2m17s                     11:00  wall -24h1m3s             11:30  wall -23h59m
12:00  wall +24h                          12:30  wall -1s                  13:00  end
expect state=0 ; gap <= 5m1s ; gap >= 4m59s ; probes <= 30 in 10s ; probes <= 4000
