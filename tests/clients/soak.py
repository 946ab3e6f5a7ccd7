#!/usr/bin/env python3
"""The torture for longer, one seed after the other, with an eye on the server meanwhile.

    soak.py --hangup BINARY [--seconds S] [SEED...]

Each seed gets the same part of the time. Beside what torture.py asserts itself (which includes
sanitizers' reports and leaks: they are in the log and in the exit status), the server must answer
GET /healthz within two seconds, always. Time that the server or this program waited for a processor
does not count, as machines are shared.
"""
import argparse
import pathlib
import random
import re
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from hangup import Tap, watch_over  # noqa: E402

SEEDS = (4711, 1, 2, 3)  # the first one found an endless loop once; and a new one each time
SILENT_AT_MOST = 2  # seconds
LOOK_EVERY = 0.2
GIVE_UP = 60  # seconds of silence, processor or not: what hangs is ended
ENDING_TAKES = 180  # seconds that torture.py may need behind its time
ASK = b'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'


def waited(pid):
    """Seconds that the process was ready and had no processor."""
    try:
        with open(f'/proc/{pid}/schedstat') as stat:
            return int(stat.read().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0


class Watch(threading.Thread):
    """Asks the server how it is, until it is over."""

    def __init__(self, pid, port):
        super().__init__(daemon=True)
        self.pid, self.port = pid, port
        self.over = threading.Event()
        self.longest = 0  # seconds of silence
        self.asked = self.failed = 0

    def ask(self):
        """Returns whether it answered."""
        try:
            with socket.create_connection(('127.0.0.1', self.port), timeout=GIVE_UP) as connection:
                connection.sendall(ASK)
                return connection.recv(100).startswith(b'HTTP/1.1 200')
        except OSError:
            return False

    def run(self):
        while not self.over.is_set():
            begun, had = time.monotonic(), waited(self.pid) + waited('self')
            answered = self.ask()
            silence = time.monotonic() - begun - (waited(self.pid) + waited('self') - had)
            if self.over.is_set():
                break  # what it was asked last may never have been answered
            self.failed += not answered
            self.longest = max(self.longest, silence)
            self.asked += 1
            self.over.wait(LOOK_EVERY)


def torture(tap, binary, seed, seconds):
    """One run of it, its cases as ours."""
    command = [sys.executable, str(pathlib.Path(__file__).with_name('torture.py')),
               '--hangup', binary, '--seed', str(seed), '--seconds', str(seconds)]
    watch = None
    end = time.monotonic() + seconds + ENDING_TAKES
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as run, \
            watch_over(run.pid):
        late = threading.Timer(end - time.monotonic(), run.kill)
        late.start()
        for line in run.stdout:
            server = re.match(r'# server (\d+), admin port (\d+)', line)
            case = re.match(r'(not ok|ok) \d+ - (.*)', line)
            if server:
                watch = Watch(*map(int, server.groups()))
                watch.start()
            elif case:
                tap.case(f'seed {seed}: {case.group(2)}', case.group(1) == 'ok')
            elif watch and line == '# told to end\n':
                watch.over.set()
            elif line.startswith('#'):
                tap.note(line[1:].strip())
        run.wait()
        late.cancel()
    if watch:
        watch.over.set()
        watch.join(GIVE_UP)
    tap.case(f'seed {seed}: it came to its end', run.returncode >= 0, f'killed after {end} s')
    tap.case(f'seed {seed}: the admin API was never silent for more than {SILENT_AT_MOST} s',
             watch and watch.asked and not watch.failed and watch.longest <= SILENT_AT_MOST)
    if watch:
        tap.note(f'asked {watch.asked} times, {watch.failed} times without an answer; the longest '
                 f'silence was {watch.longest * 1000:.0f} ms')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--hangup', required=True)
    parser.add_argument('--seconds', type=float, default=1200)
    parser.add_argument('seeds', nargs='*', type=int)
    arguments = parser.parse_args()
    seeds = arguments.seeds or [*SEEDS, random.randrange(1 << 30)]
    tap = Tap()
    tap.note(f'seeds {" ".join(map(str, seeds))}')
    for seed in seeds:
        torture(tap, arguments.hangup, seed, arguments.seconds / len(seeds))
    status = tap.finish()
    print(f'{tap.passed} passed, {tap.failed} failed, {tap.skipped} skipped')
    return status


if __name__ == '__main__':
    sys.exit(main())
