# H7-26: paused for 2 h with a probe in flight, over a restart and a jump of the clock: ends at its wall time
world  seed=24 seeds=10 mailboxes=4 servers=2 interval=1m confirm=1
10:04:30  imap1 hangs                     10:04:55  m1 pause 2h
10:05  see m1 is paused                   10:30  restart
11:00  wall +30m                          11:20  see m1 is paused
11:25  imap1 answers                      11:37  see m1 is ok              12:30  end
expect pause of m1=1 resume of m1=1 ; failing of m1=0 ; ok of m1=0
