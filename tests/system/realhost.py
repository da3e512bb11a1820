#!/usr/bin/python3
"""
realhost.py: a Dovecot and a Postfix of our own, on loopback, beside whatever the machine runs.

Here: RealHost, which makes their settings in a folder, starts and stops each of them, waits until
they greet, and changes passwords. Each address has a certificate of its own (ADDRESSES), on the
same ports. Root only: Postfix wants it. As a command it runs both until Ctrl-C.
Not here: what the daemon says about them (test_realservers.py). What was tried, and every reply:
the trials of real mail servers. Debian's own Python, with nothing beside it.
"""

import atexit
import json
import os
import pwd
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'mailhost'))
import certs  # noqa: E402

# address -> the certificate (certs.NAMES) that both servers show there
ADDRESSES = {
    '127.0.0.1': 'good',
    '127.0.0.2': 'other',
    '127.0.0.3': 'expired',
    '127.0.0.4': 'future',
    '127.0.0.5': 'self',
}
PORTS = ('imap', 'imaps', 'smtp', 'submission', 'submissions')
GREETING_SECONDS = 15
PASSWORD = 'secret'

DOVECOT = '/usr/sbin/dovecot'
POSTFIX = '/usr/lib/postfix/sbin/master'

DOVECOT_CONF = '''\
base_dir = {folder}/run
state_dir = {folder}/state
instance_name = {name}
log_path = {folder}/log/dovecot.log
listen = {addresses}
protocols = {protocols}
first_valid_uid = 1
mail_location = maildir:~/Maildir
auth_verbose = yes
auth_failure_delay = 0
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256
disable_plaintext_auth = yes
ssl = yes
ssl_cert = <{tls}/good.pem
ssl_key = <{tls}/good.key
{certificates}
# Users at tmp.example: their database is out of order.
passdb {{
  driver = checkpassword
  args = {folder}/tempfail.sh
  username_filter = *@tmp.example
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={folder}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
# Else each refused login makes the next one from here wait.
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
service auth {{
  unix_listener auth-client-postfix {{
    mode = 0666
  }}
}}
'''

DOVECOT_CERTIFICATE = '''\
local {address} {{
  ssl_cert = <{tls}/{name}.pem
  ssl_key = <{tls}/{name}.key
}}
'''

POSTFIX_MAIN = '''\
compatibility_level = 3.6
config_directory = {folder}/postfix
queue_directory = {folder}/queue
data_directory = {folder}/pfdata
maillog_file = {folder}/log/postfix.log
maillog_file_prefixes = {folder}/log
myhostname = mail.test.example
mydestination =
mynetworks = 127.0.0.99/32
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
default_database_type = texthash
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = test.example
virtual_mailbox_maps = texthash:{folder}/postfix/mailboxes
virtual_transport = lmtp:unix:{folder}/run/lmtp
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {folder}/run/auth-client-postfix
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_client_event_limit_exceptions =
'''

# No service in a chroot of its own: smtpd reaches Dovecot's socket beside the queue.
POSTFIX_MASTER = '''\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
'''

POSTFIX_LISTENER = '''\
{address}:{smtp} inet n - n - - smtpd {keys}
{address}:{submission} inet n - n - - smtpd {keys} -o smtpd_tls_security_level=encrypt
    -o smtpd_sasl_auth_enable=yes -o smtpd_client_restrictions=permit_sasl_authenticated,reject
{address}:{submissions} inet n - n - - smtpd {keys} -o smtpd_tls_wrappermode=yes
    -o smtpd_sasl_auth_enable=yes -o smtpd_client_restrictions=permit_sasl_authenticated,reject
'''


def why_not():
    """Why no RealHost can be started on this machine: one sentence, or None where it can."""
    if os.geteuid() != 0:
        return 'needs root'
    if os.path.exists('/usr/sbin/sendmail') and not os.path.exists(POSTFIX):
        return 'another mail server is installed on this machine, and stays'
    for path, package in ((DOVECOT, 'dovecot-imapd'), ('/usr/lib/dovecot/imap', 'dovecot-imapd'),
                          ('/usr/lib/dovecot/lmtp', 'dovecot-lmtpd'), (POSTFIX, 'postfix')):
        if not os.path.exists(path):
            return 'the package %s is not installed' % package
    return None


_given = set()
_given_lock = threading.Lock()


def _free_ports(count):
    """Ports that are free at all our addresses, below those handed to clients; each given once."""
    for _ in range(100):
        ports = random.sample(range(20000, 32000), count)
        held = []
        try:
            for address in ADDRESSES:
                for port in ports:
                    held.append(socket.socket())
                    held[-1].bind((address, port))
            with _given_lock:
                if _given.isdisjoint(ports):
                    _given.update(ports)
                    return ports
        except OSError:
            continue
        finally:
            for one in held:
                one.close()
    raise RuntimeError('no %d free ports' % count)


class Server:
    """One of the two, as a process group that ends with us."""

    def __init__(self, name, arguments, log, greetings):
        self.name = name
        self.arguments = arguments
        self.log = log
        self.greetings = greetings  # [(address, port, is_tls)]
        self.process = None

    def start(self):
        """Starts it and waits for all greetings. Raises RuntimeError with its log."""
        with open(self.log, 'ab') as log:
            self.process = subprocess.Popen(
                ['setpriv', '--pdeathsig', 'TERM'] + self.arguments, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + GREETING_SECONDS
        for address, port, is_tls in self.greetings:
            while not greets(address, port, is_tls):
                if time.monotonic() > end or self.process.poll() is not None:
                    self.stop()
                    raise RuntimeError('%s does not greet at %s:%d\n%s' % (
                        self.name, address, port, self.last_words()))
                time.sleep(0.02)

    def stop(self):
        """Ends it with all its children; may be called at any time."""
        if self.process is None:
            return
        group = self.process.pid
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process = None

    def last_words(self):
        with open(self.log, encoding='utf-8', errors='replace') as log:
            return ''.join(log.readlines()[-20:])


def greets(address, port, is_tls):
    """True where a server greets that is ready: to be connected alone proves nothing."""
    unverified = ssl._create_unverified_context()
    try:
        with socket.create_connection((address, port), 3) as connection:
            if is_tls:
                connection = unverified.wrap_socket(connection)
            greeting = connection.recv(512)
            if greeting.startswith(b'* OK '):
                # Else it is "Waiting for authentication process to respond".
                return b'CAPABILITY' in greeting
            return greeting.startswith(b'220 ')
    except OSError:
        return False


class RealHost:
    """
    Both servers with settings, users and mail below one folder, which stop() takes away.

        with RealHost() as host:
            host.port['imaps'], host.address['expired'], host.ca_file, host.user('ann')

    Users at test.example by their passwords, and off, whom the administrator has barred; anybody
    at tmp.example has a password database that is out of order.
    """

    def __init__(self, passwords=None):
        # Not below a home: the users of both servers must be able to pass.
        self.folder = tempfile.mkdtemp(prefix='mboxwatch-realhost.', dir='/var/tmp')
        self.port = dict(zip(PORTS, _free_ports(len(PORTS))))
        self.address = {name: address for address, name in ADDRESSES.items()}
        self.passwords = dict(passwords or {'ann': PASSWORD, 'bob': PASSWORD})
        self._make_folders()
        self.tls = certs.make(self._path('tls'))
        self.ca_file = os.path.join(self.tls, 'ca.pem')
        self.dovecot = self._make_dovecot()
        self.postfix = self._make_postfix()
        atexit.register(self.stop)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def start(self):
        # Postfix second: an smtpd that finds no Dovecot dies, and is held back from then on.
        self.dovecot.start()
        self.postfix.start()
        return self

    def stop(self):
        self.postfix.stop()
        self.dovecot.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.stop)

    def user(self, name):
        return name + '@test.example'

    def set_password(self, name, password):
        """From the next login on; sessions that are open go on."""
        self.passwords[name] = password
        self._write_users()
        time.sleep(1.1)  # Dovecot looks at the file once a second

    def set_imap(self, is_on):
        """Switches IMAP alone off and on: Dovecot goes on to judge logins for Postfix."""
        self._write_dovecot_conf('imap lmtp' if is_on else 'lmtp')
        self.dovecot.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + GREETING_SECONDS
        while greets('127.0.0.1', self.port['imaps'], True) != is_on:
            if time.monotonic() > end:
                raise RuntimeError('dovecot: IMAP stays as it is\n' + self.dovecot.last_words())
            time.sleep(0.02)

    def refused_logins(self, name):
        """How many logins of that user were refused so far, at IMAP and at SMTP together."""
        return len(self.logged('dovecot', 'passwd-file(%s,' % self.user(name), 'assword mismatch'))

    def logged(self, server, *words):
        """The lines of "dovecot" or "postfix" with all these words."""
        with open(self._path('log', server + '.log'), encoding='utf-8', errors='replace') as log:
            return [line for line in log if all(word in line for word in words)]

    def _path(self, *names):
        return os.path.join(self.folder, *names)

    def _write(self, name, text, mode=0o644):
        path = self._path(name)
        with open(path + '.new', 'w', encoding='utf-8') as out:
            out.write(text)
        os.chmod(path + '.new', mode)
        os.rename(path + '.new', path)

    def _make_folders(self):
        os.chmod(self.folder, 0o755)
        for name in ('run', 'state', 'mail', 'log', 'postfix', 'pfdata', 'queue'):
            os.mkdir(self._path(name), 0o755)
        shutil.chown(self._path('mail'), 'mail', 'mail')

    def _write_users(self):
        lines = ['%s:{PLAIN}%s\n' % (self.user(name), password)
                 for name, password in self.passwords.items()]
        lines.append('%s:{PLAIN}%s::::::nologin reason=Closed_for_now\n' % (
            self.user('off'), PASSWORD))
        self._write('users', ''.join(lines))

    def _write_dovecot_conf(self, protocols):
        certificates = ''.join(
            DOVECOT_CERTIFICATE.format(address=address, tls=self.tls, name=name)
            for address, name in ADDRESSES.items())
        self._write('dovecot.conf', DOVECOT_CONF.format(
            folder=self.folder, tls=self.tls, name='t%d' % self.port['imap'], protocols=protocols,
            addresses=', '.join(ADDRESSES), certificates=certificates, **self.port))

    def _make_dovecot(self):
        self._write_dovecot_conf('imap lmtp')
        self._write('tempfail.sh', '#!/bin/sh\nexit 111\n', 0o755)
        self._write_users()
        return Server('dovecot', [DOVECOT, '-F', '-c', self._path('dovecot.conf')],
                      self._path('log', 'dovecot.log'),
                      [('127.0.0.1', self.port['imap'], False),
                       ('127.0.0.1', self.port['imaps'], True)])

    def _make_queue(self):
        """What "postfix check" would make, which takes a second to do so."""
        postfix = pwd.getpwnam('postfix').pw_uid
        queue = self._path('queue')
        for name in ('active bounce corrupt defer deferred flush hold incoming maildrop private '
                     'public saved trace').split():
            os.mkdir(os.path.join(queue, name), 0o700)
            os.chown(os.path.join(queue, name), postfix, 0)
        os.mkdir(os.path.join(queue, 'pid'), 0o755)
        for name, mode in (('maildrop', 0o730), ('public', 0o710)):
            os.chmod(os.path.join(queue, name), mode)
            shutil.chown(os.path.join(queue, name), group='postdrop')
        os.chown(self._path('pfdata'), postfix, 0)

    def _make_postfix(self):
        self._make_queue()
        listeners = [
            POSTFIX_LISTENER.format(
                address=address, keys='-o smtpd_tls_chain_files={0}.key,{0}.pem'.format(
                    os.path.join(self.tls, name)), **self.port)
            for address, name in ADDRESSES.items()]
        files = {
            'main.cf': POSTFIX_MAIN.format(folder=self.folder),
            'master.cf': ''.join(listeners) + POSTFIX_MASTER,
            'mailboxes': ''.join('%s x\n' % self.user(name) for name in self.passwords),
        }
        old = time.time() - 10
        for name, text in files.items():
            self._write(os.path.join('postfix', name), text)
            # Else each of its programs waits up to 2 s, lest the file be still being written.
            os.utime(self._path('postfix', name), (old, old))
        return Server('postfix', [POSTFIX, '-c', self._path('postfix'), '-d'],
                      self._path('log', 'postfix.log'),
                      [('127.0.0.1', self.port['smtp'], False),
                       ('127.0.0.1', self.port['submission'], False),
                       ('127.0.0.1', self.port['submissions'], True)])


def main():
    """
    realhost.py [NAME=PASSWORD...]: both servers until Ctrl-C or TERM; their ports as a line of JSON
    on standard output once they greet. USR1 switches IMAP off, USR2 on again.
    """
    reason = why_not()
    if reason is not None:
        print('realhost.py: ' + reason, file=sys.stderr)
        return 1
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    passwords = dict(argument.split('=', 1) for argument in sys.argv[1:])
    with RealHost(passwords) as host:
        port = host.port
        print(json.dumps({
            'ready': True, 'users': [host.user(name) for name in host.passwords],
            'addresses': ADDRESSES, 'ca_file': host.ca_file,
            'smtp': {'tls': port['submissions'], 'starttls': port['submission']},
            'imap': {'tls': port['imaps'], 'starttls': port['imap']}}), flush=True)
        while True:
            number = signal.sigwait(signals)
            if number in (signal.SIGINT, signal.SIGTERM):
                return 0
            host.set_imap(number == signal.SIGUSR2)


if __name__ == '__main__':
    sys.exit(main())
