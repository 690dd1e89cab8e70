"""Prototypes are as far from the mean as photos are."""

import numpy as np
import pytest

from pixquery.engine.alignment import unit
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
