#!/usr/bin/env python3
"""Speed and memory beside nginx and nghttpd, in one run.

Each server is one worker, pinned to one core, the load generator (wrk, h2load) to another. All
answer with a body of hangup's size, over keep-alive connections, with the same certificate. Servers
take turns, round by round; a rate is the median of its rounds, a ratio the median of the rounds'
ratios, so that a slow spell of the machine hits both sides of it. "By CPU time" is the same ratio of
requests per second of the server's own processor time: on a busy machine it says more.

Memory is what a fresh server's resident size grows by while it holds idle connections after one
request each, with hangup's ledger emptied (that is bounded, and no part of a connection).
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'clients')]
from hangup import Server  # noqa: E402
from idle import Holder  # noqa: E402

PATH = '/api/entitlement/get'

# What is measured: title, listener, load generator, and the least ratio to each rival (None: shown
# only).
ROWS = [
    ('h1 cleartext', 'http', ('wrk', '-t1', '-c32'), {'nginx': 0.55}),
    ('h1 TLS', 'https1', ('wrk', '-t1', '-c32'), {'nginx': 0.55}),
    ('h2 TLS -m32', 'https', ('h2load', '-t1', '-c8', '-m32'), {'nghttpd': 1.3, 'nginx': None}),
    ('h2 TLS -m1', 'https', ('h2load', '-t1', '-c8', '-m1'), {'nghttpd': 1.0, 'nginx': None}),
    ('h2c -m32', 'http', ('h2load', '-t1', '-c8', '-m32'), {'nghttpd': 1.3}),
    ('h2c -m1', 'http', ('h2load', '-t1', '-c8', '-m1'), {'nghttpd': 1.0}),
]
# What a mode costs whose rules never fire: the same server with and without it.
ARMED = {
    'name': 'never-fires', 'summary': 'A rule on every trigger of a request, none of which fires.',
    'rules': [
        {'on': 'request', 'at': 'first_byte', 'nth': 4000000000, 'do': ['rst']},
        {'on': 'request', 'at': 'headers', 'nth': 4000000000, 'do': ['rst']},
        {'on': 'reuse', 'at': 'complete', 'idle': '1h', 'do': ['rst']},
        {'on': 'response', 'at': 'start', 'nth': 4000000000, 'do': ['rst']},
        {'on': 'response', 'at': {'bytes': 100}, 'nth': 4000000000, 'do': ['rst']},
        {'on': 'response', 'at': 'end', 'nth': 4000000000, 'do': ['rst']},
        {'on': 'idle', 'after': '1h', 'do': ['rst']},
        {'on': 'age', 'after': '1h', 'do': ['rst']},
        {'on': 'mark', 'name': 'never', 'do': ['rst']},
    ],
}
COST = [(f'armed, {title}', listener, load, {'hangup': 0.98})
        for title, listener, load, _ in ROWS if title in ('h1 cleartext', 'h1 TLS', 'h2 TLS -m32')]
# What a verdict costs that is fed all that happens: the same server with one and without.
WITNESS = [(f'witness, {title}', listener, load, {'hangup': 0.95})
           for title, listener, load, _ in ROWS if title in ('h1 cleartext', 'h2 TLS -m32', 'h2c -m32')]
# Title, listener, ALPN, the most kB a connection for hangup (None: shown only), and its rivals.
MEMORY = [
    ('memory, h1 cleartext', 'http', 'http/1.1', None, ('nginx',)),
    ('memory, h1 TLS', 'https1', 'http/1.1', 24, ('nginx',)),
    ('memory, h2c', 'http', 'h2', None, ('nghttpd',)),
    ('memory, h2 TLS', 'https', 'h2', 28, ('nginx', 'nghttpd')),
]


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def wait_open(port, process, seconds=10):
    until = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(('127.0.0.1', port), timeout=1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f'{process.args}: does not listen on {port}') from None
            time.sleep(0.05)


def end(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Hangup:
    name = 'hangup'

    def __init__(self, setting, binary=None, *arguments):
        self.server = Server(binary or setting.binary, *setting.certificate_arguments(),
                             *arguments, command_prefix=setting.pin_server,
                             run_ports=False)

    def url(self, listener):
        return self.server.url(listener, PATH)

    def port(self, listener):
        return self.server.port(listener)

    def pid(self, listener):
        return self.server.pid

    def settle(self):
        self.server.admin.reset()

    def remark(self):
        """What is to be said of it behind a table, or nothing."""

    def stop(self):
        if self.server.stop() != 0:
            raise RuntimeError('hangup did not end cleanly')


class Armed(Hangup):
    """Hangup with a mode whose rules are looked at and never fire."""
    name = 'armed'

    def __init__(self, setting):
        folder = setting.folder / 'modes'
        folder.mkdir(exist_ok=True)
        (folder / f'{ARMED["name"]}.json').write_text(json.dumps(ARMED))
        super().__init__(setting, None, '--modes', str(folder), '--mode', ARMED['name'])


class Witness(Hangup):
    """Hangup whose default run has a verdict: from when it is first asked for."""
    name = 'witness'

    def __init__(self, setting):
        super().__init__(setting)
        self.server.admin.ask('GET', '/v1/verdict')

    def remark(self):
        """How much of what happened it was not fed. Asking feeds it the rest."""
        gaps = self.server.admin.ask('GET', '/v1/verdict')['missing']
        missing = sum(gap['last_seq'] - gap['first_seq'] + 1 for gap in gaps)
        last = self.server.admin.ask('GET', '/v1/runs/default/events?last=1')['events'][-1]['seq']
        return f'of {last} events, {missing} at most were dropped before the verdict was fed them'


class Before(Hangup):
    """Another build of hangup (--before), to see what a change costs."""
    name = 'before'

    def __init__(self, setting):
        super().__init__(setting, setting.before)


class Rival:
    """A server of somebody else's, on ports that are free now."""

    def __init__(self, setting):
        self.setting = setting
        self.ports = {name: free_port() for name in ('http', 'https1', 'https')}
        self.processes = []

    def start(self, *command, opens):
        with open(self.setting.folder / f'{self.name}.log', 'a') as log:
            process = subprocess.Popen([*self.setting.pin_server, *command], stdout=log, stderr=log,
                                       stdin=subprocess.DEVNULL)
        self.processes.append(process)
        for listener in opens:
            wait_open(self.ports[listener], process)

    def port(self, listener):
        return self.ports[listener]

    def url(self, listener):
        scheme = 'http' if listener == 'http' else 'https'
        return f'{scheme}://127.0.0.1:{self.ports[listener]}{PATH}'

    def settle(self):
        pass

    def remark(self):
        pass

    def stop(self):
        for process in self.processes:
            end(process)


class Nginx(Rival):
    name = 'nginx'

    def __init__(self, setting):
        super().__init__(setting)
        folder = setting.folder
        configuration = folder / 'nginx.conf'
        body = setting.body.replace("'", ' ').replace('$', ' ').replace('\\', ' ')
        configuration.write_text(f'''
            daemon off;
            worker_processes 1;
            worker_rlimit_nofile 20000;
            pid {folder}/nginx.pid;
            error_log {folder}/nginx.error.log;
            events {{ worker_connections 16384; }}
            http {{
                access_log off;
                keepalive_requests 1000000000;
                keepalive_timeout 3600s;
                keepalive_time 24h;
                default_type application/json;
                client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2;
                fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4;
                scgi_temp_path {folder}/t5;
                ssl_certificate {setting.certificate};
                ssl_certificate_key {setting.key};
                ssl_protocols TLSv1.2 TLSv1.3;
                server {{
                    listen 127.0.0.1:{self.ports["http"]};
                    listen 127.0.0.1:{self.ports["https1"]} ssl;
                    location / {{ return 200 '{body}'; }}
                }}
                server {{
                    listen 127.0.0.1:{self.ports["https"]} ssl http2;
                    location / {{ return 200 '{body}'; }}
                }}
            }}''')
        self.start('nginx', '-e', f'{folder}/nginx.error.log', '-c', str(configuration),
                   opens=('http', 'https1', 'https'))

    def pid(self, listener):
        master = self.processes[0].pid
        return int(pathlib.Path(f'/proc/{master}/task/{master}/children').read_text().split()[0])


class Nghttpd(Rival):
    name = 'nghttpd'

    def __init__(self, setting):
        super().__init__(setting)
        page = setting.folder / 'htdocs' / PATH.lstrip('/')
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(setting.body)
        common = ['nghttpd', '-n1', '-a', '127.0.0.1', '-d', str(setting.folder / 'htdocs')]
        self.start(*common, str(self.ports['https']), str(setting.key), str(setting.certificate),
                   opens=('https',))
        self.start(*common, '--no-tls', str(self.ports['http']), opens=('http',))

    def pid(self, listener):
        return self.processes[0 if listener == 'https' else 1].pid


class Setting:
    """What all servers of a run have in common."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise RuntimeError('this needs two cores: one for the server, one for the load')
        self.pin_server = ['taskset', '-c', str(cores[0])]
        self.pin_load = ['taskset', '-c', str(cores[1])]
        # A first server mints the certificate and tells how long its answer is.
        self.certificate = self.key = None
        server = Server(binary)
        try:
            state = pathlib.Path(server.ca).parent
            self.certificate = shutil.copy(state / 'server.pem', folder)
            self.key = shutil.copy(state / 'server-key.pem', folder)
            with urllib.request.urlopen(server.url('http', PATH)) as answer:
                self.body = answer.read().decode()
        finally:
            server.stop()

    def certificate_arguments(self):
        return ['--cert', self.certificate, '--key', self.key]


def measure(setting, load, url, seconds):
    """Requests a second; every one must have been answered with 200."""
    if load[0] == 'wrk':
        command = [*load, f'-d{seconds}s', url]
    else:
        command = [*load, '-D', str(seconds), '--warm-up-time=300ms', url]
    told = subprocess.run([*setting.pin_load, *command], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=seconds + 60).stdout
    if load[0] == 'wrk':
        rate = re.search(r'Requests/sec: *([\d.]+)', told)
        bad = re.search(r'Non-2xx.*|Socket errors.*', told)
    else:
        rate = re.search(r'finished in .*?, ([\d.]+) req/s', told)
        bad = re.search(r'[1-9]\d* (?:failed|errored|timeout)|[1-9]\d* [345]xx', told)
    if not rate or bad or float(rate.group(1)) == 0:
        raise RuntimeError(f'{" ".join(command)}: {bad.group(0) if bad else "no rate"}\n{told}')
    return float(rate.group(1))


def processor_time(pid):
    """Seconds that a process has run."""
    fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def thousands(rate):
    return f'{rate / 1000:.1f}k'


def judge(value, bar, at_least):
    if bar is None:
        return ''
    good = value >= bar if at_least else value <= bar
    return f'{"reached" if good else "MISSED"} ({"at least" if at_least else "at most"} {bar})'


def table(head, rows):
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, ['-' * width for width in widths], *rows]:
        print('| ' + ' | '.join(cell.ljust(width) for cell, width in zip(row, widths)) + ' |')
    print(flush=True)


def compare(title, ours, rival, rates, shares, bar):
    """A row of the table: a server beside a rival."""
    ratios = [a / b for a, b in zip(rates[ours], rates[rival])]
    # A server that did not have its core for itself did as much in less time.
    by_time = statistics.median(ratio * theirs / ours for ratio, ours, theirs
                                in zip(ratios, shares[ours], shares[rival]))
    ratio = statistics.median(ratios)
    return [title, thousands(statistics.median(rates[ours])), rival,
            thousands(statistics.median(rates[rival])), f'{ratio:.2f}',
            f'{min(ratios):.2f}-{max(ratios):.2f}', f'{by_time:.2f}', judge(ratio, bar, True)]


def bench_speed(setting, measured, seconds, rounds, kinds):
    """The first of the kinds of server beside those of the others that the rows name."""
    first, *others = servers = [kind(setting) for kind in kinds]
    rows, remarks = [], []
    try:
        for title, listener, load, bars in measured:
            print(f'{title}: {rounds} rounds', file=sys.stderr)
            rivals = [rival for rival in others if rival.name in bars]
            rates = {server.name: [] for server in (first, *rivals)}
            shares = {server.name: [] for server in (first, *rivals)}
            for _ in range(rounds):
                for server in (first, *rivals):
                    before, begun = processor_time(server.pid(listener)), time.monotonic()
                    rates[server.name].append(
                        measure(setting, load, server.url(listener), seconds))
                    busy = processor_time(server.pid(listener)) - before
                    shares[server.name].append(busy / (time.monotonic() - begun))
            for rival in rivals:
                rows.append(compare(title, first.name, rival.name, rates, shares,
                                    bars[rival.name]))
        remarks = [(server.name, server.remark()) for server in servers]
    finally:
        for server in servers:
            server.stop()
    table(['requests/s', first.name, 'beside', '', 'ratio', 'range', 'by CPU time', 'target'], rows)
    for name, remark in remarks:
        if remark:
            print(f'{name}: {remark}\n')


def resident(pid):
    pages = int(pathlib.Path(f'/proc/{pid}/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE')


def hold_memory(kind, setting, listener, alpn, connections):
    """kB a connection."""
    server = kind(setting)
    try:
        with Holder(server.port(listener), alpn, PATH, listener == 'http') as holder:
            holder.open(1)
            server.settle()
            time.sleep(0.2)
            before = resident(server.pid(listener))
            holder.open(connections)
            server.settle()
            time.sleep(0.5)
            return (resident(server.pid(listener)) - before) / connections / 1000
    finally:
        server.stop()


def bench_memory(setting, measured, connections, rivals):
    rows = []
    for title, listener, alpn, bar, names in measured:
        print(f'{title}: {connections} connections', file=sys.stderr)
        ours = hold_memory(Hangup, setting, listener, alpn, connections)
        theirs = [f'{hold_memory(rival, setting, listener, alpn, connections):.2f}'
                  if rival.name in names else '' for rival in rivals]
        rows.append([title, f'{ours:.2f}', *theirs, judge(ours, bar, False)])
    names = [rival.name for rival in rivals]
    table(['kB an idle connection', 'hangup', *names, 'target'], rows)


def main():
    options = argparse.ArgumentParser(prog='./dev bench', description=__doc__,
                                      formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument('--hangup', required=True, help=argparse.SUPPRESS)
    options.add_argument('--seconds', type=int, default=1, help='of a round (default 1)')
    options.add_argument('--rounds', type=int, default=5, help='of each row (default 5)')
    options.add_argument('--connections', type=int, default=2000,
                         help='to hold for the memory (default 2000)')
    options.add_argument('--only', default='', metavar='TITLE',
                         help='only rows whose title begins so: "h1", "h2 TLS", "armed", "witness", '
                              '"memory"')
    options.add_argument('--before', metavar='BINARY',
                         help='only this: beside another build of hangup, without a target')
    args = options.parse_args()
    tables = [ROWS, COST, WITNESS, MEMORY]
    if args.before:
        tables = [[(*row[:3], {'before': None}) for row in ROWS], [], [],
                  [(*row[:3], None, ('before',)) for row in MEMORY]]
    speed, cost, witness, memory = ([row for row in rows if row[0].startswith(args.only)]
                                    for rows in tables)
    if not speed and not cost and not witness and not memory:
        options.error(f'no row begins with "{args.only}"')
    with tempfile.TemporaryDirectory(prefix='hangup-bench-') as folder:
        os.chmod(folder, 0o755)
        setting = Setting(args.hangup, pathlib.Path(folder))
        setting.before = args.before
        print(f'{len(setting.body)} bytes of body; {args.rounds} rounds of {args.seconds} s')
        rivals = (Before,) if args.before else (Nginx, Nghttpd)
        if speed:
            bench_speed(setting, speed, args.seconds, args.rounds, (Hangup, *rivals))
        if cost:
            bench_speed(setting, cost, args.seconds, args.rounds, (Armed, Hangup))
        if witness:
            bench_speed(setting, witness, args.seconds, args.rounds, (Witness, Hangup))
        if memory:
            bench_memory(setting, memory, args.connections, rivals)


if __name__ == '__main__':
    try:
        main()
    except RuntimeError as trouble:
        sys.exit(f'bench: {trouble}')
