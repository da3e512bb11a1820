# H6-09: removed while the daemon did not run: its end is told once, nothing is probed
world  seed=30 mailboxes=4 servers=2
10:00  imap1 refuses connections          10:20  m1 removed                10:30  restart
10:40  restart                            12:00  end
expect failing of m1=1 removed of m1=1 removed=1 ; probes of m1 <= 60
