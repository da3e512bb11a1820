# H10-10: descriptors run out at every probe: fewer at a time, nobody is failing for it
world  seed=57 mailboxes=300 servers=30
10:00  each of imap0..imap29 plays local_limit/connect
10:40  see m1 is smtp ok, imap unknown    11:00  each of imap0..imap29 answers
11:40  see m1 is ok                       12:00  end
expect failing=0 ; gap of m1/smtp <= 10m
