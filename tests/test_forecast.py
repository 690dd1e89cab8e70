"""What a larger network would take is measured with photos of the library."""

import time
from pathlib import Path

import numpy as np
import pytest

from pixquery.engine.library import Library
from pixquery.engine.random_network import VisionTransformer, seconds_per_photo
from pixquery.indexer.build import index
from pixquery.indexer.forecast import TIMED, forecast
from tests.conftest import NewLibrary, square

SMALL = VisionTransformer(size=64, patch=16, width=128, layers=12)


def shades(folder: Path, count: int) -> Path:
    for number in range(count):
        square(folder / f"{number:02}.png", (number, 0, 0))
    return folder


@pytest.fixture
def library(new_library: NewLibrary, tmp_path: Path) -> Library:
    """Twelve photos."""
    made = new_library()
    assert index(made, [shades(tmp_path / "photos", 12)]).added == 12
    return made


def test_a_network_of_more_layers_takes_longer() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (10, 64, 64, 3)).astype(np.uint8)
    few, many = (VisionTransformer(64, 16, 128, layers) for layers in (2, 60))
    assert 0 < seconds_per_photo(few, pixels) < seconds_per_photo(many, pixels) < 60


def test_the_time_of_a_photo(library: Library) -> None:
    begin = time.perf_counter()
    seconds = forecast(library, SMALL)
    assert seconds is not None
    assert 0 < seconds < time.perf_counter() - begin


def test_photos_that_have_changed_are_left_out(library: Library, tmp_path: Path) -> None:
    files = sorted((tmp_path / "photos").iterdir())
    files[0].unlink()
    square(files[1], "white", (99, 99))
    assert len(files) - 2 == TIMED
    assert forecast(library, SMALL) is not None
    files[2].unlink()
    assert forecast(library, SMALL) is None


def test_a_library_without_photos_has_no_time(new_library: NewLibrary) -> None:
    assert forecast(new_library(), SMALL) is None
