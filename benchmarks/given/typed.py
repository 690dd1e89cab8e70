"""What people type, over one library of all given photos: everyday queries, nonsense, receipts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.given.concepts import FEW, Known, known
from benchmarks.given.encoded import Encoded
from benchmarks.given.examples import HERE, count, rows_of
from benchmarks.given.figures import mean, one
from benchmarks.given.finding import RECALLS, WORDINGS
from benchmarks.given.union import library_of
from benchmarks.setting import photos_in, quantiles
from pixquery import Library, Query, teach
from pixquery.engine.answers import Hit
from pixquery.engine.standing import FITS, standing
from pixquery.trainer.measuring.metrics import RETRIEVAL
from pixquery.trainer.measuring.queries import read_queries

NONSENSE = (
    "asdfgh qwerty", "qqqq", "?", "...", "xyzzy plugh", "12345 67890", "lorem ipsum dolor sit amet",
    "aaaaaaaaaaaaaaaa", "the of and to", "blarg fnord wibble",
)  # fmt: skip
SHOWN = 5
EVERY = 4
"""Of how many objects one is searched for in all wordings."""


def everyday(library: Library, concept: dict[str, Known] | None) -> dict[str, Any]:
    """The hundred queries of `typed.csv`: the best photo, how many fit, and missing concepts."""
    rows = rows_of(HERE / "typed.csv")
    each: dict[str, Any] = {}
    for row in rows:
        best, fitting = asked(library, row["query"])
        needed = row["concepts"].split(";")
        facts = {} if concept is None else {name: concept[name] for name in needed}
        missing = [name for name, where in facts.items() if not (where.photos or where.names)]
        rare = [
            name
            for name, where in facts.items()
            if where.photos + where.names > 0 and where.photos < FEW and not where.names
        ]
        each[row["query"]] = {
            "best": round(best[0].relevance or 0.0, 3) if best else None,
            "words": standing(best[0].relevance or 0.0).words if best else "",
            "fitting": fitting,
            "no_concept": missing,
            "rare": rare,
            "concepts": {name: where._asdict() for name, where in facts.items()},
            "photos": [f"{hit.path.parent.name}/{hit.path.name}" for hit in best],
        }
    without = [text for text, row in each.items() if row["no_concept"]]
    confident = [text for text in without if each[text]["fitting"]]
    return {
        "photos": len(library),
        "queries": len(each),
        "something fits": count(sum(row["fitting"] > 0 for row in each.values()), len(each)),
        "median of best relevance": {
            **one(float(np.median([row["best"] for row in each.values()])), len(each)),
            "unit": "",
        },
        **(
            {"concepts": "left out: captions_train.csv or imagenet-names is missing"}
            if concept is None
            else {
                "no concept": count(len(without), len(each)),
                "no concept, and yet something fits": count(len(confident), len(without)),
                "rare concept": count(sum(bool(row["rare"]) for row in each.values()), len(each)),
                "without concept": without,
            }
        ),
        "each": each,
    }


def asked(library: Library, text: str) -> tuple[Sequence[Hit], int]:
    """The first hits of a query, and how many photos fit it."""
    best = library.search(Query(text, k=SHOWN)).hits
    if not best or best[0].relevance is None:
        return best, 0
    fitting = library.search(Query(text, k=len(library), min_relevance=FITS)).hits
    return best, len(fitting)


def nonsense(library: Library) -> dict[str, Any]:
    """Texts that mean nothing: no photo should fit."""
    best = {text: library.search(Query(text, k=1)).hits[0].relevance or 0.0 for text in NONSENSE}
    return {
        "fitting": count(sum(value >= FITS for value in best.values()), len(best)),
        "best relevance": {**one(max(best.values()), len(best)), "unit": ""},
        "each": {text: round(value, 3) for text, value in best.items()},
    }


def receipts(library: Library, folder: Path) -> dict[str, Any]:
    """A concept that no caption and no class has, before and after it is taught.

    The examples do not count as answers.
    """
    examples = photos_in(folder)[:3]

    def precision() -> float:
        hits = library.search(Query("receipt", k=10 + len(examples))).hits
        answers = [hit for hit in hits if hit.path not in examples][:10]
        return sum(hit.path.parent == folder for hit in answers) / 10

    before = precision()
    teach(library, "receipt", examples)
    try:
        after = precision()
    finally:
        library.forget_concept("receipt")
    return {
        "P@10, not taught": one(before, 10),
        "P@10, taught from 3 photos": one(after, 10),
    }


def wordings(encoded: Encoded, folder: Path) -> dict[str, Any]:
    """Recall of some objects, each in several wordings, through all that a library makes of them.

    `finding.objects` compares the wordings as the encoders see them.
    """
    queries = read_queries(folder / "queries.csv")[::EVERY]
    results = {}
    with library_of(encoded, [photos_in(folder / "images")]) as library:
        for wording, write in WORDINGS.items():
            ranks = [
                next((hit.rank for hit in hits if hit.path.name == query.image), np.inf)
                for query in queries
                for hits in [library.search(Query(write(query.text), k=10)).hits]
            ]
            results[wording] = {
                measure: mean(RETRIEVAL[measure](np.array(ranks, np.float64)))
                for measure in RECALLS
            }
    return results


def concepts_known(captions: Path, names: Path) -> dict[str, Known]:
    """Where the concepts of the hundred queries occur."""
    concepts = [name for row in rows_of(HERE / "typed.csv") for name in row["concepts"].split(";")]
    return known(concepts, captions, names)


def costs(library: Library) -> dict[str, Any]:
    """Milliseconds of the parts of warm queries."""
    texts = [row["query"] for row in rows_of(HERE / "typed.csv")]
    for text in texts[:5]:
        library.search(text)
    spent = [library.search(text).milliseconds for text in texts]
    return {
        "photos": len(library),
        **{
            part: {
                "value": round(float(np.median([getattr(one_, part) for one_ in spent])), 2),
                "n": len(spent),
                "unit": "ms",
                **quantiles([getattr(one_, part) for one_ in spent], 2),
            }
            for part in ("encode", "prefilter", "rerank", "total")
        },
    }
