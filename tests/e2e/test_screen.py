#!/usr/bin/python3
"""
test_screen.py: `mboxwatchctl status --watch` on a terminal of our own, read as a terminal would:
what stands on the screen, what becomes of the terminal when it ends, by whatever it ends.
Not here: the table itself (test_contract.py).
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import MBOXWATCHCTL, SLOW, main, test, wait_until  # noqa: E402

PIECE = re.compile(r'\x1b\[(\??)([0-9;]*)([A-Za-z])|\r|\n|[^\x1b\r\n]+')
ON, OFF = '\x1b[?1049h\x1b[?25l\x1b[?7l', '\x1b[?7h\x1b[?25h\x1b[?1049l'


class Screen:
    """mboxwatchctl on a terminal; what it wrote, and what stands on the screen by it."""

    def __init__(self, daemon, *arguments, columns=80, rows=24, **environment):
        self.master, slave = pty.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(slave)
        env = daemon._env()
        for name in ('NO_COLOR', 'COLUMNS', 'LINES'):
            env.pop(name, None)
        env.update(TERM='xterm', LC_ALL='C.UTF-8', MBOXWATCH_SOCKET=daemon.socket_path,
                   **environment)
        # A session of its own: the terminal's signals are its.
        self.process = subprocess.Popen(
            [MBOXWATCHCTL, 'status', '--watch'] + list(arguments), stdin=slave, stdout=slave,
            stderr=slave, env=env, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.slave = slave
        self.text = ''

    def resize(self, columns, rows):
        self.columns, self.rows = columns, rows
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            try:
                self.text += os.read(self.master, 65536).decode('utf-8', 'replace')
            except OSError:
                break
        return self.text

    def lines(self):
        """What stands there: the last frame alone; every letter must find its place in it."""
        frames = self.read().split('\x1b[H')
        shown = [''] * self.rows
        row = 0
        for match in PIECE.finditer(frames[-1].split(OFF)[0]):
            if match[0] == '\n':
                row += 1
            elif match[0] not in ('\r',) and not match[0].startswith('\x1b') and row < self.rows:
                shown[row] += match[0]
        return shown

    def wait(self, words, timeout=20):
        wait_until(lambda: words in '\n'.join(self.lines()), timeout,
                   why=lambda: '%r is not on the screen: %r' % (words, self.lines()))

    def key(self, text):
        os.write(self.master, text.encode())

    def ended(self, timeout=20):
        """Its status; the terminal is as it was."""
        status = self.process.wait(timeout * SLOW)
        self.restored()
        return status

    def restored(self):
        assert self.read().endswith(OFF), self.text[-80:]
        assert termios.tcgetattr(self.slave) == self.before

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.slave)
        os.close(self.master)


def watched(t, count=3):
    """ann is ok; the others are switched off."""
    host = t.host('ann')
    boxes = [t.mailbox(host, 'ann')]
    boxes += [{'name': 'off%d' % n, 'address': 'off%d@test.example' % n, 'enabled': False,
               'imap': {'host': 'imap.test.example', 'password': 'x'}} for n in range(count)]
    daemon = t.daemon(host, boxes)
    daemon.wait_state('ann', 'ok')
    return host, daemon


def screen_of(t, daemon, *arguments, **more):
    screen = Screen(daemon, *arguments, **more)
    t.cleanups.append(screen.close)
    return screen


@test('4: status --watch: shows what is, then what becomes; nothing is cleared before it is drawn')
def changes(t):
    host, daemon = watched(t)
    screen = screen_of(t, daemon)
    screen.wait('4 mailboxes: 1 ok, 3 paused')
    screen.wait('MAILBOX')
    assert screen.text.count(ON) == 1, screen.text
    # The daemon's own complaint must not be drawn over: raw input, no echo.
    mode = termios.tcgetattr(screen.slave)[3]
    assert not mode & termios.ECHO and not mode & termios.ICANON
    host.fail('imap', 'ann@test.example', 'NO [UNAVAILABLE] later')
    screen.wait('1 failing, 3 paused', 30)
    assert any(line.startswith('ann ') and 'imap failing' in line for line in screen.lines())
    assert '\x1b[31m' in screen.text
    host.fail('imap', 'ann@test.example', None)
    screen.wait('4 mailboxes: 1 ok', 30)
    for command in re.findall(r'\x1b\[[0-9;?]*[A-Za-z]', screen.text.replace(ON, '')):
        assert command[-1] in 'HKm', 'no flicker: %r' % command
    screen.key('q')
    assert screen.ended() == 0


@test('4: status --watch: fits, also when the window changes; what does not is counted')
def sizes(t):
    _, daemon = watched(t, 100)
    screen = screen_of(t, daemon, rows=20)
    screen.wait('more')
    for columns, rows in ((80, 20), (44, 10), (120, 60), (80, 1)):
        screen.read()
        at = len(screen.text)
        screen.resize(columns, rows)
        wait_until(lambda: '\x1b[H' in screen.read()[at:], 10)
        screen.wait('q quits')
        shown = screen.lines()
        rest = [line for line in shown if line.endswith('more')]
        drawn = [line for line in shown if re.match(r'(ann|off\d+) ', line)]
        assert all(len(line) <= columns for line in shown), shown
        if rows > 1:
            assert len(drawn) == rows - 5 and rest == ['\u2026 %d more' % (101 - len(drawn))], shown
    screen.key('q')
    assert screen.ended() == 0


@test('4: status --watch: the terminal is put back by q, ^C, ^Z, TERM, HUP; a stop is no end')
def ends(t):
    host, daemon = watched(t)
    for how in ('q', 'Q', '\x04', '\x03'):
        screen = screen_of(t, daemon)
        screen.wait('q quits')
        screen.key(how)
        assert screen.ended() == 0, how
    for number in (signal.SIGTERM, signal.SIGHUP):
        screen = screen_of(t, daemon)
        screen.wait('q quits')
        screen.process.send_signal(number)
        assert screen.ended() == -number
    screen = screen_of(t, daemon)
    screen.wait('q quits')
    screen.process.send_signal(signal.SIGTSTP)
    wait_until(lambda: state_of(screen.process.pid) == 'T', 10)
    screen.restored()
    screen.process.send_signal(signal.SIGCONT)
    wait_until(lambda: screen.read().count(ON) == 2, 10)
    screen.wait('q quits')
    assert screen.process.poll() is None
    screen.key('q')
    assert screen.ended() == 0


def state_of(pid):
    with open('/proc/%d/stat' % pid) as stat:
        return stat.read().rpartition(') ')[2][0]


@test('4: status --watch: the daemon ends, hangs, is back: said on the screen, q works meanwhile')
def gone(t):
    _, daemon = watched(t)
    screen = screen_of(t, daemon, 'ann')
    screen.wait('1 mailbox: 1 ok')
    daemon.term()
    screen.wait('no daemon at')
    daemon.start()
    screen.wait('1 mailbox:')
    daemon.signal(signal.SIGSTOP)
    time.sleep(1.5)
    screen.key('q')
    try:
        assert screen.ended(10) in (0, 1)
    finally:
        daemon.signal(signal.SIGCONT)
    assert screen_of(t, daemon, 'nobody').process.wait(20 * SLOW) == 3


@test('4: status --watch into a pipe: a table for each change, no colour, no escape; no terminal')
def piped(t):
    host, daemon = watched(t)
    environment = dict(daemon._env(), MBOXWATCH_SOCKET=daemon.socket_path)
    process = subprocess.Popen([MBOXWATCHCTL, 'status', '--watch', 'ann'],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment)
    t.cleanups.append(process.kill)
    text = b''

    def has(words):
        nonlocal text
        if select.select([process.stdout], [], [], 0)[0]:
            text += os.read(process.stdout.fileno(), 65536)
        return words in text
    wait_until(lambda: has(b'1 mailbox: 1 ok'), 20)
    host.fail('imap', 'ann@test.example', 'NO [UNAVAILABLE] later')
    wait_until(lambda: has(b'1 mailbox: 1 failing'), 30)
    assert b'\x1b' not in text and b'q quits' not in text, text
    assert 2 <= text.count(b'MAILBOX') <= 6, text
    process.stdout.close()  # its reader leaves: it ends at the next change
    host.fail('imap', 'ann@test.example', None)
    assert process.wait(30 * SLOW) in (0, 1)


if __name__ == '__main__':
    main()
