# H8-19: connect_timeout and reply_timeout in turn for a day: told once, no `cause`
world  seed=27 mailboxes=2 servers=1
09:30  imap0 plays connect_timeout/connect,reply_timeout/greeting          1d 09:30  end
expect failing=2 cause=0
