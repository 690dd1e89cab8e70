"""Batch evaluation: asks a library many queries and measures where it ranks known photos."""

import csv
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import numpy as np

from pixquery.db.errors import BadData
from pixquery.db.records import Ids, ImageRecord
from pixquery.engine.library import Library
from pixquery.trainer.measuring.judgements import Judgement
from pixquery.trainer.measuring.metrics import GRADED, RETRIEVAL, Ranks, Values, interval
from pixquery.trainer.measuring.queries import TestQuery


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well a library answers a file of queries, prefilter alone beside re-ranked."""

    queries: int
    images: int
    profile: str
    first_stage: Mapping[str, float]
    reranked: Mapping[str, float]
    ci95: Mapping[str, Mapping[str, tuple[float, float]]]
    p50: float
    """Median time of one query, milliseconds."""
    p95: float
    unmatched: tuple[str, ...] = field(default=())
    """Relevant photos that are not in the library; their queries count as unanswered."""
    relevance: bool = True
    """Whether the profile predicts relevance; if not, re-ranking keeps the prefilter's order."""
    relevant: int = 0
    """How many of the relevant photos the library holds. With none, every measure is 0, and says
    nothing about the library."""


Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Graded:
    """How well the answers agree with graded judgements, query by query."""

    queries: tuple[TestQuery, ...]
    """The q queries that count: those for which a photo was judged relevant."""
    values: Mapping[str, Values]
    """Standard name of a measure -> float64[2, q]: prefilter, re-ranked."""
    unjudged: Ids
    """int64[2, q]: photos among the first ten that nobody judged; they count as not relevant."""
    judgements: int
    """How many judgements there are of the queries that count."""
    left_out: tuple[str, ...] = ()
    """Ids of queries for which no photo was judged relevant."""
    unknown: tuple[str, ...] = ()
    """Query ids in the judgements that are not among the queries."""
    unmatched: tuple[str, ...] = ()
    """Judged photos that are not in the library; the relevant ones count as not found."""
    relevant: int = 0
    """How many photos that were judged relevant the library holds."""

    def means(self, stage: int) -> dict[str, float]:
        """Each measure's mean over the queries; stage 0 is the prefilter, 1 is re-ranked."""
        return {name: float(values[stage].mean()) for name, values in self.values.items()}

    def ci95(self) -> dict[str, dict[str, tuple[float, float]]]:
        """Intervals of both stages and of what re-ranking gains, query by query."""
        each = np.arange(len(self.queries))
        intervals: dict[str, dict[str, tuple[float, float]]] = {
            "first_stage": {},
            "reranked": {},
            "gain": {},
        }
        for name, (first, reranked) in self.values.items():
            intervals["first_stage"][name] = interval(first, each)
            intervals["reranked"][name] = interval(reranked, each)
            intervals["gain"][name] = interval(reranked - first, each)
        return intervals


def evaluate(
    library: Library,
    queries: Sequence[TestQuery],
    candidates: int,
    progress: Progress = lambda done, total: None,
) -> tuple[Evaluation, tuple[Ranks, Ranks]]:
    """Asks every query and ranks its one relevant photo, before and after re-ranking.

    A photo beyond the candidates counts as not found, and so does one that is not in the library.

    Returns:
        The measures, and the ranks by prefilter and by re-ranking, float64[q] each.

    Raises:
        BadData: Several different photos have the name of a query's photo.
    """
    photos = _photos(library, {query.image for query in queries})
    return _known(library, queries, photos, _ask(library, queries, candidates, progress))


def evaluate_graded(
    library: Library,
    queries: Sequence[TestQuery],
    judgements: Sequence[Judgement],
    candidates: int,
    progress: Progress = lambda done, total: None,
) -> tuple[Evaluation, tuple[Ranks, Ranks], Graded]:
    """Like `evaluate`, and also measures answers by graded judgements; each query is asked once.

    A photo that nobody judged counts as not relevant. A query that finds nothing counts 0. A query
    for which no photo was judged relevant is left out: no answer to it is better than another.

    Raises:
        BadData: As in `evaluate`; or the judgements fit no query, or contradict each other.
    """
    names = {query.image for query in queries} | {each.image for each in judgements}
    photos = _photos(library, names)
    rows = _rows(queries)
    of_query: dict[str, list[Judgement]] = {}
    for each in judgements:
        of_query.setdefault(each.query_id, []).append(each)
    unknown = sorted(of_query.keys() - rows.keys())
    if len(unknown) == len(of_query):
        raise BadData(
            f"none of the {len(of_query):,} judged query ids (for example {judgements[0].query_id})"
            f" is among those of the {len(rows):,} queries (for example {queries[0].id}): use the "
            "same ids"
        )
    counted = {
        id_: _grades(id_, of_query[id_], photos)
        for id_ in rows
        if any(each.relevance > 0 for each in of_query.get(id_, ()))
    }
    if not counted:
        raise BadData("no photo is judged relevant (above 0) for any of the queries")
    relevant = {
        id_ for grades in counted.values() for id_, (_, grade) in grades.items() if grade > 0
    }
    answers = _ask(library, queries, candidates, progress)
    values = {name: np.empty((2, len(counted))) for name in GRADED}
    unjudged = np.empty((2, len(counted)), np.int64)
    for column, (id_, grades) in enumerate(counted.items()):
        judged = np.array([each.relevance for each in of_query[id_]], np.float64)
        for stage, ordered in enumerate(answers.ordered[rows[id_]]):
            ranked = _relevances(ordered, grades)
            unjudged[stage, column] = sum(int(id_) not in grades for id_ in ordered[:10])
            for name, measure in GRADED.items():
                values[name][stage, column] = measure(ranked, judged)
    graded = Graded(
        queries=tuple(queries[rows[id_]] for id_ in counted),
        values=values,
        unjudged=unjudged,
        judgements=sum(len(of_query[id_]) for id_ in counted),
        left_out=tuple(id_ for id_ in rows if id_ not in counted),
        unknown=tuple(unknown),
        unmatched=tuple(sorted({each.image for each in judgements if not photos[each.image]})),
        relevant=len(relevant),
    )
    return *_known(library, queries, photos, answers), graded


@dataclass(frozen=True, slots=True)
class _Answers:
    """A library's answers to q queries."""

    ordered: list[tuple[Ids, Ids]]
    """The candidates' ids of each query, best first: prefilter, re-ranked."""
    milliseconds: Values
    """float64[q]"""


def _ask(
    library: Library, queries: Sequence[TestQuery], candidates: int, progress: Progress
) -> _Answers:
    ordered = []
    spent = np.empty(len(queries))
    for row, query in enumerate(queries):
        ranking = library.rank(query.text, candidates=candidates)
        spent[row] = ranking.milliseconds.total
        first, reranked = (ranking.ids[ranking.order(rerank=rerank)] for rerank in (False, True))
        ordered.append((first, reranked))
        if row % 50 == 49 or row + 1 == len(queries):
            progress(row + 1, len(queries))
    return _Answers(ordered, spent)


def _known(
    library: Library,
    queries: Sequence[TestQuery],
    photos: Mapping[str, frozenset[int]],
    answers: _Answers,
) -> tuple[Evaluation, tuple[Ranks, Ranks]]:
    """The measures of queries with one relevant photo each."""
    ranks = np.array(
        [
            [_rank(ordered, photos[query.image]) for ordered in both]
            for query, both in zip(queries, answers.ordered, strict=True)
        ]
    ).T
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
    p50, p95 = np.quantile(answers.milliseconds, (0.5, 0.95))
    result = Evaluation(
        queries=len(queries),
        images=images,
        profile=library.profile.name,
        first_stage=stages["first_stage"],
        reranked=stages["reranked"],
        ci95=ci95,
        p50=float(p50),
        p95=float(p95),
        unmatched=tuple(sorted({query.image for query in queries if not photos[query.image]})),
        relevance=library.profile.predicts_relevance,
        relevant=len({query.image for query in queries if photos[query.image]}),
    )
    return result, (ranks[0], ranks[1])


def write_ranks(file: Path, queries: Sequence[TestQuery], ranks: tuple[Ranks, Ranks]) -> None:
    """Writes the rank of every query's photo as CSV; the cell is empty if it was not found."""
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["query_id", "query_text", "image", "prefilter_rank", "reranked_rank"])
        for query, first, second in zip(queries, *ranks, strict=True):
            cells = ["" if math.isinf(rank) else int(rank) for rank in (first, second)]
            writer.writerow([query.id, query.text, query.image, *cells])


def write_measures(file: Path, graded: Graded) -> None:
    """Writes every graded measure of every query that counts as CSV."""
    stages = ("prefilter", "reranked")
    columns = {
        f"{stage}_{name}": values[row]
        for name, values in {**graded.values, "unjudged@10": graded.unjudged}.items()
        for row, stage in enumerate(stages)
    }
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["query_id", "query_text", *columns])
        for column, query in enumerate(graded.queries):
            cells = [f"{values[column]:.6g}" for values in columns.values()]
            writer.writerow([query.id, query.text, *cells])


def _rank(ordered: Ids, relevant: frozenset[int]) -> float:
    places = np.flatnonzero(np.isin(ordered, list(relevant)))
    return float(places[0] + 1) if len(places) else math.inf


def _rows(queries: Sequence[TestQuery]) -> dict[str, int]:
    """The first row of each query id: with graded judgements, a query has many photos."""
    rows: dict[str, int] = {}
    for row, query in enumerate(queries):
        first = queries[rows.setdefault(query.id, row)]
        if first.text != query.text:
            raise BadData(
                f"the query id {query.id} has two texts, {first.text!r} and "
                f"{query.text!r}: give each text an id of its own"
            )
    return rows


def _grades(
    query_id: str, judgements: Sequence[Judgement], photos: Mapping[str, frozenset[int]]
) -> dict[int, tuple[str, float]]:
    """Id of a judged photo, or of a copy of it -> its name and relevance."""
    grades: dict[int, tuple[str, float]] = {}
    for each in judgements:
        for id_ in photos[each.image]:
            if id_ in grades:
                raise BadData(
                    f"{grades[id_][0]} and {each.image} are the same photo, judged twice for the "
                    f"query {query_id}: keep one of the judgements"
                )
            grades[id_] = each.image, each.relevance
    return grades


def _relevances(ordered: Ids, grades: Mapping[int, tuple[str, float]]) -> Values:
    """float64[c]: the relevance of an answer's photos; further copies of a photo gain nothing."""
    relevances = np.zeros(len(ordered))
    seen: set[str] = set()
    for position, id_ in enumerate(ordered):
        name, relevance = grades.get(int(id_), ("", 0.0))
        if name and name not in seen:
            seen.add(name)
            relevances[position] = relevance
    return relevances


def _photos(library: Library, names: Collection[str]) -> dict[str, frozenset[int]]:
    """Name -> ids of the photo it means and of its copies; there may be none."""
    by_name: dict[str, list[ImageRecord]] = {}
    for record in library.catalog.everything():
        by_name.setdefault(record.path.name, []).append(record)
    ids: dict[str, frozenset[int]] = {}
    for name in sorted(names):
        parts = PurePath(name).parts
        matches = [
            record
            for record in by_name.get(PurePath(name).name, [])
            if record.path.parts[-len(parts) :] == parts
        ]
        if len({record.content for record in matches}) > 1:
            raise BadData(
                f"{name} names {len(matches)} different photos in the library, for example "
                f"{matches[0].path} and {matches[1].path}: write more of the path"
            )
        ids[name] = frozenset(record.id for record in matches)
    return ids
