"""The tags of a TIFF: how its picture is stored, and in which words to say so.

As TIFF 6.0 defines them, sections 2, 8, 14 and 15, and BigTIFF with its wider numbers. Pillow's own
reader of tags is not used: it reads all values of all tags, and warns of every damaged file.
"""

import math
import struct
from enum import IntEnum
from typing import Any, NamedTuple

from pixquery.indexer.signatures import BIG_TIFF


class Tag(IntEnum):
    """Numbers of tags."""

    WIDTH = 256
    HEIGHT = 257
    BITS = 258
    COMPRESSION = 259
    PHOTOMETRIC = 262
    FILL_ORDER = 266
    STRIP_OFFSETS = 273
    ORIENTATION = 274
    CHANNELS = 277
    STRIP_ROWS = 278
    STRIP_BYTES = 279
    LARGEST = 281
    PLANAR = 284
    PREDICTOR = 317
    PALETTE = 320
    TILE_WIDTH = 322
    TILE_HEIGHT = 323
    TILE_OFFSETS = 324
    TILE_BYTES = 325
    EXTRA = 338
    FORMAT = 339
    LARGEST_OF_FORMAT = 341
    PROFILE = 34675
    NO_DATA = 42113  # GDAL's


class Compression(IntEnum):
    """Ways in which strips and tiles are packed."""

    NONE = 1
    LZW = 5
    DEFLATE = 8
    PACKBITS = 32773
    OLD_DEFLATE = 32946
    LZMA = 34925
    ZSTD = 50000
    WEBP = 50001


_FAX, _JPEG, _YCBCR = {292, 293}, {347, *range(512, 522)}, {529, 530, 531, 532}
_NEEDED = {
    *(set(Tag) - {Tag.LARGEST, Tag.LARGEST_OF_FORMAT, Tag.PROFILE, Tag.NO_DATA}),
    *_FAX, *_JPEG, *_YCBCR,
}  # fmt: skip
"""Tags without which a picture cannot be decoded."""
_TYPES = {1: "B", 2: "c", 3: "H", 4: "I", 6: "b", 7: "c", 8: "h", 9: "i", 11: "f", 12: "d",
          13: "I", 16: "Q", 17: "q", 18: "Q"}  # fmt: skip
_SIZES = {5: 8, 10: 8, **{type_: struct.calcsize("=" + code) for type_, code in _TYPES.items()}}
_KINDS = {1: "u", 2: "i", 3: "f", 4: "u"}
_PREDICTED = set(Compression) - {Compression.NONE, Compression.PACKBITS, Compression.WEBP}
_MAX_TAGS, _MAX_BLOCKS, _MAX_CHANNELS = 4096, 400_000, 64
_COMPRESSIONS = {2: "fax", 3: "fax", 4: "fax", 6: "old JPEG", 7: "JPEG", 34676: "SGI Log",
                 34712: "JPEG 2000", 34887: "LERC", 50001: "WebP", 50002: "JPEG XL",
                 52546: "JPEG XL"}  # fmt: skip
_PHOTOMETRICS = {3: "palette", 4: "mask", 6: "YCbCr", 8: "Lab", 9: "Lab", 32844: "LogL",
                 32845: "LogLuv"}  # fmt: skip


class Entry(NamedTuple):
    """A tag of a file."""

    type: int
    length: int
    """How many values it has."""
    at: int
    """Where they are in the file."""
    whole: bytes
    """As it is in the directory."""


_SMALL_TILE = 4096 * 4096
_LARGER = 4
"""How many times as large as the picture larger tiles may be."""


class Layout(NamedTuple):
    """How a TIFF's first picture is stored."""

    content: bytes
    """The whole file."""
    order: str
    """Of its bytes, as :mod:`struct` writes it."""
    tags: dict[int, Entry]
    width: int
    height: int
    channels: int
    bits: int
    """Of a number."""
    kind: str
    """Of numbers, as NumPy's: "u", "i", "f", or "?" if they are none of these."""
    compression: int
    photometric: int

    def values(self, tag: int, most: int = 1) -> tuple[Any, ...]:
        """A tag's first values; none if there is no such tag."""
        return _values(self.content, self.order, self.tags.get(tag), most)

    def whole(self, tag: int, default: int | None = None) -> int:
        """A tag's first value, a whole number.

        Raises:
            SyntaxError: It is another kind of value, or there is none and no default.
        """
        (value,) = self.values(tag) or (default,)
        if not isinstance(value, int):
            raise SyntaxError(f"no whole number in its tag {tag}")
        return value

    @property
    def planar(self) -> bool:
        """Whether the channels are stored each for itself."""
        return self.channels > 1 and self.values(Tag.PLANAR) == (2,)

    @property
    def predictor(self) -> int:
        """2 or 3 if differences of whole or of floating-point numbers are stored; else 1."""
        return self.whole(Tag.PREDICTOR, 1) if self.compression in _PREDICTED else 1

    @property
    def tiled(self) -> bool:
        """Whether it is stored in tiles, and not in strips."""
        return Tag.TILE_WIDTH in self.tags

    @property
    def block(self) -> tuple[int, int]:
        """Width and height of a strip or tile.

        Raises:
            SyntaxError: They are not in the file, or impossible.
        """
        if self.tiled:
            width, height = self.whole(Tag.TILE_WIDTH), self.whole(Tag.TILE_HEIGHT)
        else:
            width = self.width
            height = min(self.whole(Tag.STRIP_ROWS, self.height), self.height)
        if width < 1 or height < 1:
            raise SyntaxError("strips or tiles without pixels")
        if width * height > max(_SMALL_TILE, _LARGER * self.width * self.height):
            raise SyntaxError("tiles much larger than the picture")  # all of one is decoded
        return width, height

    def blocks(self) -> list[tuple[int, int]]:
        """Where each strip or tile begins and ends in the file.

        Raises:
            SyntaxError: They are not in the file, or fewer than the picture needs, or more than are
                decoded.
        """
        width, height = self.block
        length = math.ceil(self.width / width) * math.ceil(self.height / height)
        length *= self.channels if self.planar else 1
        offsets, sizes = Tag.STRIP_OFFSETS, Tag.STRIP_BYTES
        if Tag.TILE_OFFSETS in self.tags:
            offsets, sizes = Tag.TILE_OFFSETS, Tag.TILE_BYTES
        if length > _MAX_BLOCKS:
            raise SyntaxError("more strips or tiles than are decoded")
        begins, lengths = self.values(offsets, length), self.values(sizes, length)
        if len(begins) < length:
            raise SyntaxError("fewer strips or tiles than the picture has")
        if len(lengths) < length:
            lengths = (len(self.content),) * length
        if not all(isinstance(value, int) for value in (*begins, *lengths)):
            raise SyntaxError("strips or tiles that begin or end nowhere")
        return [
            (begin, min(begin + size, len(self.content)))
            for begin, size in zip(begins, lengths, strict=True)
        ]

    def describe(self) -> str:
        """In a user's words, for example "3 x 32-bit floating point, planar"."""
        kinds = {"u": "", "i": " signed", "f": " floating point", "?": " of unusual numbers"}
        parts = [f"{self.channels} x {self.bits}-bit{kinds[self.kind]}"]
        parts += ["planar"] if self.planar else []
        if self.compression not in set(Compression) - {Compression.WEBP}:
            number = f"compression {self.compression}"
            parts.append(_COMPRESSIONS.get(self.compression, number))
        if self.photometric not in (0, 1, 2, 5):
            parts.append(_PHOTOMETRICS.get(self.photometric, f"colours {self.photometric}"))
        return ", ".join(parts)


def layout(content: bytes) -> Layout | None:
    """How the first picture is stored; None if the file is too damaged to say."""
    try:
        return _layout(content)
    except (struct.error, SyntaxError, ValueError, KeyError, IndexError, OverflowError):
        return None


def _layout(content: bytes) -> Layout:
    order = "<" if content[:1] == b"I" else ">"
    tags = _entries(content, order)

    def numbers(tag: int, most: int = 1) -> list[int]:
        return [int(value) for value in _values(content, order, tags.get(tag), most)]

    def number(tag: int, *default: int) -> int:
        return (numbers(tag) or default)[0]

    width, height, channels = number(Tag.WIDTH), number(Tag.HEIGHT), number(Tag.CHANNELS, 1)
    if width < 1 or height < 1 or not 1 <= channels <= _MAX_CHANNELS:
        raise ValueError("dimensions")
    depths = {*numbers(Tag.BITS, channels)} or {1}
    formats = {*numbers(Tag.FORMAT, channels)} or {1}
    if not 1 <= max(depths) <= 128:
        raise ValueError("bits")
    alike = len(depths) == len(formats) == 1
    return Layout(
        content,
        order,
        tags,
        width,
        height,
        channels,
        max(depths),
        _KINDS.get(max(formats), "?") if alike else "?",
        number(Tag.COMPRESSION, Compression.NONE),
        number(Tag.PHOTOMETRIC, 1 if channels < 3 else 2),
    )


def _entries(content: bytes, order: str) -> dict[int, Entry]:
    """The first directory's tags."""
    big = content[:4] in BIG_TIFF
    address, wide = order + ("Q" if big else "I"), 8 if big else 4
    (at,) = struct.unpack_from(address, content, wide)
    (length,) = struct.unpack_from(order + ("Q" if big else "H"), content, at)
    at += 8 if big else 2
    size = 4 + 2 * wide
    tags: dict[int, Entry] = {}
    for start in range(at, at + size * min(length, _MAX_TAGS), size):
        if start + size > len(content):
            break
        tag, type_ = struct.unpack_from(order + "HH", content, start)
        (count,) = struct.unpack_from(address, content, start + 4)
        where = start + 4 + wide
        if count * _SIZES.get(type_, 1) > wide:
            (where,) = struct.unpack_from(address, content, where)
        tags.setdefault(tag, Entry(type_, count, where, content[start : start + size]))
    return tags


def _values(content: bytes, order: str, entry: Entry | None, most: int) -> tuple[Any, ...]:
    if entry is None or entry.type not in _TYPES:
        return ()
    layout_ = f"{order}{min(entry.length, most)}{_TYPES[entry.type]}"
    try:
        return struct.unpack_from(layout_, content, entry.at)
    except struct.error:
        raise SyntaxError("values that lie outside of the file") from None


def without_extras(content: bytes) -> bytes:
    """With no tags but those that the picture is decoded by; the same file if it has no others."""
    order = "<" if content[:1] == b"I" else ">"
    try:
        tags = _entries(content, order)
    except (struct.error, OverflowError):
        return content
    kept = [entry.whole for tag, entry in sorted(tags.items()) if tag in _NEEDED]
    if len(kept) == len(tags):
        return content
    padding = bytes(len(content) % 2)
    at = len(content) + len(padding)
    if content[:4] in BIG_TIFF:
        head = content[:8] + struct.pack(order + "Q", at)
        directory = struct.pack(order + "Q", len(kept)) + b"".join(kept) + bytes(8)
    else:
        head = content[:4] + struct.pack(order + "I", at)
        directory = struct.pack(order + "H", len(kept)) + b"".join(kept) + bytes(4)
    return head + content[len(head) :] + padding + directory


def unread_kind(content: bytes) -> str:
    """What kind of TIFF it is, if its strips or tiles are all there; else empty."""
    parts = layout(content)
    if parts is None:
        return ""
    try:
        blocks = parts.blocks()
    except SyntaxError:
        return ""
    whole = all(0 < begin < end <= len(content) for begin, end in blocks)
    return parts.describe() if whole else ""
