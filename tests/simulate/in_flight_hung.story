# H7-10: 200 servers hang and could fill in_flight: they get half of it at most, the others are on time
world  seed=56 mailboxes=1000 servers=250 in_flight=100 lost=0%
09:30  each of imap0..imap199 hangs       11:00  end
expect gap of m200/imap <= 5m10s ; gap of m200/smtp <= 5m10s ; gap of m950/imap <= 5m10s ; gap of m0/smtp <= 5m10s
