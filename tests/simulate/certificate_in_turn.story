# H8-21: two backends show two certificates in turn: told once, and no more after restart and kill
world  seed=42 seeds=20 mailboxes=20 servers=1 interval=30m
10:00  imap0 shows A,B for 90d
14:00  restart    18:00  kill    1d 10:00  end
expect cert-changed=1 cert=1
