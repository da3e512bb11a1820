# H7-02: a suspend of 8 h: phases kept, no burst on waking, nothing told
world  seed=36 mailboxes=2000 servers=50
10:00  suspend 8h                         20:00  end
expect state=0 ; probes <= 60 in 1s ; probes <= 330 in 10s ; gap <= 8h6m
