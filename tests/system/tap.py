"""
tap.py: claims as tests, in the order they are written, told as TAP.

    @test('the socket is for its group')
    def _():
        equal(mode_of(SOCKET), 0o660, SOCKET)

    sys.exit(tap.main(before=set_up))

A test fails by any exception; what it says follows as `# ...` lines. TAP and nothing else goes to
standard output.
"""

import time
import traceback

TESTS = []


class Failed(AssertionError):
    """A claim does not hold."""


class Skipped(Exception):
    """This test cannot be run here, and why."""


def test(claim):
    def registered(function):
        TESTS.append((claim, function))
        return function
    return registered


def check(is_true, otherwise):
    if not is_true:
        raise Failed(otherwise)


def equal(found, expected, what):
    if found != expected:
        raise Failed('%s\n  found    %r\n  expected %r' % (what, found, expected))


def wait_for(condition, seconds, what):
    """Waits until condition() gives something true, and gives it."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise Failed('waited %g s in vain for %s' % (seconds, what))
        time.sleep(0.1)


def note(text):
    for line in text.rstrip('\n').split('\n'):
        print('# ' + line, flush=True)


def skip_all(reason):
    print('1..0 # SKIP ' + reason, flush=True)
    return 0


def main(before=None, after_failure=None):
    """Runs all; before() first, whose failure fails them all. Gives the exit status."""
    bad = 0
    print('1..%d' % len(TESTS), flush=True)
    broken = None
    try:
        if before is not None:
            before()
    except Exception as error:
        broken = error
        traceback.print_exc()
    for number, (claim, function) in enumerate(TESTS, 1):
        try:
            if broken is not None:
                raise Failed('could not begin: %s' % broken)
            function()
            print('ok %d - %s' % (number, claim), flush=True)
        except Skipped as reason:
            print('ok %d - %s # SKIP %s' % (number, claim, reason), flush=True)
        except Exception as error:
            bad += 1
            print('not ok %d - %s' % (number, claim), flush=True)
            if isinstance(error, Failed):
                note(str(error))
            else:
                note(traceback.format_exc())
            if after_failure is not None and broken is None:
                note(after_failure())
    return 1 if bad else 0
