"""TIFFs that Pillow does not read, or not in their tones: more than eight bits, floating point.

Pillow shows white-is-zero of 16 bits as a negative, 12 bits in 16 nearly black, planes of 16 bits
as one, and knows no colours of more bits or of floating-point numbers at all. tifffile reads them,
but needs a package of 80 MB for LZW. libtiff in Pillow unpacks that just as well when it is told
that the bytes are a grey picture.
"""

import io
import math
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from pixquery.indexer.tiff import Compression, Layout, Tag, layout
from pixquery.indexer.tones import Values, black_and_white, eight_bits

_COLOURS = {0: 1, 1: 1, 2: 3, 5: 4}
"""How many channels have colours: white is zero, black is zero, RGB, CMYK."""
_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
_ALPHA = {1: "a", 2: "A"}
"""By what an extra channel is: alpha that the colours are multiplied with, or are not."""
_BITS = {"u": {*range(1, 17), 32, 64}, "i": {8, 16, 32, 64}, "f": {16, 32, 64}}
_MOST_CHANNELS = 16
_DEFLATED = (Compression.DEFLATE, Compression.OLD_DEFLATE)
_AT_ONCE = 1 << 20
"""Bytes of strips or tiles that are unpacked at once, if they are smaller."""


def is_deep(parts: Layout) -> bool:
    """Whether the picture is read here and not by Pillow."""
    return (parts.bits > 8 or parts.kind != "u") and is_readable(parts)


def is_readable(parts: Layout) -> bool:
    """Whether the picture can be read here."""
    return (
        parts.bits in _BITS.get(parts.kind, ())
        and parts.compression in set(Compression) - {Compression.WEBP}
        and _COLOURS.get(parts.photometric, 99) <= parts.channels <= _MOST_CHANNELS
        and parts.values(Tag.FILL_ORDER) in ((), (1,))
    )


def is_plain(parts: Layout) -> bool:
    """Whether Pillow reads the picture in less memory, and errs by its brightness at most."""
    plain = parts.kind == "u" and parts.bits == 16 and parts.photometric in (1, 2)
    return plain and not parts.planar


class DeepTiff(ImageFile.ImageFile):
    """A TIFF of more than eight bits, which is decoded into eight when it is loaded."""

    format = "TIFF"
    format_description = "TIFF of more than eight bits"

    def _open(self) -> None:
        content = self.fp.read() if self.fp else b""
        parts = layout(content)
        if parts is None or not is_readable(parts):
            raise SyntaxError("not a TIFF that is read here")
        self._parts: Layout | None = parts
        self._size = parts.width, parts.height
        colours = _COLOURS[parts.photometric]
        self._mode = _MODES[colours]
        if parts.channels > colours < 4:
            (extra,) = parts.values(Tag.EXTRA) or (2,)
            self._mode += _ALPHA.get(extra, "")
        self.tile = []
        self.working = _working(parts)
        """Bytes that decoding takes besides Pillow's own picture."""
        if profile := parts.tags.get(Tag.PROFILE):
            self.info["icc_profile"] = content[profile.at : profile.at + profile.length]
        if content[:4] in (b"II*\0", b"MM\0*"):
            self.info["exif"] = content
        elif orientation := parts.values(Tag.ORIENTATION):  # Pillow reads no EXIF of a BigTIFF
            self.getexif()[Tag.ORIENTATION] = orientation[0]

    def load(self) -> Any:
        """Decodes the picture, once."""
        if self._parts is not None:
            parts, self._parts, mode = self._parts, None, self.mode
            levels = _levels(parts, alpha=mode[-1] in "aA")
            self.im = Image.frombuffer(mode, self.size, levels, "raw", mode, 0, 1).im
        return super().load()


def _working(parts: Layout) -> int:
    width, height = parts.block  # tiles may be larger than the picture
    together = 1 if parts.planar else parts.channels
    block = max(_AT_ONCE, width * height * together * max(8, parts.bits) // 8)
    unpacking = {Compression.NONE: 0, **dict.fromkeys(_DEFLATED, block)}
    numbers = parts.width * parts.height * parts.channels * max(8, parts.bits) // 8
    levels = parts.width * parts.height * parts.channels
    return numbers + levels + unpacking.get(Compression(parts.compression), 2 * block)


def _levels(parts: Layout, *, alpha: bool) -> Values:
    """uint8[height, width, channels], the last channel alpha if asked for."""
    values = _numbers(parts)
    channels = _COLOURS[parts.photometric]
    colours = values[..., :channels]
    black, white = black_and_white(
        colours, parts.bits, largest=_largest(parts), nothing=_no_data(parts)
    )
    levels = eight_bits(colours, black, white, negative=parts.photometric == 0)
    if not alpha:
        return levels
    opaque = values[..., channels : channels + 1]
    shares = eight_bits(opaque, *black_and_white(opaque, parts.bits))
    return np.concatenate([levels, shares], axis=2)


def _largest(parts: Layout) -> int:
    """The largest value, as the file says; 0 if it does not."""
    if parts.kind == "f":
        return 0
    named = [parts.values(tag, parts.channels) for tag in (Tag.LARGEST, Tag.LARGEST_OF_FORMAT)]
    numbers = (value for values in named for value in values if isinstance(value, int | float))
    return max((int(number) for number in numbers if math.isfinite(number)), default=0)


def _no_data(parts: Layout) -> float | None:
    """The value that stands for no data, as the file says."""
    try:
        return float(b"".join(parts.values(Tag.NO_DATA, 40)).rstrip(b"\0 "))
    except (ValueError, TypeError):
        return None


def _numbers(parts: Layout) -> Values:
    """The picture's own numbers, [height, width, channels], in this computer's order of bytes."""
    blocks, (wide, high) = parts.blocks(), parts.block
    planes = parts.channels if parts.planar else 1
    together = parts.channels // planes
    across = math.ceil(parts.width / wide)
    in_plane = len(blocks) // planes
    row = math.ceil(wide * together * parts.bits / 8)
    batch = max(1, _AT_ONCE // (row * high))
    size = 1 if parts.bits <= 8 else 2 if parts.bits <= 16 else parts.bits // 8
    dtype = np.dtype(f"{parts.kind}{size}")
    numbers = np.empty((parts.height, parts.width, parts.channels), dtype)
    for plane in range(planes):
        for first in range(0, in_plane, batch):
            count, begin = min(batch, in_plane - first), plane * in_plane + first
            rows = count * high
            if not parts.tiled:
                rows = min(rows, parts.height - first * high)
            unpacked = _unpack(parts, blocks[begin : begin + count], row, high, rows)
            step = max(1, _AT_ONCE // row)
            for top in range(0, rows, step):
                bottom = min(top + step, rows)
                values = _as_numbers(_rows(unpacked, top, bottom), parts, wide, together, dtype)
                for n in range(top // high, math.ceil(bottom / high)):
                    start, stop = max(top, n * high), min(bottom, (n + 1) * high)
                    y = (first + n) // across * high + start - n * high
                    x = (first + n) % across * wide
                    target = numbers[y : y + stop - start, x : x + wide, plane : plane + together]
                    target[:] = values[start - top :][: target.shape[0], : target.shape[1]]
    return numbers


def _unpack(
    parts: Layout, blocks: list[tuple[int, int]], row: int, high: int, rows: int
) -> Values | Image.Image:
    """The bytes of blocks below each other, [rows, bytes of a row], or a grey picture of them."""
    sizes = [min(high, rows - n * high) * row for n in range(len(blocks))]
    view = memoryview(parts.content)
    packed = [view[begin:end] for begin, end in blocks]
    whole: list[bytes | memoryview]
    if parts.compression == Compression.NONE:
        whole = [data[:size] for data, size in zip(packed, sizes, strict=True)]
    elif parts.compression in _DEFLATED:
        try:
            whole = [
                zlib.decompressobj().decompress(data, size)
                for data, size in zip(packed, sizes, strict=True)
            ]
        except zlib.error as error:
            raise SyntaxError(str(error)) from None
    else:
        return _by_libtiff(packed, parts.compression, row, high, rows)
    if [len(data) for data in whole] != sizes:
        raise SyntaxError("a strip or tile is cut off")
    joined = whole[0] if len(whole) == 1 else b"".join(whole)
    return np.frombuffer(joined, np.uint8).reshape(rows, row)


def _by_libtiff(
    packed: list[memoryview], compression: int, row: int, high: int, rows: int
) -> Image.Image:
    """As strips of a grey picture, which libtiff unpacks."""
    count = len(packed)
    sizes = [len(data) for data in packed]
    tags = {Tag.WIDTH: [row], Tag.HEIGHT: [rows], Tag.BITS: [8], Tag.COMPRESSION: [compression],
            Tag.PHOTOMETRIC: [1], Tag.STRIP_OFFSETS: [], Tag.CHANNELS: [1],
            Tag.STRIP_ROWS: [high], Tag.STRIP_BYTES: sizes}  # fmt: skip
    at = 8 + 2 + 12 * len(tags) + 4
    first = at + (8 * count if count > 1 else 0)
    tags[Tag.STRIP_OFFSETS] = [first, *(first + np.cumsum(sizes[:-1])).tolist()]
    directory = arrays = b""
    for tag, values in tags.items():
        where = values[0]
        if len(values) > 1:
            where = at + len(arrays)
            arrays += struct.pack(f"<{len(values)}I", *values)
        directory += struct.pack("<HHII", tag, 4, len(values), where)
    head = struct.pack("<4sIH", b"II*\0", 8, len(tags)) + directory + bytes(4)
    with Image.open(io.BytesIO(b"".join([head, arrays, *packed])), formats=("TIFF",)) as image:
        image.load()
        return image


def _rows(unpacked: Values | Image.Image, top: int, bottom: int) -> Values:
    if isinstance(unpacked, Image.Image):
        return np.asarray(unpacked.crop((0, top, unpacked.width, bottom)))
    return unpacked[top:bottom]


def _as_numbers(
    packed: Values, parts: Layout, wide: int, together: int, dtype: np.dtype[Any]
) -> Values:
    """Bytes as numbers, [rows, wide, together], with the predictor undone."""
    rows, across, predictor = len(packed), wide * together, parts.predictor
    shape = rows, wide, together
    if parts.bits % 8:
        bits = np.unpackbits(packed, axis=1)[:, : across * parts.bits]
        places = 1 << np.arange(parts.bits - 1, -1, -1)
        return (bits.reshape(rows, across, parts.bits) @ places).astype(dtype).reshape(shape)
    if predictor == 3:  # Adobe's Photoshop TIFF technical note 3
        differences = packed.reshape(rows, -1, together)
        planes = np.cumsum(differences, axis=1, dtype=np.uint8).reshape(rows, -1, across)
        big = np.ascontiguousarray(planes.transpose(0, 2, 1))
        return big.view(dtype.newbyteorder(">")).reshape(shape)
    order: Any = parts.order
    values = packed.view(dtype.newbyteorder(order)).reshape(shape)
    if predictor == 2:
        whole = np.dtype(f"u{dtype.itemsize}")
        values = np.cumsum(values.astype(dtype).view(whole), axis=1, dtype=whole).view(dtype)
    return values
