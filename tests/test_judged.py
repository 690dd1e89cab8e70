"""Rated pairs as columns."""

import numpy as np
import pytest

from pixquery.db.errors import BadData
from pixquery.trainer.learning.aggregation import (
    grades_by_pair,
)
from pixquery.trainer.learning.crowd import fused
from pixquery.trainer.learning.judged import judged, judged_by_user
from pixquery.trainer.learning.ratings import (
    CrowdRating,
    ExpertRating,
)
from tests.rated import CAPTIONS, user

NAN = np.nan


def test_experts_and_crowd_are_joined() -> None:
    pairs = judged(
        [ExpertRating("a", "b#0", (1, 2, 4)), ExpertRating("b", "b#0", (4, 4, 4))],
        [CrowdRating("c", "a#0", 0, 0, 3), CrowdRating("a", "b#0", 0.25, 1, 3)],
        CAPTIONS,
    )
    assert pairs.images == ("a", "b", "c")
    assert pairs.texts == ("a bee", "a bee", "an a")
    assert pairs.sources == ("b", "b", "a")
    assert pairs.grades == pytest.approx(
        np.array([[0, 1 / 3, 1], [1, 1, 1], [NAN, NAN, NAN]]), nan_ok=True
    )
    assert pairs.share == pytest.approx([0.25, NAN, 0], nan_ok=True)
    assert pairs.votes.tolist() == [4, 0, 3]
    assert pairs.own.tolist() == [False, True, False]
    assert pairs.expert.tolist() == [True, True, False]
    assert pairs.crowd.tolist() == [True, False, True]


def test_pairs_are_selected_by_a_mask() -> None:
    pairs = judged(
        [ExpertRating(image, "b#0", (1, 2, 4)) for image in "abc"],
        [CrowdRating("c", "b#0", 1, 3, 0)],
        CAPTIONS,
    ).keep(np.array([False, True, True]))
    assert (pairs.images, pairs.texts, pairs.sources) == (("b", "c"), ("a bee",) * 2, ("b", "b"))
    assert pairs.grades.shape == (2, 3)
    assert pairs.votes.tolist() == [0, 3]
    assert pairs.own.tolist() == [True, False]
    assert pairs.share == pytest.approx([NAN, 1], nan_ok=True)


def test_without_a_crowd() -> None:
    pairs = judged([ExpertRating("a", "b#0", (1, 1, 1))], [], CAPTIONS)
    assert not pairs.crowd.any()
    targets, weights = fused(pairs, np.array([True]))
    assert (targets.tolist(), weights.tolist()) == ([0], [1])


def test_captions_without_a_text_are_reported() -> None:
    with pytest.raises(BadData, match="2 rated captions have no text, for example x#0"):
        judged(
            [ExpertRating("a", "x#0", (1, 1, 1)), ExpertRating("b", "x#0", (1, 1, 1))],
            [CrowdRating("a", "y#0", 0, 0, 3), CrowdRating("a", "a#0", 0, 0, 3)],
            CAPTIONS,
        )


def test_ratings_of_a_user() -> None:
    ratings = user(
        ("b", "x", 5, "ann"), ("a", "x", 1, "ann"), ("b", "x", 2, "bob"), ("b", "x", 2, "eve")
    )
    pairs = judged_by_user(ratings, "mean", (1, 5))
    assert pairs.images == ("b", "a")
    assert pairs.texts == pairs.sources == ("x", "x")
    assert pairs.grades == pytest.approx(np.array([[0.5], [0]]))
    assert not pairs.crowd.any()
    assert not pairs.own.any()
    assert judged_by_user(ratings, "median", (1, 5)).grades[0, 0] == pytest.approx(0.25)
    assert judged_by_user(ratings, "majority", (0, 10)).grades[:, 0] == pytest.approx([0.2, 0.1])
    assert grades_by_pair(ratings) == pytest.approx(
        np.array([[5, 2, 2], [1, NAN, NAN]]), nan_ok=True
    )
    targets, weights = fused(pairs, np.array([True, False]))
    assert (targets.tolist(), weights.tolist()) == ([0.5, 0], [1, 1])
