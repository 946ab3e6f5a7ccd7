#!/usr/bin/env python3
"""Profiles beside the servers that they are named after.

    truth.py --hangup BINARY [--quick] [--server NAME]... [--only TEXT] [--write FILE] [-v]

Each server is started with short times, in a network namespace of its own, and hangup beside it in the profile of that
name with the same times (servers.py). One client (peer.py) does the same to both (situations.py); what is on the wire
must be the same (compare.py). Servers run side by side: they wait much more than they compute.

A case passes when both are the same, or when they differ and the profile's file says so and why (`differs`). It fails
when they differ without that, and when they do not differ any more. A server that is not installed, and a machine that
allows no network namespace, are skipped. --write writes docs/profiles.md; the last line is the count of cases.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'matrix'), str(HERE.parent / 'clients')]

import profiles  # noqa: E402
import report  # noqa: E402
import servers  # noqa: E402

AT_ONCE = 5
WITHIN = 300  # seconds, of one server
ROOT = [] if os.geteuid() == 0 else ['sudo', '-n']
# A network of its own, and processes of its own: none is left when the first one ends, however that does.
APART = ROOT + ['unshare', '--net', '--pid', '--fork', '--kill-child', '--mount-proc']


def arguments():
    options = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    options.add_argument('--hangup', required=True, help='the binary')
    options.add_argument('--quick', action='store_true', help='only nginx, Apache, HAProxy and Node')
    options.add_argument('--server', action='append', default=[], help='only this one; may be repeated')
    options.add_argument('--only', default='', help='only situations with this text; behind their names is the protocol')
    options.add_argument('--write', type=pathlib.Path, help='where the page goes')
    options.add_argument('--json', type=pathlib.Path, help='where all that was seen goes')
    options.add_argument('-v', '--verbose', action='store_true', help='both sequences of what differs, also where it is explained')
    options.add_argument('--list', action='store_true', help='the servers that are known')
    return options.parse_args()


def run(row, options):
    """What place.py has found, or a text: why it has not."""
    command = APART + [sys.executable, '-B', str(HERE / 'place.py'), '--hangup', str(pathlib.Path(options.hangup).resolve()),
                      '--server', row.name, '--only', options.only]
    lifeline, mine = os.pipe()  # place.py ends when nobody holds the other end
    try:
        done = subprocess.run(command, stdin=lifeline, capture_output=True, text=True, timeout=WITHIN, check=False)
    except subprocess.TimeoutExpired:
        return f'not within {WITHIN} s'
    finally:
        os.close(lifeline)
        os.close(mine)
    if done.returncode:
        return done.stderr.strip()[-2000:] or f'exit status {done.returncode}'
    result = json.loads(done.stdout)
    explained = profiles.explained(row.profile)
    for cell in result['cells']:
        cell['entry'] = explained.get((cell['situation'], cell['over']))
    return dict(result, profile=row.profile)


def no_namespace():
    """Why none can be made; empty when it can."""
    done = subprocess.run(APART + ['ip', 'link', 'set', 'lo', 'up'], capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ''


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def skip(self, title, reason):
        self.skipped += 1
        print(f'skipped  {title}: {reason}')

    def fail(self, title, why):
        self.failed += 1
        print(f'not ok {title}: {why}')

    def cell(self, result, cell, verbose):
        title = f'{result["server"]}, {cell["situation"]}, {report.NAMES[cell["over"]]}'
        if profiles.expects(cell['entry'], cell['difference']):
            self.passed += 1
            if cell['difference'] and verbose:
                print(f'differs  {title}: {cell["entry"]["why"]}\n{report.text(cell)}')
            return
        self.fail(title, cell['difference'] or 'they are the same, and the profile says that they differ')
        if cell['difference']:
            print(report.text(cell))


def main():
    options = arguments()
    rows = [row for row in servers.ROWS if (not options.server or row.name.lower() in map(str.lower, options.server)) and
            (row.quick or not options.quick)]
    if options.list:
        print('\n'.join(row.name for row in rows))
        return 0
    count, results = Count(), []
    why_not = no_namespace()
    there = [row for row in rows if not why_not and row.installed()]
    with concurrent.futures.ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        found = dict(zip((row.name for row in there), pool.map(lambda row: run(row, options), there)))
    for row in rows:
        result = found.get(row.name)
        if result is None:
            count.skip(row.name, f'no network namespace: {why_not}' if why_not else 'it is not installed')
        elif isinstance(result, str):
            count.fail(row.name, result)
        else:
            results.append(result)
            for cell in result['cells']:
                count.cell(result, cell, options.verbose)
            for situation in profiles.unknown_situations(row.profile):
                count.fail(row.name, f'its profile says that it differs in "{situation}", and there is no such situation')
    finish(options, results, len(results) == len(rows))
    print(f'{count.passed} passed, {count.failed} failed, {count.skipped} skipped')
    return 1 if count.failed or not count.passed + count.skipped else 0


def finish(options, results, whole):
    print('\n'.join(report.by_server(results)))
    same, all_ = report.counted(results)
    print(f'{same} of {all_} are the same: {report.share(same, all_)}')
    if options.json:
        options.json.write_text(json.dumps(results))
    if options.write and not whole:
        print(f'{options.write} stays as it is, as not all servers were there')
    elif options.write:
        options.write.write_text(report.document(results))


if __name__ == '__main__':
    sys.exit(main())
