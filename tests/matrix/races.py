"""Races on purpose: what client and server say at the same time, on a path with a delay.

The client's own kernel is the witness: a client that looks at its socket just before it sends, and sees
neither FIN nor GOAWAY, cannot have known. Nobody may be blamed for that. One that has seen it for longer
than a client may take, and sends all the same, must be.
"""
import collections
import concurrent.futures
import json
import random
import time

from clients import GET_TARGET
from far import SERVER, Far
from runs import LETTERS, Api, Refused
from wire import H1, H2, Dead

IDLE = 0.5
DELAYS = (0.001, 0.02, 0.1)  # s, each way
AT_ONCE = 28  # rounds, each with a run of its own: a server has 32
AT_ONCE_MEANS = 0.03  # s: a third of what a client may take to hear something
TRIES = 3
ABSENT = 'it did not come about'
RACES = ('fin', 'goaway', 'ack')
BLAME = {'fin': ('no_stale_use',), 'goaway': ('no_stale_use', 'goaway_respected'), 'ack': ('recovered',)}


class FarApi(Api):
    """The admin API of a server in another namespace."""

    def __init__(self, port, namespace):
        super().__init__(port)
        self.namespace = namespace

    def call(self, *arguments, **more):
        with self.namespace.inside():
            return super().call(*arguments, **more)


class Race:
    def __init__(self, api, far, delay):
        self.api, self.far, self.delay = api, far, delay

    def dial(self, kind, port):
        with self.far.client.inside():
            conn = kind((SERVER, port), False)
        return conn

    def run(self, race):
        """One round. Returns (what is wrong or '', whether the client knew, the document, the ledger)."""
        over = 'h2' if race == 'goaway' else 'h1'
        spec = {'fin': {'mode': 'idle-close', 'params': {'idle': f'{IDLE * 1000:.0f}ms'}},
                'goaway': {'mode': 'goaway-idle', 'params': {'idle': f'{IDLE * 1000:.0f}ms', 'grace': 'never'}},
                'ack': {'mode': 'close-on-reuse'}}[race]
        run = self.api.ask('POST', '/v1/runs', dict(spec, expect=list(BLAME[race]), over=over, listeners=['http'], ttl='1m'))
        path = f'/v1/runs/{run["id"]}'
        port = int(run['urls']['http'].rsplit(':', 1)[1].split('/')[0])
        try:
            self.api.ask('POST', f'{path}/command', {'start': {'argv': ['client']}})
            play = self.lose_ack if race == 'ack' else self.cross
            knew, good = play(H2 if race == 'goaway' else H1, port)
            if race == 'ack' and not good:  # its request, or the ACK of our SYN-ACK, was lost as well
                raise Dead('the retry was not answered')
            self.api.ask('POST', f'{path}/command', {'exit': {'status': 0 if good else 1}})
            verdict = self.api.ask('GET', f'{path}/verdict?wait=3s')
            ledger = self.api.ask('GET', f'{path}/events?max=10000', accept='application/x-ndjson')
        finally:
            self.api.call('DELETE', path)
        return wrongly(verdict, race, knew), knew, verdict, ledger

    def cross(self, kind, port):
        """A request at about the time at which the end of its idle connection comes. Whether it knew:
        no, yes (for long), or None (it had just come)."""
        conn = self.dial(kind, port)
        conn.result(conn.send('GET', GET_TARGET), time.monotonic() + 5)
        sent = time.monotonic()  # our side has its last byte; the server's clock began half a round trip ago
        due = sent - self.delay + IDLE  # when the server says it
        seen = None
        until = due + random.uniform(-1.5, 1.5) * self.delay + random.choice((0, 0, 0, 0.4))
        while (left := until - time.monotonic()) > 0:
            if seen is None and not conn.look():
                seen = time.monotonic()
            time.sleep(min(left, 0.002))
        if seen is None and not conn.look():
            seen = time.monotonic()
        now, sent = time.monotonic(), None
        try:
            stream = conn.send('GET', GET_TARGET)
            sent = time.monotonic()
            conn.over, conn.goaways = False, []
            conn.result(stream, time.monotonic() + 2 * self.delay + 0.3)
        except Dead:
            pass
        other = self.dial(kind, port)
        good = other.result(other.send('GET', GET_TARGET), time.monotonic() + 5).kind == 'ok'
        conn.close()
        other.close()
        if seen is None:  # unless this machine took long between the look and the request
            return (False if sent is None or sent - now < AT_ONCE_MEANS else None), good
        return (True if now - seen > 0.3 else None), good

    def lose_ack(self, kind, port):
        """A retry whose answer comes, while what the client says from then on does not arrive."""
        conn = self.dial(kind, port)
        conn.result(conn.send('GET', GET_TARGET), time.monotonic() + 5)
        time.sleep(0.2)
        conn.result(conn.send('GET', GET_TARGET), time.monotonic() + 5)
        conn.close()
        other = self.dial(kind, port)
        self.far.lose(other.io.sock.getsockname()[1])
        stream = other.send('GET', GET_TARGET)
        good = other.result(stream, time.monotonic() + 1).kind == 'ok'
        other.close()
        return None, good


def wrongly(verdict, race, knew):
    """What is wrong with a verdict, or ''."""
    found = {one['check']: (LETTERS[one['outcome']], one['sentence']) for one in verdict['checks']}
    for name in BLAME[race]:
        letter, sentence = found[name]
        if race == 'ack' and letter == 'P':
            return f'false pass: {name}: {sentence}'  # nothing shows that the answer arrived
        if race == 'ack' and letter == 'F':
            return f'false fail: {name}: {sentence}'
        if race != 'ack' and knew is False and letter == 'F':
            return f'false fail: {name}: {sentence}'
        if race != 'ack' and knew and letter == 'P':
            return f'false pass: {name}: {sentence}'
        if race != 'ack' and knew and letter != 'F':
            return f'inconclusive: {name}: {sentence}'
    return ''


def races(serve, rounds, out, delays=DELAYS, at_once=AT_ONCE, say=print):
    """serve(prefix, options) starts a server. Says a line a race and delay; returns what was wrong."""
    bad = []
    (out / 'wrong').mkdir(parents=True, exist_ok=True)
    for delay in delays:
        far = Far(delay)
        server = serve(('nsenter', f'--net={far.server.path}'), ('--run-ports', f'{SERVER}:0'))
        one = Race(FarApi(server.port('admin'), far.server), far, delay)
        for race in RACES:
            begin = time.monotonic()
            with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
                found = list(pool.map(lambda _, race=race: attempt(one, race), range(rounds)))
            wrong = [entry for entry in found if entry[0]]
            kinds = collections.Counter(entry[0].partition(':')[0] for entry in wrong)
            bad += [f'{race}, {delay * 1000:.0f} ms: {entry[0]}' for entry in wrong if entry[0].startswith('false')]
            knew = [entry[1] for entry in found if entry[3]]
            say(f'{race}, {delay * 1000:.0f} ms each way: {rounds} rounds in {time.monotonic() - begin:.0f} s; '
                f'{knew.count(False)} could not know, {knew.count(True)} knew for long, {knew.count(None)} between; '
                f'{kinds["false pass"]} false pass, {kinds["false fail"]} false fail, '
                f'{kinds["inconclusive"]} inconclusive where a verdict was due, {kinds[ABSENT]} did not come about')
            for i, (why, knew, verdict, ledger) in enumerate(wrong[:5]):
                file = out / 'wrong' / f'race-{race}-{delay * 1000:.0f}-{i}.ndjson'
                file.write_text(ledger)
                file.with_suffix('.json').write_text(json.dumps(verdict, indent=1))
                say(f'    {why}\n    {file}')
        server.stop()
        far.close()
    return bad


def attempt(one, race):
    for _ in range(TRIES):
        try:
            return one.run(race)
        except (Refused, OSError, KeyError, Dead) as trouble:
            why = f'{ABSENT}: {trouble!r}'
    return why, None, {}, ''
