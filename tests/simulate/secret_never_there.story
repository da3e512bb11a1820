# a secret that was never readable: unknown is told with its cause, and its end
world  seed=33 mailboxes=4 servers=2
09:00  m1 secret gone                     09:30  see m1 is unknown
12:00  m1 secret A                        12:20  see m1 is ok              13:00  end
expect unknown of m1 >= 1 ; unknown of m1 <= 3 ; ok of m1=1
