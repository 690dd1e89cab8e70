"""Colour profiles: what is decoded is in sRGB."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from pixquery.indexer.decode import decode
from tests import photos
from tests.conftest import REPOSITORY
from tests.photos import SAMPLES, encoded, quarters

SIZE = 32
PHOTOS = sorted((REPOSITORY / "examples" / "images").iterdir())
BALLOON = REPOSITORY / "examples" / "images" / "p15.jpg"


TAGGED = [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True}), ("AVIF", {"quality": 100}),
          ("JPEG", {"quality": 100, "subsampling": 0})]  # fmt: skip


@pytest.mark.parametrize(("format_", "save"), TAGGED)
@pytest.mark.parametrize("colour", [(128, 128, 128), (0, 200, 0), (200, 120, 40), (20, 90, 220)])
def test_wide_colours_become_srgb(
    format_: str, save: dict[str, Any], colour: tuple[int, int, int]
) -> None:
    image = Image.new("RGB", (16, 16), colour)
    pixels = decode(encoded(image, format_, icc_profile=photos.matrix_profile(), **save), 8).pixels
    wanted = photos.from_xyz(photos.WIDE @ (np.array(colour) / 255) ** 2.2)
    assert np.abs(pixels.reshape(-1, 3) - wanted).max() <= 4


def test_wide_jpeg_xl() -> None:
    pixels = decode((SAMPLES / "wide-green.jxl").read_bytes(), 8).pixels  # (0, 200, 0)
    wanted = photos.from_xyz(photos.WIDE @ (np.array((0, 200, 0)) / 255) ** 2.2)
    assert np.abs(pixels.reshape(-1, 3) - wanted).max() <= 3


def test_a_tagged_photo_is_as_if_converted_at_full_size() -> None:
    profile = photos.matrix_profile()
    with Image.open(BALLOON) as image:
        photo = image.convert("RGB").resize((640, 480))
    full = ImageCms.profileToProfile(
        photo, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"),
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )  # fmt: skip
    assert full is not None
    wanted = decode(encoded(full), SIZE).pixels.astype(int)
    pixels = decode(encoded(photo, icc_profile=profile), SIZE).pixels
    assert np.abs(pixels - wanted).mean() < 2
    untagged = decode(encoded(photo), SIZE).pixels
    assert np.abs(untagged - wanted).mean() > 4


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_srgb_photos_are_left_alone(format_: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with Image.open(PHOTOS[1]) as image:
        photo = image.convert("RGB").resize((320, 240))
    tagged = decode(encoded(photo, format_, icc_profile=profile), SIZE).pixels
    assert np.array_equal(tagged, decode(encoded(photo, format_), SIZE).pixels)


def test_grey_profiles() -> None:
    image = Image.new("L", (16, 16), 128)
    pixels = decode(encoded(image, icc_profile=photos.grey_profile(1.0)), 8).pixels
    assert np.abs(pixels - photos.as_srgb(np.array(128 / 255))).max() <= 2
    both = Image.new("LA", (16, 16), (128, 255))
    assert np.array_equal(
        decode(encoded(both, icc_profile=photos.grey_profile(1.0)), 8).pixels, pixels
    )


@pytest.mark.parametrize("format_", ["JPEG", "TIFF"])
@pytest.mark.parametrize(
    ("inks", "light"), [((0, 0, 0, 0), 100), ((255, 0, 0, 0), 30), ((0, 255, 0, 0), 50),
                        ((0, 0, 255, 0), 70), ((0, 0, 0, 255), 0)]
)  # fmt: skip
def test_cmyk_profiles(format_: str, inks: tuple[int, ...], light: int) -> None:
    image = Image.new("CMYK", (16, 16), inks)
    content = encoded(image, format_, icc_profile=photos.cmyk_profile())
    pixels = decode(content, 8).pixels
    assert np.abs(pixels - photos.from_lab(light, 0, 0)).max() <= 4


@pytest.mark.parametrize(
    "profile", [b"nonsense", photos.grey_profile(1.0), photos.matrix_profile()[:200],
                photos.cmyk_profile()]
)  # fmt: skip
def test_profiles_that_do_not_fit_are_ignored(profile: bytes) -> None:
    content = encoded(quarters(), "TIFF", icc_profile=profile)
    assert np.array_equal(decode(content, SIZE).pixels, decode(encoded(quarters()), SIZE).pixels)
