"""What the clients of hostile.py are made of. Each is a process of a few requests, and there are hundreds:
nothing is imported here that most of them do not use.

    python3 -S -c 'import hostile_parts, hostile_wire; hostile_parts.be("NAME")'
"""
import json
import os
import sys
import time

sys.path[:0] = [os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'matrix')]
from statuses import FAILED, INCONCLUSIVE, NOT_PROVED, TIMED_OUT, USAGE  # noqa: E402
from wire import H1, H2, Dead  # noqa: E402

GET = '/api/entitlement/get'
POST = GET
LATER = 0.7  # seconds: no retry any more, by what the control has shown


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
LOST = ('--mode', 'lost-answer;nth=2', '--over', 'h1')
SAFE = (*LOST, '--expect', 'safe-retry')


def retrying(client, **more):
    client.ask(**more)
    time.sleep(0.1)
    if client.ask(**more) != 'ok':
        client.ask(fresh=True, **more)
    report(*FINE)


def be(name):
    """Is this client; its exit status is that of the process."""
    sys.exit((LIARS | ODD)[name][0]())
