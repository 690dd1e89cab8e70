"""What a threshold of relevance shows: measures of a number that should mean one thing everywhere.

A ranking only compares the photos of one query. A user who asks for `--min-relevance 0.5` compares
the photos of all queries with one number; these measures do the same.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixquery.trainer.measuring.metrics import Values

Relevant = NDArray[np.bool_]
"""bool[n]: whether a photo is relevant to its query."""


class Shown(NamedTuple):
    """What is shown if only pairs that reach a relevance are."""

    shown: int
    """How many pairs reach it."""
    right: float
    """Of what is shown, the share that is relevant (precision); NaN if nothing is shown."""
    found: float
    """Of what is relevant, the share that is shown (recall); NaN if nothing is relevant."""


def shown_from(least: float, predicted: Values, relevant: Relevant) -> Shown:
    """What a threshold shows.

    Args:
        least: Pairs with this relevance or more are shown.
        predicted: float64[n], the relevance of each pair of a query and a photo.
        relevant: bool[n]
    """
    reaches = predicted >= least
    shown, right = int(reaches.sum()), int((reaches & relevant).sum())
    wanted = int(relevant.sum())
    return Shown(
        shown,
        right / shown if shown else float("nan"),
        right / wanted if wanted else float("nan"),
    )


def average_precision_by_value(predicted: Values, relevant: Relevant) -> float:
    """Average precision of values, where equal values are one place.

    The area under the steps of precision over recall, one step for each different value, as
    scikit-learn's ``average_precision_score``: a calibrated relevance has many equal values, and
    an order among them would be chance.

    Args:
        predicted: float64[n]
        relevant: bool[n]

    Returns:
        In [0, 1]; 0 if nothing is relevant.
    """
    wanted = int(relevant.sum())
    if not wanted:
        return 0.0
    order = np.argsort(-predicted, kind="stable")
    values, hits = predicted[order], np.cumsum(relevant[order])
    last = np.flatnonzero(np.append(values[1:] != values[:-1], True))
    right = hits[last]
    gained = np.diff(right, prepend=0) / wanted
    return float((gained * right / (last + 1)).sum())
