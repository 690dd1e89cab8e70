"""Which profile a library had when it was last asked: its models can be loaded early.

The catalogue knows it too, but loading can start before the catalogue is open.
"""

import os
from pathlib import Path

from pixquery.engine.notes import read_notes, write_notes
from pixquery.engine.profile import DEFAULT

_NAME = "libraries.json"
_MOST = 100


def usual_profile(library: Path) -> str:
    """The reference of the profile that a library had last; the default if nothing is noted."""
    noted = read_notes(_NAME).get(_key(library))
    return noted if isinstance(noted, str) else DEFAULT


def note_profile(library: Path, reference: str) -> None:
    """Notes the profile of a library, if that is not what is noted already."""
    notes = read_notes(_NAME)
    if notes.pop(_key(library), DEFAULT) == reference:
        return
    while len(notes) >= _MOST:
        del notes[next(iter(notes))]
    write_notes(_NAME, notes if reference == DEFAULT else {**notes, _key(library): reference})


def _key(library: Path) -> str:
    return os.path.abspath(library)
