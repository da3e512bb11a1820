"""
harness.py: what all Python tests of the daemon import.

    from harness import test, main

    @test('H1-01: bytes behind the reply to STARTTLS')
    def injected(t):                      # t: a Test; a thread, a folder, a deadline of its own
        host = t.host('ann')              # a scripted mail host with ann@test.example
        daemon = t.daemon(host, [t.mailbox(host, 'ann')])
        daemon.wait_state('ann', 'ok')

    if __name__ == '__main__':
        main()

A test ends by returning, by an assertion or t.skip(reason). What it started is ended for it, and
then each daemon is looked over: exit status 0 after TERM, no sanitizer report, no secret in
anything that it wrote or answered. `test_x.py WORD...` runs the tests whose titles hold a word,
`--list` lists, `-j N` (8), `-k` keeps the folders.

Environment: $MBOXWATCHD, $MBOXWATCHCTL (else src/ below $top_builddir, else below the tree),
$TMPDIR, $MBOXWATCH_TEST_SLOW (a factor that stretches all deadlines). Not here: the scripted mail
host (tests/mailhost).
"""

import concurrent.futures
import faulthandler
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import unicodedata
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TREE, 'tests', 'mailhost'))
import certs  # noqa: E402
import mailhost  # noqa: E402

SLOW = float(os.environ.get('MBOXWATCH_TEST_SLOW', '1'))
DEADLINE_SECONDS = 90.0       # of a test, unless it names another
WAIT_SECONDS = 30.0           # of one condition, unless it names another
POLL_SECONDS = 0.05
NOBODY = 65534                # an ordinary user's uid and gid, where root runs the tests

# What an endpoint of a test is unless it says otherwise: quick, within the contract's leasts.
QUICK = {'interval': '10s', 'retry_interval': '1s', 'retry_max': '1s', 'confirm': 2, 'recover': 1}
ALERTS = {'journal': False, 'syslog': False}
# Everything is at 127.0.0.1 here, one server: its budget must not stretch what a test waits for.
LIMITS = {'connections': 200, 'logins_per_minute': 6000}

SANITIZER = re.compile(r'AddressSanitizer|LeakSanitizer|ThreadSanitizer|MemorySanitizer|'
                       r'UndefinedBehaviorSanitizer|runtime error:|Assertion .* failed')


class Skip(Exception):
    pass


def build_file(variable, name):
    """A program under test: by its variable, else of the build tree."""
    given = os.environ.get(variable)
    if given:
        return os.path.abspath(given)
    builds = [os.environ.get('top_builddir'), os.environ.get('abs_top_builddir'), TREE]
    paths = [os.path.abspath(os.path.join(build, 'src', name)) for build in builds if build]
    return next((path for path in paths if os.path.exists(path)), paths[-1])


MBOXWATCHD = build_file('MBOXWATCHD', 'mboxwatchd')
MBOXWATCHCTL = build_file('MBOXWATCHCTL', 'mboxwatchctl')


# --- the alert line -------------------------------------------------------------------------------

ORDER = ('msg level event id mailbox smtp imap delivery state was server domain members endpoint '
         'cause stage transient since until incident outage kind what label_* detail reply '
         'next').split()
# server and members stand with the subject of an outage, else after transient and outage.
ORDER_OF_ONE = ('msg level event id mailbox smtp imap delivery state was endpoint cause stage '
                'transient server since until incident outage members kind what label_* detail '
                'reply next').split()
QUOTED = {'msg', 'state', 'was', 'detail', 'reply', 'next'}
LEVELS = {'critical', 'error', 'warning', 'notice', 'info'}
PARTS = {'ok', 'failing', 'unknown', 'paused', 'none'}
TIME = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$')
ULID = re.compile(r'[0-7][0-9A-HJKMNP-TV-Z]{25}$')
FIELD = re.compile(r'([a-z][a-zA-Z0-9_]*)=(?:"((?:[^"\\=\x00-\x1f\x7f]|\\\\x[0-9a-f]{2})*)"'
                   r'|([^ "\\=\x00-\x20\x7f]+))(?: |$)')
LINE_MOST_BYTES = 900


class BadLine(AssertionError):
    """An alert line that contract 6 does not allow."""


def parse_line(line):
    """
    One alert line as {key: value}, strictly by contract 6: at most 900 bytes, each key once and in
    its order, quoted where it must be and nowhere else, escapes decoded to one backslash. Raises
    BadLine.
    """
    def require(condition, why):
        if not condition:
            raise BadLine('%s in %r' % (why, line))

    require(len(line.encode('utf-8', 'surrogateescape')) <= LINE_MOST_BYTES, 'more than 900 bytes')
    unseen = [letter for letter in line
              if unicodedata.category(letter) in ('Cc', 'Cf', 'Cs', 'Co', 'Cn', 'Zl', 'Zp')]
    require(not unseen, 'characters %r' % unseen)
    fields, at = {}, 0
    while at < len(line):
        found = FIELD.match(line, at)
        require(found is not None, 'no field at %d' % at)
        key, quoted, bare = found.groups()
        require(key not in fields, 'a second %s' % key)
        must_quote = key in QUOTED or key.startswith('label_')
        require((quoted is not None) == must_quote, '%s quoted wrongly' % key)
        fields[key] = quoted.replace('\\\\x', '\\x') if quoted is not None else bare
        at = found.end()
    require(not line.endswith(' '), 'a blank at the end')
    keys = ['label_*' if key.startswith('label_') else key for key in fields]
    unknown = [key for key in keys if key not in ORDER]
    require(not unknown, 'unknown keys %s' % unknown)
    order = ORDER_OF_ONE if 'endpoint' in fields or 'mailbox' in fields else ORDER
    places = [order.index(key) for key in keys]
    require(places == sorted(places), 'keys out of order')
    require(keys[:4] == ['msg', 'level', 'event', 'id'], 'not msg, level, event, id first')
    require(fields['level'] in LEVELS, 'level')
    require(ULID.match(fields['id']), 'id is no ULID')
    for key in ('smtp', 'imap', 'delivery'):
        require(key not in fields or fields[key] in PARTS, key)
    for key in ('since', 'until'):
        require(key not in fields or TIME.match(fields[key]), key)
    require(fields.get('transient', 'true') in ('true', 'false'), 'transient')
    return fields


# --- settings -------------------------------------------------------------------------------------

def libconfig_value(value):
    """A Python value as libconfig: dict a group, list of dicts a list, list of scalars an array."""
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        escaped = ''.join({'\\': '\\\\', '"': '\\"', '\n': '\\n', '\r': '\\r', '\t': '\\t'}.get(
            letter, letter if ord(letter) >= 32 else '\\x%02x' % ord(letter)) for letter in value)
        return '"%s"' % escaped
    if isinstance(value, dict):
        return '{ %s }' % ' '.join('%s = %s;' % (name, libconfig_value(member))
                                   for name, member in value.items() if member is not None)
    if isinstance(value, tuple) or any(isinstance(member, dict) for member in value):
        return '( %s )' % ',\n  '.join(libconfig_value(member) for member in value)
    return '[ %s ]' % ', '.join(libconfig_value(member) for member in value)


def libconfig_text(settings):
    """The text of a whole settings file."""
    return ''.join('%s = %s;\n' % (name, libconfig_value(value))
                   for name, value in settings.items() if value is not None)


_limits_lock = threading.Lock()
_limits = None


def known_limits(folder):
    """LIMITS where this daemon knows them yet, else {}: `-t` is asked once."""
    global _limits
    with _limits_lock:
        if _limits is None:
            path = os.path.join(folder, 'limits.conf')
            with open(path, 'w') as out:
                os.fchmod(out.fileno(), 0o600)
                out.write(libconfig_text({'limits': LIMITS}))
            done = subprocess.run([MBOXWATCHD, '-t', '-c', path], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
            _limits = LIMITS if done.returncode == 0 else {}
        return dict(_limits)


# --- the status socket ----------------------------------------------------------------------------

class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__('d', timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    """Status, headers and body of one request."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body.decode('utf-8'))

    def __repr__(self):
        return '<%d %s>' % (self.status, self.body[:2000].decode('utf-8', 'replace'))


class Follower:
    """GET /v1/events?follow=1 in a thread of its own; events gathers what has come."""

    def __init__(self, daemon, query=''):
        self.events = []
        self.error = None
        self._connection = UnixConnection(daemon.socket_path, None)
        self._connection.request('GET', '/v1/events?follow=1' + query)
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, self._answer.status
        self._daemon = daemon
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        try:
            for line in self._answer:
                self._daemon.outputs.append(('followed event', line))
                if line.strip():
                    self.events.append(json.loads(line))
        except (OSError, ValueError, AttributeError, http.client.HTTPException) as error:
            self.error = error

    def is_over(self):
        return not self._thread.is_alive()

    def wait(self, timeout=WAIT_SECONDS, **members):
        return wait_until(lambda: next((event for event in list(self.events)
                                        if matches(event, members)), None), timeout,
                          'no followed event %s; there were %s' % (members, self.events))

    def close(self):
        try:
            if self._connection.sock is not None:
                self._connection.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._thread.join(5)
        self._connection.close()


def wait_until(condition, timeout=WAIT_SECONDS, why='it did not come to be', poll=POLL_SECONDS):
    """Waits until condition() gives something true, and gives that; else AssertionError."""
    deadline = time.monotonic() + timeout * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError('after %g s: %s' % (timeout * SLOW,
                                                     why() if callable(why) else why))
        time.sleep(poll)


def matches(event, members):
    """True when the event has each of these members; a callable member is asked."""
    return all(value(event.get(name)) if callable(value) else event.get(name) == value
               for name, value in members.items())


# --- the daemon -----------------------------------------------------------------------------------

def is_open_to_others(path):
    """May any user come to this file?"""
    path = os.path.abspath(path)
    while path != '/':
        path = os.path.dirname(path)
        if not os.stat(path).st_mode & 0o001:
            return False
    return True


class Daemon:
    """One mboxwatchd: its settings, its process (which may be started again), what it tells."""

    def __init__(self, test, settings, name='daemon'):
        self.test = test
        self.name = name
        self.folder = os.path.join(test.folder, name)
        self.state_dir = os.path.join(self.folder, 'state')
        self.settings_path = os.path.join(self.folder, 'mboxwatch.conf')
        # A socket's path has at most 107 bytes, and $TMPDIR may be deep.
        self._run = tempfile.mkdtemp(prefix='mw.', dir='/tmp')
        self.socket_path = os.path.join(self._run, 's')
        os.makedirs(self.state_dir, mode=0o700)
        self.settings = settings
        self.process = None
        self.statuses = []            # exit statuses, in order
        self.expected_status = 0      # of the last end; None: not looked at
        self.outputs = []             # (what, bytes) of answers and of ctl
        self.runs = 0
        self.environment = {}
        self.arguments = []           # more words of the command line
        self.program = MBOXWATCHD
        self.prefix = []              # words before the program, as setpriv's
        self.write_settings()

    # settings

    def write_settings(self, settings=None):
        """Writes the settings file (0600); reload() or start() makes it count."""
        if settings is not None:
            self.settings = settings
        text = self.settings if isinstance(self.settings, str) else libconfig_text(self.settings)
        fresh = self.settings_path + '.new'
        with open(fresh, 'w', encoding='utf-8') as out:
            os.fchmod(out.fileno(), 0o600)
            out.write(text)
        os.rename(fresh, self.settings_path)

    def be_nobody(self):
        """When root runs the tests: an ordinary user runs the daemon, who owns what it writes."""
        if os.geteuid() != 0:
            return self
        self.prefix = ['setpriv', '--reuid=%d' % NOBODY, '--regid=%d' % NOBODY, '--clear-groups']
        for path in (self.test.folder, self.folder, os.path.dirname(self.test.certificates)):
            os.chmod(path, 0o755)
        for path in (self.state_dir, self._run, self.settings_path):
            os.chown(path, NOBODY, NOBODY)
        if not is_open_to_others(MBOXWATCHD):  # a tree below /root
            self.program = os.path.join(self.folder, 'mboxwatchd')
            shutil.copy(MBOXWATCHD, self.program)
        return self

    def mailbox_settings(self, name):
        """The dict of one mailbox in self.settings, to be changed and written again."""
        return next(m for m in self.settings['mailboxes'] if m['name'] == name)

    def check_settings(self):
        """mboxwatchd -t: (exit status, output)."""
        done = subprocess.run(self.prefix + [self.program, '-t', '-c', self.settings_path,
                                             '--state-dir', self.state_dir] + self.arguments,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60 * SLOW, env=self._env())
        self.outputs.append(('-t', done.stdout))
        return done.returncode, done.stdout.decode('utf-8', 'replace')

    # the process

    def _env(self):
        environment = {name: value for name, value in os.environ.items()
                       if name not in ('JOURNAL_STREAM', 'NOTIFY_SOCKET', 'STATE_DIRECTORY',
                                       'RUNTIME_DIRECTORY', 'CREDENTIALS_DIRECTORY')}
        environment.setdefault('ASAN_OPTIONS', 'detect_stack_use_after_return=1')
        environment.setdefault('UBSAN_OPTIONS', 'print_stacktrace=1')
        environment.setdefault('LSAN_OPTIONS', 'print_suppressions=0:suppressions='
                               + os.path.join(TREE, 'tests', 'lsan.supp'))
        environment['NO_COLOR'] = '1'
        environment.update(self.environment)
        return environment

    def spawn(self, stderr=None):
        """Starts the process, and waits for nothing. stderr: a descriptor in the file's place."""
        assert self.process is None, 'it runs'
        self.runs += 1
        with open(self._file('stderr'), 'wb') as err, open(self._file('stdout'), 'wb') as out:
            self.process = subprocess.Popen(
                self.prefix + [self.program, '-c', self.settings_path, '--state-dir', self.state_dir,
                               '--socket', self.socket_path] + self.arguments,
                stdin=subprocess.DEVNULL, stdout=out, stderr=err if stderr is None else stderr,
                cwd='/', env=self._env(), start_new_session=True)
        return self

    def start(self, timeout=WAIT_SECONDS, stderr=None):
        """Starts it and waits until the status socket answers."""
        self.spawn(stderr)

        def answers():
            if self.process.poll() is not None:
                raise AssertionError('%s ended with %d at its start:\n%s' % (
                    self.name, self.process.returncode, self.stderr()))
            try:
                return self.get('/v1/status', timeout=10).status == 200
            except (OSError, http.client.HTTPException):
                return False
        wait_until(answers, timeout, lambda: 'no answer at the socket\n' + self.stderr())
        return self

    def wait_exit(self, timeout=WAIT_SECONDS):
        """Waits for its end; gives the exit status (negative: the signal)."""
        try:
            status = self.process.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self.process = None
            raise AssertionError('%s did not end in %g s\n%s' % (
                self.name, timeout * SLOW, self.stderr())) from None
        self.process = None
        self.statuses.append(status)
        return status

    def signal(self, number):
        self.process.send_signal(number)

    def term(self, timeout=WAIT_SECONDS):
        """TERM, and the end; gives the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait_exit(timeout)

    def kill9(self):
        self.process.kill()
        return self.wait_exit()

    def restart(self):
        """TERM and a new start."""
        assert self.term() == 0, self.stderr()
        return self.start()

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def _file(self, kind, run=None):
        return os.path.join(self.folder, '%s.%d' % (kind, run or self.runs))

    # what it said

    def stderr(self, run=None):
        """The text of one run's standard error, or of all runs."""
        texts = []
        for number in range(1, self.runs + 1) if run is None else [run]:
            with open(self._file('stderr', number), 'rb') as err:
                texts.append(err.read().decode('utf-8', 'surrogateescape'))
        return ''.join(texts)

    def stderr_lines(self, run=None):
        return self.stderr(run).splitlines()

    def alerts(self, **members):
        """The alert lines of all runs, parsed strictly, that have these fields."""
        text = self.stderr()
        whole = text[:text.rfind('\n') + 1]
        lines = [parse_line(re.sub(r'^<\d>', '', line)) for line in whole.split('\n')
                 if re.match(r'(<\d>)?msg="', line)]
        return [line for line in lines if matches(line, members)]

    def wait_alert(self, timeout=WAIT_SECONDS, **members):
        """Waits for an alert line with these fields; gives the first."""
        return wait_until(lambda: next(iter(self.alerts(**members)), None), timeout,
                          lambda: 'no alert %s\n%s' % (members, self.tell()))

    # what it answers

    def request(self, method, path, body=None, timeout=30):
        connection = UnixConnection(self.socket_path, timeout * SLOW)
        try:
            data = json.dumps(body).encode('utf-8') if isinstance(body, (dict, list)) else body
            headers = {'Content-Type': 'application/json'} if data is not None else {}
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            answer = Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()
        self.outputs.append(('%s %s' % (method, path), answer.body))
        return answer

    def get(self, path, timeout=30):
        return self.request('GET', path, timeout=timeout)

    def post(self, path, body=None, timeout=30):
        return self.request('POST', path, body if body is not None else b'', timeout)

    def _fetch(self, path):
        answer = self.get(path)
        assert answer.status == 200, '%s: %r' % (path, answer)
        return answer.json()

    def status(self, select=None):
        return self._fetch('/v1/status' + ('?select=' + urllib.parse.quote(select, safe='')
                                           if select else ''))

    def mailbox(self, name):
        return self._fetch('/v1/mailboxes/' + urllib.parse.quote(name, safe='@'))

    def events(self, since=None, select=None, **members):
        """The events that are kept, oldest first, that have these members."""
        query = urllib.parse.urlencode([(key, value) for key, value in
                                        (('since', since), ('select', select)) if value])
        answer = self.get('/v1/events' + ('?' + query if query else ''))
        assert answer.status == 200, repr(answer)
        kind = answer.headers.get('Content-Type', '')
        assert kind.startswith('application/x-ndjson'), kind
        events = [json.loads(line) for line in answer.body.decode('utf-8').split('\n') if line]
        return [event for event in events if matches(event, members)]

    def follow(self, query=''):
        follower = Follower(self, query)
        self.test.followers.append(follower)
        return follower

    def probe(self, name, timeout=90):
        """POST probe?wait=1: the MAILBOX document, or the Answer where it is not 200."""
        answer = self.post('/v1/mailboxes/%s/probe?wait=1' % urllib.parse.quote(name, safe='@'),
                           timeout=timeout)
        return answer.json() if answer.status == 200 else answer

    def reload(self):
        """POST reload: {changed, added, removed, unchanged}."""
        answer = self.post('/v1/reload', timeout=60)
        assert answer.status == 200, repr(answer)
        return answer.json()

    def ctl(self, *arguments, timeout=60, input=None, environment=None):
        """mboxwatchctl: (exit status, stdout, stderr)."""
        env = self._env()
        env['MBOXWATCH_SOCKET'] = self.socket_path
        env.update(environment or {})
        done = subprocess.run([MBOXWATCHCTL] + list(arguments), capture_output=True, env=env,
                              timeout=timeout * SLOW, input=input or b'')
        self.outputs.append(('ctl ' + ' '.join(arguments), done.stdout))
        self.outputs.append(('ctl ' + ' '.join(arguments), done.stderr))
        return (done.returncode, done.stdout.decode('utf-8', 'replace'),
                done.stderr.decode('utf-8', 'replace'))

    # waiting

    def wait_for(self, predicate, timeout=WAIT_SECONDS, why='the status never was so'):
        """Waits until predicate(status) is true; gives the status."""
        def holds():
            status = self.status()
            return status if predicate(status) else None
        return wait_until(holds, timeout, lambda: '%s\n%s' % (why, self.tell()))

    def wait_mailbox(self, name, predicate, timeout=WAIT_SECONDS, why='the mailbox never was so'):
        """Waits until predicate(MAILBOX) is true; gives the MAILBOX."""
        def holds():
            mailbox = self.mailbox(name)
            return mailbox if predicate(mailbox) else None
        return wait_until(holds, timeout, lambda: '%s: %s\n%s' % (name, why, self.tell()))

    def wait_state(self, name, state, timeout=WAIT_SECONDS):
        return self.wait_mailbox(name, lambda m: m['state'] == state, timeout,
                                 'state never was %r' % state)

    def wait_verdict(self, name, side, timeout=WAIT_SECONDS, **members):
        """Waits for a verdict of that side (with these members); gives the VERDICT."""
        def has(mailbox):
            verdict = mailbox[side]['verdict']
            return verdict is not None and matches(verdict, members)
        return self.wait_mailbox(name, has, timeout, '%s: no verdict %s' % (side, members))[side][
            'verdict']

    def verdict(self, name, timeout=WAIT_SECONDS, **members):
        """wait_verdict() of a mailbox that has but one side."""
        mailbox = self.mailbox(name)
        side = 'smtp' if mailbox['smtp'] is not None else 'imap'
        return self.wait_verdict(name, side, timeout, **members)

    def expect(self, verdicts, timeout=WAIT_SECONDS):
        """Each mailbox's first verdict: {name: 'cause/stage'} ('ok/done'); gives the VERDICTs."""
        found = {}
        for name, ending in verdicts.items():
            found[name] = self.verdict(name, timeout)
            got = '%s/%s' % (found[name]['cause'], found[name]['stage'])
            assert got == ending, '%s: %s, not %s: %s\n%s' % (
                name, got, ending, json.dumps(found[name]), self.stderr()[-3000:])
        return found

    def descriptors(self):
        """How many descriptors it has open."""
        return len(os.listdir('/proc/%d/fd' % self.process.pid))

    def wait_event(self, timeout=WAIT_SECONDS, since=None, **members):
        """Waits for an event with these members; gives the first."""
        return wait_until(lambda: next(iter(self.events(since=since, **members)), None), timeout,
                          lambda: 'no event %s\n%s' % (members, self.tell()))

    def tell(self):
        """What there is to know, for a failure's message."""
        parts = []
        if self.is_running():
            try:
                parts += ['events: %s' % '\n        '.join(
                    json.dumps(event) for event in self.events()[-12:])]
                parts += ['status: %s' % json.dumps(self.status())[:6000]]
            except (OSError, ValueError, AssertionError, http.client.HTTPException) as error:
                parts += ['socket: %r' % error]
        else:
            parts += ['the daemon has ended: %s' % self.statuses]
        parts += ['stderr: ' + '\n        '.join(self.stderr_lines()[-40:])]
        return '\n'.join(parts)

    # the end

    def finish(self):
        """Ends it as an administrator would, and gives all that is wrong with how it went."""
        wrong = []
        if self.process is not None:
            try:
                self.term(20)
            except AssertionError as error:
                wrong.append(str(error))
        if self.expected_status is not None and self.statuses and \
                self.statuses[-1] != self.expected_status:
            wrong.append('exit status %d, not %d\n%s' % (
                self.statuses[-1], self.expected_status, self.stderr()[-6000:]))
        shutil.rmtree(self._run, ignore_errors=True)
        report = SANITIZER.search(self.stderr())
        if report:
            wrong.append('a sanitizer report:\n' + self.stderr()[report.start() - 200:][:8000])
        for what, data in self.everything():
            secret = mailhost.holds_secret(data, self.test.secrets)
            if secret is not None:
                wrong.append('the secret %r stands in: %s' % (secret, what))
        try:
            self.alerts()
        except BadLine as error:
            wrong.append(str(error))
        return wrong

    def everything(self):
        """(what, bytes) of all that it wrote or answered: files of the state directory too."""
        found = list(self.outputs)
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = os.path.join(folder, name)
                if path.startswith(self.settings_path) or not os.path.isfile(path):
                    continue
                with open(path, 'rb') as data:
                    found.append((os.path.relpath(path, self.folder), data.read()))
        return found


# --- a test ---------------------------------------------------------------------------------------

class Test:
    """What a test function gets."""

    def __init__(self, title, folder, certificates):
        self.title = title
        self.folder = folder
        self.certificates = certificates
        self.secrets = []
        self.hosts = []
        self.daemons = []
        self.followers = []
        self.cleanups = []
        self.is_over = False
        self._addresses = 0

    def skip(self, reason):
        raise Skip(reason)

    def secret(self, name):
        """A secret that no output of any daemon of this test may hold."""
        secret = '%s-Tr0ub4dor-%d' % (name, 7391 + len(name))
        if secret not in self.secrets:
            self.secrets.append(secret)
        return secret

    def host(self, *names, cram=False, cert='good'):
        """A scripted mail host with an account NAME@test.example for each name (else ann)."""
        accounts = {name + '@test.example': self.secret(name) for name in names or ('ann',)}
        host = mailhost.Host(None, accounts, certificates=self.certificates, cram=cram, cert=cert)
        self.hosts.append(host)
        return host.start()

    def endpoint(self, port, name='ann', **more):
        """An endpoint of a script's port, with the account's secret."""
        return port.settings(**dict({'password': self.secret(name)}, **more))

    def mailbox(self, host, name, smtp='tls', imap='tls', password=None, **more):
        """A mailbox at the host's normal ports; smtp, imap: a mode, None, or a whole endpoint."""
        mailbox = {'name': name, 'address': name + '@test.example'}
        for side, how in (('smtp', smtp), ('imap', imap)):
            if isinstance(how, dict):
                mailbox[side] = how
            elif how is not None:
                mailbox[side] = host.endpoint(side, how, password=password or self.secret(name))
        mailbox.update(more)
        return mailbox

    def address(self):
        """An address of 127/8 that no other server of this test has: another site."""
        self._addresses += 1
        assert self._addresses <= len(certs.ADDRESSES) - 1, 'certificates know no more addresses'
        return certs.ADDRESSES[self._addresses]

    def script(self, host, serve, side='smtp', mode='tls', **more):
        """host.script() at an address of its own."""
        return host.script(serve, side, mode, address=self.address(), **more)

    def answering(self, host, side='smtp', mode='tls', **more):
        """host.answering() at an address of its own."""
        return host.answering(side, mode, address=self.address(), **more)

    def watch(self, host, ports, defaults=None, **groups):
        """
        A daemon with a mailbox for each port, of that one side, as ann. ports: {name: Listener} or
        {name: (Listener, {more settings of the endpoint})}.
        """
        mailboxes = []
        for name, port in ports.items():
            port, more = port if isinstance(port, tuple) else (port, {})
            mailboxes.append({'name': name, 'address': 'ann@test.example',
                              port.side: self.endpoint(port, **more)})
        return self.daemon(host, mailboxes, defaults, **groups)

    def settings(self, host, mailboxes, defaults=None, **groups):
        """Whole settings: QUICK, the host's authority, alerts on stderr, and what is given."""
        settings = {'defaults': dict(QUICK, **(defaults or {}))}
        if host is not None:
            settings['defaults'].setdefault('ca_file', host.ca_file)
        settings['alerts'] = dict(ALERTS)
        limits = known_limits(self.folder)
        limits.update(groups.pop('limits', {}))
        if limits:
            settings['limits'] = limits
        settings.update(groups)
        settings['mailboxes'] = tuple(mailboxes)
        return settings

    def daemon(self, host, mailboxes, defaults=None, start=True, name=None, **groups):
        """A daemon with these mailboxes, started unless start is False."""
        return self.daemon_with(self.settings(host, mailboxes, defaults, **groups), start, name)

    def daemon_with(self, settings, start=True, name=None):
        daemon = Daemon(self, settings, name or 'daemon%d' % (len(self.daemons) + 1))
        self.daemons.append(daemon)
        return daemon.start() if start else daemon

    def finish(self):
        """Ends what the test started; gives what is wrong."""
        wrong = []
        for follower in self.followers:
            follower.close()
        for daemon in self.daemons:
            wrong += ['%s: %s' % (daemon.name, fault) for fault in daemon.finish()]
        for host in self.hosts:
            host.stop()
            wrong += ['a script failed: ' + fault for fault in host.faults()]
        for cleanup in self.cleanups:
            cleanup()
        return wrong

    def abandon(self):
        """Past its deadline: what it started dies, and so will its thread."""
        for daemon in self.daemons:
            if daemon.process is not None and daemon.process.poll() is None:
                daemon.process.kill()
            shutil.rmtree(daemon._run, ignore_errors=True)
        for host in self.hosts:
            host.stop()


REGISTRY = []


def test(title, deadline=DEADLINE_SECONDS):
    """Registers a test function under a title; a title carries its hostile number where it has."""
    def register(function):
        REGISTRY.append((title, deadline, function))
        return function
    return register


class Result:
    def __init__(self, title):
        self.title = title
        self.skipped = None
        self.faults = []
        self.folder = None
        self.seconds = 0.0

    def print(self, number):
        if self.skipped is not None:
            print('ok %d - %s # skip %s' % (number, self.title, self.skipped), flush=True)
            return
        print('%s %d - %s (%.1f s)' % ('not ok' if self.faults else 'ok', number, self.title,
                                       self.seconds), flush=True)
        for fault in self.faults:
            for line in fault.rstrip().split('\n'):
                print('# ' + line.encode('utf-8', 'backslashreplace').decode('utf-8'))
        if self.folder and self.faults:
            print('# kept: ' + self.folder, flush=True)


def run_one(title, deadline, function, certificates, keep):
    result = Result(title)
    word = re.sub(r'[^A-Za-z0-9]+', '-', title)[:24].strip('-')
    folder = tempfile.mkdtemp(prefix='mboxwatch-%s-' % word)
    this = Test(title, folder, certificates)
    began = time.monotonic()

    def body():
        try:
            function(this)
        except Skip as skip:
            result.skipped = str(skip)
        except Exception:
            if not this.is_over:
                result.faults.append(traceback.format_exc())
        if not this.is_over:
            try:
                result.faults += this.finish()
            except Exception:
                result.faults.append(traceback.format_exc())

    thread = threading.Thread(target=body, name=title, daemon=True)
    thread.start()
    thread.join(deadline * SLOW)
    if thread.is_alive():
        this.is_over = True
        frame = sys._current_frames().get(thread.ident)
        where = ''.join(traceback.format_stack(frame)) if frame else ''
        told = ['%s: %s' % (daemon.name, daemon.stderr()[-4000:]) for daemon in this.daemons]
        result.faults.append('past its deadline of %g s, at\n%s\n%s' % (
            deadline * SLOW, where, '\n'.join(told)))
        result.skipped = None
        this.abandon()
        thread.join(5)
    result.seconds = time.monotonic() - began
    if result.faults:
        result.skipped = None
    if result.faults or keep:
        result.folder = folder
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return result


def main(arguments=None):
    """Runs the registered tests, prints TAP, ends the process: 0 when none failed."""
    words, jobs, keep, is_list = [], 8, False, False
    given = list(sys.argv[1:] if arguments is None else arguments)
    while given:
        word = given.pop(0)
        if word == '-j':
            jobs = int(given.pop(0))
        elif word == '-k':
            keep = True
        elif word == '--list':
            is_list = True
        elif word.startswith('-'):
            print('usage: %s [--list] [-j N] [-k] [WORD...]' % sys.argv[0],
                  file=sys.stderr)
            sys.exit(2)
        else:
            words.append(word.lower())
    chosen = [entry for entry in REGISTRY
              if not words or any(word in entry[0].lower() for word in words)]
    if is_list:
        print('\n'.join(title for title, _, _ in chosen))
        sys.exit(0)
    faulthandler.enable()
    print('1..%d' % len(chosen), flush=True)
    for program in (MBOXWATCHD, MBOXWATCHCTL):
        if not os.access(program, os.X_OK):
            print('Bail out! there is no %s: build it, or set $MBOXWATCHD and $MBOXWATCHCTL'
                  % program, flush=True)
            sys.exit(1)
    shared = tempfile.mkdtemp(prefix='mboxwatch-certs-')
    certificates = certs.make(os.path.join(shared, 'tls'))
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        running = [pool.submit(run_one, title, deadline, function, certificates, keep)
                   for title, deadline, function in chosen]
        for number, future in enumerate(running, 1):
            result = future.result()
            result.print(number)
            failed += bool(result.faults)
    shutil.rmtree(shared, ignore_errors=True)
    sys.stdout.flush()
    os._exit(1 if failed else 0)  # threads of abandoned tests wait for nothing
