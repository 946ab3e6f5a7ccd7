"""A cell: what a scripted client does in a mode, and what a verdict must then say.

The truth is derived from what client and mode do, by the rules of docs/verdict.md, and never taken
from the program. Outcomes are letters: P pass, F fail, I inconclusive, N n/a; several of them are all
that is allowed. Each family has a sentence that says why.

A truth with a letter P or F alone is due: an inconclusive one is counted by itself, as it wrongs nobody
but is of no use.
"""
import dataclasses
import itertools
import json
import pathlib

from clients import CLIENTS, NAIVE, Policy, evicting

MODES = pathlib.Path(__file__).resolve().parents[2] / 'modes'
NORMAL = {'mode': 'normal'}
WITHIN = {'within': '2s'}


@dataclasses.dataclass
class Cell:
    family: str
    why: str
    client: str
    policy: Policy
    steps: str
    spec: dict                # mode and params, or plan
    over: str                 # h1, h2
    tls: bool
    truth: dict               # expectation -> letters
    expect: list              # as the API takes it
    control: bool = True      # a control phase comes first
    account: bool = True      # the driver's lines are told; else its exit status alone
    named: bool = False       # Hangup-Call on each request
    without: str = ''         # a client for the phase "without"
    control_steps: str = ''   # if others than in the fault
    wire: tuple = ()          # the kinds of results that the client must have seen, or it is not this cell
    remedy: str = ''          # the code that an inconclusive one must give
    due: bool = True
    listener: str = ''        # if another than over and tls say
    meant: str = ''           # the protocol that the run is about, if the client speaks another
    killed: bool = False      # the client does not end, but is killed
    disturbed: bool = False   # the phase begins once more while the client runs
    reset: bool = False       # the run is reset before the client comes
    needs: tuple = ()         # capabilities
    quick: bool = False

    @property
    def name(self):
        parts = [self.family, self.client, self.steps.replace(' ', '+'), describe(self.spec), self.over,
                 'tls' if self.tls else 'cleartext', '+'.join(self.truth)]
        parts += [word for word, said in (('control', self.control), ('lines', self.account),
                                          ('named', self.named), ('without', self.without)) if said]
        if self.family in ('first', 'first-hole', 'case', 'case-hole'):  # of which several differ by their policies alone
            parts.insert(1, self.why)
        return ' '.join(parts)


def describe(spec):
    if 'case' in spec:
        return spec['case']
    if 'plan' in spec:
        return ','.join(describe(entry) for entry in spec['plan'])
    params = ''.join(f';{name}={value}' for name, value in spec.get('params', {}).items())
    return (f'{spec["connection"]}:' if 'connection' in spec else '') + spec['mode'] + params


def mode(name, **params):
    spec = {'mode': name}
    if params:
        spec['params'] = {key.replace('_', '-'): value for key, value in params.items()}
    return spec


def first(spec, connections='1'):
    """A plan: this for the first connections, the others are good."""
    return {'plan': [dict(spec, connection=connections), NORMAL]}


def documents(folder):
    return {path.stem: json.loads(path.read_text()) for path in (MODES / folder).glob('*.json')}


DOCUMENTS, CASES = documents('catalogue'), documents('cases')


def modes_of(spec):
    """Of a plan or case those of all its entries, but for normal, which is what comes behind them."""
    plan = CASES[spec['case']]['plan'] if 'case' in spec else spec.get('plan', [spec])
    return [entry['mode'] for entry in plan if entry['mode'] != 'normal' or len(plan) == 1]


def mode_of(spec):
    return modes_of(spec)[0]


def exercises(spec, mitigation):
    """Whether the mode or case says so in its own file: what else is expected is refused at set-up."""
    document = CASES[spec['case']] if 'case' in spec else DOCUMENTS[mode_of(spec)]
    return mitigation in document.get('exercises', [])


def tells(spec):
    """Whether a connection ends while it is idle, so that its client can know of it: else no_stale_use is refused."""
    return mode_of(spec) not in ('half-open', 'aws-nlb', 'ipvs', 'reset-idle', 'azure-lb-reset', 'close-on-reuse',
                                 'reset-on-reuse', 'swallow-on-reuse', 'empty-response', 'lost-answer')


MITIGATIONS = ('retry-once', 'safe-retry', 'connection-close', 'fresh-on-foreground', 'idle-eviction',
               'bounded-wait', 'goaway-aware', 'ping-liveness', 'waits-for-connectivity')

# What an expectation is given, where the cell does not say otherwise: windows as short as cells are.
DEFAULTS = {
    'recovered': WITHIN, 'retry-once': WITHIN, 'no_storm': WITHIN, 'ping_liveness': {'within': '1s'},
    'ping-liveness': {'within': '1s'}, 'closes_after_goaway': {'within': '800ms'},
    'falls_back': WITHIN, 'goaway-aware': {'within': '800ms'},
    'retries': {'min': 1, 'max': 1},
}


def expectation(name, params):
    given = dict(DEFAULTS.get(name, {}), **params.get(name, {}))
    return {name: given} if given else name


def cell(family, why, client, steps, spec, over, tls, truth, policy=None, params=None, **more):
    truth = {name: letters for name, letters in truth.items()
             if (name not in MITIGATIONS or exercises(spec, name)) and (name != 'no_stale_use' or tells(spec))}
    return Cell(family, why, client, policy or CLIENTS[client], steps, spec, over, tls, truth,
                [expectation(name, params or {}) for name in truth if name != 'verdict'], **more)


VARIANTS = ({'control': True, 'account': True}, {'control': False, 'account': True},
            {'control': True, 'account': False}, {'control': False, 'account': False},
            {'control': True, 'account': True, 'named': True},
            {'control': False, 'account': False, 'named': True})


class Table:
    def __init__(self):
        self.cells = []
        self.turn = itertools.cycle(VARIANTS)

    def add(self, *args, **more):
        made = cell(*args, **more)
        if made.truth:
            self.cells.append(made)

    def spread(self, *args, **more):
        """With the next of the variants: the truth is the same in all."""
        variant = dict(next(self.turn))
        self.add(*args, **dict(variant, **more))


GAP = 'get pause:0.4 get'
BOTH = ('h1', 'h2')
WIRES = [(over, tls) for over in BOTH for tls in (False, True)]
IDLE = '700ms'  # the limit of idle modes in cells
IDLE_STEPS = 'get pause:0.25 get pause:1.7 get'
SCENE = 'get pause:0.2 get mark:background pause:0.9 mark:foreground pause:0.3 get'

# What a client sees when its connection is lost before a byte of a response.
LOSSES = ('empty', 'rst', 'unsent')
