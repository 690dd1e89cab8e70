"""Does ordering by relevance find more than ordering by similarity? Asked before deployment."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pixquery.db.records import Floats, Ids
from pixquery.engine.alignment import Alignment
from pixquery.engine.features import Vectors
from pixquery.engine.relevance import Relevance
from pixquery.trainer.learning.aggregation import aggregate
from pixquery.trainer.learning.judged import Judged
from pixquery.trainer.measuring.metrics import RETRIEVAL, Ranks, Values, interval, ndcg

CANDIDATES = 200
"""As many as a query has."""


@dataclass(frozen=True, slots=True)
class Order:
    """The candidates for one text, best first."""

    photos: Ids
    """int64[c], their rows."""
    similarities: Floats
    """float32[c]"""
    relevances: Floats | None
    """float32[c]; None if similarity orders them."""

    @property
    def values(self) -> Floats:
        """float32[c]: what they are ordered by, falling."""
        return self.similarities if self.relevances is None else self.relevances

    def rank(self, photo: int) -> float:
        """From 1; infinite if the photo is not among the candidates."""
        position = np.flatnonzero(self.photos == photo)
        return float(position[0] + 1) if len(position) else np.inf


@dataclass(frozen=True, slots=True)
class Search:
    """Queries with one relevant photo each, to compare orders of the photos."""

    queries: list[str]
    photo_of: Ids
    raw: Floats
    """float32[n, d], the photos."""
    images: list[str]
    """The n photos' names."""

    def only(self, rows: Ids | list[int]) -> "Search":
        """Some of the queries, among all photos."""
        queries = [self.queries[row] for row in rows]
        return Search(queries, self.photo_of[rows], self.raw, self.images)

    def orders(
        self,
        alignment: Alignment,
        queries: Floats,
        relevance: Relevance | None,
        *,
        candidates: int = CANDIDATES,
    ) -> list[Order]:
        """The order of the photos for each of the queries.

        Args:
            alignment: Of texts and photos.
            queries: float32[q, e], the queries' raw vectors.
            relevance: Orders the candidates; None means that similarity does.
            candidates: How many photos to order for a query.
        """
        photos = Vectors(alignment.images(self.raw), lambda: self.raw)
        texts = Vectors(alignment.texts(queries), lambda: queries)
        return list(orders_of(texts, photos, relevance, candidates=candidates))

    def ranks(
        self,
        alignment: Alignment,
        queries: Floats,
        relevance: Relevance | None,
        *,
        candidates: int = CANDIDATES,
    ) -> Ranks:
        """The rank float64[q] of each query's photo; arguments as for `orders`."""
        return self.ranks_in(self.orders(alignment, queries, relevance, candidates=candidates))

    def ranks_in(self, orders: Sequence[Order]) -> Ranks:
        """The rank float64[q] of each query's photo in its order."""
        pairs = zip(orders, self.photo_of, strict=True)
        return np.array([order.rank(photo) for order, photo in pairs], np.float64)


MEASURES = ("recall@1", "recall@5", "recall@10", "ndcg@10")


def orders_of(
    texts: Vectors, photos: Vectors, relevance: Relevance | None, *, candidates: int = CANDIDATES
) -> Iterator[Order]:
    """Yields the order of the photos for each text, as a query orders them.

    Args:
        texts: Of q texts.
        photos: Of n photos.
        relevance: Orders the nearest ``candidates``, ties by similarity; None means that similarity
            does.
        candidates: How many photos to order.
    """
    for row in range(len(texts.aligned)):
        similarities = photos.aligned @ texts.aligned[row]
        near = np.argsort(-similarities, kind="stable")[:candidates]
        if relevance is None:
            yield Order(near, similarities[near], None)
            continue
        relevances = relevance.score(texts.rows([row]), photos.rows(near))
        best = np.lexsort((-similarities[near], -relevances))
        yield Order(near[best], similarities[near[best]], relevances[best])


def compared(first: Ranks, second: Ranks, photo_of: Ids) -> dict[str, Any]:
    """The measures of two orders of the same queries, and intervals of the gain.

    Args:
        first: float64[q], ranks by similarity.
        second: float64[q], ranks by relevance.
        photo_of: int64[q]: the queries of one photo succeed or fail together.
    """
    _, groups = np.unique(photo_of, return_inverse=True)
    gains = {name: RETRIEVAL[name](second) - RETRIEVAL[name](first) for name in MEASURES}
    return {
        "queries": len(first),
        "first_stage": means(first),
        "reranked": means(second),
        "gain_ci95": {
            name: [round(end, 4) for end in interval(gain, groups)] for name, gain in gains.items()
        },
    }


def means(ranks: Ranks) -> dict[str, float]:
    """The mean of each measure."""
    return {name: round(float(RETRIEVAL[name](ranks).mean()), 4) for name in MEASURES}


def rated_queries(judged: Judged, by: Mapping[str, Values]) -> dict[str, dict[str, float]]:
    """nDCG@10 of orders of the photos that experts judged for a text, over texts with several.

    Args:
        judged: n pairs.
        by: Name -> float64[n] to order by, such as held-out predictions.
    """
    known = np.flatnonzero(judged.expert)
    gains = aggregate(judged.grades[known], "mean")
    rows_of: dict[str, list[int]] = {}
    for position, row in enumerate(known):
        rows_of.setdefault(judged.texts[row], []).append(position)
    queries = [rows for rows in rows_of.values() if len(rows) > 1 and gains[rows].max() > 0]
    return {
        name: {
            "ndcg@10": round(
                float(
                    np.mean(
                        [
                            ndcg(gains[rows][np.argsort(-values[known[rows]])], gains[rows], 10)
                            for rows in queries
                        ]
                    )
                ),
                4,
            )
        }
        for name, values in by.items()
        if queries
    }
