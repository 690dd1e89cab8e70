"""One query, one straight line: encode, align, prefilter, judge, look up.

Before it stands the stop-word policy: :meth:`engine.library.Library.search`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter

import numpy as np

from db.catalog import Catalog
from db.errors import BadQuery
from db.records import Answer, Floats, Hit, Ids, ImageRecord, Milliseconds
from engine.profile import Profile
from engine.vectors import VectorIndex

LONGEST_QUERY = 1000
"""In characters."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked, and how much of the answer is wanted."""

    text: str
    k: int = 10
    offset: int = 0
    """Hits to leave out at the top."""
    candidates: int = 200
    """How many the prefilter hands to the regressor; at least ``offset + k`` are."""
    min_relevance: float = 0.0
    """In [0, 1]; hits below are left out."""
    rerank: bool = True
    """Order by relevance; otherwise by similarity, the prefilter's order."""

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise BadQuery('the query is empty: describe a photo, for example "man on bicycle"')
        if len(self.text) > LONGEST_QUERY:
            raise BadQuery(
                f"the query has {len(self.text):,} characters and at most {LONGEST_QUERY:,} are "
                "taken: describe the photo in a sentence"
            )
        for name, least in (("k", 1), ("offset", 0), ("candidates", 1)):
            if getattr(self, name) < least:
                raise BadQuery(f"{name} must be at least {least}, not {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Ranking:
    """The candidates of one query in the prefilter's order, nearest first."""

    ids: Ids
    """int64[c]"""
    similarities: Floats
    """float32[c]"""
    relevances: Floats
    """float32[c]"""
    milliseconds: Milliseconds

    def order(self, *, rerank: bool) -> Ids:
        """int64[c]: positions in the order of an answer, equal relevances by similarity."""
        if rerank:
            return np.asarray(np.lexsort((-self.similarities, -self.relevances)), np.int64)
        return np.arange(len(self.ids), dtype=np.int64)


def rank(text: str, candidates: int, profile: Profile, index: VectorIndex) -> Ranking:
    """Finds the candidates for a text and judges them."""
    begin = perf_counter()
    query = profile.alignment.texts(profile.texts.encode([text]))
    encoded = perf_counter()
    near = index.search(query, candidates)
    ids = near.ids[0]
    filtered = perf_counter()
    relevances = (
        profile.relevance.score(query, index.vectors(ids)) if len(ids) else np.empty(0, np.float32)
    )
    judged = perf_counter()
    return Ranking(
        ids,
        near.similarities[0],
        relevances,
        Milliseconds(
            encode=1e3 * (encoded - begin),
            prefilter=1e3 * (filtered - encoded),
            rerank=1e3 * (judged - filtered),
            total=1e3 * (judged - begin),
        ),
    )


def search(query: Query, profile: Profile, index: VectorIndex, catalog: Catalog) -> Answer:
    """Answers a query."""
    begin = perf_counter()
    wanted = max(query.candidates, query.offset + query.k)
    ranking = rank(query.text, wanted, profile, index)
    order = [
        position
        for position in ranking.order(rerank=query.rerank)
        if ranking.relevances[position] >= query.min_relevance
    ]
    shown = order[query.offset : query.offset + query.k]
    records = catalog.records([int(ranking.ids[position]) for position in shown])
    hits = tuple(
        _hit(rank_, records[int(ranking.ids[position])], ranking, position)
        for rank_, position in enumerate(shown, query.offset + 1)
        if int(ranking.ids[position]) in records  # forgotten since the index was written
    )
    spent = ranking.milliseconds
    total = 1e3 * (perf_counter() - begin)
    return Answer(
        query=query.text,
        profile=profile.name,
        candidates=len(ranking.ids),
        hits=hits,
        milliseconds=Milliseconds(spent.encode, spent.prefilter, spent.rerank, total),
    )


def _hit(rank_: int, record: ImageRecord, ranking: Ranking, position: int) -> Hit:
    return Hit(
        rank=rank_,
        id=record.id,
        path=record.path,
        relevance=float(ranking.relevances[position]),
        similarity=float(np.clip(ranking.similarities[position], -1, 1)),
        width=record.width,
        height=record.height,
        modified=datetime.fromtimestamp(record.state.mtime_ns / 1e9, UTC),
    )
