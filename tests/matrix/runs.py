"""A cell as a run of a real server: made over the admin API, its client let loose on it, its verdict asked for."""
import dataclasses
import http.client
import json
import os
import signal
import threading
import time

from clients import CLIENTS, App

LETTERS = {'pass': 'P', 'fail': 'F', 'inconclusive': 'I', 'n/a': 'N'}


class Api:
    """The admin API, by a connection of its own for each thread that is kept."""

    def __init__(self, port):
        self.port = port
        self.local = threading.local()

    def call(self, method, path, body=None, accept=None, timeout=90):
        for again in (True, False):
            connection = getattr(self.local, 'connection', None)
            if connection is None:
                again = False
                connection = self.local.connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=timeout)
            headers = {'Accept': accept} if accept else {}
            if body is not None:
                headers['Content-Type'] = 'application/x-ndjson' if isinstance(body, str) else 'application/json'
                body = body if isinstance(body, str) else json.dumps(body)
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                text = answer.read().decode()
                break
            except (http.client.HTTPException, OSError):
                connection.close()
                self.local.connection = None
                if not again:
                    raise
        kind = answer.getheader('Content-Type', '')
        return answer.status, json.loads(text) if 'json' in kind and 'ndjson' not in kind and text else text

    def ask(self, *arguments, **more):
        status, answer = self.call(*arguments, **more)
        if not 200 <= status < 300:
            raise Refused(status, answer)
        return answer


class Refused(Exception):
    """The API has refused a call: its status, and its problem."""


@dataclasses.dataclass
class Outcome:
    cell: object
    verdict: dict      # the document
    ledger: str        # NDJSON
    apps: dict         # phase -> App
    refused: str = ''  # the run could not be made, as the API says
    unlike: str = ''   # the client did not see what makes it this cell
    relayed: bool = False

    def letter(self, name):
        """What the verdict says of one expectation, or of all; None when it says nothing."""
        if name == 'verdict':
            return LETTERS[self.verdict['verdict']]
        for one in self.verdict.get('mitigations', ()):
            if one['name'] == name:
                return LETTERS[one['outcome']]
        found = [one for one in self.verdict.get('checks', ()) if one['check'] == name]
        own = [one for one in found if one.get('of') is None] or found
        return LETTERS[own[0]['outcome']] if own else None

    def codes(self, name):
        """Of the remedies of what is inconclusive."""
        parts = [self.verdict] if name == 'verdict' else [
            one for one in self.verdict.get('checks', ()) if name in (one['check'], one.get('of'))]
        return {(one.get('remedy') or {}).get('code') for one in parts
                if 'inconclusive' in (one.get('outcome'), one.get('verdict'))}

    def said(self, name):
        """The sentences behind it."""
        if name == 'verdict':
            return f'{self.verdict["verdict"]}: {self.verdict.get("why")} [{self.verdict.get("remedy")}]'
        parts = [one for one in self.verdict.get('checks', ()) if name in (one['check'], one.get('of'))]
        return '; '.join(f'{one["check"]} {one["outcome"]}: {one["sentence"]}' +
                         (f' [{one["remedy"]["code"]}]' if one.get('remedy') else '') for one in parts)


def port_of(run, cell):
    if cell.tls:
        name = 'https1' if (cell.meant or cell.over) == 'h1' and cell.listener != 'both' else 'https'
    else:
        name = 'http'
    url = run['urls'][name]
    return int(url.rsplit(':', 1)[1].split('/')[0])


class Runner:
    def __init__(self, api, relay=None, pid=None):
        self.api, self.relay, self.pid = api, relay, pid
        self.ports = {}  # of the relay, by run

    def run(self, cell, wait=None):
        """wait: for the verdict; '0s': as it is at once, while the client still runs."""
        listener = 'http' if not cell.tls else 'https1' if (cell.meant or cell.over) == 'h1' else 'https'
        spec = dict(cell.spec, name=cell.family, expect=cell.expect, listeners=[listener], ttl='3m',
                    control=cell.control)
        if cell.listener != 'both':
            spec['over'] = cell.meant or cell.over
        status, run = self.api.call('POST', '/v1/runs', spec)
        if status != 201:
            return Outcome(cell, {}, '', {}, refused=f'{status} {run.get("where", "")}: {run.get("detail", run)}')
        path = f'/v1/runs/{run["id"]}'
        try:
            apps, verdict = self.in_run(cell, run, path, wait)
        finally:
            self.api.call('DELETE', path)
            if self.relay:
                self.relay.close(self.ports.pop(path))
        ledger = self.api.ask('GET', f'{path}/events?max=10000', accept='application/x-ndjson')
        outcome = Outcome(cell, verdict, ledger, apps, unlike=(thinned(cell, apps) if self.relay else unlike(cell, apps, ledger)),
                          relayed=bool(self.relay))
        if not outcome.unlike and not self.relay and undecided(outcome):
            outcome.unlike = paused(outcome) or late_in_the_dark(apps['fault'], ledger, cell.policy.evict)
        return outcome

    def in_run(self, cell, run, path, wait):
        port = port_of(run, cell)
        if self.relay:
            port = self.ports[path] = self.relay.open(port)
        apps = {}
        if cell.reset:
            self.api.ask('POST', f'{path}/reset')
            self.api.ask('PUT', f'{path}/mode', cell.spec)
        phases = (['control'] if cell.control else []) + ['fault'] + (['without'] if cell.without else [])
        for phase in phases:
            if phase != phases[0]:
                self.api.ask('POST', f'{path}/phase', {'phase': phase})
            policy = CLIENTS[cell.without] if phase == 'without' else cell.policy
            apps[phase] = self.command(cell, policy, path, port, phase, wait)
        if wait:
            return apps, apps[phase].early
        return apps, self.verdict(path)

    def verdict(self, path):
        """One in which a check has failed is final at once; what the others say is, when its client is sure to be gone."""
        verdict = self.api.ask('GET', f'{path}/verdict?wait=20s')
        if all(one['final'] for one in verdict['checks']):
            return verdict
        time.sleep(0.2)
        return self.api.ask('GET', f'{path}/verdict?wait=20s')

    def stop(self, seconds):
        """The server does not run for so long, while its client goes on."""
        os.kill(self.pid, signal.SIGSTOP)
        threading.Timer(seconds, os.kill, (self.pid, signal.SIGCONT)).start()

    def command(self, cell, policy, path, port, phase, wait):
        """What `prove` does with COMMAND."""
        self.api.ask('POST', f'{path}/command', {'start': {'argv': ['client'], 'steps': cell.steps}})
        if cell.disturbed and phase == 'fault':
            self.api.ask('POST', f'{path}/phase', {'phase': phase})
        app = App(policy, cell.over, cell.tls, ('127.0.0.1', port), cell.named,
                  mark=lambda name: self.api.ask('POST', f'{path}/marks', {'mark': name}), v6=('::1', port),
                  stop=self.stop)
        if wait and phase == 'fault':
            timer = threading.Timer(0.8, lambda: setattr(app, 'early', self.api.ask('GET', f'{path}/verdict?wait={wait}')))
            timer.start()
        good = app.run(cell.control_steps if phase == 'control' and cell.control_steps else cell.steps)
        if cell.account:
            lines = [{'driver': 1}] + app.all_lines()
            self.api.ask('POST', f'{path}/reports', '\n'.join(json.dumps(line) for line in lines) + '\n')
        self.api.ask('POST', f'{path}/command', {'exit': {'signal': 9, 'killed': True} if cell.killed
                                                 else {'status': 0 if good else 1}})
        return app


BLIND = ('hole', 'setup', 'late', 'path', 'streams', 'syn', 'refuse', 'case-hole', 'first-hole')  # what was sent there need not have been read


def unlike(cell, apps, ledger):
    """Why this is not the cell: what its client saw in the phase "fault" is not what the table presumes. A
    machine that is busy may make a retry late."""
    seen = [one for one in apps['fault'].attempts]
    kinds = [one.kind for one in seen]
    if 'connects' in cell.wire:  # how often it had to try is of no matter
        kinds = ['connects' if kind == 'connect' else kind for kind, before in zip(kinds, [''] + kinds)
                 if not kind == before == 'connect']
    if len(kinds) != len(cell.wire) or any(kind not in (want if isinstance(want, tuple) else (want,))
                                           for kind, want in zip(kinds, cell.wire)):
        return f'its client saw {kinds}'
    for one, two in zip(seen, seen[1:]):
        if one.call == two.call and cell.policy.delay < 0.1 and cell.policy.backoff == 1 and two.begin - one.end > cell.policy.delay + 0.12:
            return f'its retry began {two.begin - one.end:.3f} s after the loss'
    if 'control' in apps and apps['control'].unponged:
        return 'in the control, the ACK of its PING came late'
    if apps['fault'].behind > 0.1:
        return f'its client was {apps["fault"].behind:.2f} s late'
    resets = cell.policy.at_once == 'rst' or cell.policy.unread and not cell.policy.ponders
    late = strayed(cell.steps, seen, cell.policy.rushes) or resets and late_reset(ledger)
    if late:
        return late
    if cell.spec.get('mode') == 'syn-drop' and '"event":"syn_dropped"' not in ledger:
        return 'it came when SYNs were no longer dropped'
    if cell.family in BLIND:
        return ''
    on_wire = sum(1 for app in apps.values() for who in [app] + list(app.others.values()) for one in who.attempts
                  if one.kind not in ('unsent', 'connect'))
    told = sum(1 for line in ledger.splitlines() if '"event":"request"' in line or '"event":"stale_request"' in line)
    if on_wire == told and (slow := late_server(seen, ledger)):
        return slow
    return '' if on_wire == told else f'its clients sent {on_wire} requests, and the ledger has {told}'


def thinned(cell, apps):
    """Many attempts are a storm only if they come soon one after the other, which a busy machine may not let them."""
    if cell.policy.delay >= 0.1 or cell.policy.backoff != 1:
        return ''
    begins = {}
    for one in apps['fault'].attempts:
        begins.setdefault(one.call, []).append(one.begin)
    for times in begins.values():
        if len(times) > 3 and times[-1] - times[0] > 0.25 * len(times):
            return f'its {len(times)} attempts took {times[-1] - times[0]:.2f} s'
    return ''


def late_server(seen, ledger):
    """How long it takes from a client's decision to its first byte at the server is about the same each time,
    or this machine was busy."""
    events = [json.loads(line) for line in ledger.splitlines() if line]
    begin = max((i for i, event in enumerate(events) if event['event'] == 'phase' and event['phase'] == 'fault'), default=0)
    rest = [event for event in events[begin:] if event['event'] in ('request', 'stale_request')]
    sent = [one for one in seen if one.kind not in ('unsent', 'connect', 'hedge')]
    ways = [event['first_byte_ms'] - one.begin * 1000 for one, event in zip(sent, rest)]
    ends = {(event.get('connection'), event.get('exchange')): event['ms'] for event in events if event['event'] == 'response_end'}
    for one, event in zip(sent, rest):
        end = ends.get((event.get('connection'), event.get('exchange')))
        if one.kind == 'ok' and end and (one.end - one.begin) * 1000 - (end - event['first_byte_ms']) > 150:
            return 'its client took a response late'
    spread = max(ways, default=0) - min(ways, default=0)
    return f'the server saw a request {spread:.0f} ms late' if spread > 100 and len(sent) == len(rest) else ''


def undecided(outcome):
    """Whether nothing is wrong with it but that it is inconclusive: a pass or fail that is none stays one, however
    busy this machine was."""
    wrong = {outcome.letter(name) for name, letters in outcome.cell.truth.items() if outcome.letter(name) not in letters}
    return wrong == {'I'}


def paused(outcome):
    """Why it does not count, if all that is inconclusive, and must not be, is so for the server's own pauses."""
    due = [name for name, letters in outcome.cell.truth.items() if name != 'verdict' and outcome.letter(name) not in letters]
    return 'the server had paused' if due and all('paused' in outcome.codes(name) for name in due) else ''


def late_in_the_dark(app, ledger, evict):
    """A server that sees late what its client did in time cannot tell so: a FIN; or, where something fell into a
    hole, what was read. The fastest request says how far apart the clocks of the two are: at most by that. For the
    server its client was idle from when that was answered, which is sooner than its client had the response."""
    events = [json.loads(line) for line in ledger.splitlines() if line]
    begin = max((i for i, event in enumerate(events) if event['event'] == 'phase' and event['phase'] == 'fault'), default=0)
    begun = [event['first_byte_ms'] for event in events[begin:] if event['event'] in ('request', 'stale_request')]
    read = [one for one in app.attempts if one.kind not in ('unsent', 'connect', 'hedge', 'timeout')]
    if not read or len(begun) != len(read):
        return ''
    apart = min(at - one.begin * 1000 for at, one in zip(begun, read))
    opened = {event['number']: event['connection'] for event in events[begin:] if event['event'] == 'connection_open'}
    fins = {event['connection']: event['ms'] for event in events[begin:] if event['event'] == 'peer_fin'}
    idle = max((closed - asked - evict for _, closed, asked in app.evicted), default=0)
    if idle > 0.1:
        return f'its client closed {idle:.2f} s late, since it asked'
    late = max((fins[opened[connection]] - closed * 1000 - apart for connection, closed, _ in app.evicted
                if opened.get(connection) in fins), default=0)
    return f'the server saw its FIN {late:.0f} ms late' if late > 50 else late_server(read, ledger)


def late_reset(ledger):
    """An RST that comes when grace (100 ms) is over may say nothing of the answer before it: this machine was busy."""
    events = [json.loads(line) for line in ledger.splitlines() if line]
    ends = {event.get('connection'): event['ms'] for event in events if event['event'] == 'response_end'}
    late = max((event['ms'] - ends.get(event.get('connection'), event['ms']) for event in events if event['event'] == 'peer_rst'),
               default=0)
    return f'its RST came {late:.0f} ms behind the answer' if late > 95 else ''


def strayed(steps, seen, rushes):
    """A pause that was not as long as the steps say: this machine was busy."""
    pauses, ends, last = [0.0], {}, 'ok'
    for step in steps.split():
        if step.startswith('pause:'):
            pauses[-1] += float(step[6:])
        elif step.startswith(('get', 'post')):
            if '*' in step:
                return ''
            pauses.append(0.0)
        elif step.startswith('poll*'):
            return rough(step, seen)
        elif not step.startswith('mark:'):
            return ''
    for one in seen:
        if one.kind == 'hedge':
            continue
        first = one.call not in ends
        if first and one.call > 1:
            gap = one.begin - ends[one.call - 1]
            meant = 0.0 if rushes and last != 'ok' else pauses[one.call - 1]
            if not meant - 0.01 <= gap <= meant + 0.15:
                return f'a pause of {meant:.2f} s took {gap:.2f} s'
        ends[one.call], last = one.end, one.kind
    return ''


def rough(step, seen):
    """Polls that came in another rhythm."""
    period = float(step.partition(':')[2])
    gaps = [two.begin - one.begin for one, two in zip(seen, seen[1:])]
    return '' if all(abs(gap - period) < period / 4 for gap in gaps) else f'polls after {max(gaps):.2f} s'
