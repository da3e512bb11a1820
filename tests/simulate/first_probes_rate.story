# H7-08: the same start alone: 133 a second is the mean, 267 the most; with the noise of names
world  seed=20 mailboxes=20000 servers=1000 logins=1000 connections=100 in_flight=10000
09:15  end
expect probes <= 2900 in 10s ; gap <= 5m1s ; probes >= 120000
