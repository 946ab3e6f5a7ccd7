#!/usr/bin/env python3
"""What a run costs in memory when it is at all of its bounds: more attempts, connections, faults and lines
of a driver in each phase than are kept, with long texts, and a verdict that was asked for.

    run_bounds.py --hangup BINARY
"""
import argparse
import http.client
import json
import os
import pathlib
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from hangup import Server, Tap  # noqa: E402

# As docs/architecture.md has them ("What a run costs").
KEPT = 2048  # attempts, connections and faults of a phase
LINES = 4096  # of a driver
PHASE_BYTES = 12 << 20  # of a phase, its ledger aside
AGAIN_BYTES = 8 << 20  # what an allocator may take more when all of it comes once more
LEDGER = 4 << 20  # less than a phase has: what is kept of that is not the ledger's
AT_ONCE = 400  # requests that the ledger holds, each with its events
LONG = 200  # octets of each text, as many as are kept for showing
PATIENCE = 120  # s: to judge all that takes long, on a busy machine
PHASES = 'control', 'fault', 'without'


def resident(pid):
    return int(pathlib.Path(f'/proc/{pid}/statm').read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE')


def request(port, number):
    """On a connection of its own, until the server ends that."""
    text = f'{number:06}'.ljust(LONG, 'x')
    with socket.create_connection(('127.0.0.1', port), timeout=60) as client:
        client.sendall((f'GET /api/entitlement/get?{text} HTTP/1.1\r\nHost: {text}\r\nConnection: close\r\n'
                        f'Hangup-Call: {text}\r\nIdempotency-Key: {text}\r\n\r\n').encode())
        try:
            while client.recv(65536):
                pass
        except ConnectionResetError:
            pass


def report(port, run):
    """More lines of a driver than are kept, with all that is kept of one."""
    client = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
    for first in range(1, LINES + 100, 1000):
        lines = [{'n': n, 'step': 'get', 'ok': False, 'status': 0, 'ms': 1, 'error': 'e' * 63}
                 for n in range(first, first + 1000)]
        client.request('POST', f'/v1/runs/{run}/reports', '\n'.join(map(json.dumps, lines)),
                       {'Content-Type': 'application/x-ndjson'})
        answer = client.getresponse()
        text = answer.read()
        if answer.status != 201:
            raise RuntimeError(f'{answer.status} {text}')
    client.close()


def fill(server, run, port):
    """All phases, and what is made of them."""
    for phase in PHASES:
        server.admin.ask('POST', f'/v1/runs/{run}/phase', {'phase': phase})
        for number in range(KEPT + 50):
            request(port, number)
            if number % AT_ONCE == 0:  # or events are dropped before the verdict has them
                server.admin.ask('GET', f'/v1/runs/{run}/verdict', timeout=PATIENCE)
        report(server.port('admin'), run)
    server.admin.ask('GET', f'/v1/runs/{run}/calls', timeout=PATIENCE)
    return server.admin.ask('GET', f'/v1/runs/{run}/verdict', timeout=PATIENCE)


def answered_meanwhile(server, run):
    """How many calls about other things are answered while the verdict of this run is worked out."""
    asked, over, count = threading.Event(), threading.Event(), 0

    def judge():
        asked.set()
        server.admin.ask('GET', f'/v1/runs/{run}/calls', timeout=PATIENCE)
        over.set()

    judging = threading.Thread(target=judge)
    judging.start()
    asked.wait()
    while not over.is_set():
        server.admin.ask('GET', '/v1/mode')
        count += not over.is_set()
    judging.join()
    return count


def main():
    options = argparse.ArgumentParser(description='The memory of a run at its bounds.')
    options.add_argument('--hangup', required=True, help='the binary to test')
    tap, server = Tap(), Server(options.parse_args().hangup, '--ledger-limit', str(LEDGER))
    made = server.admin.ask('POST', '/v1/runs', {'mode': 'truncate', 'listeners': ['http'], 'control': True,
                                                 'ttl': '1h'})
    run, port = made['id'], int(made['urls']['http'].rsplit(':', 1)[1])
    request(port, 0)
    before = resident(server.pid)
    document = fill(server, run, port)
    once = resident(server.pid)
    requests = [phase['requests'] for phase in document['phases']]
    tap.case('all of it is kept that may be', requests == [KEPT] * len(PHASES), document['phases'])
    meanwhile = answered_meanwhile(server, run)
    tap.note(f'{meanwhile} calls were answered while a verdict was worked out')
    tap.case('others do not wait for a verdict', meanwhile >= 5, meanwhile)
    most = len(PHASES) * PHASE_BYTES + LEDGER
    if 'libasan' in pathlib.Path(f'/proc/{server.pid}/maps').read_text():
        tap.skip('a run at its bounds costs no more than is said', 'a sanitizer keeps what is freed')
    else:
        tap.note(f'{(once - before) / 1e6:.1f} MB, of {most / 1e6:.1f} that are said')
        tap.case('a run at its bounds costs no more than is said', once - before <= most, once - before)
        fill(server, run, port)
        twice = resident(server.pid)
        tap.note(f'once more: {(twice - once) / 1e6:.1f} MB')
        tap.case('and nothing more, however much comes', twice - once <= AGAIN_BYTES, twice - once)
    began = time.monotonic()
    tap.case('the server ends', server.stop(60) == 0)
    took = time.monotonic() - began
    tap.note(f'a stop took {took:.1f} s')
    tap.case('soon, whatever it has', took < 10, took)
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
