"""Photos that look like those that mention what is searched.

One receipt in seven says "receipt". Those that do look alike, and so do the others: a few photos
that mention a name are as good as examples of a concept that was taught.
"""

from typing import TYPE_CHECKING

import numpy as np

from pixquery.db.records import Ids
from pixquery.engine.alignment import unit
from pixquery.engine.mentions import Match, Mention, Mentioned

if TYPE_CHECKING:  # FAISS is loaded by what opens an index
    from pixquery.engine.vectors import VectorIndex

_LEAST = 3
"""Photos that must mention it."""
_COHERENT = 0.8
"""Median cosine between two of them. Signs on which "stop" stands are at 0.3, receipts at 0.9."""
_ALIKE = 0.95
"""Cosine with their middle from which a photo surely looks so; otherwise as most of them."""
_SHARE = 0.1
"""The least share that mentions it, among those that look so: a few receipts also mention a bank,
and that makes the others no photos of banks."""
_STRENGTH = 0.55
"""Relevance of a photo that only looks so: it fits, and those that mention it come first."""
_MOST = 200


def lookalikes(mentioned: Mentioned, index: "VectorIndex", among: Ids | None) -> Mentioned:
    """Photos that look like those that mention something, if these look alike.

    Args:
        mentioned: Photos that mention a name, all of them in the index.
        index: The library's vectors.
        among: The ids int64[n] to search; none means all.

    Returns:
        The other photos that look so, the likest first.
    """
    if len(mentioned) < _LEAST:
        return {}
    own = index.vectors(np.fromiter(mentioned, np.int64))
    cosines = (own @ own.T)[np.triu_indices(len(own), 1)]
    if np.median(cosines) < _COHERENT:
        return {}
    middle = unit(own.mean(0, keepdims=True))
    near = index.search(middle, _MOST, among=among)
    least = min(_ALIKE, float(np.quantile(own @ middle[0], 0.1)))
    like = near.ids[0][near.similarities[0] >= least].tolist()
    others = [image_id for image_id in like if image_id not in mentioned]
    if len(like) - len(others) < _SHARE * len(like):
        return {}
    match = Match("alike", f"looks like {len(mentioned)} photos with these words")
    return dict.fromkeys(others, Mention(_STRENGTH, (match,)))
