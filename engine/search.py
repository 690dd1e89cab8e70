"""One query in a straight line: encode, align, prefilter, judge, look up.

:meth:`pixquery.engine.library.Library.search` applies the stop-word policy before.
"""

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from pixquery.db.catalog import Catalog
from pixquery.db.connections import damaged
from pixquery.db.errors import BadQuery
from pixquery.db.quoting import quoted
from pixquery.db.records import Filter, Floats, Ids, ImageRecord
from pixquery.engine.alignment import unit
from pixquery.engine.answers import Answer, Hit, Milliseconds, hit_of
from pixquery.engine.by_date import by_date, in_date_order, with_text
from pixquery.engine.features import Vectors
from pixquery.engine.lookalikes import lookalikes
from pixquery.engine.mentions import Match, Mention, Mentioned, Mentions, asked_for
from pixquery.engine.query import Part, Query
from pixquery.engine.ranking import Ranking
from pixquery.engine.standing import DIGITS

if TYPE_CHECKING:  # FAISS is loaded by what opens an index
    from pixquery.engine.profile import Profile
    from pixquery.engine.vectors import VectorIndex

_TIE = 1e-3
"""Relevance between two photos that mention as much, if one looks certain and the other wrong."""
_NAME = 2
"""Words of a name; longer texts describe one photo rather than a kind of photos."""


class Aimed:
    """A query and its point in the aligned space, which is computed once.

    To get more candidates, call :meth:`rank` again with a larger ``depth``: no candidate is judged
    twice.
    """

    def __init__(
        self,
        query: Query,
        profile: "Profile",
        index: "VectorIndex",
        catalog: Catalog,
        among: Ids | None = None,
        mentioned: Mentioned | None = None,
    ) -> None:
        """Computes the point.

        Args:
            query: A query with a text or parts, not with a filter alone.
            profile: The library's.
            index: The library's.
            catalog: The library's; raw vectors of candidates are read from it, if they are needed.
            among: The ids int64[n] to search; none means all.
            mentioned: Photos of these that mention what is searched.

        Raises:
            BadQuery: A part names a photo that the library does not hold, or the parts cancel out.
        """
        self._profile, self._index, self._catalog, self._among = profile, index, catalog, among
        self._mentioned = self._indexed(mentioned or {})
        if self._mentioned and len(asked_for(query.text)) <= _NAME:
            self._mentioned |= lookalikes(self._mentioned, index, among)
        self._relevance = profile.relevance if query.judged else None
        begin = perf_counter()
        if query.judged:
            self._asked = said(query.everything[0], profile)
            self._point = self._asked.aligned
        else:
            self._point = aim(query.everything, profile, index)
        encode = 1e3 * (perf_counter() - begin)
        self._spent = Milliseconds(encode, 0.0, 0.0, encode)
        self._ids, self._relevances = np.empty(0, np.int64), np.empty(0, np.float32)

    def rank(self, depth: int) -> Ranking:
        """The ``depth`` candidates nearest to the point, or all if there are fewer, judged."""
        begin = perf_counter()
        near = self._index.search(self._point, depth, among=self._among)
        end = perf_counter()
        ids, similarities = near.ids[0], near.similarities[0]
        if self._mentioned:
            far = np.setdiff1d(np.fromiter(self._mentioned, np.int64), ids)
            own = self._index.vectors(far) @ self._point[0]
            ids, similarities = np.append(ids, far), np.append(similarities, own)
        relevances = self._judge(ids)
        prefilter, rerank = 1e3 * (end - begin), 1e3 * (perf_counter() - end)
        before = self._spent
        self._spent = Milliseconds(
            encode=before.encode,
            prefilter=before.prefilter + prefilter,
            rerank=before.rerank + rerank,
            total=before.total + prefilter + rerank,
        )
        return Ranking(
            ids=ids,
            similarities=similarities,
            relevances=self._with_mentions(ids, relevances),
            milliseconds=self._spent,
            mentioned=self._mentioned,
            near=len(near.ids[0]),
            seen=relevances,
        )

    def _with_mentions(self, ids: Ids, relevances: Floats | None) -> Floats | None:
        """The relevances float32[n] of int64[n] ids, at least those of what they mention.

        Of photos that mention as much, the one that looks more relevant comes first.
        """
        if relevances is None or not self._mentioned:
            return relevances
        least = [
            self._mentioned[one].strength if one in self._mentioned else 0 for one in ids.tolist()
        ]
        return np.maximum(relevances, np.array(least, np.float32) - _TIE * (1 - relevances))

    def _indexed(self, mentioned: Mentioned) -> dict[int, Mention]:
        """The mentions of photos whose vectors are loaded: others were added meanwhile."""
        if not mentioned:
            return {}
        held = np.isin(np.fromiter(mentioned, np.int64), self._index.ids())
        return {one: mentioned[one] for one, here in zip(mentioned, held, strict=True) if here}

    def _judge(self, ids: Ids) -> Floats | None:
        """The relevances float32[n] of int64[n] ids, if they are predicted."""
        if self._relevance is None:
            return None
        fresh = np.setdiff1d(ids, self._ids)
        if len(fresh):
            photos = Vectors(self._index.vectors(fresh), lambda: self._raw(fresh))
            scores = self._relevance.score(self._asked, photos)
            known = np.concatenate([self._ids, fresh])
            order = np.argsort(known)
            self._ids = known[order]
            self._relevances = np.concatenate([self._relevances, scores])[order]
        return self._relevances[np.searchsorted(self._ids, ids)]

    def _raw(self, ids: Ids) -> Floats:
        """The raw vectors float32[n, d] of int64[n] ids, in one read."""
        stored = self._catalog.vectors_of(ids.tolist(), *self._profile.readable)
        if len(stored) < len(ids):
            raise damaged(self._catalog.file, "vectors are gone or differ from their checksums")
        rows = [stored[image_id] for image_id in ids.tolist()]
        completed = self._profile.alignment.completed
        if len(set(map(len, rows))) == 1:
            return completed(np.stack(rows).astype(np.float32))
        # Those of an earlier encoder are shorter.
        return np.concatenate([completed(row.astype(np.float32)[None]) for row in rows])


def rank(
    query: Query,
    depth: int,
    profile: "Profile",
    index: "VectorIndex",
    catalog: Catalog,
    mentions: "Mentions | None" = None,
) -> Ranking:
    """Finds the ``depth`` candidates nearest to a query, and those that mention it; judges them."""
    mentioned = mentions.of(query.text) if mentions else {}
    return Aimed(query, profile, index, catalog, mentioned=mentioned).rank(depth)


def aim(parts: Sequence[Part], profile: "Profile", index: "VectorIndex") -> Floats:
    """The point that the best photos are nearest to.

    A photo's cosines with other photos vary more than a text's. So the cosines of each part are
    scaled before they are weighted, or photos would outweigh the texts. A profile without a
    regressor does not know how they vary, and weights them as they are.

    Returns:
        float32[1, a], a unit row.

    Raises:
        BadQuery: A part names a photo that the library does not hold, or the parts cancel out.
    """
    vectors = np.concatenate([_vector(part, profile, index) for part in parts])
    if len(parts) == 1:
        return vectors
    weights = np.array([part.weight for part in parts], np.float32)
    if profile.relevance is not None:
        weights /= profile.relevance.spread(vectors)
    total = weights @ vectors
    if np.linalg.norm(total) < 1e-6:
        raise BadQuery("the parts of the query cancel out: change their weights")
    return unit(total[None])


def _vector(part: Part, profile: "Profile", index: "VectorIndex") -> Floats:
    if part.id:
        try:
            return index.vectors(np.array([part.id], np.int64))
        except (KeyError, OverflowError):
            raise BadQuery(
                f"the library contains no photo with the id {part.id}: "
                "take the id of a hit, as --json prints it"
            ) from None
    if part.pixels is not None:
        scales = part.pixels if isinstance(part.pixels, tuple) else (part.pixels,)
        return profile.alignment.images(profile.photos.encode_all([scales]))
    return said(part, profile).aligned


def said(part: Part, profile: "Profile") -> Vectors:
    """The vectors of a text; of one that has other forms, the means of all."""
    caption = part.caption if profile.reads_captions else ""
    raw = profile.texts.encode([text for text in (part.text, part.also, caption) if text])
    vectors = profile.alignment.texts(raw)
    if len(raw) > 1:
        vectors = unit(vectors.sum(0, keepdims=True))
    return Vectors(vectors, lambda: raw.mean(0, keepdims=True))


def search(
    query: Query,
    profile: "Profile",
    index: "VectorIndex",
    catalog: Catalog,
    mentions: Mentions,
) -> Answer:
    """Answers a query.

    Raises:
        BadQuery: There is a least relevance, and the profile predicts none; or as :func:`aim`.
    """
    if query.min_relevance > 0 and not profile.predicts_relevance:
        raise BadQuery(
            f"the profile {profile.name} predicts no relevance, so no photo can be left out by it: "
            "leave out the least relevance, or train one with "
            f"`pixquery train RATINGS.csv --profile {quoted(profile.reference)} --out DIR`"
        )
    begin = perf_counter()
    if not (query.everything or query.words):
        found = by_date(query, profile, catalog)
        return replace(found, hits=_with_places(found.hits, query.where, catalog))
    among = _among(query, catalog, index)
    standing: Mentioned = {}
    if query.words:
        standing = mentions.with_text(query.words, among=among)
        if not query.everything:
            return with_text(query, standing, profile, catalog)
        among = np.intersect1d(np.fromiter(standing, np.int64), index.ids())
    searched = len(index) if among is None else len(among)
    mentioned = mentions.of(query.text, among=among) if query.judged and query.rerank else {}
    aimed = Aimed(query, profile, index, catalog, among, mentioned)
    ranking, order = _reach(query, aimed, searched)
    if query.by_date:
        order = in_date_order(query, ranking, order[: query.candidates], catalog)
    shown = order[query.offset : query.offset + query.k]
    records = catalog.records([int(ranking.ids[position]) for position in shown])
    hits = tuple(
        _hit(rank_, records[int(ranking.ids[position])], ranking, int(position), standing)
        for rank_, position in enumerate(shown, query.offset + 1)
        if int(ranking.ids[position]) in records  # removed since the index was written
    )
    spent = ranking.milliseconds
    total = 1e3 * (perf_counter() - begin)
    return Answer(
        query=str(query),
        profile=profile.name,
        candidates=len(ranking.ids),
        hits=_with_places(hits, query.where, catalog),
        milliseconds=Milliseconds(spent.encode, spent.prefilter, spent.rerank, total),
        among=searched,
        judged=ranking.relevances is not None,
        sort=query.sort,
        photos=tuple(records.values()),
    )


def _reach(query: Query, aimed: Aimed, searched: int) -> tuple[Ranking, Ids]:
    """As many candidates as the page of hits needs, and their order in the answer.

    If too few reach the least relevance, the number of candidates is doubled, until no photo in the
    last block reaches it or all photos searched are candidates.
    """
    end = query.candidates if query.by_date else query.offset + query.k
    depth = -(-end // query.candidates) * query.candidates
    while True:
        ranking = aimed.rank(depth)
        order = ranking.order(rerank=query.rerank, at_once=query.candidates)
        if ranking.relevances is None or query.min_relevance == 0:
            return ranking, order
        relevances = ranking.relevances[order].astype(np.float64)  # float32 has no 0.45
        order = order[relevances.round(DIGITS) >= query.min_relevance]
        last = ranking.near - query.candidates
        barren = not ((order >= last) & (order < ranking.near)).any()
        if len(order) >= end or barren or ranking.near >= searched:
            return ranking, order
        depth *= 2


def _among(query: Query, catalog: Catalog, index: "VectorIndex") -> Ids | None:
    """The ids to search: of the photos that match the filter, except those in the query."""
    examples = [part.id for part in query.parts if part.id]
    if not query.where and not examples:
        return None
    ids = catalog.matching(query.where) if query.where else index.ids()
    return np.setdiff1d(ids, examples)


def _with_places(hits: tuple[Hit, ...], where: Filter, catalog: Catalog) -> tuple[Hit, ...]:
    """Hits that say where they were taken, if that was asked for."""
    if not where.places:
        return hits
    names = catalog.localities([hit.id for hit in hits])
    return tuple(
        replace(hit, matched=(Match("place", str(names[hit.id])), *hit.matched))
        if hit.id in names
        else hit
        for hit in hits
    )


def _hit(
    rank_: int, record: ImageRecord, ranking: Ranking, position: int, standing: Mentioned
) -> Hit:
    relevance = None if ranking.relevances is None else float(ranking.relevances[position])
    similarity = float(np.clip(ranking.similarities[position], -1, 1))
    stands = standing[record.id].matches if record.id in standing else ()
    matches = tuple(dict.fromkeys((*stands, *ranking.matches(position))))
    return hit_of(rank_, record, relevance, similarity, matches)
