"""Cells of silence: stalls, black holes, slow responses, PINGs that nobody answers, late originals."""
from cell import GAP, IDLE, IDLE_STEPS, WIRES, mode
from clients import evicting


def silence_family(t):
    stalls = [(mode('stall-on-reuse', read=read), GAP, ('ok',)) for read in ('first_byte', 'complete')]
    stalls += [(mode('stall-idle', idle=IDLE), IDLE_STEPS, ('ok', 'ok'))]
    for spec, steps, before in stalls:
        for over, tls in WIRES:
            for client in ('gives-up', 'gives-up-rst'):
                t.spread('stall', 'No answer; it gave up after half a second, well inside the limit.', client, steps,
                         spec, over, tls, {'recovered': 'F', 'bounded-wait': 'P'},
                         params={'bounded-wait': {'max': '1500ms'}}, wire=before + ('timeout',))
            t.spread('stall', 'It gave up after half a second and was answered elsewhere.', 'gives-up-retry', steps,
                     spec, over, tls, {'recovered': 'P', 'bounded-wait': 'P', 'retry-once': 'P'},
                     params={'bounded-wait': {'max': '1500ms'}}, wire=before + ('timeout', 'ok'))
            t.spread('stall', 'It waited for 2.5 s where 1 s is allowed.', 'gives-up-late', steps, spec, over, tls,
                     {'bounded-wait': 'F', 'recovered': 'F'}, params={'bounded-wait': {'max': '1s'}},
                     wire=before + ('timeout',))
            t.spread('stall', 'A POST that may have been done, given up and sent again without a key.',
                     'gives-up-post', steps[:-3] + 'post', spec, over, tls, {'safe_retry': 'F'},
                     wire=before + ('timeout', 'ok'))
        for tls in (False, True):
            t.spread('stall', 'It reset the stream after half a second and was answered on another connection.',
                     'gives-up-cancel-retry', steps, spec, 'h2', tls, {'recovered': 'P', 'bounded-wait': 'P'},
                     params={'bounded-wait': {'max': '1500ms'}}, wire=before + ('timeout', 'ok'))
            if spec['mode'] == 'stall-idle':
                t.add('ping', 'While idle its PING was not answered, and it left; the control shows that it stays else.',
                      'ping-leaves', steps, spec, 'h2', tls, {'ping-liveness': 'P', 'recovered': 'PI'},
                      wire=before + ('ok',))
            else:
                t.add('ping', 'In the silence its PING was not answered; it left and was answered elsewhere.',
                      'ping-leaves', steps + ' pause:0.4', spec, 'h2', tls, {'recovered': 'P', 'ping-liveness': 'P'},
                      wire=before + ('timeout', 'ok'))
    holes = [(mode('black-hole', idle=IDLE), IDLE_STEPS, ('ok', 'ok')), (mode('azure-lb', idle=IDLE), IDLE_STEPS, ('ok', 'ok')),
             (mode('carrier-nat', idle=IDLE), IDLE_STEPS, ('ok', 'ok')),
             (mode('aws-network-firewall', idle=IDLE), IDLE_STEPS, ('ok', 'ok')),
             (mode('black-hole-on-request'), GAP, ('ok',))]
    for spec, steps, before in holes:
        for over, tls in WIRES:
            more = {'needs': ('black_hole',)}
            t.spread('hole', 'No answer, no second attempt: never a pass; what a hole swallowed is presumed only, so '
                     'that inconclusive is allowed.', 'gives-up', steps, spec, over, tls, {'recovered': 'FI'},
                     wire=before + ('timeout',), due=False, **more)
            read = spec['mode'] == 'black-hole-on-request'
            t.spread('hole', 'It gave up after half a second and was answered elsewhere.' if read else
                     'The same, but nothing was read of its request: that it was this one is presumed only.',
                     'gives-up-retry', steps, spec, over, tls, {'recovered': 'P' if read else 'PI', 'bounded-wait': 'PI'},
                     params={'bounded-wait': {'max': '1500ms'}}, wire=before + ('timeout', 'ok'), due=read, **more)
            t.spread('hole', 'The same: whether it tried on the same connection, too, is seen only where its kernel '
                     'had nothing to send again.', 'gives-up-retry', steps, spec, over, tls,
                     dict.fromkeys(('retries', 'retry_elsewhere', 'retry-once'), 'PI' if read else 'I'),
                     wire=before + ('timeout', 'ok'),
                     due=False, **more)
            t.spread('hole', 'It tried once more in the hole, and then elsewhere: never a pass.', 'gives-up-same', steps, spec,
                     over, tls, {'retries': 'FI', 'retry_elsewhere': 'FI', 'retry-once': 'FI'},
                     wire=before + ('timeout', 'timeout', 'ok'), due=False, **more)
            t.spread('hole', 'It waited for 2.5 s where 1 s is allowed: never a pass.', 'gives-up-late', steps, spec,
                     over, tls, {'bounded-wait': 'FI'}, params={'bounded-wait': {'max': '1s'}},
                     wire=before + ('timeout',), due=False, **more)
            if not read:
                for control in (True, False):
                    t.add('hole', 'Its POST fell into the hole, and it sent it again elsewhere without a key; its account has '
                          'each request, and how long it took.', 'gives-up-post', steps[:-3] + 'post', spec, over, tls,
                          {'safe_retry': 'F', 'recovered': 'N'}, control=control, wire=before + ('timeout', 'ok'), **more)
                t.spread('hole', 'It used the connection later than it may, and nobody has read that: never a pass.',
                         'gives-up-retry', steps, spec, over, tls, {'idle-eviction': 'FI'},
                         params={'idle-eviction': {'before': '450ms'}}, wire=before + ('timeout', 'ok'), due=False, **more)
        if 'idle' in spec.get('params', {}):
            for over, tls in WIRES:
                t.add('hole', 'It had closed the connection by its own clock before the hole came.', 'evicts', steps,
                      spec, over, tls, {'idle-eviction': 'P', 'recovered': 'P'}, policy=evicting(0.4),
                      params={'idle-eviction': {'before': '550ms'}}, needs=('black_hole',), wire=before + ('ok',))


def slow_family(t):
    for over, tls in WIRES:
        spec = mode('slow-first-byte', delay='900ms', nth='2')
        t.spread('slow', 'Answered after 0.9 s, where 3 s are allowed.', 'naive', GAP, spec, over, tls,
                 {'user_wait': 'P', 'bounded-wait': 'P', 'recovered': 'PIN'},
                 params={'user_wait': {'max': '3s'}, 'bounded-wait': {'max': '3s'}}, wire=('ok', 'ok'))
        t.spread('slow', 'Answered after 0.9 s, where 0.4 s are allowed.', 'naive', GAP, spec, over, tls,
                 {'user_wait': 'F', 'bounded-wait': 'F'},
                 params={'user_wait': {'max': '400ms'}, 'bounded-wait': {'max': '400ms'}}, wire=('ok', 'ok'))
        t.add('slow', 'A hedge went out after 0.2 s and was answered: within 0.7 s. Which of the two is whose '
              'is not certain without a name.', 'hedge', GAP, spec, over, tls, {'bounded-wait': 'PI'}, account=False,
              params={'bounded-wait': {'max': '700ms'}}, wire=('ok', 'hedge', 'ok'), due=False)
        t.add('slow', 'The same with its account, which has one line for both.', 'hedge', GAP, spec, over, tls,
              {'bounded-wait': 'P'}, params={'bounded-wait': {'max': '700ms'}}, control=False, wire=('ok', 'hedge', 'ok'))
        t.add('slow', 'The same with a name.', 'hedge', GAP, spec, over, tls, {'bounded-wait': 'P'}, named=True,
              params={'bounded-wait': {'max': '700ms'}}, wire=('ok', 'hedge', 'ok'))
        t.spread('slow', 'It gave up after half a second, with nothing; 0.4 s are allowed.', 'gives-up', GAP, spec,
                 over, tls, {'bounded-wait': 'F'}, params={'bounded-wait': {'max': '300ms'}}, wire=('ok', 'timeout'))
        t.add('slow', 'A POST that was only late, given up and sent again without a key: done twice.',
                 'gives-up-post', 'get pause:0.4 post', spec, over, tls, {'safe_retry': 'F', 'executed_once': 'F'},
                 named=True, wire=('ok', 'timeout', 'ok'))
        for spec in (mode('drip', chunk=60, every='300ms', nth='2'), mode('throttle', rate=250, nth='2')):
            t.spread('slow', 'The answer came piece by piece, longer than is allowed.', 'naive', GAP, spec, over, tls,
                     {'bounded-wait': 'F'}, params={'bounded-wait': {'max': '500ms'}}, wire=('ok', 'ok'), due=False)


def ping_family(t):
    for tls in (False, True):
        spec = mode('ping-deaf')
        t.add('ping', 'It sent a PING on an idle connection, got no ACK, and left.', 'ping-leaves',
              'get pause:1 get', spec, 'h2', tls, {'ping_liveness': 'P', 'ping-liveness': 'P'}, wire=('ok', 'ok'))
        t.add('ping', 'The same without a control: perhaps it leaves each connection.', 'ping-leaves', 'get pause:1 get', spec,
              'h2', tls, {'ping_liveness': 'I', 'ping-liveness': 'I'}, control=False, wire=('ok', 'ok'), remedy='control')
        t.add('ping', 'It sent PINGs, got no ACK, and stayed.', 'ping-stays', 'get pause:2.2 get', spec, 'h2', tls,
              {'ping_liveness': 'F', 'ping-liveness': 'F'}, wire=('ok', 'ok'))
        t.add('ping', 'It sent no PING: never a pass.', 'naive', 'get pause:2.2 get', spec, 'h2', tls,
              {'ping_liveness': 'FI', 'ping-liveness': 'FI'}, wire=('ok', 'ok'), due=False)


def late_family(t):
    for over, tls in WIRES:
        more = {'needs': ('black_hole',)}
        spec = mode('late-original', idle=IDLE, hole='2s')
        late = 'get pause:1.7 post pause:2.5'
        t.add('late', 'The original of its POST got through after the retry: done twice.', 'gives-up-post', late, spec, over,
              tls, {'safe_retry': 'FI', 'executed_once': 'F', 'safe-retry': 'F'}, named=True, control=False, wire=('ok', 'timeout', 'ok'),
              **more)
        t.spread('late', 'The same without a name, and what it gave up is not seen: never a pass.', 'gives-up-post', late,
                 spec, over, tls, {'safe_retry': 'FIN', 'executed_once': 'FI', 'safe-retry': 'FI'},
                 wire=('ok', 'timeout', 'ok'), due=False, **more)
        steps = 'get pause:0.3 get mark:path-change pause:0.3 get'
        spec = mode('path-change')
        t.spread('path', 'The way was gone; it gave up after half a second and was answered elsewhere. What was lost is '
                 'presumed only.', 'gives-up-retry', steps, spec, over, tls, {'recovered': 'PI'},
                 wire=('ok', 'ok', 'timeout', 'ok'), due=False, **more)
        t.spread('path', 'The way was gone, and it gave up: never a pass.', 'gives-up', steps, spec, over, tls,
                 {'recovered': 'FI'}, wire=('ok', 'ok', 'timeout'), due=False, **more)


FAMILIES = (silence_family, slow_family, ping_family, late_family)
