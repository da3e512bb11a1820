#!/usr/bin/python3
"""
test_check.py: POST /v1/check and mboxwatchctl check (contract 4 and 5): the review, both probes
step by step, what to do next; and what a stranger's settings may not do (H3-09, H3-10, H5-16,
H5-17, H7-15 by check, H4-28 of the transcript). Not here: what the review warns of, row by row
(tests/unit/diagnose/test_review.c).
"""

import json
import os
import pty
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import MBOXWATCHCTL, NOBODY, main, test, wait_until  # noqa: E402

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


# --- what a person would try next -----------------------------------------------------------------

@test('POST /v1/check: no such folder: LIST is asked, and the likeliest name suggested')
def folder_suggested(t):
    host = t.host('ann')
    host.find(ADDRESS).folders = ['INBOX', 'Gesendet', 'Junk']
    daemon = t.daemon(host, [], daemon=OPEN)
    for wanted, suggest in (('Sent', 'Gesendet'), ('Spam', 'Junk'), ('INBOX.Junk', 'Junk'),
                            ('Gesnedet', 'Gesendet'), ('Posteingang', 'INBOX')):
        body = settings_of(t, host, smtp=None, imap={'mailbox': wanted})
        verdict = daemon.post('/v1/check', body).json()['imap']
        assert verdict['cause'] == 'folder_missing', verdict
        assert verdict['suggest'] == {'mailbox': suggest}, (wanted, verdict)
        assert verdict['next'][0] == 'Set mailbox to "%s".' % suggest, verdict
    body = settings_of(t, host, smtp=None, imap={'mailbox': 'Nowhere'})
    verdict = daemon.post('/v1/check', body).json()['imap']
    assert verdict['suggest'] == {} and '"Gesendet"' in verdict['detail'], verdict


@test('POST /v1/check: both sides given the other\'s server: the hosts look swapped')
def swapped(t):
    host = t.host('ann')
    daemon = t.daemon(host, [], daemon=OPEN)
    body = settings_of(t, host)
    body['smtp']['port'], body['imap']['port'] = body['imap']['port'], body['smtp']['port']
    document = daemon.post('/v1/check', body).json()
    assert document['smtp']['cause'] == document['imap']['cause'] == 'wrong_protocol', document
    assert document['next'][0].startswith('The hosts look swapped'), document['next']
    body['smtp']['port'] = body['imap']['port']
    document = daemon.post('/v1/check', body).json()
    assert document['imap']['cause'] == 'wrong_protocol' and document['smtp']['ok'], document
    assert document['next'][0] == 'Both sides name the same server and port: it speaks SMTP.', (
        document['next'])


@test('POST /v1/check: nobody listens at the port: the other of the pair is tried, to its greeting')
def other_port(t):
    try:
        other = socket.create_server(('127.0.0.143', 143))
    except PermissionError:
        t.skip('port 143 is root\'s')
    t.cleanups.append(other.close)
    heard = []

    def serve():
        try:
            while True:
                connection = other.accept()[0]
                connection.sendall(b'* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n')
                heard.append(connection.recv(1000))
                connection.close()
        except OSError:
            pass

    threading.Thread(target=serve, daemon=True).start()
    host = t.host('ann')
    daemon = t.daemon(host, [], daemon=OPEN)
    body = settings_of(t, host, smtp=None, imap={'host': '127.0.0.143', 'port': 993})
    verdict = daemon.post('/v1/check', body).json()['imap']
    assert (verdict['cause'], verdict['stage']) == ('connect_refused', 'connect'), verdict
    assert verdict['suggest'] == {'security': 'starttls', 'port': 143}, verdict
    assert 'port 143 was tried too: IMAP answers there' in ' '.join(verdict['notes']), verdict
    assert verdict['next'][0] == 'Set security to "starttls" and port to 143.', verdict
    assert heard == [b'a LOGOUT\r\n'], heard


@test('POST /v1/check: a certificate for other names: the one that leads to the same address')
def other_name(t):
    host = t.host('ann')
    names = Names(t, mail_test_example=['127.0.0.1'], alias_test=['127.0.0.1'])
    daemon = t.daemon(host, [], daemon=dict(OPEN, resolvers=[names.resolver]))
    body = settings_of(t, host, imap=None, smtp={'host': 'alias.test'})
    body['smtp'].pop('tls_name', None)
    verdict = daemon.post('/v1/check', body).json()['smtp']
    assert (verdict['cause'], verdict['stage']) == ('cert_name', 'tls'), verdict
    assert verdict['suggest'] == {'host': 'mail.test.example'}, verdict
    names.names['mail.test.example'] = ['127.0.0.2']
    verdict = daemon.post('/v1/check', body).json()['smtp']
    assert verdict['cause'] == 'cert_name' and verdict['suggest'] == {}, verdict


# --- a test message -------------------------------------------------------------------------------

@test('POST /v1/check: when mail came last, which marks nothing')
def last_message(t):
    host = t.host('ann')
    daemon = t.daemon(host, [], daemon=OPEN)
    document = daemon.post('/v1/check', settings_of(t, host)).json()
    assert 'the folder is empty' in document['imap']['notes'], document
    host.deliver(ADDRESS, b'Subject: x')
    document = daemon.post('/v1/check', settings_of(t, host)).json()
    assert 'mail came last at 24-Nov-2026 09:30:00 +0000' in document['imap']['notes'], document
    assert host.commands('imap', 'FETCH') == 2 and not host.commands('imap', 'SELECT'), 'EXAMINE'


@test('POST /v1/check send: a message to itself, found in INBOX or Junk and alone deleted')
def send(t):
    host = t.host('ann')
    account = host.find(ADDRESS)
    account.folders += ['Junk']
    host.deliver(ADDRESS, b'Message-ID: <another@test.example>')
    daemon = t.daemon(host, [], daemon=OPEN)
    for folder in ('INBOX', 'Junk'):
        account.deliver_to = folder
        answer = daemon.post('/v1/check?transcript=1', dict(settings_of(t, host), send=True))
        document = answer.json()
        assert document['ok'], document
        said = ' / '.join(document['imap']['notes'])
        assert 'the test message arrived in %s / and was deleted' % folder in said, document
        assert document['imap']['times_ms']['delivery'] >= 0, document
        assert [message.uid for message in account.mail] == [7], account.mail
        lines = document['transcript']['smtp']
        assert 'C: From: <%s>' % ADDRESS in lines and 'C: To: <%s>' % ADDRESS in lines, lines
    for body, setting in (({'send': 1}, 'send'), ({'send': True, 'to': 'a b@c'}, 'to'),
                          ({'send': True, 'to': 'a@b.example\r\nRCPT TO:<x@y>'}, 'to'),
                          ({'to': ADDRESS}, 'to')):
        answer = daemon.post('/v1/check', dict(settings_of(t, host), **body))
        assert answer.status == 422 and answer.json()['faults'][0]['setting'] == setting, (
            repr(answer))
    answer = daemon.post('/v1/check', dict(settings_of(t, host, smtp=None), send=True))
    assert answer.status == 422, repr(answer)


@test('POST /v1/check send: a server without UIDPLUS: the message stays, and that is said')
def send_without_uidplus(t):
    host = t.host('ann')
    port = host.script(lambda c: c.imap(words=lambda session, words: [
        word for word in words if word != 'UIDPLUS']).run(), side='imap', mode='tls')
    daemon = t.daemon(host, [], daemon=OPEN)
    body = dict(settings_of(t, host, imap={'port': port.settings()['port']}), send=True)
    document = daemon.post('/v1/check', body).json()
    assert document['ok'] and 'it stays there' in ' '.join(document['imap']['notes']), document
    mail = host.find(ADDRESS).mail
    assert len(mail) == 1 and not mail[0].is_deleted, mail


@test('check --send: the message is nowhere for a minute: delivery_lost', deadline=200)
def send_lost(t):
    host = t.host('ann')
    host.find(ADDRESS).deliver_to = None
    daemon = t.daemon(host, [t.mailbox(host, 'ann')], daemon=OPEN)
    status, out, err = daemon.ctl('check', 'ann', '--send', timeout=150)
    out = ' '.join(out.split())
    assert status == 1 and err == '', (status, out, err)
    assert 'ok the message is accepted' in out and 'FAILED the message does not arrive' in out, out
    assert 'cause delivery_lost at delivery' in out and 'not found in INBOX' in out, out
    assert daemon.ctl('check', 'ann', '--to', 'x@y.example')[0] == 2
    assert daemon.ctl('check', 'ann', '--send', '--to', 'x')[0] == 2


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


# --- mboxwatchctl check ---------------------------------------------------------------------------

def json_file(t, body, name='body.json'):
    path = os.path.join(t.folder, name)
    with open(path, 'w') as file:
        json.dump(body, file)
    return path


@test('check NAME: each step in order, for 80 columns; exit 0')
def ctl_name(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann', smtp='starttls')])
    status, out, err = daemon.ctl('check', 'ann')
    assert status == 0 and err == '', (status, out, err)
    wanted = ['ann ann@test.example', 'ok the settings are as usual', 'smtp', 'is reachable', 'offers STARTTLS, as is set', 'TLS begins, and the certificate',
              'the login is accepted', 'imap', 'speaks TLS, as is set', 'the login is accepted',
              'the folder INBOX opens and can be read',
              'Sends, and replies are read: all is well.']
    rest = ' '.join(out.split())
    for words in wanted:
        assert words in rest, (words, out)
        rest = rest.partition(words)[2]
    assert all(len(line) <= 80 for line in out.splitlines()), out
    status, out, _ = daemon.ctl('check', 'ann@test.example', '--json')
    assert status == 0 and json.loads(out)['ok'] and json.loads(out)['name'] == 'ann', out
    status, out, err = daemon.ctl('check', 'bob')
    assert status == 3 and 'no such mailbox: bob' in err, (status, err)
    for words in (['check'], ['check', 'ann', '-f', 'x'], ['check', 'ann', 'bob']):
        assert daemon.ctl(*words)[0] == 2, words


PROBLEMS = {
    'authentication failed': (
        dict(smtp={'password': 'wrong'}, imap={'password': 'wrong'}),
        ['FAILED the login is not accepted', 'cause bad_credentials at auth',
         'server 535 5.7.8', 'server NO [AUTHENTICATIONFAILED]',
         'Neither sends nor reads replies.', 'what to do Is the user name the full address']),
    'port connection failed': (
        dict(smtp={'port': 1}),
        ['FAILED port 1 is not reachable', 'cause connect_refused at connect',
         'ok the folder INBOX opens', 'Replies are read, but it does not send.',
         'what to do Check the host name']),
    'SMTP works but IMAP fails': (
        dict(imap={'password': 'wrong'}),
        ['ok the login is accepted', 'FAILED the login is not accepted',
         'Sends, but replies are not read.']),
    'login works but folder selection fails': (
        dict(imap={'mailbox': 'Nowhere'}),
        ['ok the login is accepted',
         'FAILED the folder Nowhere does not open',
         'cause folder_missing at select', 'Sends, but replies are not read.']),
}


@test('check: the four usual problems, by the daemon: cause, the words, what works all the same')
def ctl_problems(t):
    host = t.host('ann', 'bob', 'cat', 'dan')
    daemon = t.daemon(host, [], daemon=OPEN)
    for (title, (sides, wanted)), name in zip(PROBLEMS.items(), ('ann', 'bob', 'cat', 'dan')):
        sides = {side: dict(more, password=t.secret('wrong')) if 'password' in more else more
                 for side, more in sides.items()}
        path = json_file(t, settings_of(t, host, name, **sides))
        status, out, err = daemon.ctl('check', '-f', path)
        assert status == 1 and err == '', (title, status, out, err)
        for piece in wanted:
            assert piece in ' '.join(out.split()), (title, piece, out)
        assert all(len(line) <= 80 for line in out.splitlines()), out


@test('check -f: a settings file, JSON, standard input; faults by setting, exit 5')
def ctl_file(t):
    host = t.host('ann', 'bob')
    daemon = t.daemon(host, [], daemon=OPEN)
    secret = os.path.join(t.folder, 'secret')
    with open(secret, 'w') as file:
        file.write(t.secret('ann') + '\n')
    other = t.daemon(host, [
        {'name': 'ann', 'address': ADDRESS,
         'smtp': host.endpoint('smtp', 'tls', password_file=secret),
         'imap': host.endpoint('imap', 'tls', password_command=['cat', secret])},
        t.mailbox(host, 'bob', imap=None)], start=False)
    status, out, err = daemon.ctl('check', '-f', other.settings_path)
    assert status == 0 and out.count('all is well') == 2, (status, out, err)
    with open(other.settings_path) as file:
        status, out, err = daemon.ctl('check', '-f', '-', input=file.read().encode())
    assert status == 0 and out.count('all is well') == 2, (status, out, err)
    body = json.dumps(settings_of(t, host)).encode()
    status, out, err = daemon.ctl('check', '-f', '-', '--json', input=body)
    assert status == 0 and json.loads(out)['ok'], (status, out, err)
    path = json_file(t, settings_of(t, host, smtp={'port': 70000, 'proxy': 'x'}))
    status, out, err = daemon.ctl('check', '-f', path)
    assert status == 5 and 'smtp.port: 70000 is out of range' in err and 'smtp.proxy: ' in err, err
    assert daemon.ctl('check', '-f', t.folder + '/none')[0] == 5
    assert daemon.ctl('check', '-f', '-', input=b'{"a":')[0] == 5
    status, _, err = daemon.ctl('check', '-f', '-', input=b'mailboxes = ( { name = "x"; } );')
    assert status == 5 and 'neither smtp nor imap' in err, err


@test('H4-28, H8-06 (check): --transcript shows no secret; what a server says is escaped')
def ctl_transcript(t):
    host = t.host('ann')
    host.fail('smtp', ADDRESS, '535 5.7.8 \x1b[2Jno\u202e ' + t.secret('ann'))
    daemon = t.daemon(host, [], daemon=OPEN)
    path = json_file(t, settings_of(t, host))
    status, out, err = daemon.ctl('check', '-f', path, '--transcript')
    assert status == 1 and 'C: EHLO' in out and 'S: * OK' in out, (status, out, err)
    assert '\x1b' not in out and '\u202e' not in out and '\\x1b[2J' in out, out
    assert t.secret('ann') not in out + err and '<secret>' in out, out


class Terminal:
    """mboxwatchctl on a terminal of its own."""

    def __init__(self, t, daemon, *words):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(MBOXWATCHCTL, [MBOXWATCHCTL, *words], dict(
                os.environ, MBOXWATCH_SOCKET=daemon.socket_path, TERM='dumb'))
        self.shown = b''
        t.cleanups.append(lambda: os.close(self.fd))
        daemon.outputs.append(('a terminal', b''))
        self.daemon = daemon

    def read(self):
        try:
            if select.select([self.fd], [], [], 0.1)[0]:
                self.shown += os.read(self.fd, 65536)
        except OSError:
            return False
        return True

    def wait(self, words):
        def is_shown():
            self.read()
            return words in self.shown
        wait_until(is_shown, why=lambda: repr(self.shown))

    def say(self, words):
        os.write(self.fd, words)

    def is_echoing(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def end(self):
        """Its exit status, as of waitpid()."""
        wait_until(lambda: not self.read(), why=lambda: repr(self.shown))
        self.daemon.outputs.append(('a terminal', self.shown))
        return os.waitpid(self.pid, 0)[1]


@test('check ADDRESS on a terminal: servers asked for, the password unseen, and echo restored')
def terminal(t):
    host = t.host('ann')
    daemon = t.daemon(host, [], daemon=OPEN)
    asked = Terminal(t, daemon, 'check', 'new@test.example')
    asked.wait(b'SMTP server: ')
    asked.say(b'127.0.0.1\n')
    asked.wait(b'IMAP server: ')
    asked.say(b'127.0.0.1\n')
    asked.wait(b'Password (not shown): ')
    wait_until(lambda: not asked.is_echoing(), why='the password would be seen')
    asked.say(t.secret('typed').encode() + b'\n')
    asked.wait(b'Neither sends nor reads replies.')
    assert asked.end() == 1 << 8 and t.secret('typed').encode() not in asked.shown, asked.shown
    asked = Terminal(t, daemon, 'check', '-f', json_file(t, {
        'address': ADDRESS, 'imap': {'host': '127.0.0.1'}}))
    asked.wait(b'Password (not shown): ')
    wait_until(lambda: not asked.is_echoing(), why='the password would be seen')
    os.kill(asked.pid, signal.SIGTERM)
    assert os.waitpid(asked.pid, 0)[1] == signal.SIGTERM, asked.shown
    assert asked.is_echoing(), 'the terminal was left without echo'
    status, _, err = daemon.ctl('check', 'new@test.example')
    assert status == 3 and 'check -f FILE' in err, (status, err)


@test('check ADDRESS of a known provider: the password alone is asked for, what it wants is said')
def terminal_provider(t):
    host = t.host('ann')
    daemon = t.daemon(host, [], daemon=OPEN, providers=[{
        'name': 'acme', 'domains': ['test.example'], 'app_password': 'required',
        'app_password_hint': 'Get one under Settings',
        'smtp': ['127.0.0.1:%d/tls' % host.endpoint('smtp')['port']],
        'imap': ['127.0.0.1:%d/tls' % host.endpoint('imap')['port']]}])
    asked = Terminal(t, daemon, 'check', ADDRESS)
    asked.wait(b'Password (not shown): ')
    assert b'acme takes an app password alone: Get one under Settings' in asked.shown, asked.shown
    assert b'SMTP server' not in asked.shown, asked.shown
    asked.say(t.secret('ann').encode() + b'\n')
    asked.wait(b'Sends, and replies are read: all is well.')
    assert asked.end() == 0, asked.shown


# --- without a daemon -----------------------------------------------------------------------------

def alone(t, host, mailboxes, **groups):
    """A daemon that never runs; its settings name its state directory, as check needs it."""
    daemon = t.daemon(host, mailboxes, start=False, **groups)
    daemon.settings.setdefault('daemon', {})['state_dir'] = daemon.state_dir
    daemon.write_settings()
    return daemon


@test('check by itself: the same steps, the same words as by the daemon')
def alone_same(t):
    host = t.host('ann')
    body = settings_of(t, host, imap={'mailbox': 'Nowhere'})
    mailbox = dict(body, name='ann')
    daemon = alone(t, host, [mailbox], )
    status, out, err = daemon.ctl('check', '-f', daemon.settings_path)
    assert status == 1 and err == '', (status, out, err)
    daemon.start()
    daemon.wait_verdict('ann', 'smtp')
    again = daemon.ctl('check', 'ann')
    assert again[0] == 1 and again[1] == out, (out, again)


@test('H7-15 (by check itself): its counts are the daemon\'s, over runs, kills and daemons')
def alone_counts(t):
    if os.geteuid() != 0:
        t.skip('counts without a daemon are root\'s')
    host = t.host('ann')
    daemon = alone(t, host, [t.mailbox(host, 'ann', password=t.secret('wrong'))])
    found = [daemon.ctl('check', '-f', daemon.settings_path) for _ in range(4)]
    assert [status for status, _, _ in found] == [1, 5, 5, 5], found
    assert 'Logins are held back' in found[1][2], found
    assert host.refused(ADDRESS) == 2, host.count()
    daemon.start()
    daemon.wait_event(event='brake')
    assert host.refused(ADDRESS) == 2, host.count()
    status, _, err = daemon.ctl('check', '-f', daemon.settings_path, environment={
        'MBOXWATCH_SOCKET': t.folder + '/nowhere'})
    assert status == 5 and 'a daemon holds' in err, (status, err)


@test('check by itself as another user: one login a side, no counts')
def alone_user(t):
    host = t.host('ann')
    daemon = alone(t, host, [t.mailbox(host, 'ann', password=t.secret('wrong'))])
    program = [MBOXWATCHCTL]
    if os.geteuid() == 0:
        os.chown(daemon.state_dir, 0, 0)
        os.chmod(t.folder, 0o755)
        os.chmod(daemon.settings_path, 0o644)
        for path in (daemon.folder, os.path.dirname(t.certificates)):
            os.chmod(path, 0o755)
        program = ['setpriv', '--reuid=%d' % NOBODY, '--regid=%d' % NOBODY, '--clear-groups',
                   shutil.copy(MBOXWATCHCTL, t.folder)]
    done = subprocess.run(program + ['--socket', t.folder + '/none', 'check', '-f',
                                     daemon.settings_path], capture_output=True, timeout=60)
    out = ' '.join(done.stdout.decode().split())
    assert done.returncode == 1 and 'Neither sends nor reads replies.' in out, (out, done.stderr)
    assert host.refused(ADDRESS) == 2, host.count()


if __name__ == '__main__':
    main()
