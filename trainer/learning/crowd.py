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
"""Of a mapped crowd share, where the mean of three experts has 1.

Precision is the inverse of the error's variance. The experts' mean has the noise floor's, 0.078
squared; a mapped share is 0.186 from the experts' mean, of which the floor is a part: 0.186 squared
less 0.078 squared is 4.7 times as much (Flickr8k, README of the data; 4.8 on the part given here).
"""
NO_YES_WEIGHT = 0.14
"""Of a pair that only the crowd judged and nobody said yes to, beside other crowd pairs.

88 % of the crowd's pairs are such; so weighed, all of them together count as much as the other
12 %. They also deserve less trust: the map knows zeros from pairs that were given to experts, which
describe their photos better than the crowd's other pairs do.
"""
MIN_OVERLAP = 10
"""Pairs that both judged, without which there is no map."""


@dataclass(frozen=True, slots=True)
class CrowdMap:
    """A rising map from the crowd's share of "yes" to what experts say on average."""

    shares: Values
    """float64[m], rising."""
    grades: Values
    """float64[m] in [0, 1], at those shares; straight between them, level beyond."""

    @classmethod
    def fit(cls, share: Values, votes: NDArray[np.int64], expert: Values) -> "CrowdMap":
        """Isotonic regression, each share with the weight of its votes.

        Args:
            share: float64[n] of "yes", in [0, 1].
            votes: int64[n], at least 1.
            expert: float64[n] in [0, 1]: the experts' mean of the same pairs.
        """
        from sklearn.isotonic import IsotonicRegression

        found = IsotonicRegression(y_min=0, y_max=1).fit(share, expert, sample_weight=votes)
        return cls(
            np.asarray(found.X_thresholds_, np.float64), np.asarray(found.y_thresholds_, np.float64)
        )

    def apply(self, share: Values) -> Values:
        """float64[n] in [0, 1]; NaN stays NaN."""
        return np.asarray(np.interp(share, self.shares, self.grades), np.float64)


def fused(judged: Judged, training: Mask, *, how: str = "mean") -> tuple[Values, Values]:
    """What to learn and how much each pair counts, from experts and crowd.

    For training only: the yardstick of held-out pairs is what the experts said, ``aggregate``.
    Targets of the crowd's own pairs are high, because the map is learnt from pairs that were good
    enough for both (experts' mean 0.43, elsewhere 0.09): order gains by them, level does not, so
    that predictions want a calibration on experts' pairs afterwards.

    Args:
        judged: n pairs.
        training: bool[n]: the crowd's map is fitted on these rows alone.
        how: One of ``AGGREGATIONS``, of the experts' grades.

    Returns:
        Targets float64[n] in [0, 1] and weights float64[n], 1 where experts judged alone: more
        where both did, ``CROWD_PRECISION`` where only the crowd, and of that ``NO_YES_WEIGHT``
        where nobody said yes. Both for all rows, held-out ones through the training rows' map.

    Raises:
        BadData: There is no such aggregation, or too few training pairs have both judgements to
            map those that the crowd alone judged.
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
    if rows.sum() < MIN_OVERLAP:
        raise BadData(
            f"the crowd's shares cannot be put onto the experts' scale: only {rows.sum()} training "
            f"pairs were judged by both, and {MIN_OVERLAP} are needed: rate more of the crowd's "
            "pairs, or leave the crowd's file out"
        )
    return CrowdMap.fit(judged.share[rows], judged.votes[rows], expert[rows])
