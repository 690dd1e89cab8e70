"""Altered photos: where their pixels come from."""

import io

import numpy as np
import pytest
from PIL import Image

from pixquery.db.errors import UnreadableImage
from pixquery.db.records import Pixels
from pixquery.engine.alteration import Alteration
from pixquery.indexer.altered import altered
from pixquery.indexer.decode import decode

WIDTH, HEIGHT = 200, 100


def ramps(width: int = WIDTH, height: int = HEIGHT, orientation: int = 1) -> bytes:
    """A photo whose red says how far right a pixel is, and whose green how far down, in 1/200."""
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    pixels = np.stack([200 * x, 200 * y, np.zeros_like(x)], -1)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(pixels.round().astype(np.uint8)).save(file, "PNG", exif=exif)
    return file.getvalue()


def span(pixels: Pixels, channel: int, axis: int) -> tuple[float, float]:
    """The positions in the photo, from 0 to 1, of the first and last row (0) or column (1)."""
    means = pixels[..., channel].astype(float).mean(1 - axis) / 200
    return float(means[0]), float(means[-1])


def half_a_pixel(first: float, last: float, size: int) -> tuple[float, float]:
    """The middles of the first and last of ``size`` pixels that cover a stretch."""
    half = (last - first) / size / 2
    return first + half, last - half


def test_nothing_altered_is_the_photo_as_it_is_indexed() -> None:
    found = altered(ramps(), 50, Alteration(share=1.0))
    np.testing.assert_array_equal(found, decode(ramps(), 50).pixels)


@pytest.mark.parametrize(("left", "top"), [(0.0, 0.0), (1.0, 0.5), (0.5, 1.0)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_crop_is_where_it_should_be(left: float, top: float, mirrored: bool) -> None:
    found = altered(ramps(), 50, Alteration(0.8, left, top, mirrored=mirrored))
    assert found.shape == (50, 50, 3)
    across = half_a_pixel(0.2 * left, 0.2 * left + 0.8, 50)
    assert span(found, 0, 1) == pytest.approx(across[::-1] if mirrored else across, abs=0.01)
    assert span(found, 1, 0) == pytest.approx(
        half_a_pixel(0.2 * top, 0.2 * top + 0.8, 50), abs=0.01
    )


def test_the_photo_is_turned_upright_before_it_is_cropped() -> None:
    turned = altered(
        ramps(orientation=6), 50, Alteration(0.8, 0.0, 0.0)
    )  # shown a quarter to the right
    # Its left edge was the bottom of the file, its top the left edge.
    assert span(turned, 1, 1) == pytest.approx(half_a_pixel(1.0, 0.2, 50), abs=0.01)
    assert span(turned, 0, 0) == pytest.approx(half_a_pixel(0.0, 0.8, 50), abs=0.01)


def test_a_smaller_photo_is_blurred_and_a_saved_one_differs() -> None:
    rng = np.random.default_rng(0)
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (90, 90, 3), np.uint8)).save(file, "PNG")
    plain, small, saved, rough = (
        altered(file.getvalue(), 90, Alteration(1.0, scale=scale, quality=quality)).astype(float)
        for scale, quality in ((1.0, None), (0.5, None), (1.0, 90), (1.0, 60))
    )
    assert small.std() < 0.7 * plain.std()
    assert 0 < np.abs(saved - plain).mean() < np.abs(rough - plain).mean()


def test_large_photos_are_cropped_at_the_same_places() -> None:
    found = altered(ramps(2000, 1000), 50, Alteration(0.9, 1.0, 0.0))
    assert span(found, 0, 1) == pytest.approx(half_a_pixel(0.1, 1.0, 50), abs=0.01)
    assert span(found, 1, 0) == pytest.approx(half_a_pixel(0.0, 0.9, 50), abs=0.01)


def test_tiny_photos_stay_photos() -> None:
    found = altered(ramps(3, 1), 8, Alteration(0.9, scale=0.75, quality=60))
    assert found.shape == (8, 8, 3)


def test_damaged_photos_are_reported() -> None:
    with pytest.raises(UnreadableImage):
        altered(ramps()[:200], 8, Alteration(0.9))
