"""The profiles of the catalogue, as their files are."""
import json
import pathlib

import peer
import situations

CATALOGUE = pathlib.Path(__file__).resolve().parent.parent.parent / 'modes' / 'catalogue'


def read(name):
    return json.loads((CATALOGUE / f'{name}.json').read_text())


def explained(name):
    """(situation, over) -> the entry of the profile's file that says why it differs in that."""
    return {(situation, over): one for one in read(name).get('differs', ()) for situation in one['situations']
            for over in peer.OVER if fits(one, over)}


def expects(entry, difference):
    """Whether it is as the entry (None: there is none) says."""
    return bool(difference) == bool(entry) or bool(entry and entry.get('sometimes'))


def fits(one, over):
    http, tls = peer.OVER[over]
    return one.get('over', http) == http and one.get('tls', tls) == tls


def unknown_situations(name):
    known = {one.name for one in situations.SITUATIONS + situations.SCENES}
    return sorted({situation for one in read(name).get('differs', ()) for situation in one['situations']} - known)
