"""What the report says about the ratings."""

from typing import Any

import numpy as np

from pixquery.trainer.learning.aggregation import AGGREGATIONS, aggregate
from pixquery.trainer.learning.crowd import MIN_OVERLAP, crowd_map
from pixquery.trainer.learning.judged import Judged
from pixquery.trainer.measuring.agreement import (
    Grades,
    alpha,
    human_ceiling,
    intraclass,
    noise_floor,
)
from pixquery.trainer.measuring.metrics import Values, rmse, tau_c


def summary(judged: Judged) -> dict[str, Any]:
    """What the report says about ratings, ready for JSON; None for what is undefined.

    Alpha, intraclass correlations and noise floor are of all pairs that experts judged. The human
    ceiling, in percent, and the aggregations, each against every single grade, leave out pairs of a
    photo and its own caption, as CLIPScore does (Hessel et al. 2021, arXiv:2104.08718). The map in
    ``overlap`` is fitted to all pairs that both judged; nothing is trained with it.
    """
    grades = judged.grades[judged.expert]
    several = grades.shape[1] > 1 and len(grades) > 1
    others = judged.grades[judged.expert & ~judged.own]
    icc = intraclass(grades) if several else None
    ceiling = human_ceiling(others) if several and len(others) > 1 else None
    return {
        "expert_means": _counted(grades.mean(1)) if len(grades) else None,
        "grades": _grade_counts(grades) if grades.shape[1] > 1 else None,
        "crowd_shares": _counted(judged.share[judged.crowd]) if judged.crowd.any() else None,
        "alpha": _rounded(alpha(grades)),
        "icc_single": _rounded(icc[0]) if icc else None,
        "icc_mean": _rounded(icc[1]) if icc else None,
        "noise_floor": _rounded(noise_floor(grades)) if several else None,
        "human_ceiling": None if ceiling is None else round(100 * ceiling, 1),
        "overlap": _overlap(judged),
        "aggregations": _compared(others) if several and len(others) > 1 else None,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _counted(values: Values) -> list[list[float | int]]:
    levels, counts = np.unique(values.round(3), return_counts=True)
    return [[float(level), int(count)] for level, count in zip(levels, counts, strict=True)]


def _grade_counts(grades: Grades) -> dict[str, int]:
    rounded = np.rint(1 + 3 * grades).astype(np.int64)
    return {str(grade): int((rounded == grade).sum()) for grade in range(1, 5)}


def _overlap(judged: Judged) -> list[dict[str, float | int]] | None:
    """For each mean of the experts: the crowd's share of yes, and what it is mapped to."""
    both = judged.expert & judged.crowd
    if both.sum() < MIN_OVERLAP:
        return None
    expert = aggregate(judged.grades, "mean")
    mapped = crowd_map(judged, expert, both).apply(judged.share)
    levels: list[dict[str, float | int]] = []
    for level in np.unique(expert[both].round(3)):
        rows = both & (expert.round(3) == level)
        levels.append(
            {
                "expert": float(level),
                "pairs": int(rows.sum()),
                "yes": round(float(judged.share[rows].mean()), 4),
                "mapped": round(float(mapped[rows].mean()), 4),
            }
        )
    return levels


def _compared(grades: Grades) -> list[dict[str, Any]]:
    """Each aggregation, measured against every single grade that it was made from."""
    rows = []
    for name in AGGREGATIONS:
        values = aggregate(grades, name)
        every = np.repeat(values, grades.shape[1])
        rows.append(
            {
                "name": name,
                "rmse": _rounded(rmse(every, grades.ravel())),
                "tau_c": _rounded(tau_c(values, grades)),
            }
        )
    return rows
