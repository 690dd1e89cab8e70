"""Photos that a library holds more than once: equal files, and other files of the same picture.

Photos are taken from the best to the worst. One that no better photo has claimed claims all worse
ones that are like *it* and unclaimed yet. So groups cannot chain: whoever keeps the best of each
group keeps, of every photo that goes, one that was itself compared with it and found alike. Were
all photos of a group to be alike, the crops of a picture's left and right side could not stand with
the whole picture; were a chain enough, a burst would become one group whose ends share nothing.

Two pictures are compared by the image encoder's own vectors. The aligned ones say what is to be
seen, so that two photos of one scene come as near as two files of one photo; they serve to find
candidates. The measurements stand in ``docs/search.md``.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pixquery.db.catalog import Catalog
from pixquery.db.errors import BadQuery
from pixquery.db.records import Filter, Floats, Ids
from pixquery.engine.alignment import unit
from pixquery.engine.answers import Copy, Duplicates, Group

if TYPE_CHECKING:  # FAISS is loaded by whoever opens an index
    from pixquery.engine.vectors import VectorIndex

THRESHOLD = 0.9
"""Likeness of near copies: different photos do not reach it, frames of one burst may."""

_WIDER = 1.6
"""So many times further apart, in 1 - cosine, the aligned vectors of near copies are at most."""
_AT_ONCE = 256
"""Photos whose candidates are looked for together."""
_COMPARED_AT_ONCE = 4096
"""Raw vectors in memory."""

Progress = Callable[[int, int], None]
Claims = dict[int, tuple[int, float]]
"""Place of a claimed photo -> place of the one that claims it, and how alike they are."""


def duplicates(
    catalog: Catalog,
    index: "VectorIndex",
    encoder: str,
    where: Filter,
    threshold: float,
    progress: Progress,
) -> Duplicates:
    """Groups the photos that a filter lets through.

    Args:
        catalog: The library's.
        index: The library's; a photo that it lacks has equal files at the most.
        encoder: Whose raw vectors are compared.
        where: Which photos.
        threshold: The least likeness of near copies, in (0, 1]; 1 leaves only equal files, as no
            two vectors need be equal to the last bit.
        progress: Is told how many photos are done, and of how many.

    Raises:
        BadQuery: The threshold is out of range.
    """
    if not 0 < threshold <= 1:
        raise BadQuery(
            f"the threshold {threshold:g} is not above 0 and at most 1: 1 finds equal files, "
            f"{THRESHOLD:g} what looks the same"
        )
    ids, contents = catalog.best_first(where)
    _, firsts, numbers = np.unique(contents, return_index=True, return_inverse=True)
    first = firsts[numbers]  # int64[n]: the place of the best photo of the same content
    claims: Claims = {
        int(place): (int(first[place]), 1.0)
        for place in np.flatnonzero(first != np.arange(len(ids)))
    }
    if threshold < 1:
        near = _Near(catalog, index, encoder, ids, np.sort(firsts), threshold)
        claims = _joined(near.claims(progress), claims)
    return Duplicates(threshold, len(ids), _groups(catalog, ids, contents, claims))


class _Near:
    """Looks for near copies among photos of different content."""

    def __init__(
        self,
        catalog: Catalog,
        index: "VectorIndex",
        encoder: str,
        ids: Ids,
        places: NDArray[np.int64],
        threshold: float,
    ) -> None:
        self._catalog, self._index, self._encoder = catalog, index, encoder
        self._threshold = threshold
        places = places[np.isin(ids[places], index.ids())]
        self._places, self._ids = places, ids[places]
        by_id = np.argsort(self._ids)
        self._sorted, self._by_id = self._ids[by_id], by_id
        self._claimed = np.zeros(len(places), np.bool_)

    def claims(self, progress: Progress) -> Claims:
        found: Claims = {}
        for start in range(0, len(self._ids), _AT_ONCE):
            rows = np.arange(start, min(start + _AT_ONCE, len(self._ids)))
            rows = rows[~self._claimed[rows]]
            for better, worse, likeness in self._alike(rows):
                if not (self._claimed[better] or self._claimed[worse]):
                    self._claimed[worse] = True
                    found[int(self._places[worse])] = int(self._places[better]), likeness
            progress(min(start + _AT_ONCE, len(self._ids)), len(self._ids))
        return found

    def _alike(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, int, float]]:
        """Each of the rows with each worse one that it is like, from the best row to the worst."""
        if not len(rows):
            return
        least = 1 - _WIDER * (1 - self._threshold)
        near = self._index.within(self._index.vectors(self._ids[rows]), least)
        better, worse = rows[near.queries], self._rows(near.ids)
        wanted = worse > better  # which leaves out those that are not compared at all
        wanted[wanted] &= ~self._claimed[worse[wanted]]
        better, worse = better[wanted], worse[wanted]
        likeness = self._likeness(rows, better, worse)
        alike = likeness >= self._threshold
        better, worse, likeness = better[alike], worse[alike], likeness[alike]
        for at in np.lexsort((worse, better)):
            yield int(better[at]), int(worse[at]), float(likeness[at])

    def _rows(self, ids: Ids) -> NDArray[np.int64]:
        """Of each id, or -1 where it is none of those that are compared."""
        at = np.minimum(np.searchsorted(self._sorted, ids), len(self._sorted) - 1)
        return np.where(self._sorted[at] == ids, self._by_id[at], -1)

    def _likeness(
        self, rows: NDArray[np.int64], better: NDArray[np.int64], worse: NDArray[np.int64]
    ) -> Floats:
        """Cosines float32[m] of raw vectors; ``better`` are some of the ``rows``."""
        found = np.full(len(better), -1, np.float32)
        if not len(better):
            return found
        mine = np.searchsorted(rows, better)
        known = self._raw(rows)
        others = np.unique(worse)
        for start in range(0, len(others), _COMPARED_AT_ONCE):
            some = others[start : start + _COMPARED_AT_ONCE]
            here = np.flatnonzero(np.isin(worse, some))
            raw = self._raw(some)
            for at in range(0, len(here), _COMPARED_AT_ONCE):
                part = here[at : at + _COMPARED_AT_ONCE]
                theirs = np.searchsorted(some, worse[part])
                found[part] = np.einsum("md,md->m", known[mine[part]], raw[theirs])
        return found

    def _raw(self, rows: NDArray[np.int64]) -> Floats:
        """Unit rows float32[n, d]; zeros, which are like nothing, where one is damaged."""
        ids = self._ids[rows].tolist()
        held = self._catalog.vectors_of(ids, self._encoder)
        width = len(next(iter(held.values()), ()))
        raw = np.zeros((len(ids), width), np.float32)
        for row, image_id in enumerate(ids):
            if image_id in held:
                raw[row] = held[image_id]
        return unit(raw)


def _joined(near: Claims, equal: Claims) -> Claims:
    """Equal files go where the best of them goes."""
    return near | {
        place: near.get(first, (first, likeness)) for place, (first, likeness) in equal.items()
    }


def _groups(
    catalog: Catalog, ids: Ids, contents: NDArray[np.int64], claims: Claims
) -> tuple[Group, ...]:
    """In the order of their best photos."""
    members: dict[int, list[tuple[int, float]]] = {}
    for place, (best, likeness) in sorted(claims.items()):
        members.setdefault(best, []).append((place, likeness))
    places = [place for best, copies in members.items() for place in (best, *dict(copies))]
    records = catalog.records([int(ids[place]) for place in places])
    groups = []
    for best, copies in sorted(members.items()):
        kept = records.get(int(ids[best]))
        gone = tuple(
            Copy(records[int(ids[place])], bool(contents[place] == contents[best]), likeness)
            for place, likeness in copies
            if int(ids[place]) in records  # forgotten by a writer meanwhile
        )
        if kept is not None and gone:
            groups.append(Group(kept, gone))
    return tuple(groups)
