"""Clients of hostile.py that do what few do, and are right."""
import os
import socket
import struct
import time

from hostile_parts import (address, Client, FINE, GET, odd, POST, report, RETRY, RETRY2, retrying, SAFE,
                           USER)
from wire import SETTINGS, Dead, Stream, frame, literal

PRIORITY, WINDOW_UPDATE = 2, 8


@odd(*RETRY)
def plain_retry():
    retrying(Client())


@odd(*RETRY2)
def plain_retry_h2():
    retrying(Client('h2'))


@odd(*RETRY)
def spare_connections():
    """Connections on which nothing is ever sent, before, between and after."""
    spare = [socket.create_connection(address(), 5) for _ in range(3)]
    client = Client()
    client.ask()
    time.sleep(0.1)
    spare[0].close()
    if client.ask() != 'ok':
        spare.append(socket.create_connection(address(), 5))
        client.ask(fresh=True)
    report(*FINE)


@odd(*RETRY)
def preconnected():
    """The retry goes on a connection that was opened before the fault, and never used."""
    client, spare = Client(), Client()
    spare.fresh()
    client.ask()
    time.sleep(0.1)
    if client.ask() != 'ok':
        spare.ask()
    report(*FINE)


@odd(*RETRY)
def racing():
    """Two connections at once for each request; the slower one is closed."""
    class Racing(Client):
        def fresh(self):
            other = socket.create_connection(self.address, 5)
            super().fresh()
            other.close()
            return self.conn
    retrying(Racing())


@odd(*RETRY)
def over_tls():
    retrying(Client('h1', 'HANGUP_HTTPS1'))


@odd(*RETRY)
def tickets_unread():
    """TLS 1.3: closes with the session tickets unread, so that its kernel says RST."""
    client = Client('h1', 'HANGUP_HTTPS1')
    kind = client.first_two()
    if kind != 'ok':
        client.ask(fresh=True)
    report(*FINE)
    client.conn.io.close('rst')


@odd(*RETRY)
def absolute_form():
    """The retry's target is in absolute form (RFC 9112 3.2.2)."""
    client = Client()
    client.ask()
    time.sleep(0.1)
    if client.ask() != 'ok':
        client.ask(target='http://hangup.test' + GET, fresh=True)
    report(*FINE)


@odd(*RETRY)
def empty_lines():
    """CRLF before a request (RFC 9112 2.2)."""
    client = Client()
    client.ask()
    client.conn.io.send(b'\r\n')
    time.sleep(0.1)
    if client.ask() != 'ok':
        client.ask(fresh=True)
    report(*FINE)


@odd(*RETRY)
def head_requests():
    retrying(Client(), method='HEAD')


@odd(*RETRY)
def options_first():
    """A preflight before each request."""
    client = Client()
    fields = [('Origin', 'http://a.example'), ('Access-Control-Request-Method', 'GET')]

    def both():
        kind = client.ask(method='OPTIONS', fields=fields)
        if kind in ('empty', 'rst'):
            client.ask(method='OPTIONS', fresh=True, fields=fields)
        kind = client.ask()
        if kind != 'ok':
            client.ask(fresh=True)
    both()
    time.sleep(0.1)
    both()


@odd(*RETRY)
def octet_by_octet():
    """Each octet in a segment of its own."""
    def slowly(conn):
        conn.head = False
        try:
            for octet in f'GET {GET} HTTP/1.1\r\nHost: hangup.test\r\n\r\n'.encode():
                conn.io.send(bytes([octet]))
            return conn.result(1, time.monotonic() + 3).kind
        except Dead:
            return 'rst'
    client = Client()
    slowly(client.fresh())
    time.sleep(0.1)
    if slowly(client.conn) != 'ok':
        slowly(client.fresh())
    report(*FINE)


KEY = os.urandom(16).hex()  # of this process


def chunked_post(conn, parts, fields=''):
    """A POST with a key, in chunks of these, with a trailer."""
    conn.head = False
    text = f'POST {POST} HTTP/1.1\r\nHost: hangup.test\r\nIdempotency-Key: {KEY}\r\n' \
           f'Transfer-Encoding: chunked\r\n{fields}\r\n'
    text += ''.join(f'{len(part):x};a=b\r\n{part}\r\n' for part in parts) + '0\r\nX-Trailer: 1\r\n\r\n'
    try:
        conn.io.send(text.encode())
        return conn.result(1, time.monotonic() + 3).kind
    except Dead:
        return 'rst'


@odd(*SAFE)
def chunks():
    """Chunked bodies with extensions and trailers, cut elsewhere in the retry."""
    client = Client()
    client.ask()
    if chunked_post(client.conn, ['{"a":', '1}']) != 'ok':
        chunked_post(client.fresh(), ['{', '"a":1', '}'])


@odd(*SAFE)
def expects_100():
    client = Client()
    client.ask()
    if chunked_post(client.conn, ['{"a":1}'], 'Expect: 100-continue\r\n') != 'ok':
        chunked_post(client.fresh(), ['{"a":1}'], 'Expect: 100-continue\r\n')


@odd(*SAFE)
def keeps_its_hands_off():
    """A POST without a key is not repeated; the user sees the error."""
    client = Client()
    client.ask()
    client.ask('POST', POST, (), b'{"a":1}')


@odd(*RETRY2)
def odd_h2():
    """PRIORITY of streams that are none, SETTINGS that nobody knows, WINDOW_UPDATEs, PINGs, unknown frames."""
    class Odd(Client):
        def fresh(self):
            super().fresh()
            io = self.conn.io
            io.send(frame(SETTINGS, 0, 0, struct.pack('>HIHIHIHI', 2, 0, 3, 1, 0xabcd, 7, 4, 1 << 20)))
            io.send(frame(PRIORITY, 0, 99, struct.pack('>IB', 0, 15)))
            io.send(frame(WINDOW_UPDATE, 0, 0, struct.pack('>I', 1 << 20)))
            io.send(frame(0xbe, 0xff, 0, b'unknown') + frame(0xbe, 1, 77, b''))
            self.conn.ping()
            return self.conn
    retrying(Odd('h2'))


@odd(*RETRY2)
def trailers_h2():
    """Requests with a body and trailers."""
    def ask(conn):
        stream, conn.next = conn.next, conn.next + 2
        block = (literal(':method', 'GET') + literal(':scheme', 'https') + literal(':path', GET) +
                 literal(':authority', 'hangup.test'))
        try:
            conn.io.send(frame(1, 4, stream, block) + frame(0, 0, stream, b'x') +
                         frame(0, 8, stream, b'\x03abc\0\0\0') +
                         frame(1, 5, stream, literal('x-trailer', '1')))
            conn.streams[stream] = Stream()
            return conn.result(stream, time.monotonic() + 3).kind
        except Dead:
            return 'rst'
    client = Client('h2')
    ask(client.fresh())
    time.sleep(0.1)
    if ask(client.conn) != 'ok':
        ask(client.fresh())
    report(*FINE)


@odd('--mode', 'idle-close;idle=300ms', '--over', 'h1')
def keep_alive_probes():
    """SO_KEEPALIVE, which is no use of a connection; it looks before it uses it again."""
    client = Client()
    client.ask()
    client.conn.io.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    client.conn.io.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    time.sleep(1.2)
    client.ask(fresh=not client.conn.look())


@odd(*USER)
def never_pools():
    for _ in range(2):
        Client().ask(fields=[('Connection', 'close')])
        time.sleep(0.1)
    report(*FINE)


@odd(*USER)
def half_closes():
    """FIN behind each request, as netcat does; the answer comes all the same."""
    for _ in range(2):
        with socket.create_connection(address(), 5) as client:
            client.sendall(f'GET {GET} HTTP/1.1\r\nHost: a\r\n\r\n'.encode())
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass
    report(*FINE)


@odd(*RETRY)
def long_query():
    retrying(Client(), target=GET + '?' + '&'.join(f'a{n}={n}' for n in range(900)))


@odd(*RETRY)
def many_fields():
    retrying(Client(), fields=[(f'X-{n}', 'a') for n in range(90)])
