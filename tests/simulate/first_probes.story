# H7-08: 20,000 mailboxes at once, interval 5 m; a reload to 1 m and back: never above twice the mean, no longer gap
world  seed=19 mailboxes=20000 servers=1000 logins=1000 connections=100 in_flight=10000
09:14  reload interval=1m                 09:18  reload interval=5m        09:30  end
expect probes <= 14000 in 10s ; gap <= 5m1s ; state=0
