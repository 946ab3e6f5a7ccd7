#!/usr/bin/env python3
"""Each option that the help of a command lists: given twice it is refused by its name, unless help says that it
may be repeated; a value that it cannot use is refused by its name, with what is allowed.

    options.py --hangup BINARY
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from hangup import Tap  # noqa: E402

COMMANDS = 'serve', 'modes', 'healthcheck', 'verdict', 'prove', 'audit', 'watch'
ROW = re.compile(r'^  (--[a-z0-9-]+)(?: (\S+))?  +(.*(?:\n {10,}.*)*)', re.M)
VALUES = {'TIME': '1s', 'N': '1', 'F': '1', 'FACTOR': '1', 'BYTES': '1', 'D': '1s', 'N|all': '1'}
HUGE = '9' * 20
# What cannot be used, by what help has behind the name. FILE and DIR are told apart by what is done with them.
BAD = {
    'TIME': ['x', '-1s', HUGE + 's'],
    'N': ['x', '-1', '1.5', HUGE],
    'FACTOR': ['-1', '0', 'nan', HUGE],
    'BYTES': ['-1', '1k', HUGE],
    'ADDR': ['x', '127.0.0.1:65536'],
    'FIRST-LAST': ['x', '2-1', '1-65536'],
    'HOST': ['-1', 'two words', HUGE],
    'URL': ['x:0', 'x:65536', 'https://localhost'],
    'NAME[;k=v]': ['no-such;x=1', ';', '\xff'],
    'TOKEN': ['two words'],
}
READ = {'--plan', '--cert', '--admin-token-file'}  # FILEs that must be there
READ_FOLDERS = {'--modes', '--stubs', '--ledger-dir', '--state'}
WRITTEN = {'--junit', '--html', '--markdown', '--ledger', '--keylog'}


def value_of(shown):
    """Some value that can be read, for what help has behind the name."""
    return VALUES.get(shown, shown.split('|')[0] if shown and shown.islower() else 'x')


def bad_values(name, shown, folder):
    """What an option cannot use, for what help has behind its name."""
    if shown.replace('|', '').isalnum() and shown.islower():
        return ['', 'no-such', shown.upper(), HUGE]
    if name in READ:
        return ['', '/no/such', folder, f'{folder}/bytes']
    if name in READ_FOLDERS:
        return ['', f'{folder}/bytes']
    if name in WRITTEN:
        return ['', '/no/such/file', folder]
    return ['', *BAD.get(shown, [])]


def line_of(command, name, value, folder):
    """A command line that is right but for this option."""
    words = [name, value]
    if command in ('prove', 'audit'):
        fault = [] if name in ('--mode', '--plan', '--suite', '--explain') else ['01']
        return [*fault, *words, '--', 'true']
    if command == 'verdict':
        return [f'{folder}/ledger', *words]
    if name == '--cert':
        return [*words, '--key', f'{folder}/bytes']
    if command == 'serve' and name == '--seed':
        return [*words, '--case', '01']
    return words


def refuse_twice(tap, run, command, name, shown, about):
    once = [name, value_of(shown)] if shown else [name]
    # One that does not exist ends it, where two are allowed.
    done = run(command, *once, *once, '--there-is-none')
    twice = f'{name}: it is given twice' in done.stderr
    repeated = 'repeated' in about
    tap.case(f'{command} {name} may {"" if repeated else "not "}be repeated',
             done.returncode == 2 and twice != repeated, done.stderr)


def refuse_bad_values(tap, run, command, name, shown, folder):
    taken = []
    for value in bad_values(name, shown, folder):
        done = run(command, *line_of(command, name, value, folder))
        last = done.stderr.rstrip('\n').rpartition('\n')[2]
        said = name in last and ('allowed: ' in last or value not in ('', HUGE))
        if done.returncode != 2 or done.stdout or not said:
            taken.append(f'{value!r}: status {done.returncode}: {done.stdout[:200]}{last}')
    tap.case(f'{command} {name} refuses what it cannot use', not taken, '\n'.join(taken))


def main():
    parser = argparse.ArgumentParser(description='Options that are given twice, or with values that are none.')
    parser.add_argument('--hangup', required=True, help='the binary to test')
    binary, tap = os.path.abspath(parser.parse_args().hangup), Tap()

    with tempfile.TemporaryDirectory(prefix='hangup-options-') as folder:
        pathlib.Path(folder, 'bytes').write_bytes(bytes(range(256)) * 8)
        pathlib.Path(folder, 'ledger').write_text(
            '{"seq":1,"at":"2026-11-30T04:45:08.315257Z","ms":1.5,"event":"run_end","reason":"finished"}\n')
        environment = {**os.environ, 'XDG_STATE_HOME': folder}

        def run(*words):
            return subprocess.run([binary, *words], capture_output=True, text=True, errors='replace', timeout=60,
                                  stdin=subprocess.DEVNULL, env=environment, cwd=folder)

        for command in COMMANDS:
            rows = ROW.findall(run('help', command).stdout)
            tap.case(f'{command} has options', rows)
            for name, shown, about in rows:
                refuse_twice(tap, run, command, name, shown, about)
                if shown and command != 'audit':  # which reads its options as prove does
                    refuse_bad_values(tap, run, command, name, shown, folder)
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
