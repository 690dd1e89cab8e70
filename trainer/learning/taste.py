"""Learns a user's taste from few ratings: the earlier relevance, changed no more than they show.

A *maximum a posteriori* estimate: every parameter has a normal prior around what it was, so that
without ratings nothing changes, and with few only what they agree on. The likelihood is that of
fractional responses (Papke and Wooldridge 1996, "Econometric methods for fractional response
variables"): it is that of a logistic regression, and ratings between 0 and 1 count as shares.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixquery.db.records import Floats
from pixquery.engine.predictors import logistic
from pixquery.trainer.measuring.metrics import Values

_STEPS, _NEAR = 50, 1e-8
"""At most so many steps of Newton's method; it ends when none gains more than this."""


@dataclass(frozen=True, slots=True)
class Caution:
    """How far ratings may move a taste: standard deviations of the priors."""

    slope: float
    bias: float
    """In log odds."""
    liking: float
    """Of ``photo . direction``, in log odds: how much photos may differ in what the user makes of
    them. 0: the direction stays as it was."""


@dataclass(frozen=True, slots=True)
class Belief:
    """The parameters of an ``engine.taste.Taste``."""

    slope: float
    bias: float
    direction: Values
    """float64[a]"""

    def predict(self, known: Values, photos: Floats) -> Values:
        """float64[n] in [0, 1].

        Args:
            known: float64[n], log odds of the earlier relevance.
            photos: float32[n, a], aligned.
        """
        return np.asarray(
            logistic(self.slope * known + self.bias + photos @ self.direction), np.float64
        )


def unchanged(length: int) -> Belief:
    """The taste that leaves relevance as it was, for aligned vectors of ``length`` numbers."""
    return Belief(1.0, 0.0, np.zeros(length))


def fit_taste(
    known: Values, photos: Floats, ratings: Values, prior: Belief, caution: Caution
) -> Belief:
    """The most probable taste after some ratings.

    Args:
        known: float64[n], log odds of the earlier relevance.
        photos: float32[n, a], aligned.
        ratings: float64[n] in [0, 1].
        prior: What it was before.
        caution: How far it may move.
    """
    columns = [known[:, None], np.ones((len(known), 1))]
    deviations = [caution.slope, caution.bias]
    middle, basis = photos.mean(0, dtype=np.float64), np.zeros((photos.shape[1], 0))
    if caution.liking > 0:
        # What the photos have in common is the bias's; a direction has only parts that they span.
        apart = photos - middle
        basis = np.linalg.qr(apart.T)[0] if len(apart) < apart.shape[1] else np.eye(len(middle))
        typical = np.sqrt((apart**2).sum(1).mean()) or 1.0
        columns.append(apart @ basis)
        deviations += [caution.liking / typical] * basis.shape[1]
    design = np.hstack(columns)
    offset = prior.slope * known + prior.bias + photos @ prior.direction
    moved = _newton(design, offset, ratings, 1 / np.square(deviations))
    turned = basis @ moved[2:]
    return Belief(
        prior.slope + float(moved[0]),
        prior.bias + float(moved[1] - middle @ turned),
        prior.direction + turned,
    )


def _newton(design: Values, offset: Values, ratings: Values, precision: Values) -> Values:
    """float64[f] that minimises cross-entropy and penalty, a convex sum, by Newton's method."""

    def loss(moved: Values) -> float:
        odds = offset + design @ moved
        return float((np.logaddexp(0, odds) - ratings * odds).sum() + 0.5 * precision @ moved**2)

    moved = np.zeros(design.shape[1])
    least = loss(moved)
    for _ in range(_STEPS):
        predicted: NDArray[np.float64] = logistic(offset + design @ moved)
        slope = design.T @ (predicted - ratings) + precision * moved
        curvature = (design.T * (predicted * (1 - predicted))) @ design + np.diag(precision)
        step = np.linalg.solve(curvature, slope)
        length = 1.0
        while loss(moved - length * step) > least and length > _NEAR:
            length /= 2
        following = loss(moved - length * step)
        if following > least - _NEAR:
            break
        moved, least = moved - length * step, following
    return moved
