"""A hangup server of one's own, its admin API, and TAP: for tests and benches in Python."""
import http.client
import json
import os
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading
import time

READY_WITHIN = 90  # seconds; a sanitizer on a busy machine is slow


class Admin:
    """The admin API at a port of this machine. Each call is a connection of its own."""

    def __init__(self, port):
        self.port = port

    def call(self, method, path, body=None, timeout=15):
        """Returns the status and the body: parsed when it is JSON, else text."""
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=timeout)
        try:
            headers = {'Connection': 'close'}
            if body is not None:
                body, headers['Content-Type'] = json.dumps(body), 'application/json'
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            kind = answer.getheader('Content-Type', '')
            return answer.status, json.loads(text) if 'json' in kind else text
        finally:
            connection.close()

    def ask(self, method, path, body=None, timeout=15):
        """As call, for calls that must succeed. Returns the body."""
        status, answer = self.call(method, path, body, timeout)
        if not 200 <= status < 300:
            raise RuntimeError(f'{method} {path} was answered with {status}: {answer}')
        return answer

    def set_mode(self, mode, **params):
        self.ask('PUT', '/v1/mode', {'mode': mode, 'params': params, 'apply': 'all'})

    def reset(self):
        self.ask('POST', '/v1/reset')

    def events(self, since=0):
        """All events after since that the ledger holds."""
        found = []
        while True:
            page = self.ask('GET', f'/v1/runs/default/events?since={since}')
            found += page['events']
            if not page['events']:
                return found
            since = page['next']

    def wait_for(self, holds, seconds=5):
        """The events, once holds(events) is true, or after some seconds anyway."""
        until = time.monotonic() + seconds
        while True:
            events = self.events()
            if holds(events) or time.monotonic() > until:
                return events
            time.sleep(0.05)


# Waits until nobody holds the other end of its standard input, or the process ends of which it has
# the pidfd; that process does not outlive the former.
GUARD = """
import os, select, signal
if 1 not in select.select([0, 1], [], [])[0]:
    signal.pidfd_send_signal(1, signal.SIGKILL)
"""


def watch_over(pid):
    """Starts a process that kills the one with this id when this program ends, however that does.
    PR_SET_PDEATHSIG would do the same, but a binary with file capabilities loses it when it is
    executed. In a session of its own, so that no signal to a group of processes ends it."""
    pidfd = os.pidfd_open(pid)
    try:
        return subprocess.Popen([sys.executable, '-I', '-S', '-c', GUARD], stdin=subprocess.PIPE,
                                stdout=pidfd, stderr=subprocess.DEVNULL, start_new_session=True)
    finally:
        os.close(pidfd)


class Server:
    """`hangup serve` on free loopback ports, with a state directory that goes with it. It does not
    outlive this program. `run_ports`: runs get free ports too (builds from before runs have no such
    option). One that ends badly when it is stopped fails the program, at Tap.finish()."""

    ended_badly = []  # how

    def __init__(self, binary, *arguments, command_prefix=(), run_ports=True):
        self._folder = tempfile.TemporaryDirectory(prefix='hangup-')
        self._log = open(pathlib.Path(self._folder.name, 'log'), 'w+')
        usual = {'--state': f'{self._folder.name}/state'}
        usual |= {f'--{name}': '127.0.0.1:0' for name in ('https', 'https1', 'http', 'admin')}
        if run_ports:
            usual['--run-ports'] = '127.0.0.1:0'
        command = [*command_prefix, str(binary), 'serve', *arguments]
        for name, value in usual.items():
            command += [] if name in arguments else [name, value]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True,
                                        stdout=subprocess.PIPE, stderr=self._log)
        self._guard = watch_over(self.process.pid)
        lines = queue.Queue()
        threading.Thread(target=lambda: lines.put(self.process.stdout.readline()),
                         daemon=True).start()
        try:
            self.ready = json.loads(lines.get(timeout=READY_WITHIN))['ready']
        except (queue.Empty, ValueError, KeyError) as trouble:
            self.process.kill()
            self._ended()
            raise RuntimeError(f'the server did not get ready ({trouble!r}): {self.log()}') from None
        self.ca = self.ready.get('ca')
        self.pid = self.ready['pid']
        self.admin = Admin(self.port('admin'))

    def port(self, listener):
        return self.ready[listener]['port']

    def url(self, listener, path='/api/entitlement/get'):
        scheme = 'http' if listener == 'http' else 'https'
        return f'{scheme}://127.0.0.1:{self.port(listener)}{path}'

    def log(self):
        self._log.flush()
        self._log.seek(0)
        return self._log.read()

    def _ended(self):
        self.process.wait()
        self._guard.stdin.close()
        self._guard.wait()

    def stop(self, seconds=20):
        """Ends it as an operator would. Returns its exit status, None if it had to be killed."""
        was_there = self.process.poll() is None
        self.process.terminate()
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = None
        self._ended()
        self.process.stdout.close()
        if status != 0:
            sys.stderr.write(self.log())
            if was_there:
                Server.ended_badly.append(f'exit status {status}' if status is not None else f'not within {seconds} s')
        self._log.close()
        self._folder.cleanup()
        return status

    def kill(self):
        """Ends it with SIGKILL, whatever it is at."""
        self.process.kill()
        self._ended()
        self.process.stdout.close()
        self._log.close()
        self._folder.cleanup()


class Tap:
    """Cases, told as TAP."""

    def __init__(self, stream=sys.stdout):
        self.stream = stream
        self.passed = self.failed = self.skipped = 0

    def _say(self, line):
        print(line, file=self.stream, flush=True)

    def note(self, text):
        for line in str(text).splitlines():
            self._say(f'# {line}')

    def case(self, title, good, why=''):
        if good:
            self.passed += 1
        else:
            self.failed += 1
        self._say(f'{"ok" if good else "not ok"} {self.count()} - {title}')
        if not good and why:
            self.note(why)
        return good

    def skip(self, title, reason):
        self.skipped += 1
        self._say(f'ok {self.count()} - {title} # SKIP {reason}')

    def count(self):
        return self.passed + self.failed + self.skipped

    def finish(self):
        """The plan, at the end. Returns the exit status."""
        if Server.ended_badly:
            self.case('a server that is stopped ends as it should', False, '; '.join(Server.ended_badly))
        self._say(f'1..{self.count()}')
        return 1 if self.failed or not self.count() else 0
