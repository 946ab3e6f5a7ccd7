#!/usr/bin/env python3
"""`hangup prove` where things go wrong: processes that will not end, users without rights, disks that
are full, servers that die, and the options that say where it listens.

    prove_trouble.py --hangup BINARY
"""
import contextlib
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from hangup import Server  # noqa: E402
from prove import PYTHON, WITHIN, run_parts, shell  # noqa: E402
from statuses import INCONCLUSIVE, NOT_PROVED, PROVED, USAGE  # noqa: E402

RETRIES = [*PYTHON, '--retry', '1']
ASK = 'curl -s -o /dev/null $HANGUP_URL/api/entitlement/get -o /dev/null $HANGUP_URL/api/entitlement/get'
BOMB = 300  # processes


def said_of(result):
    return '\n'.join(str(part) for part in result)


# --- Processes

def living(mark):
    """The processes that have this in their environment, or in what they were started with."""
    found = []
    for entry in os.listdir('/proc'):
        if not entry.isdigit():
            continue
        try:
            if mark.encode() in pathlib.Path('/proc', entry, 'environ').read_bytes():
                found.append(int(entry))
        except OSError:
            pass
    return found


# A process that cannot be told by its group, its session, its parent or its manners.
DAEMON = """
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
            signal.signal(number, signal.SIG_IGN)
        os.chdir('/')
        open(sys.argv[1], 'w').close()
        time.sleep(600)
    os._exit(0)
os.wait()
"""

# Each of them starts others for as long as it lives.
FORKS = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(int(sys.argv[2])):
    if os.fork() == 0:
        os.setsid()
        break
open(sys.argv[1], 'a').close()
until = time.monotonic() + 20
while time.monotonic() < until:
    if os.fork() == 0:
        time.sleep(0.2)
        os._exit(0)
    time.sleep(0.2)
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
time.sleep(600)
"""


def processes(tap, prove):
    """What COMMAND has started is gone, however hangup ends and however that defends itself."""
    up = prove.path('up')
    daemon, forks = prove.path('daemon.py'), prove.path('forks.py')
    pathlib.Path(daemon).write_text(DAEMON)
    pathlib.Path(forks).write_text(FORKS)
    wait = f'while [ ! -e {up} ]; do sleep 0.02; done; '
    rows = [('a daemon', f'{sys.executable} {daemon} {up}; '),
            (f'{BOMB} processes that start others', f'{sys.executable} {forks} {up} {BOMB} & ')]
    for title, start in rows:
        for number, expected in (None, PROVED), (signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(up)
            mark = uuid.uuid4().hex
            end = 'exit 0' if number is None else 'exec sleep 600'
            process = prove.start('--mode', 'normal', '--no-control', '--allow-inconclusive', '--settle', '200ms',
                                  command=shell(start + wait + end), MARK=mark)
            until = time.monotonic() + WITHIN
            while number is not None and not os.path.exists(up) and time.monotonic() < until:
                time.sleep(0.02)
            if number is not None:
                process.send_signal(number)
            process.communicate(timeout=WITHIN)
            how = number.name if number else 'its end'
            tap.case(f'{title}, {how}: {expected}', process.returncode == expected, process.returncode)
            while living(mark) and time.monotonic() < until:
                time.sleep(0.05)
            left = living(mark)
            tap.case(f'{title}, {how}: none is left', not left, left)
            for pid in left:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)


# --- Users and files

def unprivileged(tap, prove):
    title = 'a user without CAP_NET_ADMIN'
    if os.getuid() != 0:
        return tap.skip(title, 'only root can become another user')
    with tempfile.TemporaryDirectory(prefix='hangup-') as folder:
        os.chmod(folder, 0o755)
        binary = shutil.copy(prove.binary, folder)  # without capabilities of its own
        state = os.path.join(folder, 'state')
        os.mkdir(state)
        os.chown(state, 65534, 65534)
        user = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=-all', '--bounding-set=-all']

        def run(*words):
            return subprocess.run([*user, binary, 'prove', *words, '--state', state, '--', 'sh', '-c', ASK],
                                  capture_output=True, text=True, timeout=WITHIN, env=prove.environment, cwd='/')
        for words in (['--mode', 'suspend;how=black_hole'], ['--mode', 'black-hole']):
            done = run(*words)
            tap.case(f'{title}: {" ".join(words)} is a mistake in the set-up',
                     done.returncode == USAGE and 'CAP_NET_ADMIN' in done.stderr, done)
        done = run('01', '--over', 'h1', '--expect', 'recovered')
        tap.case(f'{title}: what needs none is judged', done.returncode in (PROVED, NOT_PROVED, INCONCLUSIVE), done)


def full_disk(tap, prove):
    title = 'a disk that is full'
    with tempfile.TemporaryDirectory(prefix='hangup-') as folder:
        script = 'mount -t tmpfs -o size=8k none "$0" && shift 0 && "$@"; status=$?; ls "$0"; exit $status'

        def run(*words):
            return subprocess.run(['unshare', '-m', 'sh', '-c', script, folder, *words], capture_output=True, text=True,
                                  timeout=WITHIN, env=prove.environment)
        if run('true').returncode != 0:
            return tap.skip(title, 'nothing can be mounted here')
        for option in 'junit', 'html', 'ledger':
            path = f'{folder}/{option}'
            fill = f'dd if=/dev/zero of={folder}/x bs=1k >/dev/null 2>&1; '
            done = run('sh', '-c', fill + ' exec "$@"', 'sh', prove.binary, 'prove', '01', '--over', 'h1',
                       f'--{option}', path, '--', *RETRIES)
            tap.case(f'{title}: --{option} says so', done.returncode == USAGE and
                     f'--{option}: {path}: No space left' in done.stderr, done)
            tap.case(f'{title}: no part of --{option} is left, and the result is shown',
                     done.stdout.splitlines()[-1:] == ['x'] and ': PROVED' in done.stdout, done)


def standard_output(tap, prove):
    words = [prove.binary, 'prove', '01', '--over', 'h1', '--expect', 'retry-once', '--']
    done = subprocess.run(['sh', '-c', '"$@" >&-', 'sh', *words, *RETRIES], env=prove.environment, timeout=WITHIN,
                          stderr=subprocess.PIPE, text=True)
    tap.case('with stdout closed the status is the same', done.returncode == PROVED, done)
    for more in [], ['--json']:
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run([*words[:-1], *more, '--', *RETRIES], env=prove.environment, timeout=WITHIN,
                              stdout=writing, stderr=subprocess.PIPE, text=True)
        os.close(writing)
        tap.case(f'that nobody reads stdout is said{" " if more else ""}{" ".join(more)}',
                 done.returncode == USAGE and 'Broken pipe' in done.stderr, done)


# --- Where it listens, and what it serves

def places(tap, prove):
    def told(*words, command='printenv HANGUP_URL'):
        """The run's first URL, and what became of it."""
        status, said, errors = prove.run(*words, '--no-control', '--settle', '200ms', '--allow-inconclusive',
                                         command=shell(command + '; ' + ASK))
        return said.split('\n', 1)[0], said_of((status, said, errors))
    url, all_of_it = told('--mode', 'normal', '--listen', '127.0.0.2')
    tap.case('--listen is where it is', url.startswith('https://127.0.0.2:'), all_of_it)
    first = free_ports(3)
    url, all_of_it = told('--mode', 'normal', '--ports', f'{first}-{first + 2}')
    tap.case('--ports are those', url.rsplit(':', 1)[-1] in [str(first + n) for n in range(3)], all_of_it)
    with socket.create_server(('127.0.0.1', first)):
        status, said, errors = prove.run('--mode', 'normal', '--ports', f'{first}-{first}', command=shell(ASK))
    tap.case('a port in use is said', status == USAGE and str(first) in errors, said_of((status, said, errors)))
    first = free_ports(2)
    result = prove.run('--mode', 'normal', '--ports', f'{first}-{first + 1}', command=shell(ASK))
    tap.case('too few ports are said', result[0] == USAGE and '--ports: of ' in result[2] and
             '--run-ports' not in result[2] and '$.' not in result[2], said_of(result))
    for option, value in [('--listen', '-1'), ('--listen', '127.0.0.1:80'), ('--ports', '-1'), ('--ports', '0.0.0.0:9100'),
                          ('--advertise', 'a..b'), ('--repeat', ''), ('--settle', '')]:
        result = prove.run('--mode', 'normal', option, value, command=shell(ASK))
        tap.case(f'{option} {value!r} is refused by its name and as it was given',
                 result[0] == USAGE and f'{option}: "{value}" ' in result[2] and '; allowed: ' in result[2], said_of(result))
    url, all_of_it = told('--mode', 'normal', '--advertise', 'client.example', command=(
        'printenv HANGUP_URL; port=${HANGUP_URL##*:}; curl -sf --connect-to "client.example:$port:127.0.0.1:$port" '
        '$HANGUP_URL/api/entitlement/get >/dev/null && echo served'))
    tap.case('--advertise is the name in the URL', url.startswith('https://client.example:'), all_of_it)
    tap.case('and in the certificate', 'served' in all_of_it, all_of_it)
    status, document = prove.document('01', '--over', 'h1', '--relayed', '--expect', 'recovered', command=RETRIES)
    tap.case('--relayed is in the verdict', document.get('relayed') is True, f'{status} {document}')


def trees(tap, prove):
    stubs, modes = prove.path('stubs'), prove.path('modes')
    os.mkdir(stubs)
    os.mkdir(modes)
    pathlib.Path(stubs, 'hello').write_text('{"hello":"there"}')
    pathlib.Path(modes, 'mine.json').write_text(json.dumps({'name': 'mine', 'extends': 'close-on-reuse',
                                                            'summary': 'As its base.', 'client_sees': 'The same.'}))
    result = prove.run('--mode', 'normal', '--no-control', '--settle', '200ms', '--allow-inconclusive', '--stubs', stubs,
                       command=shell('curl -s $HANGUP_URL/hello'))
    tap.case('--stubs are served', '{"hello":"there"}' in result[1], said_of(result))
    result = prove.run('--mode', 'mine', '--modes', modes, '--over', 'h1', '--expect', 'recovered', command=PYTHON)
    tap.case('--modes can be proved by', result[0] == NOT_PROVED, said_of(result))
    pathlib.Path(modes, 'bad.json').write_text('{')
    result = prove.run('--mode', 'mine', '--modes', modes, command=PYTHON)
    tap.case('a mode that is none is named', result[0] == USAGE and 'bad.json' in result[2], said_of(result))


def free_ports(count):
    """The first of so many that are free, one behind the other."""
    for first in range(21000, 29000, count):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(socket.create_server(('127.0.0.1', port)))
            return first
    raise RuntimeError('no ports are free')


# --- A server elsewhere

class Other(http.server.BaseHTTPRequestHandler):
    """A server that knows no runs."""
    protocol_version = 'HTTP/1.1'

    def answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        if self.path == '/v1':
            self.answer(200, {'version': '0.0.1', 'calls': []})
        else:
            self.answer(404, {'status': 404, 'detail': 'there is no such resource'})

    def do_POST(self):
        self.rfile.read(int(self.headers['Content-Length']))
        self.answer(404, {'status': 404, 'detail': 'there is no such resource'})

    def log_message(self, *arguments):
        pass


def elsewhere(tap, prove):
    other = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Other)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    result = prove.run('01', '--server', f'http://127.0.0.1:{other.server_port}', command=PYTHON)
    tap.case('a server that knows no runs is said', result[0] == USAGE and 'another version' in result[2], said_of(result))
    other.shutdown()
    other.server_close()

    first = free_ports(3)
    server = Server(prove.binary, '--run-ports', f'127.0.0.1:{first}-{first + 2}')
    url = f'http://localhost:{server.port("admin")}'
    run = server.admin.ask('POST', '/v1/runs', {'mode': 'normal'})
    result = prove.run('01', '--server', url, command=PYTHON)
    tap.case('a server without a free port is said', result[0] == USAGE and 'port' in result[2] and '503' in result[2],
             said_of(result))
    server.admin.ask('DELETE', f'/v1/runs/{run["id"]}')
    result = prove.run('01', '--over', 'h1', '--expect', 'retry-once', '--server', url, command=RETRIES)
    tap.case('it is used once there is one', result[0] == PROVED, said_of(result))
    left = [one['id'] for one in server.admin.ask('GET', '/v1/runs')['runs'] if one.get('state') == 'running']
    tap.case('and no run is left on it', left in ([], ['default']), left)

    for phase in 'control', 'fault':
        dying = Server(prove.binary)
        begin = time.monotonic()
        script = f'{ASK}; test $HANGUP_PHASE = {phase} && kill -KILL {dying.pid}; sleep 0.3'
        result = prove.run('01', '--over', 'h1', '--server', f'http://localhost:{dying.port("admin")}',
                           command=shell(script))
        tap.case(f'a server that dies in the phase {phase} is said, and nothing is proved',
                 result[0] == USAGE and '--server' in result[2] and 'PROVED' not in result[1].replace('NOT PROVED', ''),
                 said_of(result))
        tap.case(f'soon: {phase}', time.monotonic() - begin < 60, time.monotonic() - begin)
        dying.stop()
    server.stop()


def main():
    return run_parts('Where things go wrong.',
                     (processes, unprivileged, full_disk, standard_output, places, trees, elsewhere))


if __name__ == '__main__':
    sys.exit(main())
