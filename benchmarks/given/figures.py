"""A figure with its number of queries and its interval."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixquery.trainer.measuring.metrics import interval


def mean(values: NDArray[Any], groups: Sequence[object] | None = None) -> dict[str, Any]:
    """The mean over queries, its 95 % interval, and how many there are.

    Args:
        values: float64[q]
        groups: What each query belongs to, such as its photo; otherwise each is its own.
    """
    numbers = range(len(values)) if groups is None else groups
    known = {group: number for number, group in enumerate(dict.fromkeys(numbers))}
    rows = np.array([known[group] for group in numbers], np.int64)
    low, high = interval(np.asarray(values, np.float64), rows)
    return {
        "value": round(float(np.mean(values)), 4),
        "ci95": [round(low, 4), round(high, 4)],
        "n": len(values),
    }


def one(value: float, n: int) -> dict[str, Any]:
    """A figure without an interval; none if it cannot be computed."""
    return {"value": round(float(value), 4) if np.isfinite(value) else None, "n": int(n)}
