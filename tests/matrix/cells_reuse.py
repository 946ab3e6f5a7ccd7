"""Cells of connections that die when they are used again."""
from cell import GAP, LOSSES, NORMAL, WIRES, mode

# Modes that end a connection when it is used again, with no byte of a response.
REUSE = [mode('close-on-reuse', how=how, read=read) for how in ('fin', 'rst') for read in ('first_byte', 'complete')]
REUSE += [mode('reset-on-reuse', read=read) for read in ('first_byte', 'complete')]
REUSE += [mode('swallow-on-reuse', how=how) for how in ('fin', 'rst')]
REUSE += [mode('empty-response', nth='2', how=how) for how in ('fin', 'rst')]
LOST = [mode('lost-answer', nth='2', how=how) for how in ('fin', 'rst')]


def reuse_family(t):
    for spec in REUSE + LOST:
        for over, tls in WIRES:
            lost = spec in LOST
            t.spread('reuse', 'A GET that is struck when its connection is used again, and never sent again, is '
                     'not answered: whatever else is known, that is a fail.', 'naive', GAP, spec, over, tls,
                     {'recovered': 'F', 'retries': 'F', 'retry-once': 'F',
                      'connection-close': 'F' if over == 'h1' else 'I', 'safe-retry': 'IN', 'executed_once': 'PIN'}, wire=('ok', LOSSES))
            t.spread('reuse', 'One more attempt at once, on a new connection, was answered: that is the mitigation.',
                     'retry', GAP, spec, over, tls,
                     {'recovered': 'P', 'retries': 'P', 'retry_elsewhere': 'P', 'retry-once': 'P', 'user_wait': 'P',
                      'no_storm': 'P', 'safe-retry': 'IN'}, params={'user_wait': {'max': '2s'}},
                     wire=('ok', LOSSES, 'ok'))
            t.spread('reuse', 'The second attempt went into the connection that had just died: no answer.',
                     'retry-same', GAP, spec, over, tls,
                     {'recovered': 'F', 'retry-once': 'F'}, wire=('ok', LOSSES, LOSSES))
            t.spread('reuse', 'Looking at the socket does not help when it dies at use: struck, never sent again.',
                     'look', GAP, spec, over, tls, {'recovered': 'F', 'retry-once': 'F'}, wire=('ok', LOSSES))
            if spec['mode'] in ('swallow-on-reuse', 'close-on-reuse') and spec['params']['how'] == 'fin':
                t.spread('reuse', 'After the FIN was known for long, a request went onto that connection: stale use.',
                         'retry-same-late', GAP, spec, over, False, {'no_stale_use': 'F', 'recovered': 'F'},
                         wire=('ok', LOSSES, LOSSES))
            t.spread('reuse', 'Two attempts at once after the loss are not one: whichever was joined, never a pass '
                     'of exactly one.', 'retry-two', GAP, spec, over, tls,
                     {'recovered': 'PI', 'retries': 'FI', 'retry-once': 'FI'}, wire=('ok', LOSSES, 'ok', 'ok'),
                     due=False)
            t.spread('reuse', 'A new X-Request-ID for each attempt does not part them: they follow each other at once '
                     'and are equal.', 'retry-ids', GAP, spec, over, tls,
                     {'recovered': 'P', 'retry-once': 'P'}, wire=('ok', LOSSES, 'ok'))
            t.spread('reuse', 'A trace id that all calls share joins nothing: the next call has another target.',
                     'trace', GAP + ' get:/api/other', spec, over, tls, {'recovered': 'F'},
                     wire=('ok', LOSSES, ('ok', 'status')))
            t.spread('post', 'A POST without a key that may have been done, and is reported, not repeated: right. '
                     'It cannot be recovered, so that is not asked.', 'naive', 'get pause:0.4 post', spec, over, tls,
                     {'safe_retry': 'P', 'safe-retry': 'P', 'recovered': 'N', 'executed_once': 'PN'},
                     wire=('ok', LOSSES))
            t.spread('post', 'A POST without a key sent again after it may have been done: a gamble, whatever the '
                     'server did with the first.', 'post-keyless', 'get pause:0.4 post', spec, over, tls,
                     {'safe_retry': 'F', 'safe-retry': 'F', 'executed_once': 'F' if lost else 'PNI'},
                     wire=('ok', LOSSES, 'ok'))
            t.spread('post', 'A POST with a key of its own, the same in both attempts, may be repeated.', 'post-key',
                     'get pause:0.4 post', spec, over, tls,
                     {'safe_retry': 'P', 'recovered': 'P', 'safe-retry': 'P'}, wire=('ok', LOSSES, 'ok'))
            t.spread('post', 'One key for every POST protects nothing: the server would take the second order for the '
                     'first.', 'post-constant-key', 'post pause:0.4 post', spec, over, tls,
                     {'safe_retry': 'F', 'safe-retry': 'F'}, wire=('ok', LOSSES, 'ok'))
            t.spread('post', 'What repeats only what is proven unprocessed repeats neither this POST nor this GET.',
                     'unprocessed', 'get pause:0.4 post', spec, over, tls,
                     {'safe_retry': 'P', 'recovered': 'N'}, wire=('ok', LOSSES))
            t.spread('post', 'Another POST to the same path follows, not the same one: it answers nothing of the '
                     'first.', 'naive', 'get pause:0.4 post post', spec, over, tls, {'recovered': 'IN', 'safe_retry': 'PI'},
                     wire=('ok', LOSSES, 'ok'), due=False)
            t.spread('other-call', 'A GET of the same path with another query is another call; by the path alone it '
                     'could be the same. Never a pass.', 'naive', 'get pause:0.4 get:/api/entitlement/get?a=1 '
                     'get:/api/entitlement/get?b=2', spec, over, tls, {'recovered': 'FI'},
                     wire=('ok', LOSSES, 'ok'), due=False)
            t.add('other-client', 'An equal GET of another client behind the same address, which has lost nothing, '
                  'answers nothing of the first. Never a pass.', 'naive', GAP + ' pause:0.1 other:get', spec, over,
                  tls, {'recovered': 'FI'}, wire=('ok', LOSSES), due=False)
            t.add('next-call', 'Each call has its name: the next call with another name is no retry.', 'naive',
                  GAP + ' pause:0.1 get', spec, over, tls, {'recovered': 'F', 'retries': 'F'}, named=True,
                  wire=('ok', LOSSES, 'ok'))
    for over, tls in WIRES:
        for spec in REUSE[:4]:
            t.spread('reuse', 'Its second attempt came from ::1: addresses neither join nor part.', 'retry-v6', GAP,
                     spec, over, tls, {'recovered': 'P', 'retry-once': 'P'}, wire=('ok', LOSSES, 'ok'))
        for spec in REUSE[:2] + LOST[:1]:
            plan = {'plan': [dict(spec, connection='1'), dict(mode('empty-response'), connection='2'), NORMAL]}
            t.spread('twice', 'Its first retry was struck too, the second was answered: recovered, by two attempts '
                     'where one is allowed.', 'retry-twice', GAP, plan, over, tls,
                     {'recovered': 'P', 'retries': 'F', 'retry-once': 'F'}, wire=('ok', LOSSES, LOSSES, 'ok'))
            t.spread('twice', 'The same with two attempts allowed.', 'retry-twice', GAP, plan, over, tls,
                     {'recovered': 'P', 'retries': 'P'}, params={'retries': {'min': 2, 'max': 2}},
                     wire=('ok', LOSSES, LOSSES, 'ok'))
            t.spread('twice', 'One retry, and that was struck too: no answer.', 'retry', GAP, plan, over, tls,
                     {'recovered': 'F', 'retry-once': 'F'}, wire=('ok', LOSSES, LOSSES))
            plan = {'plan': [dict(spec, connection='1'), dict(mode('empty-response'), connection='2-8'), NORMAL]}
            t.spread('for-ever', 'Eight attempts 30 ms apart: answered in the end, and a storm.', 'retry-ever', GAP,
                     plan, over, tls, {'recovered': 'P', 'retries': 'F', 'no_storm': 'F', 'retry-once': 'F'},
                     wire=('ok',) + (LOSSES,) * 8 + ('ok',))
            t.spread('for-ever', 'The pauses are all alike, by what a busy machine leaves of that: never a pass.', 'retry-ever-slow', GAP, plan, over, tls,
                     {'backoff': 'FI'}, wire=('ok',) + (LOSSES,) * 8 + ('ok',), due=False)
            plan = {'plan': [dict(spec, connection='1'), dict(mode('empty-response'), connection='2-5'), NORMAL]}
            t.add('for-ever', 'Each pause is twice the one before.', 'retry-backoff', GAP, plan, over, tls,
                     {'backoff': 'P'}, named=True, wire=('ok',) + (LOSSES,) * 5 + ('ok',))
        spec = mode('flap')
        t.spread('flap', 'Every other connection is bad: one retry on a fresh one is answered.', 'retry', 'get',
                 spec, over, tls, {'recovered': 'P', 'retry-once': 'P'}, wire=(LOSSES, 'ok'))
        t.spread('flap', 'No retry: no answer.', 'naive', 'get', spec, over, tls,
                 {'recovered': 'F', 'retry-once': 'F'}, wire=(LOSSES,))


def close_family(t):
    for spec in REUSE:
        for tls in (False, True):
            t.spread('close', 'It never reuses a connection, by its own word: nothing can strike it there.', 'close',
                     GAP, spec, 'h1', tls, {'recovered': 'PI', 'connection_close': 'PI', 'no_stale_use': 'PIN'},
                     wire=('ok', 'ok'), due=False)
            t.add('close', 'The same beside a run without the mitigation, which does reuse: it is the mitigation.',
                  'close', GAP, spec, 'h1', tls, {'connection-close': 'P', 'recovered': 'P'}, without='naive',
                  wire=('ok', 'ok'))
            t.add('close', 'Two requests on one connection are what it must not do.', 'naive', GAP, spec, 'h1', tls,
                  {'connection-close': 'F'}, wire=('ok', LOSSES))


def poll_family(t):
    for spec in (mode('close-on-reuse'), mode('swallow-on-reuse'), mode('empty-response', nth='2')):
        for over, tls in WIRES:
            t.add('poller', 'It asks the same every 0.4 s and never retries; the control shows its rhythm, so that the '
                  'next poll is no retry.', 'naive', 'poll*6:0.4', spec, over, tls, {'recovered': 'F', 'retry-once': 'F'},
                  account=False, wire=('ok', LOSSES, 'ok', LOSSES, 'ok', LOSSES))
            t.add('poller', 'The same without a control: the next poll could be a retry. Never a pass.', 'naive',
                  'poll*6:0.4', spec, over, tls, {'recovered': 'FI', 'retry-once': 'FI'}, control=False, account=False,
                  wire=('ok', LOSSES, 'ok', LOSSES, 'ok', LOSSES), due=False)
            t.add('poller', 'It asks every 0.1 s and never retries, and there is no control. Never a pass.', 'naive',
                  'poll*9:0.1', spec, over, tls, {'recovered': 'FI', 'retry-once': 'FI'}, control=False, account=False,
                  wire=('ok', LOSSES, 'ok', LOSSES, 'ok', LOSSES, 'ok', LOSSES, 'ok'), due=False)
            t.add('poller', 'Each poll has a name.', 'naive', 'poll*6:0.2', spec, over, tls, {'recovered': 'F'},
                  control=False, account=False, named=True, wire=('ok', LOSSES, 'ok', LOSSES, 'ok', LOSSES))


def rush_family(t):
    steps = 'get pause:0.4 get pause:0.3 get'
    for spec in REUSE + LOST:
        for over, tls in WIRES:
            t.add('rush', 'It never retries. Behind a failure it has nothing to show, so that its next request, for the '
                  'same, comes sooner than it does behind an answer; and it ends with 0, whatever came. There is one '
                  'call fewer than in the control: never a pass.', 'rushes', steps, spec, over, tls,
                  {'recovered': 'FI', 'retry-once': 'FI', 'user_wait': 'FI'}, account=False, due=False,
                  wire=('ok', LOSSES, 'ok'))
            t.add('rush', 'The same requests of a client that does send it again: as many calls as in the control.',
                  'retry', steps, spec, over, tls, {'recovered': 'P', 'retry-once': 'P'}, account=False,
                  wire=('ok', LOSSES, 'ok', LOSSES, 'ok'))
            t.add('rush', 'By its own account each request has a line, and one of them has failed.', 'naive', steps,
                  spec, over, tls, {'recovered': 'F', 'retry-once': 'F'}, wire=('ok', LOSSES, 'ok'))


def later_family(t):
    for spec in REUSE[:4] + REUSE[6:8] + LOST[:1]:
        for over, tls in WIRES:
            for control in (True, False):
                t.add('later', 'Its second attempt came late: on the wire that may be another call. Its account has a line for '
                      'each request, and this one lasted from the first attempt to the answer.', 'retry-later', GAP, spec, over,
                      tls, {'recovered': 'P', 'retries': 'P', 'retry_elsewhere': 'P', 'retry-once': 'P'}, control=control,
                      wire=('ok', LOSSES, 'ok'))
                t.add('later', 'It says nothing of a request that failed, and its user asked once more: its line is of that alone. '
                      'Never a pass.', 'retry-untold', GAP, spec, over, tls,
                      {'recovered': 'FI', 'retry-once': 'FI'}, control=control, due=False, wire=('ok', LOSSES, 'ok'))
                t.add('later', 'It says that both requests were answered, and they were two. Never a pass.', 'cached',
                      'get pause:0.4 get pause:0.6 get', spec, over, tls, {'recovered': 'FI', 'retry-once': 'FI'},
                      control=control, due=False, wire=('ok', LOSSES, 'ok'))
            t.add('later', 'Two requests of its user, the first of which failed: its account has a line for each, so that the '
                  'second is no retry.', 'naive', 'get pause:0.4 get pause:0.6 get', spec, over, tls,
                  {'recovered': 'F', 'retries': 'F', 'retry_elsewhere': 'N'}, wire=('ok', LOSSES, 'ok'))
            t.add('later', 'Without an account nobody can say what that second attempt is.', 'retry-later', GAP, spec, over, tls,
                  {'recovered': 'PI', 'retry-once': 'PI'}, account=False, due=False, wire=('ok', LOSSES, 'ok'))
            if spec['mode'] == 'lost-answer':
                t.add('later', 'A POST without a key that may have been done, and came again in the time of one line.',
                      'post-later', 'get pause:0.4 post', spec, over, tls, {'safe_retry': 'F', 'executed_once': 'F'},
                      wire=('ok', LOSSES, 'ok'))
        plan = {'plan': [dict(spec, connection='1'), dict(mode('empty-response'), connection='2-5'), NORMAL]}
        for over, tls in WIRES:
            t.add('later', 'Six attempts, 0.3 s apart, in the time of one line: a storm, and answered in the end.',
                  'retry-ever-slow', GAP, plan, over, tls, {'recovered': 'P', 'retries': 'F', 'no_storm': 'F'},
                  params={'recovered': {'within': '5s'}, 'no_storm': {'within': '5s'}}, wire=('ok',) + (LOSSES,) * 5 + ('ok',))


def still_reuses_family(t):
    for over, tls in WIRES:
        spec = mode('close-on-reuse', idle='30s')
        t.add('reuses', 'Without a fault it sends two requests on one connection.', 'naive', GAP, spec, over, tls,
              {'still_reuses': 'P'}, wire=('ok', 'ok'))
        if over == 'h1':
            t.add('reuses', 'Without a fault, too, each request has a connection of its own.', 'close', GAP, spec, over,
                  tls, {'still_reuses': 'F'}, wire=('ok', 'ok'))


def normal_family(t):
    for client in ('naive', 'retry', 'look', 'close', 'hedge'):
        for over, tls in WIRES:
            if client == 'close' and over == 'h2':
                continue
            late = mode('close-on-reuse', idle='30s')
            t.spread('untouched', 'The fault never came, so that nothing was tested.', client, GAP, late, over, tls,
                     {'retry-once': 'I', 'recovered': 'I' if client != 'close' else 'PI', 'no_storm': 'I' if client != 'close' else 'NI',
                      'retries': 'I' if client != 'close' else 'IN'}, wire=('ok', 'ok'))


FAMILIES = (reuse_family, close_family, poll_family, rush_family, later_family, still_reuses_family, normal_family)
