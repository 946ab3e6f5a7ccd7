#!/usr/bin/env python3
"""Scrapes GET /metrics, and reads it with a parser that others wrote: metrics.py --hangup BINARY --build DIR

The parser, whose version package-lock.json has, is installed into DIR once; where there is no npm, or no
registry, what it is for is skipped, and the rest done all the same. Set CI=true to make that a failure.
"""
import argparse
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'clients'))
from hangup import Server, Tap  # noqa: E402

STOPPED = 0.5  # so long the server does not run, in seconds
SAMPLE = re.compile(r'([a-z_]+)(\{[a-z]+="[^"\\\n]*"\})? ([0-9.e+-]+|\+Inf)')


def install(folder):
    """None, or why it cannot be done."""
    if not shutil.which('npm') or not shutil.which('node'):
        return 'npm is not there'
    lock, mark = (HERE / 'package-lock.json').read_bytes(), folder / 'installed'
    if mark.exists() and mark.read_bytes() == lock:
        return None
    for name in ('package.json', 'package-lock.json', 'parse.mjs'):
        shutil.copy(HERE / name, folder)
    done = subprocess.run(['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--fetch-retries=1',
                           '--fetch-timeout=30000'], cwd=folder, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if done.returncode:
        return 'the packages cannot be installed: is there a registry?'
    mark.write_bytes(lock)
    return None


def scrape(server):
    """The text, and its media type."""
    client = http.client.HTTPConnection('127.0.0.1', server.admin.port, timeout=15)
    client.request('GET', '/metrics')
    answer = client.getresponse()
    text = answer.read().decode()
    client.close()
    return text, answer.getheader('Content-Type')


def samples(text):
    """Each sample by its name and label; fails on a line that is none."""
    found = {}
    for line in text.splitlines():
        if line.startswith('#'):
            continue
        match = SAMPLE.fullmatch(line)
        if not match:
            raise ValueError(f'no sample: {line}')
        if match[1] + (match[2] or '') in found:
            raise ValueError(f'twice: {line}')
        found[match[1] + (match[2] or '')] = float(match[3])
    return found


def get(port, times):
    """Requests on one connection, the last of which may get no answer."""
    client = http.client.HTTPConnection('127.0.0.1', port, timeout=15)
    try:
        for _ in range(times):
            client.request('GET', '/api/entitlement/get')
            client.getresponse().read()
    except http.client.HTTPException:
        pass
    finally:
        client.close()


def pause(server):
    """The server does not run for a time; it answers when it does again."""
    os.kill(server.pid, signal.SIGSTOP)
    time.sleep(STOPPED)
    os.kill(server.pid, signal.SIGCONT)
    server.admin.ask('GET', '/v1')


def play(server):
    """A run in which a request is bitten and repeated, and its end; and a pause of the server."""
    run = server.admin.ask('POST', '/v1/runs', {'mode': 'close-on-reuse', 'listeners': ['http']})
    port = int(run['urls']['http'].rsplit(':', 1)[1])
    get(port, 2)
    get(port, 1)
    server.admin.ask('DELETE', f'/v1/runs/{run["id"]}')
    pause(server)


WANTED = {'hangup_connections_total': 2, 'hangup_requests_total': 3, 'hangup_responses_total': 2,
          'hangup_faults_total{step="fin"}': 1, 'hangup_exchanges_lost_total{by="fault"}': 1,
          'hangup_runs_total': 1, 'hangup_runs_kept': 1, 'hangup_runs': 0, 'hangup_connections': 0,
          'hangup_calls_total{outcome="answered"}': 1, 'hangup_calls_total{outcome="recovered"}': 1,
          'hangup_verdicts_total{verdict="fail"}': 0, 'hangup_readers_dropped_total': 0,
          'hangup_requests_open': 0, 'hangup_ledger_dropped_total': 0}


def differences(found):
    """What is not as it was played."""
    wrong = [f'{name} is {found.get(name)}, not {value}' for name, value in WANTED.items()
             if found.get(name) != value]
    judged = sum(value for name, value in found.items() if name.startswith('hangup_verdicts_total'))
    buckets = [value for name, value in found.items() if name.startswith('hangup_loop_lateness_seconds_b')]
    if judged != 1:
        wrong.append(f'{judged} verdicts')
    if buckets != sorted(buckets) or buckets[-1] != found['hangup_loop_lateness_seconds_count']:
        wrong.append(f'buckets {buckets}')
    if found.get('hangup_server_paused_seconds_total', 0) < STOPPED / 2:
        wrong.append('the pause of the server')
    if not 0 < found['process_open_fds'] < found['process_max_fds']:
        wrong.append('descriptors')
    return wrong


def parsed(folder, text):
    """What the parser makes of it: by family, how many samples it has."""
    done = subprocess.run(['node', 'parse.mjs'], cwd=folder, input=text, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise ValueError(done.stdout)
    return {family['name']: family for family in json.loads(done.stdout)}


def families(text):
    """The families that are declared, with their types."""
    return dict(line.split()[2:4] for line in text.splitlines() if line.startswith('# TYPE'))


def documented():
    """The names that docs/admin-api.md has."""
    text = (HERE.parents[1] / 'docs/admin-api.md').read_text()
    return set(re.findall(r'`((?:hangup|process)_[a-z_]+)(?:\{[a-z]+\})?`', text))


def main():
    """What it says; that it grows; and what a parser says of it."""
    options = argparse.ArgumentParser()
    options.add_argument('--hangup', required=True)
    options.add_argument('--build', required=True, type=pathlib.Path)
    given = options.parse_args()
    folder = given.build.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    missing = install(folder)
    tap, server = Tap(), Server(given.hangup)
    try:
        play(server)
        text, kind = scrape(server)
        wrong = differences(samples(text))
        tap.case('it says what happened', not wrong, '\n'.join(wrong))
        tap.case('it is of the text format', kind == 'text/plain; version=0.0.4; charset=utf-8', kind)
        declared = families(text)
        bare = {re.sub(r'(_bucket|_sum|_count)?$', '', name.split('{')[0], count=1)
                if name.startswith('hangup_loop_lateness') else name.split('{')[0]
                for name in samples(text)}
        tap.case('each sample has a type, each type a sample', bare == set(declared),
                 str(bare ^ set(declared)))
        tap.case('docs/admin-api.md has each of them, and no other', documented() == set(declared),
                 str(documented() ^ set(declared)))
        if missing and os.environ.get('CI') != 'true':
            tap.note(f'NOT TESTED: what a parser of others says, as {missing}')
            tap.skip('a parser reads the same', missing)
        elif missing:
            tap.case('a parser reads the same', False, missing)
        else:
            read = parsed(folder, text)
            types = {name: family['type'].lower() for name, family in read.items()}
            wrong = [name for name in declared if types.get(name) != declared[name]]
            fin = [metric['value'] for metric in read['hangup_faults_total']['metrics']
                   if metric['labels'] == {'step': 'fin'}]
            buckets = read['hangup_loop_lateness_seconds']['metrics'][0]['buckets']
            tap.case('a parser reads the same', not wrong and fin == ['1'] and '+Inf' in buckets,
                     f'{wrong} {fin} {buckets}')
    finally:
        server.stop()
    return tap.finish()


sys.exit(main())
