"""Rated pairs and regressors that a person can work out."""

import numpy as np

from pixquery.db.records import Floats
from pixquery.trainer.learning.captions import Caption
from pixquery.trainer.learning.contenders import EXPERTS, Contender
from pixquery.trainer.learning.judged import Judged
from pixquery.trainer.learning.ratings import Rating
from pixquery.trainer.learning.regressors import Predict, Values

CAPTIONS = [Caption("a#0", "a", "an a"), Caption("b#0", "b", "a bee"), Caption("c#1", "c", "sea")]
PHOTOS = 60


def rated_pairs() -> Judged:
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


def user(*rows: tuple[str, str, float] | tuple[str, str, float, str]) -> list[Rating]:
    return [
        Rating(row[0], row[1], row[2], row[3] if len(row) > 3 else "", line)
        for line, row in enumerate(rows, 2)
    ]
