"""The crowd's shares on the experts' scale, worked out by hand."""

import numpy as np
import pytest

from pixquery.db.errors import BadData
from pixquery.trainer.learning.crowd import CROWD_PRECISION, NO_YES_WEIGHT, CrowdMap, fused
from pixquery.trainer.learning.judged import Judged, judged
from pixquery.trainer.learning.ratings import (
    ExpertRating,
)
from tests.rated import CAPTIONS

NAN = np.nan


def test_the_map_pools_values_that_do_not_rise() -> None:
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


def test_the_map_does_not_see_held_out_pairs() -> None:
    training = np.array([True] * 13 + [False] * 40)
    honest = made_up([*TAUGHT, (NAN, 0.0, 3)] + [(0.1, 0.0, 3)] * 40)
    strange = made_up([*TAUGHT, (NAN, 0.0, 3)] + [(0.8, 0.0, 3)] * 40)
    assert fused(honest, training)[0][:13] == pytest.approx(fused(strange, training)[0][:13])
    everywhere = fused(strange, np.ones(53, np.bool_))[0]
    assert everywhere[12] > 0.6


def test_too_little_overlap_is_reported() -> None:
    rows = [*TAUGHT, (NAN, 1.0, 3)]
    with pytest.raises(BadData, match="only 9 training pairs were judged by both, and 10"):
        fused(made_up(rows), np.array([False] * 3 + [True] * 10))


def test_another_aggregation_of_the_experts() -> None:
    found = judged([ExpertRating("a", "b#0", (1, 1, 4))], [], CAPTIONS)
    assert fused(found, np.array([True]), how="median")[0] == pytest.approx([0])
    assert fused(found, np.array([True]))[0] == pytest.approx([1 / 3])
