# H10-03: 10,000 kept sessions are dropped in one second: reopened within the budget, evenly, nothing told
world  seed=54 mailboxes=10000 servers=1 logins=600 connections=10000 in_flight=10000 keep=1h
10:30  imap0 drops sessions
11:05  end
expect logins at imap0 <= 600 in 60s ; logins at imap0 <= 115 in 10s ; logins at imap0 >= 95 in 10s ; state=0
expect kept at imap0 >= 9990 ; gap <= 25m ; probes at imap0 <= 670 in 10s
