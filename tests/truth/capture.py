"""What is on the wire of the loopback of this network namespace: each TCP segment once, by connection."""
import collections
import socket
import struct
import threading
import time

FIN, SYN, RST, ACK = 1, 2, 4, 16
ETH_P_ALL, PACKET_OUTGOING, SO_TIMESTAMPNS, SO_RCVBUFFORCE = 3, 4, 35, 33
SOL_PACKET, PACKET_STATISTICS = 263, 6

# seq and ack as the wire has them; size: octets of payload
Segment = collections.namedtuple('Segment', 'time flags seq ack size')


class Capture:
    """by[(from port, to port)] is a list of segments, in their order."""

    def __init__(self):
        self.by = collections.defaultdict(list)
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.sock.bind(('lo', ETH_P_ALL))
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            packet, more, _, address = self.sock.recvmsg(96, 64)
            # As it goes, which is ahead of whatever answers it; each comes in as well.
            if address[2] == PACKET_OUTGOING and packet[0] >> 4 == 4:
                self._take(packet, more)

    def _take(self, packet, more):
        size = (packet[0] & 15) * 4
        if packet[9] != socket.IPPROTO_TCP:
            return
        source, target, seq, ack, offset, flags = struct.unpack('>HHIIBB', packet[size:size + 14])
        payload = int.from_bytes(packet[2:4], 'big') - size - (offset >> 4) * 4
        stamp = next((struct.unpack('qq', data) for level, kind, data in more if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS)),
                     None)
        at = stamp[0] + stamp[1] / 1e9 if stamp else time.time()
        self.by[source, target].append(Segment(at, flags, seq, ack, payload))

    def missed(self):
        """How many segments came when there was no room for them, since this was asked last."""
        return struct.unpack('II', self.sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]

    def of(self, client_port, server_port):
        """Of the newest connection between these ports: what its client sent, and what its server did."""
        sent, came = self.by[client_port, server_port], self.by[server_port, client_port]
        opened = max((one.time for one in sent if one.flags & SYN), default=0)
        return [one for one in sent if one.time >= opened], [one for one in came if one.time >= opened]
