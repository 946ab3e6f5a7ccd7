"""Holds idle connections that have made one request each."""
import socket
import ssl
import struct

PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
HEADERS, SETTINGS = 1, 4
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def frame(kind, flags, stream, payload=b''):
    return struct.pack('>I', len(payload))[1:] + struct.pack('>BBI', kind, flags, stream) + payload


def literal(name_index, value):
    """An HPACK literal without indexing, its name from the static table (RFC 7541 6.2.2)."""
    return bytes([name_index, len(value)]) + value.encode()


class Holder:
    def __init__(self, port, alpn, path, cleartext):
        self.port, self.alpn, self.path, self.cleartext = port, alpn, path, cleartext
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.context.set_alpn_protocols([alpn])
        self.held = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for connection in self.held:
            connection.close()

    def open(self, count):
        for _ in range(count):
            connection = socket.create_connection(('127.0.0.1', self.port), timeout=10)
            if not self.cleartext:
                connection = self.context.wrap_socket(connection)
            self.held.append(connection)
            if self.alpn == 'h2':
                self._ask_h2(connection)
            else:
                self._ask_h1(connection)

    def _ask_h1(self, connection):
        connection.sendall(f'GET {self.path} HTTP/1.1\r\nHost: localhost\r\n\r\n'.encode())
        got = b''
        while b'\r\n\r\n' not in got:
            got += self._read(connection)
        head, _, body = got.partition(b'\r\n\r\n')
        fields = dict(line.lower().split(b':', 1) for line in head.split(b'\r\n')[1:])
        length = int(fields[b'content-length'])
        while len(body) < length:
            body += self._read(connection)

    def _ask_h2(self, connection):
        # :method GET, :scheme http and https are in the static table as a whole.
        fields = b'\x82' + (b'\x86' if self.cleartext else b'\x87') + literal(4, self.path) + literal(1, f'127.0.0.1:{self.port}')
        connection.sendall(PREFACE + frame(SETTINGS, 0, 0)
                           + frame(HEADERS, END_STREAM | END_HEADERS, 1, fields))
        got, ended = b'', False
        while not ended:
            while len(got) < 9 or len(got) < 9 + int.from_bytes(got[:3], 'big'):
                got += self._read(connection)
            kind, flags = got[3], got[4]
            stream = int.from_bytes(got[5:9], 'big')
            got = got[9 + int.from_bytes(got[:3], 'big'):]
            if kind == SETTINGS and not flags & ACK:
                connection.sendall(frame(SETTINGS, ACK, 0))
            ended = stream == 1 and flags & END_STREAM

    @staticmethod
    def _read(connection):
        more = connection.recv(16384)
        if not more:
            raise RuntimeError('the server closed a connection that was to be held')
        return more
