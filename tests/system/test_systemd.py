#!/usr/bin/python3
"""
test_systemd.py: the daemon as an installed service, under a real systemd (systemd-sandbox).

Outside it only finds out whether it can run, and starts itself anew inside the sandbox. There it
installs the build (`make install`), sets up a scripted mail host and three mailboxes, and goes
through a service's life in one row: refused settings, start, journal, socket, reload, credentials,
kill -9, watchdog, stop, and life without a journal. Each claim is a test; prints TAP.
Not here: what the daemon says of mail servers (tests/e2e, test_realservers.py).
"""

import http.client
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SANDBOX = os.path.join(HERE, 'systemd-sandbox')
MAILHOST = os.path.join(HERE, '..', 'mailhost', 'mailhost.py')
CATALOG = os.path.join(HERE, '..', '..', 'systemd', 'mboxwatch.catalog')
sys.path.insert(0, HERE)
import tap  # noqa: E402
from tap import check, equal, test, wait_for  # noqa: E402

SANDBOX_SECONDS = 300
UNIT = 'mboxwatchd.service'
SETTINGS = '/etc/mboxwatch/mboxwatch.conf'
DROP_INS = '/run/systemd/system/%s.d' % UNIT
STATE_DIR = '/var/lib/mboxwatch'
SOCKET = '/run/mboxwatch/status.sock'
HOST_DIR = '/var/tmp/mailhost'
SECRETS = {name: 'Pw-%s-7d1f' % name for name in ('file', 'command', 'broken', 'cred', 'late')}

# The exposure that `systemd-analyze security` may give at most.
MOST_EXPOSURE = 1.5
# Contract 2: TERM finishes in at most 5 s.
STOP_SECONDS = 5


# --- the world --------------------------------------------------------------------------------

def run(*arguments, **options):
    """The finished process, with its output as text."""
    return subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=120, **options)


def must(*arguments, **options):
    done = run(*arguments, **options)
    check(done.returncode == 0, '%s ended with %d\n%s%s' % (
        ' '.join(arguments), done.returncode, done.stdout, done.stderr))
    return done.stdout


def of_unit(name):
    return must('systemctl', 'show', '--value', '-p', name, UNIT).strip()


def main_pid():
    return int(of_unit('MainPID'))


def write(path, text, mode=0o640, group='mboxwatch'):
    with open(path, 'w', encoding='utf-8') as out:
        out.write(text)
    os.chmod(path, mode)
    shutil.chown(path, 'root', group)


def drop_in(name, *lines):
    os.makedirs(DROP_INS, exist_ok=True)
    write('%s/%s.conf' % (DROP_INS, name), '[Service]\n' + '\n'.join(lines) + '\n', 0o644, 'root')
    must('systemctl', 'daemon-reload')


def mode_and_owner(path):
    return must('stat', '-c', '%a %U:%G', path).strip()


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(SOCKET)


def ask(path, method='GET', body=None):
    """(status, content type, text) of one request at the status socket."""
    connection = Connection('d', timeout=10)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.getheader('Content-Type', ''), answer.read().decode('utf-8')
    finally:
        connection.close()


def mailbox(name):
    status, _, text = ask('/v1/mailboxes/' + name)
    equal(status, 200, 'GET of mailbox ' + name)
    return json.loads(text)


def state_is(name, state):
    def judged():
        try:
            return mailbox(name)['state'] == state
        except OSError:
            return False
    return judged


def ask_as(user, path, method='GET'):
    """What another user gets: the status, or the name of the exception."""
    entry = pwd.getpwnam(user)
    reading, writing = os.pipe()
    child = os.fork()  # no new program: the tree may lie where that user cannot read it
    if child == 0:
        os.setgroups(os.getgrouplist(user, entry.pw_gid))
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
        try:
            answer = str(ask(path, method)[0])
        except OSError as error:
            answer = type(error).__name__
        os.write(writing, answer.encode('utf-8'))
        os._exit(0)
    os.close(writing)
    with open(reading, encoding='utf-8') as answers:
        answer = answers.read()
    os.waitpid(child, 0)
    return answer


def journal(*matches):
    """The journal's entries as dictionaries, the oldest first."""
    lines = must('journalctl', '-o', 'json', '--no-pager', '-u', UNIT, *matches).splitlines()
    return [json.loads(line) for line in lines]


def events_of(name, **members):
    return [entry for entry in journal('MBOXWATCH_EVENT=' + name)
            if all(entry.get('MBOXWATCH_' + k.upper()) == v for k, v in members.items())]


def message_ids():
    with open(CATALOG, encoding='utf-8') as catalog:
        return dict(re.findall(r'^# event: (\S+)\n-- (\S+)$', catalog.read(), re.MULTILINE))


class World:
    """The installed program, the mail host and the settings; one for all tests."""

    def __init__(self):
        self.host = None
        self.ports = None
        self.incident = None
        self.installed_settings = None  # mode and owner

    def begin(self):
        must('make', '-s', 'install')
        must('systemd-sysusers')
        must('systemd-tmpfiles', '--create')
        must('journalctl', '--update-catalog')
        must('systemctl', 'daemon-reload')
        for name, groups in (('reader', ['-G', 'mboxwatch-status']), ('stranger', [])):
            must('useradd', '--no-create-home', '--shell', '/bin/sh', *groups, name)
        self.host = subprocess.Popen(
            ['/usr/bin/python3', MAILHOST, '--dir', HOST_DIR]
            + ['--account=%s@try.example=%s' % item for item in SECRETS.items()],
            stdout=subprocess.PIPE, stderr=sys.stderr)
        self.ports = json.loads(self.host.stdout.readline())
        self.installed_settings = mode_and_owner(SETTINGS)
        shutil.copy(self.ports['ca_file'], '/etc/mboxwatch/ca.pem')
        os.chmod('/etc/mboxwatch/ca.pem', 0o644)
        write('/etc/mboxwatch/secrets/file', SECRETS['file'] + '\n')
        write('/etc/mboxwatch/secrets/command', SECRETS['command'] + '\n')
        write('/etc/mboxwatch/secrets/cred', SECRETS['cred'] + '\n', 0o600, 'root')
        self.settle('file', 'command', 'broken')

    def settle(self, *names, more=''):
        """Writes settings with these mailboxes; of `broken` only IMAP fails: its folder is not."""
        secrets = {
            'file': 'password_file = "/etc/mboxwatch/secrets/file";',
            'command': 'password_command = ["/bin/cat", "/etc/mboxwatch/secrets/command"];',
            'broken': 'password = "%s";' % SECRETS['broken'],
            'cred': 'password_credential = "cred";',
            'late': 'password = "%s";' % SECRETS['late'],
        }
        rows = [
            '{ name = "%s"; address = "%s@try.example"; labels = { owner = "acme"; };\n'
            '    smtp = { host = "127.0.0.1"; port = %d; security = "tls"; %s };\n'
            '    imap = { host = "127.0.0.1"; port = %d; security = "tls"; %s }; }' % (
                name, name, self.ports['smtp']['tls'], secrets[name], self.ports['imap']['tls'],
                'mailbox = "nosuch";' if name == 'broken' else '')
            for name in names]
        write(SETTINGS, (
            'defaults = { interval = "10s"; retry_interval = "1s"; confirm = 2; recover = 1;\n'
            '  ca_file = "/etc/mboxwatch/ca.pem"; };\n'
            '%s\nmailboxes = (\n  %s\n);\n') % (more, ',\n  '.join(rows)))

    def end(self):
        if self.host is not None:
            self.host.terminate()
            self.host.wait()


WORLD = World()


# --- what was installed -----------------------------------------------------------------------

@test('systemd-analyze verify says nothing about the unit')
def _():
    done = run('systemd-analyze', 'verify', UNIT)
    equal((done.returncode, done.stdout, done.stderr), (0, '', ''), 'verify')


@test('systemd-analyze security gives %.1f or better' % MOST_EXPOSURE)
def _():
    said = run('systemd-analyze', 'security', '--no-pager', UNIT).stdout
    figure = re.search(r'Overall exposure level for \S+: ([0-9.]+)', said)
    check(figure, 'no figure in:\n' + said)
    check(float(figure.group(1)) <= MOST_EXPOSURE, 'exposure is ' + figure.group(1))


@test('the user and both groups are there, without a login')
def _():
    entry = pwd.getpwnam('mboxwatch')
    equal((entry.pw_dir, os.path.basename(entry.pw_shell)), (STATE_DIR, 'nologin'), 'passwd')
    must('getent', 'group', 'mboxwatch', 'mboxwatch-status')
    check(entry.pw_uid < 1000, 'no system user: %d' % entry.pw_uid)


@test('/etc/mboxwatch is root:mboxwatch, folders 0750, settings 0640')
def _():
    for name in ('', 'conf.d', 'rules.d', 'secrets'):
        path = os.path.join('/etc/mboxwatch', name)
        equal(mode_and_owner(path), '750 root:mboxwatch', path)
    equal(WORLD.installed_settings, '640 root:mboxwatch', SETTINGS)


# --- start ------------------------------------------------------------------------------------

@test('unusable settings: status 78, no start over and over, the fault in the journal')
def _():
    drop_in('quick', 'RestartSec=200ms')
    WORLD.settle('file', more='limtis = { in_flight = 7; };')
    check(run('systemctl', 'start', UNIT).returncode != 0, 'start claims to have worked')
    time.sleep(1.5)
    equal([of_unit(name) for name in ('ActiveState', 'ExecMainStatus', 'NRestarts')],
          ['failed', '78', '0'], 'the unit')
    said = ' '.join(entry['MESSAGE'] for entry in journal())
    check(SETTINGS + ':' in said and 'limits' in said, 'no fault with file and line in: ' + said)


@test('start returns when the status socket answers, and no sooner')
def _():
    WORLD.settle('file', 'command', 'broken')
    must('systemctl', 'reset-failed', UNIT)
    must('systemctl', 'start', UNIT)
    equal(of_unit('ActiveState'), 'active', 'the unit')
    status, _, text = ask('/healthz')
    equal((status, text.strip()), (200, 'ok'), 'GET /healthz')


@test('secrets by value, file and command serve within the unit')
def _():
    for name in ('file', 'command'):
        wait_for(state_is(name, 'ok'), 20, name + ' to be ok')
    wait_for(state_is('broken', 'smtp ok, imap failing'), 20, 'broken to fail')
    WORLD.incident = mailbox('broken')['imap']['incident']


@test('systemctl status shows the counts')
def _():
    wait_for(lambda: re.search(r'1 failing|failing.*\b1\b', of_unit('StatusText')), 10,
             'StatusText with one failing')
    said = run('systemctl', 'status', '--no-pager', UNIT).stdout
    check('Status: "' + of_unit('StatusText') in said, said)


@test('a second daemon ends with 75 and leaves the first alone')
def _():
    before = main_pid()
    done = run('runuser', '-u', 'mboxwatch', '--', shutil.which('mboxwatchd'))
    equal(done.returncode, 75, 'exit status; it said: ' + done.stderr)
    equal((main_pid(), ask('/healthz')[0]), (before, 200), 'the first one')


# --- journal ----------------------------------------------------------------------------------

@test('an event in the journal has all its fields')
def _():
    wait_for(lambda: events_of('state', mailbox='broken'), 10, 'the event in the journal')
    entry, = events_of('state', mailbox='broken')
    expected = {
        'MESSAGE_ID': message_ids()['state'], 'PRIORITY': '3', 'SYSLOG_FACILITY': '2',
        'SYSLOG_IDENTIFIER': 'mboxwatchd', '_TRANSPORT': 'journal', '_SYSTEMD_UNIT': UNIT,
        'MBOXWATCH_EVENT': 'state', 'MBOXWATCH_MAILBOX': 'broken', 'MBOXWATCH_ENDPOINT': 'imap',
        'MBOXWATCH_STATE': 'smtp ok, imap failing', 'MBOXWATCH_SMTP': 'ok',
        'MBOXWATCH_IMAP': 'failing', 'MBOXWATCH_CAUSE': 'folder_missing',
        'MBOXWATCH_STAGE': 'select', 'MBOXWATCH_SERVER': '127.0.0.1',
        'MBOXWATCH_INCIDENT': WORLD.incident, 'MBOXWATCH_LABEL_OWNER': 'acme',
    }
    equal({name: entry.get(name) for name in expected}, expected, 'fields')
    check(entry.get('MBOXWATCH_WAS'), 'no MBOXWATCH_WAS')
    check(not [name for name, value in entry.items() if value == ''], 'an empty field')
    check(entry['MESSAGE'].startswith('msg="broken: smtp ok, imap failing" level=error '
                                      'event=state id=%s ' % entry['MBOXWATCH_EVENT_ID']),
          entry['MESSAGE'])
    check(len(entry['MESSAGE'].encode('utf-8')) <= 900, 'the line is too long')


@test('the journal and GET /v1/events tell of the same events')
def _():
    told = [json.loads(line)['id'] for line in ask('/v1/events')[2].splitlines()]
    wait_for(lambda: {e['MBOXWATCH_EVENT_ID'] for e in journal()
                      if 'MBOXWATCH_EVENT_ID' in e} >= set(told), 10, 'all of them in the journal')
    check('start' in {e.get('MBOXWATCH_EVENT') for e in journal()}, 'no event start')


@test('journalctl -x explains the event')
def _():
    said = must('journalctl', '-x', '--no-pager', '-u', UNIT,
                'MESSAGE_ID=' + message_ids()['state'])
    check('Subject: Mailbox broken: smtp ok, imap failing' in said, said)
    check('man:mboxwatch-events(7)' in said, said)


@test("the daemon's own log has priorities, and no <N> is left in it")
def _():
    own = [entry for entry in journal() if entry['_TRANSPORT'] == 'stdout'
           and entry['SYSLOG_IDENTIFIER'] == 'mboxwatchd']
    check(own, 'it has logged nothing')
    check(not [e for e in own if re.match(r'<\d>', e['MESSAGE'])], 'a prefix is left')
    check({'3', '6'} & {entry['PRIORITY'] for entry in own}, 'no priorities')
    check(not [e for e in own if e['MESSAGE'].startswith('msg=')], 'an alert is told twice')


@test('H8-03: 20,000 events as fast as they come: all are in the journal, no limit on their rate')
def _():
    equal(of_unit('LogRateLimitIntervalUSec'), '0', 'LogRateLimitIntervalUSec')
    connection = Connection('d', timeout=30)
    told = set()
    for _ in range(20000):
        connection.request('POST', '/v1/test-alert', b'{}')
        told.add(json.loads(connection.getresponse().read())['id'])
    connection.close()
    equal(len(told), 20000, 'events of different ids')
    wait_for(lambda: told <= {entry['MBOXWATCH_EVENT_ID'] for entry in journal(
        'MESSAGE_ID=' + message_ids()['test'])}, 60, 'all of them in the journal')


# --- who may do what --------------------------------------------------------------------------

@test('the socket is for its group, state and secrets are not')
def _():
    equal(mode_and_owner(SOCKET), '660 mboxwatch:mboxwatch-status', SOCKET)
    equal(mode_and_owner('/run/mboxwatch'), '755 mboxwatch:mboxwatch', '/run/mboxwatch')
    equal(mode_and_owner(STATE_DIR), '700 mboxwatch:mboxwatch', STATE_DIR)
    entry = pwd.getpwnam('reader')
    groups = os.getgrouplist('reader', entry.pw_gid)
    for path in ('/etc/mboxwatch/secrets/file', SETTINGS, STATE_DIR):
        done = run('ls' if path == STATE_DIR else 'cat', path, user=entry.pw_uid,
                   group=entry.pw_gid, extra_groups=groups)
        check('Permission denied' in done.stderr, 'reader reads ' + path)


@test('a member of mboxwatch-status may read and change nothing; others cannot connect')
def _():
    equal(ask_as('reader', '/v1/status'), '200', 'GET by a member')
    for path in ('/v1/reload', '/v1/mailboxes/file/pause'):
        equal(ask_as('reader', path, 'POST'), '403', 'POST %s by a member' % path)
    equal(ask_as('stranger', '/v1/status'), 'PermissionError', 'GET by an outsider')
    equal(ask_as('mboxwatch', '/v1/mailboxes/file/probe', 'POST'), '202', "the daemon's own user")


@test('the process has no capability, no core and many descriptors')
def _():
    with open('/proc/%d/status' % main_pid(), encoding='ascii') as status:
        said = status.read()
    check(re.search(r'^CapEff:\t0+$', said, re.MULTILINE), said)
    check(re.search(r'^NoNewPrivs:\t1$', said, re.MULTILINE), said)
    with open('/proc/%d/limits' % main_pid(), encoding='ascii') as limits:
        said = limits.read()
    check(re.search(r'^Max core file size +0 +0 ', said, re.MULTILINE), said)
    files = re.search(r'^Max open files +(\d+)', said, re.MULTILINE)
    check(int(files.group(1)) >= 16384, files.group(0))


# --- reload -----------------------------------------------------------------------------------

@test('systemctl reload takes new settings in, in the same process')
def _():
    before = main_pid()
    WORLD.settle('file', 'command', 'broken', 'late')
    must('systemctl', 'reload', UNIT)
    wait_for(state_is('late', 'ok'), 20, 'the new mailbox to be ok')
    equal(main_pid(), before, 'the process')
    equal(mailbox('broken')['imap'].get('incident'), WORLD.incident, 'the incident of another one')
    wait_for(lambda: events_of('reload'), 10, 'the event reload')


@test('systemctl reload fails where the new settings are refused, and nothing has changed')
def _():
    before = main_pid()
    WORLD.settle('file', more='daemon = { threads = "many"; };')
    done = run('systemctl', 'reload', UNIT)
    check(done.returncode != 0, 'it claims to have worked')
    equal((main_pid(), of_unit('ActiveState')), (before, 'active'), 'the unit')
    equal(len(json.loads(ask('/v1/status')[2])['mailboxes']), 4, 'mailboxes')
    wait_for(lambda: events_of('reload-failed'), 10, 'the event reload-failed')
    equal(events_of('reload-failed')[0]['PRIORITY'], '3', 'its priority')
    said = ' '.join(entry['MESSAGE'] for entry in journal())
    check('threads' in said, 'the journal does not say what is wrong')
    WORLD.settle('file', 'command', 'broken', 'late')
    must('systemctl', 'reload', UNIT)


@test('LoadCredential=: a secret that root alone can read')
def _():
    drop_in('credential', 'LoadCredential=cred:/etc/mboxwatch/secrets/cred')
    WORLD.settle('file', 'command', 'broken', 'cred')
    must('systemctl', 'restart', UNIT)
    wait_for(state_is('cred', 'ok'), 20, 'cred to be ok')


# --- ends -------------------------------------------------------------------------------------

def restarted_after(number):
    """Sends the signal to the daemon and waits for the next one; gives the old and the new id."""
    before = main_pid()
    os.kill(before, number)
    wait_for(lambda: main_pid() not in (0, before) and of_unit('ActiveState') == 'active', 20,
             'a new process')
    return before, main_pid()


@test('kill -9: started again, with its states and incidents, and nothing is told twice')
def _():
    wait_for(state_is('broken', 'smtp ok, imap failing'), 20, 'broken to fail')
    told = [entry['MBOXWATCH_EVENT_ID'] for entry in events_of('state', mailbox='broken')]
    restarted_after(signal.SIGKILL)
    equal(of_unit('NRestarts'), '1', 'NRestarts')
    found = mailbox('broken')
    equal((found['state'], found['imap'].get('incident')),
          ('smtp ok, imap failing', WORLD.incident), 'broken')
    equal(mailbox('file')['state'], 'ok', 'file')
    time.sleep(4)  # some more failed probes
    equal([entry['MBOXWATCH_EVENT_ID'] for entry in events_of('state', mailbox='broken')], told,
          'its events')


@test('the watchdog lets a working daemon be, and ends and restarts a stuck one')
def _():
    drop_in('watchdog', 'WatchdogSec=2s')
    must('systemctl', 'restart', UNIT)
    before = main_pid()
    time.sleep(6)
    equal(main_pid(), before, 'the process after three deadlines')
    restarted_after(signal.SIGSTOP)
    check('Watchdog timeout' in must('journalctl', '--no-pager', '-u', UNIT), 'not by the watchdog')
    wait_for(state_is('file', 'ok'), 20, 'file to be ok')


@test('stop is clean and quick, and leaves the state alone')
def _():
    began = time.monotonic()
    must('systemctl', 'stop', UNIT)
    took = time.monotonic() - began
    check(took <= STOP_SECONDS + 0.5, 'it took %.1f s' % took)
    equal([of_unit(name) for name in ('ActiveState', 'Result')], ['inactive', 'success'], 'unit')
    check(must('journalctl', '--no-pager', '-u', UNIT).rstrip().endswith('Stopped ' + UNIT
          + ' - Mailbox watcher.'), 'not stopped last')
    check('Deactivated successfully' in must('journalctl', '--no-pager', '-n', '5', '-u', UNIT),
          'not with status 0')
    check(events_of('stop'), 'no event stop')
    check(not os.path.exists('/run/mboxwatch'), '/run/mboxwatch is left')
    check(os.listdir(STATE_DIR), 'the state is gone')


@test('after a stop and a start a failing mailbox keeps its incident')
def _():
    must('systemctl', 'start', UNIT)
    equal(mailbox('broken')['imap'].get('incident'), WORLD.incident, 'the incident')
    must('systemctl', 'stop', UNIT)


@test('no secret is in the journal')
def _():
    # Bytes that are no UTF-8, lengths among them, stand in this form (systemd.journal-fields(7)).
    said = must('journalctl', '-o', 'export', '--all', '--no-pager', errors='replace')
    equal([name for name, secret in SECRETS.items() if secret in said], [], 'secrets found')


@test('without a journal, alerts go to syslog, with facility, priority and name')
def _():
    WORLD.settle('file', 'command', 'broken')
    done = run('unshare', '--mount', '--propagation', 'private', '/usr/bin/python3',
               os.path.abspath(__file__), '--without-journal')
    datagrams = done.stdout.splitlines()
    found = [line for line in datagrams if 'msg="broken: smtp ok, imap failing"' in line]
    check(len(found) == 1, '%d such lines in:\n%s%s' % (len(found), done.stdout, done.stderr))
    check(re.match(r'<19>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d mboxwatchd(\[\d+\])?: msg="broken: ',
                   found[0]), found[0])
    check('msg="broken' not in done.stderr, 'told on stderr too')


def without_journal():
    """
    Within mounts of our own: no journal, a listener at /dev/log, the daemon for a while. Prints
    what came to the listener. /dev is the real one, so one of our own is laid over it.
    """
    os.makedirs('/var/tmp/dev')
    for name in ('null', 'zero', 'random', 'urandom'):
        open('/var/tmp/dev/' + name, 'w', encoding='ascii').close()
        must('mount', '--bind', '/dev/' + name, '/var/tmp/dev/' + name)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind('/var/tmp/dev/log')
    os.chmod('/var/tmp/dev/log', 0o666)
    must('mount', '--rbind', '/var/tmp/dev', '/dev')
    must('mount', '-t', 'tmpfs', 'tmpfs', '/run/systemd/journal')
    must('install', '-d', '-o', 'mboxwatch', '-g', 'mboxwatch', '/run/mboxwatch',
         '/var/tmp/nojournal')
    environment = {key: value for key, value in os.environ.items() if key != 'JOURNAL_STREAM'}
    daemon = subprocess.Popen(
        ['setpriv', '--reuid=mboxwatch', '--regid=mboxwatch', '--init-groups',
         shutil.which('mboxwatchd'), '--state-dir', '/var/tmp/nojournal'],
        env=environment)
    end = time.monotonic() + 20
    try:
        while time.monotonic() < end:
            listener.settimeout(max(0.1, end - time.monotonic()))
            line = listener.recv(65536).decode('utf-8', 'replace')
            print(line.rstrip('\n'), flush=True)
            if 'msg="broken: ' in line:
                end = min(end, time.monotonic() + 2)
    except TimeoutError:
        pass
    finally:
        daemon.terminate()
        daemon.wait(10)


# --- itself -----------------------------------------------------------------------------------

def why_not():
    if os.geteuid() != 0:
        return 'needs root'
    for program in ('/lib/systemd/systemd', 'unshare', 'nsenter', 'setpriv', 'journalctl'):
        if shutil.which(program) is None:
            return program + ' is not installed'
    tried = run(SANDBOX, 'true')
    if tried.returncode != 0:
        return 'no systemd can be booted here: ' + tried.stderr.strip().replace('\n', ' ')[:200]
    return None


def inside():
    build = os.environ.get('top_builddir', '.')
    os.chdir(build)
    for name in ('MAKEFLAGS', 'MFLAGS', 'MAKELEVEL', 'DESTDIR'):
        os.environ.pop(name, None)
    os.environ['PATH'] = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
    try:
        return tap.main(before=WORLD.begin, after_failure=last_words)
    finally:
        WORLD.end()


def last_words():
    return run('journalctl', '--no-pager', '-n', '15', '-u', UNIT).stdout


def main():
    if sys.argv[1:] == ['--without-journal']:
        return without_journal()
    if sys.argv[1:] == ['--inside']:
        return inside()
    reason = why_not()
    if reason is not None:
        return tap.skip_all(reason)
    build = os.path.abspath(os.environ.get('top_builddir', '.'))
    os.environ['top_builddir'] = build
    top = os.path.realpath(os.path.join(HERE, '..', '..'))
    return subprocess.call([SANDBOX, '-t', str(SANDBOX_SECONDS), '-s', top, '-s', build,
                            '/usr/bin/python3', os.path.abspath(__file__), '--inside'])


if __name__ == '__main__':
    sys.exit(main())
