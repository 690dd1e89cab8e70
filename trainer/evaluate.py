"""Batch evaluation: how a library ranks known photos, and how a profile judges given pairs."""

import csv
import math
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath

import numpy as np

from db.errors import BadData
from db.records import Evaluation, Ids, ImageRecord, Pair, Pixels, TestQuery
from engine.library import Library
from engine.profile import Profile
from trainer.metrics import RETRIEVAL, Ranks, interval

Progress = Callable[[int, int], object]


def evaluate(
    library: Library,
    queries: Sequence[TestQuery],
    candidates: int,
    progress: Progress = lambda done, total: None,
) -> tuple[Evaluation, tuple[Ranks, Ranks]]:
    """Asks every query and ranks its one relevant photo, before and after re-ranking.

    A photo beyond the candidates counts as not found, a query whose photo the library does not
    hold as well.

    Returns:
        The measures, and the ranks of prefilter and re-ranking, float64[q] each.

    Raises:
        BadData: A query's photo is ambiguous: several different ones have that name.
    """
    relevant, unmatched = _match(library, queries)
    ranks = np.full((2, len(queries)), np.inf)
    spent = np.empty(len(queries))
    for row, query in enumerate(queries):
        ranking = library.rank(query.text, candidates=candidates)
        spent[row] = ranking.milliseconds.total
        for stage, rerank in enumerate((False, True)):
            ordered = ranking.ids[ranking.order(rerank=rerank)]
            ranks[stage, row] = _rank(ordered, relevant[row])
        if row % 50 == 49 or row + 1 == len(queries):
            progress(row + 1, len(queries))
    _, groups = np.unique([query.image for query in queries], return_inverse=True)
    images = len(library)
    stages = {
        name: {
            **{m: float(per_query(r).mean()) for m, per_query in RETRIEVAL.items()},
            "median_rank": float(np.median(np.minimum(r, images + 1))),
        }
        for name, r in zip(("first_stage", "reranked"), ranks, strict=True)
    }
    ci95 = {
        name: {m: interval(per_query(r), groups) for m, per_query in RETRIEVAL.items()}
        for name, r in zip(("first_stage", "reranked"), ranks, strict=True)
    }
    p50, p95 = np.quantile(spent, (0.5, 0.95))
    result = Evaluation(
        queries=len(queries),
        images=images,
        profile=library.profile.name,
        first_stage=stages["first_stage"],
        reranked=stages["reranked"],
        ci95=ci95,
        p50=float(p50),
        p95=float(p95),
        unmatched=unmatched,
    )
    return result, (ranks[0], ranks[1])


def write_ranks(file: Path, queries: Sequence[TestQuery], ranks: tuple[Ranks, Ranks]) -> None:
    """Writes the rank of every query's photo as CSV; empty where it was not found."""
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["query_id", "query_text", "image", "prefilter_rank", "reranked_rank"])
        for query, first, second in zip(queries, *ranks, strict=True):
            cells = ["" if math.isinf(rank) else int(rank) for rank in (first, second)]
            writer.writerow([query.id, query.text, query.image, *cells])


def score(
    pairs: Sequence[Pair],
    profile: Profile,
    load: Callable[[Path], Pixels],
    progress: Progress = lambda done, total: None,
) -> list[tuple[Pair, float, float]]:
    """Similarity and relevance of given pairs.

    Args:
        pairs: What to judge.
        profile: Whose models to use.
        load: Reads a photo as uint8[size, size, 3].
        progress: Called with the number of photos done and the number to do.

    Returns:
        Each pair with its similarity in [-1, 1] and its relevance in [0, 1].

    Raises:
        UnreadableImage: A photo cannot be used.
    """
    files = sorted({pair.image for pair in pairs})
    texts = sorted({pair.text for pair in pairs})
    encoded = []
    for start in range(0, len(files), 32):
        pixels = np.stack([load(file) for file in files[start : start + 32]])
        encoded.append(profile.images.encode(pixels))
        progress(min(start + 32, len(files)), len(files))
    aligned = profile.alignment.images(np.concatenate(encoded))
    asked = profile.alignment.texts(profile.texts.encode(texts))
    photo_of = {file: row for row, file in enumerate(files)}
    text_of = {text: row for row, text in enumerate(texts)}
    photos = aligned[[photo_of[pair.image] for pair in pairs]]
    queries = asked[[text_of[pair.text] for pair in pairs]]
    similarities = np.einsum("na,na->n", queries, photos)
    relevances = profile.relevance.score(queries, photos)
    return [
        (pair, float(similarity), float(relevance))
        for pair, similarity, relevance in zip(pairs, similarities, relevances, strict=True)
    ]


def _rank(ordered: Ids, relevant: frozenset[int]) -> float:
    places = np.flatnonzero(np.isin(ordered, list(relevant)))
    return float(places[0] + 1) if len(places) else math.inf


def _match(
    library: Library, queries: Sequence[TestQuery]
) -> tuple[list[frozenset[int]], tuple[str, ...]]:
    """The ids of each query's photo (copies of one photo are one), and the names without any."""
    by_name: dict[str, list[ImageRecord]] = {}
    for record in library.catalog.everything():
        by_name.setdefault(record.path.name, []).append(record)
    found: dict[str, frozenset[int]] = {}
    for name in {query.image for query in queries}:
        parts = PurePath(name).parts
        matches = [
            record
            for record in by_name.get(parts[-1], [])
            if record.path.parts[-len(parts) :] == parts
        ]
        if len({record.content for record in matches}) > 1:
            raise BadData(
                f"{name} names {len(matches)} different photos of the library, for example "
                f"{matches[0].path} and {matches[1].path}: write more of the path"
            )
        found[name] = frozenset(record.id for record in matches)
    unmatched = sorted(name for name, ids in found.items() if not ids)
    return [found[query.image] for query in queries], tuple(unmatched)
