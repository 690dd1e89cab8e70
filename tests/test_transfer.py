"""What the benchmark of carried relevance measures with."""

import numpy as np
import pytest

pytest.importorskip("scipy", reason="SciPy comes with the extra `train`")
pytest.importorskip("sklearn", reason="scikit-learn comes with the extra `train`")

from benchmarks.given.spaces import Space, imitations
from benchmarks.transfer import _fit, calibration_error
from pixquery.db.records import Floats
from pixquery.engine.features import relative_features
from pixquery.engine.unit import unit
from pixquery.trainer.adopting.borrowed import landmarks_of


def rows(seed: int, count: int) -> Floats:
    return unit(np.random.default_rng(seed).normal(size=(count, 512)).astype(np.float32))


def test_calibration_error_weights_bins_by_their_pairs() -> None:
    predicted = np.array([0.05, 0.06, 0.95, 1.0])
    judged = np.array([0.05, 0.16, 0.95, 0.5])
    # The first bin is 0.1 off in two pairs together, the last 0.5.
    assert calibration_error(predicted, judged) == pytest.approx((0.1 + 0.5) / 4)
    assert calibration_error(judged, judged) == 0
    # Errors within a bin cancel out.
    assert calibration_error(np.array([0.41, 0.49]), np.array([0.49, 0.41])) == pytest.approx(0)


def test_a_curve_is_found_again() -> None:
    closeness = np.linspace(-1, 3, 200)
    curve = _fit(closeness, 1 / (1 + np.exp(-(2.5 * closeness - 2))))
    assert [curve.weights[0], curve.bias] == pytest.approx([2.5, -2], 1e-3)


def test_imitations_hardly_move_closeness() -> None:
    photos = {"landmarks": rows(0, 40), "rated": rows(1, 30)}
    noise = np.linspace(0, 3, 30, dtype=np.float32)[:, None] * rows(4, 30)
    rated = unit(photos["rated"] + noise)  # less and less like their photos
    texts = {"names": rows(2, 50), "usual": rows(3, 60), "rated": rated}
    space = Space("plain", photos, texts)
    made = imitations(space)
    assert [moved.name for moved in made] == ["plain, gap", "plain, squeezed"]
    for moved in made:
        assert np.corrcoef(_closeness(moved), _closeness(space))[0, 1] > 0.9
        assert np.linalg.norm(moved.photos["rated"], axis=1) == pytest.approx(1, abs=1e-5)


def _closeness(space: Space) -> Floats:
    landmarks = landmarks_of(space.texts["usual"], space.photos["landmarks"])
    return relative_features(space.texts["rated"], space.photos["rated"], landmarks)[:, 0]
