"""The candidates of one query, and their order."""

from dataclasses import dataclass, field

import numpy as np

from pixquery.db.records import Floats, Ids
from pixquery.engine.answers import Milliseconds
from pixquery.engine.mentions import LOOKS, Match, Mentioned
from pixquery.engine.standing import fits

_RANK = 60.0
"""The constant of reciprocal ranks."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The candidates of one query in the prefilter's order, nearest first."""

    ids: Ids
    """int64[c]"""
    similarities: Floats
    """float32[c]"""
    relevances: Floats | None
    """float32[c]; none if the profile has no regressor, or one not trained on such queries."""
    milliseconds: Milliseconds
    mentioned: Mentioned = field(default_factory=dict)
    """The candidates that mention what was searched. Those that are not near are at the end."""
    near: int = 0
    """How many candidates are from the prefilter."""
    seen: Floats | None = None
    """float32[c]; the relevances by what the photos show alone."""

    def matches(self, position: int) -> tuple[Match, ...]:
        """Why a candidate is one."""
        mention = self.mentioned.get(int(self.ids[position]))
        if mention is None:
            return (LOOKS,)
        looks = self.seen is not None and fits(float(self.seen[position]))
        return (*mention.matches, LOOKS) if looks else mention.matches

    def order(self, *, rerank: bool, at_once: int = 0) -> Ids:
        """Positions of the candidates, best first; equal relevances are sorted by similarity.

        Args:
            rerank: Sort by relevance; otherwise by similarity.
            at_once: Sorts the candidates in blocks of this size, so that asking for more hits never
                changes the earlier ones; 0 means all in one block.

        Returns:
            int64[c]
        """
        positions = np.arange(len(self.ids), dtype=np.int64)
        if not rerank or (self.relevances is None and not self.mentioned):
            return positions
        blocks = positions // (at_once or max(1, len(positions)))
        # They stay in the first block however many candidates there are.
        mentioned = np.isin(self.ids, list(self.mentioned))
        blocks[mentioned] = 0
        worth = self._fused(positions) if self.relevances is None else self.relevances
        return np.asarray(np.lexsort((-self.similarities, -worth, blocks)), np.int64)

    def _fused(self, positions: Ids) -> Floats:
        """float32[c]: reciprocal ranks by similarity and by mention, added up.

        Cormack, Clarke and Buettcher, SIGIR 2009.
        """
        worth = 1 / (_RANK + positions.astype(np.float32))
        worth[self.near :] = 0
        places = {image_id: place for place, image_id in enumerate(self.mentioned)}
        for position, image_id in enumerate(self.ids.tolist()):
            if image_id in places:
                worth[position] += 1 / (_RANK + places[image_id])
        return np.asarray(worth, np.float32)
