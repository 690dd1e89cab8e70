"""Paths and times as the catalogue holds them.

Paths are the bytes the file system uses: a name need not be valid Unicode.
"""

import os
from datetime import datetime
from pathlib import Path

UNDER = "(path = ? OR (path >= ? AND path < ?))"
"""SQL of whether a path is a root's own or lies below it; takes the root's :func:`bounds`."""


def bounds(root: Path) -> tuple[bytes, bytes, bytes]:
    """A root's own path, and between which others lies all that is in it."""
    whole = os.fsencode(root)
    inside = whole if whole.endswith(b"/") else whole + os.fsencode(os.sep)
    return whole, inside, inside[:-1] + bytes([inside[-1] + 1])


def written(moment: datetime) -> str:
    """A time without a zone, as text that sorts as times do."""
    return moment.isoformat(" ", "microseconds")
