# H7-11 with kept sessions: 20 logins a minute are far too few to open 100 each minute, and plenty to keep them
world  seed=53 mailboxes=100 servers=1 interval=1m logins=20 keep=1h connections=100
09:30  mark
11:00  end
expect logins at imap0 <= 20 in 60s ; kept at imap0 = 100 ; probes at imap0 >= 8500 ; state=0
