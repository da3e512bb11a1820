# H6-12: kill -9 every 3 s, 20 times, with 1,000 mailboxes and one wrong password: no burst, at most 2 refused
world  seed=9 seeds=10 mailboxes=1000 servers=50
09:40  m7 password B                      09:40:01  kills every 3s 20      10:30  end
expect refused-logins <= 2 ; probes <= 30 in 1s ; state of m7 <= 1
