# H7-11: 100 mailboxes at 1 m on a server with 20 logins a minute: never above it, evenly, stretched and said so
world  seed=18 mailboxes=100 servers=1 interval=1m logins=20
10:00  see m5 stretched 5m                12:00  see m99 stretched 5m      12:00  end
expect logins at imap0 <= 20 in 60s ; logins at imap0 >= 19 in 60s ; quiet at imap0 <= 15s ; gap <= 6m ; state=0
