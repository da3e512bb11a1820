# H2-50: greylisted for ever: nothing is told for 4 h, then it is a failure like others
world  seed=51 mailboxes=4 servers=2
10:00  smtp0 plays greylisted/rcpt        13:55  see m0 is ok
14:45  see m0 is smtp failing, imap ok     16:00  smtp0 answers           16:30  see m0 is ok
17:00  end
expect failing=2 ; unknown=0 ; ok=2
