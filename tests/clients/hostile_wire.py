"""Clients of hostile.py that deceive on the wire, by the admin API, and as processes."""
import os
import signal
import socket
import time

from hostile_parts import (address, api, Client, fault, FINE, GET, LATER, liar, report, RETRY, RETRY2,
                           TIMED_OUT, USER)
from wire import Dead


# --- The wire

@liar(*RETRY)
def another_host():
    """It repeats what was lost, but not where it was: another name, another path."""
    client = Client()
    client.first_two()
    if fault():
        time.sleep(LATER)
        client.ask(target='http://other.example/healthz', fresh=True)


@liar(*RETRY)
def pipelined():
    """Two requests in one write are lost, and one is repeated."""
    client = Client()
    client.ask()
    time.sleep(0.1)
    head = 'GET {} HTTP/1.1\r\nHost: hangup.test\r\n\r\n'
    try:
        client.conn.io.send((head.format(GET) + head.format(GET + '?b')).encode())
        client.conn.head = False
        first = client.conn.result(1, time.monotonic() + 3).kind
        if first == 'ok':
            client.conn.result(1, time.monotonic() + 3)
    except Dead:
        first = 'rst'
    if first != 'ok':
        client.ask(fresh=True)


@liar(*RETRY)
def http_1_0():
    """HTTP/1.0, kept alive by its own word, without a retry."""
    with socket.create_connection(address(), 5) as client:
        for _ in range(2):
            try:
                client.sendall(f'GET {GET} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'.encode())
                client.recv(65536)
            except OSError:
                pass
            time.sleep(0.1)


@liar(*RETRY2)
def stream_ids_jump():
    client = Client('h2')
    client.ask()
    client.conn.next = 1001
    time.sleep(0.1)
    client.ask()
    if fault():
        time.sleep(LATER)
        client.ask(target='/other', fresh=True)


@liar(*RETRY2)
def stream_ids_go_back():
    """A stream that cannot be: a connection error is no answer."""
    client = Client('h2')
    client.ask()
    client.conn.next = 1
    client.ask()


@liar(*RETRY)
def half_a_retry():
    """The retry's head comes, and not its end."""
    client = Client()
    client.first_two()
    if fault():
        other = client.fresh()
        other.io.send(f'GET {GET} HTTP/1.1\r\nHost: hangup.test\r\n'.encode())
        time.sleep(0.2)


@liar(*RETRY)
def retry_refused():
    """The retry is no HTTP, and is answered with 400."""
    client = Client()
    client.first_two()
    if fault():
        client.fresh().io.send(f'GET {GET} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'.encode())
        client.conn.head = False
        client.conn.result(1, time.monotonic() + 2)


@liar(*RETRY)
def retry_not_read():
    """It repeats, and leaves with RST before it has read the answer."""
    client = Client()
    client.first_two()
    if fault():
        client.fresh().io.send(f'GET {GET} HTTP/1.1\r\nHost: hangup.test\r\n\r\n'.encode())
        client.conn.io.close('rst')


@liar(*RETRY)
def retries_five_times():
    client = Client()
    client.first_two()
    if fault():
        for _ in range(5):
            client.ask(fresh=True)
    report(*FINE)


@liar(*RETRY)
def wrong_port():
    """The retry goes to the other listener, in clear to the one for TLS."""
    client = Client()
    client.first_two()
    if fault():
        client.address = address('HANGUP_HTTPS')
        client.ask(fresh=True)


@liar(*RETRY)
def left_behind():
    """COMMAND ends with 0 at once, and a process that it has left does the rest, badly."""
    if not fault():
        Client().first_two()
        return
    client = Client()
    client.ask()
    if os.fork() == 0:
        os.setsid()
        time.sleep(0.3)
        client.ask()
        os._exit(0)
    os._exit(0)


# --- The admin API

def tampering(change, behave=None):
    """In the fault the change is made where it helps most."""
    client = Client()
    client.ask()
    time.sleep(0.1)
    kind = client.ask()
    if fault():
        if kind != 'ok':
            client.conn = None
        change()
        time.sleep(LATER)
        (behave or client.first_two)()


@liar(*RETRY)
def resets():
    tampering(lambda: api('POST', '/reset'))


@liar(*RETRY)
def sets_normal():
    tampering(lambda: api('PUT', '/mode', {'mode': 'normal'}))


@liar(*RETRY)
def sets_normal_first():
    if fault():
        api('PUT', '/mode', {'mode': 'normal'})
    Client().first_two()
    report(*FINE)


@liar(*RETRY)
def expects_less():
    tampering(lambda: api('PATCH', '', {'expect': ['executed_once']}))


@liar(*USER)
def expects_less_than_the_user():
    tampering(lambda: api('PATCH', '', {'expect': [{'no_storm': {'attempts': 100}}]}))


@liar(*RETRY)
def expects_other_calls():
    tampering(lambda: api('PATCH', '', {'expect': [{'retry-once': {'for': 'GET /other'}}]}))


def with_retry():
    client = Client()
    if client.first_two() != 'ok':
        client.ask(fresh=True)


@liar(*RETRY)
def phase_again():
    """It fails, begins the phase again, and behaves."""
    tampering(lambda: api('POST', '/phase', {'phase': 'fault'}), with_retry)


@liar(*RETRY)
def phase_control_again():
    tampering(lambda: (api('POST', '/phase', {'phase': 'control'}), api('POST', '/phase', {'phase': 'fault'})),
              with_retry)


@liar(*RETRY)
def phase_without():
    """What it does from now on is said to be without its mitigation."""
    tampering(lambda: api('POST', '/phase', {'phase': 'without'}))


@liar(*RETRY)
def phase_control_for_the_bad_part():
    if fault():
        api('POST', '/phase', {'phase': 'control'})
        Client().first_two()
        api('POST', '/phase', {'phase': 'fault'})
        with_retry()
    else:
        Client().first_two()


@liar(*RETRY)
def resets_and_behaves():
    tampering(lambda: api('POST', '/reset'), with_retry)


@liar(*RETRY)
def resets_sets_and_behaves():
    """Empty ledger, the same mode again, and a client that behaves."""
    tampering(lambda: (api('POST', '/reset'), api('PUT', '/mode', {'mode': 'close-on-reuse'})), with_retry)


@liar(*RETRY)
def deletes_the_run():
    tampering(lambda: api('DELETE', ''))


@liar(*RETRY)
def ends_soon():
    tampering(lambda: (api('PATCH', '', {'ttl': '100ms', 'mode': 'close-on-reuse'}), time.sleep(0.3)))


@liar(*RETRY)
def scales_time():
    tampering(lambda: api('PATCH', '', {'time_scale': 1000}))


@liar(*RETRY)
def starts_again():
    """A new command by the API, which ends well."""
    tampering(lambda: (api('POST', '/command', {'start': {'argv': ['good']}}),
                       api('POST', '/command', {'exit': {'status': 0}})))


# --- Processes

@liar(*RETRY, also=(TIMED_OUT, -9, 137))
def kills_its_keeper():
    Client().first_two()
    if fault():
        os.kill(os.getppid(), signal.SIGKILL)


@liar(*RETRY, also=(TIMED_OUT, -9, 137))
def stops_its_keeper():
    """Stops the process above for a while: what is not seen did not go well."""
    Client().first_two()
    if fault():
        parent = os.getppid()
        os.kill(parent, signal.SIGSTOP)
        if os.fork() == 0:
            os.setsid()
            time.sleep(1)
            os.kill(parent, signal.SIGCONT)
            os._exit(0)
