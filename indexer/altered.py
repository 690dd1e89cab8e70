"""Decodes a photo as if somebody had cropped it, mirrored it, or saved it smaller or anew."""

import io

import numpy as np
from PIL import Image
from PIL.Image import Resampling, Transpose

from pixquery.db.records import Pixels
from pixquery.engine.alteration import Alteration
from pixquery.engine.manifest import CROP, SQUASH
from pixquery.indexer.decode import middle_square, picture
from pixquery.indexer.failures import failures_reported

_LEAST = 8
"""No side becomes shorter, in pixels."""
_ENOUGH = 4
"""Photos are made smaller first if their longer side exceeds the square's as many times."""


def altered(
    content: bytes,
    size: int,
    alteration: Alteration,
    *,
    interpolation: str = "bicubic",
    fit: str = SQUASH,
) -> Pixels:
    """Decodes a photo and alters it before it becomes a square.

    Args:
        content: The whole file.
        size: Side of the square, in pixels.
        alteration: What to do to the photo.
        interpolation: How the photo is resampled, by Pillow's name in lower case.
        fit: ``squash`` makes the whole photo a square, ``crop`` takes its middle square.

    Returns:
        uint8[size, size, 3], upright.

    Raises:
        UnreadableImage: With the reason in words.
        PhotoFailed: It may be sound; another try may succeed.
    """
    with failures_reported("could not be decoded"):
        image = _altered(picture(content, _ENOUGH * size), alteration)
        box = middle_square(image.size, size) if fit == CROP else None
        resampling = Resampling[interpolation.upper()]
        return np.asarray(image.resize((size, size), resampling, box, reducing_gap=2), np.uint8)


def _altered(image: Image.Image, alteration: Alteration) -> Image.Image:
    image = _cropped(image, alteration)
    if alteration.mirrored:
        image = image.transpose(Transpose.FLIP_LEFT_RIGHT)
    if alteration.scale < 1:
        width, height = (max(_LEAST, round(side * alteration.scale)) for side in image.size)
        image = image.resize((width, height), Resampling.LANCZOS)
    return image if alteration.quality is None else _saved(image, alteration.quality)


def _cropped(image: Image.Image, alteration: Alteration) -> Image.Image:
    width, height = (min(side, max(_LEAST, round(side * alteration.share))) for side in image.size)
    left = round((image.width - width) * alteration.left)
    top = round((image.height - height) * alteration.top)
    return image.crop((left, top, left + width, top + height))


def _saved(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    with Image.open(file) as saved:
        return saved.convert("RGB")
