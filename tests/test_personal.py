"""A user's ratings move the relevance that there is, or it is kept."""

from dataclasses import replace

import numpy as np
import pytest

from pixquery.db.errors import BadData
from pixquery.db.records import Floats
from pixquery.engine.features import Landmarks, Vectors
from pixquery.engine.taste import Taste, log_odds
from pixquery.engine.unit import unit
from pixquery.trainer.learning import personal
from pixquery.trainer.learning.contenders import TWO_WAY
from pixquery.trainer.learning.judged import Judged, judged_by_user
from pixquery.trainer.learning.personal import KEPT, PERSONAL, Choice, Earlier
from pixquery.trainer.learning.study import HeldOut, hold_out
from pixquery.trainer.learning.taste import Belief, unchanged
from pixquery.trainer.measuring.metrics import Values
from tests.rated import user

PHOTOS, TEXTS, LENGTH = 40, 12, 6


class Cosine:
    """Predicts the middle of 0 and 1 for a cosine of 0, and the ends for -1 and 1."""

    @property
    def landmarks(self) -> Landmarks:
        none = np.empty((0, LENGTH), np.float32)
        return Landmarks(none, none, none, none)

    def score(self, texts: Vectors, photos: Vectors) -> Floats:
        cosines = np.einsum("na,na->n", texts.aligned, photos.aligned)
        return np.asarray((1 + cosines) / 2, np.float32)

    def spread(self, vectors: Floats) -> Floats:
        return np.ones(len(vectors), np.float32)


def pairs_of(count: int, seed: int = 0) -> tuple[list[tuple[str, str]], Vectors, Vectors]:
    """Different pairs, with the vectors of text and photo of each."""
    rng = np.random.default_rng(seed)
    photos = unit(rng.normal(size=(PHOTOS, LENGTH)).astype(np.float32))
    texts = unit(rng.normal(size=(TEXTS, LENGTH)).astype(np.float32))
    numbers = rng.permutation(PHOTOS * TEXTS)[:count]
    names = [(f"{number % PHOTOS}.jpg", f"text {number // PHOTOS}") for number in numbers]
    return names, Vectors(texts[numbers // PHOTOS]), Vectors(photos[numbers % PHOTOS])


def chosen(
    earlier: Earlier, names: list[tuple[str, str]], columns: Floats, ratings: Values
) -> tuple[str, Choice, Judged]:
    """The winner among the personal contenders."""
    rated = [(*pair, float(rating)) for pair, rating in zip(names, ratings, strict=True)]
    pairs = judged_by_user(user(*rated), "mean", (0, 1))
    held_out: list[HeldOut] = [
        hold_out(contender, pairs, {PERSONAL: columns}, TWO_WAY)
        for contender in personal.personal_contenders(earlier, len(names))
    ]
    choice = Choice(columns)
    return choice(held_out, pairs).contender.name, choice, pairs


@pytest.mark.parametrize("count", [30, 150])
def test_relevance_that_people_confirm_is_kept(count: int) -> None:
    names, texts, photos = pairs_of(count)
    earlier = personal.earlier_of(Cosine(), LENGTH)
    noise = np.random.default_rng(1).normal(0, 0.15, count)
    ratings = np.clip(Cosine().score(texts, photos) + noise, 0, 1)
    winner, choice, _ = chosen(earlier, names, earlier.columns(texts, photos), ratings)
    assert winner == KEPT
    assert choice.gain is not None
    assert choice.gain["gain_interval"][0] <= 0


def test_a_strict_user_is_believed() -> None:
    """Every rating is a quarter of what was predicted."""
    names, texts, photos = pairs_of(60)
    earlier = personal.earlier_of(Cosine(), LENGTH)
    ratings = Cosine().score(texts, photos).astype(np.float64) / 4
    winner, choice, _ = chosen(earlier, names, earlier.columns(texts, photos), ratings)
    assert winner != KEPT
    assert choice.gain is not None
    assert choice.gain["mse_after"] < choice.gain["mse_before"] / 2


def test_what_photos_a_user_likes_is_learned() -> None:
    """Photos on one side of the first axis are liked, the others get 0."""
    names, texts, photos = pairs_of(300)
    earlier = personal.earlier_of(Cosine(), LENGTH)
    columns = earlier.columns(texts, photos)
    liked = (photos.aligned[:, 0] > 0).astype(np.float64)
    ratings = Cosine().score(texts, photos).astype(np.float64) * liked
    winner, _, pairs = chosen(earlier, names, columns, ratings)
    assert winner in ("taste", "bold taste")
    caution = personal._CAUTIONS[winner]
    belief = earlier.fit(columns, pairs.grades[:, 0], np.ones(len(names)), caution)
    assert np.argmax(np.abs(belief.direction)) == 0
    assert belief.direction[0] > 0


def test_an_earlier_taste_is_where_the_next_begins() -> None:
    direction = np.array([1, 0, 0, 0, 0, 2], np.float32)
    earlier = personal.earlier_of(Taste(Cosine(), 0.5, 1.5, direction), LENGTH)
    assert isinstance(earlier.relevance, Cosine)
    assert (earlier.belief.slope, earlier.belief.bias) == (0.5, 1.5)
    _, texts, photos = pairs_of(5)
    columns = earlier.columns(texts, photos)
    np.testing.assert_allclose(columns[:, 0], log_odds(Cosine().score(texts, photos)), rtol=1e-5)
    kept = earlier.kept(columns, np.zeros(5), np.ones(5))(columns)
    whole = Taste(Cosine(), 0.5, 1.5, direction).score(texts, photos)
    np.testing.assert_allclose(kept, whole, atol=1e-6)
    untouched = replace(earlier, belief=unchanged(LENGTH))
    plain = untouched.kept(columns, np.zeros(5), np.ones(5))(columns)
    np.testing.assert_allclose(plain, Cosine().score(texts, photos), atol=0.0011)
    assert isinstance(untouched.belief, Belief)


def test_ratings_whose_best_is_the_lowest_are_refused() -> None:
    names, texts, photos = pairs_of(40)
    columns = personal.earlier_of(Cosine(), LENGTH).columns(texts, photos)
    for turned in (False, True):
        right = Cosine().score(texts, photos)
        ratings = 1 - right if turned else right
        rated = [(*pair, float(rating)) for pair, rating in zip(names, ratings, strict=True)]
        pairs = judged_by_user(user(*rated), "mean", (0, 1))
        if turned:
            with pytest.raises(BadData, match="turn them round"):
                personal.refuse_reversed(columns, pairs)
        else:
            personal.refuse_reversed(columns, pairs)
