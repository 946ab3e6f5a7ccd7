"""Whether two timelines are the same: the same events in the same order, at about the same times."""

TOLERANCE = 0.3  # seconds


def labels(timeline):
    """What is compared. Whether an RST has an ACK in it no program can see: see differs_by_flag()."""
    return [(event[1], 'RST' if event[2] == 'RST+ACK' else event[2]) for event in timeline]


def difference(real, hangup, jitter=0.0, unsaid=False):
    """In a few words; empty when there is none. jitter: how late the real one may be."""
    if isinstance(real, str):
        return f'no connection to the server: {real}'
    if unsaid:
        return 'the profile does not say it'
    if isinstance(hangup, str):
        return f'no connection to hangup: {hangup}'
    if labels(real) != labels(hangup):
        return 'other events'
    # Ahead of 0 is what the situation needs, at the pace of whoever answers.
    apart = max((abs(one[0] - two[0]) for one, two in zip(real, hangup) if max(one[0], two[0]) > 0), default=0.0)
    return f'{apart:.1f} s apart' if apart > TOLERANCE + jitter else ''


def differs_by_flag(real, hangup):
    """Whether all that differs is an ACK in the RST."""
    both = [{event[2] for event in one if event[2].startswith('RST')} for one in (real, hangup) if not isinstance(one, str)]
    return len(both) == 2 and both[0] != both[1]


def shown(timeline):
    """One line: seconds, and what the server does; in angle brackets what its client does."""
    if isinstance(timeline, str):
        return timeline
    parts, before = [], None
    for time, who, what in timeline:
        said = f'‹{what}›' if who == 'client' else what
        at = f'{time:+.1f}'.replace('-0.0', '+0.0')
        parts.append(said if at == before else f'{at} {said}')
        before = at
    return ' · '.join(parts) or 'nothing'
