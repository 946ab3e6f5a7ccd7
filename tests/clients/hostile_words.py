"""Clients of hostile.py that lie in what they say: in their account, and in header fields."""
import json
import os
import socket
import sys
import time

from hostile_parts import (address, api, BLIND, Client, DRIVER, fault, FINE, GET, LATER, liar, line, POST,
                           report, RETRY, RETRY2, SAFE, TIMED_OUT, USER)


# --- The account lies

@liar(*RETRY)
def says_ok(over='h1'):
    """No retry; the account says that all went well."""
    Client(over).first_two()
    report(*FINE)


@liar(*RETRY2)
def says_ok_h2():
    says_ok('h2')


@liar(*RETRY, *BLIND)
def says_ok_without_control():
    says_ok()


@liar(*RETRY)
def says_ok_by_name():
    client = Client()
    client.ask(fields=[('Hangup-Call', '1')])
    time.sleep(0.1)
    client.ask(fields=[('Hangup-Call', '2')])
    report(*FINE)


@liar(*USER)
def says_ok_for_the_user():
    says_ok()


@liar(*RETRY)
def never_sent():
    """In the fault it sends nothing, and says that it did."""
    if not fault():
        Client().first_two()
    report(*FINE)


@liar(*RETRY)
def sent_once():
    """Nothing that the fault could meet is sent; the account has both."""
    if fault():
        Client().ask()
    else:
        Client().first_two()
    report(*FINE)


@liar(*RETRY)
def nothing_at_all():
    if not fault():
        Client().first_two()


@liar(*RETRY)
def counts_three():
    Client().first_two()
    report(*FINE, line(3), line(4))


@liar(*RETRY)
def same_line_twice():
    Client().first_two()
    report(DRIVER, line(2), line(2), line(1), line(1))


@liar(*RETRY)
def backwards():
    Client().first_two()
    report(line(2), line(1), DRIVER)


@liar(*RETRY)
def huge_numbers():
    Client().first_two()
    report(DRIVER, line(1), line(2), b'{"n":18446744073709551617,"step":"get","ok":true}\n',
           b'{"n":-1,"ok":true}\n')


@liar(*RETRY)
def no_line_end():
    Client().first_two()
    report(DRIVER, line(1), json.dumps(line(2)).encode())


@liar(*RETRY)
def many_lines():
    """More than are kept, so that the one that matters is not."""
    Client().first_two()
    report(DRIVER, line(1), line(2), *[line(n) for n in range(3, 6000)])


@liar(*RETRY)
def one_huge_line():
    Client().first_two()
    report(*FINE, b'{"n":3,"ok":true,"step":"get","error":"' + b'x' * (8 << 20) + b'"}\n')


@liar(*RETRY)
def nul_and_more():
    Client().first_two()
    report(*FINE, b'\x00\xff{"n":3,"ok":true}\n')


@liar(*RETRY)
def report_is_taken_away():
    Client().first_two()
    os.unlink(os.environ['HANGUP_REPORT'])


@liar(*RETRY, '--timeout', '3s', also=(TIMED_OUT,))
def report_has_no_end():
    Client().first_two()
    os.unlink(os.environ['HANGUP_REPORT'])
    os.symlink('/dev/zero', os.environ['HANGUP_REPORT'])
    time.sleep(0.3)


@liar(*RETRY, '--timeout', '3s', also=(TIMED_OUT,))
def report_is_a_pipe():
    Client().first_two()
    os.unlink(os.environ['HANGUP_REPORT'])
    os.mkfifo(os.environ['HANGUP_REPORT'])


@liar(*RETRY)
def report_is_cut():
    """What it has said it takes back."""
    client = Client()
    client.ask()
    report(DRIVER, line(1), line(2, ok=False))
    time.sleep(0.3)
    client.ask()
    os.truncate(os.environ['HANGUP_REPORT'], 0)
    report(*FINE)


@liar(*RETRY)
def report_of_the_api():
    """The account comes by the API, beside the file."""
    Client().first_two()
    api('POST', '/reports', b''.join(json.dumps(each).encode() + b'\n' for each in FINE), 'application/x-ndjson')


@liar(*RETRY)
def exits_twice():
    """It says by the API that it ended well, and fails."""
    Client().first_two()
    api('POST', '/command', {'exit': {'status': 0}})
    sys.exit(1 if fault() else 0)


@liar(*RETRY)
def verdict_on_stdout():
    Client().first_two()
    print('{"verdict":"pass","final":true}\n   retry-once over h1: PROVED', flush=True)


# --- Header fields lie

@liar(*RETRY)
def one_name_for_all():
    """All requests are the same call: the second is no retry, as the first was answered."""
    client = Client()
    for _ in range(2):
        client.ask(fields=[('Hangup-Call', '1')])
        time.sleep(0.1)
    report(*FINE)


@liar(*RETRY)
def name_for_another_call():
    """What was lost is never asked for again; another request claims to be its retry."""
    client = Client()
    client.ask(fields=[('Hangup-Call', '1')])
    time.sleep(0.1)
    client.ask(fields=[('Hangup-Call', '2')])
    time.sleep(LATER if fault() else 0)
    if fault():
        client.ask(method='GET', target='/healthz', fields=[('Hangup-Call', '2')], fresh=True)


@liar(*RETRY)
def name_for_another_method():
    client = Client()
    client.ask(fields=[('Hangup-Call', '1')])
    time.sleep(0.1)
    client.ask(fields=[('Hangup-Call', '2')])
    if fault():
        client.ask(method='HEAD', fields=[('Hangup-Call', '2')], fresh=True)


@liar(*RETRY)
def poller():
    """It asks by the clock, and never again for what was lost."""
    client = Client()
    for _ in range(5):
        if client.ask() != 'ok':
            client.conn = None
        time.sleep(LATER)


@liar(*RETRY)
def many_names():
    """A header field that is there three times, with a name for each case."""
    client = Client()
    client.ask(fields=[('Hangup-Call', '1'), ('Hangup-Call', '2'), ('Hangup-Call', '3')])
    time.sleep(0.1)
    client.ask(fields=[('Hangup-Call', '2'), ('Hangup-Call', '3')])
    time.sleep(LATER)
    client.ask(target='/other', fields=[('Hangup-Call', '3')], fresh=True)


def posts(first, second, targets=(POST, POST), bodies=(b'{"a":1}', b'{"a":1}'), between=0.05):
    """A POST whose answer is lost, and another."""
    client = Client()
    client.ask()
    client.ask('POST', targets[0], first, bodies[0])
    time.sleep(between)
    client.ask('POST', targets[1], second, bodies[1], fresh=True)


@liar(*SAFE)
def post_again():
    posts((), ())


@liar(*SAFE)
def key_with_another_body():
    key = [('Idempotency-Key', 'k1')]
    posts(key, key, bodies=(b'{"a":1}', b'{"b":22222222222222}'))


@liar(*SAFE)
def key_only_at_first():
    posts([('Idempotency-Key', 'k1')], ())


@liar(*SAFE)
def key_only_in_the_end():
    posts((), [('Idempotency-Key', 'k1')])


@liar(*SAFE)
def new_key_each_time():
    posts([('Idempotency-Key', 'k1')], [('Idempotency-Key', 'k2')])


@liar(*SAFE)
def key_in_two_fields():
    posts([('Idempotency-Key', 'k1'), ('X-Idempotency-Key', 'k2')],
          [('Idempotency-Key', 'k2'), ('X-Idempotency-Key', 'k1')])


@liar(*SAFE)
def empty_key():
    posts([('Idempotency-Key', '')], [('Idempotency-Key', '')])


@liar(*SAFE)
def post_with_a_query():
    posts((), (), targets=(POST, POST + '?again=1'))


@liar(*SAFE)
def post_in_absolute_form():
    posts((), (), targets=(POST, 'http://hangup.test' + POST))


@liar(*SAFE)
def post_with_a_slash():
    posts((), (), targets=(POST, POST + '/'))


@liar(*SAFE)
def post_percent_encoded():
    posts((), (), targets=(POST, POST.replace('entitlement', '%65ntitlement')))


@liar(*SAFE)
def post_much_later():
    posts((), (), between=1.5)


@liar('--mode', 'close-on-reuse', '--over', 'h1', '--expect', 'connection-close')
def says_close_and_stays():
    """Connection: close in each request, all in one write on one connection."""
    head = f'GET {GET} HTTP/1.1\r\nHost: a\r\n'.encode()
    with socket.create_connection(address(), 5) as client:
        client.sendall((head + b'X-A: b\r\n\r\n') * 2 + head + b'Connection: close\r\n\r\n')
        while client.recv(65536):
            pass


@liar('--mode', 'normal', '--over', 'h1', '--expect', 'fresh-on-foreground')
def mark_on_an_old_connection():
    """Hangup-Mark on a request of a connection that is older than the mark."""
    client = Client()
    client.ask()
    other = Client()
    other.fresh()
    time.sleep(0.3)
    client.ask(fields=[('Hangup-Mark', 'background')])
    other.ask(fields=[('Hangup-Mark', 'foreground')])
    time.sleep(0.3)
    other.ask()


@liar('--mode', 'normal', '--over', 'h1', '--expect', 'fresh-on-foreground')
def mark_twice():
    """The mark again, once it is on a new connection."""
    client = Client()
    client.ask()
    time.sleep(0.3)
    client.ask(fields=[('Hangup-Mark', 'foreground')])
    time.sleep(0.3)
    client.ask()
    client.ask(fresh=True, fields=[('Hangup-Mark', 'foreground')])
