"""Compiled models as files: they appear complete, and what was altered since is not used.

A file begins with the length and the XXH3-128 of what follows. That tells damage from what was
written; it is no signature: whoever may write to the cache can change what models compute.
"""

import os
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import xxhash

from pixquery.engine.photos import open_file

_MAGIC = b"pixquery model 1"
_HEADER = struct.Struct("<16sQ16s")
UNFINISHED = ".new-"
"""What the names of unfinished files begin with."""
_STEP = 1 << 20
"""Bytes that are read and digested at a time, so that they are still in the processor's cache."""

Room = Callable[[int], memoryview]
"""Gives writable memory of so many bytes."""


def read(file: Path, room: Room) -> bool:
    """Reads what :func:`write` wrote.

    What is checked is the memory that the caller goes on to use, so that it makes no difference
    what happens to the file afterwards.

    Args:
        file: Of the compiled model.
        room: Called with the length once the header is known to be right.

    Returns:
        Whether ``room`` was filled with exactly what was written.

    Raises:
        OSError: The file cannot be read.
    """
    with open_file(file) as opened:
        header = opened.read(_HEADER.size)
        if len(header) != _HEADER.size:
            return False
        magic, length, wanted = _HEADER.unpack(header)
        size = os.fstat(opened.fileno()).st_size
        if magic != _MAGIC or not length or size != _HEADER.size + length:
            return False
        content, digest = room(length), xxhash.xxh3_128()
        for start in range(0, length, _STEP):
            part = content[start : start + _STEP]
            if opened.readinto(part) != len(part):  # type: ignore[attr-defined]
                return False
            digest.update(part)
        return bool(digest.digest() == wanted)


def write(file: Path, make: Callable[[], bytes]) -> None:
    """Writes a compiled model, in place of what is there.

    Args:
        file: Where it belongs; its folder is created if it is missing.
        make: Gives the model; only called if there is a folder to write to.

    Raises:
        OSError: It cannot be written, and nothing was left behind.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{UNFINISHED}{os.urandom(8).hex()}")
    try:
        with beside.open("xb") as opened:
            content = make()
            digest = xxhash.xxh3_128_digest(content)
            opened.write(_HEADER.pack(_MAGIC, len(content), digest))
            opened.write(content)
        beside.replace(file)
    finally:
        with suppress(OSError):  # gone, if all went well
            beside.unlink()
