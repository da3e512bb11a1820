# a certificate that ends is told once; that it was renewed, and that another's came, at each server
world  seed=43 seeds=20 mailboxes=20 servers=1 interval=30m
10:00  imap0 shows A for 6d     10:00  smtp0 shows A for 6d
12:00  imap0 shows B for 90d    12:00  smtp0 shows B for 90d    14:00  restart
16:00  imap0 shows C by Elsewhere for 95d    1d 10:00  end
expect cert-ends=1 cert-renewed=2 cert-renewed of imap0=1 cert-changed=1 cert=4
