"""Measures as pure functions of arrays.

The graded measures have the names of ir-measures and the values of trec_eval. They are written here
because ir-measures needs SciPy (a third more to install, for `evaluate` alone), loads pandas if it
is installed, and accepts only whole-numbered judgements.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ranks = NDArray[np.float64]
"""float64[q], from 1; infinite if the relevant photo was not found."""
Values = NDArray[np.float64]
Groups = NDArray[np.int64]

RETRIEVAL: dict[str, Callable[[Ranks], Values]] = {
    "recall@1": lambda ranks: (ranks <= 1).astype(np.float64),
    "recall@5": lambda ranks: (ranks <= 5).astype(np.float64),
    "recall@10": lambda ranks: (ranks <= 10).astype(np.float64),
    "mrr": lambda ranks: 1 / ranks,
    "ndcg@10": lambda ranks: np.where(ranks <= 10, 1 / np.log2(1 + ranks), 0.0),
}
"""Measures of queries with one relevant photo each: per query, to be averaged."""


def ndcg(ranked: Values, judged: Values, k: int) -> float:
    """Normalised discounted cumulative gain (Järvelin and Kekäläinen 2002), linear gains.

    Args:
        ranked: float64[c], the relevance of each photo of the answer, best first; 0 if nobody
            judged it. Negative relevance (TREC's mark of junk) gains nothing.
        judged: float64[j], the relevance of every judged photo, found or not, in any order.
        k: How many photos of the answer count.

    Returns:
        In [0, 1]; 0 if no photo is relevant.
    """
    ideal = _dcg(np.sort(judged)[::-1][:k])
    return _dcg(ranked[:k]) / ideal if ideal > 0 else 0.0


def precision(ranked: Values, judged: Values, k: int) -> float:
    """Share of the first ``k`` places that hold a relevant photo (relevance above 0)."""
    del judged  # every graded measure takes the same two arrays
    return float(np.count_nonzero(ranked[:k] > 0) / k)


def recall(ranked: Values, judged: Values, k: int) -> float:
    """Share of the relevant photos that are among the first ``k``; 0 if there are none."""
    relevant = np.count_nonzero(judged > 0)
    return float(np.count_nonzero(ranked[:k] > 0) / relevant) if relevant else 0.0


def average_precision(ranked: Values, judged: Values) -> float:
    """Mean precision at the places of the relevant photos; 0 for one that was not found."""
    relevant = np.count_nonzero(judged > 0)
    places = np.flatnonzero(ranked > 0) + 1
    counts = np.arange(1, len(places) + 1)
    return float((counts / places).sum() / relevant) if relevant else 0.0


def reciprocal_rank(ranked: Values, judged: Values) -> float:
    """One over the place of the first relevant photo; 0 if none was found."""
    del judged
    places = np.flatnonzero(ranked > 0)
    return float(1 / (places[0] + 1)) if len(places) else 0.0


GRADED: dict[str, Callable[[Values, Values], float]] = {
    "nDCG@5": lambda ranked, judged: ndcg(ranked, judged, 5),
    "nDCG@10": lambda ranked, judged: ndcg(ranked, judged, 10),
    "AP": average_precision,
    "RR": reciprocal_rank,
    "P@1": lambda ranked, judged: precision(ranked, judged, 1),
    "P@5": lambda ranked, judged: precision(ranked, judged, 5),
    "P@10": lambda ranked, judged: precision(ranked, judged, 10),
    "R@5": lambda ranked, judged: recall(ranked, judged, 5),
    "R@10": lambda ranked, judged: recall(ranked, judged, 10),
}
"""Measures of one query, from the relevance of its answer and of all judged photos."""


def _dcg(gains: Values) -> float:
    return float((np.maximum(gains, 0) / np.log2(np.arange(2, len(gains) + 2))).sum())


def rmse(predicted: Values, judged: Values) -> float:
    """Root of the mean squared difference."""
    return float(np.sqrt(np.mean((predicted - judged) ** 2)))


def mae(predicted: Values, judged: Values) -> float:
    """Mean absolute difference."""
    return float(np.mean(np.abs(predicted - judged)))


def spearman(predicted: Values, judged: Values) -> float:
    """Spearman's rank correlation; 0 if either side is constant: it orders nothing."""
    from scipy.stats import rankdata

    if _constant(predicted) or _constant(judged):
        return 0.0
    # SciPy's own function takes ten times as long for a few pairs, and a bootstrap asks it often.
    return float(np.corrcoef(rankdata(predicted), rankdata(judged))[0, 1])


def tau_b(predicted: Values, judged: Values) -> float:
    """Kendall's tau_b (1945), the usual one against the crowd's shares; 0 as in `spearman`."""
    from scipy.stats import kendalltau

    if _constant(predicted) or _constant(judged):
        return 0.0
    return float(kendalltau(predicted, judged, variant="b").statistic)


def tau_c(predicted: Values, grades: NDArray[Any]) -> float:
    """Kendall's tau_c (Stuart 1953) of predictions against every single judgement.

    CLIPScore's protocol (Hessel et al. 2021, arXiv:2104.08718): each pair counts once for each of
    its judges. 0 if predictions or judgements are constant.

    Args:
        predicted: float64[n]
        grades: int64[n, j] or float64[n, j], one column a judge.
    """
    from scipy.stats import kendalltau

    if _constant(predicted) or _constant(grades):
        return 0.0
    judges = grades.shape[1]
    result = kendalltau(np.repeat(predicted, judges), grades.ravel(), variant="c")
    return float(result.statistic)


def _constant(values: NDArray[Any]) -> bool:
    return bool((values == values.flat[0]).all())


_DRAWS, _NUMBERS = 1000, 1 << 20
"""Samples of a bootstrap, and random numbers drawn at a time."""


def interval(values: Values, groups: Groups, *, seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of the mean.

    Whole groups are drawn (Field and Welsh 2007): the queries of one photo succeed or fail
    together, and drawing them one by one would make the interval too narrow.

    Args:
        values: float64[q], one per query.
        groups: int64[q], from 0 without gaps.
        seed: The same seed gives the same interval.
    """
    sums = np.bincount(groups, values)
    sizes = np.bincount(groups)
    dice = np.random.default_rng(seed)
    means = np.empty(_DRAWS)
    at_once = max(1, _NUMBERS // len(sums))  # all at once would take 2.4 GB for 100,000 photos
    for start in range(0, _DRAWS, at_once):
        block = means[start : start + at_once]
        drawn = dice.integers(len(sums), size=(len(block), len(sums)))
        block[:] = sums[drawn].sum(1) / sizes[drawn].sum(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def bootstrap(
    measure: Callable[..., float],
    *arrays: NDArray[Any],
    groups: Groups,
    seed: int = 0,
    draws: int = 200,
) -> tuple[float, float]:
    """95 % bootstrap interval of any measure, whole groups drawn as in `interval`.

    Args:
        measure: Takes the arrays; for example `tau_c`.
        arrays: Each with n rows.
        groups: int64[n], the group (the photo) of each row, from 0 without gaps.
        seed: The same seed gives the same interval.
        draws: How many samples to draw. Two measures with the same seed and groups are computed
            on the same samples.
    """
    order = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups)
    starts = np.cumsum(sizes) - sizes
    dice = np.random.default_rng(seed)
    values = np.empty(draws)
    for draw in range(draws):
        drawn = dice.integers(len(sizes), size=len(sizes))
        taken = sizes[drawn]
        within = np.arange(taken.sum()) - np.repeat(np.cumsum(taken) - taken, taken)
        rows = order[np.repeat(starts[drawn], taken) + within]
        values[draw] = measure(*(array[rows] for array in arrays))
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
