"""The views that training encodes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixquery.commands.loading import view_loader
from pixquery.engine.profile import load_profile
from pixquery.trainer.learning.course import Course
from pixquery.trainer.learning.options import Options
from pixquery.trainer.learning.views import View, encoded_views, slight, views_of
from tests.conftest import square


def test_slight_alterations_keep_most_of_a_photo() -> None:
    drawn = list(slight(np.random.default_rng(0), 2000))
    shares = np.array([each.share for each in drawn])
    assert 0.9 <= shares.min() < 0.905
    assert 0.995 < shares.max() <= 1
    assert all(0 <= place <= 1 for each in drawn for place in (each.left, each.top))
    for halves in (
        [each.mirrored for each in drawn],
        [each.scale < 1 for each in drawn],
        [each.quality is not None for each in drawn],
    ):
        assert np.mean(halves) == pytest.approx(0.5, abs=0.05)
    scales = [each.scale for each in drawn if each.scale < 1]
    assert 0.75 <= min(scales) < 0.76
    qualities = {each.quality for each in drawn if each.quality is not None}
    assert qualities == set(range(60, 91))
    assert drawn == list(slight(np.random.default_rng(0), 2000))
    assert drawn != list(slight(np.random.default_rng(1), 2000))


def test_each_profile_has_its_views(colours: Path) -> None:
    shipped, other = load_profile(), load_profile(str(colours))
    six = views_of(shipped, quick=False)
    assert six[0] == View("float")  # as a query sees photos
    assert [view.precision for view in six].count("int8") == 2
    assert [view.cropped for view in six].count(True) == 2
    assert [view.size for view in six] == [None] * 5 + [320]
    assert views_of(other, quick=False) == (View("float"), View("float", mirrored=True))
    assert views_of(shipped, quick=True) == views_of(other, quick=True) == (View(),)


def test_photos_are_encoded_in_each_view(colours: Path, tmp_path: Path) -> None:
    files = [square(tmp_path / f"{name}.png", name) for name in ("red", "white")]
    halves = tmp_path / "halves.png"
    sides = np.zeros((40, 40, 3), np.uint8)
    sides[:, 30:] = 255
    Image.fromarray(sides).save(halves)
    progress: list[tuple[int, int]] = []
    options = Options(seed=3, progress=lambda done, total: progress.append((done, total)))
    course = Course(load_profile(str(colours)), view_loader("bicubic"), options, total=12)
    views = (
        View("float"),
        View("float", mirrored=True),
        View("float", cropped=True),
        View("float", 16),
    )
    found = encoded_views(course, views, [*files, halves])
    assert found.shape == (4, 3, 3)
    assert found.dtype == np.float32
    assert found[:, :2] == pytest.approx(
        np.broadcast_to([[1, 0, 0], [1, 1, 1]], (4, 2, 3)), abs=0.02
    )
    assert found[[0, 1, 3], 2] == pytest.approx(0.25, abs=0.02)  # the mean colour
    assert found[2, 2] == pytest.approx(0.25, abs=0.06)
    assert not np.allclose(found[2, 2], found[0, 2], atol=1e-4)  # cropped elsewhere
    assert progress[-1] == (12, 12)
    again = encoded_views(course, views, [*files, halves])
    np.testing.assert_array_equal(again, found)
