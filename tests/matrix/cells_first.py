"""The cells with which the rules began (docs/verdict.md names them by these numbers), at several times around `grace` (0.1 s),
which must not matter where it is no rule: a loss is seen at once, whatever a client does then."""
import dataclasses

from cell import BOTH, GAP, IDLE, IDLE_STEPS, LOSSES, WIRES, first, mode
from clients import CLIENTS, Policy, evicting

NUMBERS = (1, 2, 3, 4, 6, 7, 9, 10, 11, 12, 14, 15, 16, 18, 19, 21, 22, 23, 25)
AROUND = (0.005, 0.08, 0.12, 0.15)  # less than half of the control's gap, which is `reach`


class First:
    def __init__(self, t):
        self.t = t

    def add(self, number, why, *arguments, **more):
        self.t.add('first-hole' if 'needs' in more else 'first', f'cell {number}: {why}', *arguments, **more)

    def around(self, number, why, client, steps, spec, over, tls, truth, **more):
        for delay in AROUND:
            policy = dataclasses.replace(CLIENTS[client], delay=delay)
            self.add(number, f'{why} After {delay * 1000:.0f} ms.', client, steps, spec, over, tls, truth, policy=policy, **more)


def reuse_family(t):
    c = First(t)
    spec, lost = mode('close-on-reuse'), mode('lost-answer', nth='2')
    for tls in (False, True):
        for over in BOTH:
            c.around(1, 'It retries once, on a new connection.', 'retry', GAP, spec, over, tls, {'retry-once': 'P'}, wire=('ok', LOSSES, 'ok'))
            c.add(6, 'Another POST to the same path follows, which is not the same.', 'naive', 'get pause:0.4 post post', spec, over,
                  tls, {'recovered': 'IN'}, wire=('ok', LOSSES, 'ok'))
            c.add(7, 'Two attempts at once of a POST that was swallowed.', 'retry-two', 'get pause:0.4 post',
                  first(mode('swallow-on-reuse')), over, tls, {'executed_once': 'FI'}, wire=('ok', LOSSES, 'ok', 'ok'), due=False)
            c.around(9, 'It retries from ::1.', 'retry-v6', GAP, spec, over, tls, {'retry-once': 'P'}, wire=('ok', LOSSES, 'ok'))
            c.add(10, 'A call died inside the client, and its user asked again: it says so.', 'naive', IDLE_STEPS + ' pause:0.4 get',
                  mode('reset-idle', idle=IDLE), over, tls, {'recovered': 'F'}, wire=('ok', 'ok', LOSSES, 'ok'))
            c.add(10, 'The same from the wire alone.', 'naive', IDLE_STEPS + ' pause:0.4 get', mode('reset-idle', idle=IDLE), over,
                  tls, {'recovered': 'FI'}, wire=('ok', 'ok', LOSSES, 'ok'), account=False, due=False)
            c.add(18, 'A POST without a key is lost, and it reports the error.', 'naive', 'get pause:0.4 post', lost, over, tls,
                  {'recovered': 'N', 'user_wait': 'P', 'executed_once': 'P', 'safe-retry': 'P'}, wire=('ok', LOSSES))
            for client, steps, letter, what in (('post-keyless', 'get pause:0.4 post', 'F', 'It repeats it.'),
                                                ('post-key', 'get pause:0.4 post', 'P', 'It repeats it with a key.'),
                                                ('post-constant-key', 'post pause:0.4 post', 'F', 'With a key that all have.')):
                c.around(19, what, client, steps, first(lost), over, tls, {'safe-retry': letter}, wire=('ok', LOSSES, 'ok'))
        c.add(2, 'It polls, and never retries; the control shows its rhythm.', 'naive', 'poll*6:0.4', spec, 'h1', tls, {'retry-once': 'F'},
              account=False, wire=('ok', LOSSES, 'ok', LOSSES, 'ok', LOSSES))
        c.add(2, 'The same without a control, and the last poll was answered.', 'naive', 'poll*5:0.4', spec, 'h1', tls,
              {'retry-once': 'I'}, control=False, account=False, wire=('ok', LOSSES, 'ok', LOSSES, 'ok'))
        c.around(3, 'It retries once, with a new X-Request-ID.', 'retry-ids', GAP, spec, 'h2', tls, {'retry-once': 'P'}, wire=('ok', LOSSES, 'ok'))
        c.add(4, 'One trace id, another target after it.', 'trace', GAP + ' get:/api/other', mode('swallow-on-reuse'), 'h2', tls,
              {'recovered': 'F'}, wire=('ok', LOSSES, ('ok', 'status')))
        c.add(11, 'Each request says Connection: close.', 'close', GAP, spec, 'h1', tls, {'recovered': 'P', 'user_wait': 'P'}, without='naive',
              wire=('ok', 'ok'))
        c.around(16, 'It repeats what was refused on the same connection.', 'retry', GAP, mode('refuse-stream'), 'h2', tls, {'retry-once': 'P'},
                 wire=('ok', 'refused', 'ok'))


def idle_family(t):
    c = First(t)
    for over, tls in WIRES:
        for after, letter in ((0.4, 'P'), (0.5, 'P'), (0.62, 'PI'), (0.68, 'PI')):
            for client, lazily in (('evicts', False), ('evicts-lazily', True)):
                c.add(12, f'It closes what was idle for {after * 1000:.0f} ms' + (', but only with the next call.' if lazily else '.'), client,
                      IDLE_STEPS, mode('half-open', idle=IDLE), over, tls, {'idle-eviction': letter}, policy=evicting(after, lazily),
                      params={'idle-eviction': {'before': '700ms'}}, wire=('ok', 'ok', 'ok'), due=letter == 'P')
        # The FIN comes, and is ACKed, 0.7 s after the answer.
        for pause, letter, what in ((0.72, 'IF', '20 ms'), (0.77, 'IF', '70 ms'), (0.98, 'F', '0.28 s'), (1.7, 'F', '1 s')):
            c.add(14, f'Its request came {what} after the ACK of the FIN.', 'naive', f'get pause:{pause} get', mode('idle-close', idle=IDLE),
                  over, tls, {'no_stale_use': letter}, wire=('ok', LOSSES), due=letter == 'F', control_steps=GAP)
            if over == 'h2':
                c.add(15, f'Its stream was opened {what} after the ACK of the GOAWAY.', 'naive', f'get pause:{pause} get',
                      mode('goaway-idle', idle=IDLE, grace='never'), 'h2', tls, {'goaway-aware': letter}, wire=('ok', 'refused'),
                      due=letter == 'F', control_steps=GAP)


def silence_family(t):
    c = First(t)
    for over, tls in WIRES:
        limit = {'bounded-wait': {'max': '1500ms'}}
        for seconds in (0.4, 1.38, 1.62, 2.5):
            letter = 'P' if seconds < 1.5 else 'F'
            c.add(21, f'It gave up a stall after {seconds} s, where 1.5 s are allowed.', 'gives-up', GAP, mode('stall-on-reuse'), over, tls,
                  dict({'bounded-wait': letter}, **({'recovered': 'F'} if letter == 'P' else {})), policy=Policy(limit=seconds), params=limit, wire=('ok', 'timeout'))
        hole = {'needs': ('black_hole', 'tap')}
        c.add(22, 'Only the FIN with which it evicts fell into the hole.', 'evicts', IDLE_STEPS, mode('black-hole', idle=IDLE), over, tls,
              {'bounded-wait': 'I'}, policy=evicting(1.1), wire=('ok', 'ok', 'ok'), account=False, control=False, **hole)
        c.add(22, 'A GET fell into it, and was answered elsewhere.', 'gives-up-retry', IDLE_STEPS, mode('black-hole', idle=IDLE), over, tls,
              {'bounded-wait': 'P'}, params=limit, wire=('ok', 'ok', 'timeout', 'ok'), **hole)
        c.add(23, 'It connects when its SYNs are no longer dropped.', 'naive', 'get', mode('syn-drop', **{'for': '600ms'}), over, tls,
              {'user_wait': 'F'}, params={'user_wait': {'max': '500ms'}}, needs=('tap',), wire=('ok',))
        for client, letter, kinds, what in (('cut-ok', 'F', ('ok', 'cut'), 'It takes a cut answer for a whole one.'),
                                            ('retry', 'P', ('ok', 'cut', 'ok'), 'It asks again after a cut answer.')):
            c.around(25, what, client, GAP, first(mode('truncate', nth='2', how='fin')), over, tls, {'detects_truncation': letter}, wire=kinds)


FAMILIES = (reuse_family, idle_family, silence_family)


def missing(cells):
    """Numbers without a cell."""
    there = {int(cell.why.split(':')[0].removeprefix('cell ')) for cell in cells if cell.family.startswith('first')}
    return sorted(set(NUMBERS) - there)
