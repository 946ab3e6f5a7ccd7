"""The table of all cells: the families of cells_*.py, each with a sentence that says why its truth is what it is."""
import itertools

import cells_answers
import cells_cases
import cells_first
import cells_h2
import cells_idle
import cells_modes
import cells_reuse
import cells_setup
import cells_silence
from cell import CASES, DOCUMENTS, WIRES, Table, modes_of
from clients import NAIVE

FAMILIES = [family for module in (cells_setup, cells_reuse, cells_idle, cells_silence, cells_h2, cells_answers,
                               cells_modes, cells_cases, cells_first)
            for family in module.FAMILIES]


def table():
    t = Table()
    for family in FAMILIES:
        family(t)
    return t.cells


def kind_of(cell):
    """By its sentence; of the first cells one of each number, of a case the naive client and the others."""
    if cell.family.startswith('first'):
        return cell.why.split(':')[0]
    if 'case' in cell.spec:
        return cell.spec['case'], cell.policy == NAIVE
    return cell.client, cell.why


def quick(cells):
    """A cell of each sentence, over the wires in turn."""
    of, turn = {}, itertools.cycle(WIRES)
    for cell in cells:
        of.setdefault(kind_of(cell), []).append(cell)
    found = []
    for alike in of.values():
        over, tls = next(turn)
        found.append(next((cell for cell in alike if (cell.over, cell.tls) == (over, tls)), alike[0]))
    return found


# --- What must be there of each mode and case

def is_good(cell):
    """Its client is answered in the end, or its user is told in time, and the table blames it for nothing."""
    last = cell.wire[-1:] and cell.wire[-1]
    fine = last == 'ok' or 'ok' in last or cell.truth.get('user_wait') == 'P'
    return fine and 'F' not in cell.truth.values()


def is_targeted(cell, exercised):
    """Its client does something about the fault, and is judged by what the mode or case says it exercises."""
    return cell.policy != NAIVE and (not exercised or any(name in exercised for name in cell.truth))


def lacking(cells):
    """Modes and cases without a cell of a good client, of a naive one, and of one with a mitigation that they are for."""
    found = []
    for kind, documents in (('mode', DOCUMENTS), ('case', CASES)):
        for name, document in sorted(documents.items()):
            own = [cell for cell in cells if name in (cell.spec.get('case'), *modes_of(cell.spec))]
            exercised = document.get('exercises', [])
            there = {'good': any(is_good(cell) for cell in own),
                     'naive': any(cell.policy == NAIVE for cell in own),
                     'targeted': any(is_targeted(cell, exercised) for cell in own)}
            found += [f'{kind} {name}: no {role} client' + (f' ({", ".join(exercised)})' if role == 'targeted' else '')
                      for role, is_there in there.items() if not is_there]
    return found + [f'cell {number}: none' for number in cells_first.missing(cells)]


if __name__ == '__main__':
    import collections
    cells = table()
    names = collections.Counter(cell.name for cell in cells)
    print(len(quick(cells)), 'quick')
    print(len(cells), 'cells,', sum(len(cell.truth) for cell in cells), 'judgements', [n for n, c in names.items() if c > 1][:10])
    print(collections.Counter(cell.family for cell in cells))
    print('\n'.join(lacking(cells)))
