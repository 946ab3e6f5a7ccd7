#!/usr/bin/env python3
"""What people see: `hangup watch`, and `hangup serve` on a terminal.

    terminal.py --hangup BINARY
"""
import argparse
import http.client
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from hangup import Server, Tap, watch_over  # noqa: E402

WITHIN = 20  # seconds, for anything to be said
PATH = '/api/entitlement/get'


class Terminal:
    """A command with a terminal, or with pipes, as its stdin, stdout and stderr."""

    def __init__(self, *command, tty=True, **environment):
        environment = {**os.environ, 'TERM': 'xterm', 'NO_COLOR': '', **environment}
        self.text = ''
        if tty:
            self.fd, end = pty.openpty()
        else:
            self.fd, end = os.pipe()
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                        stdout=end, stderr=end, env=environment)
        os.close(end)
        self._guard = watch_over(self.process.pid)

    def read(self, pattern, seconds=WITHIN):
        """Reads until it has written what the pattern fits. Returns the match, or None."""
        until = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.text)
            left = until - time.monotonic()
            if found or left < 0:
                return found
            if select.select([self.fd], [], [], left)[0]:
                try:
                    some = os.read(self.fd, 65536).decode()
                except OSError:  # a terminal whose other end is closed
                    some = ''
                if not some:
                    return None
                self.text += some.replace('\r\n', '\n')

    def end(self, number=signal.SIGINT):
        """Returns its exit status."""
        self.process.send_signal(number)
        try:
            status = self.process.wait(WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = None
        self._guard.stdin.close()
        self._guard.wait()
        os.close(self.fd)
        return status


def meet_a_stale_connection(port):
    """A GET that is answered, one that draws FIN, and one on a new connection."""
    client = http.client.HTTPConnection('127.0.0.1', port, timeout=10)
    client.request('GET', PATH)
    client.getresponse().read()
    try:
        client.request('GET', PATH)
        client.getresponse()
    except (http.client.HTTPException, OSError):
        client.close()
        client.request('GET', PATH)
        client.getresponse().read()
    client.close()


STORY = (r'GET /api/entitlement/get 200  [\d.]+ ms.*\n'
         r'.*fault: fin of close-on-reuse \(reuse\).*\n'
         r'.*GET /api/entitlement/get  not answered: fault.*\n'
         r'.*retry: GET /api/entitlement/get comes again, attempt 2.*\n'
         r'.*GET /api/entitlement/get 200')


def serve_speaks_to_people(tap, binary):
    with tempfile.TemporaryDirectory(prefix='hangup-') as state:
        server = Terminal(binary, 'serve', '--state', state, '--https', '127.0.0.1:0', '--https1', 'off',
                          '--http', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--mode', 'close-on-reuse')
        ready = server.read(r'http://(localhost:\d+)/api')
        tap.case('serve on a terminal says its URLs, its mode and how to trust the CA',
                 ready and server.read(r'curl --cacert') and 'mode close-on-reuse' in server.text, server.text)
        meet_a_stale_connection(int(ready[1].rsplit(':')[-1]))
        tap.case('and a line for each request, fault and retry', server.read(STORY), server.text)
        tap.case('in colour', '\x1b[32m' in server.text, server.text)
        tap.case('it ends by ^C with 0', server.end() == 0, server.text)


def serve_without_colour(tap, binary):
    with tempfile.TemporaryDirectory(prefix='hangup-') as state:
        server = Terminal(binary, 'serve', '--state', state, '--https', 'off', '--https1', 'off',
                          '--http', '127.0.0.1:0', '--admin', '127.0.0.1:0', NO_COLOR='1')
        port = int(server.read(r'http://localhost:(\d+)/api')[1])
        admin = int(server.read(r'http://localhost:(\d+)/v1')[1])
        call = http.client.HTTPConnection('127.0.0.1', admin, timeout=10)
        call.request('POST', '/v1/runs/default/marks', '{"mark":"here"}', {'Content-Type': 'application/json'})
        tap.case('a mark can be set', call.getresponse().status == 201)
        call.close()
        meet_a_stale_connection(port)
        tap.case('a mark has a line', server.read(r'mark: here\n'), server.text)
        tap.case('NO_COLOR is honoured', '\x1b' not in server.text, repr(server.text))
        server.end()


def watch_follows(tap, binary, server):
    url = f'http://localhost:{server.port("admin")}'
    terminal = Terminal(binary, 'watch', url)
    faults = Terminal(binary, 'watch', '--event', 'fault', url, tty=False)
    second = Terminal(binary, 'watch', '--connection=2', url.removeprefix('http://'), tty=False)
    terminal.read('mode: close-on-reuse')
    meet_a_stale_connection(server.port('http'))
    tap.case('watch follows a server', terminal.read(STORY), terminal.text)
    tap.case('in colour on a terminal', '\x1b[35m' in terminal.text, terminal.text)
    tap.case('--event leaves the others out',
             faults.read(r'fault: fin') and faults.text.count('\n') == 1, faults.text)
    tap.case('plain elsewhere', '\x1b' not in faults.text, repr(faults.text))
    tap.case('--connection leaves the others out',
             second.read(r'GET /api/entitlement/get 200') and 'conn 1 ' not in second.text, second.text)
    for watch in terminal, second:
        tap.case('it ends by ^C with 0', watch.end() == 0, watch.text)
    tap.case('or by SIGTERM', faults.end(signal.SIGTERM) == 0, faults.text)


def watch_comes_back(tap, binary):
    server = Server(binary)
    port = server.port('admin')
    watch = Terminal(binary, 'watch', f'localhost:{port}', tty=False)
    server.admin.set_mode('drip')
    tap.case('watch sees the first server', watch.read('mode: drip'), watch.text)
    server.stop()
    tap.case('it says once that the server is away', watch.read('is not reached'), watch.text)
    again = Server(binary, '--admin', f'127.0.0.1:{port}')
    tap.case('it says that it is back', watch.read('is reached'), watch.text)
    again.admin.set_mode('throttle')
    tap.case('it follows the new one', watch.read('mode: throttle'), watch.text)
    tap.case('it had said it once', watch.text.count('is not reached') == 1, watch.text)
    watch.end()
    again.stop()


def watch_tells_servers_apart(tap, binary):
    """The new server has more events by the time that it is seen than the old one had."""
    server = Server(binary)
    port = server.port('admin')
    watch = Terminal(binary, 'watch', f'localhost:{port}', tty=False)
    server.admin.set_mode('drip')
    watch.read('mode: drip')
    watch.process.send_signal(signal.SIGSTOP)
    server.stop()
    again = Server(binary, '--admin', f'127.0.0.1:{port}')
    for number in range(60):
        again.admin.ask('POST', '/v1/marks', {'mark': f'new-{number}'})
    watch.process.send_signal(signal.SIGCONT)
    tap.case('a server that was started anew is told apart', watch.read('begin anew'), watch.text)
    tap.case('and none of its events is left out', watch.read('mark: new-59') and 'mark: new-0\n' in watch.text,
             watch.text)
    watch.end()
    again.stop()


def watch_says_what_is_missing(tap, binary):
    server = Server(binary, '--ledger-limit', '20000')
    watch = Terminal(binary, 'watch', f'localhost:{server.port("admin")}', tty=False)
    server.admin.set_mode('drip')
    watch.read('mode: drip')
    watch.process.send_signal(signal.SIGSTOP)
    for number in range(1500):
        server.admin.ask('POST', '/v1/marks', {'mark': f'mark-{number:050}'})
    watch.process.send_signal(signal.SIGCONT)
    tap.case('the newest events are seen', watch.read('mark: mark-0*1499'), watch.text[-2000:])
    tap.case('it says how many are missing', re.search(r'\d\d+ events are missing here', watch.text), watch.text[:2000])
    before = watch.text.count('missing here')
    server.admin.reset()
    server.admin.set_mode('throttle')
    tap.case('it goes on after a reset', watch.read('mode: throttle'), watch.text[-2000:])
    tap.case('which is no reason to say it often', watch.text.count('missing here') <= before + 1, watch.text[-2000:])
    watch.end()
    server.stop()


def watch_ends_with_its_run(tap, binary):
    server = Server(binary)
    run = server.admin.ask('POST', '/v1/runs', {'mode': 'normal'})['id']
    watch = Terminal(binary, 'watch', '--run', run, f'localhost:{server.port("admin")}', tty=False)
    watch.read('mode: normal')
    server.admin.ask('DELETE', f'/v1/runs/{run}')
    tap.case('it says that its run is over', watch.read(f'run {run} is over'), watch.text)
    tap.case('and ends then', watch.process.wait(WITHIN) == 0, watch.text)
    later = Terminal(binary, 'watch', '--run', run, f'localhost:{server.port("admin")}', tty=False)
    tap.case('of one that is over it shows the last events', later.read(f'run {run} is over') and
             'mode: normal' in later.text and later.process.wait(WITHIN) == 0, later.text)
    server.stop()


def watch_refuses(tap, binary, server):
    def run(*arguments, **environment):
        done = subprocess.run([binary, 'watch', *arguments], capture_output=True, text=True, timeout=60,
                              env={**os.environ, **environment})
        return done.returncode, done.stderr

    url = f'localhost:{server.port("admin")}'
    for arguments, words in [(['--connection', 'x'], '"x" is not a value'), (['--connection', '0'], 'from 1'),
                             (['--run', ''], 'not a value'), (['--run', '../x'], 'is no run'),
                             (['--run', 'missing', url], 'has no run "missing"'), (['--event'], 'value is missing'),
                             (['--event', 'faults'], 'did you mean fault?'), (['a', 'b'], 'one URL at most'),
                             (['--nonsense'], 'no such option'), (['https://localhost'], 'speaks http'),
                             (['localhost:'], 'from 1 to 65535'), (['localhost:0'], 'from 1 to 65535'),
                             (['localhost:65537'], 'from 1 to 65535'), ([':9000'], 'no host and port alone'),
                             (['localhost:x'], 'port'), (['localhost:9000/v1'], 'host and port alone'),
                             (['[::1:9000'], 'URL'), ([''], 'host and port')]:
        status, said = run(*arguments)
        tap.case(f'watch {" ".join(arguments)} is refused', status == 2 and words in said, f'{status}: {said}')
    guarded = Server(binary, '--admin-token', 'secret')
    url = f'localhost:{guarded.port("admin")}'
    status, said = run(url)
    tap.case('a token is asked for', status == 2 and 'HANGUP_ADMIN_TOKEN' in said, said)
    watch = Terminal(binary, 'watch', url, HANGUP_ADMIN_TOKEN='secret')
    meet_a_stale_connection(guarded.port('http'))
    tap.case('and taken from the environment', watch.read('GET /api/entitlement/get 200'), watch.text)
    watch.end()
    guarded.stop()


def main():
    options = argparse.ArgumentParser(description='What people see on a terminal.')
    options.add_argument('--hangup', required=True, help='the binary to test')
    binary = options.parse_args().hangup
    tap = Tap()
    serve_speaks_to_people(tap, binary)
    serve_without_colour(tap, binary)
    server = Server(binary, '--mode', 'close-on-reuse')
    watch_follows(tap, binary, server)
    watch_refuses(tap, binary, server)
    server.stop()
    watch_comes_back(tap, binary)
    watch_tells_servers_apart(tap, binary)
    watch_says_what_is_missing(tap, binary)
    watch_ends_with_its_run(tap, binary)
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
