# H7-02: a suspend of 8 h: kept sessions are opened anew, phases kept, no burst, nothing told
world  seed=56 mailboxes=2000 servers=50 keep=1h connections=60
10:00  suspend 8h                         20:00  end
expect state=0 ; probes <= 60 in 1s ; probes <= 330 in 10s ; gap <= 8h6m ; logins at imap0 <= 30 in 60s ; kept >= 1990
