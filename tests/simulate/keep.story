# contract 3, session = "keep": a login an hour, NOOPs between; every turn is kept
world  seed=51 mailboxes=100 servers=1 keep=1h connections=150
12:00  end
expect logins at imap0 <= 420 ; logins at imap0 >= 300 ; gap <= 5m10s ; kept at imap0 = 100 ; state=0
