#!/usr/bin/python3
"""
test_tls.py: hostile.md 1, TLS and STARTTLS, over real sockets. Each title carries its case.
Not here: certificates alone (tests/unit/net/test_tls.c), an hour's passing (test_tls_session.c).
"""

import base64
import hashlib
import json
import os
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))
from harness import SLOW, main, test, wait_until  # noqa: E402

USER = b'ann@test.example'
SHORT = {'stage_timeout': '2s', 'timeout': '6s'}


def sent_no_secret(t, *ports):
    for port in ports:
        assert port.holds_secret(t.secret('ann')) is None, port.received()
        assert not port.faults(), port.faults()


def began_no_tls(port):
    for conversation in port.all():
        assert b'\x16\x03' not in bytes(conversation.raw), 'a ClientHello was sent'


def heard(port, command):
    """How often the busiest connection heard a command (of SMTP, or behind a tag)."""
    command = command.upper()
    return max([sum(1 for line in conversation.lines if command in line.upper().split(b' ')[:2])
                for conversation in port.all()] or [0])


def behind_starttls(text):
    """Answers STARTTLS with this text (<tag>, <next> put in), then only listens."""
    def serve(c):
        session = c.smtp() if c.listener.side == 'smtp' else c.imap()
        session.run(until='STARTTLS')
        tag = session.tag
        digits = len(tag) - len(tag.rstrip(b'0123456789'))
        following = tag[:-digits] + b'%0*d' % (digits, int(tag[-digits:]) + 1) if digits else tag
        c.send(text.replace(b'<tag>', tag).replace(b'<next>', following))
        c.wait_end()
    return serve


@test('H1-01: SMTP, bytes behind the reply to STARTTLS: starttls_tampered, no handshake')
def h1_01(t):
    host = t.host('ann')
    forged = t.script(host, behind_starttls(b'220 2.0.0 go\r\n250 forged\r\n'), mode='starttls')
    newline = t.script(host, behind_starttls(b'220 2.0.0 go\r\n\n'), mode='starttls')
    daemon = t.watch(host, {'forged': forged, 'newline': newline})
    daemon.expect({'forged': 'starttls_tampered/starttls', 'newline': 'starttls_tampered/starttls'})
    for port in (forged, newline):
        began_no_tls(port)
        assert heard(port, b'EHLO') == 1, port.received()
    sent_no_secret(t, forged, newline)


@test('H1-02: IMAP, a forged OK behind the reply to STARTTLS: starttls_tampered')
def h1_02(t):
    host = t.host('ann')
    forged = t.script(host, behind_starttls(b'<tag> OK begin\r\n<next> OK logged in\r\n'), 'imap',
                      'starttls')
    daemon = t.watch(host, {'forged': forged})
    daemon.expect({'forged': 'starttls_tampered/starttls'})
    began_no_tls(forged)
    assert heard(forged, b'EXAMINE') == heard(forged, b'LOGIN') == 0, forged.received()
    assert heard(forged, b'AUTHENTICATE') == 0, forged.received()
    sent_no_secret(t, forged)


@test('H1-03: our hello is answered in clear: tls_handshake, the text in the detail')
def h1_03(t):
    host = t.host('ann')

    def clear(c):
        c.smtp().run(until='STARTTLS')
        c.send(b'220 go\r\n')
        c.read_bytes(5)
        c.send(b'500 5.5.1 bad syntax\r\n')
        c.wait_end()
    port = t.script(host, clear, mode='starttls')
    daemon = t.watch(host, {'clear': port})
    verdict = daemon.expect({'clear': 'tls_handshake/tls'})['clear']
    assert '500 5.5.1 bad syntax' in json.dumps([verdict['detail'], verdict['reply']]), verdict
    assert '5.5.1' in verdict['detail'], verdict
    sent_no_secret(t, port)


@test('H1-04: no STARTTLS offered but AUTH in clear: starttls_missing, insecure_auth or not')
def h1_04(t):
    host = t.host('ann')

    def stripped(session, words):
        return [w for w in words if w not in ('STARTTLS', 'LOGINDISABLED')] + (
            ['AUTH PLAIN LOGIN'] if session.side == 'smtp' else ['AUTH=PLAIN', 'AUTH=LOGIN'])
    ports = {}
    for side in ('smtp', 'imap'):
        for name, insecure in (('', False), ('-insecure', True)):
            ports[side + name] = (t.answering(host, side, 'starttls', words=stripped),
                                  {'insecure_auth': insecure})
    daemon = t.watch(host, ports)
    daemon.expect({name: 'starttls_missing/starttls' for name in ports})
    for port, _ in ports.values():
        assert heard(port, b'AUTH') + heard(port, b'LOGIN') + heard(port, b'AUTHENTICATE') == 0
        assert USER not in port.received()
        sent_no_secret(t, port)


@test('H1-06: STARTTLS as the last word, and in lower case: used')
def h1_06(t):
    host = t.host('ann')
    last = t.answering(host, 'smtp', 'starttls', words=lambda session, words: words if
                       session.is_tls() else ['PIPELINING', 'STARTTLS'])
    lower = t.answering(host, 'smtp', 'starttls', words=lambda session, words: [
        word.lower() for word in words])
    daemon = t.watch(host, {'last': last, 'lower': lower})
    daemon.expect({'last': 'ok/done', 'lower': 'ok/done'})


@test('H1-07: STARTTLS answered 454, 502: backend_error, mechanism_unsupported')
def h1_07(t):
    host = t.host('ann')
    later = t.answering(host, 'smtp', 'starttls',
                        answers={'STARTTLS': '454 4.7.0 TLS not available'})
    never = t.answering(host, 'smtp', 'starttls',
                        answers={'STARTTLS': '502 5.5.1 command not implemented'})
    daemon = t.watch(host, {'later': later, 'never': never})
    found = daemon.expect({'later': 'backend_error/starttls',
                           'never': 'mechanism_unsupported/starttls'})
    assert found['later']['transient'] is True and found['never']['transient'] is False, found
    sent_no_secret(t, later, never)


@test('H1-08: words against codes at STARTTLS: the code decides')
def h1_08(t):
    host = t.host('ann')

    def reluctant(session, line):
        session.c.line('220 no TLS here')
        session.start_tls()
        return True
    words = t.answering(host, 'smtp', 'starttls', answers={'STARTTLS': reluctant})
    code = t.answering(host, 'smtp', 'starttls', answers={'STARTTLS': '502 ready to start TLS'})
    daemon = t.watch(host, {'words': words, 'code': code})
    daemon.expect({'words': 'ok/done', 'code': 'mechanism_unsupported/starttls'})
    began_no_tls(code)


@test('H1-09: PREAUTH in clear is starttls_missing, under a verified certificate ok with a note')
def h1_09(t):
    host = t.host('ann')

    def preauth(c):
        session = c.imap(answers={'GREETING': '* PREAUTH hello'})
        session.user = USER
        session.run()
    clear = t.script(host, preauth, 'imap', 'starttls')
    secure = t.script(host, preauth, 'imap', 'tls')
    daemon = t.watch(host, {'clear': clear, 'secure': secure})
    found = daemon.expect({'clear': 'starttls_missing/starttls', 'secure': 'ok/done'})
    assert found['secure']['notes'], found['secure']
    assert heard(secure, b'EXAMINE') == 1 and heard(clear, b'EXAMINE') == 0
    for port in (clear, secure):
        assert heard(port, b'LOGIN') == heard(port, b'AUTHENTICATE') == 0, port.received()
    sent_no_secret(t, clear, secure)


@test('H1-10: AUTH offered in clear, not after TLS: auth_not_offered, the clear list is forgotten')
def h1_10(t):
    host = t.host('ann')
    port = t.answering(host, 'smtp', 'starttls', words=lambda session, words: [
        w for w in words if not w.startswith('AUTH')] + ([] if session.is_tls() else
                                                         ['AUTH PLAIN LOGIN']))
    daemon = t.watch(host, {'port': port})
    daemon.expect({'port': 'auth_not_offered/auth'})
    assert heard(port, b'AUTH') == 0 and port.all()[0].tls_done
    assert USER not in port.received()
    sent_no_secret(t, port)


@test('H1-11: IMAP capabilities are asked again after TLS, STARTTLS is not begun twice')
def h1_11(t):
    host = t.host('ann')
    port = t.answering(host, 'imap', 'starttls', words=lambda session, words: words + (
        ['STARTTLS'] if session.is_tls() else []))
    daemon = t.watch(host, {'port': port})
    daemon.expect({'port': 'ok/done'})
    assert heard(port, b'STARTTLS') == 1, port.received()
    words = [line.split(b' ')[1].upper() for line in port.all()[0].lines if b' ' in line]
    assert b'CAPABILITY' in words[words.index(b'STARTTLS'):], words


@test('H1-12: what is said in clear makes no rule, link or suggestion: protocol_error/capability')
def h1_12(t):
    host = t.host('ann')
    answers = {'GREETING': '* OK [ALERT] password expired, see http://evil.test',
               'CAPABILITY': '<tag> NO [AUTHENTICATIONFAILED] no'}
    port = t.answering(host, 'imap', 'starttls', answers=answers)
    daemon = t.watch(host, {'port': port})
    verdict = daemon.expect({'port': 'protocol_error/capability'})['port']
    assert not verdict.get('link') and not verdict.get('suggest'), verdict
    assert 'evil.test' not in ' '.join(verdict['next']), verdict
    event = daemon.wait_event(event='state', mailbox='port')
    assert event['cause'] == 'protocol_error' and 'evil.test' not in (event['next'] or ''), event
    assert daemon.events(event='brake') == []
    sent_no_secret(t, port)


@test('H1-13: our hello is never answered, or a byte at a time: reply_timeout/tls')
def h1_13(t):
    host = t.host('ann')

    def silent(c):
        c.smtp().run(until='STARTTLS')
        c.send(b'220 go\r\n')
        c.wait_end()

    def drip(c):
        c.smtp().run(until='STARTTLS')
        c.send(b'220 go\r\n')
        c.start_tls(drip_seconds=0.1)
        c.wait_end()
    ports = {'silent': t.script(host, silent, mode='starttls'),
             'drip': t.script(host, drip, mode='starttls')}
    daemon = t.watch(host, ports, defaults=dict(SHORT, retry_interval='5s', retry_max='5s'))
    found = daemon.expect({name: 'reply_timeout/tls' for name in ports})
    for name, port in ports.items():
        times = found[name]['times_ms']
        assert 1900 <= times['tls'] <= 4000 * SLOW, times
        assert port.wait_idle(10) and port.all()[0].end in ('client', 'reset'), port.all()[0].end
        assert not port.all()[0].tls_done
    before = daemon.descriptors()  # between two tries: nothing is in flight
    for port in ports.values():
        port.wait_connections(3)
    wait_until(lambda: daemon.descriptors() <= before, why='descriptors were left over')
    sent_no_secret(t, *ports.values())


@test('H1-14: tls on a STARTTLS port, the greeting at once or late: tls_mode/tls, and what to set')
def h1_14(t):
    host = t.host('ann')

    def late(c):
        c.read_bytes(5)
        c.sleep(1)
        c.line('220 mx ESMTP')
        c.wait_end()

    def early(c):
        c.line('220 mx ESMTP')
        c.wait_end()

    def imap(c):
        c.line('* OK ready')
        c.wait_end()
    ports = {'early': t.script(host, early, mode='starttls'),
             'late': t.script(host, late, mode='starttls'),
             'imap': t.script(host, imap, 'imap', 'starttls')}
    daemon = t.watch(host, {name: (port, {'security': 'tls'}) for name, port in ports.items()})
    found = daemon.expect({name: 'tls_mode/tls' for name in ports})
    for name, verdict in found.items():
        assert verdict['suggest'] == {'security': 'starttls', 'port': ports[name].port}, verdict
        assert verdict['next'][0] == 'Set security to "starttls" and port to %d.' % (
            ports[name].port), verdict
    event = daemon.wait_event(event='state', mailbox='early')
    assert event['next'] == found['early']['next'], event
    sent_no_secret(t, *ports.values())


@test('H1-17: another protocol answers our hello in clear: wrong_protocol/tls, named')
def h1_17(t):
    host = t.host('ann')
    words = {'SSH': b'SSH-2.0-OpenSSH_9.2\r\n', 'HTTP': b'HTTP/1.1 400 Bad Request\r\n\r\n',
             'POP3': b'+OK POP3\r\n', 'SMTP': b'220 mx.test.example ESMTP\r\n'}

    def answering(greeting):
        def serve(c):
            c.read_bytes(5)
            c.send(greeting)
            c.wait_end()
        return serve
    ports = {name: t.script(host, answering(greeting), 'imap', 'starttls')
             for name, greeting in words.items()}
    daemon = t.watch(host, {name: (port, {'security': 'tls'}) for name, port in ports.items()})
    found = daemon.expect({name: 'wrong_protocol/tls' for name in ports})
    for name, verdict in found.items():
        assert verdict['detail'].startswith('%s at port %d ' % (name, ports[name].port)), verdict
        assert verdict['suggest'] == {}, verdict
    sent_no_secret(t, *ports.values())


@test('H1-15: a port that waits for a TLS hello: one extra connection an incident, tls_mode')
def h1_15(t):
    host = t.host('ann')

    def implicit(c):
        c.await_bytes(1)
        if bytes(c._buffer[:1]) == b'\x16' and c.start_tls():
            (c.smtp() if c.listener.side == 'smtp' else c.imap()).run()

    def hangs(c):
        c.wait_end()

    def https(c):
        c.await_bytes(1)
        if bytes(c._buffer[:1]) == b'\x16' and c.start_tls():
            c.sleep(0.5)
            c.send(b'HTTP/1.1 408 Request Timeout\r\n\r\n')
            c.wait_end()
    ports = {'smtp': t.script(host, implicit, 'smtp', 'starttls'),
             'imap': t.script(host, implicit, 'imap', 'starttls'),
             'untrusted': t.script(host, implicit, 'smtp', 'starttls', cert='self'),
             'https': t.script(host, https, 'imap', 'starttls'),
             'hangs': t.script(host, hangs, 'smtp', 'starttls')}
    settings = {name: (port, {'security': 'none'} if name == 'imap' else {})
                for name, port in ports.items()}
    daemon = t.watch(host, settings, defaults=dict(SHORT, stage_timeout='1s'))
    endings = {'smtp': 'tls_mode/greeting', 'imap': 'tls_mode/greeting',
               'untrusted': 'tls_mode/greeting', 'https': 'wrong_protocol/greeting',
               'hangs': 'reply_timeout/greeting'}
    found = daemon.expect(endings)
    for name in ('smtp', 'imap', 'untrusted'):
        assert found[name]['suggest'] == {'security': 'tls'}, found[name]
        assert found[name]['next'][0] == 'Set security to "tls".', found[name]
    assert 'HTTP' in found['https']['detail'] and found['hangs']['notes'], found
    events = {name: daemon.wait_event(event='state', mailbox=name, level='error')
              for name in ports}
    for name, port in ports.items():
        again = daemon.probe(name)[port.side]['verdict']
        assert '%s/%s' % (again['cause'], again['stage']) == endings[name], again
        assert again['suggest'] == found[name]['suggest'], again
        hellos = [c for c in port.all() if c.client_hello() is not None]
        assert len(hellos) == 1, (name, len(hellos), len(port.all()))
        assert len(port.all()) > 2 and events[name]['cause'] == endings[name].split('/')[0]
        assert heard(port, b'AUTH') + heard(port, b'LOGIN') == 0, port.received()
    assert daemon.events(event='cause') == []
    sent_no_secret(t, *ports.values())


@test('H1-15: what was found at a silent port is forgotten once it greets')
def h1_15_again(t):
    host = t.host('ann')
    state = {'greets': False}

    def moody(c):
        if state['greets']:
            c.smtp().run()
            return
        c.await_bytes(1)
        c.start_tls()
        c.wait_end()
    port = t.script(host, moody, 'smtp', 'starttls')
    daemon = t.watch(host, {'port': port}, defaults={'stage_timeout': '1s', 'interval': '1h',
                                                     'retry_interval': '1h', 'retry_max': '1h'})
    daemon.expect({'port': 'tls_mode/greeting'})
    assert daemon.probe('port')['smtp']['verdict']['cause'] == 'tls_mode'
    state['greets'] = True
    assert daemon.probe('port')['smtp']['verdict']['ok']
    state['greets'] = False
    before = len(port.all())
    assert daemon.probe('port')['smtp']['verdict']['cause'] == 'tls_mode'
    assert len(port.all()) == before + 2, 'another incident is another look'


@test('H1-16: a TLS alert instead of a greeting: tls_mode/greeting, and what to set')
def h1_16(t):
    host = t.host('ann')

    def alert(c):
        c.send(bytes.fromhex('15030300020250'))
        c.wait_end()
    port = t.script(host, alert, mode='starttls')
    daemon = t.watch(host, {'port': port})
    verdict = daemon.expect({'port': 'tls_mode/greeting'})['port']
    assert verdict['suggest'] == {'security': 'tls'}, verdict
    sent_no_secret(t, port)


@test('H1-19: TLS 1.0 and 1.1 only: tls_version/tls, no try below tls_min')
def h1_19(t):
    host = t.host('ann')
    context = host.context(minimum=ssl.TLSVersion.TLSv1, maximum=ssl.TLSVersion.TLSv1_1)
    alert = t.script(host, lambda c: c.smtp().run(), context=context)

    def hello_1_1(c):  # an old server that answers with the highest version that it has
        c.read_bytes(5)
        hello = bytes.fromhex('0302') + bytes(range(32)) + bytes.fromhex('00c01400')
        body = b'\x02' + len(hello).to_bytes(3, 'big') + hello
        c.send(bytes.fromhex('160302') + len(body).to_bytes(2, 'big') + body)
        c.wait_end()
    old = t.script(host, hello_1_1, mode='starttls')  # the record layer is the script's
    daemon = t.watch(host, {'alert': alert, 'old': (old, {'security': 'tls'})})
    found = daemon.expect({'alert': 'tls_version/tls', 'old': 'tls_version/tls'})
    assert '1.1' in found['old']['detail'], found['old']
    for port in (alert, old):
        for conversation in port.all():
            offered = conversation.client_hello_versions()
            assert offered and min(offered) >= 0x0303, offered
    sent_no_secret(t, alert, old)


@test('H1-20: TLS 1.3, a client certificate is wanted: tls_handshake/tls, the alert in the detail')
def h1_20(t):
    host = t.host('ann')
    port = t.script(host, lambda c: c.smtp().run(), context=host.context(wants_client=True))
    daemon = t.watch(host, {'port': port})
    verdict = daemon.expect({'port': 'tls_handshake/tls'})['port']
    assert 'certificate' in verdict['detail'], verdict
    sent_no_secret(t, port)


@test('H1-24 (NUL, common name): names that only look right: cert_name/tls, shown escaped')
def h1_24(t):
    host = t.host('ann')
    nul = host.answering('smtp', cert='nul')
    common = host.answering('imap', cert='commonname')
    daemon = t.watch(host, {'nul': (nul, {'host': 'localhost'}), 'common': common})
    found = daemon.expect({'nul': 'cert_name/tls', 'common': 'cert_name/tls'})
    assert '\0' not in found['nul']['detail'], found['nul']
    sent_no_secret(t, nul, common)


@test('H1-25 (addresses): an address as a DNS name is none: cert_name; as an address: ok')
def h1_25(t):
    host = t.host('ann')
    dns = host.answering('smtp', cert='dnsip')
    good = host.answering('imap')
    daemon = t.watch(host, {'dns': dns, 'good': good})
    daemon.expect({'dns': 'cert_name/tls', 'good': 'ok/done'})
    sent_no_secret(t, dns)


@test('H1-25 (names): SNI and verification by the A-label, lower case, no final dot; none for IP')
def h1_25_names(t):
    host = t.host('ann')
    ports = {'dot': t.answering(host), 'idn': t.answering(host), 'address': t.answering(host)}
    daemon = t.watch(host, {'dot': (ports['dot'], {'tls_name': 'MAIL.test.example.'}),
                            'idn': (ports['idn'], {'tls_name': 'b\u00fccher.example'}),
                            'address': ports['address']})
    found = daemon.expect({'dot': 'ok/done', 'idn': 'cert_name/tls', 'address': 'ok/done'})
    assert 'xn--bcher-kva.example' in found['idn']['detail'], found['idn']
    assert {name: port.all()[0].sni() for name, port in ports.items()} == {
        'dot': 'mail.test.example', 'idn': 'xn--bcher-kva.example', 'address': None}


@test('H1-26: self-signed, expired and for another name: cert_untrusted, all three in the detail')
def h1_26(t):
    host = t.host('ann')
    port = t.answering(host, cert='allbad')
    daemon = t.watch(host, {'port': port})
    detail = daemon.expect({'port': 'cert_untrusted/tls'})['port']['detail'].lower()
    assert 'self' in detail and 'expired' in detail and 'other.test.example' in detail, detail
    sent_no_secret(t, port)


@test('H1-27: intermediate missing: cert_untrusted "missing intermediate", the AIA is not fetched')
def h1_27(t):
    host = t.host('ann')
    port = t.answering(host, cert='nointermediate')
    whole = t.answering(host, cert='intermediate')
    daemon = t.watch(host, {'port': port, 'whole': whole})
    found = daemon.expect({'port': 'cert_untrusted/tls', 'whole': 'ok/done'})
    assert 'intermediate' in found['port']['detail'].lower(), found['port']
    sent_no_secret(t, port)


@test('H1-28: RSA 1024, a SHA-1 signature, a leaf issued by a leaf: cert_untrusted')
def h1_28(t):
    host = t.host('ann')
    ports = {name: t.answering(host, cert=name) for name in ('weakkey', 'weakhash', 'byleaf')}
    daemon = t.watch(host, ports)
    daemon.expect({name: 'cert_untrusted/tls' for name in ports})
    sent_no_secret(t, *ports.values())


def spki_sha256(host, cert):
    """The pin of a certificate's key, as openssl computes it."""
    key = subprocess.run(['openssl', 'x509', '-in', os.path.join(host.certificates, cert + '.pem'),
                          '-noout', '-pubkey'], check=True, stdout=subprocess.PIPE).stdout
    der = subprocess.run(['openssl', 'pkey', '-pubin', '-outform', 'DER'], input=key, check=True,
                         stdout=subprocess.PIPE).stdout
    return hashlib.sha256(der).digest()


@test('H1-30: another key than the pin is cert_changed; the pin replaces no verification')
def h1_30(t):
    host = t.host('ann')
    good, second = spki_sha256(host, 'good'), spki_sha256(host, 'second')
    ports = {'hex': (t.answering(host), {'cert_sha256': good.hex()}),
             'base64': (t.answering(host), {'cert_sha256': base64.b64encode(good).decode()}),
             'changed': (t.answering(host), {'cert_sha256': second.hex()}),
             'expired': (t.answering(host, cert='expired'),
                         {'cert_sha256': spki_sha256(host, 'expired').hex()}),
             'both': (t.answering(host, cert='expired'), {'cert_sha256': good.hex()})}
    daemon = t.watch(host, ports)
    found = daemon.expect({'hex': 'ok/done', 'base64': 'ok/done', 'changed': 'cert_changed/tls',
                           'expired': 'cert_expired/tls', 'both': 'cert_expired/tls'})
    assert good.hex() in found['changed']['detail'], found['changed']
    assert 'cert_sha256' in found['both']['detail'], found['both']
    sent_no_secret(t, ports['changed'][0], ports['expired'][0], ports['both'][0])


@test('H1-32: other trust settings, side by side or after a reload: no session is offered')
def h1_32(t):
    host = t.host('ann')
    port = t.answering(host)
    believing = {'name': 'believing', 'address': 'ann@test.example', 'smtp': t.endpoint(port)}
    doubting = {'name': 'doubting', 'address': 'ann@test.example',
                'smtp': t.endpoint(port, ca_file=os.path.join(host.certificates, 'foreign.pem'))}
    slowly = {'interval': '1h'}  # none but those that are asked for, or whose settings changed
    daemon = t.daemon(host, [believing, doubting], slowly)
    daemon.expect({'believing': 'ok/done', 'doubting': 'cert_untrusted/tls'})
    again = daemon.probe('believing')['smtp']['verdict']
    assert again['ok'] and again['tls']['resumed'] is True, again
    assert again['tls']['cert']['names'] and again['tls']['cert']['sha256'], again
    assert daemon.probe('doubting')['smtp']['verdict']['cause'] == 'cert_untrusted'
    before = len(port.all())
    believing['smtp']['cert_sha256'] = spki_sha256(host, 'second').hex()
    daemon.write_settings(t.settings(host, [believing, doubting], slowly))
    daemon.reload()
    daemon.verdict('believing', cause='cert_changed')
    believing['smtp']['cert_sha256'] = spki_sha256(host, 'good').hex()
    daemon.write_settings(t.settings(host, [believing], slowly))
    daemon.reload()
    verdict = daemon.verdict('believing', ok=True)
    assert verdict['tls']['resumed'] is False, verdict
    after = [c for c in port.all()[before:]]
    assert after and not any(c.offers_session() for c in after), 'a session was offered'
    believing['smtp']['ca_file'] = os.path.join(host.certificates, 'foreign.pem')
    daemon.write_settings(t.settings(host, [believing], slowly))
    daemon.reload()
    daemon.verdict('believing', cause='cert_untrusted')
    assert not port.all()[-1].offers_session()
    del believing['smtp']['ca_file'], believing['smtp']['cert_sha256']  # as in the beginning
    daemon.write_settings(t.settings(host, [believing], slowly))
    daemon.reload()
    assert daemon.verdict('believing', ok=True)['tls']['resumed'] is False


@test('H1-33: a reset or an alert whenever a ticket is offered: tried once without, nothing told')
def h1_33(t):
    host = t.host('ann')

    def minding(answer):
        def serve(c):
            c.await_bytes(5)
            if c.offers_session():
                answer(c)
                return
            c.start_tls()
            (c.smtp() if c.listener.side == 'smtp' else c.imap()).run()
        return serve

    def alert(c):
        c.send(bytes.fromhex('15030300020250'))
        c.wait_end()

    def late(c):  # resumed, and reset before the greeting
        c.start_tls()
        c.reset()
    answers = {'reset': lambda c: c.reset(), 'alert': alert, 'late': late}
    ports = {name: t.script(host, minding(answer), side, mode='starttls')
             for (name, answer), side in zip(answers.items(), ('smtp', 'imap', 'smtp'))}
    daemon = t.watch(host, {name: (port, {'security': 'tls'}) for name, port in ports.items()},
                     defaults={'interval': '1h'})
    daemon.expect({name: 'ok/done' for name in ports})
    for name, port in ports.items():
        before = len(port.all())
        verdict = daemon.probe(name)[port.side]['verdict']
        assert verdict['ok'] and verdict['tls']['resumed'] is False, verdict
        tries = [c.offers_session() for c in port.all()[before:]]
        assert tries == [True, False], (name, tries)
        daemon.probe(name)
        assert not port.all()[-1].offers_session(), 'a server that minds them is spared them'
    assert daemon.events(event='state', level='error') == []


@test('H1-34: TCP closed in the middle of the greeting, no close_notify: connection_lost/greeting')
def h1_34(t):
    host = t.host('ann')

    def torn(c):
        c.send(b'220 mail.te')
        c.close(notify=False)
    port = t.script(host, torn)
    daemon = t.watch(host, {'port': port})
    verdict = daemon.expect({'port': 'connection_lost/greeting'})['port']
    assert '220 mail.te' in json.dumps([verdict['reply'], verdict['detail']]), verdict


@test('H1-35: a record with a bad MAC is protocol_error, and none of its neighbour\'s')
def h1_35(t):
    host = t.host('ann')

    def broken(c):
        c.send_raw(b'\x17\x03\x03\x00\x40' + bytes(range(64)))
        c.wait_end()

    def slow(session, line):
        session.c.sleep(0.2)
        return False
    ports = {'broken%d' % n: t.script(host, broken, side)
             for n, side in enumerate(('smtp', 'imap', 'smtp', 'imap'))}
    waiting = {'waiting%d' % n: t.answering(host, side, answers={
        'GREETING': slow, 'EHLO': slow, 'CAPABILITY': slow, 'NOOP': slow})
        for n, side in enumerate(('smtp', 'imap', 'smtp', 'imap'))}
    ports.update(waiting)
    daemon = t.watch(host, ports)
    found = daemon.expect({name: 'ok/done' if name in waiting else 'protocol_error/greeting'
                           for name in ports})
    assert 'TLS record' in found['broken0']['detail'], found['broken0']
    time.sleep(3)
    assert all(daemon.mailbox(name)['state'].endswith(' ok') for name in waiting)
    assert not [e for e in daemon.events(event='state', level='error')
                if e['mailbox'] in waiting]


@test('H1-36: closed or reset just before our goodbye under TLS: ok, no SIGPIPE')
def h1_36(t):
    host = t.host('ann')

    def gone_after_noop(session, line):
        reply = b'250 2.0.0 Ok\r\n' if session.side == 'smtp' else session.tag + b' OK done\r\n'
        session.c.send(reply)
        session.c.close(notify=False)
        session.is_over = True
        return True

    def reset_at_goodbye(session, line):
        session.c.reset()
        session.is_over = True
        return True
    ports = {side + '-gone': t.answering(host, side, answers={'NOOP': gone_after_noop})
             for side in ('smtp', 'imap')}
    ports['smtp-reset'] = t.answering(host, 'smtp', answers={'QUIT': reset_at_goodbye})
    ports['imap-reset'] = t.answering(host, 'imap', answers={'LOGOUT': reset_at_goodbye})
    daemon = t.watch(host, ports)
    daemon.expect({name: 'ok/done' for name in ports})
    time.sleep(0.3)
    assert daemon.is_running(), daemon.statuses


@test('H1-37: none without insecure_auth, CRAM-MD5 offered: tls_required, not even the user name')
def h1_37(t):
    host = t.host('ann')
    ports = {side: t.answering(host, side, 'clear', cram=True) for side in ('smtp', 'imap')}
    daemon = t.watch(host, ports)
    daemon.expect({name: 'tls_required/auth' for name in ports})
    for port in ports.values():
        assert heard(port, b'AUTH') + heard(port, b'AUTHENTICATE') + heard(port, b'LOGIN') == 0
        assert USER not in port.received()
    sent_no_secret(t, *ports.values())


if __name__ == '__main__':
    main()
