"""Puts the crowd's shares of "yes" on the experts' scale.

The experts' mean is the yardstick. A crowd's share of "yes" answers another question: an isotonic
map, fitted to the pairs that both judged, translates it. Such a pair's target is the mean of both,
weighted by their precision; a pair that only the crowd judged counts less in training.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixquery.db.errors import BadData
from pixquery.trainer.learning.aggregation import aggregate
from pixquery.trainer.learning.judged import Judged
from pixquery.trainer.learning.splits import Mask
from pixquery.trainer.measuring.metrics import Values

CROWD_PRECISION = 0.2
"""The precision of a mapped crowd share, relative to the mean of three experts.

Precision is the inverse of the error's variance. The error of the experts' mean is the noise floor,
0.078; a mapped share is off by 0.186, which includes that floor, so its own variance is 0.186
squared less 0.078 squared: 4.7 times as large (Flickr8k, README of the data; 4.8 on this part).
"""
NO_YES_WEIGHT = 0.14
"""The weight of a pair that only the crowd judged and nobody said yes to, among crowd pairs.

88 % of the crowd's pairs are like that; with this weight they count together as much as the other
12 %. They also deserve less trust: the map knows zeros only from pairs that experts judged as well,
which describe their photos better than the crowd's other pairs do.
"""
MIN_OVERLAP = 10
"""How many pairs both must have judged for a map."""


@dataclass(frozen=True, slots=True)
class CrowdMap:
    """A rising map from the crowd's share of "yes" to what experts say on average."""

    shares: Values
    """float64[m], rising."""
    grades: Values
    """float64[m] in [0, 1], at those shares; linear between them, constant beyond."""

    @classmethod
    def fit(cls, share: Values, votes: NDArray[np.int64], expert: Values) -> "CrowdMap":
        """Isotonic regression, each share weighted by its votes.

        Args:
            share: float64[n] of "yes", in [0, 1].
            votes: int64[n], at least 1.
            expert: float64[n] in [0, 1]: the experts' mean of the same pairs.
        """
        from sklearn.isotonic import IsotonicRegression

        fitted = IsotonicRegression(y_min=0, y_max=1).fit(share, expert, sample_weight=votes)
        return cls(
            np.asarray(fitted.X_thresholds_, np.float64),
            np.asarray(fitted.y_thresholds_, np.float64),
        )

    def apply(self, share: Values) -> Values:
        """Maps shares float64[n] to grades float64[n] in [0, 1]; NaN stays NaN."""
        return np.asarray(np.interp(share, self.shares, self.grades), np.float64)


def fused(judged: Judged, training: Mask, *, how: str = "mean") -> tuple[Values, Values]:
    """Training targets and weights from experts and crowd.

    For training only: held-out pairs are measured against the experts alone (``aggregate``).
    Targets of the crowd's own pairs are too high, because the map is learned from pairs that were
    good enough for both (experts' mean 0.43, elsewhere 0.09). They improve the order of predictions
    but not their level, so calibrate predictions on the experts' pairs afterwards.

    Args:
        judged: n pairs.
        training: bool[n]: the crowd's map is fitted on these rows alone.
        how: One of ``AGGREGATIONS``, for the experts' grades.

    Returns:
        Targets float64[n] in [0, 1] and weights float64[n]: 1 where experts judged alone, more
        where both did, ``CROWD_PRECISION`` where only the crowd did, times ``NO_YES_WEIGHT``
        where nobody said yes. Held-out rows are included; they use the training rows' map.

    Raises:
        BadData: There is no such aggregation, or too few training pairs were judged by both.
    """
    targets = aggregate(judged.grades, how)
    weights = np.ones(len(targets))
    if not judged.crowd.any():
        return targets, weights
    both, alone = judged.expert & judged.crowd, ~judged.expert
    mapped = crowd_map(judged, targets, both & training).apply(judged.share)
    summed = 1 + CROWD_PRECISION
    targets[both] = (targets[both] + CROWD_PRECISION * mapped[both]) / summed
    targets[alone] = mapped[alone]
    weights[both] = summed
    weights[alone] = CROWD_PRECISION
    weights[alone & (judged.share == 0)] *= NO_YES_WEIGHT
    return targets, weights


def crowd_map(judged: Judged, expert: Values, rows: Mask) -> CrowdMap:
    """The map fitted to some rows.

    Raises:
        BadData: There are fewer than ``MIN_OVERLAP`` of them.
    """
    if rows.sum() < MIN_OVERLAP:
        raise BadData(
            f"the crowd's shares cannot be mapped to the experts' scale: only {rows.sum()} "
            f"training pairs were judged by both, and {MIN_OVERLAP} are needed: rate more of the "
            "crowd's pairs, or remove the crowd's file"
        )
    return CrowdMap.fit(judged.share[rows], judged.votes[rows], expert[rows])
