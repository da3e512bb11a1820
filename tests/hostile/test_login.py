#!/usr/bin/python3
"""
test_login.py: hostile.md 2, the login and what comes behind it over real sockets: H2-34, H2-35,
H2-38 to H2-45, H2-50, and H4-17. Each title carries its case; times and counts are scaled where the
title says so. Not here: the transcripts of tests/dialogue, which try every split of the bytes.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'e2e'))
from harness import main, test  # noqa: E402
from mailhost import Scram  # noqa: E402

SIDES = ('smtp', 'imap')
MECHANISMS = ('plain', 'login', 'cram-md5', 'scram-sha-1', 'scram-sha-256')
PATIENT = {'stage_timeout': '60s', 'timeout': '120s'}


def offering(t, host, side, mode='tls', **scram):
    return t.answering(host, side, mode, cram=True, scram=Scram(**scram))


def commands(port, word):
    """How often the clients of a port said so."""
    return [line for conversation in port.all() for line in conversation.lines
            if word in line.upper().split(b' ')[:2]]


@test('every mechanism logs in, on both sides and in clear; a second probe too')
def every_mechanism(t):
    host = t.host('ann')
    ports = {}
    for side in SIDES:
        for mechanism in MECHANISMS:
            ports['%s-%s' % (side, mechanism)] = (
                offering(t, host, side), {'auth': mechanism})
        ports[side + '-clear'] = (offering(t, host, side, 'clear'), {'insecure_auth': True})
    daemon = t.watch(host, ports)
    daemon.expect({name: 'ok/done' for name in ports})
    for name in ports:
        assert daemon.probe(name)[name[:4]]['verdict']['ok'] is True, name
    seen = {login['mechanism'] for login in host.logins}
    assert seen >= {'PLAIN', 'LOGIN', 'CRAM-MD5', 'SCRAM-SHA-1', 'SCRAM-SHA-256'}, seen
    for side in SIDES:  # in clear nobody hears the secret
        port = ports[side + '-clear'][0]
        assert port.holds_secret(t.secret('ann')) is None, port.received()
        assert b'SCRAM-SHA-256' in port.received(), port.received()


@test('H2-34: goodbyes of every kind: the verdict as before, the slot free long before a stage')
def h2_34(t):
    host = t.host('ann')

    def for_ever(session, line):
        while True:
            session.c.send(b'221-x\r\n')
            session.c.sleep(0.05)

    def much(session, line):
        session.c.send(b'221 bye\r\n')
        for _ in range(160):
            session.c.send(b'x' * 65536)
        return True

    def silence(session, line):
        session.c.wait_end()
        return True
    ports = {
        'imap-many': t.answering(host, 'imap', answers={
            'LOGOUT': b'* OK x\r\n' * 50 + b'* BYE\r\n<tag> OK done\r\n'}),
        'imap-no-bye': t.answering(host, 'imap', answers={'LOGOUT': '<tag> OK done'}),
        'imap-bad': t.answering(host, 'imap', answers={'LOGOUT': '<tag> BAD what'}),
        'imap-silence': t.answering(host, 'imap', answers={'LOGOUT': silence}),
        'smtp-554': t.answering(host, 'smtp', answers={'QUIT': '554 no'}),
        'smtp-for-ever': t.answering(host, 'smtp', answers={'QUIT': for_ever}),
        'smtp-much': t.answering(host, 'smtp', answers={'QUIT': much}),
        'smtp-silence': t.answering(host, 'smtp', answers={'QUIT': silence}),
    }
    daemon = t.watch(host, ports, defaults=PATIENT)
    daemon.expect({name: 'ok/done' for name in ports})
    for name, port in ports.items():
        assert port.wait_idle(20), (name, 'the goodbye holds the connection')


@test('H2-35 (scaled): failures at auth, select, noop and rcpt: goodbye is said in each session')
def h2_35(t):
    host = t.host('ann')
    ports = {
        'smtp-auth': t.answering(host, 'smtp', answers={'AUTH': '454 4.7.0 not now'}),
        'imap-auth': t.answering(host, 'imap', answers={
            'AUTHENTICATE': '<tag> NO [UNAVAILABLE] not now'}),
        'imap-select': t.answering(host, 'imap', answers={'EXAMINE': '<tag> NO [SERVERBUG] no'}),
        'imap-noop': t.answering(host, 'imap', answers={'NOOP': '<tag> NO no'}),
        'smtp-noop': t.answering(host, 'smtp', answers={'NOOP': '451 4.3.0 no'}),
        'smtp-rcpt': (t.answering(host, 'smtp', answers={'RCPT': '452 4.3.0 no'}), {
            'mail_from': 'ann@test.example', 'rcpt_to': 'bob@test.example'}),
    }
    daemon = t.watch(host, ports, defaults={'retry_interval': '1s', 'interval': '10s'},
                     limits={'logins_per_minute': 600})
    daemon.expect({name: '%s/%s' % ('backend_error', name[5:]) for name in ports})
    for _ in range(3):
        for name in ports:
            daemon.probe(name)
    for name, port in ports.items():
        port = port[0] if isinstance(port, tuple) else port
        assert port.wait_idle(20), name
        sessions = port.all()
        assert len(sessions) >= 4, (name, len(sessions))
        for session in sessions:
            goodbye = b'QUIT' if name.startswith('smtp') else b'LOGOUT'
            assert goodbye in session.lines[-1], (name, session.lines)


@test('H2-38: PLAIN by auto, and one AUTH alone; the mechanism that is set is noted when refused')
def h2_38(t):
    host = t.host('ann')
    wrong = t.secret('wrong')
    for side in SIDES:
        ports = {'auto': (t.answering(host, side, cram=True), {'password': wrong}),
                 'cram': (t.answering(host, side, cram=True),
                          {'password': wrong, 'auth': 'cram-md5'})}
        daemon = t.watch(host, ports)
        found = daemon.expect({name: 'bad_credentials/auth' for name in ports})
        assert any('would take plain' in note for note in found['cram']['notes']), found['cram']
        assert not any('would take' in note for note in found['auto']['notes']), found['auto']
        for name, (port, _) in ports.items():
            word = b'PLAIN' if name == 'auto' else b'CRAM-MD5'
            for session in port.all():
                logins = [line for line in session.lines
                          if b'AUTH' in line.upper().split(b' ')[0:2][-1 if side == 'imap' else 0]]
                assert len(logins) <= 1 and all(word in line for line in logins), session.lines
        daemon.term()


@test('H2-41: SCRAM rounds out of bounds: *, protocol_error/auth, no proof, not B')
def h2_41(t):
    host = t.host('ann')
    scrams, ports = [], {}
    for number, rounds in enumerate((b'4294967295', b'99999999999999999999', b'0', b'-1',
                                     b'4096x', b'100001')):
        for side in SIDES:
            scrams.append(Scram(first=lambda first, _, rounds=rounds:
                                first.rpartition(b'i=')[0] + b'i=' + rounds))
            ports['%s-%d' % (side, number)] = (
                t.answering(host, side, scram=scrams[-1]), {'auth': 'scram-sha-256'})
    scrams.append(Scram(rounds=1))
    ports['smtp-clear'] = (t.answering(host, 'smtp', 'clear', scram=scrams[-1]),
                           {'insecure_auth': True})
    daemon = t.watch(host, ports)
    found = daemon.expect({name: 'protocol_error/auth' for name in ports})
    for name, verdict in found.items():
        assert 'rounds' in verdict['detail'], (name, verdict)
        assert b'*' in ports[name][0].all()[0].lines, ports[name][0].all()[0].lines
    assert sum(scram.proofs for scram in scrams) == 0
    assert daemon.events(event='brake') == []


@test('H2-41: 100,000 rounds are made, beside the loop: others go on meanwhile')
def h2_41_most(t):
    host = t.host('ann')
    ports = {'slow%d' % number: (t.answering(host, 'smtp', scram=Scram(rounds=100000)),
                                 {'auth': 'scram-sha-256'}) for number in range(5)}
    ports['good'] = t.answering(host, 'imap')
    daemon = t.watch(host, ports, defaults=PATIENT)
    daemon.expect({name: 'ok/done' for name in ports})


@test('H2-42: SCRAM that does not go on from our nonce: protocol_error/auth, no proof')
def h2_42(t):
    host = t.host('ann')
    liars = {
        'other': lambda first, ours: b'r=' + (b'y' if first[2:3] == b'x' else b'x') + first[3:],
        'ours': lambda first, ours: b'r=' + ours + first[first.index(b',s='):],
        'comma': lambda first, ours: first.replace(b',s=', b',y,s='),
        'no-salt': lambda first, ours: first[:first.index(b',s=')] + b',s=,i=4096',
        'no-base64': lambda first, ours: first[:first.index(b',s=')] + b',s=%%%%,i=4096',
        'extension': lambda first, ours: b'm=x,' + first,
    }
    ports, scrams = {}, []
    for name, liar in liars.items():
        for side in SIDES:
            scrams.append(Scram(first=liar))
            ports['%s-%s' % (side, name)] = (t.answering(host, side, scram=scrams[-1]),
                                             {'auth': 'scram-sha-1'})
    daemon = t.watch(host, ports)
    daemon.expect({name: 'protocol_error/auth' for name in ports})
    assert sum(scram.proofs for scram in scrams) == 0


@test('H2-43: who accepts without proof is not believed: protocol_error/auth, never ok, not B')
def h2_43(t):
    host = t.host('ann')
    ports = {}
    for name, last in (('wrong', b'v=' + b'A' * 43 + b'='), ('empty', b'v='), ('none', None),
                       ('error', b'e=other-error')):
        for side in SIDES:
            ports['%s-%s' % (side, name)] = (t.answering(host, side, scram=Scram(last=last)),
                                             {'auth': 'scram-sha-256'})
    daemon = t.watch(host, ports)
    found = daemon.expect({name: 'protocol_error/auth' for name in ports})
    for name, verdict in found.items():
        assert 'did not prove that it knows the secret' in verdict['detail'], (name, verdict)
    assert daemon.events(event='brake') == []


@test('H2-40: CRAM-MD5 challenges that are none: *, protocol_error/auth, no digest')
def h2_40(t):
    host = t.host('ann')
    ports = {}
    for name, challenge in (('empty', b''), ('no-base64', b'not base64'),
                            ('long', b'QUJD' * 15000)):
        for side in SIDES:
            def ask(session, line, challenge=challenge):
                session.c.send((b'334 ' if session.side == 'smtp' else b'+ ')
                               + challenge + b'\r\n')
                session.c.read_line()
                session.c.send(b'501 no\r\n' if session.side == 'smtp'
                               else session.tag + b' BAD no\r\n')
                return True
            ports['%s-%s' % (side, name)] = (
                t.answering(host, side, cram=True, answers={'AUTH': ask, 'AUTHENTICATE': ask}),
                {'auth': 'cram-md5'})
    daemon = t.watch(host, ports)
    daemon.expect({name: 'protocol_error/auth' for name in ports})
    for name, (port, _) in ports.items():
        assert b'*' in port.all()[0].lines, port.all()[0].lines
    assert daemon.events(event='brake') == []


@test('H2-50: RCPT answered by 354: protocol_error/rcpt, DATA never sent; greylisted: no event')
def h2_50(t):
    host = t.host('ann')
    envelope = {'mail_from': 'ann@test.example', 'rcpt_to': 'bob@test.example'}
    ports = {'good': (t.answering(host, 'smtp', answers={'RCPT': '250 ok'}), envelope),
             '354': (t.answering(host, 'smtp', answers={'RCPT': '354 go ahead'}), envelope),
             'grey': (t.answering(host, 'smtp', answers={
                 'RCPT': '450 4.2.0 <bob@test.example>: Greylisted'}), envelope)}
    daemon = t.watch(host, {'m' + name: port for name, port in ports.items()})
    daemon.expect({'mgood': 'ok/done', 'm354': 'protocol_error/rcpt', 'mgrey': 'greylisted/rcpt'})
    for _ in range(4):  # more than `confirm`
        daemon.probe('mgrey')
    assert daemon.mailbox('mgrey')['smtp']['state'] == 'unknown'
    assert [event for event in daemon.events() if event.get('mailbox') == 'mgrey'] == []
    for name, (port, _) in ports.items():
        assert b'DATA' not in port.received(), name
    assert b'RSET' in ports['good'][0].received()


@test('H4-17: secrets in Latin-1, composed, decomposed, of 1,000 bytes, by every mechanism')
def h4_17(t):
    host = t.host('ann')
    composed, decomposed = b'gr\xc3\xbcn-Tr0ub4dor', b'gru\xcc\x88n-Tr0ub4dor'
    secrets = {'latin': b'gr\xfcn-Tr0ub4dor', 'composed': composed, 'decomposed': decomposed,
               'long': b'\xc3\xbc' * 500}
    mailboxes, ports, wanted = [], {}, {}

    def watched(name, user, mechanism, path, ending):
        ports[name] = port = t.answering(host, 'smtp', cram=True, scram=True)
        mailboxes.append({'name': name, 'address': user, 'smtp': port.settings(
            auth=mechanism, username=user, password_file=path)})
        wanted[name] = ending
    for kind, secret in secrets.items():
        path = os.path.join(t.folder, kind)
        with open(path, 'wb') as file:
            file.write(secret + b'\n')
        user = kind + '@test.example'
        host.add(user, secret)
        for mechanism in MECHANISMS:
            is_unfit = kind == 'latin' and mechanism.startswith('scram')
            watched('%s-%s' % (kind, mechanism), user, mechanism, path,
                    'secret_unavailable/secret' if is_unfit else 'ok/done')
    # The server knows the composed form: SCRAM alone makes that of the other.
    host.add('both@test.example', composed)
    watched('both', 'both@test.example', 'scram-sha-256', os.path.join(t.folder, 'decomposed'),
            'ok/done')
    daemon = t.daemon(host, mailboxes)
    daemon.expect(wanted)
    assert daemon.events(event='brake') == []
    for name, ending in wanted.items():
        if ending != 'ok/done':
            assert not commands(ports[name], b'AUTH'), ports[name].received()


if __name__ == '__main__':
    main()
