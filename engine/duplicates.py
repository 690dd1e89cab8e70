"""Photos that a library holds more than once: equal files, and other files of the same picture.

Photos are visited from the best to the worst. Each photo that no better one has claimed claims all
unclaimed worse photos that are like it. So every copy was itself compared with the best photo of
its group and found alike; deleting the copies loses no picture. If all photos of a group had to be
alike, the left and right crops of a picture could not be in one group with it. If a chain were
enough, a burst would become one group whose first and last photos have nothing in common.

What the catalogue says of equal files is a hint. Before a photo is named, every file of its group
is looked at: it is there, it is the one that was indexed, and no other path of the group leads to
it; files that are called equal have the same bytes. Photos that fail are left out, and the best is
chosen among the others.

Two pictures are compared by their raw vectors. Aligned vectors describe what a photo shows, and two
photos of one scene can be as near as two files of one photo; they only find candidates.
``docs/search.md`` has the measurements.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pixquery.db.catalog import Catalog
from pixquery.db.errors import BadQuery
from pixquery.db.records import Filter, Floats, Ids
from pixquery.engine.alignment import unit
from pixquery.engine.answers import Copy, Duplicates, Group

if TYPE_CHECKING:  # FAISS is loaded by what opens an index; a query looks at no copies
    from pixquery.engine.sightings import Sighting, Sightings
    from pixquery.engine.vectors import VectorIndex

THRESHOLD = 0.9
"""The likeness of near copies: frames of a burst may reach it, other photos do not."""

_WIDER = 1.6
"""How many times further apart, in 1 - cosine, aligned vectors of near copies are at most."""
_AT_ONCE = 256
"""Photos whose candidates are searched for together."""
_COMPARED_AT_ONCE = 4096
"""Raw vectors in memory."""

Progress = Callable[[int, int], None]
Claims = dict[int, tuple[int, float]]
"""Position of a claimed photo -> position of the one that claims it, and their likeness."""


def duplicates(
    catalog: Catalog,
    index: "VectorIndex",
    encoders: Mapping[str, int],
    where: Filter,
    threshold: float,
    progress: Progress,
) -> Duplicates:
    """Groups the photos that match a filter.

    Args:
        catalog: The library's.
        index: The library's; for a photo that it lacks only equal files are found.
        encoders: The image encoders whose raw vectors are compared, and their lengths.
        where: Which photos are compared.
        threshold: The least likeness of near copies, in (0, 1]; 1 leaves only equal files, as
            vectors of equal pictures may differ in their last bits.
        progress: Called with the number of comparisons done and the total: files that may be equal
            are read first, then pictures are compared.

    Raises:
        BadQuery: The threshold is out of range.
    """
    if not 0 < threshold <= 1:
        raise BadQuery(
            f"the threshold {threshold:g} is not above 0 and at most 1: 1 finds equal files, "
            f"{THRESHOLD:g} what looks the same"
        )
    ids, hints = catalog.best_first(where)
    from pixquery.engine.sightings import Sightings

    files = Sightings(catalog, ids)
    sets = _sets(hints)
    to_read = sum(map(len, sets))
    total = to_read + (len(ids) if threshold < 1 else 0)
    claims: Claims = {}
    others = np.ones(len(ids), np.bool_)
    """Positions that no equal file claims."""
    done = 0
    for positions in sets:
        claims |= _equal(files, positions)
        others[positions] = [at not in claims and files.at(at) is not None for at in positions]
        done += len(positions)
        progress(done, total)
    equal = {position: best for position, (best, _) in claims.items()}
    if threshold < 1:
        near = _Near(catalog, index, encoders, ids, files, np.flatnonzero(others), threshold)
        near_claims = near.claims(lambda part, parts: progress(to_read + part, to_read + parts))
        claims = _joined(near_claims, claims)
    groups = _groups(files, claims, equal)
    return Duplicates(threshold, len(ids), groups, files.left_out)


def _sets(hints: NDArray[np.int64]) -> list[list[int]]:
    """The positions of photos that have a hint in common with another."""
    order = np.argsort(hints, kind="stable")
    starts = np.flatnonzero(np.diff(hints[order], prepend=-1))
    sets = [part.tolist() for part in np.split(order, starts[1:]) if len(part) > 1]
    return sorted(sets)  # the best first, as everywhere


def _equal(files: "Sightings", positions: list[int]) -> Claims:
    """The best of equal files claims the others."""
    files.see(positions)
    kinds: dict[bytes, list[list[int]]] = {}
    """Digest of the first bytes -> sets of equal files, each from the best to the worst."""
    for position in positions:
        if (sighting := files.at(position)) is not None:
            alike = kinds.setdefault(sighting.head, [])
            if not any(_joins(files, kind, position) for kind in alike):
                alike.append([position])
    claims: Claims = {}
    for kind in (kind for alike in kinds.values() for kind in alike):
        first, *rest = [at for at in kind if files.at(at) is not None] or [-1]
        claims |= dict.fromkeys(rest, (first, 1.0))
    return claims


def _joins(files: "Sightings", kind: list[int], position: int) -> bool:
    """Adds a file to a set of equal files if it is equal to the first that is still there."""
    for known in kind:
        if files.equal(known, position):
            kind.append(position)
            return True
        if files.at(known) is not None:
            break  # the two differ, or the new one is lost
    return False


class _Near:
    """Finds near copies among photos of different content."""

    def __init__(
        self,
        catalog: Catalog,
        index: "VectorIndex",
        encoders: Mapping[str, int],
        ids: Ids,
        files: "Sightings",
        positions: NDArray[np.int64],
        threshold: float,
    ) -> None:
        self._catalog, self._index, self._encoders = catalog, index, encoders
        self._files = files
        # What all encoders compute, so that vectors of an earlier one can be compared with others,
        # and a library has the same duplicates before and after it is encoded again.
        self._common = min(encoders.values())
        self._threshold = threshold
        positions = positions[np.isin(ids[positions], index.ids())]
        self._positions, self._ids = positions, ids[positions]
        by_id = np.argsort(self._ids)
        self._sorted, self._by_id = self._ids[by_id], by_id
        self._claimed = np.zeros(len(positions), np.bool_)

    def claims(self, progress: Progress) -> Claims:
        claims: Claims = {}
        for start in range(0, len(self._ids), _AT_ONCE):
            rows = np.arange(start, min(start + _AT_ONCE, len(self._ids)))
            rows = rows[~self._claimed[rows]]
            pairs = list(self._alike(rows))
            self._files.see(int(self._positions[row]) for pair in pairs for row in pair[:2])
            for better, worse, likeness in pairs:
                if not any(self._claimed[row] or self._lost(row) for row in (better, worse)):
                    self._claimed[worse] = True
                    claims[int(self._positions[worse])] = int(self._positions[better]), likeness
            progress(min(start + _AT_ONCE, len(self._ids)), len(self._ids))
        return claims

    def _lost(self, row: int) -> bool:
        return self._files.at(int(self._positions[row])) is None

    def _alike(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, int, float]]:
        """Each of the rows with each worse row that is like it, from the best to the worst."""
        if not len(rows):
            return
        least = 1 - _WIDER * (1 - self._threshold)
        near = self._index.within(self._index.vectors(self._ids[rows]), least)
        better, worse = rows[near.queries], self._rows(near.ids)
        wanted = worse > better  # which leaves out photos that are not compared
        wanted[wanted] &= ~self._claimed[worse[wanted]]
        better, worse = better[wanted], worse[wanted]
        likeness = self._likeness(rows, better, worse)
        alike = likeness >= self._threshold
        better, worse, likeness = better[alike], worse[alike], likeness[alike]
        for at in np.lexsort((worse, better)):
            yield int(better[at]), int(worse[at]), float(likeness[at])

    def _rows(self, ids: Ids) -> NDArray[np.int64]:
        """The row of each id, or -1 if it is not compared."""
        at = np.minimum(np.searchsorted(self._sorted, ids), len(self._sorted) - 1)
        return np.where(self._sorted[at] == ids, self._by_id[at], -1)

    def _likeness(
        self, rows: NDArray[np.int64], better: NDArray[np.int64], worse: NDArray[np.int64]
    ) -> Floats:
        """Cosines float32[m] of raw vectors; each of ``better`` is one of the ``rows``."""
        likeness = np.full(len(better), -1, np.float32)
        if not len(better):
            return likeness
        mine = np.searchsorted(rows, better)
        known = self._raw(rows)
        others = np.unique(worse)
        for start in range(0, len(others), _COMPARED_AT_ONCE):
            batch = others[start : start + _COMPARED_AT_ONCE]
            here = np.flatnonzero(np.isin(worse, batch))
            raw = self._raw(batch)
            for at in range(0, len(here), _COMPARED_AT_ONCE):
                part = here[at : at + _COMPARED_AT_ONCE]
                theirs = np.searchsorted(batch, worse[part])
                likeness[part] = np.einsum("md,md->m", known[mine[part]], raw[theirs])
        return likeness

    def _raw(self, rows: NDArray[np.int64]) -> Floats:
        """Unit rows float32[n, d]; zeros, which are like nothing, for damaged vectors."""
        ids = self._ids[rows].tolist()
        vectors = self._catalog.vectors_of(ids, *self._encoders)
        raw = np.zeros((len(ids), self._common), np.float32)
        for row, image_id in enumerate(ids):
            if len(vector := vectors.get(image_id, ())) >= self._common:
                raw[row] = vector[: self._common]
        raw[~np.isfinite(raw).all(1)] = 0
        return unit(raw)


def _joined(near: Claims, equal: Claims) -> Claims:
    """Adds equal files to the group of the best of them."""
    return near | {
        position: near.get(first, (first, likeness))
        for position, (first, likeness) in equal.items()
    }


def _groups(files: "Sightings", claims: Claims, equal: dict[int, int]) -> tuple[Group, ...]:
    """The groups whose files are all still there, in the order of their best photos."""
    members: dict[int, list[tuple[int, float]]] = {}
    for position, (best, likeness) in sorted(claims.items()):
        members.setdefault(best, []).append((position, likeness))
    groups = []
    for best, copies in sorted(members.items()):
        if (kept := files.kept(best)) is None:
            continue
        superfluous = tuple(
            copy
            for position, likeness in copies
            for copy in _copies(
                files.superfluous(position, kept), equal.get(position) == best, likeness
            )
        )
        if superfluous:
            groups.append(Group(kept.record, superfluous, kept))
    return tuple(groups)


def _copies(paths: "list[Sighting]", exact: bool, likeness: float) -> Iterator[Copy]:
    """One copy for each path of a file; deleting the last of them frees its bytes."""
    for number, sighting in enumerate(paths, 1):
        size = sighting.record.state.size if number == max(len(paths), sighting.links) else 0
        yield Copy(sighting.record, exact, likeness, size, sighting)
