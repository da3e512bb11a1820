# H4-13: a failing mailbox is removed, another renamed: what was told gets one end; the new name starts unknown
world  seed=29 mailboxes=4 servers=2
10:00  imap1 refuses connections          10:20  m1 removed                10:20  m3 named other
10:20  see other is unknown               10:50  see other is smtp ok, imap failing
12:00  end
expect failing of m1=1 removed of m1=1 failing of m3=1 removed of m3=1 failing of other=1 incidents=3 removed=2
