#!/usr/bin/python3
"""
test_contract.py: the contract's sentences, held from outside: what a script, a dashboard or a log
watcher sees. Each title is the sentence. Not here: whole stories (test_thread.py), hostile servers
(tests/hostile), the journal and systemd (tests/system), what later issues build.
"""

import fcntl
import json
import os
import pty
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
import unicodedata

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import (MBOXWATCHCTL, MBOXWATCHD, SLOW, TIME, TREE, ULID, main, parse_line,  # noqa: E402
                     test, wait_until)

RFC3339 = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$')
FAULT = re.compile(r'(?P<file>/[^:]*):(?P<line>\d+): (?P<wrong>.+?); (?P<right>.+)$')
STAGES = ('config secret dns connect tls greeting capability starttls auth select noop mail rcpt '
          'data delivery done').split()
ENDPOINT_STATES = ('unknown', 'ok', 'suspect', 'failing', 'paused')
CAUSES = '''
    config_invalid secret_unavailable token_unavailable token_refused local_limit uplink_down
    address_denied dns_no_name dns_no_address dns_failed connect_refused connect_timeout unreachable
    connection_lost reply_timeout proxy_failed tls_mode tls_handshake tls_version cert_name
    cert_expired cert_not_yet_valid cert_untrusted cert_changed starttls_missing starttls_tampered
    bad_credentials app_password_required oauth_required protocol_disabled web_login_required
    account_locked account_suspended password_expired username_form policy_blocked rate_limited
    too_many_connections send_limit server_unavailable backend_error tls_required
    mechanism_unsupported auth_not_offered folder_missing folder_denied over_quota ip_blocked
    greylisted sender_rejected recipient_rejected wrong_protocol protocol_error delivery_lost ok
'''.split()
IMAP_DOWN = 'smtp ok, imap failing'
NO_SIDE = {'host': '127.0.0.1', 'auth': 'none'}


# --- helpers --------------------------------------------------------------------------------------

def is_text(value):
    return isinstance(value, str)


def is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_flag(value):
    return isinstance(value, bool)


def is_time(value):
    return is_text(value) and RFC3339.match(value) is not None


def or_null(judge):
    return lambda value: value is None or judge(value)


def texts(value):
    return isinstance(value, list) and all(is_text(item) for item in value)


def has(document, shape, where):
    """Each member of shape is there and of its kind."""
    for name, judge in shape.items():
        assert name in document, '%s has no %s: %s' % (where, name, sorted(document))
        assert judge(document[name]), '%s.%s is %r' % (where, name, document[name])


def judge_mailbox(mailbox, is_whole):
    has(mailbox, {
        'name': is_text, 'address': is_text, 'state': is_text, 'since': is_time,
        'labels': lambda v: isinstance(v, dict) and all(is_text(x) for x in v.values()),
        'enabled': is_flag, 'smtp': or_null(lambda v: isinstance(v, dict)),
        'imap': or_null(lambda v: isinstance(v, dict)), 'delivery': lambda v: v is None}, 'MAILBOX')
    for side in ('smtp', 'imap'):
        if mailbox[side] is not None:
            judge_endpoint(mailbox[side], side, is_whole)


def judge_endpoint(endpoint, side, is_whole):
    has(endpoint, {
        'host': is_text, 'port': is_count, 'security': lambda v: v in ('tls', 'starttls', 'none'),
        'username': is_text, 'state': lambda v: v in ENDPOINT_STATES, 'since': is_time,
        'cause': or_null(lambda v: v in CAUSES), 'stage': or_null(lambda v: v in STAGES),
        'fails': is_count, 'last_ok': or_null(is_time), 'last_probe': or_null(is_time),
        'next_probe': or_null(is_time), 'next_reason': is_text, 'interval_ms': is_count,
        'verdict': or_null(lambda v: isinstance(v, dict))}, 'ENDPOINT')
    assert ('mailbox' in endpoint) == (side == 'imap'), sorted(endpoint)
    assert 'incident' not in endpoint or endpoint['incident'] is None or \
        ULID.match(endpoint['incident']), endpoint['incident']
    if endpoint['verdict'] is not None:
        judge_verdict(endpoint['verdict'], is_whole)


def judge_verdict(verdict, is_whole):
    has(verdict, {
        'ok': is_flag, 'stage': lambda v: v in STAGES, 'cause': lambda v: v in CAUSES,
        'transient': is_flag, 'detail': or_null(is_text), 'address': or_null(is_text),
        'family': or_null(lambda v: v in ('ipv4', 'ipv6')),
        'times_ms': lambda v: 'total' in v and all(
            name in STAGES + ['total'] and is_count(ms) for name, ms in v.items()),
        'tls': or_null(lambda v: isinstance(v, dict)),
        'suggest': lambda v: isinstance(v, dict), 'next': texts, 'notes': texts}, 'VERDICT')
    assert verdict['ok'] == (verdict['cause'] == 'ok'), verdict
    if verdict['tls'] is not None:
        has(verdict['tls'], {'version': is_text, 'cipher': is_text, 'resumed': is_flag}, 'tls')
    if not is_whole:
        assert 'reply' not in verdict and 'capabilities' not in verdict, sorted(verdict)
        assert 'cert' not in (verdict['tls'] or {}), verdict['tls']
        return
    has(verdict, {'reply': texts, 'capabilities': texts}, 'VERDICT')
    if verdict['tls'] is not None:
        has(verdict['tls']['cert'], {
            'subject': is_text, 'issuer': is_text, 'names': texts, 'not_after': is_time,
            'sha256': lambda v: re.match(r'[0-9a-f]{64}$', v) is not None}, 'cert')


def judge_problem(answer, status, code=None):
    assert answer.status == status, repr(answer)
    assert answer.headers['Content-Type'] == 'application/problem+json', answer.headers
    problem = answer.json()
    has(problem, {'title': is_text, 'status': lambda v: v == status, 'detail': is_text,
                  'code': lambda v: re.match(r'[a-z_]+$', v) is not None,
                  'faults': lambda v: isinstance(v, list)}, 'problem')
    assert problem['title'] and problem['detail'], problem
    for fault in problem['faults']:
        has(fault, {'setting': is_text, 'message': is_text}, 'fault')
    assert code is None or problem['code'] == code, problem
    return problem


def judge_event(event):
    has(event, {'id': lambda v: ULID.match(v) is not None, 'time': is_time, 'event': is_text,
                'level': lambda v: v in ('critical', 'error', 'warning', 'notice', 'info'),
                'text': lambda v: is_text(v) and v.endswith(('.', '?', '!'))
                or 'resume' in v}, 'EVENT')
    shape = {'mailbox': is_text, 'smtp': is_text, 'imap': is_text, 'state': is_text,
             'was': is_text, 'endpoint': lambda v: v in ('smtp', 'imap'),
             'cause': lambda v: v in CAUSES, 'stage': lambda v: v in STAGES, 'transient': is_flag,
             'detail': is_text, 'reply': texts, 'since': is_time, 'until': is_time,
             'incident': lambda v: ULID.match(v) is not None, 'members': is_count,
             'kind': is_text, 'address': is_text, 'server': is_text,
             'labels': lambda v: isinstance(v, dict), 'next': texts}
    for name, value in event.items():
        assert name not in shape or shape[name](value), (name, value)


def plain(name, **more):
    """A mailbox that is never probed, for what is only read of its settings."""
    return dict({'name': name, 'address': name + '@test.example', 'enabled': False}, **more)


def run_daemon(t, *arguments, env=None):
    environment = {name: value for name, value in os.environ.items()
                   if name not in ('STATE_DIRECTORY', 'RUNTIME_DIRECTORY', 'JOURNAL_STREAM')}
    environment.update(env or {})
    done = subprocess.run([MBOXWATCHD] + list(arguments), stdin=subprocess.DEVNULL,
                          capture_output=True, env=environment, timeout=30 * SLOW, cwd='/')
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def write(t, name, text, mode=0o600):
    path = os.path.join(t.folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as out:
        os.fchmod(out.fileno(), mode)
        out.write(text)
    return path


def check(t, text, *more, name='s.conf', mode=0o600):
    """mboxwatchd -t on this text: (exit status, {line: [faults]}, [warnings], output)."""
    path = write(t, name, text, mode)
    status, out, err = run_daemon(t, '-t', '-c', path, *more)
    faults, warnings = {}, []
    for line in out.splitlines():
        found = FAULT.match(line)
        if found is None:
            continue
        if found['wrong'].startswith('warning: '):
            warnings.append(line)
        else:
            assert found['file'] == path or more, line
            faults.setdefault(int(found['line']), []).append(line)
    return status, faults, warnings, out


def one_mailbox(more='', smtp='', imap=None):
    side = '' if imap is None else ' imap = { %s };' % imap
    return ('mailboxes = ( { name = "ann"; address = "ann@example.com"; %s\n smtp = { host = '
            '"smtp.example.com"; password = "x"; %s };%s } );\n' % (more, smtp, side))


def width(text):
    return sum(0 if unicodedata.combining(letter) else
               2 if unicodedata.east_asian_width(letter) in 'WF' else 1 for letter in text)


def on_terminal(daemon, *arguments, columns=80, **environment):
    """mboxwatchctl on a terminal of so many columns: (exit status, what it shows)."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
    env = daemon._env()
    env.pop('NO_COLOR', None)
    env.pop('COLUMNS', None)
    env.update(TERM='xterm', LC_ALL='C.UTF-8', MBOXWATCH_SOCKET=daemon.socket_path, **environment)
    process = subprocess.Popen([MBOXWATCHCTL] + list(arguments), stdin=slave, stdout=slave,
                               stderr=slave, env=env)
    os.close(slave)
    shown = b''
    try:
        while True:
            piece = os.read(master, 65536)
            if not piece:
                break
            shown += piece
    except OSError:
        pass
    os.close(master)
    return process.wait(30 * SLOW), shown.decode('utf-8').replace('\r\n', '\n')


def good_and_bad(t, **more):
    """ann is ok, bob's IMAP is refused by everybody, dora is switched off."""
    host = t.host('ann', 'bob', 'dora')
    nobody = dict(host.endpoint('imap', 'tls', password=t.secret('bob')), port=9)
    daemon = t.daemon(host, [t.mailbox(host, 'ann', labels={'owner': 'acme'}),
                             t.mailbox(host, 'bob', imap=nobody),
                             t.mailbox(host, 'dora', imap=None, enabled=False)], **more)
    daemon.wait_state('ann', 'ok')
    daemon.wait_state('bob', IMAP_DOWN)
    return host, daemon


# --- 1, 5: states and documents -------------------------------------------------------------------

@test('5: status, MAILBOX, ENDPOINT, VERDICT: each member named, of its type; counts add up')
def documents(t):
    host, daemon = good_and_bad(t)
    answer = daemon.get('/v1/status')
    assert answer.headers['Content-Type'] == 'application/json', answer.headers
    status = answer.json()
    has(status, {'version': is_text, 'started': is_time, 'reloaded': is_time,
                 'counts': lambda v: all(is_count(v[word]) for word in (
                     'total', 'ok', 'failing', 'unknown', 'paused', 'suspect')),
                 'uplink': lambda v: v == 'ok', 'outages': lambda v: v == [],
                 'mailboxes': lambda v: isinstance(v, list)}, 'status')
    counts = status['counts']
    assert counts['total'] == 3 == sum(counts[word] for word in (
        'ok', 'failing', 'unknown', 'paused')), counts
    assert [m['name'] for m in status['mailboxes']] == ['bob', 'ann', 'dora'], 'worst first'
    assert 'next' not in status, 'all is there'
    for mailbox in status['mailboxes']:
        judge_mailbox(mailbox, False)
        judge_mailbox(daemon.mailbox(mailbox['name']), True)
    dora = daemon.mailbox('dora')
    assert dora['state'] == dora['smtp']['state'] == 'paused' and dora['imap'] is None, dora
    assert dora['smtp']['next_probe'] is None and dora['smtp']['verdict'] is None, dora
    bob = daemon.mailbox('bob')
    verdict = bob['imap']['verdict']
    assert verdict['ok'] is False and verdict['tls'] is None and verdict['next'], verdict
    assert ULID.match(bob['imap']['incident']) and bob['imap']['fails'] >= 2, bob['imap']
    assert not bob['smtp'].get('incident'), bob['smtp']
    assert bob['imap']['since'] < verdict['ended'], 'since: the end of the first failed probe'
    ann = daemon.mailbox('ann')
    assert 'AUTH PLAIN LOGIN' in ann['smtp']['verdict']['capabilities'], ann['smtp']
    assert 'IMAP4rev1' in ann['imap']['verdict']['capabilities'], ann['imap']
    assert ann['labels'] == {'owner': 'acme'}, ann


@test('1: with one endpoint "smtp A" or "imap A"; both unknown is one word; HEAD is as GET')
def state_words(t):
    host = t.host('ann')
    host.hang('smtp')
    host.hang('imap')
    daemon = t.daemon(host, [t.mailbox(host, 'both'), t.mailbox(host, 's', imap=None),
                             t.mailbox(host, 'i', smtp=None)])
    states = {m['name']: m['state'] for m in daemon.status()['mailboxes']}
    assert states == {'both': 'unknown', 's': 'smtp unknown', 'i': 'imap unknown'}, states
    assert daemon.status()['counts']['unknown'] == 3
    for path in ('/v1/status', '/v1/mailboxes/s', '/v1/causes', '/v1/providers', '/healthz', '/metrics',
                 '/v1/events', '/v1/mailboxes/nobody'):
        get, head = daemon.get(path), daemon.request('HEAD', path)
        assert head.body == b'' and head.status == get.status, (path, head)
        assert head.headers['Content-Type'] == get.headers['Content-Type'], path
    host.free('smtp')
    host.free('imap')


@test('1: suspect reads as the state before it, and counts beside the sum')
def suspect(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')], {
        'confirm': 50, 'retry_interval': '5s', 'retry_max': '10s'})
    daemon.wait_state('ann', 'ok')
    host.off('imap')
    ann = daemon.probe('ann')
    assert ann['state'] == 'ok' and ann['imap']['state'] == 'suspect', ann
    counts = daemon.status()['counts']
    assert (counts['ok'], counts['suspect'], counts['failing']) == (1, 1, 0), counts
    assert [m['name'] for m in daemon.status('state:suspect')['mailboxes']] == ['ann']
    assert 'mboxwatch_mailboxes{state="suspect"} 1\n' in daemon.get('/metrics').body.decode()


@test('6: a state beside a failing side was told with its "unknown": what becomes of it is told')
def unknown_beside_failing(t):
    host = t.host('ann')
    host.off('imap')
    host.hang('smtp')
    daemon = t.daemon(host, [t.mailbox(host, 'ann'), t.mailbox(host, 'off', enabled=False)])
    first = daemon.wait_event(event='state', mailbox='ann')
    assert first['state'] == 'smtp unknown, imap failing' and first['was'] == 'unknown', first
    host.free('smtp')
    second = daemon.wait_event(event='state', mailbox='ann', state=IMAP_DOWN)
    assert second['was'] == first['state'] and second['endpoint'] == 'smtp', second
    assert second['level'] == 'error' and second['cause'] == 'ok', second
    # Contract 6: one log line when every endpoint has its first verdict; who is off has none.
    wait_until(lambda: 'first verdict: 2 mailboxes: 0 ok, 1 failing, 0 unknown, 1 paused' in
               daemon.stderr(), why=lambda: daemon.stderr())
    assert len(daemon.events(event='state')) == 2


@test('5: limit, after and next page through all, worst first, each once')
def pages(t):
    names = ['m%02d' % number for number in range(25)]
    daemon = t.daemon(None, [plain(name, imap=NO_SIDE) for name in names])
    seen, query = [], '?limit=10'
    for _ in range(5):
        page = daemon._fetch('/v1/status' + query)
        assert len(page['mailboxes']) <= 10 and page['counts']['total'] == 25
        seen += [m['name'] for m in page['mailboxes']]
        if 'next' not in page:
            break
        query = '?limit=10&after=%s' % page['next']
    assert sorted(seen) == names, seen
    assert daemon._fetch('/v1/status?limit=1&select=m07')['mailboxes'][0]['name'] == 'm07'
    for query in ('limit=x', 'limit=-1', 'after=nobody'):
        judge_problem(daemon.get('/v1/status?' + query), 400)


@test('5: GET /v1/causes: the closed list of causes.md, each with stages, means, next')
def causes(t):
    daemon = t.daemon(None, [])
    listed = daemon._fetch('/v1/causes')['causes']
    assert [cause['cause'] for cause in listed] == CAUSES, [c['cause'] for c in listed]
    for cause in listed:
        has(cause, {'means': is_text, 'next': is_text, 'stages': lambda v: v and all(
            stage in STAGES + ['any'] for stage in v)}, cause['cause'])
    assert daemon.get('/healthz').body == b'ok\n'


@test('5: GET /v1/providers: the table, what settings add before it; providers prints it')
def providers(t):
    own = {'name': 'acme', 'domains': ['acme.example'], 'imap': ['imap.acme.example:993/tls'],
           'app_password': 'with_2fa', 'link': 'https://acme.example/help'}
    daemon = t.daemon(None, [], providers=[own])
    listed = daemon._fetch('/v1/providers')['providers']
    by_id = {provider['id']: provider for provider in listed}
    assert len(listed) == len(by_id) == 84 and listed[0]['id'] == 'acme', len(listed)
    assert by_id['gmail']['imap'] == [{'host': 'imap.gmail.com', 'port': 993, 'security': 'tls'}]
    assert by_id['gmail']['large'] is True and 'gmail.com' in by_id['gmail']['domains']
    assert by_id['acme']['smtp'] == [] and by_id['acme']['link'] == own['link'], by_id['acme']
    assert json.loads(daemon.ctl('providers', '--json')[1])['providers'] == listed
    assert json.loads(daemon.ctl('providers', 'acme', '--json')[1]) == {
        'providers': [by_id['acme']]}
    status, out, err = daemon.ctl('providers', 'acme')
    assert status == 0 and 'imap.acme.example, port 993, tls' in out and 'with 2fa' in out, out
    status, out, err = daemon.ctl('providers', environment={'COLUMNS': '80'})
    assert status == 0 and len(out.splitlines()) == 85 and 'imap.acme.example' in out, out
    assert daemon.ctl('providers', 'nobody')[0] == 2
    status, out, err = daemon.ctl('--socket', '/nonexistent', 'providers')  # needs no daemon
    assert status == 0 and len(out.splitlines()) == 84 and 'acme' not in out, (err, out)


@test('3, 5: a provider gives host and port; its hint and page stand in next, link and the event')
def provider_of_mailbox(t):
    host = t.host('ann')
    own = {'name': 'acme', 'domains': ['test.example'], 'app_password': 'required',
           'app_password_hint': 'Get one under Settings', 'link': 'https://acme.example/help',
           'imap': ['127.0.0.1:%d/tls' % host.endpoint('imap')['port']]}
    host.fail('imap', 'ann@test.example', 'NO [ALERT] Application-specific password required')
    daemon = t.daemon(host, [{'name': 'a', 'address': 'ann@test.example', 'provider': 'acme',
                              'imap': {'password': t.secret('ann')}}],
                      providers=[own], defaults={'confirm': 1})
    event = daemon.wait_event(event='state', state='imap failing')
    verdict = daemon.mailbox('a')['imap']['verdict']
    assert verdict['cause'] == 'app_password_required', verdict
    assert verdict['next'][0] == 'acme: Get one under Settings.', verdict
    assert verdict['link'] == own['link'], verdict
    assert event['next'][0] == verdict['next'][0] and own['link'] in event['text'], event
    daemon.restart()  # what was stored says the same
    stored = daemon.mailbox('a')['imap']['verdict']
    assert stored['link'] == own['link'] and stored['next'] == verdict['next'], stored


@test('5: errors of a route: problem+json with title, status, code, detail, faults')
def problems(t):
    host, daemon = good_and_bad(t)
    assert judge_problem(daemon.get('/v1/mailboxes/nobody'), 404)['detail'].find('nobody') > 0
    judge_problem(daemon.get('/v1/mailboxes/..'), 404)
    judge_problem(daemon.get('/v1/nothing'), 404)
    answer = daemon.request('DELETE', '/v1/status')
    judge_problem(answer, 405)
    assert answer.headers['Allow'] == 'GET, HEAD', answer.headers
    judge_problem(daemon.post('/v1/mailboxes/nobody/probe'), 404)
    judge_problem(daemon.post('/v1/mailboxes/dora/probe'), 409)
    judge_problem(daemon.post('/v1/mailboxes/ann/resume'), 409)
    judge_problem(daemon.post('/v1/mailboxes/dora/resume'), 409)
    judge_problem(daemon.post('/v1/mailboxes/ann/pause', b'{'), 400)
    judge_problem(daemon.post('/v1/mailboxes/ann/pause', b'[]'), 400)
    for body, setting in (({'for': 'soon'}, 'for'), ({'reason': 5}, 'reason'),
                          ({'fro': '1h'}, 'fro'), ({'for': -5}, 'for')):
        problem = judge_problem(daemon.post('/v1/mailboxes/ann/pause', body), 422)
        assert problem['faults'][0]['setting'] == setting, problem
    assert daemon.mailbox('ann')['state'] == 'ok', 'nothing of this did anything'
    assert 'nope' in judge_problem(daemon.post('/v1/test-alert', {'sink': 'nope'}), 404)['detail']
    daemon.write_settings(dict(daemon.settings, limits={'conections': 3}))
    problem = judge_problem(daemon.post('/v1/reload'), 422)
    fault = problem['faults'][0]
    assert fault['file'] == daemon.settings_path and is_count(fault['line']), fault
    assert fault['setting'] == 'limits.conections' and 'connections?' in fault['message'], fault


@test('5: what breaks HTTP or its bounds (head 64 KiB, body 1 MiB) gets a bare 4xx or is closed')
def http_bounds(t):
    daemon = t.daemon(None, [])

    def say(data):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(20 * SLOW)
            sock.connect(daemon.socket_path)
            try:
                sock.sendall(data)
                return sock.recv(65536)
            except (BrokenPipeError, ConnectionResetError):
                return b''

    for data in (b'GET /v1/status HTTP/1.1\r\nHost: d\r\nX: ' + b'x' * 70000 + b'\r\n\r\n',
                 b'GET /' + b'a' * 70000 + b' HTTP/1.1\r\nHost: d\r\n\r\n',
                 b'POST /v1/reload HTTP/1.1\r\nHost: d\r\nContent-Length: 2000000\r\n\r\n' +
                 b'x' * 1100000, b'nonsense\r\n\r\n', b'\x16\x03\x01\x00\xff' + b'\0' * 300):
        answer = say(data)
        assert answer == b'' or re.match(rb'HTTP/1\.[01] (4\d\d|501)', answer), answer[:200]
    assert say(b'GET /healthz HTTP/1.0\r\n\r\n').startswith(b'HTTP/1.')
    assert daemon.get('/healthz').status == 200 and daemon.events(event='reload') == []


@test('4: selectors: names, globs, @domain, host:, state:, cause:, label., incident:; an "or"')
def selectors(t):
    host, daemon = good_and_bad(t)

    def names(*selectors):
        query = '&'.join('select=' + text.replace('*', '%2A') for text in selectors)
        return sorted(m['name'] for m in daemon._fetch('/v1/status?' + query)['mailboxes'])

    incident = daemon.mailbox('bob')['imap']['incident']
    for selector, wanted in (
            ('ann', ['ann']), ('b*', ['bob']), ('*o*', ['bob', 'dora']), ('?nn', ['ann']),
            ('@test.example', ['ann', 'bob', 'dora']), ('@TEST.example', ['ann', 'bob', 'dora']),
            ('@example', []), ('host:127.0.0.1', ['ann', 'bob', 'dora']), ('host:other', []),
            ('state:failing', ['bob']), ('state:ok', ['ann']), ('state:paused', ['dora']),
            ('state:unknown', []), ('cause:connect_refused', ['bob']), ('cause:cert_name', []),
            ('label.owner=acme', ['ann']), ('label.owner=nobody', []),
            ('incident:' + incident, ['bob']), ('nobody', [])):
        assert names(selector) == wanted, (selector, names(selector))
    assert names('ann', 'state:failing') == ['ann', 'bob']
    assert names() == ['ann', 'bob', 'dora'], 'none is all'
    for wrong in ('state:bad', 'cause:bad', 'label.owner', 'incident:x', 'what:ever'):
        judge_problem(daemon.get('/v1/status?select=' + wrong), 400)
        assert daemon.ctl('status', wrong)[0] == 2, wrong
    status, out, _ = daemon.ctl('status', 'dora', 'b*')
    assert status == 1 and 'bob' in out and 'dora' in out and 'ann' not in out, out


@test('5: probe: 202, or with wait=1 200 with MAILBOX; of a selection mailboxes and skipped')
def probes(t):
    host, daemon = good_and_bad(t)
    assert daemon.post('/v1/mailboxes/ann/probe').status == 202
    answer = daemon.post('/v1/mailboxes/ann/probe?wait=1')
    assert answer.status == 200
    judge_mailbox(answer.json(), True)
    assert daemon.post('/v1/probe', {'select': 'ann'}).status == 202
    answer = daemon.post('/v1/probe?wait=1', {'select': ['ann', 'dora']})
    assert answer.status == 200, repr(answer)
    document = answer.json()
    assert [m['name'] for m in document['mailboxes']] == ['ann'], document
    assert document['skipped'] == ['dora'], document
    assert daemon.post('/v1/probe?wait=1', {'select': 'nobody'}).status == 404
    changes = daemon.reload()
    assert changes == {'changed': 0, 'added': 0, 'removed': 0, 'unchanged': 3}, changes


# --- 6: events and lines --------------------------------------------------------------------------

@test('6: every kind that there is: members, level, one begin and one end, the line in its order')
def kinds(t):
    host = t.host('ann', 'carl')
    carl = t.mailbox(host, 'carl', password=t.secret('other'))
    daemon = t.daemon(host, [t.mailbox(host, 'ann', labels={'owner': 'a"c=\\me'}), carl])
    daemon.wait_state('ann', 'ok')
    brake = daemon.wait_event(event='brake')
    assert brake['mailbox'] == 'carl' and 'endpoint' not in brake, brake
    assert brake['cause'] == 'bad_credentials' and is_time(brake['until']), brake
    host.password('carl@test.example', t.secret('other'))
    assert daemon.post('/v1/mailboxes/carl/resume', {'reason': 'mended'}).status == 200
    daemon.wait_event(event='state', mailbox='carl', was='smtp failing, imap failing')
    if daemon.mailbox('carl')['state'] != 'ok':     # one login a resume: the other side's too
        assert daemon.post('/v1/mailboxes/carl/resume').status == 200
    daemon.wait_event(event='brake-end', mailbox='carl')
    daemon.wait_state('carl', 'ok')
    host.off('imap')
    daemon.wait_event(event='state', mailbox='ann', state=IMAP_DOWN)
    host.on('imap')
    host.fail('imap', 'ann@test.example', 'NO [INUSE] "a" = \\ busy\x1b[31m')
    cause = daemon.wait_event(event='cause', mailbox='ann')
    host.heal('imap', 'ann@test.example')
    daemon.wait_event(event='state', mailbox='ann', state='ok')
    reason = {'for': '2h', 'reason': 'a "b" = c'}
    assert daemon.post('/v1/mailboxes/ann/pause', reason).status == 200
    assert daemon.post('/v1/mailboxes/ann/resume').status == 200
    assert daemon.post('/v1/test-alert', {}).status == 200
    daemon.reload()
    good = daemon.settings
    daemon.write_settings(dict(good, wrong=1))
    assert daemon.post('/v1/reload').status == 422
    daemon.write_settings(good)
    daemon.wait_state('ann', 'ok')
    daemon.restart()
    events = daemon.events()
    for event in events:
        judge_event(event)
    assert [e['id'] for e in events] == sorted({e['id'] for e in events}), 'in order, each once'
    levels = {}
    for event in events:
        levels.setdefault(event['event'], set()).add(event['level'])
    assert levels == {
        'start': {'info'}, 'stop': {'info'}, 'reload': {'info'}, 'reload-failed': {'error'},
        'state': {'error', 'notice'}, 'cause': {'warning'}, 'brake': {'warning'},
        'brake-end': {'notice'}, 'pause': {'notice'}, 'resume': {'notice'},
        'test': {'notice'}}, levels
    assert cause['cause'] in CAUSES and cause['endpoint'] == 'imap' and cause['reply'], cause
    pause = next(e for e in events if e['event'] == 'pause')
    assert 'a "b" = c' in pause['detail'], pause
    assert os.getuid() or 'root' in pause['detail'], 'detail says who'
    assert is_time(pause['until']) and pause['state'] == 'paused', pause
    for kind in ('brake', 'brake-end', 'pause', 'reload-failed', 'test', 'stop'):
        assert len([e for e in events if e['event'] == kind]) == 1, kind
    # The same in the lines, strictly parsed: one for each event, with the same words.
    lines = {line['id']: line for line in daemon.alerts()}
    assert sorted(lines) == [e['id'] for e in events], (sorted(lines), len(events))
    for event in events:
        line = lines[event['id']]
        for name in ('event', 'level', 'mailbox', 'smtp', 'imap', 'state', 'was', 'endpoint',
                     'cause', 'stage', 'server', 'incident'):
            assert line.get(name) == event.get(name), (name, line, event)
        for name in ('since', 'until'):
            assert (name in line) == (name in event), (name, line, event)
            assert name not in line or line[name][:19] == event[name][:19], (line, event)
    state = next(line for line in lines.values() if line.get('state') == IMAP_DOWN and
                 line['mailbox'] == 'ann')
    assert state['msg'] == 'ann: ' + IMAP_DOWN, state
    assert state['label_owner'] == "a'c\\x3d\\x5cme", state
    assert re.match(r'carl: logins held until \d{4}-', lines[brake['id']]['msg']), lines
    assert lines[events[0]['id']]['msg'] == 'started, 2 mailboxes'
    assert lines[cause['id']]['reply'] == "NO [INUSE] 'a' \\x3d \\x5c busy\\x1b[31m", lines
    assert '\\x1b' not in cause['reply'][0] and '\x1b' in cause['reply'][0], cause


@test('6: one line, at most 900 bytes: cut are next, then reply, at a character\'s end')
def cut(t):
    host = t.host('ann', 'bob')
    labels = {'k%d' % number: 'v' * 40 for number in range(8)}
    daemon = t.daemon(host, [t.mailbox(host, 'ann'), t.mailbox(host, 'bob', labels=labels)])
    daemon.wait_state('ann', 'ok')
    daemon.wait_state('bob', 'ok')
    for name in ('ann', 'bob'):
        host.fail('imap', name + '@test.example', 'NO [UNAVAILABLE] ' + '\u65e5\u672c"=' * 200)
    line = {name: daemon.wait_alert(event='state', mailbox=name) for name in ('ann', 'bob')}
    for name in ('ann', 'bob'):
        raw = next(raw for raw in daemon.stderr_lines() if 'event=state' in raw and
                   'mailbox=' + name in raw)
        assert 880 < len(raw.encode()) <= 900, len(raw.encode())
        raw.encode().decode()           # cut at a character's end
        assert raw.endswith('"') and 'next' not in line[name] and 'reply' in line[name], raw
    assert [key for key in line['bob'] if key.startswith('label_')] == [
        'label_k%d' % number for number in range(8)]
    event = daemon.events(event='state', mailbox='ann')[0]
    assert len(event['reply'][0]) > 800 and event['next'], 'the event itself is whole'


@test('6: invisible and direction characters: \\u-escaped in JSON, \\\\xNN in the line')
def invisible(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')])
    daemon.wait_state('ann', 'ok')
    host.fail('imap', 'ann@test.example', 'NO [UNAVAILABLE] a\u202eb\u200bc\x07 \u00fc')
    line = daemon.wait_alert(event='state')
    assert line['reply'] == ('NO [UNAVAILABLE] a\\xe2\\x80\\xaeb\\xe2\\x80\\x8bc\\x07 \u00fc'), line
    for path in ('/v1/events', '/v1/mailboxes/ann'):
        raw = daemon.get(path).body.decode('utf-8')
        assert 'a\\u202eb\\u200bc\\u0007 \u00fc' in raw, raw[-1500:]
    status, out, _ = daemon.ctl('show', 'ann')
    assert 'a\\xe2\\x80\\xaeb\\xe2\\x80\\x8bc\\x07 \u00fc' in out, out


@test('5: events since an id (what came after it) or a time; with follow only what comes')
def since(t):
    daemon = t.daemon(None, [plain('ann', imap=NO_SIDE)])
    for _ in range(3):
        assert daemon.post('/v1/test-alert', {}).status == 200
    wait_until(lambda: len(daemon.events()) == 4, 5, 'an event is delayed by at most 5 s')
    all_ids = [e['id'] for e in daemon.events()]
    for at, event in enumerate(daemon.events()):
        assert [e['id'] for e in daemon.events(since=event['id'])] == all_ids[at + 1:]
    first = daemon.events()[0]['time']
    assert [e['id'] for e in daemon.events(since=first)][-3:] == all_ids[1:]
    assert len(daemon.events(since='2020-01-01T00:00:00Z')) == 4
    assert daemon.events(since='2099-01-01T00:00:00Z') == []
    judge_problem(daemon.get('/v1/events?since=nonsense'), 400)
    only_new = daemon.follow()
    from_id = daemon.follow('&since=' + all_ids[1])
    new = daemon.post('/v1/test-alert', {}).json()['id']
    from_id.wait(id=new)
    only_new.wait(id=new)
    assert [e['id'] for e in only_new.events] == [new], only_new.events
    assert [e['id'] for e in from_id.events] == all_ids[2:] + [new], from_id.events


@test('5: a reader that falls too far behind gets {"event":"lost","count":n}', deadline=80)
def lost(t):
    daemon = t.daemon(None, [plain('ann', imap=NO_SIDE)])
    slow = socket.socket(socket.AF_UNIX)
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect(daemon.socket_path)
    slow.sendall(b'GET /v1/events?follow=1 HTTP/1.1\r\nHost: d\r\n\r\n')
    assert slow.recv(17).startswith(b'HTTP/1.1 200'), 'it follows'
    requests = 13500            # 10,000 are kept, beside what stands in buffers
    threads = 4

    def ask():
        from harness import UnixConnection
        connection = UnixConnection(daemon.socket_path, 60)
        for _ in range(requests // threads):
            connection.request('POST', '/v1/test-alert', b'{}')
            connection.getresponse().read()
        connection.close()

    askers = [threading.Thread(target=ask) for _ in range(threads)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    slow.settimeout(20 * SLOW)
    data = b''
    last = daemon.events()[-1]['id'].encode()
    while last not in data:
        piece = slow.recv(1 << 20)
        assert piece, 'it broke off'
        data += piece
    slow.close()
    told = len(re.findall(rb'"event":"test"', data))
    counts = [int(count) for count in re.findall(rb'\{"event":"lost","count":(\d+)\}\n', data)]
    assert counts and told + sum(counts) == requests, (told, counts)
    assert len(daemon.events()) >= 10000


@test('2: pause --for ends by itself, told once as resume; a second pause is no second begin')
def pause_for(t):
    daemon = t.daemon(None, [{'name': 'ann', 'address': 'ann@test.example', 'imap': dict(
        NO_SIDE, port=9)}])
    assert daemon.post('/v1/mailboxes/ann/pause', {'for': '1h'}).status == 200
    assert daemon.post('/v1/mailboxes/ann/pause', {'for': 1}).json()['state'] == 'paused'
    daemon.wait_event(event='resume')
    assert daemon.mailbox('ann')['state'] != 'paused'
    assert len(daemon.events(event='pause')) == len(daemon.events(event='resume')) == 1


# --- 2: the daemon --------------------------------------------------------------------------------

@test('2: TERM, INT: 0; HUP: reload; USR1: a summary; stop is told; a second TERM ends at once')
def signals(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')])
    daemon.wait_state('ann', 'ok')
    daemon.signal(signal.SIGUSR1)
    wait_until(lambda: re.search(r'^(<\d>)?1 mailbox: 1 ok.*', daemon.stderr(), re.M),
               why=daemon.stderr)
    daemon.signal(signal.SIGHUP)
    daemon.wait_event(event='reload')
    daemon.signal(signal.SIGINT)
    began = time.monotonic()
    assert daemon.wait_exit() == 0 and time.monotonic() - began < 5 * SLOW
    assert daemon.wait_alert(event='stop')
    assert not os.path.exists(daemon.socket_path)
    daemon.start()
    host.hang('imap')
    daemon.post('/v1/mailboxes/ann/probe')
    began = time.monotonic()
    daemon.signal(signal.SIGTERM)
    time.sleep(0.05)
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0 and time.monotonic() - began < 3 * SLOW
    host.free('imap')


@test('2: exit status: 0, 2 usage, 78 settings, 75 held; --version, --help')
def daemon_exits(t):
    daemon = t.daemon(None, [])
    assert run_daemon(t, '--version')[0] == 0
    status, out, err = run_daemon(t, '--help')
    assert status == 0 and err == '' and all(option in out for option in (
        '-c', '--conf-dir', '-t', '--state-dir', '--socket', '--version')), out
    for wrong in (['-x'], ['word'], ['-c'], ['--nonsense'], ['--socket']):
        status, out, err = run_daemon(t, *wrong)
        assert status == 2 and out == '' and 'usage: mboxwatchd' in err, (wrong, status, out, err)
    bad = write(t, 'bad.conf', 'nonsense = 1;\n')
    elsewhere = ['--state-dir', os.path.join(t.folder, 'x'), '--socket', t.folder + '/x.sock']
    status, out, err = run_daemon(t, '-c', bad, *elsewhere)
    assert status == 78 and bad + ':1: ' in err, (status, out, err)
    assert run_daemon(t, '-c', '/nonexistent.conf', *elsewhere)[0] == 78
    assert run_daemon(t, '-t', '-c', '/nonexistent.conf')[0] == 1
    assert run_daemon(t, '-t', '-c', bad)[0] == 1
    status, out, err = run_daemon(t, '-c', daemon.settings_path, '--state-dir', daemon.state_dir,
                                  '--socket', t.folder + '/x.sock')
    assert status == 75 and err.strip(), (status, err)
    status, out, err = run_daemon(t, '-c', daemon.settings_path, '--state-dir',
                                  os.path.join(t.folder, 'y'), '--socket', daemon.socket_path)
    assert status == 75 and err.strip(), (status, err)
    assert daemon.get('/healthz').status == 200, 'the first one is not harmed'


# --- 3: settings ----------------------------------------------------------------------------------

MANY = '''defaults = { intervall = "5m"; confirm = "3"; timeout = "5 minutes";
  recover = 0;
  interval = "1s";
  family = "ipv5"; };
daemon = { thread = 1; log_level = "verbose"; };
limits = { connections = 0;
  refused_logins = ["2/1x"]; };
mailbox = ( );
mailboxes = (
  { name = "support"; address = "support@example.com";
    smtp = { host = "smtp.example.com"; port = 70000; password = "x"; };
    imap = { hostname = "imap.example.com"; }; },
  { name = "support"; address = "o@e.com"; imap = { host = "i.example.com"; auth = "none"; }; },
  { name = "bad name"; address = "nonsense"; imap = { host = "i.example.com"; auth = "none"; }; },
  { address = "x@example.com";
    imap = { host = "i.example.com"; password = "x";
      password_file = "/y"; }; },
  { name = "none"; address = "n@example.com"; },
  { name = "nosecret"; address = "n@example.com"; imap = { host = "i.example.com"; }; },
  { name = "scope"; address = "n@example.com"; connections = 3;
    imap = { host = "i.example.com"; auth = "none"; remind = ["1h"]; security = "ssl"; }; }
);
'''


@test('3: all faults are told at once, each as FILE:LINE: what is wrong; what would be right')
def all_faults(t):
    status, faults, _, out = check(t, MANY)
    assert status == 1, status
    text = {line: '\n'.join(lines) for line, lines in faults.items()}
    for line, words in (
            (1, ['intervall', 'did you mean interval?', 'confirm', 'timeout', '5 minutes']),
            (2, ['recover']), (3, ['interval', '10s']), (4, ['family', 'did you mean "ipv4"?']),
            (5, ['thread', 'did you mean threads?', 'verbose', '"info"']), (6, ['connections']),
            (7, ['2/1x', '2/1h']), (8, ['did you mean mailboxes?']), (11, ['70000', '65535']),
            (12, ['hostname', 'did you mean host?', 'no host']), (13, ['this name stands at']),
            (14, ['bad name', 'nonsense']), (15, ['no name']), (18, ['smtp', 'imap']),
            (19, ['no secret', 'password_file']), (20, ['connections']), (21, ['remind', 'ssl'])):
        for word in words:
            assert word in text.get(line, ''), '%d: %s\n%s' % (line, word, out)
    assert any('both password and password_file' in text.get(line, '') for line in (16, 17)), out
    count = sum(len(lines) for lines in faults.values())
    assert '%d faults' % count in out, out


@test('3: of a file that cannot be parsed the first fault, with the line quoted; commas named')
def unparsable(t):
    for text, line, words in (
            ('a = 1;\nmailboxes = (\n { name = "a"; },\n);\n', 3, ['comma too many']),
            ('defaults = { interval = 5m; };\n', 1, ['interval = 5m', 'quotes']),
            ('[defaults]\ninterval = 5m\n', 1, ['[defaults]']),
            ('mailboxes:\n  - name: a\n', 2, ['name: a'])):
        status, faults, _, out = check(t, text)
        assert status == 1 and list(faults) == [line] and len(faults[line]) == 1, (text, out)
        assert all(word in out for word in words), (words, out)
    secret = 'mailboxes = ( { imap = { password = "Tr0ub4dor" } },, );\n'
    assert 'Tr0ub4dor' not in check(t, secret)[3]


@test('3: a setting that a later issue builds is a fault that says so')
def later_settings(t):
    status, faults, _, out = check(t, 'outage = { share = 0.5; };\ndefaults = { remind = ["1h"]; '
                                   'notify = []; };\n' + one_mailbox('after = "b";'))
    assert status == 1 and out.count('not built yet') == 4, out


@test('3: port by security (993; 465 and 587 by mode; 143), security by port')
def ports(t):
    cases = [('smtp', {}, 465, 'tls'), ('smtp', {'security': 'starttls'}, 587, 'starttls'),
             ('smtp', {'port': 587}, 587, 'starttls'), ('smtp', {'port': 25}, 25, 'starttls'),
             ('smtp', {'port': 2525}, 2525, 'starttls'), ('smtp', {'port': 465}, 465, 'tls'),
             ('smtp', {'port': 1234}, 1234, 'tls'), ('smtp', {'security': 'none'}, 587, 'none'),
             ('smtp', {'security': 'tls', 'port': 587}, 587, 'tls'), ('imap', {}, 993, 'tls'),
             ('imap', {'security': 'starttls'}, 143, 'starttls'),
             ('imap', {'port': 143}, 143, 'starttls'), ('imap', {'port': 993}, 993, 'tls'),
             ('imap', {'port': 1993}, 1993, 'tls'), ('imap', {'security': 'none'}, 143, 'none')]
    daemon = t.daemon(None, [plain('m%d' % at, **{side: dict(NO_SIDE, **more)})
                             for at, (side, more, _, _) in enumerate(cases)] + [
        plain('users', smtp=dict(host='127.0.0.1', username='me', password=t.secret('p')),
              imap={'host': '127.0.0.1'}),
        plain('address', smtp={'host': '127.0.0.1'},
              imap=dict(host='127.0.0.1', password=t.secret('p')))])
    for at, (side, more, port, security) in enumerate(cases):
        endpoint = daemon.mailbox('m%d' % at)[side]
        assert (endpoint['port'], endpoint['security']) == (port, security), (more, endpoint)
    users, address = daemon.mailbox('users'), daemon.mailbox('address')
    assert users['smtp']['username'] == users['imap']['username'] == 'me', users
    assert users['imap']['mailbox'] == 'INBOX', users
    assert address['smtp']['username'] == 'address@test.example', address


@test('3: durations "90s", "5m", "1h30m", "2d" or seconds; in JSON milliseconds; the nearest wins')
def durations(t):
    forms = {'a': ('90s', 90), 'b': ('5m', 300), 'c': ('1h30m', 5400), 'd': ('2d', 172800),
             'e': (45, 45)}
    boxes = [plain(name, imap=dict(NO_SIDE, interval=form)) for name, (form, _) in forms.items()]
    boxes += [plain('near', interval='3m', imap=dict(NO_SIDE, interval='4m'), smtp=NO_SIDE),
              plain('server', imap=dict(NO_SIDE, host='127.0.0.9')),
              plain('default', imap=NO_SIDE)]
    daemon = t.daemon(None, boxes, {'interval': '1m'},
                      servers=({'host': '127.0.0.9', 'interval': '2m'},))
    for name, (_, seconds) in forms.items():
        assert daemon.mailbox(name)['imap']['interval_ms'] == seconds * 1000, name
    near = daemon.mailbox('near')
    assert (near['imap']['interval_ms'], near['smtp']['interval_ms']) == (240000, 180000), near
    assert daemon.mailbox('server')['imap']['interval_ms'] == 120000
    assert daemon.mailbox('default')['imap']['interval_ms'] == 60000
    for wrong in ('"9s"', '9', '"5 m"', '"m"', '"-5m"', '""', 'true', '"1m30"', '5.5'):
        status, faults, _, out = check(t, 'defaults = { interval = %s; };\n' % wrong)
        assert status == 1 and 1 in faults, (wrong, out)


@test('3: drop-ins in the order of their names, groups joined, the later wins, told by -t')
def drop_ins(t):
    main_file = ('defaults = { interval = "10m"; confirm = 4; };\n' + one_mailbox() +
                 '@include "more.inc"\n')
    write(t, 'more.inc', 'limits = { connections = 3; };\n')
    box = 'mailboxes = ( { name = "%s"; address = "b@example.com"; imap = { host = ' \
          '"imap.example.com"; auth = "none"; }; } );\n'
    last = write(t, 'd/20-b.conf', 'defaults = { interval = "1h"; };\n' + box % 'bob')
    write(t, 'd/10-a.conf', 'defaults = { interval = "30m"; };\n')
    write(t, 'd/README', 'no settings at all')
    status, _, warnings, out = check(t, main_file, '--conf-dir', t.folder + '/d')
    assert status == 0 and 'every 1h' in out and '2 mailboxes' in out, out
    assert len(warnings) == 2 and all('defaults.interval' in line for line in warnings), warnings
    status, faults, _, out = check(t, main_file, name='alone.conf')
    assert status == 0 and 'bob' not in out, 'with -c only by --conf-dir\n' + out
    write(t, 'd/30-c.conf', box % 'bob')
    status, _, _, out = check(t, main_file, '--conf-dir', t.folder + '/d')
    assert status == 1 and '30-c.conf:1: ' in out and last + ':2' in out, out
    assert run_daemon(t, '-t', '-c', write(t, 'e.conf', ''), '--conf-dir', '/nonexistent')[0] == 1


@test('1: mailbox names: 1 to 64 of A-Z a-z 0-9 . _ @ + -, first a letter, a digit or _')
def mailbox_names(t):
    good = ['a', '0', '_x', 'A.b_c@d+e-f', 'x' * 64]
    daemon = t.daemon(None, [plain(name, address='a@test.example', imap=NO_SIDE) for name in good])
    for name in good:
        assert daemon.mailbox(name)['name'] == name
    for name in ('', '.', '..', '-a', '@a', '+a', 'a b', 'a/b', 'x' * 65, 'a:b', '\u00fc', 'a*'):
        text = one_mailbox().replace('name = "ann"', 'name = "%s"' % name)
        status, faults, _, out = check(t, text)
        assert status == 1 and 1 in faults, (name, out)


@test('3: warnings stop nothing: a secret that others can read, none, an old TLS, a missing file')
def warnings(t):
    text = one_mailbox(smtp='tls_min = "1.0";', imap='host = "i.example.com"; security = "none"; '
                       'password_file = "/nonexistent";')
    status, faults, told, out = check(t, text, mode=0o644)
    assert status == 0 and not faults, out
    for word in ('others can read', 'TLS 1.0', 'security none', '/nonexistent'):
        assert any(word in line for line in told), (word, out)


@test('3: where limits do not allow the interval it stretches: -t, status, show, interval_ms')
def stretched(t):
    boxes = [{'name': 'm%d' % at, 'address': 'm%d@test.example' % at,
              'imap': {'host': '127.0.0.1', 'port': 9, 'password': t.secret('p')}}
             for at in range(10)]
    daemon = t.daemon(None, boxes, {'interval': '10s'}, limits={'logins_per_minute': 10})
    status, out = daemon.check_settings()
    assert status == 0 and 'stretched to' in out and '10 mailboxes' in out, out
    assert 'logins a day' in out and 'memory' in out and 'probes a minute' in out, out
    assert daemon.mailbox('m1')['imap']['interval_ms'] >= 60000, daemon.mailbox('m1')
    assert 'stretched to 1m' in daemon.ctl('show', 'm1')[1], daemon.ctl('show', 'm1')


# --- 4: the command -------------------------------------------------------------------------------

@test('4: exit status: 0 fine, 1 failing, 2 usage, 3 no such mailbox, 4 no daemon, 5 refused')
def ctl_exits(t):
    host, daemon = good_and_bad(t)
    for arguments, status in (
            (['status', 'ann'], 0), (['status'], 1), (['status', 'bob', '--json'], 1),
            (['probe', 'ann'], 0), (['probe', 'bob'], 1), (['probe', 'dora'], 5),
            (['show', 'bob'], 0), (['status', 'nobody'], 3), (['probe', 'nobody'], 3),
            (['show', 'nobody'], 3), (['pause', 'nobody'], 3), (['resume', 'nobody'], 3),
            (['pause', 'nob*'], 3), (['resume', 'nob*'], 3), (['probe', 'nob*'], 3),
            (['status', 'nob*'], 0),
            (['resume', 'ann'], 5), (['resume', 'dora'], 5), (['test-alert', 'nope'], 5),
            ([], 2), (['nonsense'], 2), (['show'], 2), (['show', 'a', 'b'], 2), (['pause'], 2),
            (['status', '--nonsense'], 2), (['events', '--since', 'yesterday'], 2),
            (['pause', 'ann', '--for', 'soon'], 2), (['--socket'], 2), (['causes', 'nonsense'], 2),
            (['--socket', '/nonexistent', 'status'], 4), (['--socket', '/nonexistent', 'show', 'a'],
                                                          4),
            (['--socket', '/nonexistent', 'reload'], 4), (['--help'], 0), (['--version'], 0),
            (['status', '--help'], 0), (['causes'], 0), (['version'], 0), (['metrics'], 0)):
        done = daemon.ctl(*arguments)
        assert done[0] == status, (arguments, done)
        assert status in (0, 1) or (done[2] and done[2].count('\n') < 8), (arguments, done)
    for arguments, words in (
            (['show', 'nobody'], 'There is no mailbox nobody.'),
            (['resume', 'ann'], 'ann: the mailbox is neither paused nor are its logins held'),
            (['status', 'state:bad'], '"state:bad" is no selector; right would be state: '),
            (['reload', '--nonsense'], 'this option does not fit here: --nonsense')):
        shown = daemon.ctl(*arguments)[2]
        assert shown.startswith('mboxwatchctl: ' + words), 'said once: ' + shown
    with open('/dev/full', 'wb') as full:
        assert subprocess.run([MBOXWATCHCTL, '--socket', daemon.socket_path, 'causes'], stdout=full,
                              stderr=subprocess.DEVNULL, timeout=30 * SLOW).returncode == 5
    assert daemon.ctl('status', environment={'MBOXWATCH_SOCKET': '/nonexistent'})[0] == 4
    assert daemon.ctl('--socket', daemon.socket_path, 'status', 'ann',
                      environment={'MBOXWATCH_SOCKET': '/nonexistent'})[0] == 0


@test('4: --json prints the API\'s document')
def ctl_json(t):
    host, daemon = good_and_bad(t)
    assert json.loads(daemon.ctl('status', '--json')[1])['counts']['total'] == 3
    judge_mailbox(json.loads(daemon.ctl('--json', 'show', 'ann')[1]), True)
    assert json.loads(daemon.ctl('causes', '--json')[1]) == daemon._fetch('/v1/causes')
    assert json.loads(daemon.ctl('reload', '--json')[1])['unchanged'] == 3
    assert json.loads(daemon.ctl('test-alert', '--json')[1])['event'] == 'test'
    judge_mailbox(json.loads(daemon.ctl('pause', 'ann', '--json')[1]), True)
    assert json.loads(daemon.ctl('resume', 'ann', '--json')[1])['state'] == 'unknown'
    judge_mailbox(json.loads(daemon.ctl('probe', 'ann', '--json')[1]), True)
    lines = daemon.ctl('events', '--json')[1].splitlines()
    assert [json.loads(line)['id'] for line in lines] == [e['id'] for e in daemon.events()]
    one = json.loads(daemon.ctl('events', '--json', '--since', '1h', 'bob')[1].splitlines()[0])
    assert one['mailbox'] == 'bob', one
    # Of a refusal too, beside the words on stderr.
    daemon.settings['mailboxes'][0]['nonsense'] = 1
    daemon.write_settings()
    for arguments, status, code in ((['reload'], 5, 'faults'), (['show', 'nobody'], 3, None),
                                    (['resume', 'dora'], 5, None)):
        status_is, out, err = daemon.ctl(*arguments, '--json')
        problem = json.loads(out)
        assert status_is == status and err and problem['status'] >= 400, (status_is, out, err)
        assert code != 'faults' or problem['faults'][0]['line'] > 0, problem
        assert daemon.ctl(*arguments)[1] == '', arguments


@test('4: probe of names: one that is held and failing is failing, though it was skipped')
def ctl_probe_held(t):
    host = t.host('ann', 'bob', 'dora')
    host.fail('imap', 'bob@test.example', 'NO [AUTHENTICATIONFAILED] no')
    dora = dict(t.mailbox(host, 'dora'), enabled=False)
    daemon = t.daemon(host, [t.mailbox(host, 'ann'), t.mailbox(host, 'bob', smtp=None), dora])
    daemon.wait_event(event='brake', mailbox='bob')
    daemon.wait_state('ann', 'ok')
    status, out, err = daemon.ctl('probe', 'ann', 'bob')
    assert status == 1 and 'not probed' in out and 'bob' in out, (status, out, err)
    status, out, err = daemon.ctl('probe', 'ann', 'dora')
    assert status == 0 and 'dora' in out, (status, out, err)
    assert json.loads(daemon.ctl('probe', 'ann', 'bob', '--json')[1])['skipped'] == ['bob']


PLUGIN = re.compile(r"MBOXWATCH (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+(\|\w+=[\d.]+s?(;[\d:]*)*"
                    r"( \w+=[\d.]+s?(;[\d:]*)*)*)?\n")


@test('4: status --plugin: one line, performance data, exit 0, 1, 2, 3 as monitors have them')
def plugin(t):
    host, daemon = good_and_bad(t)
    for arguments, status, words in (
            (['ann'], 0, 'OK - 1 mailbox: 1 ok|total=1;;;0 ok=1;;;0;1 failing=0;;0;0;1 '),
            (['dora'], 0, 'OK - 1 mailbox: 0 ok, 1 paused|'),
            ([], 2, 'CRITICAL - 1 of 3 mailboxes failing: bob (imap '),
            (['label.owner=acme'], 0, 'OK - 1 mailbox: 1 ok|'), (['state:unknown'], 0, 'OK - 0 mailboxes|'),
            (['nobody'], 3, 'UNKNOWN - no such mailbox: nobody'),
            (['ann', 'nobody'], 3, 'UNKNOWN - no such mailbox: nobody'),
            (['state:wrong'], 3, 'UNKNOWN - '), (['--nonsense'], 3, 'UNKNOWN - this option'),
            (['--watch'], 3, 'UNKNOWN - --json, --watch and --plugin do not'),
            (['--since', '1h'], 3, 'UNKNOWN - this option'),
            (['--socket', '/nonexistent'], 3, 'UNKNOWN - no daemon at /nonexistent; ')):
        done = daemon.ctl('status', '--plugin', *arguments)
        assert done[0] == status and words in done[1] and PLUGIN.fullmatch(done[1]), (
            arguments, done)
        assert done[2] == '', 'some monitors show standard error first'
    assert 'smtp_time=0.' in daemon.ctl('status', '--plugin', 'ann')[1]
    assert daemon.ctl('status', '--plugin', '--help')[0] == 0
    # One that was never judged is unknown.
    unread = dict(t.mailbox(host, 'ann', imap=None), name='unread')
    unread['smtp'] = dict(host.endpoint('smtp', 'tls'), password_file='/nonexistent/secret')
    daemon = t.daemon_with(t.settings(host, [unread]), name='other')
    daemon.wait_verdict('unread', 'smtp', cause='secret_unavailable')
    done = daemon.ctl('status', '--plugin')
    assert done[0] == 1 and 'WARNING - 1 of 1 mailbox unknown: unread' in done[1] and \
        PLUGIN.fullmatch(done[1]), done


@test('4: tables as wide as the terminal, wide characters counted, colour there alone, NO_COLOR')
def tables(t):
    host = t.host('a-mailbox-with-quite-a-long-name.of-somebody@acme', 'ann')
    long_name = 'a-mailbox-with-quite-a-long-name.of-somebody@acme'
    daemon = t.daemon(host, [t.mailbox(host, 'ann'), t.mailbox(
        host, long_name, address='ann@test.example', password=t.secret('ann'), imap=dict(
            host.endpoint('imap', 'tls', password=t.secret('ann')), mailbox='\u65e5\u672c'))])
    daemon.wait_state('ann', 'ok')
    daemon.wait_state(long_name, IMAP_DOWN)
    host.fail('imap', 'ann@test.example', 'NO [UNAVAILABLE] ' + '\u65e5\u672c\u8a9e' * 40)
    escapes = re.compile(r'\x1b\[[0-9;]*m')
    for columns in (80, 132):
        for arguments in (['status'], ['probe']):
            status, shown = on_terminal(daemon, *arguments, columns=columns)
            assert status == 1 and '\x1b[' in shown, (arguments, shown)
            for line in escapes.sub('', shown).split('\n'):
                assert width(line) <= columns, (columns, width(line), line)
    for arguments in (['status'], ['events'], ['check', 'ann']):
        codes = escapes.findall(on_terminal(daemon, *arguments)[1])
        assert '\x1b[0m' not in codes[::2] and set(codes[1::2]) <= {'\x1b[0m'}, (
            arguments, 'a colour begins, and it alone is ended', codes)
    assert '\x1b' not in on_terminal(daemon, 'status', NO_COLOR='1')[1]
    for arguments in (['status'], ['show', 'ann'], ['events'], ['causes']):
        out = daemon.ctl(*arguments, environment={'NO_COLOR': ''})[1]
        assert '\x1b' not in out and not re.search('[\u2500-\u257f|]{3}', out), out
    assert long_name in daemon.ctl('status')[1], 'nothing is cut in a pipe'
    header = daemon.ctl('status')[1].splitlines()
    assert header[0].startswith('2 mailboxes: ') and header[1].split()[:2] == [
        'MAILBOX', 'STATE'], header


# --- 7, 8 -----------------------------------------------------------------------------------------

@test('7: the far side can tell us: IMAP ID ("name" "mboxwatch" "version" ...), an EHLO name')
def who_we_are(t):
    host = t.host('ann')
    smtp, imap = t.answering(host, 'smtp'), t.answering(host, 'imap')
    daemon = t.watch(host, {'s': smtp, 'i': imap})
    daemon.wait_state('s', 'smtp ok')
    daemon.wait_state('i', 'imap ok')
    said = bytes(imap.received())
    assert re.search(rb'ID \("name" "mboxwatch" "version" "[\d.]+"', said), said
    assert re.search(rb'EHLO ([\w-]+\.[\w.-]+|\[[\d.:A-Fa-fIPv]+\])\r\n', bytes(smtp.received()))


BOUNDS = ['0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '2.5', '10', '30', '60',
          '+Inf']


@test('8: metrics: names, labels, buckets, HELP and TYPE, content type, detail=0, process=0')
def metrics(t):
    host, daemon = good_and_bad(t)
    answer = daemon.get('/metrics')
    assert answer.headers['Content-Type'] == 'text/plain; version=0.0.4; charset=utf-8'
    text = answer.body.decode('utf-8')
    samples, types = {}, {}
    for line in text.splitlines():
        if line.startswith('# TYPE '):
            _, _, name, kind = line.split(' ')
            assert name not in types, 'a second TYPE of ' + name
            types[name] = kind
        elif not line.startswith('# HELP '):
            found = re.match(r'([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\]|\\.)*",?)*)\})? (\S+)$', line)
            assert found, line
            labels = tuple(sorted(re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', found[2] or '')))
            assert (found[1], labels) not in samples, 'twice: ' + line
            samples[found[1], labels] = float(found[3])
            base = re.sub(r'_(bucket|sum|count)$', '', found[1])
            assert found[1] in types or types.get(base) == 'histogram', 'no TYPE: ' + line

    def value(name, **labels):
        return samples.get((name, tuple(sorted(labels.items()))))

    for state, count in (('ok', 1), ('failing', 1), ('unknown', 0), ('paused', 1), ('suspect', 0)):
        assert value('mboxwatch_mailboxes', state=state) == count, state
    assert value('mboxwatch_endpoint_up', mailbox='ann', endpoint='imap') == 1
    assert value('mboxwatch_endpoint_up', mailbox='bob', endpoint='imap') == 0
    assert value('mboxwatch_endpoint_failing', mailbox='bob', endpoint='imap') == 1
    assert value('mboxwatch_endpoint_failing', mailbox='bob', endpoint='smtp') == 0
    for name in ('mboxwatch_endpoint_up', 'mboxwatch_endpoint_failing'):
        assert value(name, mailbox='dora', endpoint='smtp') is None, 'absent while paused'
    assert value('mboxwatch_endpoint_cause_info', mailbox='bob', endpoint='imap',
                 server='127.0.0.1', cause='connect_refused', stage='connect') == 1
    assert not [key for key in samples if key[0] == 'mboxwatch_endpoint_cause_info' and
                ('mailbox', 'ann') in key[1]], 'only while not ok'
    assert value('mboxwatch_mailbox_info', mailbox='ann', label_owner='acme') == 1
    assert value('mboxwatch_reload_success') == 1
    now = time.time()
    assert abs(value('mboxwatch_reload_success_timestamp_seconds') - now) < 90 * SLOW
    assert abs(value('mboxwatch_last_ok_timestamp_seconds', mailbox='ann', endpoint='smtp') -
               now) < 90 * SLOW
    assert value('mboxwatch_cert_not_after_timestamp_seconds', mailbox='ann',
                 endpoint='imap') > now
    assert value('mboxwatch_probes_total', endpoint='imap', cause='connect_refused') >= 2
    for name, wanted in (('mboxwatch_incidents_open', 1), ('mboxwatch_outages_open', 0),
                         ('mboxwatch_uplink_up', 1), ('mboxwatch_brakes_open', 0)):
        assert value(name) == wanted, name
    assert value('mboxwatch_probes_in_flight') is not None
    assert value('mboxwatch_events_total', event='start') == 1
    assert value('mboxwatch_events_total', event='state') >= 1
    assert value('mboxwatch_sink_queue', sink='stderr') is not None
    assert value('mboxwatch_sink_failures_total', sink='stderr') == 0
    assert [key for key in samples if key[0] == 'mboxwatch_build_info']
    for name in ('process_cpu_seconds_total', 'process_open_fds', 'process_max_fds',
                 'process_resident_memory_bytes', 'process_start_time_seconds'):
        assert value(name) is not None, name
    for name, kind in (('mboxwatch_probes_total', 'counter'), ('mboxwatch_mailboxes', 'gauge'),
                       ('mboxwatch_probe_duration_seconds', 'histogram'),
                       ('mboxwatch_probe_lateness_seconds', 'histogram')):
        assert types[name] == kind, name
    of_auth = {'endpoint': 'smtp', 'stage': 'auth'}
    for name, labels in (('mboxwatch_probe_duration_seconds', of_auth),
                         ('mboxwatch_probe_lateness_seconds', {})):
        counts = [value(name + '_bucket', le=le, **labels) for le in BOUNDS]
        assert None not in counts and counts == sorted(counts), (name, counts)
        assert counts[-1] == value(name + '_count', **labels), name
        assert value(name + '_sum', **labels) >= 0
    bounds = {dict(labels)['le'] for name, labels in samples if name.endswith('_bucket')}
    assert bounds == set(BOUNDS), bounds
    bare = daemon.get('/metrics?detail=0&process=0').body.decode()
    assert 'mailbox="' not in bare and '\nprocess_' not in bare and 'mboxwatch_mailboxes{' in bare
    assert 'process_' in daemon.get('/metrics?detail=0').body.decode()
    assert daemon.ctl('metrics', '--no-detail')[1].count('mailbox="') == 0


@test('8: metrics: the families are those of the table and the manual; promtool finds nothing')
def metrics_table(t):
    host, daemon = good_and_bad(t)
    text = daemon.get('/metrics').body.decode('utf-8')
    heads = re.findall(r'^# HELP (\S+) (.+)\n# TYPE (\S+) (gauge|counter|histogram)$', text, re.M)
    assert all(name == typed for name, _, typed, _ in heads), heads
    with open(os.path.join(TREE, 'src/facts/metrics.def'), encoding='utf-8') as table:
        rows = re.findall(r'^METRIC\(\w+, "(\w+)", ([A-Z]+), "([^"]*)", "([^"]+)"\)$',
                          table.read(), re.M)
    assert [(name, kind.upper(), words) for name, words, _, kind in heads] == [
        (name, kind, words) for name, kind, _, words in rows], 'the table has each, in this order'
    for name, _, labels, _ in rows:
        suffix = '(?:_bucket|_sum|_count)?' if name.endswith('_seconds') else ''
        for found in re.findall(r'^%s%s(?:\{(.*)\})? \S+$' % (name, suffix), text, re.M):
            names = set(re.findall(r'(\w+)="', found)) - {'le'}
            names = {'label_KEY' if label.startswith('label_') else label for label in names}
            assert names <= set(labels.split(', ')) - {''}, (name, names, labels)
    promtool = shutil.which('promtool')
    if not promtool:
        t.skip('promtool (package prometheus) is not here')
    checked = subprocess.run([promtool, 'check', 'metrics'], input=text.encode(),
                             capture_output=True, timeout=60 * SLOW)
    assert checked.returncode == 0 and not checked.stdout and not checked.stderr, checked


if __name__ == '__main__':
    main()
