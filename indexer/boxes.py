"""Boxes, the parts that HEIC, AVIF and JPEG XL files consist of (ISO/IEC 14496-12, section 4.2)."""

import struct
from collections.abc import Iterator

_MAX_BOXES = 10_000


def boxes(content: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes between two offsets: name, and where the data of each begins and ends."""
    for _ in range(_MAX_BOXES):
        if start + 16 > end:
            return
        length, name, long = struct.unpack_from(">I4sQ", content, start)
        first = start + (16 if length == 1 else 8)
        after = min(end, start + (long if length == 1 else length or end - start))
        if after < first:
            return
        yield name, first, after
        start = after
