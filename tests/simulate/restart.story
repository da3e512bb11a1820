# a restart in the middle of an incident: told once, the same incident at its end, probes at their phase
world  seed=8 mailboxes=40 servers=4
10:00  imap1 refuses connections
10:20  see m1 is smtp ok, imap failing    10:25  restart
10:26  see m1 is smtp ok, imap failing    10:50  imap1 answers
11:10  see m1 is ok                       12:00  end
expect failing=10 ok=10 state=20 incidents=10 ; probes <= 20 in 10s ; gap of m2 <= 5m1s
