# H4-14: a mistyped host is mended by reload: probed at once, ok after `recover`, the same incident
world  seed=31 mailboxes=4 servers=3
10:00  imap1 refuses connections          10:20  m1 host imap imap2
10:23  see m1 is ok                       12:00  end
expect failing of m1=1 ok of m1=1 incidents of m1=1
