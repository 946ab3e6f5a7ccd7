#!/usr/bin/env python3
"""Counts test cases in the logs of `meson test`, and says the sum.

    count_tests.py [--reports DIR] TESTLOG.json...

Meson counts programs; here each case of a TAP program counts, and any other program as one. Prints
what each program that failed had to say (of a long text the end), the slowest programs, the skipped
cases with their reasons, the failed ones, and as the last line exactly

    N passed, N failed, N skipped

Every file in DIR, where sanitizers write, is a failure, also when the program that wrote it was not
a test itself (a server that a test had started). Exit status 0 when nothing failed and something
passed, else 1.
"""
import argparse
import json
import pathlib
import re
import sys

CASE = re.compile(r'(not )?ok\b\s*(\d+)?\s*(?:-\s*)?([^#]*)(?:#\s*(skip\S*|todo)\b\s*(.*))?', re.I)
NOTE = re.compile(r'(?:# *)?skipped: (.*)', re.I)
PLAN = re.compile(r'1\.\.(\d+)\s*(?:#\s*skip\S*\s*(.*))?$', re.I)


SLOWEST = 10  # programs
SAID_AT_MOST = 100  # lines of a program that failed, and of a sanitizer's report


def tail(title, text):
    """The last lines of a text under a title; nothing for no text."""
    lines = text.rstrip().splitlines()
    if lines:
        shown = lines[-SAID_AT_MOST:]
        cut = f', the last {len(shown)} of {len(lines)} lines' if len(shown) < len(lines) else ''
        print(f'---- {title}{cut}')
        print('\n'.join(shown))


class Count:
    def __init__(self):
        self.passed = 0
        self.took = []  # (seconds, program)
        self.failed = []  # "program: what"
        self.skipped = []

    def case(self, program, match, note):
        negated, _, title, directive, reason = match.groups()
        title = title.strip()
        if directive and directive.lower().startswith('skip'):
            # cmocka writes "ok N # SKIP title" ("not ok" up to 1.1.5): the reason stands above it.
            title, reason = (title, reason) if title else (reason, note)
            self.skipped.append(f'{program}: {title} ({reason or "no reason given"})')
        elif negated and not directive:
            self.failed.append(f'{program}: {title}')
        else:
            self.passed += 1

    def program(self, run):
        """One program's run, a line of meson's testlog.json."""
        name, before = run['name'], len(self.failed)
        self.took.append((run.get('duration') or 0, name))
        lines = (run.get('stdout') or '').splitlines()
        # Each case with the reason that the line before it may give.
        cases = [(case, note and note.group(1)) for case, note in
                 zip(map(CASE.match, lines), map(NOTE.match, ['', *lines])) if case]
        plan = next((m for m in map(PLAN.match, lines) if m), None)
        if plan and not cases and plan.group(1) == '0':
            self.skipped.append(f'{name} ({plan.group(2) or "no reason given"})')
        elif plan:
            for case, note in cases:
                self.case(name, case, note)
            missing = int(plan.group(1)) - len(cases)
            self.failed += [f'{name}: a case that never ran'] * max(missing, 0)
        elif run['result'] == 'SKIP':
            reason = (run.get('stdout') or run.get('stderr') or '').strip().splitlines()
            self.skipped.append(f'{name} ({reason[-1] if reason else "no reason given"})')
        elif run['result'] in ('OK', 'EXPECTEDFAIL'):
            self.passed += 1
        bad_end = run['returncode'] != 0 or run['result'] in ('TIMEOUT', 'ERROR', 'INTERRUPT')
        if len(self.failed) == before and run['result'] not in ('OK', 'SKIP', 'EXPECTEDFAIL') \
                and (bad_end or not plan):
            self.failed.append(f'{name}: {run["result"]}, exit status {run["returncode"]}')
        if len(self.failed) > before:
            # Of the cases that passed nobody needs the names.
            said = [line for line in lines if not re.match(r'ok\b', line)]
            tail(f'{name}: standard output', '\n'.join(said))
            tail(f'{name}: standard error', run.get('stderr') or '')

    def reports(self, folder):
        for path in sorted(folder.glob('*')):
            text = path.read_text(errors='replace')
            told = re.search(r'(ERROR: .*|runtime error: .*|SUMMARY: .*)', text)
            self.failed.append(f'sanitizer report {path}: {told.group(1) if told else "unreadable"}')
            tail(path, '\n'.join(text.splitlines()[:SAID_AT_MOST]))

    def say(self):
        for seconds, name in sorted(self.took, reverse=True)[:SLOWEST]:
            print(f'slowest  {seconds:6.1f} s  {name}')
        for title, names in (('skipped', self.skipped), ('FAILED', self.failed)):
            for name in names:
                print(f'{title}  {name}')
        print(f'{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped')
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
