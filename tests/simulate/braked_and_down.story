# H7-20: held, and the server is gone meanwhile: probed up to the login, the cause is told, the brake stands
world  seed=15 seeds=5 mailboxes=4 servers=2
10:00  m1 password X                      10:10  see m1 held
10:15  imap1 refuses connections          10:30  see m1 held
10:40  imap1 answers                      10:56  see m1 held               10:58  end
expect refused-logins of m1=2 brake=1 brake-end=0 cause of m1=2 state of m1=1 ; probes of m1/imap >= 20
