"""Bytes of a photo -> upright sRGB pixels of the encoder's size, within limits."""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError
from PIL.Image import Resampling, Transpose

from db.errors import UnreadableImage
from db.records import Pixels
from indexer.formats import ORIENTATION, kind_of, open_photo, unopened
from indexer.limits import needed, room, stored

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

_EXIF_IFD, _TAKEN = 0x8769, 0x9003
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
class Photo:
    """A decoded photo."""

    pixels: Pixels
    """uint8[size, size, 3], upright, squashed to a square so that nothing is cut off."""
    width: int
    """Of the original as seen upright, in pixels; of a camera RAW's preview."""
    height: int
    taken: datetime | None


def decode(content: bytes, size: int) -> Photo:
    """Decodes a photo; of several pictures in one file the first.

    Large JPEGs are decoded at a fraction of their size, which costs a fraction of the time.

    Args:
        content: The whole file.
        size: Side of the square, in pixels.

    Raises:
        UnreadableImage: With the reason in words.
    """
    if not content:
        raise UnreadableImage("the file is empty")
    kind = kind_of(content)
    try:
        with open_photo(content, kind) as image:
            width, height = image.size
            working = needed(image, content)
            image.draft("RGB", (size, size))
            with room.take(working + stored(image)):
                square = _square(image, size)
            # Not before: some formats tell only once they are decoded.
            orientation, taken = _exif(image)
    except UnidentifiedImageError:
        raise UnreadableImage(unopened(content, kind)) from None
    except _PILLOW_ERRORS as error:
        raise UnreadableImage(
            f"damaged or cut off ({str(error) or type(error).__name__})"
        ) from None
    if kind == "JPEG XL":
        orientation = 1  # its decoder turns photos upright itself
    if kind == "camera RAW" and taken is None:
        taken = _camera_time(content)
    if orientation in _UPRIGHT:
        square = square.transpose(_UPRIGHT[orientation])
    if orientation >= 5:
        width, height = height, width
    return Photo(np.asarray(square, np.uint8), width, height, taken)


# -- pixels -----------------------------------------------------------------------------------


def _square(image: Image.Image, size: int) -> Image.Image:
    image.load()  # some formats tell only then what is in them
    small = _small(image, (size, size))
    profile = image.info.get("icc_profile") or b""
    if profile or small.mode == "LAB":
        transform = _to_srgb(profile, small.mode)
        if transform is not None:
            return transform.apply(small)
    return small.convert("RGB")


def _small(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """In RGB, L, CMYK or LAB, in the photo's own colours."""
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    elif image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        grey = image.mode in ("L", "LA", "La")
        layer = image if image.mode == "RGBA" else image.convert("RGBA")
        layer = layer.resize(size, Resampling.BICUBIC, reducing_gap=2)
        white = Image.new("RGBA", size, "white")
        return Image.alpha_composite(white, layer).convert("L" if grey else "RGB")
    elif image.mode not in ("RGB", "L", "CMYK", "LAB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    return image.resize(size, Resampling.BICUBIC, reducing_gap=2)


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


def _exif(image: Image.Image) -> tuple[int, datetime | None]:
    """Orientation 1 to 8 and camera time; damaged EXIF is no reason to lose a photo."""
    try:
        exif = image.getexif()
        orientation = exif.get(ORIENTATION, 1)
        text = exif.get_ifd(_EXIF_IFD).get(_TAKEN)
    except _PILLOW_ERRORS:
        return 1, None
    if not isinstance(orientation, int) or not 1 <= orientation <= 8:
        orientation = 1
    return orientation, _time(text)


def _camera_time(content: bytes) -> datetime | None:
    """Of a RAW file that is a TIFF: its preview seldom tells."""
    exif = Image.Exif()
    try:
        exif.load(content)
        return _time(exif.get_ifd(_EXIF_IFD).get(_TAKEN))
    except _PILLOW_ERRORS:
        return None


def _time(text: object) -> datetime | None:
    try:
        return datetime.strptime(str(text).strip("\0 "), "%Y:%m:%d %H:%M:%S") if text else None
    except ValueError:
        return None
