"""Measures against scikit-learn, SciPy and cases worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from trainer.metrics import RETRIEVAL, interval, rmse, tau_c

RANKS = np.array([1, 2, 5, 6, 10, 11, math.inf])


def test_by_hand() -> None:
    assert RETRIEVAL["recall@1"](RANKS).tolist() == [1, 0, 0, 0, 0, 0, 0]
    assert RETRIEVAL["recall@5"](RANKS).tolist() == [1, 1, 1, 0, 0, 0, 0]
    assert RETRIEVAL["recall@10"](RANKS).tolist() == [1, 1, 1, 1, 1, 0, 0]
    assert RETRIEVAL["mrr"](RANKS) == pytest.approx([1, 1 / 2, 1 / 5, 1 / 6, 1 / 10, 1 / 11, 0])
    log = math.log2
    assert RETRIEVAL["ndcg@10"](RANKS) == pytest.approx(
        [1, 1 / log(3), 1 / log(6), 1 / log(7), 1 / log(11), 0, 0]
    )


@given(place=st.integers(0, 39), seed=st.integers(0, 1000))
@hypothesis_settings(max_examples=40)
def test_ndcg_and_mrr_are_those_of_scikit_learn(place: int, seed: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn comes with `train`")
    scores = np.random.default_rng(seed).permutation(40).astype(float)[None]
    relevant = np.zeros((1, 40))
    relevant[0, place] = 1
    rank = np.array([1 + (scores > scores[0, place]).sum()], float)
    assert RETRIEVAL["ndcg@10"](rank)[0] == pytest.approx(
        sklearn.ndcg_score(relevant, scores, k=10)
    )
    assert RETRIEVAL["mrr"](rank)[0] == pytest.approx(
        sklearn.label_ranking_average_precision_score(relevant, scores)
    )
    assert RETRIEVAL["recall@5"](rank)[0] == sklearn.top_k_accuracy_score(
        [place], scores, k=5, labels=range(40)
    )


def test_the_interval_of_independent_values_is_the_textbook_one() -> None:
    values = (np.random.default_rng(0).random(2000) < 0.3).astype(float)
    low, high = interval(values, np.arange(2000))
    error = 1.96 * math.sqrt(values.mean() * (1 - values.mean()) / 2000)
    assert low == pytest.approx(values.mean() - error, abs=0.004)
    assert high == pytest.approx(values.mean() + error, abs=0.004)


def test_values_that_stand_and_fall_together_promise_less() -> None:
    groups = np.repeat(np.arange(200), 5)
    values = np.repeat((np.random.default_rng(0).random(200) < 0.3).astype(float), 5)
    low, high = interval(values, groups)
    narrow = interval(values, np.arange(1000))
    assert (high - low) / (narrow[1] - narrow[0]) == pytest.approx(math.sqrt(5), rel=0.15)


def test_the_interval_is_repeatable_and_tight_where_all_agree() -> None:
    values, groups = np.random.default_rng(1).random(50), np.arange(50) // 3
    assert interval(values, groups) == interval(values, groups)
    assert interval(values, groups) != interval(values, groups, seed=1)
    assert interval(np.full(9, 0.25), np.arange(9) // 3) == (0.25, 0.25)


def test_groups_of_unequal_size_weigh_as_they_are() -> None:
    values = np.array([1.0] * 90 + [0.0] * 10)
    low, high = interval(values, np.array([0] * 90 + [1] * 10))
    assert (low, high) == (0, 1)  # both groups, or one of them twice


def test_rmse() -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn comes with `train`")
    assert rmse(np.array([1.0, 2, 3]), np.array([1.0, 2, 3])) == 0
    assert rmse(np.array([3.0, 0]), np.array([0.0, 4])) == pytest.approx(math.sqrt(12.5))
    a, b = np.random.default_rng(0).random((2, 50))
    assert rmse(a, b) == pytest.approx(sklearn.root_mean_squared_error(b, a))


def by_counting(predicted: list[float], judged: list[int]) -> float:
    """Stuart's tau_c from its definition: 2 m (P - Q) / (n^2 (m - 1))."""
    pairs = [
        np.sign(predicted[i] - predicted[j]) * np.sign(judged[i] - judged[j])
        for i in range(len(judged))
        for j in range(i)
    ]
    m = min(len(set(predicted)), len(set(judged)))
    return float(2 * m * sum(pairs) / (len(judged) ** 2 * (m - 1)))


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 5), *[st.integers(1, 4)] * 3), min_size=2, max_size=15
    ).filter(
        lambda rows: len({r[0] for r in rows}) > 1 and len({g for r in rows for g in r[1:]}) > 1
    )
)
@hypothesis_settings(max_examples=60)
def test_tau_c_counts_every_judge(rows: list[tuple[int, ...]]) -> None:
    pytest.importorskip("scipy", reason="SciPy comes with `train`")
    predicted = np.array([row[0] / 5 for row in rows])
    grades = np.array([row[1:] for row in rows])
    wanted = by_counting(
        [float(p) for p in predicted for _ in range(3)], [int(g) for row in grades for g in row]
    )
    assert tau_c(predicted, grades) == pytest.approx(wanted)
