"""Ratings against published tables, cases worked out by hand and people who were made up."""

import importlib.util
import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pixquery.db.errors import BadData, MissingExtra
from pixquery.trainer.learning.datasets import (
    Caption,
    CrowdRating,
    ExpertRating,
    Rating,
    read_captions,
    read_crowd_ratings,
    read_expert_ratings,
)
from pixquery.trainer.learning.ratings import (
    AGGREGATIONS,
    CROWD_PRECISION,
    NO_YES_WEIGHT,
    WORKER_METHODS,
    CrowdMap,
    Judged,
    aggregate,
    alpha,
    by_worker,
    fused,
    grades_by_pair,
    grades_of,
    human_ceiling,
    intraclass,
    judged,
    judged_by_user,
    noise_floor,
    refuse_sorted,
    summary,
    targets_of,
)
from pixquery.trainer.measuring.metrics import rmse

NAN = np.nan
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float
)
"""Six targets, four judges: table 2 of Shrout and Fleiss (1979)."""
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
).T
"""Twelve units, four observers: the table of Krippendorff (2011) with missing values."""


# -- pairs ------------------------------------------------------------------------------------

CAPTIONS = [Caption("a#0", "a", "an a"), Caption("b#0", "b", "a bee"), Caption("c#1", "c", "sea")]


def test_experts_and_crowd_are_brought_together() -> None:
    found = judged(
        [ExpertRating("a", "b#0", (1, 2, 4)), ExpertRating("b", "b#0", (4, 4, 4))],
        [CrowdRating("c", "a#0", 0, 0, 3), CrowdRating("a", "b#0", 0.25, 1, 3)],
        CAPTIONS,
    )
    assert found.images == ("a", "b", "c")
    assert found.texts == ("a bee", "a bee", "an a")
    assert found.sources == ("b", "b", "a")
    assert found.grades == pytest.approx(
        np.array([[0, 1 / 3, 1], [1, 1, 1], [NAN, NAN, NAN]]), nan_ok=True
    )
    assert found.share == pytest.approx([0.25, NAN, 0], nan_ok=True)
    assert found.votes.tolist() == [4, 0, 3]
    assert found.own.tolist() == [False, True, False]
    assert found.expert.tolist() == [True, True, False]
    assert found.crowd.tolist() == [True, False, True]


def test_some_pairs_are_kept() -> None:
    found = judged(
        [ExpertRating(image, "b#0", (1, 2, 4)) for image in "abc"],
        [CrowdRating("c", "b#0", 1, 3, 0)],
        CAPTIONS,
    ).keep(np.array([False, True, True]))
    assert (found.images, found.texts, found.sources) == (("b", "c"), ("a bee",) * 2, ("b", "b"))
    assert found.grades.shape == (2, 3)
    assert found.votes.tolist() == [0, 3]
    assert found.own.tolist() == [True, False]
    assert found.share == pytest.approx([NAN, 1], nan_ok=True)


def test_without_a_crowd() -> None:
    found = judged([ExpertRating("a", "b#0", (1, 1, 1))], [], CAPTIONS)
    assert not found.crowd.any()
    targets, weights = fused(found, np.array([True]))
    assert (targets.tolist(), weights.tolist()) == ([0], [1])


def test_captions_without_a_text_are_told() -> None:
    with pytest.raises(BadData, match="2 rated captions have no text, for example x#0"):
        judged(
            [ExpertRating("a", "x#0", (1, 1, 1)), ExpertRating("b", "x#0", (1, 1, 1))],
            [CrowdRating("a", "y#0", 0, 0, 3), CrowdRating("a", "a#0", 0, 0, 3)],
            CAPTIONS,
        )


def user(*rows: tuple[str, str, float] | tuple[str, str, float, str]) -> list[Rating]:
    return [
        Rating(row[0], row[1], row[2], row[3] if len(row) > 3 else "", line)
        for line, row in enumerate(rows, 2)
    ]


def test_ratings_of_a_user() -> None:
    ratings = user(
        ("b", "x", 5, "ann"), ("a", "x", 1, "ann"), ("b", "x", 2, "bob"), ("b", "x", 2, "eve")
    )
    found = judged_by_user(ratings, "mean", (1, 5))
    assert found.images == ("b", "a")
    assert found.texts == found.sources == ("x", "x")
    assert found.grades == pytest.approx(np.array([[0.5], [0]]))
    assert not found.crowd.any()
    assert not found.own.any()
    assert judged_by_user(ratings, "median", (1, 5)).grades[0, 0] == pytest.approx(0.25)
    assert judged_by_user(ratings, "majority", (0, 10)).grades[:, 0] == pytest.approx([0.2, 0.1])
    assert grades_by_pair(ratings) == pytest.approx(
        np.array([[5, 2, 2], [1, NAN, NAN]]), nan_ok=True
    )
    targets, weights = fused(found, np.array([True, False]))
    assert (targets.tolist(), weights.tolist()) == ([0.5, 0], [1, 1])


# -- aggregation ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "mean", "median", "majority"),
    [
        ([1, 1, 4], 2, 1, 1),
        ([1, 4, 4], 3, 4, 4),
        ([1, 2, 4], 7 / 3, 2, 2),  # each once: the one next to the median
        ([1, 4, NAN], 2.5, 2.5, 1),  # both as near to it: the lower
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


def test_the_classic_targets_are_the_mean() -> None:
    ratings = [ExpertRating("a", "b", grades) for grades in ((1, 2, 4), (4, 4, 4), (1, 1, 2))]
    assert targets_of(ratings) == pytest.approx([4 / 9, 1, 1 / 9])
    assert aggregate((grades_of(ratings) - 1) / 3, "mean") == pytest.approx(targets_of(ratings))


def test_unknown_aggregations_are_told() -> None:
    with pytest.raises(BadData, match="no aggregation mode: take mean, median, majority, dawid-sk"):
        aggregate(np.ones((2, 3)), "mode")
    with pytest.raises(BadData, match="needs to know who gave which grade"):
        aggregate(np.array([[3.0, 1, 2]]), "dawid-skene")
    with pytest.raises(BadData, match="no method mean for workers"):
        by_worker(user(("a", "x", 1, "ann")), "mean")


# -- workers ----------------------------------------------------------------------------------


def test_sorted_columns_are_no_persons() -> None:
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
    refuse_sorted(np.array([[1.0, 2]] * 50))  # a strict and a mild person
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
                for grade, worker in ((1, "low"), (2, "mid"), (4, "high"))]), "no person"),
    ],
)  # fmt: skip
def test_ratings_that_tell_nothing_of_workers(ratings: list[Rating], words: str) -> None:
    for method in WORKER_METHODS:
        with pytest.raises(BadData, match=words) as told:
            judged_by_user(ratings, method, (0, 10))
        assert "take mean, median or majority" in str(told.value)


def a_crowd(pairs: int = 150) -> tuple[list[Rating], list[int]]:
    """Two people who know, and five who guess: the majority knows less than the two."""
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
def test_the_extra_is_named_where_it_lacks() -> None:
    with pytest.raises(
        MissingExtra, match=r"dawid-skene needs .*pip install 'pixquery\[workers\]'"
    ):
        by_worker(a_crowd()[0])


@pytest.mark.parametrize("method", WORKER_METHODS)
def test_who_knows_is_found_out(method: str) -> None:
    pytest.importorskip("crowdkit", reason="crowd-kit comes with `workers`")
    ratings, truth = a_crowd()
    wanted = np.array([truth[int(r.image.partition(".")[0])] for r in ratings[::7]], float)
    found = by_worker(ratings, method)
    assert found.shape == (150,)
    assert ((found >= 1) & (found <= 3)).all()
    assert rmse(found, wanted) < rmse(aggregate(grades_by_pair(ratings), "mean"), wanted)
    if method != "wawa":  # which counts the guesses, only less
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


# -- the crowd on the experts' scale ----------------------------------------------------------


def test_the_map_pools_what_does_not_rise() -> None:
    found = CrowdMap.fit(
        np.array([1, 0, 1 / 3, 2 / 3]), np.array([3, 3, 3, 1]), np.array([0.9, 0.1, 0.5, 0.3])
    )
    pooled = (3 * 0.5 + 0.3) / 4
    asked = np.array([0, 1 / 6, 1 / 3, 2 / 3, 1, NAN])
    wanted = [0.1, (0.1 + pooled) / 2, pooled, pooled, 0.9, NAN]
    assert found.apply(asked) == pytest.approx(wanted, nan_ok=True)


def made_up(rows: list[tuple[float, float, int]]) -> Judged:
    """Pairs of the experts' grade and the crowd's share (NaN where they did not judge), votes."""
    expert, share, votes = (np.array(column) for column in zip(*rows, strict=True))
    names = tuple(str(number) for number in range(len(rows)))
    return Judged(
        names, names, names, np.repeat(expert[:, None], 3, 1), share, votes.astype(np.int64),
        np.zeros(len(rows), np.bool_),
    )  # fmt: skip


TAUGHT = [(0.1, 0.0, 3)] * 6 + [(0.9, 1.0, 3)] * 6


def test_experts_and_crowd_are_fused_by_precision() -> None:
    rows = [*TAUGHT, (0.7, NAN, 0), (NAN, 1.0, 3), (NAN, 0.0, 3), (NAN, 0.5, 4), (0.4, 1.0, 3)]
    training = np.array([True] * (len(rows) - 1) + [False])
    targets, weights = fused(made_up(rows), training)
    assert (CROWD_PRECISION, NO_YES_WEIGHT < 1) == (1 / 5, True)
    assert targets[:12] == pytest.approx([0.1] * 6 + [0.9] * 6)
    assert targets[12:] == pytest.approx([0.7, 0.9, 0.1, 0.5, (5 * 0.4 + 0.9) / 6])
    assert weights[:12] == pytest.approx(1.2)
    assert weights[12:] == pytest.approx([1, 0.2, 0.2 * NO_YES_WEIGHT, 0.2, 1.2])


def test_the_map_knows_nothing_of_held_out_pairs() -> None:
    training = np.array([True] * 13 + [False] * 40)
    honest = made_up([*TAUGHT, (NAN, 0.0, 3)] + [(0.1, 0.0, 3)] * 40)
    strange = made_up([*TAUGHT, (NAN, 0.0, 3)] + [(0.8, 0.0, 3)] * 40)
    assert fused(honest, training)[0][:13] == pytest.approx(fused(strange, training)[0][:13])
    everywhere = fused(strange, np.ones(53, np.bool_))[0]
    assert everywhere[12] > 0.6


def test_too_little_overlap_is_told() -> None:
    rows = [*TAUGHT, (NAN, 1.0, 3)]
    with pytest.raises(BadData, match="only 9 training pairs were judged by both, and 10"):
        fused(made_up(rows), np.array([False] * 3 + [True] * 10))


def test_another_aggregation_of_the_experts() -> None:
    found = judged([ExpertRating("a", "b#0", (1, 1, 4))], [], CAPTIONS)
    assert fused(found, np.array([True]), how="median")[0] == pytest.approx([0])
    assert fused(found, np.array([True]))[0] == pytest.approx([1 / 3])


# -- agreement --------------------------------------------------------------------------------


def test_alpha_of_the_published_table() -> None:
    assert alpha(KRIPPENDORFF) == pytest.approx(0.849, abs=5e-4)


def alpha_by_pairs(grades: np.ndarray) -> float:
    """From the definition: squared differences within units, and among all pairable values."""
    units = [[x for x in row if not np.isnan(x)] for row in grades]
    units = [unit for unit in units if len(unit) > 1]
    every = [x for unit in units for x in unit]
    within = sum((x - y) ** 2 / (len(unit) - 1) for unit in units for x in unit for y in unit)
    among = sum((x - y) ** 2 for x in every for y in every) / (len(every) - 1)
    return float(1 - within / among)


@given(
    rows=st.lists(
        st.lists(st.sampled_from([1.0, 2.0, 3.0, 4.0, NAN]), min_size=4, max_size=4),
        min_size=2,
        max_size=9,
    )
)
@hypothesis_settings(max_examples=80)
def test_alpha_is_the_definition(rows: list[list[float]]) -> None:
    grades = np.array(rows)
    pairable = grades[np.isfinite(grades).sum(1) > 1]
    if len(set(pairable[np.isfinite(pairable)].tolist())) < 2:
        assert alpha(grades) is None
        return
    found = alpha(grades)
    assert found == pytest.approx(alpha_by_pairs(grades))
    assert alpha((grades - 1) / 3) == pytest.approx(found)
    assert alpha(grades[:, ::-1]) == pytest.approx(found)


def test_intraclass_correlation_of_the_published_table() -> None:
    found = intraclass(SHROUT_FLEISS)
    assert found is not None
    assert found == pytest.approx((0.17, 0.44), abs=0.005)
    # Mean squares of the paper: 11.24 between targets, 6.26 within.
    assert found[0] == pytest.approx((11.24 - 6.26) / (11.24 + 3 * 6.26), abs=5e-4)
    assert found[1] == pytest.approx((11.24 - 6.26) / 11.24, abs=5e-4)
    assert noise_floor(SHROUT_FLEISS) == pytest.approx(np.sqrt(6.26 / 4), abs=1e-3)


def test_agreement_that_is_not_defined() -> None:
    for grades in (np.full((4, 3), 1 / 3), np.ones((1, 3)), np.empty((0, 3)), np.ones((4, 1))):
        assert intraclass(grades) is None
        assert alpha(grades) is None
    assert intraclass(np.array([[0.0, 1], [1, 0]])) is None  # pairs do not differ


def test_the_noise_floor_is_what_a_perfect_predictor_is_left_with() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(20_000)
    grades = truth[:, None] + rng.normal(0, 0.3, size=(20_000, 3))
    perfect = np.sqrt(np.mean((grades.mean(1) - truth) ** 2))
    assert noise_floor(grades) == pytest.approx(perfect, rel=0.02)
    assert noise_floor(np.sort(grades, 1)) == pytest.approx(noise_floor(grades))


def test_the_human_ceiling() -> None:
    rng = np.random.default_rng(0)
    agreed = np.repeat(np.repeat([0.0, 1 / 3, 2 / 3, 1], 50)[:, None], 3, 1)
    assert human_ceiling(agreed) == pytest.approx(1)
    assert human_ceiling(rng.integers(0, 4, size=(1500, 3)) / 3) == pytest.approx(0, abs=0.03)
    some = np.clip(agreed + rng.integers(-1, 2, size=agreed.shape) / 3, 0, 1)
    assert 0.5 < human_ceiling(some) < 0.9
    assert human_ceiling(np.sort(some, 1)) == pytest.approx(human_ceiling(some), abs=0.03)
    assert human_ceiling(some) == human_ceiling(some)


# -- what the report says ---------------------------------------------------------------------

KEYS = [
    "expert_means", "grades", "crowd_shares", "alpha", "icc_single", "icc_mean", "noise_floor",
    "human_ceiling", "overlap", "aggregations",
]  # fmt: skip


def test_the_summary_by_hand() -> None:
    experts = [ExpertRating("a", "b#0", (1, 2, 3))] * 6 + [ExpertRating("b", "a#0", (4, 4, 4))] * 5
    experts = [
        ExpertRating(f"{rating.image}{n}", rating.caption, rating.grades)
        for n, rating in enumerate(experts)
    ]
    crowd = [CrowdRating(e.image, e.caption, share, int(3 * share), 3 - int(3 * share))
             for e, share in zip(experts, [0.0] * 6 + [1.0] * 5, strict=True)]  # fmt: skip
    own = ExpertRating("b", "b#0", (1, 1, 1))  # judged, and left out where CLIPScore leaves it out
    found = summary(
        judged([*experts, own], [*crowd, CrowdRating("c", "a#0", 1 / 3, 1, 2)], CAPTIONS)
    )
    assert list(found) == KEYS
    assert found["expert_means"] == [[0.0, 1], [0.333, 6], [1.0, 5]]
    assert found["grades"] == {"1": 9, "2": 6, "3": 6, "4": 15}
    assert found["crowd_shares"] == [[0.0, 6], [0.333, 1], [1.0, 5]]
    assert found["noise_floor"] == pytest.approx(np.sqrt(6 / 12 / 9 / 3), abs=5e-5)
    assert found["overlap"] == [
        {"expert": 0.333, "pairs": 6, "yes": 0.0, "mapped": 0.3333},
        {"expert": 1.0, "pairs": 5, "yes": 1.0, "mapped": 1.0},
    ]
    assert [row["name"] for row in found["aggregations"]] == list(AGGREGATIONS)
    for row in found["aggregations"]:  # 2 is mean, median and majority of 1, 2, 3
        assert row["rmse"] == pytest.approx(np.sqrt(6 * 2 / 9 / 33), abs=5e-5)
        # Of 33 grades, 18 and 15 differ: 2 m C / (n^2 (m - 1)) with m = 2 predictions.
        assert row["tau_c"] == pytest.approx(4 * 18 * 15 / 33**2, abs=5e-5)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_summary_of_a_user() -> None:
    ratings = user(("a", "x", 1), ("b", "x", 5), ("c", "x", 5))
    found = summary(judged_by_user(ratings, "mean", (1, 5)))
    assert list(found) == KEYS
    assert found["expert_means"] == [[0.0, 1], [1.0, 2]]
    assert all(found[name] is None for name in KEYS[1:])


def test_the_summary_of_next_to_nothing() -> None:
    for experts in ([], [ExpertRating("a", "b#0", (1, 2, 3))]):
        found = summary(judged(experts, [CrowdRating("c", "a#0", 0, 0, 3)], CAPTIONS))
        assert list(found) == KEYS
        assert found["crowd_shares"] == [[0.0, 1]]
        assert found["human_ceiling"] is None
        assert found["overlap"] is None
        json.dumps(found, allow_nan=False)


def test_the_real_ratings(flickr: Path) -> None:
    found = judged(
        read_expert_ratings(flickr / "ExpertAnnotations.tsv"),
        read_crowd_ratings(flickr / "CrowdAnnotations.tsv"),
        read_captions(flickr / "captions_rated.csv"),
    )
    assert found.expert.sum() == 3_714
    assert found.crowd.sum() == 30_062
    with pytest.raises(BadData, match="sorted"):
        refuse_sorted(found.grades[found.expert])
    with pytest.raises(BadData, match="sorted"):
        fused(found, np.ones(len(found.images), np.bool_), how="dawid-skene")
    told = summary(found)
    # The README's figures are those of all ratings, of which a part is given.
    assert told["icc_mean"] == pytest.approx(0.918, abs=0.015)
    assert told["alpha"] == pytest.approx(told["icc_single"], abs=0.005)
    assert told["noise_floor"] == pytest.approx(0.078, abs=0.004)
    assert told["human_ceiling"] == pytest.approx(55.3, abs=2)
    assert len(told["expert_means"]) == 10
    assert told["aggregations"][0]["tau_c"] == pytest.approx(0.706, abs=0.02)
    yes = {row["expert"]: row["yes"] for row in told["overlap"]}
    published = {0.333: 0.037, 0.667: 0.317, 0.778: 0.578, 0.889: 0.768, 1.0: 0.921}
    assert {level: yes[level] for level in published} == pytest.approx(published, abs=0.03)
    targets, weights = fused(found, np.ones(len(found.images), np.bool_))
    assert ((targets >= 0) & (targets <= 1)).all()
    alone = found.crowd & ~found.expert
    zeros = alone & (found.share == 0)
    assert weights[zeros].sum() == pytest.approx(weights[alone & ~zeros].sum(), rel=0.1)
