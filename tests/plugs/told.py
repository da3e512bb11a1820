"""
told.py: what a daemon tells, for the tests of the plugs: lines and documents of a real run.

Here: tell(), which runs a daemon through the events that people alert on, a server's hostile words
among them, and gives the lines, the events and the metrics. Not here: what the plugs make of it
(test_plugs.py).
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'e2e'))
from harness import parse_line  # noqa: E402

# What a server says to forge a field, a line and a colour (H8-05, H8-06).
HOSTILE = ('535 5.7.8 no" state=ok event=state mailbox=other \\ {x} %s \x1b[31m \u202e \u00e9'
           .encode('utf-8'))


class Told:
    """lines: as text, oldest first; fields: the same, parsed; events; metrics: text; status."""

    def __init__(self, daemon):
        self.lines = [line for line in daemon.stderr_lines() if line.startswith('msg="')]
        self.fields = [parse_line(line) for line in self.lines]
        self.events = daemon.events()
        self.metrics = daemon.get('/metrics').body.decode()
        self.status = daemon.status()

    def of(self, **members):
        """The lines that have these fields."""
        return [line for line, fields in zip(self.lines, self.fields)
                if all(fields.get(key) == value for key, value in members.items())]


def tell(t):
    """Runs it: three mailboxes that fail, of which two recover."""
    host = t.host('ann', 'ben', 'cat')
    host.fail('smtp', 'ben@test.example', HOSTILE.decode('utf-8'))
    daemon = t.daemon(host, [
        t.mailbox(host, 'ann', labels={'owner': 'acme "east"', 'team': 'b'}),
        t.mailbox(host, 'ben', imap=None), t.mailbox(host, 'cat')])
    daemon.wait_event(event='brake', mailbox='ben')
    daemon.wait_state('ann', 'ok')
    daemon.wait_state('cat', 'ok')
    daemon.ctl('pause', 'cat', '--reason', 'the move')
    daemon.ctl('resume', 'cat')
    host.off('imap')
    for name in ('ann', 'cat'):
        daemon.wait_event(event='state', mailbox=name, imap='failing')
    host.on('imap')
    for name in ('ann', 'cat'):
        daemon.wait_event(event='state', mailbox=name, state='ok')
    daemon.reload()
    daemon.ctl('test-alert')
    daemon.wait_alert(event='test')
    return host, daemon, Told(daemon)
