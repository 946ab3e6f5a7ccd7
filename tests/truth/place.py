#!/usr/bin/env python3
"""One real server and hangup in the network namespace that it is started in: runs all situations, and writes the timelines as JSON.

    place.py --hangup BINARY --server NAME [--only TEXT]

What differs is tried again, up to three times, as this machine may have been busy; and so is what is explained in the
profile (its `differs`) and does not differ.

It is started by truth.py, as the first process of its namespaces.
"""
import argparse
import collections
import concurrent.futures
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'matrix'), str(HERE.parent / 'clients')]

import compare  # noqa: E402
import peer as peers  # noqa: E402
import profiles  # noqa: E402
import servers  # noqa: E402
from capture import Capture  # noqa: E402
from hangup import Server  # noqa: E402
from situations import SCENES, SITUATIONS, after_action, in_state  # noqa: E402
from timeline import timeline  # noqa: E402

AT_ONCE = 96  # they wait
TRIES = 3
LISTENERS = {'h1': 'http', 'h2c': 'http', 'h1s': 'https', 'h2': 'https'}


class Upstream(http.server.BaseHTTPRequestHandler):
    """What proxies have behind them."""
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        if 'slow' in self.path:
            time.sleep(1)
        try:
            self.rfile.read(int(self.headers.get('Content-Length', 0)))
            self.send_response(200)
            self.send_header('Content-Length', '2')
            self.end_headers()
            self.wfile.write(b'{}')
        except OSError:  # who has asked was killed
            pass

    do_POST = do_GET

    def log_message(self, *_):
        pass


class Hangup:
    """hangup with the profile, as if it were the server."""
    paths = (peers.PATH, peers.PATH)

    def __init__(self, binary, row, variant, folder, scene=False):
        folder.mkdir()
        mode = {'name': 'in-truth', 'extends': row.profile, 'params': dict(row.params, **row.variants.get(variant, {})),
                'rules': [{'on': 'request', 'nth': 2, 'do': [{'delay': '1s'}]}] if scene else []}
        (folder / 'in-truth.json').write_text(json.dumps(mode))
        self.server = Server(binary, '--modes', str(folder), '--mode', 'in-truth', '--log-level', 'error')
        self.marks = marks_of(row.profile)
        self.ports = {over: self.server.port(name) for over, name in LISTENERS.items()}

    def says(self, action):
        return action in self.marks

    def do(self, action):
        if action in self.marks:
            self.server.admin.ask('POST', '/v1/marks', {'mark': action})

    def end(self):
        self.server.stop()


def marks_of(profile):
    return {rule.get('name') for rule in profiles.read(profile).get('rules', ()) if rule['on'] == 'mark'}


class Place:
    def __init__(self, binary, row, folder):
        self.binary, self.row, self.folder = binary, row, folder
        self.capture = Capture()
        upstream = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Upstream)
        threading.Thread(target=upstream.serve_forever, daemon=True).start()
        self.upstream = upstream.server_address[1]
        self.count = 0

    def pair(self, variant, scene=False):
        """The two sides."""
        self.count += 1
        number = self.count
        real = servers.Real(self.row, variant, self.folder / f'real{number}', 20000 + 10 * number, self.upstream)
        try:
            hangup = Hangup(self.binary, self.row, variant, self.folder / f'hangup{number}', scene)
            self.warm_up(real)
            return {'real': real, 'hangup': hangup}
        except BaseException:
            real.end()
            raise

    def warm_up(self, real):
        """What compiles its code as it runs is slow at first."""
        for over in self.row.over:
            client = self.connect(real, over)
            client.ask()
            client.close()

    @staticmethod
    def connect(side, over):
        return peers.Peer(side.ports[over], over, *side.paths)

    def finish(self, client):
        time.sleep(0.05)
        told = timeline(client, self.capture)
        client.close()
        return told

    def run(self, situation, over, side):
        client = self.connect(side, over)
        situation.run(client, self.row)
        return self.finish(client)

    def act(self, action, cells, pair):
        """One action on both sides, with a connection for each of these scenes and protocols."""
        found = {}
        with concurrent.futures.ThreadPoolExecutor(max_workers=64) as pool:
            for name, side in pair.items():
                clients = {cell: self.connect(side, cell[1]) for cell in cells}
                list(pool.map(lambda item: in_state(item[1], item[0][0].state), clients.items()))
                side.do(action)
                futures = {cell: pool.submit(after_action, client) for cell, client in clients.items()}
                for cell, future in futures.items():
                    future.result()
                    found[cell + (name,)] = self.finish(clients[cell])
        return found


def chosen(row, only):
    cells = [(situation, over) for situation in SITUATIONS for over in situation.over if over in row.over and
             (situation.variant == 'plain' or situation.variant in row.variants)]
    scenes = [(scene, over) for scene in SCENES for over in scene.over if over in row.over and
              (scene.action != 'reload' or row.reload is not None)]
    wanted = lambda cell: not only or only in f'{cell[0].name} {cell[1]}'  # noqa: E731
    return list(filter(wanted, cells)), list(filter(wanted, scenes))


def run_situations(place, cells, report):
    pairs = {variant: place.pair(variant) for variant in {cell[0].variant for cell in cells}}
    left = cells
    for attempt in range(TRIES):
        with concurrent.futures.ThreadPoolExecutor(max_workers=AT_ONCE if attempt == 0 else AT_ONCE // 2) as pool:
            futures = {(cell, name): pool.submit(place.run, *cell, side) for cell in left
                       for name, side in pairs[cell[0].variant].items()}
        told = {key: outcome(future) for key, future in futures.items()}
        left = [cell for cell in left if report(cell, told[cell, 'real'], told[cell, 'hangup'])]
        if not left:
            break
    for pair in pairs.values():
        for side in pair.values():
            side.end()


def outcome(future):
    try:
        return future.result()
    except OSError as trouble:
        return str(trouble)


def run_scenes(place, scenes, report):
    by_action = collections.defaultdict(list)
    for cell in scenes:
        by_action[cell[0].action].append(cell)
    for action, cells in by_action.items():
        for _ in range(TRIES - 1):
            pair = place.pair('plain', scene=True)
            told = place.act(action, cells, pair)
            cells = [cell for cell in cells if report(cell, told[cell + ('real',)], told[cell + ('hangup',)],
                                                      unsaid=not pair['hangup'].says(action))]
            for side in pair.values():
                side.end()
            if not cells or not pair['hangup'].says(action):
                break


def end_with_caller():
    """Whoever has started us holds the other end of standard input."""
    os.read(0, 1)
    os._exit(1)


def main():
    options = argparse.ArgumentParser()
    options.add_argument('--hangup', required=True)
    options.add_argument('--server', required=True)
    options.add_argument('--only')
    options = options.parse_args()
    row = next(one for one in servers.ROWS if one.name == options.server)
    threading.Thread(target=end_with_caller, daemon=True).start()
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
    results = {}

    explained = profiles.explained(row.profile)

    def report(cell, real, hangup, unsaid=False):
        """Returns whether it is not as expected."""
        difference = compare.difference(real, hangup, row.jitter, unsaid)
        results[cell] = {'situation': cell[0].name, 'over': cell[1], 'real': real, 'hangup': [] if unsaid else hangup,
                         'difference': difference, 'flag': compare.differs_by_flag(real, hangup)}
        return not profiles.expects(explained.get((cell[0].name, cell[1])), difference)

    with tempfile.TemporaryDirectory(prefix='truth-') as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        certificate(folder)
        place = Place(options.hangup, row, folder)
        cells, scenes = chosen(row, options.only)
        run_situations(place, cells, report)
        run_scenes(place, scenes, report)
        if place.capture.missed():
            sys.exit('the capture has missed segments: this machine was too busy')
        json.dump({'server': row.name, 'version': row.version_said(),
                   'cells': [results[cell] for cell in cells + scenes]}, sys.stdout)


def certificate(folder):
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
                    '-subj', '/CN=hangup.test', '-keyout', folder / 'key.pem', '-out', folder / 'cert.pem'],
                   check=True, capture_output=True)
    (folder / 'pair.pem').write_text((folder / 'cert.pem').read_text() + (folder / 'key.pem').read_text())
    subprocess.run(['openssl', 'pkcs12', '-export', '-in', folder / 'pair.pem', '-out', folder / 'pair.p12', '-passout',
                    'pass:hangup'], check=True, capture_output=True)
    for name in ('key.pem', 'pair.pem', 'pair.p12'):
        (folder / name).chmod(0o644)


if __name__ == '__main__':
    main()
