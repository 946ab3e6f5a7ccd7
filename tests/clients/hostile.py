#!/usr/bin/env python3
"""Clients that try to be proved though they do not deserve it, and clients that are odd but right.

    hostile.py --hangup BINARY [--match TEXT]

Each is a COMMAND of `hangup prove`, on sockets of its own. A liar does one thing that looks like a mitigation
and is none, in the account, in header fields (hostile_words.py), on the wire, or through the admin API
(hostile_wire.py): it must never be PROVED. An odd one does what RFCs allow and few do (hostile_odd.py): it
must never be NOT PROVED.
"""
import argparse
import concurrent.futures
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from hangup import Tap  # noqa: E402
import hostile_odd  # noqa: E402, F401
import hostile_wire  # noqa: E402, F401
import hostile_words  # noqa: E402, F401
from hostile_parts import LIARS, NO_PASS, ODD  # noqa: E402
from prove import Prove  # noqa: E402
from statuses import INCONCLUSIVE, PROVED  # noqa: E402

# A module is compiled once, a script at each start; and no client needs what `site` brings.
CLIENT = 'import sys; sys.path.insert(0, sys.argv[1]); import hostile_parts; __import__(sys.argv[2]); hostile_parts.be(sys.argv[3])'


def run(prove, name, client, words):
    return prove.run(*words, '--settle', '1500ms', '--timeout', '60s',
                     command=[sys.executable, '-S', '-c', CLIENT, str(HERE), client.__module__, name])


def main():
    options = argparse.ArgumentParser(description='Clients that lie, and clients that are odd.')
    options.add_argument('--hangup', required=True, help='the binary to test')
    options.add_argument('--match', default='', help='only those with this in their name')
    options.add_argument('--show', action='store_true', help='what was said of each')
    given = options.parse_args()
    tap, prove = Tap(), Prove(given.hangup)
    prove.run('--mode', 'normal', command=['true'])  # the CA is made
    rows = [(name, *row) for name, row in (LIARS | ODD).items() if given.match in name]
    with concurrent.futures.ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
        for (name, _, _, also), (status, said, errors) in zip(rows, pool.map(lambda row: run(prove, *row[:3]), rows)):
            if name in LIARS:
                good, title = status in (*NO_PASS, *also), 'is not proved'
            else:
                good, title = status in (PROVED, INCONCLUSIVE), 'is not blamed'
            tap.case(f'{name} {title}: {status}', good, f'{said}{errors}')
            if good and given.show:
                tap.note('\n'.join(text for text in (said + errors).splitlines() if 'conn ' not in text))
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
