#!/usr/bin/python3
"""
test_start_end.py: how the daemon starts and how it ends: exit statuses, signals at odd moments, what
is lost while it runs. Here too: what a reload must not break. Not here: settings (tests/hostile),
systemd (tests/system).
"""

import os
import signal
import socket
import sqlite3
import stat
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import SLOW, main, test, wait_until  # noqa: E402


def silent_port(t):
    """A port that accepts and never says a word."""
    listener = socket.create_server(('127.0.0.1', 0))
    t.cleanups.append(listener.close)
    return listener.getsockname()[1]


def is_begun(daemon):
    """True once main() has seen to SIGHUP: it would end any program before."""
    with open('/proc/%d/status' % daemon.process.pid, encoding='ascii') as status:
        words = dict(line.split(':', 1) for line in status.read().splitlines())
    return any(int(words[name], 16) & 1 for name in ('SigBlk', 'SigCgt'))


@test('a reload that drops helo_name falls back to the name of this host')
def helo_name_goes(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann', imap=None)],
                      daemon={'helo_name': 'watch.test.example'})
    daemon.wait_state('ann', 'smtp ok')
    del daemon.settings['daemon']
    daemon.write_settings()
    for _ in range(2):
        daemon.reload()
        assert daemon.probe('ann')['state'] == 'smtp ok'
    daemon.settings['daemon'] = {'helo_name': 'other.test.example'}
    daemon.write_settings()
    daemon.reload()
    assert daemon.probe('ann')['state'] == 'smtp ok'


@test('HUP and USR1 from the first moment on do not end it')
def early_signals(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')], start=False)
    daemon.spawn()
    wait_until(lambda: is_begun(daemon), why='it never began')
    end = time.monotonic() + 1
    while time.monotonic() < end:
        daemon.signal(signal.SIGHUP)
        daemon.signal(signal.SIGUSR1)
        time.sleep(0.01)
    assert daemon.is_running(), daemon.stderr()
    daemon.wait_state('ann', 'ok')
    daemon.wait_event(event='reload')


@test('TERM during the start ends it with 0; a second TERM ends at once')
def terms(t):
    host = t.host('ann')
    mailbox = t.mailbox(host, 'ann')
    mailbox['imap']['port'] = silent_port(t)
    daemon = t.daemon(host, [mailbox], start=False)
    for delay in (0, 0.05, 0.1, 0.2):
        daemon.spawn()
        wait_until(lambda: is_begun(daemon), why='it never began')
        time.sleep(delay)
        began = time.monotonic()
        assert daemon.term() == 0, daemon.stderr()
        assert time.monotonic() - began < 5 * SLOW
    daemon.start()
    began = time.monotonic()
    daemon.signal(signal.SIGTERM)
    daemon.signal(signal.SIGTERM)
    assert daemon.wait_exit() == 0
    assert time.monotonic() - began < 5 * SLOW


@test('status 75: another holds the state directory, or answers at the socket')
def held(t):
    host = t.host('ann')
    first = t.daemon(host, [t.mailbox(host, 'ann')])
    for what in ('state_dir', 'socket_path'):
        second = t.daemon(host, [t.mailbox(host, 'ann')], start=False)
        setattr(second, what, getattr(first, what))
        second.expected_status = 75
        second.spawn()
        assert second.wait_exit() == 75, second.stderr()
        assert second.alerts(event='stop') == [], 'it told an end without a beginning'
    assert first.get('/v1/status').status == 200


@test('H5-19 (start): the socket\'s path is a directory, a link, too long, of an unknown group: 78')
def socket_unusable(t):
    host = t.host('ann')
    target = os.path.join(t.folder, 'users-file')
    with open(target, 'w', encoding='ascii') as out:
        out.write('keep')
    for kind in ('directory', 'link', 'long', 'group'):
        more = {'daemon': {'socket_group': 'no-such-group'}} if kind == 'group' else {}
        daemon = t.daemon(host, [t.mailbox(host, 'ann')], start=False, **more)
        if kind == 'directory':
            os.mkdir(daemon.socket_path)
        elif kind == 'link':
            os.symlink(target, daemon.socket_path)
        elif kind == 'long':
            daemon.socket_path = os.path.join(daemon._run, 's' * 200)
        daemon.expected_status = 78
        daemon.spawn()
        assert daemon.wait_exit() == 78, (kind, daemon.stderr())
        assert 'socket' in daemon.stderr(), (kind, daemon.stderr())
    with open(target, encoding='ascii') as text:
        assert text.read() == 'keep'


@test('status 1: the state is of a later version, and the socket has no folder')
def failed_starts(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')])
    assert daemon.term() == 0
    state = os.path.join(daemon.state_dir, 'state.db')
    with open(state, 'r+b') as data:  # SQLite's user_version
        data.seek(60)
        data.write((99).to_bytes(4, 'big'))
    daemon.expected_status = 1
    daemon.spawn()
    assert daemon.wait_exit() == 1 and 'version' in daemon.stderr(), daemon.stderr()
    other = t.daemon(host, [t.mailbox(host, 'ann')], start=False)
    other.socket_path = os.path.join(other._run, 'none', 's')
    other.expected_status = 1
    other.spawn()
    assert other.wait_exit() == 1, other.stderr()


@test('H6-04 (state.db cannot be opened): it starts, watches, tells; one trouble, until it can be')
def without_state(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')], start=False)
    os.mkdir(os.path.join(daemon.state_dir, 'state.db-wal'))  # SQLite cannot write beside it
    daemon.start()
    daemon.wait_state('ann', 'ok')
    daemon.wait_alert(event='start')
    daemon.wait_alert(event='trouble', kind='state')
    # What lay there was none of ours: the next look sets it aside (H6-16).
    daemon.wait_alert(event='trouble-end', kind='state', timeout=60)
    wait_until(lambda: daemon.get('/healthz').status == 200, 10)
    assert len(daemon.alerts(event='trouble')) == 1, daemon.alerts()


@test('H5-19 (running): the socket\'s file is deleted, then replaced: made anew, told once each',
      deadline=150)
def socket_gone(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')])
    follower = daemon.follow()
    for number in (1, 2):
        os.unlink(daemon.socket_path)
        if number == 2:
            with open(daemon.socket_path + '.other', 'w', encoding='ascii'):
                pass
            stranger = socket.socket(socket.AF_UNIX)
            stranger.bind(daemon.socket_path)
            stranger.close()
        wait_until(lambda: len(daemon.alerts(event='trouble', kind='socket')) == number, 60,
                   'it was not made anew')
        assert stat.S_ISSOCK(os.lstat(daemon.socket_path).st_mode)
        assert daemon.get('/v1/status').status == 200
        assert len(daemon.alerts(event='trouble-end', kind='socket')) == number
    wait_until(lambda: len([event for event in follower.events if event['event'] == 'trouble']) == 2,
               why='who followed before does not any more')


@test('a trouble that was told before a restart ends where it does not come again', deadline=120)
def old_trouble(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')])
    daemon.signal(signal.SIGSTOP)
    assert daemon.kill9() == -signal.SIGKILL
    insert_trouble(daemon)
    daemon.start()
    told = daemon.wait_event(timeout=60, event='trouble-end')
    assert told['kind'] == 'sink', told
    assert len(daemon.alerts(event='trouble-end')) == 1


def insert_trouble(daemon):
    """The row of a trouble that is open, as watch keeps it."""
    connection = sqlite3.connect(os.path.join(daemon.state_dir, 'state.db'))
    connection.execute("INSERT INTO row(kind, key, value) VALUES('daemon', 'trouble/sink', ?)",
                       ('{"since":1790000000000000,"detail":"journal takes no events"}',))
    connection.commit()
    connection.close()


@test('SIGSTOP for 8 s is nobody\'s late loop: no trouble, healthy at once')
def stopped(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')])
    daemon.wait_state('ann', 'ok')
    daemon.signal(signal.SIGSTOP)
    time.sleep(8)
    daemon.signal(signal.SIGCONT)
    assert daemon.get('/healthz').status == 200
    time.sleep(3)
    assert daemon.alerts(event='trouble') == [], daemon.alerts(event='trouble')


@test('reloads without a pause while probes run and clients ask: all answered, TERM amid them: 0')
def reload_storm(t):
    host = t.host('ann', 'bob')
    daemon = t.daemon(host, [t.mailbox(host, 'ann'), t.mailbox(host, 'bob')])
    is_over = threading.Event()
    faults = []

    def ask(what):
        while not is_over.is_set():
            try:
                what()
            except Exception as error:  # the daemon ends in the end
                if not is_over.is_set():
                    faults.append(repr(error))
                return

    threads = [threading.Thread(target=ask, args=(what,)) for what in (
        daemon.reload, daemon.reload, lambda: daemon.probe('ann'), lambda: daemon.get('/metrics'),
        lambda: daemon.get('/v1/status'), lambda: daemon.post('/v1/test-alert'))]
    for thread in threads:
        thread.start()
    for number in range(20):
        daemon.mailbox_settings('bob')['smtp']['timeout'] = '%ds' % (20 + number)
        daemon.write_settings()
        daemon.signal(signal.SIGHUP)
        time.sleep(0.1)
    is_over.set()
    began = time.monotonic()
    assert daemon.term() == 0, daemon.stderr()
    assert time.monotonic() - began < 5 * SLOW
    for thread in threads:
        thread.join(30)
    assert faults == [], faults


@test('TERM: who follows the events hears of the stop, and then the stream ends as it should')
def follower_at_the_end(t):
    host = t.host('ann')
    daemon = t.daemon(host, [t.mailbox(host, 'ann')])
    follower = daemon.follow()
    assert daemon.term() == 0, daemon.stderr()
    follower.wait(event='stop')
    wait_until(lambda: follower.is_over(), why='the stream did not end')
    assert follower.error is None, follower.error


if __name__ == '__main__':
    main()
