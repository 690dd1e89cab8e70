"""Prototypes are as far from the mean as photos are."""

import numpy as np
import pytest

from pixquery.engine.alignment import unit
from pixquery.trainer.learning.prototypes import completed, prototypes_of

pytestmark = pytest.mark.usefixtures("one_thread")


def test_prototypes_lie_among_the_photos() -> None:
    rng = np.random.default_rng(0)
    photos = rng.normal(5, 2, size=(50, 8)).astype(np.float32)
    classifier = rng.normal(size=(7, 8)).astype(np.float32)
    found = prototypes_of(classifier, photos)
    centre = photos.mean(0)
    distance = np.linalg.norm(photos - centre, axis=1).mean()
    assert np.linalg.norm(found - centre, axis=1) == pytest.approx(distance, rel=1e-4)
    directions = unit(classifier - classifier.mean(0))
    assert np.einsum("cd,cd->c", unit(found - centre), directions) == pytest.approx(1, abs=1e-4)


def test_what_the_classifier_does_not_know_is_estimated_by_ridge_regression() -> None:
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(1)
    hidden = rng.normal(size=(400, 5))
    photos = hidden @ rng.normal(size=(5, 12)) * rng.uniform(0.1, 3, 12) + rng.normal(2, 1, 12)
    photos = (photos + 0.1 * rng.normal(size=photos.shape)).astype(np.float32)
    centre, spread = photos[:, :8].mean(0), photos[:, :8].std(0) + 1e-4
    model = Ridge(alpha=30.0).fit((photos[:, :8] - centre) / spread, photos[:, 8:])
    known = rng.normal(2, 1, size=(6, 8)).astype(np.float32)
    found = completed(known, photos, ridge=30.0)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[:, :8], known)
    assert found[:, 8:] == pytest.approx(model.predict((known - centre) / spread), abs=1e-3)
    # Prototypes are completed after they were put among the photos.
    classifier = rng.normal(size=(6, 8)).astype(np.float32)
    short, long = prototypes_of(classifier, photos[:, :8]), prototypes_of(classifier, photos)
    np.testing.assert_array_equal(long, completed(short, photos))


def test_no_classes_have_no_prototypes() -> None:
    photos = np.zeros((4, 12), np.float32)
    assert prototypes_of(np.empty((0, 8), np.float32), photos).shape == (0, 12)
