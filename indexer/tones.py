"""Pixels of more than eight bits in eight: which values are black and white.

Of whole numbers of up to 16 bits white is the largest that the smallest usual depth holds: cameras
and scanners of 12 bits write files of 16. Other numbers mean 0 to 1 or 0 to 255 if they fit; else
their own range is shown, as ImageJ shows it, without the few outermost values.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = NDArray[Any]
"""Whole or floating-point numbers, [height, width, channels]."""

_DEPTHS = (8, 10, 12, 14, 16)
"""Bits that cameras and scanners have."""
_SAMPLED = 1_000_000
_OUTERMOST = (0.1, 99.9)
"""Percentiles of the values between which the range is shown."""
_AT_ONCE = 1 << 21
"""How many values are converted at once."""


def black_and_white(
    values: Values, bits: int, *, largest: int = 0, nothing: float | None = None
) -> tuple[float, float]:
    """The values that are shown as black and as white.

    Args:
        values: Of the colours, without alpha.
        bits: Of each number.
        largest: Of any value, if the file says so.
        nothing: A value that stands for no data.
    """
    if (values.dtype.kind == "u" and bits <= 8) or bits in (9, 10, 11, 12, 13, 14):
        return 0, (1 << bits) - 1
    if values.dtype.kind in "iu":
        least, most = int(values.min()), int(values.max())
        if least >= 0 and most <= 65535:
            without_sign = [bits - 1] if values.dtype.kind == "i" and bits <= 16 else []
            depths = sorted([*_DEPTHS, *without_sign])
            white = next((1 << depth) - 1 for depth in depths if most < 1 << depth)
            return 0, min(white, largest) if largest >= max(most, 1) else white
    return _range(values, nothing)


@np.errstate(all="ignore")
def _range(values: Values, nothing: float | None) -> tuple[float, float]:
    flat = values.reshape(-1)
    some = flat[:: max(1, len(flat) // _SAMPLED) | 1].astype(np.float64)
    some = some[np.isfinite(some)]
    if nothing is not None:
        some = some[~np.isclose(some, nothing, rtol=1e-6)]
    if not len(some):
        return 0, 1
    low, high = (float(bound) for bound in np.percentile(some, _OUTERMOST))
    for white in (1, 255):
        if low >= 0 and high <= white and (high > 16 or white == 1):
            return 0, white
    return (low, high) if low < high else (min(low, 0.0), max(high, 0.0, low + 1))


def eight_bits(values: Values, black: float, white: float, *, negative: bool = False) -> Values:
    """In levels of 255, uint8[height, width, channels].

    Args:
        values: Numbers that are none count as black.
        black: Shown as 0; smaller values, too.
        white: Shown as 255; larger values, too.
        negative: Black and white change places.
    """
    levels = np.empty(values.shape, np.uint8)
    table = None
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:  # looked up, which is fast
        table = _levels(np.arange(1 << 8 * values.dtype.itemsize), black, white)
    rows = max(1, _AT_ONCE // max(1, values[:1].size))
    for at in range(0, len(values), rows):
        part = values[at : at + rows]
        of_part = _levels(part, black, white) if table is None else table[part]
        levels[at : at + rows] = 255 - of_part if negative else of_part
    return levels


@np.errstate(all="ignore")  # of numbers that are none
def _levels(values: Values, black: float, white: float) -> NDArray[np.uint8]:
    share = (values.astype(np.float64) - black) / (white - black)
    return (np.clip(np.nan_to_num(share), 0, 1) * 255).astype(np.uint8)
