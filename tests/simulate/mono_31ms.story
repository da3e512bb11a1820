# H7-06: monotonic time crosses 2^31ms: no gap, no burst
world  seed=35 mailboxes=100 servers=10 mono=2^31ms-30m
10:30  end
expect state=0 ; gap <= 5m1s ; probes <= 30 in 10s
