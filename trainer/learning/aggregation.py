"""Turns several people's grades of a pair into one."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pixquery.db.errors import BadData
from pixquery.trainer.learning.ratings import Rating
from pixquery.trainer.measuring.agreement import Grades
from pixquery.trainer.measuring.metrics import Values

AGGREGATIONS = ("mean", "median", "majority")
"""Ways to combine several grades of a pair without knowing who gave them."""
WORKER_METHODS = ("dawid-skene", "one-coin", "glad", "mace", "wawa")
"""Ways that need to know who gave which grade, so that reliable workers count more."""
MIN_SORTED = 20
"""How many rows of three or more differing grades are not all sorted by accident.

By chance at most one row in three is sorted. Rows of two grades prove nothing: one of two people
may simply be strict.
"""


def grades_by_pair(ratings: Sequence[Rating]) -> Grades:
    """float64[n, j] on the user's scale: all ratings of each pair, from the left, in any order.

    A column is not one person: this is for measures that do not ask who gave which rating.
    """
    by_pair: dict[tuple[str, str], list[float]] = {}
    for rating in ratings:
        by_pair.setdefault((rating.image, rating.text), []).append(rating.rating)
    grades = np.full((len(by_pair), max(map(len, by_pair.values()), default=0)), np.nan)
    for row, values in enumerate(by_pair.values()):
        grades[row, : len(values)] = values
    return grades


def row_of_pairs(ratings: Sequence[Rating]) -> dict[tuple[str, str], int]:
    """The row of each pair (image, text), in the order of the pairs' first lines."""
    rows: dict[tuple[str, str], int] = {}
    for rating in ratings:
        rows.setdefault((rating.image, rating.text), len(rows))
    return rows


def aggregate(grades: Grades, how: str) -> Values:
    """Turns several people's grades into one; the order of columns does not matter.

    Args:
        grades: float64[n, j], NaN where fewer judged.
        how: ``mean``, ``median``, or ``majority``: the most frequent grade. Of several such the
            one nearest to the median, and of two equally near the lower one: a photo should not
            be credited with what half of its judges deny.

    Returns:
        float64[n], NaN where nobody judged.

    Raises:
        BadData: There is no such aggregation, or it asks who gave which grade.
    """
    if how in WORKER_METHODS:
        refuse_sorted(grades)
        raise BadData(f"{how} needs to know who gave which grade: take {either(AGGREGATIONS)}")
    if how not in AGGREGATIONS:
        raise BadData(
            f"there is no aggregation {how}: take {either((*AGGREGATIONS, *WORKER_METHODS))}"
        )
    one: Callable[[Grades], Any] = {
        "mean": lambda rows: np.nanmean(rows, 1),
        "median": lambda rows: np.nanmedian(rows, 1),
        "majority": lambda rows: [_majority(row[np.isfinite(row)]) for row in rows],
    }[how]
    graded = np.isfinite(grades).any(1)
    values = np.full(len(grades), np.nan)
    if graded.any():
        values[graded] = one(grades[graded])
    return values.round(12)  # so that means of the same sum are equal


def _majority(grades: Values) -> float:
    """The mode of float64[j]; ``aggregate`` explains ties."""
    values, counts = np.unique(grades, return_counts=True)
    tied = values[counts == counts.max()]
    return float(tied[np.abs(tied - np.median(grades)).argmin()])  # the first is the lowest


def refuse_sorted(grades: Grades) -> None:
    """Refuses columns that cannot be people, because in some order they rise in every row.

    Such columns are the lowest grade, the next, and so on, as in Flickr8k's expert file; a model of
    single raters would learn that one of them is always mild.

    Args:
        grades: float64[n, j], a column for each rater; NaN where one did not judge.

    Raises:
        BadData: They are sorted.
    """
    grades = grades[:, np.isfinite(grades).any(0)]
    ordered = grades[:, np.argsort(np.nanmean(grades, 0))]
    highest = np.fmax.reduce(ordered, 1, initial=-np.inf)
    lowest = np.fmin.reduce(ordered, 1, initial=np.inf)
    informative = (lowest < highest) & (np.isfinite(ordered).sum(1) >= 3)
    falls = ordered < np.fmax.accumulate(ordered, 1)
    if informative.sum() >= MIN_SORTED and not falls.any():
        raise BadData(
            f"the grades are sorted from lowest to highest in all {len(grades)} rows, so no "
            "column is one person and weighing single raters is meaningless: "
            f"take {either(AGGREGATIONS)}"
        )


def either(names: Sequence[str]) -> str:
    """The names as a choice: "a, b or c"."""
    return f"{', '.join(names[:-1])} or {names[-1]}"
