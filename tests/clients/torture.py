#!/usr/bin/env python3
"""Random modes, plans, marks and resets, while clients hammer the server: it must live, and keep books.

    torture.py --hangup BINARY [--seed N] [--seconds S]

Rules are made of every trigger and step that the server lists, and so are `do` calls. Clients speak
HTTP/1.1 and HTTP/2, in cleartext and over TLS, well and badly. What is asserted: no call of the API fails,
no event contradicts those before it, no connection outlives its client for long once a reset has let
go of it, no descriptor is lost, and the server ends as it should with nothing worth a warning in its
log. The seed decides what is tried; when it happens is up to the machine.
"""
import argparse
import collections
import datetime
import json
import os
import pathlib
import random
import re
import ssl
import subprocess
import sys
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from hangup import Server, Tap  # noqa: E402
from raw_client import RawClient  # noqa: E402

MARKS = ('background', 'foreground')
ENDS = ('fin', 'rst', 'forget', 'hold', 'rst_stream', 'refuse')
SILENCES = {'stall': 'resume', 'black_hole': 'heal'}
NOT_SET = ('/problems/invalid-value', '/problems/unavailable')  # wrong in itself, or of no use here
PLACES = {'at': ' at ', 'what': ' '}  # a trigger's places, and how what fits there is written
SAME_CONNECTION = 2  # seconds between the making of a connection and its event
KINDS = 16  # of faults must happen at least
KINDS_WITHIN = 60  # seconds more than are asked for
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

    def place(self, places, member, rule):
        """Its name, and in the rule one of these."""
        place = self.dice.choice(places)
        rule[member] = place['name']
        if place.get('counted'):
            most = self.dice.choice((1, 9, 40, 300, 700, 50000))
            rule[member] = {place['name']: max(place['min'], self.dice.randrange(most + 1))}
        return place['name']

    def rule(self):
        row = self.dice.choice(self.triggers)
        over = self.dice.choice(('h1', 'h2'))
        rule = {'on': row['name']}
        place = row['name']
        for member, between in PLACES.items():
            if member in row:
                place += between + self.place(row[member], member, rule)
        if 'over' in row['takes'] and rule.get('what') != 'handshake':
            rule['over'] = over
        self.narrowed(row, rule)
        if rule.get('what') in ('handshake', 'nothing'):  # before any request
            rule.pop('nth', None)
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

    def call(self, method, path, body=None, refusals=()):
        """An answer that is neither a success nor one of these problems is a trouble."""
        try:
            status, answer = self.server.admin.call(method, path, body, timeout=30)
        except Exception as trouble:  # pylint: disable=broad-except
            raise RuntimeError(f'{method} {path} {json.dumps(body)}: {trouble!r}') from None
        kind = answer.get('type') if isinstance(answer, dict) else None
        if status not in (200, 201, 202, 204) and kind not in refusals:
            self.troubles.append(f'{method} {path} {json.dumps(body)} got {status}: {answer}')
        return status, answer

    def make_mode(self):
        self.made += 1
        name = f'torture-{self.made % 40}'
        status, _ = self.call('PUT', f'/v1/modes/{name}', self.language.mode(name),
                              ('/problems/invalid-value',))
        self.done[f'mode {status}'] += 1
        if status < 400 and name not in self.names:
            self.names.append(name)
        return name if name in self.names else 'normal'

    def set_mode(self):
        status, _ = self.call('PUT', '/v1/mode', {
            'mode': self.make_mode(), 'apply': self.dice.choice(('all', 'new'))
        }, NOT_SET)
        self.done[f'set {status}'] += 1

    def set_plan(self):
        plan = [self.language.entry(self.dice.choice(self.names))
                for _ in range(self.dice.randrange(1, 5))]
        status, _ = self.call('PUT', '/v1/mode', {
            'plan': plan, 'seed': self.dice.randrange(1000), 'apply': self.dice.choice(('all', 'new'))
        }, NOT_SET)
        self.done[f'plan {status}'] += 1

    def act(self):
        connections = self.call('GET', '/v1/connections')[1]['connections']
        if not connections:
            return
        one = self.dice.choice(connections)
        over = 'h2' if one['protocol'] == 'h2' else 'h1'
        status, _ = self.call('POST', f'/v1/connections/{one["id"]}/do',
                              {'do': self.language.some_steps('idle', over)},
                              ('/problems/invalid-value', '/problems/no-such-connection'))
        self.done[f'do {status}'] += 1

    def some(self):
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
                      {'time_scale': self.dice.choice((0.1, 1, 2)), 'mode': self.names[-1]}, NOT_SET)


# --- Real clients

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
    ORDER = ('request', 'request_complete', 'processed', 'response_start', 'response_end')
    OVER = ('response_end', 'exchange_lost')
    CAUSES = {'fault_acked': ('fin', 'cut', 'goaway', 'goaway_notice', 'close_notify', 'alert', 'rst_stream', 'refuse'), 'segments_dropped': ('black_hole',), 'fin_sent': ('fin', 'cut'),
              'forgotten': ('forget',), 'stalled': ('stall', 'cut'), 'black_holed': ('black_hole',),
              'resetting': ('rst', 'cut'), 'goaway': ('goaway',)}
    ENDED_BY = {'rst': 'cut'}  # a cut that ends with RST has two fault_done

    def __init__(self, server, stop):
        super().__init__(daemon=True)
        self.server, self.stop = server, stop
        self.open = {}  # connection: {exchange: {name of event: event}}
        self.last = {}  # connection: its last events, for whoever looks for a fault's cause
        self.faults = {}  # connection: {seq of a fault: its step}
        self.effects = {}  # connection: {seq of a fault: the fault_done that say whether it took effect, others}
        self.events = collections.Counter()
        self.steps = collections.Counter()
        self.missed = collections.Counter()  # steps that did nothing
        self.peers = {}  # address: connections from it, each with the time when it was opened
        self.injected = set()  # connections that got what is no HTTP, as far as is known
        self.wrong = []
        self.trouble = None

    def blame(self, event, why, seen):
        if len(self.wrong) < 20:
            before = [f'{name} {was["seq"]}' for name, was in seen.items()]
            last = ''.join(f'\n#   {json.dumps(was)}' for was in self.last[event['connection']])
            self.wrong.append(f'{why}: {json.dumps(event)}, after {before}; the connection\'s last:{last}')

    @staticmethod
    def may_follow(name, seen):
        """Behind the end of an exchange: the rest of a request that a fault has struck."""
        lost = seen.get('exchange_lost', {})
        return name == 'request_complete' and 'request' in seen and lost.get('reached') == 'headers'

    def exchange(self, event, exchanges):
        name, seen = event['event'], exchanges.setdefault(event['exchange'], {})
        if name not in self.ORDER + self.OVER:
            return
        if name in seen:
            self.blame(event, 'a second one', seen)
        if seen.keys() & set(self.OVER) and not self.may_follow(name, seen):
            self.blame(event, 'the exchange is over', seen)
        if name in self.ORDER and seen.keys() & set(self.ORDER[self.ORDER.index(name) + 1:]):
            self.blame(event, 'it comes too late', seen)
        needed = {'request_complete': 'request', 'processed': 'request_complete',
                  'response_start': 'request', 'response_end': 'response_start'}.get(name)
        if needed and needed not in seen:
            self.blame(event, f'there is no {needed}', seen)
        seen[name] = event

    def end(self, event, exchanges):
        for nth, seen in exchanges.items():
            if seen and not seen.keys() & set(self.OVER):
                self.blame(event, f'exchange {nth} has not ended', seen)

    def cause(self, event, faults):
        """What follows from a fault names it: an earlier one of its connection."""
        step = faults.get(event['fault'])
        into = event.get('sent_into', event['event'])
        if not step:
            self.blame(event, 'there is no such fault', {})
        elif event['event'] == 'fault_done' and step not in (event['step'], self.ENDED_BY.get(event['step'])):
            self.blame(event, f'the fault is a {step}', {})
        elif step not in self.CAUSES.get(into, (step,)):
            self.blame(event, f'it cannot follow from {step}', {})

    def effect(self, event):
        """Of each fault it is told once whether it took effect, and at most once how it went then."""
        effects = self.effects[event['connection']]
        if event['event'] == 'fault':
            effects[event['seq']] = [0, 0]
        elif event['event'] == 'fault_done' and event.get('fault') in effects:
            effects[event['fault']]['in_effect' not in event] += 1

    def effects_end(self, event):
        for fault, (told, more) in self.effects.pop(event['connection']).items():
            if told != 1 or more > 1:
                self.blame(event, f'of fault {fault} it is told {told} times whether it took effect, '
                                  f'and {more} times how it went', {})

    def undone(self, event):
        """A step that does nothing is missed, and no fault."""
        if event.get('why', '').startswith(('too late', 'skipped', 'nothing to do')):
            self.wrong.append(f'it was no fault: {json.dumps(event)}')

    def lose_track(self):
        """Events are gone: those of the connections from before cannot be checked any more."""
        self.injected.update(self.open)
        self.open.clear()
        self.last.clear()
        self.faults.clear()
        self.effects.clear()

    def event(self, event):
        name, connection = event['event'], event.get('connection', 0)
        self.events[name] += 1
        if name == 'fault':
            self.steps[event['step']] += 1
            if event['step'] in ('inject', 'alert'):
                self.injected.add(connection)
        elif name == 'fault_done':
            self.undone(event)
        elif name == 'fault_missed' and 'step' in event:
            self.missed[event['step']] += 1
        if name == 'cleared':
            self.lose_track()
        if name == 'connection_open':
            self.open[connection] = {}
            self.last[connection] = collections.deque(maxlen=20)
            self.faults[connection] = {}
            self.effects[connection] = {}
            opened = datetime.datetime.fromisoformat(event['at']).timestamp()
            self.peers.setdefault(event['peer'], []).append((connection, opened))
        if connection not in self.open:
            return
        self.last[connection].append(event)
        self.effect(event)
        if name == 'fault':
            self.faults[connection][event['seq']] = event['step']
        elif 'fault' in event:
            self.cause(event, self.faults[connection])
        elif name == 'fault_done' or event.get('by') == 'fault':
            self.blame(event, 'it names no fault', {})
        if name == 'connection_end':
            self.effects_end(event)
            self.end(event, self.open.pop(connection))
            del self.last[connection], self.faults[connection]
        elif name not in ('fault', 'fault_done', 'fault_missed', 'stale_request') and event.get('exchange'):
            self.exchange(event, self.open[connection])

    def run(self):
        try:
            self.read()
        except Exception as trouble:  # pylint: disable=broad-except
            self.trouble = repr(trouble)

    def read(self):
        since = 0
        while True:
            last = self.stop.is_set()
            page = self.server.admin.ask('GET', f'/v1/runs/default/events?since={since}&max=10000')
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
    """How many it has open; None where a binary with file capabilities hides them from its user."""
    try:
        return len(os.listdir(f'/proc/{server.pid}/fd'))
    except PermissionError:
        return None


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
        self.clients = [RawClient(server, random.Random(dice.random()), self.stop, self.tester.names)
                        for _ in range(arguments.clients)]
        self.hammer = threading.Thread(
            target=hammer, args=(server, random.Random(dice.random()), self.stop), daemon=True)
        self.descriptors = descriptors(server)
        for thread in (self.books, self.hammer, *self.clients):
            thread.start()

    def some(self, seconds, kinds=0):
        """For so long, and until so many kinds of faults have happened, which takes a busy machine longer."""
        began = time.monotonic()
        while not self.troubles:
            took = time.monotonic() - began
            if took > seconds and (len(self.books.steps) >= kinds or took > seconds + KINDS_WITHIN):
                break
            self.tester.some()
            time.sleep(self.tester.dice.random() * 0.05)

    def leave(self):
        """The clients end, and so do the programs that they have started."""
        self.stop.set()
        for thread in (self.hammer, *self.clients):
            thread.join(10)

    def end(self):
        """The clients end, and a reset ends what they have left behind."""
        self.leave()
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

    def garbled(self):
        """Where frames were not whole: on connections that got nothing but HTTP, as is known of those
        whose opening the ledger has (other clients use the same ports at other times) and that did
        not live when the ledger was emptied."""
        found = []
        for address, made, where in (row for client in self.clients for row in client.garbled):
            near = [connection for connection, opened in self.books.peers.get(address, ())
                    if abs(opened - made) < SAME_CONNECTION]
            if len(near) == 1 and near[0] not in self.books.injected:
                found.append(f'{address} {where}')
        return found

    def works(self):
        """Seconds of processor time that it needs for one second in which nobody speaks to it."""
        def used():
            with open(f'/proc/{self.server.pid}/stat') as stat:
                fields = stat.read().rpartition(')')[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
        before = used()
        time.sleep(1)
        return used() - before

    def judge(self, tap):
        gone = until(lambda: not self.connections(), GONE_WITHIN)
        tap.case('every connection is gone', gone, json.dumps(self.connections(), indent=1))
        if self.descriptors is None:
            tap.skip('no descriptor is lost', 'they are hidden: the binary has file capabilities')
        else:
            # Up to 16 pairs are kept for the next HTTP/1.1 requests.
            few = until(lambda: descriptors(self.server) <= self.descriptors + 2 * 16, GONE_WITHIN)
            tap.case('no descriptor is lost', few,
                     f'{self.descriptors} before, {descriptors(self.server)} after')
        tap.case('it serves as before', self.serves())
        self.over.set()
        self.books.join(60)
        if self.books.is_alive():
            self.books.trouble = 'the ledger has no end'
        works = self.works()
        tap.case('it does nothing when there is nothing to do', works < 0.3, f'{works:.2f} s of 1 s')
        books = self.books
        tap.note(f'{sum(c.connections for c in self.clients)} connections, {dict(self.tester.done)}')
        tap.note(f'events: {dict(books.events)}')
        tap.note(f'steps: {dict(books.steps)}, and in vain: {dict(books.missed)}')
        trouble = [c.trouble for c in (books, *self.clients) if c.trouble]
        tap.case('the clients were able to do their part', not trouble, '\n'.join(trouble))
        tap.case('the ledger does not contradict itself', not books.wrong, '\n'.join(books.wrong))
        garbled = self.garbled()
        tap.case('frames are whole', not garbled, '\n'.join(garbled))
        tap.case('faults of many kinds happened', len(books.steps) >= KINDS, str(books.steps))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--hangup', required=True)
    parser.add_argument('--seed', type=int, default=random.randrange(1 << 30))
    parser.add_argument('--seconds', type=float, default=8)
    parser.add_argument('--clients', type=int, default=6)
    arguments = parser.parse_args()
    tap = Tap()
    tap.note(f'--seed {arguments.seed}')
    troubles, rounds = [], []
    server = Server(arguments.hangup, '--ledger-limit', '268435456')
    tap.note(f'server {server.pid}, admin port {server.port("admin")}')
    try:
        first = Torture(server, arguments, troubles)
        rounds.append(first)
        first.some(arguments.seconds, KINDS)
        first.end()
        first.judge(tap)
        arguments.seed += 1
        rounds.append(Torture(server, arguments, troubles))
        rounds[-1].some(min(arguments.seconds / 4, 10))
    except Exception as trouble:  # pylint: disable=broad-except
        troubles.append(repr(trouble))
    tap.note('told to end')
    server.process.terminate()  # in the middle of it
    try:
        server.process.wait(30)
    except subprocess.TimeoutExpired:
        troubles.append('it did not end')
    for each in rounds:
        each.leave()
    log = server.log()
    status = server.stop()
    tap.case('the API answers as it should', not troubles, '\n'.join(troubles))
    bad = [line for line in log.splitlines() if re.search('error|assert|sanitizer|internal', line, re.I)]
    tap.case('the log has nothing bad', not bad, '\n'.join(bad[:40]))
    tap.case('the server ends as it should', status == 0, f'exit status {status}')
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
