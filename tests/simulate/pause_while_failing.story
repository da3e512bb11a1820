# an open incident is kept over a pause, and ends with its own id
world  seed=25 mailboxes=4 servers=2
10:00  imap1 refuses connections          10:20  m1 pause
10:30  imap1 answers                      11:00  m1 resume                 11:10  see m1 is ok
12:00  end
expect pause of m1=1 resume of m1=1 failing of m1=1 ok of m1=1 incidents of m1=1
