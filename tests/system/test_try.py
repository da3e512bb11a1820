#!/usr/bin/python3
"""
test_try.py: contrib/try shows what README says it shows, and leaves nothing behind.

With the programs that were built ($MBOXWATCHD, $MBOXWATCHCTL): that it builds them by itself is
seen on a fresh machine. Prints TAP.
"""

import glob
import os
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TRY = os.path.join(HERE, '..', '..', 'contrib', 'try')
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, '..', 'e2e'))
import harness  # noqa: E402
import realhost  # noqa: E402
import tap  # noqa: E402
from tap import check, equal, test, wait_for  # noqa: E402

WIDTH = 80
MOST_SECONDS = 90
ENVIRONMENT = dict(os.environ, MBOXWATCHD=harness.MBOXWATCHD, MBOXWATCHCTL=harness.MBOXWATCHCTL)


def start(*arguments):
    """In a session of its own, as if from a terminal of its own."""
    return subprocess.Popen([TRY, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, env=ENVIRONMENT,
                            start_new_session=True)


def folder_of(text):
    return re.search(r'/var/tmp/mboxwatch-try\.\w+', text).group(0)


def processes_of(folder):
    """Command lines of the processes that have this folder in theirs; the dead are not counted."""
    found = []
    for path in glob.glob('/proc/[0-9]*/cmdline'):
        try:
            with open(path, encoding='utf-8', errors='replace') as file:
                line = file.read().replace('\0', ' ')
        except OSError:
            continue
        if folder in line:
            found.append(line)
    return found


def nothing_is_left(folder):
    check(not os.path.exists(folder), folder + ' is left')
    equal(processes_of(folder), [], 'processes that are left')


def whole_trial(*arguments):
    """Runs it to its end, and looks at what it shows and leaves; gives its text."""
    began = time.monotonic()
    trial = start(*arguments)
    text, _ = trial.communicate(timeout=MOST_SECONDS)
    took = time.monotonic() - began
    equal(trial.returncode, 0, 'exit status of:\n' + text)
    tap.note('took %.1f s' % took)
    for name in ('info', 'sales', 'orders', 'billing', 'support'):
        check(name in text, 'no mailbox %s in:\n%s' % (name, text))
    places = [text.find(words) for words in (
        '$ mboxwatchctl status', 'msg="support: smtp ok, imap failing"', 'msg="support: ok"',
        'For a mailbox of your own')]
    check(-1 not in places and places == sorted(places), '%s in:\n%s' % (places, text))
    check('cause=connect_refused' in text, text)
    too_wide = [line for line in text.splitlines() if len(line) > WIDTH]
    equal(too_wide, [], 'lines over %d columns' % WIDTH)
    nothing_is_left(folder_of(text))
    return text


@test('a whole trial: status, the alert, its end, the next step; nothing is left')
def _():
    whole_trial()


@test('--real: the same on a Dovecot and a Postfix of its own')
def _():
    reason = realhost.why_not()
    if reason is not None:
        raise tap.Skipped(reason)
    before = set(glob.glob('/var/tmp/mboxwatch-realhost.*'))
    text = whole_trial('--real')
    check('Dovecot and Postfix' in text, text)
    equal(set(glob.glob('/var/tmp/mboxwatch-realhost.*')) - before, set(), 'folders left')


def wait_for_line(trial, words):
    text = ''
    while words not in text:
        line = trial.stdout.readline()
        check(line, 'it ended, without "%s":\n%s' % (words, text))
        text += line
    return text


def interrupted_at(words, number, status):
    trial = start()
    text = wait_for_line(trial, words)
    time.sleep(0.3)
    os.killpg(trial.pid, number)  # as a terminal does
    rest, _ = trial.communicate(timeout=20)
    equal(trial.returncode, status, 'exit status of:\n' + text + rest)
    nothing_is_left(folder_of(text))


@test('Ctrl-C while the mail host starts')
def _():
    interrupted_at('Starting a mail host', signal.SIGINT, 130)


@test('Ctrl-C while the daemon is at work')
def _():
    interrupted_at('Now IMAP is switched off', signal.SIGINT, 130)


@test('ended by TERM')
def _():
    interrupted_at('Starting the daemon', signal.SIGTERM, 143)


@test('--keep leaves it running, and what it says ends it')
def _():
    trial = start('--keep')
    text, _ = trial.communicate(timeout=MOST_SECONDS)
    folder = folder_of(text)
    try:
        equal(trial.returncode, 0, 'exit status of:\n' + text)
        check(processes_of(folder), 'nothing is running')
        status = subprocess.run([harness.MBOXWATCHCTL, '--socket', folder + '/status.sock',
                                 'status'], stdout=subprocess.PIPE, text=True, timeout=20)
        equal(status.returncode, 0, status.stdout)
        end = text.strip().splitlines()[-1].strip()
        equal(end, folder + '/end', 'the last line')
    finally:
        subprocess.run([folder + '/end'], timeout=20)
    wait_for(lambda: not processes_of(folder), 10, 'the end')
    nothing_is_left(folder)


@test('an unknown option: how it is used, status 2')
def _():
    trial = start('--nonsense')
    text, _ = trial.communicate(timeout=10)
    equal(trial.returncode, 2, 'exit status')
    check('contrib/try [--real] [--keep]' in text, text)


if __name__ == '__main__':
    for program in (harness.MBOXWATCHD, harness.MBOXWATCHCTL):
        if not os.access(program, os.X_OK):
            print('Bail out! there is no ' + program)
            sys.exit(1)
    sys.exit(tap.main())
