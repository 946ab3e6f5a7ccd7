#!/usr/bin/env python3
"""Several servers as one: starts the commands of a file, one a line, and hands on the signals that it gets."""
import signal
import subprocess
import sys


def main():
    with open(sys.argv[1], encoding='utf-8') as lines:
        there = [subprocess.Popen(line.split()) for line in lines if line.strip()]
    for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(one, lambda number, _: [process.send_signal(number) for process in there])
    for process in there:
        process.wait()


main()
