"""Turns several workers' ratings of a pair into one, and learns how far to trust each worker."""

import warnings
from collections.abc import Sequence

import numpy as np

from pixquery.db.errors import BadData, MissingExtra
from pixquery.trainer.learning.aggregation import (
    AGGREGATIONS,
    WORKER_METHODS,
    either,
    refuse_sorted,
    row_of_pairs,
)
from pixquery.trainer.learning.ratings import Rating
from pixquery.trainer.measuring.agreement import Grades
from pixquery.trainer.measuring.metrics import Values

MAX_LABELS = 10
"""How many distinct ratings models of workers can handle.

For each worker they learn how often each rating is given in place of each other, a table whose size
grows with the square.
"""


def by_worker(ratings: Sequence[Rating], method: str = "dawid-skene") -> Values:
    """Aggregates ratings by a model that learns how far to trust each worker.

    Dawid and Skene (1979) with a table of confusions for each worker (``one-coin``: one number),
    GLAD (Whitehill et al. 2009), MACE (Hovy et al. 2013) and Wawa (workers by their agreement with
    the majority), all from crowd-kit. The models see ratings as labels, without their order; the
    result is the expected rating under the probabilities that they give.

    Args:
        ratings: With worker ids, few distinct ratings, and pairs that several workers rated.
        method: One of ``WORKER_METHODS``.

    Returns:
        float64[n] on the ratings' scale, one for each pair, in the order of the pairs' first lines.

    Raises:
        BadData: There is no such method, or it cannot work with these ratings.
        MissingExtra: crowd-kit is not installed.
    """
    if method not in WORKER_METHODS:
        raise BadData(f"there is no method {method} for workers: take {either(WORKER_METHODS)}")
    pairs = row_of_pairs(ratings)
    values, labels = np.unique([rating.rating for rating in ratings], return_inverse=True)
    _refuse_without_workers(ratings, method, len(pairs), len(values))
    try:
        import pandas as pd
        from crowdkit import aggregation as models
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"{method} needs the package {error.name}: pip install 'pixquery[workers]'"
        ) from error
    frame = pd.DataFrame(
        {
            "task": [pairs[rating.image, rating.text] for rating in ratings],
            "worker": [rating.worker for rating in ratings],
            "label": labels,
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # crowd-kit was not written for pandas 3
        if method == "wawa":
            # Its own `predict` fails with scikit-learn 1.7 and later; this is what it would do.
            labelled = models.MajorityVote().fit_predict_proba(
                frame, models.Wawa().fit(frame).skills_
            )
        else:
            model = {
                "dawid-skene": models.DawidSkene,
                "one-coin": models.OneCoinDawidSkene,
                "glad": models.GLAD,
                "mace": models.MACE,
            }[method]
            labelled = model().fit_predict_proba(frame)
    probable = labelled.reindex(index=range(len(pairs)), columns=range(len(values)), fill_value=0)
    # Clipped, because the probabilities add up to one only approximately.
    expected = np.asarray(probable.to_numpy(np.float64) @ values, np.float64)
    return expected.clip(values[0], values[-1])


def _refuse_without_workers(
    ratings: Sequence[Rating], method: str, pairs: int, labels: int
) -> None:
    otherwise = f"take {either(AGGREGATIONS)}"
    unnamed = [rating.line for rating in ratings if not rating.worker]
    if unnamed:
        raise BadData(
            f"{method} weighs workers, and line {unnamed[0]} names none: "
            f"add a column worker, or {otherwise}"
        )
    if len(ratings) == pairs:
        raise BadData(f"{method} compares workers, but no pair was rated by two: {otherwise}")
    if labels > MAX_LABELS:
        raise BadData(
            f"{method} needs few distinct ratings, at most {MAX_LABELS}, not {labels}: {otherwise}"
        )
    refuse_sorted(_by_column(ratings))


def _by_column(ratings: Sequence[Rating]) -> Grades:
    """float64[n, w]: a row for each pair, a column for each worker."""
    rows = row_of_pairs(ratings)
    columns = {name: column for column, name in enumerate(sorted({r.worker for r in ratings}))}
    grades = np.full((len(rows), len(columns)), np.nan)
    for rating in ratings:
        grades[rows[rating.image, rating.text], columns[rating.worker]] = rating.rating
    return grades
