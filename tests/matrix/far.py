"""Two network namespaces with a delay between them: what crosses on the way crosses here, too.

Packets go from one TUN device to another by a process that holds each for so long; it can also lose what
comes from one port of the client. (netem, which would do the same, is not in every kernel.)
"""
import contextlib
import ctypes
import fcntl
import heapq
import os
import select
import struct
import subprocess
import sys
import time

SERVER, CLIENT = '10.77.0.1', '10.77.0.2'
TUNSETIFF, IFF_TUN_NO_PI = 0x400454ca, 0x1001
CLONE_NEWNET = 0x40000000
SYN = 2
libc = ctypes.CDLL(None, use_errno=True)

HOLDER = 'import ctypes,sys; sys.exit(1) if ctypes.CDLL(None).unshare(0x40000000) else print(flush=True); sys.stdin.read()'


class Unavailable(Exception):
    """There can be no such namespaces here."""


class Namespace:
    """One, for as long as this program lives."""

    def __init__(self, address):
        self.holder = subprocess.Popen([sys.executable, '-I', '-S', '-c', HOLDER], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE)
        if not self.holder.stdout.readline():
            raise Unavailable('no network namespace can be made here (CAP_SYS_ADMIN)')
        self.path = f'/proc/{self.holder.pid}/ns/net'
        self.fd = os.open(self.path, os.O_RDONLY)
        self.own = os.open('/proc/self/ns/net', os.O_RDONLY)
        with self.inside():
            try:
                self.tun = os.open('/dev/net/tun', os.O_RDWR)
                fcntl.ioctl(self.tun, TUNSETIFF, struct.pack('16sH', b'far', IFF_TUN_NO_PI))
            except OSError as trouble:
                raise Unavailable(f'no TUN device here: {trouble}') from None
        for words in ('link set lo up', f'addr add {address}/24 dev far', 'link set far up'):
            subprocess.run(['nsenter', f'--net={self.path}', 'ip', *words.split()], check=True)

    @contextlib.contextmanager
    def inside(self):
        """This thread makes its sockets in there."""
        libc.setns(self.fd, CLONE_NEWNET)
        try:
            yield
        finally:
            libc.setns(self.own, CLONE_NEWNET)

    def close(self):
        self.holder.stdin.close()
        self.holder.wait()


class Far:
    """A server side and a client side, delay seconds from each other, each way."""

    def __init__(self, delay):
        self.server, self.client = Namespace(SERVER), Namespace(CLIENT)
        ordered, self.orders = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.orders)
            try:
                carry(self.server.tun, self.client.tun, delay, ordered)
            finally:
                os._exit(0)
        os.close(ordered)

    def lose(self, port):
        """The next octets that the client sends from this port arrive, and nothing behind them."""
        os.write(self.orders, struct.pack('!H', port))

    def close(self):
        os.close(self.orders)
        os.waitpid(self.pid, 0)
        self.server.close()
        self.client.close()


def take(orders, last):
    """What is to be lost from now on. False: nobody holds the other end of orders."""
    try:
        while order := os.read(orders, 2):
            last.add(order)
    except BlockingIOError:
        return True
    return False


def carry(server, client, delay, orders):
    """Until nobody holds the other end of orders."""
    waiting, count, last, lost = [], 0, set(), set()
    os.set_blocking(orders, False)
    while True:
        left = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        ready = select.select([server, client, orders], [], [], left)[0]
        for device, other in ((server, client), (client, server)):
            if device in ready:
                packet = os.read(device, 65536)
                start = (packet[0] & 15) * 4
                port = packet[start:start + 2]
                if device == client:
                    take(orders, last)  # an order that was given before it was sent
                if device == client and packet[start + 13] & SYN:
                    lost.discard(port)  # a new connection, whose port an old one had
                if device == client and port in lost:
                    continue
                if device == client and port in last and len(packet) > start + (packet[start + 12] >> 4) * 4:
                    lost.add(port)
                    last.discard(port)
                count += 1
                heapq.heappush(waiting, (time.monotonic() + delay, count, other, packet))
        if orders in ready and not take(orders, last):
            return
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, device, packet = heapq.heappop(waiting)
            try:
                os.write(device, packet)
            except OSError:
                pass
