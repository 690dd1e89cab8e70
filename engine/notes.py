"""Small JSON files in the cache folder: what was found out once, and need not be again.

Nothing depends on them. One that is missing, damaged or cannot be written costs time only.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pixquery.engine.photos import open_file
from pixquery.engine.runtime import cache_folder

_MOST_BYTES = 1 << 20


def read_notes(name: str) -> dict[str, Any]:
    """The notes in a file of the cache folder; none if there are none that can be read."""
    with suppress(OSError, ValueError, RecursionError), open_file(cache_folder() / name) as opened:
        notes = json.loads(opened.read(_MOST_BYTES))
        if isinstance(notes, dict):
            return notes
    return {}


def write_notes(name: str, notes: Mapping[str, Any]) -> None:
    """Writes the file anew; programs that write at the same time lose each other's notes."""
    with suppress(OSError, ValueError):
        target = cache_folder() / name
        beside = target.with_name(f".new-{os.urandom(8).hex()}")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with beside.open("x", encoding="utf-8") as opened:
                json.dump(notes, opened)
            beside.replace(target)
        finally:
            with suppress(OSError):  # gone, if all went well
                beside.unlink()
