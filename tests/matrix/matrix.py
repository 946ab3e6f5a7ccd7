#!/usr/bin/env python3
"""The matrix: scripted clients in modes, each with the verdict that it must get (cells_*.py).

    matrix.py --hangup BINARY [--judge BINARY --mutants BINARY] [--quick] [--family NAME] [--match TEXT]
              [--every N] [--relay] [--mutate] [--seed N] [--out DIR]
    matrix.py --hangup BINARY --judge BINARY --mutants BINARY --saved DIR [--seed N]
    matrix.py --hangup BINARY --remedies | --races [N] | --crowd [N] | --kills [N]

Prints how many cells there were, and each that was judged wrongly, with the sentence and the place of its
ledger. A false pass is the worst of all. With --tap it is a test program: a case a family.
"""
import argparse
import collections
import concurrent.futures
import dataclasses
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'clients')]

import cells as table
from crowd import crowds, kills
from far import Unavailable
from hangup import Server, Tap
from mutate import BOUNDS, Judge, mutate, outcomes as outcomes_of, turned
from properties import PROPERTIES, properties
from races import races
from relay import Relay
from remedies import codes as remedy_codes, pairs
from runs import Api, Outcome, Runner

AT_ONCE = 30
AT_ONCE_QUICK = 12
PAIRS_AT_ONCE = 6
SAMPLE = 40  # one mutation in so many is made, unless all are
TOLD_AGAIN = 10  # ledgers that are told in other ways, unless all are
ROUNDS = 3  # in how many a cell may come about


def stubs():
    """A folder with the POST of the scripted clients."""
    folder = tempfile.TemporaryDirectory(prefix='hangup-matrix-')
    path = pathlib.Path(folder.name)
    (path / 'orders').write_text('{"done":true}\n')
    (path / 'orders.meta.json').write_text('{"status":201,"methods":["POST"]}')
    return folder


class Judged:
    """What became of the cells, and what was wrong."""

    def __init__(self, out):
        self.out = out
        self.lock = threading.Lock()
        self.outcomes = []
        self.wrong = []  # (kind, outcome, expectation, letter)
        self.unbuilt, self.refused = [], []
        self.counts = collections.Counter()
        self.remedies = collections.Counter()
        (out / 'ledgers').mkdir(parents=True, exist_ok=True)
        (out / 'wrong').mkdir(exist_ok=True)

    def file(self, outcome, kind='ledgers'):
        name = re.sub(r'[^A-Za-z0-9=.-]+', '_', outcome.cell.name)
        return self.out / kind / (name[:200] + '.ndjson')

    def take(self, outcome):
        with self.lock:
            self.outcomes.append(outcome)
            cell = outcome.cell
            if outcome.refused:
                self.refused.append(outcome)
                return
            if outcome.unlike:
                self.unbuilt.append(outcome)
                return
            self.file(outcome).write_text(outcome.ledger)
            for name, letters in cell.truth.items():
                letter = outcome.letter(name)
                self.counts['judgements'] += 1
                self.counts[letter] += 1
                kind = wrong(letters, letter, outcome.relayed)
                if kind:
                    self.wrong.append((kind, outcome, name, letter))
                    self.keep(outcome)
            for one in outcome.verdict.get('checks', ()):
                if one['outcome'] == 'inconclusive':
                    code = (one.get('remedy') or {}).get('code')
                    self.remedies[code] += 1
                    if not code or not one['remedy'].get('do'):
                        self.wrong.append(('no remedy', outcome, one['check'], 'I'))
            if outcome.verdict.get('final') is not True and not outcome.relayed and not unheard(outcome):
                open_ones = [one['check'] for one in outcome.verdict.get('checks', ()) if not one['final']]
                self.wrong.append(('not final', outcome, ', '.join(open_ones) or 'the verdict', '-'))
                self.keep(outcome)

    def keep(self, outcome):
        self.file(outcome, 'wrong').write_text(outcome.ledger)
        self.file(outcome, 'wrong').with_suffix('.json').write_text(json.dumps(outcome.verdict, indent=1))


def unheard(outcome):
    """Whether all that waits are passes, and what fell into a black hole may undo them: only the end of the run decides."""
    waits = [one for one in outcome.verdict.get('checks', ()) if not one['final']]
    return '"event":"segments_dropped"' in outcome.ledger and all(one['outcome'] == 'pass' for one in waits)


def wrong(letters, letter, relayed=False):
    if relayed:
        return 'false pass' if letter == 'P' and 'P' not in letters else ''
    if letter is None:
        return 'no word'
    if letter in letters:
        return ''
    return {'P': 'false pass', 'F': 'false fail', 'I': 'inconclusive', 'N': 'not applicable'}[letter]


def run_cells(runner, cells, judged, at_once):
    def one(cell):
        for _ in range(ROUNDS):
            try:
                outcome = runner.run(cell)
            except Exception as trouble:  # of one cell: the others go on
                outcome = Outcome(cell, {}, '', {}, unlike=f'{type(trouble).__name__}: {trouble}')
            if outcome.refused or not outcome.unlike:
                break
        judged.take(outcome)

    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        list(pool.map(one, cells))


def tell_wrong(judged):
    for kind, outcome, name, letter in sorted(judged.wrong, key=lambda entry: (entry[0], entry[1].cell.name)):
        cell = outcome.cell
        print(f'{kind.upper()}: {cell.name}\n    {name} is {letter}, must be one of {cell.truth.get(name, "-")}: {cell.why}\n'
              f'    {"; ".join(outcome.said(one) for one in name.split(", "))}\n    {judged.file(outcome, "wrong")}')
    for outcome in judged.unbuilt[:20]:
        print(f'NOT THIS CELL: {outcome.cell.name}: {outcome.unlike}')


def report(judged, cells, seconds):
    kinds = collections.Counter(kind for kind, *_ in judged.wrong)
    tell_wrong(judged)
    for refused, count in collections.Counter(outcome.refused for outcome in judged.refused).most_common(20):
        print(f'REFUSED {count} times: {refused}')
    due = [entry for entry in judged.wrong if entry[0] == 'inconclusive' and entry[1].cell.due]
    print(f'{len(cells)} cells, {judged.counts["judgements"]} judgements in {seconds:.0f} s: '
          f'{kinds["false pass"]} false pass, {kinds["false fail"]} false fail, '
          f'{len(due)} inconclusive where a verdict was due, '
          f'{sum(kinds.values()) - kinds["false pass"] - kinds["false fail"] - kinds["not final"] - len(due)} other; '
          f'{kinds["not final"]} never final, '
          f'{len(judged.unbuilt)} did not come about, {len(judged.refused)} were refused')
    print('\n'.join(table.lacking(table.table())) or 'each mode and case has its cells')
    print('remedies: ' + ', '.join(f'{code} {count}' for code, count in judged.remedies.most_common()))


def choose(options):
    cells = table.table()
    if options.quick:
        cells = table.quick(cells)
    if options.family:
        cells = [cell for cell in cells if cell.family in options.family.split(',')]
    for text in options.match or ():
        cells = [cell for cell in cells if text in cell.name]
    return cells[::options.every]


def possible(cells, api):
    """Those that can be on this machine."""
    have = {one['name'] for one in api.ask('GET', '/v1/capabilities')['capabilities'] if one['available']}
    return [cell for cell in cells if set(cell.needs) <= have]


def tell_tap(tap, judged):
    """A case a family."""
    of = collections.defaultdict(list)
    for kind, outcome, name, _ in judged.wrong:
        of[outcome.cell.family].append(f'{kind}: {outcome.cell.name}: {outcome.said(name)}')
    for outcome in judged.refused:
        of[outcome.cell.family].append(f'refused: {outcome.cell.name}: {outcome.refused}')
    counts = collections.Counter(outcome.cell.family for outcome in judged.outcomes)
    for family, count in sorted(counts.items()):
        tap.case(f'{family}: {count} cells get the verdict that the table says', not of[family], '\n'.join(of[family]))
    for outcome in judged.unbuilt:
        tap.note(f'it did not come about: {outcome.cell.name}: {outcome.unlike}')
    lacking = table.lacking(table.table())
    tap.case('each mode and case has a good client, a naive one, and one with a mitigation', not lacking, '\n'.join(lacking))
    tap.case('nearly all cells came about', len(judged.unbuilt) * 4 <= len(judged.outcomes))


def saved(binary, file):
    """What `hangup verdict` makes of a file."""
    done = subprocess.run([binary, 'verdict', str(file), '--json'], capture_output=True, text=True, check=False)
    return outcomes_of(json.loads(done.stdout)) if done.returncode != 2 else {'error': done.stderr.strip()}


def judge_again(judged, options, say):
    """Each ledger by itself: `hangup verdict FILE` must say what the server said. And with no room to speak of."""
    bad, there = [], [outcome for outcome in judged.outcomes if not outcome.refused and not outcome.unlike]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda outcome: saved(options.hangup, judged.file(outcome)), there))
    small = Judge(options.judge, 3, 2, 2)
    for outcome, after in zip(there, again):
        lines = [line for line in outcome.ledger.splitlines() if line]
        before = outcomes_of(outcome.verdict)
        if outcome.verdict.get('final') and ('error' in after or settled(outcome, after) != settled(outcome, before)):
            bad.append((outcome, f'saved: {after.get("error") or difference(settled(outcome, before), settled(outcome, after))}'))
        bad += [(outcome, f'with no room: {what}') for what in turned(before, outcomes_of(small.judge(lines)))]
    for outcome, what in bad:
        judged.keep(outcome)
        say(f'AGAIN: {outcome.cell.name}: {what}\n    {judged.file(outcome, "wrong")}')
    say(f'{len(there)} ledgers judged again, and at the smallest bound: {len(bad)} differ')
    small.close()
    return bad


def settled(outcome, found):
    """Without what was not final: a fail is, whatever else waits."""
    waiting = [f'{one.get("of") or ""}/{one["check"]}/' for one in outcome.verdict['checks'] if not one['final']]
    return {name: letter for name, letter in found.items() if not name.startswith(tuple(waiting))}


def difference(before, after):
    names = sorted(set(before) | set(after))
    return ', '.join(f'{name} was {before.get(name)}, is {after.get(name)}' for name in names
                     if before.get(name) != after.get(name))


def mutations(files, options, say):
    """All mutations of all ledgers, with all rooms; or a sample."""
    begin = time.monotonic()
    every = options.mutate or options.saved
    count, bad = mutate(options.mutants, files, 1 if every else SAMPLE, options.seed)
    for file, name, what in bad[:40]:
        say(f'MUTATION: {name}: {what}\n    {file}')
    say(f'{count} mutations of {len(files)} ledgers, with room for {" or ".join(BOUNDS)} attempts, connections and '
        f'faults, in {time.monotonic() - begin:.0f} s: {len(bad)} became what they must not')
    return bad


def told_again(files, options, say):
    """What must not matter."""
    begin, judge = time.monotonic(), Judge(options.judge)
    if not (options.mutate or options.saved):
        files = files[::1 + len(files) // TOLD_AGAIN]
    count, bad = properties(judge, files, options.seed)
    judge.close()
    for file, name, what in bad[:40]:
        say(f'MATTERS: {name}: {what}\n    {file}')
    say(f'{len(files)} ledgers told in {len(PROPERTIES)} other ways, {count} judged in {time.monotonic() - begin:.0f} s: '
        f'{len(bad)} differ')
    return bad


def saved_ledgers(options):
    files = sorted(pathlib.Path(options.saved).glob('*.ndjson'))[::options.every]
    return len(mutations(files, options, print)) + len(told_again(files, options, print)) + (not files)


def many(options, folder):
    """Crowds and killed servers."""
    bad, cells = 0, table.table()
    if options.crowd:
        server = Server(options.hangup, '--stubs', folder, '--run-ports', '[::]:0')
        judged = Judged(pathlib.Path(options.out))
        crowds(Api(server.port('admin')), judged, cells, rounds=options.crowd)
        tell_wrong(judged)
        bad += len(judged.wrong) + len(judged.unbuilt) + (server.stop() != 0)
    if options.kills:
        wrong_ones = kills(lambda more: Server(options.hangup, '--stubs', folder, *more), options.hangup, cells,
                           options.kills, options.seed)
        print('\n'.join(wrong_ones[:40]))
        bad += len(wrong_ones)
    return bad


def judged_saved(binary, outcome, folder, arguments):
    """The same outcome, by its saved ledger: the file of --ledger-dir, if it has one, else what GET .../events gave."""
    run = outcome.verdict['run']
    files = [path for path in folder.glob('*.ndjson') if path.name.startswith(f'{run}-')]
    if not files:
        (folder / 'saved.ndjson').write_text(outcome.ledger)
        files = [folder / 'saved.ndjson']
    done = subprocess.run([binary, 'verdict', str(files[0]), '--json', *arguments], capture_output=True, text=True, check=False)
    if done.returncode == 2:
        return dataclasses.replace(outcome, refused=done.stderr.strip())
    return dataclasses.replace(outcome, verdict=json.loads(done.stdout))


def met_pair(options, stubs, pair, which, judged):
    """The first (0) or second (1) cell of a pair, once it gets what its truth says, or as it is in the last round."""
    cell = (pair.before, pair.after)[which]
    with tempfile.TemporaryDirectory(prefix='hangup-remedy-') as folder:
        more = [folder if word == 'DIR' else word for word in (pair.options + pair.more if which else pair.options)]
        server = Server(options.hangup, '--stubs', stubs, '--run-ports', '[::]:0', *more)
        runner = Runner(Api(server.port('admin')), pid=server.pid)
        for _ in range(ROUNDS):
            outcome = runner.run(cell, wait='0s' if pair.early and not which else None)
            if pair.saved and not outcome.refused:
                outcome = judged_saved(options.hangup, outcome, pathlib.Path(folder), pair.judge)
            if outcome.refused or all(outcome.letter(name) in letters for name, letters in cell.truth.items()):
                break
        server.stop()
    judged.keep(outcome)
    return outcome


def remedy_of(options, stubs, pair, judged):
    """Why what a remedy tells its reader to do does not help; '': it does."""
    before, after = (met_pair(options, stubs, pair, which, judged) for which in (0, 1))
    if before.refused or after.refused:
        return before.refused or after.refused
    if before.letter(pair.about) != 'I' or pair.code not in before.codes(pair.about):
        return f'before: {before.letter(pair.about)}, {before.codes(pair.about)}: {before.said(pair.about)}'
    wrong = [name for name, letters in pair.after.truth.items() if after.letter(name) not in letters]
    return '; '.join(f'after: {name} is {after.letter(name)}: {after.said(name)}' for name in wrong)


def remedy_pairs(options, stubs, judged, tap):
    """What an inconclusive verdict tells its reader to do makes it conclusive; of each remedy."""
    wanted = [pair for pair in pairs() if not options.match or pair.code in options.match]
    server = Server(options.hangup)
    there = [pair for pair in wanted if len(possible([pair.before, pair.after], Api(server.port('admin')))) == 2]
    server.stop()
    for pair in wanted:
        if pair not in there:
            why = 'needs ' + ' and '.join(sorted({*pair.before.needs, *pair.after.needs}))
            tap.skip(f'remedy {pair.code}', why) if tap else print(f'remedy {pair.code}: {why}')
    wanted = there
    with concurrent.futures.ThreadPoolExecutor(PAIRS_AT_ONCE) as pool:
        found = list(pool.map(lambda pair: remedy_of(options, stubs, pair, judged), wanted))
    without = sorted(remedy_codes() - {pair.code for pair in pairs()})
    for pair, why in zip(wanted, found):
        if tap:
            tap.case(f'remedy {pair.code}: once it was followed, the verdict is conclusive', not why, why)
        else:
            print(f'remedy {pair.code}: {why or "followed, it is conclusive"}')
    if tap:
        tap.case('each remedy has a pair of cells', not without, ', '.join(without))
    elif without:
        print('remedies without a pair: ' + ', '.join(without))
    return sum(map(bool, found)) + len(without)


def run_table(options, folder, tap):
    """Returns how many things were wrong."""
    more, say = ['--relayed'] if options.relay else [], tap.note if tap else print
    server = Server(options.hangup, '--stubs', folder, '--run-ports', '[::]:0', *more)
    api, judged, begin = Api(server.port('admin')), Judged(pathlib.Path(options.out)), time.monotonic()
    cells = choose(options)
    there = possible(cells, api)
    if len(there) < len(cells):
        say(f'{len(cells) - len(there)} cells need capabilities that are missing here')
    at_once = min(options.at_once, AT_ONCE_QUICK) if tap else options.at_once  # other tests run beside it
    relay = Relay() if options.relay else None
    run_cells(Runner(api, relay), there, judged, at_once)
    if relay:
        relay.end()
    if tap:
        tell_tap(tap, judged)
    else:
        report(judged, there, time.monotonic() - begin)
    bad = len(judged.wrong) + len(judged.refused) + (0 if tap else len(judged.unbuilt))
    if options.judge and options.mutants and not options.relay:
        files = [judged.file(outcome) for outcome in judged.outcomes if not outcome.unlike and not outcome.refused]
        again = judge_again(judged, options, say)
        turned_ones, matters = mutations(files, options, say), told_again(files, options, say)
        bad += len(again) + len(turned_ones) + len(matters)
        if tap:
            tap.case('each saved ledger gets the same verdict', not again, '\n'.join(what for _, what in again))
            tap.case('no mutation makes a pass of a fail, and what is missing makes nothing but inconclusive',
                     not turned_ones, '\n'.join(f'{file}: {name}: {what}' for file, name, what in turned_ones))
            tap.case('what does not matter does not', not matters,
                     '\n'.join(f'{file}: {name}: {what}' for file, name, what in matters))
    status = server.stop()
    if tap:
        tap.case('the server ends in good order', status == 0)
    return bad + (status != 0)


def options_of(arguments=None):
    options = argparse.ArgumentParser(description='The matrix: clients in modes, and the verdict each must get.')
    options.add_argument('--hangup', required=True, help='the server')
    options.add_argument('--judge', help='what judges saved ledgers (tests/matrix/judge.c)')
    options.add_argument('--mutants', help='what judges their mutations (tests/matrix/mutants.c)')
    options.add_argument('--quick', action='store_true', help='a cell of each kind')
    options.add_argument('--tap', action='store_true', help='as a test program')
    options.add_argument('--family', help='only these, separated by commas')
    options.add_argument('--match', action='append', help='only cells with this in their names')
    options.add_argument('--every', type=int, default=1, help='only every so many-th cell')
    options.add_argument('--relay', action='store_true', help='behind a relay that ACKs by itself: no cell may pass that is none')
    options.add_argument('--mutate', action='store_true', help='all mutations of all ledgers, not a sample')
    options.add_argument('--remedies', action='store_true', help='instead: what inconclusive verdicts say is to be done')
    options.add_argument('--saved', help='instead: all mutations of the ledgers in this folder, and what must not matter to them')
    options.add_argument('--seed', type=int, default=1, help='of what is drawn')
    options.add_argument('--crowd', type=int, nargs='?', const=1, help='instead: 32 runs of 8 clients at once, so many times (1)')
    options.add_argument('--kills', type=int, nargs='?', const=20, help='instead: so many servers are killed while they write (20)')
    options.add_argument('--races', type=int, nargs='?', const=1000, help='instead: so many rounds of each race (1000)')
    options.add_argument('--at-once', type=int, default=AT_ONCE)
    options.add_argument('--out', default='build/matrix', help='for ledgers and verdicts')
    return options.parse_args(arguments)


def main():
    options = options_of()
    tap = Tap() if options.tap else None
    temporary = tempfile.TemporaryDirectory(prefix='hangup-matrix-') if options.tap else None
    if temporary:
        options.out = temporary.name
    with stubs() as folder:
        if options.races:
            try:
                bad = len(races(lambda prefix, more: Server(options.hangup, *more, command_prefix=prefix),
                                options.races, pathlib.Path(options.out)))
            except Unavailable as why:
                print(f'no races here: {why}')
                return 1
        elif options.saved:
            bad = saved_ledgers(options)
        elif options.crowd or options.kills:
            bad = many(options, folder)
        elif options.remedies:
            bad = remedy_pairs(options, folder, Judged(pathlib.Path(options.out)), tap)
        else:
            bad = run_table(options, folder, tap)
    if temporary:
        temporary.cleanup()
    return tap.finish() if tap else 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
