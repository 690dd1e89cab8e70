"""Which format a photo's bytes are in, by content and never by name, and how each is opened."""

import io
import struct
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from typing import Any

from PIL import AvifImagePlugin, Image, ImageFile, features

from pixquery.db.errors import UnreadableImage

_NOT_A_PHOTO = (
    "not a JPEG, PNG, GIF, WebP, BMP, TIFF, HEIC, AVIF, JPEG XL or camera RAW image, "
    "whatever its name says"
)
ORIENTATION = 0x0112

_PLAIN = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
"""What Pillow always reads."""
_PLUGINS = {"HEIC": "pi_heif", "JPEG XL": "pillow_jxl", "camera RAW": "rawpy"}
_NEEDS = " photos need an extra: pip install 'pixquery[formats]', then index again"

# Photos are decoded in as many threads as there are cores already.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1


def open_photo(content: bytes, kind: str) -> Image.Image:
    """Opens a photo without decoding it.

    Args:
        content: The whole file.
        kind: As :func:`kind_of` names it.

    Raises:
        UnreadableImage: What reads this format is not installed, or refuses the file.
        PIL.UnidentifiedImageError: It is nothing that can be read.
    """
    if not kind:
        return Image.open(io.BytesIO(content), formats=_PLAIN)
    try:
        if kind == "camera RAW":
            return _preview(content)
        if kind == "JPEG XL":
            return _jxl_opener()(io.BytesIO(content))
        if kind == "HEIC":
            _check_items(content)
        return Image.open(io.BytesIO(content), formats=(_registered(kind),))
    except ImportError:
        raise UnreadableImage(kind + _NEEDS) from None


def readable_now(reason: str) -> bool:
    """Whether a file that was skipped for this reason lacked a plugin that is here by now."""
    plugin = _PLUGINS.get(reason.removesuffix(_NEEDS)) if reason.endswith(_NEEDS) else None
    return plugin is not None and find_spec(plugin) is not None


# -- which format -----------------------------------------------------------------------------

_HEVC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_JXL_CODE, _JXL_BOXES = b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"
_RAW_STARTS = (b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FUJIFILMCCD-RAW", b"FOVb", b"\0MRM")
"""Olympus, Panasonic, Fujifilm, Sigma, Minolta."""
_SUBFILE, _COMPRESSION, _PHOTOMETRIC, _SUB_IFDS, _DNG = 254, 259, 262, 330, 50706
_RAW_COMPRESSIONS = {32767, 32770, 34713, 65535}
"""Sony, Samsung, Nikon, Pentax."""
_MOSAIC, _LINEAR_RAW = 32803, 34892


def kind_of(content: bytes) -> str:
    """Name of a format that needs more than Pillow's own readers, by content; else empty."""
    if content[4:8] == b"ftyp":
        end = min(int.from_bytes(content[:4], "big"), 256)
        brands = {content[8:12], *(content[at : at + 4] for at in range(16, end, 4))}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        if content[8:12] == b"crx ":
            return "camera RAW"
        return "HEIC" if brands & _HEVC else ""
    if content.startswith((_JXL_CODE, _JXL_BOXES)):
        return "JPEG XL"
    if content.startswith(_RAW_STARTS) or _is_raw_tiff(content):
        return "camera RAW"
    return ""


def _is_raw_tiff(content: bytes) -> bool:
    """Whether a TIFF holds a camera's sensor values, of which Pillow sees a stamp at best."""
    if not content.startswith((b"II*\0", b"MM\0*")):
        return False
    order = "<" if content[:1] == b"I" else ">"
    tags = {}
    try:
        (at,) = struct.unpack_from(order + "I", content, 4)
        (count,) = struct.unpack_from(order + "H", content, at)
        for entry in range(at + 2, at + 2 + 12 * min(count, 256), 12):
            tag, type_ = struct.unpack_from(order + "HH", content, entry)
            (tags[tag],) = struct.unpack_from(order + "HI"[type_ == 4], content, entry + 8)
    except struct.error:
        return False
    return (
        _DNG in tags
        or content[8:10] == b"CR"  # Canon
        or tags.get(_PHOTOMETRIC) in (_MOSAIC, _LINEAR_RAW)
        or tags.get(_COMPRESSION) in _RAW_COMPRESSIONS
        or (_SUB_IFDS in tags and tags.get(_SUBFILE) == 1)
    )


_STARTS = {
    b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"GIF87a": "GIF", b"GIF89a": "GIF",
    b"RIFF": "WebP", b"BM": "BMP", b"II*\0": "TIFF", b"MM\0*": "TIFF",
}  # fmt: skip


def unopened(content: bytes, kind: str) -> str:
    """Why a photo cannot even be opened."""
    kind = kind or next((name for start, name in _STARTS.items() if content.startswith(start)), "")
    if kind == "WebP" and content[8:12] != b"WEBP":
        kind = ""
    if not kind:
        return _NOT_A_PHOTO
    return f"damaged or cut off ({kind} that cannot be opened)"


# -- boxes, of which HEIC, AVIF and JPEG XL are made --------------------------------------------

_MAX_BOXES = 10_000


def _boxes(content: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Names of the boxes between two places, and where the data of each begins and ends."""
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


# -- HEIC, AVIF, camera RAW -------------------------------------------------------------------


@cache
def _registered(kind: str) -> str:
    """Teaches Pillow a format when the first such file comes; returns Pillow's name of it."""
    if kind == "AVIF":
        if not features.check("avif"):
            raise UnreadableImage("AVIF photos need a Pillow that was built with libavif")
        return "AVIF"
    import pi_heif

    pi_heif.register_heif_opener(
        decode_threads=1, thumbnails=False, depth_images=False, aux_images=False
    )
    return "HEIF"


def _check_items(content: bytes) -> None:
    """Refuses names of items that are no text, of which pi_heif 1.4 makes a crash.

    Raises:
        SyntaxError: There is such a name, or no list of items.
    """
    for name, start, end in _boxes(content, 0, len(content)):
        if name == b"meta":
            for inner, first, last in _boxes(content, start + 4, end):
                if inner == b"iinf":
                    first += 6 if content[first] == 0 else 8
                    for _, entry, over in _boxes(content, first, last):
                        content[entry + (8 if content[entry] == 2 else 10) : over].decode()
            return
    raise SyntaxError("no list of what is in it")


def _preview(content: bytes) -> Image.Image:
    """The largest picture that the camera itself laid into a RAW file."""
    import rawpy

    try:
        with rawpy.imread(io.BytesIO(content)) as raw:
            thumb, flip = raw.extract_thumb(), raw.sizes.flip
    except rawpy.LibRawError as error:
        raise UnreadableImage(f"camera RAW without a preview that can be read ({error})") from None
    if isinstance(thumb.data, bytes):
        return Image.open(io.BytesIO(thumb.data), formats=("JPEG",))
    image = Image.fromarray(thumb.data)
    image.getexif()[ORIENTATION] = {3: 3, 5: 8, 6: 6}.get(flip, 1)
    return image


# -- JPEG XL ----------------------------------------------------------------------------------

_MAX_CHANNELS = 4
"""Beside the colours: alpha, depth, spot colours. Each takes memory and next to no bytes."""
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


@cache
def _jxl_opener() -> type[ImageFile.ImageFile]:
    import pillow_jxl  # noqa: F401  (teaches Pillow the format)
    from pillow_jxl import JpegXLImagePlugin

    JpegXLImagePlugin.DECODE_THREADS = 0
    return _JxlFile


class _JxlFile(ImageFile.ImageFile):
    """A JPEG XL whose size is told by its header: the plugin decodes what it only opens.

    The plugin gets the bare code. What else such a file may hold, it would unpack without limit,
    and a JPEG packed into JPEG XL it would unpack twice.
    """

    format = "JXL"
    format_description = "JPEG XL"

    def _open(self) -> None:
        self._code, self.info["exif"] = _jxl_parts(self.fp.read() if self.fp else b"")
        width, height, channels = _jxl_header(self._code)
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


def _jxl_parts(content: bytes) -> tuple[bytes, bytes]:
    """A file's code, and its EXIF or nothing."""
    if content.startswith(_JXL_CODE):
        return content, b""
    code, exif = [], b""
    for name, start, end in _boxes(content, 0, len(content)):
        if name in (b"jxlc", b"jxlp"):
            code.append(content[start + 4 * (name == b"jxlp") : end])
        elif name == b"Exif":
            exif = content[start + 4 : end]
    return b"".join(code), exif


def _jxl_header(code: bytes) -> tuple[int, int, int]:
    """Width and height as seen upright, and the number of channels beside the colours.

    After ISO/IEC 18181-1, annex D.

    Raises:
        UnreadableImage: It is animated, or has more channels than are decoded.
        SyntaxError: It is no JPEG XL.
    """
    if not code.startswith(_JXL_CODE):
        raise SyntaxError("no JPEG XL code")
    bits = _Bits(code[2:66])
    width, height = _jxl_size(bits)
    if bits.take(1):  # all the rest is as usual
        return width, height, 0
    if bits.take(1):
        if bits.take(3) >= 4:  # on its side; the decoder will turn it upright
            width, height = height, width
        if bits.take(1):
            _jxl_size(bits)  # the size to be shown at
        if bits.take(2):
            raise UnreadableImage("a JPEG XL that is animated or has a preview in it")
    if bits.take(1):  # bits of a sample: of floating numbers, and of integers
        bits.choice((0, 32), (0, 16), (0, 24), (6, 1))
        bits.take(4)
    else:
        bits.choice((0, 8), (0, 10), (0, 12), (6, 1))
    bits.take(1)
    channels = bits.choice((0, 0), (0, 1), (4, 2), (12, 1))
    if channels > _MAX_CHANNELS:
        raise UnreadableImage(f"a JPEG XL with {channels} channels beside its colours")
    return width, height, channels


def _jxl_size(bits: "_Bits") -> tuple[int, int]:
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
        self._left, self._value = 8 * len(data), int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        """A number of this many bits."""
        if count > self._left:
            raise SyntaxError("cut off")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        return value

    def choice(self, *ways: tuple[int, int]) -> int:
        """One of four ways to write a number: in so many bits, plus so much."""
        count, plus = ways[self.take(2)]
        return self.take(count) + plus
