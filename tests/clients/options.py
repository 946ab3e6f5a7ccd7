#!/usr/bin/env python3
"""Options that are given twice: refused by their names, unless help says that they may be repeated. Each option
that the help of a command lists.

    options.py --hangup BINARY
"""
import argparse
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from hangup import Tap  # noqa: E402

COMMANDS = 'serve', 'modes', 'healthcheck', 'verdict', 'prove', 'audit', 'watch'
ROW = re.compile(r'^  (--[a-z0-9-]+)(?: (\S+))?  +(.*(?:\n {10,}.*)*)', re.M)
VALUES = {'TIME': '1s', 'N': '1', 'F': '1', 'FACTOR': '1', 'BYTES': '1', 'D': '1s', 'N|all': '1'}


def value_of(shown):
    """Some value that can be read, for what help has behind the name."""
    return VALUES.get(shown, shown.split('|')[0] if shown and shown.islower() else 'x')


def main():
    parser = argparse.ArgumentParser(description='Options that are given twice.')
    parser.add_argument('--hangup', required=True, help='the binary to test')
    binary, tap = parser.parse_args().hangup, Tap()

    def run(*words):
        return subprocess.run([binary, *words], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)

    for command in COMMANDS:
        rows = ROW.findall(run('help', command).stdout)
        tap.case(f'{command} has options', rows)
        for name, shown, about in rows:
            once = [name, value_of(shown)] if shown else [name]
            # One that does not exist ends it, where two are allowed.
            done = run(command, *once, *once, '--there-is-none')
            twice = f'{name}: it is given twice' in done.stderr
            repeated = 'repeated' in about
            tap.case(f'{command} {name} may {"" if repeated else "not "}be repeated',
                     done.returncode == 2 and twice != repeated, done.stderr)
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
