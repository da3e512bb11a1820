#!/usr/bin/python3
"""
test_dialogue.py: hostile.md 2, H2-01 to H2-12 over real sockets. Each title carries its case; times
are scaled where the title says so. Not here: the transcripts of tests/dialogue, which try every
split of the bytes without a socket.
"""

import os
import random
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))
from harness import SLOW, main, test  # noqa: E402

GREETING = {'smtp': '220 mx.test.example ESMTP', 'imap': '* OK ready'}


def session_of(c, **options):
    return c.smtp(**options) if c.listener.side == 'smtp' else c.imap(**options)


def rewritten(rewrite, **options):
    """Serves a normal session whose every send() is rewritten."""
    def serve(c):
        c.rewrite = rewrite
        session_of(c, **options).run()
    return serve


def sent_no_secret(t, *ports):
    for port in ports:
        assert port.holds_secret(t.secret('ann')) is None, port.received()


@test('H2-01: good sessions, a byte at a time and whole replies at once: ok/done, same verdict')
def h2_01(t):
    host = t.host('ann')

    def bytewise(c):
        c.dribble = 1
        session_of(c).run()
    ports = {}
    for side in ('smtp', 'imap'):
        for mode in ('tls', 'starttls'):
            ports['%s-%s-bytes' % (side, mode)] = t.script(host, bytewise, side, mode)
            ports['%s-%s-whole' % (side, mode)] = t.answering(host, side, mode)
    daemon = t.watch(host, ports)
    found = daemon.expect({name: 'ok/done' for name in ports})
    for side in ('smtp', 'imap'):
        for mode in ('tls', 'starttls'):
            one, two = (found['%s-%s-%s' % (side, mode, how)] for how in ('bytes', 'whole'))
            for member in ('capabilities', 'detail', 'notes', 'transient'):
                assert one[member] == two[member], (member, one, two)


@test('H2-02: LF, CR CR LF, empty lines before the greeting, a lone CR: ok/done with a note')
def h2_02(t):
    host = t.host('ann')

    def empty_lines(c):
        c.send(b'\r\n\r\n')
        session_of(c).run()
    ports = {}
    for side in ('smtp', 'imap'):
        ports[side + '-lf'] = t.script(
            host, rewritten(lambda data: data.replace(b'\r\n', b'\n')), side)
        ports[side + '-crcrlf'] = t.script(
            host, rewritten(lambda data: data.replace(b'\r\n', b'\r\r\n')), side)
        ports[side + '-empty'] = t.script(host, empty_lines, side)
        ports[side + '-cr'] = t.answering(host, side, answers={
            'GREETING': GREETING[side] + ' a\rb'})
    daemon = t.watch(host, ports)
    found = daemon.expect({name: 'ok/done' for name in ports})
    for name, verdict in found.items():
        assert verdict['notes'], (name, verdict)


@test('H2-03: NUL in texts cuts nothing; where OK stands it is protocol_error/capability')
def h2_03(t):
    host = t.host('ann')

    def failing_later(text):  # the greeting with its NUL, then a failure that shows replies
        return {'GREETING': text, 'NOOP': '<tag> NO a\0b' if text[0] == '*' else '450 4.0.0 a\0b'}
    smtp = t.answering(host, 'smtp', answers=failing_later('220 a\0b ESMTP'))
    imap = t.answering(host, 'imap', answers=failing_later('* OK a\0b'))
    word = t.answering(host, 'imap', answers={'GREETING': '* OK a\0b',
                                              'CAPABILITY': '<tag> OK\0 done'})
    daemon = t.watch(host, {'smtp': smtp, 'imap': imap, 'word': word})
    for name in ('smtp', 'imap'):
        verdict = daemon.verdict(name)
        assert verdict['stage'] == 'noop' and not verdict['ok'], verdict
        assert any('a\\x00b' in line or 'a\0b' in line for line in verdict['reply']), verdict
    daemon.expect({'word': 'protocol_error/capability'})
    status, out, _ = daemon.ctl('show', 'smtp')
    assert '\0' not in out and 'a\\x00b' in out, (status, out)


@test('H2-04: a line of 65,535 bytes is read, one of 65,537 without end is protocol_error')
def h2_04(t):
    host = t.host('ann')

    def serve(c):
        session = session_of(c)
        if session.side == 'smtp':
            session.run(until='EHLO')
            session.take()
            c.send(b'250-mail.test.example\r\n250-X' + b'x' * (65535 - 7) + b'\r\n'
                   b'250-AUTH PLAIN LOGIN\r\n250 8BITMIME\r\n')
        else:
            session.run(until='ID')
            session.take()
            c.send(b'* OK ' + b'x' * (65535 - 7) + b'\r\n' + session.tag + b' OK done\r\n')
        session.run(until='NOOP')
        c.send((b'250 ' if session.side == 'smtp' else b'* OK ').ljust(65537, b'x'))
        c.wait_end(20)
    ports = {side: t.script(host, serve, side) for side in ('smtp', 'imap')}
    daemon = t.watch(host, ports)
    found = daemon.expect({side: 'protocol_error/noop' for side in ports})
    for side, port in ports.items():
        assert found[side]['times_ms']['total'] < 10000 * SLOW, found[side]
        assert port.wait_idle(10) and port.all()[0].end != 'timeout', port.all()[0].end


@test('H2-05: untagged data for ever after EXAMINE: protocol_error/select at 1 M, others go on')
def h2_05(t):
    host = t.host('ann')
    chunk = b'* 1 EXISTS\r\n' * 1000

    def flood(c):
        c.imap().run(until='EXAMINE')
        while True:
            c.send(chunk)
    port = t.script(host, flood, 'imap')
    good = t.answering(host, 'imap')
    daemon = t.watch(host, {'flood': port, 'good': good})
    daemon.expect({'flood': 'protocol_error/select', 'good': 'ok/done'})
    # What lay in the socket's buffers and ours was sent, and no more was read.
    assert port.all()[0].sent < 24 << 20, port.all()[0].sent
    assert port.wait_idle(20)
    for _ in range(2):
        assert daemon.probe('good')['imap']['verdict']['ok'] is True


@test('H2-06 (a tenth): lines or bytes that trickle renew no timer: reply_timeout at the stage')
def h2_06(t):
    host = t.host('ann')

    def lines(c):
        c.smtp().run(until='EHLO')
        while True:
            c.send(b'250-x\r\n')
            c.sleep(0.1)

    def octets(c):
        c.dribble, c.dribble_pause = 1, 0.5
        c.send(b'220 hello' + b'o' * 100)
    ports = {'lines': t.script(host, lines), 'octets': t.script(host, octets)}
    daemon = t.watch(host, ports, defaults={'stage_timeout': '3s', 'timeout': '6s'})
    found = daemon.expect({'lines': 'reply_timeout/capability', 'octets': 'reply_timeout/greeting'})
    assert any('250-x' in line for line in found['lines']['reply']), found['lines']
    assert any('220' in line for line in found['octets']['reply']), found['octets']
    for name, stage in (('lines', 'capability'), ('octets', 'greeting')):
        assert 2800 <= found[name]['times_ms'][stage] <= 4500 * SLOW, found[name]['times_ms']


@test('H2-07 (a tenth): every reply late but below stage_timeout: the probe\'s own timer holds')
def h2_07(t):
    host = t.host('ann')

    def late(c):
        session = session_of(c)
        c.rewrite = lambda data: (c.sleep(2.5), data)[1]
        session.run()
    ports = {side: t.script(host, late, side) for side in ('smtp', 'imap')}
    daemon = t.watch(host, ports, defaults={'stage_timeout': '6s', 'timeout': '8s'})
    for side in ports:
        verdict = daemon.verdict(side)
        assert verdict['cause'] == 'reply_timeout', verdict
        assert verdict['stage'] not in ('greeting', 'done'), verdict
        # Without it the whole session is well, six replies later.
        assert verdict['times_ms']['total'] >= 7500, verdict['times_ms']


@test('H2-08 (scaled): the window shut while a 4 K secret goes out: reply_timeout/auth')
def h2_08(t):
    host = t.host('ann')
    secret = ''.join(random.Random(8).choice('abcdefghijkmnpqrstuvwxyz23456789')
                     for _ in range(4096))
    t.secrets.append(secret)

    def shut(c):
        c.socket.setsockopt(1, 8, 1024)  # SOL_SOCKET, SO_RCVBUF
        session = session_of(c, words=lambda session, words: [
            word for word in words if word not in ('SASL-IR', 'LITERAL+')])
        line = session.run(until=('AUTH', 'LOGIN', 'AUTHENTICATE'))
        if line is None:
            return  # a later probe that left before its login
        if line.upper().endswith(b' PLAIN'):  # its initial response is held back (H2-45)
            c.send(b'334 \r\n' if session.side == 'smtp' else b'+ \r\n')
        c.wait_end_unread()
    ports = {side: t.script(host, shut, side) for side in ('smtp', 'imap')}
    good = t.answering(host, 'smtp')
    watched = {side: (port, {'password': secret}) for side, port in ports.items()}
    daemon = t.watch(host, dict(watched, good=good),
                     defaults={'stage_timeout': '2s', 'timeout': '6s'})
    daemon.expect({'smtp': 'reply_timeout/auth', 'imap': 'reply_timeout/auth', 'good': 'ok/done'})
    for port in ports.values():
        assert port.all()[0].wait_end_unread(5) is not None
    assert daemon.events(event='brake') == []


@test('H2-09 (scaled): a greeting of two lines: not one byte of ours before its last')
def h2_09(t):
    host = t.host('ann')
    early = []

    def wait(c):
        c.line('220-wait')
        if not c.hears_nothing(1.0):
            early.append(bytes(c.received))
        c.line('220 go')
        session = c.smtp()
        session.is_greeted = True
        session.run()
    port = t.script(host, wait)
    daemon = t.watch(host, {'port': port})
    daemon.expect({'port': 'ok/done'})
    assert not early, early


@test('H2-10: SMTP replies to commands that were not sent yet: protocol_error/greeting')
def h2_10(t):
    host = t.host('ann')

    def ahead(c):
        c.send(b'220 a\r\n250 AUTH PLAIN\r\n235 ok\r\n250 ok\r\n')
        c.wait_end()
    ports = {mode: t.script(host, ahead, mode=mode) for mode in ('tls', 'starttls', 'clear')}
    daemon = t.watch(host, ports)
    daemon.expect({mode: 'protocol_error/greeting' for mode in ports})
    sent_no_secret(t, *ports.values())


@test('H2-11: IMAP tags ahead of time, never used, already answered: protocol_error at the stage')
def h2_11(t):
    host = t.host('ann')
    tags = []
    learnt = threading.Lock()

    def ahead(c):
        with learnt:
            if c.number == 1:  # a first session tells the tags: they are guessable then
                session = c.imap(answers={'NOOP': '<tag> NO not now'})
                session.run(until='LOGOUT')
                tags.extend(line.split(b' ')[0] for line in c.lines
                            if len(line.split(b' ')[0]) <= 8 and b' ' in line)
                c.close()
                return
        c.send(b'* OK a\r\n' + b''.join(tag + b' OK done\r\n' for tag in tags[:5]))
        c.wait_end()

    def never_used(session, line):
        session.c.send(b'zz9 OK done\r\n' + session.tag + b' OK done\r\n')
        return True

    def answered(session, line):
        session.c.send(session.before + b' OK again\r\n' + session.tag + b' OK done\r\n')
        return True

    def remember(session, line):
        session.before = session.tag
        return False
    ports = {'ahead': t.script(host, ahead, 'imap'),
             'unused': t.answering(host, 'imap', answers={'NOOP': never_used}),
             'answered': t.answering(host, 'imap', answers={'EXAMINE': remember,
                                                            'NOOP': answered})}
    daemon = t.watch(host, ports)
    daemon.expect({'unused': 'protocol_error/noop', 'answered': 'protocol_error/noop'})
    verdict = daemon.verdict('ahead', cause='protocol_error', stage='greeting')
    assert not verdict['ok'], verdict
    for conversation in ports['ahead'].all()[1:]:
        assert not conversation.received or b'LOGOUT' in conversation.received, \
            bytes(conversation.received)


@test('H2-12: odd but harmless replies: ok/done, with a note where they break the RFC')
def h2_12(t):
    host = t.host('ann')

    def lower_ok(data):
        return data.replace(b' OK', b' Ok').replace(b'* Ok', b'* ok')

    def accepted(session, line):
        session.user = b'ann@test.example'
        session.c.line('250 ok')
        return True

    def bare_last(session, line):
        session.c.send(b'250-mail.test.example\r\n250-AUTH PLAIN LOGIN\r\n250\r\n')
        return True
    ports = {
        'imap-case': t.script(host, rewritten(lower_ok), 'imap'),
        'imap-blank': t.answering(host, 'imap', answers={'GREETING': ' * OK ready'}),
        'smtp-case': t.answering(host, 'smtp', words=lambda session, words: [
            word.replace('AUTH PLAIN', 'Auth plain') for word in words]),
        'smtp-bom': t.answering(host, 'smtp', answers={
            'GREETING': b'\xef\xbb\xbf220 mx.test.example ESMTP'}),
        'smtp-bare': t.answering(host, 'smtp', answers={'EHLO': bare_last}),
        'smtp-250': t.answering(host, 'smtp', answers={'AUTH': accepted}),
    }
    mailboxes = [{'name': name, 'address': 'ann@test.example', port.side: t.endpoint(port)}
                 for name, port in ports.items()]
    daemon = t.daemon(host, mailboxes, start=False)
    daemon.environment = {'LC_ALL': 'tr_TR.UTF-8'}
    daemon.start()
    found = daemon.expect({name: 'ok/done' for name in ports})
    for name in ('imap-blank', 'smtp-bom', 'smtp-250'):
        assert found[name]['notes'], (name, found[name])


if __name__ == '__main__':
    main()
