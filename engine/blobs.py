"""Compiled models as files: they appear complete, and what was altered since is not used.

A file begins with its name's XXH3-128, so that none is taken for another, and with the length and
the XXH3-128 of what follows. That tells damage from what was written; it is no signature: whoever
may write to the cache can change what models compute.
"""

import mmap
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pixquery.db.checksums import checksum_of
from pixquery.engine.photos import open_file

UNFINISHED = ".new-"
"""What the names of unfinished files begin with."""

_MAGIC = b"pixquery model 1"
_HEADER = struct.Struct("<16s16sQ16s8x")
_COPIED = 16 * 2**20
"""Bytes up to which a model is copied into memory, where nothing can alter it. Copying a larger one
takes longer than everything else about it, so it is mapped, as OpenVINO does by itself."""


def read(file: Path) -> memoryview | None:
    """What :func:`write` wrote, in writable memory; none if it is anything else by now.

    Raises:
        OSError: The file cannot be read.
    """
    with open_file(file) as opened:
        header = opened.read(_HEADER.size)
        size = os.fstat(opened.fileno()).st_size
        if len(header) != _HEADER.size:
            return None
        magic, name, length, digest = _HEADER.unpack(header)
        if (magic, name) != (_MAGIC, _name(file)) or not length or size != _HEADER.size + length:
            return None
        if length > _COPIED:
            mapped = mmap.mmap(opened.fileno(), size, access=mmap.ACCESS_COPY)
            content = memoryview(mapped)[_HEADER.size :]
        else:
            content = memoryview(bytearray(opened.read(length)))
    return content if checksum_of(content) == digest else None


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
            header = _HEADER.pack(_MAGIC, _name(file), len(content), checksum_of(content))
            opened.write(header)
            opened.write(content)
        beside.chmod(beside.stat().st_mode & ~0o222)  # to be replaced, never written into
        beside.replace(file)
    finally:
        with suppress(OSError):  # gone, if all went well
            beside.unlink()


def _name(file: Path) -> bytes:
    return checksum_of(os.fsencode(file.name))
