#!/usr/bin/python3
"""
selftest.py: proves by Python's own smtplib, imaplib and ssl that the scripted mail host behaves.

TAP on stdout. Here: the normal dialogues, switches, certificates, scripts, the command with its
control socket. Not here: anything of mboxwatch itself. Needs nothing but loopback.
"""

import imaplib
import json
import os
import select
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import certs  # noqa: E402
import mailhost  # noqa: E402

warnings.simplefilter('ignore', DeprecationWarning)  # TLS 1.1 is tried on purpose
USER, SECRET = 'ann@test.example', 'ann-s3cret-91'
HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def trusting(host):
    return ssl.create_default_context(cafile=host.ca_file)


def raises(kind, function, *arguments, **more):
    try:
        function(*arguments, **more)
    except kind as error:
        return error
    raise AssertionError('%s was not raised' % kind)


def smtp_over_tls(host, port=None):
    return smtplib.SMTP_SSL('127.0.0.1', port or host.endpoint('smtp')['port'], timeout=10,
                            context=trusting(host))


def imap_over_tls(host, port=None):
    return imaplib.IMAP4_SSL('127.0.0.1', port or host.endpoint('imap')['port'], timeout=10,
                             ssl_context=trusting(host))


def first_bytes(port, address='127.0.0.1'):
    with socket.create_connection((address, port), 10) as client:
        return client.recv(500)


@test
def smtp_over_tls_logs_in_by_plain_and_login(host):
    for method in ('auth_plain', 'auth_login'):
        for initial in (True, False):
            with smtp_over_tls(host) as client:
                client.ehlo()
                assert 'PLAIN LOGIN' in client.esmtp_features['auth']
                client.user, client.password = USER, SECRET
                code, text = client.auth(method[5:].upper(), getattr(client, method),
                                         initial_response_ok=initial)
                assert (code, text) == (235, b'2.7.0 Authentication successful'), (code, text)
                assert client.noop() == (250, b'2.0.0 Ok')
                assert client.mail(USER)[0] == 250
                assert client.rcpt('nobody@test.example')[0] == 550


@test
def smtp_starttls_comes_first(host):
    with smtplib.SMTP('127.0.0.1', host.endpoint('smtp', 'starttls')['port'], timeout=10) as client:
        client.ehlo()
        assert 'starttls' in client.esmtp_features and 'auth' not in client.esmtp_features
        assert client.docmd('AUTH PLAIN') == (530, b'5.7.0 Must issue a STARTTLS command first')
        client.starttls(context=trusting(host))
        client.ehlo()
        assert 'starttls' not in client.esmtp_features
        client.login(USER, SECRET)


@test
def smtp_refuses_and_counts(host):
    before = host.refused(USER, 'smtp')
    with smtp_over_tls(host) as client:
        error = raises(smtplib.SMTPAuthenticationError, client.login, USER, 'wrong')
        assert error.smtp_code == 535 and b'authentication failed' in error.smtp_error
    assert host.refused(USER, 'smtp') > before
    assert host.count()['logins'][USER]['smtp']['refused'] == host.refused(USER, 'smtp')


@test
def smtp_cram_md5_on_request(host):
    port = host.answering('smtp', cram=True)
    with smtp_over_tls(host, port.port) as client:
        client.ehlo()
        client.user, client.password = USER, SECRET
        assert client.auth('CRAM-MD5', client.auth_cram_md5)[0] == 235
    with smtp_over_tls(host) as client:
        client.ehlo()
        assert 'CRAM-MD5' not in client.esmtp_features['auth']


@test
def imap_over_tls_logs_in_and_opens(host):
    client = imap_over_tls(host)
    assert 'AUTH=PLAIN' in client.capabilities
    assert client.login(USER, SECRET)[0] == 'OK'
    assert client.select('INBOX', readonly=True)[0] == 'OK'
    assert client.select('nosuch', readonly=True)[0] == 'NO'
    assert client.noop()[0] == 'OK'
    assert b'"Sent"' in client.list()[1][1]
    assert client.logout()[0] == 'BYE'


@test
def imap_authenticates_with_and_without_initial_response(host):
    client = imap_over_tls(host)
    plain = b'\0' + USER.encode() + b'\0' + SECRET.encode()
    assert client.authenticate('PLAIN', lambda _: plain)[0] == 'OK'
    client.logout()
    port = host.endpoint('imap')['port']
    coded = mailhost.base64.b64encode(plain)
    sock = trusting(host).wrap_socket(socket.create_connection(('127.0.0.1', port), 10),
                                      server_hostname='localhost')
    with sock, sock.makefile('rwb') as lines:
        assert lines.readline().startswith(b'* OK [CAPABILITY IMAP4rev1 SASL-IR')
        lines.write(b'a ID ("name" "x" "version" NIL)\r\nb AUTHENTICATE PLAIN ' + coded + b'\r\n')
        lines.flush()
        assert lines.readline() == b'* ID ("name" "Dovecot")\r\n'
        assert lines.readline().startswith(b'a OK ID')
        assert lines.readline().startswith(b'b OK [CAPABILITY ')


@test
def imap_takes_literals_and_quoted(host):
    odd = 'qu"o\\te {5} x'
    host.add('odd@test.example', odd)
    port = host.endpoint('imap')['port']
    for plus in (b'+', b''):
        sock = trusting(host).wrap_socket(socket.create_connection(('127.0.0.1', port), 10),
                                          server_hostname='localhost')
        with sock, sock.makefile('rwb') as lines:
            lines.readline()
            lines.write(b'a LOGIN "odd@test.example" {%d%s}\r\n' % (len(odd), plus))
            if not plus:
                lines.flush()
                assert lines.readline() == b'+ OK\r\n'
            lines.write(odd.encode() + b'\r\n')
            lines.flush()
            assert lines.readline().startswith(b'a OK')
    client = imap_over_tls(host)
    assert client.login('odd@test.example', odd)[0] == 'OK'  # imaplib quotes
    client.logout()


@test
def imap_starttls_comes_first(host):
    client = imaplib.IMAP4('127.0.0.1', host.endpoint('imap', 'starttls')['port'], timeout=10)
    assert 'LOGINDISABLED' in client.capabilities and 'STARTTLS' in client.capabilities
    error = raises(imaplib.IMAP4.error, client.login, USER, SECRET)
    assert 'PRIVACYREQUIRED' in str(error), error
    client.starttls(trusting(host))
    assert 'STARTTLS' not in client.capabilities
    assert client.login(USER, SECRET)[0] == 'OK'
    client.logout()


@test
def imap_refuses_in_dovecots_words(host):
    client = imap_over_tls(host)
    error = raises(imaplib.IMAP4.error, client.login, USER, 'wrong')
    assert '[AUTHENTICATIONFAILED] Authentication failed.' in str(error), error
    client.logout()


@test
def imap_can_be_disabled_for_an_account(host):
    host.add('off@test.example', 'off-secret')
    host.disable('imap', 'off@test.example')
    client = imap_over_tls(host)
    assert 'enable IMAP' in str(raises(imaplib.IMAP4.error, client.login, 'off@test.example',
                                       'off-secret'))
    client.logout()
    with smtp_over_tls(host) as client:
        client.login('off@test.example', 'off-secret')
    host.heal('imap', 'off@test.example')
    client = imap_over_tls(host)
    client.login('off@test.example', 'off-secret')
    client.logout()


@test
def certificates_are_what_they_say(host):
    expect = {'good': None, 'second': None, 'intermediate': None, 'other': 'IP address mismatch',
              'dnsip': 'IP address mismatch', 'commonname': 'IP address mismatch',
              'nul': 'IP address mismatch', 'expired': 'expired', 'soon': None, 'future': 'not yet valid',
              'self': 'self-signed', 'allbad': 'expired|self-signed', 'foreign': 'self-signed',
              'nointermediate': 'local issuer', 'byleaf': 'CA certificate',
              'weakkey': 'too weak', 'weakhash': 'too weak'}
    assert set(expect) == set(certs.NAMES)
    for name, words in expect.items():
        port = host.answering('smtp', cert=name).port
        try:
            sock = trusting(host).wrap_socket(socket.create_connection(('127.0.0.1', port), 10),
                                              server_hostname='127.0.0.1')
            sock.close()
            assert words is None, name + ' was accepted'
        except ssl.SSLCertVerificationError as error:
            assert words and any(word in str(error) for word in words.split('|')), (name, error)


@test
def a_side_goes_off_and_comes_back_on_its_port(host):
    with mailhost.Host(accounts={USER: SECRET}, certificates=host.certificates) as own:
        port = own.endpoint('imap')['port']
        for _ in range(5):
            own.off('imap')
            raises(ConnectionRefusedError, socket.create_connection, ('127.0.0.1', port), 5)
            own.on('imap')
            imap_over_tls(own).logout()
        own.off('imap')
        with smtp_over_tls(own) as client:
            client.login(USER, SECRET)


@test
def a_side_hangs_and_is_freed(host):
    with mailhost.Host(accounts={USER: SECRET}, certificates=host.certificates) as own:
        own.hang('smtp')
        port = own.endpoint('smtp', 'clear')['port']
        with socket.create_connection(('127.0.0.1', port), 5) as client:
            assert not select.select([client], [], [], 0.3)[0]
            own.free('smtp')
            assert client.recv(100).startswith(b'220 ')
        own.hang('imap', 'login')
        client = imap_over_tls(own)
        client.sock.settimeout(0.5)
        raises((OSError, imaplib.IMAP4.abort), client.login, USER, SECRET)


@test
def a_script_takes_over_from_a_normal_session(host):
    def forged(c):
        smtp = c.smtp()
        assert smtp.run(until='STARTTLS') == b'STARTTLS'
        c.send(b'220 2.0.0 go\r\n250 forged\r\n')
        c.wait_end()
    port = host.script(forged, 'smtp', 'starttls')
    with socket.create_connection(('127.0.0.1', port.port), 5) as client:
        client.sendall(b'EHLO x\r\n')
        got = b''
        while b'CHUNKING' not in got:
            got += client.recv(1000)
        client.sendall(b'STARTTLS\r\n')
        got = b''
        while not got.endswith(b'forged\r\n'):
            got += client.recv(1000)
        client.sendall(b'QUIT\r\n')
    assert port.wait_idle(5) and port.saw(b'QUIT') and not port.faults()
    assert port.settings() == {'host': '127.0.0.1', 'port': port.port, 'security': 'starttls'}


@test
def scripts_reset_drip_and_fail_aloud(host):
    port = host.script(lambda c: c.reset(), mode='clear')

    def connect_and_read():  # the reset may come before connect() is back
        with socket.create_connection(('127.0.0.1', port.port), 5) as client:
            client.recv(1)
    raises(ConnectionResetError, connect_and_read)

    def drip(c):
        c.dribble = 1
        c.smtp().run()
    port = host.script(drip, mode='tls')
    with smtp_over_tls(host, port.port) as client:
        client.login(USER, SECRET)
    port = host.script(lambda c: c.expect('EHLO'), mode='clear')
    with socket.create_connection(('127.0.0.1', port.port), 5) as client:
        client.sendall(b'HELO x\r\n')
        client.recv(10)
    assert 'expected' in port.faults()[0]


@test
def secrets_are_found_in_every_form(host):
    for secret in (SECRET, 'pass word-ü9'):
        for before in ('', 'a', 'ab', 'abc', '\0ann@test.example\0'):
            coded = mailhost.base64.b64encode((before + secret).encode())
            assert mailhost.holds_secret(b'x' + coded, secret), (secret, before)
    assert not mailhost.holds_secret(mailhost.base64.b64encode(b'another thing at all'), [SECRET])
    port = host.answering('smtp')
    with smtp_over_tls(host, port.port) as client:
        client.ehlo()
        assert port.holds_secret(SECRET) is None
        client.login(USER, SECRET)
    assert port.holds_secret(SECRET) == SECRET


@test
def old_versions_and_client_certificates(host):
    context = host.context(maximum=ssl.TLSVersion.TLSv1_1)
    port = host.script(lambda c: c.smtp().run(), context=context)
    raises(ssl.SSLError, smtp_over_tls, host, port.port)
    assert port.wait_idle(5) and port.all()[0].tls_error
    assert 0x0304 in port.all()[0].client_hello_versions()
    old = trusting(host)
    old.set_ciphers('ALL:@SECLEVEL=0')
    old.minimum_version = ssl.TLSVersion.TLSv1
    with socket.create_connection(('127.0.0.1', port.port), 5) as sock:
        with old.wrap_socket(sock, server_hostname='localhost') as client:
            assert client.version() == 'TLSv1.1', client.version()
    port = host.script(lambda c: c.smtp().run(), context=host.context(wants_client=True))
    raises((ssl.SSLError, OSError), lambda: smtp_over_tls(host, port.port).noop())


@test
def five_hundred_connections_at_once(host):
    port = host.endpoint('imap', 'clear')['port']
    clients = []
    try:
        for _ in range(500):
            clients.append(socket.create_connection(('127.0.0.1', port), 20))
        for client in clients:
            client.settimeout(20)
            assert client.recv(100).startswith(b'* OK')
        for client in clients:
            client.sendall(b'a NOOP\r\nb LOGOUT\r\n')
        for client in clients:
            got = b''
            while b'b OK' not in got:
                piece = client.recv(1000)
                assert piece, got
                got += piece
    finally:
        for client in clients:
            client.close()


@test
def the_host_stops_at_once_whatever_stands(host):
    own = mailhost.Host(certificates=host.certificates).start()
    hangs = own.script(lambda c: c.sleep(1000), mode='clear')
    clients = [socket.create_connection(('127.0.0.1', port), 5) for port in
               (hangs.port, own.endpoint('smtp')['port'], own.endpoint('imap', 'clear')['port'])]
    before = time.monotonic()
    own.stop()
    assert time.monotonic() - before < 3
    for client in clients:
        client.close()


@test
def the_command_serves_and_obeys(host):
    folder = tempfile.mkdtemp(prefix='mailhost-')
    path = os.path.join(folder, 'host')
    child = subprocess.Popen([sys.executable, os.path.join(HERE, 'mailhost.py'), '--dir', path,
                              '--account', USER + '=' + SECRET], stdout=subprocess.PIPE)
    try:
        ready = json.loads(child.stdout.readline())
        control = ready['control']
        port = ready['imap']['tls']
        context = ssl.create_default_context(cafile=ready['ca_file'])
        client = imaplib.IMAP4_SSL('localhost', port, ssl_context=context, timeout=10)
        client.login(USER, SECRET)
        client.logout()
        assert mailhost.ask(control, 'imap', 'off') == 'ok'
        raises(ConnectionRefusedError, first_bytes, port)
        assert mailhost.ask(control, 'imap', 'on') == 'ok'
        assert mailhost.ask(control, 'password', USER, 'another-1') == 'ok'
        assert mailhost.ask(control, 'fail', 'smtp', USER, '454 4.7.0 Later') == 'ok'
        assert mailhost.ask(control, 'cert', 'expired') == 'ok'
        error = raises(ssl.SSLError, imaplib.IMAP4_SSL, 'localhost', port, ssl_context=context)
        assert 'expired' in str(error), error
        raises(ValueError, mailhost.ask, control, 'cert', 'nonsense')
        raises(ValueError, mailhost.ask, control, 'nonsense')
        counts = json.loads(mailhost.ask(control, 'count'))
        assert counts['logins'][USER]['imap']['accepted'] == 1, counts
        assert counts['commands']['imap']['LOGIN'] == 1, counts
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0
        assert not os.path.exists(path), os.listdir(path)
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
        shutil.rmtree(folder, ignore_errors=True)


@test
def the_command_ends_with_its_parent(host):
    folder = tempfile.mkdtemp(prefix='mailhost-')
    script = '"$@" & read line; kill -9 $$'
    parent = subprocess.Popen(['sh', '-c', script, 'sh', sys.executable,
                               os.path.join(HERE, 'mailhost.py'), '--dir', folder + '/host'],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        ready = json.loads(parent.stdout.readline())
        parent.stdin.write(b'\n')
        parent.stdin.close()
        parent.wait(10)
        deadline = time.monotonic() + 15
        while os.path.exists(ready['control']) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not os.path.exists(ready['control'])
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    chosen = [t for t in TESTS if not sys.argv[1:] or any(word in t.__name__
                                                          for word in sys.argv[1:])]
    print('1..%d' % len(chosen), flush=True)
    folder = tempfile.mkdtemp(prefix='selftest-')
    failed = 0
    with mailhost.Host(folder, {USER: SECRET}) as host:
        for number, function in enumerate(chosen, 1):
            name = function.__name__.replace('_', ' ')
            before = time.monotonic()
            try:
                function(host)
                print('ok %d - %s (%.2f s)' % (number, name, time.monotonic() - before), flush=True)
            except Exception:
                failed += 1
                print('not ok %d - %s' % (number, name))
                for line in traceback.format_exc().rstrip().split('\n'):
                    print('# ' + line, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    left = [t.name for t in threading.enumerate() if t.name.startswith('accept')]
    if left:
        print('# listeners left over: %s' % left)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
