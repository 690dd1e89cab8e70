"""What the study finds, against cases that a person can work out."""

import numpy as np
import pytest

from pixquery.trainer.learning import findings
from pixquery.trainer.learning.contenders import BY_PHOTO, TWO_WAY
from pixquery.trainer.learning.findings import leak_check, measured, reliability
from pixquery.trainer.learning.judged import Judged
from pixquery.trainer.learning.study import cross_calibrated, hold_out
from tests.rated import contender, knowing, rated_pairs


@pytest.fixture(scope="module")
def pairs() -> Judged:
    return rated_pairs()


def test_a_split_by_photo_leaks_and_the_two_way_split_does_not(pairs: Judged) -> None:
    two_way, by_photo = (leak_check(pairs, s) for s in (TWO_WAY, BY_PHOTO))
    assert (two_way["shared_photos"], two_way["shared_captions"]) == (0, 0)
    assert by_photo["shared_captions"] > 0.9
    assert (two_way["folds"], by_photo["folds"]) == (25, 5)


def test_a_predictor_that_knows_the_truth_makes_no_error(pairs: Judged) -> None:
    found = hold_out(contender(), pairs, knowing(pairs, 0.0), TWO_WAY)
    row = measured(found, pairs, draws=20)
    assert (row["rmse"], row["mae"], row["spearman"]) == (0, 0, 1)
    assert row["tau_b_crowd"] is None
    assert row["ci95"]["rmse"] == [0, 0]
    assert all(level["rmse"] == 0 for level in findings.errors(found, pairs))


def test_the_worst_pairs_have_the_largest_errors(pairs: Judged) -> None:
    features = knowing(pairs, 0.0)
    row = int(np.flatnonzero(~pairs.own)[3])
    features["known"][row] = 1 - features["known"][row]
    off = abs(1 - 2 * float(pairs.grades[row, 0]))
    found = hold_out(contender(), pairs, features, TWO_WAY)
    worst = findings.worst(found, pairs)[0]
    assert worst["image"] == pairs.images[row]
    assert abs(worst["judged"] - worst["predicted"]) == pytest.approx(off, abs=0.01)


def test_calibration_across_halves_corrects_a_shift(pairs: Judged) -> None:
    features = knowing(pairs, 0.0)
    features["known"] = features["known"] ** 2 * 0.5  # in the right order, but far too low
    found = hold_out(contender(), pairs, features, TWO_WAY)
    mended = cross_calibrated(found, pairs)
    before, after = (measured(one, pairs, draws=2)["rmse"] for one in (found, mended))
    assert after < before / 3
    for bin_ in reliability(mended, pairs):
        assert bin_["predicted"] == pytest.approx(bin_["judged"], abs=0.1)
