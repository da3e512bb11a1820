#!/usr/bin/python3
"""
test_completion.py: contrib/completion, by a bash on a terminal: words are typed, Tab is pressed,
and bash says what stands on its line then.
"""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import MBOXWATCHCTL, SLOW, TREE, main, test  # noqa: E402

SCRIPT = os.path.join(TREE, 'contrib', 'completion', 'mboxwatchctl.bash')
END = 'fin-%d'


class Bash:
    def __init__(self, t, daemon):
        folder = os.path.join(t.folder, 'bin')
        os.makedirs(folder)
        os.symlink(MBOXWATCHCTL, os.path.join(folder, 'mboxwatchctl'))
        self.master, slave = pty.openpty()
        self.count = 0
        env = dict(daemon._env(), MBOXWATCH_SOCKET=daemon.socket_path, PS1='', PS2='', TERM='dumb',
                   PATH=folder + ':' + os.environ['PATH'], HISTFILE='/dev/null', LC_ALL='C.UTF-8')
        self.process = subprocess.Popen(['bash', '--noprofile', '--norc', '-i'], stdin=slave,
                                        stdout=slave, stderr=slave, env=env, cwd=t.folder,
                                        start_new_session=True)
        os.close(slave)
        t.cleanups.append(self.close)
        self.say('bind "set bell-style none"; bind "set completion-query-items 0"; bind "set '
                 'page-completions off"; bind "set enable-bracketed-paste off"; . %s' % SCRIPT)

    def say(self, line):
        """Enters a line; what it prints."""
        self.count += 1
        mark = END % self.count
        os.write(self.master, ('%s; echo %s\n' % (line, mark.replace('-', "-''"))).encode())
        return self.until(mark)

    def until(self, mark):
        text, end = '', time.monotonic() + 20 * SLOW
        while mark not in text:
            assert time.monotonic() < end, (mark, text)
            if select.select([self.master], [], [], 0.1)[0]:
                text += os.read(self.master, 65536).decode('utf-8', 'replace')
        return text

    def tab(self, typed, tabs=1):
        """The words that stand on the line after Tab."""
        self.count += 1
        mark = END % self.count
        # Home, and a command in front that prints the words; `_` keeps a blank at the end visible.
        os.write(self.master, (typed + '\t' * tabs + '_\x01printf "<%s>" \x05; echo ' +
                               mark.replace('-', "-''") + '\n').encode())
        found = re.findall(r'<([^<>]*)>', self.until(mark).replace('<%s>', ''))
        assert found, typed
        return found

    def offers(self, typed):
        """All that bash offers there."""
        names = self.say("_try() { COMP_LINE=$1 COMP_POINT=${#1}; COMP_WORDS=(mboxwatchctl); "
                         "compopt() { :; }; _mboxwatchctl; unset -f compopt; "
                         "printf '[%%s]' \"${COMPREPLY[@]}\"; }; _try '%s'" % typed)
        return re.findall(r'\[([^\]%\[]*)\]', names.split('\n', 1)[1])

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)


@test('4: completion for bash: commands, options, mailboxes, selectors, as the program has them')
def completes(t):
    if not shutil.which('bash'):
        t.skip('needs bash')
    host = t.host('ann')
    off = {'enabled': False, 'imap': {'host': 'imap.other.example', 'password': 'x'}}
    daemon = t.daemon(host, [
        t.mailbox(host, 'ann', labels={'owner': 'acme'}),
        dict(off, name='u+tag@one.example', address='u+tag@one.example'),
        dict(off, name='u+tug@one.example', address='u+tug@one.example', labels={'owner': 'zoo'}),
        dict(off, name='umbrella', address='u@two.example')])
    bash = Bash(t, daemon)
    for typed, words in (
            ('mboxwatchctl sta', ['mboxwatchctl', 'status', '_']),
            ('mboxwatchctl status an', ['mboxwatchctl', 'status', 'ann', '_']),
            ('mboxwatchctl status --plu', ['mboxwatchctl', 'status', '--plugin', '_']),
            ('mboxwatchctl --js', ['mboxwatchctl', '--json', '_']),
            ('mboxwatchctl status um', ['mboxwatchctl', 'status', 'umbrella', '_']),
            ('mboxwatchctl show u+ta', ['mboxwatchctl', 'show', 'u+tag@one.example', '_']),
            ('mboxwatchctl show u+tag@', ['mboxwatchctl', 'show', 'u+tag@one.example', '_']),
            ('mboxwatchctl status state:f', ['mboxwatchctl', 'status', 'state:failing', '_']),
            ('mboxwatchctl status ann cause:bad_c', [
                'mboxwatchctl', 'status', 'ann', 'cause:bad_credentials', '_']),
            ('mboxwatchctl events --since 1h host:imap', [
                'mboxwatchctl', 'events', '--since', '1h', 'host:imap.other.example', '_']),
            ('mboxwatchctl status @tw', ['mboxwatchctl', 'status', '@two.example', '_']),
            ('mboxwatchctl status label.owner=z', [
                'mboxwatchctl', 'status', 'label.owner=zoo', '_']),
            ('mboxwatchctl status hos', ['mboxwatchctl', 'status', 'host:_']),
            ('mboxwatchctl causes web', ['mboxwatchctl', 'causes', 'web_login_required', '_']),
            ('mboxwatchctl show nobody', ['mboxwatchctl', 'show', 'nobody_'])):
        assert bash.tab(typed) == words, (typed, bash.tab(typed))
    assert set(bash.offers('mboxwatchctl show ')) == {
        'ann', 'u+tag@one.example', 'u+tug@one.example', 'umbrella'}
    commands = bash.offers('mboxwatchctl ')
    assert {'status', 'show', 'probe', 'events', 'pause', 'resume', 'reload', 'causes', 'metrics',
            'test-alert', 'version'} <= set(commands), commands
    assert set(bash.offers('mboxwatchctl pause ann --')) == {
        '--socket', '--json', '--help', '--version', '--for', '--reason'}
    # Another socket on the line, where nobody is: no names, and no complaint on the terminal.
    assert bash.offers('mboxwatchctl --socket /nonexistent show ') in ([], [''])
    assert 'mboxwatchctl:' not in bash.say('true')


if __name__ == '__main__':
    main()
