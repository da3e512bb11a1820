# H7-23: a server that asks for 30 days at its greeting: 6 h at most, and one endpoint alone tries
world  seed=53 mailboxes=10 servers=1
10:00  imap0 wants 30d                    10:00  imap0 plays server_unavailable/greeting
20:00  imap0 answers                      23:00  see m1 is ok              23:30  end
expect quiet at imap0 >= 5h59m ; quiet at imap0 <= 6h1m ; gap of m1/smtp <= 5m1s
