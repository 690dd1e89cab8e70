"""The format of a photo, recognised by its content and never by its name; how each is opened."""

import io
import struct
from functools import cache
from importlib.util import find_spec

from PIL import Image, UnidentifiedImageError, features

from pixquery.db.errors import UnreadableImage
from pixquery.indexer import deep_tiff, jpeg, jpegxl, tiff
from pixquery.indexer.boxes import boxes
from pixquery.indexer.limits import fits
from pixquery.indexer.signatures import (
    AVIF,
    CANON,
    HEVC,
    JPEG_XL_CODE,
    JPEG_XL_CONTAINER,
    RAW_STARTS,
    TIFF,
    brands,
)

_NOT_A_PHOTO = (
    "not a JPEG, PNG, GIF, WebP, BMP, TIFF, HEIC, AVIF, JPEG XL or camera RAW image, "
    "whatever its name says"
)
ORIENTATION = 0x0112

_PLAIN = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
"""What Pillow always reads."""
_PLUGINS = {"HEIC": "pi_heif", "JPEG XL": "pillow_jxl", "camera RAW": "rawpy"}
_NEEDS = " photos need an extra: pip install 'pixquery[formats]', then index again"


def open_photo(content: bytes, kind: str) -> Image.Image:
    """Opens a photo without decoding it.

    Args:
        content: The whole file.
        kind: As :func:`kind_of` names it.

    Raises:
        UnreadableImage: The plugin for this format is not installed, or refuses the file.
        PIL.UnidentifiedImageError: It is not a photo.
    """
    if content.startswith(TIFF) and not kind:
        return _tiff(content)
    if not kind:
        return Image.open(io.BytesIO(content), formats=_PLAIN)
    try:
        if kind == "camera RAW":
            return _preview(content)
        if kind == "JPEG XL":
            return jpegxl.open_jpeg_xl(content)
        if kind == "HEIC":
            _check_items(content)
        return Image.open(io.BytesIO(content), formats=(_registered(kind),))
    except ImportError:
        raise UnreadableImage(kind + _NEEDS) from None


def readable_now(reason: str) -> bool:
    """Whether a file was skipped for the lack of a plugin that is installed by now."""
    plugin = _PLUGINS.get(reason.removesuffix(_NEEDS)) if reason.endswith(_NEEDS) else None
    return plugin is not None and find_spec(plugin) is not None


# -- which format -----------------------------------------------------------------------------

_SUBFILE, _COMPRESSION, _PHOTOMETRIC, _SUB_IFDS, _DNG = 254, 259, 262, 330, 50706
_RAW_COMPRESSIONS = {32767, 32770, 34713, 65535}
"""Sony, Samsung, Nikon, Pentax."""
_MOSAIC, _LINEAR_RAW = 32803, 34892


def kind_of(content: bytes) -> str:
    """The name of a format that needs more than Pillow's own readers; empty for any other."""
    if named := brands(content):
        if named & AVIF:
            return "AVIF"
        if content[8:12] == CANON:
            return "camera RAW"
        return "HEIC" if named & HEVC else ""
    if content.startswith((JPEG_XL_CODE, JPEG_XL_CONTAINER)):
        return "JPEG XL"
    if content.startswith(RAW_STARTS) or _is_raw_tiff(content):
        return "camera RAW"
    return ""


def _is_raw_tiff(content: bytes) -> bool:
    """Whether a TIFF contains a camera's sensor values; Pillow would read a tiny preview at best.

    Pillow's own reader of TIFF tags is not used here: it warns of every damaged file, and reads all
    values of all tags.
    """
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
    b"RIFF": "WebP", b"BM": "BMP", **dict.fromkeys(TIFF, "TIFF"),
}  # fmt: skip


def unopened(content: bytes, kind: str) -> str:
    """The reason why a photo cannot even be opened."""
    kind = kind or next((name for start, name in _STARTS.items() if content.startswith(start)), "")
    if kind == "WebP" and content[8:12] != b"WEBP":
        kind = ""
    if not kind:
        return _NOT_A_PHOTO
    unread = {"JPEG": jpeg.unread_kind, "TIFF": tiff.unread_kind}.get(kind)
    if unread and (words := unread(content)):
        return f"this kind of {kind} is not read ({words})"
    return f"damaged or cut off ({kind} that cannot be opened)"


# -- TIFF, HEIC, AVIF, camera RAW -------------------------------------------------------------


def _tiff(content: bytes) -> Image.Image:
    parts = tiff.layout(content)
    if parts is not None and deep_tiff.is_deep(parts):
        image = deep_tiff.DeepTiff(io.BytesIO(content))
        if fits(image, content) or not deep_tiff.is_plain(parts):
            return image
    if parts is not None and parts.compression == tiff.Compression.WEBP:
        raise UnidentifiedImageError
    if parts is not None and parts.tiled:
        _ = parts.block  # Pillow makes room for a tile of any size
    try:
        return Image.open(io.BytesIO(content), formats=("TIFF",))
    except UnidentifiedImageError:
        if parts is None or not deep_tiff.is_readable(parts):
            raise
        return deep_tiff.DeepTiff(io.BytesIO(content))


@cache
def _registered(kind: str) -> str:
    """Registers a format with Pillow when the first such file comes; returns Pillow's name."""
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
    """Refuses item names that are not text: pi_heif 1.4 crashes on them.

    Raises:
        SyntaxError: There is such a name, or no list of items.
    """
    try:
        _read_items(content)
    except (UnicodeDecodeError, IndexError):
        raise SyntaxError("broken names of its items") from None


def _read_items(content: bytes) -> None:
    for name, start, end in boxes(content, 0, len(content)):
        if name == b"meta":
            for inner, first, last in boxes(content, start + 4, end):
                if inner == b"iinf":
                    first += 6 if content[first] == 0 else 8
                    for _, entry, over in boxes(content, first, last):
                        content[entry + (8 if content[entry] == 2 else 10) : over].decode()
            return
    raise SyntaxError("no list of its items")


def _preview(content: bytes) -> Image.Image:
    """The largest preview that the camera stored in a RAW file."""
    import rawpy

    try:
        with rawpy.imread(io.BytesIO(content)) as raw:
            thumb, flip = raw.extract_thumb(), raw.sizes.flip
    except rawpy.LibRawUnsufficientMemoryError:
        raise MemoryError from None
    except rawpy.LibRawError as error:
        raise UnreadableImage(f"camera RAW without a readable preview ({error})") from None
    if isinstance(thumb.data, bytes):
        return Image.open(io.BytesIO(thumb.data), formats=("JPEG",))
    if thumb.data.ndim != 3 or thumb.data.shape[2] != 3:
        raise SyntaxError("a preview without three colours")
    if thumb.data.nbytes > len(content):  # LibRaw believes the size that the file states
        raise SyntaxError("a preview that is larger than the file")
    image = Image.fromarray(thumb.data)
    image.getexif()[ORIENTATION] = {3: 3, 5: 8, 6: 6}.get(flip, 1)
    return image
