"""The one client of all situations: HTTP/1.1 and HTTP/2, cleartext and TLS 1.3, on a raw socket.

It says what its script tells it to, and nothing by itself but the ACKs of SETTINGS and PING. Whatever comes is noted,
with the place in the stream at which it came: the capture knows when that was on the wire (timeline.py).
"""
import collections
import ctypes
import functools
import select
import socket
import ssl
import struct
import time

import wire

PATH = '/api/entitlement/get'
# What a real server with an application behind it has there: it answers a second late, and takes content.
SLOW, POST = '/behind/slow', '/behind/post'

# over -> the protocol, and whether there is TLS
OVER = {'h1': ('h1', False), 'h1s': ('h1', True), 'h2': ('h2', True), 'h2c': ('h2', False)}

# who: 'server' or 'client'. octets: how many of the direction's stream have passed with it; None: it is no octets.
Note = collections.namedtuple('Note', 'who what octets time')

SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
# Segments with FIN are dropped before the socket sees them: offset 13 of the TCP header has the flags.
WITHOUT_FIN = ((0x30, 0, 0, 13), (0x45, 0, 1, 1), (0x06, 0, 0, 0), (0x06, 0, 0, 0xffffffff))

ERRORS = ('NO_ERROR', 'PROTOCOL_ERROR', 'INTERNAL_ERROR', 'FLOW_CONTROL_ERROR', 'SETTINGS_TIMEOUT', 'STREAM_CLOSED',
          'FRAME_SIZE_ERROR', 'REFUSED_STREAM', 'CANCEL', 'COMPRESSION_ERROR', 'CONNECT_ERROR', 'ENHANCE_YOUR_CALM',
          'INADEQUATE_SECURITY', 'HTTP_1_1_REQUIRED')


@functools.cache
def tls_context(alpn):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols([alpn])
    return context


def error_name(code):
    return ERRORS[code] if code < len(ERRORS) else str(code)


class Peer:
    def __init__(self, port, over, slow=SLOW, post=POST, expected_within=10):
        self.slow, self.post = slow, post
        self.http, self.tls = OVER[over]
        self.notes = []
        self.raw_in = self.raw_out = 0
        self.ended = None   # how the server did: FIN, RST, close_notify, GOAWAY
        self.gone = False   # nothing can come any more
        self.answers = 0
        self.records = self.text = b''
        self.stream = 1
        self.within = False  # a header section is out by half, and no other frame may come before its rest
        self.settled = False  # our ACK of the server's SETTINGS is out, and will not come between other things
        self.statuses = {}
        self.port = port
        self.sock = socket.socket()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(expected_within)
        self.sock.connect(('127.0.0.1', port))
        self.opened = time.monotonic()
        self.local_port = self.sock.getsockname()[1]
        self.zero_at = None  # a place in the server's stream, or a time: whence times are counted
        self.bio = None
        if self.tls:
            self._handshake(expected_within)
        if self.http == 'h2':
            self._write(b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + wire.frame(wire.SETTINGS, 0, 0, struct.pack('>HIHI', 1, 0, 2, 0)))
            self.watch(lambda: self.settled or self.gone, 2)
        self.zero()

    # What the client says

    def _handshake(self, within):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.bio = tls_context('h2' if self.http == 'h2' else 'http/1.1').wrap_bio(self.incoming, self.outgoing)
        until = time.monotonic() + within
        while True:
            try:
                self.bio.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._raw(self.outgoing.read())
                if not select.select([self.sock], [], [], max(0, until - time.monotonic()))[0]:
                    raise OSError('no handshake') from None
                got = self.sock.recv(65536)
                if not got:
                    raise OSError('FIN in the handshake') from None
                self.raw_in += len(got)
                self.incoming.write(got)
        self._raw(self.outgoing.read())
        if self.http == 'h2' and self.bio.selected_alpn_protocol() != 'h2':
            raise OSError('the server does not speak h2')
        self._decrypt()

    def _raw(self, octets, flags=0):
        if not octets:
            return
        self.sock.settimeout(5)
        self.sock.sendall(octets, flags)
        self.raw_out += len(octets)

    def _write(self, octets):
        if self.bio is None:
            self._raw(octets)
            return
        self.bio.write(octets)
        self._raw(self.outgoing.read())

    def _note(self, who, what, octets=None):
        self.notes.append(Note(who, what, octets, time.time()))

    def say(self, what, octets):
        """Octets of HTTP, by a name that says what they are. Whether the kernel took them."""
        before = self.raw_out
        try:
            self._write(octets)
            self._note('client', what, before + 1)
            return True
        except (OSError, ssl.SSLError):
            self.gone = True
            self._note('client', f'{what}, which the kernel refuses')
            return False

    def request(self, what='request', path=PATH, headers=(), count=1, version='1.1'):
        """A whole request, or several in one write."""
        octets = b''
        for _ in range(count):
            if self.http == 'h2':
                octets += wire.frame(wire.HEADERS, 5, self.next_stream(), self.block('GET', path, headers))
            else:
                lines = [f'GET {path} HTTP/{version}', 'Host: hangup.test'] + [f'{name}: {value}' for name, value in headers]
                octets += '\r\n'.join(lines).encode() + b'\r\n\r\n'
        return self.say(what, octets)

    def next_stream(self):
        stream, self.stream = self.stream, self.stream + 2
        return stream

    def block(self, method, path, headers=()):
        fields = [(':method', method), (':scheme', 'https' if self.tls else 'http'), (':path', path), (':authority', 'hangup.test'), *headers]
        return b''.join(wire.literal(name, value) for name, value in fields)

    def ask(self, **more):
        """A request, and its response; times count from that. False when none came."""
        had = self.answers
        self.request(**more)
        self.watch(lambda: self.answers > had or self.gone, 5)
        self.zero()
        return self.answers > had

    def half_head(self):
        if self.http == 'h2':
            self.within = True
            self.say('half a head', wire.frame(wire.HEADERS, 1, self.next_stream(), self.block('GET', PATH)))
        else:
            self.say('half a head', f'GET {PATH} HTTP/1.1\r\nHost: hang'.encode())

    def half_body(self):
        if self.http == 'h2':
            stream = self.next_stream()
            self.say('half a body', wire.frame(wire.HEADERS, 4, stream, self.block('POST', self.post, [('content-length', '10')])) +
                     wire.frame(wire.DATA, 0, stream, b'12345'))
        else:
            self.say('half a body', f'POST {self.post} HTTP/1.1\r\nHost: hangup.test\r\nContent-Length: 10\r\n\r\n12345'.encode())

    def octets(self):
        """Some that are no whole request."""
        return self.say('octets', wire.frame(wire.PING, 0, 0, b'hangup..') if self.http == 'h2' else b'GET')

    def close_notify(self, flags=0):
        before = self.raw_out
        try:
            try:
                self.bio.unwrap()
            except ssl.SSLError:  # that of the other side has not come
                pass
            self._raw(self.outgoing.read(), flags)
            self._note('client', 'close_notify', before + 1)
        except OSError:
            self.gone = True
            self._note('client', 'close_notify, which the kernel refuses')

    def fin(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
            self._note('client', 'FIN', self.raw_out + 1)  # it takes a place, too
        except OSError:
            self.gone = True

    def leave(self):
        """As an orderly client does; in one segment, so that nothing comes between."""
        if self.tls:
            self.close_notify(socket.MSG_MORE)
        self.fin()

    def drop_fins(self):
        program = b''.join(struct.pack('HBBI', *one) for one in WITHOUT_FIN)
        buffer = self._filter = ctypes.create_string_buffer(program)
        address = ctypes.addressof(buffer)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack('HxxxxxxQ', len(WITHOUT_FIN), address))

    def take_fins(self):
        self.sock.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, b'\0\0\0\0')

    def close(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.sock.close()

    # What comes

    def zero(self):
        """Times count from what has come last, or from now when nothing has since."""
        self.zero_at = self.raw_in or None

    def zero_now(self):
        self.zero_at = -time.time()

    def wait(self, seconds):
        """Reads for so long."""
        self.watch(lambda: False, seconds)

    def until_end(self, seconds):
        """Until the server's FIN or RST, or some other sign of the end and no FIN right behind it, or for so long."""
        self.watch(lambda: self.ended or self.gone, seconds)
        self.watch(lambda: self.gone, 0.1)

    def watch(self, enough, seconds):
        until = time.monotonic() + seconds
        while not enough():
            left = until - time.monotonic()
            if left <= 0:
                return
            if self.gone:
                time.sleep(left)
                return
            if select.select([self.sock], [], [], left)[0]:
                self._read()

    def _read(self):
        try:
            got = self.sock.recv(65536)
        except ConnectionResetError:
            self.gone, self.ended = True, 'RST'
            return
        except OSError:
            self.gone = True
            return
        if not got:
            self.gone, self.ended = True, 'FIN'
            self._cut()
            return
        self.raw_in += len(got)
        if self.bio is None:
            self._plain(got)
            return
        self.records += got
        while len(self.records) >= 5 + int.from_bytes(self.records[3:5], 'big') and len(self.records) >= 5:
            size = 5 + int.from_bytes(self.records[3:5], 'big')
            self.incoming.write(self.records[:size])
            self.records = self.records[size:]
            self._decrypt()

    def _decrypt(self):
        while True:
            try:
                text = self.bio.read(65536)
            except ssl.SSLWantReadError:
                return
            except ssl.SSLZeroReturnError:
                text = b''
            except ssl.SSLError as trouble:
                self._note('server', f'alert {trouble.reason}', self.raw_in)
                self.ended = self.ended or 'alert'
                return
            if not text:
                self._note('server', 'close_notify', self.raw_in)
                self.ended = self.ended or 'close_notify'
                return
            self._plain(text)

    def _plain(self, text):
        self.text += text
        while self._h2_frame() if self.http == 'h2' else self._h1_response():
            pass

    def _answered(self, what):
        self.answers += 1
        self._note('server', what, self.raw_in)

    def _h1_response(self):
        head, found, content = self.text.partition(b'\r\n\r\n')
        if not found:
            return False
        lines = head.decode('latin-1').split('\r\n')
        fields = [line.partition(':')[::2] for line in lines[1:]]
        values = {name.lower(): value.strip() for name, value in fields}
        what = ' '.join(lines[0].split(' ')[:2])
        said = [f'{name}:{value}' for name, value in fields if name.lower() in ('connection', 'keep-alive')]
        if said:
            what += f' ({"; ".join(said)})'
        if what[9:10] == '1':
            self.text = content
            self._note('server', what, self.raw_in)
            return True
        if values.get('transfer-encoding', '').lower() == 'chunked':
            end = content.find(b'0\r\n\r\n')
            if end < 0:
                return False
            self.text = content[end + 5:]
        elif 'content-length' in values:
            length = int(values['content-length'])
            if len(content) < length:
                return False
            self.text = content[length:]
        else:  # until the end
            self.until_fin = what
            return False
        self._answered(what)
        return True

    until_fin = ''

    def _cut(self):
        """The server's FIN, where some of a response has come."""
        if self.http == 'h1' and self.text:
            self._answered(self.until_fin + ', ended by FIN' if self.until_fin else 'part of a response')
            self.text = b''

    def _h2_frame(self):
        if len(self.text) < 9 or len(self.text) < 9 + int.from_bytes(self.text[:3], 'big'):
            return False
        length, kind, flags = int.from_bytes(self.text[:3], 'big'), self.text[3], self.text[4]
        stream = int.from_bytes(self.text[5:9], 'big') & 0x7fffffff
        payload, self.text = self.text[9:9 + length], self.text[9 + length:]
        self._take(kind, flags, stream, payload)
        return True

    def _take(self, kind, flags, stream, payload):
        if kind == wire.HEADERS:
            self.statuses.setdefault(stream, wire.status_of(payload[5 if flags & 0x20 else 0:]))
        if kind in (wire.HEADERS, wire.DATA) and flags & 1:
            self._answered(f'{self.statuses.get(stream)} on {stream}')
        elif kind == wire.SETTINGS and not flags & 1:
            self._quietly(wire.frame(wire.SETTINGS, 1, 0, b''))
            self.settled = True
        elif kind == wire.PING and not flags & 1:
            if time.monotonic() > self.opened + 0.3:  # not what measures the round trip at the beginning
                self._note('server', 'PING', self.raw_in)
            self._quietly(wire.frame(wire.PING, 1, 0, payload))
        elif kind == wire.RST_STREAM:
            self._note('server', f'RST_STREAM({error_name(int.from_bytes(payload[:4], "big"))}) on {stream}', self.raw_in)
        elif kind == wire.GOAWAY:
            last, error = struct.unpack('>II', payload[:8])
            debug = f', "{payload[8:].decode("latin-1")}"' if payload[8:] else ''
            last = '2^31-1' if last == wire.NOTICE else last
            self._note('server', f'GOAWAY({last}, {error_name(error)}{debug})', self.raw_in)
            self.ended = self.ended or 'GOAWAY'

    def _quietly(self, octets):
        if self.within:
            return
        try:
            self._write(octets)
        except (OSError, ssl.SSLError):
            pass
