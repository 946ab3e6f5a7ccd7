#!/usr/bin/env python3
"""Makes a run and ends it again, 10,000 times, and looks what is left of them: nothing.

    runs_soak.py --hangup BINARY [--runs N]

A client speaks to each tenth. What is kept of runs that have ended is bounded, so that after the first
thousand the server has as much memory and as many descriptors as at the end; some is allowed for what
allocators keep.
"""
import argparse
import http.client
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from hangup import Server, Tap  # noqa: E402

SETTLED = 0.1  # of the runs: what is kept is full by then
MODES = ('normal', 'close-on-reuse', 'idle-close', 'goaway-idle', 'truncate')
MORE_MEMORY = 1.15  # times as much, and
MORE_BYTES = 8 << 20
MORE_DESCRIPTORS = 4


class Api:
    """One connection to the admin API, kept."""

    def __init__(self, port):
        self.client = http.client.HTTPConnection('127.0.0.1', port, timeout=60)

    def call(self, method, path, body=None):
        headers = {'Content-Type': 'application/json'} if body else {}
        self.client.request(method, path, json.dumps(body) if body else None, headers)
        answer = self.client.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f'{method} {path}: {answer.status} {text}')
        return json.loads(text)


def get(port):
    """A request, whatever comes of it."""
    client = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
    try:
        client.request('GET', '/api/entitlement/get')
        client.getresponse().read()
    except http.client.HTTPException:
        pass
    finally:
        client.close()


def one(api, number):
    """A run, from its beginning to its end."""
    made = api.call('POST', '/v1/runs', {'mode': MODES[number % len(MODES)], 'listeners': ['https', 'http'],
                                         'control': number % 3 == 0, 'name': f'run {number}'})
    path = f'/v1/runs/{made["id"]}'
    if number % 10 == 0:
        get(int(made['urls']['http'].rsplit(':', 1)[1]))
    if number % 30 == 0:
        api.call('POST', f'{path}/phase', {'phase': 'fault'})
        api.call('GET', f'{path}/verdict')
    api.call('DELETE', path)


def measure(pid):
    """Resident bytes and descriptors."""
    status = pathlib.Path(f'/proc/{pid}/status').read_text()
    resident = int(next(line.split()[1] for line in status.splitlines() if line.startswith('VmRSS')))
    return resident * 1024, len(list(pathlib.Path(f'/proc/{pid}/fd').iterdir()))


def main():
    """What is there after the first ones, and at the end."""
    options = argparse.ArgumentParser()
    options.add_argument('--hangup', required=True)
    options.add_argument('--runs', type=int, default=10000)
    given = options.parse_args()
    tap, server = Tap(), Server(given.hangup)
    try:
        api = Api(server.port('admin'))
        settled = max(200, int(given.runs * SETTLED))
        before = None
        for number in range(given.runs):
            one(api, number)
            if number == settled:
                before = measure(server.process.pid)
        after = measure(server.process.pid)
        tap.note(f'after {settled} runs {before[0] >> 10} KiB, {before[1]} descriptors; '
                 f'after {given.runs} {after[0] >> 10} KiB, {after[1]}')
        tap.case('no memory is left of them', after[0] <= before[0] * MORE_MEMORY + MORE_BYTES)
        tap.case('no descriptor is left of them', after[1] <= before[1] + MORE_DESCRIPTORS)
        runs = api.call('GET', '/v1/runs')['runs']
        tap.case('what is kept of them is bounded', len(runs) == 65, f'{len(runs)} runs')
        tap.case('none runs', [run['id'] for run in runs if run['state'] == 'running'] == ['default'])
    finally:
        server.stop()
    return tap.finish()


sys.exit(main())
