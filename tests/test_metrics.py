"""Measures against scikit-learn, SciPy and cases worked out by hand."""

import math
import tracemalloc
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pixquery.trainer.measuring.metrics import (
    GRADED,
    RETRIEVAL,
    Groups,
    Values,
    bootstrap,
    interval,
    mae,
    ndcg,
    rmse,
    spearman,
    tau_b,
    tau_c,
)

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


def test_graded_measures_by_hand() -> None:
    ranked, judged = np.array([0.0, 3, 0, 1]), np.array([3.0, 0, 2, 1, 0])
    log = math.log2
    ideal = 3 + 2 / log(3) + 1 / log(4)
    wanted = {
        "nDCG@5": (3 / log(3) + 1 / log(5)) / ideal,
        "nDCG@10": (3 / log(3) + 1 / log(5)) / ideal,
        "AP": (1 / 2 + 2 / 4) / 3,  # one of the three relevant photos was not found
        "RR": 1 / 2,
        "P@1": 0,
        "P@5": 2 / 5,  # the missing places of the answer count as not relevant
        "P@10": 2 / 10,
        "R@5": 2 / 3,
        "R@10": 2 / 3,
    }
    assert {name: measure(ranked, judged) for name, measure in GRADED.items()} == pytest.approx(
        wanted
    )
    assert ndcg(ranked, judged, 2) == pytest.approx((3 / log(3)) / (3 + 2 / log(3)))


def test_the_best_answer_has_every_measure_at_its_top() -> None:
    judged = np.array([0.0, 0.5, 2, 1, 0])
    best = np.sort(judged)[::-1]
    for name in ("nDCG@5", "nDCG@10", "AP", "RR", "P@1", "R@5", "R@10"):
        assert GRADED[name](best, judged) == pytest.approx(1)


@pytest.mark.parametrize("measure", GRADED)
def test_no_answer_and_nothing_relevant_are_zero(measure: str) -> None:
    assert GRADED[measure](np.empty(0), np.array([1.0, 2])) == 0
    assert GRADED[measure](np.zeros(3), np.zeros(4)) == 0
    assert GRADED[measure](np.array([0.0, -1]), np.array([0.0, -1])) == 0


@pytest.mark.parametrize(
    ("ranked", "judged", "wanted"),
    [
        (
            {0: 2, 3: -1, 11: -1, 15: 2, 18: 3, 23: -1, 25: 2},
            {-1: 4, 0: 8, 1: 3, 2: 4, 3: 5},
            [0.22610680351574405, 0.1702632947601333, 0.11972840755735492, 1, 1, 0.2, 0.1,
             0.08333333333333333, 0.08333333333333333],
        ),
        (
            {0: 1, 7: -1, 12: 2},
            {-1: 3, 0: 7, 1: 5, 2: 3, 3: 3},
            [0.12456638455037522, 0.10020888142855955, 0.10489510489510488, 1, 1, 0.2, 0.1,
             0.09090909090909091, 0.09090909090909091],
        ),
    ],
)  # fmt: skip
def test_graded_measures_are_those_of_trec_eval(
    ranked: dict[int, int], judged: dict[int, int], wanted: list[float]
) -> None:
    """Values of ir-measures 0.4.3, pytrec_eval-terrier 0.5.11; place or grade -> grade, count."""
    answer = np.array([ranked.get(place, 0) for place in range(max(ranked) + 1)], float)
    grades = np.repeat(list(judged), list(judged.values())).astype(float)
    assert [measure(answer, grades) for measure in GRADED.values()] == pytest.approx(wanted)


@given(seed=st.integers(0, 10_000), k=st.integers(1, 40), held=st.integers(2, 40))
@hypothesis_settings(max_examples=60)
def test_graded_ndcg_is_that_of_scikit_learn(seed: int, k: int, held: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn comes with `train`")
    dice = np.random.default_rng(seed)
    judged = dice.choice([0, 0, 0.3, 1, 2], held)
    scores = dice.permutation(held).astype(float)
    assert ndcg(judged[np.argsort(-scores)], judged, k) == pytest.approx(
        sklearn.ndcg_score(judged[None], scores[None], k=k)
    )


@given(seed=st.integers(0, 10_000))
@hypothesis_settings(max_examples=40)
def test_average_precision_is_that_of_scikit_learn(seed: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn comes with `train`")
    dice = np.random.default_rng(seed)
    judged = np.append(dice.choice([0.0, 2.0], 20), 1.0)
    scores = dice.permutation(21).astype(float)
    assert GRADED["AP"](judged[np.argsort(-scores)], judged) == pytest.approx(
        sklearn.average_precision_score(judged > 0, scores)
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


def drawn_at_once(values: Values, groups: Groups, seed: int) -> tuple[float, float]:
    """All samples in one array, which takes 24 bytes for each of a thousand times the groups."""
    sums, sizes = np.bincount(groups, values), np.bincount(groups)
    drawn = np.random.default_rng(seed).integers(len(sums), size=(1000, len(sums)))
    low, high = np.quantile(sums[drawn].sum(1) / sizes[drawn].sum(1), (0.025, 0.975))
    return float(low), float(high)


@pytest.mark.parametrize("count", [1, 2, 3, 100, 1049, 1500, 20_001])
def test_the_interval_is_the_same_however_many_are_drawn_at_a_time(count: int) -> None:
    dice = np.random.default_rng(count)
    groups = np.concatenate([np.arange(count), dice.integers(count, size=count)])
    values = dice.random(2 * count)
    for seed in (0, 1):
        assert interval(values, groups, seed=seed) == drawn_at_once(values, groups, seed)


def test_an_interval_of_many_photos_takes_little_memory() -> None:
    values = np.random.default_rng(0).random(100_000)
    tracemalloc.start()
    interval(values, np.arange(100_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6


def test_groups_of_unequal_size_weigh_as_they_are() -> None:
    values = np.array([1.0] * 90 + [0.0] * 10)
    low, high = interval(values, np.array([0] * 90 + [1] * 10))
    assert (low, high) == (0, 1)  # both groups, or one of them twice


def mean(values: Values) -> float:
    return float(values.mean())


def test_the_bootstrap_of_a_mean_is_its_interval() -> None:
    dice = np.random.default_rng(0)
    groups = dice.integers(60, size=500)
    groups[:60] = range(60)  # without gaps
    values = dice.random(500) + groups / 60
    low, high = bootstrap(mean, values, groups=groups, draws=1000)
    assert (low, high) == pytest.approx(interval(values, groups), abs=1e-12)


def test_the_bootstrap_draws_rows_of_several_arrays_together() -> None:
    predicted = np.random.default_rng(0).random(300)
    grades = np.stack([predicted, predicted + 1, predicted * 2], 1)
    groups = np.arange(300) // 4

    def apart(left: Values, right: Values) -> float:
        return float(np.abs(right - np.stack([left, left + 1, left * 2], 1)).max())

    assert bootstrap(apart, predicted, grades, groups=groups) == (0, 0)


def test_the_bootstrap_draws_whole_groups() -> None:
    groups = np.array([2, 0, 1, 0, 2, 2])
    drawn: list[NDArray[np.int64]] = []

    def remember(values: NDArray[np.int64]) -> float:
        drawn.append(np.bincount(values, minlength=3))
        return 0.0

    bootstrap(remember, groups, groups=groups, draws=50)
    counts = np.array(drawn)
    assert len(counts) == 50
    assert not (counts % [2, 1, 3]).any()
    assert ((counts // [2, 1, 3]).sum(1) == 3).all()


def test_the_bootstrap_covers_the_truth_as_often_as_it_says() -> None:
    """Photos of 1 to 9 rows that are right or wrong together; the true RMSE is 5."""
    covered = 0
    for seed in range(120):
        dice = np.random.default_rng(seed)
        groups = np.repeat(np.arange(150), dice.integers(1, 10, 150))
        wrong = dice.normal(0, 5, 150)[groups]
        low, high = bootstrap(rmse, wrong, np.zeros(len(wrong)), groups=groups, draws=200)
        covered += low <= 5 <= high
    assert 0.88 <= covered / 120 <= 0.99


def test_the_bootstrap_is_repeatable() -> None:
    values, groups = np.random.default_rng(1).random(50), np.arange(50) // 3
    assert bootstrap(mean, values, groups=groups) == bootstrap(mean, values, groups=groups)
    assert bootstrap(mean, values, groups=groups) != bootstrap(mean, values, groups=groups, seed=1)


def test_the_bootstrap_of_tau_is_quick_enough() -> None:
    """A table of forty figures over the crowd's pairs must not take an hour."""
    pytest.importorskip("scipy", reason="SciPy comes with `train`")
    dice = np.random.default_rng(0)
    predicted, groups = dice.random(13_000), dice.integers(800, size=13_000)
    share = np.round(np.clip(predicted + dice.normal(0, 0.3, 13_000), 0, 1) * 3) / 3
    begin = perf_counter()
    low, high = bootstrap(tau_b, predicted, share, groups=groups, draws=50)
    assert low < tau_b(predicted, share) < high
    assert perf_counter() - begin < 15  # for a quarter of the usual draws


def test_rmse() -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn comes with `train`")
    assert rmse(np.array([1.0, 2, 3]), np.array([1.0, 2, 3])) == 0
    assert rmse(np.array([3.0, 0]), np.array([0.0, 4])) == pytest.approx(math.sqrt(12.5))
    a, b = np.random.default_rng(0).random((2, 50))
    assert rmse(a, b) == pytest.approx(sklearn.root_mean_squared_error(b, a))


def test_mae() -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn comes with `train`")
    assert mae(np.array([3.0, 0]), np.array([0.0, 4])) == 3.5
    a, b = np.random.default_rng(0).random((2, 50))
    assert mae(a, b) == pytest.approx(sklearn.mean_absolute_error(b, a))


def test_spearman_by_hand() -> None:
    pytest.importorskip("scipy", reason="SciPy comes with `train`")
    # Without ties 1 - 6 sum(d^2) / (n (n^2 - 1)): ranks 1 2 3 4 5 against 2 1 4 3 5.
    assert spearman(np.array([0.1, 0.2, 0.4, 0.8, 0.9]), np.array([2.0, 1, 4, 3, 5])) == (
        pytest.approx(1 - 6 * 4 / (5 * 24))
    )
    # With ties the correlation of the mean ranks: 1.5 1.5 3 4 against 1 2 3.5 3.5.
    ranks = [1.5, 1.5, 3, 4], [1, 2, 3.5, 3.5]
    assert spearman(np.array([0.0, 0, 1, 2]), np.array([0.0, 1, 2, 2])) == pytest.approx(
        np.corrcoef(*ranks)[0, 1]
    )


@given(rows=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=2, max_size=20))
@hypothesis_settings(max_examples=60)
def test_tau_b_from_its_definition(rows: list[tuple[int, int]]) -> None:
    pytest.importorskip("scipy", reason="SciPy comes with `train`")
    signs = [
        (np.sign(a[0] - b[0]), np.sign(a[1] - b[1]))
        for place, a in enumerate(rows)
        for b in rows[:place]
    ]
    untied = [sum(sign[side] != 0 for sign in signs) for side in (0, 1)]
    wanted = sum(x * y for x, y in signs) / math.sqrt(math.prod(untied)) if all(untied) else 0
    predicted, judged = np.array(rows, float).T
    assert tau_b(predicted, judged) == pytest.approx(wanted)


def test_a_constant_orders_nothing() -> None:
    pytest.importorskip("scipy", reason="SciPy comes with `train`")
    constant, grades = np.full(5, 0.3), np.arange(15.0).reshape(5, 3)
    assert spearman(constant, grades[:, 0]) == tau_b(constant, grades[:, 0]) == 0
    assert spearman(grades[:, 0], constant) == tau_b(grades[:, 0], constant) == 0
    assert tau_c(constant, grades) == 0


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
