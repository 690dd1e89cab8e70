"""PNG's chunks: those that make the picture, without what stands beside them.

As the PNG specification defines them (W3C, third edition, 11).
"""

import zlib
from collections.abc import Iterator

_MAX_PROFILE = 4 * 2**20
_SMALLEST = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"eXIf": 8, b"acTL": 8}
"""Chunks that a picture is shown with but not made of, and how many bytes they have at least."""
_TRANSPARENT = {0: 2, 2: 6, 3: 1}
"""Least bytes of tRNS by colour type."""
_BEFORE_PIXELS = {b"tRNS", *_SMALLEST} - {b"eXIf"}


def without_extras(content: bytes) -> tuple[bytes, bytes]:
    """The picture with as little beside it as it is shown with, and its colour profile if any.

    Ancillary chunks that are damaged are dropped, as libpng drops them; text, times and the like
    always. Chunks of the picture itself stay as they are, with their checksums.
    """
    colours = content[25] if len(content) > 25 else 0
    smallest = {**_SMALLEST, b"tRNS": _TRANSPARENT.get(colours, 1 << 32)}
    kept: list[bytes | memoryview] = [content[:8]]
    profile, pixels = b"", False
    view = memoryview(content)
    for name, begin, end in _chunks(content):
        pixels = pixels or name == b"IDAT"
        if name[:1].isupper() or name in (b"fcTL", b"fdAT"):
            kept.append(view[begin:end])
        elif not _is_intact(view[begin:end]):
            continue
        elif name == b"iCCP":
            profile = profile or _profile(view[begin + 8 : end - 4])
        elif pixels and name in _BEFORE_PIXELS:
            continue
        elif end - begin - 12 >= smallest.get(name, 1 << 32):
            kept.append(view[begin:end])
    return b"".join(kept), profile


def _chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin and end of each; the last may be cut off."""
    at = 8
    while at + 8 <= len(content):
        end = min(len(content), at + 12 + int.from_bytes(content[at : at + 4], "big"))
        name = content[at + 4 : at + 8]
        if not name.isalpha():
            name = b"none"  # an ancillary one that nobody knows
        yield name, at, end
        if name == b"IEND":
            return
        at = end


def _is_intact(chunk: memoryview) -> bool:
    length = int.from_bytes(chunk[:4], "big")
    checksum = int.from_bytes(chunk[-4:], "big")
    return len(chunk) == length + 12 and zlib.crc32(chunk[4:-4]) == checksum


def _profile(data: memoryview) -> bytes:
    """The profile in an iCCP chunk; empty if it is damaged, or too large to be used."""
    _, zero, packed = bytes(data).partition(b"\0")
    if not zero or packed[:1] != b"\0":
        return b""
    unpacking = zlib.decompressobj()
    try:
        profile = unpacking.decompress(packed[1:], _MAX_PROFILE + 1)
    except zlib.error:
        return b""
    return profile if len(profile) <= _MAX_PROFILE and unpacking.eof else b""
