# H4-19: a secret file unreadable for a day: not judged, then unknown, told once, and its end told
world  seed=32 mailboxes=4 servers=2
10:00  m1 secret gone                     10:09  see m1 is ok
10:30  see m1 is unknown                  1d 10:00  m1 secret A            1d 10:20  see m1 is ok
1d 11:00  end
expect unknown of m1 <= 3 ; unknown of m1 >= 1 ; failing=0 ; ok of m1=1
