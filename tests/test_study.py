"""Regressors judged on pairs that they have not seen."""

import numpy as np
import pytest

from pixquery.db.errors import BadData
from pixquery.db.records import Floats
from pixquery.trainer.learning.contenders import EXPERTS, TWO_WAY, Contender
from pixquery.trainer.learning.judged import Judged
from pixquery.trainer.learning.regressors import Predict, Values
from pixquery.trainer.learning.study import check_groups, chosen, hold_out

PHOTOS = 60


@pytest.fixture(scope="module")
def pairs() -> Judged:
    """Every photo with its own text and five others; the first column below is the truth."""
    rng = np.random.default_rng(0)
    images, texts, truth = [], [], []
    for photo in range(PHOTOS):
        for text in (photo, *rng.choice(PHOTOS, 5, replace=False)):
            images.append(f"{photo}.jpg")
            texts.append(f"{text}.jpg")
            truth.append(1.0 if text == photo else rng.choice([0.0, 1 / 3, 2 / 3]))
    own = np.array([image == text for image, text in zip(images, texts, strict=True)])
    return Judged(
        images=tuple(images),
        texts=tuple(f"the text of {text}" for text in texts),
        sources=tuple(texts),
        grades=np.repeat(np.array(truth)[:, None], 3, 1),
        share=np.full(len(images), np.nan),
        votes=np.zeros(len(images), np.int64),
        own=own,
    )


def knowing(pairs: Judged, noise: float) -> dict[str, Floats]:
    truth = pairs.grades[:, 0]
    rng = np.random.default_rng(1)
    column = truth + noise * rng.normal(size=len(truth))
    return {"known": np.asarray(column[:, None], np.float32)}


def as_it_is(features: Floats, targets: Values, weights: Values) -> Predict:
    return lambda unseen: np.asarray(unseen[:, 0], np.float64)


def contender(name: str = "as it is", *, deployable: bool = True) -> Contender:
    return Contender(name, "known", EXPERTS, as_it_is, deployable=deployable)


def test_every_pair_is_predicted_once_by_who_has_not_seen_it(pairs: Judged) -> None:
    count = len(pairs.images)
    number = np.arange(count, dtype=np.float32)[:, None]
    told: list[tuple[set[int], set[int]]] = []

    def spy(features: Floats, targets: Values, weights: Values) -> Predict:
        seen = {int(row) for row in features[:, 0]}

        def predict(unseen: Floats) -> object:
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


def test_the_least_error_wins_among_the_deployable(pairs: Judged) -> None:
    held_out = [
        hold_out(one, pairs, knowing(pairs, noise), TWO_WAY)
        for one, noise in (
            (contender("rough"), 0.3),
            (contender("fine"), 0.1),
            (contender("perfect, but heavy", deployable=False), 0.0),
        )
    ]
    assert chosen(held_out, pairs).contender.name == "fine"


def test_too_little_to_learn_from_is_told(pairs: Judged) -> None:
    alike = pairs.keep(pairs.grades[:, 0] == 0)
    with pytest.raises(BadData, match="have the same judgement"):
        check_groups(alike)
    one = pairs.keep(np.array([i == "3.jpg" for i in pairs.images]))
    with pytest.raises(BadData, match="1 photos"):
        check_groups(one)
