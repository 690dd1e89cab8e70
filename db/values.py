"""Paths and times as the catalogue stores them.

Paths are stored as the bytes that the file system uses: a name need not be valid Unicode.
"""

import os
from datetime import datetime
from pathlib import PurePath, PureWindowsPath

UNDER = "(path = ? OR (path >= ? AND path < ?))"
"""SQL that is true of a folder's path and all paths below it; takes the folder's :func:`bounds`."""


def bounds(folder: PurePath) -> tuple[bytes, bytes, bytes]:
    r"""A folder's path, and the first path and the end of the range of those below it.

    The path of ``/`` and of a drive such as ``D:\`` ends with a separator already.
    """
    separator = b"\\" if isinstance(folder, PureWindowsPath) else b"/"
    path = os.fsencode(folder)
    first = path if path.endswith(separator) else path + separator
    return path, first, first[:-1] + bytes([separator[0] + 1])


def written(moment: datetime) -> str:
    """A time without a zone, as text that sorts in order of time."""
    return moment.isoformat(" ", "microseconds")


def is_moment(text: str) -> bool:
    """Whether a text is a time in ISO 8601."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
