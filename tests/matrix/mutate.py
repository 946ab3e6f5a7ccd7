"""Mutations of the oracle: ledgers whose verdict is known lose an event, have two events change places, or
end early or begin late. What was a pass may become inconclusive; what was a fail may never become a pass.
"""
import collections
import json
import subprocess

LETTERS = {'pass': 'P', 'fail': 'F', 'inconclusive': 'I', 'n/a': 'N'}


class Judge:
    """A process that judges ledgers, one after the other."""

    def __init__(self, binary, *bound):
        self.process = subprocess.Popen([binary, *map(str, bound)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)

    def judge(self, lines):
        self.process.stdin.write('\n'.join(lines) + '\n\n')
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f'the judge has ended with {self.process.wait()}')
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def outcomes(verdict):
    """What a document says: of the verdict, and of each mitigation and check of each phase."""
    found = {'verdict': LETTERS[verdict['verdict']]}
    for one in verdict.get('mitigations', ()):
        found[one['name']] = LETTERS[one['outcome']]
    for one in verdict.get('checks', ()):
        found[f'{one.get("of") or ""}/{one["check"]}/{one["phase"]}/{json.dumps(one["params"], sort_keys=True)}'] = \
            LETTERS[one['outcome']]
    return found


def without(lines):
    """One event is missing, which its number tells."""
    for i in range(len(lines)):
        yield f'without {i}', lines[:i] + lines[i + 1:]


def early(lines):
    """It ends early."""
    for i in range(1, len(lines)):
        yield f'ends at {i}', lines[:i]


def late(lines):
    """It begins late."""
    for i in range(1, len(lines)):
        yield f'begins at {i}', lines[i:]


KEEPS = ('run_start', 'expectations')  # what is judged is no part of what happened


def swapped(lines):
    """Two events, next to each other and of different connections, have changed places: it is nobody's
    business which of them was first, as far as they are not the same connection's."""
    events = [json.loads(line) for line in lines]
    for i in range(len(events) - 1):
        one, two = events[i], events[i + 1]
        if one.get('connection') and two.get('connection') and one['connection'] != two['connection']:
            one, two = dict(one), dict(two)
            for member in ('seq', 'at', 'ms'):
                one[member], two[member] = two[member], one[member]
            yield f'swapped {i}', lines[:i] + [json.dumps(two), json.dumps(one)] + lines[i + 2:]


MUTATIONS = (without, early, late, swapped)
LACKING = (without, late)  # of these nothing that is no pass may become one


def turned(before, after, those='F'):
    """What a mutation must never do: those outcomes became a pass."""
    return [f'{name}: {before[name]} became P' for name, letter in after.items()
            if letter == 'P' and before.get(name, 'P') in those]


def mutate(judge, files, limit=None):
    """Judges each mutation of each ledger. Returns (how many, [(file, mutation, what)])."""
    count, bad, seen = 0, [], collections.Counter()
    for file in files:
        lines = [line for line in file.read_text().splitlines() if line]
        before = outcomes(judge.judge(lines))
        for kind in MUTATIONS:
            for name, changed in list(kind(lines))[:limit]:
                verdict = judge.judge(changed)
                count += 1
                if 'error' in verdict:
                    bad.append((file, name, verdict['error']))
                    continue
                for what in turned(before, outcomes(verdict), 'FI' if kind in LACKING else 'F'):
                    seen[kind.__name__] += 1
                    bad.append((file, name, what))
    return count, bad, seen
