#!/usr/bin/python3
"""
test_kill.py: kill -9 at any time, 20 times in a row: H6-12 (with 50 mailboxes), H7-18, contract 7.

What was stored and what came to the sink (stderr, over all runs) are held against each other: the
same ids, each with one line's text, each incident with one begin and one end; the scripted host
counts the logins. Not here: one kill at a chosen moment (test_thread.py), a thousand mailboxes in
virtual time (tests/simulate), systemd's part in it (tests/system).
"""

import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import main, test, wait_until  # noqa: E402
from kill_loop import kill_in_incidents, settled_tally  # noqa: E402

KILLS = 20


def told_once(daemon, **members):
    """
    Holds the stored events against the lines of all runs; gives the events. A line may come again
    after a kill, with its id: then it is the same line.
    """
    def stored_and_told():
        return ([event['id'] for event in daemon.events(**members)],
                {line['id'] for line in daemon.alerts(**members)})

    def are_same():
        stored, told = stored_and_told()
        return set(stored) == told
    # What is shown is a moment ahead of what is stored, and that of what is told.
    wait_until(are_same, 10, lambda: 'stored %s\ntold %s' % stored_and_told())
    stored = daemon.events(**members)
    ids = [event['id'] for event in stored]
    assert ids == sorted(set(ids)), 'ids that come twice, or out of order: %s' % ids
    lines = {}
    for line in daemon.alerts(**members):
        assert lines.setdefault(line['id'], line) == line, 'one id, two lines: %s' % line
    return stored


def check_incidents(events):
    """IMAP of each mailbox went from failing to ok: no end without a begin, none twice."""
    begun, ended, open_now = set(), set(), {}
    for event in events:
        if event['endpoint'] != 'imap':
            continue  # SMTP's first verdict came after IMAP's incident began
        name, incident = event['mailbox'], event['incident']
        if event['imap'] == 'ok':
            assert open_now.pop(name, None) == incident, 'an end without its begin: %s' % event
            ended.add(incident)
        else:
            assert incident not in begun, 'a second begin: %s' % event
            assert name not in open_now, 'a begin before the end: %s' % event
            open_now[name] = incident
            begun.add(incident)
    assert not open_now, 'begins without an end: %s' % open_now
    assert begun == ended, (begun, ended)
    return len(begun)


def most_within(seconds, times):
    """The most of these times that lie within so many seconds."""
    times = sorted(times)
    most, first = 0, 0
    for last, at in enumerate(times):
        while at - times[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


@test('H6-12: kill -9 20 times, 50 mailboxes, incidents begin and end, one wrong password',
      deadline=240)
def kill_loop(t):
    daemon, host, wrong = kill_in_incidents(t, KILLS)
    tally = settled_tally(daemon, wrong)
    assert tally.numbers() == (0, 0, 0), tally
    states = [event for event in told_once(daemon, event='state') if event['mailbox'] != wrong]
    incidents = check_incidents(states)
    assert incidents >= 10, 'only %d incidents: nothing was tried' % incidents
    assert len(told_once(daemon, event='start')) == KILLS + 1
    assert len(told_once(daemon, event='brake')) == 1
    assert daemon.events(event='brake-end') == []
    # Less than two where a kill came between a refusal and its row: it is supposed, not judged.
    of_wrong = daemon.events(event='state', mailbox=wrong)
    assert len(of_wrong) <= 2 and all('failing' in event['state'] for event in of_wrong), of_wrong
    told_once(daemon)

    assert host.refused() == host.refused(wrong + '@test.example') <= 2, [
        login for login in host.logins if login['outcome'] == 'refused']
    # Some 10 a second are regular turns, first probes 20 at most; all at once would be 100.
    most = most_within(1, [login['time'] for login in host.logins])
    assert most <= 60, '%d logins within a second' % most


@test('H7-18: killed as soon as a login was refused, 20 times: never a third', deadline=180)
def kill_at_refusal(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann', password=t.secret('wrong'))], start=False)
    for _ in range(KILLS):
        seen = host.refused()
        daemon.spawn()
        end = time.monotonic() + 0.8
        while host.refused() == seen and time.monotonic() < end:
            time.sleep(0.0005)
        daemon.kill9()
    daemon.start()
    assert 1 <= host.refused() <= 2, host.count()
    daemon.wait_event(event='brake')
    assert len(told_once(daemon, event='brake')) == 1
    told_once(daemon)
    assert host.refused() <= 2, host.count()


@test('kill -9 within the first moments, from the first start on: what is stored is told',
      deadline=180)
def kill_at_start(t):
    chance = random.Random(718)
    host = t.host('ann', 'bob')
    host.off('imap')
    daemon = t.daemon(host, [t.mailbox(host, 'ann'), t.mailbox(host, 'bob')], start=False,
                      defaults={'confirm': 1})
    for _ in range(KILLS):
        daemon.spawn()
        time.sleep(chance.uniform(0.01, 0.2))
        daemon.kill9()
    daemon.start()
    for name in ('ann', 'bob'):
        daemon.wait_state(name, 'smtp ok, imap failing')
    host.on('imap')
    for name in ('ann', 'bob'):
        daemon.wait_state(name, 'ok')
    told_once(daemon)
    for name in ('ann', 'bob'):
        assert check_incidents(daemon.events(event='state', mailbox=name)) == 1


@test('kill -9 while nobody reads stderr, in the first run of all: told by the next one')
def kill_untold(t):
    host = t.host('ann')
    host.off('imap')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')], start=False, defaults={'confirm': 1})
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b'\n' * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(writing, True)
    daemon.start(stderr=writing)
    event = daemon.wait_event(event='state')
    daemon.kill9()
    os.close(writing)
    os.close(reading)
    daemon.start()
    assert daemon.wait_alert(event='state')['id'] == event['id']
    told_once(daemon)


if __name__ == '__main__':
    main()
