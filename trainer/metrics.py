"""Measures as pure functions of arrays."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Ranks = NDArray[np.float64]
"""float64[q], from 1; infinite where the relevant photo was not found."""
Values = NDArray[np.float64]

RETRIEVAL: dict[str, Callable[[Ranks], Values]] = {
    "recall@1": lambda ranks: (ranks <= 1).astype(np.float64),
    "recall@5": lambda ranks: (ranks <= 5).astype(np.float64),
    "recall@10": lambda ranks: (ranks <= 10).astype(np.float64),
    "mrr": lambda ranks: 1 / ranks,
    "ndcg@10": lambda ranks: np.where(ranks <= 10, 1 / np.log2(1 + ranks), 0.0),
}
"""Measures of queries with one relevant photo each: per query, to be averaged."""


def interval(values: Values, groups: NDArray[np.int64], *, seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of the mean.

    Whole groups are drawn (Field and Welsh 2007): the queries of one photo succeed or fail
    together, and drawing them one by one would promise too much.

    Args:
        values: float64[q], one per query.
        groups: int64[q], from 0 without gaps.
        seed: The same seed gives the same interval.
    """
    sums = np.bincount(groups, values)
    sizes = np.bincount(groups)
    drawn = np.random.default_rng(seed).integers(len(sums), size=(1000, len(sums)))
    means = sums[drawn].sum(1) / sizes[drawn].sum(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def rmse(predicted: Values, judged: Values) -> float:
    """Root of the mean squared difference."""
    return float(np.sqrt(np.mean((predicted - judged) ** 2)))


def tau_c(predicted: Values, grades: NDArray[np.int64]) -> float:
    """Kendall's tau_c (Stuart 1953) of predictions against every single judgement.

    CLIPScore's protocol (Hessel et al. 2021, arXiv:2104.08718): each pair counts once for each of
    its judges.

    Args:
        predicted: float64[n]
        grades: int64[n, j], one column a judge.
    """
    from scipy.stats import kendalltau

    judges = grades.shape[1]
    found = kendalltau(np.repeat(predicted, judges), grades.ravel(), variant="c")
    return float(found.statistic)
