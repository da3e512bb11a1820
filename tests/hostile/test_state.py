#!/usr/bin/python3
"""
test_state.py: hostile.md 6, 7 and 10 as far as one run of the real daemon shows them: disks,
damaged files, kills, clocks, load; numbers and times scaled. Each title carries its case. Where
root runs this there are tiny disks of the test's own.
Not here: sinks (test_sinks.py), kill -9 in a loop (tests/e2e/test_kill.py), virtual time
(tests/simulate), the wrong password's cost (test_brake.py).
"""

import glob
import json
import os
import re
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))
from harness import NOBODY, SLOW, main, test, wait_until  # noqa: E402
from shared import PROMPT, Frozen, paused, resident_bytes, threads  # noqa: E402

ADDRESS = 'ann@test.example'


def smtp_ann(t, host, name='ann', **more):
    return dict(t.mailbox(host, 'ann', imap=None), name=name, **more)


def database(daemon):
    return os.path.join(daemon.state_dir, 'state.db')


def sql(daemon, *statements):
    """Statements on the state of a daemon that does not run; gives the last one's rows."""
    with sqlite3.connect(database(daemon)) as db:
        for statement in statements:
            words = statement if isinstance(statement, tuple) else (statement, ())
            rows = db.execute(*words).fetchall()
    db.close()
    return rows


def failing(t, **more):
    """A host whose SMTP is off, and a daemon that has told so: (host, daemon, the event)."""
    host = t.host('ann')
    host.off('smtp')
    daemon = t.daemon(host, [smtp_ann(t, host)], **more)
    return host, daemon, daemon.wait_event(event='state', state='smtp failing')


def goes_on(host, daemon, times=2):
    """It still probes."""
    for _ in range(times):
        before = host.connections('smtp')
        wait_until(lambda: host.connections('smtp') > before, 25, why=daemon.tell)


def preload(t, daemon, name, text, environment):
    """The daemon gets some calls of its C library from this text."""
    source, library = os.path.join(t.folder, name + '.c'), os.path.join(t.folder, name + '.so')
    with open(source, 'w') as out:
        out.write(text)
    compiler = shutil.which(os.environ.get('CC', 'cc').split()[0]) or shutil.which('cc')
    if not compiler or subprocess.run([compiler, '-shared', '-fPIC', '-O1', '-o', library, source],
                                      stdin=subprocess.DEVNULL).returncode != 0:
        t.skip('there is no compiler for calls of our own')
    daemon.environment.update({'LD_PRELOAD': library, 'ASAN_OPTIONS':
                               'verify_asan_link_order=0:detect_stack_use_after_return=1'})
    daemon.environment.update(environment)


# --- 6: the disk ----------------------------------------------------------------------------------

@test('H6-01 (a disk of 3 M, full for seconds): told, probed and healthz 503 meanwhile; then well')
def h6_01(t):
    if os.geteuid() != 0:
        t.skip('needs root, for a disk of its own')
    host = t.host('ann')
    daemon = t.daemon(host, [smtp_ann(t, host)], start=False)
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=3m,mode=0700', 'none',
                       daemon.state_dir]).returncode != 0:
        t.skip('mount is not allowed here')
    try:
        daemon.start()
        daemon.wait_state('ann', 'smtp ok')
        filler = os.path.join(daemon.state_dir, 'filler')
        with open(filler, 'wb', buffering=0) as out:
            try:
                while True:
                    out.write(b'x' * 4096)
            except OSError:
                pass
        host.off('smtp')
        # The reserve makes room for a first while; then nothing is left.
        def fills():
            with open(filler, 'ab', buffering=0) as out:
                try:
                    while True:
                        out.write(b'x' * 4096)
                except OSError:
                    pass
            daemon.post('/v1/test-alert')
            return daemon.alerts(event='trouble', kind='state')
        wait_until(fills, 20, why=daemon.tell)
        began = time.monotonic()
        assert daemon.wait_alert(event='state', state='smtp failing')
        answer = daemon.get('/healthz')
        assert answer.status == 503 and b'state' in answer.body, answer
        host.on('smtp')
        daemon.wait_alert(event='state', state='smtp ok')
        goes_on(host, daemon, 1)
        assert time.monotonic() - began < 30 * SLOW
        assert daemon.get('/healthz').status == 503
        os.unlink(filler)
        daemon.wait_alert(event='trouble-end', kind='state')
        wait_until(lambda: daemon.get('/healthz').status == 200, 10)
        told = {line['id'] for line in daemon.alerts()}
        daemon.kill9()
        daemon.start()
        daemon.wait_state('ann', 'smtp ok')
        states = daemon.events(event='state')
        assert [event['state'] for event in states] == ['smtp failing', 'smtp ok'], states
        assert {event['id'] for event in states} <= told
        assert len({line['id'] for line in daemon.alerts(event='state')}) == 2
        assert daemon.term() == 0
    finally:
        subprocess.run(['umount', '-l', daemon.state_dir])


@test('H6-04: a state directory that may not be written at start: watches, tells, trouble, 503')
def h6_04(t):
    host = t.host('ann')
    daemon = t.daemon(host, [smtp_ann(t, host)], start=False).be_nobody()
    os.chmod(daemon.state_dir, 0o555)
    if os.geteuid() == 0:
        os.chown(daemon.state_dir, 0, 0)
    daemon.start()
    daemon.wait_state('ann', 'smtp ok')
    trouble = daemon.wait_alert(event='trouble', kind='state')
    assert daemon.state_dir in trouble['detail'] or 'state' in trouble['detail'], trouble
    answer = daemon.get('/healthz')
    assert answer.status == 503 and b'state' in answer.body, answer
    host.off('smtp')
    event = daemon.wait_alert(event='state', state='smtp failing')
    host.on('smtp')
    assert daemon.wait_alert(event='state', state='smtp ok')['incident'] == event['incident']
    os.chmod(daemon.state_dir, 0o755)


def damage(path, how):
    """Each way of H6-05; gives whether state.db is to be set aside."""
    size = os.path.getsize(path)
    wal = path + '-wal'
    if how == 'empty':
        os.truncate(path, 0)
    elif how == 'random':
        with open(path, 'wb') as out:
            out.write(os.urandom(100))
    elif how == 'half':
        os.truncate(path, size // 2)
    elif how in ('zeroed', 'zeroed-first'):
        with open(path, 'r+b') as out:
            out.seek(0 if how == 'zeroed-first' else 4096)
            out.write(b'\0' * 4096)
    elif how == 'wal-cut':
        assert os.path.getsize(wal) > 4200
        os.truncate(wal, os.path.getsize(wal) - 2000)
    elif how == 'wal-other':
        other = path + '.other'
        db = sqlite3.connect(other)
        db.executescript('PRAGMA journal_mode = WAL; CREATE TABLE x(a); '
                         'INSERT INTO x VALUES(hex(randomblob(20000)));')
        shutil.copy(other + '-wal', wal)
        db.close()
        for name in glob.glob(other + '*'):
            os.unlink(name)
    elif how == 'shm':
        with open(path + '-shm', 'wb') as out:
            out.write(os.urandom(32768))


@test('H6-05: state.db empty, random, cut, zeroed, its -wal and -shm damaged: set aside, goes on')
def h6_05(t):
    host, daemon, begin = failing(t)
    kept = os.path.join(t.folder, 'kept')
    daemon.kill9()
    shutil.copytree(daemon.state_dir, kept)
    for how in ('empty', 'random', 'half', 'zeroed', 'zeroed-first', 'wal-cut', 'wal-other', 'shm'):
        shutil.rmtree(daemon.state_dir)
        shutil.copytree(kept, daemon.state_dir)
        if not how.startswith(('wal', 'shm')):
            # All in the main file, or the whole log would mend what is damaged.
            sql(daemon, 'PRAGMA wal_checkpoint(TRUNCATE)')
            for suffix in ('-wal', '-shm'):
                if os.path.exists(database(daemon) + suffix):
                    os.unlink(database(daemon) + suffix)
        damage(database(daemon), how)
        began = time.monotonic()
        daemon.start()
        assert time.monotonic() - began < 5 * SLOW, how
        aside = [name for name in os.listdir(daemon.state_dir) if 'damaged' in name]
        troubles = [event['detail'] or '' for event in daemon.events(event='trouble')]
        if how.startswith(('wal', 'shm')) and not aside:
            # Nothing is lost but what the cut piece held.
            state = daemon.wait_state('ann', 'smtp failing')
            assert state['smtp']['incident'] in (begin['incident'], state['smtp']['incident'])
        else:
            assert aside, (how, os.listdir(daemon.state_dir))
            daemon.wait_event(event='trouble', kind='state')
            assert any(name in detail for name in aside for detail in [
                event['detail'] or '' for event in daemon.events(event='trouble')]), (
                    how, aside, troubles)
            daemon.wait_event(event='state', state='smtp failing')
        wait_until(lambda: daemon.get('/healthz').status == 200, 10, why=daemon.tell)
        assert daemon.term() == 0
        assert sql(daemon, 'PRAGMA integrity_check') == [('ok',)], how


@test('H6-08: rows that cannot be are left out with a trouble, the rest loads')
def h6_08(t):
    names = ['m%d' % number for number in range(8)]
    host = t.host('ann')
    host.off('smtp')
    daemon = t.daemon(host, [smtp_ann(t, host, name) for name in names])
    begins = {name: daemon.wait_event(event='state', mailbox=name)['incident'] for name in names}
    daemon.kill9()
    rows = {key: json.loads(value) for kind, key, value in
            sql(daemon, 'SELECT kind, key, value FROM row') if key.endswith('/smtp')}
    assert len(rows) == 8, rows

    def put(key, **members):
        return ('UPDATE row SET value = ? WHERE key = ?',
                (json.dumps(dict(rows[key], **members)), key))
    sql(daemon, put('m0/smtp', state=99), put('m1/smtp', since=7258118400000000),
        put('m2/smtp', state='splendid'), put('m3/smtp', since=-5, fails=-1, incident='x'),
        ("UPDATE row SET value = '{' WHERE key = 'm4/smtp'", ()),
        ("UPDATE row SET value = x'00ff00' WHERE key = 'm5/smtp'", ()),
        ("INSERT INTO row SELECT kind, '', value FROM row WHERE key = 'm7/smtp'", ()),
        ("INSERT INTO row SELECT kind, 'no/such/side', value FROM row WHERE key = 'm7/smtp'", ()),
        ("INSERT INTO row VALUES('nonsense', 'a', 'b')", ()),
        ("INSERT INTO event VALUES(x'00', 'state', 'error', 1, 'x', 'y', x'00')", ()),
        ("INSERT INTO event VALUES(zeroblob(16), 'state', 'error', -1, 'x', '{', x'00')", ()),
        ("INSERT OR REPLACE INTO cursor VALUES('stderr', 'not an id')", ()))
    daemon.start()
    trouble = daemon.wait_event(event='trouble', kind='state')
    assert re.search(r'\d+ rows', trouble['detail']), trouble
    for name in ('m6', 'm7'):
        assert daemon.mailbox(name)['smtp']['incident'] == begins[name], name
    for name in names[:6]:
        new = daemon.wait_mailbox(name, lambda m: m['state'] == 'smtp failing')
        assert new['smtp']['incident'] != begins[name] or name == 'm1', new
    assert daemon.get('/healthz').status == 200
    daemon.events()
    # A cursor that is none begins at the newest: nothing of before is told anew.
    for name in ('m6', 'm7'):
        assert len({line['id'] for line in daemon.alerts(event='state', mailbox=name)}) == 1


def writer_and_teller(daemon):
    """The threads of outbox and sinks, by what stands still without them."""
    found = {}
    for tid in threads(daemon)[1:]:
        with Frozen(tid):
            before = len(daemon.alerts(event='test'))
            stored = len(daemon.events(event='test'))
            daemon.post('/v1/test-alert')
            time.sleep(0.4 * SLOW)
            told = len(daemon.alerts(event='test')) > before
            shown = len(daemon.events(event='test')) > stored
        if not told:
            found['teller' if shown else 'writer'] = tid
        wait_until(lambda: len(daemon.alerts(event='test')) > before, 5)
    return found['writer'], found['teller']


@test('H6-10: kill -9 before the commit, between commit and sink, before the cursor moved')
def h6_10(t):
    host = t.host('ann')
    daemon = t.daemon(host, [smtp_ann(t, host)])
    daemon.wait_state('ann', 'smtp ok')
    writer, teller = writer_and_teller(daemon)
    with Frozen(writer) as frozen:  # decided, never committed
        host.off('smtp')
        daemon.wait_mailbox('ann', lambda m: m['smtp']['state'] == 'failing')
        lost = daemon.mailbox('ann')['smtp']['incident']
        assert not daemon.alerts(event='state') and not sql(
            daemon, "SELECT id FROM event WHERE kind = 'state'")
        daemon.signal(signal.SIGKILL)
        frozen.ended()
        daemon.wait_exit()
    daemon.start()
    begin = daemon.wait_event(event='state', state='smtp failing')
    daemon.wait_alert(event='state', id=begin['id'])
    assert begin['incident'] != lost
    assert len(daemon.events(event='state')) == 1, daemon.events()

    writer, teller = writer_and_teller(daemon)
    with Frozen(teller) as frozen:  # committed, told to nobody
        host.on('smtp')
        end = daemon.wait_event(event='state', state='smtp ok')
        assert not daemon.alerts(event='state', id=end['id'])
        daemon.signal(signal.SIGKILL)
        frozen.ended()
        daemon.wait_exit()
    daemon.start()
    assert daemon.wait_alert(event='state', id=end['id'])['incident'] == begin['incident']
    daemon.wait_state('ann', 'smtp ok')
    assert len(daemon.events(event='state')) == 2, daemon.events()

    daemon.kill9()  # told, but the cursor still stands before it
    count = len(daemon.alerts(event='state', id=end['id']))
    with sqlite3.connect(database(daemon)) as db:
        db.execute("UPDATE cursor SET id = (SELECT max(id) FROM event WHERE id < ("
                   "SELECT max(id) FROM event WHERE kind = 'state'))")
    db.close()
    daemon.start()
    wait_until(lambda: len(daemon.alerts(event='state', id=end['id'])) == count + 1, 10)
    assert len({line['id'] for line in daemon.alerts(event='state')}) == 2
    assert len(daemon.events(event='state')) == 2


@test('H6-14: a state.db of a newer version: exit 1 naming both, the file unchanged')
def h6_14(t):
    _, daemon, _ = failing(t)
    daemon.term()
    sql(daemon, 'PRAGMA user_version = 99', 'PRAGMA wal_checkpoint(TRUNCATE)')
    with open(database(daemon), 'rb') as data:
        before = data.read()
    daemon.expected_status = 1
    for _ in range(2):
        daemon.spawn()
        assert daemon.wait_exit(10) == 1, daemon.stderr()
        text = daemon.stderr(daemon.runs)
        assert '99' in text and re.search(r'knows \d+', text) and 'state.db' in text, text
    with open(database(daemon), 'rb') as data:
        assert data.read() == before
    assert not glob.glob(daemon.state_dir + '/*damaged*')


@test('H6-16 (link, mode): state.db a symbolic link: exit 1; mode 0777: a warning')
def h6_16(t):
    daemon = t.daemon(None, paused(1), start=False)
    victim = os.path.join(t.folder, 'victim')
    with open(victim, 'w') as out:
        out.write('dear aunt\n')
    daemon.expected_status = 1
    os.symlink(victim, database(daemon))
    daemon.spawn()
    assert daemon.wait_exit(10) == 1, daemon.stderr()
    assert 'state.db' in daemon.stderr() and 'link' in daemon.stderr(), daemon.stderr()
    with open(victim) as found:
        assert found.read() == 'dear aunt\n'
    os.unlink(database(daemon))
    os.chmod(daemon.state_dir, 0o777)
    daemon.expected_status = 0
    daemon.start()
    assert any(daemon.state_dir in line and '0700' in line for line in daemon.stderr_lines()), \
        daemon.stderr()


@test('H6-16 (unlinked): state.db unlinked while running: trouble, written anew from memory, whole')
def h6_16_unlinked(t):
    host, daemon, begin = failing(t)
    for suffix in ('', '-wal', '-shm'):
        os.unlink(database(daemon) + suffix)
    wait_until(lambda: os.path.exists(database(daemon)), 30, why='not written anew', poll=0.2)
    daemon.wait_event(event='trouble', kind='state')
    daemon.wait_event(event='trouble-end', kind='state')
    wait_until(lambda: sql(daemon, "SELECT key FROM row WHERE key = 'ann/smtp'"), 10)
    daemon.kill9()
    daemon.start()
    assert daemon.mailbox('ann')['smtp']['incident'] == begin['incident'], daemon.tell()
    assert len({line['id'] for line in daemon.alerts(event='state')}) == 1


@test('H6-16 (late): a directory that cannot be written at start can be later: state is kept')
def h6_16_late(t):
    host = t.host('ann')
    daemon = t.daemon(host, [smtp_ann(t, host)], start=False).be_nobody()
    os.chmod(daemon.state_dir, 0o555)
    if os.geteuid() == 0:
        os.chown(daemon.state_dir, 0, 0)
    daemon.start()
    daemon.wait_alert(event='trouble', kind='state')
    host.off('smtp')
    begin = daemon.wait_alert(event='state', state='smtp failing')
    if os.geteuid() == 0:
        os.chown(daemon.state_dir, NOBODY, NOBODY)
    os.chmod(daemon.state_dir, 0o755)
    daemon.wait_alert(event='trouble-end', kind='state', timeout=60)
    wait_until(lambda: daemon.get('/healthz').status == 200, 10)
    wait_until(lambda: sql(daemon, "SELECT key FROM row WHERE key = 'ann/smtp'"), 10)
    assert {row[0] for row in sql(daemon, 'SELECT sink FROM cursor')} == {'stderr'}
    daemon.kill9()
    daemon.start()
    assert daemon.mailbox('ann')['smtp']['incident'] == begin['incident'], daemon.tell()
    host.on('smtp')
    assert daemon.wait_alert(event='state', state='smtp ok')['incident'] == begin['incident']


@test('H6-15: an old backup restored: nothing told again, what changed once, under newer ids')
def h6_15(t):
    host = t.host('ann')
    daemon = t.daemon(host, [smtp_ann(t, host)])
    daemon.wait_state('ann', 'smtp ok')
    host.off('smtp')
    first = daemon.wait_alert(event='state', state='smtp failing')
    daemon.term()
    backup = os.path.join(t.folder, 'backup')
    shutil.copytree(daemon.state_dir, backup)
    daemon.start()
    host.on('smtp')
    second = daemon.wait_alert(event='state', state='smtp ok')
    daemon.term()
    shutil.rmtree(daemon.state_dir)
    shutil.copytree(backup, daemon.state_dir)
    daemon.start()  # it was failing, says the backup, and is not
    wait_until(lambda: len(daemon.alerts(event='state', state='smtp ok')) == 2, 30,
               why=daemon.tell)
    told = daemon.alerts(event='state')
    assert [line['state'] for line in told] == ['smtp failing', 'smtp ok', 'smtp ok'], told
    ids = [line['id'] for line in told]
    assert ids[0] == first['id'] and ids[1] == second['id'] and ids == sorted(set(ids)), ids
    assert told[2]['incident'] == first['incident']
    every = [line['id'] for line in daemon.alerts()]
    assert len(every) == len(set(every)), 'told again'


SYNC = r'''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What is to happen: the text of a file. "fail": the next sync fails and its pages are forgotten;
 * "slow": it takes 7 s; "copy": what is synced is also copied, as a disk would have it. */
static int
order(char *word, size_t room)
{
	const char *path = getenv("TEST_SYNC");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t len = fd < 0 ? 0 : read(fd, word, room - 1);

	if (fd >= 0)
		close(fd);
	word[len > 0 ? len : 0] = 0;
	if (strncmp(word, "fail", 4) == 0)
		unlink(path);
	return len > 0;
}

static void
copy(int fd)
{
	char link[64], from[4096], to[4200], piece[65536];
	ssize_t len;
	int in, out;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, from, sizeof(from) - 1);
	if (len <= 0)
		return;
	from[len] = 0;
	snprintf(to, sizeof(to), "%s.synced", from);
	in = open(from, O_RDONLY | O_CLOEXEC);
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	while (in >= 0 && out >= 0 && (len = read(in, piece, sizeof(piece))) > 0)
		(void)!write(out, piece, (size_t)len);
	close(in);
	close(out);
}

static int
sync_of(int number, int fd)
{
	char word[16];
	int result;

	order(word, sizeof(word));
	if (strncmp(word, "slow", 4) == 0)
		sleep(7);
	if (strncmp(word, "fail", 4) == 0) {
		errno = EIO;
		return -1;
	}
	result = (int)syscall(number, fd);
	if (result == 0 && strncmp(word, "copy", 4) == 0)
		copy(fd);
	return result;
}

int
fsync(int fd)
{
	return sync_of(SYS_fsync, fd);
}

int
fdatasync(int fd)
{
	return sync_of(SYS_fdatasync, fd);
}
'''


def strange_disk(t, daemon):
    """The daemon's disk syncs as it is told: gives a function of 'fail', 'slow', 'copy', ''."""
    path = os.path.join(t.folder, 'sync')
    preload(t, daemon, 'sync', SYNC, {'TEST_SYNC': path})

    def order(word):
        with open(path + '.new', 'w') as out:
            out.write(word)
        os.rename(path + '.new', path)
    return order


@test('H6-02: a sync fails once: the transaction counts as not made and is written again')
def h6_02(t):
    host = t.host('ann')
    daemon = t.daemon(host, [smtp_ann(t, host)], start=False)
    order = strange_disk(t, daemon)
    daemon.start()
    daemon.wait_state('ann', 'smtp ok')
    order('fail')
    host.off('smtp')
    begin = daemon.wait_alert(event='state', state='smtp failing')
    daemon.wait_alert(event='trouble', kind='state')
    daemon.wait_alert(event='trouble-end', kind='state')
    daemon.kill9()
    daemon.start()
    assert [event['id'] for event in daemon.events(event='state')] == [begin['id']]
    assert daemon.mailbox('ann')['smtp']['incident'] == begin['incident']


@test('H6-03 (7 s): each sync is slow: events late by 5 s at most, status goes on, trouble')
def h6_03(t):
    host = t.host('ann')
    daemon = t.daemon(host, [smtp_ann(t, host)], start=False)
    order = strange_disk(t, daemon)
    daemon.environment['WATCHDOG_USEC'] = '4000000'
    daemon.start()
    daemon.wait_state('ann', 'smtp ok')
    order('slow')
    daemon.post('/v1/test-alert')
    began = time.monotonic()
    host.off('smtp')
    daemon.wait_alert(event='state', state='smtp failing')
    daemon.wait_alert(event='trouble', kind='state')
    assert time.monotonic() - began < 25 * SLOW
    assert daemon.get('/v1/status').status == 200 and daemon.is_running()
    order('')
    daemon.wait_alert(event='trouble-end', kind='state', timeout=60)


@test('H6-13: a power cut after the commit was reported: the told event and its state are there')
def h6_13(t):
    host = t.host('ann')
    daemon = t.daemon(host, [smtp_ann(t, host)], start=False)
    order = strange_disk(t, daemon)
    order('copy')
    daemon.start()
    daemon.wait_state('ann', 'smtp ok')
    host.off('smtp')
    begin = daemon.wait_alert(event='state', state='smtp failing')
    daemon.kill9()
    for name in ('state.db', 'state.db-wal'):  # what was never synced is gone
        path = os.path.join(daemon.state_dir, name)
        if os.path.exists(path + '.synced'):
            os.rename(path + '.synced', path)
        elif os.path.exists(path):
            os.unlink(path)
    if os.path.exists(database(daemon) + '-shm'):
        os.unlink(database(daemon) + '-shm')
    daemon.start()
    assert [event['id'] for event in daemon.events(event='state')] == [begin['id']]
    assert daemon.mailbox('ann')['smtp']['incident'] == begin['incident']


@test('H6-17 (8 s): an administrator holds the database: as H6-01, and nothing lost when it ends')
def h6_17(t):
    host = t.host('ann')
    daemon = t.daemon(host, [smtp_ann(t, host)])
    daemon.wait_state('ann', 'smtp ok')
    db = sqlite3.connect(database(daemon), isolation_level=None)
    db.execute('BEGIN IMMEDIATE')
    began = time.monotonic()
    host.off('smtp')
    daemon.wait_alert(event='trouble', kind='state')
    state = daemon.wait_alert(event='state', state='smtp failing')
    assert daemon.get('/healthz').status == 503
    time.sleep(max(0, began + 8 - time.monotonic()))
    db.execute('ROLLBACK')
    db.close()
    daemon.wait_alert(event='trouble-end', kind='state')
    wait_until(lambda: daemon.get('/healthz').status == 200, 5)
    daemon.kill9()
    daemon.start()
    assert [event['id'] for event in daemon.events(event='state')] == [state['id']]
    assert daemon.mailbox('ann')['smtp']['incident'] == state['incident']


@test('H6-20: TERM while the disk and 60 probes hang: exit 0 within 5 s; a second TERM at once')
def h6_20(t):
    host = t.host('ann')
    mailboxes = [smtp_ann(t, host, 'm%d' % number, smtp=host.endpoint(
        'smtp', auth='none')) for number in range(60)]
    daemon = t.daemon(host, mailboxes)
    daemon.wait_for(lambda status: status['counts']['ok'] == 60)
    writer, _ = writer_and_teller(daemon)
    host.hang('smtp')
    daemon.post('/v1/probe', {})
    wait_until(lambda: sum(c.ended is None for c in host.listeners['smtp', 'tls'].all()) >= 60, 15)
    with Frozen(writer) as frozen:
        told = daemon.post('/v1/test-alert').json()
        began = time.monotonic()
        daemon.signal(signal.SIGTERM)
        frozen.ended()
        status = daemon.wait_exit(10)
        assert status == 0 and time.monotonic() - began < 5.5 * SLOW, (
            status, time.monotonic() - began)
    host.free('smtp')
    daemon.start()
    assert daemon.alerts(event='test', id=told['id']) or \
        daemon.wait_alert(event='test', id=told['id'])
    # A second TERM ends at once.
    daemon.wait_for(lambda status: status['counts']['ok'] == 60)
    writer, _ = writer_and_teller(daemon)
    with Frozen(writer) as frozen:
        daemon.post('/v1/test-alert')
        began = time.monotonic()
        daemon.signal(signal.SIGTERM)
        time.sleep(0.5)
        daemon.signal(signal.SIGTERM)
        frozen.ended()
        daemon.wait_exit(10)
        assert time.monotonic() - began < 10 * SLOW, time.monotonic() - began
    daemon.expected_status = None
    daemon.start()
    daemon.expected_status = 0


# --- 7: clocks ------------------------------------------------------------------------------------

CLOCK = r'''
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Seconds that the wall clock is ahead: the text of a file. */
static long
ahead(void)
{
	const char *path = getenv("TEST_CLOCK");
	char text[32] = { 0 };
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return 0;
	(void)!read(fd, text, sizeof(text) - 1);
	close(fd);
	return atol(text);
}

int
clock_gettime(clockid_t id, struct timespec *out)
{
	int result = (int)syscall(SYS_clock_gettime, id, out);

	if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		out->tv_sec += ahead();
	return result;
}

int
gettimeofday(struct timeval *out, void *zone)
{
	struct timespec now;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	*out = (struct timeval){ now.tv_sec, now.tv_nsec / 1000 };
	return 0;
}

time_t
time(time_t *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (out)
		*out = now.tv_sec;
	return now.tv_sec;
}
'''


def movable_clock(t, daemon):
    """The daemon's wall clock becomes movable; gives a function of seconds."""
    path = os.path.join(t.folder, 'ahead')
    preload(t, daemon, 'clock', CLOCK, {'TEST_CLOCK': path})

    def move(seconds):
        with open(path + '.new', 'w') as out:
            out.write('%d\n' % seconds)
        os.rename(path + '.new', path)
    move(0)
    return move


@test('H7-01: the wall clock one day ahead, one day back: no probe moves, no event, ids rise')
def h7_01(t):
    host = t.host('ann')
    # In clear: the test's certificates begin today, and would end the probes of yesterday.
    ports = [host.answering('smtp', 'clear') for _ in range(4)]
    daemon = t.daemon(host, [{'name': 'm%d' % number, 'address': ADDRESS,
                              'smtp': t.endpoint(port, auth='none')}
                             for number, port in enumerate(ports)], start=False)
    move = movable_clock(t, daemon)
    daemon.start()
    daemon.wait_for(lambda status: status['counts']['ok'] == 4)
    before = len(daemon.events())
    for port in ports:  # from here on each is on its own grid
        assert port.wait_connections(2)
    for ahead in (86400, 0, -86400, 1):
        daemon.post('/v1/test-alert')
        move(ahead)
        time.sleep(5.2)
    for port in ports:
        starts = [conversation.began for conversation in port.all()][1:]
        gaps = [later - earlier for earlier, later in zip(starts, starts[1:])]
        assert len(gaps) >= 2 and all(9.5 < gap < 10 + 0.5 * SLOW for gap in gaps), gaps
    daemon.post('/v1/test-alert')
    events = daemon.events()[before:]
    assert all(event['event'] in ('test', 'trouble', 'trouble-end') for event in events), events
    ids = [event['id'] for event in daemon.events()]
    assert ids == sorted(set(ids)), ids
    for number in range(4):
        mailbox = daemon.mailbox('m%d' % number)
        assert mailbox['state'] == 'smtp ok', mailbox
        assert all(value >= 0 for value in mailbox['smtp']['verdict']['times_ms'].values()), mailbox
    text = daemon.get('/metrics').body.decode()
    assert not re.search(r'^mboxwatch_[a-z_]*(seconds|sum|lateness)[a-z_]* -', text, re.M), text


@test('H7-03 (8 s): SIGSTOP with 30 probes in flight: what times out by it is void')
def h7_03(t):
    host = t.host('ann')
    mailboxes = [smtp_ann(t, host, 'm%d' % number, smtp=host.endpoint('smtp', auth='none'))
                 for number in range(30)]
    daemon = t.daemon(host, mailboxes, {'confirm': 1, 'stage_timeout': '4s', 'timeout': '6s',
                                        'interval': '20s'})
    daemon.wait_for(lambda status: status['counts']['ok'] == 30, 45)
    host.hang('smtp', 'noop')
    daemon.post('/v1/probe', {})
    open_now = lambda: sum(c.ended is None for c in host.listeners['smtp', 'tls'].all())  # noqa
    wait_until(lambda: open_now() >= 30, 3 * SLOW, why=lambda: open_now())
    daemon.signal(signal.SIGSTOP)
    time.sleep(8)
    daemon.signal(signal.SIGCONT)
    time.sleep(1)  # nothing has come: the timers of 4 s are over, but the time was not the server's
    host.free('smtp')
    # Void, and run again: each has a fresh success before its interval is over.
    end = time.monotonic() + 11 * SLOW
    while time.monotonic() < end:
        assert not daemon.events(event='state'), daemon.events(event='state')
        time.sleep(0.5)
    assert daemon.status()['counts']['ok'] == 30
    for number in range(30):
        assert daemon.mailbox('m%d' % number)['smtp']['verdict']['ok']


@test('H7-10 (20 servers, in_flight 10): those that hung get half of it, healthy ones on time')
def h7_10(t):
    host = t.host('ann')
    stop = threading.Event()
    t.cleanups.append(stop.set)
    now, most = set(), [0]
    lock = threading.Lock()

    def tarpit(c):
        with lock:
            now.add(c)
            most[0] = max(most[0], len(now))
        try:
            c.wait_end(30)
        finally:
            with lock:
                now.discard(c)
    mailboxes = []
    for number in range(20):
        port = t.script(host, tarpit, mode='starttls')
        mailboxes.append({'name': 'hang%d' % number, 'address': ADDRESS,
                          'smtp': t.endpoint(port, auth='none')})
    for number in range(6):
        port = t.answering(host)
        mailboxes.append({'name': 'well%d' % number, 'address': ADDRESS,
                          'smtp': t.endpoint(port, auth='none')})
    daemon = t.daemon(host, mailboxes, {'stage_timeout': '5s', 'timeout': '6s',
                                        'retry_interval': '2s', 'retry_max': '5s'},
                      limits={'in_flight': 10})
    daemon.wait_for(lambda status: all(m['smtp']['verdict'] for m in status['mailboxes']), 60)
    most[0] = 0
    seen = {'well%d' % number: set() for number in range(6)}
    end = time.monotonic() + 21
    while time.monotonic() < end:
        for mailbox in daemon.status('well*')['mailboxes']:
            seen[mailbox['name']].add(mailbox['smtp']['last_probe'])
            assert mailbox['state'] == 'smtp ok', mailbox
        time.sleep(0.3)
    assert all(len(probes) >= 3 for probes in seen.values()), seen
    assert most[0] <= 6, 'the hung ones took %d of 10' % most[0]


@test('H7-26: a pause over a restart and a clock jump ends in time; a late verdict is void')
def h7_26(t):
    host = t.host('ann')
    daemon = t.daemon(host, [smtp_ann(t, host)], {'confirm': 1}, start=False)
    move = movable_clock(t, daemon)
    daemon.start()
    daemon.wait_state('ann', 'smtp ok')
    port = host.listeners['smtp', 'tls']
    host.hang('smtp', 'noop')
    daemon.post('/v1/mailboxes/ann/probe')
    wait_until(lambda: any(c.ended is None and b'NOOP' in c.received for c in port.all()), 15)
    answer = daemon.post('/v1/mailboxes/ann/pause', {'for': '2h', 'reason': 'move'})
    assert answer.status == 200 and answer.json()['state'] == 'paused', answer
    host.off('smtp', cut=True)  # the verdict in flight fails now
    host.free('smtp')
    port.wait_idle(10)
    time.sleep(0.5)
    assert daemon.mailbox('ann')['state'] == 'paused'
    assert not daemon.events(event='state'), daemon.events()
    host.on('smtp')
    move(3600)
    time.sleep(2.5)
    daemon.restart()
    connections = host.connections('smtp')
    time.sleep(2.5)
    assert daemon.mailbox('ann')['state'] == 'paused' and host.connections('smtp') == connections
    move(7300)  # seen by the tick; the kernel's own word cannot be had for a test
    daemon.wait_state('ann', 'smtp ok', 15)
    events = [event['event'] for event in daemon.events()]
    assert events.count('pause') == events.count('resume') == 1 and 'state' not in events, events


@test('limits.connections holds for an address, whatever its names; also before it is known')
def limits_by_address(t):
    host = t.host('ann')
    now, most = set(), [0]
    lock = threading.Lock()

    def stands(c):
        ended = select.poll()
        ended.register(c.socket, select.POLLRDHUP)
        return not ended.poll(0)

    def tarpit(c):
        with lock:
            now.add(c)
        try:
            # A name that comes out at another address than its first is closed at once where that
            # one has no place; all others stand for 3 s.
            c.sleep(1.5)
            with lock:
                most[0] = max(most[0], stands(c) and sum(map(stands, now)))
            c.wait_end(30)
        finally:
            with lock:
                now.discard(c)
    port = host.script(tarpit, mode='starttls')
    names = ['127.0.0.1', 'localhost', 'localhost.localdomain', '::ffff:127.0.0.1']
    daemon = t.daemon(host, [{'name': 'm%d' % number, 'address': ADDRESS,
                              'smtp': dict(t.endpoint(port, auth='none'),
                                           host=names[number % len(names)])}
                             for number in range(12)],
                      {'stage_timeout': '3s', 'timeout': '4s', 'interval': '30s'},
                      limits={'connections': 2})
    wait_until(lambda: len({m['smtp']['host'] for m in daemon.status()['mailboxes']
                            if m['smtp']['verdict'] and
                            m['smtp']['verdict']['cause'] == 'reply_timeout'}) >= 2, 60,
               why=daemon.tell)
    time.sleep(5)
    assert most[0] == 2, most


@test('H7-04: the clock at 1970 at boot: trouble kind=clock once, no certificate judged; its end')
def h7_04(t):
    host = t.host('ann')
    daemon = t.daemon(host, [smtp_ann(t, host)], {'confirm': 1}, start=False)
    move = movable_clock(t, daemon)
    move(1000 - int(time.time()))
    daemon.start()
    daemon.wait_event(event='trouble', kind='clock')
    wait_until(lambda: host.connections('smtp') >= 3, 40)
    assert daemon.mailbox('ann')['state'] == 'smtp unknown', daemon.tell()
    move(0)
    daemon.wait_event(event='trouble-end', kind='clock')
    daemon.wait_state('ann', 'smtp ok')
    assert len(daemon.events(event='trouble', kind='clock')) == 1
    assert not daemon.events(event='state'), daemon.events()
    ids = [event['id'] for event in daemon.events()]
    assert ids == sorted(set(ids)), ids


# --- 10: load -------------------------------------------------------------------------------------

@test('H10-01 (60 servers): 64 K without an end from all at once: protocol_error, memory returns')
def h10_01(t):
    host = t.host('ann')
    gate = threading.Event()

    def flood(c):
        c.send(b'220 ' + b'x' * 20)
        gate.wait(20)
        for _ in range(20):
            c.send(b'x' * 8192)
        c.wait_end(30)
    ports = [host.script(flood) for _ in range(60)]
    daemon = t.daemon(host, [{'name': 'm%d' % number, 'address': ADDRESS,
                              'smtp': t.endpoint(port, auth='none')}
                             for number, port in enumerate(ports)],
                      {'interval': '60s', 'retry_interval': '30s', 'retry_max': '30s'}, start=False)
    daemon.environment.update(PROMPT)
    daemon.start()
    before = resident_bytes(daemon)
    daemon.post('/v1/probe', {})
    wait_until(lambda: sum(len(port.all()) for port in ports) >= 60, 20)
    gate.set()
    daemon.expect({'m%d' % number: 'protocol_error/greeting' for number in range(60)})
    assert all(port.wait_idle(10) for port in ports)
    grown = resident_bytes(daemon) - before
    assert grown < 40 << 20, grown


@test('H10-04 (60): every server a tarpit: socket and command answer, memory flat, watchdog fed')
def h10_04(t):
    host = t.host('ann')
    host.hang('smtp', 'greeting')
    host.hang('imap', 'greeting')
    mailboxes = [dict(t.mailbox(host, 'ann'), name='m%d' % number) for number in range(60)]
    daemon = t.daemon(host, mailboxes, {'stage_timeout': '5s', 'timeout': '6s'}, start=False)
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(os.path.join(t.folder, 'n'))
    told.setblocking(False)
    daemon.environment.update(PROMPT)
    daemon.environment.update({'NOTIFY_SOCKET': told.getsockname(), 'WATCHDOG_USEC': '2000000'})
    daemon.start()
    wait_until(lambda: sum(c.ended is None for listener in host.listeners.values()
                           for c in listener.all()) >= 60, 20)
    memory, slowest, fed = resident_bytes(daemon), [], 0
    end = time.monotonic() + 12
    while time.monotonic() < end:
        for call in (lambda: daemon.get('/healthz'), lambda: daemon.get('/v1/status'),
                     lambda: daemon.ctl('version')):
            began = time.monotonic()
            call()
            slowest.append(time.monotonic() - began)
        try:
            while True:
                fed += told.recv(4096).count(b'WATCHDOG=1')
        except BlockingIOError:
            pass
        time.sleep(0.3)
    assert max(slowest) < 10 * SLOW, slowest
    assert fed >= 8, fed
    assert resident_bytes(daemon) - memory < 24 << 20, (memory, resident_bytes(daemon))
    daemon.wait_for(lambda status: status['counts']['failing'] == 60, 60)


@test('H10-05 (200): many probes due at once wait for their turn, as lateness; main loop on time',
      deadline=180)
def h10_05(t):
    host = t.host('ann')
    mailboxes = [smtp_ann(t, host, 'm%d' % number, smtp=host.endpoint('smtp', auth='none'))
                 for number in range(200)]
    daemon = t.daemon(host, mailboxes, {'interval': '1m', 'stage_timeout': '20s'})
    daemon.wait_for(lambda status: status['counts']['ok'] == 200, 90)

    def lateness():
        text = daemon.get('/metrics').body.decode()
        return [float(re.search(r'^mboxwatch_probe_lateness_seconds_%s (\S+)' % what, text,
                                re.M).group(1)) for what in ('sum', 'count')]
    before, done, slowest = lateness(), [], 0
    asking = threading.Thread(target=lambda: done.append(
        daemon.request('POST', '/v1/probe?wait=1', {}, timeout=80)))
    asking.start()
    while asking.is_alive():
        began = time.monotonic()
        assert daemon.get('/healthz').status == 200
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.05)
    asking.join()
    assert done[0].status == 200 and all(m['state'] == 'smtp ok' for m in
                                         done[0].json()['mailboxes']), done
    after = lateness()
    assert after[1] - before[1] >= 200, (before, after)
    # The last of them waited for most of the others, and none of its stages was the longer for it.
    assert after[0] - before[0] > 1, (before, after)
    assert slowest < 5 * SLOW, slowest
    assert not daemon.events(event='state')


@test('H10-07 (40): failing with changing texts: at most a line a mailbox in the log, events aside',
      deadline=180)
def h10_07(t):
    host = t.host('ann')
    count = iter(range(10 ** 6))

    def moody(c):
        c.send('220 mx ESMTP')
        while c.read_line():
            number = next(count)
            c.send('%d 5.%d.%d text %d of many' % (
                (500, 501, 502, 504, 550)[number % 5], number % 8, number % 10, number))
    port = host.script(moody)
    daemon = t.daemon(host, [{'name': 'm%d' % number, 'address': ADDRESS,
                              'smtp': t.endpoint(port, auth='none')} for number in range(40)])
    daemon.wait_for(lambda status: status['counts']['failing'] == 40, 90)
    before, lines = next(count), len(daemon.stderr_lines())
    wait_until(lambda: next(count) > before + 200, 90, why=daemon.tell)
    log = [line for line in daemon.stderr_lines()[lines:] if ' event=' not in line]
    assert len(log) < 40, log[:50]


@test('H10-10: our loops late by seconds, again and again: void, told as trouble, nobody failing')
def h10_10(t):
    host = t.host('ann')
    mailboxes = [smtp_ann(t, host, 'm%d' % number, smtp=host.endpoint('smtp', auth='none'))
                 for number in range(10)]
    daemon = t.daemon(host, mailboxes, {'confirm': 1, 'stage_timeout': '4s', 'timeout': '5s'})
    daemon.wait_for(lambda status: status['counts']['ok'] == 10, 60)
    loop = threads(daemon)[-1]
    host.hang('smtp', 'noop')  # who answers in time is not seen in time: that is what it means
    for _ in range(3):
        daemon.post('/v1/probe', {})
        time.sleep(0.6)
        with Frozen(loop):
            time.sleep(6)
    host.free('smtp')
    daemon.wait_event(event='trouble', kind='loop')
    daemon.wait_event(event='trouble-end', kind='loop', timeout=60)
    assert not daemon.events(event='state'), daemon.events(event='state')
    assert daemon.status()['counts']['ok'] == 10


@test('H10-06: a loop never returns and the watchdog ends the process: state whole; 2 s turns',
      deadline=180)
def h10_06(t):
    host, daemon, begin = failing(t)
    loop = threads(daemon)[-1]
    with Frozen(loop) as frozen:
        daemon.wait_event(event='trouble', kind='loop', timeout=15)
        daemon.signal(signal.SIGABRT)  # as systemd's watchdog does
        frozen.ended()
        assert daemon.wait_exit(10) == -signal.SIGABRT
    daemon.start()
    assert daemon.mailbox('ann')['smtp']['incident'] == begin['incident']
    assert len({line['id'] for line in daemon.alerts(event='state')}) == 1
    host.on('smtp')
    daemon.wait_event(event='state', state='smtp ok')
    daemon.wait_event(event='trouble-end', kind='loop', timeout=45)
    loop, turns = threads(daemon)[-1], 0
    while len(daemon.events(event='trouble', kind='loop')) < 2:
        turns += 1
        assert turns < 30, daemon.tell()
        with Frozen(loop):
            time.sleep(2)
        time.sleep(0.05)
    assert daemon.is_running()
    wait_until(lambda: daemon.get('/healthz').status == 200, why='/healthz is not well again')
    wait_until(lambda: len(daemon.events(event='trouble-end', kind='loop')) == 2, 60)
    assert 'late' in daemon.events(event='trouble', kind='loop')[-1]['detail']
    assert len(daemon.events(event='state')) == 2, daemon.events(event='state')


@test('H10-11: 64 threads on one CPU; in_flight 1; no mailbox; a thread that cannot be made')
def h10_11(t):
    host = t.host('ann')
    many = t.daemon(host, [smtp_ann(t, host, 'm%d' % number, smtp=host.endpoint(
        'smtp', auth='none')) for number in range(10)], start=False, daemon={'threads': 64})
    many.prefix = ['taskset', '-c', str(min(os.sched_getaffinity(0)))]
    many.start()
    many.wait_for(lambda status: status['counts']['ok'] == 10, 40)
    assert len(threads(many)) > 64
    one = t.daemon(host, [smtp_ann(t, host, 'm%d' % number, smtp=host.endpoint(
        'smtp', auth='none')) for number in range(10)], limits={'in_flight': 1})
    one.wait_for(lambda status: status['counts']['ok'] == 10, 40)
    none = t.daemon(None, [])
    assert none.status()['counts']['total'] == 0 and none.get('/healthz').status == 200
    assert any('0 mailboxes' in line for line in none.stderr_lines()), none.stderr()
    status, out, err = none.ctl('status')
    assert status == 0 and '0 mailboxes' in out, (status, out, err)

    refused = t.daemon(None, paused(1), start=False, daemon={'threads': 4}).be_nobody()
    if os.geteuid() != 0:
        t.skip('the thread that cannot be made needs root, for a user of its own')
    refused.prefix += ['prlimit', '--nproc=1']
    refused.environment['ASAN_OPTIONS'] = 'detect_leaks=0'  # that wants a thread as well
    refused.expected_status = 1
    refused.spawn()
    assert refused.wait_exit(15) == 1, refused.stderr()
    assert 'thread' in refused.stderr(), refused.stderr()
    assert not os.path.exists(refused.socket_path), 'half a daemon was left'


if __name__ == '__main__':
    main()
