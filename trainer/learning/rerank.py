"""Does ordering by relevance find more than ordering by similarity? Asked before it is deployed."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pixquery.db.records import Floats, Ids
from pixquery.engine.relevance import Relevance
from pixquery.trainer.learning.ratings import Judged, aggregate
from pixquery.trainer.measuring.metrics import RETRIEVAL, Ranks, Values, interval, ndcg

MEASURES = ("recall@1", "recall@5", "recall@10", "ndcg@10")


def ranks_of(
    texts: Floats,
    photos: Floats,
    photo_of: Ids,
    relevance: Relevance | None,
    *,
    candidates: int = 200,
) -> Ranks:
    """The rank of each text's own photo among all.

    Args:
        texts: float32[q, a], aligned.
        photos: float32[n, a], aligned.
        photo_of: int64[q]
        relevance: Orders the nearest ``candidates``; none means that similarity does.
        candidates: As many as a query takes.

    Returns:
        float64[q], from 1; infinite where the photo is none of the candidates.
    """
    found = np.full(len(texts), np.inf)
    for row, text in enumerate(texts):
        similarities = photos @ text
        near = np.argsort(-similarities, kind="stable")[:candidates]
        if relevance is not None:
            judged = relevance.score(text[None], photos[near])
            near = near[np.lexsort((-similarities[near], -judged))]
        place = np.flatnonzero(near == photo_of[row])
        if len(place):
            found[row] = place[0] + 1
    return found


def compared(first: Ranks, second: Ranks, photo_of: Ids) -> dict[str, Any]:
    """Two orders of the same queries: their measures, and intervals of the gain.

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
    """nDCG@10 of ordering the photos that experts judged for a text, for texts with several.

    Args:
        judged: n pairs.
        by: What to order by, float64[n] each, such as held-out predictions.
    """
    known = np.flatnonzero(judged.expert)
    gains = aggregate(judged.grades[known], "mean")
    rows_of: dict[str, list[int]] = {}
    for place, row in enumerate(known):
        rows_of.setdefault(judged.texts[row], []).append(place)
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
