"""Prototypes are as far from the mean as photos are."""

import numpy as np
import pytest

from pixquery.engine.alignment import unit
from pixquery.engine.completion import Completion
from pixquery.trainer.learning.completion import fit_completion
from pixquery.trainer.learning.prototypes import prototypes_of

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


def test_what_the_classifier_does_not_know_is_estimated() -> None:
    rng = np.random.default_rng(1)
    photos = rng.normal(2, 1, size=(400, 12)).astype(np.float32)
    completion = Completion.of(fit_completion(photos, 8, 30.0))
    # Prototypes are completed after they were put among the photos.
    classifier = rng.normal(size=(6, 8)).astype(np.float32)
    short = prototypes_of(classifier, photos[:, :8])
    long = prototypes_of(classifier, photos, completion)
    np.testing.assert_array_equal(long[:, :8], short)
    np.testing.assert_array_equal(long, completion.completed(short))


def test_no_classes_have_no_prototypes() -> None:
    photos = np.zeros((4, 12), np.float32)
    assert prototypes_of(np.empty((0, 8), np.float32), photos).shape == (0, 12)
