"""JPEG XL photos, opened without decoding them.

A decoder that opens lazily would make this file smaller, but there is none: Pillow 13 has no
JPEG XL, and pillow-jxl-plugin 1.3.8 decodes in ``Image.open``, before anybody can refuse the size
(see ``_open`` in its ``JpegXLImagePlugin.py``). So the size is read from the header here.
"""

import io
from functools import cache
from typing import Any

from PIL import Image, ImageFile

from pixquery.db.errors import UnreadableImage
from pixquery.indexer.boxes import boxes
from pixquery.indexer.signatures import JPEG_XL_CODE

_MAX_CHANNELS = 4
"""Besides the colours: alpha, depth, spot colours. Each takes memory and next to no bytes."""
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


def open_jpeg_xl(content: bytes) -> Image.Image:
    """Opens a JPEG XL without decoding it.

    Raises:
        ImportError: The plugin is not installed.
        UnreadableImage: It is animated, or has more channels than are decoded.
        SyntaxError: It is not a JPEG XL.
    """
    _load_plugin()
    return _JpegXlFile(io.BytesIO(content))


@cache
def _load_plugin() -> None:
    """Registers the format with Pillow; photos are decoded in one thread each."""
    import pillow_jxl  # noqa: F401 - registers itself
    from pillow_jxl import JpegXLImagePlugin

    JpegXLImagePlugin.DECODE_THREADS = 0


class _JpegXlFile(ImageFile.ImageFile):
    """A JPEG XL that is decoded when it is loaded.

    The plugin is given the bare code only. It would decompress other boxes without a limit, and
    decode a JPEG that is stored as JPEG XL twice.
    """

    format = "JXL"
    format_description = "JPEG XL"

    def _open(self) -> None:
        parts = _parts(self.fp.read() if self.fp else b"")
        self._code, self.info["exif"], self.info["xmp"] = parts
        width, height, channels = _header(self._code)
        self._size = width, height
        self._mode = "RGBA" if channels else "RGB"
        self.tile = []

    def load(self) -> Any:
        if self._code:
            try:
                image = Image.open(io.BytesIO(self._code), formats=("JXL",))
            except RuntimeError:
                raise SyntaxError("broken JPEG XL code") from None
            with image:
                image.load()
                self._mode, self._size, self.im = image.mode, image.size, image.im
                self.info["icc_profile"] = image.info.get("icc_profile")
            self._code = b""
        return super().load()


def _parts(content: bytes) -> tuple[bytes, bytes, bytes]:
    """A file's code, and its EXIF and XMP if it has any."""
    if content.startswith(JPEG_XL_CODE):
        return content, b"", b""
    code, exif, xmp = [], b"", b""
    for name, start, end in boxes(content, 0, len(content)):
        if name in (b"jxlc", b"jxlp"):
            code.append(content[start + 4 * (name == b"jxlp") : end])
        elif name == b"Exif":
            exif = content[start + 4 : end]
        elif name == b"xml ":
            xmp = content[start:end]
    return b"".join(code), exif, xmp


def _header(code: bytes) -> tuple[int, int, int]:
    """Width and height as seen upright, and the number of channels besides the colours.

    As ISO/IEC 18181-1, annex D defines it.
    """
    if not code.startswith(JPEG_XL_CODE):
        raise SyntaxError("no JPEG XL code")
    bits = _Bits(code[2:66])
    width, height = _dimensions(bits)
    if bits.take(1):  # everything else has its default
        return width, height, 0
    if bits.take(1):
        if bits.take(3) >= 4:  # lies on its side; the decoder turns it upright
            width, height = height, width
        if bits.take(1):
            _dimensions(bits)  # the intrinsic size, to display it at
        if bits.take(2):
            raise UnreadableImage("a JPEG XL that is animated or has a preview in it")
    if bits.take(1):  # bits per sample, of floating-point numbers and of integers
        bits.choice((0, 32), (0, 16), (0, 24), (6, 1))
        bits.take(4)
    else:
        bits.choice((0, 8), (0, 10), (0, 12), (6, 1))
    bits.take(1)
    channels = bits.choice((0, 0), (0, 1), (4, 2), (12, 1))
    if channels > _MAX_CHANNELS:
        raise UnreadableImage(f"a JPEG XL with {channels} channels besides its colours")
    return width, height, channels


def _dimensions(bits: "_Bits") -> tuple[int, int]:
    small = bits.take(1)

    def side() -> int:
        return 8 * (bits.take(5) + 1) if small else bits.choice((9, 1), (13, 1), (18, 1), (30, 1))

    height, ratio = side(), bits.take(3)
    if not ratio:
        return side(), height
    across, down = _RATIOS[ratio - 1]
    return height * across // down, height


class _Bits:
    """Reads bits, the lowest of each byte first."""

    def __init__(self, data: bytes) -> None:
        self._remaining, self._value = 8 * len(data), int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        """A number of this many bits."""
        if count > self._remaining:
            raise SyntaxError("cut off")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        self._remaining -= count
        return value

    def choice(self, *ways: tuple[int, int]) -> int:
        """A number written in one of four ways: so many bits, and a number to add to them."""
        count, plus = ways[self.take(2)]
        return self.take(count) + plus
