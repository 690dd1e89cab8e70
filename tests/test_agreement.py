"""Agreement against published tables."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pixquery.trainer.measuring.agreement import alpha, human_ceiling, intraclass, noise_floor

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


def test_the_noise_floor_is_the_error_of_a_perfect_predictor() -> None:
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
