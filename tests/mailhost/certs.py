#!/usr/bin/python3
"""
certs.py: a test authority and the certificates that the scripted mail host shows.

Here: make(folder), which leaves NAME.pem (the chain as sent) and NAME.key for each name of NAMES,
and ca.pem, the one authority that tests trust. Nothing is made twice for a folder, and two
processes may ask for the same folder at once. As a command: certs.py DIR.
Not here: who shows which certificate (mailhost.py). Nothing made here is fit for real use.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time

# 127.0.0.1 to 127.0.0.32: each scripted server may have an address, and so a name, of its own.
ADDRESSES = ['127.0.0.%d' % n for n in range(1, 33)] + ['::1']
HERE = ','.join(['DNS:localhost', 'DNS:mail.test.example'] + ['IP:' + a for a in ADDRESSES])
ELSEWHERE = 'DNS:other.test.example,DNS:www.other.test.example'
PAST = ('20200101000000Z', '20210101000000Z')
SOON_SECONDS = 13 * 86400 // 2
FUTURE = ('20400101000000Z', '20410101000000Z')

# name -> what is wrong with it. Each is tried by the self-test.
NAMES = {
    'good': 'nothing',
    'second': 'nothing; another key and serial number than good',
    'other': 'valid, for other names only',
    'dnsip': 'valid, with the address 127.0.0.1 as a DNS name only',
    'commonname': 'valid, with the host in the common name alone and none in the SAN',
    'nul': 'valid, SAN with a NUL inside: localhost\\0.evil.test',
    'expired': 'ended in 2021',
    'soon': 'nothing; it ends in six days and a half',
    'future': 'begins in 2040',
    'self': 'signed by itself',
    'allbad': 'signed by itself, ended, and for another name',
    'foreign': 'signed by an authority that nobody trusts, which is sent along',
    'nointermediate': 'signed by an intermediate that is not sent; the AIA names an address',
    'intermediate': 'nothing; the same with the intermediate sent',
    'byleaf': 'signed by good, which is no authority',
    'weakkey': 'an RSA key of 1024 bits',
    'weakhash': 'a SHA-1 signature',
}

CONFIG = '''\
[ca]
default_ca = c
[c]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = p
unique_subject = no
copy_extensions = copy
default_days = 60
[p]
commonName = supplied
'''

EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
RSA = ['-newkey', 'rsa:1024']
AUTHORITY = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign']
KEEP_SECONDS = 20 * 86400  # of the 60 days that they last


def _openssl(folder, *arguments):
    done = subprocess.run(['openssl'] + list(arguments), cwd=folder, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise RuntimeError('openssl %s\n%s' % (' '.join(arguments),
                                               done.stdout.decode('utf-8', 'replace')))


def _self_signed(folder, name, subject, extensions):
    arguments = ['req', '-x509', '-nodes', '-days', '60', '-subj', '/CN=' + subject] + EC
    for extension in extensions:
        arguments += ['-addext', extension]
    _openssl(folder, *arguments, '-keyout', name + '.key', '-out', name + '.crt')


def _signed(folder, name, by, subject, extensions, dates=None, key=EC, digest='sha256',
            is_self_signed=False):
    request = ['req', '-new', '-nodes', '-subj', '/CN=' + subject] + key
    for extension in extensions:
        request += ['-addext', extension]
    _openssl(folder, *request, '-keyout', name + '.key', '-out', name + '.csr')
    sign = ['ca', '-batch', '-notext', '-config', 'ca.cnf', '-md', digest, '-in', name + '.csr',
            '-out', name + '.crt']
    if is_self_signed:
        sign += ['-selfsign', '-keyfile', name + '.key']
    else:
        sign += ['-cert', by + '.crt', '-keyfile', by + '.key']
    if dates is not None:
        sign += ['-startdate', dates[0], '-enddate', dates[1]]
    _openssl(folder, *sign)


def _chain(folder, name, *also):
    with open(os.path.join(folder, name + '.pem'), 'wb') as out:
        for part in (name,) + also:
            with open(os.path.join(folder, part + '.crt'), 'rb') as crt:
                out.write(crt.read())


def _make_all(folder):
    for path, text in (('index', ''), ('serial', '01\n'), ('ca.cnf', CONFIG)):
        with open(os.path.join(folder, path), 'w') as out:
            out.write(text)
    san = 'subjectAltName=' + HERE
    leaf = [san, 'basicConstraints=CA:FALSE']
    _self_signed(folder, 'ca', 'mboxwatch test authority', AUTHORITY)
    _self_signed(folder, 'foreignca', 'An authority of nobody', AUTHORITY)
    _signed(folder, 'intermediateca', 'ca', 'mboxwatch test intermediate', AUTHORITY)
    _signed(folder, 'good', 'ca', 'mail.test.example', leaf)
    _signed(folder, 'second', 'ca', 'mail.test.example', leaf)
    _signed(folder, 'other', 'ca', 'other.test.example', ['subjectAltName=' + ELSEWHERE])
    _signed(folder, 'dnsip', 'ca', 'dnsip', ['subjectAltName=DNS:127.0.0.1'])
    _signed(folder, 'commonname', 'ca', '127.0.0.1', ['basicConstraints=CA:FALSE'])
    nul = b'localhost\0.evil.test'
    der = bytes([0x30, 2 + len(nul), 0x82, len(nul)]) + nul
    _signed(folder, 'nul', 'ca', 'nul', ['subjectAltName=DER:' + der.hex(':')])
    _signed(folder, 'expired', 'ca', 'mail.test.example', leaf, dates=PAST)
    _signed(folder, 'soon', 'ca', 'mail.test.example', leaf,
            dates=(PAST[0], time.strftime('%Y%m%d%H%M%SZ', time.gmtime(time.time() + SOON_SECONDS))))
    _signed(folder, 'future', 'ca', 'mail.test.example', leaf, dates=FUTURE)
    _self_signed(folder, 'self', 'localhost', [san])
    _signed(folder, 'allbad', None, 'nowhere.test.example', ['subjectAltName=' + ELSEWHERE],
            dates=PAST, is_self_signed=True)
    _signed(folder, 'foreign', 'foreignca', 'mail.test.example', leaf)
    aia = 'authorityInfoAccess=caIssuers;URI:http://127.0.0.32:8989/ca.crt'
    _signed(folder, 'nointermediate', 'intermediateca', 'mail.test.example', leaf + [aia])
    _signed(folder, 'byleaf', 'good', 'mail.test.example', leaf)
    _signed(folder, 'weakkey', 'ca', 'mail.test.example', leaf, key=RSA)
    _signed(folder, 'weakhash', 'ca', 'mail.test.example', leaf, digest='sha1')
    for name in NAMES:
        if name in ('self', 'allbad', 'nointermediate', 'weakhash', 'weakkey'):
            _chain(folder, name)
        elif name == 'foreign':
            _chain(folder, name, 'foreignca')
        elif name == 'byleaf':
            _chain(folder, name, 'good', 'ca')
        elif name == 'intermediate':
            shutil.copy(os.path.join(folder, 'nointermediate.key'),
                        os.path.join(folder, 'intermediate.key'))
            shutil.copy(os.path.join(folder, 'nointermediate.crt'),
                        os.path.join(folder, 'intermediate.crt'))
            _chain(folder, name, 'intermediateca')
        else:
            _chain(folder, name, 'ca')
    shutil.copy(os.path.join(folder, 'ca.crt'), os.path.join(folder, 'ca.pem'))


def _is_fresh(folder):
    try:
        age = time.time() - os.stat(os.path.join(folder, 'ca.pem')).st_mtime
        source = os.stat(os.path.abspath(__file__)).st_mtime
    except OSError:
        return False
    return 0 <= age < KEEP_SECONDS and os.stat(os.path.join(folder, 'ca.pem')).st_mtime >= source


def make(folder):
    """Makes all certificates of NAMES in folder unless they are there and fresh; gives folder."""
    folder = os.path.abspath(folder)
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    with open(folder + '.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_fresh(folder):
            return folder
        fresh = tempfile.mkdtemp(prefix=os.path.basename(folder) + '.',
                                 dir=os.path.dirname(folder))
        try:
            _make_all(fresh)
            os.chmod(fresh, 0o755)
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(fresh, folder)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
    return folder


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith('-'):
        print('usage: certs.py DIR', file=sys.stderr)
        return 2
    print(make(sys.argv[1]))
    return 0


if __name__ == '__main__':
    sys.exit(main())
