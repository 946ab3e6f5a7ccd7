"""The situations: each a script for the client, run in the same way against the real server and against hangup.

A script gets the client (peer.py), connected, and the times of the server (servers.py). What it waits for are events,
with an upper end; how long it then stays silent is a part of the situation.
"""
import collections

# variant: of the server's configuration (servers.py). over: of which protocols it can be said.
Situation = collections.namedtuple('Situation', 'name about run variant over', defaults=('plain', ('h1', 'h1s', 'h2', 'h2c')))

# Done to the server, while a connection is in some state.
Scene = collections.namedtuple('Scene', 'name about action state over', defaults=(('h1', 'h1s', 'h2', 'h2c'),))

H1, TLS = ('h1', 'h1s'), ('h1s', 'h2')
STALE = 1.0  # how long is watched what comes of what the client says last


def idle(c, t):
    c.ask()
    c.until_end(t.patience)


def then(act, after=0.0, watch=STALE):
    """After the idle connection was ended."""
    def run(c, t):
        idle(c, t)
        c.wait(after)
        act(c)
        c.wait(watch)
    return run


def again_and_again(c):
    for _ in range(10):
        if not c.octets():
            return
        c.wait(0.3)


def first(act):
    """The client ends an idle connection."""
    def run(c, _t):
        c.ask()
        c.wait(0.3)
        act(c)
        c.zero_now()
        c.wait(1.5)
    return run


def crossing(c, t):
    c.ask()
    c.drop_fins()
    c.wait(t.idle_end + 0.6 + t.jitter)
    c.request()
    c.wait(0.3)
    c.take_fins()
    c.wait(STALE + 0.5)


def with_header(value, version='1.1'):
    def run(c, t):
        c.ask(headers=[('Connection', value)] if value else (), version=version)
        c.until_end(t.patience)
        c.wait(0.5)
        c.request()
        c.wait(STALE)
    return run


def by_count(c, t):
    for _ in range(t.requests + 2):
        if not c.ask() or c.gone:
            break
        c.wait(0.1)
    c.wait(0.3)


def by_count_and_waiting(c, t):
    for _ in range(t.requests):
        c.ask()
    c.wait(STALE)
    c.request()
    c.wait(STALE)


def by_count_at_once(c, t):
    c.request(f'{t.requests + 2} requests', count=t.requests + 2)
    c.wait(STALE)


def by_age(c, t):
    c.ask()
    c.wait(t.age + 0.3)
    c.ask()
    c.wait(0.3)
    c.request()
    c.wait(STALE)


def begun(act):
    """Something was begun, and is not finished."""
    def run(c, t):
        act(c)
        c.zero_now()
        c.until_end(t.patience)
        c.wait(0.3)
    return run


def begun_later(act):
    def run(c, t):
        c.ask()
        c.wait(0.3)
        begun(act)(c, t)
    return run


SITUATIONS = [
    Situation('idle', 'idle until the server ends it', idle),
    Situation('request at the end', 'a request as soon as the end is seen', then(lambda c: c.request())),
    Situation('request 1 s later', 'a request 1 s after the end', then(lambda c: c.request(), 1.0)),
    Situation('request 3 s later', 'a request 3 s after the end', then(lambda c: c.request(), 3.0)),
    Situation('octets again and again', 'some octets every 0.3 s after the end, ten times', then(again_and_again, 0.1)),
    Situation('close_notify after', 'the client\'s close_notify 0.1 s after the end',
              then(lambda c: c.close_notify(), 0.1), over=TLS),
    Situation('leaving after', 'the client leaves 0.1 s after the end ([close_notify] FIN)', then(lambda c: c.leave(), 0.1)),
    Situation('close_notify first', 'the client says close_notify while idle, and no FIN', first(lambda c: c.close_notify()),
              over=TLS),
    Situation('leaving first', 'the client leaves while idle ([close_notify] FIN)', first(lambda c: c.leave())),
    Situation('FIN first', 'the client\'s FIN while idle, without close_notify', first(lambda c: c.fin()), over=TLS),
    Situation('crossing', 'a request that the client sends before it sees the FIN', crossing),
    Situation('Connection: close', 'asked for by the client; 0.5 s after the end a request', with_header('close'), over=H1),
    Situation('Connection: keep-alive', 'asked for by the client', with_header('keep-alive'), over=H1),
    Situation('HTTP/1.0', 'a request of HTTP/1.0', with_header('', '1.0'), over=H1),
    Situation('HTTP/1.0 keep-alive', 'the same with Connection: keep-alive', with_header('keep-alive', '1.0'), over=H1),
    Situation('last by count', 'one request after the other up to the limit, and two more', by_count, 'requests'),
    Situation('after the last', 'as many as the limit says, and a request 1 s later', by_count_and_waiting, 'requests'),
    Situation('last by count, at once', 'two more than the limit in one write', by_count_at_once, 'requests'),
    Situation('last by age', 'a request when the connection is old, and one more', by_age, 'age'),
    Situation('nothing', 'connected (TLS, preface), and no request', begun(lambda c: None)),
    Situation('half a head', 'as the first request', begun(lambda c: c.half_head())),
    Situation('half a head later', 'as the second request', begun_later(lambda c: c.half_head())),
    Situation('half a body', 'as the first request', begun(lambda c: c.half_body())),
]

STATES = {
    'while idle': 'an idle connection',
    'in flight': 'a request that is answered 1 s after it came',
}
ACTIONS = {
    'reload': 'the server reads its configuration again, or is told to let its connections end',
    'stop': 'the server is told to stop as gracefully as it can',
    'kill': 'SIGKILL',
}
SCENES = [Scene(f'{action} {state}', f'{what}; {how}', action, state)
          for action, what in ACTIONS.items() for state, how in STATES.items()]


def in_state(c, state):
    c.ask()
    if state == 'in flight':
        c.request('slow request', path=c.slow)
    c.wait(0.3)


def after_action(c):
    c.zero_now()
    c.until_end(2.0)
    c.wait(0.5)
    c.request()
    c.wait(STALE)
