#!/usr/bin/python3
"""
test_realservers.py: the daemon against a real Dovecot and a real Postfix.

Each test has both servers for itself (realhost.py), 0.4 s a start. The causes that must come are
those of causes.md for the words that these versions say. Needs root and both packages; skips,
aloud, where they are not. Options and TAP: tests/e2e/harness.py.
Not here: everything that a scripted host can show just as well (tests/e2e, tests/hostile).
"""

import imaplib
import json
import os
import smtplib
import ssl
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, '..', 'e2e'))
import realhost  # noqa: E402
from harness import main, test, wait_until  # noqa: E402

PORTS = {'tls': {'smtp': 'submissions', 'imap': 'imaps'},
         'starttls': {'smtp': 'submission', 'imap': 'imap'}}


def real(t, *names):
    """Both servers with these users, ended with the test."""
    reason = realhost.why_not()
    if reason is not None:
        t.skip(reason)
    host = realhost.RealHost({name: t.secret(name) for name in names})
    t.cleanups.append(host.stop)
    return host.start()


def mailbox(t, host, name, cert='good', mode='tls', password=None, user=None, smtp=None, imap=None):
    """A mailbox's settings; smtp, imap: members that differ."""
    secret = password or t.secret(name)
    return dict(
        {'name': name, 'address': user or host.user(name)},
        **{side: dict({'host': host.address[cert], 'port': host.port[PORTS[mode][side]],
                       'security': mode, 'password': secret}, **(other or {}))
           for side, other in (('smtp', smtp), ('imap', imap))})


def watch(t, host, *mailboxes, **defaults):
    return t.daemon(host, mailboxes, defaults=defaults)


def expect(daemon, name, cause, stage, sides=('smtp', 'imap')):
    """Waits until these sides are failing for this cause at this stage; gives the MAILBOX."""
    causes = {cause} if isinstance(cause, str) else set(cause)
    stages = {stage} if isinstance(stage, str) else set(stage)
    return daemon.wait_mailbox(
        name, lambda found: all(
            found[side]['state'] == 'failing' and found[side]['cause'] in causes
            and found[side]['stage'] in stages for side in sides),
        why='%s did not fail with %s at %s' % (sides, causes, stages))


def log_in(host, name, password):
    """An IMAP session of our own."""
    trusted = ssl.create_default_context(cafile=host.ca_file)
    session = imaplib.IMAP4_SSL(host.address['good'], host.port['imaps'], ssl_context=trusted)
    session.login(host.user(name), password)
    return session


# --- what is well -----------------------------------------------------------------------------

@test('TLS from the first byte: both are ok, and goodbye is said')
def good_tls(t):
    host = real(t, 'ann')
    daemon = watch(t, host, mailbox(t, host, 'ann'))
    daemon.wait_state('ann', 'ok')
    for side in ('smtp', 'imap'):
        verdict = daemon.wait_verdict('ann', side, ok=True)
        assert verdict['stage'] == 'done' and verdict['cause'] == 'ok', verdict
        assert verdict['tls']['version'] in ('TLSv1.3', '1.3'), verdict['tls']
        assert verdict['times_ms']['total'] > 0, verdict
    wait_until(lambda: host.logged('dovecot', 'ann@test.example', 'Logged out'),
               why='no LOGOUT in the log of Dovecot')
    wait_until(lambda: host.logged('postfix', 'disconnect', 'auth=1', 'noop=1', 'quit=1'),
               why='no QUIT in the log of Postfix')
    assert daemon.events(event='state') == [], 'what is well from the first is not told'


@test('STARTTLS: both are ok')
def good_starttls(t):
    host = real(t, 'ann')
    daemon = watch(t, host, mailbox(t, host, 'ann', mode='starttls'))
    daemon.wait_state('ann', 'ok')
    wait_until(lambda: host.logged('postfix', 'disconnect', 'ehlo=2', 'starttls=1', 'auth=1',
                                   'quit=1'), why='no whole session in the log of Postfix')
    assert daemon.mailbox('ann')['imap']['verdict']['times_ms'].get('starttls') is not None


@test('mail that waits is not touched: recent and unseen as before')
def not_touched(t):
    host = real(t, 'ann', 'bob')
    trusted = ssl.create_default_context(cafile=host.ca_file)
    with smtplib.SMTP_SSL(host.address['good'], host.port['submissions'],
                          context=trusted) as sender:
        sender.login(host.user('bob'), t.secret('bob'))
        sender.sendmail(host.user('bob'), host.user('ann'), 'Subject: hello\r\n\r\nhello\r\n')
    wait_until(lambda: host.logged('postfix', 'to=<ann@test.example>', 'status=sent'),
               why='the message was not delivered')
    daemon = watch(t, host, mailbox(t, host, 'ann'))
    daemon.wait_state('ann', 'ok')
    for _ in range(2):
        daemon.probe('ann')
    session = log_in(host, 'ann', t.secret('ann'))
    _, (status,) = session.status('INBOX', '(MESSAGES RECENT UNSEEN)')
    session.logout()
    assert b'MESSAGES 1 RECENT 1 UNSEEN 1' in status, status


# --- logins -----------------------------------------------------------------------------------

MECHANISMS = ('plain', 'login', 'cram-md5', 'scram-sha-1', 'scram-sha-256')


@test('every mechanism logs in at both servers, and the second probe with the kept key')
def mechanisms(t):
    host = real(t, 'ann')
    daemon = watch(t, host, *[dict(mailbox(t, host, 'ann', mode='starttls'), name=mechanism,
                                   **{'auth': mechanism}) for mechanism in MECHANISMS])
    for _ in range(2):
        for mechanism in MECHANISMS:
            found = daemon.probe(mechanism)
            for side in ('smtp', 'imap'):
                assert found[side]['verdict']['ok'] is True, found[side]
    for mechanism in MECHANISMS:
        if mechanism != 'login':  # at IMAP it is the command
            assert host.logged('dovecot', 'method=%s' % mechanism.upper()), mechanism


@test('a wrong password and an unknown user by each mechanism: bad_credentials')
def mechanisms_refused(t):
    names = ['m%d' % number for number in range(len(MECHANISMS))]
    host = real(t, *names)
    boxes = []
    for name, mechanism in zip(names, MECHANISMS):
        boxes.append(dict(mailbox(t, host, name, password=t.secret('wrong')), auth=mechanism))
        boxes.append(dict(mailbox(t, host, 'un' + name), auth=mechanism))
    daemon = watch(t, host, *boxes)
    for box in boxes:
        for side in ('smtp', 'imap'):
            verdict = daemon.wait_verdict(box['name'], side, ok=False)
            assert (verdict['cause'], verdict['stage']) == ('bad_credentials', 'auth'), (
                box, verdict)


@test('an envelope at Postfix: taken, a recipient that is unknown, and nothing is queued')
def envelope(t):
    host = real(t, 'ann', 'bob')
    sender = host.user('ann')
    daemon = watch(
        t, host,
        mailbox(t, host, 'ann', smtp={'mail_from': sender, 'rcpt_to': host.user('bob')}),
        mailbox(t, host, 'bob', smtp={'mail_from': sender, 'rcpt_to': host.user('nobody')}))
    assert daemon.wait_verdict('ann', 'smtp', ok=True)['times_ms']['rcpt'] >= 0
    expect(daemon, 'bob', 'recipient_rejected', 'rcpt', sides=['smtp'])
    wait_until(lambda: host.logged('postfix', 'disconnect', 'mail=1', 'rcpt=1', 'rset=1'),
               why='no RSET in the log of Postfix')
    assert not host.logged('postfix', 'qmgr', 'from='), 'a message'


@test('a wrong password on both sides: bad_credentials, two refused logins, then the brake')
def wrong_password(t):
    host = real(t, 'ann')
    wrong = t.secret('wrong')
    daemon = watch(t, host, mailbox(t, host, 'ann', password=wrong))
    found = expect(daemon, 'ann', 'bad_credentials', 'auth')
    assert found['state'] == 'smtp failing, imap failing', found['state']
    brake = daemon.wait_event(event='brake', mailbox='ann')
    assert 'logins held until' in brake['text'], brake
    assert len(daemon.events(event='brake')) == 1, daemon.events(event='brake')
    time.sleep(6)
    daemon.probe('ann')  # asked for by a person: does not lift the brake either
    assert host.refused_logins('ann') == 2, host.refused_logins('ann')

    settings = daemon.mailbox_settings('ann')
    for side in ('smtp', 'imap'):
        settings[side]['password'] = t.secret('ann')
    daemon.write_settings()
    daemon.reload()
    daemon.wait_state('ann', 'ok')
    daemon.wait_event(event='brake-end', mailbox='ann')
    assert host.refused_logins('ann') == 2, host.refused_logins('ann')


@test('the password is changed at the server, and put back: each resume allows one login')
def changed_password(t):
    host = real(t, 'ann', 'bob')
    daemon = watch(t, host, mailbox(t, host, 'ann'), mailbox(t, host, 'bob'))
    daemon.wait_state('ann', 'ok')
    host.set_password('ann', t.secret('new'))
    expect(daemon, 'ann', 'bad_credentials', 'auth')
    time.sleep(4)
    assert host.refused_logins('ann') == 2, host.refused_logins('ann')
    assert daemon.mailbox('bob')['state'] == 'ok', 'another account suffers'

    host.set_password('ann', t.secret('ann'))
    for well in (1, 2):  # one side, then the other
        status, _, error = daemon.ctl('resume', 'ann')
        assert status == 0, error
        daemon.wait_mailbox('ann', lambda found: well == sum(
            found[side]['state'] == 'ok' for side in ('smtp', 'imap')))
        assert len(daemon.events(event='resume')) == well, daemon.events()
    daemon.wait_event(event='brake-end', mailbox='ann')
    assert host.refused_logins('ann') == 2, host.refused_logins('ann')


@test('an account barred by its administrator is not called a wrong password at IMAP')
def barred(t):
    host = real(t, 'ann')
    daemon = watch(t, host, mailbox(t, host, 'off', password=realhost.PASSWORD))
    verdict = daemon.wait_verdict('off', 'imap', ok=False)
    assert verdict['cause'] != 'bad_credentials' and verdict['stage'] == 'auth', verdict
    assert 'CONTACTADMIN' in ' '.join(verdict['reply']), verdict


@test('a password database that is out of order: backend_error, and nothing is held back')
def database_out_of_order(t):
    host = real(t, 'ann')
    daemon = watch(t, host, {
        'name': 'tmp', 'address': 'x@tmp.example',
        'imap': {'host': host.address['good'], 'port': host.port['imaps'],
                 'password': t.secret('x')}})
    found = expect(daemon, 'tmp', 'backend_error', 'auth', sides=['imap'])
    assert found['imap']['verdict']['transient'], found['imap']['verdict']
    assert daemon.events(event='brake') == [], daemon.events(event='brake')


@test('SMTP without AUTH: auth_not_offered')
def no_auth(t):
    host = real(t, 'ann')
    daemon = watch(t, host, mailbox(t, host, 'ann', mode='starttls',
                                    smtp={'port': host.port['smtp']}))
    expect(daemon, 'ann', 'auth_not_offered', ('auth', 'capability'), sides=['smtp'])
    daemon.wait_state('ann', 'smtp failing, imap ok')


@test('a folder that is not there: folder_missing, SMTP ok')
def missing_folder(t):
    host = real(t, 'ann')
    daemon = watch(t, host, mailbox(t, host, 'ann', imap={'mailbox': 'Projects/None'}))
    expect(daemon, 'ann', 'folder_missing', 'select', sides=['imap'])
    found = daemon.wait_state('ann', 'smtp ok, imap failing')
    assert "doesn't exist" in ' '.join(found['imap']['verdict']['reply']), found['imap']


# --- mboxwatchctl check ---------------------------------------------------------------------------

def check(t, daemon, settings, *words):
    """mboxwatchctl check of these settings: its exit status, what it printed in one line."""
    path = os.path.join(t.folder, 'check.json')
    with open(path, 'w') as file:
        json.dump({part: settings[part] for part in ('address', 'smtp', 'imap')}, file)
    status, out, err = daemon.ctl('check', '-f', path, *words, timeout=150)
    assert err == '' and all(len(line) <= 80 for line in out.splitlines()), (out, err)
    return status, ' '.join(out.split())


def in_order(text, *pieces):
    rest = text
    for piece in pieces:
        assert piece in rest, (piece, text)
        rest = rest.partition(piece)[2]


@test('check, authentication failed: both servers\' own words, and what to do')
def check_authentication(t):
    host = real(t, 'ann')
    daemon = t.daemon(host, [], daemon={'deny_addresses': []})
    status, out = check(t, daemon, mailbox(t, host, 'ann', mode='starttls',
                                           password=t.secret('wrong')))
    assert status == 1
    in_order(out, 'smtp', 'offers STARTTLS, as is set', 'FAILED the login is not accepted',
             'cause bad_credentials at auth', 'server 535 5.7.8', 'imap',
             'FAILED the login is not accepted', 'server NO [AUTHENTICATIONFAILED]',
             'Neither sends nor reads replies.', 'what to do')


@test('check, port connection failed: the cause, the other port, and IMAP all the same')
def check_port(t):
    host = real(t, 'ann')
    daemon = t.daemon(host, [], daemon={'deny_addresses': []})
    status, out = check(t, daemon, mailbox(t, host, 'ann', smtp={'port': 465}))
    assert status == 1
    in_order(out, 'FAILED port 465 is not reachable', 'cause connect_refused at connect',
             'port 587 was tried too', 'ok the folder INBOX opens and can be read',
             'Replies are read, but it does not send.', 'what to do')


@test('check, SMTP works but IMAP fails: sends, but replies are not read')
def check_imap(t):
    host = real(t, 'ann')
    host.set_imap(False)
    daemon = t.daemon(host, [], daemon={'deny_addresses': []})
    status, out = check(t, daemon, mailbox(t, host, 'ann'))
    assert status == 1
    in_order(out, 'smtp', 'ok the login is accepted', 'imap', 'FAILED',
             'Sends, but replies are not read.', 'what to do')


@test('check, login works but the folder does not open: the likeliest name')
def check_folder(t):
    host = real(t, 'ann')
    session = log_in(host, 'ann', t.secret('ann'))
    for folder in ('Gesendet', 'Entw&APw-rfe', 'Archive'):
        assert session.create(folder)[0] == 'OK'
    session.logout()
    daemon = t.daemon(host, [], daemon={'deny_addresses': []})
    for wanted, suggest in (('Sent', 'Gesendet'), ('Drafts', 'Entwürfe'), ('Achive', 'Archive'),
                            ('INBOX.Archive', 'Archive')):
        status, out = check(t, daemon, mailbox(t, host, 'ann', imap={'mailbox': wanted}))
        assert status == 1
        in_order(out, 'imap', 'ok the login is accepted',
                 'FAILED the folder %s does not open' % wanted,
                 'cause folder_missing at select', 'server NO ',
                 'likely meant: "%s"' % suggest, 'Sends, but replies are not read.',
                 'what to do Set mailbox to "%s".' % suggest)
    session = log_in(host, 'ann', t.secret('ann'))
    session.create('Box/Inner')
    session.logout()
    status, out = check(t, daemon, mailbox(t, host, 'ann', imap={'mailbox': 'Box'}))
    assert status == 0 or 'holds folders alone' in out, out


@test('check --send: Postfix takes the message, Dovecot has it, and it alone is deleted')
def check_send(t):
    host = real(t, 'ann')
    daemon = t.daemon(host, [], daemon={'deny_addresses': []})
    other = 'Subject: another\r\nMessage-ID: <another@test.example>\r\n\r\nx\r\n'
    session = log_in(host, 'ann', t.secret('ann'))
    session.append('INBOX', None, None, other.encode())
    session.append('INBOX', '\\Deleted', None, other.encode())
    settings = mailbox(t, host, 'ann')
    status, out = check(t, daemon, settings, '--send')
    assert status == 0, out
    in_order(out, 'ok the message is accepted', 'ok the message arrives', 'mail came last at',
             'the test message arrived in INBOX', 'and was deleted', 'all is well')
    session.select('INBOX', readonly=True)
    left = session.uid('FETCH', '1:*', '(FLAGS)')[1]
    assert len(left) == 2 and not any(b'Seen' in flags for flags in left), left
    session.logout()


# --- servers that go and come -----------------------------------------------------------------

@test('IMAP goes and comes: smtp ok, imap failing, then ok, each told once')
def imap_stops(t):
    host = real(t, 'ann', 'bob')
    daemon = watch(t, host, mailbox(t, host, 'ann'), mailbox(t, host, 'bob', mode='starttls'))
    for name in ('ann', 'bob'):
        daemon.wait_state(name, 'ok')
    host.set_imap(False)
    for name in ('ann', 'bob'):
        expect(daemon, name, 'connect_refused', 'connect', sides=['imap'])
        found = daemon.wait_state(name, 'smtp ok, imap failing')
        alert = daemon.wait_alert(event='state', mailbox=name, imap='failing')
        assert alert['msg'] == name + ': smtp ok, imap failing', alert
        assert alert['incident'] == found['imap']['incident'], alert
    host.set_imap(True)
    for name in ('ann', 'bob'):
        daemon.wait_state(name, 'ok')
        daemon.wait_alert(event='state', mailbox=name, imap='ok')
        told = [event['state'] for event in daemon.events(event='state', mailbox=name)]
        assert told == ['smtp ok, imap failing', 'ok'], told


@test('Postfix stops and starts: smtp failing, imap ok, then ok')
def postfix_stops(t):
    host = real(t, 'ann')
    daemon = watch(t, host, mailbox(t, host, 'ann'))
    daemon.wait_state('ann', 'ok')
    host.postfix.stop()
    expect(daemon, 'ann', 'connect_refused', 'connect', sides=['smtp'])
    daemon.wait_state('ann', 'smtp failing, imap ok')
    host.postfix.start()
    daemon.wait_state('ann', 'ok')


@test('Dovecot stops, and Postfix cannot judge logins: neither is a wrong password')
def dovecot_stops(t):
    host = real(t, 'ann')
    daemon = watch(t, host, mailbox(t, host, 'ann'))
    daemon.wait_state('ann', 'ok')
    host.dovecot.stop()
    expect(daemon, 'ann', 'connect_refused', 'connect', sides=['imap'])
    # 454 from an smtpd that knew Dovecot; one that is new closes, or never greets.
    expect(daemon, 'ann', {'backend_error', 'server_unavailable', 'connection_lost',
                           'reply_timeout', 'auth_not_offered'},
           {'auth', 'capability', 'greeting', 'starttls', 'tls'}, sides=['smtp'])
    assert daemon.events(event='brake') == [], daemon.events(event='brake')
    host.dovecot.start()
    daemon.wait_mailbox('ann', lambda found: found['imap']['state'] == 'ok')


# --- sessions that stay logged in ---------------------------------------------------------------

KEEP = {'session': 'keep', 'interval': '10s', 'keep_max': '1h'}


def imap_only(t, host, name):
    """A mailbox whose IMAP side alone is watched."""
    settings = mailbox(t, host, name)
    del settings['smtp']
    return settings


def logins(host, name):
    return len(host.logged('dovecot', 'Login: user=<%s>' % host.user(name)))


@test('keep: several intervals in one session, and goodbye to it at the end')
def keep(t):
    host = real(t, 'ann', 'bob')
    daemon = watch(t, host, imap_only(t, host, 'ann'), imap_only(t, host, 'bob'), **KEEP)
    first = {name: daemon.wait_verdict(name, 'imap', ok=True) for name in ('ann', 'bob')}
    for _ in range(3):
        last = daemon.mailbox('ann')['imap']['last_ok']
        wait_until(lambda: daemon.mailbox('ann')['imap']['last_ok'] != last, timeout=30,
                   why='it is not probed any more')
    for name in ('ann', 'bob'):
        verdict = daemon.wait_verdict(name, 'imap', ok=True, stage='done')
        assert any('kept since' in note for note in verdict['notes']), verdict
        assert verdict['tls']['cert'] == first[name]['tls']['cert'], verdict
        assert 'auth' not in verdict['times_ms'], verdict
        assert logins(host, name) == 1, (name, logins(host, name))
    assert b'mboxwatch_sessions_kept 2\n' in daemon.get('/metrics').body
    daemon.term(timeout=10)
    wait_until(lambda: all(host.logged('dovecot', host.user(name), 'Logged out')
                           for name in ('ann', 'bob')),
               why='no LOGOUT in the log of Dovecot')


@test('keep: a Dovecot that is restarted: the session is opened anew, and nothing is told')
def keep_restarted(t):
    host = real(t, 'ann')
    daemon = watch(t, host, imap_only(t, host, 'ann'), **KEEP)
    for restarts in (1, 2):
        daemon.wait_verdict('ann', 'imap', ok=True)
        assert logins(host, 'ann') == restarts, logins(host, 'ann')
        host.dovecot.stop()
        host.dovecot.start()
        wait_until(lambda: logins(host, 'ann') > restarts, timeout=60,
                   why='it was not opened anew')
        wait_until(lambda: b'mboxwatch_sessions_kept 1\n' in daemon.get('/metrics').body,
                   why='the new one is not kept')
        daemon.probe('ann')
        assert logins(host, 'ann') == restarts + 1, logins(host, 'ann')
    assert daemon.mailbox('ann')['state'] == 'imap ok', daemon.mailbox('ann')
    assert daemon.events(event='state') == [], daemon.events(event='state')


# --- certificates -----------------------------------------------------------------------------

@test('certificates: of another name, expired, not yet valid, self-signed; no login is tried')
def certificates(t):
    host = real(t, 'ann')
    causes = {'other': 'cert_name', 'expired': 'cert_expired', 'future': 'cert_not_yet_valid',
              'self': 'cert_untrusted'}
    mailboxes = [
        dict(mailbox(t, host, 'ann', cert=cert, mode=mode), name='%s-%s' % (cert, mode))
        for cert in causes for mode in PORTS]
    daemon = watch(t, host, *mailboxes)
    for cert, cause in causes.items():
        for mode in PORTS:
            expect(daemon, '%s-%s' % (cert, mode), cause, 'tls')
    for server in ('dovecot', 'postfix'):
        assert not host.logged(server, 'ann@test.example'), 'a login at ' + server
    assert host.logged('postfix', 'auth=') == [], 'a login at Postfix'


@test('an authority that nobody named: cert_untrusted')
def authority(t):
    host = real(t, 'ann')
    daemon = watch(t, None, mailbox(t, host, 'ann'))
    expect(daemon, 'ann', 'cert_untrusted', 'tls')
    assert not host.logged('dovecot', 'ann@test.example'), 'a login'


# --- wrong ports ------------------------------------------------------------------------------

@test('wrong ports: closed, of the other protocol, of the other TLS mode')
def wrong_ports(t):
    host = real(t, 'ann')
    closed = realhost._free_ports(1)[0]
    rows = [
        # name, mailbox, cause, stage, side
        ('closed', mailbox(t, host, 'ann', smtp={'port': closed}, imap={'port': closed}),
         'connect_refused', 'connect', ('smtp', 'imap')),
        ('swapped', mailbox(t, host, 'ann', smtp={'port': host.port['imaps']},
                            imap={'port': host.port['submissions']}),
         'wrong_protocol', 'greeting', ('smtp', 'imap')),
        ('swapped-starttls', mailbox(t, host, 'ann', mode='starttls',
                                     smtp={'port': host.port['imap']},
                                     imap={'port': host.port['submission']}),
         'wrong_protocol', 'greeting', ('smtp', 'imap')),
        ('tls-to-clear', mailbox(t, host, 'ann', smtp={'port': host.port['submission']},
                                 imap={'port': host.port['imap']}),
         'tls_mode', 'tls', ('smtp', 'imap')),
        # Silence: the far side waits for our TLS, we for its greeting.
        ('clear-to-tls', mailbox(t, host, 'ann', mode='starttls',
                                 smtp={'port': host.port['submissions']},
                                 imap={'port': host.port['imaps']}),
         {'tls_mode', 'reply_timeout'}, 'greeting', ('smtp', 'imap')),
    ]
    daemon = watch(t, host, *[dict(box, name=name) for name, box, _, _, _ in rows],
                   timeout='6s', stage_timeout='2s')
    for name, _, cause, stage, sides in rows:
        expect(daemon, name, cause, stage, sides)
    assert not host.logged('dovecot', 'ann@test.example'), 'a login'


if __name__ == '__main__':
    main()
