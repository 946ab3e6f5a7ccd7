#!/usr/bin/env python3
"""Real HTTP clients against the real server: what each does with a connection that dies while idle.

    clients.py --hangup BINARY [--client NAME] [--markdown]

Each client sends three requests, A, B and C, with a gap before B in which the mode acts. A case is a
client, a listener and a mode; it asserts what the client reported and what the ledger says. The
expectations are what these clients really do, right or wrong; docs/clients.md has the table that
--markdown prints.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import queue
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from hangup import Server, Tap  # noqa: E402

HERE = pathlib.Path(__file__).parent
# A second apart from each other, and from the 4 s after which undici drops a connection, as a machine
# may be slow.
IDLE = 1000  # ms until the server acts on an idle connection
GAP = 2500  # ms between A and B
AT_ONCE = 6  # cases, which wait most of the time

MODES = {
    'normal': {},
    'idle-close': {'idle': f'{IDLE}ms'},
    'half-open': {'idle': f'{IDLE}ms'},
    'close-on-reuse': {},
}


def spawn(command, **environment):
    """Runs a client. Returns its standard output and its standard error."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, env={**os.environ, **environment})
    return done.stdout, done.stderr


def first_line(*command):
    return spawn(command)[0].splitlines()[0]


class Client:
    modes = tuple(MODES)

    def unable(self):
        """Why this client cannot be tried, None if it can."""
        return None


class Curl(Client):
    """Sends all three at the pace of the gap."""
    command = 'curl'

    def __init__(self, option, method='GET'):
        self.options = [option, '--request', method]

    def version(self):
        return ' '.join(first_line('curl', '--version').split()[:2])

    def unable(self):
        if '1.1' in self.options[0]:
            return None
        if 'HTTP2' not in spawn(['curl', '--version'])[0]:
            return 'this curl has no HTTP/2'
        if 'prior' in self.options[0] and self.version().startswith('curl 7.'):
            return 'curl 7.88 cannot use an h2c connection twice, with any server'
        return None

    def arguments(self, server, listener):
        each = [*self.options, '--silent', '--show-error', '--output', '/dev/null', '--max-time', '5',
                '--cacert', server.ca, '--rate', f'{60000 // GAP}/m',
                '--write-out', r'%{http_code} %{num_connects}\n']
        return ['curl', *each, server.url(listener), '--output', '/dev/null', server.url(listener),
                '--output', '/dev/null', server.url(listener)]

    def run(self, server, listener):
        output, trouble = spawn(self.arguments(server, listener))
        errors = iter(re.findall(r'^curl: (\(\d+\).*)', trouble, re.M))
        for line in output.splitlines():
            status, connects = line.split()
            outcome = status if status != '000' else next(errors, 'curl: ?')
            yield f'{outcome} {"reused" if connects == "0" else "fresh"}'


class Node(Client):
    command = 'node'

    def __init__(self, kind, method='GET'):
        self.kind, self.method = kind, method

    def version(self):
        return 'Node ' + first_line('node', '--version')

    def unable(self):
        major = int(first_line('node', '--version').lstrip('v').split('.')[0])
        return 'Node before 18 has no fetch' if self.kind == 'fetch' and major < 18 else None

    def arguments(self, server, listener):
        return ['node', str(HERE / 'node_client.mjs'), self.kind, self.method, server.url(listener),
                str(GAP)]

    def run(self, server, listener):
        output, _ = spawn(self.arguments(server, listener), NODE_EXTRA_CA_CERTS=server.ca)
        yield from json_outcomes(output)


class Python(Client):
    command = sys.executable

    def version(self):
        return 'Python ' + sys.version.split()[0]

    def arguments(self, server, listener):
        return [sys.executable, str(HERE / 'python_client.py'), 'GET', server.url(listener),
                str(GAP), server.ca]

    def run(self, server, listener):
        yield from json_outcomes(spawn(self.arguments(server, listener))[0])


def json_outcomes(output):
    for line in output.splitlines():
        said = json.loads(line)
        yield said['outcome'] + {True: ' reused', False: ' fresh', None: ''}[said['reused']]


class Nghttp(Client):
    """Sends its requests at once, as streams side by side: its connection is never idle."""
    command = 'nghttp'
    modes = ('normal', 'close-on-reuse')

    def version(self):
        return first_line('nghttp', '--version')

    def arguments(self, server, listener):
        return ['nghttp', '--verbose', '--null-out', '--timeout=5', '--multiply=3',
                server.url(listener)]

    def run(self, server, listener):
        output, trouble = spawn(self.arguments(server, listener))
        plain = re.sub(r'\x1b\[[0-9;]*m', '', output)
        for status in re.findall(r':status: (\d+)', plain):
            yield status
        for told in re.findall(r'^(?:Some requests were not processed.*|\[ERROR\].*)', plain + trouble,
                               re.M):
            yield told


class H2load(Client):
    """Its timing script gives the gap; it sends on its one connection and reports sums."""
    command = 'h2load'

    def version(self):
        return first_line('h2load', '--version')

    def arguments(self, server, listener):
        return ['h2load', '--clients=1', '--connection-inactivity-timeout=6',
                '--timing-script-file=SCRIPT']

    def run(self, server, listener):
        with tempfile.NamedTemporaryFile('w', suffix='.script') as script:
            times = (0, GAP, GAP + 100)
            script.write(''.join(f'{ms}\t{server.url(listener)}\n' for ms in times))
            script.flush()
            output, _ = spawn([part.replace('SCRIPT', script.name)
                               for part in self.arguments(server, listener)])
        told = re.search(r'(\d+) succeeded, (\d+) failed', output)
        for outcome, times in zip(('200', 'failed'), told.groups() if told else ('0', '3')):
            yield from [outcome] * int(times)


# The clients, and the listeners that each is tried with.
CLIENTS = {
    'curl h1': (Curl('--http1.1'), ('http', 'https1', 'https')),
    'curl h1 POST': (Curl('--http1.1', 'POST'), ('https1',)),
    'curl h2': (Curl('--http2'), ('https',)),
    'curl h2c': (Curl('--http2-prior-knowledge'), ('http',)),
    'nghttp': (Nghttp(), ('https', 'http')),
    'h2load': (H2load(), ('https', 'http')),
    'node http': (Node('http'), ('http', 'https1')),
    'node http POST': (Node('http', 'POST'), ('https1',)),
    'node http2': (Node('http2'), ('https', 'http')),
    'node fetch': (Node('fetch'), ('http', 'https1')),
    'python http.client': (Python(), ('http', 'https1')),
}


class Saw:
    """What A, B and C came to (regular expressions), how many connections the server accepted, and
    how many stale requests it saw."""

    def __init__(self, *outcomes, opened, stale=0):
        self.outcomes, self.opened, self.stale = outcomes, opened, stale

    def fits(self, outcomes, opened, stale):
        return (len(outcomes) == len(self.outcomes) and (opened, stale) == (self.opened, self.stale)
                and all(map(re.fullmatch, self.outcomes, outcomes)))


# curl asks the kernel before it reuses a connection, and sends a request that got no answer again on
# a fresh one, whatever the method. With h2 it came to that only after 7.88.
CURL_KEEPS = [Saw('200 fresh', '200 reused', '200 reused', opened=1)]
CURL_NOTICES = [Saw('200 fresh', '200 fresh', '200 fresh', opened=3)]
CURL_SENDS_AGAIN = [Saw('200 fresh', '200 fresh', '200 fresh', opened=3, stale=2)]
CURL_H1 = {'normal': CURL_KEEPS, 'idle-close': CURL_NOTICES, 'half-open': CURL_SENDS_AGAIN,
           'close-on-reuse': CURL_NOTICES}
CURL_FAILS_ONCE = Saw('200 fresh', r'\((16|18|56)\) .* reused', '200 fresh', opened=2)

NODE_RESET = r'(ECONNRESET|EPIPE): .*'
NODE_H1 = {
    'normal': [Saw('200 fresh', '200 reused', '200 reused', opened=1)],
    'idle-close': [Saw('200 fresh', '200 fresh', '200 reused', opened=2)],
    'half-open': [Saw('200 fresh', f'{NODE_RESET} reused', '200 fresh', opened=2, stale=1)],
    'close-on-reuse': [Saw('200 fresh', f'{NODE_RESET} reused', '200 fresh', opened=2)],
}
PYTHON_ENDS = r'(RemoteDisconnected|ConnectionResetError|BrokenPipeError): .* reused'

# For each client and mode: what it may have seen.
EXPECTED = {
    'curl h1': CURL_H1,
    'curl h1 POST': CURL_H1,
    'curl h2': {**CURL_H1, 'close-on-reuse': [CURL_FAILS_ONCE, *CURL_NOTICES]},
    'curl h2c': {
        **CURL_H1,
        'idle-close': [Saw('200 fresh', r'\(16\) .* reused', '200 fresh', opened=2, stale=1),
                       *CURL_NOTICES],
        'close-on-reuse': [CURL_FAILS_ONCE, *CURL_NOTICES],
    },
    'nghttp': {
        'normal': [Saw('200', '200', '200', opened=1)],
        'close-on-reuse': [Saw('200', 'Some requests were not processed. total=3, processed=1',
                               opened=1)],
    },
    # It never opens a second connection.
    'h2load': {
        'normal': [Saw('200', '200', '200', opened=1)],
        'idle-close': [Saw('200', 'failed', 'failed', opened=1)],
        'half-open': [Saw('200', 'failed', 'failed', opened=1, stale=1)],
        'close-on-reuse': [Saw('200', 'failed', 'failed', opened=1)],
    },
    'node http': NODE_H1,
    'node http POST': NODE_H1,
    'node http2': {
        **NODE_H1,
        'close-on-reuse': [Saw('200 fresh', '(no response: .*|ECONNRESET: .*|ERR_HTTP2.*) reused',
                               '200 fresh', opened=2)],
    },
    'node fetch': {
        'normal': [Saw('200', '200', '200', opened=1)],
        'idle-close': [Saw('200', '200', '200', opened=2)],
        'half-open': [Saw('200', f'{NODE_RESET}|UND_ERR_SOCKET: .*', '200', opened=2, stale=1)],
        'close-on-reuse': [Saw('200', 'UND_ERR_SOCKET: .*', '200', opened=2)],
    },
    'python http.client': {
        'normal': [Saw('200 fresh', '200 reused', '200 reused', opened=1)],
        'idle-close': [Saw('200 fresh', PYTHON_ENDS, '200 fresh', opened=2, stale=1)],
        'half-open': [Saw('200 fresh', PYTHON_ENDS, '200 fresh', opened=2, stale=1)],
        'close-on-reuse': [Saw('200 fresh', PYTHON_ENDS, '200 fresh', opened=2)],
    },
}


def count(events, name):
    return sum(event['event'] == name for event in events)


def observe(server, client, listener, mode, expected):
    """What the client said, and how many connections and stale requests the ledger has."""
    server.admin.reset()
    server.admin.set_mode(mode, **MODES[mode])
    outcomes = list(client.run(server, listener))
    # The client may be gone before the server has read all that it sent.
    events = server.admin.wait_for(
        lambda events: any(saw.fits(outcomes, count(events, 'connection_open'),
                                    count(events, 'stale_request')) for saw in expected), seconds=10)
    return outcomes, count(events, 'connection_open'), count(events, 'stale_request')


def cases(names):
    """Each case: client, listener, mode, and why it cannot be tried, or None."""
    for name in names:
        client, listeners = CLIENTS[name]
        reason = client.unable() if shutil.which(client.command) else f'{client.command} is missing'
        for listener in listeners:
            for mode in client.modes:
                yield name, listener, mode, reason


def test(binary, names):
    """All cases, some at a time, each on a server that no other one uses meanwhile."""
    tap, servers = Tap(), queue.SimpleQueue()

    def see(case):
        name, listener, mode, reason = case
        if reason:
            return None
        server = servers.get()
        try:
            return observe(server, CLIENTS[name][0], listener, mode, EXPECTED[name][mode])
        finally:
            servers.put(server)

    todo = list(cases(names))
    for name in names:
        if any(case[0] == name and not case[3] for case in todo):
            tap.note(f'{name}: {CLIENTS[name][0].version()}')
    count = min(AT_ONCE, len(todo))
    for _ in range(count):
        servers.put(Server(binary))
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        for (name, listener, mode, reason), seen in zip(todo, pool.map(see, todo)):
            title = f'{name} over {listener} in mode {mode}'
            if reason:
                tap.skip(title, reason)
                continue
            expected = EXPECTED[name][mode]
            tap.case(title, any(saw.fits(*seen) for saw in expected),
                     f'saw {seen}; expected one of {[vars(saw) for saw in expected]}')
    ends = [servers.get().stop() for _ in range(count)]
    tap.case('the servers end cleanly', not any(end != 0 for end in ends), f'exit status {ends}')
    return tap.finish()


def markdown(binary, names):
    """The table of docs/clients.md: a row for each different thing seen. In mode normal all keep their
    connection, and get a 200 each time."""
    server = Server(binary)
    print('| client | over | mode | A | B | C | connections | stale requests |')
    print('|---|---|---|---|---|---|---|---|')
    for name in names:
        client, listeners = CLIENTS[name]
        if not shutil.which(client.command) or client.unable():
            continue
        for mode in client.modes[1:]:
            rows = {}
            for listener in listeners:
                outcomes, *numbers = observe(server, client, listener, mode, EXPECTED[name][mode])
                told = [re.sub(r' (reused|fresh)$', r' (\1)', outcome) for outcome in outcomes]
                row = (*told, *[''] * (3 - len(told)), *map(str, numbers))
                rows.setdefault(row, []).append(listener)
            for row, seen_over in rows.items():
                print('| ' + ' | '.join([name, ', '.join(seen_over), mode, *row]) + ' |', flush=True)
    versions = {client.version() for client, _ in CLIENTS.values() if shutil.which(client.command)}
    print('\n' + ', '.join(sorted(versions)))
    return server.stop()


def main():
    options = argparse.ArgumentParser(description='Real clients against the real server.')
    options.add_argument('--hangup', required=True, help='the server to test')
    options.add_argument('--client', default='', help='only clients whose name begins with this')
    options.add_argument('--markdown', action='store_true', help='print the table for the docs')
    args = options.parse_args()
    names = [name for name in CLIENTS if name.startswith(args.client)]
    if not names:
        options.error(f'no client begins with {args.client}; there are {", ".join(CLIENTS)}')
    return (markdown if args.markdown else test)(args.hangup, names)


if __name__ == '__main__':
    sys.exit(main())
