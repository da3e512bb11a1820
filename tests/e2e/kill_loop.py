#!/usr/bin/python3
"""
kill_loop.py: kill -9 in the middle of incidents, again and again (contract 7), and three numbers.

    kill_loop.py [KILLS]        make check-kill: 300, in some ten minutes

events lost              stored and never told on stderr, or told there and not stored
told under a new id      the same news of the same incident under two ids
begins without an end    all mailboxes are well at the end, and this incident is not over

test_kill.py runs the same 20 times, with more that has to hold.
"""

import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import main, test, wait_until  # noqa: E402

KILLS = 300
FAIL_A_ROUND = 3
ROUNDS_TO_HEAL = 6
OUT_OF_ORDER = 'NO [UNAVAILABLE] Temporary authentication failure.'


class Tally:
    """What is stored at the end held against the lines of all runs."""

    def __init__(self, daemon, ill=None):
        self.events = daemon.events()
        self.ill = ill  # the mailbox that is not well at the end
        self.lost = {event['id'] for event in self.events} ^ {
            line['id'] for line in daemon.alerts()}
        self.anew = self._same_news()
        self.begun, self.open = self._incidents()

    def _same_news(self):
        ids = {}
        for event in self.events:
            if event['event'] == 'state' and 'incident' in event:
                news = (event['mailbox'], event['incident'], event['endpoint'], event['imap'])
                ids.setdefault(news, set()).add(event['id'])
        return [(news, found) for news, found in ids.items() if len(found) > 1]

    def _incidents(self):
        begun, still_open = set(), set()
        for event in self.events:
            if (event['event'] != 'state' or event['endpoint'] != 'imap' or
                    event['mailbox'] == self.ill):
                continue
            if event['imap'] == 'ok':
                still_open.discard(event['incident'])
            else:
                begun.add(event['incident'])
                still_open.add(event['incident'])
        return begun, still_open

    def numbers(self):
        return len(self.lost), len(self.anew), len(self.open)

    def __str__(self):
        return 'events lost %d, told under a new id %d, begins without an end %d' % self.numbers()


def settled_tally(daemon, ill=None):
    """What is shown is a moment ahead of what is stored, and that of what is told."""
    found = []

    def none_lost():
        found[:] = [Tally(daemon, ill)]
        return not found[0].lost
    try:
        wait_until(none_lost, 10)
    except AssertionError:
        pass  # the numbers say it
    return found[0]


def mend(daemon, ill):
    """
    Waits until all but one are well. Who was killed twice in the middle of a first login is held
    back as if both had been refused (H7-18): somebody resumes it.
    """
    resumed = set()

    def are_well(status):
        for mailbox in status['mailboxes']:
            name = mailbox['name']
            if name not in resumed | {ill} and any(
                    'brake' in (mailbox[side] or ()) for side in ('smtp', 'imap')):
                resumed.add(name)
                daemon.post('/v1/mailboxes/%s/resume' % name)
        return status['counts']['ok'] == len(status['mailboxes']) - 1
    daemon.wait_for(are_well, timeout=60, why='not all became ok')


def kill_in_incidents(t, kills, seed=612):
    """
    50 mailboxes, 100 endpoints probed 10 times a second. In each round some IMAP sides begin to
    fail and others are mended, then the daemon is killed. At the end all are well but one, whose
    password is wrong all the time. Gives the daemon, the host and that one's name.
    """
    chance = random.Random(seed)
    names = ['m%02d' % number for number in range(50)]
    host = t.host(*names)
    mailboxes = [t.mailbox(host, name) for name in names]
    wrong = names.pop(7)
    mailboxes[7] = t.mailbox(host, wrong, password=t.secret('wrong'))
    daemon = t.daemon(host, mailboxes, start=False,
                      defaults={'interval': '10s', 'confirm': 1, 'retry_max': '10s'})
    daemon.start()
    failing = []
    for number in range(kills):
        for _ in range(FAIL_A_ROUND if number < kills - ROUNDS_TO_HEAL else 0):
            names.append(names.pop(0))
            host.fail('imap', names[-1] + '@test.example', OUT_OF_ORDER)
            failing.append((number, names[-1]))
        while failing and failing[0][0] <= number - ROUNDS_TO_HEAL:
            host.heal('imap', failing.pop(0)[1] + '@test.example')
        time.sleep(chance.choice((0.05, 0.5, 1, 2, 3)) * chance.uniform(0.5, 1.2))
        daemon.kill9()
        daemon.start()
    for _, name in failing:
        host.heal('imap', name + '@test.example')
    mend(daemon, wrong)
    return daemon, host, wrong


def run(kills):
    @test('kill -9 %d times in the middle of incidents' % kills, deadline=max(240, 12 * kills))
    def loop(t):
        daemon, _, wrong = kill_in_incidents(t, kills)
        tally = settled_tally(daemon, wrong)
        print('# %d kills, %d events, %d incidents: %s' %
              (kills, len(tally.events), len(tally.begun), tally), flush=True)
        assert tally.numbers() == (0, 0, 0), (tally.lost, tally.anew, tally.open)
        assert len(tally.begun) >= kills, 'only %d incidents' % len(tally.begun)
    main([])


if __name__ == '__main__':
    run(int(sys.argv[1]) if len(sys.argv) > 1 else KILLS)
