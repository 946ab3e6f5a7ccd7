#!/usr/bin/env python3
"""The servers of tests and benches in Python: one that is killed leaves none behind, and one that ends
badly is told of.

    harness.py --hangup BINARY
"""
import argparse
import io
import os
import select
import signal
import sys

from hangup import Server, Tap

# A server whose end has another status.
BADLY = '"$@" & trap "kill $!; wait; exit 3" TERM; wait'


def main():
    options = argparse.ArgumentParser(description='What the tests in Python rely on.')
    options.add_argument('--hangup', required=True, help='the server to test')
    binary = options.parse_args().hangup
    tap = Tap()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        server = Server(binary)
        os.write(writing, str(server.pid).encode())
        signal.pause()
    os.close(writing)
    server = os.pidfd_open(int(os.read(reading, 20)))
    tap.case('a server is there as long as its test', not select.select([server], [], [], 0.2)[0])
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    tap.case('a test that is killed leaves no server behind', select.select([server], [], [], 20)[0])
    Server(binary).stop()
    good = list(Server.ended_badly)
    Server(binary, command_prefix=('sh', '-c', BADLY, 'sh')).stop()
    said, ends = io.StringIO(), list(Server.ended_badly)
    status = Tap(said).finish()
    Server.ended_badly.clear()
    tap.case('who stops a server that ends badly fails, though it does not look', not good and status == 1 and
             ends == ['exit status 3'] and said.getvalue().startswith('not ok') and 'exit status 3' in said.getvalue(),
             f'{good} {ends} {status} {said.getvalue()}')
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
