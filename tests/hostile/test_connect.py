#!/usr/bin/python3
"""
test_connect.py: hostile.md 3 over real sockets: names, families, source addresses, proxies, what
breaks a connection and when. Each title carries its case; times are scaled where the title says so.
Not here: what name servers say and what an errno means (tests/unit/net).
"""

import os
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))
from harness import main, test, wait_until  # noqa: E402

NAME = 'mail.test.example'  # in the certificates


class Served:
    """A socket of a test's own, served by a thread until the test ends."""

    def __init__(self, t, sock):
        self.socket = sock
        self.port = sock.getsockname()[1]
        self.is_over = False
        t.cleanups.append(self.end)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        try:
            self.serve()
        except OSError:
            if not self.is_over:
                raise

    def end(self):
        self.is_over = True
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


class Names(Served):
    """A name server: names(name) gives its addresses, or None where there is no such name."""

    def __init__(self, t, names):
        self.names = names
        self.asked = []
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(('127.0.0.1', 0))
        super().__init__(t, sock)
        self.settings = {'resolvers': ['127.0.0.1:%d' % self.port]}

    def serve(self):
        while True:
            query, client = self.socket.recvfrom(512)
            if query:
                self.socket.sendto(self._answer(query), client)

    def _answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind = struct.unpack('>H', query[at + 1:at + 3])[0]
        name = '.'.join(labels).lower()
        self.asked.append(name)
        addresses = self.names(name)
        family = socket.AF_INET6 if kind == 28 else socket.AF_INET
        answers = [socket.inet_pton(family, address) for address in addresses or []
                   if (':' in address) == (kind == 28)]
        head = query[:2] + struct.pack('>HHHHH', 0x8180 | (3 if addresses is None else 0), 1,
                                       len(answers), 0, 0)
        records = b''.join(struct.pack('>HHHIH', 0xc00c, kind, 1, 60, len(raw)) + raw
                           for raw in answers)
        return head + query[12:at + 5] + records


class Proxy(Served):
    """A port that serve(self, client) of each connection makes a proxy, good or bad."""

    def __init__(self, t, talk, address='127.0.0.1'):
        self.talk = talk
        self.heard = []
        sock = socket.socket()
        sock.bind((address, 0))
        sock.listen(64)
        super().__init__(t, sock)

    def serve(self):
        while True:
            client, _ = self.socket.accept()
            threading.Thread(target=self._one, args=(client,), daemon=True).start()

    def _one(self, client):
        try:
            self.talk(self, client)
        except OSError:
            pass
        finally:
            client.close()


def exactly(client, count):
    data = b''
    while len(data) < count:
        more = client.recv(count - len(data))
        if not more:
            raise OSError('closed')
        data += more
    return data


def head_of(client):
    data = b''
    while not data.endswith(b'\r\n\r\n'):
        data += exactly(client, 1)
    return data


def joined(client, port):
    """From here on whatever comes on either side goes to the other."""
    server = socket.create_connection((port.address, port.port), 10)

    def copy(one, other):
        try:
            for data in iter(lambda: one.recv(65536), b''):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass
    back = threading.Thread(target=copy, args=(server, client), daemon=True)
    back.start()
    copy(client, server)
    back.join(10)
    server.close()


def socks5(port, login=None):
    """A good SOCKS5 proxy to this port, whatever name is asked for."""
    def talk(self, client):
        count = exactly(client, 2)[1]
        methods = exactly(client, count)
        if login:
            assert 2 in methods, methods
            client.sendall(b'\x05\x02')
            user = exactly(client, exactly(client, 2)[1])
            password = exactly(client, exactly(client, 1)[0])
            is_right = (user.decode(), password.decode()) == login
            client.sendall(b'\x01' + (b'\0' if is_right else b'\1'))
            if not is_right:
                return
        else:
            client.sendall(b'\x05\x00')
        kind = exactly(client, 4)[3]
        assert kind == 3, kind
        self.heard.append(exactly(client, exactly(client, 1)[0]).decode())
        exactly(client, 2)
        client.sendall(b'\x05\x00\x00\x01' + b'\0' * 6)
        joined(client, port)
    return talk


def connect(port, answer=b'HTTP/1.1 200 Connection established\r\nVia: 1.1 gw\r\n\r\n'):
    """A good HTTP proxy to this port."""
    def talk(self, client):
        self.heard.append(head_of(client).decode())
        client.sendall(answer)
        if b' 200 ' in answer:
            joined(client, port)
    return talk


def says(*answers, then_silent=False):
    """A proxy that answers what it hears with these, one after another."""
    def talk(self, client):
        for answer in answers:
            client.recv(4096)
            client.sendall(answer)
        if then_silent:
            client.settimeout(60)
        while client.recv(4096):
            pass
    return talk


def endless(self, client):
    head_of(client)
    client.sendall(b'HTTP/1.1 200 OK\r\n')
    while True:
        client.sendall(b'X-More: and more\r\n' * 100)


def sent_no_secret(t, *ports):
    for port in ports:
        assert port.holds_secret(t.secret('ann')) is None, port.received()


def by_proxy(t, host, proxies, ports=None, names=None, **more):
    """A daemon with a mailbox for each proxy: {name: (URL, Listener)}, at a name of theirs."""
    mailboxes = [{'name': name, 'address': 'ann@test.example',
                  port.side: t.endpoint(port, host=NAME, proxy=url, **more)}
                 for name, (url, port) in proxies.items()]
    return t.daemon(host, mailboxes, daemon=names.settings if names else {})


@test('H3-15: IPv6 connects and TLS stalls (2 s): the next probe tries IPv4 first, and says so')
def h3_15(t):
    host = t.host('ann')
    good = t.answering(host, 'imap')
    try:
        stalling = host.script(lambda c: c.wait_end(), 'imap', 'clear', address='::1',
                               port=good.port)
    except OSError:
        t.skip('no IPv6 here')
    names = Names(t, lambda name: ['::1', good.address])
    daemon = t.watch(host, {'ann': (good, {'host': NAME, 'stage_timeout': '2s'})},
                     daemon=names.settings)
    first = daemon.verdict('ann', cause='reply_timeout')
    assert first['stage'] == 'tls' and first['family'] == 'ipv6', first
    assert first['detail'].endswith('(over IPv6; the next probe tries IPv4 first)'), first
    later = daemon.verdict('ann', cause='ok')
    assert later['family'] == 'ipv4', later
    assert any('IPv4 was tried first' in note for note in later['notes']), later
    before = len(stalling.all())
    daemon.probe('ann')
    assert len(stalling.all()) == before, 'IPv6 was tried before IPv4 again'


@test('the first of two addresses refuses: the second is spoken to at once, by either mode')
def second_address(t):
    host = t.host('ann')
    ports = {'tls': t.answering(host, 'imap'),
             'starttls': t.answering(host, 'smtp', 'starttls')}
    names = Names(t, lambda name: ['::1', ports[name.split('.')[0]].address])
    daemon = t.watch(host, {name: (port, {'host': name + '.test.example', 'tls_name': NAME})
                            for name, port in ports.items()}, daemon=names.settings)
    for name, verdict in daemon.expect({'tls': 'ok/done', 'starttls': 'ok/done'}).items():
        assert verdict['address'] == ports[name].address, verdict


@test('H3-18: RST at accept, in a greeting, after EHLO, AUTH, EXAMINE: connection_lost, and no B')
def h3_18(t):
    host = t.host('ann')

    def half(c):
        c.send(b'220 mx.test.exa')
        c.sleep(0.3)  # read before the reset, which drops what waits
        c.reset()

    def cut_at(verb):
        def serve(c):
            session = c.smtp() if c.listener.side == 'smtp' else c.imap()
            session.run(until=verb)
            c.reset()
        return serve
    ports = {'accept': t.script(host, lambda c: c.reset(), mode='clear'),
             'half': t.script(host, half),
             'ehlo': t.script(host, cut_at('EHLO')),
             'auth': t.script(host, cut_at('AUTH')),
             'examine': t.script(host, cut_at('EXAMINE'), 'imap')}
    ports = {name: (port, {'security': 'tls'}) for name, port in ports.items()}
    daemon = t.watch(host, ports, defaults={'confirm': 100})
    stages = {'accept': 'tls', 'half': 'greeting', 'ehlo': 'capability', 'auth': 'auth',
              'examine': 'select'}
    for name, stage in stages.items():
        for _ in range(2):
            verdict = daemon.probe(name)
            verdict = verdict[ports[name][0].side]['verdict']
            assert (verdict['cause'], verdict['stage']) == ('connection_lost', stage), (
                name, verdict)
    found = daemon.mailbox('half')['smtp']['verdict']
    assert any('220 mx.test.exa' in line for line in found['reply']) or \
        '220 mx.test.exa' in (found['detail'] or ''), found
    assert not daemon.events(event='brake'), daemon.events(event='brake')
    assert 'brake' not in daemon.mailbox('auth')['smtp'], daemon.mailbox('auth')


@test('H3-19: 64 descriptors and 200 probes due: none is judged by it, one trouble, answers come')
def h3_19(t):
    host = t.host('ann')
    slow = t.script(host, lambda c: c.wait_end(), 'imap', 'clear')
    mailboxes = [{'name': 'm%d' % number, 'address': 'ann@test.example',
                  'imap': slow.settings(auth='none')} for number in range(200)]
    daemon = t.daemon(host, mailboxes, {'confirm': 1, 'stage_timeout': '30s', 'timeout': '40s'},
                      start=False)
    daemon.prefix = ['prlimit', '--nofile=64:64'] + daemon.prefix
    daemon.start()
    event = daemon.wait_event(event='trouble')
    assert event['kind'] == 'descriptors' and event['level'] == 'error', event
    for _ in range(20):
        assert daemon.get('/healthz').status in (200, 503)
        causes = {mailbox['imap']['verdict']['cause'] for mailbox in daemon.status()['mailboxes']
                  if mailbox['imap']['verdict'] is not None}
        assert causes <= {'local_limit'}, causes
        time.sleep(0.1)
    assert len(daemon.events(event='trouble')) == 1, daemon.events(event='trouble')
    assert not daemon.events(event='state'), daemon.events(event='state')


@test('H3-20: source_address is what the server sees; one that is gone: local_limit, trouble once')
def h3_20(t):
    host = t.host('ann')
    peers = []

    def serve(c):
        peers.append(c.socket.getpeername()[0])
        c.imap().run()
    here = t.script(host, serve, 'imap')
    gone = [t.answering(host, 'imap') for _ in range(2)]
    daemon = t.watch(host, {
        'here': (here, {'source_address': '127.0.0.77'}),
        'gone1': (gone[0], {'source_address': '192.0.2.77'}),
        'gone2': (gone[1], {'source_address': '192.0.2.77'})}, defaults={'confirm': 1})
    found = daemon.expect({'here': 'ok/done', 'gone1': 'local_limit/connect',
                           'gone2': 'local_limit/connect'})
    assert set(peers) == {'127.0.0.77'}, peers
    assert found['gone1']['detail'].startswith('from 192.0.2.77 to 127.'), found['gone1']
    assert 'source_address' in found['gone1']['next'][0], found['gone1']
    event = daemon.wait_event(event='trouble')
    assert event['kind'] == 'address' and '192.0.2.77' in event['detail'], event
    time.sleep(32)  # what an earlier run told and this one did not see again ends after 30 s
    daemon.probe('gone1')
    daemon.probe('gone2')
    assert len(daemon.events(event='trouble')) == 1, daemon.events(event='trouble')
    assert not daemon.events(event='trouble-end'), daemon.events(event='trouble-end')
    assert not daemon.events(event='state'), daemon.events(event='state')
    # A reload takes it back.
    for name in ('gone1', 'gone2'):
        daemon.mailbox_settings(name)['imap']['source_address'] = 'none'
    daemon.write_settings()
    assert daemon.reload()['changed'] == 2
    daemon.wait_state('gone1', 'imap ok')


@test('H3-22: SYN answered after 1 s or more (scaled): the greeting still gets its full time')
def h3_22(t):
    listening = socket.socket()
    address = t.address()
    listening.bind((address, 0))
    listening.listen(0)
    port = listening.getsockname()[1]
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex((address, port))
        fillers.append(filler)

    def talk(self, client):
        time.sleep(2)
        client.sendall(b'220 mx.test.example ESMTP\r\n')
        while True:
            line = client.recv(512)
            if not line:
                return
            client.sendall(b'250 2.0.0 Ok\r\n')

    class Slow(Proxy):
        def __init__(self):
            self.talk = talk
            Served.__init__(self, t, listening)

        def serve(self):
            time.sleep(1.2)  # its first SYN finds the queue full, the second one, 1 s later, not
            listening.listen(64)
            super().serve()
    mailbox = {'name': 'ann', 'address': 'ann@test.example',
               'smtp': {'host': address, 'port': port, 'security': 'none', 'auth': 'none'}}
    daemon = t.daemon(None, [mailbox], {'stage_timeout': '4s', 'timeout': '60s'}, start=False)
    Slow()
    daemon.start()
    verdict = daemon.verdict('ann')
    times = verdict['times_ms']
    assert verdict['cause'] == 'ok', verdict
    # Together more than one stage may take: each had its own time.
    assert times['connect'] >= 500 and times['greeting'] >= 1800, times
    for filler in fillers:
        filler.close()


@test('H3-22: a stage timer begins with its stage: TLS and greeting together exceed one')
def h3_22_both(t):
    host = t.host('ann')

    def late(c):
        c.sleep(2)
        c.start_tls()
        c.sleep(2)
        c.smtp().run()
    port = t.script(host, late, mode='clear')
    daemon = t.watch(host, {'ann': (port, {'security': 'tls', 'stage_timeout': 3.5})})
    verdict = daemon.verdict('ann')
    assert verdict['cause'] == 'ok', verdict
    assert verdict['times_ms']['tls'] + verdict['times_ms']['greeting'] > 3500, verdict


@test('H3-23: SOCKS5 and CONNECT, with and without a login: ok, the name is resolved there alone')
def h3_23_good(t):
    host = t.host('ann')
    secret = t.secret('proxy')
    imap, smtp = t.answering(host, 'imap'), t.answering(host, 'smtp', 'starttls')
    plain = Proxy(t, socks5(imap))
    login = Proxy(t, socks5(imap, ('p@x', secret)))
    http = Proxy(t, connect(imap))
    greeting = Proxy(t, connect(smtp))
    names = Names(t, lambda name: None)
    daemon = by_proxy(t, host, {
        'socks': ('socks5://127.0.0.1:%d' % plain.port, imap),
        'login': ('socks5://p%%40x:%s@127.0.0.1:%d' % (secret, login.port), imap),
        'http': ('http://ann:%s@127.0.0.1:%d' % (secret, http.port), imap),
        'greeting': ('http://127.0.0.1:%d/' % greeting.port, smtp)}, names=names)
    found = daemon.expect({name: 'ok/done' for name in ('socks', 'login', 'http', 'greeting')})
    assert found['socks']['address'] is None, found['socks']
    assert names.asked == [], names.asked
    assert set(plain.heard) == set(login.heard) == {NAME}, (plain.heard, login.heard)
    head = http.heard[0].split('\r\n')
    assert head[0] == 'CONNECT %s:%d HTTP/1.1' % (NAME, imap.port), head
    assert any(line.startswith('Proxy-Authorization: Basic ') for line in head), head
    # The harness looks for the proxy's secret in all that was written and answered.
    daemon.ctl('show', 'login')
    daemon.check_settings()


@test('H3-23: a proxy refuses, lies, stalls, never ends: proxy_failed/connect, nothing is judged')
def h3_23_bad(t):
    host = t.host('ann')
    port = t.answering(host, 'imap')
    bad = {
        'code': ('socks5', says(b'\x05\x00', b'\x05\x05\x00\x01' + b'\0' * 6), 'refused (code 5)'),
        'version': ('socks5', says(b'\x04\x5a'), 'no SOCKS5 proxy'),
        'half': ('socks5', says(b'\x05\x00', b'\x05\x00\x00', then_silent=True),
                 'no whole answer'),
        'ahead': ('socks5', says(b'\x05\x00\x05\x00\x00\x01' + b'\0' * 6 + b'* OK ready\r\n'),
                  'it answered before it was asked'),
        'closed': ('socks5', lambda self, client: client.recv(3), 'it closed the connection'),
        'wants': ('http', connect(port, b'HTTP/1.1 407 Login\r\n\r\n'), 'wants a login'),
        'bad': ('http', connect(port, b'HTTP/1.1 502 Bad Gateway\r\n\r\n'), '502 Bad Gateway'),
        'endless': ('http', endless, 'no end'),
    }
    proxies = {name: Proxy(t, talk) for name, (_, talk, _) in bad.items()}
    urls = {name: ('%s://127.0.0.1:%d' % (bad[name][0], proxy.port), port)
            for name, proxy in proxies.items()}
    with socket.socket() as nobody:
        nobody.bind(('127.0.0.1', 0))
        urls['refused'] = ('socks5://127.0.0.1:%d' % nobody.getsockname()[1], port)
        daemon = by_proxy(t, host, urls, stage_timeout='2s', confirm=1)
        found = daemon.expect({name: 'proxy_failed/connect' for name in urls})
    for name, (_, _, words) in bad.items():
        detail = found[name]['detail']
        assert detail.startswith('proxy 127.0.0.1:') and words in detail, (name, detail)
    assert not daemon.events(event='state'), daemon.events(event='state')
    assert not port.all(), 'the server was reached'


@test('H3-24: a captive portal: every name is one address with a foreign certificate: no secret')
def h3_24(t):
    host = t.host('ann')
    portal = t.answering(host, 'imap', cert='foreign')
    names = Names(t, lambda name: [portal.address] if name.endswith('.example') else None)
    mailboxes = [{'name': 'm%d' % number, 'address': 'ann@site%d.example' % number,
                  'imap': t.endpoint(portal, host='imap.site%d.example' % number)}
                 for number in range(12)]
    daemon = t.daemon(host, mailboxes, daemon=names.settings)
    wait_until(lambda: len(daemon.events(event='state')) >= 12, 60,
               lambda: 'not all are failing\n' + daemon.tell())
    for number in range(12):
        verdict = daemon.verdict('m%d' % number)
        assert (verdict['cause'], verdict['stage']) == ('cert_untrusted', 'tls'), verdict
    sent_no_secret(t, portal)
    assert not daemon.events(event='cert'), 'a certificate that nobody vouches for was told'
    servers = [event['server'] for event in daemon.events(event='state')]
    assert len(servers) == len(set(servers)) == 12, servers


if __name__ == '__main__':
    main()
