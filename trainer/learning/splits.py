"""Two-way disjoint folds: a held-out pair shares neither its photo nor its caption with training.

A split by photo alone leaks: training has seen almost every held-out pair's caption with another
photo. Here photos are dealt into groups, and a caption belongs to the photo it was written for.
Each fold holds out one group of photos crossed with one group of captions, and its training pairs
have nothing to do with either group, in either role.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def two_way(
    photos: Sequence[str], sources: Sequence[str], *, groups: int = 5, seed: int = 0
) -> Iterator[tuple[Mask, Mask]]:
    """Yields (training, held out) masks; every pair is held out exactly once.

    Args:
        photos: The photo of each pair.
        sources: The photo that each pair's caption was written for.
        groups: At least 3; there are up to ``groups`` squared folds.
        seed: The same seed gives the same folds.
    """
    rng = np.random.default_rng(seed)
    as_photo, as_source = set(photos), set(sources)
    dealt: dict[str, int] = {}
    # A user's texts are no photos: a group of texts has nothing to do with that of its number.
    two_roles = bool(as_photo & as_source)
    # Each kind is dealt in turn, so that no group lacks one of them.
    for kind in (as_photo & as_source, as_photo - as_source, as_source - as_photo):
        for position, name in enumerate(rng.permutation(sorted(kind))):
            dealt[str(name)] = position % groups
    of_photo = np.array([dealt[photo] for photo in photos])
    of_source = np.array([dealt[source] for source in sources])
    for a in range(groups):
        for b in range(groups):
            held_out = (of_photo == a) & (of_source == b)
            if held_out.any():
                out = ((a, b), (a, b)) if two_roles else ((a,), (b,))
                clear = ~np.isin(of_photo, out[0]) & ~np.isin(of_source, out[1])
                yield clear, held_out
