"""One connection as a list of events: what its client has understood (peer.py), at the times of the segments that carried
it, and what segments say themselves: FIN, RST, and an ACK of what comes behind a FIN."""
import bisect
import collections

from capture import ACK, FIN, RST, SYN

# time: in seconds since the last response, or whatever the situation counts from
Event = collections.namedtuple('Event', 'time who what')

MOD = 1 << 32


class Way:
    """One direction: places in its stream, of the segments."""

    def __init__(self, segments):
        self.segments = segments
        self.start = next((one.seq + 1 for one in segments if one.flags & SYN), 0) % MOD
        self.ends, self.times = [], []
        for one in segments:
            end = (one.seq + one.size + bool(one.flags & FIN) - self.start) % MOD
            if (one.size or one.flags & FIN) and not one.flags & SYN and end < MOD // 2 and (not self.ends or end > self.ends[-1]):
                self.ends.append(end)
                self.times.append(one.time)

    def time_of(self, octets):
        """When the segment went that has this octet, counted from 1; None when none has."""
        at = bisect.bisect_left(self.ends, octets)
        return self.times[at] if at < len(self.ends) else None

    def first(self, flag):
        return next((one for one in self.segments if one.flags & flag), None)


def timeline(peer, capture):
    client, server = (Way(one) for one in capture.of(peer.local_port, peer.port))
    found = []
    for note in peer.notes:
        way = client if note.who == 'client' else server
        at = way.time_of(note.octets) if note.octets is not None else None
        found.append(Event(at or note.time, note.who, note.what))
    fin, rst = server.first(FIN), server.first(RST)
    if fin:
        found.append(Event(fin.time, 'server', 'FIN'))
        found += stale_acks(client, server, fin.time, rst.time if rst else None)
    if rst:
        found.append(Event(rst.time, 'server', 'RST+ACK' if rst.flags & ACK else 'RST'))
    zero = zero_of(peer, server)
    # A FIN may go with the last octets.
    return in_order(sorted((Event(at - zero, who, what) for at, who, what in found), key=lambda one: (one.time, one.what == 'FIN')))


def in_order(events):
    """Responses of several streams, one behind the other, in the order of the streams: which is first is chance."""
    place = 0
    while place < len(events):
        end = place
        while end < len(events) and events[end].who == 'server' and ' on ' in events[end].what and 'RST' not in events[end].what:
            end += 1
        if end > place + 1:
            times = [one.time for one in events[place:end]]
            there = sorted(events[place:end], key=lambda one: int(one.what.split(' on ')[1]))
            events[place:end] = [one._replace(time=time) for one, time in zip(there, times)]
        place = end + 1
    return events


def zero_of(peer, server):
    if peer.zero_at is None:
        return server.segments[0].time if server.segments else 0
    at = -peer.zero_at if peer.zero_at < 0 else server.time_of(peer.zero_at)
    return at or peer.notes[0].time


def stale_acks(client, server, fin_at, until):
    """For what the client sent behind the server's FIN: the ACKs of those that were ACKed and drew no RST."""
    found = []
    for one in client.segments:
        if one.size and one.time > fin_at:
            end = (one.seq + one.size) % MOD
            ack = next((answer for answer in server.segments if answer.time >= one.time and not answer.flags & RST and
                        (answer.ack - end) % MOD < MOD // 2), None)
            if ack and (until is None or ack.time < until):
                found.append(Event(ack.time, 'server', 'ACK'))
    return list(dict.fromkeys(found))
