# H8-21: 500 mailboxes share a certificate near its end: told once a step, over reload, restart and kill
world  seed=41 mailboxes=500 servers=1 interval=12h
10:00  imap0 shows A for 25d    10:00  smtp0 shows A for 25d
1d 10:00  reload    5d 10:00  restart    5d 18:00  kill    19d 10:00  kill
24d 20:00  end
expect cert-ends=3 cert=3 state=0
