"""Landmarks against points whose centres are known."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pixquery.engine.unit import unit
from pixquery.trainer.learning.landmarks import fit_landmarks


def test_landmarks_lie_where_the_points_are() -> None:
    centres = np.eye(16, dtype=np.float32)[:4]
    rng = np.random.default_rng(0)
    noise = 0.01 * rng.normal(size=(1200, 16)).astype(np.float32)
    points = unit(np.repeat(centres, 300, 0) + noise)
    names = unit(-centres)
    learned: Any = SimpleNamespace(
        alignment=SimpleNamespace(texts=unit, images=unit),
        captions=points, names=names, every_name=2 * points[:7], things=3 * points[:5],
    )  # fmt: skip
    marks = fit_landmarks(learned, points, seed=1)
    assert (len(marks.texts), len(marks.photos)) == (768 + 4, 256)
    assert np.array_equal(marks.texts[768:], names)  # fewer names than centres are kept as they are
    for found in (marks.texts[:768], marks.photos):
        assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
        assert (found @ centres.T).max(1) == pytest.approx(1, abs=0.02)
    again = fit_landmarks(learned, points, seed=1)
    assert np.array_equal(marks.texts, again.texts)
    assert marks.things == pytest.approx(points[:5], abs=1e-6)  # all of them, as they are
    assert marks.names == pytest.approx(points[:7], abs=1e-6)
