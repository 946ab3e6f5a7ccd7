"""The table of all pairs, as text and as docs/profiles.md."""
import collections
import textwrap

import compare
from situations import SCENES, SITUATIONS

NAMES = {'h1': 'h1', 'h1s': 'h1 TLS', 'h2': 'h2 TLS', 'h2c': 'h2 cleartext'}

NOT_EXPLAINED = 'it is not explained'

HEAD = """# Profiles beside their servers

Each profile of a server that Debian has is held against that server by `./dev truth`, which has written this page. The
server runs with short times (idle 2 s, header section 1 s), hangup in the profile with the same times, each in the same
network namespace, and one client does the same to both. Compared is what the client understands and what is on the wire:

- segments: FIN, RST, and the ACK of what the client sends behind a FIN (which is then discarded, and not refused);
- TLS (1.3): close_notify and other alerts;
- HTTP/2: GOAWAY with its last stream, error and debug data, RST_STREAM, PING, and the end of each response;
- HTTP/1.1: version and status, and the fields Connection and Keep-Alive, in their order and case;
- times: {tolerance} s apart at most, and as much more as a server is late that polls.

Not compared: SETTINGS and WINDOW_UPDATE, how octets are shared out to segments and records, reason phrases and content,
and whether an RST has an ACK in it, which no program sees (hangup's have one, unless a step says `exact`; those of a
closed socket have none): {flags} of the pairs below that are the same differ in that.

Of {all} pairs {same} are the same: {share}. What differs is explained in the profile's own file (`differs`).

In the sequences `‹…›` is what the client does, and the rest what the server does; times are in seconds, from the end of
the last response or from what the situation begins with.

"""


def share(same, all_):
    return f'{100 * same / all_:.1f} %' if all_ else '-'


def counted(results):
    """Of all cells: same, different."""
    cells = [cell for result in results for cell in result['cells']]
    return sum(not cell['difference'] for cell in cells), len(cells)


def by_server(results):
    lines = ['| server | version | profile | h1 | h1 TLS | h2 TLS | h2 cleartext | all | same |', '|---|---|---|---|---|---|---|---|---|']
    for result in results:
        columns = []
        for over in NAMES:
            cells = [cell for cell in result['cells'] if cell['over'] == over]
            columns.append(f'{sum(not cell["difference"] for cell in cells)} of {len(cells)}' if cells else '-')
        same, all_ = counted([result])
        lines.append(f'| {result["server"]} | {result["version"]} | [{result["profile"]}](modes.md#{result["profile"]}) | ' +
                     ' | '.join(columns) + f' | {same} of {all_} | {share(same, all_)} |')
    return lines


def situations():
    lines = ['## The situations', '', '| situation | what happens |', '|---|---|']
    return lines + [f'| {one.name} | {one.about} |' for one in SITUATIONS + SCENES]


def of_server(result):
    """A table of its cells; below it both sequences of what differs."""
    lines = [f'## {result["server"]}', '']
    grid = collections.defaultdict(dict)
    for cell in result['cells']:
        grid[cell['situation']][cell['over']] = cell
    overs = [over for over in NAMES if any(cell['over'] == over for cell in result['cells'])]
    lines += ['| situation | ' + ' | '.join(NAMES[over] for over in overs) + ' |', '|---' * (len(overs) + 1) + '|']
    for situation, cells in grid.items():
        marks = [('-' if over not in cells else '**differs**' if cells[over]['difference'] else 'same') for over in overs]
        lines.append(f'| {situation} | ' + ' | '.join(marks) + ' |')
    return lines + [''] + differing(result)


def differing(result):
    """By what explains them; cells that look the same are told once."""
    reasons = collections.defaultdict(lambda: collections.defaultdict(list))
    for cell in result['cells']:
        if cell['difference']:
            seen = cell['situation'], compare.shown(cell['real']), said(cell)
            reasons[reason(cell)][seen].append(NAMES[cell['over']])
    lines = []
    for why, groups in reasons.items():
        lines += [f'{why[:1].upper()}{why[1:]}:', '']
        for (situation, real, hangup), overs in groups.items():
            lines += [f'- **{situation}**, {", ".join(overs)}', f'  - {result["server"]}: {real}', f'  - hangup: {hangup}']
        lines.append('')
    return lines


def reason(cell):
    entry = cell['entry'] or {'why': NOT_EXPLAINED}
    return entry['why'] + (' (by chance)' if entry.get('sometimes') else '')


def said(cell):
    return 'the profile does not say it' if cell['difference'] == 'the profile does not say it' else compare.shown(cell['hangup'])


def document(results):
    same, all_ = counted(results)
    flags = sum(cell['flag'] and not cell['difference'] for result in results for cell in result['cells'])
    text = HEAD.format(tolerance=compare.TOLERANCE, all=all_, same=same, share=share(same, all_), flags=flags)
    lines = by_server(results) + [''] + situations() + ['']
    for result in results:
        lines += of_server(result)
    return text + '\n'.join(lines).rstrip() + '\n'


def text(cell):
    """For a terminal: both sequences."""
    return '\n'.join(textwrap.wrap(f'server  {compare.shown(cell["real"])}', 140, subsequent_indent='        ') +
                     textwrap.wrap(f'hangup  {said(cell)}', 140, subsequent_indent='        '))
