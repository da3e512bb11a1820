# contract 3, limits: 200 probes a minute of 3 s each where 4 may be in flight: stretched evenly, and said so
world  seed=57 mailboxes=100 servers=50 interval=1m in_flight=4 latency=2s lost=0% logins=1000
09:20  see m5 stretched 2m40s             09:20  see m99 stretched 2m40s   11:00  end
expect gap <= 3m ; state=0
