# H7-15: ever new secrets, all wrong, `probe` every 5 s, a kill between: 4 in 15 m, 12 in a day, whatever the secrets
world  seed=42 seeds=5 mailboxes=2 servers=1
09:30  m1 password X
09:30  m1 secrets S1,S2,S3,S4,S5,S6,S7,S8,S9,S10,S11,S12,S13,S14,S15,S16,S17,S18,S19,S20,S21,S22,S23,S24,S25 every 1m
09:30  m1 probe every 5s                  09:50  kill                      1d 09:00  end
expect refused-logins of m1 <= 4 in 15m ; refused-logins of m1 <= 12 in 1d ; refused-logins of m1 >= 12 ; state of m0=0
