"""Relative features: worked out by hand, and the same whatever the cosines of a space are like."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixquery.db.records import Floats
from pixquery.engine.alignment import unit
from pixquery.engine.features import (
    BEST,
    FEATURES,
    OWN_AVERAGE,
    OWN_SPAN,
    RELATIVE,
    RELATIVE_NAMES,
    Landmarks,
    Vectors,
    columns,
    relative_features,
)


def rows(seed: int, count: int, dimension: int = 6) -> Floats:
    return unit(np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32))


def marks(texts: Floats, photos: Floats) -> Landmarks:
    return Landmarks(texts, photos, photos[:0], texts[:0])


def average_and_span(photo: Floats, texts: Floats) -> tuple[float, float]:
    cosines = sorted(float(photo @ text) for text in texts)
    average = sum(cosines) / len(cosines)
    best = cosines[-BEST:]
    return average, sum(best) / len(best) - average


def by_hand(text: Floats, photo: Floats, landmarks: Landmarks) -> float:
    """The closeness of one pair, in plain Python."""
    average, span = average_and_span(photo, landmarks.texts)
    usual = [average_and_span(each, landmarks.texts) for each in landmarks.photos]
    usual_average = sum(one for one, _ in usual) / len(usual)
    usual_span = sum(one for _, one in usual) / len(usual)
    begin = OWN_AVERAGE * average + (1 - OWN_AVERAGE) * usual_average
    return (float(text @ photo) - begin) / (OWN_SPAN * span + (1 - OWN_SPAN) * usual_span)


@given(
    seed=st.integers(0, 2**31), count=st.integers(1, 8), texts=st.integers(4, 40),
    photos=st.integers(1, 30),
)  # fmt: skip
def test_closeness_of_each_pair(seed: int, count: int, texts: int, photos: int) -> None:
    landmarks = marks(rows(seed + 2, texts), rows(seed + 3, photos))
    asked, seen = rows(seed, count), rows(seed + 1, count)
    found = relative_features(asked, seen, landmarks)
    assert found.shape == (count, len(RELATIVE_NAMES))
    assert found.dtype == np.float32
    wanted = [by_hand(*pair, landmarks) for pair in zip(asked, seen, strict=True)]
    assert found[:, 0] == pytest.approx(wanted, rel=1e-3, abs=1e-3)


def test_one_text_meets_many_photos() -> None:
    text, photos = rows(0, 1), rows(1, 7)
    landmarks = marks(rows(2, 12), rows(3, 5))
    alone = [relative_features(text, photo[None], landmarks)[0, 0] for photo in photos]
    assert relative_features(text, photos, landmarks)[:, 0] == pytest.approx(alone, abs=1e-5)


def test_closeness_is_0_at_the_average_and_1_at_the_best() -> None:
    """Four texts, three of them at right angles: the photo is the first text."""
    axes = np.eye(6, dtype=np.float32)
    landmarks = marks(axes[:4], axes[:1])
    # The photo's cosines are 1, 0, 0, 0: their average is 1/4, and the three best have 1/3.
    span = 1 / 3 - 1 / 4
    same, other = relative_features(axes[[0, 5]], axes[[0, 0]], landmarks)[:, 0]
    assert (same, other) == (pytest.approx(0.75 / span), pytest.approx(-0.25 / span))


@given(factor=st.floats(0.05, 0.9), constant=st.floats(0, 2))
def test_a_gap_between_the_sides_and_squeezed_cosines_change_nothing(
    factor: float, constant: float
) -> None:
    """Every cosine c becomes (a * c + b) / const: two further numbers for each vector."""
    asked, seen, texts, photos = rows(0, 5), rows(1, 5), rows(2, 30), rows(3, 9)

    def squeezed(vectors: Floats) -> Floats:
        further = np.full((len(vectors), 1), constant, np.float32)
        return unit(np.hstack([np.float32(factor) * vectors, further]))

    before = relative_features(asked, seen, marks(texts, photos))
    after = relative_features(
        squeezed(asked), squeezed(seen), marks(squeezed(texts), squeezed(photos))
    )
    assert after == pytest.approx(before, rel=1e-2, abs=1e-2)


def test_landmarks_that_are_one_point_give_finite_numbers() -> None:
    one = rows(0, 1)
    found = relative_features(rows(1, 3), rows(2, 3), marks(one.repeat(5, 0), one))
    assert np.isfinite(found).all()


def test_relative_is_a_kind_of_features() -> None:
    assert RELATIVE in FEATURES
    texts, photos, landmarks = rows(0, 3), rows(1, 3), marks(rows(2, 9), rows(3, 9))
    assert columns(RELATIVE, Vectors(texts), Vectors(photos), landmarks) == pytest.approx(
        relative_features(texts, photos, landmarks)
    )
