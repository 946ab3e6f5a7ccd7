"""What must not matter to a verdict: the same ledger told in another way gets the same outcomes."""
import json
import random

from mutate import outcomes

NEAR = 0.2        # ms: between events of different connections their order is nobody's business
FOREVER = 2**31 - 1
MOMENTS = ('ms', 'first_byte_ms', 'from_ms', 'to_ms', 'first_data_ms')  # of the server's clock; others are spans


REFERENCES = ('fault', 'last_fault')  # members that name an event by its seq


def crossed(events, dice):
    """Events of different connections that came at about the same time, in another order. Each is told at most NEAR
    from its own time, however often it changes its place: beyond that one may follow from the other."""
    events = [dict(event, was=event['seq'], came=event['ms']) for event in events]
    for _ in range(3):
        for i in range(len(events) - 1):
            one, two = events[i], events[i + 1]
            apart = one.get('connection') and two.get('connection') and one['connection'] != two['connection']
            near = two['ms'] - one['came'] <= NEAR and two['came'] - one['ms'] <= NEAR
            if apart and near and dice.random() < 0.5:
                for member in ('seq', 'at', 'ms'):
                    one[member], two[member] = two[member], one[member]
                events[i], events[i + 1] = two, one
    is_now = {event.pop('was'): event['seq'] for event in events}
    for event in events:
        del event['came']
        event.update({name: is_now.get(event[name], event[name]) for name in REFERENCES if name in event})
    return events


def misled(events):
    """How many events name one as their fault that is there, and is none or another connection's."""
    by_seq = {event['seq']: event for event in events}
    named = [(event, by_seq[event[name]]) for event in events for name in REFERENCES if event.get(name) in by_seq]
    return sum(fault['event'] != 'fault' or fault.get('connection', event.get('connection')) != event.get('connection')
               for event, fault in named)


def beside_others(events, dice):
    """Other runs had connections in between: the numbers of this one's are others, in the same order."""
    ids, last = {}, 0
    for number in sorted({event['connection'] for event in events if event.get('connection')}):
        last += dice.randint(1, 50)
        ids[number] = last
    return [dict(event, connection=ids[event['connection']]) if event.get('connection') else event for event in events]


def other_exchanges(events, dice):
    more = dice.randint(1, 90)
    return [dict(event, exchange=event['exchange'] + more) if event.get('exchange') else event for event in events]


def other_streams(events, dice):
    """A client that began with a later stream."""
    more = 2 * dice.randint(1, 400)

    def shifted(event):
        event = dict(event)
        for name in ('stream', 'last_stream'):
            if event.get(name) and event[name] != FOREVER:
                event[name] += more
        arguments = event.get('arguments')
        if isinstance(arguments, dict) and isinstance(arguments.get('last_stream'), int) and \
                0 < arguments['last_stream'] < FOREVER:
            event['arguments'] = dict(arguments, last_stream=arguments['last_stream'] + more)
        return event
    return [shifted(event) for event in events]


def other_offsets(events, dice):
    """Longer header fields: what went out ends elsewhere in the stream."""
    more = dice.randint(1, 5000)
    return [{name: value + more if value and name in ('end_offset', 'bytes_out') else value for name, value in event.items()}
            for event in events]


def later(events, dice):
    """The server had run for longer."""
    more = dice.randint(1, 10**6)
    return [{name: round(value + more, 3) if name in MOMENTS else value for name, value in event.items()} for event in events]


def slower(events, dice):
    """All took a hundredth longer, also what the client's own account says of it."""
    def stretched(name, value):
        if name == 'report' and 'ms' in value:
            return dict(value, ms=stretched('ms', value['ms']))
        return round(value * 1.01, 3) if name.endswith('ms') and isinstance(value, (int, float)) else value
    return [{name: stretched(name, value) for name, value in event.items()} for event in events]


def written_again(events, dice):
    """Members in another order."""
    def turned_round(event):
        names = list(event)
        dice.shuffle(names)
        return {name: event[name] for name in names}
    return [turned_round(event) for event in events]


PROPERTIES = (crossed, beside_others, other_exchanges, other_streams, other_offsets, later, slower, written_again)


def properties(judge, files, seed=1):
    """Returns (how many were judged, [(file, property, what differs)])."""
    count, bad = 0, []
    for file in files:
        dice = random.Random(f'{seed} {file}')
        lines = [line for line in open(file, encoding='utf-8').read().splitlines() if line]
        events = [json.loads(line) for line in lines]
        before = outcomes(judge.judge(lines))
        for told in PROPERTIES:
            again = told(events, dice)
            verdict = judge.judge([json.dumps(event) for event in again])
            count += 1
            if misled(again) > misled(events):
                bad.append((file, told.__name__, 'it is no ledger: an event names what is not its fault'))
            after = {'error': verdict['error']} if 'error' in verdict else outcomes(verdict)
            if after != before:
                bad.append((file, told.__name__, ', '.join(f'{name} was {before.get(name)}, is {after.get(name)}'
                                                           for name in sorted(set(before) | set(after))
                                                           if before.get(name) != after.get(name))))
    return count, bad
