#!/usr/bin/python3
"""
test_sinks.py: hostile.md 8 on the real daemon: journal and syslog stalled, gone, back; what servers
and labels say in a line, in fields, on a terminal. The daemon finds a journal and a syslog of the
test's own, by a mount namespace. Each title carries its case.
Not here: the forms themselves (tests/unit/facts), a real journald (tests/system), virtual time
(tests/simulate).
"""

import datetime
import os
import re
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))
from harness import SLOW, main, matches, parse_line, test, wait_until  # noqa: E402


def smtp_ann(t, host, name='ann', **more):
    return dict(t.mailbox(host, 'ann', imap=None), name=name, **more)


class Receiver:
    """A datagram socket that a sink writes to; may be deaf, gone and back."""

    def __init__(self, path, parse):
        self.path, self.parse = path, parse
        self.taken, self.is_deaf, self.socket = [], threading.Event(), None
        self.stopping = threading.Event()
        self.open()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def open(self):
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listening.bind(self.path)
        os.chmod(self.path, 0o666)
        listening.settimeout(0.1)
        self.socket = listening

    def gone(self):
        listening, self.socket = self.socket, None
        os.unlink(self.path)
        time.sleep(0.2)
        listening.close()

    def _read(self):
        while not self.stopping.is_set():
            listening = self.socket
            if listening is None or self.is_deaf.is_set():
                time.sleep(0.02)
                continue
            try:
                data, rights, _, _ = socket.recv_fds(listening, 1 << 20, 1)
            except OSError:
                continue
            for fd in rights:
                with os.fdopen(fd, 'rb') as file:
                    file.seek(0)
                    data = file.read()
            self.taken.append(self.parse(data))

    def ids(self, **members):
        return [line['id'] for line in list(self.taken) if matches(line, members)]

    def stop(self):
        self.stopping.set()


def journal_fields(data):
    """An entry of the journal's native protocol: MESSAGE parsed as a line, fields beside it."""
    fields, at = {}, 0
    while at < len(data):
        end = data.index(b'\n', at)
        name, equals, value = data[at:end].partition(b'=')
        at = end + 1
        if not equals:
            length = int.from_bytes(data[at:at + 8], 'little')
            value = data[at + 8:at + 8 + length]
            at += 8 + length + 1
        fields.setdefault(name.decode(), []).append(value.decode('utf-8', 'surrogateescape'))
    line = parse_line(fields['MESSAGE'][0])
    assert fields['MBOXWATCH_EVENT_ID'] == [line['id']], fields
    assert fields['MBOXWATCH_EVENT'] == [line['event']], fields
    line.update(fields=fields, line=fields['MESSAGE'][0])
    return line


def syslog_line(data):
    text = data.decode('utf-8', 'surrogateescape')
    found = re.match(r'<\d+>([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) mboxwatchd\[\d+\]: (.*)$', text)
    assert found, text
    return dict(parse_line(found.group(2)), stamp=found.group(1), line=found.group(2))


def sinks(t, daemon, journal=True, syslog=True):
    """
    The daemon finds a journal and a syslog of the test's, by a mount namespace of its own. Gives
    the folder; Receivers are at journal and dev-log below it.
    """
    folder = os.path.join(t.folder, 'run')
    os.makedirs(folder + '/systemd/journal')
    if os.path.realpath('/dev/log') not in ('/run/systemd/journal/dev-log', '/dev/log'):
        t.skip('/dev/log leads elsewhere here')
    unshare = ['unshare', '-m'] if os.geteuid() == 0 else ['unshare', '-rm']
    words = 'mount --bind "$0" /run && '
    if not os.path.islink('/dev/log'):
        t.skip('/dev/log is no link to the journal here')
    tried = subprocess.run(unshare + ['sh', '-c', words + 'true', folder],
                           stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if tried.returncode != 0:
        t.skip('no mount namespace: ' + tried.stderr.decode('utf-8', 'replace').strip())
    daemon.prefix = unshare + ['sh', '-c', words + 'exec "$@"', folder]
    daemon.settings['alerts'] = {'journal': journal, 'syslog': syslog}
    daemon.write_settings()
    return folder + '/systemd/journal'


def receiver(t, path, parse):
    made = Receiver(path, parse)
    t.cleanups.append(made.stop)
    return made


def told_by(receiver_of, daemon, timeout=20):
    """All that the daemon shows has come, each once, in its order."""
    def shown():
        return [event['id'] for event in daemon.events()]
    wait_until(lambda: receiver_of.ids() == shown(), timeout,
               why=lambda: '%d of %d' % (len(receiver_of.ids()), len(shown())), poll=0.3)


def ann_told_by_both(t):
    """ann is ok, and a journal and a syslog hear of her: (host, daemon, journal, syslog)."""
    host = t.host('ann')
    daemon = t.daemon(host, [smtp_ann(t, host)], start=False)
    folder = sinks(t, daemon)
    journal = receiver(t, folder + '/socket', journal_fields)
    syslog = receiver(t, folder + '/dev-log', syslog_line)
    daemon.start()
    daemon.wait_state('ann', 'smtp ok')
    return host, daemon, journal, syslog


@test('H8-01: the journal stops until its socket is full: it alone waits; then all once, in order')
def h8_01(t):
    host, daemon, journal, syslog = ann_told_by_both(t)
    journal.is_deaf.set()
    for _ in range(700):  # net.unix.max_dgram_qlen is 512 at most here
        assert daemon.post('/v1/test-alert').status == 200
    host.off('smtp')
    daemon.wait_event(event='state', state='smtp failing')
    ids = [event['id'] for event in daemon.events(
        event=lambda kind: kind not in ('trouble', 'trouble-end'))]
    wait_until(lambda: set(ids) <= set(syslog.ids()), 20,
               why=lambda: '%d of %d' % (len(syslog.ids()), len(ids)))
    assert len(journal.ids()) < 600, len(journal.ids())
    began = time.monotonic()
    assert daemon.get('/healthz').status == 200 and time.monotonic() - began < 10 * SLOW
    trouble = daemon.wait_event(event='trouble', kind='sink', timeout=25)
    assert 'journal' in trouble['detail'], trouble
    journal.is_deaf.clear()
    daemon.wait_event(event='trouble-end', kind='sink')
    told_by(journal, daemon)
    told_by(syslog, daemon)


@test('H8-02: the journal\'s socket is missing: not told; told when it is back')
def h8_02(t):
    host, daemon, journal, syslog = ann_told_by_both(t)
    told_by(journal, daemon)
    journal.gone()
    host.off('smtp')
    state = daemon.wait_event(event='state', state='smtp failing')
    wait_until(lambda: state['id'] in syslog.ids(), 10)
    trouble = daemon.wait_event(event='trouble', kind='sink', timeout=25)
    assert 'journal' in trouble['detail'], trouble
    wait_until(lambda: trouble['id'] in syslog.ids(), 10)
    daemon.kill9()
    daemon.start()
    journal.open()
    wait_until(lambda: state['id'] in journal.ids(), 15, why=lambda: journal.ids())
    wait_until(lambda: trouble['id'] in journal.ids(), 15)
    assert len(journal.ids(event='state')) == 1, journal.ids()
    daemon.wait_event(event='trouble-end', kind='sink', timeout=45)
    told_by(journal, daemon)
    ids = [event['id'] for event in daemon.events()]
    assert sorted(set(syslog.ids())) == sorted(ids)


@test('H8-04: /dev/log missing at the start, back later, then full: no wait, nothing lost')
def h8_04(t):
    host = t.host('ann')
    daemon = t.daemon(host, [smtp_ann(t, host)], start=False)
    folder = sinks(t, daemon, journal=False)
    daemon.start()
    daemon.wait_state('ann', 'smtp ok')
    host.off('smtp')
    daemon.wait_event(event='state', state='smtp failing')
    goes_on_by_status(daemon)
    # The only sink is dead, so nothing tells the trouble but the daemon's own log.
    trouble = daemon.wait_event(event='trouble', kind='sink', timeout=25)
    assert 'syslog' in trouble['detail'], trouble
    wait_until(lambda: [line for line in daemon.stderr_lines() if trouble['detail'] in line], 5,
               why=daemon.stderr)
    syslog = receiver(t, folder + '/dev-log', syslog_line)
    daemon.wait_event(event='trouble-end', kind='sink')
    told_by(syslog, daemon)
    syslog.is_deaf.set()
    for _ in range(700):
        assert daemon.post('/v1/test-alert').status == 200
    goes_on_by_status(daemon)
    assert daemon.get('/healthz').status == 200
    syslog.is_deaf.clear()
    told_by(syslog, daemon)
    assert len(daemon.events(event='trouble')) <= 2, daemon.events(event='trouble')


def goes_on_by_status(daemon):
    before = daemon.mailbox('ann')['smtp']['last_probe']
    daemon.wait_mailbox('ann', lambda m: m['smtp']['last_probe'] != before, 15)


@test('H8-04 (neither): neither journal nor syslog: events on stderr')
def h8_04_neither(t):
    host = t.host('ann')
    host.off('smtp')
    daemon = t.daemon(host, [smtp_ann(t, host)], start=False)
    sinks(t, daemon, journal=None, syslog=None)
    daemon.start()
    event = daemon.wait_event(event='state')
    daemon.wait_alert(event='state', id=event['id'])
    assert len(daemon.events(event='trouble')) <= 1


def replying(t, text, mode='tls'):
    """A server whose NOOP is refused in these words (bytes), and a daemon that has told so."""
    host = t.host('ann')

    def serve(c):
        session = c.smtp()
        session.run(until='NOOP')
        session.take()
        c.send(b'450 4.0.0 ' + text + b'\r\n')
        session.run()
    port = t.script(host, serve, mode=mode)
    daemon = t.watch(host, {'port': port})
    return daemon, daemon.wait_event(event='state', mailbox='port')


@test('H8-05: a reply that looks like fields: one record, no second field for any reader')
def h8_05(t):
    text = b'x" state=ok event=state mailbox=other | event=state'
    daemon, event = replying(t, text)
    assert text.decode() in event['reply'][0], event
    daemon.wait_alert(event='state')
    lines = [line for line in daemon.stderr_lines() if 'event=state' in line]
    assert len(lines) == 1, lines
    assert parse_line(lines[0])['mailbox'] == 'port', lines
    assert ' mailbox=other' not in lines[0] and "x' state\\\\x3dok" in lines[0], lines
    pieces = re.split(r' (?=[a-z_]+=)', lines[0])
    keys = [piece.split('=')[0] for piece in pieces]
    assert len(keys) == len(set(keys)), keys
    assert sum(piece.startswith(('mailbox=', 'event=')) for piece in pieces) == 2, pieces


@test('H8-06: escapes, links, controls and direction marks of a reply reach no terminal and no log')
def h8_06(t):
    text = (b'\x1b[2J\x1b]8;;http://evil.test\x07link\x1b]8;;\x07 \xc2\x9b31m \x07 \x7f '
            + '\u202e \u2066 \u200b \u2028 \ufeff end'.encode())
    daemon, event = replying(t, text)
    assert event['reply'], event
    daemon.wait_alert(event='state')
    raw = [b'\x1b', b'\x07', b'\x7f', b'\xc2\x9b'] + [
        chr(letter).encode() for letter in (0x202e, 0x2066, 0x200b, 0x2028, 0xfeff)]
    outputs = {'log': daemon.stderr().encode('utf-8', 'surrogateescape')}
    for words in (['show', 'port'], ['status'], ['events'], ['probe', 'port'],
                  ['status', '--json'], ['show', '--json', 'port'], ['events', '--json']):
        _, out, err = daemon.ctl(*words)
        outputs[' '.join(words)] = (out + err).encode()
    for path in ('/v1/mailboxes/port', '/v1/events', '/v1/status', '/metrics'):
        outputs[path] = daemon.get(path).body
    for what, data in outputs.items():
        for bad in raw:
            assert bad not in data, (what, bad, data)
    assert b'\\x1b[2J' in outputs['show port'], outputs['show port']
    assert '\\\\x1b[2J' in outputs['log'].decode(), outputs['log']


@test('H8-07: a reply of 900 bytes of 4-byte characters, quotes at the cut: cut between characters')
def h8_07(t):
    for text in ('\U0001f4e7' * 225, '"' * 900, '=' * 900, 'x' * 700 + '"' * 200,
                 ('\U0001f4e7"=\\' * 120)):
        daemon, event = replying(t, text.encode())
        line = daemon.wait_alert(event='state')  # parse_line() is strict
        assert (line['mailbox'], line['state'], line['cause']) == (
            'port', 'smtp failing', event['cause']), line
        whole = next(got for got in daemon.stderr_lines() if 'event=state' in got)
        assert len(whole.encode('utf-8', 'surrogateescape')) <= 900
        assert line['reply'].startswith('450 4.0.0 '), line
        assert daemon.term() == 0


@test('H8-22: failure, another cause, recovery while the sinks are dead: in that order, own times')
def h8_22(t):
    host, daemon, journal, syslog = ann_told_by_both(t)
    told_by(journal, daemon)
    told_by(syslog, daemon)
    journal.gone()
    syslog.gone()
    host.fail('smtp', 'ann@test.example', '454 4.7.0 later')
    failed = daemon.wait_event(event='state', state='smtp failing')
    host.off('smtp')
    other = daemon.wait_event(event='cause')
    host.on('smtp')
    host.heal('smtp', 'ann@test.example')
    well = daemon.wait_event(event='state', state='smtp ok')
    wait_until(lambda: time.time() > seconds_of(well['time']) + 3, 10)
    daemon.kill9()  # and what is kept outlives us
    daemon.start()
    journal.open()
    syslog.open()
    ids = [event['id'] for event in (failed, other, well)]
    for one in (journal, syslog):
        wait_until(lambda: ids[-1] in one.ids(), 30, why=lambda: one.ids())
        assert [found for found in one.ids() if found in ids] == ids, one.ids()
    told = {line['id']: line for line in syslog.taken}
    for event in (failed, other, well):
        stamp = time.localtime(seconds_of(event['time']))
        assert told[event['id']]['stamp'] == time.strftime('%b %e %H:%M:%S', stamp), (
            told[event['id']], event['time'])
    told_by(journal, daemon)


def seconds_of(text):
    return datetime.datetime.fromisoformat(text.replace('Z', '+00:00')).timestamp()


@test('H8-08: labels PRIORITY, a-b, \u00fc, 80 bytes, a line end: faults; a_b: a field of ours')
def h8_08(t):
    host = t.host('ann')
    host.off('smtp')
    daemon = t.daemon(host, [smtp_ann(t, host)], start=False)
    journal = receiver(t, sinks(t, daemon, syslog=False) + '/socket', journal_fields)
    for labels in ({'PRIORITY': '0'}, {'a-b': 'x'}, {'\u00fc': 'x'}, {'a': 'x' * 80},
                   {'a': 'x\nPRIORITY=0'}, {'_a': 'x'}, {'a' * 33: 'x'}):
        daemon.settings['mailboxes'][0]['labels'] = labels
        daemon.write_settings()
        status, out = daemon.check_settings()
        assert status == 1 and ':' in out and 'fault' in out, (labels, out)
    daemon.settings['mailboxes'][0]['labels'] = {'a_b': 'x=y "z"', 'priority': '0', 'message': 'm'}
    daemon.write_settings()
    daemon.start()
    state = daemon.wait_event(event='state', state='smtp failing')
    wait_until(lambda: state['id'] in journal.ids(), 20)
    fields = [line['fields'] for line in journal.taken if line['id'] == state['id']][0]
    assert fields['PRIORITY'] == ['3'] and fields['MBOXWATCH_LABEL_PRIORITY'] == ['0'], fields
    assert len(fields['MESSAGE']) == 1 and fields['MBOXWATCH_LABEL_MESSAGE'] == ['m'], fields
    assert fields['MBOXWATCH_LABEL_A_B'] == ['x=y "z"'], fields
    assert all(re.match('[A-Z][A-Z0-9_]*$', name) for name in fields), fields


if __name__ == '__main__':
    main()
