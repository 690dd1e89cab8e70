"""Bytes of a photo -> upright RGB pixels of the encoder's size, within limits."""

import io
import struct
import threading
import warnings
import zlib
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.Image import Resampling, Transpose

from db.errors import UnreadableImage
from db.records import Pixels

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
MAX_PIXELS = 256_000_000
"""More is refused before decoding; the largest phone cameras make 200 megapixels."""
MAX_BYTES = 512 * 2**20

_HUGE = 16_000_000
_one_huge_at_a_time = threading.Lock()

# Pillow's own limit warns long before ours and cannot be caught for one thread alone.
Image.MAX_IMAGE_PIXELS = None
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

_ORIENTATION, _EXIF_IFD, _TAKEN = 0x0112, 0x8769, 0x9003
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
    """Of the original as seen upright, in pixels."""
    height: int
    taken: datetime | None


def decode(content: bytes, size: int) -> Photo:
    """Decodes a photo.

    Large JPEGs are decoded at a fraction of their size, which costs a fraction of the time.

    Args:
        content: The whole file.
        size: Side of the square, in pixels.

    Raises:
        UnreadableImage: With the reason in words.
    """
    if not content:
        raise UnreadableImage("the file is empty")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise UnreadableImage(
                    f"{width:,} x {height:,} pixels are more than the "
                    f"{MAX_PIXELS // 10**6} megapixels that are decoded"
                )
            orientation, taken = _exif(image)
            if image.format == "TIFF":
                orientation = 1  # Pillow turns TIFFs upright itself
            image.draft("RGB", (size, size))
            huge = image.size[0] * image.size[1] > _HUGE
            with _one_huge_at_a_time if huge else nullcontext():
                square = _square(image, size)
    except UnidentifiedImageError:
        raise UnreadableImage(
            "not a JPEG, PNG, GIF, WebP, BMP or TIFF image, whatever its name says"
        ) from None
    except _PILLOW_ERRORS as error:
        raise UnreadableImage(
            f"damaged or cut off ({str(error) or type(error).__name__})"
        ) from None
    if orientation in _UPRIGHT:
        square = square.transpose(_UPRIGHT[orientation])
    if orientation >= 5:
        width, height = height, width
    return Photo(np.asarray(square, np.uint8), width, height, taken)


def _square(image: Image.Image, size: int) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, np.float32)
        deep = image.mode.startswith("I;16") or values.max(initial=0) > 255
        top = 65535.0 if deep else 255.0
        image = Image.fromarray((np.clip(values / top, 0, 1) * 255).astype(np.uint8))
    elif image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA").resize((size, size), Resampling.BICUBIC, reducing_gap=2)
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    elif image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("RGB")
    return image.resize((size, size), Resampling.BICUBIC, reducing_gap=2).convert("RGB")


def _exif(image: Image.Image) -> tuple[int, datetime | None]:
    """Orientation 1 to 8 and camera time; damaged EXIF is no reason to lose a photo."""
    try:
        exif = image.getexif()
        orientation = exif.get(_ORIENTATION, 1)
        text = exif.get_ifd(_EXIF_IFD).get(_TAKEN)
    except _PILLOW_ERRORS:
        return 1, None
    if not isinstance(orientation, int) or not 1 <= orientation <= 8:
        orientation = 1
    try:
        taken = datetime.strptime(str(text).strip("\0 "), "%Y:%m:%d %H:%M:%S") if text else None
    except ValueError:
        taken = None
    return orientation, taken
