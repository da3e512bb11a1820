# H7-18: kill -9 between the refusal and its row, 20 times: never a third
world  seed=11 seeds=20 mailboxes=4 servers=2
09:20  restart                            09:20  m1 password B             09:20  kills at refusal 20
10:15  end
expect refused-logins <= 2 ; brake of m1=1 ; refused-logins of m0=0
