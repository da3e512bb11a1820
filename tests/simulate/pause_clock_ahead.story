# H7-07: paused for 2 h while the clock was a day ahead; set right, the pause lasts its own length at most
world  seed=54 mailboxes=2 servers=2
10:00  wall +24h                          10:01  m1 pause 2h               10:11  wall -24h
10:12  restart                            12:10  see m1 is paused          12:14  see m1 is ok
13:00  end
expect pause of m1=1 resume of m1=1
