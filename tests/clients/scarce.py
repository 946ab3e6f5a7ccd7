#!/usr/bin/env python3
"""A server that lacks what it needs: descriptors, ports, a disk, threads. It says so, and goes on.

    scarce.py --hangup BINARY
"""
import argparse
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from hangup import Server, Tap  # noqa: E402

REQUEST = b'GET /api/entitlement/get HTTP/1.1\r\nHost: a\r\n\r\n'


def client(port):
    connection = socket.create_connection(('127.0.0.1', port), 10)
    connection.sendall(REQUEST)
    return connection


def ends_well(tap, server, title):
    tap.case(f'{title}: the server is alive', server.admin.call('GET', '/healthz')[0] == 200)
    tap.case(f'{title}: and ends as it should', server.stop(60) == 0)


def descriptors(tap, binary):
    server = Server(binary, command_prefix=['prlimit', '--nofile=64:64'])
    clients = [client(server.port('http')) for _ in range(80)]
    answers = [server.admin.call('POST', '/v1/runs', {'listeners': ['https', 'https1', 'http']}) for _ in range(12)]
    refused = [answer for status, answer in answers if status != 201]
    tap.case('without descriptors a run is refused with 503',
             refused and all(answer['type'] == '/problems/no-descriptor' for answer in refused), answers)
    for each in clients:
        each.close()
    ends_well(tap, server, 'without descriptors')


def ports(tap, binary):
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        server = Server(binary, '--run-ports', f'127.0.0.1:{port}-{port}', run_ports=False)
        status, answer = server.admin.call('POST', '/v1/runs', {})
        tap.case('without a port a run is refused with 503',
                 (status, answer['type']) == (503, '/problems/no-port'), answer)
        ends_well(tap, server, 'without ports')


def written(folder, run):
    return ''.join(path.read_text() for path in pathlib.Path(folder).glob(f'{run}-*.ndjson'))


def directory(tap, binary):
    """The directory of the ledgers goes while the server runs, and comes back."""
    with tempfile.TemporaryDirectory(prefix='hangup-') as folder:
        ledgers = pathlib.Path(folder, 'ledgers')
        ledgers.mkdir()
        server = Server(binary, '--ledger-dir', str(ledgers))
        shutil.rmtree(ledgers)
        status, run = server.admin.call('POST', '/v1/runs', {'listeners': ['http']})
        tap.case('without the directory for its ledger a run is made', status == 201, run)
        client(int(run['urls']['http'].rsplit(':', 1)[1])).close()
        path = f'/v1/runs/{run["id"]}/events?event=warning'
        until = time.monotonic() + 20
        while not (told := server.admin.ask('GET', path)['events']) and time.monotonic() < until:
            time.sleep(0.05)
        tap.case('and its ledger says so', told and 'cannot be written' in told[0]['why'], told)
        ledgers.mkdir()
        until = time.monotonic() + 20
        while '"request"' not in written(ledgers, run['id']) and time.monotonic() < until:
            time.sleep(0.05)
        text = written(ledgers, run['id'])
        tap.case('once it is back all is written', 'run_start' in text and '"request"' in text, text[:500])
        ends_well(tap, server, 'without a directory')


def disk(tap, binary):
    """A disk of 64 kB."""
    with tempfile.TemporaryDirectory(prefix='hangup-') as folder:
        mounted = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'none', folder], capture_output=True,
                                 check=False).returncode == 0
        if not mounted:
            tap.skip('a full disk stops nothing', 'a tmpfs cannot be mounted')
            return
        try:
            server = Server(binary, '--ledger-dir', folder)
            run = server.admin.ask('POST', '/v1/runs', {'listeners': ['http']})
            for _ in range(100):
                with client(int(run['urls']['http'].rsplit(':', 1)[1])) as connection:
                    connection.recv(4096)
            status, answer = server.admin.call('POST', '/v1/runs', {})
            tap.case('a full disk stops nothing', status == 201, answer)
            path = f'/v1/runs/{run["id"]}/events?event=warning'
            until = time.monotonic() + 20
            while not (told := server.admin.ask('GET', path)['events']) and time.monotonic() < until:
                time.sleep(0.05)
            tap.case('and is said', told and 'cannot be written' in told[0]['why'], told)
            ends_well(tap, server, 'a full disk')
        finally:
            subprocess.run(['umount', '-l', folder], check=False)


def threads(tap, binary):
    """A user who may have one process, and no thread beside it. Root may have more, and is another user here."""
    prefix = ['prlimit', '--nproc=1:1']
    if os.geteuid() == 0:
        user, keep = 70000 + os.getpid(), '+net_admin,+net_raw'
        prefix += ['setpriv', f'--reuid={user}', f'--regid={user}', '--clear-groups', f'--inh-caps={keep}',
                   f'--ambient-caps={keep}']
    # A sanitizer looks for leaks in a thread of its own.
    prefix += ['env', f'ASAN_OPTIONS={os.environ.get("ASAN_OPTIONS", "")}:detect_leaks=0']
    with tempfile.TemporaryDirectory(prefix='hangup-') as folder:
        os.chmod(folder, 0o777)
        server = Server(binary, '--ledger-dir', folder, '--state', f'{folder}/state', command_prefix=prefix)
        run = server.admin.ask('POST', '/v1/runs', {'listeners': ['http']})
        path, port = f'/v1/runs/{run["id"]}', int(run['urls']['http'].rsplit(':', 1)[1])
        with client(port) as connection:
            connection.recv(4096)
        verdict = server.admin.ask('GET', f'{path}/verdict')
        tap.case('without threads a verdict is worked out', 'verdict' in verdict, verdict)
        status, answer = server.admin.call('PUT', f'{path}/mode', {'mode': 'black-hole-on-request'})
        if status == 200:
            with client(port) as connection:
                connection.sendall(REQUEST)
                until = time.monotonic() + 20
                while 'black_hole' not in str(server.admin.ask('GET', f'{path}/events?event=fault')) and \
                        time.monotonic() < until:
                    time.sleep(0.05)
                status, answer = server.admin.call('POST', f'{path}/reset')
                tap.case('and a black hole begins and ends', time.monotonic() < until and status == 200, answer)
        else:
            tap.skip('and a black hole begins and ends', answer)
        until = time.monotonic() + 20
        while '"response_end"' not in written(folder, run['id']) and time.monotonic() < until:
            time.sleep(0.05)
        text = written(folder, run['id'])
        tap.case('and the ledger is written to its file', '"response_end"' in text, text[:500])
        tap.case('and the log says so', 'no thread can be had' in server.log(), server.log())
        ends_well(tap, server, 'without threads')


def main():
    options = argparse.ArgumentParser(description='A server that lacks what it needs.')
    options.add_argument('--hangup', required=True, help='the server to test')
    binary = options.parse_args().hangup
    tap = Tap()
    for part in descriptors, ports, directory, disk, threads:
        part(tap, binary)
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
