# a pause, a removal and another host part from kept sessions, and free their connections
world  seed=58 seeds=5 mailboxes=8 servers=2 keep=1h connections=4
10:00  m0 pause                           10:00  m2 removed                10:00  m1 host imap imap0
11:00  end
expect kept at imap0 = 3 ; kept at imap1 = 3 ; state of m1=0 ; removed=0
