# H2-50: greylisted for 15 minutes, then taken: neither a failure nor a success, and nobody hears of it
world  seed=50 mailboxes=4 servers=2
10:00  smtp0 plays greylisted/rcpt        10:20  see m0 is ok
10:21  smtp0 answers                      12:00  end
expect all=0
