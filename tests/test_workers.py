"""Invented workers: the reliable ones are trusted."""

import importlib.util
from itertools import permutations

import numpy as np
import pytest

from pixquery.db.errors import BadData, MissingExtra
from pixquery.trainer.learning.aggregation import (
    WORKER_METHODS,
    aggregate,
    grades_by_pair,
    refuse_sorted,
)
from pixquery.trainer.learning.judged import judged_by_user
from pixquery.trainer.learning.ratings import (
    Rating,
)
from pixquery.trainer.learning.workers import by_worker
from pixquery.trainer.measuring.metrics import rmse
from tests.rated import user

NAN = np.nan


def test_sorted_columns_are_not_people() -> None:
    rng = np.random.default_rng(0)
    grades = rng.integers(1, 5, size=(200, 3)).astype(float)
    refuse_sorted(grades)
    sorted_ = np.sort(grades, 1)
    for order in permutations(range(3)):
        with pytest.raises(BadData, match="sorted from lowest to highest in all 200 rows"):
            refuse_sorted(sorted_[:, order])
    with pytest.raises(BadData, match="sorted"):
        aggregate(sorted_, "wawa")
    one_off = sorted_.copy()
    one_off[7] = [1, 4, 1]
    refuse_sorted(one_off)


def test_few_rows_and_two_columns_may_be_sorted_by_chance() -> None:
    rows = np.array([[1.0, 2, 3]] * 19 + [[2.0, 2, 2]] * 50)
    refuse_sorted(rows)
    with pytest.raises(BadData):
        refuse_sorted(np.r_[rows, [[1, 1, 2]]])
    refuse_sorted(np.array([[1.0, 2]] * 50))  # a strict person and a mild one
    refuse_sorted(np.array([[1.0, 2, NAN]] * 50))
    refuse_sorted(np.full((5, 3), NAN))
    refuse_sorted(np.empty((0, 3)))


@pytest.mark.parametrize(
    ("ratings", "words"),
    [
        (user(("a", "x", 1), ("b", "x", 2)), "line 2 names none: add a column worker"),
        (user(("a", "x", 1, "ann"), ("b", "x", 2, "bob")), "no pair was rated by two"),
        (user(*[("a", "x", n, f"w{n}") for n in range(11)]), "few distinct ratings, at most 10"),
        (user(*[(f"{n}", "x", grade, worker) for n in range(30)
                for grade, worker in ((1, "low"), (2, "mid"), (4, "high"))]), "no column is one"),
    ],
)  # fmt: skip
def test_ratings_that_show_nothing_about_workers(ratings: list[Rating], words: str) -> None:
    for method in WORKER_METHODS:
        with pytest.raises(BadData, match=words) as told:
            judged_by_user(ratings, method, (0, 10))
        assert "take mean, median or majority" in str(told.value)


def a_crowd(pairs: int = 150) -> tuple[list[Rating], list[int]]:
    """Two reliable workers and five who guess: the majority is worse than the two."""
    rng = np.random.default_rng(0)
    truth = [int(grade) for grade in rng.integers(1, 4, pairs)]
    rows: list[tuple[str, str, float, str]] = []
    for pair in rng.permutation(pairs):
        for worker in range(7):
            knows = rng.random() < (0.95 if worker < 2 else 0.1)
            grade = truth[pair] if knows else int(rng.integers(1, 4))
            rows.append((f"{pair}.jpg", "x", grade, f"worker {worker}"))
    return user(*rows), truth


@pytest.mark.skipif(importlib.util.find_spec("crowdkit") is not None, reason="crowd-kit is there")
def test_a_missing_extra_is_named() -> None:
    with pytest.raises(
        MissingExtra, match=r"dawid-skene needs .*pip install 'pixquery\[workers\]'"
    ):
        by_worker(a_crowd()[0])


@pytest.mark.parametrize("method", WORKER_METHODS)
def test_reliable_workers_are_recognized(method: str) -> None:
    pytest.importorskip("crowdkit", reason="crowd-kit comes with `workers`")
    ratings, truth = a_crowd()
    wanted = np.array([truth[int(r.image.partition(".")[0])] for r in ratings[::7]], float)
    found = by_worker(ratings, method)
    assert found.shape == (150,)
    assert ((found >= 1) & (found <= 3)).all()
    assert rmse(found, wanted) < rmse(aggregate(grades_by_pair(ratings), "mean"), wanted)
    if method != "wawa":  # which only weighs the guesses less
        by_majority = (aggregate(grades_by_pair(ratings), "majority") == wanted).mean()
        assert by_majority < 0.85
        assert (np.rint(found) == wanted).mean() > 0.9
    again = judged_by_user(ratings, method, (1, 3))
    assert again.grades[:, 0] == pytest.approx((found - 1) / 2)


def test_wawa_weighs_by_agreement_with_the_majority() -> None:
    pytest.importorskip("crowdkit", reason="crowd-kit comes with `workers`")
    # Majorities: 1, 1, 3. Ann agrees with all three, Bob and Cid with two each.
    votes = {"p": (1, 1, 3), "q": (1, 3, 1), "r": (3, 3, 3)}
    rows = [
        (image, "x", float(grade), worker)
        for image, grades in votes.items()
        for worker, grade in zip(("ann", "bob", "cid"), grades, strict=True)
    ]
    weights = np.array([1, 2 / 3, 2 / 3])
    wanted = [np.average(grades, weights=weights) for grades in votes.values()]
    assert by_worker(user(*rows), "wawa") == pytest.approx(wanted)
