#!/usr/bin/env python3
"""Bad input in every place of every call of the admin API: api_fuzz.py --hangup BINARY

    [--seed N] [--each N] [--all]

The calls, their bodies, parameters and problems are those of docs/openapi.json. Each place of each
example is given each of the values below, and what is sent is broken as a whole: as JSON, as UTF-8, as
HTTP. Of each call --each of these are drawn with the seed; --all are all. What is answered must be
described there, a refusal names the place and what is allowed, nothing is a failure of the server's own,
and at the end it is alive, has lost no descriptor, and has nothing worth a warning in its log.
"""
import argparse
import collections
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import socket
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from hangup import Server, Tap  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DOCUMENT = json.loads((ROOT / 'docs/openapi.json').read_text())
BUSY = {'no-port', 'too-many-runs', 'no-descriptor', 'out-of-memory'}  # the only problems with 5xx
PLACED = {'invalid-value', 'invalid-query', 'unknown-mode', 'unknown-case'}  # say where
HTTP_ITSELF = (400, 414, 431)  # what is no HTTP, or too much of it, has no problem of its own
PAIR = 2  # descriptors of the socketpair that the server keeps for the next exchange over HTTP/1.1
ANSWERED_WITHIN = 20  # seconds; a sanitizer on a busy machine is slow


class Raw(str):
    """JSON text that json.dumps would not write."""


# What a member may be given instead of its value.
VALUES = [
    None, True, False, 0, -1, 1, 2.5, 255, 256, 65536, 2**31, 2**32, 2**53 + 1, 2**63 - 1, -2**63,
    *map(Raw, ('9223372036854775808', '1e400', '-1e308', '1e-320', 'NaN', '-0', '01', '+1')),
    '', ' ', '0', '-1', '1e9', '1s', '-1s', '99999999999999999999s', '0.000001ns', '1 s', '24h1ms', 'never', 'NaN',
    'inf', 'x', 'default', 'control', 'normal', '../../etc/passwd', 'a\x00b', '\x00', '\u202e\x1b[31m',
    '\ud7ff\U0010ffff', '%s%n%s', "'\"<script>]]>", 'x' * 129, 'x' * 4097, 'x' * 70000,
    [], {}, [[]], [{}], [None], [''], ['x'] * 65, ['x'] * 1000, [['x']], {'': {}}, {'x': None}, {'a': {'b': {'c': []}}},
    *map(Raw, ('[' * 200 + ']' * 200, '{"a":' * 200 + '1' + '}' * 200, '[' * 5000 + ']' * 5000,
               '"\\ud800"', '"\\u0000"', '"\\x"'))]
# What a parameter in a path, a query or a header field may be.
TEXTS = [
    '', ' ', '0', '-1', '+1', '1', '00', '01', '1.5', '1e3', '0x10', '18446744073709551615', '18446744073709551616',
    '-9223372036854775809', '9' * 400, '0s', '1ms', '-1ms', '0.0001ms', '61s', '1000000h', '99999999999999999999s',
    's', 'NaN', 'true', 'default', 'r0', 'r1', 'r01', 'r999999999', 'r99999999999999999999999', 'R1', '..', '.', '*',
    'a/b', 'a\x00b', '\xff\xfe', '\u202e', '%', '%zz', 'fault', 'fault,fault', 'fault,', ',', 'fault,nothing',
    'x' * 300, 'x' * 9000, "<script>'\"", 'a b', 'a&b=c', 'a=b', '#', '?']
KINDS = ['text/plain', 'application/json; charset=utf-16', 'application/x-www-form-urlencoded', 'multipart/form-data', '',
         'application', 'application/json, text/plain', 'APPLICATION/JSON', 'application/json;charset=utf-8',
         'application/merge-patch+json', 'application/x-ndjson', 'x' * 5000]
ACCEPTS = ['', '*', '*/*', 'text/*', 'application/xml;q=0', 'image/png', 'text/event-stream;q=0.5, */*;q=0', ';',
           'text/html;q=2', 'text/html;q=', 'a/b,' * 500, '\x01']
METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT', 'get', 'X' * 300, 'PROPFIND']
FIELDS = [[('Expect', 'x')], [('Expect', '100-continue')], [('Host', 'other')], [('Origin', 'http://evil.example')],
          [('Authorization', 'Bearer x')], [('Content-Encoding', 'gzip')], [('Range', 'bytes=0-1')],
          [('Upgrade', 'h2c'), ('HTTP2-Settings', '')], [('If-Match', '*')]]


def places(value, path=()):
    """The path of each value in a document, itself as well."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in children:
        yield from places(each, (*path, key))


def dumped(value):
    """As JSON, with raw texts as they are, and members that stand twice (a list of pairs in a tuple)."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, tuple):
        return '{' + ','.join(f'{json.dumps(key)}:{dumped(each)}' for key, each in value) + '}'
    if isinstance(value, dict):
        return dumped(tuple(value.items())) if value else '{}'
    if isinstance(value, list):
        return '[' + ','.join(map(dumped, value)) + ']'
    return json.dumps(value)


def with_value(document, path, given):
    """The document with something else at a path. given is told what is there."""
    if not path:
        return given(document)
    copy = document.copy()
    copy[path[0]] = with_value(copy[path[0]], path[1:], given)
    return copy


def bodies(example):
    """What is made of an example that is JSON."""
    for path in places(example):
        for value in VALUES:
            yield dumped(with_value(example, path, lambda _, value=value: value))
        if path and isinstance(path[-1], str):
            def without(there, key=path[-1]):
                return {name: each for name, each in there.items() if name != key}

            def renamed(there, key=path[-1]):
                return {key[:-1] + 'x' if name == key else name: each for name, each in there.items()}

            def twice(there, key=path[-1]):
                return (*there.items(), (key, there[key]))

            def nul(there, key=path[-1]):
                return {f'{key}\x00': there[key], **there}
            for change in (without, renamed, twice, nul):
                yield dumped(with_value(example, path[:-1], change))
    members = {}
    for path in places(example):
        found = example
        for key in path:
            found = found[key]
        if isinstance(found, dict):
            members[path] = found
    for path in members:
        for extra in ('unknown', '', 'x' * 5000, '\x1b[2J', '$', '__proto__'):
            yield dumped(with_value(example, path, lambda there, extra=extra: {**there, extra: 1}))


def broken(text):
    """What is made of a body as octets."""
    body = text.encode()
    yield b''
    yield b'\x00'
    yield b'\xef\xbb\xbf' + body
    yield body + b'\x00'
    yield body + b' \n'
    yield body + body
    yield body[:-1]
    yield body[:len(body) // 2]
    yield body.replace(b'"', b"'")
    yield body.replace(b'"', b'"\xff', 1)
    yield body.replace(b'"', b'"\xc0\x80', 1)
    yield body.replace(b'"', b'"\xed\xa0\x80', 1)
    yield text.encode('utf-16')
    yield b'[' * 200000
    yield b'{"a":' * 40000
    yield b' ' * 262144 + body
    yield b'"' + b'x' * (1 << 20) + b'"'
    yield b'{"x":"' + b'\\u0000' * 30000 + b'"}'
    yield b'1e' + b'9' * 100000
    yield b'\n' * 1000
    yield b'{"driver":1}\n' * 1000


def query(name, text):
    """A query with one parameter."""
    return '?' + name + '=' + urllib.parse.quote(text.encode('latin-1', 'replace'), safe='')


class Request:
    """What is sent: a method, a target, a body (octets) with its type, header fields (pairs)."""

    def __init__(self, method, target, body=None, kind=None, fields=()):
        self.method, self.target, self.body, self.kind, self.fields = method, target, body, kind, fields

    def octets(self):
        head = [f'{self.method} {self.target} HTTP/1.1', 'Host: localhost', 'Connection: close']
        if self.kind is not None:
            head.append(f'Content-Type: {self.kind}')
        if self.body is not None:
            head.append(f'Content-Length: {len(self.body)}')
        head += [f'{name}: {value}' for name, value in self.fields]
        return '\r\n'.join(head).encode('latin-1', 'replace') + b'\r\n\r\n' + (self.body or b'')

    def __str__(self):
        body = '' if self.body is None else f' [{self.kind}] {self.body[:150]!r} ({len(self.body)})'
        fields = ''.join(f' {name}={value[:40]!r}' for name, value in self.fields)
        return f'{self.method[:12]} {self.target[:200]}{fields}{body}'


def ask(port, request):
    """The status, header fields and body of what is answered."""
    with socket.create_connection(('127.0.0.1', port), timeout=ANSWERED_WITHIN) as client:
        try:
            client.sendall(request.octets())
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was answered before all was sent
        answer = http.client.HTTPResponse(client, method=request.method)
        answer.begin()
        if answer.getheader('Content-Type', '').startswith('text/event-stream'):
            return answer.status, answer.headers, ''
        body = answer.read()
        binary = 'x509' in answer.getheader('Content-Type', '')
        return answer.status, answer.headers, '' if binary else body.decode()


def problem(operation, request, answer):
    """What is wrong with an answer, as a text, or None."""
    status, headers, text = answer
    if status < 400:
        if operation and str(status) not in operation['responses']:
            return f'{status} is not described'
        return None
    if request.method == 'HEAD':
        return None if status < 500 else f'{status}'
    try:
        told = json.loads(text)
    except ValueError:
        return f'{status} without a problem: {text[:200]}'
    kind = told.get('type', '').removeprefix('/problems/')
    if kind == 'about:blank' and status in HTTP_ITSELF:
        return None
    if status >= 500 and kind not in BUSY:
        return f'{status}: {text[:300]}'
    if headers.get('Content-Type') != 'application/problem+json':
        return f'{status} as {headers.get("Content-Type")}'
    if kind in PLACED and not told.get('where'):
        return f'no place: {text[:300]}'
    if kind in PLACED and not told.get('allowed'):
        return f'not said what is allowed: {text[:300]}'
    if len(text) > 8000 and kind not in ('unavailable',):
        return f'a problem of {len(text)} octets: {text[:300]}'
    if any(ord(each) < 32 and each != '\n' for each in text):
        return f'control characters: {text[:200]!r}'
    if operation:
        described = operation['responses'].get(str(status), {}).get('content', {})
        examples = described.get('application/problem+json', {}).get('examples', {})
        if kind not in examples:
            return f'{status} {kind} is not described: {text[:300]}'
    return None


def parameters(server, method, path, operation):
    """What stands in the path of a call that is right."""
    known = {'run': 'default', 'name': 'idle-close', 'kind': 'unknown-mode', 'id': '1'}
    if 'cases' in path:
        known['name'] = '01-answered-then-dead'
    elif 'suites' in path:
        known['name'] = 'stale'
    elif 'marks' in path:
        known['name'] = 'foreground'
    elif method in ('put', 'delete'):
        known['name'] = 'mine'
    if operation['operationId'] != 'getRun' and path == '/v1/runs/{run}':
        known['run'] = 'r1'
    live = server.admin.ask('GET', '/v1/connections')['connections']
    if live:
        known['id'] = str(live[0]['id'])
    return known


def filled(path, known):
    return re.sub(r'{(\w+)}', lambda found: known[found[1]], path)


def quoted(text):
    return urllib.parse.quote(text.encode('utf-8', 'replace'), safe='')


def attacks(server, method, path, operation):
    """All requests made of a call, each with whether it is one for this call for certain."""
    known = parameters(server, method, path, operation)
    right, verb = filled(path, known), method.upper()
    content = operation.get('requestBody', {}).get('content', {})
    body, kind = None, None
    for kind, given in content.items():
        for example in given['examples'].values():
            value = example['value']
            lines = isinstance(value, str)
            body = (value if lines else json.dumps(value)).encode()
            for each in bodies(json.loads(value.splitlines()[-1]) if lines else value):
                yield True, Request(verb, right, each.encode('utf-8', 'surrogatepass'), kind)
            for each in broken(body.decode()):
                yield True, Request(verb, right, each, kind)
    for each in KINDS:
        yield True, Request(verb, right, body or b'{}', each)
    yield True, Request(verb, right, body or b'[1]', kind)
    for parameter in operation.get('parameters', []):
        name = parameter['name']
        for text in TEXTS:
            if parameter['in'] == 'path':
                yield False, Request(verb, filled(path, known | {name: quoted(text)}), body, kind)
            elif parameter['in'] == 'query':
                yield True, Request(verb, right + query(name, text), body, kind)
            else:
                safe = re.sub(r'[\x00\r\n]', '?', text)
                yield True, Request(verb, right, body, kind, [(name, safe), ('Accept', 'text/event-stream')])
        if parameter['in'] == 'query':
            yield True, Request(verb, f'{right}?{name}=1&{name}=1', body, kind)
            yield True, Request(verb, f'{right}?{name}', body, kind)
    for text in ('?', '?unknown=1', '?=', '?&&&', '?wait=0s&unknown', '?%00=1', '?' + 'a=1&' * 500):
        yield True, Request(verb, right + text, body, kind)
    for each in ACCEPTS:
        yield True, Request(verb, right, body, kind, [('Accept', each)])
    for each in METHODS:
        if each != verb:
            yield False, Request(each, right, None if each in ('GET', 'HEAD') else body, kind)
    for fields in FIELDS:
        yield False, Request(verb, right, body, kind, fields)


def links(pid):
    """What its descriptors are, without those that it closes meanwhile."""
    found = []
    for each in os.listdir(f'/proc/{pid}/fd'):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f'/proc/{pid}/fd/{each}'))
    return found


def warnings(log):
    return [line for line in log.splitlines() if ' info ' not in line]


def tidy(server):
    """What was made is taken away: runs, modes of one's own, what is in force."""
    for run in server.admin.ask('GET', '/v1/runs')['runs']:
        if run['id'] != 'default' and run['state'] == 'running':
            server.admin.call('DELETE', f'/v1/runs/{run["id"]}')
    server.admin.reset()


def make(server, chosen, operation, counts):
    """Sends requests. Returns what is wrong with what is answered, as texts."""
    wrong = []
    for same, request in chosen:
        try:
            answer = ask(server.port('admin'), request)
            counts[answer[0]] += 1
            trouble = problem(operation if same else None, request, answer)
            if answer[0] == 201 and operation['operationId'] == 'postRun':
                tidy(server)
        except (OSError, ValueError, http.client.HTTPException) as error:
            trouble = f'no answer: {error!r}'
        if trouble:
            wrong.append(f'{request}\n    {trouble}')
        if server.process.poll() is not None:
            break
    return wrong


def main():
    """A case a call, then those of the whole."""
    options = argparse.ArgumentParser(description='Bad input in every place of the admin API.')
    options.add_argument('--hangup', required=True)
    options.add_argument('--seed', type=int, default=1)
    options.add_argument('--each', type=int, default=25, help='requests a call')
    options.add_argument('--all', action='store_true', help='all requests')
    options.add_argument('--match', default='', help='only calls with this in their path')
    given = options.parse_args()
    tap, dice, counts = Tap(), random.Random(given.seed), collections.Counter()
    tap.note(f'seed {given.seed}')
    server = Server(given.hangup)
    try:
        ask(server.port('admin'), Request('GET', '/v1'))
        before = len(links(server.pid)) + PAIR
        for path, item in DOCUMENT['paths'].items():
            for method, operation in item.items() if given.match in path else ():
                # So that there is a connection to ask about.
                keep = http.client.HTTPConnection('127.0.0.1', server.port('http'), timeout=ANSWERED_WITHIN)
                keep.request('GET', '/api/entitlement/get')
                keep.getresponse().read()
                found = list(attacks(server, method, path, operation))
                chosen = found if given.all else dice.sample(found, min(given.each, len(found)))
                wrong = make(server, chosen, operation, counts)
                keep.close()
                tap.case(f'{method.upper()} {path}: {len(chosen)} of {len(found)} bad requests', not wrong,
                         '\n'.join(wrong[:12]) + (f'\n{len(wrong)} in all' if len(wrong) > 12 else ''))
                tidy(server)
        tap.note(dict(counts))
        until = time.monotonic() + 10
        while len(links(server.pid)) > before and time.monotonic() < until:
            time.sleep(0.05)
        tap.case('no descriptor is lost', len(links(server.pid)) <= before,
                 f'{before}, then {links(server.pid)}')
        tap.case('it is alive', server.admin.call('GET', '/healthz')[0] == 200)
        logged = warnings(server.log())
        tap.case('nothing worth a warning is logged', not logged, '\n'.join(logged[:20]))
    finally:
        tap.case('it ends as it should', server.stop() == 0)
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
