#!/usr/bin/python3
"""
test_brake.py: hostile.md 7, what wrong passwords may cost: H7-14, H7-15 (by probe), H7-17. The
scripted host's own count of refused logins is the judge. Not here: the brake in virtual time
(tests/simulate).
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))
from harness import main, test, wait_until  # noqa: E402

ADDRESS = 'ann@test.example'


def wait_refusals(host, daemon, count):
    wait_until(lambda: host.refused(ADDRESS) >= count,
               why=lambda: '%s\n%s' % (host.count(), daemon.tell()))


def wait_judged_again(daemon, side, times=2):
    for _ in range(times):
        before = daemon.mailbox('ann')[side]['last_probe']
        daemon.wait_mailbox('ann', lambda m: m[side]['last_probe'] != before,
                            why='no further probe of ' + side)


@test('H7-14: wrong password on both sides: IMAP next after SMTP, one state, one brake')
def h7_14(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann', password=t.secret('wrong'))],
                      defaults={'confirm': 3})
    daemon.wait_event(event='brake')
    state = daemon.wait_event(event='state')
    assert state['state'] == 'smtp failing, imap failing' and state['was'] == 'unknown', state
    sides = [login['side'] for login in host.logins if login['outcome'] == 'refused']
    assert sorted(sides) == ['imap', 'smtp'], 'the other side before a second try: %s' % sides
    wait_judged_again(daemon, 'smtp')
    wait_judged_again(daemon, 'imap')
    assert host.refused() == 2, host.count()
    assert len(daemon.events(event='state')) == len(daemon.alerts(event='state')) == 1
    assert len(daemon.events(event='brake')) == len(daemon.alerts(event='brake')) == 1
    for side in ('smtp', 'imap'):
        assert daemon.mailbox('ann')[side]['cause'] == 'bad_credentials', daemon.mailbox('ann')


@test('H7-15 (by probe): one wrong password, probed in a loop, restarts and kills: 2 refused')
def h7_15_one(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann', password=t.secret('wrong'))])
    for round_number in range(6):
        for _ in range(3):
            answer = daemon.post('/v1/mailboxes/ann/probe?wait=1', timeout=90)
            assert answer.status in (200, 409), repr(answer)
        if round_number % 2:
            daemon.restart()
        else:
            daemon.kill9()
            daemon.start()
    answer = daemon.post('/v1/mailboxes/ann/probe?wait=1')
    assert answer.status == 409, repr(answer)
    assert host.refused(ADDRESS) <= 2, host.count()
    assert daemon.mailbox('ann')['state'] == 'smtp failing, imap failing', daemon.mailbox('ann')
    assert len(daemon.events(event='brake')) == 1, daemon.events()


@test('H7-15 (by probe): wrong secrets in turn: at most 4 refused in 15 m whatever the secrets')
def h7_15_many(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann', password=t.secret('wrong0'))])
    wait_refusals(host, daemon, 1)
    for number in range(1, 6):
        for side in ('smtp', 'imap'):
            daemon.mailbox_settings('ann')[side]['password'] = t.secret('wrong%d' % number)
        daemon.write_settings()
        daemon.reload()
        for _ in range(3):
            answer = daemon.post('/v1/mailboxes/ann/probe?wait=1', timeout=90)
            assert answer.status in (200, 409), repr(answer)
    assert 2 <= host.refused(ADDRESS) <= 4, host.count()


@test('H7-17: SMTP accepts, IMAP refuses: SMTP goes on, IMAP braked after its second refusal')
def h7_17(t):
    host = t.host('ann')
    host.fail('imap', ADDRESS, 'NO [AUTHENTICATIONFAILED] Authentication failed.')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')], defaults={'confirm': 3})
    state = daemon.wait_event(event='state')
    assert state['state'] == 'smtp ok, imap failing' and state['endpoint'] == 'imap', state
    brake = daemon.wait_event(event='brake')
    assert brake['endpoint'] == 'imap', brake
    assert daemon.wait_alert(event='state')['msg'] == 'ann: smtp ok, imap failing'
    accepted = host.accepted(ADDRESS, 'smtp')
    wait_until(lambda: host.accepted(ADDRESS, 'smtp') >= accepted + 2,
               why='SMTP has stopped logging in')
    mailbox = daemon.mailbox('ann')
    assert mailbox['smtp']['state'] == 'ok' and not mailbox['smtp'].get('brake'), mailbox
    assert mailbox['imap'].get('brake'), mailbox
    assert host.refused(ADDRESS, 'imap') == 2 and host.refused(ADDRESS, 'smtp') == 0, host.count()
    assert len(daemon.events(event='state')) == len(daemon.events(event='brake')) == 1


if __name__ == '__main__':
    main()
