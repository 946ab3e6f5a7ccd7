#!/usr/bin/env python3
"""Counts test cases in the logs of `meson test`, and says the sum.

    count_tests.py [--reports DIR] TESTLOG.json...

Meson counts programs; here each case of a TAP program counts, and any other program as one. Prints
what each program that failed had to say (of a long text the end), the slowest programs, the skipped
cases with their reasons, the failed ones with theirs, and as the last line exactly

    N passed, N failed, N skipped

Of a program that ended before its last case there are two lines: the case it was in, with the reason,
and how many never ran; all of these count as failed.

Of one that ended before it said how many cases it has those that it told count, and one more failed:
with the last line that it wrote to standard error, as that of an exception in Python.

Every file in DIR, where sanitizers write, is a failure, also when the program that wrote it was not
a test itself (a server that a test had started). Its first lines stand behind it in the list, each
marked as failed itself, so that the stack is wherever that list goes. Exit status 0 when nothing failed and something
passed, else 1.
"""
import argparse
import json
import pathlib
import re
import sys

CASE = re.compile(r'(not )?ok\b\s*(\d+)?\s*(?:-\s*)?([^#]*)(?:#\s*(skip\S*|todo)\b\s*(.*))?', re.I)
NOTE = re.compile(r'(?:# *)?skipped: (.*)', re.I)
BEGINS = re.compile(r'# begins: (.*)')  # tests/begins.c
ERROR = re.compile(r'# error: (.*)')  # tests/reasons.c
WHERE = re.compile(r'(\S+:\d+): error: Failure!')  # cmocka, behind what failed
PLAN = re.compile(r'1\.\.(\d+)\s*(?:#\s*skip\S*\s*(.*))?$', re.I)


SLOWEST = 10  # programs
SAID_AT_MOST = 100  # lines of a program that failed, and of a sanitizer's report
STACK_AT_MOST = 25  # lines of a sanitizer's report in the summary, of so many reports:
STACKS = 4
REASON_AT_MOST = 900  # characters of it in the summary, beside where in the source it is


def tail(title, text):
    """The last lines of a text under a title; nothing for no text."""
    lines = text.rstrip().splitlines()
    if lines:
        shown = lines[-SAID_AT_MOST:]
        cut = f', the last {len(shown)} of {len(lines)} lines' if len(shown) < len(lines) else ''
        print(f'---- {title}{cut}')
        print('\n'.join(shown))


def short(reason):
    return reason if len(reason) <= REASON_AT_MOST else reason[:REASON_AT_MOST] + '...'


def told(said):
    """What was said as a reason, short, and behind that where it failed; '' for nothing."""
    said = [line.strip() for line in said if line.strip()]
    where = [said.pop()] if said and WHERE.search(said[-1]) else []
    return '; '.join(([short('; '.join(said))] if said else []) + where)


def errors_before(lines):
    """What the case that ends behind these lines has said of errors."""
    said = []
    for line in reversed(lines):
        if CASE.match(line) or BEGINS.match(line):
            break
        if ERROR.match(line):
            said.insert(0, ERROR.match(line).group(1))
    return said


def reason_of(lines, i):
    """Why the case of this line is "not ok", as the comments before and directly behind it say: ": ..."; '' for
    nothing."""
    said = errors_before(lines[:i])
    for line in lines[i + 1:]:
        if not line.startswith('#') or BEGINS.match(line) or re.match('# (not )?ok - ', line):
            break
        said.append(line.lstrip('# '))
    return f': {told(said)}' if told(said) else ''


def end_of(run):
    """How a program ended before its plan was done."""
    status = run['returncode']
    how = f'signal {-status}' if status < 0 else f'exit status {status}'
    return f'{run["result"]}, {how}'


def last_words(run):
    """The last line that a program wrote to standard error: "; ..."; nothing for none."""
    lines = [line.strip() for line in (run.get('stderr') or '').splitlines() if line.strip()]
    return f'; {short(lines[-1])}' if lines else ''


def stack_of(text):
    """The lines of a sanitizer's report that say what was wrong and where."""
    lines = [line.strip() for line in text.splitlines() if line.strip(' =')]
    return lines[:STACK_AT_MOST]


def reason_of_end(run, lines):
    """Why a program ended in the middle of a case: what the case said, and cmocka last when it aborts; else how."""
    ends = [line.strip() for line in (run.get('stderr') or '').splitlines() if line.strip()]
    at = max((i for i, line in enumerate(ends) if WHERE.match(line)), default=None)
    said = errors_before(lines)
    return told(said + ([end_of(run)] if at is None else ends[at if said else max(at - 1, 0):at + 1]))


class Count:
    def __init__(self):
        self.passed = 0
        self.never_ran = 0  # cases, which failed, too
        self.took = []  # (seconds, program)
        self.failed = []  # "program: what"
        self.stacks = {}  # of what failed, lines
        self.skipped = []

    def case(self, program, match, note, why):
        negated, _, title, directive, reason = match.groups()
        title = title.strip()
        if directive and directive.lower().startswith('skip'):
            # cmocka writes "ok N # SKIP title" ("not ok" up to 1.1.5): the reason stands above it.
            title, reason = (title, reason) if title else (reason, note)
            self.skipped.append(f'{program}: {title} ({reason or "no reason given"})')
        elif negated and not directive:
            self.failed.append(f'{program}: {title}{why}')
        else:
            self.passed += 1

    def unfinished(self, run, lines, missing):
        """Of a program that ended before its last case: the one it was in, and how many never ran."""
        name, begun = run['name'], None
        for line in lines:
            if CASE.match(line):
                begun = None
            elif BEGINS.match(line):
                begun = BEGINS.match(line).group(1)
        if begun:
            self.failed.append(f'{name}: {begun}: {reason_of_end(run, lines)}')
            missing -= 1
        if missing > 0:
            cases = 'case' if missing == 1 else 'cases'
            why = '' if begun else f': {reason_of_end(run, [])}'
            self.failed.append(f'{name}: {missing} {cases} never ran{why}')
            self.never_ran += missing - 1  # the line counts for one

    def program(self, run):
        """One program's run, a line of meson's testlog.json."""
        name, before = run['name'], len(self.failed)
        self.took.append((run.get('duration') or 0, name))
        lines = (run.get('stdout') or '').splitlines()
        # Each case with the reason that the line before it, or the ones behind it, may give.
        cases = [(case, note and note.group(1), reason_of(lines, i)) for i, (case, note) in
                 enumerate(zip(map(CASE.match, lines), map(NOTE.match, ['', *lines]))) if case]
        plan = next((m for m in map(PLAN.match, lines) if m), None)
        if plan and not cases and plan.group(1) == '0':
            self.skipped.append(f'{name} ({plan.group(2) or "no reason given"})')
        elif plan or (cases and run['result'] == 'ERROR'):
            for case in cases:
                self.case(name, *case)
            if not plan:
                self.failed.append(f'{name}: it ended before its last case: {end_of(run)}{last_words(run)}')
            elif int(plan.group(1)) > len(cases):
                self.unfinished(run, lines, int(plan.group(1)) - len(cases))
        elif run['result'] == 'SKIP':
            reason = (run.get('stdout') or run.get('stderr') or '').strip().splitlines()
            self.skipped.append(f'{name} ({reason[-1] if reason else "no reason given"})')
        elif run['result'] in ('OK', 'EXPECTEDFAIL'):
            self.passed += 1
        bad_end = run['returncode'] != 0 or run['result'] in ('TIMEOUT', 'ERROR', 'INTERRUPT')
        if len(self.failed) == before and run['result'] not in ('OK', 'SKIP', 'EXPECTEDFAIL') \
                and (bad_end or not plan):
            self.failed.append(f'{name}: {end_of(run)}{last_words(run)}')
        if len(self.failed) > before:
            # Of the cases that passed nobody needs the names.
            said = [line for line in lines if not re.match(r'ok\b', line) and not BEGINS.match(line)]
            tail(f'{name}: standard output', '\n'.join(said))
            tail(f'{name}: standard error', run.get('stderr') or '')

    def reports(self, folder):
        for path in sorted(folder.glob('*')):
            text = path.read_text(errors='replace')
            told = re.search(r'(ERROR: .*|runtime error: .*|SUMMARY: .*)', text)
            self.failed.append(f'sanitizer report {path}: {told.group(1) if told else "unreadable"}')
            self.stacks[self.failed[-1]] = stack_of(text)
            tail(path, '\n'.join(text.splitlines()[:SAID_AT_MOST]))

    def say(self):
        for seconds, name in sorted(self.took, reverse=True)[:SLOWEST]:
            print(f'slowest  {seconds:6.1f} s  {name}')
        for name in self.skipped:
            print(f'skipped  {name}')
        shown = list(self.stacks)[:STACKS]
        for name in self.failed:
            print(f'FAILED  {name}')
            for line in self.stacks[name] if name in shown else ():
                print(f'FAILED  | {line}')
        failed = len(self.failed) + self.never_ran
        print(f'{self.passed} passed, {failed} failed, {len(self.skipped)} skipped')
        return 0 if self.passed and not self.failed else 1


def main():
    options = argparse.ArgumentParser(description='Counts test cases in logs of meson test.')
    options.add_argument('--reports', type=pathlib.Path, help='where sanitizers write')
    options.add_argument('logs', nargs='+', type=pathlib.Path)
    args = options.parse_args()
    count = Count()
    for log in args.logs:
        if not log.exists():
            count.failed.append(f'{log}: meson wrote no log')
            continue
        for line in log.read_text().splitlines():
            count.program(json.loads(line))
    if args.reports and args.reports.is_dir():
        count.reports(args.reports)
    return count.say()


if __name__ == '__main__':
    sys.exit(main())
