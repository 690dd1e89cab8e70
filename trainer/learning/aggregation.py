"""Turns several people's grades of a pair into one."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pixquery.db.errors import BadData
from pixquery.trainer.learning.ratings import Rating
from pixquery.trainer.measuring.agreement import Grades
from pixquery.trainer.measuring.metrics import Values

AGGREGATIONS = ("mean", "median", "majority")
"""How several grades of a pair become one, whoever gave them."""
WORKER_METHODS = ("dawid-skene", "one-coin", "glad", "mace", "wawa")
"""The same where it is known who gave which, so that reliable workers can count more."""
MIN_SORTED = 20
"""Rows of three or more grades, not all the same, that are all sorted by no accident.

By chance one in three at most would be. Two grades prove nothing: of two people, one may be strict.
"""


def grades_by_pair(ratings: Sequence[Rating]) -> Grades:
    """float64[n, j] on the user's scale: all ratings of each pair, from the left, in any order.

    A column is no person; for agreement and aggregations that do not ask who.
    """
    found: dict[tuple[str, str], list[float]] = {}
    for rating in ratings:
        found.setdefault((rating.image, rating.text), []).append(rating.rating)
    grades = np.full((len(found), max(map(len, found.values()), default=0)), np.nan)
    for row, values in enumerate(found.values()):
        grades[row, : len(values)] = values
    return grades


def row_of_pairs(ratings: Sequence[Rating]) -> dict[tuple[str, str], int]:
    """The row of each pair, in the order of their first lines."""
    rows: dict[tuple[str, str], int] = {}
    for rating in ratings:
        rows.setdefault((rating.image, rating.text), len(rows))
    return rows


def aggregate(grades: Grades, how: str) -> Values:
    """One grade of several people's; the order of columns does not matter.

    Args:
        grades: float64[n, j], NaN where fewer judged.
        how: ``mean``, ``median``, or ``majority``: the grade that most gave; among several such
            the one next to the median, and of two equally near the lower, so that a photo is not
            promised what half of its judges deny.

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
    there = np.isfinite(grades).any(1)
    values = np.full(len(grades), np.nan)
    if there.any():
        values[there] = one(grades[there])
    return values.round(12)  # means of the same sum are the same, and tie


def _majority(grades: Values) -> float:
    """The mode of float64[j]; ties as ``aggregate`` says."""
    values, counts = np.unique(grades, return_counts=True)
    tied = values[counts == counts.max()]
    return float(tied[np.abs(tied - np.median(grades)).argmin()])  # the first is the lowest


def refuse_sorted(grades: Grades) -> None:
    """Refuses columns that are no persons: in some order they rise in every row.

    Then they are the lowest grade, the next and so on, as in Flickr8k's expert file, and a model of
    single raters would learn that one of them is always mild.

    Args:
        grades: float64[n, j], a column a rater; NaN where one did not judge.

    Raises:
        BadData: They are sorted.
    """
    grades = grades[:, np.isfinite(grades).any(0)]
    ordered = grades[:, np.argsort(np.nanmean(grades, 0))]
    highest = np.fmax.reduce(ordered, 1, initial=-np.inf)
    lowest = np.fmin.reduce(ordered, 1, initial=np.inf)
    telling = (lowest < highest) & (np.isfinite(ordered).sum(1) >= 3)
    falls = ordered < np.fmax.accumulate(ordered, 1)
    if telling.sum() >= MIN_SORTED and not falls.any():
        raise BadData(
            f"the raters' columns are sorted from lowest to highest in all {len(grades)} rows, so "
            "that a column is no person and weighing single raters would mean nothing: "
            f"take {either(AGGREGATIONS)}"
        )


def either(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
