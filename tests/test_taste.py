"""A user's taste: what it does to relevance, and how it is learned from few ratings."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from scipy.optimize import brentq, minimize

from pixquery.db.errors import ProfileDamaged
from pixquery.db.records import Floats
from pixquery.engine.features import Landmarks, Vectors
from pixquery.engine.taste import Taste, log_odds
from pixquery.trainer.learning.taste import Belief, Caution, fit_taste, unchanged
from pixquery.trainer.measuring.metrics import Values

NO_LIKING = Caution(slope=1e-9, bias=0.5, liking=0)


class Half:
    """Predicts 0.5 for every pair."""

    @property
    def landmarks(self) -> Landmarks:
        none = np.empty((0, 2), np.float32)
        return Landmarks(none, none, none, none)

    def score(self, texts: Vectors, photos: Vectors) -> Floats:
        return np.full(len(photos.aligned), 0.5, np.float32)

    def spread(self, vectors: Floats) -> Floats:
        return np.full(len(vectors), 0.25, np.float32)


def sigmoid(odds: Values) -> Values:
    return np.asarray(1 / (1 + np.exp(-odds)), np.float64)


def test_a_taste_adds_to_the_log_odds() -> None:
    """0.5 has log odds of 0; photos along the direction get 2, against it -2, across it 0."""
    photos = np.array([[1, 0], [-1, 0], [0, 1]], np.float32)
    taste = Taste(Half(), 3.0, 0.0, np.array([2, 0], np.float32))
    expected = [1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2)), 0.5]
    np.testing.assert_allclose(
        taste.score(Vectors(photos[:1]), Vectors(photos)), expected, rtol=1e-6
    )
    np.testing.assert_array_equal(taste.spread(photos), Half().spread(photos))


def test_log_odds_stay_finite_and_in_order() -> None:
    odds = log_odds(np.array([0, 1e-6, 0.5, 1 - 1e-6, 1]))
    assert (np.diff(odds) > 0).all()
    assert odds[2] == pytest.approx(0, abs=1e-12)
    assert odds[-1] == pytest.approx(np.log(999))
    assert odds[0] == pytest.approx(-np.log(999))


def test_a_taste_is_stored_and_read(tmp_path: Path) -> None:
    file = tmp_path / "taste.safetensors"
    direction = np.array([0.5, -1, 0], np.float32)
    file.write_bytes(Taste(Half(), 1.25, -0.5, direction).dump())
    read = Taste.load(file, Half(), 3)
    assert (read.slope, read.bias) == (1.25, -0.5)
    np.testing.assert_array_equal(read.direction, direction)
    with pytest.raises(ProfileDamaged, match=r"is for vectors of 3 numbers, .* gives 4"):
        Taste.load(file, Half(), 4)
    with pytest.raises(ProfileDamaged, match="not the one the profile was made with"):
        Taste.load(file, Half(), 3, sha256="0" * 64)


@pytest.mark.parametrize("name", ["slope", "bias", "direction"])
@pytest.mark.parametrize("value", [None, [[1.0]], [float("nan")], []])
def test_a_damaged_taste_is_refused(name: str, value: list[float] | None, tmp_path: Path) -> None:
    file = tmp_path / "taste.safetensors"
    file.write_bytes(Taste(Half(), 1, 0, np.zeros(3, np.float32)).dump())
    tensors = {key: tensor for key, tensor in load_file(file).items() if key != name}
    if value is not None:
        tensors[name] = np.array(value, np.float32)
    save_file(tensors, file)
    with pytest.raises(ProfileDamaged, match="train the profile again"):
        Taste.load(file, Half(), 3)


def test_ratings_that_were_expected_change_nothing() -> None:
    rng = np.random.default_rng(0)
    known, photos = rng.normal(size=20), rng.normal(size=(20, 3)).astype(np.float32)
    prior = Belief(0.8, -0.3, np.array([1.0, 0, -1]))
    ratings = prior.predict(known, photos)
    found = fit_taste(known, photos, ratings, prior, Caution(1, 1, 1))
    np.testing.assert_allclose(
        [found.slope, found.bias, *found.direction], [0.8, -0.3, 1, 0, -1], atol=1e-6
    )


@pytest.mark.parametrize("count", [1, 30, 3000])
def test_the_level_is_shrunk_towards_what_it_was(count: int) -> None:
    """With equal pairs the bias solves n (logistic(b) - rating) + b / deviation ** 2 = 0."""
    rating, deviation = 0.8, NO_LIKING.bias
    photos = np.ones((count, 2), np.float32)
    found = fit_taste(np.zeros(count), photos, np.full(count, rating), unchanged(2), NO_LIKING)
    expected = brentq(lambda b: count * (1 / (1 + np.exp(-b)) - rating) + b / deviation**2, -9, 9)
    assert found.bias == pytest.approx(expected, abs=1e-5)
    assert found.slope == pytest.approx(1)


@pytest.mark.parametrize("count", [6, 40])
def test_the_estimate_is_the_most_probable_one(count: int) -> None:
    """SciPy finds the same least sum of cross-entropy and penalty, with more photos and fewer."""
    rng = np.random.default_rng(1)
    known = rng.normal(size=count)
    photos = rng.normal(size=(count, 8)).astype(np.float32)
    ratings = rng.choice([0, 0.5, 1], count)
    prior, caution = Belief(1.1, 0.2, rng.normal(size=8)), Caution(0.3, 0.5, 1.5)
    apart = photos - photos.mean(0, dtype=np.float64)
    across = caution.liking / np.sqrt((apart**2).sum(1).mean())

    def loss(moved: Values) -> float:
        slope, level, direction = moved[0], moved[1], moved[2:]
        odds = (prior.slope + slope) * known + prior.bias + photos @ prior.direction
        predicted = sigmoid(odds + level + apart @ direction)
        likelihood = ratings * np.log(predicted) + (1 - ratings) * np.log(1 - predicted)
        penalty = (slope / caution.slope) ** 2 + (level / caution.bias) ** 2
        return float(-likelihood.sum() + (penalty + ((direction / across) ** 2).sum()) / 2)

    best = minimize(loss, np.zeros(10), tol=1e-10).x
    found = fit_taste(known, photos, ratings, prior, caution)
    assert found.slope == pytest.approx(prior.slope + best[0], abs=1e-4)
    np.testing.assert_allclose(found.direction, prior.direction + best[2:], atol=1e-3)
    level = prior.bias + best[1] - photos.mean(0, dtype=np.float64) @ best[2:]
    assert found.bias == pytest.approx(level, abs=1e-3)


def test_photos_that_are_all_alike_show_no_liking() -> None:
    photos = np.ones((5, 4), np.float32)
    found = fit_taste(np.zeros(5), photos, np.ones(5), unchanged(4), Caution(0.3, 0.5, 1))
    np.testing.assert_allclose(found.direction, 0, atol=1e-9)
    assert found.bias > 0
