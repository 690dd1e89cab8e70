"""Paths, times and texts as the catalogue stores and compares them.

Paths are stored as the bytes that the file system uses: a name need not be valid Unicode.
"""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import PurePath, PureWindowsPath

from pixquery.db.errors import BadQuery

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


def refuse_other_bytes(text: str, what: str, encode: Callable[[str], bytes] = str.encode) -> None:
    """Refuses a text with characters that are none: bytes typed in another encoding than UTF-8.

    Args:
        text: What was typed.
        what: Its name in the error message.
        encode: What it must have bytes for: UTF-8, or names of files, which may be any bytes.

    Raises:
        BadQuery: It has some.
    """
    try:
        encode(text)
    except UnicodeEncodeError:
        raise BadQuery(
            f"{what} {text[:80]!r} is not valid UTF-8: set the terminal, or the program that wrote "
            "it, to UTF-8, and type it again"
        ) from None
