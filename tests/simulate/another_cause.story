# still failing, confirm times in a row for another cause: `cause`, once
world  seed=28 mailboxes=2 servers=1
09:30  imap0 refuses connections          11:00  imap0 hangs               14:00  end
expect failing=2 cause=2 incidents=2
