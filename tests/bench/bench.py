#!/usr/bin/python3
"""
bench.py: what mboxwatch costs, each figure beside its goal.

    make bench                  all of it, some ten minutes
    bench.py NAME...            of: probe, rest, flight, kept, fleet, settings

Ratios are taken in one run, on one machine, against something bare that does the same: times say
little on another day. Nothing here passes or fails; a figure beyond its goal is marked. Wants a
build without sanitizers. Here: the trials and the table; server.c is the mail server they run on,
bare.c what a probe is measured against.
"""

import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'mailhost'))
sys.path.insert(0, os.path.join(HERE, '..', 'e2e'))
import certs  # noqa: E402
import harness  # noqa: E402

BUILD = os.path.abspath(os.environ.get('top_builddir', harness.TREE))
NAME = 'mail.test.example'
PASSWORD = 'bench-Tr0ub4dor'
CERT = 'intermediate'         # a leaf, an intermediate, a root: what most servers send
TIMES = 2000                  # probes of one measurement
ROUNDS = 5                    # measurements in turn, of which the median counts
MAILBOXES_PER_HOST = 10
TICKS = os.sysconf('SC_CLK_TCK')
MIB = 1 << 20

rows = []


def program(name):
    return os.path.join(BUILD, 'tests', 'bench', name)


def tell(what, value, goal=None, is_good=None):
    """One row of the table, as soon as it is known."""
    mark = '' if is_good is None else ('  ok' if is_good else '  BEYOND')
    row = '%-58s %14s %14s%s' % (what, value, goal or '', mark)
    rows.append(row)
    print(row, flush=True)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(('127.0.0.1', 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def cpu_seconds(pid):
    with open('/proc/%d/stat' % pid) as stat:
        fields = stat.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(pid):
    with open('/proc/%d/smaps_rollup' % pid) as status:
        return int(re.search(r'^Pss:\s+(\d+)', status.read(), re.M).group(1)) * 1024


class Server:
    """The bench's mail server, with the words of server.c."""

    def __init__(self, folder, *words):
        self.smtp, self.imap = free_ports(2)
        self.process = subprocess.Popen(
            [program('server'), str(self.smtp), str(self.imap),
             os.path.join(folder, CERT + '.pem'), os.path.join(folder, CERT + '.key'), *words],
            stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == 'ready\n', 'no server'

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Fleet:
    """A daemon with so many mailboxes, ten on each host of 127/8."""

    def __init__(self, folder, server, count, **more):
        self.folder = os.path.join(folder, 'fleet')
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder + '/state', mode=0o700)
        self.socket_path = self.folder + '/s'
        self.server = server
        self.count = count
        self.tls = folder
        self.write(count, **more)
        began = time.monotonic()
        self.process = subprocess.Popen(
            [harness.MBOXWATCHD, '-c', self.folder + '/mboxwatch.conf', '--state-dir',
             self.folder + '/state', '--socket', self.socket_path],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(self.folder + '/stderr', 'wb'))
        while not self.answers():
            assert self.process.poll() is None, open(self.folder + '/stderr').read()
            time.sleep(0.01)
        self.start_seconds = time.monotonic() - began

    def write(self, count, interval='5m', session=None, threads=1, changed='', first=0):
        text = ['daemon = { threads = %d; };' % threads,
                'defaults = { interval = "%s"; ca_file = "%s/ca.pem"; tls_name = "%s"; %s };' % (
                    interval, self.tls, NAME, 'session = "%s";' % session if session else ''),
                'alerts = { journal = false; syslog = false; };',
                'limits = { in_flight = 2000; connections = 20; logins_per_minute = 120; };',
                'mailboxes = (']
        boxes = []
        for number in range(first, first + count):
            host = number // MAILBOXES_PER_HOST + 1
            address = '127.%d.%d.%d' % (1 + host // 62500, host // 250 % 250, 1 + host % 250)
            boxes.append(
                '{ name = "m%d"; address = "m%d@test.example"; smtp = { host = "%s"; port = %d; '
                'security = "tls"; password = "%s%s"; }; imap = { host = "%s"; port = %d; }; }' % (
                    number, number, address, self.server.smtp, PASSWORD, changed, address,
                    self.server.imap))
        with open(self.folder + '/mboxwatch.conf', 'w') as out:
            os.fchmod(out.fileno(), 0o600)
            out.write('\n'.join(text) + ',\n'.join(boxes) + ');\n')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def get(self, path, method='GET'):
        connection = harness.UnixConnection(self.socket_path, 120)
        try:
            connection.request(method, path)
            return connection.getresponse().read()
        finally:
            connection.close()

    def answers(self):
        try:
            return self.get('/healthz') is not None
        except (OSError, harness.http.client.HTTPException):
            return False

    def metrics(self, detail=0):
        text = self.get('/metrics?detail=%d' % detail).decode()
        return {match.group(1): float(match.group(2))
                for match in re.finditer(r'^(mboxwatch_\S+) (\S+)$', text, re.M)}

    def cpu(self):
        return cpu_seconds(self.process.pid)

    def resident(self):
        return resident(self.process.pid)

    def wait_judged(self):
        """Until every endpoint has its first verdict."""
        while self.metrics()['mboxwatch_mailboxes{state="unknown"}'] > 0:
            time.sleep(1)
        return self


def median(values):
    return sorted(values)[len(values) // 2]


def lateness(before, after):
    """Median and 99th of 100, as the bounds of the histogram's buckets, in seconds."""
    prefix = 'mboxwatch_probe_lateness_seconds_bucket{le="'
    counts = [(float(key[len(prefix):-2].replace('+Inf', 'inf')), after[key] - before[key])
              for key in after if key.startswith(prefix)]
    total = counts[-1][1]
    return [next(bound for bound, count in counts if count >= share * total)
            for share in (0.5, 0.99)]


def seconds_bound(value):
    return '<= %g ms' % (value * 1000)


# --- the trials -----------------------------------------------------------------------------------

def probe_us(folder, server, times):
    """CPU microseconds of one probe: those of so many, less those of none but the start."""
    environment = dict(os.environ, PROBE_NAME=NAME, PROBE_TIMES=str(times), PROBE_AUTH='plain')
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([os.path.join(BUILD, 'tests', 'e2e', 'probe_once'), '127.0.0.1',
                    str(server.smtp), 'tls', 'ann@test.example', folder + '/secret', 'smtp', '',
                    folder + '/ca.pem'], check=True, stdout=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1e6 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def bare_us(folder, server, *words):
    return float(subprocess.run([program('bare'), str(server.smtp), str(TIMES), folder + '/ca.pem',
                                 NAME, *words], check=True, stdout=subprocess.PIPE).stdout)


def trial_probe(folder):
    """CPU of a fresh and of a resumed probe against the bare loop."""
    with open(folder + '/secret', 'w') as secret:
        secret.write(PASSWORD + '\n')
    for what, words, resume in (('fresh', ['no-tickets'], []), ('resumed', [], ['resume'])):
        with Server(folder, *words) as server:
            ratios, bare, ours = [], [], []
            for _ in range(ROUNDS):
                bare.append(bare_us(folder, server, *resume))
                ours.append((probe_us(folder, server, TIMES + 1) -
                             probe_us(folder, server, 1)) / TIMES)
                ratios.append(ours[-1] / bare[-1])
            ratio = median(ratios)
            tell('a %s probe: CPU, ours to a bare loop (%d to %d us)' % (
                what, median(ours), median(bare)), '%.2f' % ratio, '<= 1.15', ratio <= 1.15)


def trial_rest(folder):
    """Memory of mailboxes at rest, both endpoints judged once."""
    memory = {}
    with Server(folder) as server:
        for count in (1000, 11000):
            with Fleet(folder, server, count, interval='2m').wait_judged() as fleet:
                memory[count] = fleet.resident()
    each = (memory[11000] - memory[1000]) / 10000
    tell('a mailbox at rest, two endpoints: memory', '%.2f KiB' % (each / 1024), '<= 2 KiB',
         each <= 2048)
    tell('11,000 mailboxes: memory in all', '%.0f MiB' % (memory[11000] / MIB))


def trial_flight(folder):
    """Memory of 1,000 probes that a tarpit holds behind its handshake; what else goes on."""
    with Server(folder, 'tarpit') as server, \
            Fleet(folder, server, 500, interval='10s') as fleet:
        before = fleet.resident()
        deadline = time.monotonic() + 120
        while fleet.metrics()['mboxwatch_probes_in_flight'] < 900 and time.monotonic() < deadline:
            time.sleep(0.5)
        count = fleet.metrics()['mboxwatch_probes_in_flight']
        each = (fleet.resident() - before) / max(count, 1)
        slowest = 0
        for _ in range(50):
            began = time.monotonic()
            fleet.get('/v1/status?limit=10')
            slowest = max(slowest, time.monotonic() - began)
        tell('a probe behind its handshake (%d tarpits): memory' % count,
             '%.1f KiB' % (each / 1024), '<= 44 KiB', each <= 44 * 1024)
        tell('answers of the socket meanwhile: slowest of 50', '%.0f ms' % (slowest * 1000),
             '<= 100 ms', slowest <= 0.1)


def trial_kept(folder):
    """Memory of kept sessions."""
    for what, words, goal in (('resumed', [], 20), ('fresh', ['no-tickets'], 35)):
        with Server(folder, *words) as server:
            memory = {}
            for session in ('fresh', 'keep'):
                with Fleet(folder, server, 1000, interval='20s', session=session) as fleet:
                    fleet.wait_judged()
                    time.sleep(45)
                    memory[session] = fleet.resident()
            each = (memory['keep'] - memory['fresh']) / 1000
            tell('a kept session, %s: memory' % what, '%.1f KiB' % (each / 1024),
                 '<= %d KiB' % goal, each <= goal * 1024)


def watch_fleet(fleet, seconds, is_busy):
    """(share of one core, lateness, probes a second) over so many seconds; is_busy: asked meanwhile."""
    before, cpu, began = fleet.metrics(), fleet.cpu(), time.monotonic()
    status, metrics = [], []
    while time.monotonic() - began < seconds:
        if is_busy:
            for path, times in (('/v1/status', status), ('/metrics', metrics)):
                asked = time.monotonic()
                fleet.get(path)
                times.append(time.monotonic() - asked)
        time.sleep(5)
    took = time.monotonic() - began
    after = fleet.metrics()
    probes = sum(after[key] - before.get(key, 0) for key in after
                 if key.startswith('mboxwatch_probes_total'))
    return (fleet.cpu() - cpu) / took, lateness(before, after), probes / took, status, metrics


def trial_fleet(folder):
    """10,000 and 100,000 mailboxes at 5 minutes: CPU, lateness, what the socket costs meanwhile."""
    for count, words, share_goal, memory_goal in ((10000, [], 10, 50), (100000, [], 70, 250),
                                                  (100000, ['no-tickets'], 120, 250)):
        what = '{:,} mailboxes{}'.format(count, ', no resumption' if words else '')
        with Server(folder, *words) as server, Fleet(folder, server, count) as fleet:
            tell(what + ': start until the socket answers', '%.2f s' % fleet.start_seconds)
            fleet.wait_judged()
            time.sleep(30)
            share, (half, most), rate, _, _ = watch_fleet(fleet, 60, False)
            tell(what + ': CPU, of one core, at %.0f probes/s' % rate, '%.1f %%' % (100 * share),
                 '<= %d %%' % share_goal, 100 * share <= share_goal)
            tell(what + ': lateness, median', seconds_bound(half))
            tell(what + ': lateness, 99 of 100', seconds_bound(most))
            memory = fleet.resident() / MIB
            tell(what + ': memory', '%.0f MiB' % memory, '<= %d MiB' % memory_goal,
                 memory <= memory_goal)
            if words:
                continue
            _, (half, most), _, status, metrics = watch_fleet(fleet, 30, True)
            tell(what + ': whole /v1/status, median', '%.2f s' % median(status))
            tell(what + ': whole /metrics, median', '%.2f s' % median(metrics))
            tell(what + ': lateness meanwhile, 99 of 100', seconds_bound(most))
            began = time.monotonic()
            fleet.get('/v1/reload', 'POST')
            tell(what + ': reload, nothing changed', '%.2f s' % (time.monotonic() - began))
            fleet.write(count, changed='2')
            before, began = fleet.metrics(), time.monotonic()
            fleet.get('/v1/reload', 'POST')
            tell(what + ': reload, every secret changed', '%.2f s' % (time.monotonic() - began))
            tell(what + ': lateness in these reloads, 99 of 100',
                 seconds_bound(lateness(before, fleet.metrics())[1]))


def trial_settings(folder):
    """mboxwatchd -t of 100,000 mailboxes."""
    with Server(folder) as server, Fleet(folder, server, 1) as fleet:
        fleet.write(100000)
        began = time.monotonic()
        subprocess.run([harness.MBOXWATCHD, '-t', '-c', fleet.folder + '/mboxwatch.conf'],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        took = time.monotonic() - began
        tell('mboxwatchd -t of 100,000 mailboxes', '%.1f s' % took, '<= 10 s', took <= 10)


TRIALS = {'probe': trial_probe, 'rest': trial_rest, 'flight': trial_flight, 'kept': trial_kept,
          'settings': trial_settings, 'fleet': trial_fleet}


def main():
    names = sys.argv[1:] or list(TRIALS)
    if set(names) - set(TRIALS):
        sys.exit(__doc__.strip())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    folder = tempfile.mkdtemp(prefix='mboxwatch-bench.', dir='/var/tmp')
    try:
        certs.make(folder)
        print('%-58s %14s %14s' % ('', 'here', 'goal'))
        for name in names:
            TRIALS[name](folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == '__main__':
    main()
