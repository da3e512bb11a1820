#!/usr/bin/python3
"""
test_thread.py: the daemon and its command from end to end, against the scripted mail host, by the
contract. Here: states, alerts, certificates, security, restarts, reload, pause, goodbyes, the
command. Not here: hostile servers (tests/hostile), real mail servers and systemd (tests/system).
"""

import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import MBOXWATCHCTL, MBOXWATCHD, SLOW, TIME, ULID, main, test, wait_until  # noqa: E402

ADDRESS = 'ann@test.example'
RFC3339 = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$')
IMAP_DOWN = 'smtp ok, imap failing'


def ann_ok(t, **more):
    """A host and a daemon with the mailbox ann, which is ok."""
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')], **more)
    daemon.wait_state('ann', 'ok')
    return host, daemon


def fail_imap(host, daemon):
    """IMAP refuses connections until that is told; gives the event."""
    host.off('imap')
    daemon.probe('ann')
    return daemon.wait_event(event='state', mailbox='ann', state=IMAP_DOWN)


def size(count):
    """The reload's figures, as numbers or as lists of names."""
    return len(count) if isinstance(count, list) else count


def wait_probes(daemon, name, side, count):
    """Waits until so many more probes of that side have ended."""
    for _ in range(count):
        before = daemon.mailbox(name)[side]['last_probe']
        daemon.wait_mailbox(name, lambda m: m[side]['last_probe'] not in (None, before),
                            why='no further probe of ' + side)


# --- states and what is told ----------------------------------------------------------------------

@test('both sides good: state ok, verdicts whole, nothing told but the start')
def all_ok(t):
    host, daemon = ann_ok(t)
    status = daemon.status()
    assert status['counts']['total'] == status['counts']['ok'] == 1, status['counts']
    assert status['counts']['failing'] == status['counts']['unknown'] == 0, status['counts']
    assert status['uplink'] == 'ok' and status['outages'] == [], status
    mailbox = daemon.mailbox('ann')
    assert mailbox['address'] == ADDRESS and mailbox['enabled'] is True, mailbox
    assert RFC3339.match(mailbox['since']), mailbox['since']
    for side, port in (('smtp', host.endpoint('smtp')), ('imap', host.endpoint('imap'))):
        endpoint = mailbox[side]
        assert endpoint['host'] == '127.0.0.1' and endpoint['port'] == port['port'], endpoint
        assert endpoint['security'] == 'tls' and endpoint['username'] == ADDRESS, endpoint
        assert endpoint['state'] == 'ok' and endpoint['cause'] == 'ok', endpoint
        assert endpoint['interval_ms'] == 10000, endpoint
        verdict = endpoint['verdict']
        assert verdict['ok'] is True and verdict['stage'] == 'done', verdict
        assert verdict['cause'] == 'ok' and verdict['address'].startswith('127.0.0.1'), verdict
        assert verdict['tls']['version'] in ('TLSv1.3', 'TLS 1.3', '1.3'), verdict['tls']
        assert 'mail.test.example' in json.dumps(verdict['tls']['cert']), verdict['tls']
        assert verdict['times_ms']['total'] >= 0 and 'tls' in verdict['times_ms'], verdict
    assert mailbox['imap']['mailbox'] == 'INBOX', mailbox['imap']
    assert 'reply' not in status['mailboxes'][0]['imap']['verdict'], status['mailboxes'][0]
    assert daemon.events(event='state') == []
    start = daemon.wait_event(event='start')
    assert start['level'] == 'info' and ULID.match(start['id']), start
    assert daemon.wait_alert(event='start')['id'] == start['id']
    assert host.commands('imap', 'EXAMINE') >= 1 and host.commands('imap', 'SELECT') == 0
    assert host.commands('imap', 'ID') >= 1 and host.commands('smtp', 'QUIT') >= 1
    assert host.commands('smtp', 'MAIL') == 0 and host.refused() == 0


@test('IMAP goes off and comes back: one state each way, one incident, the line to the letter')
def imap_off_and_on(t):
    host, daemon = ann_ok(t)
    host.off('imap')
    daemon.probe('ann')
    event = daemon.wait_event(event='state', mailbox='ann')
    assert event['state'] == IMAP_DOWN and event['was'] == 'ok', event
    assert (event['smtp'], event['imap'], event['endpoint']) == ('ok', 'failing', 'imap'), event
    assert (event['cause'], event['stage']) == ('connect_refused', 'connect'), event
    assert event['level'] == 'error' and ULID.match(event['id']), event
    assert RFC3339.match(event['since']) and event['text'] and event['next'], event
    line = daemon.wait_alert(event='state', mailbox='ann')
    assert line['msg'] == 'ann: smtp ok, imap failing', line
    assert (line['level'], line['id'], line['was']) == ('error', event['id'], 'ok'), line
    assert (line['smtp'], line['imap'], line['state']) == ('ok', 'failing', IMAP_DOWN), line
    assert line['endpoint'] == 'imap' and line['cause'] == 'connect_refused', line
    assert line['server'] == '127.0.0.1' and TIME.match(line['since']), line
    assert line['incident'] == event['incident'] and line['next'], line
    mailbox = daemon.mailbox('ann')
    assert mailbox['state'] == IMAP_DOWN and mailbox['imap']['state'] == 'failing', mailbox
    assert mailbox['imap']['incident'] == event['incident'], mailbox
    assert mailbox['smtp']['state'] == 'ok' and not mailbox['smtp'].get('incident'), mailbox
    assert daemon.status()['counts']['failing'] == 1
    logins = host.accepted(ADDRESS, 'smtp')
    host.on('imap')
    back = daemon.wait_event(event='state', mailbox='ann', state='ok')
    assert back['was'] == IMAP_DOWN and back['incident'] == event['incident'], back
    assert back['level'] == 'notice' and back['endpoint'] == 'imap', back
    end = daemon.wait_alert(event='state', state='ok')
    assert end['msg'] == 'ann: ok' and end['id'] == back['id'], end
    assert end['incident'] == line['incident'], end
    assert not daemon.mailbox('ann')['imap'].get('incident')
    assert len(daemon.events(event='state')) == len(daemon.alerts(event='state')) == 2
    daemon.probe('ann')
    assert host.accepted(ADDRESS, 'smtp') > logins and host.refused() == 0


@test('SMTP goes off: smtp failing, imap ok; IMAP is probed whatever SMTP said')
def smtp_off(t):
    host, daemon = ann_ok(t)
    host.off('smtp')
    before = host.accepted(ADDRESS, 'imap')
    daemon.probe('ann')
    line = daemon.wait_alert(event='state', mailbox='ann')
    assert line['msg'] == 'ann: smtp failing, imap ok' and line['endpoint'] == 'smtp', line
    assert host.accepted(ADDRESS, 'imap') > before
    host.on('smtp')
    daemon.wait_state('ann', 'ok')


@test('a mailbox with one side says that side alone')
def one_side(t):
    host = t.host('ann', 'bob')
    daemon = t.daemon(host, [t.mailbox(host, 'ann', imap=None), t.mailbox(host, 'bob', smtp=None)])
    assert daemon.wait_state('ann', 'smtp ok')['imap'] is None
    assert daemon.wait_state('bob', 'imap ok')['smtp'] is None
    host.off('imap')
    daemon.probe('bob')
    line = daemon.wait_alert(event='state', mailbox='bob')
    assert line['msg'] == 'bob: imap failing' and line['state'] == 'imap failing', line
    assert line['smtp'] == 'none', line


@test('a blip shorter than confirm: suspect is seen, nothing is told')
def blip(t):
    host, daemon = ann_ok(t, defaults={'confirm': 3, 'retry_interval': '3s', 'retry_max': '3s'})
    host.fail('imap', ADDRESS, 'NO [UNAVAILABLE] Temporary authentication failure.')
    daemon.probe('ann')
    mailbox = daemon.wait_mailbox('ann', lambda m: m['imap']['state'] == 'suspect')
    assert mailbox['state'] == 'ok', 'suspect reads as the state before it'
    assert mailbox['imap']['verdict']['cause'] == 'backend_error', mailbox['imap']
    assert mailbox['imap']['verdict']['transient'] is True, mailbox['imap']
    assert daemon.status()['counts']['suspect'] == 1
    host.heal('imap', ADDRESS)
    daemon.wait_mailbox('ann', lambda m: m['imap']['state'] == 'ok')
    assert daemon.events(event='state') == [] and daemon.alerts(event='state') == []
    assert daemon.events(event='brake') == []


@test('still failing for another cause: told as cause, same incident')
def cause_changes(t):
    host, daemon = ann_ok(t)
    event = fail_imap(host, daemon)
    host.find(ADDRESS).folders = ['Other']
    host.on('imap')
    other = daemon.wait_event(event='cause', mailbox='ann')
    assert other['cause'] == 'folder_missing' and other['stage'] == 'select', other
    assert other['incident'] == event['incident'] and other['level'] == 'warning', other
    assert daemon.wait_alert(event='cause')['cause'] == 'folder_missing'
    host.find(ADDRESS).folders = ['INBOX']
    back = daemon.wait_event(event='state', state='ok')
    assert back['incident'] == event['incident'], back
    assert len(daemon.events(event='state')) == 2


@test('a silent server is reply_timeout at the greeting, and others go on')
def silent_server(t):
    host = t.host('ann', 'bob')
    host.hang('imap')
    daemon = t.daemon(host, [t.mailbox(host, 'ann'), t.mailbox(host, 'bob', imap=None)],
                      defaults={'stage_timeout': '1s', 'timeout': '5s'})
    daemon.wait_state('bob', 'smtp ok')
    verdict = daemon.wait_verdict('ann', 'imap')
    assert (verdict['stage'], verdict['cause']) == ('greeting', 'reply_timeout'), verdict
    assert verdict['transient'] is True, verdict
    daemon.wait_state('ann', IMAP_DOWN)
    host.free('imap')
    daemon.wait_state('ann', 'ok')


# --- rules for replies ----------------------------------------------------------------------------

@test('a rule of the administrator is asked first, and a reload takes it over')
def own_rules(t):
    host = t.host('ann')
    port = t.answering(host, 'imap', answers={'NOOP': '<tag> NO the vault sleeps'})
    daemon = t.watch(host, {'ann': port})
    daemon.expect({'ann': 'backend_error/noop'})
    settings = dict(daemon.settings)
    settings['rules'] = ({'protocol': 'imap', 'stage': 'noop', 'words': 'vault ... sleeps',
                          'cause': 'server_unavailable', 'example': 'NO The vault sleeps'},)
    daemon.write_settings(settings)
    assert size(daemon.reload()['changed']) == 0
    daemon.probe('ann')
    daemon.wait_mailbox('ann', lambda m: m['imap']['cause'] == 'server_unavailable',
                        why='the rule is not asked')
    settings['rules'] = ({'words': 'vault', 'cause': 'server_unavailable',
                          'example': 'NO something else'},)
    daemon.write_settings(settings)
    answer = daemon.post('/v1/reload', timeout=60)
    assert answer.status == 422, repr(answer)
    fault = answer.json()['faults'][0]
    assert fault['setting'] == 'rules[0].example' and fault['line'] > 0, fault

# --- what is wrong with a mailbox -----------------------------------------------------------------

@test('wrong password on both sides: one brake, one state, at most 2 refused logins')
def wrong_password(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann', password=t.secret('wrong'))],
                      defaults={'confirm': 3})
    event = daemon.wait_event(event='state', mailbox='ann')
    assert event['state'] == 'smtp failing, imap failing', event
    assert (event['cause'], event['stage']) == ('bad_credentials', 'auth'), event
    brake = daemon.wait_event(event='brake')
    assert brake['mailbox'] == 'ann' and brake['level'] == 'warning' and brake['until'], brake
    line = daemon.wait_alert(event='brake')
    assert line['msg'].startswith('ann: logins held until ') and TIME.match(line['until']), line
    assert 'endpoint' not in line, 'of the account, not of one side: %s' % line
    wait_probes(daemon, 'ann', 'imap', 3)
    mailbox = daemon.mailbox('ann')
    assert mailbox['smtp'].get('brake') and mailbox['imap'].get('brake'), mailbox
    answer = daemon.post('/v1/mailboxes/ann/probe?wait=1')
    assert answer.status == 409, repr(answer)
    assert answer.headers['Content-Type'].startswith('application/problem+json'), answer.headers
    assert answer.json()['status'] == 409 and answer.json()['code'], repr(answer)
    assert host.refused(ADDRESS) == 2, host.count()
    assert len(daemon.events(event='state')) == len(daemon.events(event='brake')) == 1
    assert len(daemon.alerts(event='state')) == len(daemon.alerts(event='brake')) == 1
    for side in ('smtp', 'imap'):
        daemon.mailbox_settings('ann')[side]['password'] = t.secret('ann')
    daemon.write_settings()
    daemon.reload()
    daemon.wait_state('ann', 'ok')  # a secret that was not refused yet is not held
    daemon.wait_event(event='brake-end')
    daemon.wait_event(event='state', state='ok')
    # The sides may recover one after the other: each change once, each from the one before.
    states = daemon.events(event='state')
    assert [told['was'] for told in states[1:]] == [told['state'] for told in states[:-1]], states
    assert host.refused(ADDRESS) == 2, host.count()
    assert len(daemon.events(event='brake-end')) == 1


@test('a folder that is missing: folder_missing/select')
def missing_folder(t):
    host = t.host('ann')
    mailbox = t.mailbox(host, 'ann')
    mailbox['imap']['mailbox'] = 'Support'
    daemon = t.daemon(host, [mailbox])
    event = daemon.wait_event(event='state', mailbox='ann')
    assert event['state'] == IMAP_DOWN, event
    assert (event['cause'], event['stage']) == ('folder_missing', 'select'), event
    verdict = daemon.mailbox('ann')['imap']['verdict']
    assert any("Mailbox doesn't exist" in line for line in verdict['reply']), verdict
    host.find(ADDRESS).folders.append('Support')
    daemon.wait_state('ann', 'ok')
    assert host.refused() == 0


@test('certificates: expired, future, other names, self-signed, unknown authority; no secret sent')
def certificates(t):
    host = t.host('ann')
    expect = {'expired': 'cert_expired', 'future': 'cert_not_yet_valid', 'other': 'cert_name',
              'self': 'cert_untrusted', 'foreign': 'cert_untrusted',
              'nointermediate': 'cert_untrusted'}
    ports, mailboxes = {}, []
    for number, name in enumerate(expect, 2):
        address = '127.0.0.%d' % number
        ports[name] = [host.answering(side, cert=name, address=address)
                       for side in ('smtp', 'imap')]
        mailboxes.append(t.mailbox(host, name, smtp=t.endpoint(ports[name][0]),
                                   imap=t.endpoint(ports[name][1])))
    daemon = t.daemon(host, mailboxes)
    for name, cause in expect.items():
        for side in ('smtp', 'imap'):
            verdict = daemon.wait_verdict(name, side)
            assert (verdict['stage'], verdict['cause']) == ('tls', cause), (name, verdict)
        for port in ports[name]:
            assert port.holds_secret(t.secret('ann')) is None and not port.saw(b'EHLO'), name
    assert 'other.test.example' in json.dumps(daemon.mailbox('other')['smtp']['verdict'])
    assert host.count()['logins'] == {}


@test('a self-signed certificate named in ca_file is trusted')
def self_signed_named(t):
    host = t.host('ann')
    host.cert('self')
    ca_file = os.path.join(host.certificates, 'self.pem')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')], defaults={'ca_file': ca_file})
    daemon.wait_state('ann', 'ok')


@test('STARTTLS on both sides, by IPv4 and by the name localhost')
def starttls(t):
    host = t.host('ann', 'bob')
    bob = t.mailbox(host, 'bob', 'starttls', 'starttls')
    for side in ('smtp', 'imap'):
        bob[side]['host'] = 'localhost'
    daemon = t.daemon(host, [t.mailbox(host, 'ann', 'starttls', 'starttls'), bob])
    for name in ('ann', 'bob'):
        mailbox = daemon.wait_state(name, 'ok')
        for side in ('smtp', 'imap'):
            assert mailbox[side]['verdict']['tls'], mailbox
            assert 'starttls' in mailbox[side]['verdict']['times_ms'], mailbox
    for side in ('smtp', 'imap'):
        for conversation in host.listeners[side, 'starttls'].all():
            assert conversation.tls_done, 'a session without TLS'


@test('auth: plain, login and none')
def mechanisms(t):
    host = t.host('ann', 'bob', 'eve')
    mailboxes = []
    for name, auth in (('ann', 'plain'), ('bob', 'login'), ('eve', 'none')):
        mailbox = t.mailbox(host, name)
        for side in ('smtp', 'imap'):
            mailbox[side]['auth'] = auth
            if auth == 'none':
                del mailbox[side]['password']
        mailboxes.append(mailbox)
    daemon = t.daemon(host, mailboxes)
    for name in ('ann', 'bob', 'eve'):
        daemon.wait_state(name, 'ok')
    used = {(login['account'].split('@')[0], login['side'], login['mechanism'])
            for login in host.logins}
    assert ('ann', 'smtp', 'PLAIN') in used and ('bob', 'smtp', 'LOGIN') in used, used
    assert ('ann', 'imap', 'PLAIN') in used, used
    assert any(who == 'bob' and side == 'imap' and how.startswith('LOGIN')
               for who, side, how in used), used
    assert not any(who == 'eve' for who, _, _ in used), used


@test('security none: no secret in clear, unless insecure_auth says so')
def security_none(t):
    host = t.host('ann', 'bob')
    bob = t.mailbox(host, 'bob', 'clear', 'clear')
    for side in ('smtp', 'imap'):
        bob[side]['insecure_auth'] = True
    daemon = t.daemon(host, [t.mailbox(host, 'ann', 'clear', 'clear'), bob])
    daemon.wait_state('bob', 'ok')
    for side in ('smtp', 'imap'):
        verdict = daemon.wait_verdict('ann', side)
        assert (verdict['stage'], verdict['cause']) == ('auth', 'tls_required'), verdict
        assert verdict['tls'] is None, verdict
        port = host.listeners[side, 'clear']
        assert port.holds_secret(t.secret('ann')) is None
        assert port.holds_secret(t.secret('bob')) is not None
        assert not port.saw(b'STARTTLS')


@test('passwords from files are read at every probe; a missing file is secret_unavailable')
def password_file(t):
    host = t.host('ann')
    path = os.path.join(t.folder, 'secret')
    mailbox = t.mailbox(host, 'ann')
    for side in ('smtp', 'imap'):
        del mailbox[side]['password']
        mailbox[side]['password_file'] = path
    daemon = t.daemon(host, [mailbox])
    verdict = daemon.wait_verdict('ann', 'smtp')
    assert (verdict['stage'], verdict['cause']) == ('secret', 'secret_unavailable'), verdict
    assert host.connections('smtp') == 0 or host.count()['logins'] == {}
    with open(path, 'w') as out:
        os.fchmod(out.fileno(), 0o600)
        out.write(t.secret('ann') + '\nnot this line\n')
    daemon.wait_state('ann', 'ok')
    assert host.refused() == 0


# --- restarts -------------------------------------------------------------------------------------

@test('kill -9 and a restart: state, incident and events keep, nothing is told twice')
def kill_and_restart(t):
    host, daemon = ann_ok(t)
    event = fail_imap(host, daemon)
    daemon.wait_alert(event='state')
    before = daemon.events()
    since = daemon.mailbox('ann')['imap']['since']
    daemon.kill9()
    daemon.start()
    mailbox = daemon.mailbox('ann')
    assert mailbox['state'] == IMAP_DOWN, mailbox
    assert mailbox['imap']['incident'] == event['incident'], mailbox
    assert mailbox['imap']['since'] == since, mailbox
    ids = [kept['id'] for kept in daemon.events()]
    assert [kept['id'] for kept in before] == ids[:len(before)], (before, ids)
    wait_probes(daemon, 'ann', 'imap', 2)
    assert len(daemon.events(event='state')) == 1, daemon.events(event='state')
    assert {line['id'] for line in daemon.alerts(event='state')} == {event['id']}
    host.on('imap')
    back = daemon.wait_event(event='state', state='ok')
    assert back['incident'] == event['incident'], back
    told = [line['id'] for line in daemon.alerts(event='state') if line['state'] == 'ok']
    assert told == [back['id']] or wait_until(lambda: [
        line['id'] for line in daemon.alerts(event='state', state='ok')] == [back['id']])
    ids = [kept['id'] for kept in daemon.events()]
    assert ids == sorted(ids) and len(set(ids)) == len(ids), ids


@test('TERM and a restart: ok stays ok without a word, since is kept')
def quiet_restart(t):
    host, daemon = ann_ok(t)
    since = daemon.mailbox('ann')['since']
    daemon.restart()
    mailbox = daemon.mailbox('ann')
    assert (mailbox['state'], mailbox['since']) == ('ok', since), mailbox
    daemon.probe('ann')
    assert daemon.events(event='state') == []
    assert len(daemon.events(event='start')) == 2 and len(daemon.events(event='stop')) == 1


@test('kill -9 while braked: the brake stands, never a third refused login')
def kill_while_braked(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann', password=t.secret('wrong'))])
    daemon.wait_event(event='brake')
    for _ in range(3):
        daemon.kill9()
        daemon.start()
        assert daemon.mailbox('ann')['state'] == 'smtp failing, imap failing'
        answer = daemon.post('/v1/mailboxes/ann/probe?wait=1')
        assert answer.status == 409, repr(answer)
    assert host.refused(ADDRESS) == 2, host.count()
    assert len(daemon.events(event='brake')) == 1, daemon.events()


@test('TERM ends within 5 s, and sessions in hand are said goodbye to')
def goodbye(t):
    host = t.host('ann')

    def quiet_at_noop(c):
        session = c.smtp() if c.listener.side == 'smtp' else c.imap()
        session.run(until='NOOP')
        c.wait_end()
    smtp = host.script(quiet_at_noop, 'smtp')
    imap = host.script(quiet_at_noop, 'imap')
    daemon = t.daemon(host, [t.mailbox(host, 'ann', smtp=t.endpoint(smtp), imap=t.endpoint(imap))])
    wait_until(lambda: smtp.saw(b'NOOP') and imap.saw(b'NOOP'), why='no NOOP was seen')
    before = time.monotonic()
    assert daemon.term() == 0, daemon.stderr()
    assert time.monotonic() - before < 5 * SLOW + 0.5, time.monotonic() - before
    assert smtp.wait_idle() and imap.wait_idle()
    assert smtp.saw(b'QUIT\r\n'), smtp.received()
    assert imap.saw(b'LOGOUT\r\n'), imap.received()
    assert not os.path.exists(daemon.socket_path)


# --- what an administrator does -------------------------------------------------------------------

@test('pause and resume: no probe meanwhile, both told, unknown until a verdict')
def pause_and_resume(t):
    host, daemon = ann_ok(t)
    answer = daemon.post('/v1/mailboxes/ann/pause', {'for': '2h', 'reason': 'moving house'})
    assert answer.status == 200 and answer.json()['state'] == 'paused', repr(answer)
    event = daemon.wait_event(event='pause', mailbox='ann')
    assert 'moving house' in event['detail'] and event['level'] == 'notice', event
    assert daemon.wait_alert(event='pause')['id'] == event['id']
    assert daemon.post('/v1/mailboxes/ann/probe').status == 409
    mailbox = daemon.mailbox('ann')
    assert mailbox['smtp']['state'] == mailbox['imap']['state'] == 'paused', mailbox
    assert mailbox['smtp']['since'] == mailbox['imap']['since'] == mailbox['since'], mailbox
    assert daemon.status()['counts']['paused'] == 1
    daemon.kill9()
    daemon.start()
    assert daemon.mailbox('ann')['state'] == 'paused', 'a pause outlives a restart'
    host.hang('smtp')
    host.hang('imap')
    answer = daemon.post('/v1/mailboxes/ann/resume')
    assert answer.status == 200 and answer.json()['state'] == 'unknown', repr(answer)
    host.free('smtp')
    host.free('imap')
    daemon.wait_state('ann', 'ok')
    daemon.wait_event(event='resume', mailbox='ann')
    assert len(daemon.events(event='pause')) == len(daemon.events(event='resume')) == 1
    assert daemon.events(event='state') == []


@test('an open incident is kept over a pause')
def pause_keeps_incident(t):
    host, daemon = ann_ok(t)
    event = fail_imap(host, daemon)
    assert daemon.post('/v1/mailboxes/ann/pause', {}).status == 200
    host.on('imap')
    assert daemon.post('/v1/mailboxes/ann/resume').status == 200
    back = daemon.wait_event(event='state', state='ok')
    assert back['incident'] == event['incident'], back


@test('reload adds, removes and changes; the others keep state and schedule')
def reload(t):
    host = t.host('ann', 'bob', 'carl', 'dora')
    daemon = t.daemon(host, [t.mailbox(host, name) for name in ('ann', 'bob', 'carl')])
    for name in ('ann', 'bob', 'carl'):
        daemon.wait_state(name, 'ok')
    before = daemon.mailbox('ann')
    settings = daemon.settings
    bob = t.mailbox(host, 'bob')
    bob['imap']['mailbox'] = 'Sent'
    settings['mailboxes'] = (t.mailbox(host, 'ann'), bob, t.mailbox(host, 'dora'))
    daemon.write_settings(settings)
    figures = daemon.reload()
    assert [size(figures[key]) for key in ('changed', 'added', 'removed', 'unchanged')] == [
        1, 1, 1, 1], figures
    assert daemon.get('/v1/mailboxes/carl').status == 404
    daemon.wait_state('dora', 'ok')
    daemon.wait_mailbox('bob', lambda m: m['imap']['mailbox'] == 'Sent' and m['state'] == 'ok')
    assert host.count()['commands']['imap']['EXAMINE'] >= 4
    after = daemon.mailbox('ann')
    assert after['since'] == before['since'] and after['state'] == 'ok', after
    assert daemon.wait_event(event='reload')
    assert daemon.events(event='state') == [], 'nothing of this is a failure'


@test('a mailbox that is removed while failing ends with state=removed')
def removed_while_failing(t):
    host = t.host('ann', 'bob')
    daemon = t.daemon(host, [t.mailbox(host, 'ann'), t.mailbox(host, 'bob', imap=None)])
    daemon.wait_state('ann', 'ok')
    event = fail_imap(host, daemon)
    settings = dict(daemon.settings)
    settings['mailboxes'] = (t.mailbox(host, 'bob', imap=None),)
    daemon.write_settings(settings)
    daemon.reload()
    end = daemon.wait_event(event='state', state='removed')
    assert end['mailbox'] == 'ann' and end['level'] == 'notice', end
    assert end['incident'] == event['incident'], end
    assert daemon.wait_alert(event='state', state='removed')['msg'] == 'ann: removed'


@test('reload with faults changes nothing, tells the first, lists all')
def refused_reload(t):
    host, daemon = ann_ok(t)
    good = daemon.settings
    bad = dict(good)
    bad['defaults'] = dict(bad['defaults'], intervall='5m', confirm=0)
    daemon.write_settings(bad)
    answer = daemon.post('/v1/reload')
    assert answer.status == 422, repr(answer)
    faults = answer.json()['faults']
    assert len(faults) == 2 and all(fault['message'] for fault in faults), faults
    assert any('interval' in fault['message'] for fault in faults), 'did you mean: %s' % faults
    assert all(fault['line'] >= 1 and fault['file'] == daemon.settings_path for fault in faults)
    event = daemon.wait_event(event='reload-failed')
    assert event['level'] == 'error' and event['detail'], event
    status, out, err = daemon.ctl('reload')
    assert status == 5 and 'intervall' in out + err and 'confirm' in out + err, (status, out, err)
    assert daemon.mailbox('ann')['state'] == 'ok'
    daemon.write_settings(good)
    assert size(daemon.reload()['unchanged']) == 1


@test('SIGHUP reloads')
def sighup(t):
    host = t.host('ann', 'bob')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')])
    daemon.wait_state('ann', 'ok')
    settings = dict(daemon.settings)
    settings['mailboxes'] = (t.mailbox(host, 'ann'), t.mailbox(host, 'bob'))
    daemon.write_settings(settings)
    daemon.signal(1)
    wait_until(lambda: daemon.get('/v1/mailboxes/bob').status == 200, why='bob was not added')
    daemon.wait_state('bob', 'ok')


@test('enabled = false is paused, and cannot be resumed')
def disabled(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann', enabled=False)])
    mailbox = daemon.mailbox('ann')
    assert mailbox['state'] == 'paused' and mailbox['enabled'] is False, mailbox
    answer = daemon.post('/v1/mailboxes/ann/resume')
    assert answer.status == 409, repr(answer)
    assert host.connections('smtp') == host.connections('imap') == 0


@test('events: since, select and follow')
def events(t):
    host, daemon = ann_ok(t)
    follower = daemon.follow()
    selected = daemon.follow('&select=nobody-*')
    event = fail_imap(host, daemon)
    assert follower.wait(event='state')['id'] == event['id']
    assert daemon.events(since=event['id'], event='state') == []
    start = daemon.events(event='start')[0]
    after = daemon.events(since=start['id'])
    assert [e['id'] for e in after] == [e['id'] for e in daemon.events() if e['id'] > start['id']]
    assert daemon.events(select='ann', event='state') and not daemon.events(select='bob*')
    host.on('imap')
    assert follower.wait(event='state', state='ok')['incident'] == event['incident']
    assert not [e for e in selected.events if e.get('mailbox')], selected.events


@test('labels are carried by events, lines and selectors')
def labels(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann', labels={'owner': 'acme "inc" = \u00fc'})])
    daemon.wait_state('ann', 'ok')
    event = fail_imap(host, daemon)
    assert event['labels'] == {'owner': 'acme "inc" = \u00fc'}, event
    line = daemon.wait_alert(event='state')
    assert line['label_owner'] == "acme 'inc' \\x3d \u00fc", line
    assert daemon.status(select='label.owner=nobody')['mailboxes'] == []


@test('health, metrics and routes that are not there')
def routes(t):
    host, daemon = ann_ok(t)
    answer = daemon.get('/healthz')
    assert answer.status == 200 and answer.body.strip() == b'ok', repr(answer)
    metrics = daemon.get('/metrics')
    assert metrics.headers['Content-Type'].startswith('text/plain; version=0.0.4'), metrics.headers
    text = metrics.body.decode('utf-8')
    assert 'mboxwatch_mailboxes{state="ok"} 1\n' in text, text[:3000]
    assert re.search(r'^mboxwatch_endpoint_up\{[^}]*mailbox="ann"[^}]*\} 1$', text, re.M), text
    causes = daemon._fetch('/v1/causes')['causes']
    assert any(cause['cause'] == 'bad_credentials' and cause['next'] for cause in causes)
    for path, status in (('/v1/mailboxes/nobody', 404), ('/v1/nothing', 404), ('/', 404)):
        assert daemon.get(path).status == status, path
    answer = daemon.request('DELETE', '/v1/status')
    assert answer.status in (404, 405), repr(answer)
    problem = daemon.get('/v1/mailboxes/nobody')
    assert problem.headers['Content-Type'].startswith('application/problem+json'), problem.headers
    assert problem.json()['status'] == 404 and problem.json()['title'], repr(problem)
    answer = daemon.post('/v1/test-alert', {})
    assert answer.status == 200 and answer.json()['event'] == 'test', repr(answer)
    assert daemon.wait_alert(event='test')['id'] == answer.json()['id']


# --- the programs ---------------------------------------------------------------------------------

@test('mboxwatchctl: status, show, events, probe, pause, resume, reload, causes, version')
def ctl(t):
    host, daemon = ann_ok(t)
    status, out, _ = daemon.ctl('status')
    assert status == 0 and 'ann' in out and 'ok' in out, (status, out)
    assert '\x1b' not in out and all(len(line) <= 80 for line in out.split('\n')), out
    status, out, _ = daemon.ctl('status', '--json')
    assert status == 0 and json.loads(out)['counts']['ok'] == 1, out
    status, out, _ = daemon.ctl('show', 'ann')
    assert status == 0 and '127.0.0.1' in out and ADDRESS in out, out
    status, out, _ = daemon.ctl('show', 'ann', '--json')
    assert status == 0 and json.loads(out)['imap']['verdict']['ok'] is True, out
    assert daemon.ctl('show', 'nobody')[0] == 3
    assert daemon.ctl('status', 'nobody')[0] == 3
    status, out, _ = daemon.ctl('probe', 'ann')
    assert status == 0 and 'ann' in out, (status, out)
    status, out, _ = daemon.ctl('events', '--json')
    assert status == 0 and json.loads(out.split('\n')[0])['event'] == 'start', out
    host.off('imap')
    status, out, _ = daemon.ctl('probe', 'ann')
    assert status == 1 and 'connect_refused' in out, (status, out)
    daemon.wait_state('ann', IMAP_DOWN)
    status, out, _ = daemon.ctl('status')
    assert status == 1 and 'connect_refused' in out, (status, out)
    assert daemon.ctl('status', 'state:failing')[0] == 1
    assert daemon.ctl('status', '--json')[0] == 1
    status, out, _ = daemon.ctl('events', '--since', '1h', 'ann')
    assert status == 0 and 'imap failing' in out, out
    status, out, _ = daemon.ctl('pause', 'ann', '--for', '2h', '--reason', 'a test')
    assert status == 0 and daemon.mailbox('ann')['state'] == 'paused', out
    assert daemon.ctl('status')[0] == 0, 'paused is not failing'
    host.on('imap')
    assert daemon.ctl('resume', 'ann')[0] == 0
    daemon.wait_state('ann', 'ok')
    assert daemon.ctl('pause', 'nobody')[0] == 3
    status, out, _ = daemon.ctl('reload')
    assert status == 0, out
    status, out, _ = daemon.ctl('causes')
    assert status == 0 and 'bad_credentials' in out and 'delivery_lost' in out, out
    status, out, _ = daemon.ctl('causes', 'bad_credentials')
    assert status == 0 and 'webmail' in out and 'delivery_lost' not in out, out
    status, out, _ = daemon.ctl('version')
    assert status == 0 and re.search(r'\d+\.\d+', out), out
    status, out, _ = daemon.ctl('metrics')
    assert status == 0 and 'mboxwatch_mailboxes' in out, out
    for usage in (['nonsense'], ['status', '--nonsense'], ['show'], []):
        assert daemon.ctl(*usage)[0] == 2, usage
    nowhere = os.path.join(t.folder, 'nowhere.sock')
    for arguments in (['--socket', nowhere, 'status'], ['--socket', nowhere, 'show', 'ann']):
        assert daemon.ctl(*arguments)[0] == 4, arguments


@test('mboxwatchd: exit statuses of usage, faulty settings, a second daemon; -t and its plan')
def exit_statuses(t):
    host, daemon = ann_ok(t)

    def run(*arguments):
        done = subprocess.run([MBOXWATCHD] + list(arguments), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=daemon._env(),
                              timeout=30 * SLOW)
        daemon.outputs.append((' '.join(arguments), done.stdout))
        return done.returncode, done.stdout.decode('utf-8', 'replace')
    assert run('--nonsense')[0] == 2
    assert run('--version')[0] == 0 and run('--help')[0] == 0
    status, out = run('-c', daemon.settings_path, '--state-dir', daemon.state_dir, '--socket',
                      os.path.join(t.folder, 'other.sock'))
    assert status == 75, (status, out)
    status, out = daemon.check_settings()
    assert status == 0 and 'ann' in out, (status, out)
    broken = os.path.join(t.folder, 'broken.conf')
    with open(broken, 'w') as out_file:
        out_file.write('defaults = { interval = "1s"; };\nmailboxes = (\n  { name = "x y"; } );\n')
    status, out = run('-t', '-c', broken)
    assert status == 1 and '%s:1: ' % broken in out and '%s:3: ' % broken in out, (status, out)
    status, out = run('-c', broken, '--state-dir', os.path.join(t.folder, 'other'), '--socket',
                      os.path.join(t.folder, 'other.sock'))
    assert status == 78 and '%s:1: ' % broken in out, (status, out)
    assert os.access(MBOXWATCHCTL, os.X_OK)
    assert daemon.mailbox('ann')['state'] == 'ok'


@test('two daemons, a host each: what one meets is nothing to the other')
def two_daemons(t):
    first, second = t.host('ann'), t.host('ann')
    one = t.daemon(first, [t.mailbox(first, 'ann')])
    two = t.daemon(second, [t.mailbox(second, 'ann')])
    one.wait_state('ann', 'ok')
    two.wait_state('ann', 'ok')
    fail_imap(first, one)
    assert two.probe('ann')['state'] == 'ok' and two.events(event='state') == []


if __name__ == '__main__':
    main()
