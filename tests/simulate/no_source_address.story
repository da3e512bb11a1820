# H3-20: the address to connect from is gone for two hours: `trouble` once, no endpoint is judged
world  seed=51 seeds=10 mailboxes=40 servers=4
10:00  imap1 plays local_limit/connect
10:40  restart    10:50  see m1 is smtp ok, imap unknown
12:00  imap1 answers    13:00  see m1 is ok    14:00  end
expect trouble=1 trouble-end=1 failing=0
