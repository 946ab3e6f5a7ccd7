"""HTTP/1.1 and HTTP/2 on raw sockets, as little of it as a scripted client needs.

Nothing here retries, waits for longer than it is told to, or sends what it was not asked to send: what
a client does is in clients.py alone. A result says in one word what the client has seen.
"""
import collections
import functools
import select
import socket
import ssl
import struct
import time

# What became of an attempt, as its client sees it.
#   ok       a whole response, 2xx          status   a whole response, another status
#   empty    FIN before a byte of it        rst      RST before a byte of it
#   cut      it began, and is not whole     refused  REFUSED_STREAM, or above the last stream of GOAWAY
#   reset    another RST_STREAM             bad      what came is no HTTP
#   timeout  nothing by the deadline        unsent   the kernel took no byte of it
#   connect  there was no connection
Result = collections.namedtuple('Result', 'kind status detail', defaults=(0, ''))

REFUSED_STREAM = 7
NOTICE = 0x7fffffff  # the last stream of a GOAWAY that only announces the end
CANCEL = 8
HTTP_1_1_REQUIRED = 13
SETTINGS_TIMEOUT = 4
INITIAL_WINDOW_SIZE = 4

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9


@functools.cache
def tls_context(*alpn):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(alpn))
    return context


class Dead(Exception):
    """The connection is over; args[0] is eof, rst or bad."""


class Socket:
    """A TCP connection, with TLS or without."""

    def __init__(self, address, alpn=None, limit=5.0):
        family = socket.AF_INET6 if ':' in address[0] else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.closed = False
        self.opened = time.monotonic()
        until = self.opened + limit
        try:
            self.sock.settimeout(limit)
            self.sock.connect(address)
            if alpn:
                self.sock.settimeout(max(0.01, until - time.monotonic()))
                self.sock = tls_context(*alpn).wrap_socket(self.sock)
                self.protocol = self.sock.selected_alpn_protocol()
        except BaseException:
            self.sock.close()
            raise

    def send(self, octets):
        """Raises Dead when the kernel takes none of it."""
        self.sock.settimeout(5)
        try:
            self.sock.sendall(octets)
        except (OSError, ValueError) as trouble:
            raise Dead('rst', str(trouble)) from None

    def read(self, until):
        """Some octets, or None when there are none by then (a monotonic time; 0: now)."""
        if self.closed:
            raise Dead('eof')
        while True:
            left = max(0.0, until - time.monotonic())
            pending = isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()
            if not pending and not select.select([self.sock], [], [], left)[0]:
                return None
            self.sock.settimeout(0)
            try:
                octets = self.sock.recv(65536)
            except (ssl.SSLWantReadError, BlockingIOError):
                continue
            except ssl.SSLEOFError:
                octets = b''
            except ssl.SSLError as trouble:
                raise Dead('bad', str(trouble)) from None
            except OSError as trouble:
                raise Dead('rst', str(trouble)) from None
            if not octets:
                raise Dead('eof')
            return octets

    def told(self, until):
        """Waits, and reads nothing: fin, or by then some octets or none. Of TLS there are some from the handshake."""
        poll = select.poll()
        poll.register(self.sock, select.POLLRDHUP | select.POLLERR)
        if poll.poll(max(0.0, until - time.monotonic()) * 1000):
            return 'fin'
        return 'octets' if select.select([self.sock], [], [], 0)[0] else ''

    def close(self, how='fin'):
        """fin, or rst. What has come is read first: else the kernel would make an RST of the FIN. unread: it is not;
        at-once: nor is it, and a close_notify goes ahead, as far ahead as another process may come between."""
        if self.closed:
            return
        try:
            if how == 'rst':
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            elif how == 'unread':
                pass
            elif how == 'at-once':
                if isinstance(self.sock, ssl.SSLSocket):
                    self.sock.settimeout(0)
                    try:
                        self.sock.unwrap()
                    except ssl.SSLWantReadError:
                        time.sleep(0.005)
            else:
                while self.read(0) is not None:
                    pass
        except (Dead, OSError, ValueError):
            pass
        self.closed = True
        self.sock.close()


class H1:
    """One HTTP/1.1 connection: a request at a time."""
    protocol = 'http/1.1'
    waiting = b''  # content that waits for 100 Continue

    def __init__(self, address, tls, limit=5.0, alpn=('http/1.1',)):
        self.io = Socket(address, alpn if tls else None, limit)
        self.rest = b''
        self.served = 0
        self.idle_since = time.monotonic()
        self.over = False  # it has said, or shown, that nothing more will come

    def send(self, method, target, headers=(), body=b'', limit=5.0):
        del limit
        lines = [f'{method} {target} HTTP/1.1', 'Host: hangup.test']
        lines += [f'{name}: {value}' for name, value in headers]
        if body:
            lines.append(f'Content-Length: {len(body)}')
        self.waiting = body if ('expect', '100-continue') in headers else b''
        self.io.send('\r\n'.join(lines).encode() + b'\r\n\r\n' + (b'' if self.waiting else body))
        self.head = method == 'HEAD'
        return 1

    def result(self, _stream, until):
        """What became of the request that was sent last, by then."""
        got, self.rest = self.rest, b''
        while True:
            done = self._parse(got)
            if done:
                return done
            try:
                more = self.io.read(until)
            except Dead as dead:
                self.over = True
                return self._ended(got, dead.args[0])
            if more is None:
                self.rest = got
                return Result('timeout', detail=f'{len(got)} octets')
            got += more

    def _ended(self, got, how):
        while got.startswith(b'HTTP/1.1 1') and b'\r\n\r\n' in got:  # an interim answer is none
            got = got.partition(b'\r\n\r\n')[2]
        if not got:
            return Result('empty' if how == 'eof' else how)
        return Result('cut' if got.startswith(b'HTTP/1.1 ') or b'HTTP/1.1 '.startswith(got) else 'bad',
                      detail=f'{len(got)} octets, {how}')

    def _parse(self, got):
        """The result if got is a whole response; None while more must come."""
        if got and not (got.startswith(b'HTTP/1.1 ') or b'HTTP/1.1 '.startswith(got[:9])):
            self.over = True
            return Result('bad', detail=repr(got[:40]))
        head, found, content = got.partition(b'\r\n\r\n')
        if not found:
            return None
        status = int(head[9:12])
        if status == 100:
            if self.waiting:
                self.io.send(self.waiting)
                self.waiting = b''
            return self._parse(content)
        fields = {}
        for line in head.split(b'\r\n')[1:]:
            name, _, value = line.partition(b':')
            fields[name.strip().lower()] = value.strip().lower()
        if fields.get(b'transfer-encoding') == b'chunked':
            while True:
                size, found, content = content.partition(b'\r\n')
                if not found:
                    return None
                try:
                    octets = int(size, 16)
                except ValueError:
                    self.over = True
                    return Result('bad', status, f'a chunk of {size!r}')
                if len(content) < octets + 2:
                    return None
                content = content[octets + 2:]
                if octets == 0:
                    break
        elif not self.head:
            length = int(fields.get(b'content-length', b'0'))
            if len(content) < length:
                return None
            self.rest = content[length:]
        self.served += 1
        self.idle_since = time.monotonic()
        if fields.get(b'connection') == b'close':
            self.over = True
        return Result('ok' if 200 <= status < 300 else 'status', status)

    def look(self):
        """Whether it may be used again, by what its socket shows now."""
        try:
            if not self.over and self.io.read(0) is not None:
                self.over = True  # nobody has asked for anything
        except Dead:
            self.over = True
        return not self.over

    def close(self, how='fin'):
        self.io.close(how)


def literal(name, value):
    """A field, literal and without indexing; shorter than 127 octets each."""
    name, value = name.lower().encode(), value.encode()
    assert len(name) < 127 and len(value) < 127
    return b'\0' + bytes([len(name)]) + name + bytes([len(value)]) + value


HUFFMAN_DIGITS = {'00000': '0', '00001': '1', '00010': '2', '011001': '3', '011010': '4', '011011': '5',
                  '011100': '6', '011101': '7', '011110': '8', '011111': '9'}
STATIC_STATUS = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}


def status_of(block):
    """:status, the first field of a response's block. No dynamic table: our SETTINGS do not allow one."""
    while block and block[0] & 0xe0 == 0x20:  # the size of the table
        block = block[1:]
    if block[0] & 0x80:
        return STATIC_STATUS[block[0] & 0x7f]
    length = block[1] & 0x7f
    value = block[2:2 + length]
    if not block[1] & 0x80:
        return int(value)
    bits, text, code = ''.join(f'{octet:08b}' for octet in value), '', ''
    for bit in bits:
        code += bit
        if code in HUFFMAN_DIGITS:
            text += HUFFMAN_DIGITS[code]
            code = ''
    return int(text[:3])


class Stream:
    def __init__(self, body=b''):
        self.body = body  # not sent yet, as the window is shut
        self.status = 0
        self.octets = 0
        self.done = False
        self.error = None


class H2:
    """One HTTP/2 connection. It ACKs SETTINGS and PING, and tells what it has read."""
    protocol = 'h2'

    def __init__(self, address, tls, limit=5.0, alpn=('h2',)):
        self.io = Socket(address, alpn if tls else None, limit)
        self.rest = b''
        self.streams = {}
        self.next = 1
        self.served = 0
        self.pongs = 0
        self.window = 65535  # for the content of each stream
        self.settled = False  # our SETTINGS are ACKed
        self.pong = ''  # before, behind: ACKs of PINGs wait, and go out with the next request, on that side of it
        self.pings = []
        self.goaways = []  # (last stream, error)
        self.drops = False  # takes each stream for lost at GOAWAY, also one that it promises
        self.over = False
        self.ended = None  # eof, rst, bad
        self.idle_since = time.monotonic()
        # No dynamic table, no pushes.
        self.io.send(b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' +
                     frame(SETTINGS, 0, 0, struct.pack('>HIHI', 1, 0, 2, 0)))

    def send(self, method, target, headers=(), body=b'', limit=5.0):
        del limit
        block = (literal(':method', method) + literal(':scheme', 'https') + literal(':path', target) +
                 literal(':authority', 'hangup.test'))
        block += b''.join(literal(name, value) for name, value in headers)
        if body:
            block += literal('content-length', str(len(body)))
        stream, self.next = self.next, self.next + 2
        octets = frame(HEADERS, 4 if body else 5, stream, block)
        fits = len(body) <= self.window
        if body and fits:
            octets += frame(DATA, 1, stream, body)
        if self.pong:
            self.look()
            acks = b''.join(frame(PING, 1, 0, payload) for payload in self.pings)
            octets, self.pings = acks + octets if self.pong == 'before' else octets + acks, []
        self.io.send(octets)
        self.streams[stream] = Stream(b'' if fits else body)
        return stream

    def result(self, stream, until):
        it = self.streams[stream]
        while True:
            if it.error is not None:
                return Result('refused' if it.error == REFUSED_STREAM else 'reset', it.status, f'error {it.error}')
            if it.done:
                self.served += 1
                self.idle_since = time.monotonic()
                return Result('ok' if 200 <= it.status < 300 else 'status', it.status)
            if any(stream > last for last, _ in self.goaways):
                return Result('refused', 0, f'GOAWAY {self.goaways}')
            if self.drops and any(last < NOTICE for last, _ in self.goaways):
                return Result('dropped', it.status, f'GOAWAY {self.goaways}')
            if self.ended:
                if it.status:
                    return Result('cut', it.status, f'{it.octets} octets, {self.ended}')
                return Result('empty' if self.ended == 'eof' else self.ended)
            if not self.pump(until):
                return Result('timeout', it.status)

    def pump(self, until):
        """Reads what comes, at most once. False when nothing did by then, and never will."""
        if self.ended:
            return False
        try:
            octets = self.io.read(until)
        except Dead as dead:
            self.ended = dead.args[0] if not (dead.args[0] == 'eof' and self.rest) else 'eof'
            self.over = True
            return True
        if octets is None:
            return False
        self.rest += octets
        while len(self.rest) >= 9:
            length = int.from_bytes(self.rest[:3], 'big')
            if len(self.rest) < 9 + length:
                break
            kind, flags = self.rest[3], self.rest[4]
            stream = int.from_bytes(self.rest[5:9], 'big') & 0x7fffffff
            payload, self.rest = self.rest[9:9 + length], self.rest[9 + length:]
            try:
                self._frame(kind, flags, stream, payload)
            except Dead as dead:
                self.ended, self.over = dead.args[0], True
                break
        return True

    def _frame(self, kind, flags, stream, payload):
        it = self.streams.get(stream)
        if kind == SETTINGS and not flags & 1:
            for i in range(0, len(payload) - 5, 6):
                setting, value = struct.unpack('>HI', payload[i:i + 6])
                if setting == INITIAL_WINDOW_SIZE:
                    self.window = value
            self._say(frame(SETTINGS, 1, 0, b''))
        elif kind == SETTINGS:
            self.settled = True
        elif kind == PING:
            if flags & 1:
                self.pongs += 1
            elif self.pong:
                self.pings.append(payload)
            else:
                self._say(frame(PING, 1, 0, payload))
        elif kind == GOAWAY:
            last, error = struct.unpack('>II', payload[:8])
            self.goaways.append((last & NOTICE, error))
            self.over = True
        elif kind == RST_STREAM and it:
            it.error = struct.unpack('>I', payload)[0]
            it.done = it.done or it.error == 0 and it.status != 0
        elif kind == HEADERS and it:
            status = status_of(payload)
            if status >= 200:
                it.status = status
            it.done = it.done or bool(flags & 1)
        elif kind == DATA:
            if it is None:
                raise Dead('bad', 'DATA on no stream')
            it.octets += len(payload)
            it.done = it.done or bool(flags & 1)

    def _say(self, octets):
        try:
            self.io.send(octets)
        except Dead:
            pass

    def goaway(self, error):
        self._say(frame(GOAWAY, 0, 0, struct.pack('>II', 0, error)))

    def ping(self):
        self.io.send(frame(PING, 0, 0, b'liveness'))

    def cancel(self, stream):
        self._say(frame(RST_STREAM, 0, stream, struct.pack('>I', CANCEL)))

    def look(self):
        while not self.ended and self.pump(0):
            pass
        return not self.over

    def close(self, how='fin'):
        if how == 'fin':
            self.look()
        self.io.close(how)


def frame(kind, flags, stream, payload):
    return struct.pack('>I', len(payload))[1:] + bytes([kind, flags]) + struct.pack('>I', stream) + payload
