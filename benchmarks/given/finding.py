"""How often the right photo is found: captions of scenes, and names of objects in four wordings."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.given.encoded import Encoded
from benchmarks.given.figures import mean
from benchmarks.setting import photos_in
from pixquery.db.records import Floats
from pixquery.trainer.measuring.metrics import RETRIEVAL, average_precision
from pixquery.trainer.measuring.queries import TestQuery, read_queries

RECALLS = ("recall@1", "recall@5", "recall@10")


def captions(encoded: Encoded, folder: Path, queries: Sequence[TestQuery]) -> dict[str, Any]:
    """Recall of each query's one photo among all photos of a folder."""
    photos = photos_in(folder)
    row_of = {photo.name: row for row, photo in enumerate(photos)}
    known = [query for query in queries if query.image in row_of]
    texts = encoded.texts([query.text for query in known])
    right = [row_of[query.image] for query in known]
    return {
        "photos": len(photos),
        "queries": len(known),
        **recalls(encoded, texts, encoded.photos(photos), right),
    }


def recalls(
    encoded: Encoded, texts: Floats, photos: Floats, right: Sequence[int]
) -> dict[str, Any]:
    """Recall by similarity alone, and re-ranked."""
    ranks = np.full((2, len(texts)), np.inf)
    for query, (text, row) in enumerate(zip(texts, right, strict=True)):
        for stage, order in enumerate(encoded.order(text, photos)):
            place = np.flatnonzero(order == row)
            if len(place):
                ranks[stage, query] = place[0] + 1
    return {
        name: {measure: mean(RETRIEVAL[measure](ranks[stage]), right) for measure in RECALLS}
        for stage, name in enumerate(("prefilter", "reranked"))
    }


_PLURALS = {
    "mouse": "mice", "goose": "geese", "knife": "knives", "wolf": "wolves", "leaf": "leaves",
    "fish": "fish", "sheep": "sheep", "bison": "bison", "ox": "oxen", "loaf": "loaves",
    "shelf": "shelves", "man": "men", "woman": "women", "child": "children", "foot": "feet",
    "tooth": "teeth", "salmon": "salmon", "scarf": "scarves",
}  # fmt: skip
_ENDS = ("fish", "knife", "shelf")
"""Of these, what also ends longer words, such as "goldfish"."""


def plural(name: str) -> str:
    """The plural of an English name, by the rules for regular nouns and some others."""
    *before, last = name.split(" ")
    end = next(
        (end for end in _PLURALS if last == end or (end in _ENDS and last.endswith(end))), ""
    )
    if end:
        last = last.removesuffix(end) + _PLURALS[end]
    elif last.endswith(("s", "x", "z", "ch", "sh")):
        last += "" if last.endswith("s") and not last.endswith("ss") else "es"
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        last = last[:-1] + "ies"
    else:
        last += "s"
    return " ".join([*before, last])


def _a(name: str) -> str:
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"


WORDINGS: dict[str, Callable[[str], str]] = {
    "name": lambda name: name,
    "a photo of a ...": lambda name: f"a photo of {_a(name)}",
    "plural": plural,
    "my pictures with a ... in it": lambda name: f"my pictures with {_a(name)} in it",
}


def objects(encoded: Encoded, folder: Path) -> dict[str, Any]:
    """Recall of objects by their names, in several wordings."""
    queries = read_queries(folder / "queries.csv")
    return {
        wording: captions(
            encoded,
            folder / "images",
            [TestQuery(query.id, write(query.text), query.image) for query in queries],
        )
        for wording, write in WORDINGS.items()
    }


def coco(encoded: Encoded, folder: Path) -> dict[str, Any]:
    """COCO's photos by their captions, and by the categories that cover over 1 % of them."""
    images = folder / "images"
    by_caption = captions(encoded, images, read_queries(folder / "captions.csv"))
    photos = photos_in(images)
    row_of = {photo.name: row for row, photo in enumerate(photos)}
    relevant: dict[str, np.ndarray[Any, Any]] = {}
    with (folder / "categories.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if float(row["relevance"]) > 0 and row["image"] in row_of:
                grades = relevant.setdefault(row["query_id"], np.zeros(len(photos)))
                grades[row_of[row["image"]]] = 1
    aligned = encoded.photos(photos)
    found = [
        [average_precision(grades[order], grades) for order in encoded.order(text, aligned)]
        for text, grades in zip(encoded.texts(list(relevant)), relevant.values(), strict=True)
    ]
    by_stage = np.array(found).T
    return {
        "captions": by_caption,
        "categories": {"prefilter": mean(by_stage[0]), "reranked": mean(by_stage[1])},
    }
