"""Finds the scale of ratings from their values."""

from collections.abc import Iterable

from pixquery.db.errors import BadData

_USUAL = (
    (0, 1), (-1, 1), (-2, 2), (0, 3), (0, 4), (0, 5), (0, 10), (0, 100),
    (1, 4), (1, 5), (1, 7), (1, 10), (1, 100),
)  # fmt: skip
"""Scales that need no name if both their ends occur. Not 1..2, 1..3 or 0..2: whoever rates little
often gives no more than three of five stars."""
_SHOWN = 8
"""Values that an error shows."""


def scale_of(ratings: Iterable[float]) -> tuple[float, float]:
    """The scale that ratings are on.

    Ratings that all lie from 0 to 1 are on that scale; any others must have both ends of one that
    is in use.

    Args:
        ratings: At least one.

    Raises:
        BadData: They are on no usual scale, or show only a part of one; in words that name them.
    """
    values = sorted(set(ratings))
    low, high = values[0], values[-1]
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    if (low, high) in _USUAL:
        return float(low), float(high)
    shown = ", ".join(f"{value:g}" for value in values[:_SHOWN])
    if len(values) > _SHOWN:
        shown += f" ... {high:g}"
    raise BadData(
        f"the ratings do not show on which scale they are ({shown}): name the lowest and the "
        "highest rating that can be given, such as --scale 1..5"
    )
