"""A client over sockets that speaks HTTP/1.1 and HTTP/2, well and badly, as dice tell it."""
import socket
import ssl
import threading
import time

PATH = '/api/entitlement/get'


class RawClient(threading.Thread):
    """Makes one connection after the other, each with a life of its own, until told to stop."""

    def __init__(self, server, dice, stop, modes):
        super().__init__(daemon=True)
        self.server, self.dice, self.stop, self.modes = server, dice, stop, modes
        self.connections = 0
        self.got = bytearray()  # of this connection
        self.garbled = []  # h2 connections on which frames were not whole: address, when made, where
        self.trouble = None

    def connect(self):
        listener = self.dice.choice(('https', 'https1', 'http'))
        raw = socket.create_connection(('127.0.0.1', self.server.port(listener)), timeout=1)
        self.connections += 1
        if listener == 'http':
            return raw, self.dice.random() < 0.5
        context = ssl.create_default_context(cafile=self.server.ca)
        context.set_alpn_protocols(['h2', 'http/1.1'] if self.dice.random() < 0.7 else ['http/1.1'])
        if self.dice.random() < 0.1:  # a ClientHello and no more
            raw.sendall(bytes.fromhex('160301') + self.dice.randbytes(40))
            time.sleep(self.dice.random() * 0.1)
            raw.close()
            raise OSError('of our own making')
        try:
            tls = context.wrap_socket(raw, server_hostname='127.0.0.1')
        except OSError:
            raw.close()
            raise
        return tls, tls.selected_alpn_protocol() == 'h2'

    def pause(self, connection, most=0.15):
        """Reads for a while what there is."""
        connection.settimeout(self.dice.random() * most + 0.001)
        while True:
            got = connection.recv(self.dice.choice((1, 100, 65536)))
            if not got:
                raise OSError('the server ended it')
            self.got += got
            if self.dice.random() < 0.2:
                return

    def say(self, connection, octets):
        """Sends it in one or several pieces."""
        while octets:
            n = self.dice.choice((1, 7, 30, 10000, 10000, 100000))
            connection.settimeout(1)
            connection.sendall(octets[:n])
            octets = octets[n:]
            if self.dice.random() < 0.2:
                time.sleep(self.dice.random() * 0.02)

    def end(self, connection):
        if self.dice.random() < 0.3:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        elif self.dice.random() < 0.3:
            try:
                connection.shutdown(socket.SHUT_WR)
                self.pause(connection)
            except OSError:
                pass
        connection.close()

    def target(self):
        mode = f'/mode/{self.dice.choice(self.modes)}' if self.dice.random() < 0.15 else ''
        return mode + self.dice.choice((PATH, PATH, PATH, '/', '/nowhere?x=1'))

    # HTTP/1.1

    def h1_request(self):
        dice = self.dice
        kind = dice.random()
        head = f'{self.target()} HTTP/1.1\r\nHost: x\r\nX-Request-ID: {dice.randrange(50)}\r\n'
        if kind < 0.5:
            return f'GET {head}\r\n'.encode()
        if kind < 0.6:
            return f'HEAD {head}\r\n'.encode()
        if kind < 0.63:
            return dice.randbytes(30) + b'\r\n\r\n'
        if kind < 0.8:
            body = bytes(dice.choice((0, 5, 5000)))
            expect = 'Expect: 100-continue\r\n' if dice.random() < 0.3 else ''
            return f'POST {head}{expect}Content-Length: {len(body)}\r\n\r\n'.encode() + body
        if kind < 0.83:
            return f'POST {head}Content-Length: 5000000\r\n\r\n'.encode() + bytes(2000)
        if kind < 0.93:
            return f'POST {head}Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n'.encode()
        return f'GET {head}Connection: close\r\n\r\n'.encode()

    def h1_life(self, connection):
        for _ in range(self.dice.randrange(1, 8)):
            octets = b''.join(self.h1_request() for _ in range(self.dice.choice((1, 1, 1, 2, 5))))
            if self.dice.random() < 0.1:
                octets = octets[:self.dice.randrange(len(octets))]
            self.say(connection, octets)
            try:
                self.pause(connection)
            except TimeoutError:
                pass

    # HTTP/2

    @staticmethod
    def frame(kind, flags, stream, payload=b''):
        return len(payload).to_bytes(3, 'big') + bytes((kind, flags)) + stream.to_bytes(4, 'big') \
            + payload

    @staticmethod
    def field(name, value):
        """A literal without indexing (RFC 7541 6.2.2), no Huffman code."""
        name, value = name.encode(), value.encode()
        return b'\0' + bytes((len(name),)) + name + bytes((len(value),)) + value

    def h2_request(self, stream):
        dice = self.dice
        method = dice.choice(('GET', 'GET', 'HEAD', 'POST'))
        block = b''.join(self.field(name, value) for name, value in (
            (':method', method), (':scheme', 'http'), (':path', self.target()), (':authority', 'x'),
            ('x-request-id', str(dice.randrange(50)))))
        if method == 'POST' and dice.random() < 0.3:
            block += self.field('expect', '100-continue')
        if dice.random() < 0.03:
            block += self.field('Connection', 'close')  # malformed
        ends = 0 if method == 'POST' else 1
        if dice.random() < 0.2:
            cut = dice.randrange(len(block))
            out = self.frame(1, ends, stream, block[:cut]) + self.frame(9, 4, stream, block[cut:])
        else:
            out = self.frame(1, 4 | ends, stream, block)
        if not ends and dice.random() < 0.9:
            out += self.frame(0, 0, stream, bytes(dice.choice((0, 10, 16000))))
            out += self.frame(0, 1, stream, b'abc')
        return out

    def h2_other(self, stream):
        dice = self.dice
        opened = dice.randrange(1, stream + 2) | 1
        return dice.choice((
            lambda: self.frame(6, dice.choice((0, 0, 0, 1)), 0, dice.randbytes(8)),
            lambda: self.frame(3, 0, min(opened, stream), bytes((0, 0, 0, 8))),
            lambda: self.frame(8, 0, 0, bytes((0, 0, 200, 0))),
            lambda: self.frame(8, 0, min(opened, stream), bytes((0, 0, 200, 0))),
            lambda: self.frame(4, 1, 0),
            lambda: self.frame(4, 0, 0, b'\0\4' + dice.choice((0, 10, 65535)).to_bytes(4, 'big')),
            lambda: self.frame(7, 0, 0, bytes(8)),
            lambda: dice.randbytes(20) if dice.random() < 0.2 else b'',
        ))()

    def h2_life(self, connection):
        window = self.dice.choice((0, 10, 65535, 65535, 65535))
        self.say(connection, b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' +
                 self.frame(4, 0, 0, b'\0\4' + window.to_bytes(4, 'big')) + self.frame(4, 1, 0))
        stream = -1
        for _ in range(self.dice.randrange(1, 10)):
            octets = b''
            for _ in range(self.dice.choice((1, 1, 3, 20, 150))):
                if stream < 0 or self.dice.random() < 0.7:
                    stream += 2
                    octets += self.h2_request(stream)
                else:
                    octets += self.h2_other(stream)
            if self.dice.random() < 0.1:
                octets = octets[:self.dice.randrange(len(octets) + 1)]
            self.say(connection, octets)
            try:
                self.pause(connection)
            except TimeoutError:
                pass

    def look_at_frames(self, address, made):
        """Frames must follow one another; the last one may be cut."""
        at = 0
        while at + 9 <= len(self.got):
            length, kind = int.from_bytes(self.got[at:at + 3], 'big'), self.got[at + 3]
            if length > 16384 or kind not in (0, 1, 3, 4, 6, 7, 8):
                self.garbled.append((address, made, f'at octet {at}: {self.got[at:at + 40].hex()}'))
                return
            at += 9 + length

    def run(self):
        while not self.stop.is_set():
            self.got.clear()
            try:
                connection, h2 = self.connect()
            except OSError:
                time.sleep(0.02)
                continue
            address, made = '%s:%d' % connection.getsockname(), time.time()
            try:
                (self.h2_life if h2 else self.h1_life)(connection)
            except OSError:  # what faults do to clients
                pass
            except Exception as trouble:  # pylint: disable=broad-except
                self.trouble = f'{type(trouble).__name__}: {trouble}'
                return
            finally:
                if h2:
                    self.look_at_frames(address, made)
                self.end(connection)
