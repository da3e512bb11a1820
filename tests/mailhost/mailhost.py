#!/usr/bin/python3
"""
mailhost.py: a scripted mail host, SMTP and IMAP in one process, as a library and as a command.

Read downwards: Conversation (one connection: bytes, lines, TLS, a record of all that the client
sent), SmtpSession and ImapSession (the normal dialogues, worded like Postfix and Dovecot),
Listener (a port), Host (accounts, switches, counts), Control (the UNIX socket), main().

A hostile server is a function of one Conversation, bound to a port of its own:

    def forged(c):                          # a thread of its own for each connection
        smtp = c.smtp()
        smtp.run(until='STARTTLS')          # a normal session, up to that command
        c.send(b'220 2.0.0 go\\r\\n250 forged\\r\\n')
        c.wait_end()
    port = host.script(forged, side='smtp', mode='starttls')
    ... port.settings() -> host, port, security; port.holds_secret('...'); port.saw(b'QUIT')

Not here: certificates (certs.py), what tests expect (tests/e2e, tests/hostile). Mail stays in
memory, and no password here is worth anything.
"""

import argparse
import base64
import binascii
import hashlib
import hmac
import json
import os
import random
import re
import select
import shlex
import shutil
import signal
import socket
import ssl
import struct
import sys
import threading
import time
import traceback
import unicodedata

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import certs  # noqa: E402

NAME = 'mail.test.example'
PATIENCE_SECONDS = 90.0       # the longest wait for a client's bytes
RECORD_MOST_BYTES = 4 << 20   # kept of one connection, each way
LINE_MOST_BYTES = 1 << 20
PORTS = (10000, 32000)        # below the ephemeral range: nobody's outgoing port is ever ours
SIDES = ('smtp', 'imap')
MODES = ('tls', 'starttls', 'clear')


class Ended(Exception):
    """The client has gone, its time is up, or the host stops."""


class Mismatch(Exception):
    """The client said something else than the script expected."""


def secret_forms(secret):
    """The secret as bytes, and what of its base64 shows at each of the three alignments."""
    plain = secret if isinstance(secret, bytes) else secret.encode('utf-8')
    forms = [plain]
    for shift in range(3):
        coded = base64.b64encode(b'\0' * shift + plain + b'\0' * 3)
        first = (shift * 8 + 5) // 6
        last = (shift + len(plain)) * 8 // 6
        if last - first >= 6:
            forms.append(coded[first:last])
    return forms


def holds_secret(data, secrets):
    """The first secret of the list that stands in data, plain or as base64; else None."""
    for secret in [secrets] if isinstance(secrets, (str, bytes)) else secrets:
        if any(form in data for form in secret_forms(secret)):
            return secret
    return None


# --- one connection -------------------------------------------------------------------------------

class Conversation:
    """One connection, served by a thread of its own; all that the client sent is kept."""

    def __init__(self, sock, listener, number):
        self.socket = sock
        self.listener = listener
        self.host = listener.host
        self.number = number
        self.began = time.time()
        self.ended = None             # time, once it is over
        self.end = None               # 'client', 'reset', 'timeout', 'server'
        self.fault = None             # of the script: text of a Mismatch or of an exception
        self.raw = bytearray()        # as it came from the socket
        self.received = bytearray()   # the same with TLS taken off
        self.received_clear = bytearray()  # what of it came without TLS
        self.lines = []               # lines read so far
        self.sent = 0
        self.rewrite = None           # a function of the bytes of each send()
        self.dribble = None           # send at most so many bytes at a time
        self.dribble_pause = 0.0
        self.patience = PATIENCE_SECONDS
        self.tls = None               # ssl.SSLObject
        self.tls_error = None         # why a handshake failed, by OpenSSL's reason
        self.tls_done = False
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._buffer = bytearray()    # read and not yet taken
        self._gone = False
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # bytes

    def _receive(self, deadline):
        """Waits for bytes of the socket; b'' at the client's end."""
        while True:
            if self.host.stopping.is_set():
                self._finish('server')
                raise Ended('the host stops')
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError('no bytes of the client in time')
            try:
                ready = select.poll()
                ready.register(self.socket, select.POLLIN)
                if not ready.poll(min(left, 1.0) * 1000):
                    continue
                data = self.socket.recv(65536)
            except ValueError:
                raise Ended('closed') from None
            except OSError:
                self._finish('reset')
                raise Ended('reset by the client') from None
            if len(self.raw) < RECORD_MOST_BYTES:
                self.raw += data
            return data

    def _take(self, data):
        self._buffer += data
        if len(self.received) < RECORD_MOST_BYTES:
            self.received += data
        if self.tls is None and len(self.received_clear) < RECORD_MOST_BYTES:
            self.received_clear += data

    def _fill(self, deadline):
        """Adds what comes next to the buffer; False at the client's end."""
        if self.tls is None:
            data = self._receive(deadline)
            if not data:
                self._finish('client')
                return False
            self._take(data)
            return True
        while True:
            try:
                data = self.tls.read(65536)
                if not data:
                    self._finish('client')
                    return False
                self._take(data)
                return True
            except ssl.SSLWantReadError:
                self._flush()
                data = self._receive(deadline)
                if not data:
                    self._finish('client')
                    return False
                self._incoming.write(data)
            except ssl.SSLZeroReturnError:
                self._finish('client')
                return False
            except ssl.SSLError as error:
                self.tls_error = error.reason or str(error)
                self._finish('client')
                return False

    def _flush(self):
        if self._outgoing.pending:
            self._send_all(self._outgoing.read())

    def _send_all(self, data):
        try:
            self.socket.settimeout(self.patience)
            self.socket.sendall(data)
            self.sent += len(data)
        except OSError as error:
            self._finish('timeout' if isinstance(error, TimeoutError) else 'reset')
            raise Ended('cannot send: %s' % error) from None

    def send_raw(self, data):
        """Bytes on the socket itself, whether TLS stands or not."""
        self._send_all(data)

    def send(self, data):
        """Bytes as they are, under TLS where it stands; in pieces where dribble is set."""
        if isinstance(data, str):
            data = data.encode('utf-8')
        if self.rewrite is not None:
            data = self.rewrite(bytes(data))
        step = self.dribble or len(data) or 1
        for at in range(0, len(data), step):
            piece = bytes(data[at:at + step])
            if self.tls is None:
                self._send_all(piece)
            else:
                try:
                    self.tls.write(piece)
                except ssl.SSLError as error:
                    raise Ended('cannot send: %s' % error) from None
                self._flush()
            if self.dribble_pause:
                self.sleep(self.dribble_pause)

    def line(self, text):
        """A line, with its CRLF put behind."""
        self.send((text if isinstance(text, bytes) else text.encode('utf-8')) + b'\r\n')

    def read_line(self, patience=None):
        """The client's next line without its end. Raises Ended."""
        deadline = time.monotonic() + (patience or self.patience)
        while True:
            at = self._buffer.find(b'\n')
            if at >= 0:
                whole = bytes(self._buffer[:at])
                del self._buffer[:at + 1]
                whole = whole[:-1] if whole.endswith(b'\r') else whole
                self.lines.append(whole)
                return whole
            if len(self._buffer) > LINE_MOST_BYTES:
                raise Ended('a line without end')
            self._fill_or_end(deadline)

    def read_bytes(self, count, patience=None):
        """Exactly so many bytes (a literal). Raises Ended."""
        deadline = time.monotonic() + (patience or self.patience)
        while len(self._buffer) < count:
            self._fill_or_end(deadline)
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def await_bytes(self, count, patience=None):
        """Waits until so many bytes came; they stay to be read. Raises Ended."""
        deadline = time.monotonic() + (patience or self.patience)
        while len(self._buffer) < count:
            self._fill_or_end(deadline)

    def _fill_or_end(self, deadline):
        try:
            if not self._fill(deadline):
                raise Ended('closed by the client')
        except TimeoutError:
            self._finish('timeout')
            raise Ended('the client is silent') from None

    def expect(self, prefix):
        """The client's next line, which must begin so (in any case). Raises Mismatch, Ended."""
        prefix = prefix.encode('utf-8') if isinstance(prefix, str) else prefix
        line = self.read_line()
        if not line.upper().startswith(prefix.upper()):
            raise Mismatch('expected %r, got %r' % (prefix, line))
        return line

    def hears_nothing(self, seconds):
        """True when not one byte of the client comes in that time."""
        if self._buffer:
            return False
        try:
            return not self._fill(time.monotonic() + seconds)
        except TimeoutError:
            return True

    def wait_end(self, patience=None):
        """Reads and records until the client closes; gives how it ended."""
        deadline = time.monotonic() + (patience or self.patience)
        try:
            while self._fill(deadline):
                self._buffer.clear()
        except TimeoutError:
            self._finish('timeout')
        except Ended:
            pass
        return self.end

    def wait_end_unread(self, patience=None):
        """Waits for the client to go while not a byte is taken from the socket (window shut)."""
        deadline = time.monotonic() + (patience or self.patience)
        while time.monotonic() < deadline and not self.host.stopping.is_set():
            if self.end is not None or self.socket.fileno() < 0:
                return self.end
            poll = select.poll()
            poll.register(self.socket, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
            if poll.poll(200):
                return self._finish('client')
        return self._finish('timeout')

    def sleep(self, seconds):
        """Sleeps, but not past the end of the host."""
        if self.host.stopping.wait(seconds):
            self._finish('server')
            raise Ended('the host stops')

    # TLS

    def start_tls(self, cert=None, context=None, drip_seconds=None):
        """
        The server's half of a handshake. cert: a name of certs.NAMES, else the port's; context: an
        ssl.SSLContext instead. drip_seconds: each byte of ours that much after the one before.
        Gives False (tls_error tells why, the alert has been sent) where it fails.
        """
        if context is None:
            context = self.host.context(cert or self.listener.cert)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        if self._buffer:
            incoming.write(bytes(self._buffer))
            if len(self.received) >= len(self._buffer):
                del self.received[-len(self._buffer):]
                del self.received_clear[-len(self._buffer):]
            self._buffer.clear()
        self._incoming, self._outgoing = incoming, outgoing
        deadline = time.monotonic() + self.patience
        while True:
            try:
                tls.do_handshake()
                self.tls = tls
                self._flush()
                self.tls_done = True
                return True
            except ssl.SSLWantReadError:
                if drip_seconds is None:
                    self._flush()
                else:
                    for byte in self._outgoing.read():
                        self._send_all(bytes([byte]))
                        self.sleep(drip_seconds)
                try:
                    data = self._receive(deadline)
                except TimeoutError:
                    self.tls_error = 'timeout'
                    self._finish('timeout')
                    return False
                except Ended:
                    self.tls_error = self.tls_error or 'reset by the client'
                    raise
                if not data:
                    self.tls_error = 'closed by the client'
                    self._finish('client')
                    return False
                incoming.write(data)
            except ssl.SSLError as error:
                self.tls_error = error.reason or str(error)
                try:
                    self._flush()
                except Ended:
                    pass
                return False

    # the end

    def _finish(self, end):
        if self.end is None:
            self.end = end
            self.ended = time.time()
        return self.end

    def reset(self):
        """Ends it with RST."""
        self._finish('server')
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        except OSError:
            pass
        self._close_socket()

    def close(self, notify=True):
        """Ends it with FIN; with a close_notify before it where TLS stands and notify is set."""
        if self.tls is not None and notify and not self._gone:
            try:
                self.tls.unwrap()
            except (ssl.SSLError, ValueError):
                pass
            try:
                self._flush()
            except Ended:
                pass
        self._finish('server')
        self._close_socket()

    def _close_socket(self):
        if not self._gone:
            self._gone = True
            try:
                self.socket.close()
            except OSError:
                pass

    def cut(self):
        """From another thread: the connection goes, the thread that serves it notices."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def is_abandoned(self):
        """True once the client has closed its side; takes nothing from the socket."""
        try:
            poll = select.poll()
            poll.register(self.socket, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
            return bool(poll.poll(0))
        except (OSError, ValueError):
            return True

    # the normal dialogues

    def smtp(self, **options):
        return SmtpSession(self, **options)

    def imap(self, **options):
        return ImapSession(self, **options)

    def everything(self):
        """All that the client sent, with and without TLS taken off."""
        return bytes(self.received) + b'\n' + bytes(self.raw)

    def client_hello(self):
        """Of the first ClientHello in the raw bytes: (its version, {extension: bytes}); else None."""
        data = bytes(self.raw)
        at = 0
        while at + 5 < len(data) and not (data[at] == 0x16 and data[at + 1] == 3):
            at += 1
        body = data[at + 5:]
        if len(body) < 40 or body[0] != 1:
            return None
        legacy = struct.unpack('>H', body[4:6])[0]
        at = 38 + 1 + body[38]
        at += 2 + struct.unpack('>H', body[at:at + 2])[0]
        at += 1 + body[at]
        end = at + 2 + struct.unpack('>H', body[at:at + 2])[0]
        at += 2
        extensions = {}
        while at + 4 <= end:
            kind, size = struct.unpack('>HH', body[at:at + 4])
            extensions[kind] = body[at + 4:at + 4 + size]
            at += 4 + size
        return legacy, extensions

    def client_hello_versions(self):
        """The versions that the first ClientHello offers (0x0303, 0x0304, ...)."""
        hello = self.client_hello()
        if hello is None:
            return []
        legacy, extensions = hello
        listed = extensions.get(43, b'')[1:]
        return [struct.unpack('>H', listed[i:i + 2])[0]
                for i in range(0, len(listed), 2)] or [legacy]

    def offers_session(self):
        """True where the first ClientHello offers one to resume (RFC 8446 4.2.11, RFC 5077)."""
        hello = self.client_hello()
        return hello is not None and bool(41 in hello[1] or hello[1].get(35))

    def sni(self):
        """The name in the first ClientHello, None where there is none."""
        hello = self.client_hello()
        name = hello[1].get(0) if hello is not None else None
        return name[5:].decode('latin-1') if name else None


# --- the normal dialogues -------------------------------------------------------------------------

def _decode64(text):
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


class Session:
    """
    What both dialogues share. Options:
      answers   {'AUTH': ...}: what is done instead of the normal answer to a command. Bytes or text
                are sent (<tag> is put in, lines get CRLF); a function gets (session, line) and says
                True when it has answered. Keys are commands, 'GREETING', and for the first command
                after STARTTLS (EHLO, CAPABILITY) also 'EHLO/tls', 'CAPABILITY/tls'.
      cram      offer CRAM-MD5 too
      scram     offer SCRAM-SHA-1 and -256 too: True, or a Scram that says how
      words     replaces the list of EHLO words or of capabilities: a function of (session, list)
    """
    side = None

    def __init__(self, conversation, answers=None, cram=False, scram=None, words=None, name=NAME):
        self.c = conversation
        self.host = conversation.host
        self.mode = conversation.listener.mode
        self.answers = answers or {}
        self.cram = cram or self.host.cram
        self.scram = Scram() if scram is True else scram
        self.words = words
        self.name = name
        self.is_greeted = False
        self.user = None
        self.tag = b'*'
        self.is_over = False
        self.pending = None           # a command read by run(until=...) and not yet answered

    def is_tls(self):
        return self.c.tls is not None

    def mechanisms(self):
        names = ['PLAIN', 'LOGIN'] + (['CRAM-MD5'] if self.cram else [])
        return names + (list(SCRAM_HASHES) if self.scram else [])

    def run(self, until=None):
        """
        Goes on with the dialogue: to its end, or until the client's next command of that name
        ('GREETING', 'EHLO', 'AUTH', 'LOGIN', 'NOOP', 'QUIT' ...; a tuple for any of several),
        which comes back as a line and is left unanswered: answer it, or run() again to have it
        answered as always.
        """
        until = () if until is None else (until,) if isinstance(until, str) else tuple(until)
        if not self.is_greeted:
            if 'GREETING' in until:
                return b''
            self.is_greeted = True
            self.host.wait_unless_hung(self, 'greeting')
            if not self._answered('GREETING', b''):
                self.greet()
        line, self.pending = self.pending, None
        while not self.is_over:
            if line is None:
                line = self.next_line()
                verb = self.verb(line)
                self.host.note_command(self.side, verb)
                if verb in until or (self.is_tls() and verb + '/tls' in until):
                    self.pending = line
                    return line
            verb = self.verb(line)
            self.host.wait_unless_hung(self, verb.lower())
            if not self._answered(verb + '/tls' if self.is_tls() else verb, line):
                if not self._answered(verb, line):
                    self.answer(verb, line)
            line = None
        return None

    def take(self):
        """The command that run(until=...) came back with is answered by the script."""
        line, self.pending = self.pending, None
        return line

    def _answered(self, key, line):
        answer = self.answers.get(key)
        if answer is None:
            return False
        if callable(answer):
            return bool(answer(self, line))
        if isinstance(answer, str):
            answer = answer.encode('utf-8')
        answer = answer.replace(b'<tag>', self.tag)
        self.c.send(answer if answer.endswith(b'\n') else answer + b'\r\n')
        return True

    def login(self, user, secret, mechanism):
        """Judges a login and books it; None when it is good, else the reply (text)."""
        return self.host.judge(self.side, user, secret, mechanism)

    def start_tls(self):
        if not self.c.start_tls():
            self.is_over = True


class SmtpSession(Session):
    """A submission server worded like Postfix."""
    side = 'smtp'

    def verb(self, line):
        word = line.split(b' ')[0].upper().decode('latin-1')
        return word[:16] or '(empty)'

    def next_line(self):
        return self.c.read_line()

    def greet(self):
        self.c.line('220 %s ESMTP Postfix' % self.name)

    def ehlo_words(self):
        words = ['PIPELINING', 'SIZE 10240000', 'VRFY', 'ETRN']
        if self.mode == 'starttls' and not self.is_tls():
            words += ['STARTTLS']
        else:
            words += [' '.join(['AUTH'] + self.mechanisms())]
        words += ['ENHANCEDSTATUSCODES', '8BITMIME', 'DSN', 'CHUNKING']
        return self.words(self, words) if self.words else words

    def answer(self, verb, line):
        c = self.c
        if verb == 'EHLO':
            replies = [self.name] + self.ehlo_words()
            c.send(''.join('250%s%s\r\n' % (' ' if i == len(replies) - 1 else '-', word)
                           for i, word in enumerate(replies)))
        elif verb == 'HELO':
            c.line('250 ' + self.name)
        elif verb == 'NOOP':
            c.line('250 2.0.0 Ok')
        elif verb == 'QUIT':
            c.line('221 2.0.0 Bye')
            self.is_over = True
            c.close()
        elif verb == 'STARTTLS' and self.mode == 'starttls' and not self.is_tls():
            c.line('220 2.0.0 Ready to start TLS')
            self.start_tls()
        elif verb == 'STARTTLS':
            c.line('502 5.5.1 Error: command not implemented')
        elif self.mode == 'starttls' and not self.is_tls():
            c.line('530 5.7.0 Must issue a STARTTLS command first')
        elif verb == 'AUTH':
            self.auth(line)
        elif verb == 'RSET':
            c.line('250 2.0.0 Ok')
        elif verb == 'MAIL':
            c.line('250 2.1.0 Ok' if self.user else '530 5.7.0 Authentication required')
        elif verb == 'RCPT':
            self.rcpt(line)
        elif verb == 'DATA':
            c.line('354 End data with <CR><LF>.<CR><LF>')
            lines = []
            while not lines or lines[-1] != b'.':
                lines.append(c.read_line())
            self.host.deliver(self.recipient, b'\r\n'.join(lines[:-1]))
            c.line('250 2.0.0 Ok: queued as DAB1CA967E1')
        else:
            c.line('500 5.5.2 Error: command not recognized')

    def rcpt(self, line):
        found = re.search(rb'<([^>]*)>', line)
        address = found.group(1).decode('utf-8', 'replace') if found else ''
        if not self.user:
            self.c.line('554 5.7.1 <%s>: Relay access denied' % address)
        elif self.host.find(address) is None and address.lower().endswith('@test.example'):
            self.c.line('550 5.1.1 <%s>: Recipient address rejected: User unknown in virtual '
                        'mailbox table' % address)
        else:
            self.recipient = address
            self.c.line('250 2.1.5 Ok')

    def auth(self, line):
        words = line.split(b' ')
        mechanism = words[1].upper().decode('latin-1') if len(words) > 1 else ''
        initial = words[2] if len(words) > 2 else None
        if self.user is not None:
            return self.c.line('503 5.5.1 Error: already authenticated')
        given = sasl(self, mechanism, initial, lambda text: self.c.line(b'334 ' + text))
        if given == 'mechanism':
            return self.c.line('535 5.7.8 Error: authentication failed: '
                               'Invalid authentication mechanism')
        if given == 'aborted':
            return self.c.line('501 5.7.0 Authentication aborted')
        if given == 'syntax':
            return self.c.line('535 5.7.8 Error: authentication failed: '
                               'Invalid base64 data in initial response')
        refusal = self.login(*given, mechanism)
        if refusal is None:
            self.user = given[0]
            return self.c.line('235 2.7.0 Authentication successful')
        self.c.send(''.join(part + '\r\n' for part in refusal.split('\n')))
        if refusal.startswith('421'):
            self.is_over = True
            self.c.close()


def sasl(session, mechanism, initial, ask):
    """
    The exchange of PLAIN, LOGIN, CRAM-MD5 or SCRAM: (user, secret) where secret is bytes, or for
    the last two a function that says whether a password made that digest; else 'mechanism',
    'aborted', 'syntax'. ask sends a challenge that is base64 already.
    """
    def reply(challenge):
        ask(challenge)
        return session.c.read_line()

    if mechanism == 'PLAIN':
        text = initial if initial is not None else reply(b'')
        if text == b'*':
            return 'aborted'
        parts = (_decode64(b'' if text == b'=' else text) or b'').split(b'\0')
        return (parts[1], parts[2]) if len(parts) == 3 else 'syntax'
    if mechanism == 'LOGIN':
        user = initial if initial is not None else reply(b'VXNlcm5hbWU6')
        if user == b'*':
            return 'aborted'
        secret = reply(b'UGFzc3dvcmQ6')
        if secret == b'*':
            return 'aborted'
        given = (_decode64(user), _decode64(secret))
        return 'syntax' if None in given else given
    if mechanism == 'CRAM-MD5' and session.cram:
        challenge = b'<%d.%d@%s>' % (random.getrandbits(32), int(time.time()), NAME.encode())
        text = reply(base64.b64encode(challenge))
        if text == b'*':
            return 'aborted'
        user, _, digest = (_decode64(text) or b'').rpartition(b' ')
        if not user:
            return 'syntax'
        return user, lambda password: hmac.compare_digest(
            hmac.new(password, challenge, hashlib.md5).hexdigest().encode(), digest)
    if mechanism in SCRAM_HASHES and session.scram:
        return session.scram.serve(SCRAM_HASHES[mechanism], initial, reply)
    return 'mechanism'


SCRAM_HASHES = {'SCRAM-SHA-1': 'sha1', 'SCRAM-SHA-256': 'sha256'}


class Scram:
    """
    How SCRAM is served (RFC 5802). Options:
      rounds  how many the server asks for
      first   what is sent instead of the server's first message: a function of (ours, theirs)
      last    what is sent instead of the server's proof: bytes, or None: none is sent
    A user has one salt for ever. Passwords are prepared by NFKC alone.
    """
    PROOF = object()

    def __init__(self, rounds=4096, first=None, last=PROOF):
        self.rounds = rounds
        self.first = first
        self.last = last
        self.proofs = 0               # how many clients sent one

    def serve(self, name, initial, reply):
        text = initial if initial is not None else reply(b'')
        plain = _decode64(text) or b''
        bare = plain[3:]
        found = re.fullmatch(rb'n,,n=([^,]*),r=([^,]+)', plain)
        if found is None:
            return 'aborted' if text == b'*' else 'syntax'
        user = found.group(1).replace(b'=2C', b',').replace(b'=3D', b'=')
        salt = hashlib.sha256(user).digest()[:16]
        first = b'r=%s%s,s=%s,i=%d' % (found.group(2), b'%016x' % random.getrandbits(64),
                                       base64.b64encode(salt), self.rounds)
        if self.first is not None:
            first = self.first(first, found.group(2))
        text = reply(base64.b64encode(first))
        if text == b'*':
            return 'aborted'
        final, _, proof = (_decode64(text) or b'').rpartition(b',p=')
        self.proofs += 1
        signed = b','.join((bare, first, final))
        return user, lambda password: self.judge(name, salt, password, signed, _decode64(proof),
                                                 reply)

    def judge(self, name, salt, password, signed, proof, reply):
        password = unicodedata.normalize('NFKC', password.decode('utf-8')).encode('utf-8')
        salted = hashlib.pbkdf2_hmac(name, password, salt, self.rounds)
        key = hmac.digest(salted, b'Client Key', name)
        sign = hmac.digest(hashlib.new(name, key).digest(), signed, name)
        if proof != bytes(a ^ b for a, b in zip(key, sign)):
            return False
        last = self.last
        if last is self.PROOF:
            last = b'v=' + base64.b64encode(
                hmac.digest(hmac.digest(salted, b'Server Key', name), signed, name))
        if last is not None:
            reply(base64.b64encode(last))
        return True


FOLDER_FLAGS = ('Sent', 'Drafts', 'Junk', 'Trash', 'Archive')


class ImapSession(Session):
    """An IMAP server worded like Dovecot."""
    side = 'imap'

    def __init__(self, conversation, **options):
        super().__init__(conversation, **options)
        self.folder = None
        self.arguments = []
        self.has_asked_capability = False

    # a command is read whole, literals included

    def next_line(self):
        line = self.c.read_line()
        whole = line
        parts = [line]
        while True:
            literal = re.search(rb'\{(\d+)(\+?)\}$', parts[-1])
            if literal is None:
                break
            if not literal.group(2):
                self.c.line('+ OK')
            data = self.c.read_bytes(int(literal.group(1)))
            rest = self.c.read_line()
            parts[-1] = parts[-1][:literal.start()]
            parts += [data, rest]
            whole += b'\r\n' + data + rest
        self.arguments = []
        for index, part in enumerate(parts):
            if index % 2:
                self.arguments.append(part)
            else:
                self.arguments += [re.sub(rb'\\(.)', rb'\1', quoted) if quoted or not atom
                                   else atom for quoted, atom in
                                   re.findall(rb'"((?:\\.|[^"\\])*)"|([^ "]+)', part)]
        self.tag = self.arguments.pop(0) if self.arguments else b'*'
        self.command = self.arguments.pop(0).upper().decode('latin-1') if self.arguments else ''
        return whole

    def verb(self, line):
        return self.command[:16] or '(empty)'

    def capabilities(self):
        words = ['IMAP4rev1', 'SASL-IR', 'LOGIN-REFERRALS', 'ID', 'ENABLE', 'IDLE']
        if self.user is not None:
            words += ['SORT', 'THREAD=REFERENCES', 'UNSELECT', 'CHILDREN', 'NAMESPACE', 'UIDPLUS',
                      'LIST-EXTENDED', 'LITERAL+', 'MOVE', 'SPECIAL-USE']
        elif self.mode == 'starttls' and not self.is_tls():
            words += ['LITERAL+', 'STARTTLS', 'LOGINDISABLED']
        else:
            words += ['LITERAL+'] + ['AUTH=' + name for name in self.mechanisms()]
        words = self.words(self, words) if self.words else words
        return ' '.join(words)

    def greet(self):
        self.c.line('* OK [CAPABILITY %s] Dovecot (Debian) ready.' % self.capabilities())

    def tagged(self, text):
        self.c.line(self.tag + b' ' + text.encode('utf-8'))

    def done(self, word):
        self.tagged('OK %s completed (0.001 + 0.000 secs).' % word)

    def answer(self, verb, line):
        c = self.c
        if verb == 'CAPABILITY':
            self.has_asked_capability = True
            c.line('* CAPABILITY ' + self.capabilities())
            self.done('Capability' if self.user else 'Pre-login capabilities listed, post-login '
                      'capabilities have more; this has')
        elif verb == 'NOOP':
            self.done('NOOP')
        elif verb == 'LOGOUT':
            c.send(b'* BYE Logging out\r\n' + self.tag + b' OK Logout completed '
                   b'(0.001 + 0.000 secs).\r\n')
            self.is_over = True
            c.close()
        elif verb == 'ID':
            c.line('* ID ("name" "Dovecot")')
            self.done('ID')
        elif verb == 'STARTTLS' and self.mode == 'starttls' and not self.is_tls():
            self.tagged('OK Begin TLS negotiation now.')
            self.has_asked_capability = False
            self.start_tls()
        elif verb == 'STARTTLS':
            self.tagged('BAD TLS is already active.')
        elif verb in ('LOGIN', 'AUTHENTICATE') and self.user is not None:
            self.tagged('BAD Error in IMAP command %s: Unknown command.' % verb)
        elif verb in ('LOGIN', 'AUTHENTICATE') and self.mode == 'starttls' and not self.is_tls():
            c.line('* BAD [ALERT] Plaintext authentication not allowed without SSL/TLS, but your '
                   'client did it anyway. If anyone was listening, the password was exposed.')
            self.tagged('NO [PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure '
                        '(SSL/TLS) connections.')
        elif verb == 'LOGIN':
            if len(self.arguments) != 2:
                self.tagged('BAD Error in IMAP command received by server.')
            else:
                self.judged((self.arguments[0], self.arguments[1]), 'LOGIN command')
        elif verb == 'AUTHENTICATE':
            self.authenticate()
        elif self.user is None:
            self.tagged('BAD Error in IMAP command received by server.')
        elif verb in ('EXAMINE', 'SELECT'):
            self.open_folder(verb)
        elif verb in ('LIST', 'LSUB'):
            self.list_folders(verb)
        elif verb in ('CLOSE', 'UNSELECT', 'ENABLE'):
            self.folder = None if verb != 'ENABLE' else self.folder
            self.done(verb.capitalize())
        elif verb == 'IDLE':
            c.line('+ idling')
            c.read_line()
            self.done('Idle')
        elif verb == 'STATUS':
            c.line(b'* STATUS %s (MESSAGES 0 UNSEEN 0)' % (self.arguments or [b'INBOX'])[0])
            self.done('Status')
        elif verb == 'FETCH' and self.mail():
            message = self.mail()[-1]
            c.line('* %d FETCH (UID %d INTERNALDATE "%s")' % (
                len(self.mail()), message.uid, message.date))
            self.done('Fetch')
        elif verb == 'FETCH':
            self.tagged('BAD Error in IMAP command FETCH: Invalid messageset')
        elif verb == 'UID' and self.arguments:
            self.by_uid(self.arguments[0].upper(), self.arguments[1:])
        elif verb in ('SEARCH', 'STORE', 'EXPUNGE', 'APPEND'):
            self.done(verb.capitalize())
        else:
            self.tagged('BAD Error in IMAP command %s: Unknown command.' % verb)

    def mail(self):
        account = self.host.find(self.user)
        return [message for message in account.mail if message.folder == self.folder]

    def by_uid(self, word, rest):
        account = self.host.find(self.user)
        if word == b'SEARCH' and rest[:2] == [b'HEADER', b'Message-ID']:
            found = [str(message.uid) for message in self.mail() if rest[2] in message.text]
            self.c.line(' '.join(['* SEARCH'] + found))
        elif word == b'STORE':
            for message in self.mail():
                message.is_deleted |= message.uid == int(rest[0]) and not self.is_read_only
        elif word == b'EXPUNGE':
            account.mail = [message for message in account.mail
                            if not (message.is_deleted and message.uid == int(rest[0]))]
        self.done(word.decode('latin-1').capitalize())

    def authenticate(self):
        mechanism = (self.arguments or [b''])[0].upper().decode('latin-1')
        initial = self.arguments[1] if len(self.arguments) > 1 else None
        given = sasl(self, mechanism, initial, lambda text: self.c.line(b'+ ' + text))
        if given == 'mechanism':
            self.tagged('NO [ALERT] Unsupported authentication mechanism.')
        elif given == 'aborted':
            self.tagged('BAD Authentication aborted by client.')
        elif given == 'syntax':
            self.tagged('BAD Invalid base64 data in initial response')
        else:
            self.judged(given, mechanism)

    def judged(self, given, mechanism):
        refusal = self.login(*given, mechanism)
        if refusal is None:
            self.user = given[0]
            code = '' if self.has_asked_capability else '[CAPABILITY %s] ' % self.capabilities()
            if code:
                return self.tagged('OK %sLogged in' % code)
            self.c.send('* CAPABILITY %s\r\n%s OK Logged in\r\n' % (
                self.capabilities(), self.tag.decode('latin-1')))
            return None
        for part in refusal.split('\n'):
            if part.startswith('* '):
                self.c.line(part)
                if part.upper().startswith('* BYE'):
                    self.is_over = True
            else:
                self.tagged(part)
        if self.is_over:
            self.c.close()
        return None

    def open_folder(self, verb):
        name = (self.arguments or [b''])[0]
        account = self.host.find(self.user)
        known = account.folders if account else ['INBOX']
        text = name.decode('utf-8', 'replace')
        if not name:
            return self.tagged('NO [CANNOT] Invalid mailbox name: Name is empty '
                               '(0.001 + 0.000 secs).')
        if text not in known and not (text.upper() == 'INBOX' and 'INBOX' in known):
            return self.tagged("NO Mailbox doesn't exist: %s (0.001 + 0.000 secs)." % text)
        self.folder = text
        is_read_only = self.is_read_only = verb == 'EXAMINE'
        lines = ['* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)',
                 '* OK [PERMANENTFLAGS ()] Read-only mailbox.' if is_read_only else
                 '* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] '
                 'Flags permitted.',
                 '* %d EXISTS' % len(self.mail()), '* 0 RECENT', '* OK [UIDVALIDITY 1795545438] UIDs valid',
                 '* OK [UIDNEXT 1] Predicted next UID',
                 '%s OK [%s] %s completed (0.001 + 0.000 secs).' % (
                     self.tag.decode('latin-1'), 'READ-ONLY' if is_read_only else 'READ-WRITE',
                     verb.capitalize())]
        self.c.send(''.join(line + '\r\n' for line in lines))
        return None

    def list_folders(self, verb):
        account = self.host.find(self.user)
        for folder in account.folders if account else ['INBOX']:
            flags = '\\HasNoChildren' + (' \\' + folder if folder in FOLDER_FLAGS else '')
            self.c.line('* %s (%s) "/" "%s"' % (verb, flags, folder))
        self.done(verb.capitalize())


# --- a port ---------------------------------------------------------------------------------------

_ports_lock = threading.Lock()


def _reserve(address, port=None):
    """A socket that holds a port while nothing listens there: connections are refused."""
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    with _ports_lock:
        for _ in range(200):
            number = port or random.SystemRandom().randrange(*PORTS)
            if port is None:
                with socket.socket(family) as probe:  # without REUSEADDR: is it anybody's?
                    try:
                        probe.bind((address, number))
                    except OSError:
                        continue
            held = socket.socket(family)
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                held.bind((address, number))
                return held
            except OSError:
                held.close()
                if port is not None:
                    raise
    raise RuntimeError('no free port at ' + address)


class Listener:
    """One port: side, mode, certificate, and the function that serves each connection."""

    def __init__(self, host, serve, side, mode, address='127.0.0.1', port=None, cert=None,
                 context=None):
        self.host = host
        self.serve = serve
        self.side = side
        self.mode = mode
        self.address = address
        self.own_cert = cert
        self.own_context = context
        self.conversations = []
        self._lock = threading.Lock()
        self._held = _reserve(address, port)
        self.port = self._held.getsockname()[1]
        self._listening = None
        self._thread = None

    @property
    def cert(self):
        return self.own_cert or self.host.cert_of(self.side)

    def open(self):
        """Listens (again, on the same port)."""
        if self._listening is not None:
            return
        family = socket.AF_INET6 if ':' in self.address else socket.AF_INET
        listening = socket.socket(family)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((self.address, self.port))
        listening.listen(1024)
        self._listening = listening
        self._thread = threading.Thread(target=self._accept, args=(listening,), daemon=True,
                                        name='accept %d' % self.port)
        self._thread.start()

    def close(self):
        """Connections are refused from now on; those that stand go on."""
        listening, self._listening = self._listening, None
        if listening is not None:
            try:
                listening.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            listening.close()
            self._thread.join(5)

    def end(self):
        self.close()
        self._held.close()
        for conversation in self.all():
            conversation.cut()

    def _accept(self, listening):
        while True:
            try:
                sock, _ = listening.accept()
            except OSError:
                if self._listening is not listening:
                    return
                time.sleep(0.01)
                continue
            with self._lock:
                conversation = Conversation(sock, self, len(self.conversations) + 1)
                self.conversations.append(conversation)
            self.host.note_connection(self.side)
            threading.Thread(target=self._converse, args=(conversation,), daemon=True,
                             name='%s %d #%d' % (self.side, self.port, conversation.number)).start()

    def _converse(self, conversation):
        try:
            if self.mode == 'tls' and not conversation.start_tls(context=self.own_context):
                return
            self.serve(conversation)
        except Ended:
            pass
        except Mismatch as mismatch:
            conversation.fault = str(mismatch)
        except Exception:  # a fault of the script is the test's to see
            conversation.fault = traceback.format_exc()
        finally:
            if conversation.end is None or not conversation._gone:
                conversation.close()

    # what tests ask

    def all(self):
        with self._lock:
            return list(self.conversations)

    def faults(self):
        return [c.fault for c in self.all() if c.fault]

    def saw(self, piece):
        """True when any client sent these bytes (under TLS or not)."""
        return any(piece in c.received for c in self.all())

    def received(self):
        return b'\n'.join(bytes(c.received) for c in self.all())

    def holds_secret(self, secrets):
        """The first of the secrets that any client sent here, plain or as base64, else None."""
        return holds_secret(b'\n'.join(c.everything() for c in self.all()), secrets)

    def wait(self, condition, seconds=30):
        """Waits until condition(self) holds; gives whether it does."""
        deadline = time.monotonic() + seconds
        while not condition(self):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def wait_connections(self, count, seconds=30):
        return self.wait(lambda self: len(self.all()) >= count, seconds)

    def wait_idle(self, seconds=30):
        """Waits until no connection stands here any more."""
        return self.wait(lambda self: all(c.ended for c in self.all()), seconds)

    def settings(self, **more):
        """An endpoint's settings for this port."""
        settings = {'host': self.address, 'port': self.port,
                    'security': 'none' if self.mode == 'clear' else self.mode}
        settings.update(more)
        return settings


# --- the host -------------------------------------------------------------------------------------

class Message:
    def __init__(self, uid, folder, text, date='24-Nov-2026 09:30:00 +0000'):
        self.uid = uid
        self.folder = folder
        self.text = text
        self.date = date
        self.is_deleted = False


class Account:
    def __init__(self, address, password, folders=('INBOX', 'Sent', 'Drafts')):
        self.address = address
        self.password = password
        self.folders = list(folders)
        self.mail = []                # Message
        self.deliver_to = 'INBOX'     # the folder that mail for it goes to; None: nowhere
        self.refusal = {'smtp': None, 'imap': None}  # instead of any judgement


DISABLED = {  # a real provider's words (replies.jsonl r0253, r0237)
    'smtp': '535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the '
            'Mailbox. Visit https://aka.ms/smtp_auth_disabled for more information.',
    'imap': 'NO [ALERT] You are yet to enable IMAP for your account. Please contact your '
            'administrator (Failure)',
}
REFUSED = {
    'smtp': '535 5.7.8 Error: authentication failed: (reason unavailable)',
    'imap': 'NO [AUTHENTICATIONFAILED] Authentication failed.',
}


def _is_deferral(reply):
    return bool(re.match(r'4\d\d|NO \[(UNAVAILABLE|LIMIT|INUSE)\]|\* BYE', reply))


class Host:
    """
    Accounts and ports. As a context manager, or start() and stop(). folder: where certificates go
    (tls below it) unless certificates names a folder that has them.
    """

    def __init__(self, folder=None, accounts=None, address='127.0.0.1', certificates=None,
                 cert='good', cram=False, base_port=None):
        if certificates is None:
            certificates = certs.make(os.path.join(folder, 'tls'))
        self.folder = folder
        self.certificates = certificates
        self.ca_file = os.path.join(certificates, 'ca.pem')
        self.address = address
        self.cram = cram
        self.stopping = threading.Event()
        self.accounts = {}
        self.listeners = {}           # (side, mode) -> Listener: the normal ones
        self.scripts = []
        self.logins = []              # {time, side, account, outcome, mechanism}
        self._base_port = base_port
        self._cert = {side: cert for side in SIDES}
        self._hung = {}               # (side, stage or None) -> Event, set when freed
        self._contexts = {}
        self._connections = {side: 0 for side in SIDES}
        self._commands = {side: {} for side in SIDES}
        self._lock = threading.RLock()
        for name, password in (accounts or {}).items():
            self.add(name, password)

    OFFSETS = {('smtp', 'tls'): 65, ('smtp', 'starttls'): 87, ('smtp', 'clear'): 25,
               ('imap', 'tls'): 93, ('imap', 'starttls'): 43, ('imap', 'clear'): 44}

    def start(self):
        serve = {'smtp': lambda c: c.smtp().run(), 'imap': lambda c: c.imap().run()}
        for (side, mode), offset in self.OFFSETS.items():
            port = self._base_port + offset if self._base_port else None
            listener = Listener(self, serve[side], side, mode, self.address, port)
            self.listeners[side, mode] = listener
            listener.open()
        return self

    def stop(self):
        self.stopping.set()
        for listener in list(self.listeners.values()) + self.scripts:
            listener.end()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def context(self, cert='good', minimum=None, maximum=None, wants_client=False):
        """The TLS side of a certificate; minimum, maximum: ssl.TLSVersion members."""
        key = (cert, minimum, maximum, wants_client)
        with self._lock:
            if key not in self._contexts:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                is_old = maximum is not None and maximum < ssl.TLSVersion.TLSv1_2
                if is_old or cert.startswith('weak'):
                    context.set_ciphers('ALL:@SECLEVEL=0')
                context.minimum_version = minimum or (
                    ssl.TLSVersion.TLSv1 if is_old else ssl.TLSVersion.TLSv1_2)
                if maximum is not None:
                    context.maximum_version = maximum
                if wants_client:
                    context.verify_mode = ssl.CERT_REQUIRED
                    context.load_verify_locations(self.ca_file)
                context.load_cert_chain(os.path.join(self.certificates, cert + '.pem'),
                                        os.path.join(self.certificates, cert + '.key'))
                self._contexts[key] = context
            return self._contexts[key]

    def script(self, serve, side='smtp', mode='tls', cert=None, address=None, context=None,
               port=None):
        """A port of its own, served by a function of one Conversation; gives its Listener."""
        listener = Listener(self, serve, side, mode, address or self.address, port, cert, context)
        self.scripts.append(listener)
        listener.open()
        return listener

    def answering(self, side, mode='tls', cert=None, address=None, **options):
        """A port with the normal dialogue under other options (answers, words, cram, scram)."""
        session = SmtpSession if side == 'smtp' else ImapSession
        return self.script(lambda c: session(c, **options).run(), side, mode, cert, address)

    # accounts and switches

    def add(self, address, password, folders=None):
        with self._lock:
            account = Account(address, password)
            if folders is not None:
                account.folders = list(folders)
            self.accounts[address.lower()] = account
            return account

    def find(self, name):
        if isinstance(name, bytes):
            name = name.decode('utf-8', 'replace')
        with self._lock:
            return self.accounts.get(name.lower()) if name else None

    def deliver(self, address, text):
        """A message for an account, into the folder that it says; the message, or None."""
        account = self.find(address)
        if account is None or account.deliver_to is None:
            return None
        with self._lock:
            uid = max([message.uid for message in account.mail], default=6) + 1
            account.mail.append(Message(uid, account.deliver_to, text))
            return account.mail[-1]

    def _of(self, address):
        account = self.find(address)
        if account is None:
            raise ValueError('no account ' + address)
        return account

    def password(self, address, secret):
        self._of(address).password = secret

    def fail(self, side, address, reply):
        """Each login of the account at that side gets this reply, whatever its secret."""
        self._of(address).refusal[side] = reply

    def disable(self, side, address):
        """Switched off for this account, in a real provider's words."""
        self.fail(side, address, DISABLED[side])

    def heal(self, side, address):
        self.fail(side, address, None)

    def off(self, side, cut=False):
        """The side's ports refuse connections; with cut, sessions that stand are cut too."""
        for (of, _), listener in self.listeners.items():
            if of == side:
                listener.close()
                for conversation in listener.all() if cut else ():
                    conversation.cut()

    def on(self, side):
        for (of, _), listener in self.listeners.items():
            if of == side:
                listener.open()

    def hang(self, side, stage=None):
        """Sessions of that side stop answering: all of them at any stage, or those at one stage
        ('greeting', or a command in lower case) until free()."""
        with self._lock:
            self._hung.setdefault((side, stage), threading.Event())

    def free(self, side):
        with self._lock:
            for key in [key for key in self._hung if key[0] == side]:
                self._hung.pop(key).set()

    def cert(self, name, side=None):
        """The certificate that is shown from now on."""
        if name not in certs.NAMES:
            raise ValueError('no certificate %s; there are %s' % (name, ', '.join(certs.NAMES)))
        for of in SIDES if side is None else (side,):
            self._cert[of] = name

    def cert_of(self, side):
        return self._cert[side]

    # what sessions ask

    def wait_unless_hung(self, session, stage):
        while True:
            with self._lock:
                event = self._hung.get((session.side, None)) or self._hung.get(
                    (session.side, stage))
            if event is None:
                return
            while not event.wait(0.05):
                if self.stopping.is_set() or session.c.is_abandoned():
                    session.c._finish('client')
                    raise Ended('gone while hung')

    def judge(self, side, user, secret, mechanism):
        account = self.find(user)
        if account is not None and account.refusal[side] is not None:
            reply = account.refusal[side]
        elif account is None:
            reply = REFUSED[side]
        else:
            password = account.password.encode('utf-8') if isinstance(account.password, str) \
                else account.password
            is_good = secret(password) if callable(secret) else hmac.compare_digest(secret,
                                                                                    password)
            reply = None if is_good else REFUSED[side]
        outcome = 'accepted' if reply is None else 'deferred' if _is_deferral(reply) else 'refused'
        name = user.decode('utf-8', 'replace') if isinstance(user, bytes) else user
        with self._lock:
            self.logins.append({'time': time.time(), 'side': side, 'account': name.lower(),
                                'outcome': outcome, 'mechanism': mechanism})
        return reply

    def note_connection(self, side):
        with self._lock:
            self._connections[side] += 1

    def note_command(self, side, verb):
        with self._lock:
            seen = self._commands[side]
            if len(seen) < 200 or verb in seen:
                seen[verb] = seen.get(verb, 0) + 1

    # what tests ask

    def count(self):
        """{connections, commands, logins: {account: {side: {accepted, refused, times, ...}}}}"""
        with self._lock:
            logins = {}
            for login in self.logins:
                at = logins.setdefault(login['account'], {}).setdefault(
                    login['side'], {'accepted': 0, 'refused': 0, 'deferred': 0, 'times': []})
                at[login['outcome']] += 1
                at['times'].append([round(login['time'], 3), login['outcome']])
            return {'connections': dict(self._connections),
                    'commands': {side: dict(self._commands[side]) for side in SIDES},
                    'logins': logins}

    def refused(self, address=None, side=None):
        """How many logins were refused, of one account and side or of all."""
        return self._logins('refused', address, side)

    def accepted(self, address=None, side=None):
        return self._logins('accepted', address, side)

    def _logins(self, outcome, address, side):
        with self._lock:
            return sum(1 for login in self.logins if login['outcome'] == outcome
                       and (address is None or login['account'] == address.lower())
                       and (side is None or login['side'] == side))

    def commands(self, side, verb):
        with self._lock:
            return self._commands[side].get(verb, 0)

    def connections(self, side):
        with self._lock:
            return self._connections[side]

    def ports(self):
        return {side: {mode: self.listeners[side, mode].port for mode in MODES} for side in SIDES}

    def endpoint(self, side, mode='tls', **more):
        """An endpoint's settings for the normal port of that side and mode."""
        return self.listeners[side, mode].settings(**more)

    def faults(self):
        return [fault for listener in list(self.listeners.values()) + self.scripts
                for fault in listener.faults()]


# --- control while it runs ------------------------------------------------------------------------

CONTROL_HELP = '''\
imap|smtp off [cut]|on          its ports refuse connections; the same ports again
password ADDRESS NEW            from now on
account ADDRESS PASSWORD [FOLDER...]
fail smtp|imap ADDRESS REPLY    each login there gets this reply ("535 ..." or "NO [...] ...")
disable smtp|imap ADDRESS       the same, in a real provider's words
heal smtp|imap ADDRESS          ends fail and disable
folder ADDRESS NAME on|off      a folder comes or goes
hang smtp|imap [STAGE]          no answer (greeting, ehlo, auth, login, ...) until: free smtp|imap
cert NAME [smtp|imap]           the certificate shown from now on
count, ports, help, quit'''


class Control:
    """The UNIX socket: one command a line, one line of answer: ok, JSON, or `error: ...`."""

    def __init__(self, host, path, on_quit):
        self.host = host
        self.path = path
        self.on_quit = on_quit
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        self._listening = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)
        try:
            self._listening.bind(path)
        finally:
            os.umask(before)
        self._listening.listen(16)
        threading.Thread(target=self._accept, daemon=True, name='control').start()

    def end(self):
        try:
            self._listening.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listening.close()
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass

    def _accept(self):
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            with client, client.makefile('rw', encoding='utf-8', newline='\n') as lines:
                for line in lines:
                    try:
                        answer = self.command(shlex.split(line))
                    except (ValueError, KeyError, IndexError, OSError) as error:
                        answer = 'error: %s' % error
                    lines.write(answer + '\n')
                    lines.flush()
                    if line.strip() == 'quit':
                        self.on_quit()
        except OSError:
            pass

    def command(self, words):
        """Does one command; gives the answer's line. Raises ValueError."""
        host = self.host
        if not words:
            return 'ok'
        verb, rest = words[0], words[1:]
        if verb in SIDES and rest and rest[0] == 'off':
            host.off(verb, cut=rest[1:] == ['cut'])
        elif verb in SIDES and rest == ['on']:
            host.on(verb)
        elif verb == 'password' and len(rest) == 2:
            host.password(*rest)
        elif verb == 'account' and len(rest) >= 2:
            host.add(rest[0], rest[1], ['INBOX'] + rest[2:] if rest[2:] else None)
        elif verb == 'fail' and len(rest) >= 3 and rest[0] in SIDES:
            host.fail(rest[0], rest[1], ' '.join(rest[2:]))
        elif verb == 'disable' and len(rest) == 2 and rest[0] in SIDES:
            host.disable(*rest)
        elif verb == 'heal' and len(rest) == 2 and rest[0] in SIDES:
            host.heal(*rest)
        elif verb == 'folder' and len(rest) == 3 and rest[2] in ('on', 'off'):
            folders = host._of(rest[0]).folders
            if rest[2] == 'on' and rest[1] not in folders:
                folders.append(rest[1])
            elif rest[2] == 'off' and rest[1] in folders:
                folders.remove(rest[1])
        elif verb == 'hang' and rest and rest[0] in SIDES and len(rest) <= 2:
            host.hang(*rest)
        elif verb == 'free' and len(rest) == 1 and rest[0] in SIDES:
            host.free(rest[0])
        elif verb == 'cert' and rest and len(rest) <= 2:
            host.cert(*rest)
        elif verb == 'count' and not rest:
            return json.dumps(host.count())
        elif verb == 'ports' and not rest:
            return json.dumps(host.ports())
        elif verb == 'help':
            return json.dumps(CONTROL_HELP.split('\n'))
        elif verb != 'quit' or rest:
            raise ValueError('not understood; `help` lists the commands')
        return 'ok'


def ask(path, *words, timeout=10):
    """The client of Control: sends a command, gives its answer. Raises OSError, ValueError."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(timeout)
        client.connect(path)
        client.sendall((' '.join(shlex.quote(word) for word in words) + '\n').encode('utf-8'))
        answer = b''
        while not answer.endswith(b'\n'):
            piece = client.recv(65536)
            if not piece:
                break
            answer += piece
    text = answer.decode('utf-8').rstrip('\n')
    if text.startswith('error: '):
        raise ValueError(text[7:])
    return text


# --- as a command ---------------------------------------------------------------------------------

def parse_arguments(arguments):
    parser = argparse.ArgumentParser(
        prog='mailhost.py', formatter_class=argparse.RawDescriptionHelpFormatter,
        description='A mail host for tests and trials, on loopback. Prints one JSON line when it '
        'is ready; runs until TERM, INT, `quit` or the end of its parent.',
        epilog='Control: mailhost.py --dir D --ask COMMAND..., or lines to D/control.sock:\n\n'
        + CONTROL_HELP)
    parser.add_argument('--dir', required=True, help='its folder: control.sock, tls/')
    parser.add_argument('--account', action='append', default=[], metavar='ADDRESS=PASSWORD')
    parser.add_argument('--folder', action='append', default=[], metavar='ADDRESS=NAME',
                        help='one more folder of an account')
    parser.add_argument('--address', default='127.0.0.1', help='where to listen (127.0.0.1)')
    parser.add_argument('--base-port', type=int, metavar='P', help='P+65 smtps, P+87 submission, '
                        'P+25 smtp in clear; P+93 imaps, P+43 imap, P+44 imap in clear; else any')
    parser.add_argument('--tls-dir', metavar='DIR', help='certificates, made there if missing; '
                        'they stay. Else D/tls, which goes away at the end')
    parser.add_argument('--cram-md5', action='store_true', help='offer it too')
    parser.add_argument('--stay', action='store_true', help='outlive the parent')
    parser.add_argument('--ask', nargs=argparse.REMAINDER, metavar='COMMAND',
                        help='send one control command to the host that runs in D')
    return parser.parse_args(arguments)


def watch_parent(parent, quitting):
    """Polled, not PR_SET_PDEATHSIG: that one fires when the thread that forked us ends."""
    while not quitting.wait(0.3):
        if os.getppid() != parent:
            quitting.set()


def main(arguments=None):
    options = parse_arguments(arguments)
    folder = os.path.abspath(options.dir)
    control_path = os.path.join(folder, 'control.sock')
    if options.ask is not None:
        try:
            print(ask(control_path, *options.ask))
            return 0
        except (OSError, ValueError) as error:
            print('mailhost.py: %s' % error, file=sys.stderr)
            return 1
    quitting = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: quitting.set())
    parent = os.getppid()
    if not options.stay:
        threading.Thread(target=watch_parent, args=(parent, quitting), daemon=True).start()
    made_folder = not os.path.isdir(folder)
    os.makedirs(folder, exist_ok=True)
    threading.stack_size(512 << 10)  # a thread a connection: five hundred of them are cheap
    host = control = None
    try:
        tls = certs.make(options.tls_dir or os.path.join(folder, 'tls'))
        host = Host(folder, address=options.address, certificates=tls, cram=options.cram_md5,
                    base_port=options.base_port)
        for account in options.account:
            address, separator, password = account.partition('=')
            if not separator:
                raise ValueError('--account ADDRESS=PASSWORD, not ' + account)
            host.add(address, password)
        for more in options.folder:
            address, _, name = more.partition('=')
            host._of(address).folders.append(name)
        host.start()
        control = Control(host, control_path, quitting.set)
        print(json.dumps({'ready': True, 'pid': os.getpid(), 'address': options.address,
                          'smtp': host.ports()['smtp'], 'imap': host.ports()['imap'],
                          'ca_file': host.ca_file, 'control': control_path, 'dir': folder,
                          'accounts': sorted(host.accounts)}), flush=True)
        while not quitting.wait(1.0):
            pass
    except (OSError, ValueError, RuntimeError) as error:
        print('mailhost.py: %s' % error, file=sys.stderr)
        return 1
    finally:
        if control is not None:
            control.end()
        if host is not None:
            host.stop()
        if options.tls_dir is None:
            shutil.rmtree(os.path.join(folder, 'tls'), ignore_errors=True)
            try:
                os.unlink(os.path.join(folder, 'tls.lock'))
            except FileNotFoundError:
                pass
        if made_folder:
            try:
                os.rmdir(folder)
            except OSError:
                pass
    return 0


if __name__ == '__main__':
    sys.exit(main())
