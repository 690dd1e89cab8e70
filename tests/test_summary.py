"""What the report says about ratings, worked out by hand and from the real files."""

import json
from pathlib import Path

import numpy as np
import pytest

from pixquery.db.errors import BadData
from pixquery.trainer.learning.aggregation import (
    AGGREGATIONS,
    refuse_sorted,
)
from pixquery.trainer.learning.captions import read_captions
from pixquery.trainer.learning.crowd import fused
from pixquery.trainer.learning.judged import judged, judged_by_user
from pixquery.trainer.learning.ratings import (
    CrowdRating,
    ExpertRating,
    read_crowd_ratings,
    read_expert_ratings,
)
from pixquery.trainer.learning.summary import summary
from tests.rated import CAPTIONS, user

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
    own = ExpertRating("b", "b#0", (1, 1, 1))  # left out where CLIPScore leaves it out
    report = summary(
        judged([*experts, own], [*crowd, CrowdRating("c", "a#0", 1 / 3, 1, 2)], CAPTIONS)
    )
    assert list(report) == KEYS
    assert report["expert_means"] == [[0.0, 1], [0.333, 6], [1.0, 5]]
    assert report["grades"] == {"1": 9, "2": 6, "3": 6, "4": 15}
    assert report["crowd_shares"] == [[0.0, 6], [0.333, 1], [1.0, 5]]
    assert report["noise_floor"] == pytest.approx(np.sqrt(6 / 12 / 9 / 3), abs=5e-5)
    assert report["overlap"] == [
        {"expert": 0.333, "pairs": 6, "yes": 0.0, "mapped": 0.3333},
        {"expert": 1.0, "pairs": 5, "yes": 1.0, "mapped": 1.0},
    ]
    assert [row["name"] for row in report["aggregations"]] == list(AGGREGATIONS)
    for row in report["aggregations"]:  # 2 is mean, median and majority of 1, 2, 3
        assert row["rmse"] == pytest.approx(np.sqrt(6 * 2 / 9 / 33), abs=5e-5)
        # Of 33 grades, 18 and 15 differ: 2 m C / (n^2 (m - 1)) with m = 2 predictions.
        assert row["tau_c"] == pytest.approx(4 * 18 * 15 / 33**2, abs=5e-5)
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_the_summary_of_a_user() -> None:
    ratings = user(("a", "x", 1), ("b", "x", 5), ("c", "x", 5))
    report = summary(judged_by_user(ratings, "mean", (1, 5)))
    assert list(report) == KEYS
    assert report["expert_means"] == [[0.0, 1], [1.0, 2]]
    assert all(report[name] is None for name in KEYS[1:])


def test_the_summary_of_next_to_nothing() -> None:
    for experts in ([], [ExpertRating("a", "b#0", (1, 2, 3))]):
        report = summary(judged(experts, [CrowdRating("c", "a#0", 0, 0, 3)], CAPTIONS))
        assert list(report) == KEYS
        assert report["crowd_shares"] == [[0.0, 1]]
        assert report["human_ceiling"] is None
        assert report["overlap"] is None
        json.dumps(report, allow_nan=False)


def test_the_real_ratings(flickr: Path) -> None:
    report = judged(
        read_expert_ratings(flickr / "ExpertAnnotations.tsv"),
        read_crowd_ratings(flickr / "CrowdAnnotations.tsv"),
        read_captions(flickr / "captions_rated.csv"),
    )
    assert report.expert.sum() == 3_714
    assert report.crowd.sum() == 30_062
    with pytest.raises(BadData, match="sorted"):
        refuse_sorted(report.grades[report.expert])
    with pytest.raises(BadData, match="sorted"):
        fused(report, np.ones(len(report.images), np.bool_), how="dawid-skene")
    told = summary(report)
    # The README's figures are of all ratings; the file has only a part of them.
    assert told["icc_mean"] == pytest.approx(0.918, abs=0.015)
    assert told["alpha"] == pytest.approx(told["icc_single"], abs=0.005)
    assert told["noise_floor"] == pytest.approx(0.078, abs=0.004)
    assert told["human_ceiling"] == pytest.approx(55.3, abs=2)
    assert len(told["expert_means"]) == 10
    assert told["aggregations"][0]["tau_c"] == pytest.approx(0.706, abs=0.02)
    yes = {row["expert"]: row["yes"] for row in told["overlap"]}
    published = {0.333: 0.037, 0.667: 0.317, 0.778: 0.578, 0.889: 0.768, 1.0: 0.921}
    assert {level: yes[level] for level in published} == pytest.approx(published, abs=0.03)
    targets, weights = fused(report, np.ones(len(report.images), np.bool_))
    assert ((targets >= 0) & (targets <= 1)).all()
    alone = report.crowd & ~report.expert
    zeros = alone & (report.share == 0)
    assert weights[zeros].sum() == pytest.approx(weights[alone & ~zeros].sum(), rel=0.1)
