"""Cells of connections that do not come about."""
from cell import BOTH, LOSSES, WIRES, mode


def setup_family(t):
    for tls in (False, True):
        for over in BOTH:
            for how in ('fin', 'rst'):
                spec = mode('accept-close', connections='1', how=how)
                t.spread('setup', 'Its first connection ended at once; it tried once more and was answered.', 'retry',
                         'get', spec, over, tls, {'recovered': 'PI'}, wire=(LOSSES + ('connect',), 'ok'), due=False)
                t.spread('setup', 'Its first connection ended at once, and that was all: never a pass.', 'naive',
                         'get', spec, over, tls, {'recovered': 'FI'}, wire=(LOSSES + ('connect',),), due=False)
            spec = mode('accept-silent', connections='1')
            t.spread('setup', 'Its first connection was silent; after half a second it tried another one.',
                     'gives-up-retry', 'get', spec, over, tls, {'bounded-wait': 'PI', 'recovered': 'PI'},
                     params={'bounded-wait': {'max': '1500ms'}}, wire=(('timeout', 'connect'), 'ok'), due=False)
            t.spread('setup', 'It waited for 2.5 s where 1 s is allowed: never a pass.', 'gives-up-late', 'get', spec,
                     over, tls, {'bounded-wait': 'FI'}, params={'bounded-wait': {'max': '1s'}},
                     wire=(('timeout', 'connect'),), due=False)
            if tls:
                for spec in (mode('handshake-close', connections='1'), mode('handshake-alert', connections='1')):
                    t.spread('setup', 'Its first handshake failed; it tried once more and was answered.', 'retry', 'get',
                             spec, over, tls, {'recovered': 'PI'}, wire=('connect', 'ok'), due=False)
                    t.spread('setup', 'Its first handshake failed, and that was all: never a pass.', 'naive', 'get', spec,
                             over, tls, {'recovered': 'FI'}, wire=('connect',), due=False)
                spec = mode('handshake-stall', connections='1')
                t.spread('setup', 'Its first handshake hung; after half a second it tried another connection.',
                         'gives-up-retry', 'get', spec, over, tls, {'bounded-wait': 'PI'},
                         params={'bounded-wait': {'max': '1500ms'}}, wire=('connect', 'ok'), due=False)
                t.spread('setup', 'Its handshake hung for 2.5 s where 1 s is allowed: never a pass.', 'gives-up-late',
                         'get', spec, over, tls, {'bounded-wait': 'FI'}, params={'bounded-wait': {'max': '1s'}},
                         wire=('connect',), due=False)


def syn_family(t):
    for over, tls in WIRES:
        short = mode('syn-drop', **{'for': '600ms'})
        t.spread('syn', 'Its first SYN was dropped; its kernel sent it again after a second: longer than is allowed.', 'naive',
                 'get', short, over, tls, {'user_wait': 'F', 'bounded-wait': 'F'}, needs=('tap',),
                 params={'user_wait': {'max': '500ms'}, 'bounded-wait': {'max': '500ms'}}, wire=('ok',))
        t.spread('syn', 'The same, and 4 s are allowed.', 'naive', 'get', short, over, tls,
                 {'user_wait': 'P', 'bounded-wait': 'P'}, needs=('tap',),
                 params={'user_wait': {'max': '4s'}, 'bounded-wait': {'max': '4s'}}, wire=('ok',))
        t.spread('syn', 'It gave up before its kernel had a connection: never a pass.', 'gives-up', 'get', short, over, tls,
                 {'recovered': 'FI'}, needs=('tap',), wire=('connect',), due=False)
        long = mode('syn-drop', **{'for': '2300ms'})
        t.add('syn', 'It waited for more than 2 s for a connection, and its account has no error.', 'naive', 'get', long, over,
              tls, {'waits_for_connection': 'P'}, needs=('tap',), wire=('ok',), control=False)
        t.add('syn', 'The same without its account: never a pass.', 'naive', 'get', long, over, tls,
              {'waits_for_connection': 'I'}, needs=('tap',), account=False, wire=('ok',), control=False, due=False)


FAMILIES = (setup_family, syn_family)
