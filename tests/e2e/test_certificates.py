#!/usr/bin/python3
"""
test_certificates.py: the event `cert`: a certificate that ends, one that is renewed, one that
changed. Not here: steps and backends over weeks (tests/simulate), certificates that are no good
(tests/hostile/test_tls.py).
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import main, test  # noqa: E402


def told(daemon, what):
    return daemon.events(event='cert', what=what)


def probe_all(daemon, *names):
    """Two probes of each: what the first one saw was told before the second one begins."""
    for name in names * 2:
        mailbox = daemon.probe(name)
        assert mailbox['state'] in ('ok', 'imap ok'), mailbox


@test('6: a certificate that ends is told once for all that see it, and not again after a restart')
def ends(t):
    host = t.host('ann', 'bob')
    host.cert('soon')
    daemon = t.daemon(host, [t.mailbox(host, 'ann'), t.mailbox(host, 'bob', smtp='starttls')])
    event = daemon.wait_event(event='cert')
    assert event['what'] == 'ends' and event['server'] == '127.0.0.1', event
    assert event['level'] == 'warning' and 'mailbox' not in event, event
    not_after = daemon.wait_verdict('ann', 'imap')['tls']['cert']['not_after']
    assert event['until'] == not_after, (event, not_after)
    assert event['text'].startswith('127.0.0.1: certificate ends in 6 days, valid until 20'), event
    assert 'Renew it' in event['text'] and 'mail.test.example' in event['detail'], event
    line = daemon.wait_alert(event='cert')
    assert line['msg'] == '127.0.0.1: certificate ends in 6 days', line
    assert line['server'] == '127.0.0.1' and line['what'] == 'ends' and 'until' in line, line
    probe_all(daemon, 'ann', 'bob')
    daemon.restart()
    probe_all(daemon, 'ann', 'bob')
    daemon.kill9()
    daemon.start()
    probe_all(daemon, 'ann', 'bob')
    assert len(daemon.events(event='cert')) == 1, daemon.events(event='cert')
    assert len(daemon.alerts(event='cert')) == 1, daemon.alerts(event='cert')


@test('3, 6: cert_warn says how long before, and [] that nothing is told')
def cert_warn(t):
    host = t.host('ann')
    host.cert('soon')
    near = t.mailbox(host, 'ann', smtp=None)
    near['cert_warn'] = ['5d', '1h']
    daemon = t.daemon(host, [near])
    probe_all(daemon, 'ann')
    assert not daemon.events(event='cert'), daemon.events(event='cert')
    daemon.mailbox_settings('ann')['cert_warn'] = ['5d', '7d']
    daemon.write_settings()
    daemon.reload()
    daemon.probe('ann')
    daemon.wait_event(event='cert', what='ends')


@test('6: a certificate renewed, and one of another authority, are told once for both sides')
def renewed(t):
    host = t.host('ann')
    host.cert('soon')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')])
    daemon.wait_event(event='cert', what='ends')
    daemon.wait_state('ann', 'ok')
    host.cert('good')
    probe_all(daemon, 'ann')
    event = daemon.wait_event(event='cert', what='renewed')
    assert event['until'] == daemon.mailbox('ann')['imap']['verdict']['tls']['cert']['not_after']
    assert daemon.wait_alert(what='renewed')['msg'] == '127.0.0.1: certificate renewed'
    host.cert('soon')  # one backend that still has the old one: known
    probe_all(daemon, 'ann')
    host.cert('intermediate')
    probe_all(daemon, 'ann')
    assert daemon.wait_alert(what='changed')['msg'] == '127.0.0.1: certificate changed'
    kinds = [event['what'] for event in daemon.events(event='cert')]
    assert kinds == ['ends', 'renewed', 'changed'], kinds


if __name__ == '__main__':
    main()
