# a wrong password, tried again after 1 h and each 6 h; mended at the provider on the second day
world  seed=5 mailboxes=20 servers=4
10:00  m3 password B                      1d 09:30  m3 password A
2d 12:00 see m3 is ok                     2d 12:00  see m3 free            2d 12:00  end
expect state of m3=3 brake=1 brake-end=1 cause=0 ; refused-logins of m3 <= 2 in 1h ; refused-logins of m3 <= 4 in 1d
expect refused-logins of m3 <= 6 ; state of m1=0
