#!/usr/bin/env python3
"""Holds the server to docs/openapi.json: openapi.py --hangup BINARY

Each call is made with each example that it has there. What the server answers must be described: the
status, the media type, and each member; and each member that is described must have been seen.
"""
import argparse
import http.client
import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from hangup import Server, Tap  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DOCUMENT = json.loads((ROOT / 'docs/openapi.json').read_text())
IN_PATH = {'name': 'idle-close', 'kind': 'unknown-mode', 'run': 'default'}
# Only on another machine, of other modes, or in trouble: members that need not be seen.
RARE = {'more', 'stale', 'hangup_call', 'why_not', 'assumed', 'extends', 'closing', 'time_scale', 'where', 'allowed', 'did_you_mean'}
TYPES = {'object': dict, 'array': list, 'string': str, 'integer': int, 'number': (int, float),
         'boolean': bool, 'null': type(None)}


class Seen:
    """Which members were seen, of those that are described, by their schema's path."""

    def __init__(self):
        self.described, self.seen = set(), set()


def resolve(schema):
    """A schema behind its reference, and its name."""
    name = None
    while '$ref' in schema:
        name = schema['$ref'].rsplit('/', 1)[-1]
        schema = DOCUMENT['components']['schemas'][name]
    return schema, name


def complaints(value, schema, where, seen):
    """What is wrong with a value, as texts."""
    schema, name = resolve(schema)
    where = name or where
    if 'discriminator' in schema:
        ref = schema['discriminator']['mapping'].get(value.get('event'))
        if not ref:
            return [f'{where}: no event {value.get("event")}']
        return complaints(value, {'$ref': ref}, where, seen)
    if 'oneOf' in schema:
        found = [complaints(value, each, where, seen) for each in schema['oneOf']]
        return [] if [] in found else found[0]
    types = schema.get('type')
    types = types if isinstance(types, list) else [types] if types else []
    if types and not any(isinstance(value, TYPES[kind]) and
                         (kind == 'boolean' or not isinstance(value, bool)) for kind in types):
        return [f'{where}: {value!r} is no {types}']
    if 'const' in schema and value != schema['const']:
        return [f'{where}: {value!r} is not {schema["const"]!r}']
    if 'enum' in schema and value not in schema['enum']:
        return [f'{where}: {value!r} is none of {schema["enum"]}']
    if isinstance(value, list) and 'items' in schema:
        return [text for each in value
                for text in complaints(each, schema['items'], f'{where}[]', seen)]
    if not isinstance(value, dict):
        return []
    members = schema.get('properties', {})
    wrong = [f'{where}: {key} is missing' for key in schema.get('required', []) if key not in value]
    seen.described |= {(where, key) for key in members}
    for key, each in value.items():
        if key in members:
            seen.seen.add((where, key))
            wrong += complaints(each, members[key], f'{where}.{key}', seen)
        elif not schema.get('additionalProperties'):
            wrong.append(f'{where}: {key} is not described')
    return wrong


def send(server, method, path, body=None, headers=None):
    """Status, media type and text of an answer."""
    connection = http.client.HTTPConnection('127.0.0.1', server.admin.port, timeout=15)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.getheader('Content-Type', ''), answer.read().decode('latin-1')
    finally:
        connection.close()


def check(operation, answer, seen):
    """What is wrong with an answer."""
    status, kind, text = answer
    described = operation['responses'].get(str(status))
    if not described:
        return [f'the status {status} is not described: {text}']
    content = described.get('content')
    if not content:
        return [f'a body with {status}: {text}'] if text else []
    media = kind.split(';')[0]
    if media not in content:
        return [f'{media} is not described for {status}']
    if 'json' not in media or media == 'application/x-ndjson':
        return []
    value = json.loads(text)
    wrong = complaints(value, content[media]['schema'], operation['operationId'], seen)
    problem = value.get('type', '') if status >= 400 else ''
    if problem and problem.rsplit('/', 1)[-1] not in content[media]['examples']:
        wrong.append(f'{problem} is not described for {status}')
    return wrong


def requests(server, method, path, operation):
    """The requests that the examples of a call make: path, body, header fields."""
    connection = server.admin.ask('GET', '/v1/connections')['connections']
    known = IN_PATH | {'id': str(connection[-1]['id']) if connection else '1'}
    if 'cases' in path:
        known['name'] = '01-answered-then-dead'
    elif 'suites' in path:
        known['name'] = 'stale'
    elif method in ('put', 'delete'):
        known['name'] = 'mine'
    if operation['operationId'] == 'deleteRun':
        known['run'] = server.admin.ask('POST', '/v1/runs', {})['id']
    path = re.sub(r'{(\w+)}', lambda found: known[found[1]], path)
    if path == '/v1/suites/stale':
        for name in ('all', 'h2', 'mobile', 'proxies'):
            yield f'/v1/suites/{name}', None, {}
    content = operation.get('requestBody', {}).get('content', {})
    for media, given in content.items():
        for example in given['examples'].values():
            value = example['value']
            yield path, value if isinstance(value, str) else json.dumps(value), {'Content-Type': media}
    if not content:
        yield path, None, {}
    if operation['operationId'] in ('events', 'runEvents'):
        yield path, None, {'Accept': 'application/x-ndjson'}
    if operation['operationId'] in ('verdict', 'runVerdict'):
        for media in operation['responses']['200']['content']:
            yield path, None, {'Accept': media}


def ask(port, *, times):
    """So many requests on one connection; the last one may get no answer."""
    client = http.client.HTTPConnection('127.0.0.1', port, timeout=15)
    try:
        for _ in range(times):
            client.request('GET', '/api/entitlement/get')
            client.getresponse().read()
    except http.client.HTTPException:
        pass
    finally:
        client.close()


def judged(server):
    """A run with a client that repeats once, whose driver says that it got nothing."""
    run = server.admin.ask('POST', '/v1/runs', {'mode': 'close-on-reuse', 'listeners': ['http'],
                                                'expect': ['retry-once', 'executed_once'],
                                                'control': True})
    port = int(run['urls']['http'].rsplit(':', 1)[1])
    path = f'/v1/runs/{run["id"]}'
    ask(port, times=2)
    server.admin.ask('POST', f'{path}/phase', {'phase': 'fault'})
    server.admin.ask('POST', f'{path}/command', {'start': {'argv': ['test'], 'steps': 'get get'}})
    ask(port, times=2)
    ask(port, times=1)
    lines = [{'driver': 1}] + [{'n': n, 'step': 'get', 'ok': n == 1, 'status': 200, 'ms': 1, 'error': ''}
                               for n in (1, 2)]
    send(server, 'POST', f'{path}/reports', ''.join(json.dumps(line) + '\n' for line in lines),
         {'Content-Type': 'application/x-ndjson'})
    server.admin.ask('POST', f'{path}/command', {'exit': {'status': 1}})
    return path


REFUSED = [  # calls that are refused, for the members of problems
    ('put', '/v1/mode', '/v1/mode', '{"mode":"idle-clsoe"}'),
    ('put', '/v1/mode', '/v1/mode', '{"mdoe":"x"}'),
    ('put', '/v1/mode', '/v1/mode', '{"case":"x"}'),
    ('put', '/v1/mode', '/v1/mode', '{'),
    ('patch', '/v1/runs/{run}', '/v1/runs/default', '{"time_scale":0}'),
    ('post', '/v1/runs', '/v1/runs', '{"listeners":["ftp"]}'),
    ('get', '/v1/runs/{run}', '/v1/runs/nobody', None),
    ('delete', '/v1/runs/{run}', '/v1/runs/default', None),
    ('get', '/v1/verdict', '/v1/verdict?wait=soon', None),
    ('post', '/v1/command', '/v1/command', '{"start":{"argv":[]}}'),
    ('post', '/v1/reports', '/v1/reports', '[1]'),
    ('get', '/v1/events', '/v1/events?event=fautl', None),
    ('get', '/v1/modes/{name}', '/v1/modes/x', None),
    ('get', '/v1/modes/{name}', '/v1/modes/normal?resolved=1', None),
    ('delete', '/v1/modes/{name}', '/v1/modes/normal', None),
    ('get', '/v1/cases/{name}', '/v1/cases/x', None),
    ('get', '/v1/connections/{id}', '/v1/connections/999999', None),
    ('get', '/v1/runs/{run}/events', '/v1/runs/default/events?max=0', None),
    ('post', '/v1/reset', '/v1/reset', '[]'),
    ('get', '/problems/{kind}', '/problems/x', None),
]


def main():
    """One case a call, one for what is refused, one for what was never seen."""
    options = argparse.ArgumentParser()
    options.add_argument('--hangup', required=True)
    tap, seen, wrong = Tap(), Seen(), []
    server = Server(options.parse_args().hangup)
    try:
        keep = http.client.HTTPConnection('127.0.0.1', server.port('http'), timeout=15)
        for path, item in DOCUMENT['paths'].items():
            for method, operation in item.items():
                keep.close()
                keep.request('GET', '/api/entitlement/get')
                keep.getresponse().read()
                wrong = []
                for target, body, headers in requests(server, method, path, operation):
                    answer = send(server, method.upper(), target, body, headers)
                    if answer[0] >= 400:
                        wrong.append(f'{target} {body}: {answer[2]}')
                    wrong += check(operation, answer, seen)
                tap.case(f'{method.upper()} {path} answers as described', not wrong,
                         '\n'.join(wrong))
        wrong, path = [], judged(server)
        for name in ('verdict', 'calls'):
            answer = send(server, 'GET', f'{path}/{name}')
            wrong += check(DOCUMENT['paths']['/v1/runs/{run}/' + name]['get'], answer, seen)
        tap.case('a verdict is as described', not wrong, '\n'.join(wrong))
        wrong = []
        for method, path, target, body in REFUSED:
            answer = send(server, method.upper(), target, body,
                          {'Content-Type': 'application/json'} if body else {})
            if answer[0] < 400:
                wrong.append(f'{method} {target} {body} was not refused')
            wrong += check(DOCUMENT['paths'][path][method], answer, seen)
        tap.case('what is refused is refused as described', not wrong, '\n'.join(wrong))
        missing = sorted(f'{where}: {key}' for where, key in seen.described - seen.seen
                         if key not in RARE and not where.startswith('Event'))
        tap.case('each member that is described is sent', not missing, '\n'.join(missing))
    finally:
        server.stop()
    return tap.finish()


sys.exit(main())
