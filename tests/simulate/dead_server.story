# a server that is dead for 50 minutes: without outages each of its mailboxes is told by itself, twice
world  seed=2 mailboxes=40 servers=4
10:00  imap1 refuses connections
10:20  see m1 is smtp ok, imap failing    10:20  see m2 is ok
10:50  imap1 answers                      11:10  see m1 is ok
12:00  end
expect failing=10 ok=10 state=20 brake=0 incidents=10 ; failing of m1=1 ; ok of m1=1 ; failing of m2=0
expect refused-logins=0 ; probes at imap1 <= 33 in 60s ; gap of m2 <= 5m1s
