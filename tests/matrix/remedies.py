"""For each remedy a pair of cells: one that is inconclusive and says what to do, and the same once that was
done, which must be conclusive.
"""
import dataclasses
import pathlib
import re

from cell import GAP, IDLE, IDLE_STEPS, SCENE, cell, first, mode
from clients import evicting


@dataclasses.dataclass
class Pair:
    code: str
    about: str           # the expectation
    before: object       # a cell: inconclusive, with this code
    after: object        # a cell: as its truth says
    options: tuple = ()  # of the server
    more: tuple = ()     # of the server of the second besides
    early: bool = False  # the verdict of the first is asked for at once
    saved: bool = False  # what is judged is the ledger, saved
    judge: tuple = ()    # options of `hangup verdict`


def codes():
    """All that server/verdict may say."""
    text = (pathlib.Path(__file__).resolve().parents[2] / 'server/verdict/finding.h').read_text()
    text = text[text.index('#define REMEDIES(X)'):text.index('enum remedy')]
    return set(re.findall(r'X\([A-Z0-9_]+,\s*"([a-z0-9-]+)"', text.replace('\\\n', ' ')))


def one(client, steps, spec, over, tls, truth, **more):
    return cell('remedy', 'what the remedy asks for was done', client, steps, spec, over, tls, truth, **more)


def pairs():
    idle = mode('idle-close', idle=IDLE)
    reuse = mode('close-on-reuse')
    bare = {'control': False, 'account': False}
    before = {'idle-eviction': {'before': '550ms'}, 'idle_eviction': {'before': '550ms'}}
    never = mode('goaway-idle', idle=IDLE, grace='never')
    sharp = mode('goaway-idle', idle=IDLE, grace='300ms')
    return [
        Pair('no-exposure', 'recovered', one('naive', GAP, mode('idle-close', idle='60s'), 'h1', False, {'recovered': 'I'}),
             one('naive', IDLE_STEPS, idle, 'h1', False, {'recovered': 'F'})),
        Pair('not-struck', 'retry-once', one('look-retry', IDLE_STEPS, idle, 'h1', False, {'retry-once': 'I'}),
             one('look-retry', GAP, reuse, 'h1', False, {'retry-once': 'P'})),
        Pair('hangup-call', 'recovered',
             one('naive', GAP + ' pause:0.4 get', reuse, 'h1', False, {'recovered': 'I'}, **bare),
             one('naive', GAP + ' pause:0.4 get', reuse, 'h1', False, {'recovered': 'F'}, named=True, **bare)),
        Pair('report', 'recovered', one('look', IDLE_STEPS, idle, 'h1', False, {'recovered': 'I'}, **bare),
             one('look', IDLE_STEPS, idle, 'h1', False, {'recovered': 'P'}, control=False)),
        Pair('control', 'recovered', one('look', 'get pause:1.5 get', idle, 'h1', False, {'recovered': 'I'}, control=False),
             one('look', 'get pause:1.5 get', idle, 'h1', False, {'recovered': 'P'})),
        Pair('reuse', 'recovered', one('look', 'get pause:1.5 get', idle, 'h1', False, {'recovered': 'I'}, control_steps='get'),
             one('look', IDLE_STEPS, idle, 'h1', False, {'recovered': 'P'})),
        Pair('time-scale', 'idle-eviction',
             one('evicts', IDLE_STEPS, dict(mode('half-open', idle='7s'), time_scale=0.1), 'h1', False,
                 {'idle-eviction': 'I'}, policy=evicting(0.4), params=before),
             one('evicts', IDLE_STEPS, mode('half-open', idle=IDLE), 'h1', False, {'idle-eviction': 'P'},
                 policy=evicting(0.4), params=before)),
        Pair('mark', 'fresh-on-foreground',
             one('naive', 'get pause:0.2 get', mode('suspend', after='300ms'), 'h1', False, {'fresh-on-foreground': 'I'}),
             one('naive', SCENE, mode('suspend', after='300ms'), 'h1', False, {'fresh-on-foreground': 'F'})),
        Pair('grace', 'closes_after_goaway',
             one('keep', IDLE_STEPS, sharp, 'h2', False, {'closes_after_goaway': 'I'}),
             one('keep', 'get pause:0.25 get pause:2.5 get', never, 'h2', False, {'closes_after_goaway': 'F'})),
        Pair('read', 'retry_elsewhere',
             one('gives-up-retry', IDLE_STEPS, mode('black-hole', idle=IDLE), 'h2', False, {'retry_elsewhere': 'I'},
                 needs=('black_hole', 'tap')),
             one('gives-up-retry', IDLE_STEPS, mode('stall-idle', idle=IDLE), 'h2', False, {'retry_elsewhere': 'P'})),
        Pair('over-h1', 'connection_close', one('naive', GAP, reuse, 'h2', False, {'connection_close': 'I'}),
             one('naive', GAP, reuse, 'h1', False, {'connection_close': 'F'})),
        Pair('more-calls', 'connection_close', one('close', 'get', reuse, 'h1', False, {'connection_close': 'I'}),
             one('close', GAP, reuse, 'h1', False, {'connection_close': 'P'}, without='naive')),
        Pair('before', 'idle_eviction',
             one('naive', SCENE, mode('suspend', after='300ms'), 'h1', False, {'idle_eviction': 'I'}),
             one('naive', SCENE, mode('suspend', after='300ms'), 'h1', False, {'idle_eviction': 'F'}, params=before)),
        Pair('longer', 'backoff', one('retry-backoff', GAP, first(reuse), 'h1', False, {'backoff': 'I'}, named=True),
             one('retry-backoff', GAP, {'plan': [dict(reuse, connection='1'),
                                                 dict(mode('empty-response'), connection='2-5'), {'mode': 'normal'}]},
                 'h1', False, {'backoff': 'P'}, named=True)),
        Pair('later', 'no_stale_use',
             one('naive', 'get pause:0.25 get pause:0.8 get', idle, 'h1', False, {'no_stale_use': 'I'}),
             one('naive', IDLE_STEPS, idle, 'h1', False, {'no_stale_use': 'F'})),
        Pair('skew', 'fresh-on-foreground',
             one('naive', SCENE.replace('mark:foreground pause:0.3', 'mark:foreground'), mode('suspend', after='300ms'),
                 'h1', False, {'fresh-on-foreground': 'I'}),
             one('naive', SCENE, mode('suspend', after='300ms'), 'h1', False, {'fresh-on-foreground': 'F'})),
        Pair('relayed', 'recovered', one('retry', GAP, first(reuse), 'h1', False, {'recovered': 'I'}, **bare),
             one('retry', GAP + ' pause:0.1 get', first(reuse), 'h1', False, {'recovered': 'P'}, **bare),
             options=('--relayed',)),
        Pair('wait', 'recovered', one('gives-up-late', GAP, mode('stall-on-reuse'), 'h1', False, {'recovered': 'I'}),
             one('gives-up-late', GAP, mode('stall-on-reuse'), 'h1', False, {'recovered': 'F'}), early=True),
    ] + more_pairs(bare, reuse, before)


BUSY = ' poll*700:0'  # more events than a small ledger has room for


def more_pairs(bare, reuse, before):
    stall, late = mode('stall-on-reuse'), 'get pause:0.4 mark:background get'
    keep = {'named': True, 'control': False, 'account': False}
    # Six attempts, 0.3 s apart: the last is 1.5 s behind the first, and a little more.
    six = {'plan': [dict(reuse, connection='1'), dict(mode('empty-response'), connection='2-5'), {'mode': 'normal'}]}
    return [
        Pair('ended-early', 'recovered', one('gives-up', GAP, stall, 'h1', False, {'recovered': 'I'}, killed=True),
             one('gives-up', GAP + ' pause:2.5', stall, 'h1', False, {'recovered': 'F'}, killed=True)),
        Pair('gap', 'recovered', one('retry', GAP + BUSY, first(reuse), 'h1', False, {'recovered': 'I'}, **keep),
             one('retry', GAP + BUSY, first(reuse), 'h1', False, {'recovered': 'P'}, **keep),
             options=('--ledger-limit', '300000'), more=('--ledger-dir', 'DIR'), saved=True,
             judge=('--expect', 'recovered;within=2s')),
        Pair('begin', 'recovered', one('retry', GAP + BUSY, first(reuse), 'h1', False, {'recovered': 'I'}, **keep),
             one('retry', GAP + BUSY, first(reuse), 'h1', False, {'recovered': 'P'}, **keep),
             options=('--ledger-limit', '300000'), more=('--ledger-dir', 'DIR'), saved=True),
        Pair('reset', 'recovered',
             one('retry', GAP + ' poll*2100:0', first(reuse), 'h1', False, {'recovered': 'I'}, **keep),
             one('retry', GAP, first(reuse), 'h1', False, {'recovered': 'P'}, reset=True, **keep)),
        Pair('malformed', 'recovered', one('malformed', GAP, first(reuse), 'h1', False, {'recovered': 'I'}, **keep),
             one('retry', GAP, first(reuse), 'h1', False, {'recovered': 'P'}, **keep)),
        Pair('malformed', 'recovered', one('malformed', GAP, mode('idle-close', idle='60s'), 'h2', False, {'recovered': 'I'}, **keep),
             one('retry', GAP, first(reuse), 'h2', False, {'recovered': 'P'}, **keep)),
        Pair('confirm', 'recovered', one('retry', late, first(reuse), 'h1', False, {'recovered': 'I'}, **bare),
             one('retry', late + ' mark:foreground pause:0.3 get', first(reuse), 'h1', False, {'recovered': 'P'}, **bare)),
        Pair('disturbed', 'verdict', one('retry', GAP, first(reuse), 'h1', False, {'recovered': 'P'}, disturbed=True),
             one('retry', GAP, first(reuse), 'h1', False, {'verdict': 'P', 'recovered': 'P'})),
        Pair('proxy', 'recovered', one('via', GAP, first(reuse), 'h1', False, {'recovered': 'I'}),
             one('retry', GAP, first(reuse), 'h1', False, {'recovered': 'P'})),
        Pair('disagree', 'recovered', one('cached', GAP, reuse, 'h1', False, {'recovered': 'I'}),
             one('naive', GAP, reuse, 'h1', False, {'recovered': 'F'})),
        Pair('mode', 'idle-eviction',
             one('look', IDLE_STEPS, mode('idle-close', idle=IDLE), 'h1', False, {'idle-eviction': 'I'},
                 params={'idle-eviction': {'before': '1s'}}),
             one('look', IDLE_STEPS, mode('half-open', idle=IDLE), 'h1', False, {'idle-eviction': 'F'},
                 params={'idle-eviction': {'before': '1s'}})),
        Pair('paused', 'recovered',
             one('retry', 'get pause:0.4 stop:1.5 get', first(reuse), 'h1', False, {'recovered': 'I'}, control_steps=GAP,
                 named=True, params={'recovered': {'within': '1s'}}),
             one('retry', GAP, first(reuse), 'h1', False, {'recovered': 'P'}, named=True,
                 params={'recovered': {'within': '1s'}})),
        Pair('over', 'verdict', one('retry', GAP, first(reuse), 'h1', True, {'recovered': 'P'}, meant='h2'),
             one('retry', GAP, first(reuse), 'h2', True, {'verdict': 'P', 'recovered': 'P'}, meant='h2')),
        Pair('for', 'recovered',
             one('post-key', 'post pause:0.4 post', first(reuse), 'h1', False, {'recovered': 'I'}, control_steps=GAP),
             one('post-key', 'post pause:0.4 post', first(reuse), 'h1', False, {'recovered': 'P'}, control_steps=GAP,
                 params={'recovered': {'for': 'POST /orders'}})),
        Pair('limit', 'no_storm',
             one('retry-ever-slow', GAP, six, 'h1', False, {'no_storm': 'I'}, named=True, params={'no_storm': {'within': '1450ms'}}),
             one('retry-ever-slow', GAP, six, 'h1', False, {'no_storm': 'F'}, named=True, params={'no_storm': {'within': '5s'}})),
        Pair('command', 'verdict',
             one('retry', GAP, first(reuse), 'h1', False, {'recovered': 'P'}, control_steps='get pause:0.4 get:/api/none'),
             one('retry', GAP, first(reuse), 'h1', False, {'verdict': 'P', 'recovered': 'P'})),
    ]
