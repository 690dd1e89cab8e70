"""SHA-256 of large files, computed once for each change of a file.

A small file in the cache folder notes what each file had when it was last read, and the state it
was in then. A file whose bytes change while its size, times and inode stay the same is found by
`verify`, which reads everything.
"""

import time
from pathlib import Path
from typing import Any

from pixquery.db.checksums import sha256_of
from pixquery.engine.notes import read_notes, write_notes

_NAME = "digests.json"
_MOST_FILES = 1000
_SETTLED = 2.0
"""Seconds after which a change of a file must have changed its times: clocks are coarse."""

_State = list[int]


def has_digest(file: Path, sha256: str) -> bool:
    """Whether a file has a SHA-256, in hexadecimal.

    The file is read only if it changed since it was last found to have it.

    Raises:
        OSError: It cannot be read.
    """
    state = _state(file)
    notes = read_notes(_NAME)
    if notes.get(str(file.absolute())) == [state, sha256]:
        return True
    if sha256_of(file) != sha256:
        return False
    if _state(file) == state and time.time() - max(state[1:3]) / 1e9 > _SETTLED:
        _note(notes, file, state, sha256)
    return True


def _state(file: Path) -> _State:
    """Size, times of change in nanoseconds, and which file it is."""
    status = file.stat()
    times = [status.st_mtime_ns, status.st_ctime_ns]
    return [status.st_size, *times, status.st_ino, status.st_dev]


def _note(notes: dict[str, Any], file: Path, state: _State, digest: str) -> None:
    """Writes what a file has now."""
    path = str(file.absolute())
    kept = {name: note for name, note in notes.items() if name != path and Path(name).exists()}
    while len(kept) >= _MOST_FILES:
        del kept[next(iter(kept))]
    write_notes(_NAME, {**kept, path: [state, digest]})
