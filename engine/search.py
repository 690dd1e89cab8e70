"""One query, one straight line: encode, align, prefilter, judge, look up.

Before it stands the stop-word policy: :meth:`engine.library.Library.search`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from pixquery.db.catalog import Catalog
from pixquery.db.errors import BadQuery
from pixquery.db.records import Filter, Floats, Ids, ImageRecord, Pixels
from pixquery.engine.alignment import unit
from pixquery.engine.answers import Answer, Hit, Milliseconds

if TYPE_CHECKING:  # FAISS is loaded by whoever opens an index
    from pixquery.engine.profile import Profile
    from pixquery.engine.vectors import VectorIndex

LONGEST_QUERY = 1000
"""In characters, of each text."""
MOST_PARTS = 32
HEAVIEST = 100.0
ALL = Filter()


@dataclass(frozen=True, slots=True)
class Part:
    """Something that photos shall be like, or unlike: a text, a photo, or a hit of the library."""

    text: str = ""
    pixels: Pixels | None = field(default=None, compare=False)
    """uint8[size, size, 3], as the indexer decodes a photo for the library's profile."""
    id: int = 0
    """Of a photo in the library, which does not come up itself then."""
    weight: float = 1.0
    """Against the other parts; negative for what is not wanted."""
    name: str = ""
    """What to call it."""

    def __post_init__(self) -> None:
        if (bool(self.text.strip()) + (self.pixels is not None) + bool(self.id)) != 1:
            raise BadQuery(
                "a part of a query is empty: it needs a text, a photo, or the number of a hit"
            )
        if len(self.text) > LONGEST_QUERY:
            raise BadQuery(
                f"the query has {len(self.text):,} characters and at most {LONGEST_QUERY:,} are "
                "taken: describe the photo in a sentence"
            )
        if not 0 < abs(self.weight) <= HEAVIEST:
            raise BadQuery(
                f"the weight {abs(self.weight):g} of {self!s} cannot count: take one above 0 and "
                f"up to {HEAVIEST:g}, where 1 counts fully and 0.5 half"
            )

    def __str__(self) -> str:
        return self.name or self.text or (f"photo {self.id}" if self.id else "a photo")


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked, and how much of the answer is wanted."""

    text: str = ""
    """May be empty where ``parts`` say what is wanted, or where ``where`` does."""
    k: int = 10
    offset: int = 0
    """Hits to leave out at the top."""
    candidates: int = 200
    """How many the prefilter hands to the regressor at a time."""
    min_relevance: float = 0.0
    """In [0, 1]; hits below are left out."""
    rerank: bool = True
    """Order by relevance; otherwise by similarity, the prefilter's order."""
    parts: tuple[Part, ...] = ()
    """What else photos shall be like, or unlike."""
    where: Filter = ALL
    """Which photos are asked."""

    def __post_init__(self) -> None:
        if not (self.text.strip() or self.parts or self.where):
            raise BadQuery('the query is empty: describe a photo, for example "man on bicycle"')
        for name, least in (("k", 1), ("offset", 0), ("candidates", 1)):
            if getattr(self, name) < least:
                raise BadQuery(f"{name} must be at least {least}, not {getattr(self, name)}")
        if len(self.parts) > MOST_PARTS:
            raise BadQuery(f"the query has {len(self.parts)} parts and at most {MOST_PARTS} count")
        if self.everything and all(part.weight < 0 for part in self.everything):
            raise BadQuery(
                "the query says only what is not wanted: say what is, for example "
                '"a beach" less "people"'
            )
        if self.min_relevance > 0 and not self.judged:
            raise BadQuery(
                "relevance is predicted for one text alone: leave out the least relevance, "
                "or ask with a text and nothing else"
            )

    @property
    def everything(self) -> tuple[Part, ...]:
        """The text, if there is one, and the other parts."""
        return (Part(self.text), *self.parts) if self.text.strip() else self.parts

    @property
    def judged(self) -> bool:
        """Whether it is what people judged photos for, so that relevance can be predicted."""
        return bool(self.text.strip()) and not self.parts

    def __str__(self) -> str:
        words = [
            ("" if part.weight == 1 else f"{part.weight:+g} x ") + str(part)
            for part in self.everything
        ]
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class Ranking:
    """The candidates of one query in the prefilter's order, nearest first."""

    ids: Ids
    """int64[c]"""
    similarities: Floats
    """float32[c]"""
    relevances: Floats | None
    """float32[c]; none where the query is not what the regressor knows."""
    milliseconds: Milliseconds

    def order(self, *, rerank: bool, at_once: int = 0) -> Ids:
        """Positions in the order of an answer, equal relevances by similarity.

        Args:
            rerank: By relevance, otherwise by similarity.
            at_once: As many candidates at a time are put in order among themselves, so that asking
                for more never changes what came before; 0 means all.

        Returns:
            int64[c]
        """
        places = np.arange(len(self.ids), dtype=np.int64)
        if self.relevances is None or not rerank:
            return places
        blocks = places // (at_once or max(1, len(places)))
        return np.asarray(np.lexsort((-self.similarities, -self.relevances, blocks)), np.int64)


class Aimed:
    """A query with its point among a library's photos; the point is found once.

    Whoever needs more candidates asks again for more of them: those that were judged before are not
    judged again.
    """

    def __init__(
        self, query: Query, profile: "Profile", index: "VectorIndex", among: Ids | None = None
    ) -> None:
        """Finds the point.

        Args:
            query: Asks for something, not for all photos of a filter.
            profile: The library's.
            index: The library's.
            among: The ids int64[n] that count; none means all.

        Raises:
            BadQuery: A part names a photo that the library does not hold, or the parts cancel out.
        """
        self._query, self._profile, self._index, self._among = query, profile, index, among
        begin = perf_counter()
        self._point = aim(query.everything, profile, index)
        encode = 1e3 * (perf_counter() - begin)
        self._spent = Milliseconds(encode, 0.0, 0.0, encode)
        self._ids, self._relevances = np.empty(0, np.int64), np.empty(0, np.float32)

    def rank(self, depth: int) -> Ranking:
        """The ``depth`` candidates nearest to the point, or all where there are fewer, judged."""
        begin = perf_counter()
        near = self._index.search(self._point, depth, among=self._among)
        found = perf_counter()
        relevances = self._judge(near.ids[0]) if self._query.judged else None
        prefilter, rerank = 1e3 * (found - begin), 1e3 * (perf_counter() - found)
        before = self._spent
        self._spent = Milliseconds(
            encode=before.encode,
            prefilter=before.prefilter + prefilter,
            rerank=before.rerank + rerank,
            total=before.total + prefilter + rerank,
        )
        return Ranking(near.ids[0], near.similarities[0], relevances, self._spent)

    def _judge(self, ids: Ids) -> Floats:
        """The relevances float32[n] of int64[n] ids."""
        fresh = np.setdiff1d(ids, self._ids)
        if len(fresh):
            scores = self._profile.relevance.score(self._point, self._index.vectors(fresh))
            known = np.concatenate([self._ids, fresh])
            order = np.argsort(known)
            self._ids = known[order]
            self._relevances = np.concatenate([self._relevances, scores])[order]
        return self._relevances[np.searchsorted(self._ids, ids)]


def rank(query: Query, depth: int, profile: "Profile", index: "VectorIndex") -> Ranking:
    """Finds the ``depth`` candidates nearest to a query and judges them."""
    return Aimed(query, profile, index).rank(depth)


def aim(parts: Sequence[Part], profile: "Profile", index: "VectorIndex") -> Floats:
    """The point that photos shall lie near.

    A photo's cosines with other photos lie further apart than a text's do: each part's are brought
    to one scale before its weight counts, or photos would drown the texts beside them.

    Returns:
        float32[1, a], a unit row.

    Raises:
        BadQuery: A part names a photo that the library does not hold, or nothing is left of the
            parts because they cancel out.
    """
    vectors = np.concatenate([_vector(part, profile, index) for part in parts])
    if len(parts) == 1:
        return vectors
    weights = np.array([part.weight for part in parts], np.float32)
    total = (weights / profile.relevance.spread(vectors)) @ vectors
    if np.linalg.norm(total) < 1e-6:
        raise BadQuery("the parts of the query cancel out: change their weights")
    return unit(total[None])


def _vector(part: Part, profile: "Profile", index: "VectorIndex") -> Floats:
    if part.id:
        try:
            return index.vectors(np.array([part.id], np.int64))
        except KeyError:
            raise BadQuery(
                f"the library holds no photo with the number {part.id}: "
                "take the id of a hit, as --json prints it"
            ) from None
    if part.pixels is not None:
        return profile.alignment.images(profile.images.encode(part.pixels[None]))
    return profile.alignment.texts(profile.texts.encode([part.text]))


def search(query: Query, profile: "Profile", index: "VectorIndex", catalog: Catalog) -> Answer:
    """Answers a query."""
    if not query.everything:
        return newest(query.where, query.k, query.offset, profile, catalog)
    begin = perf_counter()
    among = _among(query, catalog, index)
    asked = len(index) if among is None else len(among)
    ranking, order = _reach(query, Aimed(query, profile, index, among), asked)
    shown = order[query.offset : query.offset + query.k]
    records = catalog.records([int(ranking.ids[position]) for position in shown])
    hits = tuple(
        _hit(rank_, records[int(ranking.ids[position])], ranking, int(position))
        for rank_, position in enumerate(shown, query.offset + 1)
        if int(ranking.ids[position]) in records  # forgotten since the index was written
    )
    spent = ranking.milliseconds
    total = 1e3 * (perf_counter() - begin)
    return Answer(
        query=str(query),
        profile=profile.name,
        candidates=len(ranking.ids),
        hits=hits,
        milliseconds=Milliseconds(spent.encode, spent.prefilter, spent.rerank, total),
        among=asked,
    )


def _reach(query: Query, aimed: Aimed, asked: int) -> tuple[Ranking, Ids]:
    """So many candidates of the ``asked`` photos as the page needs, and the answer's order of them.

    A least relevance may leave too few of them: then twice as many are looked at, until the last
    block of candidates has no photo that reaches it.
    """
    end = query.offset + query.k
    depth = -(-end // query.candidates) * query.candidates
    while True:
        ranking = aimed.rank(depth)
        order = ranking.order(rerank=query.rerank, at_once=query.candidates)
        if ranking.relevances is None or query.min_relevance == 0:
            return ranking, order
        order = order[ranking.relevances[order] >= query.min_relevance]
        last = len(ranking.ids) - query.candidates
        barren = not (order >= last).any()
        if len(order) >= end or barren or len(ranking.ids) >= asked:
            return ranking, order
        depth *= 2


def _among(query: Query, catalog: Catalog, index: "VectorIndex") -> Ids | None:
    """The ids that count: those that the filter lets through, less the photos asked with."""
    examples = [part.id for part in query.parts if part.id]
    if not query.where and not examples:
        return None
    ids = catalog.matching(query.where) if query.where else index.ids()
    return np.setdiff1d(ids, examples)


def newest(where: Filter, k: int, offset: int, profile: "Profile", catalog: Catalog) -> Answer:
    """All photos of a filter, the newest first, as nothing says which is better."""
    begin = perf_counter()
    asked = len(catalog.matching(where)) if where else len(catalog)
    records = catalog.newest(where, limit=k, offset=offset)
    hits = tuple(
        _described(rank_, record, None, None) for rank_, record in enumerate(records, offset + 1)
    )
    total = 1e3 * (perf_counter() - begin)
    return Answer("", profile.name, 0, hits, Milliseconds(0.0, 0.0, 0.0, total), asked)


def _hit(rank_: int, record: ImageRecord, ranking: Ranking, position: int) -> Hit:
    relevance = None if ranking.relevances is None else float(ranking.relevances[position])
    return _described(
        rank_, record, relevance, float(np.clip(ranking.similarities[position], -1, 1))
    )


def _described(
    rank_: int, record: ImageRecord, relevance: float | None, similarity: float | None
) -> Hit:
    return Hit(
        rank=rank_,
        id=record.id,
        path=record.path,
        relevance=relevance,
        similarity=similarity,
        width=record.width,
        height=record.height,
        modified=datetime.fromtimestamp(record.state.mtime_ns / 1e9, UTC),
        taken=record.taken,
    )
