"""What a threshold shows, against cases worked out by hand and scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pixquery.trainer.measuring.thresholds import average_precision_by_value, shown_from

PREDICTED = np.array([0.9, 0.8, 0.5, 0.4, 0.1])
RELEVANT = np.array([True, False, True, True, False])


def test_shares_of_what_is_shown_and_of_what_is_right() -> None:
    assert shown_from(0.5, PREDICTED, RELEVANT) == (3, 2 / 3, 2 / 3)
    assert shown_from(0.85, PREDICTED, RELEVANT) == (1, 1, 1 / 3)
    assert shown_from(0, PREDICTED, RELEVANT) == (5, 3 / 5, 1)


def test_shares_of_nothing_are_unknown() -> None:
    shown, right, found = shown_from(0.95, PREDICTED, RELEVANT)
    assert (shown, found) == (0, 0)
    assert math.isnan(right)
    assert math.isnan(shown_from(0.5, PREDICTED, np.zeros(5, np.bool_)).found)


def test_average_precision_by_hand() -> None:
    assert average_precision_by_value(PREDICTED, RELEVANT) == pytest.approx(
        (1 / 1 + 2 / 3 + 3 / 4) / 3
    )
    assert average_precision_by_value(PREDICTED, np.zeros(5, np.bool_)) == 0


def test_equal_values_are_one_place() -> None:
    """Otherwise the order of the rows would decide: here from 1 to 5/12."""
    equal = np.full(4, 0.3)
    for relevant in ([1, 1, 0, 0], [0, 0, 1, 1]):
        assert average_precision_by_value(equal, np.array(relevant, np.bool_)) == 0.5


def test_pooled_is_lower_where_a_number_means_different_things() -> None:
    """Two queries, each ordered perfectly, with levels that do not agree."""
    high, low = np.array([0.9, 0.8]), np.array([0.3, 0.2])
    relevant = np.array([True, False])
    for predicted in (high, low):
        assert average_precision_by_value(predicted, relevant) == 1
    pooled = average_precision_by_value(np.concatenate([high, low]), np.tile(relevant, 2))
    assert pooled == pytest.approx((1 + 2 / 3) / 2)


@given(seed=st.integers(0, 10_000), levels=st.integers(1, 30))
@hypothesis_settings(max_examples=60)
def test_average_precision_is_that_of_scikit_learn(seed: int, levels: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn comes with `train`")
    dice = np.random.default_rng(seed)
    predicted = dice.integers(levels, size=50) / levels
    relevant = dice.random(50) < 0.3
    relevant[0] = True
    assert average_precision_by_value(predicted, relevant) == pytest.approx(
        sklearn.average_precision_score(relevant, predicted)
    )
