#!/usr/bin/env python3
"""What truth.py relies on: that what differs is seen to differ, and that events are told in their order. TAP."""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'matrix'), str(HERE.parent / 'clients')]

import compare  # noqa: E402
import profiles  # noqa: E402
import timeline  # noqa: E402
from capture import ACK, FIN, RST, SYN, Segment  # noqa: E402
from hangup import Tap  # noqa: E402
from peer import Note  # noqa: E402

SAME = [(-0.01, 'client', 'request'), (0.0, 'server', '200 on 1'), (2.0, 'server', 'GOAWAY(1, NO_ERROR)'),
        (2.0, 'server', 'close_notify'), (2.0, 'server', 'FIN'), (3.0, 'client', 'request'), (3.0, 'server', 'RST')]
NO_REQUEST = [(0.0, 'server', 'FIN')]


def changed(place, event):
    return SAME[:place] + ([event] if event else []) + SAME[place + 1:]


COMPARED = [  # what hangup does, how late the server may be, whether they differ
    ('the same', SAME, 0, False),
    ('another time within the tolerance', changed(4, (2.2, 'server', 'FIN')), 0, False),
    ('an ACK in the RST', changed(6, (3.0, 'server', 'RST+ACK')), 0, False),
    ('another time', changed(4, (2.5, 'server', 'FIN')), 0, True),
    ('another time of a server that polls', changed(4, (2.5, 'server', 'FIN')), 0.5, False),
    ('no close_notify', changed(3, None), 0, True),
    ('no RST', changed(6, None), 0, True),
    ('an ACK instead of an RST', changed(6, (3.0, 'server', 'ACK')), 0, True),
    ('another order', SAME[:3] + [SAME[4], SAME[3]] + SAME[5:], 0, True),
    ('another last stream', changed(2, (2.0, 'server', 'GOAWAY(0, NO_ERROR)')), 0, True),
    ('another letter in a field', changed(1, (0.0, 'server', '200 (connection: close)')), 0, True),
    ('nothing at all', [], 0, True),
    ('no connection', 'refused', 0, True),
]


class Peer:
    """A connection that was: the client sent 10 octets, got 20, and later sent 5 more."""
    local_port, port, zero_at = 1000, 2000, 20
    notes = [Note('client', 'request', 1, 0), Note('server', '200', 20, 0), Note('client', 'octets', 11, 0)]


class Capture:
    def __init__(self, *behind):
        self.server = [Segment(100.001, SYN | ACK, 500, 101, 0), Segment(100.3, ACK, 501, 111, 20),
                       Segment(102.3, FIN | ACK, 521, 111, 0), Segment(102.7, FIN | ACK, 521, 111, 0), *behind]

    def of(self, *_):
        return [Segment(100.0, SYN, 100, 0, 0), Segment(100.1, ACK, 101, 501, 10), Segment(103.3, ACK, 111, 522, 5)], self.server


def said(*behind):
    return [(round(time, 1), what) for time, _, what in timeline.timeline(Peer, Capture(*behind))]


def main():
    tap = Tap()
    for title, hangup, late, differs in COMPARED:
        found = compare.difference(SAME, hangup, late)
        tap.case(f'{title}: {"differs" if differs else "the same"}', bool(found) == differs, found)
    tap.case('what the profile does not say differs', compare.difference(NO_REQUEST, NO_REQUEST, unsaid=True))
    begins = [(-0.2, 'request'), (0.0, '200'), (2.0, 'FIN'), (3.0, 'octets')]
    tap.case('a FIN is told once, as what comes behind it and is ACKed', said(Segment(103.301, ACK, 522, 116, 0)) ==
             begins + [(3.0, 'ACK')], said(Segment(103.301, ACK, 522, 116, 0)))
    for flags, what in ((RST, 'RST'), (RST | ACK, 'RST+ACK')):
        tap.case(f'what comes behind a FIN and draws {what} is not ACKed',
                 said(Segment(103.301, flags, 522, 116, 0)) == begins + [(3.0, what)], said(Segment(103.301, flags, 522, 116, 0)))
    for entry, difference, right in ((None, '', True), (None, 'x', False), ({'why': 'w'}, 'x', True), ({'why': 'w'}, '', False),
                                     ({'why': 'w', 'sometimes': True}, '', True), ({'why': 'w', 'sometimes': True}, 'x', True)):
        tap.case(f'explained: {entry}, different: {bool(difference)}', profiles.expects(entry, difference) == right)
    for profile in sorted(path.stem for path in profiles.CATALOGUE.glob('*.json')):
        unknown = profiles.unknown_situations(profile)
        if unknown or profiles.read(profile).get('differs'):
            tap.case(f'{profile}: where it differs are situations', not unknown, unknown)
    return tap.finish()


if __name__ == '__main__':
    sys.exit(main())
