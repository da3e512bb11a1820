#!/usr/bin/python3
"""
test_socket.py: hostile.md 5, the status socket and its command, against the real daemon; numbers
and times scaled so that each takes seconds. Each title carries its case. Where root runs this,
other users ask and the daemon has a group for readers.
Not here: PUT, check, sealed mailboxes (later); evhttp's mends one by one (tests/unit/control).
"""

import json
import os
import random
import resource
import shutil
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))
from harness import MBOXWATCHCTL, NOBODY, SLOW, main, test, wait_until  # noqa: E402
from shared import (Frozen, cpu_seconds, latency, paused, resident_bytes, started,  # noqa: E402
                    threads)

ADDRESS = 'ann@test.example'
STRANGER = 64999  # a user that nothing here belongs to
ENDED = (400, 405, 408, 413, 414, 417, 431, 501, 505)


class Wire:
    """A connection to the socket, byte by byte."""

    def __init__(self, daemon, timeout=20):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout * SLOW)
        self.socket.connect(daemon.socket_path)

    def send(self, data):
        """False where the daemon has closed or reads no more."""
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False

    def read(self, most=1 << 22):
        """All that comes until the daemon closes, or what came in time."""
        data = b''
        try:
            while len(data) < most:
                piece = self.socket.recv(65536)
                if not piece:
                    break
                data += piece
        except OSError:
            pass
        return data

    def answer(self):
        """One answer with Content-Length: (status, headers, body); (None, ...) where none came."""
        data = b''
        try:
            while b'\r\n\r\n' not in data:
                piece = self.socket.recv(1)
                if not piece:
                    return None, {}, data
                data += piece
            lines = data.decode('latin-1').split('\r\n')
            headers = {name.lower(): value.strip() for name, _, value in
                       (line.partition(':') for line in lines[1:] if line)}
            body, length = b'', int(headers.get('content-length', '0'))
            while len(body) < length:
                piece = self.socket.recv(length - len(body))
                if not piece:
                    break
                body += piece
        except OSError:
            return None, {}, data
        return int(lines[0].split()[1]), headers, body

    def close(self):
        self.socket.close()


def ask(daemon, data, timeout=20):
    """The status that some bytes get; None where the connection is closed without one."""
    wire = Wire(daemon, timeout)
    try:
        wire.send(data)
        return wire.answer()[0]
    finally:
        wire.close()


# --- bytes ----------------------------------------------------------------------------------------

@test('H5-01: junk, TLS, no version, HTTP/9.9, NUL, two at once, Expect, TRACE: each alone')
def h5_01(t):
    daemon = t.daemon(None, paused(1))
    noise = random.Random(501).randbytes(65536)
    assert ask(daemon, noise) in ENDED + (None,)
    assert ask(daemon, b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + noise[:505]) in \
        ENDED + (None,)
    assert ask(daemon, b'GET /\r\n\r\n') in ENDED + (None, 404)
    assert ask(daemon, b'GET /healthz HTTP/9.9\r\n\r\n') in ENDED + (None, 200)
    assert ask(daemon, b'GET /health\0z HTTP/1.1\r\nHost: d\r\n\r\n') in ENDED + (None, 404)
    assert ask(daemon, b'GET /healthz\0 HTTP/1.1\r\nHost: d\r\n\r\n') in ENDED + (None, 404)
    wire = Wire(daemon)
    wire.send(b'GET /healthz HTTP/1.1\r\nHost: d\r\n\r\nGET /v1/none HTTP/1.1\r\nHost: d\r\n\r\n'
              b'GET /v1/mailboxes/m0 HTTP/1.1\r\nHost: d\r\n\r\n')
    assert [wire.answer()[0] for _ in range(3)] == [200, 404, 200]
    wire.close()
    wire = Wire(daemon)
    wire.send(b'POST /v1/test-alert HTTP/1.1\r\nHost: d\r\nExpect: 100-continue\r\n'
              b'Content-Length: 2\r\n\r\n')
    time.sleep(0.2)
    wire.send(b'{}')
    assert wire.answer()[0] in (100, 200, 417)
    wire.close()
    for method, found in (('TRACE', (403, 405)), ('BREW', ENDED + (None,)),
                          ('get', ENDED + (None,)),
                          ('OPTIONS', (403, 405)), ('CONNECT', (400, 403, 404, 405))):
        status = ask(daemon, ('%s /healthz HTTP/1.1\r\nHost: d\r\n\r\n' % method).encode())
        assert status in found, (method, status)
    assert ask(daemon, b'\r\n\r\nGET /healthz HTTP/1.1\r\nHost: d\r\n\r\n') in ENDED + (None, 200)
    assert daemon.get('/healthz').status == 200


@test('H5-02: a request line of 1 M, a header of 1 M, 100,000 headers: cut, memory as before')
def h5_02(t):
    daemon = started(t, paused(1))
    for _ in range(2):  # what the allocator keeps shows in the first round
        before = resident_bytes(daemon)
        for data in (b'GET /' + b'a' * (1 << 20) + b' HTTP/1.1\r\n\r\n',
                     b'GET / HTTP/1.1\r\nX: ' + b'b' * (1 << 20) + b'\r\n\r\n',
                     b'GET / HTTP/1.1\r\n' + b'A: b\r\n' * 100000 + b'\r\n',
                     b'G' * (1 << 20), b'GET / HTTP/1.1\r\n' + b' folded\r\n' * 100000):
            assert ask(daemon, data) in ENDED + (None,), data[:20]
        assert daemon.get('/healthz').status == 200
    assert resident_bytes(daemon) - before < 8 << 20, (before, resident_bytes(daemon))


@test('H5-03 (100 of them): connections that drip are closed 10 s after their first byte')
def h5_03(t):
    daemon = t.daemon(None, paused(1))
    before = daemon.descriptors()
    began = time.monotonic()
    wires = [Wire(daemon) for _ in range(100)]
    text = b'GET /healthz HTTP/1.1\r\nHost: d\r\nX-Slow: ' + b'x' * 100
    for at in range(9):
        for wire in wires:
            assert wire.send(text[at:at + 1]), 'closed after %g s' % (time.monotonic() - began)
        asked = time.monotonic()
        assert daemon.get('/healthz').status == 200
        assert time.monotonic() - asked < 10 * SLOW
        time.sleep(max(0, began + at + 1 - time.monotonic()))
    for wire in wires:
        wire.socket.settimeout(max(1, began + 13 * SLOW - time.monotonic()))
        assert wire.answer()[0] in ENDED + (None,)
        assert not wire.socket.recv(1)
    took = time.monotonic() - began
    assert 9 <= took <= 13 * SLOW, took
    wait_until(lambda: daemon.descriptors() <= before, 5)


@test('H5-04: Content-Length huge, negative, twice, beside chunked; endless chunks: 413 or 400')
def h5_04(t):
    daemon = started(t, paused(1))
    head = b'POST /v1/probe HTTP/1.1\r\nHost: d\r\n'
    before = resident_bytes(daemon)
    for headers in (b'Content-Length: 1073741824', b'Content-Length: -1',
                    b'Content-Length: 99999999999999999999', b'Content-Length: 0x2',
                    b'Content-Length: 2\r\nContent-Length: 40',
                    b'Content-Length: 2\r\nTransfer-Encoding: chunked',
                    b'Transfer-Encoding: gzip'):
        status = ask(daemon, head + headers + b'\r\n\r\n{}\r\n\r\n')
        assert status in (400, 411, 413, 501, None), (headers, status)
        assert not daemon.events(event='test')
    wire = Wire(daemon)
    wire.send(head + b'Transfer-Encoding: chunked\r\n\r\n')
    sent = 0
    while sent < 64 << 20 and wire.send(b'10000\r\n' + b' ' * 65536 + b'\r\n'):
        sent += 65536
    assert wire.answer()[0] in (400, 413, None) and sent < 16 << 20, sent
    wire.close()
    wire = Wire(daemon)
    wire.send(head + b'Content-Length: 1048577\r\n\r\n')
    wire.send(b' ' * 1048577)
    assert wire.answer()[0] in (400, 413, None)
    wire.close()
    assert ask(daemon, head + b'Content-Length: 1048576\r\n\r\n' + b' ' * 1048574 + b'{}') == 202
    assert daemon.get('/healthz').status == 200
    assert resident_bytes(daemon) - before < 24 << 20, (before, resident_bytes(daemon))


@test('H5-05: JSON too deep, doubled, out of range, with NUL or half surrogates, trailed: 400')
def h5_05(t):
    daemon = t.daemon(None, paused(1))
    for body in (b'[' * 100000, b'{"select":' * 100000, b'{"select":"m0","select":"m1"}',
                 b'{"select":1e999}', b'{"select":"m0\\u0000"}', b'{"select":"\\ud800"}',
                 b'{"select":"\\udc00\\ud800"}', b'{"select":"m0"} {}', b'{"select":"m0"}x',
                 b'{"select":"\xff\xfe"}', b'{"select":"m0"', b'{"select":', b'nul', b'[]', b'3',
                 b'"m0"', b'{"select":{}}', b'{"selec":"m0"}', b'{"select":["m0",1]}', b'{"a":1}',
                 b'{select:"m0"}', b"{'select':'m0'}", b'\xef\xbb\xbf{}'):
        answer = daemon.request('POST', '/v1/probe', body)
        assert answer.status in (400, 422), (body[:40], answer)
        assert answer.headers['Content-Type'].startswith('application/problem+json'), answer.headers
        problem = answer.json()
        assert problem['status'] == answer.status and problem['code'] and problem['title'], problem
    assert daemon.get('/healthz').status == 200


@test('H5-11: paths that climb, broken escapes, NUL, doubled slashes, a 10 K name: 400 or 404')
def h5_11(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann', smtp=None)])
    daemon.wait_state('ann', 'imap ok')
    for path in ('/v1/mailboxes/../reload', '/v1/mailboxes/%2e%2e/reload',
                 '/v1/mailboxes/%2e%2e%2freload', '/v1/mailboxes/..%2freload', '/v1/./reload',
                 '/v1//reload', '//v1/reload', '/v1/reload/', '/v1/reload;x', '/v1/mailboxes/%00',
                 '/v1/mailboxes/ann%00/probe', '/v1/mailboxes/%ZZ', '/v1/mailboxes/%',
                 '/v1/reload%',
                 '/v1/mailboxes/' + 'a' * 10240, '/v1/mailboxes//probe',
                 '/v1/mailboxes/ann;x/probe',
                 '/v1/mailboxes/ann/../ann/probe', '/../../etc/passwd', '/v1/mailboxes/ann%2fprobe',
                 '/V1/reload', '/v1/reload%20', '/v1/mailboxes/*', '/v1/%72eload%2f', 'v1/reload',
                 '*'):
        for method in ('GET', 'POST'):
            status = ask(daemon, ('%s %s HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n' % (
                method, path)).encode())
            assert status in (400, 404), (method, path, status)
    assert not daemon.events(event='reload') and not daemon.events(event='reload-failed')
    assert ask(daemon, b'GET http://d/healthz HTTP/1.1\r\nHost: d\r\n\r\n') == 200


@test('H5-12: a plus is no blank: in the path plain and as %2B, in select')
def h5_12(t):
    name = 'u+tag@example.com'
    daemon = t.daemon(None, [dict(paused(1)[0], name=name), dict(paused(1)[0], name='other')])
    for path in ('/v1/mailboxes/u+tag@example.com', '/v1/mailboxes/u%2Btag@example.com',
                 '/v1/mailboxes/u%2btag%40example.com', '/v1/mailboxes/%75+tag@example.com'):
        answer = daemon.get(path)
        assert answer.status == 200 and answer.json()['name'] == name, (path, answer)
    for query in ('u+tag@example.com', 'u%2Btag@example.com', 'u%2Btag%40example.com', 'u%2B*'):
        answer = daemon.get('/v1/status?select=' + query)
        assert answer.status == 200, (query, answer)
        assert [m['name'] for m in answer.json()['mailboxes']] == [name], (query, answer)
    status, out, err = daemon.ctl('show', name)
    assert status == 0 and name in out, (status, out, err)


@test('H5-13 (a fiftieth): a glob of 1,000 pieces, 10,000 selectors: linear, 400 beyond a bound')
def h5_13(t):
    long = [dict(mailbox, name='a' * 40 + mailbox['name']) for mailbox in paused(2000)]
    daemon = t.daemon(None, long)
    plain = min(timed(lambda: daemon.get('/v1/status')) for _ in range(3))
    for glob in ('*a' * 1000, '*a' * 1000 + 'x', 'a*' * 30 + 'b', '*' * 4000 + 'z', '*?' * 500):
        took = timed(lambda: check(daemon.get('/v1/status?select=' + glob), (200, 400)))
        assert took < 2 * plain + 0.5 * SLOW, (glob[:10], took, plain)
    answer = daemon.get('/v1/status?' + '&'.join('select=m%d' % n for n in range(6000)))
    assert answer.status == 400, answer
    answer = daemon.post('/v1/probe', {'select': ['*a' * 40] * 10000})
    assert answer.status == 400, answer
    answer = daemon.post('/v1/probe', {'select': ' '.join(['x*'] * 100000)})
    assert answer.status == 400, answer


def timed(call):
    began = time.monotonic()
    call()
    return time.monotonic() - began


def check(answer, statuses):
    assert answer.status in statuses, answer


# --- followers and readers ------------------------------------------------------------------------

@test('H5-06 (50 followers, 2,000 events): every one gets all, in order, or lost with the count')
def h5_06(t):
    daemon = t.daemon(None, paused(1))
    followers = [daemon.follow() for _ in range(50)]
    count = 2000

    def tell():
        wire = Wire(daemon)
        for _ in range(count // 4):
            wire.send(b'POST /v1/test-alert HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\n\r\n{}')
            assert wire.answer()[0] == 200
        wire.close()
    tellers = [threading.Thread(target=tell) for _ in range(4)]
    for thread in tellers:
        thread.start()
    most, longest = latency(daemon, 2)
    for thread in tellers:
        thread.join(60 * SLOW)
    assert longest < 10 * SLOW, (most, longest)
    # An event is shown once it is stored, a moment after its answer.
    wait_until(lambda: len(daemon.events(event='test')) == count, 10)
    ids = [event['id'] for event in daemon.events(event='test')]
    assert ids == sorted(set(ids)), ids
    for follower in followers:
        wait_until(lambda: len(follower.events) + sum(
            event['count'] - 1 for event in follower.events if event['event'] == 'lost') >= count,
            20, why=lambda: len(follower.events))
        got = [event['id'] for event in follower.events if event['event'] == 'test']
        lost = sum(event['count'] for event in follower.events if event['event'] == 'lost')
        assert len(got) + lost == count, (len(got), lost)
        assert got == [i for i in ids if i in set(got)], got


@test('H5-07: followers that never read, resume late, vanish in mid-line: bounded, lost counted',
      deadline=400)
def h5_07(t):
    daemon = started(t, paused(1))
    request = b'GET /v1/events?follow=1 HTTP/1.1\r\nHost: d\r\n\r\n'
    before = daemon.descriptors()
    daemon.wait_event(event='start')  # it is told once it is stored, which may be a while after
    stuck = [Wire(daemon, 60) for _ in range(20)]
    for wire in stuck:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        wire.send(request)
        assert b'200' in wire.socket.recv(12)
    quick = daemon.follow()
    memory = resident_bytes(daemon)
    wire = Wire(daemon)
    count = 12000  # the ring keeps 10,000
    one = b'POST /v1/test-alert HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\n\r\n{}'
    for _ in range(count):
        wire.send(one)
        assert wire.answer()[0] == 200
    wire.close()
    wait_until(lambda: len(quick.events) >= count, 90, why=lambda: len(quick.events))
    assert all(event['event'] == 'test' for event in quick.events)
    grown = resident_bytes(daemon) - memory
    assert grown < 120 << 20, grown  # the ring itself, under a sanitizer
    for wire in stuck[:2]:  # two read on: what they missed is counted
        data, lost, told = b'', 0, 0
        while lost + told < count:
            piece = wire.socket.recv(1 << 20)
            assert piece, (lost, told)
            data += piece
            told = data.count(b'"event":"test"')
            lost = sum(json.loads(line)['count'] for line in data.split(b'\n')
                       if line.startswith(b'{"event":"lost"') and line.endswith(b'}'))
        assert lost + told == count and lost > 0, (lost, told)
    for wire in stuck:
        wire.close()
    for _ in range(300):  # and those that vanish in mid-line
        wire = Wire(daemon)
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        wire.send(b'GET /v1/events HTTP/1.1\r\nHost: d\r\n\r\n')
        wire.socket.recv(700)
        wire.close()
    quick.close()
    wait_until(lambda: daemon.descriptors() <= before, 30, why=lambda: daemon.descriptors())
    wait_until(lambda: daemon.get('/healthz').status == 200, why='/healthz is not well')


@test('H5-08 (a tenth): slow readers of a large status: each mailbox once, others answered at once')
def h5_08(t):
    daemon = started(t, paused(4000))
    whole = daemon.get('/v1/status')
    before = resident_bytes(daemon)
    wires = []
    for _ in range(20):
        wire = Wire(daemon, 60)
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.send(b'GET /v1/status HTTP/1.0\r\n\r\n')
        wires.append(wire)
    most, longest = latency(daemon, 2)
    assert longest < 10 * SLOW, (most, longest)
    grown = resident_bytes(daemon) - before
    assert grown < 20 * len(whole.body) // 4, (grown, len(whole.body))
    for wire in wires[:3]:
        body = wire.read(1 << 26).partition(b'\r\n\r\n')[2]
        names = [m['name'] for m in json.loads(body)['mailboxes']]
        assert len(names) == len(set(names)) == 4000, len(names)
    for wire in wires:
        wire.close()


# --- who may, and where it lies -------------------------------------------------------------------

def as_user(uid, gid, groups, arguments, **more):
    words = ['setpriv', '--reuid=%d' % uid, '--regid=%d' % gid]
    words += ['--groups=' + ','.join(map(str, groups))] if groups else ['--clear-groups']
    return subprocess.run(words + arguments, stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=60 * SLOW, **more)


ASKING = '''
import http.client, socket, sys
for method in ('GET', 'HEAD', 'POST', 'PUT', 'DELETE'):
    for path in ('/v1/status', '/v1/reload', '/v1/mailboxes/m0', '/v1/mailboxes/m0/pause'):
        one = http.client.HTTPConnection('d')
        one.sock = socket.socket(socket.AF_UNIX)
        one.sock.connect(sys.argv[1])
        one.request(method, path, b'{}' if method in ('POST', 'PUT') else None,
                    {'X-Remote-User': 'root', 'X-Forwarded-User': 'root',
                     'Authorization': 'Basic cm9vdDo='})
        print(method, path, one.getresponse().status)
'''


@test('H5-09: another user of the group may read and change nothing, whatever his headers say')
def h5_09(t):
    if os.geteuid() != 0:
        t.skip('needs root, to be another user')
    daemon = t.daemon(None, paused(1), start=False, daemon={'socket_group': 'nogroup'})
    os.chmod(daemon._run, 0o755)
    daemon.start()
    done = as_user(STRANGER, STRANGER, [NOBODY], ['/usr/bin/python3', '-c', ASKING,
                                                  daemon.socket_path])
    lines = done.stdout.decode().splitlines()
    assert len(lines) == 20, (lines, done.stderr)
    for line in lines:
        method, path, status = line.split()
        if method in ('POST', 'PUT', 'DELETE'):
            assert status == '403', line
        else:
            assert (status == '200') == (path in ('/v1/status', '/v1/mailboxes/m0')), line
            assert status != '403', line
    assert not daemon.events(event='reload') and not daemon.events(event='pause')
    # The same user, once the administrators' group has him.
    daemon.settings['daemon']['admin_group'] = 'nogroup'
    daemon.write_settings()
    daemon.reload()
    done = as_user(STRANGER, STRANGER, [NOBODY], ['/usr/bin/python3', '-c', ASKING,
                                                  daemon.socket_path])
    assert b'POST /v1/reload 200' in done.stdout, (done.stdout, done.stderr)


@test('H5-10: a user outside the group; no socket; a socket without a listener: exits 5, 4, 4')
def h5_10(t):
    daemon = t.daemon(None, paused(1), start=False)
    daemon.settings['daemon'] = {'socket_group': 'nogroup'} if os.geteuid() == 0 else None
    daemon.write_settings()
    status, out, err = daemon.ctl('status')
    assert status == 4 and daemon.socket_path in err, (status, out, err)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(daemon.socket_path)
    status, out, err = daemon.ctl('status')
    assert status == 4 and daemon.socket_path in err, (status, out, err)
    os.unlink(daemon.socket_path)
    if os.geteuid() != 0:
        t.skip('its last part needs root, to be another user')
    os.chmod(daemon._run, 0o755)
    daemon.start()
    done = as_user(STRANGER, STRANGER, [], [MBOXWATCHCTL, '--socket', daemon.socket_path, 'status'])
    assert done.returncode == 5 and b'nogroup' in done.stderr, (done.returncode, done.stderr)


@test('H5-18 (200): POST probe?wait=1 for all, twice, clients leave; braked and paused ones: 409')
def h5_18(t):
    host = t.host('ann', 'bob')
    host.fail('smtp', 'bob@test.example', '535 5.7.8 no')
    mailboxes = [dict(t.mailbox(host, 'ann', imap=None), name='ann%d' % number, interval='5m')
                 for number in range(200)]
    daemon = t.daemon(host, mailboxes + [t.mailbox(host, 'bob', imap=None)] + paused(1),
                      limits={'in_flight': 20}, start=False)
    daemon.settings['mailboxes'][-1]['name'] = 'off'
    daemon.write_settings()
    daemon.start()
    before = daemon.descriptors()
    for client in range(2):
        wire = Wire(daemon)
        wire.send(b'POST /v1/probe?wait=1 HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\n\r\n{}')
        time.sleep(0.2)
        wire.close()
    wait_until(lambda: host.refused('bob@test.example') >= 2, 20)
    daemon.wait_event(event='brake', mailbox='bob')
    connections = host.connections('smtp')
    answers = []

    def post():
        answers.append(daemon.post('/v1/probe?wait=1', {'select': 'ann*'}, timeout=60))
    posts = [threading.Thread(target=post) for _ in range(2)]
    for thread in posts:
        thread.start()
    for thread in posts:
        thread.join(60 * SLOW)
    for answer in answers:
        assert answer.status == 200 and len(answer.json()['mailboxes']) == 200, answer
        assert all(m['smtp']['verdict'] for m in answer.json()['mailboxes'])
    # Two asked at once: a probe in flight, or one that waits, is for both.
    assert host.connections('smtp') - connections < 200 + 200 // 2 + 20, (
        host.connections('smtp'), connections)
    answer = daemon.post('/v1/mailboxes/bob/probe?wait=1')
    assert answer.status == 409, answer
    text = json.dumps(answer.json())
    assert 'held until 20' in text, text
    assert daemon.post('/v1/mailboxes/off/probe?wait=1').status == 409
    answer = daemon.post('/v1/probe?wait=1', {'select': 'bob off'}).json()
    assert sorted(answer['skipped']) == ['bob', 'off'], answer
    assert host.refused('bob@test.example') == 2, host.count()
    wait_until(lambda: daemon.descriptors() <= before + 4, 10, why=lambda: daemon.descriptors())


@test('H5-19: the socket file deleted while running is made anew; another thing at its place: 78')
def h5_19(t):
    daemon = t.daemon(None, paused(1))
    follower = daemon.follow()
    open_one = Wire(daemon)
    os.unlink(daemon.socket_path)
    victim = os.path.join(t.folder, 'letter')
    with open(victim, 'w') as out:
        out.write('dear aunt\n')
    others = {'folder': os.makedirs, 'link': lambda path: os.symlink(victim, path),
              'file': lambda path: shutil.copy(victim, path)}
    for name, make in others.items():
        other = t.daemon_with(t.settings(None, paused(1)), start=False, name=name)
        other.expected_status = 78
        make(other.socket_path)
        other.spawn()
        assert other.wait_exit(15) == 78, other.stderr()
        assert other.socket_path in other.stderr(), other.stderr()
        with open(victim) as found:
            assert found.read() == 'dear aunt\n'
        assert os.path.lexists(other.socket_path)
    other = t.daemon_with(t.settings(None, paused(1)), start=False, name='long')
    other.expected_status = None
    other.socket_path = os.path.join(t.folder, 'x' * 200)
    other.spawn()
    assert other.wait_exit(15) in (2, 78) and 'socket' in other.stderr(), other.stderr()
    open_one.send(b'GET /healthz HTTP/1.1\r\nHost: d\r\n\r\n')
    assert open_one.answer()[0] == 200
    wait_until(lambda: os.path.exists(daemon.socket_path), 62, why='not made anew', poll=0.5)
    assert daemon.get('/v1/status').status == 200
    trouble = follower.wait(event='trouble')
    assert len(daemon.events(event='trouble')) == len(daemon.events(event='trouble-end')) == 1, \
        (trouble, daemon.events())
    open_one.close()


@test('H5-20: a second daemon on the state, on the socket alone; leftovers of kill -9: 75, starts')
def h5_20(t):
    first = t.daemon(None, paused(1))
    same_state = t.daemon_with(first.settings, start=False, name='state')
    same_state.state_dir = first.state_dir
    same_socket = t.daemon_with(first.settings, start=False, name='socket')
    same_socket.socket_path = first.socket_path
    for second in (same_state, same_socket):
        second.expected_status = 75
        second.spawn()
        assert second.wait_exit(15) == 75, second.stderr()
        assert first.get('/v1/status').status == 200
        assert os.path.exists(os.path.join(first.state_dir, 'state.db'))
    assert not first.events(event='trouble'), first.events()
    first.kill9()
    assert os.path.exists(first.socket_path)
    # The number of the dead one now belongs to something else, if it stands anywhere.
    for folder, _, names in os.walk(first.state_dir):
        for name in names:
            if name in ('lock', 'pid'):
                with open(os.path.join(folder, name), 'w') as out:
                    out.write('%d\n' % os.getpid())
    first.start()
    first.expected_status = 0
    assert first.get('/healthz').status == 200


@test('H5-21: no descriptor left at accept: little CPU, no flood in the log, served again after')
def h5_21(t):
    daemon = t.daemon(None, paused(1))
    before = daemon.descriptors()
    limit = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (before + 10, limit[1]))
    lines = len(daemon.stderr_lines())
    wires = [Wire(daemon) for _ in range(60)]
    time.sleep(0.5)
    began, used = time.monotonic(), cpu_seconds(daemon)
    time.sleep(3)
    share = (cpu_seconds(daemon) - used) / (time.monotonic() - began)
    assert share < 0.1, share  # 5 %, and the sanitizer's
    assert daemon.descriptors() >= before + 8, (before, daemon.descriptors())
    assert len(daemon.stderr_lines()) - lines < 10, daemon.stderr()
    for wire in wires:
        wire.close()
    assert daemon.get('/healthz').status == 200
    wait_until(lambda: daemon.descriptors() <= before, 10)


def german_locale(t):
    """A folder for LOCPATH with a locale that writes 1,5; None where it cannot be made."""
    folder = os.path.join(t.folder, 'locales')
    os.makedirs(folder)
    try:
        subprocess.run(['localedef', '-i', 'de_DE', '-f', 'UTF-8', folder + '/de_DE.UTF-8'],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=60)
    except OSError:
        return None
    return folder if os.path.isdir(folder + '/de_DE.UTF-8') else None


@test('H5-22: quotes, backslashes and line ends in metrics and NDJSON; a German locale')
def h5_22(t):
    host = t.host('ann')
    nasty = 'a"b\\c}d{e,f=g\'h\u00fc'
    port = t.answering(host, 'imap', answers={'GREETING': '* BYE say "no" \\ {3} \x1b[2J'})
    mailbox = {'name': 'ann', 'address': ADDRESS, 'imap': t.endpoint(port),
               'labels': {'owner': nasty}}
    daemon = t.daemon(host, [mailbox, t.mailbox(host, 'ann', imap=None) | {'name': 'good'}],
                      start=False)
    locale = german_locale(t)
    daemon.environment.update({'LC_ALL': 'de_DE.UTF-8', 'LANG': 'de_DE.UTF-8'})
    if locale:
        daemon.environment['LOCPATH'] = locale
    daemon.start()
    event = daemon.wait_event(event='state', mailbox='ann')
    assert event['labels']['owner'] == nasty, event
    daemon.wait_state('good', 'smtp ok')
    body = daemon.get('/v1/events').body.decode('utf-8')
    for line in body.rstrip('\n').split('\n'):
        json.loads(line)
    metrics = daemon.get('/metrics').body.decode('utf-8')
    samples = {}
    for line in metrics.rstrip('\n').split('\n'):
        if not line.startswith('#'):
            name, labels, value = metric(line)
            samples.setdefault(name, []).append((labels, value))
    owners = [labels.get('label_owner') for labels, _ in samples['mboxwatch_mailbox_info']]
    assert nasty in owners, owners
    assert samples['mboxwatch_probe_duration_seconds_sum'], metrics
    assert ',' not in ''.join(value for rows in samples.values() for _, value in rows)
    status = daemon.get('/v1/status').json()
    assert status['counts']['total'] == 2
    if not locale:
        t.skip('localedef cannot make de_DE.UTF-8 here; tried without it')


def metric(line):
    """One sample of the text format, strictly: (name, labels, value)."""
    head, at = '', 0
    while line[at] not in ' {':
        head += line[at]
        at += 1
    labels = {}
    if line[at] == '{':
        at += 1
        while line[at] != '}':
            equals = line.index('="', at)
            name, value = line[at:equals], ''
            at = equals + 2
            while line[at] != '"':
                if line[at] == '\\':
                    value += {'\\': '\\', '"': '"', 'n': '\n'}[line[at + 1]]
                    at += 2
                else:
                    value += line[at]
                    at += 1
            labels[name] = value
            at += 1
            if line[at] == ',':
                at += 1
        at += 1
    assert line[at] == ' ', line
    value = line[at + 1:]
    float(value)
    return head, labels, value


# --- what hangs -----------------------------------------------------------------------------------

@test('H5-23: a probe loop, the writer, the main loop hang: 503, 503, no answer; watchdog unfed')
def h5_23(t):
    daemon = t.daemon(None, paused(1), start=False)
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(os.path.join(t.folder, 'n'))
    told.setblocking(False)
    daemon.environment.update({'NOTIFY_SOCKET': told.getsockname(), 'WATCHDOG_USEC': '2000000'})
    daemon.start()

    def feedings(seconds):
        drain()
        time.sleep(seconds)
        return drain()

    def drain():
        count = 0
        while True:
            try:
                count += told.recv(4096).count(b'WATCHDOG=1')
            except BlockingIOError:
                return count
    everyone = threads(daemon)
    assert len(everyone) >= 4 and everyone[0] == daemon.process.pid, everyone
    assert feedings(3) >= 2
    reasons = {}
    for tid in everyone[1:]:
        with Frozen(tid):
            daemon.post('/v1/test-alert')
            unwell = None
            end = time.monotonic() + 9 * SLOW
            while time.monotonic() < end and unwell is None:
                answer = daemon.get('/healthz')
                unwell = answer.body.decode() if answer.status != 200 else None
                time.sleep(0.1)
            reasons[tid] = unwell
            if unwell and 'loop' in unwell:
                assert feedings(3) == 0, 'the watchdog was fed though a loop hangs'
            else:
                assert feedings(2.5) >= 1, 'a slow disk or sink tripped the watchdog'
        wait_until(lambda: daemon.get('/healthz').status == 200, 10, why=reasons[tid])
    told_reasons = sorted(reason or '' for reason in reasons.values())
    assert any('loop' in reason for reason in told_reasons), reasons
    assert any('state' in reason for reason in told_reasons), reasons
    kinds = {event['kind'] for event in daemon.events(event='trouble')}
    assert {'loop', 'state'} <= kinds, daemon.events()
    with Frozen(everyone[0]):
        wire = Wire(daemon, 2)
        wire.send(b'GET /healthz HTTP/1.1\r\nHost: d\r\n\r\n')
        assert wire.answer()[0] is None
        assert feedings(3) == 0
        wire.close()
    assert daemon.get('/healthz').status == 200


@test('H5-24: mboxwatchctl against a hostile socket; status | head -1')
def h5_24(t):
    path = os.path.join(t.folder, 's')
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(50)
    stop = threading.Event()
    head = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n'
    nasty = ('{"version":"1","counts":{"total":1,"ok":1,"failing":0,"unknown":0,"paused":0,'
             '"suspect":0},"uplink":"ok","outages":[],"mailboxes":[{"name":"x\\u001b[2J\\u202ey",'
             '"address":"a@b\\u0007","state":"ok\\u009b31m","since":"2026-01-01T00:00:00.000Z",'
             '"labels":{},"enabled":true,"smtp":null,"imap":null,"delivery":null}]}').encode()
    bodies = {
        'endless': lambda c: flood(c, head + b'\r\n', b'x' * 65536),
        'endless-head': lambda c: flood(c, b'HTTP/1.1 200 OK\r\n', b'X: y\r\n' * 10000),
        'endless-line': lambda c: flood(c, b'HTTP/1.1 200 ', b'o' * 65536),
        'half': lambda c: c.sendall(head + b'Content-Length: 400\r\n\r\n' + nasty[:100]),
        'nothing': lambda c: None,
        'junk': lambda c: c.sendall(b'\x16\x03\x01 SSH-2.0 \x1b[2J\r\n\r\n'),
        'not-json': lambda c: c.sendall(head + b'Content-Length: 9\r\n\r\n<\x1b[2Jtml>'),
        'other-json': lambda c: c.sendall(head + b'Content-Length: 16\r\n\r\n{"mailboxes": 3}'),
        'problem': lambda c: c.sendall(
            b'HTTP/1.1 422 X\x1b[31m\r\nContent-Type: application/problem+json\r\nContent-Length: '
            b'57\r\n\r\n{"title":"\\u001b[2Jbad","status":422,"detail":"\\u202ex"}  '),
        'escapes': lambda c: c.sendall(head + b'Content-Length: %d\r\n\r\n' % len(nasty) + nasty),
        'silent': lambda c: stop.wait(40 * SLOW),
    }

    def flood(c, first, piece):
        c.sendall(first)
        for _ in range(40000):
            c.sendall(piece)
    serving = {}

    def serve():
        while not stop.is_set():
            try:
                client, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(client,), daemon=True).start()

    def answer(client):
        with client:
            try:
                word = client.recv(65536).split(b'select=')[1].split(b' ')[0].split(b'&')[0]
                bodies[word.decode()](client)
            except (OSError, IndexError, KeyError):
                pass
    threading.Thread(target=serve, daemon=True).start()
    t.cleanups += [stop.set, listening.close]
    runs = {word: subprocess.Popen([MBOXWATCHCTL, '--socket', path, 'status', word],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE) for word in bodies}
    began = time.monotonic()
    for word, run in runs.items():
        out, err = run.communicate(timeout=60 * SLOW)
        serving[word] = (run.returncode, out, err)
        assert b'\x1b' not in out + err and b'\x07' not in out + err, (word, out, err)
        for letter in (0x202e, 0x9b):
            assert chr(letter).encode() not in out + err, (word, out, err)
        assert b'Sanitizer' not in err and len(out) < 1 << 16, (word, err)
        if word == 'escapes':  # and the mailbox asked for is not among them
            assert run.returncode == 3 and b'\\x1b[2J' in out, serving[word]
        else:
            assert run.returncode == 5 and err, (word, serving[word])
    assert time.monotonic() - began < 40 * SLOW

    daemon = t.daemon(None, paused(3000))
    done = subprocess.run(['sh', '-c', '"$0" --socket "$1" status | head -1', MBOXWATCHCTL,
                           daemon.socket_path], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=60 * SLOW)
    assert done.stdout.count(b'\n') == 1 and done.stderr == b'', done
    done = subprocess.run(['sh', '-c', '"$0" --socket "$1" status >/dev/full', MBOXWATCHCTL,
                           daemon.socket_path], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=60 * SLOW)
    assert done.returncode == 5 and done.stderr, done


if __name__ == '__main__':
    main()
