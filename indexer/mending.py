"""Photos whose pixels are whole while something beside them is not.

Text, previews, colour profiles and end marks are nothing that a photo should be lost for. What is
asked here has failed to decode as it is, so that sound photos cost no time.
"""

import io
import random
import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from pixquery.db.errors import UnreadableImage
from pixquery.indexer import jpeg, png, tiff
from pixquery.indexer.boxes import boxes
from pixquery.indexer.limits import needed, room, stored
from pixquery.indexer.signatures import TIFF

_MOST_MISSING = 0.1
"""Of a picture's height, in its last row of blocks."""
_EXIF_ITEM, _NO_ITEM = b"Exif", b"skip"
_NOT_ASCII = bytes(min(n, ord("_")) if n > 127 else n for n in range(256))
_GIF_EXTENSION, _GIF_CONTROL, _GIF_PICTURE = 0x21, 0xF9, 0x2C
_WEBP_SHOWN = {b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"}
_WEBP_FLAGS = {b"ICCP": 0x20, b"EXIF": 0x08}
_WEBP_PLAIN_FLAGS = 0x12
"""Alpha and animation."""


class Mended(NamedTuple):
    """A photo's file without what was in the way."""

    content: bytes
    profile: bytes = b""
    """A colour profile that is not in it."""


def mended(content: bytes, kind: str, most: int) -> Mended | None:
    """The picture in a file that cannot be decoded as it is; None if that does not help.

    Args:
        content: The whole file.
        kind: As :func:`indexer.formats.kind_of` names it.
        most: Photos with more pixels are refused.

    Raises:
        UnreadableImage: Too much of the picture is missing.
    """
    if kind in ("HEIC", "AVIF"):
        return _changed(content, Mended(_without_exif_items(content)))
    if kind:
        return None
    if content.startswith(b"\xff\xd8\xff"):
        return _jpeg(content, most)
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return _changed(content, Mended(*png.without_extras(content)))
    if content.startswith(b"GIF8"):
        return _changed(content, Mended(_gif(content)))
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return _changed(content, Mended(_webp(content)))
    if content.startswith(TIFF):
        return _changed(content, Mended(tiff.without_extras(content)))
    return None


def _changed(content: bytes, after: Mended) -> Mended | None:
    return None if after == Mended(content) else after


# -- JPEG -------------------------------------------------------------------------------------


def _jpeg(content: bytes, most: int) -> Mended | None:
    parts = jpeg.layout(content, resume=False)
    if not parts.scans:
        return None
    picture = jpeg.without_extras(content, parts)
    if not parts.ended:
        _check_all_there(content, parts, picture, most)
    return _changed(content[: parts.end], Mended(picture + jpeg.END))


def _check_all_there(content: bytes, parts: jpeg.Layout, picture: bytes, most: int) -> None:
    """Refuses a picture without its end if more than its last row of blocks is missing.

    libjpeg does not tell how far the data went. So they are continued in two ways: rows that come
    out differently are those that were missing.
    """
    if not jpeg.all_scans_begun(content, parts):
        raise UnreadableImage("damaged or cut off (not all of its passes are there)")
    noise = random.Random(0).randbytes(1 << 14).replace(b"\xff", b"\xfe")
    one = _half_size(picture + jpeg.END, most)
    differs = (one != _half_size(picture + noise + jpeg.END, most)).reshape(len(one), -1)
    rows = np.flatnonzero(differs.any(axis=1))
    if not len(rows):
        return
    missing = 1 - int(rows[0]) / len(one)
    height, block = jpeg.frame_height(content, parts)
    last_row = (height - 1) % block + 1
    smoothed = 4  # rows above it that it shines into
    if missing > _MOST_MISSING or missing * height > last_row + smoothed:
        raise UnreadableImage(
            f"damaged or cut off (the lower {max(1, round(100 * missing))}% of it is missing)"
        )


def _half_size(content: bytes, most: int) -> np.ndarray:
    with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
        working = needed(image, content, most)
        image.draft("RGB", (max(1, image.width // 2), max(1, image.height // 2)))
        with room.take(working + 2 * stored(image)):
            return np.asarray(image)


# -- others -----------------------------------------------------------------------------------


def _gif(content: bytes) -> bytes:
    """Without comments and what programs wrote, up to the first picture."""
    palette = 3 * (2 << (content[10] & 7)) if len(content) > 12 and content[10] & 0x80 else 0
    at, control = 13 + palette, b""
    head = content[:at]
    while content[at : at + 1] == bytes([_GIF_EXTENSION]):
        begin, at = at, at + 2
        while length := int.from_bytes(content[at : at + 1], "big"):
            at += 1 + length
        at += 1
        if content[begin + 1 : begin + 3] == bytes([_GIF_CONTROL, 4]):
            control = content[begin:at]
    return head + control + content[at:]


def _webp(content: bytes) -> bytes:
    """With EXIF and colour profile if they are whole, and nothing else but the picture."""
    chunks = dict(_riff(content))
    header = bytearray(chunks.get(b"VP8X", b""))
    extras = [name for name in _WEBP_FLAGS if chunks.get(name)]
    if header:
        header[0] = header[0] & _WEBP_PLAIN_FLAGS | sum(_WEBP_FLAGS[name] for name in extras)
    parts = [(b"VP8X", bytes(header))] if header else []
    if header and b"ICCP" in extras:
        parts.append((b"ICCP", chunks[b"ICCP"]))
    parts += [(name, data) for name, data in _riff(content) if name in _WEBP_SHOWN]
    if header and b"EXIF" in extras:
        parts.append((b"EXIF", chunks[b"EXIF"]))
    body = b"".join(
        name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for name, data in parts
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _riff(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks that are whole: name and data."""
    at = 12
    while at + 8 <= len(content):
        name, length = struct.unpack_from("<4sI", content, at)
        if at + 8 + length > len(content):
            return
        yield name, content[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _without_exif_items(content: bytes) -> bytes:
    """With the items of EXIF marked as to be skipped, and names of items in ASCII."""
    changed = bytearray(content)
    for name, start, end in boxes(content, 0, len(content)):
        if name == b"meta":
            for inner, first, last in boxes(content, start + 4, end):
                if inner == b"iinf" and first < last:
                    first += 6 if content[first] == 0 else 8
                    for _, entry, over in boxes(content, first, last):
                        words = entry + (8 if content[entry] == 2 else 10)
                        text = content[words:over].translate(_NOT_ASCII)
                        if text.startswith(_EXIF_ITEM):
                            text = _NO_ITEM + text[len(_EXIF_ITEM) :]
                        changed[words:over] = text
            break
    return bytes(changed)
