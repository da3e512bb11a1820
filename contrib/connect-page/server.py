#!/usr/bin/python3
"""
server.py: an example of a "connect your mailbox" page for a product: it shows index.html and hands
what the form says to mboxwatchd's status socket. Python's standard library alone.

    server.py [--socket /run/mboxwatch/status.sock] [--port 8080]

    GET  /           the page
    GET  /providers  GET /v1/providers, or none where the daemon has no such list
    POST /check      POST /v1/check?stream=1: the steps as they happen
    POST /connect    PUT /v1/mailboxes/ADDRESS: needs daemon.state_key_file

It must run as a user who may change things (root, the daemon's user, a member of
daemon.admin_group), listens on 127.0.0.1 alone and knows no users: a product puts its own login in
front, says by that whose mailbox is named how (name_of), and lets nobody write another's.
"""

import argparse
import http.client
import http.server
import json
import os
import socket
import sys
import urllib.parse

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'index.html')
BODY_MOST_BYTES = 64 * 1024
POLICY = ("default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
          "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")


class Daemon(http.client.HTTPConnection):
    """One request to the status socket."""

    def __init__(self, path):
        super().__init__('d', timeout=300)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def name_of(settings):
    """What the mailbox is called: its address here, in a product the user's number."""
    return str(settings.get('address', '')).strip().lower()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        if not self.is_ours():
            return
        if self.path == '/':
            with open(PAGE, 'rb') as page:
                self.answer(200, 'text/html; charset=utf-8', page.read())
        elif self.path == '/providers':
            self.pass_on('GET', '/v1/providers', instead=b'{"providers":[]}')
        else:
            self.send_error(404)

    def do_POST(self):
        if not self.is_ours():
            return
        settings = self.settings()
        if settings is None:
            return
        if self.path == '/check':
            self.pass_on('POST', '/v1/check?stream=1', settings)
        elif self.path == '/connect':
            self.pass_on('PUT', '/v1/mailboxes/' + urllib.parse.quote(name_of(settings), safe=''),
                         settings)
        else:
            self.send_error(404)

    def is_ours(self):
        """A name that leads to 127.0.0.1 is not enough: another site's page could ask by it."""
        if self.headers.get('Host') in self.server.hosts:
            return True
        self.send_error(403)
        return False

    def settings(self):
        """The form as an object. JSON alone: another site's form cannot send it unasked."""
        length = self.headers.get('Content-Length', '')
        if self.headers.get_content_type() != 'application/json' or not length.isdigit() \
                or int(length) > BODY_MOST_BYTES:
            self.close_connection = True
            self.send_error(400)
            return None
        try:
            settings = json.loads(self.rfile.read(int(length)))
        except ValueError:
            settings = None
        if isinstance(settings, dict):
            return settings
        self.send_error(400)
        return None

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def pass_on(self, method, path, settings=None, instead=None):
        """What the daemon answers, line by line as it comes."""
        daemon = Daemon(self.server.socket_path)
        try:
            body = None if settings is None else json.dumps(settings).encode()
            daemon.request(method, path, body, {'Content-Type': 'application/json'})
            response = daemon.getresponse()
            if instead is not None and response.status != 200:
                self.answer(200, 'application/json', instead)
                return
            self.send_response(response.status)
            self.send_header('Content-Type', response.getheader('Content-Type', 'text/plain'))
            self.send_header('Connection', 'close')
            self.end_headers()
            for line in response:
                self.wfile.write(line)
                self.wfile.flush()
        except (OSError, http.client.HTTPException):
            if instead is None:
                self.send_error(502, 'mboxwatchd does not answer at its socket')
            else:
                self.answer(200, 'application/json', instead)
        finally:
            daemon.close()

    def end_headers(self):
        self.send_header('Content-Security-Policy', POLICY)
        self.send_header('X-Content-Type-Options', 'nosniff')
        self.send_header('Referrer-Policy', 'no-referrer')
        self.send_header('Cache-Control', 'no-store')
        super().end_headers()

    def log_message(self, *_):
        pass


def main():
    options = argparse.ArgumentParser(description='an example of a "connect your mailbox" page')
    options.add_argument('--socket', default=os.environ.get(
        'MBOXWATCH_SOCKET', '/run/mboxwatch/status.sock'))
    options.add_argument('--port', type=int, default=8080)
    given = options.parse_args()
    server = http.server.ThreadingHTTPServer(('127.0.0.1', given.port), Handler)
    server.daemon_threads = True
    server.socket_path = given.socket
    server.hosts = ['%s:%d' % (host, server.server_port) for host in ('127.0.0.1', 'localhost')]
    print('http://127.0.0.1:%d/' % server.server_port, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == '__main__':
    sys.exit(main())
