#!/usr/bin/python3
"""
test_connect_page.py: contrib/connect-page before the real daemon: what its server passes on and what
it refuses; and the page itself in Chromium, where chromedriver is (else skipped).
"""

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import TREE, main, test, wait_until  # noqa: E402

SERVER = os.path.join(TREE, 'contrib', 'connect-page', 'server.py')
ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'  # W3C WebDriver 12.1


def opened(t, **more):
    """A host, a daemon that takes mailboxes over its socket, and the page's port."""
    host = t.host('ann')
    key = os.path.join(t.folder, 'key')
    with open(key, 'wb') as out:
        out.write(os.urandom(32))
    daemon = t.daemon(host, [], daemon=dict({'state_key_file': key, 'deny_addresses': []}, **more))
    server = subprocess.Popen([sys.executable, SERVER, '--socket', daemon.socket_path,
                               '--port', '0'], stdout=subprocess.PIPE)

    def end():
        server.kill()
        server.wait()
        server.stdout.close()
    t.cleanups.append(end)
    address = server.stdout.readline().decode().strip()
    return host, daemon, int(address.rstrip('/').rpartition(':')[2])


def ask(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
    try:
        data = json.dumps(body).encode() if body is not None else None
        connection.request(method, path, data, dict(
            {'Content-Type': 'application/json'} if data else {}, **headers))
        response = connection.getresponse()
        return response.status, response.read(), response.headers
    finally:
        connection.close()


def form_of(t, host):
    mailbox = t.mailbox(host, 'ann')
    return {'address': mailbox['address'], 'smtp': mailbox['smtp'], 'imap': mailbox['imap']}


@test('the server: the page, the steps of a check, a mailbox that is then watched, faults as they come')
def server(t):
    host, daemon, port = opened(t)
    status, page, headers = ask(port, 'GET', '/')
    assert status == 200 and b'<title>Connect your mailbox' in page
    assert "default-src 'none'" in headers['Content-Security-Policy']
    assert json.loads(ask(port, 'GET', '/providers')[1]).get('providers') is not None
    status, lines, _ = ask(port, 'POST', '/check', form_of(t, host))
    lines = [json.loads(line) for line in lines.splitlines()]
    assert status == 200 and lines[-1]['ok'] and lines[0]['step'] == 'review', lines
    assert ask(port, 'POST', '/connect', form_of(t, host))[0] == 201
    daemon.wait_state('ann@test.example', 'ok')
    status, answer, _ = ask(port, 'POST', '/connect', {'address': 'ann@test.example', 'imap': {}})
    assert status == 422 and json.loads(answer)['faults'][0]['setting'].startswith('imap')


@test('the server: another host\'s name, another form of body, too much, the daemon gone: refused')
def refused(t):
    host, daemon, port = opened(t)
    form = form_of(t, host)
    assert ask(port, 'POST', '/connect', form, Host='evil.example:%d' % port)[0] == 403
    assert ask(port, 'GET', '/', Host='evil.example')[0] == 403
    assert ask(port, 'POST', '/connect', form, **{'Content-Type': 'text/plain'})[0] == 400
    assert ask(port, 'POST', '/connect', {'address': 'a' * 70000})[0] == 400
    assert ask(port, 'POST', '/connect', [1])[0] == 400
    assert ask(port, 'POST', '/connect', dict(form, address='../../v1/reload'))[0] in (404, 422)
    assert ask(port, 'GET', '/../server.py')[0] == 404
    assert daemon.status()['counts']['total'] == 0
    daemon.term()
    assert ask(port, 'POST', '/check', form)[0] == 502


class Browser:
    """Chromium by chromedriver, in W3C WebDriver's words."""

    def __init__(self, t, width, height, dark=False):
        self.port = None
        log = os.path.join(t.folder, 'chromedriver-%d' % time.monotonic_ns())
        with open(log, 'wb') as out:
            self.driver = subprocess.Popen(['chromedriver', '--port=0'], stdout=out,
                                           stderr=subprocess.DEVNULL, start_new_session=True)
        t.cleanups.append(self.end)

        def listening():
            with open(log) as text:
                found = re.search(r'successfully on port (\d+)', text.read())
            return int(found.group(1)) if found else None
        self.port = wait_until(listening, why='chromedriver does not listen')
        arguments = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
                     '--no-first-run', '--user-data-dir=' + os.path.join(t.folder, 'browser')]
        if dark:
            arguments.append('--blink-settings=preferredColorScheme=0')
        answer = self.call('POST', '/session', {'capabilities': {'alwaysMatch': {
            'browserName': 'chrome', 'goog:chromeOptions': {
                'args': arguments, 'mobileEmulation': {
                    'deviceMetrics': {'width': width, 'height': height, 'pixelRatio': 1}}}}}})
        self.path = '/session/' + answer['sessionId']

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
        connection.request(method, path, json.dumps(body if body is not None else {})
                           if method == 'POST' else None)
        answer = json.loads(connection.getresponse().read())['value']
        connection.close()
        assert not (isinstance(answer, dict) and 'error' in answer), answer
        return answer

    def open(self, port):
        self.call('POST', self.path + '/url', {'url': 'http://127.0.0.1:%d/' % port})

    def run(self, script, *arguments):
        return self.call('POST', self.path + '/execute/sync',
                         {'script': script, 'args': list(arguments)})

    def element(self, selector):
        found = self.call('POST', self.path + '/element',
                          {'using': 'css selector', 'value': selector})
        return self.path + '/element/' + found[ELEMENT]

    def type(self, setting, text):
        element = self.element('[data-setting="%s"]' % setting)
        if setting.endswith('security'):
            self.run('document.querySelector(arguments[0]).value = arguments[1]',
                     '[data-setting="%s"]' % setting, text)
            return
        self.call('POST', element + '/clear')
        self.call('POST', element + '/value', {'text': text})

    def fill(self, form):
        for group, value in form.items():
            for name, text in value.items() if isinstance(value, dict) else [('', value)]:
                setting = '%s.%s' % (group, name) if name else group
                if self.run('return !!document.querySelector(arguments[0])',
                            '[data-setting="%s"]' % setting):
                    self.type(setting, str(text))

    def click(self, selector):
        self.call('POST', self.element(selector) + '/click')

    def text(self, selector):
        return self.run('return document.querySelector(arguments[0]).innerText', selector)

    def picture(self, name):
        folder = os.environ.get('MBOXWATCH_TEST_PICTURES')
        if folder:
            import base64
            with open(os.path.join(folder, name + '.png'), 'wb') as out:
                out.write(base64.b64decode(self.call('GET', self.path + '/screenshot')))

    def end(self):
        if self.port:
            try:
                self.call('DELETE', self.path)
            except (OSError, ValueError, AttributeError, AssertionError):
                pass
        self.driver.terminate()
        self.driver.wait()


def finished(browser):
    wait_until(lambda: browser.run(
        "return !document.getElementById('result').hidden && "
        "!document.getElementById('connect').disabled"), why='no result on the page')


def fits(browser):
    return browser.run('return document.documentElement.scrollWidth <= window.innerWidth')


@test('the page in a browser: faults beside fields, a verdict with what to do, connected; 360 px too')
def page(t):
    if not shutil.which('chromedriver'):
        t.skip('no chromedriver')
    host, daemon, port = opened(t)
    form = form_of(t, host)
    for name, width, height, dark in (('narrow', 360, 1600, True), ('wide', 1200, 1100, False)):
        browser = Browser(t, width, height, dark)
        browser.open(port)
        assert fits(browser)
        unnamed = browser.run(
            "return [...document.querySelectorAll('input,select')].filter(one => !one.labels.length)"
            ".map(one => one.id)")
        assert unnamed == [], unnamed
        browser.type('address', 'ann@gmail.com\t')  # a provider's: what is usual there
        wait_until(lambda: 'Gmail' in browser.text('#provider'), why='no provider')
        assert browser.run("return document.getElementById('f-imap.host').value") == \
            'imap.gmail.com'
        browser.picture(name + '-provider')
        browser.fill(dict(form, address='ann'))
        browser.type('imap.port', '70000')
        browser.click('#connect')
        finished(browser)
        assert '1 to 65535' in browser.text('[id="n-imap.port"]')
        assert browser.run("return document.activeElement.dataset.setting") == 'address'
        assert browser.run("return document.querySelectorAll('[aria-invalid=true]').length") == 2
        assert fits(browser)
        browser.picture(name + '-faults')
        browser.fill(form)
        browser.type('imap.mailbox', 'Nowhere')
        browser.click('#connect')
        finished(browser)
        assert 'folder missing' in browser.text('#verdicts'), browser.text('#verdicts')
        assert browser.run("return document.querySelectorAll('#next li').length") > 0
        assert browser.run("return document.querySelectorAll('#steps .good').length") > 4
        assert fits(browser)
        browser.picture(name + '-verdict')
        browser.type('imap.mailbox', 'INBOX')
        browser.click('#connect')
        finished(browser)
        assert browser.text('#summary') == 'Your mailbox is connected', browser.text('main')
        browser.picture(name + '-connected')
        daemon.wait_state('ann@test.example', 'ok')
        assert daemon.request('DELETE', '/v1/mailboxes/ann@test.example').status == 204
        browser.end()
        browser.port = None


if __name__ == '__main__':
    sys.exit(main())
