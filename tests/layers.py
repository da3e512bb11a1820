#!/usr/bin/env python3
"""The tree is the architecture: a room includes only rooms above it (HACKING).

Not here: what the code does. Reads the #include lines of src/ and nothing else.
"""
import os
import re
import sys

ROOMS = ['base', 'facts', 'dialogue', 'diagnose', 'watch', 'net', 'secret', 'config', 'probe', 'check', 'store',
         'alert', 'control', 'daemon', 'ctl']
# Never sideways: what these share is in facts.
STRANGERS = [{'dialogue', 'diagnose', 'watch'}]
# ctl prints what the socket sends; it knows no room of the daemon, but where a check runs without it.
CTL_MAY = {'base', 'facts', 'diagnose', 'config', 'check', 'ctl'}
CTL_ALONE_MAY = CTL_MAY | {'watch', 'net', 'secret', 'probe', 'store'}
CTL_ALONE = {'ctl/alone.c', 'ctl/secrets.c'}
# A library is wrapped once, in the room that needs it.
LIBRARIES = {
    'openssl/': {'base', 'net'},
    'ares': {'net'},
    'libconfig.h': {'config'},
    'sqlite3.h': {'store'},
    'curl/': {'ctl'},
    'systemd/': {'daemon'},
    'libpsl.h': {'facts'},
    'idn2.h': {'config'},
    'stringprep.h': {'base'},
}
PURE = {'facts', 'dialogue', 'diagnose', 'watch'}
NOT_PURE = re.compile(r'^(event2/|sys/socket|pthread|unistd|fcntl|sys/stat|time\.h|netdb|openssl/)')
# The ways by which a secret's bytes leave struct secret (base/secret.h).
# config/object.c: what mboxwatchctl hands to the daemon for a check.
REVEALERS = {'config/object.c', 'base/seal.c', 'base/secret.c', 'dialogue/sasl.c', 'dialogue/imap_login.c', 'net/proxy.c'}


def sources(top):
    for folder, _, names in sorted(os.walk(os.path.join(top, 'src'))):
        for name in sorted(names):
            if name.endswith(('.c', '.h')):
                path = os.path.join(folder, name)
                with open(path, encoding='utf-8') as file:
                    text = re.sub(r'/\*.*?\*/', '', file.read(), flags=re.DOTALL)
                yield os.path.relpath(path, os.path.join(top, 'src')), text


def includes(text):
    return re.findall(r'^#include ["<]([^">]+)[">]', text, re.MULTILINE)


def check_order(found):
    for path, text in found:
        room = path.split('/')[0]
        for name in includes(text):
            other = name.split('/')[0]
            if other not in ROOMS or '/' not in name:
                continue
            if ROOMS.index(other) > ROOMS.index(room):
                yield f'{path} includes {name}: against the direction'
            if other != room and any({room, other} <= group for group in STRANGERS):
                yield f'{path} includes {name}: sideways'
            if room == 'ctl' and other not in (CTL_ALONE_MAY if path in CTL_ALONE else CTL_MAY):
                yield f'{path} includes {name}: ctl knows the socket alone'


def check_libraries(found):
    for path, text in found:
        room = path.split('/')[0]
        for name in includes(text):
            for library, rooms in LIBRARIES.items():
                if name.startswith(library) and room not in rooms:
                    yield f'{path} includes {name}: that library belongs to {", ".join(sorted(rooms))}'


def check_pure(found):
    for path, text in found:
        if path.split('/')[0] in PURE:
            for name in includes(text):
                if NOT_PURE.match(name):
                    yield f'{path} includes {name}: this room is pure'
            for call in re.findall(r'\b(mono_now|wall_now|random_fill|getenv|fopen|clock_gettime)\(', text):
                yield f'{path} calls {call}(): this room is pure'


def check_secrets(found):
    for path, text in found:
        if 'secret_reveal(' in text and path not in REVEALERS and not path.endswith('secret.h'):
            yield f'{path} reveals a secret; only {", ".join(sorted(REVEALERS))} may'


def check_one_door(found):
    for path, text in found:
        for call in re.findall(r'\b(sprintf|strcpy|strcat|gets|system|popen)\s*\(', text):
            yield f'{path} calls {call}()'


def main():
    top = os.environ.get('top_srcdir') or os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
    found = list(sources(top))
    checks = [('includes point towards base, never sideways', check_order),
              ('a library is used in its own room alone', check_libraries),
              ('facts, dialogue, diagnose and watch are pure', check_pure),
              ('a secret leaves by its one way', check_secrets),
              ('no call that cannot be bounded', check_one_door)]
    print(f'1..{len(checks) + 1}')
    failed = 0
    for number, (title, check) in enumerate(checks, 1):
        faults = list(check(found))
        failed += bool(faults)
        print(f'{"not ok" if faults else "ok"} {number} - {title}')
        for fault in faults:
            print(f'# {fault}')
    # The checks themselves: a breach must be seen.
    bad = [('base/bad.c', '#include "watch/watch.h"\n'), ('watch/bad.c', '#include "dialogue/dialogue.h"\n')]
    seen = len(list(check_order(bad))) == 2
    failed += not seen
    print(f'{"ok" if seen else "not ok"} {len(checks) + 1} - a breach is seen')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
