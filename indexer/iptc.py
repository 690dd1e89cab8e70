"""IPTC-IIM: what programs wrote into photos before there was XMP, and still write beside it.

Fields and character sets: https://www.iptc.org/std/IIM/4.2/specification/IIMV4.2.pdf, sections 1.5
and 6.
"""

import struct
from collections.abc import Iterator

from pixquery.db.records import Annotation
from pixquery.indexer.typed import (
    MOST_KEYWORDS,
    caption_of,
    distinct,
    keyword_of,
    line_of,
    title_of,
)

_CHARACTER_SET = (1, 90)
_UTF_8 = b"\x1b%G"
_TITLES = ((2, 5), (2, 105))
"""Object name and headline."""
_KEYWORD, _CAPTION = (2, 25), (2, 120)
_PLACES = ((2, 92), (2, 90), (2, 95), (2, 101))
"""Sublocation, city, province, country."""
_USED = frozenset({_CHARACTER_SET, *_TITLES, _KEYWORD, _CAPTION, *_PLACES})
_MOST = 20_000
"""Fields that are looked at."""
_LONGEST = 64 * 1024

SHORTENED = 60
"""Bytes from which a text may be the beginning of a longer one: IPTC allows 64 for most fields."""


def words_of(data: bytes, maker: str = "") -> Annotation:
    """What the owner wrote in IPTC's fields; damaged ones are read as far as they go.

    Args:
        data: Of the fields, as they are in a photo.
        maker: Of the camera.
    """
    found: dict[tuple[int, int], list[bytes]] = {}
    for field, value in _fields(data):
        if field in _USED:
            found.setdefault(field, []).append(value)
    if not found:
        return Annotation()
    utf_8 = found.get(_CHARACTER_SET, [b""])[0].startswith(_UTF_8)

    def texts(*fields: tuple[int, int]) -> Iterator[str]:
        return (_text(value, utf_8=utf_8) for field in fields for value in found.get(field, ()))

    return Annotation(
        title=next(filter(None, (title_of(text, maker) for text in texts(*_TITLES))), ""),
        caption=next(filter(None, (caption_of(text, maker) for text in texts(_CAPTION))), ""),
        keywords=distinct(map(keyword_of, texts(_KEYWORD)), MOST_KEYWORDS),
        location=tuple(filter(None, (line_of(next(texts(field), "")) for field in _PLACES))),
    )


def _fields(data: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    """Record and number of each field, and its value."""
    at = 0
    for _ in range(_MOST):
        if data[at : at + 1] != b"\x1c" or at + 5 > len(data):
            return
        record, number, length = struct.unpack_from(">BBH", data, at + 1)
        at += 5
        if length & 0x8000:  # the length of the length, for long values
            digits = length & 0x7FFF
            length, at = int.from_bytes(data[at : at + min(digits, 8)], "big"), at + digits
        yield (record, number), data[at : at + min(length, _LONGEST)]
        at += length


def _text(value: bytes, *, utf_8: bool) -> str:
    """Text that is UTF-8 whether or not the fields say so, or else that of Windows."""
    value = value.rstrip(b"\0")
    if utf_8:
        return value.decode("utf-8", "replace")
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("cp1252", "replace")
