"""TIFFs that Pillow does not read, or not in their tones: more than eight bits, floating point.

Pillow shows white-is-zero of 16 bits as a negative, 12 bits in 16 nearly black, planes of 16 bits
as one, and knows no colours of more bits or of floating-point numbers at all. tifffile reads them,
but needs a package of 80 MB for LZW, which libtiff in Pillow unpacks just as well when it is told
that the bytes are a grey picture. TIFF 6.0, sections 2, 8, 14, 15; its supplements for predictor 3.
"""

import io
import math
import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageFile

from pixquery.indexer.tones import Values, black_and_white, eight_bits

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 259, 262, 266
_OFFSETS, _SAMPLES, _STRIP_ROWS, _COUNTS, _PLANAR, _PREDICTOR = 273, 277, 278, 279, 284, 317
_ORIENTATION, _LARGEST, _TILE_WIDTH, _TILE_HEIGHT = 274, 281, 322, 323
_TILE_OFFSETS, _TILE_COUNTS, _EXTRA, _FORMAT, _LARGEST_OF_FORMAT = 324, 325, 338, 339, 341
_NO_DATA, _PROFILE = 42113, 34675
_NEEDED = {
    _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _OFFSETS, _ORIENTATION,
    _SAMPLES, _STRIP_ROWS, _COUNTS, _PLANAR, 292, 293, _PREDICTOR, 320, _TILE_WIDTH, _TILE_HEIGHT,
    _TILE_OFFSETS, _TILE_COUNTS, _EXTRA, _FORMAT, 347, 512, 513, 514, 519, 520, 521, 529, 530, 531,
    532,
}  # fmt: skip
"""Tags without which a picture cannot be decoded."""

_TYPES = {1: "B", 2: "c", 3: "H", 4: "I", 6: "b", 7: "c", 8: "h", 9: "i", 11: "f", 12: "d",
          13: "I", 16: "Q", 17: "q", 18: "Q"}  # fmt: skip
_SIZES = {5: 8, 10: 8, **{type_: struct.calcsize("=" + code) for type_, code in _TYPES.items()}}
_MAX_TAGS, _MAX_BLOCKS, _MAX_CHANNELS = 4096, 1_000_000, 16
_NONE, _LZW, _DEFLATE, _OLD_DEFLATE, _PACKBITS, _LZMA, _ZSTD = 1, 5, 8, 32946, 32773, 34925, 50000
_UNPACKED = {_NONE, _LZW, _DEFLATE, _OLD_DEFLATE, _PACKBITS, _LZMA, _ZSTD}
_PREDICTED = _UNPACKED - {_NONE, _PACKBITS}
_COLOURS = {0: 1, 1: 1, 2: 3, 5: 4}
"""How many channels have colours: white is zero, black is zero, RGB, CMYK."""
_KINDS = {1: "u", 2: "i", 3: "f", 4: "u"}
_AT_ONCE = 1 << 20
"""Bytes that libtiff unpacks at once, at least."""
WEBP = 50001
"""A compression: Pillow's libtiff has no WebP, and says so on standard error."""
_NAMES = {6: "old JPEG", 7: "JPEG", 34712: "JPEG 2000", 34676: "SGI Log", 34887: "LERC",
          WEBP: "WebP", 50002: "JPEG XL", 52546: "JPEG XL"}  # fmt: skip


class _Tag(NamedTuple):
    type: int
    count: int
    at: int
    """Where the values are in the file."""
    entry: bytes
    """As it is in the directory."""


class Layout(NamedTuple):
    """How a TIFF's first picture is stored."""

    width: int
    height: int
    channels: int
    bits: int
    """Of each channel."""
    kind: str
    """As NumPy's: "u", "i", "f", or "?" if it is none of these."""
    compression: int
    photometric: int
    planar: bool
    tile: tuple[int, int] | None
    """Width and height of the tiles; None if there are strips."""
    tags: dict[int, _Tag]
    order: str
    """Of bytes, as :mod:`struct` writes it."""
    predictor: int
    """2 and 3 store differences of pixels, of whole and of floating-point numbers."""

    def describe(self) -> str:
        """In a user's words, for example "3 x 32-bit floating point, planar"."""
        kind = {"f": " floating point", "i": " signed", "?": " of an unusual kind"}.get(self.kind, "")
        name = _NAMES.get(self.compression, f"compression {self.compression}")
        parts = [f"{self.channels} x {self.bits}-bit{kind}"]
        parts += ["planar"] * self.planar + [name] * (self.compression not in _UNPACKED)
        parts += [f"colours {self.photometric}"] * (self.photometric not in _COLOURS)
        return ", ".join(parts)


def layout(content: bytes) -> Layout | None:
    """How the first picture is stored; None if the file is damaged so that it does not say."""
    try:
        return _layout(content)
    except (struct.error, ValueError, KeyError, IndexError, OverflowError):
        return None


def _layout(content: bytes) -> Layout:
    order = "<" if content[:1] == b"I" else ">"
    tags = _tags(content, order)

    def number(tag: int, default: int | None = None) -> int:
        if tag not in tags and default is not None:
            return default
        return int(_values(content, order, tags[tag], 1)[0])

    channels = number(_SAMPLES, 1)
    if not 1 <= channels <= 64:
        raise ValueError(channels)
    depths = {*_values(content, order, tags[_BITS], channels)} if _BITS in tags else {1}
    formats = {*_values(content, order, tags[_FORMAT], channels)} if _FORMAT in tags else {1}
    bits = int(max(depths))
    width, height = number(_WIDTH), number(_HEIGHT)
    if width < 1 or height < 1 or not 1 <= bits <= 64:
        raise ValueError(bits)
    plain = len(depths) == len(formats) == 1
    return Layout(
        width,
        height,
        channels,
        bits,
        _KINDS.get(int(max(formats)), "?") if plain else "?",
        number(_COMPRESSION, _NONE),
        number(_PHOTOMETRIC, 1 if channels < 3 else 2),
        channels > 1 and number(_PLANAR, 1) == 2,
        (number(_TILE_WIDTH), number(_TILE_HEIGHT)) if _TILE_WIDTH in tags else None,
        tags,
        order,
        number(_PREDICTOR, 1) if number(_COMPRESSION, _NONE) in _PREDICTED else 1,
    )


def _tags(content: bytes, order: str) -> dict[int, _Tag]:
    """The first directory."""
    wide = content[:4] in STARTS[2:]
    (at,) = struct.unpack_from(order + ("Q" if wide else "I"), content, 8 if wide else 4)
    (count,) = struct.unpack_from(order + ("Q" if wide else "H"), content, at)
    at += 8 if wide else 2
    layout_, inline = (order + "HHQ", 8) if wide else (order + "HHI", 4)
    head = struct.calcsize(layout_)
    tags: dict[int, _Tag] = {}
    for start in range(at, at + (head + inline) * min(count, _MAX_TAGS), head + inline):
        if start + head + inline > len(content):
            break
        tag, type_, values = struct.unpack_from(layout_, content, start)
        where = start + head
        if values * _SIZES.get(type_, 1) > inline:
            (where,) = struct.unpack_from(order + ("Q" if wide else "I"), content, where)
        entry = content[start : start + head + inline]
        tags.setdefault(tag, _Tag(type_, values, where, entry))
    return tags


def _values(content: bytes, order: str, tag: _Tag, most: int) -> tuple[Any, ...]:
    count = min(tag.count, most)
    return struct.unpack_from(f"{order}{count}{_TYPES[tag.type]}", content, tag.at)


def without_extras(content: bytes) -> bytes:
    """With no tags but those that the picture is decoded by; the same file if it has no others."""
    order = "<" if content[:1] == b"I" else ">"
    try:
        tags = _tags(content, order)
    except (struct.error, OverflowError):
        return content
    kept = [tag.entry for number, tag in sorted(tags.items()) if number in _NEEDED]
    if len(kept) == len(tags):
        return content
    at = len(content) + len(content) % 2
    if content[:4] in STARTS[2:]:
        head = content[:8] + struct.pack(order + "Q", at)
        directory = struct.pack(order + "Q", len(kept)) + b"".join(kept) + bytes(8)
    else:
        head = content[:4] + struct.pack(order + "I", at)
        directory = struct.pack(order + "H", len(kept)) + b"".join(kept) + bytes(4)
    return head + content[len(head) :] + bytes(at - len(content)) + directory


def unread_kind(content: bytes) -> str:
    """What kind of TIFF it is, if one that is whole as far as one can see; else empty."""
    parts = layout(content)
    if parts is None:
        return ""
    try:
        blocks = _blocks(content, parts)
    except (struct.error, ValueError, KeyError, OverflowError):
        return ""
    whole = all(0 < begin < end <= len(content) for begin, end in blocks)
    return parts.describe() if whole else ""


# -- reading ----------------------------------------------------------------------------------


def is_deep(parts: Layout) -> bool:
    """Whether the picture is read here and not by Pillow."""
    return (parts.bits > 8 or parts.kind != "u") and is_readable(parts)


def is_readable(parts: Layout) -> bool:
    """Whether the picture can be read here."""
    bits = {"u": {*range(1, 17), 32, 64}, "i": {8, 16, 32, 64}, "f": {16, 32, 64}}
    row = (parts.tile[0] if parts.tile else 0) * parts.bits
    return (
        parts.bits in bits.get(parts.kind, ())
        and parts.compression in _UNPACKED
        and _COLOURS.get(parts.photometric, 99) <= parts.channels <= _MAX_CHANNELS
        and _FILL_ORDER not in parts.tags
        and (parts.tile is None or (min(parts.tile) > 0 and row % 8 == 0))
    )


class DeepTiff(ImageFile.ImageFile):
    """A TIFF of more than eight bits, which is decoded into eight when it is loaded."""

    format = "TIFF"
    format_description = "TIFF of more than eight bits"

    def _open(self) -> None:
        self._content = self.fp.read() if self.fp else b""
        parts = layout(self._content)
        if parts is None or not is_readable(parts):
            raise SyntaxError("not a TIFF that is read here")
        self._parts = parts
        self._size = parts.width, parts.height
        colours = _COLOURS[parts.photometric]
        extra = _values(self._content, parts.order, parts.tags[_EXTRA], 1) if (
            _EXTRA in parts.tags
        ) else (2,)  # fmt: skip
        alpha = parts.channels > colours < 4 and extra[0] in (1, 2)
        self._mode = {1: "L", 3: "RGB", 4: "CMYK"}[colours]
        if alpha:
            self._mode += "a" if extra[0] == 1 else "A"
        self.tile = []
        if _PROFILE in parts.tags:
            tag = parts.tags[_PROFILE]
            self.info["icc_profile"] = self._content[tag.at : tag.at + tag.count]
        if self._content[:4] in STARTS[:2]:
            self.info["exif"] = self._content
        elif _ORIENTATION in parts.tags:  # Pillow reads no EXIF out of a BigTIFF
            self.getexif()[_ORIENTATION] = _values(
                self._content, parts.order, parts.tags[_ORIENTATION], 1
            )[0]

    @property
    def working(self) -> int:
        """Bytes that decoding takes besides Pillow's own picture."""
        parts = self._parts
        width, height = parts.width, parts.height
        if parts.tile:
            width, height = (
                math.ceil(side / step) * step
                for side, step in zip((width, height), parts.tile, strict=True)
            )
        stored = width * height * parts.channels * max(8, parts.bits) // 8
        return stored + parts.width * parts.height * parts.channels

    def load(self) -> Any:
        if self._content:
            content, self._content = self._content, b""
            levels = _picture(content, self._parts, self.mode)
            mode = self.mode
            self.im = Image.frombuffer(mode, self.size, levels, "raw", mode, 0, 1).im
        return super().load()


def _picture(content: bytes, parts: Layout, mode: str) -> Values:
    """uint8[height, width, channels of the mode]."""
    values = _numbers(content, parts)
    colours = _COLOURS[parts.photometric]
    largest = 0
    for tag in (_LARGEST, _LARGEST_OF_FORMAT):
        if tag in parts.tags and parts.tags[tag].type in (3, 4):
            largest = int(max(_values(content, parts.order, parts.tags[tag], parts.channels)))
    nothing = None
    if _NO_DATA in parts.tags:
        tag_ = parts.tags[_NO_DATA]
        try:
            nothing = float(content[tag_.at : tag_.at + min(tag_.count, 40)].rstrip(b"\0 "))
        except ValueError:
            nothing = None
    black, white = black_and_white(
        values[..., :colours], parts.bits, largest=largest, nothing=nothing
    )
    levels = eight_bits(
        values[..., :colours], black, white, negative=parts.photometric == 0
    )
    if mode[-1] not in "Aa":
        return levels
    alpha = values[..., colours : colours + 1]
    return np.concatenate([levels, eight_bits(alpha, *black_and_white(alpha, parts.bits))], axis=2)


def _numbers(content: bytes, parts: Layout) -> Values:
    """The picture's own numbers, [height, width, channels], in this computer's order of bytes."""
    blocks = _blocks(content, parts)
    planes = parts.channels if parts.planar else 1
    together = parts.channels // planes
    wide, high = parts.tile or (parts.width, _strip_rows(content, parts))
    across, down = math.ceil(parts.width / wide), math.ceil(parts.height / high)
    size = math.ceil(max(8, parts.bits) / 8)
    dtype = np.dtype(f"{parts.kind}{1 << (size - 1).bit_length()}")
    numbers = np.empty((parts.height, parts.width, parts.channels), dtype)
    row = math.ceil(wide * together * parts.bits / 8)
    for plane in range(planes):
        for column in range(across):
            mine = [blocks[(plane * down + n) * across + column] for n in range(down)]
            batch = max(1, _AT_ONCE // max(1, row * high))
            for first in range(0, down, batch):
                y = first * high
                rows = min(batch * high, (down * high if parts.tile else parts.height) - y)
                packed = _unpack(content, mine[first : first + batch], parts, row, high, rows)
                values = _as_numbers(packed, parts, wide, together, dtype)
                x = column * wide
                target = numbers[y : y + rows, x : x + wide, plane : plane + together]
                target[:] = values[: target.shape[0], : target.shape[1]]
    return numbers


def _strip_rows(content: bytes, parts: Layout) -> int:
    if _STRIP_ROWS not in parts.tags:
        return parts.height
    rows = _values(content, parts.order, parts.tags[_STRIP_ROWS], 1)[0]
    return max(1, min(int(rows), parts.height))


def _blocks(content: bytes, parts: Layout) -> list[tuple[int, int]]:
    """Where each strip or tile begins and ends in the file."""
    wide, high = parts.tile or (parts.width, _strip_rows(content, parts))
    if wide < 1 or high < 1:
        raise ValueError(high)
    count = math.ceil(parts.width / wide) * math.ceil(parts.height / high)
    count *= parts.channels if parts.planar else 1
    offsets, counts = (_TILE_OFFSETS, _TILE_COUNTS) if _TILE_OFFSETS in parts.tags else (
        _OFFSETS, _COUNTS
    )  # fmt: skip
    if count > _MAX_BLOCKS or parts.tags[offsets].count < count:
        raise ValueError(count)
    begins = _values(content, parts.order, parts.tags[offsets], count)
    if counts in parts.tags and parts.tags[counts].count >= count:
        lengths = _values(content, parts.order, parts.tags[counts], count)
    else:
        lengths = (len(content),) * count
    return [
        (int(begin), min(int(begin + length), len(content)))
        for begin, length in zip(begins, lengths, strict=True)
    ]


def _unpack(
    content: bytes, blocks: list[tuple[int, int]], parts: Layout, row: int, high: int, rows: int
) -> Values:
    """The bytes of blocks below each other, uint8[rows, bytes of a row]."""
    wanted = [min(high, rows - n * high) * row for n in range(len(blocks))]
    packed = [content[begin:end] for begin, end in blocks]
    if parts.compression == _NONE:
        whole = [data[:size] for data, size in zip(packed, wanted, strict=True)]
    elif parts.compression in (_DEFLATE, _OLD_DEFLATE):
        whole = [
            zlib.decompressobj().decompress(data, size)
            for data, size in zip(packed, wanted, strict=True)
        ]
    else:
        return _by_libtiff(packed, parts.compression, row, high, rows)
    if [len(data) for data in whole] != wanted:
        raise OSError("a strip or tile is cut off")
    return np.frombuffer(b"".join(whole), np.uint8).reshape(rows, row)


def _by_libtiff(packed: list[bytes], compression: int, row: int, high: int, rows: int) -> Values:
    """The same, unpacked as strips of a grey picture."""
    count = len(packed)
    tags = {_WIDTH: [row], _HEIGHT: [rows], _BITS: [8], _COMPRESSION: [compression],
            _PHOTOMETRIC: [1], _OFFSETS: [0] * count, _SAMPLES: [1], _STRIP_ROWS: [high],
            _COUNTS: [len(data) for data in packed]}  # fmt: skip
    at = 8 + 2 + 12 * len(tags) + 4
    first = at + (8 * count if count > 1 else 0)
    begins = np.cumsum([first, *tags[_COUNTS][:-1]]).tolist()
    tags[_OFFSETS] = begins
    directory = b""
    arrays = b""
    for tag, values in tags.items():
        where = values[0]
        if len(values) > 1:
            where = at + len(arrays)
            arrays += struct.pack(f"<{count}I", *values)
        directory += struct.pack("<HHII", tag, 4, len(values), where)
    head = struct.pack("<4sIH", b"II*\0", 8, len(tags)) + directory + bytes(4)
    file = io.BytesIO(b"".join([head, arrays, *packed]))
    with Image.open(file, formats=("TIFF",)) as image:
        return np.asarray(image)


def _as_numbers(
    packed: Values, parts: Layout, wide: int, together: int, dtype: np.dtype[Any]
) -> Values:
    """Bytes as numbers, [rows, wide, together], with the predictor undone."""
    rows, across = len(packed), wide * together
    if parts.predictor == 3:
        size = dtype.itemsize
        steps = packed.reshape(rows, across * size // together, together)
        planes = np.cumsum(steps, axis=1, dtype=np.uint8).reshape(rows, size, across)
        turned = np.ascontiguousarray(planes.transpose(0, 2, 1))
        return turned.view(dtype.newbyteorder(">")).reshape(rows, wide, together)
    if parts.bits % 8:
        bits = np.unpackbits(packed, axis=1)[:, : across * parts.bits]
        weights = 1 << np.arange(parts.bits - 1, -1, -1)
        values = bits.reshape(rows, across, parts.bits) @ weights
        return values.astype(dtype).reshape(rows, wide, together)
    values = packed.view(dtype.newbyteorder(parts.order)).reshape(rows, wide, together)
    if parts.predictor == 2:
        values = values.astype(dtype)
        kind = dtype if dtype.kind != "f" else np.dtype(f"u{dtype.itemsize}")
        values = np.cumsum(values.view(kind), axis=1, dtype=kind).view(dtype)
    return values
