# kill -9 twice with right passwords: nobody is held, nothing is told
world  seed=38 seeds=10 mailboxes=1000 servers=50
09:00:10  kills every 40s 2               11:00  end
expect state=0 brake=0 refused-logins=0
