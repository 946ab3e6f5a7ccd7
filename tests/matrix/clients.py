"""Scripted clients: each does exactly one thing, said by its policy, and nothing of its own accord."""
import dataclasses
import json
import time
import uuid

from wire import H1, H2, HTTP_1_1_REQUIRED, SETTINGS_TIMEOUT, Dead, Result

GET_TARGET = '/api/entitlement/get'
POST_TARGET = '/orders'  # a stub that answers POST with 201
REFUSALS = ('refused',)
IDEMPOTENT = ('GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE')


@dataclasses.dataclass
class Seen:
    """An attempt: of which call, on which connection (0: none), what became of it, and when."""
    call: int
    method: str
    connection: int
    kind: str
    begin: float
    end: float


@dataclasses.dataclass(frozen=True)
class Policy:
    """What a client does. The defaults are the naive one: it reuses its connection without a look, never
    retries, and waits for long."""
    retries: int = 0
    retry_post: str = 'never'     # never, keyless, key, constant-key, unprocessed
    retry_get: str = 'always'     # always, unprocessed
    where: str = 'new'            # new, same, same-first (then new), two (both at once), v6
    delay: float = 0.005          # from the loss to the retry
    backoff: float = 1.0          # what delay is multiplied with each time
    limit: float = 4.0            # for an attempt
    give_up: str = 'fin'          # how it leaves an attempt that takes too long: fin, rst, cancel
    look: bool = False            # looks at the socket before reuse
    watch: bool = False           # looks all the time, and closes what is over
    keep: bool = False            # does not close what GOAWAY has ended
    evict: float = 0.0            # closes a connection that was idle so long
    lazily: bool = False          # but only when the next call comes
    close: bool = False           # says Connection: close
    fresh: str = ''               # at the mark "foreground" closes its pool: all, half
    ping: float = 0.0             # sends PING after so long without an answer
    ping_wait: float = 0.3        # and waits so long for its ACK
    ping_leaves: bool = True      # then leaves; or stays
    hedge: float = 0.0            # sends an equal request elsewhere after so long without an answer
    cut_ok: bool = False          # takes a cut response for a whole one
    ids: str = ''                 # request-id: a new X-Request-ID for each attempt; trace: one traceparent for all
    ranged: bool = False          # asks for the rest with Range
    falls_back: bool = False      # over http/1.1 after HTTP_1_1_REQUIRED
    alpn: tuple = ()              # what it offers, if not only the protocol of the cell
    drops: str = ''               # at GOAWAY it leaves the streams that are promised, too: fin, cancel
    settings: float = 0.0         # leaves a connection whose SETTINGS ACK has not come after so long
    pong: str = ''                # its ACK of a PING goes out with its next request: before it, behind it
    expect: bool = False          # a POST says Expect: 100-continue, and waits for that
    via: bool = False             # as if a proxy had sent it
    malformed: bool = False       # sends a field whose name is no token
    cached: bool = False          # says that it was answered, whatever came
    rushes: bool = False          # makes no pause behind a request that was not answered: there is nothing to show
    forgets: bool = False         # its line is of the last attempt alone, as if that had been the request
    again: float = 0.0            # asks once more, though it was answered, after so long
    unread: bool = False          # leaves what comes unread, and closes: an RST. It says that all is well, whatever came
    ponders: float = 0.0          # and so long behind it
    at_once: str = ''             # closes as soon as it is answered: at-once (close_notify, and no look at what else came), rst
    agent: str = ''               # User-Agent, and other header fields in another order


class App:
    """One process of a client: a pool, an account of its calls, and what it has seen."""

    def __init__(self, policy, over, tls, address, named=False, mark=None, v6=None, stop=None):
        self.policy, self.over, self.tls, self.address = policy, over, tls, address
        self.named, self.set_mark, self.v6, self.stop_server = named, mark, v6, stop
        self.pool = []
        self.calls = 0
        self.unanswered = False   # the last call was not
        self.lines = []     # of the driver
        self.attempts = []  # what it has seen, for the matrix itself
        self.connections = 0
        self.constant_key = str(uuid.uuid4())
        self.trace = uuid.uuid4().hex
        self.left = []      # kept open on purpose
        self.unponged = 0   # connections that it left since their PING was not answered
        self.behind = 0.0   # how late it was at what it does by a clock
        self.evicted = []   # connections that it closed by its own clock, when it had, and when it had asked last
        self.others = {}    # other users behind the same address

    # --- connections

    def dial(self, v6=False):
        self.connections += 1
        kind = H2 if self.over == 'h2' else H1
        alpn = ('http/1.1',) if kind is H1 else self.policy.alpn or ('h2',)
        address = self.v6 if v6 else self.address
        conn = kind(address, self.tls, self.policy.limit, alpn)
        conn.id = self.connections
        conn.asked = time.monotonic()
        if kind is H2:
            conn.pong = self.policy.pong
            conn.drops = bool(self.policy.drops)
        return conn

    def take(self, fresh=False, v6=False):
        policy = self.policy
        while self.pool and not fresh:
            conn = self.pool.pop()
            if policy.evict and time.monotonic() - conn.idle_since > policy.evict:
                conn.close()
                continue
            if policy.look and not conn.look():
                if policy.keep and getattr(conn, 'goaways', None):
                    self.left.append(conn)
                else:
                    conn.close()
                continue
            if isinstance(conn, H1) and conn.over and not policy.look and conn.served and conn.io.closed:
                continue
            return conn
        return self.dial(v6)

    def put(self, conn):
        if self.policy.at_once or self.policy.unread:
            time.sleep(self.policy.ponders)
            conn.close(self.policy.at_once or 'unread')
        elif self.policy.close or getattr(conn, 'ended', None):
            conn.close()
        elif conn not in self.pool:
            self.pool.append(conn)

    def pause(self, seconds):
        until = time.monotonic() + seconds
        policy = self.policy
        next_ping = time.monotonic() + policy.ping
        while (left := until - time.monotonic()) > 0:
            now = time.monotonic()
            for conn in list(self.pool):
                gone = policy.evict and not policy.lazily and now - conn.idle_since >= policy.evict
                if gone or policy.watch and not conn.look():
                    self.pool.remove(conn)
                    if policy.keep and not gone and not conn.ended:
                        self.left.append(conn)
                    else:
                        conn.close()
                    if gone:
                        closed = time.monotonic()
                        self.evicted.append((conn.id, closed, conn.asked))
                        self.behind = max(self.behind, closed - conn.idle_since - policy.evict)
                elif policy.settings and isinstance(conn, H2) and now - conn.io.opened > policy.settings and not conn.settled:
                    self.pool.remove(conn)
                    conn.goaway(SETTINGS_TIMEOUT)
                    conn.close()
                elif policy.ping and now >= next_ping and left > policy.ping_wait and isinstance(conn, H2):
                    self.alive(conn)
            if now >= next_ping:
                next_ping = now + policy.ping
            fine = policy.evict or policy.watch or policy.ping or policy.settings
            time.sleep(min(left, 0.02) if fine else left)

    def alive(self, conn):
        """One PING; by its policy a connection that does not answer is left."""
        pongs = conn.pongs
        try:
            conn.ping()
        except Dead:
            pass
        until = time.monotonic() + self.policy.ping_wait
        while conn.pongs == pongs and not conn.ended and conn.pump(until):
            pass
        if conn.pongs > pongs or not self.policy.ping_leaves:
            return True
        if conn in self.pool:
            self.pool.remove(conn)
        conn.close()
        self.unponged += 1
        return False

    # --- attempts

    def seen(self, call, method, connection, kind, begin):
        self.attempts.append(Seen(call, method, connection, kind, begin, time.monotonic()))

    def fields(self, call, key):
        policy, fields = self.policy, []
        if policy.agent:
            fields += [('accept', '*/*'), ('user-agent', policy.agent)]
        if self.named:
            fields.append(('hangup-call', call))
        if key:
            fields.append(('idempotency-key', key))
        if policy.via:
            fields.append(('via', '1.1 proxy.test'))
        if policy.malformed:
            fields.append(('x-<a>', '1'))
        if policy.ids == 'request-id':
            fields.append(('x-request-id', str(uuid.uuid4())))
        if policy.ids == 'trace':
            fields.append(('traceparent', f'00-{self.trace}-{uuid.uuid4().hex[:16]}-01'))
        if policy.close and self.over == 'h1':
            fields.append(('Connection', 'close'))
        return fields

    def attempt(self, conn, method, target, fields, body):
        """Sends it and waits. Returns the result and leaves the connection as it is."""
        policy = self.policy
        conn.asked = time.monotonic()
        until = conn.asked + policy.limit
        try:
            stream = conn.send(method, target, fields, body, policy.limit)
        except Dead as dead:
            return Result('unsent', detail=str(dead))
        if policy.unread:
            return Result('ok' if conn.io.told(time.monotonic() + 0.03) == 'octets' else 'empty')
        if policy.hedge:
            return self.hedged(conn, stream, until, (method, target, fields, body))
        if policy.ping and isinstance(conn, H2):
            while True:
                result = conn.result(stream, min(until, time.monotonic() + policy.ping))
                if result.kind != 'timeout' or time.monotonic() >= until:
                    return result
                if not self.alive(conn):
                    return Result('timeout', detail='its PING was not answered')
        return conn.result(stream, until)

    def hedged(self, conn, stream, until, request):
        """The same again on a connection of its own, when no answer has come in time; the first one wins."""
        result = conn.result(stream, time.monotonic() + self.policy.hedge)
        if result.kind != 'timeout':
            return result
        other = self.dial()
        hedged = time.monotonic()
        second = other.send(*request)
        racing = [(conn, stream), (other, second)]
        while time.monotonic() < until and racing:
            for entry in list(racing):
                result = entry[0].result(entry[1], time.monotonic() + 0.01)
                if result.kind == 'timeout':
                    continue
                racing.remove(entry)
                if result.kind == 'ok':
                    self.seen(self.calls, request[0], other.id, 'hedge', hedged)
                    if entry[0] is other:
                        self.put(other)
                    else:
                        other.close()
                    return result
        other.close()
        return result

    def leave(self, conn, result):
        """After an attempt that has failed: what becomes of its connection."""
        policy = self.policy
        if conn in self.pool:
            self.pool.remove(conn)
        given_up = result.kind == 'timeout' and policy.give_up == 'cancel'
        dropped = result.kind == 'dropped' and policy.drops == 'cancel'
        if (given_up or dropped) and isinstance(conn, H2):
            for stream, it in conn.streams.items():
                if not it.done and it.error is None:
                    conn.cancel(stream)
            conn.close()
        elif result.kind in ('refused', 'reset') and not conn.over:
            self.pool.append(conn)  # its stream alone is over
        else:
            conn.close('rst' if result.kind == 'timeout' and policy.give_up == 'rst' else 'fin')

    def may_retry(self, method, result, attempts):
        policy = self.policy
        if attempts > policy.retries or result.kind in ('ok',):
            return False
        if result.kind == 'status' and result.status not in (408, 421, 425, 429, 502, 503, 504):
            return False
        rule = policy.retry_get if method in IDEMPOTENT else policy.retry_post
        if rule == 'unprocessed':
            return result.kind in REFUSALS or result.kind == 'connect'
        return rule != 'never'

    def answered(self, result):
        return result.kind == 'ok' or result.kind == 'cut' and self.policy.cut_ok

    def good(self, result):
        """By its own words."""
        return self.answered(result) or self.policy.cached

    def call(self, step, method, target):
        """One call: all its attempts, and its line in the account."""
        policy = self.policy
        self.calls += 1
        name, body, key = f'c{self.calls}', b'', ''
        if method == 'POST':
            body = json.dumps({'order': self.calls, 'at': time.time(), 'item': 'ticket'}).encode()
            key = {'key': str(uuid.uuid4()), 'constant-key': self.constant_key}.get(policy.retry_post, '')
        begin, attempts, delay, conn = time.monotonic(), 0, policy.delay, None
        result = Result('connect')
        while True:
            fields = self.fields(name, key)
            if policy.expect and method == 'POST':
                fields.append(('expect', '100-continue'))
            if policy.ranged and attempts:
                fields = fields + [('range', 'bytes=100-')]
            if policy.where == 'two' and attempts == 1:
                result = self.two(method, target, fields, body)
            else:
                conn, result = self.once(conn, method, target, fields, body, attempts)
            attempts += 1
            if not self.may_retry(method, result, attempts):
                break
            time.sleep(delay)
            delay *= policy.backoff
            begin = time.monotonic() if policy.forgets else begin
        if policy.again and self.good(result):
            time.sleep(policy.again)
            conn, _ = self.once(None, method, target, self.fields(name, key), body, attempts)
        ok = self.good(result)
        self.line(step, ok, result, begin)
        return ok

    def once(self, conn, method, target, fields, body, attempts):
        policy, begin = self.policy, time.monotonic()
        try:
            if conn is None or not self.stays(attempts):
                again = attempts > 0 and conn is not None
                conn = self.take(fresh=again and policy.where != 'same', v6=again and policy.where == 'v6')
        except OSError as trouble:
            self.seen(self.calls, method, 0, 'connect', begin)
            return None, Result('connect', detail=str(trouble))
        result = self.attempt(conn, method, target, fields, body)
        self.seen(self.calls, method, conn.id, result.kind, begin)
        if policy.falls_back and (0, HTTP_1_1_REQUIRED) in getattr(conn, 'goaways', ()):
            self.over = 'h1'
        if self.answered(result) or result.kind == 'status':
            self.put(conn)
        elif attempts >= policy.retries or not self.stays(attempts + 1):
            self.leave(conn, result)
        return conn, result

    def stays(self, attempts):
        """Whether the next attempt, of which there were so many, goes out on the connection of the last one."""
        return self.policy.where == 'same' or self.policy.where == 'same-first' and attempts == 1

    def two(self, method, target, fields, body):
        """Two at once, each on a new connection."""
        begin = time.monotonic()
        pair = [self.dial(), self.dial()]
        streams = [conn.send(method, target, fields, body) for conn in pair]
        results = []
        for conn, stream in zip(pair, streams):
            results.append(conn.result(stream, time.monotonic() + self.policy.limit))
            self.seen(self.calls, method, conn.id, results[-1].kind, begin)
            self.put(conn)
        return next((result for result in results if result.kind == 'ok'), results[0])

    def at_once(self, step, count, target):
        """So many GETs at once: streams of one connection, or a connection each over http/1.1."""
        flying = []
        shared = self.take() if self.over == 'h2' else None
        if shared:
            self.put(shared)
        for _ in range(count):
            self.calls += 1
            conn = shared or self.take()
            name = f'c{self.calls}'
            conn.asked = time.monotonic()
            try:
                stream = conn.send('GET', target, self.fields(name, ''))
            except Dead:
                stream = None
            flying.append((self.calls, name, conn, stream, time.monotonic()))
        failed = []
        for call, name, conn, stream, begin in flying:
            result = Result('unsent') if stream is None else conn.result(stream, begin + self.policy.limit)
            self.seen(call, 'GET', conn.id, result.kind, begin)
            if self.good(result):
                self.put(conn)
                self.line(step, True, result, begin, call)
            else:
                failed.append((call, name, conn, result, begin))
        for conn in {id(entry[2]): entry[2] for entry in failed}.values():
            self.leave(conn, next(entry[3] for entry in failed if entry[2] is conn))
        for call, name, _, result, begin in failed:
            attempts = 1
            while self.may_retry('GET', result, attempts):
                time.sleep(self.policy.delay)
                again = time.monotonic()
                conn = self.take()
                result = self.attempt(conn, 'GET', target, self.fields(name, ''), b'')
                self.seen(call, 'GET', conn.id, result.kind, again)
                attempts += 1
                if self.good(result):
                    self.put(conn)
                else:
                    self.leave(conn, result)
            self.line(step, self.good(result), result, begin, call)

    def line(self, step, ok, result, begin, call=0):
        self.unanswered = result.kind != 'ok'
        self.lines.append({'n': call or self.calls, 'step': step, 'ok': ok, 'status': result.status,
                           'ms': round((time.monotonic() - begin) * 1000, 3),
                           'error': '' if ok else f'{result.kind} {result.detail}'.strip()})

    # --- steps

    def run(self, steps):
        """get[:TARGET] post[:TARGET] get*N poll*N:SECONDS pause:SECONDS mark:NAME stop:SECONDS other:STEP

        stop: the server does not run for so long from then on."""
        for step in steps.split():
            self.step(step)
        self.finish()
        return all(line['ok'] for line in self.lines)

    def step(self, step):
        word, _, value = step.partition(':')
        word, _, count = word.partition('*')
        if word == 'pause':
            if not (self.policy.rushes and self.unanswered):
                self.pause(float(value))
        elif word == 'mark':
            self.at_mark(value)
        elif word == 'stop':
            self.stop_server(float(value))
        elif word == 'other':
            other = self.others.setdefault(1, App(dataclasses.replace(self.policy, agent='another client/2'),
                                                  self.over, self.tls, self.address, self.named))
            other.calls = 100
            other.step(value)
        elif word == 'poll':
            begin = time.monotonic()
            for i in range(int(count)):
                self.pause(max(0.0, begin + i * float(value) - time.monotonic()))
                self.call('get', 'GET', GET_TARGET)
        elif word == 'get' and count:
            self.at_once('get', int(count), value or GET_TARGET)
        elif word == 'get':
            self.call('get', 'GET', value or GET_TARGET)
        elif word == 'post':
            self.call('post', 'POST', value or POST_TARGET)
        else:
            raise ValueError(step)

    def at_mark(self, name):
        if self.set_mark:
            self.set_mark(name)
        if name == 'foreground' and self.policy.fresh:
            gone = self.pool if self.policy.fresh == 'all' else self.pool[:-1]
            for conn in list(gone):
                self.pool.remove(conn)
                conn.close()

    def all_lines(self):
        return self.lines + [line for other in self.others.values() for line in other.lines]

    def finish(self):
        """The process ends: its kernel closes what is open."""
        for other in self.others.values():
            other.finish()
        for conn in self.pool + self.left:
            conn.close()
        self.pool, self.left = [], []


NAIVE = Policy()
CLIENTS = {
    'naive': NAIVE,
    'retry': Policy(retries=1),
    'retry-slow': Policy(retries=1, delay=0.1),
    'retry-later': Policy(retries=1, delay=0.6),
    'retry-untold': Policy(retries=1, delay=0.6, forgets=True),
    'retry-same': Policy(retries=1, where='same'),
    'retry-same-late': Policy(retries=1, where='same', delay=0.8),
    'retry-twice': Policy(retries=2),
    'retry-two': Policy(retries=1, where='two', retry_post='keyless'),
    'retry-ever': Policy(retries=40, delay=0.03),
    'retry-ever-slow': Policy(retries=40, delay=0.3),
    'retry-backoff': Policy(retries=40, delay=0.05, backoff=2.0),
    'retry-v6': Policy(retries=1, where='v6'),
    'retry-ids': Policy(retries=1, ids='request-id'),
    'again': Policy(retries=1, again=0.05),
    'post-keyless': Policy(retries=1, retry_post='keyless'),
    'post-later': Policy(retries=1, delay=0.6, retry_post='keyless'),
    'post-key': Policy(retries=1, retry_post='key'),
    'post-constant-key': Policy(retries=1, retry_post='constant-key'),
    'unprocessed': Policy(retries=1, retry_post='unprocessed', retry_get='unprocessed'),
    'look': Policy(look=True),
    'look-retry': Policy(look=True, retries=1),
    'watch': Policy(look=True, watch=True),
    'keep': Policy(look=True, keep=True),
    'close': Policy(close=True),
    'trace': Policy(ids='trace'),
    'hedge': Policy(hedge=0.2),
    'cut-ok': Policy(cut_ok=True),
    'ranged': Policy(retries=1, ranged=True),
    'ping-leaves': Policy(ping=0.25, retries=1),
    'ping-stays': Policy(ping=0.25, ping_leaves=False, limit=1.8),
    'fresh': Policy(fresh='all'),
    'half-fresh': Policy(fresh='half'),
    'gives-up': Policy(limit=0.5),
    'gives-up-rst': Policy(limit=0.5, give_up='rst'),
    'gives-up-cancel': Policy(limit=0.5, give_up='cancel'),
    'gives-up-retry': Policy(limit=0.5, retries=1),
    'gives-up-same': Policy(limit=0.5, retries=2, where='same-first'),
    'gives-up-cancel-retry': Policy(limit=0.5, retries=1, give_up='cancel'),
    'gives-up-late': Policy(limit=2.5),
    'gives-up-post': Policy(limit=0.5, retries=1, retry_post='keyless'),
    'gives-up-slowly': Policy(limit=1.5),
    'gives-up-slowly-retry': Policy(limit=1.5, retries=1),
    'gives-up-key': Policy(limit=0.5, retries=1, retry_post='key'),
    'gives-up-watch': Policy(limit=0.5, retries=1, look=True, watch=True),
    'watch-retry': Policy(look=True, watch=True, retries=1),
    'key-twice': Policy(retries=2, retry_post='key'),
    'retry-backoff-5': Policy(retries=5, delay=0.05, backoff=2.0),
    'waits': Policy(retries=60, delay=0.1),
    'cached': Policy(cached=True),
    'rushes': Policy(cached=True, rushes=True),
    'unread': Policy(retries=1, unread=True),
    'unread-late': Policy(retries=1, unread=True, ponders=0.7),
    'at-once': Policy(retries=1, at_once='at-once'),
    'at-once-rst': Policy(retries=1, at_once='rst'),
    'via': Policy(retries=1, via=True),
    'malformed': Policy(malformed=True),
    'expects': Policy(expect=True),
    'expects-briefly': Policy(expect=True, limit=0.5),
    'expects-keyless': Policy(expect=True, retries=1, retry_post='keyless'),
    'pong-before': Policy(pong='before'),
    'pong-behind': Policy(pong='behind'),
    'leaves-deaf': Policy(settings=0.5),
    'drops': Policy(drops='fin'),
    'drops-cancel': Policy(drops='cancel'),
    'drops-retry': Policy(drops='fin', retries=1),
    'drops-cancel-retry': Policy(drops='cancel', retries=1),
    'drops-post': Policy(drops='fin', retries=1, retry_post='keyless'),
    'falls-back': Policy(retries=1, falls_back=True, alpn=('h2', 'http/1.1')),
}


def evicting(seconds, lazily=False):
    return Policy(evict=seconds, lazily=lazily, limit=1.0)
