"""The one way to open a photo's file, and what its bytes are recognised by.

Only regular files are read. Whatever a name ends in, behind it may be a pipe that nobody writes to,
a device that never ends, or a link that was put there after the folder was scanned.
"""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, NamedTuple

import xxhash

from pixquery.db.errors import UnreadableImage
from pixquery.db.records import FileState

MAX_BYTES = 512 * 2**20
"""Larger files are not read."""

_NO_WAITING = getattr(os, "O_NONBLOCK", 0)
"""Opening a pipe does not wait for a writer."""
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


class PhotoFile(NamedTuple):
    """A file that was read in full."""

    state: FileState
    content: bytes


def open_file(path: Path, *, follow_link: bool = True) -> BinaryIO:
    """Opens a photo's file for reading, without waiting for anything; the caller closes it.

    Args:
        path: Of the file.
        follow_link: Whether ``path`` may be a symbolic link. Links among its folders are always
            followed: to stay within a root, resolve the path first.

    Raises:
        OSError: The file cannot be opened, or is not a regular file.
    """
    extra = _NO_WAITING if follow_link else _NO_WAITING | _NO_LINK
    file = open(  # noqa: SIM115 - a path has no opener, and the caller closes it
        path, "rb", opener=lambda name, flags: os.open(name, flags | extra)
    )
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return file


def read(path: Path, *, follow_link: bool = True) -> PhotoFile:
    """Reads a photo's file.

    Args:
        path: Of the file.
        follow_link: As for :func:`open_file`.

    Raises:
        OSError: It cannot be read, is not a regular file, or changed while it was read.
        UnreadableImage: It is larger than :data:`MAX_BYTES`.
    """
    with open_file(path, follow_link=follow_link) as file:
        state = _state(file)
        if state.size > MAX_BYTES:
            raise UnreadableImage(
                f"{state.size:,} bytes are more than the {MAX_BYTES // 2**20} MB that are read"
            )
        content = file.read(state.size + 1)
        if len(content) != state.size or _state(file) != state:
            raise OSError(errno.EAGAIN, "it changed while it was read", str(path))
    return PhotoFile(state, content)


def fingerprint(content: bytes) -> bytes:
    """The digest by which the catalogue recognises a photo's content, wherever its file lies."""
    return xxhash.xxh3_128_digest(content)


def fingerprint_of(file: BinaryIO) -> bytes:
    """The same of an open file, from its current position to its end."""
    digest = xxhash.xxh3_128()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.digest()


def _state(file: BinaryIO) -> FileState:
    return FileState.of(os.fstat(file.fileno()))
