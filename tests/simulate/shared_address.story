# contract 3: 60 names at one address with 2 connections: never a third, also while it hangs; logins of all names together
world  seed=51 mailboxes=60 servers=60 addresses=1 connections=2 logins=20 interval=5m
09:40  see m5 stretched 6m8s              10:00  imap1 hangs               10:00  imap2 hangs
11:00  restart                            11:30  end
expect connections at a0 <= 2 ; logins at a0 <= 20 in 60s ; logins at a0 >= 19 in 60s ; unknown=0
