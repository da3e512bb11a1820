#!/usr/bin/python3
"""
test_check.py: POST /v1/check and mboxwatchctl check (contract 4 and 5): the review, both probes
step by step, what to do next; and what a stranger's settings may not do (H3-09, H3-10, H5-16,
H5-17, H7-15 by check, H4-28 of the transcript). Not here: what the review warns of, row by row
(tests/unit/diagnose/test_review.c).
"""

import json
import os
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import main, test, wait_until  # noqa: E402

ADDRESS = 'ann@test.example'
OPEN = {'deny_addresses': []}  # the scripted host is on loopback


def settings_of(t, host, name='ann', **sides):
    """A body of POST /v1/check: the host's good settings, but for what is given by side."""
    mailbox = t.mailbox(host, name)
    body = {'address': mailbox['address'], 'smtp': mailbox['smtp'], 'imap': mailbox['imap']}
    for side, more in sides.items():
        body[side] = dict(body[side], **more) if more is not None else None
    return {member: value for member, value in body.items() if value is not None}


def steps_of(answer):
    lines = [json.loads(line) for line in answer.body.decode().splitlines()]
    return lines[:-1], lines[-1]


def stages(steps, side):
    return [(step['stage'], step['ok']) for step in steps
            if step['step'] == 'stage' and step['endpoint'] == side]


# --- the socket -----------------------------------------------------------------------------------

@test('POST /v1/check: both sides judged, nothing stored, a watched mailbox untouched')
def both_sides(t):
    host = t.host('ann', 'bob')
    daemon = t.daemon(host, [t.mailbox(host, 'bob')], daemon=OPEN)
    answer = daemon.post('/v1/check', settings_of(t, host))
    document = answer.json()
    assert answer.status == 200 and document['ok'] is True, repr(answer)
    assert document['smtp']['cause'] == document['imap']['cause'] == 'ok', document
    assert document['review'] == [] and document['next'] == [], document
    assert document['imap']['tls']['cert']['subject'] == 'CN=mail.test.example', document
    answer = daemon.post('/v1/check', settings_of(t, host, imap={'password': t.secret('wrong')}))
    document = answer.json()
    assert document['ok'] is False and document['summary'] == 'Sends, but replies are not read.'
    assert document['imap']['cause'] == 'bad_credentials', document
    assert document['next'] == document['imap']['next'] != [], document
    assert [item['setting'] for item in document['review']] == ['imap.password'], document
    assert daemon.status()['counts']['total'] == 1
    assert daemon.events(event='state') == []


@test('POST /v1/check?stream=1: a step a line as it happens, the last line the whole document')
def stream(t):
    host = t.host('ann')
    daemon = t.daemon(host, [], daemon=OPEN)
    answer = daemon.post('/v1/check?stream=1', settings_of(t, host, imap={'mailbox': 'Nowhere'}))
    assert answer.headers['Content-Type'] == 'application/x-ndjson', answer.headers
    steps, document = steps_of(answer)
    assert [step['step'] for step in steps if step['step'] != 'stage'] == [
        'review', 'begin', 'verdict', 'begin', 'verdict'], steps
    assert [step['endpoint'] for step in steps if step['step'] == 'begin'] == ['smtp', 'imap']
    assert stages(steps, 'smtp')[:2] == [('connect', True), ('tls', True)], steps
    assert stages(steps, 'smtp')[-2:] == [('auth', True), ('noop', True)], steps
    assert stages(steps, 'imap')[-2:] == [('auth', True), ('select', False)], steps
    assert document['imap']['cause'] == 'folder_missing' and not document['ok'], document
    assert 'step' not in document and 'transcript' not in document, document
    assert steps[-1]['verdict'] == document['imap'], steps[-1]


@test('POST /v1/check by name: as the files have it, deny_addresses or not; 404 for none')
def by_name(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')])
    document = daemon.post('/v1/check', {'name': 'ann'}).json()
    assert document['ok'] and document['name'] == 'ann', document
    answer = daemon.post('/v1/check', {'name': 'bob'})
    assert answer.status == 404 and answer.json()['code'] == 'no_such_mailbox', repr(answer)


@test('POST /v1/check: all faults at once, each with its setting as the body has it')
def faults(t):
    daemon = t.daemon(None, [])
    answer = daemon.post('/v1/check', {
        'address': 'ann', 'smtp': {'host': 'https://mail', 'port': '25', 'password': 'x'},
        'imap': {'host': 'imap.test', 'port': 70000, 'secure': True}})
    found = {fault['setting']: fault['message'] for fault in answer.json()['faults']}
    assert answer.status == 422, repr(answer)
    assert set(found) == {'address', 'smtp.host', 'smtp.port', 'imap.port', 'imap.secure'}, found
    assert found['imap.port'] == '70000 is out of range; write 1 to 65535', found
    assert not any('file' in fault or 'line' in fault for fault in answer.json()['faults'])
    for body in ({'send': True}, {}, {'smtp': 'x'}, {'smtp': [1]}, {'imap': {'host': {'a': {}}}}):
        answer = daemon.post('/v1/check', body)
        assert answer.status == 422 and answer.json()['faults'], (body, repr(answer))


@test('POST /v1/check: SMTP cannot be reached, IMAP is judged all the same')
def imap_whatever(t):
    host = t.host('ann')
    daemon = t.daemon(host, [], daemon=OPEN)
    body = settings_of(t, host, smtp={'port': 1})
    document = daemon.post('/v1/check', body).json()
    assert document['smtp']['cause'] == 'connect_refused', document
    assert document['imap']['ok'] and not document['ok'], document
    assert document['summary'] == 'Replies are read, but it does not send.', document


# --- what a stranger's settings may not do --------------------------------------------------------

@test('H3-09: an address inside is never connected to: address_denied at connect')
def h3_09(t):
    host = t.host('ann')
    daemon = t.daemon(host, [])
    for name in ('127.0.0.1', '::1', '::ffff:127.0.0.1', '64:ff9b::7f00:1', 'localhost'):
        for side in ('smtp', 'imap'):
            body = settings_of(t, host, **{side: {'host': name}})
            del body['imap' if side == 'smtp' else 'smtp']
            verdict = daemon.post('/v1/check', body).json()[side]
            assert (verdict['cause'], verdict['stage']) == ('address_denied', 'connect'), verdict
    assert host.connections('smtp') == host.connections('imap') == 0, 'a connection was made'


class Names:
    """A name server on loopback: each A query of a name gets the next address of its list."""

    def __init__(self, t, **names):
        self.names = {name.replace('_', '.'): list(rest) for name, rest in names.items()}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(('127.0.0.1', 0))
        self.resolver = '127.0.0.1:%d' % self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()
        t.cleanups.append(self.socket.close)

    def _serve(self):
        while True:
            try:
                query, client = self.socket.recvfrom(4096)
            except OSError:
                return
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode())
                at += 1 + query[at]
            question, kind = query[12:at + 5], struct.unpack('!H', query[at + 1:at + 3])[0]
            rest = self.names.get('.'.join(labels).lower(), []) if kind == 1 else []
            addresses = [rest.pop(0) if len(rest) > 1 else rest[0]] if rest else []
            reply = query[:2] + struct.pack('!HHHHH', 0x8180, 1, len(addresses), 0, 0) + question
            for address in addresses:
                reply += struct.pack('!HHHIH', 0xc00c, 1, 1, 0, 4) + socket.inet_aton(address)
            self.socket.sendto(reply, client)


@test('H3-10: a name that leads inside at its second query: judged is what is connected to')
def h3_10(t):
    host = t.host('ann')
    names = Names(t, rebind_test=['127.0.0.9', '127.0.0.1'])
    daemon = t.daemon(host, [], daemon={'deny_addresses': ['127.0.0.1'],
                                        'resolvers': [names.resolver]})
    body = settings_of(t, host, smtp={'host': 'rebind.test'}, imap=None)
    first = daemon.post('/v1/check', body).json()['smtp']
    assert (first['cause'], first['address']) != ('address_denied', '127.0.0.1'), first
    for _ in range(2):
        verdict = daemon.post('/v1/check', body).json()['smtp']
        assert (verdict['cause'], verdict['stage']) == ('address_denied', 'connect'), verdict
    assert host.connections('smtp') == 0, 'a connection was made'


@test('H5-16: what reads a file, runs a program or chooses the way is a fault')
def h5_16(t):
    host = t.host('ann')
    daemon = t.daemon(host, [], daemon=OPEN)
    made = t.folder + '/made'
    for name, value in (('password_file', '/etc/passwd'), ('password_command', ['touch', made]),
                        ('password_credential', 'x'), ('ca_file', '/etc/passwd'),
                        ('proxy', 'socks5://127.0.0.1:1'), ('source_address', '127.0.0.1')):
        body = settings_of(t, host, smtp={name: value})
        answer = daemon.post('/v1/check', body)
        settings = [fault['setting'] for fault in answer.json()['faults']]
        assert answer.status == 422 and settings == ['smtp.' + name], (name, repr(answer))
    assert not os.path.exists(made)
    assert host.connections('smtp') == 0


@test('H5-17: 1,000 checks at once with a wrong secret: two refused, then 429; all else goes on',
      deadline=240)
def h5_17(t):
    host = t.host('ann', 'bob')
    daemon = t.daemon(host, [t.mailbox(host, 'bob')], daemon=OPEN)
    daemon.wait_state('bob', 'ok')
    wrong = {'password': t.secret('wrong')}
    body = json.dumps(settings_of(t, host, smtp=wrong, imap=wrong))
    answers, lock = [], threading.Lock()

    def ask(count):
        for _ in range(count):
            answer = daemon.post('/v1/check', body, timeout=120)
            with lock:
                answers.append(answer)

    askers = [threading.Thread(target=ask, args=(20,)) for _ in range(50)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    found = sorted({answer.status for answer in answers})
    assert len(answers) == 1000 and found == [200, 429], found
    assert all(int(answer.headers['Retry-After']) > 0 for answer in answers
               if answer.status == 429)
    assert host.refused(ADDRESS) == 2, host.count()
    answer = daemon.post('/v1/check', body)
    assert answer.status == 429 and answer.json()['code'] == 'held', repr(answer)
    assert daemon.probe('bob')['state'] == 'ok'
    assert daemon.post('/v1/check', settings_of(t, host)).json()['ok'], 'the right secret'


@test('H7-15 (by check): one wrong secret in a loop, restarts and kills between: two refused')
def h7_15(t):
    host = t.host('ann')
    daemon = t.daemon(host, [], daemon=OPEN)
    wrong = {'password': t.secret('wrong')}
    for number in range(4):
        for _ in range(3):
            answer = daemon.post('/v1/check', settings_of(t, host, smtp=wrong, imap=wrong))
            assert answer.status in (200, 429), repr(answer)
        daemon.kill9() if number % 2 else daemon.term()
        daemon.start()
    assert host.refused(ADDRESS) == 2, host.count()


@test('H7-15 (by check): wrong secrets in turn: at most 4 refused, and one is left to who watches')
def h7_15_many(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')], daemon=OPEN)
    daemon.wait_state('ann', 'ok')
    for number in range(6):
        wrong = {'password': t.secret('wrong%d' % number)}
        daemon.post('/v1/check', settings_of(t, host, smtp=wrong, imap=wrong))
    assert 2 <= host.refused(ADDRESS) <= 3, host.count()
    assert daemon.probe('ann')['state'] == 'ok'
    assert daemon.events(event='brake') == []


@test('H7-15 (by check NAME): the watched secret, checked and probed: two refused, one brake')
def h7_15_name(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann', password=t.secret('wrong'))], daemon=OPEN)
    for _ in range(6):
        answer = daemon.post('/v1/check', {'name': 'ann'})
        assert answer.status in (200, 429), repr(answer)
    wait_until(lambda: daemon.events(event='brake'), why=daemon.tell)
    assert daemon.post('/v1/check', {'name': 'ann'}).status == 429
    assert host.refused(ADDRESS) == 2, host.count()


@test('H4-28 (transcript): the dialogue of both sides, the secret in no form of it')
def h4_28(t):
    host = t.host('ann')
    daemon = t.daemon(host, [], daemon=OPEN)
    document = daemon.post('/v1/check?transcript=1', settings_of(t, host)).json()
    for side, word in (('smtp', 'C: EHLO'), ('imap', 'S: * OK')):
        lines = document['transcript'][side]
        assert any(line.startswith(word) for line in lines), lines
        assert any('<secret>' in line for line in lines), lines


if __name__ == '__main__':
    main()
