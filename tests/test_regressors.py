"""Fitted regressors against curves whose weights are known."""

import numpy as np
import pytest

from pixquery.db.records import Floats
from pixquery.engine.alignment import unit
from pixquery.engine.features import NAMES, Landmarks, Vectors, pair_features
from pixquery.engine.predictors import Curve
from pixquery.engine.relevance import Regressor

regressors = pytest.importorskip(
    "pixquery.trainer.learning.regressors",
    reason="needs the extra `train`",
)


def rows(seed: int, count: int, dimension: int = 16) -> Floats:
    return unit(np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32))


def logistic(exponent: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-exponent)))


@pytest.fixture(scope="module")
def features() -> Floats:
    texts = rows(0, 3_000)
    photos = unit(texts + rows(1, 3_000) * np.linspace(0.2, 3, 3_000, dtype=np.float32)[:, None])
    return pair_features(
        texts, photos, Landmarks(rows(2, 60), rows(3, 60), rows(4, 20), rows(5, 20))
    )


def test_a_known_curve_is_found_again(features: Floats) -> None:
    crowding = -regressors.CROWDING_WEIGHT * 5
    lead = regressors.LEAD_WEIGHT * 5
    exponent = features @ np.array([5, crowding, 0.5, 0, 0, lead]) - 2
    fitted = regressors.fit_logistic(features, logistic(exponent))
    assert fitted(features) == pytest.approx(logistic(exponent), abs=0.01)
    assert fitted.weights[0] == pytest.approx(5, rel=0.05)
    assert fitted.weights[1] == pytest.approx(crowding, rel=0.05)
    assert fitted.weights[5] == pytest.approx(lead, rel=0.05)
    assert fitted.bias == pytest.approx(-2, abs=0.2)


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_crowding_is_taken_off_as_told(weight: float, features: Floats) -> None:
    targets = logistic(4 * features[:, 0] - 1)
    fitted = regressors.fit_logistic(features, targets, crowding_weight=weight)
    assert fitted.weights[1] == pytest.approx(-weight * fitted.weights[0], abs=1e-5)
    assert fitted.weights[0] > 0


def test_noise_is_averaged(features: Floats) -> None:
    truth = logistic(5 * (features[:, 0] - 0.25 * features[:, 1]) - 2)
    noise = np.random.default_rng(0).normal(0, 0.2, len(truth))
    fitted = regressors.fit_logistic(features, np.clip(truth + noise, 0, 1))
    assert np.abs(fitted(features) - truth).mean() < 0.03


def test_features_that_never_vary_are_no_error(features: Floats) -> None:
    flat = features.copy()
    flat[:, 1:] = 0
    fitted = regressors.fit_logistic(flat, logistic(3 * flat[:, 0].astype(float)))
    assert np.isfinite(fitted.weights).all()
    assert fitted(flat) == pytest.approx(logistic(3 * flat[:, 0].astype(float)), abs=0.02)


def test_training_and_query_predict_the_same(features: Floats) -> None:
    fitted = regressors.fit_logistic(features, logistic(4 * features[:, 0] - 1))
    texts, photos = rows(6, 20), rows(7, 20)
    landmarks = Landmarks(rows(2, 60), rows(3, 60), rows(4, 20), rows(5, 20))
    at_query = Regressor(Curve(fitted.weights, fitted.bias), landmarks).score(
        Vectors(texts), Vectors(photos)
    )
    at_training = fitted(pair_features(texts, photos, landmarks))
    assert at_query == pytest.approx(at_training, abs=1e-5)
    assert len(fitted.weights) == len(NAMES)


@pytest.mark.parametrize(
    ("features", "targets"),
    [
        (np.zeros((1, 4)), [0.3]),  # one row
        (np.random.default_rng(0).normal(size=(6, 4)), [0.3] * 6),  # equal targets
        (np.ones((6, 4)), [0.1, 0.2, 0.3, 0.3, 0.4, 0.5]),  # equal rows
    ],
)
def test_trees_predict_the_mean_of_what_they_cannot_split(
    features: np.ndarray, targets: list[float]
) -> None:
    weights = np.arange(1.0, len(targets) + 1)
    fitted = regressors.Trees(iterations=5)(features.astype(np.float32), np.array(targets), weights)
    mean = sum(weights * targets) / sum(weights)
    unseen = np.random.default_rng(1).normal(size=(7, 4)).astype(np.float32)
    assert fitted(unseen) == pytest.approx([mean] * 7)


def test_trees_of_very_few_rows() -> None:
    pytest.importorskip("catboost")
    dice = np.random.default_rng(0)
    for count in range(2, 9):
        features = dice.normal(size=(count, 3)).astype(np.float32)
        targets = np.arange(count) / count
        fitted = regressors.Trees(iterations=5)(features, targets, np.ones(count))
        assert np.isfinite(fitted(features)).all()
