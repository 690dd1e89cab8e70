"""Whether relevance means one thing, whatever is asked: every photo judged for every name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.given.encoded import Encoded
from benchmarks.given.figures import mean, one
from benchmarks.setting import photos_in
from pixquery.engine.standing import STANDINGS
from pixquery.trainer.measuring.judgements import read_judgements
from pixquery.trainer.measuring.metrics import average_precision
from pixquery.trainer.measuring.queries import read_queries
from pixquery.trainer.measuring.thresholds import average_precision_by_value, shown_from

HALF = 0.5
Judged = NDArray[np.bool_]
"""bool[q, n]: whether a photo shows what a query names."""


def things(encoded: Encoded, folder: Path) -> dict[str, Any]:
    """The everyday names of things200, several photos each."""
    queries = {query.id: query.text for query in read_queries(folder / "queries.csv")}
    photos = photos_in(folder / "images")
    row_of = {photo.name: row for row, photo in enumerate(photos)}
    judged = np.zeros((len(queries), len(photos)), np.bool_)
    numbers = {query: number for number, query in enumerate(queries)}
    for judgement in read_judgements(folder / "judgements.csv"):
        if judgement.image in row_of and judgement.query_id in numbers:
            judged[numbers[judgement.query_id], row_of[judgement.image]] = judgement.relevance > 0
    return by_relevance(encoded, list(queries.values()), photos, judged)


def objects(encoded: Encoded, folder: Path) -> dict[str, Any]:
    """The names of objects, one photo each; near-synonymous classes count as wrong."""
    queries = read_queries(folder / "queries.csv")
    photos = photos_in(folder / "images")
    row_of = {photo.name: row for row, photo in enumerate(photos)}
    known = [query for query in queries if query.image in row_of]
    judged = np.zeros((len(known), len(photos)), np.bool_)
    judged[np.arange(len(known)), [row_of[query.image] for query in known]] = True
    return by_relevance(encoded, [query.text for query in known], photos, judged)


def by_relevance(
    encoded: Encoded, names: Sequence[str], photos: Sequence[Path], judged: Judged
) -> dict[str, Any]:
    """Average precision a query and pooled, and what thresholds show."""
    texts, aligned = encoded.texts(names), encoded.photos(photos)
    similarities = texts @ aligned.T
    relevances = np.asarray(encoded.relevances(texts, aligned), np.float64)
    rows = range(len(names))
    a_query = np.array([average_precision_by_value(relevances[row], judged[row]) for row in rows])
    pooled = average_precision_by_value(relevances.ravel(), judged.ravel())
    orders = [_orders(encoded, text, aligned) for text in texts]
    first, reranked = (
        np.array([_precision(judged[row], orders[row][stage]) for row in rows])
        for stage in range(2)
    )
    words = {row.words: row.least for row in STANDINGS if row.least > 0}
    return {
        "queries": len(names),
        "photos": len(photos),
        "mAP": {
            "prefilter": mean(first),
            "reranked": mean(reranked),
            "by relevance, all photos": mean(a_query),
        },
        "pooled AP": {
            "by relevance": one(pooled, relevances.size),
            "by similarity": one(
                average_precision_by_value(similarities.ravel().astype(float), judged.ravel()),
                relevances.size,
            ),
            "share of mAP": one(pooled / a_query.mean(), relevances.size),
        },
        "at 0.5": thresholds(HALF, relevances, judged),
        **{f"at {word!r}": thresholds(least, relevances, judged) for word, least in words.items()},
    }


def thresholds(least: float, relevances: NDArray[np.float64], judged: Judged) -> dict[str, Any]:
    """What a threshold shows of all pairs, with intervals over queries."""
    shown = shown_from(least, relevances.ravel(), judged.ravel())
    reaches = relevances >= least
    draws = np.random.default_rng(0).integers(len(judged), size=(1000, len(judged)))
    counts = [a.sum(1)[draws].sum(1) for a in (reaches & judged, reaches, judged)]
    right, found = counts[0] / np.maximum(counts[1], 1), counts[0] / np.maximum(counts[2], 1)
    return {
        "least": least,
        "shown": shown.shown,
        "right": {**one(shown.right, shown.shown), "ci95": _ends(right)},
        "found": {**one(shown.found, int(judged.sum())), "ci95": _ends(found)},
    }


def _ends(values: NDArray[np.float64]) -> list[float]:
    return [round(float(end), 4) for end in np.quantile(values, (0.025, 0.975))]


def _orders(
    encoded: Encoded, text: NDArray[np.float32], photos: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All photos by similarity; and the same with the candidates in front, re-ranked."""
    near, reranked = encoded.order(text, photos)
    everything = np.argsort(-(photos @ text), kind="stable")
    rest = everything[len(near) :]
    return everything, np.concatenate([reranked, rest])


def _precision(judged: NDArray[np.bool_], order: NDArray[np.int64]) -> float:
    grades = judged.astype(np.float64)
    return average_precision(grades[order], grades)
