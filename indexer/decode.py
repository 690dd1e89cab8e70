"""Bytes of a photo -> upright sRGB pixels of the size that is wanted, within limits."""

import io
import math
import struct
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError
from PIL.Image import Resampling, Transpose

from pixquery.db.errors import UnreadableImage
from pixquery.db.records import Pixels, Place
from pixquery.indexer.formats import ORIENTATION, kind_of, open_photo, unopened
from pixquery.indexer.limits import MAX_PIXELS, needed, room, stored

_Size: TypeAlias = tuple[int, int]
"""Width and height, in pixels."""

_MAX_PROFILE = 4 * 2**20
_SAME_COLOUR = 2
"""Levels of 255 by which two sRGB profiles of different makers differ at most."""
_ROWS = 1 << 22
"""Values of deep pictures that are brought to eight bits at once."""

# Of damaged EXIF and the like: a photo is used or skipped with its reason, and nothing else said.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

_PILLOW_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    ArithmeticError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)
"""What Pillow's decoders raise on damaged files."""

_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_TAKEN, _MAKER, _MODEL = 0x9003, 0x010F, 0x0110
_LONGEST_NAME = 100
_NAMES = {"MPO": "JPEG", "WEBP": "WebP"}
"""Of formats that Pillow calls by another."""
_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Details:
    """What a file tells about its photo."""

    format: str
    """Of its content, such as "JPEG"."""
    taken: datetime | None = None
    """By the camera's clock."""
    camera: str = ""
    """Maker and model."""
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded photo."""

    pixels: Pixels
    """uint8[size, size, 3], upright, squashed to a square so that nothing is cut off."""
    width: int
    """Of the original as seen upright, in pixels; of a camera RAW's preview."""
    height: int
    details: Details


def decode(
    content: bytes, size: int, *, interpolation: str = "bicubic", most: int = MAX_PIXELS
) -> Photo:
    """Decodes a photo; of several pictures in one file the first.

    Large JPEGs are decoded at a fraction of their size, which costs a fraction of the time.

    Args:
        content: The whole file.
        size: Side of the square, in pixels.
        interpolation: How pixels are made of more or fewer; Pillow's name in lower case.
        most: Photos of more pixels are refused.

    Raises:
        UnreadableImage: With the reason in words.
    """
    found = _upright(content, lambda _: (size, size), most, Resampling[interpolation.upper()])
    width, height = found.size
    return Photo(np.asarray(found.image, np.uint8), width, height, found.details)


def thumbnail(content: bytes, side: int, *, quality: int = 80) -> bytes:
    """A small picture of a photo, as a JPEG in sRGB that is upright and keeps the photo's shape.

    Args:
        content: The whole file.
        side: Its longer side in pixels; smaller photos are not enlarged.
        quality: Of the JPEG, up to 95.

    Raises:
        UnreadableImage: With the reason in words.
    """
    small = _upright(content, lambda size: _within(size, side), MAX_PIXELS).image
    out = io.BytesIO()
    small.save(out, "JPEG", quality=quality)
    return out.getvalue()


def _within(size: _Size, side: int) -> _Size:
    share = min(1.0, side / max(size))
    return max(1, round(size[0] * share)), max(1, round(size[1] * share))


class _Upright(NamedTuple):
    image: Image.Image
    """In RGB, made small and turned upright."""
    size: _Size
    """Of the original as seen upright."""
    details: Details


def _upright(
    content: bytes,
    wanted: Callable[[_Size], _Size],
    most: int,
    resampling: Resampling = Resampling.BICUBIC,
) -> _Upright:
    """Decodes a photo into the size that is wanted for its own, both as the file has it."""
    if not content:
        raise UnreadableImage("the file is empty")
    kind = kind_of(content)
    try:
        with open_photo(content, kind) as image:
            width, height = image.size
            working = needed(image, content, most)
            size = wanted(image.size)
            image.draft("RGB", size)
            with room.take(working + stored(image)):
                small = _reduced(image, size, resampling)
            # Not before: some formats tell only once they are decoded.
            exif = _exif(image)
            name = kind or _NAMES.get(str(image.format), str(image.format))
    except UnidentifiedImageError:
        raise UnreadableImage(unopened(content, kind)) from None
    except _PILLOW_ERRORS as error:
        raise UnreadableImage(
            f"damaged or cut off ({str(error) or type(error).__name__})"
        ) from None
    orientation = exif.orientation
    if kind == "JPEG XL":
        orientation = 1  # its decoder turns photos upright itself
    if kind == "camera RAW":  # its preview seldom tells
        exif = _of_raw(content, exif)
    if orientation in _UPRIGHT:
        small = small.transpose(_UPRIGHT[orientation])
    if orientation >= 5:
        width, height = height, width
    details = Details(name, exif.taken, exif.camera, exif.place)
    return _Upright(small, (width, height), details)


# -- pixels -----------------------------------------------------------------------------------


def _reduced(image: Image.Image, size: _Size, resampling: Resampling) -> Image.Image:
    """In RGB, in sRGB's colours."""
    image.load()  # some formats tell only then what is in them
    small = _small(image, size, resampling)
    profile = image.info.get("icc_profile") or b""
    if profile or small.mode == "LAB":
        transform = _to_srgb(profile, small.mode)
        if transform is not None:
            return transform.apply(small)
    return small.convert("RGB")


def _small(image: Image.Image, size: _Size, resampling: Resampling) -> Image.Image:
    """In RGB, L, CMYK or LAB, in the photo's own colours."""
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    elif image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        grey = image.mode in ("L", "LA", "La")
        layer = image if image.mode == "RGBA" else image.convert("RGBA")
        layer = layer.resize(size, resampling, reducing_gap=2)
        white = Image.new("RGBA", size, "white")
        return Image.alpha_composite(white, layer).convert("L" if grey else "RGB")
    elif image.mode not in ("RGB", "L", "CMYK", "LAB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    return image.resize(size, resampling, reducing_gap=2)


def _eight_bits(image: Image.Image) -> Image.Image:
    """A grey picture of deep or floating values, in L; of the latter, 1 or 255 is white."""
    values = np.asarray(image)
    most = np.fmax.reduce(values, axis=None, initial=0)  # passes over what is no number
    top = np.float32(65535 if image.mode.startswith("I;16") or most > 255 else 255)
    if image.mode == "F" and most <= 1:
        top = np.float32(1)
    grey = np.empty(values.shape, np.uint8)
    rows = max(1, _ROWS // image.width)
    for at in range(0, image.height, rows):
        part = np.nan_to_num(values[at : at + rows].astype(np.float32)) / top
        grey[at : at + rows] = np.clip(part, 0, 1) * 255
    return Image.fromarray(grey)


@lru_cache(8)
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """None where nothing is to be done: sRGB itself, damaged, or made for another mode."""
    if len(profile) > _MAX_PROFILE:
        return None
    try:
        transform = ImageCms.buildTransform(
            ImageCms.createProfile("LAB") if mode == "LAB" else io.BytesIO(profile),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    if mode == "RGB":
        levels = np.arange(0, 256, 17, dtype=np.uint8)
        cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
        moved = np.asarray(transform.apply(Image.fromarray(cube)), np.int16) - cube
        if np.abs(moved).max() <= _SAME_COLOUR:
            return None
    return transform


# -- what the camera noted --------------------------------------------------------------------


class _Exif(NamedTuple):
    orientation: int = 1
    """From 1 to 8."""
    taken: datetime | None = None
    camera: str = ""
    place: Place | None = None


def _exif(image: Image.Image) -> _Exif:
    """What a picture's EXIF tells; damaged EXIF is no reason to lose a photo."""
    try:
        return _told(image.getexif())
    except _PILLOW_ERRORS:
        return _Exif()


def _of_raw(content: bytes, preview: _Exif) -> _Exif:
    """The preview's, and where it has none that of the RAW file, if that is a TIFF."""
    exif = Image.Exif()
    try:
        exif.load(content)
        whole = _told(exif)
    except _PILLOW_ERRORS:
        return preview
    return _Exif(
        preview.orientation,
        preview.taken or whole.taken,
        preview.camera or whole.camera,
        preview.place or whole.place,
    )


def _told(exif: Image.Exif) -> _Exif:
    orientation = exif.get(ORIENTATION, 1)
    if not isinstance(orientation, int) or not 1 <= orientation <= 8:
        orientation = 1
    return _Exif(
        orientation,
        _time(_part(exif, _EXIF_IFD).get(_TAKEN)),
        _camera(exif.get(_MAKER), exif.get(_MODEL)),
        _place(_part(exif, _GPS_IFD)),
    )


def _part(exif: Image.Exif, tag: int) -> dict[int, Any]:
    try:
        return exif.get_ifd(tag)
    except _PILLOW_ERRORS:
        return {}


def _camera(maker: object, model: object) -> str:
    """Maker and model as one name: most models do not say who made them, some do."""
    parts = [_words(part) for part in (maker, model)]
    if parts[0] and parts[1].casefold().startswith(parts[0].split()[0].casefold()):
        parts[0] = ""
    return " ".join(filter(None, parts))


def _words(value: object) -> str:
    """Printable text, at most a line long, of whatever stands there."""
    text = value if isinstance(value, str) else ""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_LONGEST_NAME]


def _place(gps: dict[int, Any]) -> Place | None:
    latitude = _degrees(gps.get(2), gps.get(1), "S")
    longitude = _degrees(gps.get(4), gps.get(3), "W")
    if latitude is None or longitude is None or (latitude, longitude) == (0, 0):
        return None  # cameras without a fix write zeros
    return Place(latitude, longitude) if abs(latitude) <= 90 and abs(longitude) <= 180 else None


def _degrees(parts: object, side: object, negative: str) -> float | None:
    """Degrees, minutes and seconds as one number."""
    try:
        degrees, minutes, seconds = (float(part) for part in parts)  # type: ignore[attr-defined]
    except _PILLOW_ERRORS:
        return None
    found = degrees + minutes / 60 + seconds / 3600
    if not math.isfinite(found):
        return None
    return round(-found if _words(side).upper() == negative else found, 6)


def _time(text: object) -> datetime | None:
    try:
        return datetime.strptime(str(text).strip("\0 "), "%Y:%m:%d %H:%M:%S") if text else None
    except ValueError:
        return None
