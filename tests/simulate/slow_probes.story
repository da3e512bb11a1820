# H7-13: interval 10 s and probes of 30 s: never two at once, the next one after the end
world  seed=23 mailboxes=4 servers=2 interval=10s retry=10s logins=1000
09:30  imap1 hangs                        10:00  end
expect failing=2 ; gap of m1/imap <= 41s ; gap of m0/imap <= 11s
