# H10-03: the same without a word: each is found out by its NOOP, and logs in when the budget has room
world  seed=55 mailboxes=10000 servers=1 logins=600 connections=10000 in_flight=10000 keep=1h
10:30  imap0 forgets sessions
11:05  end
expect logins at imap0 <= 600 in 60s ; logins at imap0 <= 115 in 10s ; logins at imap0 >= 95 in 10s ; state=0
expect kept at imap0 >= 9990 ; gap <= 25m ; probes at imap0 <= 670 in 10s
