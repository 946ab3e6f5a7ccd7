"""Cells of connections that end while they are idle, and of apps that come to the foreground."""
from cell import BOTH, GAP, IDLE, IDLE_STEPS, LOSSES, SCENE, WIRES, mode
from clients import evicting

# Modes that end an idle connection and say so by a FIN, or close_notify and FIN.
FIN_IDLE = [mode('idle-close', idle=IDLE), mode('idle-close', idle=IDLE, notify=True), mode('idle-close-notify', idle=IDLE),
            mode('gunicorn', idle=IDLE), mode('uvicorn', idle=IDLE), mode('aws-alb', idle=IDLE),
            mode('cloudflare', idle=IDLE), mode('iis', idle=IDLE), mode('hypercorn', idle=IDLE), mode('squid', idle=IDLE),
            mode('puma', idle=IDLE), mode('jdk-httpserver', idle=IDLE), mode('varnish', idle=IDLE),
            mode('nghttpx', **{'idle': IDLE, 'idle-h2': IDLE})]
FIN_IDLE_H1 = [mode('hint-lies', idle=IDLE), mode('node', idle=IDLE), mode('apache', idle=IDLE),
               mode('haproxy', idle=IDLE), mode('tomcat', idle=IDLE), mode('kestrel', idle=IDLE),
               mode('nginx', idle=IDLE), mode('gcp-alb', idle=IDLE), mode('jetty', idle=IDLE),
               mode('envoy', idle=IDLE, drain='1ms', close='1ms'), mode('goaway-idle', idle=IDLE), mode('caddy', idle=IDLE), mode('go', idle=IDLE),
               mode('h2o', idle=IDLE), mode('lighttpd', idle=IDLE)]
FIN_IDLE_H2 = [mode('gunicorn-sync', idle=IDLE)]  # over HTTP/1.1 each response is the last, and says so


def idle_family(t):
    wires = [(spec, over, tls) for spec in FIN_IDLE for over, tls in WIRES]
    wires += [(spec, 'h1', tls) for spec in FIN_IDLE_H1 for tls in (False, True)]
    wires += [(spec, 'h2', tls) for spec in FIN_IDLE_H2 for tls in (False, True)]
    for spec, over, tls in wires:
        t.spread('idle-fin', 'It sent its request a second after its kernel had ACKed the FIN, and did not repeat it.',
                 'naive', IDLE_STEPS, spec, over, tls, {'no_stale_use': 'F', 'recovered': 'F', 'retry-once': 'F'},
                 wire=('ok', 'ok', LOSSES))
        t.spread('idle-fin', 'The same, and repeated on a new connection: recovered, though by a stale use.', 'retry',
                 IDLE_STEPS, spec, over, tls, {'no_stale_use': 'F', 'recovered': 'P', 'retry-once': 'P'},
                 wire=('ok', 'ok', LOSSES, 'ok'))
        t.add('idle-fin', 'It looked, and went to a new connection; control and account show that it reuses, and that '
              'no call died inside it. A retry was not tested.', 'look', IDLE_STEPS, spec, over, tls,
              {'recovered': 'P', 'no_stale_use': 'P', 'retry-once': 'I', 'no_storm': 'NPI'}, wire=('ok', 'ok', 'ok'))
        t.add('idle-fin', 'The same with the exit status instead of the account: as many answers as in the control.',
              'look', IDLE_STEPS, spec, over, tls, {'recovered': 'P', 'retry-once': 'I'}, account=False,
              wire=('ok', 'ok', 'ok'))
        t.add('idle-fin', 'Neither a control nor an account: that no call died inside it cannot be known.', 'look',
              IDLE_STEPS, spec, over, tls, {'recovered': 'I', 'retry-once': 'I'}, account=False, control=False,
              wire=('ok', 'ok', 'ok'))
        t.add('idle-fin', 'It watches, and closes as soon as it sees the FIN: whether for that or by a clock of its own '
              'cannot be told so soon.', 'watch', IDLE_STEPS, spec, over, tls,
              {'recovered': 'PI', 'no_stale_use': 'PI', 'retry-once': 'I'}, wire=('ok', 'ok', 'ok'), due=False)
        t.add('idle-fin', 'It had closed the connection itself before the FIN was due, and does reuse at a shorter '
              'gap: kept off the fault.', 'evicts', IDLE_STEPS, spec, over, tls,
              {'recovered': 'P', 'idle-eviction': 'P', 'retry-once': 'I'}, policy=evicting(0.4),
              params={'idle-eviction': {'before': '550ms'}}, wire=('ok', 'ok', 'ok'))
        t.add('idle-fin', 'The fault is due long after the test: nothing was tested, and nothing passes.', 'naive',
              GAP, dict(spec, params=dict(spec['params'], idle='60s')), over, tls,
              {'recovered': 'I', 'retry-once': 'I', 'no_storm': 'I', 'user_wait': 'I'}, wire=('ok', 'ok'))


def reset_family(t):
    for spec in (mode('reset-idle', idle=IDLE), mode('azure-lb-reset', idle=IDLE)):
        for over, tls in WIRES:
            t.add('idle-rst', 'The RST was there: its kernel took no byte of the request, and its account has the '
                  'error.', 'naive', IDLE_STEPS, spec, over, tls, {'recovered': 'F', 'no_stale_use': 'NI'},
                  wire=('ok', 'ok', LOSSES))
            t.add('idle-rst', 'The same without its account: a call that leaves no byte cannot be seen, so never a '
                  'pass.', 'naive', IDLE_STEPS, spec, over, tls, {'recovered': 'IF', 'no_stale_use': 'NI'},
                  account=False, wire=('ok', 'ok', LOSSES), due=False)
            t.add('idle-rst', 'The call died inside the client, its user tried again: its account has both.', 'naive',
                  IDLE_STEPS + ' pause:0.4 get', spec, over, tls, {'recovered': 'F', 'no_stale_use': 'N'},
                  wire=('ok', 'ok', LOSSES, 'ok'))
            t.add('idle-rst', 'From the wire alone that looks as if the client had kept off the dead connection: never '
                  'a pass.', 'naive', IDLE_STEPS + ' pause:0.4 get', spec, over, tls, {'recovered': 'IF'},
                  account=False, wire=('ok', 'ok', LOSSES, 'ok'), due=False)
            t.add('idle-rst', 'It retried what its kernel had refused: answered, by its own account too. A retry was '
                  'not seen.', 'retry', IDLE_STEPS, spec, over, tls,
                  {'recovered': 'P', 'no_stale_use': 'N', 'retry-once': 'I'}, wire=('ok', 'ok', LOSSES, 'ok'))
            t.add('idle-rst', 'It looked and went to a new connection.', 'look', IDLE_STEPS, spec, over, tls,
                  {'recovered': 'P', 'no_stale_use': 'N', 'retry-once': 'I'}, wire=('ok', 'ok', 'ok'))


def forget_family(t):
    for spec in (mode('half-open', idle=IDLE), mode('aws-nlb', idle=IDLE), mode('ipvs', idle=IDLE, how='forget')):
        for over, tls in WIRES:
            t.spread('half-open', 'Its request went into the forgotten connection and drew RST; not repeated.', 'naive',
                     IDLE_STEPS, spec, over, tls, {'recovered': 'F', 'no_stale_use': 'IN', 'retry-once': 'F'},
                     wire=('ok', 'ok', LOSSES))
            t.spread('half-open', 'The same, repeated on a new connection.', 'retry', IDLE_STEPS, spec, over, tls,
                     {'recovered': 'P', 'no_stale_use': 'IN', 'retry-once': 'P'}, wire=('ok', 'ok', LOSSES, 'ok'))
            t.spread('half-open', 'Nothing can be seen on the socket: looking does not help.', 'look', IDLE_STEPS, spec,
                     over, tls, {'recovered': 'F', 'retry-once': 'F'}, wire=('ok', 'ok', LOSSES))
            t.add('evicts', 'It closed the connection by its own clock before the limit, and before it died.', 'evicts',
                  IDLE_STEPS, spec, over, tls, {'idle-eviction': 'P', 'recovered': 'P'}, policy=evicting(0.4),
                  params={'idle-eviction': {'before': '550ms'}}, wire=('ok', 'ok', 'ok'))
            t.add('evicts', 'It closes a connection that is too old only when the next call comes; no byte went onto '
                  'it.', 'evicts-lazily', IDLE_STEPS, spec, over, tls, {'idle-eviction': 'P', 'recovered': 'P'},
                  policy=evicting(0.4, True), params={'idle-eviction': {'before': '550ms'}}, wire=('ok', 'ok', 'ok'))
            t.add('evicts', 'It closed it only long after the limit: that it would not have used it in time is not '
                  'shown.', 'evicts-late', IDLE_STEPS, spec, over, tls, {'idle-eviction': 'FI', 'recovered': 'PI'},
                  policy=evicting(1.2), params={'idle-eviction': {'before': '550ms'}}, wire=('ok', 'ok', 'ok'),
                  due=False)
            t.add('evicts', 'It used a connection that had been idle for longer than the limit.', 'naive', IDLE_STEPS,
                  spec, over, tls, {'idle-eviction': 'F'}, params={'idle-eviction': {'before': '550ms'}},
                  wire=('ok', 'ok', LOSSES))


def close_notify_family(t):
    for over in BOTH:
        spec = mode('close-notify-only', idle=IDLE)
        t.spread('close-notify', 'It sent into a TLS session that had ended a second before.', 'naive', IDLE_STEPS, spec, over, True,
                 {'recovered': 'F', 'no_stale_use': 'F'}, wire=('ok', 'ok', LOSSES))
        t.spread('close-notify', 'The same, and repeated on a new connection.', 'retry', IDLE_STEPS, spec, over, True,
                 {'recovered': 'P', 'no_stale_use': 'F', 'retry-once': 'P'}, wire=('ok', 'ok', LOSSES, 'ok'))
        t.add('close-notify', 'It looked, and went to a new connection.', 'look', IDLE_STEPS, spec, over, True,
              {'recovered': 'P', 'no_stale_use': 'P', 'retry-once': 'I'}, wire=('ok', 'ok', 'ok'))


def hint_family(t):
    for tls in (False, True):
        spec = mode('honest-hint', hint='timeout=1', idle='5s')
        t.spread('hint', 'It used a connection that had been idle for longer than the server had said.', 'naive', IDLE_STEPS,
                 spec, 'h1', tls, {'honours_hint': 'F'}, wire=('ok', 'ok', 'ok'))
        t.add('hint', 'It closed the connection before the time that the server had said.', 'evicts', IDLE_STEPS, spec, 'h1', tls,
              {'honours_hint': 'P'}, policy=evicting(0.7), wire=('ok', 'ok', 'ok'))


def scene_family(t):
    for how, seen in (('forget', LOSSES), ('rst', LOSSES), ('fin', LOSSES)):
        spec = mode('suspend', after='300ms', how=how)
        for over, tls in WIRES:
            t.add('foreground', 'It dropped its pool at the mark; beside it a run without that, which reuses.'
                  if how == 'forget' else 'It dropped its pool at the mark, and what it had there had ended visibly: it '
                  'had no choice.', 'fresh', SCENE, spec, over, tls,
                  {'fresh-on-foreground': 'P' if how == 'forget' else 'PI', 'fresh_after_mark': 'P' if how == 'forget' else 'PI',
                   'recovered': 'PI'}, without='naive', wire=('ok', 'ok', 'ok'), due=how == 'forget')
            t.spread('foreground', 'The same alone: whether it would have reused anything is not shown.', 'fresh', SCENE, spec,
                     over, tls, {'fresh-on-foreground': 'PI'}, wire=('ok', 'ok', 'ok'), due=False)
            if how != 'rst':
                t.spread('foreground', 'It used a connection from before the mark.', 'naive', SCENE, spec, over, tls,
                         {'fresh-on-foreground': 'F', 'fresh_after_mark': 'F'}, wire=('ok', 'ok', seen))
            t.add('foreground', 'Nothing was used on the old connection, as its kernel took no byte: never a pass '
                  'without a new connection that was answered.' if how == 'rst' else
                  'The app never came to the foreground: nothing was tested.', 'naive',
                  SCENE if how == 'rst' else 'get pause:0.2 get mark:background pause:0.6', spec, over, tls,
                  {'fresh-on-foreground': 'FI' if how == 'rst' else 'I'},
                  wire=('ok', 'ok', seen) if how == 'rst' else ('ok', 'ok'), due=False)
    spec = mode('idle-close', idle='900ms')
    for over, tls in WIRES:
        t.add('foreground', 'The FIN came behind the mark, and it saw that: the mark had no part in it.', 'look',
              'get pause:0.2 get mark:background pause:0.2 mark:foreground pause:1.2 get', spec, over, tls,
              {'fresh-on-foreground': 'I'}, wire=('ok', 'ok', 'ok'), due=False)
    spec = mode('suspend', after='300ms', how='forget')
    for tls in (False, True):
        t.add('foreground', 'It dropped one of its two connections at the mark, and used the other.', 'half-fresh',
              SCENE.replace('get mark', 'get*2 mark'), spec, 'h1', tls, {'fresh-on-foreground': 'F'},
              wire=('ok', 'ok', 'ok', LOSSES))


def told_family(t):
    for tls in (False, True):
        spec = mode('idle-408', idle=IDLE, unused='never')
        t.spread('idle-408', 'It sent its request a second after the 408 and the FIN, took that 408 for its answer, and that '
                 'was all.', 'naive', IDLE_STEPS, spec, 'h1', tls, {'no_stale_use': 'F', 'recovered': 'F', 'retry-once': 'F'},
                 wire=('ok', 'ok', 'status'))
        t.spread('idle-408', 'The same, and repeated on a new connection: recovered, though by a stale use.', 'retry', IDLE_STEPS,
                 spec, 'h1', tls, {'no_stale_use': 'F', 'recovered': 'P', 'retry-once': 'P'}, wire=('ok', 'ok', 'status', 'ok'))
        post = IDLE_STEPS.removesuffix('get') + 'post'
        t.spread('idle-408', 'What came before its POST is no response to that (RFC 9112 9.2), so that it cannot know that it was '
                 'not done; repeated without a key.', 'post-keyless', post, spec, 'h1', tls,
                 {'recovered': 'N', 'safe-retry': 'F', 'executed_once': 'P'}, wire=('ok', 'ok', 'status', 'ok'))
        t.spread('idle-408', 'The same, repeated with its key.', 'post-key', post, spec, 'h1', tls,
                 {'recovered': 'P', 'safe-retry': 'P'}, wire=('ok', 'ok', 'status', 'ok'))
        t.add('idle-408', 'It looked, found octets that it had not asked for, and went to a new connection.', 'look', IDLE_STEPS,
              spec, 'h1', tls, {'recovered': 'P', 'no_stale_use': 'P', 'retry-once': 'I'}, wire=('ok', 'ok', 'ok'))
        t.add('idle-408', 'It had closed the connection itself before the 408 was due: kept off the fault.', 'evicts', IDLE_STEPS,
              spec, 'h1', tls, {'recovered': 'P', 'idle-eviction': 'P', 'retry-once': 'I'}, policy=evicting(0.4),
              params={'idle-eviction': {'before': '550ms'}}, wire=('ok', 'ok', 'ok'))
        t.spread('idle-408', 'Over HTTP/2 nothing happens: nothing was tested.', 'naive', GAP, spec, 'h2', tls,
                 {'recovered': 'I', 'retry-once': 'I'}, wire=('ok', 'ok'))


FAMILIES = (idle_family, told_family, reset_family, forget_family, close_notify_family, hint_family, scene_family)
