"""Cells of the modes that the other tables leave out, or have without a client of one of the three kinds (see
cells.lacking): a good one, a naive one, and one with a mitigation that the mode is for."""
from cell import BOTH, GAP, IDLE, IDLE_STEPS, LOSSES, WIRES, mode
from clients import evicting

BROKEN = ('cut', 'bad', 'reset') + LOSSES
EVICTED = {'policy': evicting(0.4), 'params': {'idle-eviction': {'before': '550ms'}}}


def behind_response_family(t):
    spec = mode('close-after-response')
    for tls in (False, True):
        t.spread('behind', 'It sent a request 0.4 s after the FIN behind the response had come, and did not repeat it.',
                 'naive', GAP, spec, 'h1', tls, {'no_stale_use': 'F', 'recovered': 'F', 'retry-once': 'F'}, wire=('ok', LOSSES))
        t.spread('behind', 'The same, and repeated on a new connection.', 'retry', GAP, spec, 'h1', tls,
                 {'no_stale_use': 'F', 'recovered': 'P', 'retry-once': 'P'}, wire=('ok', LOSSES, 'ok'))
        # Over TLS what it says when it closes (an alert) may come as we close, and draw an RST behind its second response:
        # then it was not kept off that fault, but struck by it.
        t.add('behind', 'It saw the FIN when it looked, and went to a new connection.', 'look', GAP, spec, 'h1', tls,
              {'no_stale_use': 'PI' if tls else 'P', 'recovered': 'P', 'retry-once': 'I'}, wire=('ok', 'ok'), due=not tls)
        # Over HTTP/2 its ACK of our SETTINGS comes behind the FIN, and may draw an RST: then it can send nothing any more.
        t.add('behind', 'Its request, 0.4 s after the FIN, was not repeated; perhaps its kernel took none of it: never a pass.',
              'naive', GAP, spec, 'h2', tls, {'no_stale_use': 'FIN', 'recovered': 'FI', 'retry-once': 'FI'},
              wire=('ok', LOSSES), due=False)
        t.add('behind', 'The same, and repeated on a new connection: never a fail, but for the stale use.', 'retry', GAP, spec,
              'h2', tls, {'no_stale_use': 'FIN', 'recovered': 'PI', 'retry-once': 'PI'}, wire=('ok', LOSSES, 'ok'), due=False)
        t.add('behind', 'It went to a new connection, though not for long enough to be sure that it knew.', 'look', GAP, spec, 'h2',
              tls, {'no_stale_use': 'PIN', 'recovered': 'PI', 'retry-once': 'I'}, wire=('ok', 'ok'), due=False)


def window_family(t):
    spec = mode('window-zero')
    for tls in (False, True):
        t.spread('window', 'Requests without content are served: nothing was tested.', 'naive', GAP, spec, 'h2', tls,
                 {'user_wait': 'I', 'recovered': 'I'}, wire=('ok', 'ok'))
        t.spread('window', 'Its POST was stuck behind its head; it waited for 4 s where 1.5 s are allowed.', 'naive',
                 'get pause:0.4 post', spec, 'h2', tls, {'bounded-wait': 'F', 'user_wait': 'F'},
                 params={'bounded-wait': {'max': '1500ms'}, 'user_wait': {'max': '1500ms'}}, wire=('ok', 'timeout'))
        t.spread('window', 'Its POST was stuck behind its head; it gave up after 1.5 s, and that is allowed.',
                 'gives-up-slowly', 'get pause:0.4 post', spec, 'h2', tls, {'bounded-wait': 'P', 'safe_retry': 'PN'},
                 params={'bounded-wait': {'max': '3s'}}, wire=('ok', 'timeout'))


def settings_family(t):
    spec = mode('settings-deaf')
    for tls in (False, True):
        t.add('settings', 'No SETTINGS ACK came, and it did not care: nobody was struck, and it reuses.', 'naive',
              'get pause:1 get', spec, 'h2', tls, {'still_reuses': 'P'}, wire=('ok', 'ok'))
        t.add('settings', 'No SETTINGS ACK came, and it left with GOAWAY(SETTINGS_TIMEOUT): without the fault it reuses.',
              'leaves-deaf', 'get pause:1 get', spec, 'h2', tls, {'still_reuses': 'P'}, wire=('ok', 'ok'))


def refuse_family(t):
    for over, tls in WIRES:
        spec, more = mode('refuse', **{'for': '2300ms'}), {'control': False}
        t.add('refuse', 'Its connection was refused, and its account says so: it did not wait.', 'naive', 'get', spec,
              over, tls, {'waits-for-connectivity': 'FI'}, wire=('connect',), due=False, **more)
        t.add('refuse', 'Refused for more than 2 s, it tried again until it was answered; its account has no error.',
              'waits', 'get', spec, over, tls, {'waits-for-connectivity': 'P'}, wire=('connects', 'ok'), **more)
        t.add('refuse', 'The same without its account: never a pass.', 'waits', 'get', spec, over, tls,
              {'waits-for-connectivity': 'I'}, wire=('connects', 'ok'), account=False, due=False, **more)
        t.add('refuse', 'What is connected is left alone: nothing was tested.', 'naive', 'pause:2.6 get pause:0.3 get', spec, over,
              tls, {'waits-for-connectivity': 'I'}, wire=('ok', 'ok'), **more)


def record_family(t):
    for how in ('fin', 'rst'):
        spec = mode('truncate-record', nth='2', how=how)
        for over, tls in WIRES:
            t.spread('record', 'Not an octet of the response could be read; asked again, and answered.', 'retry', GAP, spec,
                     over, tls, {'recovered': 'P', 'retries': 'P'}, wire=('ok', BROKEN, 'ok'))
            t.spread('record', 'Not an octet of the response could be read, and that was all.', 'naive', GAP, spec, over,
                     tls, {'recovered': 'F'}, wire=('ok', BROKEN))
            t.spread('record', 'A POST without a key whose answer could not be read is reported, not repeated.', 'naive',
                     'get pause:0.4 post', spec, over, tls, {'safe-retry': 'P', 'recovered': 'N'}, wire=('ok', BROKEN))
            t.spread('record', 'Sent again without a key, it was done twice.', 'post-keyless', 'get pause:0.4 post', spec,
                     over, tls, {'safe-retry': 'F'}, wire=('ok', BROKEN, 'ok'))
            t.spread('record', 'Sent again with its key.', 'post-key', 'get pause:0.4 post', spec, over, tls,
                     {'safe-retry': 'P'}, wire=('ok', BROKEN, 'ok'))


def answers_family(t):
    """What is for POSTs of modes that cut or replace answers."""
    specs = [(mode('truncate-head', nth='2', how='fin'), 'h1'), (mode('garbage', nth='2', how='fin'), 'h1'),
             (mode('garbage', nth='2', how='fin'), 'h2'), (mode('malformed-chunk', nth='2', how='fin'), 'h1'),
             (mode('truncate', nth='2', how='fin', after=5), 'h2')]
    for spec, over in specs:
        for tls in (False, True):
            t.spread('cut-post', 'A POST whose answer was cut is sent again with its key.', 'post-key', 'get pause:0.4 post',
                     spec, over, tls, {'safe-retry': 'P'}, wire=('ok', BROKEN, 'ok'))
            t.spread('cut-post', 'Without a key it is reported, not repeated.', 'naive', 'get pause:0.4 post', spec, over,
                     tls, {'safe-retry': 'P'}, wire=('ok', BROKEN))
    for tls in (False, True):
        t.add('cut-told', 'A chunk that is none ended the answer, and its account has an error: seen.', 'naive', GAP,
              mode('malformed-chunk', nth='2', how='fin'), 'h1', tls, {'detects_truncation': 'P'}, wire=('ok', BROKEN))
        t.add('cut-told', 'The promised stream was cut; asked again, and answered.', 'retry', GAP,
              mode('goaway-open-stream', linger='200ms'), 'h2', tls, {'detects_truncation': 'P'}, wire=('ok', 'cut', 'ok'))


def slow_family(t):
    for over, tls in WIRES:
        for spec in (mode('drip', chunk=10, every='500ms', nth='2'), mode('throttle', rate=20, nth='2')):
            t.spread('slow-up', 'The answer came piece by piece; it gave up after 1.5 s, and was answered elsewhere.',
                     'gives-up-slowly-retry', GAP, spec, over, tls, {'bounded-wait': 'P'},
                     params={'bounded-wait': {'max': '3500ms'}}, wire=('ok', ('timeout', 'cut'), 'ok'))
        spec = mode('normal')
        t.add('normal', 'A server without a fault, and a client that reuses its connection.', 'naive', GAP, spec, over, tls,
              {'still_reuses': 'P'}, wire=('ok', 'ok'))
        t.add('normal', 'A server without a fault, and a client that would retry and reuses its connection.', 'retry', GAP, spec, over,
              tls, {'still_reuses': 'P'}, wire=('ok', 'ok'))


def naive_family(t):
    """Who does nothing about silence: it waits for 4 s, where 1 s is allowed."""
    limit = {'bounded-wait': {'max': '1s'}}
    for over, tls in WIRES:
        for spec, steps in ((mode('stall-on-reuse'), GAP), (mode('stall-idle', idle=IDLE), IDLE_STEPS)):
            t.spread('waits', 'No answer came for 4 s.', 'naive', steps, spec, over, tls, {'bounded-wait': 'F', 'recovered': 'F'},
                     params=limit, wire=('ok',) * (len(steps.split()) // 2) + ('timeout',))
        for name in ('black-hole', 'azure-lb', 'carrier-nat', 'aws-network-firewall'):
            t.add('hole', 'No answer came for 4 s, and its account says so, though nothing was read of its request.', 'naive',
                  IDLE_STEPS, mode(name, idle=IDLE), over, tls, {'bounded-wait': 'F', 'recovered': 'F'}, params=limit,
                  needs=('black_hole', 'tap'), wire=('ok', 'ok', 'timeout'))
        t.add('hole', 'It gave up after half a second, by its account; nothing was read of its request.', 'gives-up', IDLE_STEPS,
              mode('black-hole', idle=IDLE), over, tls, {'bounded-wait': 'P', 'recovered': 'F'}, params=limit,
              needs=('black_hole', 'tap'), wire=('ok', 'ok', 'timeout'))
        t.spread('hole', 'No answer came for 4 s to a request that was read.', 'naive', GAP, mode('black-hole-on-request'),
                 over, tls, {'bounded-wait': 'F', 'recovered': 'F'}, params=limit, needs=('black_hole',), wire=('ok', 'timeout'))
        t.spread('late', 'Its POST was answered when the hole had healed, later than is allowed.', 'naive', 'get pause:1.7 post',
                 mode('late-original', idle=IDLE, hole='2s'), over, tls, {'bounded-wait': 'FI', 'executed_once': 'PIN'},
                 params={'bounded-wait': {'max': '500ms'}}, needs=('black_hole',), wire=('ok', 'ok'), due=False)
        steps = 'get pause:0.3 get mark:path-change pause:0.3 get'
        t.add('path', 'The way was gone, and it waited for 4 s, by its account.', 'naive', steps, mode('path-change'), over, tls,
              {'bounded-wait': 'F', 'recovered': 'F'}, params=limit, needs=('black_hole', 'tap'), wire=('ok', 'ok', 'timeout'))
        t.add('path', 'The way was gone; it gave up after half a second and was answered elsewhere.', 'gives-up-retry', steps,
              mode('path-change'), over, tls, {'bounded-wait': 'P', 'recovered': 'P'}, params={'bounded-wait': {'max': '1500ms'}},
              needs=('black_hole', 'tap'), wire=('ok', 'ok', 'timeout', 'ok'))
        spec = mode('accept-silent', connections='1')
        t.spread('setup', 'Its first connection was silent for 4 s: never a pass.', 'naive', 'get', spec, over, tls,
                 {'bounded-wait': 'FI'}, params=limit, wire=(('timeout', 'connect'),), due=False)
        if tls:
            t.spread('setup', 'Its handshake hung for 4 s: never a pass.', 'naive', 'get', mode('handshake-stall', connections='1'),
                     over, tls, {'bounded-wait': 'FI'}, params=limit, wire=('connect',), due=False)
        t.add('syn', 'Its first SYN was dropped; it gave up after 0.4 s, and its next attempt was answered.', 'gives-up-retry',
              'get', mode('syn-drop', **{'for': '300ms'}), over, tls, {'bounded-wait': 'PI', 'recovered': 'PI'},
              params={'bounded-wait': {'max': '3s'}}, needs=('tap',), wire=('connect', 'ok'), due=False)
    for tls in (False, True):
        t.spread('goaway', 'The promised stream never came, and it waited for 4 s.', 'naive', GAP, mode('goaway-then-hang'), 'h2',
                 tls, {'bounded-wait': 'F', 'recovered': 'F'}, params=limit, wire=('ok', 'timeout'))
        t.add('streams', 'What was too much was sent again, by their names once each.', 'retry', 'get*3', mode('max-streams-one'),
              'h2', tls, {'retry-once': 'PI'}, named=True, wire=('ok', 'refused', 'refused', 'ok', 'ok'), due=False)


def more_mitigations_family(t):
    for over, tls in WIRES:
        for name in ('reset-idle', 'azure-lb-reset'):
            t.add('evicts', 'It closed the connection by its own clock before the RST was due.', 'evicts', IDLE_STEPS,
                  mode(name, idle=IDLE), over, tls, {'idle-eviction': 'P', 'recovered': 'P'}, wire=('ok', 'ok', 'ok'), **EVICTED)
        t.add('not-due', 'It closed the connection long before the fault was due, and would not have met it with the next '
              'call either: nothing was tested.', 'evicts', IDLE_STEPS, mode('idle-close', idle='30s'), over, tls,
              {'recovered': 'I', 'user_wait': 'I', 'retry-once': 'I'}, policy=evicting(0.4), wire=('ok', 'ok', 'ok'))
        names = [mode('accept-close', connections='1-12')] + ([mode('handshake-close', connections='1-12'),
                                                              mode('handshake-alert', connections='1-12')] if tls else [])
        for spec in names:
            t.spread('setup', 'Twelve connections ended at once, and it tried again each time without a pause: a storm.',
                     'retry-ever', 'get', spec, over, tls, {'no_storm': 'F'}, wire=(LOSSES + ('connect',),) * 12 + ('ok',))
        for spec in (dict(spec, params={'connections': '1'}) for spec in names):
            t.spread('setup', 'One more connection is no storm.', 'retry', 'get', spec, over, tls, {'no_storm': 'PI'},
                     wire=(LOSSES + ('connect',), 'ok'), due=False)


def strays_family(t):
    """Scenarios of the rules in which it matters what goes over the wire, and in which order."""
    for tls in (False, True):
        for at, letter in (('0.79', 'IF'), ('1.7', 'F')):
            spec = mode('goaway-idle', idle=IDLE, grace='never', barrier=True)
            t.add('stray', f'31: after {at} s its stream and, behind it in the same write, its ACK of the PING: within grace nothing '
                  'shows that it knew.', 'pong-behind', f'get pause:{at} get', spec, 'h2', tls, {'goaway_respected': letter},
                  wire=('ok', 'refused'), control_steps=GAP, due=letter == 'F')
            t.add('stray', f'31: after {at} s its ACK of the PING and, behind it in the same write, its stream: it had read the GOAWAY.',
                  'pong-before', f'get pause:{at} get', spec, 'h2', tls, {'goaway_respected': 'F'}, wire=('ok', 'refused'),
                  control_steps=GAP)
        for over in BOTH:
            spec = mode('reset-on-reuse')
            t.spread('stray', '47: reset at its first byte, which is read before the RST goes: a POST without a key, sent again.',
                     'post-keyless', 'get pause:0.4 post', spec, over, tls, {'safe_retry': 'F'}, wire=('ok', LOSSES, 'ok'))
            t.spread('stray', '47: reset at its first byte: a GET, sent again.', 'retry', GAP, spec, over, tls, {'retry-once': 'P'},
                     wire=('ok', LOSSES, 'ok'))
        spec = mode('max-streams-one')
        t.add('streams', '79: two streams at once, long after it had ACKed our SETTINGS: its own mistake, and no fault of ours.', 'naive',
              'get pause:0.3 get*2', spec, 'h2', tls, {'recovered': 'I'}, wire=('ok', ('ok',) + BROKEN + ('refused',), BROKEN + ('refused',)))
        for spec, read in ((mode('swallow-on-reuse'), True), (mode('close-on-reuse'), False)):
            t.add('stray', '80: its POST waited for 100 Continue, and got FIN' + (' behind that and its content' if read else '') +
                  '; it reports that. An interim answer is none.', 'expects', 'get pause:0.4 post', spec, 'h1', tls,
                  {'safe_retry': 'P', 'recovered': 'N'}, wire=('ok', LOSSES))
            t.add('stray', '80: the same, sent again without a key' + (', when it may have been done.' if read else '.'),
                  'expects-keyless', 'get pause:0.4 post', spec, 'h1', tls, {'safe_retry': 'F'}, named=True, wire=('ok', LOSSES, 'ok'))


def close_family(t):
    """Modes that end a connection, or should have it ended, behind a response."""
    for spec, seen in ((mode('close-said-not-done'), 'ok'), (mode('eof-body'), ('ok', 'bad') + LOSSES), (mode('extra-response'), ('ok', 'status'))):
        for tls in (False, True):
            t.add('said', 'Each of its requests has a connection of its own.', 'close', GAP, spec, 'h1', tls,
                  {'connection-close': 'PI'}, without='naive', wire=('ok', 'ok'), due=False)
            t.add('said', 'It does not ask for an end of its connections. Never a pass.', 'naive', GAP, spec, 'h1', tls,
                  {'connection-close': 'FI'}, wire=('ok', seen), due=False)


def expect_family(t):
    steps, params = 'get pause:0.4 post', {'bounded-wait': {'max': '1500ms'}}
    for tls in (False, True):
        for spec in (mode('expect-ignored'), mode('expect-late')):
            t.add('expect', 'It expects nothing, and is served: nothing was tested.', 'naive', steps, spec, 'h1', tls,
                  {'bounded-wait': 'I'}, params=params, wire=('ok', 'ok'))
            t.add('expect', 'It waited half a second for the 100, and gave up.', 'expects-briefly', steps, spec, 'h1', tls,
                  {'bounded-wait': 'PI'}, params=params, wire=('ok', 'timeout'), due=False)
        t.add('expect', 'It waited 4 s for a 100 that never comes, where 1.5 s are allowed.', 'expects', steps,
              mode('expect-ignored'), 'h1', tls, {'bounded-wait': 'F'}, params=params, wire=('ok', 'timeout'))


def strict_family(t):
    for tls in (False, True):
        t.add('strict', 'It sends no PING: nothing was tested.', 'naive', GAP, mode('ping-strict'), 'h2', tls,
              {'goaway-aware': 'I', 'no_storm': 'I'}, wire=('ok', 'ok'))
        t.add('strict', 'Its PINGs drew GOAWAY and FIN; it asked there, was refused, and went to a new connection. Never a '
              'pass of who knows of a GOAWAY.', 'ping-leaves', 'get pause:1.5 get', mode('ping-strict'), 'h2', tls,
              {'goaway-aware': 'FI', 'no_storm': 'PIN'}, wire=('ok', 'refused', 'ok'), due=False)


def chatty_family(t):
    spec = mode('chatty-idle', idle='300ms', every='300ms')
    for tls in (False, True):
        for client in ('naive', 'retry'):
            t.add('chatty', 'It is sent PINGs, ACKs them, is served and reuses its connection.', client, 'get pause:1.5 get', spec, 'h2', tls,
                  {'still_reuses': 'P'}, wire=('ok', 'ok'))


FAMILIES = (chatty_family, close_family, expect_family, strict_family, strays_family, behind_response_family, window_family,
            settings_family, refuse_family, record_family, answers_family, slow_family, naive_family, more_mitigations_family)
