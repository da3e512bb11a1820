# H7-15: a wrong password, `probe` every 5 s, restarts between: 2 in an hour, 4 in a day
world  seed=12 seeds=5 mailboxes=2 servers=1
09:30  m1 password B                      09:30  m1 probe every 5s         09:41  restart
09:50  kill                               12:00  restart                   18:00  restart
1d 12:00  kill                            2d 10:00  end
expect refused-logins of m1 <= 2 in 1h ; refused-logins of m1 <= 4 in 1d ; refused-logins of m1 >= 4 ; brake=1
