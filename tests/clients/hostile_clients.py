"""The clients of hostile.py. Each is a process of a few requests, and there are hundreds: nothing is imported
here that most of them do not use.

    python3 -S -c 'import hostile_clients; hostile_clients.be("NAME")'
"""
import json
import os
import signal
import socket
import struct
import sys
import time

sys.path[:0] = [os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'matrix')]
from statuses import FAILED, INCONCLUSIVE, NOT_PROVED, TIMED_OUT, USAGE  # noqa: E402
from wire import H1, H2, SETTINGS, Dead, Stream, frame, literal  # noqa: E402

GET = '/api/entitlement/get'
POST = GET
LATER = 0.7  # seconds: no retry any more, by what the control has shown
PRIORITY, WINDOW_UPDATE = 2, 8


# --- What clients are made of

def fault():
    """Whether the fault is to come."""
    return os.environ['HANGUP_PHASE'] != 'control'


def address(name='HANGUP_HTTP'):
    host, _, port = os.environ[name].partition('//')[2].rpartition(':')
    return host.strip('[]'), int(port)


def api(method, path, value=None, kind='application/json'):
    """A call of the run's admin API; what it says does not matter."""
    import urllib.error
    import urllib.request
    body = value if isinstance(value, bytes) else None if value is None else json.dumps(value).encode()
    request = urllib.request.Request(os.environ['HANGUP_ADMIN'] + path, body, {'Content-Type': kind}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return refused.code
    except OSError:
        return 0


def report(*lines):
    """The account, in which all went well unless lines say otherwise; bytes are written as they are."""
    with open(os.environ['HANGUP_REPORT'], 'ab') as file:
        for line in lines:
            file.write(line if isinstance(line, bytes) else json.dumps(line).encode() + b'\n')


def line(n, ok=True, status=200, step='get'):
    return {'n': n, 'step': step, 'ok': ok, 'status': status, 'ms': 3, 'error': '' if ok else 'reset'}


DRIVER = {'driver': 1}
FINE = (DRIVER, line(1), line(2))


class Client:
    """A connection at a time; ask() says what became of a request: ok, empty, rst, cut ..."""

    def __init__(self, over='h1', listener=None):
        self.over, self.conn = over, None
        self.address = address(listener or ('HANGUP_HTTP' if over == 'h1' else 'HANGUP_HTTPS'))
        self.tls = over == 'h2' or listener in ('HANGUP_HTTPS', 'HANGUP_HTTPS1')

    def fresh(self):
        self.conn = H2(self.address, True) if self.over == 'h2' else H1(self.address, self.tls)
        return self.conn

    def ask(self, method='GET', target=GET, fields=(), body=b'', fresh=False, within=3):
        if fresh or not self.conn:
            self.fresh()
        try:
            stream = self.conn.send(method, target, fields, body)
            return self.conn.result(stream, time.monotonic() + within).kind
        except Dead as dead:
            return dead.args[0]

    def first_two(self, **more):
        """One request, and a second one on the same connection after a while: which the fault meets."""
        self.ask(**more)
        time.sleep(0.1)
        return self.ask(**more)


LIARS, ODD = {}, {}
NO_PASS = (NOT_PROVED, USAGE, INCONCLUSIVE, FAILED, TIMED_OUT)


def liar(*words, also=()):
    """COMMAND with these words of `prove`; `also`: statuses that are right beside those of a verdict."""
    def keep(function):
        LIARS[function.__name__] = function, words, also
        return function
    return keep


def odd(*words):
    def keep(function):
        ODD[function.__name__] = function, words, ()
        return function
    return keep


RETRY = ('01', '--over', 'h1', '--expect', 'retry-once')
RETRY2 = ('01', '--over', 'h2', '--expect', 'retry-once')
USER = ('01', '--over', 'h1')
BLIND = ('--no-control',)


# --- The account lies

@liar(*RETRY)
def says_ok(over='h1'):
    """No retry; the account says that all went well."""
    Client(over).first_two()
    report(*FINE)


@liar(*RETRY2)
def says_ok_h2():
    says_ok('h2')


@liar(*RETRY, *BLIND)
def says_ok_without_control():
    says_ok()


@liar(*RETRY)
def says_ok_by_name():
    client = Client()
    client.ask(fields=[('Hangup-Call', '1')])
    time.sleep(0.1)
    client.ask(fields=[('Hangup-Call', '2')])
    report(*FINE)


@liar(*USER)
def says_ok_for_the_user():
    says_ok()


@liar(*RETRY)
def never_sent():
    """In the fault it sends nothing, and says that it did."""
    if not fault():
        Client().first_two()
    report(*FINE)


@liar(*RETRY)
def sent_once():
    """Nothing that the fault could meet is sent; the account has both."""
    if fault():
        Client().ask()
    else:
        Client().first_two()
    report(*FINE)


@liar(*RETRY)
def nothing_at_all():
    if not fault():
        Client().first_two()


@liar(*RETRY)
def counts_three():
    Client().first_two()
    report(*FINE, line(3), line(4))


@liar(*RETRY)
def same_line_twice():
    Client().first_two()
    report(DRIVER, line(2), line(2), line(1), line(1))


@liar(*RETRY)
def backwards():
    Client().first_two()
    report(line(2), line(1), DRIVER)


@liar(*RETRY)
def huge_numbers():
    Client().first_two()
    report(DRIVER, line(1), line(2), b'{"n":18446744073709551617,"step":"get","ok":true}\n',
           b'{"n":-1,"ok":true}\n')


@liar(*RETRY)
def no_line_end():
    Client().first_two()
    report(DRIVER, line(1), json.dumps(line(2)).encode())


@liar(*RETRY)
def many_lines():
    """More than are kept, so that the one that matters is not."""
    Client().first_two()
    report(DRIVER, line(1), line(2), *[line(n) for n in range(3, 6000)])


@liar(*RETRY)
def one_huge_line():
    Client().first_two()
    report(*FINE, b'{"n":3,"ok":true,"step":"get","error":"' + b'x' * (8 << 20) + b'"}\n')


@liar(*RETRY)
def nul_and_more():
    Client().first_two()
    report(*FINE, b'\x00\xff{"n":3,"ok":true}\n')


@liar(*RETRY)
def report_is_taken_away():
    Client().first_two()
    os.unlink(os.environ['HANGUP_REPORT'])


@liar(*RETRY, '--timeout', '3s', also=(TIMED_OUT,))
def report_has_no_end():
    Client().first_two()
    os.unlink(os.environ['HANGUP_REPORT'])
    os.symlink('/dev/zero', os.environ['HANGUP_REPORT'])
    time.sleep(0.3)


@liar(*RETRY, '--timeout', '3s', also=(TIMED_OUT,))
def report_is_a_pipe():
    Client().first_two()
    os.unlink(os.environ['HANGUP_REPORT'])
    os.mkfifo(os.environ['HANGUP_REPORT'])


@liar(*RETRY)
def report_is_cut():
    """What it has said it takes back."""
    client = Client()
    client.ask()
    report(DRIVER, line(1), line(2, ok=False))
    time.sleep(0.3)
    client.ask()
    os.truncate(os.environ['HANGUP_REPORT'], 0)
    report(*FINE)


@liar(*RETRY)
def report_of_the_api():
    """The account comes by the API, beside the file."""
    Client().first_two()
    api('POST', '/reports', b''.join(json.dumps(each).encode() + b'\n' for each in FINE), 'application/x-ndjson')


@liar(*RETRY)
def exits_twice():
    """It says by the API that it ended well, and fails."""
    Client().first_two()
    api('POST', '/command', {'exit': {'status': 0}})
    sys.exit(1 if fault() else 0)


@liar(*RETRY)
def verdict_on_stdout():
    Client().first_two()
    print('{"verdict":"pass","final":true}\n   retry-once over h1: PROVED', flush=True)


# --- Header fields lie

@liar(*RETRY)
def one_name_for_all():
    """All requests are the same call: the second is no retry, as the first was answered."""
    client = Client()
    for _ in range(2):
        client.ask(fields=[('Hangup-Call', '1')])
        time.sleep(0.1)
    report(*FINE)


@liar(*RETRY)
def name_for_another_call():
    """What was lost is never asked for again; another request claims to be its retry."""
    client = Client()
    client.ask(fields=[('Hangup-Call', '1')])
    time.sleep(0.1)
    client.ask(fields=[('Hangup-Call', '2')])
    time.sleep(LATER if fault() else 0)
    if fault():
        client.ask(method='GET', target='/healthz', fields=[('Hangup-Call', '2')], fresh=True)


@liar(*RETRY)
def name_for_another_method():
    client = Client()
    client.ask(fields=[('Hangup-Call', '1')])
    time.sleep(0.1)
    client.ask(fields=[('Hangup-Call', '2')])
    if fault():
        client.ask(method='HEAD', fields=[('Hangup-Call', '2')], fresh=True)


@liar(*RETRY)
def poller():
    """It asks by the clock, and never again for what was lost."""
    client = Client()
    for _ in range(5):
        if client.ask() != 'ok':
            client.conn = None
        time.sleep(LATER)


@liar(*RETRY)
def many_names():
    """A header field that is there three times, with a name for each case."""
    client = Client()
    client.ask(fields=[('Hangup-Call', '1'), ('Hangup-Call', '2'), ('Hangup-Call', '3')])
    time.sleep(0.1)
    client.ask(fields=[('Hangup-Call', '2'), ('Hangup-Call', '3')])
    time.sleep(LATER)
    client.ask(target='/other', fields=[('Hangup-Call', '3')], fresh=True)


LOST = ('--mode', 'lost-answer;nth=2', '--over', 'h1')


def posts(first, second, targets=(POST, POST), bodies=(b'{"a":1}', b'{"a":1}'), between=0.05):
    """A POST whose answer is lost, and another."""
    client = Client()
    client.ask()
    client.ask('POST', targets[0], first, bodies[0])
    time.sleep(between)
    client.ask('POST', targets[1], second, bodies[1], fresh=True)


SAFE = (*LOST, '--expect', 'safe-retry')


@liar(*SAFE)
def post_again():
    posts((), ())


@liar(*SAFE)
def key_with_another_body():
    key = [('Idempotency-Key', 'k1')]
    posts(key, key, bodies=(b'{"a":1}', b'{"b":22222222222222}'))


@liar(*SAFE)
def key_only_at_first():
    posts([('Idempotency-Key', 'k1')], ())


@liar(*SAFE)
def key_only_in_the_end():
    posts((), [('Idempotency-Key', 'k1')])


@liar(*SAFE)
def new_key_each_time():
    posts([('Idempotency-Key', 'k1')], [('Idempotency-Key', 'k2')])


@liar(*SAFE)
def key_in_two_fields():
    posts([('Idempotency-Key', 'k1'), ('X-Idempotency-Key', 'k2')],
          [('Idempotency-Key', 'k2'), ('X-Idempotency-Key', 'k1')])


@liar(*SAFE)
def empty_key():
    posts([('Idempotency-Key', '')], [('Idempotency-Key', '')])


@liar(*SAFE)
def post_with_a_query():
    posts((), (), targets=(POST, POST + '?again=1'))


@liar(*SAFE)
def post_in_absolute_form():
    posts((), (), targets=(POST, 'http://hangup.test' + POST))


@liar(*SAFE)
def post_with_a_slash():
    posts((), (), targets=(POST, POST + '/'))


@liar(*SAFE)
def post_percent_encoded():
    posts((), (), targets=(POST, POST.replace('entitlement', '%65ntitlement')))


@liar(*SAFE)
def post_much_later():
    posts((), (), between=1.5)


@liar('--mode', 'close-on-reuse', '--over', 'h1', '--expect', 'connection-close')
def says_close_and_stays():
    """Connection: close in each request, all in one write on one connection."""
    head = f'GET {GET} HTTP/1.1\r\nHost: a\r\n'.encode()
    with socket.create_connection(address(), 5) as client:
        client.sendall((head + b'X-A: b\r\n\r\n') * 2 + head + b'Connection: close\r\n\r\n')
        while client.recv(65536):
            pass


@liar('--mode', 'normal', '--over', 'h1', '--expect', 'fresh-on-foreground')
def mark_on_an_old_connection():
    """Hangup-Mark on a request of a connection that is older than the mark."""
    client = Client()
    client.ask()
    other = Client()
    other.fresh()
    time.sleep(0.3)
    client.ask(fields=[('Hangup-Mark', 'background')])
    other.ask(fields=[('Hangup-Mark', 'foreground')])
    time.sleep(0.3)
    other.ask()


@liar('--mode', 'normal', '--over', 'h1', '--expect', 'fresh-on-foreground')
def mark_twice():
    """The mark again, once it is on a new connection."""
    client = Client()
    client.ask()
    time.sleep(0.3)
    client.ask(fields=[('Hangup-Mark', 'foreground')])
    time.sleep(0.3)
    client.ask()
    client.ask(fresh=True, fields=[('Hangup-Mark', 'foreground')])


# --- The wire

@liar(*RETRY)
def another_host():
    """It repeats what was lost, but not where it was: another name, another path."""
    client = Client()
    client.first_two()
    if fault():
        time.sleep(LATER)
        client.ask(target='http://other.example/healthz', fresh=True)


@liar(*RETRY)
def pipelined():
    """Two requests in one write are lost, and one is repeated."""
    client = Client()
    client.ask()
    time.sleep(0.1)
    head = 'GET {} HTTP/1.1\r\nHost: hangup.test\r\n\r\n'
    try:
        client.conn.io.send((head.format(GET) + head.format(GET + '?b')).encode())
        client.conn.head = False
        first = client.conn.result(1, time.monotonic() + 3).kind
        if first == 'ok':
            client.conn.result(1, time.monotonic() + 3)
    except Dead:
        first = 'rst'
    if first != 'ok':
        client.ask(fresh=True)


@liar(*RETRY)
def http_1_0():
    """HTTP/1.0, kept alive by its own word, without a retry."""
    with socket.create_connection(address(), 5) as client:
        for _ in range(2):
            try:
                client.sendall(f'GET {GET} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'.encode())
                client.recv(65536)
            except OSError:
                pass
            time.sleep(0.1)


@liar(*RETRY2)
def stream_ids_jump():
    client = Client('h2')
    client.ask()
    client.conn.next = 1001
    time.sleep(0.1)
    client.ask()
    if fault():
        time.sleep(LATER)
        client.ask(target='/other', fresh=True)


@liar(*RETRY2)
def stream_ids_go_back():
    """A stream that cannot be: a connection error is no answer."""
    client = Client('h2')
    client.ask()
    client.conn.next = 1
    client.ask()


@liar(*RETRY)
def half_a_retry():
    """The retry's head comes, and not its end."""
    client = Client()
    client.first_two()
    if fault():
        other = client.fresh()
        other.io.send(f'GET {GET} HTTP/1.1\r\nHost: hangup.test\r\n'.encode())
        time.sleep(0.2)


@liar(*RETRY)
def retry_refused():
    """The retry is no HTTP, and is answered with 400."""
    client = Client()
    client.first_two()
    if fault():
        client.fresh().io.send(f'GET {GET} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'.encode())
        client.conn.head = False
        client.conn.result(1, time.monotonic() + 2)


@liar(*RETRY)
def retry_not_read():
    """It repeats, and leaves with RST before it has read the answer."""
    client = Client()
    client.first_two()
    if fault():
        client.fresh().io.send(f'GET {GET} HTTP/1.1\r\nHost: hangup.test\r\n\r\n'.encode())
        client.conn.io.close('rst')


@liar(*RETRY)
def retries_five_times():
    client = Client()
    client.first_two()
    if fault():
        for _ in range(5):
            client.ask(fresh=True)
    report(*FINE)


@liar(*RETRY)
def wrong_port():
    """The retry goes to the other listener, in clear to the one for TLS."""
    client = Client()
    client.first_two()
    if fault():
        client.address = address('HANGUP_HTTPS')
        client.ask(fresh=True)


@liar(*RETRY)
def left_behind():
    """COMMAND ends with 0 at once, and a process that it has left does the rest, badly."""
    if not fault():
        Client().first_two()
        return
    client = Client()
    client.ask()
    if os.fork() == 0:
        os.setsid()
        time.sleep(0.3)
        client.ask()
        os._exit(0)
    os._exit(0)


# --- The admin API

def tampering(change, behave=None):
    """In the fault the change is made where it helps most."""
    client = Client()
    client.ask()
    time.sleep(0.1)
    kind = client.ask()
    if fault():
        if kind != 'ok':
            client.conn = None
        change()
        time.sleep(LATER)
        (behave or client.first_two)()


@liar(*RETRY)
def resets():
    tampering(lambda: api('POST', '/reset'))


@liar(*RETRY)
def sets_normal():
    tampering(lambda: api('PUT', '/mode', {'mode': 'normal'}))


@liar(*RETRY)
def sets_normal_first():
    if fault():
        api('PUT', '/mode', {'mode': 'normal'})
    Client().first_two()
    report(*FINE)


@liar(*RETRY)
def expects_less():
    tampering(lambda: api('PATCH', '', {'expect': ['executed_once']}))


@liar(*USER)
def expects_less_than_the_user():
    tampering(lambda: api('PATCH', '', {'expect': [{'no_storm': {'attempts': 100}}]}))


@liar(*RETRY)
def expects_other_calls():
    tampering(lambda: api('PATCH', '', {'expect': [{'retry-once': {'for': 'GET /other'}}]}))


def with_retry():
    client = Client()
    if client.first_two() != 'ok':
        client.ask(fresh=True)


@liar(*RETRY)
def phase_again():
    """It fails, begins the phase again, and behaves."""
    tampering(lambda: api('POST', '/phase', {'phase': 'fault'}), with_retry)


@liar(*RETRY)
def phase_control_again():
    tampering(lambda: (api('POST', '/phase', {'phase': 'control'}), api('POST', '/phase', {'phase': 'fault'})),
              with_retry)


@liar(*RETRY)
def phase_without():
    """What it does from now on is said to be without its mitigation."""
    tampering(lambda: api('POST', '/phase', {'phase': 'without'}))


@liar(*RETRY)
def phase_control_for_the_bad_part():
    if fault():
        api('POST', '/phase', {'phase': 'control'})
        Client().first_two()
        api('POST', '/phase', {'phase': 'fault'})
        with_retry()
    else:
        Client().first_two()


@liar(*RETRY)
def resets_and_behaves():
    tampering(lambda: api('POST', '/reset'), with_retry)


@liar(*RETRY)
def resets_sets_and_behaves():
    """Empty ledger, the same mode again, and a client that behaves."""
    tampering(lambda: (api('POST', '/reset'), api('PUT', '/mode', {'mode': 'close-on-reuse'})), with_retry)


@liar(*RETRY)
def deletes_the_run():
    tampering(lambda: api('DELETE', ''))


@liar(*RETRY)
def ends_soon():
    tampering(lambda: (api('PATCH', '', {'ttl': '100ms', 'mode': 'close-on-reuse'}), time.sleep(0.3)))


@liar(*RETRY)
def scales_time():
    tampering(lambda: api('PATCH', '', {'time_scale': 1000}))


@liar(*RETRY)
def starts_again():
    """A new command by the API, which ends well."""
    tampering(lambda: (api('POST', '/command', {'start': {'argv': ['good']}}),
                       api('POST', '/command', {'exit': {'status': 0}})))


# --- Processes

@liar(*RETRY, also=(TIMED_OUT, -9, 137))
def kills_its_keeper():
    Client().first_two()
    if fault():
        os.kill(os.getppid(), signal.SIGKILL)


@liar(*RETRY, also=(TIMED_OUT, -9, 137))
def stops_its_keeper():
    """Stops the process above for a while: what is not seen did not go well."""
    Client().first_two()
    if fault():
        parent = os.getppid()
        os.kill(parent, signal.SIGSTOP)
        if os.fork() == 0:
            os.setsid()
            time.sleep(1)
            os.kill(parent, signal.SIGCONT)
            os._exit(0)


# --- Odd, and right

def retrying(client, **more):
    client.ask(**more)
    time.sleep(0.1)
    if client.ask(**more) != 'ok':
        client.ask(fresh=True, **more)
    report(*FINE)


@odd(*RETRY)
def plain_retry():
    retrying(Client())


@odd(*RETRY2)
def plain_retry_h2():
    retrying(Client('h2'))


@odd(*RETRY)
def spare_connections():
    """Connections on which nothing is ever sent, before, between and after."""
    spare = [socket.create_connection(address(), 5) for _ in range(3)]
    client = Client()
    client.ask()
    time.sleep(0.1)
    spare[0].close()
    if client.ask() != 'ok':
        spare.append(socket.create_connection(address(), 5))
        client.ask(fresh=True)
    report(*FINE)


@odd(*RETRY)
def preconnected():
    """The retry goes on a connection that was opened before the fault, and never used."""
    client, spare = Client(), Client()
    spare.fresh()
    client.ask()
    time.sleep(0.1)
    if client.ask() != 'ok':
        spare.ask()
    report(*FINE)


@odd(*RETRY)
def racing():
    """Two connections at once for each request; the slower one is closed."""
    class Racing(Client):
        def fresh(self):
            other = socket.create_connection(self.address, 5)
            super().fresh()
            other.close()
            return self.conn
    retrying(Racing())


@odd(*RETRY)
def over_tls():
    retrying(Client('h1', 'HANGUP_HTTPS1'))


@odd(*RETRY)
def tickets_unread():
    """TLS 1.3: closes with the session tickets unread, so that its kernel says RST."""
    client = Client('h1', 'HANGUP_HTTPS1')
    kind = client.first_two()
    if kind != 'ok':
        client.ask(fresh=True)
    report(*FINE)
    client.conn.io.close('rst')


@odd(*RETRY)
def absolute_form():
    """The retry's target is in absolute form (RFC 9112 3.2.2)."""
    client = Client()
    client.ask()
    time.sleep(0.1)
    if client.ask() != 'ok':
        client.ask(target='http://hangup.test' + GET, fresh=True)
    report(*FINE)


@odd(*RETRY)
def empty_lines():
    """CRLF before a request (RFC 9112 2.2)."""
    client = Client()
    client.ask()
    client.conn.io.send(b'\r\n')
    time.sleep(0.1)
    if client.ask() != 'ok':
        client.ask(fresh=True)
    report(*FINE)


@odd(*RETRY)
def head_requests():
    retrying(Client(), method='HEAD')


@odd(*RETRY)
def options_first():
    """A preflight before each request."""
    client = Client()
    fields = [('Origin', 'http://a.example'), ('Access-Control-Request-Method', 'GET')]

    def both():
        kind = client.ask(method='OPTIONS', fields=fields)
        if kind in ('empty', 'rst'):
            client.ask(method='OPTIONS', fresh=True, fields=fields)
        kind = client.ask()
        if kind != 'ok':
            client.ask(fresh=True)
    both()
    time.sleep(0.1)
    both()


@odd(*RETRY)
def octet_by_octet():
    """Each octet in a segment of its own."""
    def slowly(conn):
        conn.head = False
        try:
            for octet in f'GET {GET} HTTP/1.1\r\nHost: hangup.test\r\n\r\n'.encode():
                conn.io.send(bytes([octet]))
            return conn.result(1, time.monotonic() + 3).kind
        except Dead:
            return 'rst'
    client = Client()
    slowly(client.fresh())
    time.sleep(0.1)
    if slowly(client.conn) != 'ok':
        slowly(client.fresh())
    report(*FINE)


KEY = os.urandom(16).hex()  # of this process


def chunked_post(conn, parts, fields=''):
    """A POST with a key, in chunks of these, with a trailer."""
    conn.head = False
    text = f'POST {POST} HTTP/1.1\r\nHost: hangup.test\r\nIdempotency-Key: {KEY}\r\n' \
           f'Transfer-Encoding: chunked\r\n{fields}\r\n'
    text += ''.join(f'{len(part):x};a=b\r\n{part}\r\n' for part in parts) + '0\r\nX-Trailer: 1\r\n\r\n'
    try:
        conn.io.send(text.encode())
        return conn.result(1, time.monotonic() + 3).kind
    except Dead:
        return 'rst'


@odd(*SAFE)
def chunks():
    """Chunked bodies with extensions and trailers, cut elsewhere in the retry."""
    client = Client()
    client.ask()
    if chunked_post(client.conn, ['{"a":', '1}']) != 'ok':
        chunked_post(client.fresh(), ['{', '"a":1', '}'])


@odd(*SAFE)
def expects_100():
    client = Client()
    client.ask()
    if chunked_post(client.conn, ['{"a":1}'], 'Expect: 100-continue\r\n') != 'ok':
        chunked_post(client.fresh(), ['{"a":1}'], 'Expect: 100-continue\r\n')


@odd(*SAFE)
def keeps_its_hands_off():
    """A POST without a key is not repeated; the user sees the error."""
    client = Client()
    client.ask()
    client.ask('POST', POST, (), b'{"a":1}')


@odd(*RETRY2)
def odd_h2():
    """PRIORITY of streams that are none, SETTINGS that nobody knows, WINDOW_UPDATEs, PINGs, unknown frames."""
    class Odd(Client):
        def fresh(self):
            super().fresh()
            io = self.conn.io
            io.send(frame(SETTINGS, 0, 0, struct.pack('>HIHIHIHI', 2, 0, 3, 1, 0xabcd, 7, 4, 1 << 20)))
            io.send(frame(PRIORITY, 0, 99, struct.pack('>IB', 0, 15)))
            io.send(frame(WINDOW_UPDATE, 0, 0, struct.pack('>I', 1 << 20)))
            io.send(frame(0xbe, 0xff, 0, b'unknown') + frame(0xbe, 1, 77, b''))
            self.conn.ping()
            return self.conn
    retrying(Odd('h2'))


@odd(*RETRY2)
def trailers_h2():
    """Requests with a body and trailers."""
    def ask(conn):
        stream, conn.next = conn.next, conn.next + 2
        block = (literal(':method', 'GET') + literal(':scheme', 'https') + literal(':path', GET) +
                 literal(':authority', 'hangup.test'))
        try:
            conn.io.send(frame(1, 4, stream, block) + frame(0, 0, stream, b'x') +
                         frame(0, 8, stream, b'\x03abc\0\0\0') +
                         frame(1, 5, stream, literal('x-trailer', '1')))
            conn.streams[stream] = Stream()
            return conn.result(stream, time.monotonic() + 3).kind
        except Dead:
            return 'rst'
    client = Client('h2')
    ask(client.fresh())
    time.sleep(0.1)
    if ask(client.conn) != 'ok':
        ask(client.fresh())
    report(*FINE)


@odd('--mode', 'idle-close;idle=300ms', '--over', 'h1')
def keep_alive_probes():
    """SO_KEEPALIVE, which is no use of a connection; it looks before it uses it again."""
    client = Client()
    client.ask()
    client.conn.io.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    client.conn.io.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    time.sleep(1.2)
    client.ask(fresh=not client.conn.look())


@odd(*USER)
def never_pools():
    for _ in range(2):
        Client().ask(fields=[('Connection', 'close')])
        time.sleep(0.1)
    report(*FINE)


@odd(*USER)
def half_closes():
    """FIN behind each request, as netcat does; the answer comes all the same."""
    for _ in range(2):
        with socket.create_connection(address(), 5) as client:
            client.sendall(f'GET {GET} HTTP/1.1\r\nHost: a\r\n\r\n'.encode())
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass
    report(*FINE)


@odd(*RETRY)
def long_query():
    retrying(Client(), target=GET + '?' + '&'.join(f'a{n}={n}' for n in range(900)))


@odd(*RETRY)
def many_fields():
    retrying(Client(), fields=[(f'X-{n}', 'a') for n in range(90)])


def be(name):
    """Is this client; its exit status is that of the process."""
    sys.exit((LIARS | ODD)[name][0]())
