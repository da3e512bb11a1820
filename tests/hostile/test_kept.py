#!/usr/bin/python3
"""
test_kept.py: sessions that stay logged in: H2-48, H2-49, H7-12, H10-02, and their goodbye on every
path. What the scripted host saw is the judge: connections, logins, NOOPs. Not here: the dialogue at
rest in every split of its bytes (tests/dialogue), fleets of kept sessions in virtual time
(tests/simulate).
"""

import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))
from harness import main, test, wait_until  # noqa: E402
from shared import PROMPT, cpu_seconds, resident_bytes  # noqa: E402

KEEP = {'session': 'keep', 'interval': '20m', 'keep_max': '2h'}


def seen(port, word):
    return port.received().count(word)


def probed(daemon, name):
    """Probes it, and gives its verdict, which must be good."""
    mailbox = daemon.probe(name)
    assert isinstance(mailbox, dict), repr(mailbox)
    verdict = mailbox['imap']['verdict']
    assert (verdict['cause'], verdict['stage']) == ('ok', 'done'), verdict
    return verdict


def wait_goodbyes(port, count):
    wait_until(lambda: seen(port, b' LOGOUT\r\n') >= count,
               why=lambda: 'no goodbye: %r' % port.received())
    assert port.wait_idle(), 'a connection still stands'


@test('keep: probes by NOOP in one session, with address, TLS and capabilities; goodbye at TERM')
def keep(t):
    host = t.host('ann')
    port = t.answering(host, 'imap')
    daemon = t.watch(host, {'one': port}, KEEP)
    first = daemon.verdict('one')
    for _ in range(3):
        verdict = probed(daemon, 'one')
        for member in ('address', 'family', 'capabilities'):
            assert verdict[member] == first[member], (member, verdict, first)
        assert verdict['tls']['cert'] == first['tls']['cert'], verdict
        assert any('kept since' in note for note in verdict['notes']), verdict
    assert len(port.all()) == 1 and seen(port, b'AUTHENTICATE') == 1, port.received()
    assert seen(port, b'NOOP') == 4 and seen(port, b'LOGOUT') == 0, port.received()
    assert 'mboxwatch_sessions_kept 1\n' in daemon.get('/metrics').body.decode('utf-8')
    daemon.term(timeout=5)
    wait_goodbyes(port, 1)
    assert daemon.alerts(event='state') == [], daemon.alerts()


@test('keep: renewed at keep_max, with a goodbye before the new connection')
def keep_max(t):
    host = t.host('ann')
    port = t.answering(host, 'imap')
    daemon = t.watch(host, {'one': port}, {'session': 'keep', 'interval': '10s',
                                           'keep_max': '20s'})
    daemon.verdict('one')
    wait_until(lambda: len(port.all()) >= 2, timeout=60, why='it was never renewed')
    first, second = port.all()[:2]
    assert first.received.count(b'NOOP') >= 2, bytes(first.received)
    assert first.ended is not None and first.ended <= second.began, (first.ended, second.began)
    assert b'LOGOUT' in first.received, bytes(first.received)
    daemon.wait_verdict('one', 'imap', cause='ok')


def breaks_when(is_armed, how):
    """An IMAP server that does this to the next NOOP once the event is set."""
    def noop(session, line):
        if not is_armed.is_set():
            return False
        is_armed.clear()
        how(session)
        return True
    return {'NOOP': noop}


@test('H2-48: a kept session that is broken in any way: opened anew in the same probe, one login')
def h2_48(t):
    host = t.host('ann')
    at_noop = {
        'no': lambda session: session.tagged('NO not now'),
        'bad': lambda session: session.tagged('BAD what?'),
        'silent': lambda session: True,
        'bye': lambda session: session.c.line('* BYE overloaded'),
        'reset': lambda session: session.c.reset(),
        'junk': lambda session: session.c.line('hello'),
    }
    at_rest = {
        'rest-bye': b'* BYE Autologout; idle for too long\r\n',
        'rest-exists': b'* 1 EXISTS\r\n' * 10000,
        'rest-junk': b'x' * 100000,
        'rest-tagged': b'a9 OK done\r\n',
    }
    armed = {name: threading.Event() for name in at_noop}
    ports = {name: t.answering(host, 'imap', answers=breaks_when(armed[name], how))
             for name, how in at_noop.items()}
    ports.update({name: t.answering(host, 'imap') for name in at_rest})
    ports['rest-closed'] = t.answering(host, 'imap')
    daemon = t.watch(host, ports, dict(KEEP, stage_timeout='6s', timeout='30s'))
    daemon.expect({name: 'ok/done' for name in ports})
    for name, data in at_rest.items():
        ports[name].all()[-1].send(data)
    ports['rest-closed'].all()[-1].close()
    for name in list(at_rest) + ['rest-closed']:
        wait_until(lambda: ports[name].all()[-1].ended, why='%s: the session still stands' % name)
        mailbox = daemon.mailbox(name)
        assert mailbox['state'] == 'imap ok', mailbox
    for name, port in ports.items():
        before = len(port.all())  # 1; 2 where the first probe was void, on a busy machine
        if name in armed:
            armed[name].set()
        verdict = probed(daemon, name)
        assert len(port.all()) == before + 1, (name, before, len(port.all()))
        assert seen(port, b'AUTHENTICATE') == before + 1, (name, port.received())
        assert b'AUTHENTICATE' in port.all()[-1].received, (name, port.received())
        is_told = any('lost' in note for note in verdict['notes'])
        assert is_told == (name in at_noop), (name, verdict)
        assert not any('kept since' in note for note in verdict['notes']), verdict
        for stage in ('connect', 'tls', 'auth', 'noop'):
            assert stage in verdict['times_ms'], (name, verdict)
        assert verdict['times_ms']['noop'] < 5000, (name, verdict)
        probed(daemon, name)
        assert len(port.all()) == before + 1, (name, before, len(port.all()))
    assert daemon.events(event='state') == [], daemon.events()


@test('H2-49: reload of user, secret, folder, TLS or host: never reused, a login is made, goodbye')
def h2_49(t):
    host = t.host('ann', 'bob')
    changes = {
        'user': {'username': 'bob@test.example', 'password': t.secret('bob')},
        'secret': {'password': t.secret('ann2')},
        'folder': {'mailbox': 'Sent'},
        'select': {'select': 'select'},
        'tls': {'tls_min': '1.3'},
        'fresh': {'session': 'fresh'},
    }
    ports = {name: t.answering(host, 'imap') for name in list(changes) + ['host', 'same', 'gone',
                                                                         'paused', 'off']}
    other = t.answering(host, 'imap')
    daemon = t.watch(host, ports, KEEP)
    daemon.expect({name: 'ok/done' for name in ports})
    for name, change in changes.items():
        daemon.mailbox_settings(name)['imap'].update(change)
    host.password('ann@test.example', t.secret('ann2'))
    for name in ports:
        if name not in ('user', 'same'):
            daemon.mailbox_settings(name)['imap']['password'] = t.secret('ann2')
    host_settings = daemon.mailbox_settings('host')['imap']
    host_settings.update({member: other.settings()[member] for member in ('host', 'port')})
    daemon.mailbox_settings('off')['enabled'] = False
    daemon.settings['mailboxes'] = tuple(
        mailbox for mailbox in daemon.settings['mailboxes'] if mailbox['name'] != 'gone')
    daemon.write_settings()
    assert daemon.post('/v1/mailboxes/paused/pause').status == 200
    daemon.reload()
    for name in changes:
        wait_until(lambda: seen(ports[name], b'AUTHENTICATE') == 2,
                   why=lambda: '%s: no login: %r' % (name, ports[name].received()))
        wait_until(lambda: ports[name].all()[0].ended, why='%s: no end of the old' % name)
        old, new = ports[name].all()
        assert b'LOGOUT' in old.received, (name, bytes(old.received))
    wait_until(lambda: seen(other, b'AUTHENTICATE') == 1, why='host: no login at the new one')
    for name in ('host', 'gone', 'paused', 'off'):
        wait_goodbyes(ports[name], 1)
    # Whose settings are the same has the same session.
    probed(daemon, 'same')
    assert len(ports['same'].all()) == 1, ports['same'].received()


@test('H2-49: the secret in its file is another, one user name with two secrets: logins are made')
def h2_49_secrets(t):
    host = t.host('ann')
    path = os.path.join(t.folder, 'secret')
    with open(path, 'w') as file:
        file.write(t.secret('ann') + '\n')
    port = t.answering(host, 'imap')
    mailboxes = [
        {'name': 'file', 'address': 'ann@test.example',
         'imap': port.settings(password_file=path)},
        {'name': 'right', 'address': 'ann@test.example', 'imap': t.endpoint(port)},
        {'name': 'wrong', 'address': 'ann@test.example',
         'imap': port.settings(password=t.secret('wrong'))},
    ]
    daemon = t.daemon(host, mailboxes, KEEP)
    daemon.expect({'file': 'ok/done', 'right': 'ok/done', 'wrong': 'bad_credentials/auth'})
    assert host.refused() >= 1, host.count()
    probed(daemon, 'file')
    probed(daemon, 'right')
    logins = host.accepted()
    assert logins == 2, host.count()
    with open(path, 'w') as file:
        file.write(t.secret('other') + '\n')
    mailbox = daemon.probe('file')
    assert mailbox['imap']['verdict']['cause'] == 'bad_credentials', mailbox
    # What became of one has nothing to do with the other's session.
    probed(daemon, 'right')
    assert host.accepted() == logins, host.count()


def most_at_once(port):
    moments = []
    for c in port.all():
        moments.append((c.began, 1))
        if c.ended:
            moments.append((c.ended, -1))
    standing = most = 0
    for _, step in sorted(moments):
        standing += step
        most = max(most, standing)
    return most


@test('H7-12: 12 mailboxes to keep, 4 connections: never a fifth, all are probed, some are kept')
def h7_12(t):
    names = ['m%02d' % number for number in range(12)]
    host = t.host(*names)
    port = host.answering('imap')
    mailboxes = [{'name': name, 'address': name + '@test.example',
                  'imap': port.settings(password=t.secret(name))} for name in names]
    daemon = t.daemon(host, mailboxes, {'session': 'keep', 'interval': '10s', 'keep_max': '1h'},
                      limits={'connections': 4, 'logins_per_minute': 600})
    status, plan = daemon.check_settings()
    assert status == 0 and 'at most 4 sessions kept, 8 will be fresh' in plan, plan
    daemon.expect({name: 'ok/done' for name in names})
    before = len(port.all())
    began = {name: daemon.mailbox(name)['imap']['last_ok'] for name in names}
    time.sleep(30)
    for name in names:
        mailbox = daemon.mailbox(name)
        assert mailbox['state'] == 'imap ok' and mailbox['imap']['last_ok'] > began[name], mailbox
    assert most_at_once(port) <= 4, most_at_once(port)
    noops, logins = seen(port, b'NOOP'), seen(port, b'AUTHENTICATE')
    assert noops > logins, (noops, logins)
    kept = int(re.search(r'^mboxwatch_sessions_kept (\d+)$',
                         daemon.get('/metrics').body.decode('utf-8'), re.M).group(1))
    assert 1 <= kept <= 4, kept
    assert len(port.all()) > before, 'the others are fresh'


def metric(daemon, name):
    text = daemon.get('/metrics?detail=0').body.decode('utf-8')
    return sum(float(value) for value in
               re.findall(r'^%s(?:\{[^}]*\})? ([0-9.]+)$' % name, text, re.M))


# 10,000 for hours are the bench's; here each one hears in seconds what it would in an hour.
CROWD = 300
LINES = 360


@test('H10-02: EXISTS at kept sessions, an hour of them: no verdict, no login, bounded', 300)
def h10_02(t):
    host = t.host('ann')
    port = t.answering(host, 'imap')
    mailboxes = [{'name': 'm%03d' % number, 'address': 'ann@test.example',
                  'imap': t.endpoint(port)} for number in range(CROWD)]
    rare = dict(KEEP, interval='1d', keep_max='7d')  # no turn comes meanwhile
    daemon = t.daemon(host, mailboxes, rare, start=False,
                      limits={'connections': CROWD, 'logins_per_minute': 100000})
    daemon.environment.update(PROMPT)
    daemon.start()
    assert daemon.post('/v1/probe').status == 202  # first probes come one a second else
    wait_until(lambda: metric(daemon, 'mboxwatch_sessions_kept') == CROWD, timeout=120,
               why='not all are kept')
    connections = port.all()
    for mailbox in mailboxes:  # what a probe needs stands by then
        probed(daemon, mailbox['name'])
    before = resident_bytes(daemon)
    probes, cpu = metric(daemon, 'mboxwatch_probes_total'), cpu_seconds(daemon)
    for number in range(LINES):
        for connection in connections:
            connection.send(b'* %d EXISTS\r\n' % number)
    assert metric(daemon, 'mboxwatch_sessions_kept') == CROWD
    assert metric(daemon, 'mboxwatch_probes_total') == probes, 'a verdict came of it'
    for mailbox in mailboxes:  # an answer comes behind all lines before it
        probed(daemon, mailbox['name'])
    took = cpu_seconds(daemon) - cpu
    grown = resident_bytes(daemon) - before
    assert grown < CROWD * 24576, '%d bytes a session more' % (grown // CROWD)
    # A core's fifth for 1,000 lines a second; a build with sanitizers takes ten times as much,
    # and the probes at the end are in it.
    assert took < 10 * LINES * CROWD * 0.0002, '%g s for %d lines' % (took, LINES * CROWD)
    assert len(port.all()) == CROWD and host.accepted() == CROWD, host.count()
    print('# %.0f us of CPU a line, %d bytes a session more' % (
        took * 1e6 / LINES / CROWD, grown // CROWD))


if __name__ == '__main__':
    main()
