#!/usr/bin/python3
"""
test_put.py: mailboxes set over the status socket: PUT and DELETE /v1/mailboxes/NAME (contract 5)
and what hostile.md asks of them. That no secret stands in the state directory is looked over by the
harness after each test (H4-28). Not here: how one is judged (tests/unit/config), the seal
(tests/unit/base/test_seal.c).
"""

import http.client
import json
import os
import signal
import socket
import sqlite3
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))
from harness import NOBODY, main, test, wait_until  # noqa: E402
from shared import Frozen, threads  # noqa: E402

PATH = '/v1/mailboxes/'


def key(t, content=bytes(range(32)), name='key'):
    path = os.path.join(t.folder, name)
    with open(path, 'wb') as out:
        os.fchmod(out.fileno(), 0o640)
        out.write(content)
    return path


def open_to(t, path=None, **more):
    """Groups of settings by which PUT works; the scripted host is on loopback."""
    return {'daemon': dict({'state_key_file': path or key(t), 'deny_addresses': []}, **more)}


def body_of(t, host, name='ann', **more):
    mailbox = t.mailbox(host, name)
    body = {'address': mailbox['address'], 'smtp': mailbox['smtp'], 'imap': mailbox['imap']}
    body.update(more)
    return body


def put(daemon, name, body):
    return daemon.request('PUT', PATH + name, body)


def restart(daemon):
    daemon.term()
    daemon.start()


def unavailable(daemon, name, words):
    """Waits until a probe of both sides has met no secret; the mailbox is there all the same."""
    for side in ('smtp', 'imap'):
        daemon.wait_verdict(name, side, cause='secret_unavailable', stage='secret',
                            detail=lambda detail: words in detail)
    assert daemon.get(PATH + name).status == 200


# --- what it does ---------------------------------------------------------------------------------

@test('PUT: 201, watched at once, 200 where it was there; DELETE: 204, then 404')
def put_and_delete(t):
    host = t.host('ann', 'bob')
    daemon = t.daemon(host, [t.mailbox(host, 'bob')], **open_to(t))
    answer = put(daemon, 'ann', body_of(t, host, labels={'owner': 'acme'}))
    assert answer.status == 201, repr(answer)
    assert answer.json()['name'] == 'ann' and answer.json()['labels'] == {'owner': 'acme'}
    assert answer.json()['imap']['interval_ms'] == 10000, 'the scope of defaults'
    daemon.wait_state('ann', 'ok')
    answer = put(daemon, 'ann', body_of(t, host, labels={'owner': 'other'}))
    assert answer.status == 200 and answer.json()['labels'] == {'owner': 'other'}, repr(answer)
    assert answer.json()['state'] == 'ok', 'the same probe: its state stands'
    assert daemon.status()['counts']['total'] == 2
    answer = daemon.request('DELETE', PATH + 'ann')
    assert answer.status == 204 and answer.body == b'', repr(answer)
    assert 'Content-Length' not in answer.headers, answer.headers
    assert daemon.get(PATH + 'ann').status == 404
    assert daemon.request('DELETE', PATH + 'ann').status == 404
    restart(daemon)
    assert daemon.get(PATH + 'ann').status == 404
    daemon.wait_state('bob', 'ok')


@test('PUT: kept over reload, restart and kill -9; another secret is tried at once')
def kept(t):
    host = t.host('ann')
    daemon = t.daemon(host, [], **open_to(t))
    assert put(daemon, 'ann', body_of(t, host)).status == 201
    daemon.wait_state('ann', 'ok')
    assert daemon.reload() == {'changed': 0, 'added': 0, 'removed': 0, 'unchanged': 1}
    restart(daemon)
    daemon.wait_state('ann', 'ok')
    daemon.kill9()
    daemon.start()
    daemon.wait_state('ann', 'ok')
    body = body_of(t, host)
    for side in ('smtp', 'imap'):
        body[side]['password'] = t.secret('wrong')
    assert put(daemon, 'ann', body).status == 200
    daemon.wait_verdict('ann', 'imap', cause='bad_credentials')
    assert put(daemon, 'ann', body_of(t, host)).status == 200
    daemon.wait_state('ann', 'ok')


@test('DELETE of one that is failing: the told begin gets its end, state=removed')
def removed(t):
    host = t.host('ann')
    daemon = t.daemon(host, [], **open_to(t))
    body = body_of(t, host)
    body['smtp']['port'] = 1
    assert put(daemon, 'ann', body).status == 201
    daemon.wait_event(event='state', mailbox='ann', smtp='failing')
    assert daemon.request('DELETE', PATH + 'ann').status == 204
    daemon.wait_event(event='state', mailbox='ann', state='removed')


@test('PUT while a load is under way: the load does not lose it, nor brings back what was deleted')
def while_loading(t):
    host = t.host('ann')
    many = [{'name': 'm%d' % i, 'enabled': False, 'address': 'm@many.example',
             'imap': {'host': 'mail.example', 'password': 'x'}} for i in range(3000)]
    daemon = t.daemon(host, many, **open_to(t))
    assert put(daemon, 'gone', body_of(t, host, enabled=False)).status == 201
    answers = []
    for turn in range(3):
        reload = threading.Thread(target=lambda: answers.append(daemon.post('/v1/reload')))
        reload.start()
        assert put(daemon, 'new%d' % turn, body_of(t, host, enabled=False)).status == 201
        if turn == 1:
            assert daemon.request('DELETE', PATH + 'gone').status == 204
        reload.join()
    assert [answer.status for answer in answers] == [200] * 3
    for turn in range(3):
        assert daemon.get(PATH + 'new%d' % turn).status == 200
    assert daemon.get(PATH + 'gone').status == 404
    assert daemon.status('new*')['counts']['total'] == len(many) + 3


@test('PUT: a fault by setting, as the body has it; nothing is kept of it')
def faults(t):
    host = t.host('ann')
    daemon = t.daemon(host, [], **open_to(t))
    body = body_of(t, host, address='ann', interval='1s')
    body['imap']['port'] = 70000
    answer = put(daemon, 'ann', body)
    assert answer.status == 422, repr(answer)
    assert {fault['setting'] for fault in answer.json()['faults']} == {
        'address', 'interval', 'imap.port'}, repr(answer)
    for body, setting in (({}, 'imap'), ({'name': 'bob'}, 'name'), ({'imap': {}}, 'imap')):
        answer = put(daemon, 'ann', body)
        assert answer.status == 422, repr(answer)
        assert setting in [fault['setting'] for fault in answer.json()['faults']], repr(answer)
    assert put(daemon, 'ann', b'[]').status == 400
    assert put(daemon, '-ann', body_of(t, host)).status == 422
    assert daemon.get(PATH + 'ann').status == 404
    assert not os.path.exists(os.path.join(daemon.state_dir, 'mailboxes.db'))


@test('PUT by provider: its servers are filled in, and still are after a restart')
def by_provider(t):
    daemon = t.daemon(None, [], **open_to(t))
    answer = put(daemon, 'ann', {'address': 'ann@gmail.com', 'provider': 'gmail', 'enabled': False,
                                 'smtp': {'password': t.secret('ann')}, 'imap': {}})
    assert answer.status == 201, repr(answer)
    for _ in range(2):
        assert daemon.mailbox('ann')['imap']['host'] == 'imap.gmail.com'
        assert daemon.mailbox('ann')['smtp']['host'] == 'smtp.gmail.com'
        restart(daemon)


@test('GET for any who may open the socket; PUT and DELETE for who may change (403)')
def for_changing_users(t):
    if os.geteuid() != 0:
        t.skip('needs root')
    host = t.host('ann')
    daemon = t.daemon(host, [], **open_to(t))
    assert put(daemon, 'ann', body_of(t, host)).status == 201
    os.chmod(os.path.dirname(daemon.socket_path), 0o755)
    os.chmod(daemon.socket_path, 0o666)
    for method in ('PUT', 'DELETE'):
        request = ('%s %sann HTTP/1.1\r\nHost: d\r\nX-Remote-User: root\r\nContent-Length: 2\r\n'
                   '\r\n{}' % (method, PATH))
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            wire = socket.socket(socket.AF_UNIX)
            wire.connect(daemon.socket_path)
            wire.sendall(request.encode())
            os.write(writing, wire.recv(4096)[:12])
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reading, 12) == b'HTTP/1.1 403', method
        os.close(reading)
        os.close(writing)
    assert daemon.get(PATH + 'ann').status == 200


# --- what may not be set --------------------------------------------------------------------------

@test('H5-16: nothing that reads a file, runs a program or chooses the way; a denied host is named')
def h5_16(t):
    daemon = t.daemon(None, [], daemon={'state_key_file': key(t)})
    good = {'host': 'imap.example.com', 'username': 'ann', 'password': 'x'}
    for setting, value in (('password_file', '/etc/passwd'), ('password_command', ['/bin/true']),
                           ('password_credential', 'x'), ('ca_file', '/etc/passwd'),
                           ('proxy', 'socks5://127.0.0.1:1080'), ('source_address', '127.0.0.1')):
        imap = {name: word for name, word in good.items()
                if not setting.startswith('password') or name != 'password'}
        answer = put(daemon, 'ann', {'imap': dict(imap, **{setting: value})})
        assert answer.status == 422, repr(answer)
        assert 'imap.' + setting in [fault['setting'] for fault in answer.json()['faults']]
    for host in ('127.0.0.1', '::1', '10.1.2.3', '::ffff:127.0.0.1', '169.254.169.254'):
        answer = put(daemon, 'ann', {'imap': dict(good, host=host)})
        assert answer.status == 422, repr(answer)
        fault = answer.json()['faults'][0]
        assert fault['setting'] == 'imap.host' and 'deny_addresses' in fault['message'], fault
        assert host.split(':')[-1] in fault['message'], fault
    assert daemon.status()['counts']['total'] == 0


@test('H3-09 by PUT: a name that leads to a denied address is never connected to; also after a reload')
def denied_by_name(t):
    host = t.host('ann')
    daemon = t.daemon(host, [], **open_to(t))
    body = body_of(t, host)
    for side in ('smtp', 'imap'):
        body[side].update(host='localhost', tls_name='mail.test.example')
    assert put(daemon, 'ann', body).status == 201
    daemon.wait_state('ann', 'ok')
    daemon.settings['daemon']['deny_addresses'] = ['loopback']
    daemon.write_settings()
    assert daemon.reload()['changed'] == 1
    verdict = daemon.wait_verdict('ann', 'imap', cause=lambda cause: cause != 'ok')
    assert 'deny_addresses' in verdict['detail'], verdict
    restart(daemon)
    verdict = daemon.wait_verdict('ann', 'smtp', cause=lambda cause: cause != 'ok')
    assert 'deny_addresses' in verdict['detail'], verdict


@test('H4-25: CR, LF, NUL in host, user name, folder, mail_from, rcpt_to, label by PUT: 422')
def h4_25(t):
    daemon = t.daemon(None, [], **open_to(t))
    for bad in ('a\rb', 'a\nNOOP', 'a\0b', 'a@b.example\r\nRCPT TO:<x@y.example>'):
        for path in ('smtp.host', 'smtp.username', 'smtp.mail_from', 'smtp.rcpt_to', 'smtp.tls_name',
                     'imap.mailbox', 'imap.username', 'labels.owner', 'address'):
            body = {'address': 'ann@test.example', 'labels': {'owner': 'acme'},
                    'smtp': {'host': 'smtp.test.example', 'password': 'x',
                             'mail_from': 'ann@test.example'},
                    'imap': {'host': 'imap.test.example'}}
            group, _, name = path.partition('.')
            if name:
                body[group][name] = bad
            else:
                body[group] = bad
            answer = put(daemon, 'ann', body)
            assert answer.status in (400, 422), (path, bad, repr(answer))
            if '\0' not in bad:
                assert answer.status == 422, (path, bad, repr(answer))
                settings = [fault['setting'] for fault in answer.json()['faults']]
                assert path.replace('labels.owner', 'labels') in settings, (path, repr(answer))
    assert daemon.status()['counts']['total'] == 0


# --- files and the socket -------------------------------------------------------------------------

@test('H4-09: a name of a file: 409 with its place; a file that takes it later wins, with a warning')
def h4_09(t):
    host = t.host('ann', 'bob')
    daemon = t.daemon(host, [t.mailbox(host, 'bob')], **open_to(t))
    for method, body in (('PUT', body_of(t, host)), ('DELETE', None)):
        answer = daemon.request(method, PATH + 'bob', body)
        assert answer.status == 409 and answer.json()['code'] == 'in_file', repr(answer)
        assert answer.json()['faults'][0]['file'] == daemon.settings_path, repr(answer)
        assert answer.json()['faults'][0]['line'] > 0, repr(answer)
    assert put(daemon, 'ann', body_of(t, host, labels={'from': 'socket'})).status == 201
    daemon.wait_state('ann', 'ok')
    both = daemon.settings['mailboxes']
    daemon.settings['mailboxes'] = both + (t.mailbox(host, 'ann', labels={'from': 'file'}),)
    daemon.write_settings()
    daemon.reload()
    assert daemon.mailbox('ann')['labels'] == {'from': 'file'}
    assert daemon.mailbox('ann')['state'] == 'ok', 'one name, one mailbox: its state stands'
    warning = [line for line in daemon.stderr_lines() if 'mailboxes.ann' in line]
    assert len(warning) == 1 and daemon.settings_path + ':' in warning[0], warning
    assert 'warning' in warning[0] and 'over the socket' in warning[0], warning
    assert put(daemon, 'ann', body_of(t, host)).status == 409
    restart(daemon)
    assert daemon.mailbox('ann')['labels'] == {'from': 'file'}
    daemon.settings['mailboxes'] = both
    daemon.write_settings()
    daemon.reload()
    assert daemon.mailbox('ann')['labels'] == {'from': 'socket'}
    daemon.wait_state('ann', 'ok')


# --- durable --------------------------------------------------------------------------------------

@test('H5-14: two clients PUT one name 100 times at once, PUT against DELETE: one body, whole')
def h5_14_two(t):
    host = t.host('ann')
    daemon = t.daemon(host, [], **open_to(t))
    wrong = []

    def client(owner):
        for _ in range(100):
            answer = put(daemon, 'ann', body_of(t, host, enabled=False,
                                                address=owner + '@test.example',
                                                labels={'owner': owner}))
            if answer.status not in (200, 201):
                wrong.append(repr(answer))

    def remover():
        for _ in range(100):
            status = daemon.request('DELETE', PATH + 'ann').status
            if status not in (204, 404):
                wrong.append(status)

    def together(*jobs):
        running = [threading.Thread(target=job, args=words) for job, *words in jobs]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        assert not wrong, wrong[:3]

    together((client, 'one'), (client, 'two'))
    found = daemon.mailbox('ann')
    assert found['labels']['owner'] + '@test.example' == found['address'], found
    together((client, 'one'), (remover,))
    before = daemon.get(PATH + 'ann')
    daemon.kill9()
    daemon.start()
    after = daemon.get(PATH + 'ann')
    assert before.status == after.status
    if after.status == 200:
        assert before.json()['address'] == after.json()['address']


@test('H5-14: kill -9 right after a 201: it is there; right before: there or not, never half')
def h5_14_kill(t):
    host = t.host('ann')
    daemon = t.daemon(host, [], **open_to(t))
    promised = []
    for turn in range(12):
        name = 'm%d' % turn
        stop = threading.Event()

        def ask(names):
            for number in range(1000):
                if stop.is_set():
                    return
                own = '%s.%d' % (names, number)
                try:
                    if put(daemon, own, body_of(t, host, enabled=False)).status != 201:
                        return
                except (OSError, ValueError, http.client.HTTPException):
                    return
                promised.append(own)

        client = threading.Thread(target=ask, args=(name,))
        client.start()
        wait_until(lambda: any(p.startswith(name + '.') for p in promised))
        time.sleep(turn * 0.003)
        daemon.kill9()
        stop.set()
        client.join()
        daemon.start()
        there = {mailbox['name'] for mailbox in daemon.status()['mailboxes']}
        assert set(promised) <= there, set(promised) - there
        for extra in there - set(promised):
            assert daemon.mailbox(extra)['imap']['username'] == 'ann@test.example'
            promised.append(extra)


@test('H5-14: kill -9 in the midst of the first PUT, which makes the file: none, or one to be read')
def h5_14_first(t):
    host = t.host('ann')
    for turn in range(8):
        daemon = t.daemon(host, [], name='first%d' % turn, **open_to(t))
        answers = []

        def ask():
            try:
                answers.append(put(daemon, 'ann', body_of(t, host, enabled=False)).status)
            except (OSError, ValueError, http.client.HTTPException):
                pass

        client = threading.Thread(target=ask)
        client.start()
        time.sleep(turn * 0.002)
        daemon.kill9()
        client.join()
        daemon.start()
        found = daemon.get(PATH + 'ann').status
        assert found == 200 if answers else found in (200, 404)
        assert put(daemon, 'bob', body_of(t, host, enabled=False)).status == 201
        daemon.term()


@test('a disk that stands still: PUT waits for it, and nobody else does')
def slow_disk(t):
    host = t.host('ann')
    daemon = t.daemon(host, [], **open_to(t))
    held = 0
    for number, tid in enumerate(threads(daemon)[1:]):
        name, answers = 'new%d' % number, []

        def ask():
            answers.append(put(daemon, name, body_of(t, host, enabled=False)).status)

        client = threading.Thread(target=ask)
        with Frozen(tid):
            client.start()
            client.join(0.7)
            if not answers:  # this thread is the writer
                held += 1
                for _ in range(20):
                    assert daemon.get('/v1/status').status == 200
                assert daemon.get(PATH + name).status == 404
        client.join()
        assert answers == [201], answers
    assert held == 1, held


# --- the key --------------------------------------------------------------------------------------

@test('H5-15: no state_key_file, or one of 31 bytes, or none there: PUT is refused with a fault')
def h5_15_refused(t):
    host = t.host('ann')
    daemon = t.daemon(host, [], daemon={'deny_addresses': []})
    answer = put(daemon, 'ann', body_of(t, host))
    assert answer.status == 422, repr(answer)
    assert answer.json()['faults'][0]['setting'] == 'daemon.state_key_file', repr(answer)
    for path, words in ((key(t, b'x' * 31, 'short'), '31 bytes'),
                        (os.path.join(t.folder, 'none'), 'no such file')):
        daemon.settings['daemon']['state_key_file'] = path
        daemon.write_settings()
        daemon.reload()
        answer = put(daemon, 'ann', body_of(t, host))
        assert answer.status == 422, repr(answer)
        fault = answer.json()['faults'][0]
        assert fault['setting'] == 'daemon.state_key_file' and words in fault['message'], fault
    assert daemon.get(PATH + 'ann').status == 404
    daemon.settings['daemon']['state_key_file'] = key(t)
    daemon.write_settings()
    daemon.reload()
    assert put(daemon, 'ann', body_of(t, host)).status == 201
    daemon.wait_state('ann', 'ok')


@test('H5-15: the key lost, cut, another: secret_unavailable and kept; all well when it is back')
def h5_15_lost(t):
    host = t.host('ann')
    path = key(t)
    daemon = t.daemon(host, [], **open_to(t, path))
    assert put(daemon, 'ann', body_of(t, host)).status == 201
    daemon.wait_state('ann', 'ok')
    for content, words in ((None, 'no such file'), (bytes(range(31)), '31 bytes'),
                           (bytes(32), 'another key')):
        os.unlink(path)
        if content is not None:
            key(t, content)
        restart(daemon)
        unavailable(daemon, 'ann', words)
        key(t)
        daemon.wait_state('ann', 'ok')  # by itself
    # Taken out of the settings while it runs, and back by a reload.
    del daemon.settings['daemon']['state_key_file']
    daemon.write_settings()
    daemon.reload()
    unavailable(daemon, 'ann', 'state_key_file is not set')
    daemon.settings['daemon']['state_key_file'] = path
    daemon.write_settings()
    daemon.reload()
    daemon.wait_state('ann', 'ok')


@test('H4-28: a row that was moved to another name or another server opens for nobody')
def moved(t):
    host = t.host('ann')
    daemon = t.daemon(host, [], **open_to(t))
    assert put(daemon, 'ann', body_of(t, host)).status == 201
    daemon.wait_state('ann', 'ok')
    daemon.term()
    with sqlite3.connect(os.path.join(daemon.state_dir, 'mailboxes.db')) as db:
        settings = json.loads(db.execute('SELECT settings FROM mailbox').fetchone()[0])
        assert settings['imap']['password'] == 'sealed', settings
        settings['imap']['host'] = 'localhost'
        db.execute('UPDATE mailbox SET settings = ?', (json.dumps(settings),))
        settings['name'] = 'eve'
        db.execute('INSERT INTO mailbox SELECT ?, ?, smtp, imap FROM mailbox',
                   ('eve', json.dumps(settings)))
    db.close()
    daemon.start()
    for name in ('ann', 'eve'):
        unavailable(daemon, name, 'another key')


@test('mboxwatchctl make-key: 32 random bytes, 0640, never over another file')
def make_key(t):
    host = t.host('ann')
    path = os.path.join(t.folder, 'made')
    daemon = t.daemon(host, [], **open_to(t, path))
    status, said, _ = daemon.ctl('make-key', path)
    assert status == 0 and path in said, said
    with open(path, 'rb') as made:
        first = made.read()
    assert len(first) == 32 and os.stat(path).st_mode & 0o777 == 0o640
    assert put(daemon, 'ann', body_of(t, host)).status == 201
    status, _, complaint = daemon.ctl('make-key', path)
    assert status == 5 and path in complaint and 'never overwritten' in complaint, complaint
    with open(path, 'rb') as made:
        assert made.read() == first
    link = path + '.link'
    os.symlink(path + '.elsewhere', link)
    assert daemon.ctl('make-key', link)[0] == 5
    assert not os.path.exists(path + '.elsewhere')
    assert daemon.ctl('make-key', path + '.2')[0] == 0
    with open(path + '.2', 'rb') as made:
        assert made.read() != first
    assert daemon.ctl('make-key', '/nonexistent/key')[0] == 5


@test('mboxwatchctl remove: one of the socket; of a file the refusal names file and line; none')
def remove(t):
    host = t.host('ann', 'bob')
    daemon = t.daemon(host, [t.mailbox(host, 'bob')], **open_to(t))
    assert put(daemon, 'ann', body_of(t, host)).status == 201
    assert daemon.ctl('remove', 'ann') == (0, 'ann: removed\n', '')
    assert daemon.ctl('remove', 'ann')[0] == 3
    status, _, complaint = daemon.ctl('remove', 'bob')
    assert status == 5 and daemon.settings_path + ':' in complaint, complaint
    assert daemon.get(PATH + 'bob').status == 200


# --- damage ---------------------------------------------------------------------------------------

@test('H6-06: state.db damaged: those set over the socket are kept')
def h6_06(t):
    host = t.host('ann')
    daemon = t.daemon(host, [], **open_to(t))
    assert put(daemon, 'ann', body_of(t, host)).status == 201
    daemon.wait_state('ann', 'ok')
    daemon.kill9()
    with open(os.path.join(daemon.state_dir, 'state.db'), 'wb') as state:
        state.write(b'\0' * 8192)
    daemon.start()
    daemon.wait_state('ann', 'ok')


@test('H6-06: mailboxes.db itself damaged, empty, of a later version: told, left as it lies')
def h6_06_itself(t):
    host = t.host('ann', 'bob')
    daemon = t.daemon(host, [t.mailbox(host, 'bob')], **open_to(t))
    assert put(daemon, 'ann', body_of(t, host, enabled=False)).status == 201
    daemon.term()
    path = os.path.join(daemon.state_dir, 'mailboxes.db')
    with open(path, 'rb') as whole:
        good = whole.read()
    later = bytearray(good)
    later[60:64] = (9).to_bytes(4, 'big')  # user_version
    for content in (b'\0' * 8192, b'', bytes(later), good[:4096] + b'\xff' * 4096):
        with open(path, 'wb') as damaged:
            damaged.write(content)
        daemon.start()
        daemon.wait_state('bob', 'ok')
        assert daemon.get(PATH + 'ann').status == 404
        trouble = daemon.wait_event(event='trouble', kind='state',
                                    detail=lambda words: words and 'mailboxes.db' in words)
        assert 'not watched' in trouble['detail'], trouble
        answer = put(daemon, 'new', body_of(t, host))
        assert answer.status == 503 and 'mailboxes.db' in answer.json()['detail'], repr(answer)
        assert daemon.request('DELETE', PATH + 'ann').status in (404, 503)
        daemon.term()
        with open(path, 'rb') as left:
            assert left.read() == content
        assert sorted(name for name in os.listdir(daemon.state_dir)
                      if name.startswith('mailboxes.db') and not name.endswith(('-wal', '-shm'))
                      ) == ['mailboxes.db']
    with open(path, 'wb') as damaged:
        damaged.write(good)
    daemon.start()
    assert daemon.get(PATH + 'ann').status == 200


@test('H6-16 of mailboxes.db: taken away while it runs: PUT says so, what is watched goes on')
def taken_away(t):
    host = t.host('ann')
    daemon = t.daemon(host, [], **open_to(t))
    assert put(daemon, 'ann', body_of(t, host)).status == 201
    path = os.path.join(daemon.state_dir, 'mailboxes.db')
    os.rename(path, path + '.aside')
    answer = put(daemon, 'new', body_of(t, host))
    assert answer.status == 503 and 'taken away' in answer.json()['detail'], repr(answer)
    daemon.wait_state('ann', 'ok')
    os.rename(path + '.aside', path)
    assert put(daemon, 'new', body_of(t, host)).status == 201
    daemon.process.send_signal(signal.SIGTERM)
    daemon.wait_exit()
    daemon.start()
    assert daemon.get(PATH + 'new').status == daemon.get(PATH + 'ann').status == 200


if __name__ == '__main__':
    sys.exit(main())
