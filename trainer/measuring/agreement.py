"""How far people agree who judged the same pairs.

Krippendorff's alpha, the one-way intraclass correlation, the human ceiling, and the noise floor:
the error that is left to a predictor that knows exactly what people say on average.
"""

import numpy as np
from numpy.typing import NDArray

from pixquery.trainer.measuring.metrics import tau_c

Grades = NDArray[np.float64]
"""float64[n, j]: the grades of n pairs by up to j people; NaN where fewer judged a pair."""
_DRAWS = 10
"""How often a judge is drawn at random, for the human ceiling."""


def alpha(grades: Grades) -> float | None:
    """Krippendorff's alpha for grades on an interval scale (Krippendorff 2011, Computing ...).

    One minus the disagreement within pairs over that among all grades; pairs with one grade do not
    count. Written out here because the packages that have it are under the GPL or unmaintained.

    Args:
        grades: float64[n, j], NaN where nobody judged; who gave which does not matter.

    Returns:
        1 if all agree, 0 if they agree as by chance; None if all grades are the same, or no pair
        has two.
    """
    counts = np.isfinite(grades).sum(1)
    grades, counts = grades[counts > 1], counts[counts > 1]
    if not len(grades) or np.nanmin(grades) == np.nanmax(grades):
        return None
    within = np.nansum((grades - np.nanmean(grades, 1, keepdims=True)) ** 2, 1)
    among = np.nanvar(grades, ddof=1)
    observed = (within * counts / (counts - 1)).sum() / counts.sum()
    return float(1 - observed / among)


def intraclass(grades: Grades) -> tuple[float, float] | None:
    """One-way random effects intraclass correlation, ICC(1,1) and ICC(1,j).

    Shrout and Fleiss (1979). One-way, because a column is not one person: nothing is known about a
    rater but the grade.

    Args:
        grades: float64[n, j] without NaN.

    Returns:
        The reliability of one grade and of the mean of j, or None if they are undefined: fewer
        than two pairs, fewer than two grades a pair, or pairs that do not differ.
    """
    n, j = grades.shape
    if n < 2 or j < 2:
        return None
    between, within = j * grades.mean(1).var(ddof=1), _within(grades)
    if between < 1e-12:
        return None
    single = (between - within) / (between + (j - 1) * within)
    return float(single), float((between - within) / between)


def noise_floor(grades: Grades) -> float:
    """RMSE of a perfect predictor against the mean of the raters.

    A predictor that knows what people say on average still misses the mean of these j raters: by
    its standard error, which the variance within pairs gives.

    Args:
        grades: float64[n, j] without NaN, j at least 2.
    """
    return float(np.sqrt(_within(grades) / grades.shape[1]))


def human_ceiling(grades: Grades, *, seed: int = 0) -> float:
    """Kendall's tau_c of the mean of all judges but one against that one.

    Which one is drawn at random for each pair, so columns may be sorted; the mean of several draws.

    Args:
        grades: float64[n, j] without NaN, j at least 2.
        seed: The same seed gives the same draws.
    """
    rng = np.random.default_rng(seed)
    draws = (rng.permuted(grades, axis=1) for _ in range(_DRAWS))
    return float(np.mean([tau_c(drawn[:, 1:].mean(1), drawn[:, :1]) for drawn in draws]))


def _within(grades: Grades) -> float:
    """The variance within pairs: the mean square of a one-way analysis of variance."""
    return float(grades.var(1, ddof=1).mean())
