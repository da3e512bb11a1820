#!/usr/bin/python3
"""
test_settings.py: hostile.md 4, settings, secrets and password commands, on the real daemon: by
`mboxwatchd -t`, by reload, by logins at the scripted host. Each title carries its case.
Where root runs this, an ordinary user runs the daemon of the tests of modes and of processes.
Not here: PUT, import, check (later); SCRAM's preparation of secrets (dialogue/sasl, later).
"""

import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))
from harness import (MBOXWATCHD, SLOW, libconfig_text, libconfig_value,  # noqa: E402
                     main, test, wait_until)

ADDRESS = 'ann@test.example'
MAILBOX = 'mailboxes = ( { name = "ann"; address = "ann@test.example";\n' \
          '  smtp = { host = "127.0.0.1"; password = "x"; %s }; } );\n'


def write(path, data, mode=0o600):
    with open(path, 'wb') as out:
        out.write(data if isinstance(data, bytes) else data.encode('utf-8'))
    os.chmod(path, mode)
    return path


def script(t, name, text):
    """A program that any user may run."""
    os.chmod(t.folder, 0o755)
    return write(os.path.join(t.folder, name), '#!/bin/sh\n' + text + '\n', 0o755)


def conf_dir(daemon):
    """A folder of drop-ins that the daemon reads."""
    folder = os.path.join(daemon.folder, 'mboxwatch.conf.d')
    os.makedirs(folder)
    daemon.arguments = ['--conf-dir', folder]
    return folder


def check(t, text, drop_ins=()):
    """-t on these texts (bytes or str): (status, lines of faults and warnings, seconds)."""
    daemon = t.daemon_with('', start=False)
    daemon.expected_status = None
    write(daemon.settings_path, text)
    if drop_ins:
        folder = conf_dir(daemon)
        for name, drop_in in drop_ins:
            write(os.path.join(folder, name), drop_in)
    began = time.monotonic()
    status, out = daemon.check_settings()
    return status, out.splitlines(), time.monotonic() - began


def faults_of(lines):
    return [line for line in lines if '.conf:' in line and ': warning: ' not in line]


def one_fault(t, text, line, *words):
    """Exactly one fault, at that line, with these words in it."""
    status, lines, _ = check(t, text)
    faults = faults_of(lines)
    assert status == 1 and len(faults) == 1, (text, lines)
    assert '.conf:%d: ' % line in faults[0], (line, faults)
    for word in words:
        assert word in faults[0], (word, faults)
    return faults[0]


def peak_bytes(arguments, timeout=60):
    """Runs a program to its end: (exit status, its peak of resident memory)."""
    child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    killer = threading.Timer(timeout * SLOW, child.kill)
    killer.start()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    killer.cancel()
    return child.returncode, usage.ru_maxrss * 1024


def smtp_only(t, host, name, **endpoint):
    """A mailbox of the SMTP side alone, with this for a secret."""
    return {'name': name, 'address': ADDRESS, 'smtp': host.endpoint('smtp', **endpoint)}


# --- files ----------------------------------------------------------------------------------------

@test('H4-01: FIFO, socket, directory, link to /dev/zero in conf.d: faults at once, nothing hangs')
def h4_01(t):
    daemon = t.daemon_with('', start=False)
    folder = conf_dir(daemon)
    names = [os.path.join(folder, name) for name in ('a.conf', 'b.conf', 'c.conf', 'd.conf')]
    os.mkfifo(names[0])
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(folder, os.O_RDONLY)
        listening.bind('/proc/self/fd/%d/b.conf' % here)
        os.close(here)
    os.makedirs(names[2])
    os.symlink('/dev/zero', names[3])
    began = time.monotonic()
    status, out = daemon.check_settings()
    took = time.monotonic() - began
    for name in names:
        assert any(name in line and 'not a regular file' in line for line in out.splitlines()), out
    assert status == 1 and took < 10 * SLOW, (status, took)
    daemon.spawn()
    daemon.expected_status = 78
    assert daemon.wait_exit(10) == 78, daemon.stderr()


@test('H4-02: includes of themselves, in a loop, missing, too deep; 100,000 brackets; 200 M')
def h4_02(t):
    daemon = t.daemon_with('', start=False)
    daemon.expected_status = 78
    folder = daemon.folder

    def included(name, text):
        return write(os.path.join(folder, name), text)

    def told(text, *words):
        daemon.write_settings(text)
        status, out = daemon.check_settings()
        assert status == 1, out
        assert any(all(word in line for word in words) for line in out.splitlines()), (words, out)
    told('# one\n@include "mboxwatch.conf"\n', 'mboxwatch.conf:2:', 'includes itself')
    included('one.inc', '\n@include "two.inc"\n')
    included('two.inc', '@include "one.inc"\n')
    told('@include "one.inc"\n', 'two.inc:1:', 'includes itself')
    told('@include "none.inc"\n', 'mboxwatch.conf:1:', 'none.inc', 'no such file')
    for number in range(11):
        included('deep%d.inc' % number, '@include "deep%d.inc"\n' % (number + 1))
    included('deep11.inc', '')
    told('@include "deep0.inc"\n', 'deep', 'include each other')
    told('\nmailboxes = ' + '(' * 100000 + '\n', 'mboxwatch.conf:2:', 'brackets')
    with open(daemon.settings_path, 'r+b') as file:
        file.truncate(200 << 20)
    status, out = daemon.check_settings()
    assert status == 1 and 'too large' in out and daemon.settings_path in out, out
    status, peak = peak_bytes([MBOXWATCHD, '-t', '-c', daemon.settings_path])
    assert status == 1 and peak < 150 << 20, peak
    daemon.spawn()
    assert daemon.wait_exit(10) == 78, daemon.stderr()


@test('H4-03: numbers that libconfig wraps in silence are faults, by the text as written')
def h4_03(t):
    for number in ('4294967297', '0x100000050', '99999999999', '-4294967296',
                   '99999999999999999999999'):
        fault = one_fault(t, MAILBOX % ('\nport = %s;' % number), 3, 'port')
        assert number in fault, fault
    one_fault(t, 'defaults = {\n\nconfirm = 4294967299; };\n', 3, 'confirm', '4294967299')
    one_fault(t, 'defaults = { interval = 4294967396; };\n', 1, 'interval', '4294967396')
    one_fault(t, 'limits = {\nconnections = 0x100000008; };\n', 2, 'connections', '0x100000008')
    one_fault(t, 'limits = {\nconnections = 99999999999L; };\n', 2, 'connections')


@test('H4-04: durations that are none: a fault for each, with its line')
def h4_04(t):
    values = ['"5x"', '"-1s"', '""', '"1h-5m"', '"9999999999999d"', '1e999', '"1e3s"', '-1',
              '"99999999999999999999s"', '"1"', '"s"', '"1 h"', '1.5e300']
    text = ''.join('  { name = "m%d"; address = "a@b.example";\n'
                   '    smtp = { host = "h.example"; password = "x"; interval = %s; }; },\n'
                   % (number, value) for number, value in enumerate(values))
    status, lines, _ = check(t, 'mailboxes = (\n' + text.rstrip(',\n') + '\n);\n')
    # "1" may be a number of seconds, which is below the least; a fault too.
    for number, value in enumerate(values):
        found = [line for line in faults_of(lines) if '.conf:%d: ' % (3 + 2 * number) in line]
        assert len(found) == 1 and 'interval' in found[0], (value, lines)
    assert status == 1 and len(faults_of(lines)) == len(values), lines


@test('H4-05: NUL in passwords, files, commands, credentials: never a login with another secret')
def h4_05(t):
    one_fault(t, MAILBOX % '' + '\ndefaults = { tls_name = "a\\x00b"; };\n', 4, 'x00')
    status, lines, _ = check(t, MAILBOX.replace('"x"', '"ab\\x00cd"') % '')
    assert status == 1 and '.conf:2: ' in faults_of(lines)[0], lines
    assert 'abcd' not in '\n'.join(lines), lines
    status, lines, _ = check(t, (MAILBOX.replace('"x"', '"ab\0cd"') % '').encode())
    assert status == 1 and '.conf:2: ' in faults_of(lines)[0], lines
    assert 'NUL' in faults_of(lines)[0], lines

    host = t.host('ann')
    host.password(ADDRESS, 'nulb')
    path = write(os.path.join(t.folder, 'nul'), b'nulb\0more\n')
    command = script(t, 'command', "printf 'nulb\\0more\\n'")
    daemon = t.daemon(host, [
        smtp_only(t, host, 'file', password_file=path),
        smtp_only(t, host, 'command', password_command=[command]),
        smtp_only(t, host, 'credential', password_credential='nul')], start=False)
    daemon.environment['CREDENTIALS_DIRECTORY'] = t.folder
    daemon.start()
    found = daemon.expect({name: 'secret_unavailable/secret'
                           for name in ('file', 'command', 'credential')})
    assert all('NUL' in verdict['detail'] for verdict in found.values()), found
    assert host.accepted() == host.refused() == 0, host.count()


@test('H4-06: byte order mark, CR LF, Latin-1 in a label and in a password')
def h4_06(t):
    one_fault(t, b'\xef\xbb\xbf' + (MAILBOX % '').encode(), 1, 'byte order mark')
    status, lines, _ = check(t, (MAILBOX % '').replace('\n', '\r\n'))
    assert status == 0, lines
    label = MAILBOX.replace('name = "ann";', 'name = "ann"; labels = { owner = "M\xfcller"; };')
    status, lines, _ = check(t, (label % '').encode('latin-1'))
    assert status == 1 and 'labels' in faults_of(lines)[0], lines
    status, lines, _ = check(t, (label % '').encode('utf-8'))
    assert status == 0, lines

    host = t.host('ann')
    secret = b'm\xfcnz-\xe9\xff-ticket'
    host.password(ADDRESS, secret)
    mailboxes = [smtp_only(t, host, how, password='SECRET', auth=how) for how in ('plain', 'login')]
    daemon = t.daemon(host, mailboxes, start=False)
    write(daemon.settings_path,
          libconfig_text(daemon.settings).encode().replace(b'SECRET', secret))
    daemon.start()
    daemon.expect({'plain': 'ok/done', 'login': 'ok/done'})


@test('H4-07: faults of three drop-ins are told in one run; reload 422 with all, exit 5')
def h4_07(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')], start=False)
    folder = conf_dir(daemon)
    daemon.start()
    daemon.wait_state('ann', 'ok')
    write(os.path.join(folder, '10.conf'), 'defaults = { confirm = 3;\n')
    write(os.path.join(folder, '20.conf'), '\ndefaults = { interval "5m"; };\n')
    write(os.path.join(folder, '30.conf'), 'defaults = {\nconfirm = 0;\nrecover = "x";\n'
          'timeout = "5x";\nfamily = "ipv5";\ninsecure_auth = 3;\n};\n')
    status, out = daemon.check_settings()
    faults = faults_of(out.splitlines())
    assert status == 1 and len(faults) == 7, out
    for number in (10, 20):
        assert sum('/%d.conf:' % number in fault for fault in faults) == 1, out
    for line in range(2, 7):
        assert sum('/30.conf:%d: ' % line in fault for fault in faults) == 1, out
    answer = daemon.post('/v1/reload')
    assert answer.status == 422 and len(answer.json()['faults']) == 7, repr(answer)
    assert all(fault['file'] and fault['line'] and fault['message']
               for fault in answer.json()['faults']), repr(answer)
    status, out, err = daemon.ctl('reload')
    assert status == 5, (status, out, err)
    for fault in faults:
        where = fault.split(': ')[0].split('/')[-1]
        assert where in out + err, (where, out, err)


@test('H4-08: 10,000 faults all in -t; reload-failed has the first and the count; few warnings')
def h4_08(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')], start=False)
    folder = conf_dir(daemon)
    warned = ',\n'.join('{ name = "w%d"; address = "w@b.example"; enabled = false; smtp = '
                        '{ host = "h.example"; security = "none"; auth = "none"; }; }' % number
                        for number in range(2000))
    warnings = write(os.path.join(folder, 'w.conf'), 'mailboxes = (\n%s\n);\n' % warned)
    daemon.start()
    daemon.wait_state('ann', 'ok')
    logged = [line for line in daemon.stderr_lines() if ': warning: ' in line]
    assert len(logged) == 20, (len(logged), logged[:3])
    assert any('1980 more warnings' in line for line in daemon.stderr_lines()), 'no number'
    os.unlink(warnings)
    faulty = ',\n'.join('{ name = "f%d"; address = "f@b.example"; smtp = { host = "a..b"; '
                        'password = "x"; }; }' % number for number in range(10000))
    write(os.path.join(folder, 'f.conf'), 'mailboxes = (\n%s\n);\n' % faulty)
    status, out = daemon.check_settings()
    assert status == 1 and len(faults_of(out.splitlines())) == 10000, out[:2000]
    assert '10000 faults' in out, out[-300:]
    answer = daemon.post('/v1/reload', timeout=60)
    assert answer.status == 422 and len(answer.json()['faults']) == 10000, answer.status
    failed = daemon.wait_event(event='reload-failed')
    assert 'f.conf:2: ' in failed['detail'] and '10000' in failed['detail'], failed
    line = daemon.wait_alert(event='reload-failed')
    assert 'f.conf:2: ' in line['detail'] and '10000' in line['detail'], line


@test('H4-09: one name in two drop-ins: a fault that names both places')
def h4_09(t):
    one = MAILBOX % ''
    status, lines, _ = check(t, '', [('10.conf', one), ('20.conf', '\n\n' + one)])
    faults = faults_of(lines)
    assert status == 1 and len(faults) == 1, lines
    assert '10.conf:1' in faults[0] and '20.conf:3' in faults[0] and 'ann' in faults[0], faults


@test('H4-10: a fault in the last of 50 files changes nothing; a file renamed over is read whole')
def h4_10(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')], start=False)
    folder = conf_dir(daemon)

    def drop_in(number, confirm='3'):
        write(os.path.join(folder, '%02d.conf' % number), 'mailboxes = ( { name = "d%d"; '
              'address = "d@b.example"; enabled = false; confirm = %s; smtp = { host = '
              '"h.example"; password = "x"; }; } );\n' % (number, confirm))
    for number in range(49):
        drop_in(number)
    daemon.start()
    ann = daemon.wait_state('ann', 'ok')
    names = [m['name'] for m in daemon.status()['mailboxes']]
    os.unlink(os.path.join(folder, '00.conf'))
    drop_in(49)
    drop_in(50, confirm='"many"')
    answer = daemon.post('/v1/reload')
    assert answer.status == 422 and len(answer.json()['faults']) == 1, repr(answer)
    assert '50.conf' in answer.json()['faults'][0]['file'], repr(answer)
    assert sorted(m['name'] for m in daemon.status()['mailboxes']) == sorted(names)
    assert daemon.mailbox('ann')['since'] == ann['since']
    assert len(daemon.events(event='reload-failed')) == 1 and not daemon.events(event='reload')

    # Two whole files in turn, each of 300 mailboxes: what is loaded is one or the other.
    drop_in(50)
    target, stop = os.path.join(folder, '60.conf'), threading.Event()

    def turn():
        letter = 'a'
        while not stop.is_set():
            text = ',\n'.join('{ name = "%s%d"; address = "x@b.example"; enabled = false; smtp = '
                              '{ host = "h.example"; password = "x"; }; }' % (letter, number)
                              for number in range(300))
            os.rename(write(target + '.new', 'mailboxes = (\n%s\n);\n' % text), target)
            letter = 'b' if letter == 'a' else 'a'
    turning = threading.Thread(target=turn, daemon=True)
    turning.start()
    try:
        for _ in range(8):
            daemon.reload()
            mailboxes = daemon.get('/v1/status').json()['mailboxes']
            first = {letter: sum(m['name'].startswith(letter) and m['name'] != 'ann'
                                 for m in mailboxes) for letter in 'ab'}
            assert sorted(first.values()) in ([0, 300], [0, 0]), first
    finally:
        stop.set()
        turning.join(10)


@test('H4-11: 1,000 SIGHUP and 10 POST at once: loads are merged, each answer is of a later load')
def h4_11(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')])
    daemon.wait_state('ann', 'ok')
    seen = []

    def post(number):
        # Written before the request: the load that answers must have it.
        name = 'new%d' % number
        with lock:
            daemon.settings['mailboxes'] += ({
                'name': name, 'address': ADDRESS, 'enabled': False,
                'smtp': host.endpoint('smtp', password=t.secret('ann'))},)
            daemon.write_settings()
        daemon.reload()
        seen.append((name, daemon.get('/v1/mailboxes/' + name).status))
    lock = threading.Lock()
    posts = [threading.Thread(target=post, args=(number,)) for number in range(10)]
    for number in range(1000):
        daemon.signal(signal.SIGHUP)
        if number % 100 == 0:
            posts[number // 100].start()
    for thread in posts:
        thread.join(60 * SLOW)
    assert sorted(status for _, status in seen) == [200] * 10, seen
    loads = len(daemon.events(event='reload'))
    assert 1 <= loads <= 200, loads
    assert not daemon.events(event='reload-failed')
    assert daemon.mailbox('ann')['state'] == 'ok'


@test('H4-12: reload amid handshake, after AUTH, in a command, in the goodbye; kept, moved, gone')
def h4_12(t):
    stages, fates = ('handshake', 'auth', 'goodbye', 'command'), ('kept', 'moved', 'gone')
    # An account each: a login in hand holds up the others of its account.
    host = t.host(*[stage + '-' + fate for stage in stages for fate in fates])
    gate, gate_file = threading.Event(), os.path.join(t.folder, 'gate')
    command = script(t, 'slow', ': >%s/ran.$1\nwhile [ ! -e %s ]; do sleep 0.05; done\necho $2' % (
        t.folder, gate_file))

    def wait_gate(c):
        while not gate.is_set() and not c.is_abandoned():
            c.sleep(0.05)

    def handshake(c):
        wait_gate(c)
        c.start_tls()
        c.smtp().run()

    def late_at(verb):
        def late(session, line):
            wait_gate(session.c)
            return False
        return host.answering('smtp', answers={verb: late})
    made = {'handshake': lambda: host.script(handshake, mode='starttls'),
            'auth': lambda: late_at('AUTH'), 'goodbye': lambda: late_at('QUIT'),
            'command': lambda: host.answering('smtp')}
    ports, mailboxes = {}, []
    for stage in stages:
        for fate in fates:
            name = stage + '-' + fate
            ports[stage, fate] = made[stage]()
            endpoint = t.endpoint(ports[stage, fate], name, security='tls')
            if stage == 'command':
                endpoint.update(password=None, password_command=[command, name, t.secret(name)])
            mailboxes.append({'name': name, 'address': name + '@test.example', 'smtp': endpoint})
    elsewhere = host.answering('smtp', answers={'NOOP': '450 4.0.0 elsewhere'})
    daemon = t.daemon(host, mailboxes, {'interval': '12s'})
    for (stage, fate), port in ports.items():
        there = {'handshake': lambda at: at.all(),
                 'auth': lambda at: at.saw(b'AUTH'), 'goodbye': lambda at: at.saw(b'QUIT'),
                 'command': lambda at: os.path.exists('%s/ran.command-%s' % (t.folder, fate))}
        assert port.wait(there[stage]), (stage, fate, port.received())
    left = [mailbox for mailbox in mailboxes if not mailbox['name'].endswith('-gone')]
    for mailbox in left:
        if mailbox['name'].endswith('-moved'):
            mailbox['smtp'] = t.endpoint(elsewhere, mailbox['name'])
    daemon.settings['mailboxes'] = tuple(left)
    daemon.write_settings()
    counts = daemon.reload()
    assert counts['removed'] == counts['changed'] == counts['unchanged'] == 4, counts
    connections = {at: len(port.all()) for at, port in ports.items()}
    write(gate_file, '')
    gate.set()
    for stage in stages:
        verdict = daemon.wait_verdict(stage + '-moved', 'smtp', stage='noop')
        assert not verdict['ok'], (stage, verdict)
        assert daemon.verdict(stage + '-kept')['ok'], stage
        assert daemon.get('/v1/mailboxes/%s-gone' % stage).status == 404, stage
    for (stage, fate), port in ports.items():
        assert port.wait_idle(10), (stage, fate)
        if fate != 'kept':
            assert len(port.all()) == connections[stage, fate], (stage, fate, len(port.all()))
        assert all(c.end in ('client', 'server') for c in port.all()), (
            stage, fate, [c.end for c in port.all()])
        if stage != 'handshake':
            assert port.saw(b'QUIT'), (stage, fate, port.received())
    # No verdict of the old settings has come to the moved ones, none of the removed was told.
    for event in daemon.events(event='state'):
        assert event['mailbox'].endswith('-moved') and event['stage'] == 'noop', event


@test('H4-13: removed or renamed while failing: one end; the new name starts unknown')
def h4_13(t):
    host = t.host('ann', 'bob')
    host.off('smtp')
    daemon = t.daemon(host, [t.mailbox(host, name, imap=None) for name in ('ann', 'bob')])
    begins = {name: daemon.wait_event(event='state', mailbox=name, state='smtp failing')
              for name in ('ann', 'bob')}
    ann, bob = daemon.settings['mailboxes']
    daemon.settings['mailboxes'] = (dict(bob, name='bert'),)
    daemon.write_settings()
    counts = daemon.reload()
    assert (counts['removed'], counts['added']) == (2, 1), counts
    for name in ('ann', 'bob'):
        end = daemon.wait_event(event='state', mailbox=name, state='removed')
        assert end['incident'] == begins[name]['incident'] and end['level'] == 'notice', end
        assert 'removed' in end['text'], end
    new = daemon.wait_event(event='state', mailbox='bert', state='smtp failing')
    assert new['was'] == 'smtp unknown' and new['incident'] != begins['bob']['incident'], new
    daemon.restart()
    for name in ('ann', 'bob'):
        assert len(daemon.events(event='state', mailbox=name)) == 2, daemon.events()


@test('H4-14: a failing mailbox gets its mistyped host mended: probed at once, same incident')
def h4_14(t):
    host = t.host('ann')
    good = t.mailbox(host, 'ann', imap=None)
    wrong = dict(good, smtp=dict(good['smtp'], host='localhosst.invalid'))
    daemon = t.daemon(host, [wrong], {'interval': '5m', 'retry_interval': '1s', 'retry_max': '5m',
                                      'recover': 2}, daemon={'resolvers': ['127.0.0.1:9']})
    begin = daemon.wait_event(event='state', state='smtp failing')
    daemon.settings['mailboxes'] = (good,)
    daemon.write_settings()
    daemon.reload()
    end = daemon.wait_event(event='state', state='smtp ok', timeout=10)
    assert end['incident'] == begin['incident'] and end['was'] == 'smtp failing', end
    assert len(daemon.events(event='state')) == 2, daemon.events()
    assert host.accepted(ADDRESS) == 2, host.count()


# --- secrets in files -----------------------------------------------------------------------------

@test('H4-15: ends of a password_file, blanks, further lines, readers: the first line counts')
def h4_15(t):
    names = {'lf': b'%s\n', 'crlf': b'%s\r\n', 'none': b'%s', 'lflf': b'%s\n\n',
             'blanks': b'  %s\t \n', 'lines': b'%s\nanother\n', 'readers': b'%s\n'}
    host = t.host(*names)
    mailboxes = []
    for name, form in names.items():
        data = form % t.secret(name).encode()
        if name == 'blanks':
            host.password(name + '@test.example', '  %s\t ' % t.secret(name))
        path = write(os.path.join(t.folder, name), data, 0o644 if name == 'readers' else 0o600)
        mailboxes.append({'name': name, 'address': name + '@test.example',
                          'smtp': host.endpoint('smtp', password_file=path)})
    daemon = t.daemon(host, mailboxes)
    daemon.expect({name: 'ok/done' for name in names})
    status, out = daemon.check_settings()
    warnings = [line for line in out.splitlines() if ': warning: ' in line]
    assert status == 0, out
    for name, word in (('blanks', 'blank'), ('lines', 'further lines'), ('readers', 'can read')):
        path = os.path.join(t.folder, name)
        assert sum(word in line and path in line for line in warnings) == 1, (name, out)
    for name in ('lf', 'crlf', 'none', 'lflf'):
        assert not any(os.path.join(t.folder, name) + ' ' in line for line in warnings), out


@test('H4-16: a secret file missing, mode 0000, empty, a directory, a FIFO, /dev/zero: no login')
def h4_16(t):
    host = t.host('ann')
    os.chmod(t.folder, 0o755)
    paths = {name: os.path.join(t.folder, name) for name in
             ('missing', 'locked', 'empty', 'lf', 'folder', 'fifo', 'zero', 'large')}
    write(paths['locked'], t.secret('ann') + '\n', 0o000)
    write(paths['empty'], b'', 0o644)
    write(paths['lf'], b'\n', 0o644)
    write(paths['large'], b'x' * (1 << 20), 0o644)
    os.makedirs(paths['folder'])
    os.mkfifo(paths['fifo'], 0o644)
    os.symlink('/dev/zero', paths['zero'])
    mailboxes = [smtp_only(t, host, name, password_file=path) for name, path in paths.items()]
    daemon = t.daemon(host, mailboxes + [t.mailbox(host, 'ann', imap=None)], start=False)
    daemon.be_nobody().start()
    daemon.expect(dict({name: 'secret_unavailable/secret' for name in paths}, ann='ok/done'))
    assert host.refused() == 0 and host.accepted() <= 2, host.count()
    assert daemon.probe('ann')['smtp']['verdict']['ok']
    assert not daemon.events(event='brake')
    assert daemon.get('/healthz').status == 200


@test('H4-17 (bytes): Latin-1, composed and decomposed letters, 1,000 bytes: byte for byte')
def h4_17(t):
    secrets = {'latin': b'gr\xfc\xdfe-\xa4', 'composed': 'gr\xfcn'.encode(),
               'decomposed': 'gru\u0308n'.encode(), 'long': b'0123456789' * 100}
    host = t.host(*secrets)
    mailboxes = []
    for name, secret in secrets.items():
        host.password(name + '@test.example', secret)
        path = write(os.path.join(t.folder, name), secret + b'\n')
        for auth in ('plain', 'login'):
            mailboxes.append({'name': '%s-%s' % (name, auth), 'address': name + '@test.example',
                              'smtp': host.endpoint('smtp', password_file=path, auth=auth),
                              'imap': host.endpoint('imap', password_file=path, auth=auth)})
    daemon = t.daemon(host, mailboxes)
    for mailbox in mailboxes:
        daemon.wait_state(mailbox['name'], 'ok')
    assert host.refused() == 0, host.count()


@test('H4-18: an editor empties the file for a while; another renames over it: content decides')
def h4_18(t):
    host = t.host('ann')
    old, new = t.secret('ann'), t.secret('ann').replace('ann', 'nan')
    t.secrets.append(new)
    path = write(os.path.join(t.folder, 'secret'), old + '\n')
    about = os.stat(path)
    daemon = t.daemon(host, [smtp_only(t, host, 'ann', password_file=path)], {'confirm': 3})
    daemon.wait_state('ann', 'smtp ok')
    os.truncate(path, 0)
    verdict = daemon.probe('ann')['smtp']['verdict']
    assert (verdict['cause'], verdict['stage']) == ('secret_unavailable', 'secret'), verdict
    write(path, old + '\n')
    assert daemon.probe('ann')['smtp']['verdict']['ok']
    host.password(ADDRESS, new)
    fresh = write(path + '.new', new + '\n')
    os.utime(fresh, ns=(about.st_atime_ns, about.st_mtime_ns))
    os.rename(fresh, path)
    assert os.stat(path).st_size == about.st_size and os.stat(path).st_mtime_ns == \
        about.st_mtime_ns
    assert daemon.probe('ann')['smtp']['verdict']['ok']
    assert host.refused() == 0, host.count()


@test('H4-19 (its beginning): an ok mailbox whose secret goes is not judged: ok, suspect, no event')
def h4_19(t):
    host = t.host('ann')
    path = write(os.path.join(t.folder, 'secret'), t.secret('ann') + '\n')
    daemon = t.daemon(host, [smtp_only(t, host, 'ann', password_file=path)])
    ok = daemon.wait_state('ann', 'smtp ok')
    os.unlink(path)
    for _ in range(4):  # confirm is 2
        verdict = daemon.probe('ann')['smtp']['verdict']
        assert verdict['cause'] == 'secret_unavailable', verdict
    mailbox = daemon.mailbox('ann')
    assert mailbox['state'] == 'smtp ok' and mailbox['since'] == ok['since'], mailbox
    assert mailbox['smtp']['state'] == 'ok' and mailbox['smtp']['fails'] == 0, mailbox
    assert mailbox['smtp']['verdict']['cause'] == 'secret_unavailable', mailbox
    assert not daemon.events(event='state') and not daemon.events(event='brake')


# --- commands -------------------------------------------------------------------------------------

def processes(word):
    """The ids of running processes that have this word in their command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/cmdline' % pid, 'rb') as words, \
                    open('/proc/%s/stat' % pid, 'rb') as state:
                if word.encode() in words.read() and b') Z ' not in state.read():
                    found.append(int(pid))
        except OSError:
            pass
    return found


def zombies(daemon):
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/stat' % pid) as state:
                fields = state.read().rpartition(') ')[2].split()
        except OSError:
            continue
        if fields[0] == 'Z' and int(fields[1]) == daemon.process.pid:
            found.append(int(pid))
    return found


@test('H4-20: a grandchild keeps stdout open; 1 G without a line end: no wait, no zombie, bounded')
def h4_20(t):
    host = t.host('ann')
    keeps = script(t, 'keeps', '(sleep 300) &\necho %s\nexit 0' % t.secret('ann'))
    flood = script(t, 'flood', 'exec head -c 1000000000 /dev/zero | tr "\\0" x')
    daemon = t.daemon(host, [smtp_only(t, host, 'keeps', password_command=[keeps]),
                             smtp_only(t, host, 'flood', password_command=[flood, t.folder])])
    found = daemon.expect({'keeps': 'ok/done', 'flood': 'secret_unavailable/secret'})
    assert found['keeps']['times_ms']['total'] < 5000 * SLOW, found['keeps']
    assert '64' in found['flood']['detail'], found['flood']
    wait_until(lambda: not processes(flood), 10, why=lambda: 'left: %s' % processes(flood))
    wait_until(lambda: not zombies(daemon), 10, why=lambda: 'zombies: %s' % zombies(daemon))


@test('H4-21 (20 of them): commands that hang and ignore TERM: killed at 10 s, 16 at a time')
def h4_21(t):
    host = t.host('ann')
    hang = script(t, 'hang', 'trap "" TERM INT HUP\nsleep 300 & wait\nsleep 300')
    mailboxes = [smtp_only(t, host, 'm%d' % number, password_command=[hang, str(number)])
                 for number in range(20)]
    daemon = t.daemon(host, mailboxes + [t.mailbox(host, 'ann', imap=None)],
                      {'retry_interval': '10s', 'retry_max': '10s'})
    most, slowest = 0, 0.0
    end = time.monotonic() + 12
    while time.monotonic() < end:
        most = max(most, len({os.getpgid(pid) for pid in processes(hang) if pid_is(pid)}))
        began = time.monotonic()
        assert daemon.probe('ann')['smtp']['verdict']['ok']
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.3)
    assert most == 16 and slowest < 10 * SLOW, (most, slowest)
    found = daemon.expect({'m%d' % number: 'secret_unavailable/secret' for number in range(20)})
    assert all('10 s' in verdict['detail'] for verdict in found.values()), found
    assert not zombies(daemon)
    assert daemon.term() == 0
    wait_until(lambda: not processes(hang), 5, why=lambda: 'left: %s' % processes(hang))


def pid_is(pid):
    """False where it has just ended."""
    try:
        os.getpgid(pid)
        return True
    except OSError:
        return False


@test('H4-22: a command that exits by 3, dies by a signal, is missing, cannot be forked')
def h4_22(t):
    host = t.host('ann')
    status = script(t, 'status', 'echo %s\necho grumble-on-stderr >&2\nexit 3' % t.secret('ann'))
    killed = script(t, 'killed', 'echo %s\nkill -9 $$' % t.secret('ann'))
    forked = script(t, 'forked', 'echo ' + t.secret('ann'))
    daemon = t.daemon(host, [
        smtp_only(t, host, 'status', password_command=[status]),
        smtp_only(t, host, 'killed', password_command=[killed]),
        smtp_only(t, host, 'missing', password_command=[t.folder + '/none']),
        smtp_only(t, host, 'forked', password_command=[forked])],
        {'interval': '5m', 'retry_max': '5m'}, start=False)
    daemon.be_nobody().start()
    found = daemon.expect({'status': 'secret_unavailable/secret', 'forked': 'ok/done',
                           'killed': 'secret_unavailable/secret',
                           'missing': 'secret_unavailable/secret'})
    assert '3' in found['status']['detail'] and '9' in found['killed']['detail'], found
    assert host.refused() == 0, host.count()
    assert 'grumble' not in daemon.stderr(), daemon.stderr()
    assert not zombies(daemon)
    # After a reload each command runs anew; this one finds no process left.
    daemon.reload()
    limit = resource.getrlimit(resource.RLIMIT_NPROC)  # the daemon has it from here
    limit_processes(daemon, 1)
    verdict = daemon.probe('forked')['smtp']['verdict']
    assert (verdict['cause'], verdict['stage']) == ('local_limit', 'secret'), verdict
    limit_processes(daemon, limit[0])
    assert daemon.probe('forked')['smtp']['verdict']['ok']
    assert not daemon.events(event='brake'), daemon.events()


def limit_processes(daemon, soft):
    """As the daemon's own user: root of a container may not do it to another."""
    subprocess.run(daemon.prefix + ['prlimit', '--pid', str(daemon.process.pid), '--nproc=%s:' % (
        'unlimited' if soft == resource.RLIM_INFINITY else soft)], check=True)


@test('H4-23: what a command finds: descriptors 0, 1, 2, stdin at its end, /, no signal blocked')
def h4_23(t):
    host = t.host('ann')
    out = os.path.join(t.folder, 'found')
    look = script(t, 'look', 'exec >%s.new\nls -l /proc/$$/fd\necho CWD $(pwd)\n'
                  'echo STDIN "$(cat | wc -c)"\n'
                  'while read -r line; do echo "$line"; done </proc/$$/status\n'
                  'echo ENV; env; mv %s.new %s' % (out, out, out))
    daemon = t.daemon(host, [smtp_only(t, host, 'ann', password_command=[look])], start=False)
    daemon.environment.update({'MBOXWATCH_MARK': t.secret('environment')})
    daemon.start()
    wait_until(lambda: os.path.exists(out), why='the command never ran')
    with open(out) as found:
        text = found.read()
    descriptors = [line.split(' -> ')[0].split()[-1] for line in text.splitlines()
                   if ' -> ' in line]
    # The shell itself holds its script as 10 (dash) or 255 (bash).
    assert set(descriptors) - {'10', '255'} == {'0', '1', '2'}, text
    assert 'CWD /\n' in text and 'STDIN 0\n' in text, text
    masks = {line[:6]: int(line.split()[1], 16) for line in text.splitlines()
             if line.startswith(('SigBlk', 'SigIgn'))}
    # 32 and 33 are glibc's own: its posix_spawn() leaves them ignored.
    assert masks['SigBlk'] == 0 and masks['SigIgn'] & ~(3 << 31) == 0, text
    environment = text.split('ENV\n')[1]
    assert t.secret('environment') not in environment, environment
    assert 'NOTIFY_SOCKET' not in environment and 'MBOXWATCH_' not in environment, environment


@test('H4-24: credentials: a path is a fault; directory unset, file absent: secret_unavailable')
def h4_24(t):
    for name in ('../secret', 'a/b', '..', '.', '/etc/passwd', ''):
        text = MAILBOX.replace('password = "x";', '\npassword_credential = "%s";' % name) % ''
        one_fault(t, text, 3, 'password_credential')
    host = t.host('ann')
    write(os.path.join(t.folder, 'there'), t.secret('ann') + '\n')
    daemon = t.daemon(host, [smtp_only(t, host, name, password_credential=name)
                             for name in ('there', 'absent')])
    found = daemon.expect({name: 'secret_unavailable/secret' for name in ('there', 'absent')})
    assert 'CREDENTIALS_DIRECTORY' in found['there']['detail'], found
    daemon.environment['CREDENTIALS_DIRECTORY'] = t.folder
    daemon.restart()
    daemon.wait_verdict('there', 'smtp', ok=True)
    verdict = daemon.wait_verdict('absent', 'smtp', cause='secret_unavailable', stage='secret')
    assert 'no such file' in verdict['detail'], verdict
    assert host.refused() == 0, host.count()


# --- values ---------------------------------------------------------------------------------------

@test('H4-25: CR, LF or NUL in host, helo_name, user name, folder, label: faults with their lines')
def h4_25(t):
    template = (
        'daemon = { helo_name = "watch.example.com%(helo)s"; };\n'
        'mailboxes = ( { name = "ann"; address = "ann@test.example%(address)s";\n'
        'labels = { owner = "acme%(label)s"; };\n'
        'smtp = { host = "mail.example.com%(host)s"; password = "x";\n'
        'username = "ann%(username)s"; };\n'
        'imap = { host = "mail.example.com"; password = "x";\n'
        'mailbox = "INBOX%(folder)s"; }; } );\n')
    lines = {'helo': 1, 'address': 2, 'label': 3, 'host': 4, 'username': 5, 'folder': 7}
    status, out, _ = check(t, template % {name: '' for name in lines})
    assert status == 0, out
    for name, line in lines.items():
        for bad in ('\\r\\nNOOP', '\\n', '\\r', '\\x00', '\\x00more'):
            values = {other: '' for other in lines}
            values[name] = bad
            status, out, _ = check(t, template % values)
            assert status == 1 and len(faults_of(out)) == 1, (name, bad, out)
            assert '.conf:%d: ' % line in faults_of(out)[0], (name, bad, out)
    for setting in ('mail_from', 'rcpt_to'):
        status, out, _ = check(t, MAILBOX % ('\n%s = "a@b.example\\r\\nDATA";' % setting))
        assert status == 1 and '.conf:3: ' in faults_of(out)[0], out


@test('H4-26: hosts and names that are none: faults with their lines that say what would be right')
def h4_26(t):
    hosts = ['a..b', 'a' * 64 + '.example', '.'.join(['abcdefg'] * 32)[:254], 'imaps://h.example',
             'h.example:993', ' h.example', 'xn--a-\u00fc', 'xn--0', '-a.example', 'a_b.example',
             '1.2.3', '[::1', '', 'ann@example.com']
    names = ['', '-x', 'x' * 65, 'a/b', '\u00fc', '.', '..', 'a b', '@x', '%41']
    text = 'mailboxes = (\n' + ',\n'.join(
        ['{ name = "h%d"; address = "a@b.example"; smtp = { host = %s; password = "x"; }; }' % (
            number, libconfig_value(host)) for number, host in enumerate(hosts)] +
        ['{ name = %s; address = "a@b.example"; smtp = { host = "h.example"; password = "x"; }; }'
         % libconfig_value(name) for name in names]) + '\n);\n'
    status, lines, _ = check(t, text)
    faults = faults_of(lines)
    assert status == 1 and len(faults) == len(hosts) + len(names), lines
    for number, value in enumerate(hosts + names):
        found = [fault for fault in faults if '.conf:%d: ' % (number + 2) in fault]
        assert len(found) == 1 and (';' in found[0] or 'write' in found[0]), (value, lines)
    good = ['x' * 64, '_x', 'u+tag@example.com', 'A.b-c', '9']
    status, lines, _ = check(t, libconfig_text({'mailboxes': tuple(
        {'name': name, 'address': 'a@b.example', 'smtp': {'host': host, 'password': 'x'}}
        for name, host in zip(good, ['h.example.', 'B\u00fccher.example', '192.0.2.1', '::1',
                                     '[2001:db8::1]']))}))
    assert status == 0, lines


@test('H4-28: known secrets by every source, all probes failing, debug on: shown nowhere')
def h4_28(t):
    names = ['user%d' % number for number in range(20)]
    host = t.host(*names)
    sources = ('value', 'file', 'command', 'credential')
    mailboxes = []
    for number, name in enumerate(names):
        secret = t.secret('leak%d' % number)  # refused; and no output may hold it
        source = sources[number % 4]
        path = write(os.path.join(t.folder, name), secret + '\n')
        command = script(t, name + '.sh', 'echo %s\necho noise %s >&2' % (secret, secret))
        how = {'value': {'password': secret}, 'file': {'password_file': path},
               'command': {'password_command': [command]},
               'credential': {'password_credential': name}}[source]
        auth = ('plain', 'login')[number % 2]
        mailboxes.append({'name': name, 'address': name + '@test.example',
                          'smtp': host.endpoint('smtp', auth=auth, **how),
                          'imap': host.endpoint('imap', auth=auth, **how)})

    daemon = t.daemon(host, mailboxes, start=False, daemon={'log_level': 'debug'})
    daemon.environment['CREDENTIALS_DIRECTORY'] = t.folder
    daemon.start()
    daemon.wait_for(lambda status: status['counts']['failing'] == 20)
    for name in names:
        daemon.mailbox(name)
        daemon.ctl('show', name)
    daemon.get('/metrics')
    daemon.ctl('events')
    daemon.check_settings()
    daemon.signal(signal.SIGUSR1)
    # A settings file that cannot be parsed quotes its line, but never a secret of it.
    whole = libconfig_text(daemon.settings)
    for broken in (whole.replace('password = "', 'password "', 1),
                   whole.replace('password =', 'pasword =', 1),
                   whole.replace('"; }; }', '; }; }', 1)):
        daemon.write_settings(broken)
        assert daemon.check_settings()[0] == 1
        assert daemon.post('/v1/reload').status == 422
    pid = daemon.process.pid
    for kind in ('cmdline', 'environ'):
        with open('/proc/%d/%s' % (pid, kind), 'rb') as data:
            daemon.outputs.append((kind, data.read()))
    # finish() looks through state files, stderr and all answers, plain and as base64.


if __name__ == '__main__':
    main()
