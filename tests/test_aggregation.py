"""Several grades of a pair, made one."""

from itertools import permutations

import numpy as np
import pytest

from pixquery.db.errors import BadData
from pixquery.trainer.learning.aggregation import (
    AGGREGATIONS,
    aggregate,
)
from pixquery.trainer.learning.judged import judged
from pixquery.trainer.learning.ratings import (
    ExpertRating,
)
from pixquery.trainer.learning.workers import by_worker
from tests.rated import CAPTIONS, user

NAN = np.nan


@pytest.mark.parametrize(
    ("row", "mean", "median", "majority"),
    [
        ([1, 1, 4], 2, 1, 1),
        ([1, 4, 4], 3, 4, 4),
        ([1, 2, 4], 7 / 3, 2, 2),  # all once: the one nearest to the median
        ([1, 4, NAN], 2.5, 2.5, 1),  # equally near: the lower one
        ([4, 4, 1, 1], 2.5, 2.5, 1),
        ([4, 4, 3, 1, 1], 2.6, 3, 4),  # 4 is nearer to 3 than 1 is
        ([4, 4, 2, 1, 1], 2.4, 2, 1),
        ([NAN, 3, NAN], 3, 3, 3),
        ([NAN, NAN, NAN], NAN, NAN, NAN),
    ],
)
def test_aggregations(row: list[float], mean: float, median: float, majority: float) -> None:
    grades = np.array([row, row[::-1]])
    for how, wanted in zip(AGGREGATIONS, (mean, median, majority), strict=True):
        assert aggregate(grades, how) == pytest.approx([wanted, wanted], nan_ok=True)


def test_means_of_the_same_sum_tie() -> None:
    rows = np.array([*permutations([1, 2, 4]), (3, 3, 1), (2, 2, 3)], float)
    assert len(set(aggregate((rows - 1) / 3, "mean").tolist())) == 1


def test_the_classic_targets_are_the_mean_of_the_grades() -> None:
    grades = {"a": (1, 2, 4), "b": (4, 4, 4), "c": (1, 1, 2)}
    pairs = judged([ExpertRating(image, "b#0", g) for image, g in grades.items()], [], CAPTIONS)
    assert aggregate(pairs.grades, "mean") == pytest.approx([4 / 9, 1, 1 / 9])


def test_unknown_aggregations_are_refused() -> None:
    with pytest.raises(BadData, match="no aggregation mode: take mean, median, majority, dawid-sk"):
        aggregate(np.ones((2, 3)), "mode")
    with pytest.raises(BadData, match="needs to know who gave which grade"):
        aggregate(np.array([[3.0, 1, 2]]), "dawid-skene")
    with pytest.raises(BadData, match="no method mean for workers"):
        by_worker(user(("a", "x", 1, "ann")), "mean")
