"""Alignments of few pairs, against planted directions and the definition."""

import numpy as np
import pytest
from scipy.linalg import eigh

from pixquery.db.errors import BadData
from pixquery.db.records import Floats
from pixquery.engine.unit import unit
from pixquery.trainer.learning import canonical
from pixquery.trainer.learning.canonical import fit_canonical
from pixquery.trainer.learning.captioned import Captioned
from pixquery.trainer.learning.prototypes import Prototypes
from pixquery.trainer.learning.towers import Tensors

NONE = Prototypes(np.empty((0, 0), np.float32), np.empty((0, 1, 0), np.float32))


def pairs_of(photos: Floats, texts: Floats) -> Captioned:
    each = np.arange(len(texts)) % len(photos)
    return Captioned(photos[None], texts, each, texts)


def similarities(tensors: Tensors, photos: Floats, texts: Floats) -> Floats:
    left = unit(photos @ tensors["image.weight"] + tensors["image.bias"])
    right = unit(texts @ tensors["text.0.weight"] + tensors["text.0.bias"])
    return np.asarray(left @ right.T)


def planted(count: int, seed: int) -> tuple[Floats, Floats]:
    """Photos and texts that share five numbers among fifty, whatever else they hold."""
    mixing = np.random.default_rng(0)
    of_photo, of_text = mixing.normal(size=(5, 50)), mixing.normal(size=(5, 40))
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(count, 5))
    photos = shared @ of_photo + rng.normal(size=(count, 50)) + 3
    texts = shared @ of_text + rng.normal(size=(count, 40)) - 1
    return photos.astype(np.float32), texts.astype(np.float32)


def test_unseen_photos_are_found_by_what_they_share_with_their_text() -> None:
    photos, texts = planted(200, 1)
    tensors = fit_canonical(pairs_of(photos, texts), NONE, np.ones(200))
    assert all(tensor.dtype == np.float32 for tensor in tensors.values())
    assert sorted(tensors) == ["image.bias", "image.weight", "text.0.bias", "text.0.weight"]
    unseen = similarities(tensors, *planted(100, 2))
    assert (unseen.argmax(0) == np.arange(100)).mean() > 0.5  # 0.01 by chance
    shuffled = fit_canonical(pairs_of(photos, texts[::-1]), NONE, np.ones(200))
    assert (similarities(shuffled, *planted(100, 2)).argmax(0) == np.arange(100)).mean() < 0.1


def test_the_strengths_are_the_roots_of_the_generalised_eigenvalues() -> None:
    """Regularised canonical correlations as textbooks define them, by SciPy."""
    photos, texts = planted(60, 3)
    tensors = fit_canonical(pairs_of(photos, texts), NONE, np.ones(60))
    x, y = (part.astype(np.float64) - part.mean(0) for part in (photos, texts))
    xx, yy, xy = x.T @ x / 60, y.T @ y / 60, x.T @ y / 60
    for side, ridge in ((xx, canonical._PHOTO_RIDGE), (yy, canonical._TEXT_RIDGE)):
        side += ridge / 60 * np.trace(side) / len(side) * np.eye(len(side))
    squares, axes = eigh(xy @ np.linalg.solve(yy, xy.T), xx)
    expected = axes[:, ::-1][:, :5] * np.sqrt(squares[::-1][:5])
    found = tensors["image.weight"][:, :5].astype(np.float64)
    scale = np.abs(found).max() / np.abs(expected).max()
    np.testing.assert_allclose(np.abs(found), scale * np.abs(expected), rtol=1e-3, atol=1e-4)


def test_a_weight_of_two_is_a_pair_twice() -> None:
    photos, texts = planted(30, 4)
    weights = np.ones(30)
    weights[:10] = 2
    once = fit_canonical(pairs_of(photos, texts), NONE, weights)
    twice = Captioned(
        photos[None],
        np.concatenate([texts, texts[:10]]),
        np.concatenate([np.arange(30), np.arange(10)]),
        np.concatenate([texts, texts[:10]]),
    )
    repeated = fit_canonical(twice, NONE, np.ones(40))
    unseen = planted(20, 5)
    np.testing.assert_allclose(
        similarities(once, *unseen), similarities(repeated, *unseen), atol=1e-4
    )


def test_names_of_classes_are_learned() -> None:
    photos, texts = planted(200, 6)
    ones = np.ones(8)
    few = pairs_of(photos[:8], texts[:8])
    classes = Prototypes(photos[8:], texts[8:, None])
    unseen = planted(100, 7)
    alone, named = (
        (similarities(fit_canonical(few, each, ones), *unseen).argmax(0) == np.arange(100)).mean()
        for each in (NONE, classes)
    )
    assert named > alone + 0.2


def test_photos_that_all_look_the_same_teach_nothing() -> None:
    photos, texts = planted(20, 8)
    with pytest.raises(BadData, match="gives all photos the same vector"):
        fit_canonical(pairs_of(np.ones_like(photos), texts), NONE, np.ones(20))
    with pytest.raises(BadData, match="gives all texts the same vector"):
        fit_canonical(pairs_of(photos, np.ones_like(texts)), NONE, np.ones(20))
