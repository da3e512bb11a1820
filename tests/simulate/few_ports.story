# H3-20: every other probe finds no port left at the source address: `trouble` once, its end once it is over
world  seed=52 seeds=10 mailboxes=4 servers=4
10:00  imap0 plays local_limit/connect,ok/done
12:00  imap0 answers    13:00  end
expect trouble=1 trouble-end=1 state=0
