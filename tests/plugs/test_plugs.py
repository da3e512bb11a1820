#!/usr/bin/python3
"""
test_plugs.py: each file of contrib/ that plugs mboxwatch into something that people already have,
loaded and run by that very program against what a daemon told (told.py).

rsyslogd and syslog-ng exclude each other as packages: both are taken out of their packages into
$top_builddir/tests/plugs/programs. Not in Debian, so not loaded: Loki, Alloy, Promtail, Grafana;
their files are read by go-logfmt, Go's regexp and promtool instead. Root: packages, logcheck's user.
"""

import glob
import json
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from told import tell  # noqa: E402
from harness import TREE, main, test, wait_until  # noqa: E402

CONTRIB = os.path.join(TREE, 'contrib')
PROGRAMS = os.path.join(os.path.abspath(os.environ.get('top_builddir', TREE)), 'tests', 'plugs',
                        'programs')
# What a person must hear of: the begins and ends of failures. ann and cat fail at once, so in any order.
ALERTS = sorted(['ben: smtp failing', 'cat: smtp ok, imap failing', 'ann: smtp ok, imap failing',
                 'cat: ok', 'ann: ok'])
OWN_LOG = 'first verdicts of 3 mailboxes: 2 ok, 1 failing'   # what is no event

_lock = threading.Lock()
_told = []


def told(t):
    """What one daemon told, once for all tests here."""
    with _lock:
        if not _told:
            _told.append(tell(t)[2])
        return _told[0]


def run(t, *arguments, **more):
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=120, **more)
    output = done.stdout.decode('utf-8', 'replace')
    assert done.returncode == 0, '%s: %d\n%s' % (' '.join(arguments), done.returncode, output)
    return output


def need(t, program):
    path = shutil.which(program, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin')
    if path is None:
        t.skip('no ' + program)
    return path


def unpacked(t, package, program):
    """The folder that holds this package's files, and its program there."""
    folder = os.path.join(PROGRAMS, package)
    path = os.path.join(folder, program)
    if not os.path.exists(path):
        download = os.path.join(PROGRAMS, package + '.download')
        os.makedirs(download, exist_ok=True)
        got = subprocess.run(['apt-get', 'download', '-qq', package], cwd=download,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
        packages = glob.glob(os.path.join(download, '*.deb'))
        if not packages:
            t.skip('%s cannot be had: %s' % (package, got.stdout.decode()))
        run(t, 'dpkg', '-x', packages[0], folder)
    return folder, path


def text_of(*path):
    with open(os.path.join(CONTRIB, *path), encoding='utf-8') as file:
        return file.read()


def write(path, text):
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
    return path


def read(path):
    if not os.path.exists(path):
        return ''
    with open(path, encoding='utf-8') as file:
        return file.read()


def serve(t, arguments, environment=None):
    """A program that ends with the test."""
    log = open(os.path.join(t.folder, 'program.log'), 'wb')
    process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                               env=dict(os.environ, **(environment or {})))

    def end():
        process.terminate()
        process.wait(30)
        log.close()
    t.cleanups.append(end)
    return process


def send_as_syslog(path, lines):
    """Lines to a socket like /dev/log, as the daemon's sink writes them."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        wait_until(lambda: os.path.exists(path), why='no socket ' + path)
        for line in lines:
            sender.sendto(b'<19>Nov 28 10:00:00 mboxwatchd[12]: ' + line.encode(), path)


def judge_logs(t, lines):
    """mboxwatch.log has each line as it was; mboxwatch-alerts.log what a person must hear of."""
    log = os.path.join(t.folder, 'mboxwatch.log')
    wait_until(lambda: read(log).count('\n') >= len(lines), why=lambda: 'few lines: ' + read(log))
    found = [line.split(' ', 1)[1] for line in read(log).splitlines()]
    assert found == lines, found
    alerts = os.path.join(t.folder, 'mboxwatch-alerts.log')
    wait_until(lambda: read(alerts).count('\n') >= len(ALERTS), why=lambda: read(alerts))
    found = [re.match(r'\S+ (error|notice) (.*) cause=[a-z_]+ id=[0-9A-Z]{26}$', line)
             for line in read(alerts).splitlines()]
    assert sorted(match.group(2) if match else '' for match in found) == ALERTS, read(alerts)


# --- syslog daemons -------------------------------------------------------------------------------

@test('rsyslog: each line whole, alerts by themselves, JSON with no forged field (H8-05)')
def rsyslog(t):
    lines = told(t).lines
    folder, program = unpacked(t, 'rsyslog', 'usr/sbin/rsyslogd')
    plug = write(t.folder + '/mboxwatch.conf', text_of('rsyslog', 'mboxwatch.conf').replace(
        '/var/log/', t.folder + '/'))
    settings = write(t.folder + '/rsyslog.conf', '\n'.join([
        'global(workDirectory="%s")' % t.folder,
        'module(load="imuxsock" sysSock.use="off")',
        'input(type="imuxsock" Socket="%s/log" createpath="on")' % t.folder,
        'include(file="%s")' % plug,
        '*.* action(type="omfile" file="%s/rest.log")' % t.folder, '']))
    modules = glob.glob(folder + '/usr/lib/*/rsyslog')[0]
    serve(t, [program, '-n', '-f', settings, '-i', t.folder + '/pid', '-M', modules])
    send_as_syslog(t.folder + '/log', lines + [OWN_LOG])
    judge_logs(t, lines)
    objects = [json.loads(line) for line in read(t.folder + '/mboxwatch.json').splitlines()]
    for fields, line in zip(objects, lines):
        assert fields['line'] == line, fields
    for fields, event in zip(objects, told(t).fields):
        for key in ('id', 'event', 'level', 'mailbox', 'smtp', 'imap', 'endpoint', 'cause', 'stage',
                    'server', 'incident'):
            assert fields.get(key) == event.get(key), (key, fields, event)
        assert fields['what'] == event['msg'], fields
    wait_until(lambda: OWN_LOG in read(t.folder + '/rest.log'), why='the own log is lost')
    assert 'msg=' not in read(t.folder + '/rest.log'), 'told twice'


@test('syslog-ng: each line whole, alerts by themselves, all fields by its kv-parser (H8-05)')
def syslog_ng(t):
    lines = told(t).lines
    folder, program = unpacked(t, 'syslog-ng-core', 'usr/sbin/syslog-ng')
    plug = write(t.folder + '/mboxwatch.conf', text_of('syslog-ng', 'mboxwatch.conf').replace(
        '/var/log/', t.folder + '/'))
    keys = sorted({key for fields in told(t).fields for key in fields})
    write(t.folder + '/syslog-ng.conf', '\n'.join([
        '@version: 3.38',
        'source s_src { unix-dgram("%s/log"); };' % t.folder,
        'destination d_fields { file("%s/fields" template("%s\\n")); };' % (
            t.folder, '\\t'.join('%s=${mboxwatch.%s}' % (key, key) for key in keys)),
        'log { source(s_src); filter(f_mboxwatch); parser(p_mboxwatch); destination(d_fields); };',
        '@include "%s"' % plug,
        'destination d_rest { file("%s/rest.log"); };' % t.folder,
        'log { source(s_src); destination(d_rest); };', '']))
    modules = glob.glob(folder + '/usr/lib/syslog-ng/*/libkvformat.so')[0]
    libraries = glob.glob(folder + '/usr/lib/*-linux-gnu') + [folder + '/usr/lib/syslog-ng']
    serve(t, [program, '-F', '-f', t.folder + '/syslog-ng.conf', '-R', t.folder + '/persist', '-p',
              t.folder + '/pid', '-c', t.folder + '/control', '--no-caps',
              '--module-path=' + os.path.dirname(modules)],
          {'LD_LIBRARY_PATH': ':'.join(libraries + [os.path.dirname(modules)])})
    send_as_syslog(t.folder + '/log', lines + [OWN_LOG])
    judge_logs(t, lines)
    wait_until(lambda: OWN_LOG in read(t.folder + '/rest.log'), why='the own log is lost')
    assert 'msg=' not in read(t.folder + '/rest.log'), 'told twice'
    wait_until(lambda: read(t.folder + '/fields').count('\n') >= len(lines), why='few fields')
    for row, event in zip(read(t.folder + '/fields').splitlines(), told(t).fields):
        fields = dict(field.split('=', 1) for field in row.split('\t'))
        for key in keys:
            # parse_line() has undone the doubled backslash.
            assert fields[key].replace('\\\\x', '\\x') == event.get(key, ''), (key, fields, event)


# --- log watchers ---------------------------------------------------------------------------------

def dated(lines, stamp):
    return ['%s mail mboxwatchd[12]: %s' % (stamp, line) for line in lines]


OLD_STAMP = 'Nov 28 10:00:00'
NEW_STAMP = '2026-11-28T10:00:00.123456+01:00'


@test('logcheck: failures as security events, recoveries as system events, the rest not')
def logcheck(t):
    program = need(t, 'logcheck')
    user = pwd.getpwnam('logcheck')
    lines = told(t).lines
    folder = t.folder + '/logcheck'
    for name in ('state', 'lock', 'tmp', 'rules/cracking.d', 'rules/cracking.ignore.d',
                 'rules/violations.ignore.d'):
        os.makedirs(os.path.join(folder, name))
    for name in ('ignore.d.server', 'violations.d'):
        shutil.copytree(os.path.join(CONTRIB, 'logcheck', name),
                        os.path.join(folder, 'rules', name))
    write(folder + '/log', '\n'.join(dated(lines, OLD_STAMP) + dated(lines, NEW_STAMP) + [
        OLD_STAMP + ' mail other[1]: something else', '']))
    write(folder + '/conf', 'REPORTLEVEL="server"\nSENDMAILTO="root"\nINTRO=0\nMAILASATTACH=0\n'
          'LOCKDIR="%s/lock"\nTMP="%s/tmp"\n' % (folder, folder))
    os.chmod(t.folder, 0o755)
    run(t, 'chown', '-R', 'logcheck', folder)
    report = run(t, 'setpriv', '--reuid=%d' % user.pw_uid, '--regid=%d' % user.pw_gid,
                 '--clear-groups', program, '-o', '-t', '-c', folder + '/conf', '-r',
                 folder + '/rules', '-l', folder + '/log', '-S', folder + '/state',
                 env=dict(os.environ, HOME=folder, PATH='/usr/sbin:/usr/bin:/sbin:/bin'))
    security, system = re.split(r'^System Events.*$', report, flags=re.M)
    failing = told(t).of(level='error')
    noted = told(t).of(level='warning') + told(t).of(event='state', level='notice')
    assert sorted(re.findall(r'id=(\w+)', security)) == sorted(
        2 * [re.search(r'id=(\w+)', line).group(1) for line in failing]), report
    assert sorted(re.findall(r'id=(\w+)', system)) == sorted(
        2 * [re.search(r'id=(\w+)', line).group(1) for line in noted]), report
    assert 'something else' in system, report


@test('swatchdog: what fails rings in red, recoveries in green, warnings in yellow')
def swatchdog(t):
    program = need(t, 'swatchdog')
    lines = told(t).lines
    write(t.folder + '/log', '\n'.join(dated(lines, OLD_STAMP)) + '\n')
    report = run(t, program, '--config-file=%s/swatchdog/mboxwatch.swatchrc' % CONTRIB,
                 '--examine=%s/log' % t.folder, '--script-dir=' + t.folder,
                 env=dict(os.environ, HOME=t.folder))
    shown = re.findall(r'\x1b\[(3\d)m[^\n]*? msg="([^"]*)" level=(\w+)', report)
    colours = {'error': '31', 'notice': '32', 'warning': '33'}
    assert all(colours[level] == colour for colour, _, level in shown), shown
    expected = [fields['msg'] for fields in told(t).fields
                if fields['level'] in ('error', 'warning') or
                (fields['event'] == 'state' and fields['level'] == 'notice')]
    assert [msg for _, msg, _ in shown] == expected, shown
    assert report.count('\a') == len(told(t).of(level='error')), report


# --- Loki -----------------------------------------------------------------------------------------

def go(t, lines, *patterns):
    need(t, 'go')
    if not os.path.exists('/usr/share/gocode/src/github.com/go-logfmt/logfmt'):
        t.skip('no go-logfmt')
    program = os.path.join(t.folder, 'read_lines')
    run(t, 'go', 'build', '-o', program, os.path.join(TREE, 'tests', 'plugs', 'read_lines.go'),
        env=dict(os.environ, GO111MODULE='off', GOPATH='/usr/share/gocode',
                 GOCACHE=os.path.join(t.folder, 'go'), GOFLAGS='-buildvcs=false'))
    done = subprocess.run([program, *patterns], input='\n'.join(lines).encode(),
                          stdout=subprocess.PIPE, timeout=60, check=True)
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


@test('Loki: go-logfmt reads each line into the very fields that were meant (H8-05)', deadline=180)
def loki_fields(t):
    found = go(t, told(t).lines)
    assert len(found) == len(told(t).lines), found
    for fields, event in zip(found, told(t).fields):
        assert {key: value.replace('\\\\x', '\\x') for key, value in fields.items()} == event, (
            fields, event)


@test('Loki: the rules\' and pipelines\' expressions find their lines and no other', deadline=180)
def loki_rules(t):
    try:
        import yaml
    except ImportError:
        t.skip('no python3-yaml')
    rules = {rule['alert']: rule['expr']
             for rule in yaml.safe_load(text_of('loki', 'rules.yml'))['groups'][0]['rules']}
    patterns = {name: json.loads(re.search(r'\|~ ("(?:[^"\\]|\\.)*")', expr).group(1))
                for name, expr in rules.items()}
    assert set(patterns) == {'MailboxFailing', 'MailboxLoginsHeld', 'MailboxOutage',
                             'MboxwatchTrouble'}, patterns
    pipeline = yaml.safe_load(text_of('loki', 'promtail.yml'))['scrape_configs'][0]
    selector = pipeline['pipeline_stages'][0]['match']['selector']
    event_line = json.loads(re.search(r'\|~ ("(?:[^"\\]|\\.)*")$', selector).group(1))
    assert json.dumps(selector) in text_of('loki', 'alloy.config'), 'two pipelines, two selectors'
    patterns['event'] = event_line
    forms = ['msg="imap.example.com: outage, 40 mailboxes" level=critical event=outage id=X ',
             'msg="trouble: state" level=error event=trouble id=X kind=state']
    names = list(patterns)
    lines = told(t).lines + forms + [OWN_LOG]
    for line, matches in zip(lines, go(t, lines, *patterns.values())):
        found = {name for name, does_match in zip(names, matches) if does_match}
        event = re.search(r' event=(\S+)', line)
        event = event.group(1) if event else None
        expected = {'event'} if event else set()
        if event == 'state' and ' level=error ' in line:
            expected.add('MailboxFailing')
        expected |= {'brake': {'MailboxLoginsHeld'}, 'outage': {'MailboxOutage'},
                     'trouble': {'MboxwatchTrouble'}}.get(event, set())
        assert found == expected, (line, found, expected)
    # Each label that a rule or pipeline reads is a key that lines have.
    keys = {key for fields in told(t).fields for key in fields} | {'domain', 'kind'}
    for expr in rules.values():
        by = re.match(r'sum by \(([^)]*)\)', expr).group(1).split(', ')
        assert set(by) <= keys, by
    stages = pipeline['pipeline_stages'][0]['match']['stages']
    assert set(stages[0]['logfmt']['mapping']) == set(stages[1]['labels']) <= keys, stages


# --- Prometheus and Grafana -----------------------------------------------------------------------

def metric_names(metrics):
    return set(re.findall(r'^# TYPE (\S+)', metrics, flags=re.M))


def names_in(expression):
    names = set(re.findall(r'\b(mboxwatch_[a-z_]+)', expression))
    return {re.sub(r'_(bucket|sum|count)$', '', name) for name in names}


@test('Prometheus: the alert rules pass their own tests and name figures that exist')
def prometheus_rules(t):
    promtool = need(t, 'promtool')
    run(t, promtool, 'check', 'rules', CONTRIB + '/prometheus/mboxwatch.rules.yml')
    run(t, promtool, 'test', 'rules', 'mboxwatch.rules.test.yml', cwd=CONTRIB + '/prometheus')
    rules = text_of('prometheus', 'mboxwatch.rules.yml')
    missing = names_in(rules) - metric_names(told(t).metrics)
    assert not missing, missing
    alerts = re.findall(r'- alert: (\w+)', rules)
    tested = text_of('prometheus', 'mboxwatch.rules.test.yml')
    assert alerts and all('alertname: ' + name in tested for name in alerts), alerts


@test('Prometheus: /metrics is clean under promtool check metrics')
def prometheus_metrics(t):
    promtool = need(t, 'promtool')
    done = subprocess.run([promtool, 'check', 'metrics'], input=told(t).metrics.encode(),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert done.returncode == 0 and not done.stdout, done.stdout.decode()


@test('Prometheus: the textfile unit writes the figures whole, and leaves the old ones at a failure')
def prometheus_textfile(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')])
    unit = text_of('prometheus', 'mboxwatch-textfile.service')
    command = re.search(r"^ExecStart=/bin/sh -c '(.*)'$", unit, flags=re.M).group(1)
    command = command.replace('$$', '$').replace('/var/lib/prometheus/node-exporter', t.folder)
    here = os.path.join(t.folder, 'bin')
    os.mkdir(here)
    os.symlink(os.environ['MBOXWATCHCTL'], here + '/mboxwatchctl')
    environment = dict(os.environ, PATH=here + ':' + os.environ['PATH'],
                       MBOXWATCH_SOCKET=daemon.socket_path)
    run(t, '/bin/sh', '-c', command, env=environment)
    figures = read(t.folder + '/mboxwatch.prom')
    assert 'mboxwatch_mailboxes{state=' in figures and 'process_' not in figures, figures
    assert os.stat(t.folder + '/mboxwatch.prom').st_mode & 0o777 == 0o644
    daemon.term()
    done = subprocess.run(['/bin/sh', '-c', command], env=environment, stderr=subprocess.DEVNULL)
    assert done.returncode == 1
    assert read(t.folder + '/mboxwatch.prom') == figures
    assert [name for name in os.listdir(t.folder) if name.startswith('mboxwatch.prom')] == [
        'mboxwatch.prom']


@test('Grafana: each panel\'s expression is PromQL on figures that exist')
def grafana(t):
    promtool = need(t, 'promtool')
    dashboard = json.loads(text_of('grafana', 'mboxwatch.json'))
    assert len({panel['id'] for panel in dashboard['panels']}) == len(dashboard['panels'])
    expressions = [target['expr'] for panel in dashboard['panels'] for target in panel['targets']]
    variables = {'$instance': '.*', '$__rate_interval': '5m'}
    rules = 'groups:\n  - name: panels\n    rules:\n'
    for number, expression in enumerate(expressions):
        for name, value in variables.items():
            expression = expression.replace(name, value)
        assert '$' not in expression, expression
        rules += '      - record: panel:%d\n        expr: %s\n' % (number, json.dumps(expression))
    run(t, promtool, 'check', 'rules', write(t.folder + '/panels.yml', rules))
    missing = set().union(*map(names_in, expressions)) - metric_names(told(t).metrics)
    assert not missing, missing


# --- monitoring and systemd -----------------------------------------------------------------------

@test('Icinga 2 takes the definition, and its command line runs')
def icinga(t):
    program = need(t, 'icinga2')
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')])
    daemon.wait_state('ann', 'ok')
    settings = write(t.folder + '/icinga2.conf', '\n'.join([
        'include <itl>', 'include "%s/icinga/mboxwatch.conf"' % CONTRIB,
        'object Host "mail" { check_command = "dummy"; vars.mboxwatch = true }', '']))
    os.chmod(t.folder, 0o777)
    output = run(t, program, 'daemon', '--validate', '-c', settings, '-D', 'DataDir=' + t.folder,
                 '-D', 'LogDir=' + t.folder, '-D', 'CacheDir=' + t.folder, '-D',
                 'InitRunDir=' + t.folder, '-D', 'RunAsUser=root', '-D', 'RunAsGroup=root')
    assert 'Instantiated 1 Service' in output, output
    assert 'warning' not in output.lower(), output
    plug = text_of('icinga', 'mboxwatch.conf')
    order = re.findall(r'"([a-z-]+)" = \{\s+set_if', plug)
    assert order == ['status', '--plugin'], order
    status, out, _ = daemon.ctl(*order)
    assert status == 0 and re.match(r'MBOXWATCH OK - .*\|.*failing=0', out), (status, out)


@test('systemd: the units of contrib are sound, and a daemon that cannot start is told')
def units(t):
    need(t, 'systemd-analyze')
    names = ['prometheus/mboxwatch-textfile.service', 'prometheus/mboxwatch-textfile.timer',
             'systemd/mboxwatch-failed@.service']
    folder = os.path.join(t.folder, 'units')
    os.mkdir(folder)
    paths = []
    for name in names:
        # The manual and the programs may not be installed on this machine.
        text = re.sub(r'^Documentation=.*\n', '', text_of(name), flags=re.M)
        paths.append(write(os.path.join(folder, os.path.basename(name).replace('@', '@mail')),
                           text))
    output = run(t, 'systemd-analyze', 'verify', '--man=no', *paths)
    assert not output.strip(), output
    # What the template would send.
    command = re.search(r"^ExecStart=/bin/sh -c '(.*)'$", text_of(names[2]), flags=re.M).group(1)
    here = os.path.join(t.folder, 'bin')
    os.mkdir(here)
    write(here + '/sendmail', '#!/bin/sh\ncat >%s/mail\n' % t.folder)
    write(here + '/systemctl', '#!/bin/sh\necho "status of $*"\n')
    for name in ('sendmail', 'systemctl'):
        os.chmod(os.path.join(here, name), 0o755)
    command = command.replace('$$', '$').replace('%i', 'mboxwatchd.service').replace(
        '%H', 'mail1').replace('/usr/sbin/sendmail', 'sendmail')
    run(t, '/bin/sh', '-c', command, env=dict(os.environ, MBOXWATCH_FAILED_TO='root',
                                              PATH=here + ':' + os.environ['PATH']))
    mail = read(t.folder + '/mail')
    assert mail.startswith('To: root\nSubject: mboxwatchd.service has failed on mail1\n\n'), mail
    assert 'status of status --full --no-pager mboxwatchd.service' in mail, mail


if __name__ == '__main__':
    main()
