# contract 6: a small fleet begins at one a second
world  seed=22 mailboxes=20 servers=20
09:15  end
expect probes <= 14 in 10s ; gap <= 5m1s ; state=0
