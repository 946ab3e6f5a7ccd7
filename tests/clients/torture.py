#!/usr/bin/env python3
"""Random modes, plans, marks and resets, while clients hammer the server: it must live, and keep books.

    torture.py --hangup BINARY [--seed N] [--seconds S]

Rules are made of every trigger and step that the server lists, and so are `do` calls. Clients speak
HTTP/1.1 and HTTP/2, clear and over TLS, well and badly. What is asserted: no call of the API fails,
no event contradicts those before it, no connection outlives its client for long once a reset has let
go of it, no descriptor is lost, and the server ends as it should with nothing worth a warning in its
log. The seed decides what is tried; when it happens is up to the machine.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from hangup import Server, Tap  # noqa: E402

PATH = '/api/entitlement/get'
MARKS = ('background', 'foreground')
ENDS = ('fin', 'rst', 'forget', 'hold', 'rst_stream', 'refuse')
SILENCES = {'stall': 'resume', 'black_hole': 'heal'}
GONE_WITHIN = 20  # seconds, for connections whose clients are gone; a sanitizer is slow


# --- What the server is told

class Language:
    """Makes random modes, plans and steps out of what `hangup modes --language` lists."""

    def __init__(self, binary, dice, capabilities):
        listed = json.loads(subprocess.run([binary, 'modes', '--language'], check=True,
                                           capture_output=True).stdout)
        self.dice = dice
        self.triggers = listed['triggers']
        self.steps = [step for step in listed['steps'] if set(step['needs']) <= capabilities]

    def duration(self, most=300):
        return f'{self.dice.randrange(most)}ms'

    def argument(self, row):
        dice = self.dice
        kind = row['type']
        if row.get('choices'):
            return dice.choice(row['choices'])
        if kind == 'bool':
            return dice.random() < 0.5
        if kind == 'int':
            least = row.get('min', 0)
            most = row.get('max', 1000)
            return min(most, max(least, dice.choice((0, 1, 2, 10, 100, 503, 5000, 100000))))
        return {
            'duration': self.duration,
            'text': lambda: 'x' * dice.choice((1, 9, 300)),
            'hex': lambda: dice.randbytes(len(row['default']) // 2).hex(),
            'error code': lambda: dice.choice(('NO_ERROR', 'ENHANCE_YOUR_CALM', 7, 13)),
            'last stream': lambda: dice.choice(('seen', 'none', 1, 5, '-2', '+2')),
            'headers object': lambda: {'x-torture': 'yes'},
            'header name': lambda: dice.choice(('X-Torture', 'Content-Type')),
            'header value': lambda: 'y' * dice.choice((0, 9, 2000)),
            'body': lambda: 'z' * dice.choice((0, 1, 400, 40000)),
        }.get(kind, lambda: 'x')()

    def step(self, row):
        if row['name'] == 'inject':
            return {'inject': {'text' if self.dice.random() < 0.5 else 'hex': '4142'}}
        rows = [argument for argument in row['arguments']
                if argument['required'] or self.dice.random() < 0.6]
        rows = [argument for argument in rows if 'needs' not in argument]
        return {row['name']: {argument['name']: self.argument(argument) for argument in rows}} \
            if rows else row['name']

    def some_steps(self, place, over):
        """Most of them can follow each other; those that cannot are refused."""
        fitting = [step for step in self.steps if place in step['fits'] and over in step['over']]
        steps = []
        for _ in range(self.dice.choice((1, 1, 2, 3, 5))):
            row = self.dice.choice(fitting)
            steps.append(self.step(row))
            if row['name'] in ENDS:
                break
            if row['name'] in SILENCES and self.dice.random() < 0.9:
                steps += [{'wait': self.duration()}, SILENCES[row['name']]]
        return steps

    def narrowed(self, row, rule):
        dice = self.dice
        members = {
            'nth': lambda: dice.choice((1, '2-', '1-3')),
            'connection': lambda: dice.choice(('1-/2', '2-', 3)),
            'times': lambda: dice.randrange(1, 4),
            'idle': self.duration,
            'after': self.duration,
            'age': self.duration,
            'name': lambda: dice.choice(MARKS),
            'unless': lambda: dice.choice(MARKS),
        }
        for member in row['takes']:
            if member in members and (member in row['requires'] or dice.random() < 0.25):
                rule[member] = members[member]()
        if rule.get('unless') is not None and rule['unless'] == rule.get('name'):
            del rule['unless']

    def rule(self):
        row = self.dice.choice(self.triggers)
        over = self.dice.choice(('h1', 'h2'))
        rule = {'on': row['name']}
        place = row['name']
        if 'at' in row:
            at = self.dice.choice(row['at'])
            place += ' at ' + at['name']
            rule['at'] = at['name']
            if at.get('counted'):
                most = self.dice.choice((1, 9, 40, 300, 700, 50000))
                rule['at'] = {at['name']: max(at['min'], self.dice.randrange(most + 1))}
        if 'over' in row['takes']:
            rule['over'] = over
        self.narrowed(row, rule)
        rule['do'] = self.some_steps(place, over)
        return rule

    def mode(self, name):
        return {'name': name, 'summary': 's', 'client_sees': 'c', 'basis': 'b', 'exercises': [],
                'params': {}, 'rules': [self.rule() for _ in range(self.dice.randrange(1, 6))]}

    def entry(self, name):
        dice = self.dice
        entry = {'mode': name}
        if dice.random() < 0.4:
            entry['connection'] = dice.choice(('1-/2', '2-', 3, '4-8'))
        if dice.random() < 0.4:
            entry['over'] = dice.choice(('h1', 'h2'))
        if dice.random() < 0.5:
            entry['probability'] = round(dice.random(), 3)
        return entry


class Tester:
    """Sets modes, plans and marks, acts on connections, resets; notes what goes wrong."""

    def __init__(self, server, language, dice, troubles):
        self.server, self.language, self.dice, self.troubles = server, language, dice, troubles
        self.names, self.made = ['normal'], 0
        self.done = collections.Counter()

    def call(self, method, path, body=None, expected=(200, 201, 204)):
        """An answer that is not expected is a trouble; a mode or plan may be refused (400)."""
        status, answer = self.server.admin.call(method, path, body, timeout=30)
        if status not in expected:
            self.troubles.append(f'{method} {path} {json.dumps(body)} got {status}: {answer}')
        return status, answer

    def make_mode(self):
        self.made += 1
        name = f'torture-{self.made % 40}'
        status, _ = self.call('PUT', f'/v1/modes/{name}', self.language.mode(name),
                              (200, 201, 204, 400))
        self.done[f'mode {status}'] += 1
        if status != 400 and name not in self.names:
            self.names.append(name)
        return name if name in self.names else 'normal'

    def set_mode(self):
        self.call('PUT', '/v1/mode', {'mode': self.make_mode(),
                                      'apply': self.dice.choice(('all', 'new'))})

    def set_plan(self):
        plan = [self.language.entry(self.dice.choice(self.names))
                for _ in range(self.dice.randrange(1, 5))]
        status, _ = self.call('PUT', '/v1/mode', {
            'plan': plan, 'seed': self.dice.randrange(1000), 'apply': self.dice.choice(('all', 'new'))
        }, (200, 400))
        self.done[f'plan {status}'] += 1

    def act(self):
        connections = self.call('GET', '/v1/connections')[1]['connections']
        if not connections:
            return
        one = self.dice.choice(connections)
        over = 'h2' if one['protocol'] == 'h2' else 'h1'
        status, _ = self.call('POST', f'/v1/connections/{one["id"]}/do',
                              {'do': self.language.some_steps('idle', over)},
                              (200, 201, 202, 204, 400, 404))
        self.done[f'do {status}'] += 1

    def go_on(self):
        what = self.dice.random()
        if what < 0.4:
            self.set_mode()
        elif what < 0.55:
            self.set_plan()
        elif what < 0.7:
            self.call('POST', '/v1/runs/default/marks', {'mark': self.dice.choice(MARKS)})
        elif what < 0.93:
            self.act()
        elif what < 0.97:
            self.server.admin.reset()
            self.done['reset'] += 1
        else:
            self.call('GET', '/v1/mode')
            self.make_mode()
            self.call('PATCH', '/v1/runs/default',
                      {'time_scale': self.dice.choice((0.1, 1, 2)), 'mode': self.names[-1]})


# --- What clients do

class Client(threading.Thread):
    """Makes one connection after the other, each with a life of its own, until told to stop."""

    def __init__(self, server, dice, stop, modes):
        super().__init__(daemon=True)
        self.server, self.dice, self.stop, self.modes = server, dice, stop, modes
        self.connections = 0
        self.got = bytearray()  # of this connection
        self.garbled = []  # the addresses of h2 connections on which frames were not whole
        self.trouble = None

    def connect(self):
        listener = self.dice.choice(('https', 'https1', 'http'))
        raw = socket.create_connection(('127.0.0.1', self.server.port(listener)), timeout=1)
        self.connections += 1
        if listener == 'http':
            return raw, self.dice.random() < 0.5
        context = ssl.create_default_context(cafile=self.server.ca)
        context.set_alpn_protocols(['h2', 'http/1.1'] if self.dice.random() < 0.7 else ['http/1.1'])
        if self.dice.random() < 0.1:  # a ClientHello and no more
            raw.sendall(bytes.fromhex('160301') + self.dice.randbytes(40))
            time.sleep(self.dice.random() * 0.1)
            raw.close()
            raise OSError('of our own making')
        try:
            tls = context.wrap_socket(raw, server_hostname='127.0.0.1')
        except OSError:
            raw.close()
            raise
        return tls, tls.selected_alpn_protocol() == 'h2'

    def pause(self, connection, most=0.15):
        """Reads for a while what there is."""
        connection.settimeout(self.dice.random() * most + 0.001)
        while True:
            got = connection.recv(self.dice.choice((1, 100, 65536)))
            if not got:
                raise OSError('the server ended it')
            self.got += got
            if self.dice.random() < 0.2:
                return

    def say(self, connection, octets):
        """Sends it in one or several pieces."""
        while octets:
            n = self.dice.choice((1, 7, 30, 10000, 10000, 100000))
            connection.settimeout(1)
            connection.sendall(octets[:n])
            octets = octets[n:]
            if self.dice.random() < 0.2:
                time.sleep(self.dice.random() * 0.02)

    def end(self, connection):
        if self.dice.random() < 0.3:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        elif self.dice.random() < 0.3:
            try:
                connection.shutdown(socket.SHUT_WR)
                self.pause(connection)
            except OSError:
                pass
        connection.close()

    def target(self):
        mode = f'/mode/{self.dice.choice(self.modes)}' if self.dice.random() < 0.15 else ''
        return mode + self.dice.choice((PATH, PATH, PATH, '/', '/nowhere?x=1'))

    # HTTP/1.1

    def h1_request(self):
        dice = self.dice
        kind = dice.random()
        head = f'{self.target()} HTTP/1.1\r\nHost: x\r\nX-Request-ID: {dice.randrange(50)}\r\n'
        if kind < 0.5:
            return f'GET {head}\r\n'.encode()
        if kind < 0.6:
            return f'HEAD {head}\r\n'.encode()
        if kind < 0.63:
            return dice.randbytes(30) + b'\r\n\r\n'
        if kind < 0.8:
            body = bytes(dice.choice((0, 5, 5000)))
            expect = 'Expect: 100-continue\r\n' if dice.random() < 0.3 else ''
            return f'POST {head}{expect}Content-Length: {len(body)}\r\n\r\n'.encode() + body
        if kind < 0.83:
            return f'POST {head}Content-Length: 5000000\r\n\r\n'.encode() + bytes(2000)
        if kind < 0.93:
            return f'POST {head}Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n'.encode()
        return f'GET {head}Connection: close\r\n\r\n'.encode()

    def h1_life(self, connection):
        for _ in range(self.dice.randrange(1, 8)):
            octets = b''.join(self.h1_request() for _ in range(self.dice.choice((1, 1, 1, 2, 5))))
            if self.dice.random() < 0.1:
                octets = octets[:self.dice.randrange(len(octets))]
            self.say(connection, octets)
            try:
                self.pause(connection)
            except TimeoutError:
                pass

    # HTTP/2

    @staticmethod
    def frame(kind, flags, stream, payload=b''):
        return len(payload).to_bytes(3, 'big') + bytes((kind, flags)) + stream.to_bytes(4, 'big') \
            + payload

    @staticmethod
    def field(name, value):
        """A literal without indexing (RFC 7541 6.2.2), no Huffman code."""
        name, value = name.encode(), value.encode()
        return b'\0' + bytes((len(name),)) + name + bytes((len(value),)) + value

    def h2_request(self, stream):
        dice = self.dice
        method = dice.choice(('GET', 'GET', 'HEAD', 'POST'))
        block = b''.join(self.field(name, value) for name, value in (
            (':method', method), (':scheme', 'http'), (':path', self.target()), (':authority', 'x'),
            ('x-request-id', str(dice.randrange(50)))))
        if method == 'POST' and dice.random() < 0.3:
            block += self.field('expect', '100-continue')
        if dice.random() < 0.03:
            block += self.field('Connection', 'close')  # malformed
        ends = 0 if method == 'POST' else 1
        if dice.random() < 0.2:
            cut = dice.randrange(len(block))
            out = self.frame(1, ends, stream, block[:cut]) + self.frame(9, 4, stream, block[cut:])
        else:
            out = self.frame(1, 4 | ends, stream, block)
        if not ends and dice.random() < 0.9:
            out += self.frame(0, 0, stream, bytes(dice.choice((0, 10, 16000))))
            out += self.frame(0, 1, stream, b'abc')
        return out

    def h2_other(self, stream):
        dice = self.dice
        opened = dice.randrange(1, stream + 2) | 1
        return dice.choice((
            lambda: self.frame(6, dice.choice((0, 0, 0, 1)), 0, dice.randbytes(8)),
            lambda: self.frame(3, 0, min(opened, stream), bytes((0, 0, 0, 8))),
            lambda: self.frame(8, 0, 0, bytes((0, 0, 200, 0))),
            lambda: self.frame(8, 0, min(opened, stream), bytes((0, 0, 200, 0))),
            lambda: self.frame(4, 1, 0),
            lambda: self.frame(4, 0, 0, b'\0\4' + dice.choice((0, 10, 65535)).to_bytes(4, 'big')),
            lambda: self.frame(7, 0, 0, bytes(8)),
            lambda: dice.randbytes(20) if dice.random() < 0.2 else b'',
        ))()

    def h2_life(self, connection):
        window = self.dice.choice((0, 10, 65535, 65535, 65535))
        self.say(connection, b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' +
                 self.frame(4, 0, 0, b'\0\4' + window.to_bytes(4, 'big')) + self.frame(4, 1, 0))
        stream = -1
        for _ in range(self.dice.randrange(1, 10)):
            octets = b''
            for _ in range(self.dice.choice((1, 1, 3, 20, 150))):
                if stream < 0 or self.dice.random() < 0.7:
                    stream += 2
                    octets += self.h2_request(stream)
                else:
                    octets += self.h2_other(stream)
            if self.dice.random() < 0.1:
                octets = octets[:self.dice.randrange(len(octets) + 1)]
            self.say(connection, octets)
            try:
                self.pause(connection)
            except TimeoutError:
                pass

    def look_at_frames(self, address):
        """Frames must follow one another; the last one may be cut."""
        at = 0
        while at + 9 <= len(self.got):
            length, kind = int.from_bytes(self.got[at:at + 3], 'big'), self.got[at + 3]
            if length > 16384 or kind not in (0, 1, 3, 4, 6, 7, 8):
                self.garbled.append((address, f'at octet {at}: {self.got[at:at + 40].hex()}'))
                return
            at += 9 + length

    def run(self):
        while not self.stop.is_set():
            self.got.clear()
            try:
                connection, h2 = self.connect()
            except OSError:
                time.sleep(0.02)
                continue
            host, port = connection.getsockname()
            try:
                (self.h2_life if h2 else self.h1_life)(connection)
            except OSError:  # what faults do to clients
                pass
            except Exception as trouble: # pylint: disable=broad-except
                self.trouble = f'{type(trouble).__name__}: {trouble}'
                return
            finally:
                if h2:
                    self.look_at_frames(f'{host}:{port}')
                self.end(connection)


def hammer(server, dice, stop):
    """Real clients, one after the other."""
    while not stop.is_set():
        listener = dice.choice(('https', 'http'))
        commands = [['curl', '--insecure', '--silent', '--output', '/dev/null', '--max-time', '1',
                     server.url(listener), server.url(listener)],
                    ['h2load', '--requests', '300', '--clients', '4', '--max-concurrent-streams', '20',
                     '--connection-active-timeout', '1', server.url(listener)]]
        try:
            subprocess.run(dice.choice(commands), stdin=subprocess.DEVNULL, timeout=3, check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except FileNotFoundError:
            return
        except subprocess.TimeoutExpired:
            pass


# --- What the ledger says

class Books(threading.Thread):
    """Reads the ledger as it grows, and checks each event against those before it."""
    ONCE = ('request', 'request_complete', 'processed', 'response_start')
    OVER = ('response_end', 'exchange_lost')

    def __init__(self, server, stop):
        super().__init__(daemon=True)
        self.server, self.stop = server, stop
        self.open = {}  # connection: {exchange: {events}}
        self.events = collections.Counter()
        self.steps = collections.Counter()
        self.peers = {}  # connection: address
        self.injected = set()  # addresses of those that got what is no HTTP
        self.wrong = []
        self.trouble = None

    def blame(self, event, why):
        if len(self.wrong) < 20:
            self.wrong.append(f'{why}: {json.dumps(event)}')

    def exchange(self, event, exchanges):
        name, seen = event['event'], exchanges.setdefault(event['exchange'], set())
        if name in self.ONCE and name in seen:
            self.blame(event, 'a second one')
        behind_the_fault = name == 'request' and 'complete' in event
        if name in self.ONCE + self.OVER and seen & set(self.OVER) and not behind_the_fault:
            self.blame(event, 'the exchange is over')
        if name == 'processed' and 'request_complete' not in seen:
            self.blame(event, 'the request is not whole')
        if name == 'response_end' and 'response_start' not in seen:
            self.blame(event, 'the response has not begun')
        seen.add(name)

    def end(self, event, exchanges):
        left = [nth for nth, seen in exchanges.items()
                if seen & {'request', 'request_complete'} and not seen & set(self.OVER)]
        if left:
            self.blame(event, f'exchanges {left} have not ended')

    def lose_track(self):
        """Events are gone: those of the connections from before cannot be checked any more."""
        self.injected.update(self.peers[connection] for connection in self.open)
        self.open.clear()

    def event(self, event):
        name, connection = event['event'], event.get('connection', 0)
        self.events[name] += 1
        if name == 'fault':
            self.steps[event['step']] += 1
            if event['step'] in ('inject', 'alert'):
                self.injected.add(self.peers.get(connection))
        if name == 'cleared':
            self.lose_track()
        if name == 'connection_open':
            self.open[connection] = {}
            self.peers[connection] = event['peer']
        if connection not in self.open:
            return
        if name == 'connection_end':
            self.end(event, self.open.pop(connection))
        elif name not in ('fault', 'fault_done', 'stale_request') and event.get('exchange'):
            self.exchange(event, self.open[connection])

    def run(self):
        since = 0
        while True:
            last = self.stop.is_set()
            try:
                page = self.server.admin.ask('GET', f'/v1/runs/default/events?since={since}&max=10000')
            except (OSError, RuntimeError, ValueError) as trouble:
                self.trouble = repr(trouble)
                return
            if page['first'] > since + 1:
                self.lose_track()
            for event in page['events']:
                self.event(event)
            since = page['next']
            if last and not page['events']:
                return
            if not page['events']:
                time.sleep(0.05)


# --- The whole

def descriptors(server):
    return len(os.listdir(f'/proc/{server.pid}/fd'))


def until(holds, seconds):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def capabilities(server):
    listed = server.admin.ask('GET', '/v1/capabilities')
    listed = listed.get('capabilities', listed)
    rows = listed.items() if isinstance(listed, dict) else [(row['name'], row) for row in listed]
    return {name for name, row in rows if isinstance(row, dict) and row.get('available')}


class Torture:
    """The server, and all that is done to it."""

    def __init__(self, server, arguments, troubles):
        dice = random.Random(arguments.seed)
        language = Language(arguments.hangup, random.Random(dice.random()), capabilities(server))
        self.server, self.troubles = server, troubles
        self.tester = Tester(server, language, random.Random(dice.random()), troubles)
        self.stop, self.over = threading.Event(), threading.Event()
        self.books = Books(server, self.over)
        self.clients = [Client(server, random.Random(dice.random()), self.stop, self.tester.names)
                        for _ in range(arguments.clients)]
        self.hammer = threading.Thread(
            target=hammer, args=(server, random.Random(dice.random()), self.stop), daemon=True)
        self.descriptors = descriptors(server)
        for thread in (self.books, self.hammer, *self.clients):
            thread.start()

    def go_on(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.troubles:
            self.tester.go_on()
            time.sleep(self.tester.dice.random() * 0.05)

    def let_go(self):
        """The clients end, and a reset ends what they have left behind."""
        self.stop.set()
        for thread in (self.hammer, *self.clients):
            thread.join(10)
        self.server.admin.reset()

    def connections(self):
        return self.server.admin.ask('GET', '/v1/connections')['connections']

    def serves(self):
        """As if nothing had been."""
        contexts = {'http': None, 'https': ssl.create_default_context(cafile=self.server.ca)}
        for listener, context in contexts.items():
            for _ in range(20):
                with urllib.request.urlopen(self.server.url(listener), timeout=10,
                                            context=context) as answer:
                    if answer.status != 200:
                        return False
        return True

    def judge(self, tap):
        gone = until(lambda: not self.connections(), GONE_WITHIN)
        tap.case('every connection is gone', gone, json.dumps(self.connections(), indent=1))
        # Up to 16 pairs are kept for the next HTTP/1.1 requests.
        few = until(lambda: descriptors(self.server) <= self.descriptors + 2 * 16, GONE_WITHIN)
        tap.case('no descriptor is lost', few,
                 f'{self.descriptors} before, {descriptors(self.server)} after')
        tap.case('it serves as before', self.serves())
        self.over.set()
        self.books.join(60)
        books = self.books
        tap.note(f'{sum(c.connections for c in self.clients)} connections, {dict(self.tester.done)}')
        tap.note(f'events: {dict(books.events)}')
        tap.note(f'steps: {dict(books.steps)}')
        trouble = [c.trouble for c in (books, *self.clients) if c.trouble]
        tap.case('the clients were able to do their part', not trouble, '\n'.join(trouble))
        tap.case('the ledger does not contradict itself', not books.wrong, '\n'.join(books.wrong))
        garbled = [f'{address}: {what}' for c in self.clients for address, what in c.garbled
                   if address in books.peers.values() and address not in books.injected]
        tap.case('frames are whole', not garbled, '\n'.join(garbled))
        tap.case('faults of many kinds happened', len(books.steps) > 15, str(books.steps))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--hangup', required=True)
    parser.add_argument('--seed', type=int, default=random.randrange(1 << 30))
    parser.add_argument('--seconds', type=float, default=8)
    parser.add_argument('--clients', type=int, default=6)
    arguments = parser.parse_args()
    tap = Tap()
    tap.note(f'--seed {arguments.seed}')
    troubles = []
    server = Server(arguments.hangup, '--ledger-limit', '268435456')
    try:
        first = Torture(server, arguments, troubles)
        first.go_on(arguments.seconds)
        first.let_go()
        first.judge(tap)
        arguments.seed += 1
        Torture(server, arguments, troubles).go_on(min(arguments.seconds / 4, 10))
    except (OSError, RuntimeError, ValueError) as trouble:
        troubles.append(repr(trouble))
    server.process.terminate()  # in the middle of it
    try:
        server.process.wait(30)
    except subprocess.TimeoutExpired:
        troubles.append('it did not end')
    log = server.log()
    status = server.stop()
    tap.case('the API answers as it should', not troubles, '\n'.join(troubles))
    bad = [line for line in log.splitlines() if re.search('error|assert|sanitizer|internal', line, re.I)]
    tap.case('the log has nothing bad', not bad, '\n'.join(bad[:40]))
    tap.case('the server ends as it should', status == 0, f'exit status {status}')
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
