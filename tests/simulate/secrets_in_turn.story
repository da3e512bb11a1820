# H7-15: secrets A, B, C in turn, all wrong, `probe` every 5 s: 4 in 15 m, 12 in a day
world  seed=13 seeds=5 mailboxes=2 servers=1
09:30  m1 password X                      09:30  m1 secrets A,B,C every 1m    09:30  m1 probe every 5s
09:41  restart                            09:50  kill                      2d 09:00  end
expect refused-logins of m1 <= 4 in 15m ; refused-logins of m1 <= 12 in 1d ; brake >= 1
