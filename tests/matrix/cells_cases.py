"""Cells of the cases (modes/cases): a good client, a naive one, and one with a mitigation that the case is for."""
from cell import BOTH, GAP, LOSSES, SCENE
from clients import evicting

CUT = ('cut', 'bad', 'reset')
TOLD = LOSSES + ('refused', 'status')


class Case:
    """Adds cells of one case."""

    def __init__(self, t, name, overs):
        self.t, self.name, self.overs = t, name, overs

    def add(self, why, client, steps, truth, wire, **more):
        for over in self.overs:
            for tls in (False, True):
                if 'listener' not in more or tls:
                    self.t.add('case-hole' if 'needs' in more else 'case', f'{self.name[:2]}: {why}', client, steps, {'case': self.name}, over, tls, truth,
                               wire=wire, **more)


def dead_family(t):
    c = Case(t, '01-answered-then-dead', BOTH)
    c.add('Struck, and not sent again.', 'naive', GAP, {'recovered': 'F', 'retry-once': 'F', 'user_wait': 'P'}, ('ok', LOSSES))
    c.add('Sent again once, on connection 2.', 'retry', GAP, {'recovered': 'P', 'retry-once': 'P', 'no_storm': 'P'},
          ('ok', LOSSES, 'ok'))
    c.add('A POST with its key, sent again.', 'post-key', 'get pause:0.4 post', {'safe-retry': 'P'}, ('ok', LOSSES, 'ok'))
    Case(t, c.name, ('h1',)).add('No connection is used twice.', 'close', GAP, {'connection-close': 'P', 'recovered': 'P'},
                                 ('ok', 'ok'), without='naive')
    c = Case(t, '02-reused-no-bytes', BOTH)
    thrice = GAP + ' pause:0.4 get'
    c.add('Struck, and not sent again.', 'naive', thrice, {'recovered': 'F', 'retry-once': 'F'}, ('ok', LOSSES, 'ok'))
    c.add('Struck twice, and sent again once each time.', 'retry', thrice, {'recovered': 'P', 'retry-once': 'P'},
          ('ok', LOSSES, 'ok', LOSSES, 'ok'))
    c = Case(t, '03-whole-request-swallowed', BOTH)
    steps = GAP + ' pause:0.4 post'
    c.add('The GET was swallowed, and not sent again.', 'naive', steps, {'recovered': 'F', 'safe-retry': 'IN'},
          ('ok', LOSSES, 'ok'))
    c.add('The GET is sent again, the POST without a key is not.', 'retry', steps,
          {'recovered': 'P', 'retry-once': 'P', 'safe-retry': 'P'}, ('ok', LOSSES, 'ok', LOSSES))
    c.add('Both are sent again, the POST with its key.', 'post-key', steps,
          {'recovered': 'P', 'retry-once': 'P', 'safe-retry': 'P'}, ('ok', LOSSES, 'ok', LOSSES, 'ok'))
    c = Case(t, '04-close-behind-response', ('h1',))
    c.add('A request went into the FIN behind the response.', 'naive', GAP, {'recovered': 'F', 'retry-once': 'F'}, ('ok', TOLD))
    c.add('The same, sent again.', 'retry', GAP, {'recovered': 'P', 'retry-once': 'P'}, ('ok', TOLD, 'ok'))
    c = Case(t, '04-close-behind-response', ('h2',))
    c.add('The same over HTTP/2, where its ACK of SETTINGS may draw an RST: never a pass.', 'naive', GAP,
          {'recovered': 'FI', 'retry-once': 'FI'}, ('ok', TOLD), due=False)
    c.add('Sent again over HTTP/2: never a fail.', 'retry', GAP, {'recovered': 'PI', 'retry-once': 'PI'}, ('ok', TOLD, 'ok'), due=False)
    c = Case(t, '05-shorter-than-the-pool', BOTH)
    steps = 'get pause:0.3 get pause:2.8 get'
    c.add('It kept the connection for longer than the server.', 'naive', steps, {'recovered': 'F', 'no_stale_use': 'F'},
          ('ok', 'ok', LOSSES + ('refused',)))
    c.add('It closes what has been idle for 1.2 s.', 'evicts', steps, {'recovered': 'P', 'idle-eviction': 'P'}, ('ok', 'ok', 'ok'),
          policy=evicting(1.2), params={'idle-eviction': {'before': '1500ms'}})


def silent_family(t):
    hole = {'needs': ('black_hole', 'tap')}
    c = Case(t, '06-h2-black-hole', ('h2',))
    steps, limit = 'get pause:0.3 get pause:1.8 get', {'bounded-wait': {'max': '1500ms'}}
    c.add('It waited for 4 s in the hole.', 'naive', steps, {'recovered': 'F', 'bounded-wait': 'F'}, ('ok', 'ok', 'timeout'),
          params=limit, **hole)
    c.add('It gave up after half a second and was answered elsewhere.', 'gives-up-retry', steps,
          {'recovered': 'P', 'bounded-wait': 'P'}, ('ok', 'ok', 'timeout', 'ok'), params=limit, **hole)
    c.add('It had closed the connection before the hole came.', 'evicts', steps, {'recovered': 'P'},
          ('ok', 'ok', 'ok'), policy=evicting(0.6), params=limit, **hole)
    c = Case(t, '07-h2-send-buffer-full', ('h2',))
    steps = 'get pause:0.4 post'
    c.add('It waited for 4 s behind the head of its POST.', 'naive', steps, {'bounded-wait': 'F', 'safe_retry': 'PI'},
          ('ok', 'timeout'), params=limit, **hole)
    c.add('It gave its POST up after half a second, and did not repeat it.', 'gives-up', steps,
          {'bounded-wait': 'P', 'safe_retry': 'PI'}, ('ok', 'timeout'), params=limit, **hole)
    c.add('It gave its POST up, and was answered elsewhere, with its key.', 'gives-up-key', steps,
          {'bounded-wait': 'P', 'safe_retry': 'PI'}, ('ok', 'timeout', 'ok'), params=limit, **hole)
    c = Case(t, '08-path-change', BOTH)
    c.add('It used the connection from before, and waited for 4 s.', 'naive', SCENE,
          {'recovered': 'F', 'bounded-wait': 'F', 'fresh-on-foreground': 'FI'}, ('ok', 'ok', 'timeout'), params=limit, **hole)
    c.add('It used the old one, and was answered elsewhere.', 'gives-up-retry', SCENE,
          {'recovered': 'PI', 'fresh-on-foreground': 'FI'}, ('ok', 'ok', 'timeout', 'ok'), **hole)
    c.add('It dropped its pool in the foreground.', 'fresh', SCENE, {'recovered': 'PI', 'fresh-on-foreground': 'P'},
          ('ok', 'ok', 'ok'), without='naive', **hole)
    c = Case(t, '17-original-after-retry', BOTH)
    steps, long = 'get pause:0.3 get pause:2 post', {'bounded-wait': {'max': '1500ms'}}
    c.add('It waited for its POST in the hole for 4 s.', 'naive', steps, {'bounded-wait': 'F', 'safe_retry': 'PI'},
          ('ok', 'ok', 'timeout'), params=long, **hole)
    c.add('It gave its POST up and sent it again with its key; the original is yet to come.', 'gives-up-key', steps,
          {'bounded-wait': 'PI', 'safe_retry': 'PI'}, ('ok', 'ok', 'timeout', 'ok'), params=long, **hole)
    c.add('It sent its POST again without a key, and the original was done when the hole had healed.', 'gives-up-post',
          steps + ' pause:14', {'safe-retry': 'F', 'executed_once': 'F'}, ('ok', 'ok', 'timeout', 'ok'), named=True,
          control=False, **hole)


def goaway_family(t):
    c = Case(t, '09-goaway-below-streams-in-flight', ('h2',))
    steps = 'get pause:0.4 get*11 pause:0.5 get'
    c.add('Eleven streams were refused, and not sent again.', 'naive', 'get pause:0.4 get*11', {'recovered': 'F', 'goaway_respected': 'F'},
          ('ok',) + ('refused',) * 11)
    c.add('Each of the eleven was sent again once, on connection 2.', 'retry', steps,
          {'recovered': 'P', 'retry-once': 'P', 'goaway_respected': 'P'}, ('ok',) + ('refused',) * 11 + ('ok',) * 12, named=True)
    c = Case(t, '10-goaway-stream-never-ends', ('h2',))
    c.add('The answer was cut, and that was all.', 'naive', GAP, {'recovered': 'F', 'detects_truncation': 'P'}, ('ok', 'cut'))
    c.add('The answer was cut; asked again.', 'retry', GAP, {'recovered': 'P', 'detects_truncation': 'P'}, ('ok', 'cut', 'ok'))
    c.add('It took the cut answer for a whole one.', 'cut-ok', GAP, {'detects_truncation': 'F'}, ('ok', 'cut'))
    c = Case(t, '11-goaway-calm-again-and-again', ('h2',))
    c.add('It asked once, was refused, and said so.', 'naive', 'get', {'user_wait': 'P', 'no_storm': 'P'}, ('refused',))
    c.add('It came again once, and gave up.', 'retry', 'get', {'user_wait': 'P', 'no_storm': 'P'}, ('refused', 'refused'))
    c.add('It came again at once, and again, 40 times.', 'retry-ever', 'get', {'no_storm': 'F'}, ('refused',) * 41)
    c.add('It came again five times, and waited twice as long each time.', 'retry-backoff-5', 'get', {'backoff': 'P'},
          ('refused',) * 6)
    c = Case(t, '12-goaway-http11-required', ('h2',))
    both = {'control': False, 'listener': 'both'}
    c.add('It did not come back.', 'naive', 'get', {'falls_back': 'F', 'recovered': 'F'}, ('refused',), **both)
    c.add('It came back over http/1.1.', 'falls-back', 'get', {'falls_back': 'P', 'recovered': 'P'}, ('refused', 'ok'), **both)
    c = Case(t, '13-goaway-without-close', ('h2',))
    steps, limit = 'get pause:0.4 get pause:0.3 get pause:1.8 get', {'bounded-wait': {'max': '1500ms'}}
    c.add('It waited for 4 s for the promised stream.', 'naive', GAP, {'bounded-wait': 'F', 'recovered': 'F'}, ('ok', 'timeout'),
          params=limit)
    c.add('It gave the promised stream up, and sees the other GOAWAY.', 'gives-up-watch', steps,
          {'bounded-wait': 'P', 'recovered': 'P', 'goaway_respected': 'P'}, ('ok', 'timeout', 'ok', 'ok', 'ok'), params=limit)
    c.add('It gave the promised stream up, and does not see the other GOAWAY.', 'gives-up-retry', steps,
          {'bounded-wait': 'P', 'recovered': 'P', 'goaway_respected': 'F'}, ('ok', 'timeout', 'ok', 'ok', 'refused', 'ok'), params=limit)


def answers_family(t):
    c = Case(t, '14-post-processed-no-response', BOTH)
    c.add('A POST without a key that may have been done is reported, not repeated.', 'naive', 'post pause:0.4 post',
          {'safe-retry': 'P', 'user_wait': 'P'}, (LOSSES, LOSSES), named=True)
    c.add('Sent again with its key, and again.', 'key-twice', 'post pause:0.4 post', {'safe-retry': 'P', 'recovered': 'P'},
          (LOSSES, LOSSES, 'ok', 'ok'))
    c.add('Sent again without a key: done twice.', 'post-keyless', 'post', {'safe-retry': 'F', 'executed_once': 'F'}, (LOSSES, LOSSES))
    c = Case(t, '15-408-and-stale-pool', ('h1',))
    steps = 'get*3 pause:0.4 get'
    c.add('Whatever its pool gave it was dead, and that was all.', 'naive', steps, {'recovered': 'F', 'retry-once': 'F'},
          ('ok', 'ok', 'ok', TOLD))
    c.add('Whatever its pool gave it was dead; sent again on connection 4.', 'retry', steps, {'recovered': 'P', 'retry-once': 'P'},
          ('ok', 'ok', 'ok', TOLD, 'ok'), named=True)
    c = Case(t, '16-cut-without-close-notify', BOTH)
    c.add('The answer was cut, and it said so.', 'naive', 'get', {'detects_truncation': 'P', 'recovered': 'F'}, (CUT,))
    c.add('The answer was cut; asked again.', 'retry', 'get', {'detects_truncation': 'P', 'recovered': 'P', 'retry-once': 'P'}, (CUT, 'ok'))
    c.add('It took the cut answer for a whole one.', 'cut-ok', 'get', {'detects_truncation': 'F'}, ('cut',))


FAMILIES = (dead_family, silent_family, goaway_family, answers_family)
