# H7-18: a password that was wrong from the first probe on, killed at each refusal
world  seed=21 seeds=20 mailboxes=2 servers=2
09:00  m1 password B                      09:00  kills at refusal 20       10:00  m1 secret B
10:10  see m1 is ok                       10:30  end
expect refused-logins <= 2 ; brake of m1=1 brake-end of m1=1
