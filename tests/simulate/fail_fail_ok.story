# H8-18: fail, fail, ok for a week at confirm 3: nothing is told, counters begin anew after each ok
world  seed=26 mailboxes=2 servers=1
09:30  imap0 plays connect_timeout/connect,connect_timeout/connect,ok      7d 09:30  end
expect state=0 cause=0
