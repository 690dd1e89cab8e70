"""How much decoding a photo may take: pixels, bytes and passes, all known from its header."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from pixquery.db.errors import UnreadableImage
from pixquery.indexer import jpeg
from pixquery.indexer.boxes import boxes
from pixquery.indexer.deep_tiff import DeepTiff

MAX_PIXELS = 256_000_000
"""Larger photos are refused before decoding; the largest phone cameras take 200 megapixels."""
MAX_MEMORY = 900_000_000
"""Bytes that decoding one photo may take, including its file; checked before decoding.

A film behind a photo is no part of it: only :data:`engine.photos.MAX_BYTES` bounds that.
"""

_MAX_SCANNED = 4_000_000_000
"""Pixels times passes of a progressive JPEG; allows 200 megapixels in 12 passes."""
_LARGE_JPEG = 100_000_000
_MAX_RUNS = 16_000_000
"""Pixels, and four times the bytes, of a run-length coded BMP: Pillow decodes it in Python."""
_WORKING = {"WEBP": 12, "AVIF": 12, "HEIF": 12, "JXL": 12}
"""Bytes per pixel that decoders of whole photos need besides what Pillow stores."""
_STORED = {"1": 2, "L": 1, "P": 5, "I": 8, "F": 8, "LA": 12, "PA": 12, "RGBA": 12}
"""Bytes per pixel that Pillow stores, including copies made of it; 4 for other modes."""
_FILM = b"mpvd"
"""The box of a motion photo's film (Android's motion photo format, 1.0)."""
_TIFF_BITS, _TIFF_ORIENTATION = 258, 274


class Room:
    """Bytes that all decoding threads may take together; a photo that needs more takes all."""

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._changed = threading.Condition()

    @contextmanager
    def take(self, needed: int) -> Iterator[None]:
        """Waits until there is room for ``needed`` bytes, and reserves it."""
        needed = min(needed, self._size)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= needed)
            self._free -= needed
        try:
            yield
        finally:
            with self._changed:
                self._free += needed
                self._changed.notify_all()


room = Room(400_000_000)


def stored(image: Image.Image) -> int:
    """Bytes of Pillow's own picture at the size at which it is about to be decoded."""
    mode = "RGBA" if "transparency" in image.info else image.mode.partition(";")[0]
    return image.width * image.height * _STORED.get(mode, 4)


def fits(image: DeepTiff, content: bytes) -> bool:
    """Whether such a TIFF can be decoded in the memory that one photo may take."""
    return image.working + stored(image) + len(content) <= MAX_MEMORY


def needed(image: Image.Image, content: bytes, most: int = MAX_PIXELS) -> int:
    """Bytes that decoding takes besides Pillow's own picture.

    Args:
        image: Opened, but not decoded yet.
        content: Its file.
        most: Photos with more pixels are refused.

    Raises:
        UnreadableImage: The photo is too large.
    """
    pixels = image.width * image.height
    dimensions = f"{image.width:,} x {image.height:,} pixels"
    if pixels > most:
        raise UnreadableImage(
            f"{dimensions} are more than the {most // 10**6} megapixels that are decoded"
        )
    length = len(content)
    if isinstance(image, JpegImageFile):  # in strips and scaled down, or in passes
        passes = 1
        if "progressive" in image.info or pixels > _LARGE_JPEG:
            parts = jpeg.layout(content)
            passes, length = len(parts.scans), parts.end  # a film behind it is not decoded
        if passes > jpeg.MAX_SCANS or pixels * passes > _MAX_SCANNED:
            raise UnreadableImage(f"{dimensions} in more passes than are decoded")
        working, picture = _coefficients(image) if passes > 1 else 0, 0
    elif isinstance(image, DeepTiff):
        working, picture = image.working, stored(image)
    elif isinstance(image, TiffImageFile):
        turned = 4 if image.tag_v2.get(_TIFF_ORIENTATION, 1) != 1 else 0
        bits = sum(image.tag_v2.get(_TIFF_BITS, (8,)))
        working, picture = pixels * (bits // 8 + turned), stored(image)
    else:
        working, picture = pixels * _WORKING.get(image.format or "", 0), stored(image)
    if image.format in ("HEIF", "AVIF"):
        of_file = boxes(content, 0, len(content))
        length -= sum(end - start for name, start, end in of_file if name == _FILM)
    runs = isinstance(image, BmpImageFile) and image.tile[0][0] == "bmp_rle"
    if runs and max(pixels, 4 * len(content)) > _MAX_RUNS:
        raise UnreadableImage(
            f"{dimensions} in {len(content):,} bytes are more than is decoded "
            "of a run-length coded BMP"
        )
    if working + picture + length > MAX_MEMORY:
        raise UnreadableImage(
            f"{dimensions} of this format take more than the {MAX_MEMORY // 10**6} MB "
            "that decoding may take"
        )
    return working


def _coefficients(image: JpegImageFile) -> int:
    """Bytes that libjpeg keeps of a progressive photo until its last pass."""
    shares = [across * down for _, across, down, _ in image.layer]
    return 2 * image.width * image.height * sum(shares) // max(1, max(shares, default=1))
