"""Saved ledgers whose verdict is known: judged again as they are (Judge), and with an event missing or in
another place (mutants.c). What was a pass may become inconclusive; what was a fail never becomes a pass.
"""
import concurrent.futures
import json
import subprocess

LETTERS = {'pass': 'P', 'fail': 'F', 'inconclusive': 'I', 'n/a': 'N'}
BOUNDS = ('4096,1024,1024', '3,2,2', '1,1,1')  # room for attempts, connections, faults
AT_ONCE = 2
TOGETHER = 50  # ledgers that a process judges


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


def turned(before, after, those='F'):
    """What must never be: those outcomes became a pass."""
    return [f'{name}: {before[name]} became P' for name, letter in after.items()
            if letter == 'P' and before.get(name, 'P') in those]


def mutate(binary, files, of=1, seed=1, bounds=BOUNDS):
    """Judges each mutation of each ledger (of: one in so many) with each room. Returns (how many, [(file,
    mutation, what)])."""
    def some(job):
        bound, part = job
        done = subprocess.run([binary, '--of', str(of), '--seed', str(seed), '--bound', bound, *map(str, part)],
                              capture_output=True, text=True, check=False)
        *wrong, last = done.stdout.splitlines() or ['']
        if done.returncode != 0 or done.stderr or not last.startswith('mutants '):
            return 0, [(part[0], f'with room for {bound}', f'it ended with {done.returncode}: {done.stderr[-300:]}')]
        found = []
        for line in wrong:
            file, kind, place, event, about, before, after = line.split('\t')
            found.append((file, f'{kind} {place} ({event}), with room for {bound}', f'{about}: {before} became {after}'))
        return int(last.split()[1]), found

    jobs = [(bound, files[i:i + TOGETHER]) for bound in bounds for i in range(0, len(files), TOGETHER)]
    count, bad = 0, []
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for made, wrong in pool.map(some, jobs):
            count += made
            bad += wrong
    return count, bad
