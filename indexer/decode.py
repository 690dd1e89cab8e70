"""Turns the bytes of a photo into upright sRGB pixels of a given size, within limits."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError
from PIL.Image import Resampling, Transpose

from pixquery.db.errors import UnreadableImage
from pixquery.db.records import Annotation, Pixels, Place, Scales
from pixquery.engine.manifest import CROP, SQUASH
from pixquery.indexer.annotations import annotation_in
from pixquery.indexer.annotations import of_raw as words_of_raw
from pixquery.indexer.damage import is_damage
from pixquery.indexer.exif import exif_of, of_raw
from pixquery.indexer.failures import failures_reported
from pixquery.indexer.formats import kind_of, open_photo, unopened
from pixquery.indexer.limits import MAX_PIXELS, needed, room, stored
from pixquery.indexer.mending import Mended, mended
from pixquery.indexer.pillow import DECODER_ERRORS, set_for_decoding

_Size: TypeAlias = tuple[int, int]
"""Width and height, in pixels."""

_MAX_PROFILE = 4 * 2**20
_SAME_COLOUR = 2
"""By how many of 255 levels the sRGB profiles of different makers may differ."""
_ROWS = 1 << 22
"""How many values of a picture of more than eight bits are converted at once."""

_NAMES = {"MPO": "JPEG", "WEBP": "WebP"}
"""Names of formats that Pillow names differently."""
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
    """What a file says about its photo."""

    format: str
    """Of its content, for example "JPEG"."""
    taken: datetime | None = None
    """By the camera's clock."""
    camera: str = ""
    """Maker and model."""
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded photo."""

    scales: Scales
    """uint8[size, size, 3] for each size, upright; squeezed into a square, so that nothing is cut
    off."""
    width: int
    """Of the upright original, in pixels; for a camera RAW, of its preview."""
    height: int
    details: Details
    words: Annotation = field(default_factory=Annotation)
    """What its owner wrote in the file."""
    small: Image.Image | None = None
    """The picture that was asked for as well, in the photo's own shape; none if the photo was
    decoded at too small a fraction of its size."""

    @property
    def pixels(self) -> Pixels:
        """The photo at the first size, uint8[size, size, 3]."""
        return self.scales[0]


def decode(
    content: bytes,
    size: int,
    *further: int,
    interpolation: str = "bicubic",
    fit: str = SQUASH,
    most: int = MAX_PIXELS,
    small: int = 0,
) -> Photo:
    """Decodes a photo; if a file has several pictures, the first.

    Large JPEGs are decoded at a fraction of their size, which costs a fraction of the time. The
    photo is decoded once, however many sizes are asked for.

    Args:
        content: The whole file.
        size: Side of the square, in pixels.
        further: Sides of further squares.
        interpolation: How the photo is resampled, by Pillow's name in lower case.
        fit: ``squash`` makes the whole photo a square, ``crop`` takes its middle square.
        most: Photos with more pixels are refused.
        small: Longer side of a picture to make as well, in pixels; it changes nothing else.

    Raises:
        UnreadableImage: With the reason in words.
        PhotoFailed: It may be sound; another try may succeed.
    """
    squares = [(side, side) for side in (size, *further)]
    resizing = _Resizing(Resampling[interpolation.upper()], middle=fit == CROP, small=small)
    upright = _upright(content, lambda _: squares, most, resizing)
    width, height = upright.size
    with failures_reported("could not be decoded"):
        scales = tuple(np.asarray(image, np.uint8) for image in upright.images[: len(squares)])
    shrunk = upright.images[-1] if len(upright.images) > len(squares) else None
    return Photo(scales, width, height, upright.details, upright.words, shrunk)


def as_jpeg(image: Image.Image, *, quality: int = 80) -> bytes:
    """A picture as a JPEG, of a quality up to 95."""
    out = io.BytesIO()
    with failures_reported("could not be decoded"):
        image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def thumbnail(content: bytes, side: int, *, quality: int = 80) -> bytes:
    """A small picture of a photo: an upright JPEG in sRGB of the same shape.

    Args:
        content: The whole file.
        side: Longer side of the picture, in pixels; smaller photos are not enlarged.
        quality: Of the JPEG, up to 95.

    Raises:
        UnreadableImage: With the reason in words.
        PhotoFailed: It may be sound; another try may succeed.
    """
    return as_jpeg(picture(content, side), quality=quality)


def picture(content: bytes, side: int) -> Image.Image:
    """A photo in its own shape, upright, in RGB and sRGB.

    Args:
        content: The whole file.
        side: Longer side of the picture, in pixels; smaller photos are not enlarged.

    Raises:
        UnreadableImage: With the reason in words.
        PhotoFailed: It may be sound; another try may succeed.
    """
    (image,) = _upright(content, lambda size: [_within(size, side)], MAX_PIXELS).images
    return image


def _within(size: _Size, side: int) -> _Size:
    share = min(1.0, side / max(size))
    return max(1, round(size[0] * share)), max(1, round(size[1] * share))


class _Resizing(NamedTuple):
    """How a photo becomes smaller."""

    resampling: Resampling = Resampling.BICUBIC
    middle: bool = False
    """Only its middle square is used for squares."""
    small: int = 0
    """Longer side of one more picture of the whole photo, in pixels; 0 for none."""

    def resized(self, image: Image.Image, size: _Size) -> Image.Image:
        """The image at a new size."""
        cropped = self.middle and size[0] == size[1]  # of a square photo that is the whole
        box = middle_square(image.size, size[0]) if cropped else None
        return image.resize(size, self.resampling, box, reducing_gap=2)

    def also(self, original: _Size, decoded: _Size) -> list[_Size]:
        """The size of one more picture, if it is wanted and the photo was decoded large enough."""
        size = _within(original, self.small)
        return [size] if self.small and decoded[0] >= size[0] and decoded[1] >= size[1] else []


_USUAL = _Resizing()


def middle_square(size: _Size, side: int) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the middle square of a picture.

    It is where it would be if the picture was scaled until its shorter side had ``side`` pixels,
    and was cropped then: both have whole pixels, as in the code of most models' makers.
    """
    box = []
    for length in size:
        scaled = side * length // min(size)
        first = (scaled - side) // 2 * length / scaled
        box.append((first, min(first + side * length / scaled, length)))
    (left, right), (top, bottom) = box
    return left, top, right, bottom


class _Upright(NamedTuple):
    images: list[Image.Image]
    """The photo at each size, in RGB and turned upright."""
    size: _Size
    """Of the upright original."""
    details: Details
    words: Annotation


def _upright(
    content: bytes,
    wanted: Callable[[_Size], Sequence[_Size]],
    most: int,
    resizing: _Resizing = _USUAL,
) -> _Upright:
    """Decodes a photo; ``wanted`` gives the new sizes for the size in the file, before turning."""
    if not content:
        raise UnreadableImage("the file is empty")
    with failures_reported("could not be decoded"), set_for_decoding():
        try:
            return _decoded(content, wanted, most, resizing)
        except _Damaged:
            if (photo := _mended(content, most)) is None:
                raise
            return _decoded(photo.content, wanted, most, resizing, photo.profile)


class _Damaged(UnreadableImage):
    """Something in the file is damaged; it need not be the picture."""


def _mended(content: bytes, most: int) -> Mended | None:
    try:
        return mended(content, kind_of(content), most)
    except DECODER_ERRORS as error:
        if not is_damage(error):
            raise
        return None


def _decoded(
    content: bytes,
    wanted: Callable[[_Size], Sequence[_Size]],
    most: int,
    resizing: _Resizing,
    profile: bytes = b"",
) -> _Upright:
    """``profile`` is of colours, for a picture that has lost its own."""
    kind = kind_of(content)
    try:
        with open_photo(content, kind) as image:
            if profile:
                image.info["icc_profile"] = profile
            width, height = image.size
            working = needed(image, content, most)
            sizes = wanted(image.size)
            image.draft("RGB", max(sizes))
            sizes = [*sizes, *resizing.also((width, height), image.size)]
            with room.take(working + stored(image)):
                images = _reduced(image, sizes, resizing)
            # Not earlier: some formats know it only once they are decoded.
            exif, words = exif_of(image), annotation_in(image)
            name = kind or _NAMES.get(str(image.format), str(image.format))
    except UnidentifiedImageError:
        raise _Damaged(unopened(content, kind)) from None
    except DECODER_ERRORS as error:
        if not is_damage(error):
            raise
        raise _Damaged(f"damaged or cut off ({str(error) or type(error).__name__})") from None
    orientation = exif.orientation
    if kind == "JPEG XL":
        orientation = 1  # its decoder turns photos upright
    if kind == "camera RAW":  # its preview seldom has any EXIF
        exif, words = of_raw(content, exif), words_of_raw(content, words)
    if orientation in _UPRIGHT:
        images = [image.transpose(_UPRIGHT[orientation]) for image in images]
    if orientation >= 5:
        width, height = height, width
    details = Details(name, exif.taken, exif.camera, exif.place)
    return _Upright(images, (width, height), details, words)


# -- pixels -----------------------------------------------------------------------------------


def _reduced(image: Image.Image, sizes: Sequence[_Size], resizing: _Resizing) -> list[Image.Image]:
    """Resized, in RGB and sRGB's colours."""
    image.load()  # some formats know their mode and profile only now
    profile = image.info.get("icc_profile") or b""
    images = []
    for small in _small(image, sizes, resizing):
        transform = _to_srgb(profile, small.mode) if profile or small.mode == "LAB" else None
        images.append(small.convert("RGB") if transform is None else transform.apply(small))
    return images


def _small(image: Image.Image, sizes: Sequence[_Size], resizing: _Resizing) -> list[Image.Image]:
    """Resized, in RGB, L, CMYK or LAB, and the photo's own colours."""
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    elif image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        if image.mode == "La":
            image = image.convert("LA")  # Pillow turns it into nothing else
        mode = "L" if image.mode in ("L", "LA", "La") else "RGB"
        layer = image if image.mode == "RGBA" else image.convert("RGBA")
        layers = [resizing.resized(layer, size) for size in sizes]
        return [_on_white(layer).convert(mode) for layer in layers]
    elif image.mode not in ("RGB", "L", "CMYK", "LAB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    return [resizing.resized(image, size) for size in sizes]


def _on_white(layer: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)


def _eight_bits(image: Image.Image) -> Image.Image:
    """A grey picture of 16-bit, 32-bit or floating-point values, in eight bits.

    White is 65535 or 255; in floating-point pictures also 1 if no value is larger.
    """
    values = np.asarray(image)
    most = np.fmax.reduce(values, axis=None, initial=0)  # ignores NaN
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
    """None if colours stay as they are: the profile is sRGB, damaged, or for another mode."""
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
        changed = np.asarray(transform.apply(Image.fromarray(cube)), np.int16) - cube
        if np.abs(changed).max() <= _SAME_COLOUR:
            return None
    return transform
