# contract 3: 60 names of known providers at one address, 2 logins a minute each: the address has no limits of its own
world  seed=51 mailboxes=60 servers=60 known=60 addresses=1 connections=2 logins=2 interval=5m
11:00  restart                            12:00  end
expect logins at a0 >= 20 in 60s ; unknown=0
