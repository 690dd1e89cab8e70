"""Regressors judged on pairs that they have not seen."""

import numpy as np
import pytest

from pixquery.db.errors import BadData
from pixquery.db.records import Floats
from pixquery.trainer.learning.contenders import EXPERTS, TWO_WAY, Contender
from pixquery.trainer.learning.judged import Judged, judged_by_user
from pixquery.trainer.learning.regressors import Predict, Values
from pixquery.trainer.learning.study import check_groups, chosen, hold_out
from tests.rated import contender, knowing, rated_pairs, user


@pytest.fixture(scope="module")
def pairs() -> Judged:
    return rated_pairs()


def test_every_pair_is_predicted_once_without_having_been_seen(pairs: Judged) -> None:
    count = len(pairs.images)
    number = np.arange(count, dtype=np.float32)[:, None]
    told: list[tuple[set[int], set[int]]] = []

    def spy(features: Floats, targets: Values, weights: Values) -> Predict:
        seen = {int(row) for row in features[:, 0]}

        def predict(unseen: Floats) -> Values:
            told.append((seen, {int(row) for row in unseen[:, 0]}))
            return np.zeros(len(unseen))

        return predict

    spying = Contender("spy", "number", EXPERTS, spy)
    found = hold_out(spying, pairs, {"number": number}, TWO_WAY)
    assert sorted(found.rows) == list(range(count))
    for seen, asked in told:
        names = [
            {pairs.images[row] for row in rows} | {pairs.sources[row] for row in rows}
            for rows in (seen, asked)
        ]
        assert not names[0] & names[1]


def test_a_fold_of_one_pair_is_too_few_to_learn_from() -> None:
    """Every pair is of the photo a or of the text x: without both, none is left."""
    ratings = user(
        ("a.jpg", "x", 0.0), ("a.jpg", "y", 0.5), ("a.jpg", "z", 1.0),
        ("b.jpg", "x", 0.5), ("c.jpg", "x", 1.0),
    )  # fmt: skip
    three = judged_by_user(ratings, "mean", (0, 1))
    with pytest.raises(BadData, match="fewer than 2 pairs are left to learn from: rate more"):
        hold_out(contender("any"), three, knowing(three, 0.1), TWO_WAY)


def test_the_deployable_contender_with_the_least_error_wins(pairs: Judged) -> None:
    held_out = [
        hold_out(one, pairs, knowing(pairs, noise), TWO_WAY)
        for one, noise in (
            (contender("rough"), 0.3),
            (contender("fine"), 0.1),
            (contender("perfect, but heavy", deployable=False), 0.0),
        )
    ]
    assert chosen(held_out, pairs).contender.name == "fine"


def test_too_few_ratings_are_refused(pairs: Judged) -> None:
    alike = pairs.keep(pairs.grades[:, 0] == 0)
    with pytest.raises(BadData, match="have the same judgement"):
        check_groups(alike)
    one = pairs.keep(np.array([i == "3.jpg" for i in pairs.images]))
    with pytest.raises(BadData, match="1 photos"):
        check_groups(one)
