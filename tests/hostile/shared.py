"""
shared.py: what several files of hostile tests use: a daemon's memory and time, one of its threads
made to stand still, mailboxes that are never probed. Not here: the harness (tests/e2e).
"""

import ctypes
import os
import resource
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))
from harness import SLOW  # noqa: E402


def resident_bytes(daemon):
    with open('/proc/%d/statm' % daemon.process.pid) as pages:
        return int(pages.read().split()[1]) * resource.getpagesize()


def cpu_seconds(daemon):
    with open('/proc/%d/stat' % daemon.process.pid) as stat:
        fields = stat.read().rpartition(') ')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


# What is freed goes back at once, so that memory says something.
PROMPT = {'ASAN_OPTIONS': 'detect_stack_use_after_return=1:quarantine_size_mb=1'}


def started(t, mailboxes):
    daemon = t.daemon(None, mailboxes, start=False)
    daemon.environment.update(PROMPT)
    return daemon.start()


def paused(count, prefix='m', **more):
    """So many mailboxes that are not probed."""
    return [dict({'name': '%s%d' % (prefix, number), 'address': '%s%d@many.example' % (
        prefix, number), 'enabled': False,
        'smtp': {'host': 'mail.example', 'password': 'x'}}, **more) for number in range(count)]


def latency(daemon, seconds, path='/healthz'):
    """How long requests took within these seconds: nine in ten, and the longest."""
    took, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        assert daemon.get(path).status == 200
        took.append(time.monotonic() - began)
    return sorted(took)[len(took) * 9 // 10], max(took)


class Frozen:
    """One thread of the daemon stands still, by ptrace; to be used within one thread of ours."""

    def __init__(self, tid):
        self.tid = tid
        self.ptrace = ctypes.CDLL(None, use_errno=True).ptrace
        self.ptrace.argtypes = [ctypes.c_long] * 4

    def __enter__(self):
        for request in (0x4206, 0x4207):  # SEIZE, INTERRUPT
            if self.ptrace(request, self.tid, 0, 0) != 0:
                raise OSError(ctypes.get_errno(), 'ptrace')
        os.waitpid(self.tid, 0x40000000)  # __WALL
        return self

    def __exit__(self, *_):
        self.ptrace(17, self.tid, 0, 0)  # DETACH; nothing where it is dead

    def ended(self, timeout=10):
        """Waits for its death: the process is not to be reaped before its tracer has seen that."""
        end = time.monotonic() + timeout * SLOW
        while os.waitpid(self.tid, 0x40000000 | os.WNOHANG)[0] == 0:
            assert time.monotonic() < end, 'the thread still stands after %g s' % timeout
            time.sleep(0.02)


def threads(daemon):
    return sorted(int(tid) for tid in os.listdir('/proc/%d/task' % daemon.process.pid))
