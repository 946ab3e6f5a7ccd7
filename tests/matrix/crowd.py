"""Many at once: 32 runs with 8 clients each, all in modes of their own, must get the verdicts that they get
alone; and a server that is killed while it writes leaves ledgers that can be judged.
"""
import concurrent.futures
import dataclasses
import json
import pathlib
import random
import subprocess
import tempfile
import threading
import time

from clients import App
from runs import Api, Outcome, Runner, port_of

RUNS, CLIENTS = 32, 8
ROUNDS = 3  # in how many a run may come about
WITHIN = '10s'  # a busy machine is no fault of the clients
PLAIN = ('get', 'post', 'pause')
FAMILIES = ('reuse', 'post', 'idle-fin', 'half-open', 'goaway', 'stream', 'cut', 'close', 'untouched', '408')


def fit(cell):
    """Whether several clients of its kind at once are judged as one: each call has a name, and no rule counts
    connections."""
    steps = [step.partition(':')[0] for step in cell.steps.split()]
    return (cell.named and not cell.control and not cell.account and not cell.without and 'mode' in cell.spec
            and cell.family in FAMILIES
            and not cell.needs and set(steps) <= set(PLAIN) and any(letters in 'PFN' for letters in cell.truth.values()))


def roomy(expectation):
    """The same with room for a machine that has 256 clients to do."""
    if not isinstance(expectation, dict):
        return expectation
    return {name: {key: WITHIN if key == 'within' else value for key, value in params.items()}
            for name, params in expectation.items()}


def choose(cells, count):
    """So many, of as many modes as there are."""
    found, turn = {}, 0
    for cell in cells:
        if fit(cell):
            found.setdefault(json.dumps(cell.spec, sort_keys=True), []).append(cell)
    chosen = []
    while found and len(chosen) < count:
        for spec in list(found):
            if len(chosen) < count:
                chosen.append(found[spec][turn % len(found[spec])])
        turn += 1
    return [dataclasses.replace(cell, expect=[roomy(one) for one in cell.expect]) for cell in chosen]


class Crowd(Runner):
    """Runs cells with so many clients each."""

    def __init__(self, api, clients):
        super().__init__(api)
        self.clients = clients

    def command(self, cell, policy, path, port, phase, wait):
        self.api.ask('POST', f'{path}/command', {'start': {'argv': ['client'], 'steps': cell.steps}})
        apps = [App(policy, cell.over, cell.tls, ('127.0.0.1', port), named=True) for _ in range(self.clients)]
        good, threads = [], []
        for i, app in enumerate(apps):
            app.calls = 100 * i  # names of their own
            threads.append(threading.Thread(target=lambda app=app: good.append(app.run(cell.steps))))
            threads[-1].start()
        for thread in threads:
            thread.join()
        self.api.ask('POST', f'{path}/command', {'exit': {'status': 0 if len(good) == len(apps) and all(good) else 1}})
        return apps

    def one(self, cell):
        """Its outcome; unlike: a client saw something else than it must."""
        listener = 'http' if not cell.tls else 'https1' if cell.over == 'h1' else 'https'
        run = self.api.ask('POST', '/v1/runs', dict(cell.spec, name=cell.family, expect=cell.expect, over=cell.over,
                                                    listeners=[listener], ttl='3m'))
        path = f'/v1/runs/{run["id"]}'
        try:
            apps = self.command(cell, cell.policy, path, port_of(run, cell), 'fault', None)
            verdict = self.verdict(path)
        finally:
            self.api.call('DELETE', path)
        ledger = self.api.ask('GET', f'{path}/events?max=10000', accept='application/x-ndjson')
        kinds = [[one.kind for one in app.attempts] for app in apps]
        good = all(len(seen) == len(cell.wire) and all(kind in (want if isinstance(want, tuple) else (want,))
                                                       for kind, want in zip(seen, cell.wire)) for seen in kinds)
        return Outcome(cell, verdict, ledger, {}, unlike='' if good else f'its clients saw {kinds}')


def met(crowd, cell):
    for _ in range(ROUNDS):
        try:
            outcome = crowd.one(cell)
        except Exception as trouble:  # of one run: the others go on
            outcome = Outcome(cell, {}, '', {}, unlike=f'{type(trouble).__name__}: {trouble}')
        if not outcome.unlike:
            break
    return outcome


def crowds(api, judged, cells, runs=RUNS, clients=CLIENTS, rounds=1, say=print):
    """Runs so many at once. What is judged otherwise than the table says is in judged."""
    crowd, begin = Crowd(api, clients), time.monotonic()
    chosen = choose(cells, runs * rounds)
    with concurrent.futures.ThreadPoolExecutor(runs) as pool:
        for outcome in pool.map(lambda cell: met(crowd, cell), chosen):
            judged.take(outcome)
    modes = len({json.dumps(cell.spec, sort_keys=True) for cell in chosen})
    say(f'{len(chosen)} runs of {clients} clients, {min(runs, len(chosen))} at once, {modes} modes, in '
        f'{time.monotonic() - begin:.0f} s: {len(judged.wrong)} judged otherwise than alone; '
        f'{len(judged.unbuilt)} did not come about')


# --- Killed

def whole(file):
    """The lines of a ledger that came whole, as events."""
    return [json.loads(line) for line in file.read_bytes().split(b'\n')[:-1]]


def kills(serve, binary, cells, rounds, seed=1, say=print):
    """serve(options) starts a server with a folder for ledgers; it is killed while clients that must fail speak to
    it. Returns what is wrong."""
    dice, bad, files, verdicts = random.Random(seed), [], 0, {}
    failing = [cell for cell in choose(cells, 64) if set(cell.truth.values()) == {'F'}]
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix='hangup-killed-') as folder:
            server = serve(('--ledger-dir', folder))
            crowd = Crowd(Api(server.port('admin')), 2)
            threads = [threading.Thread(target=tolerant, args=(crowd, dice.choice(failing))) for _ in range(6)]
            for thread in threads:
                thread.start()
            time.sleep(dice.uniform(0.05, 1.2))
            server.kill()
            for thread in threads:
                thread.join()
            for file in sorted(pathlib.Path(folder).glob('*.ndjson')):
                files += 1
                try:
                    events = whole(file)
                    if [event['seq'] for event in events] != list(range(1, len(events) + 1)):
                        bad.append(f'round {number}, {file.name}: events are missing')
                except ValueError as trouble:
                    bad.append(f'round {number}, {file.name}: {trouble}')
                    continue
                if not events:
                    continue
                done = subprocess.run([binary, 'verdict', str(file)], capture_output=True, text=True, check=False)
                verdicts[done.returncode] = verdicts.get(done.returncode, 0) + 1
                if done.returncode not in (1, 3):
                    bad.append(f'round {number}, {file.name}: hangup verdict ends with {done.returncode}: {done.stderr}')
    say(f'{rounds} servers killed, {files} ledgers: {len(bad)} wrong; by hangup verdict {verdicts.get(1, 0)} fail, '
        f'{verdicts.get(3, 0)} are inconclusive, {verdicts.get(0, 0)} pass')
    return bad


def tolerant(crowd, cell):
    try:
        crowd.one(cell)
    except Exception:  # the server is killed
        pass
