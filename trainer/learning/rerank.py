"""Does ordering by relevance find more than ordering by similarity? Asked before deployment."""

from collections.abc import Mapping
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


@dataclass(frozen=True, slots=True)
class Search:
    """Queries with one relevant photo each, to compare orders of the photos."""

    queries: list[str]
    photo_of: Ids
    raw: Floats
    """float32[n, d], the photos."""

    def ranks(self, alignment: Alignment, queries: Floats, relevance: Relevance | None) -> Values:
        """The rank float64[q] of each query's photo.

        Args:
            alignment: Of texts and photos.
            queries: float32[q, e], the queries' raw vectors.
            relevance: Orders the candidates; None means that similarity does.
        """
        photos = Vectors(alignment.images(self.raw), lambda: self.raw)
        texts = Vectors(alignment.texts(queries), lambda: queries)
        return ranks_of(texts, photos, self.photo_of, relevance)


MEASURES = ("recall@1", "recall@5", "recall@10", "ndcg@10")


def ranks_of(
    texts: Vectors,
    photos: Vectors,
    photo_of: Ids,
    relevance: Relevance | None,
    *,
    candidates: int = 200,
) -> Ranks:
    """The rank of each text's own photo among all.

    Args:
        texts: Of q texts.
        photos: Of n photos.
        photo_of: int64[q]
        relevance: Orders the nearest ``candidates``; None means that similarity does.
        candidates: As many as a query has.

    Returns:
        float64[q], from 1; infinite if the photo is not among the candidates.
    """
    ranks = np.full(len(texts.aligned), np.inf)
    for row in range(len(ranks)):
        similarities = photos.aligned @ texts.aligned[row]
        near = np.argsort(-similarities, kind="stable")[:candidates]
        if relevance is not None:
            relevances = relevance.score(texts.rows([row]), photos.rows(near))
            near = near[np.lexsort((-similarities[near], -relevances))]
        position = np.flatnonzero(near == photo_of[row])
        if len(position):
            ranks[row] = position[0] + 1
    return ranks


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
