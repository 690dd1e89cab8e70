"""Fits relevance regressors: from the features of a pair to what people judged."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from sklearn.cluster import MiniBatchKMeans

from db.records import Floats
from engine.alignment import unit
from engine.features import NAMES, Landmarks
from engine.relevance import logistic

CROWDING_WEIGHT = 0.25
"""How much of a photo's crowding is taken off its similarity.

Set by hand, not fitted to the ratings: they reward hubs a little (photos that many captions suit
were also judged milder), while whoever looks for one photo is served by mistrusting hubs. A quarter
costs 0.4 points of tau_c and gains 1 point of recall@1 (``docs/relevance.md``).
"""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A logistic curve over the columns of ``pair_features``."""

    weights: Floats
    """float32[f]"""
    bias: float

    def predict(self, features: Floats) -> Values:
        """float64[n] in [0, 1]."""
        return np.asarray(logistic(features @ self.weights + self.bias), np.float64)


def fit_logistic(
    features: Floats, targets: Values, *, crowding_weight: float = CROWDING_WEIGHT
) -> Fitted:
    """Least squares of a logistic curve, so that the prediction is the judgement's mean.

    Args:
        features: float32[n, f], from ``pair_features``.
        targets: float64[n] in [0, 1].
        crowding_weight: Taken off the similarity for each unit of crowding.
    """
    mixing = np.zeros((len(NAMES), len(NAMES) - 1))
    mixing[NAMES.index("similarity"), 0] = 1
    mixing[NAMES.index("photo_crowding"), 0] = -crowding_weight
    for column, name in enumerate(("text_peak", "text_mean", "text_spread"), 1):
        mixing[NAMES.index(name), column] = 1
    mixed = features @ mixing
    centre, spread = mixed.mean(0), mixed.std(0) + 1e-9
    standard = np.c_[(mixed - centre) / spread, np.ones(len(mixed))]

    def residuals(parameters: Values) -> Values:
        ridge = 0.1 * parameters[:-1]  # keeps the text columns from chasing single captions
        return np.concatenate([logistic(standard @ parameters) - targets, ridge])

    found = least_squares(residuals, np.zeros(standard.shape[1])).x
    slopes = found[:-1] / spread
    weights = mixing @ slopes
    return Fitted(weights.astype(np.float32), float(found[-1] - centre @ slopes))


def fit_landmarks(texts: Floats, photos: Floats, *, count: int = 256, seed: int = 0) -> Landmarks:
    """Cluster centres of aligned training captions float32[m, a] and photos float32[n, a]."""
    return Landmarks(_centres(texts, count, seed), _centres(photos, count, seed))


def _centres(vectors: Floats, count: int, seed: int) -> Floats:
    means = MiniBatchKMeans(
        min(count, len(vectors)), batch_size=4096, n_init=1, max_iter=50, random_state=seed
    ).fit(vectors)
    return unit(np.asarray(means.cluster_centers_, np.float32))
