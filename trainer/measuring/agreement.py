"""How far people agree who judged the same pairs.

Krippendorff's alpha, the one-way intraclass correlation, the human ceiling, and the noise floor:
the error that is left to a predictor that knows exactly what people say on average.
"""

import numpy as np
from numpy.typing import NDArray

from pixquery.trainer.measuring.metrics import tau_c

Grades = NDArray[np.float64]
"""float64[n, j]: up to j people's grades of n pairs; NaN where fewer judged."""
_DRAWS = 10
"""Of a random judge, for the human ceiling."""


def alpha(grades: Grades) -> float | None:
    """Krippendorff's alpha for grades on an interval scale (Krippendorff 2011, Computing ...).

    One minus the disagreement within pairs over that among all grades, of pairs with two or more.
    Written out because the packages that have it are under the GPL or unkept.

    Args:
        grades: float64[n, j], NaN where one did not judge; who gave which does not matter.

    Returns:
        1 where all agree, 0 where they do as by chance; None where all grades are the same, or no
        pair has two.
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

    Shrout and Fleiss (1979). One-way, because the columns are no persons: nothing is known of a
    rater but the grade.

    Args:
        grades: float64[n, j] without NaN.

    Returns:
        The reliability of one grade and of the mean of j, or None where they are undefined: fewer
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

    Whoever knows what people say on average is still as far from the mean of these j as it is from
    the average: the standard error, from the variance within pairs.

    Args:
        grades: float64[n, j] without NaN, j at least 2.
    """
    return float(np.sqrt(_within(grades) / grades.shape[1]))


def human_ceiling(grades: Grades, *, seed: int = 0) -> float:
    """Kendall's tau_c of the mean of all judges but one against that one, drawn at random.

    The mean of several draws; columns may be sorted.

    Args:
        grades: float64[n, j] without NaN, j at least 2.
        seed: Of the draws.
    """
    rng = np.random.default_rng(seed)
    draws = (rng.permuted(grades, axis=1) for _ in range(_DRAWS))
    return float(np.mean([tau_c(drawn[:, 1:].mean(1), drawn[:, :1]) for drawn in draws]))


def _within(grades: Grades) -> float:
    """Variance within pairs: the one-way analysis of variance's mean square."""
    return float(grades.var(1, ddof=1).mean())
