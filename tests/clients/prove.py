#!/usr/bin/env python3
"""`hangup prove` and `hangup audit` with real clients: the drivers of examples/, which show what a
mitigation is worth, and commands that break in all ways.

    prove.py --hangup BINARY [--only PART... | --but PART...]
"""
import argparse
import functools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from hangup import Server, Tap  # noqa: E402
from statuses import INCONCLUSIVE, NOT_PROVED, PROVED, TIMED_OUT, USAGE  # noqa: E402

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent.parent / 'examples'
PYTHON = [sys.executable, str(EXAMPLES / 'driver.py')]
CURL = [str(EXAMPLES / 'driver.sh')]
NODE = ['node', str(EXAMPLES / 'driver.mjs')]
WITHIN = 120  # seconds; nothing here takes as long


PAUSED = 'the server did not run for a time'  # of the remedy "paused"


class Prove:
    """Runs the command with a state directory of its own, which goes at the end."""

    def __init__(self, binary):
        self.binary = str(pathlib.Path(binary).resolve())
        self.folder = tempfile.TemporaryDirectory(prefix='hangup-')
        self.environment = {**os.environ, 'XDG_STATE_HOME': self.folder.name}
        for name in 'SSL_CERT_FILE', 'CURL_CA_BUNDLE', 'http_proxy', 'https_proxy', 'HTTPS_PROXY':
            self.environment.pop(name, None)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def start(self, *words, command=(), verb='prove', **environment):
        return subprocess.Popen([self.binary, verb, *words, *(['--', *command] if command else [])],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, env={**self.environment, **environment})

    def run(self, *words, command=(), verb='prove', before=None, **environment):
        """Returns the exit status and what was said on stdout and stderr. What the server's own pauses leave open, as
        this machine was busy, is run again, twice at most; a pass or a fail never is. Each time `before` is called first."""
        for _ in range(3):
            if before:
                before()
            status, said, errors = self.run_once(*words, command=command, verb=verb, **environment)
            if status != INCONCLUSIVE or not (PAUSED in said or has_paused(words)):
                break
        return status, said, errors

    def run_once(self, *words, command, verb, **environment):
        process = self.start(*words, command=command, verb=verb, **environment)
        try:
            said, errors = process.communicate(timeout=WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            said, errors = process.communicate()
            errors += '\n(it was killed)'
        return process.returncode, said, errors

    def document(self, *words, command, **options):
        status, said, errors = self.run(*words, '--json', command=command, **options)
        try:
            return status, json.loads(said)
        except ValueError:
            return status, {'said': said, 'errors': errors}


def has_paused(words):
    """Whether the ledger that these arguments ask for has a pause of the server. A check may be open for one, and
    have another remedy: what fell into a black hole is known later then."""
    path = words[words.index('--ledger') + 1] if '--ledger' in words else os.devnull
    return '"event":"server_paused"' in pathlib.Path(path).read_text()


def shell(script):
    return ['sh', '-c', script]


def mitigations(tap, prove):
    """The same client without and with its mitigation."""
    for over in 'h1', 'h2':
        # Python has no HTTP/2; curl repeats nothing of itself over it.
        client = PYTHON if over == 'h1' else CURL
        words = ['01', '--over', over, '--expect', 'recovered']
        status, said, errors = prove.run(*words, command=client if over == 'h1' else [*client, '--http2'])
        tap.case(f'a client without a retry is not proved over {over}',
                 status == NOT_PROVED and 'NOT PROVED' in said, f'{status}\n{said}{errors}')
    status, said, errors = prove.run('01', '--over', 'h1', '--expect', 'retry-once',
                                     command=[*PYTHON, '--retry', '1'])
    tap.case('one retry is proved', status == PROVED and ': PROVED' in said, f'{status}\n{said}{errors}')
    tap.case('it says that this may be the merit of another', '--without' in said, said)
    without = f'"{sys.executable}" "{EXAMPLES / "driver.py"}"'
    status, document = prove.document('01', '--over', 'h1', '--expect', 'retry-once', '--without', without,
                                      command=[*PYTHON, '--retry', '1'])
    tap.case('--without shows whose merit it is',
             status == PROVED and document.get('attribution') == 'the mitigation', f'{status} {document}')
    for options, expected, words in ([], NOT_PROVED, 'was answered with 408, and not asked again'), \
                                    (['--retry', '1'], PROVED, ': PROVED'):
        status, said, errors = prove.run('--mode', 'timeout-408-on-reuse', '--over', 'h1', '--expect', 'recovered',
                                         command=[*PYTHON, *options])
        tap.case(f'408: {expected}', status == expected and words in said, f'{status}\n{said}{errors}')
    status, said, errors = prove.run('--mode', 'close-on-reuse', '--over', 'h1', '--expect', 'connection-close',
                                     '--no-control', command=[*PYTHON, '--close'])
    tap.case('Connection: close is no failure', status in (PROVED, INCONCLUSIVE), f'{status}\n{said}{errors}')


def sessions(tap, prove):
    """What each option of the driver with an HTTP/2 session is worth."""
    if not shutil.which('node'):
        tap.skip('examples/driver.mjs', 'node is missing')
        return
    suite = prove.path('suspend.json')
    pathlib.Path(suite).write_text(json.dumps({'name': 'suspend', 'summary': 'An app that is suspended.', 'rows': [
        {'name': 'forgotten', 'mode': 'suspend', 'params': {'after': '100ms', 'how': 'forget'},
         'steps': 'get get background pause foreground get'}]}))
    silent = prove.path('silence.json')  # whose pauses show that it keeps a connection that answers its PINGs
    pathlib.Path(silent).write_text(json.dumps({'name': 'silence', 'summary': 'A connection that falls silent.', 'rows': [
        {'name': 'stalled', 'mode': 'stall-on-reuse', 'params': {'idle': '500ms'}, 'over': 'h2',
         'steps': 'get pause get pause get', 'expect': [{'ping_liveness': {'within': '2s'}}]}]}))
    silence = ['--suite', silent]
    rows = [
        ('a session without a retry', NOT_PROVED, ['01', '--over', 'h2'], []),
        ('a session with a retry', PROVED, ['01', '--over', 'h2', '--expect', 'retry-once'], ['--retry', '1']),
        ('an agent without a retry', NOT_PROVED, ['01', '--over', 'h1'], ['--h1']),
        ('an agent with a retry', PROVED, ['01', '--over', 'h1', '--expect', 'retry-once'], ['--h1', '--retry', '1']),
        ('an agent that keeps nothing', PROVED,
         ['--mode', 'close-on-reuse', '--over', 'h1', '--expect', 'connection-close'], ['--h1', '--no-reuse']),
        ('a session that GOAWAY surprises', NOT_PROVED, ['09'], []),
        ('a session that obeys GOAWAY', PROVED, ['09'], ['--obey-goaway']),
        ('a session that keeps to HTTP/2', NOT_PROVED, ['12'], ['--retry', '1']),
        ('a session that falls back', PROVED, ['12'], ['--fall-back']),
        ('a session that asks for no PING', NOT_PROVED, silence, ['--timeout', '3']),
        ('a session that asks for PINGs', PROVED, silence, ['--ping-liveness', '0.3']),
        ('a cut answer, over h2', PROVED, ['16', '--over', 'h2'], []),
        ('a cut answer, over h1', PROVED, ['16', '--over', 'h1'], ['--h1']),
        ('a session from before the foreground', NOT_PROVED,
         ['--suite', suite, '--over', 'h2', '--expect', 'fresh-on-foreground'], []),
        ('a session that is new in the foreground', PROVED,
         ['--suite', suite, '--over', 'h2', '--expect', 'fresh-on-foreground'], ['--fresh-on-foreground']),
    ]
    for title, expected, words, options in rows:
        status, said, errors = prove.run(*words, command=[*NODE, *options])
        tap.case(f'{title}: {expected}', status == expected, f'{status}\n{said}{errors}')
    hole = prove.path('hole.json')
    pathlib.Path(hole).write_text(json.dumps({'name': 'hole', 'summary': 'A path that changes.', 'rows': [
        {'name': 'hole', 'mode': 'path-change', 'params': {'mark': 'background'},
         'steps': 'get get background pause foreground get'}]}))
    status, document = prove.document('--suite', hole, '--over', 'h2', '--expect', 'retry-once',
                                      command=[*NODE, '--fresh-on-foreground'])
    if status == USAGE:
        tap.skip('leaving a black hole is no retry', 'it takes CAP_NET_ADMIN')
    else:  # it says GOAWAY, which nobody reads, and asks on a new session at once
        tap.case('leaving a black hole is no retry', status == INCONCLUSIVE and document['calls']['bitten'] == 0,
                 f'{status} {document}')


# A client that sends its POST again when it had no answer for a second, as late as it is told. A file shows that
# it has sent it. What strikes before that, as the machine is slow, does not count.
LATE = '''
import http.client, os, sys, time
def ask(connection, method, n):
    connection.request(method, '/api/entitlement/get', b'{}' if method == 'POST' else None, {'Hangup-Call': n})
    if method == 'POST':
        open(sys.argv[2], 'w').close()
    connection.getresponse().read()
def new():
    return http.client.HTTPConnection(os.environ['HANGUP_HTTP'].split('//')[1], timeout=1)
while True:
    first = new()
    try:
        ask(first, 'GET', '1')
        ask(first, 'GET', '2')
        break
    except OSError:
        first.close()
time.sleep(float(os.environ['HANGUP_PAUSE']))
try:
    ask(first, 'POST', '3')
except OSError:
    first.close()
    time.sleep(float(sys.argv[1]))
    ask(new(), 'POST', '3')
'''


def left_in_silence(tap, prove):
    """A client that has ended in silence is waited for no longer; what may still come is."""
    late = prove.path('late.py')
    pathlib.Path(late).write_text(LATE)
    for mode, ends in ('stall-idle;idle=300ms', 'resume'), ('black-hole;idle=300ms', 'heal'), \
                      ('black-hole-on-request;nth=3', None):
        words = ['--mode', mode, '--over', 'h1']
        if prove.run(*words, '--no-control', '--allow-inconclusive', command=shell('exit 0'))[0] == USAGE:
            tap.skip(f'an end in {mode}', 'it takes CAP_NET_ADMIN')
            continue
        it_ends_soon(tap, prove, words)
        client = f'"{sys.executable}" "{late}" 1.5 "{prove.path("asks")}"'
        it_asks_again(tap, prove, words, client)
        if not ends:  # COMMAND ends, and the client gives up, while nobody sees it
            stopped = f'(while [ ! -e {prove.path("asks")} ]; do sleep 0.02; done; sleep 0.1; kill -STOP $PROVER; ' \
                      'sleep 1.3; kill -CONT $PROVER) & '
            it_asks_again(tap, prove, words, client, stopped)
        if ends:  # the first one may come after all, and be done as well
            ledger = prove.path('ends.ndjson')
            status, said, errors = prove.run('--mode', f'{mode};{ends}=4s', '--over', 'h1', '--expect', 'executed_once',
                                             '--no-control', '--ledger', ledger,
                                             command=[sys.executable, late, '0', prove.path('asks')])
            tap.case(f'{mode};{ends}=4s is waited for', f'"step":"{ends}"' in pathlib.Path(ledger).read_text() and
                     status in (NOT_PROVED, INCONCLUSIVE), f'{status}\n{said}{errors}')


def it_ends_soon(tap, prove, words):
    ledger, share = prove.path('silence.ndjson'), max(1, os.getloadavg()[0] / os.cpu_count())
    asked = [*words, '--ledger', ledger, '--expect', 'recovered', '--expect', 'user_wait']
    for options, expected in (['--retry', '1'], PROVED), ([], NOT_PROVED):
        for _ in range(3):  # behind a pause of the server it may rightly wait for more
            status, said, errors = prove.run(*asked, command=[*PYTHON, '--timeout', '1', *options])
            events = {event['event']: event['ms'] for event in map(json.loads, pathlib.Path(ledger).read_text().splitlines())}
            took = (events['run_end'] - events['command_exit']) / 1000
            if status != expected or took < min(3 * share, 9) or not has_paused(asked):
                break
        tap.case(f'{words[1]}: {expected}', status == expected, f'{status}\n{said}{errors}')
        tap.case(f'and nobody waits for more: {expected}', took < min(3 * share, 9), f'{took} s\n{said}')


def it_asks_again(tap, prove, words, client, beside=''):
    """Behind the end of COMMAND, from a process that it has left behind, and from outside of it; there with what a
    shell does `beside`, which knows the process id of hangup as $PROVER."""
    ledger, told, asks = prove.path('again.ndjson'), prove.path('told.sh'), prove.path('asks')
    words = [*words, '--no-control', '--expect', 'safe_retry', '--ledger', ledger]
    tell = 'echo "export HANGUP_HTTP=$HANGUP_HTTP HANGUP_PAUSE=$HANGUP_PAUSE PROVER=$(cut -d\\  -f4 /proc/$PPID/stat)" ' \
           f'> {told}.new; mv {told}.new {told}'
    until = f'while [ ! -e {asks} ]; do sleep 0.02; done; sleep 0.3'
    rows = [('left behind by', f'{client} & {until}'), ('outside of', f'{tell}; {until}')]
    outside = []

    def begin(where):
        end()
        if where == 'outside of':
            outside.append(subprocess.Popen(
                shell(f'while [ ! -e {told} ]; do sleep 0.02; done; . {told}; {beside}exec {client}')))

    def end():
        while outside:
            outside.pop().wait()
        for left in told, asks:
            pathlib.Path(left).unlink(missing_ok=True)

    for where, command in rows[1:] if beside else rows:
        status, said, errors = prove.run(*words, command=shell(command), before=functools.partial(begin, where))
        end()
        events = list(map(json.loads, pathlib.Path(ledger).read_text().splitlines()))
        exited = next(event['ms'] for event in events if event['event'] == 'command_exit')
        again = [event for event in events if event['event'] == 'request' and event['method'] == 'POST' and
                 event['ms'] > exited]
        tap.case(f'a client {where} COMMAND asks again in {words[1]}{" and hangup is late" * bool(beside)}',
                 again and status in (NOT_PROVED, INCONCLUSIVE),
                 f'{status}\n{said}{errors}')


def suite_ledgers(tap, prove):
    """A suite has a ledger for each of its rows."""
    folder, suite = prove.path('rows'), prove.path('rows.json')
    os.mkdir(folder)
    pathlib.Path(suite).write_text(json.dumps({'name': 'two', 'summary': 'Two rows.', 'rows': [
        {'name': mode, 'mode': mode, 'steps': 'get get'} for mode in ('close-on-reuse', 'empty-response')]}))
    status, document = prove.document('--suite', suite, '--over', 'h1', '--ledger-dir', folder, command=PYTHON)
    rows = document.get('rows', [])
    tap.case('a suite is judged with its ledgers kept', status == NOT_PROVED and len(rows) == 2, f'{status} {document}')
    for row in rows:
        status, said, errors = prove.run('--json', row.get('ledger', '/no/ledger'), verb='verdict')
        tap.case(f'the ledger of {row["name"]} is judged alike', json.loads(said or '0') == row['document'],
                 f'{status}\n{said}{errors}')


def both_protocols(tap, prove):
    status, document = prove.document('01', '--over', 'both', command=[*CURL, '--http2'])
    rows = document.get('rows', [])
    tap.case('--over both is two rows', [row['over'] for row in rows] == ['h1', 'h2'], f'{status} {document}')
    status, said, errors = prove.run('01', '--over', 'h2', command=PYTHON)
    tap.case('a client that does not speak h2 is not judged over it',
             status == USAGE and 'did not speak h2' in errors, f'{status}\n{said}{errors}')


def statuses(tap, prove):
    ask = 'curl -s -o /dev/null $HANGUP_URL/api/entitlement/get -o /dev/null $HANGUP_URL/api/entitlement/get'
    rows = [
        ('a command that is missing', USAGE, ['01'], ['/no/such/program']),
        ('a command that fails without the fault', USAGE, ['01'], shell('exit 1')),
        ('a command that never asks', USAGE, ['01'], shell('exit 0')),
        ('a driver that breaks', USAGE, ['01'], shell(f'{ask}; echo \'{{"driver":1}}\' > $HANGUP_REPORT')),
        ('a report that is none', USAGE, ['01'], shell(f'{ask}; echo hello > $HANGUP_REPORT')),
        ('a mode that is none', USAGE, ['--mode', 'nonsense'], shell(ask)),
        ('an expectation that cannot be met', USAGE,
         ['--mode', 'idle-close', '--expect', 'goaway-aware', '--over', 'h1'], shell(ask)),
        ('a bounded wait where nothing is silent', USAGE, ['--mode', 'close-on-reuse', '--expect', 'bounded-wait'],
         shell(ask)),
        ('the same check, of any fault', PROVED,
         ['--mode', 'close-on-reuse', '--expect', 'user_wait', '--over', 'h1'], [*PYTHON, '--retry', '1']),
        ('a command that does not end', TIMED_OUT, ['01', '--timeout', '300ms', '--no-control'],
         shell(f'{ask}; exec sleep 60')),
        ('a fault that does not come', INCONCLUSIVE, ['--mode', 'normal', '--expect', 'executed_once', '--settle', '200ms'],
         shell(ask)),
    ]
    for title, expected, words, command in rows:
        status, said, errors = prove.run(*words, command=command)
        tap.case(f'{title}: {expected}', status == expected, f'{status}\n{said}{errors}')


def plans(tap, prove):
    """A plan's file may have what a case has: how it is tested, and what is expected."""
    plan = {'plan': [{'connection': '1', 'mode': 'close-on-reuse'}, {'mode': 'normal'}],
            'steps': 'get pause get', 'over': 'h1', 'expect': ['retry-once']}
    path = pathlib.Path(prove.path('plan.json'))
    path.write_text(json.dumps(plan))
    status, document = prove.document('--plan', str(path), command=[*PYTHON, '--retry', '1'])
    tap.case('a plan says how it is tested and what is expected',
             status == PROVED and document.get('over') == 'h1'
             and [row['name'] for row in document['mitigations']] == ['retry-once']
             and document['phases'][0]['requests'] == 2, f'{status} {document}')
    for name, value, place in (('steps', 'get gett', '$.steps: word 2'), ('steps', 7, '$.steps'),
                               ('over', 'h3', '$.over'), ('expect', ['retry-one'], '$.expect[0]')):
        path.write_text(json.dumps({**plan, name: value}))
        status, said, errors = prove.run('--plan', str(path), command=PYTHON)
        tap.case(f'{name} {value} is refused', status == USAGE and place in errors, f'{status}\n{said}{errors}')


def processes(tap, prove):
    pid_file = prove.path('pid')
    script = f'setsid sh -c \'echo $$ > {pid_file}; trap "" TERM; while :; do sleep 1; done\' & ' \
             f'while [ ! -s {pid_file} ]; do sleep 0.02; done; '

    def gone():
        pid = int(pathlib.Path(pid_file).read_text())
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return True
            time.sleep(0.02)
        return False

    prove.run('--mode', 'normal', '--no-control', '--settle', '200ms', command=shell(script + 'exit 0'))
    tap.case('what COMMAND leaves behind is ended', gone())
    for name, number, expected in [('SIGINT', signal.SIGINT, 130), ('SIGTERM', signal.SIGTERM, 143),
                                   ('SIGKILL', signal.SIGKILL, -9)]:
        pathlib.Path(pid_file).unlink()
        process = prove.start('--mode', 'normal', '--no-control', command=shell(script + 'exec sleep 60'))
        while not os.path.exists(pid_file) or not os.path.getsize(pid_file):
            time.sleep(0.02)
        process.send_signal(number)
        process.communicate(timeout=WITHIN)
        tap.case(f'{name} ends it with {expected}', process.returncode == expected, process.returncode)
        tap.case(f'and all of COMMAND: {name}', gone())


def reports(tap, prove):
    files = {name: prove.path(f'report.{name}') for name in ('junit', 'html', 'markdown', 'ledger')}
    words = [word for name, path in files.items() for word in (f'--{name}', path)]
    status, said, errors = prove.run('01', '--over', 'h1', *words, command=PYTHON)
    tap.case('reports do not change the status', status == NOT_PROVED, f'{status}\n{said}{errors}')
    suites = xml.etree.ElementTree.parse(files['junit']).getroot()
    tap.case('JUnit has the failure', suites.findall('.//failure'), pathlib.Path(files['junit']).read_text())
    text = pathlib.Path(files['html']).read_text() + pathlib.Path(files['markdown']).read_text()
    tap.case('the page and the summary say it', text.count('NOT PROVED') >= 2, text[:2000])
    events = [json.loads(line) for line in pathlib.Path(files['ledger']).read_text().splitlines()]
    names = [event['event'] for event in events]
    tap.case('the ledger has all of it', names[0] == 'run_start' and names[-1] == 'run_end' and
             names.count('command_exit') == 2 and names.count('phase') == 2, names)
    tap.case('and every event since its begin', [event['seq'] for event in events] ==
             list(range(events[0]['seq'], events[0]['seq'] + len(events))))
    document = prove.document('01', '--over', 'h1', '--ledger', files['ledger'], command=PYTHON)[1]
    status, said, errors = prove.run('--json', files['ledger'], verb='verdict')
    tap.case('a saved ledger is judged alike', json.loads(said) == document if said else False,
             f'{status}\n{said}{errors}\n{json.dumps(document)}')
    prove.run('01', '--over', 'h1', '--expect', 'retry-once', '--ledger', files['ledger'], command=[*PYTHON, '--retry', '1'])
    ledger = pathlib.Path(files['ledger'])
    ledger.write_text(ledger.read_text().replace('"kept":2048', '"kept":1'))
    for more, expected in ([], INCONCLUSIVE), (['--kept', '2048'], PROVED):
        status, said, errors = prove.run(str(ledger), *more, verb='verdict')
        tap.case(f'a ledger is judged by as much as its server kept: {expected}', status == expected,
                 f'{status}\n{said}{errors}')


def elsewhere(tap, prove):
    server = Server(prove.binary, '--admin-token', 'secret', '--run-ports', '127.0.0.1:0')
    url = f'http://localhost:{server.port("admin")}'
    status, said, errors = prove.run('01', '--server', url, command=PYTHON)
    tap.case('a server that asks for a token is said', status == USAGE and 'HANGUP_ADMIN_TOKEN' in errors,
             f'{status}\n{said}{errors}')
    for command, expected in (PYTHON, NOT_PROVED), ([*PYTHON, '--retry', '1'], PROVED):
        status, said, errors = prove.run('01', '--over', 'h1', '--expect', 'retry-once', '--server', url,
                                         command=command, HANGUP_ADMIN_TOKEN='secret')
        tap.case(f'a server elsewhere judges the same: {expected}', status == expected, f'{status}\n{said}{errors}')
    server.stop()
    status, said, errors = prove.run('01', '--server', url, command=PYTHON)
    tap.case('a server that is not there is said', status == USAGE and 'refused' in errors,
             f'{status}\n{said}{errors}')


def audits(tap, prove):
    status, said, errors = prove.run('--over', 'h1', '--suite', 'stale', verb='audit', command=[*PYTHON, '--retry', '1'])
    tap.case('an audit passes whatever it finds', status == PROVED, f'{status}\n{said}{errors}')
    tap.case('it says what a client with a retry is', 'GET: repeated once, on another connection' in said, said)
    tap.case('and what it does not repeat', 'POST: never repeated' in said, said)
    tap.case('and what its connections are without a fault', 'without a fault: used again' in said, said)
    # It ends with TLS records unread: only its own account says that its last answer came.
    suite = prove.path('curl.json')
    pathlib.Path(suite).write_text(json.dumps({'name': 'curl', 'summary': 'Two rows.', 'rows': [
        {'name': 'idle', 'mode': 'idle-close', 'params': {'idle': '300ms'}, 'steps': 'get get pause get'},
        {'name': 'post', 'mode': 'swallow-on-reuse', 'params': {'idle': '300ms'}, 'steps': 'get get pause post'}]}))
    status, said, errors = prove.run('--over', 'h1', '--suite', suite, verb='audit', command=CURL)
    tap.case('of curl, too', 'POST: repeated once, on another connection; 1 of 1 that were struck were repeated, 1 answered'
             in said and 'unclear' not in said, f'{status}\n{said}{errors}')
    status, said, errors = prove.run('--over', 'h1', '--mode', 'close-on-reuse', verb='audit', command=PYTHON)
    tap.case('and what one without is', 'GET: never repeated' in said and 'POST: not tested' in said, said + errors)


def times(tap, prove):
    # Of a machine that does other things as well, its share.
    share = max(1, os.getloadavg()[0] / os.cpu_count())
    ask = 'curl -s -o /dev/null $HANGUP_URL/api/entitlement/get -o /dev/null $HANGUP_URL/api/entitlement/get'
    prove.run('01', command=shell(ask))  # the CA is made
    best = min(whole(prove, shell(ask)) for _ in range(5))
    tap.note(f'a run of one case, without its control: {best * 1000:.0f} ms, load {share:.1f}')
    tap.case('a run takes less than 300 ms', best < 0.3 * share, best)
    ready = sorted(until_command(prove) for _ in range(10))
    nothing = min(until_nothing(prove) for _ in range(10))
    tap.note(f'until COMMAND begins, with a server that is ready: {ready[0] * 1000:.0f} ms; '
             f'`hangup version`, which only loads the libraries: {nothing * 1000:.0f} ms')
    tap.case('COMMAND begins within 50 ms', ready[0] < 0.05 * max(share, nothing / 0.015), ready)
    begin = time.monotonic()
    status, said, errors = prove.run('--suite', 'stale', '--over', 'h1', command=[*PYTHON, '--retry', '1'])
    took = time.monotonic() - begin
    tap.note(f'the suite stale, over h1: {took:.1f} s, load {share:.1f}')
    tap.case('a suite takes less than 30 s', took < 30 * share, f'{took}\n{said}{errors}')


def until_command(prove):
    told, begin = prove.path('told'), time.time_ns()
    prove.run('01', '--no-control', command=shell(f'date +%s%N > {told}'))
    return (int(pathlib.Path(told).read_text()) - begin) / 1e9


def until_nothing(prove):
    """How long a start of the program takes here, whatever the machine does, and as it was built."""
    begin = time.monotonic()
    prove.run(verb='version')
    return time.monotonic() - begin


def whole(prove, command):
    begin = time.monotonic()
    prove.run('01', '--no-control', command=command)
    return time.monotonic() - begin


def run_parts(description, parts):
    """What a test program of prove does: its parts, or those that are asked for. Its exit status."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument('--hangup', required=True, help='the binary to test')
    names = [part.__name__ for part in parts]
    options.add_argument('--only', nargs='+', choices=names, default=names, help='these parts of it')
    options.add_argument('--but', nargs='+', choices=names, default=[], help='all parts but these')
    given = options.parse_args()
    tap, prove = Tap(), Prove(given.hangup)
    for part in parts:
        if part.__name__ in given.only and part.__name__ not in given.but:
            begin = time.monotonic()
            part(tap, prove)
            tap.note(f'{part.__name__} took {time.monotonic() - begin:.0f} s')
    return tap.finish()


def main():
    return run_parts('Real clients, proved and audited.',
                     (mitigations, sessions, left_in_silence, suite_ledgers, both_protocols, statuses,
                      plans, processes, reports, elsewhere, audits, times))


if __name__ == '__main__':
    sys.exit(main())
