"""The library of a first try: the example photos among photos of objects.

`examples.csv` describes every example plainly, written from the photo alone, and says which of the
names of `groups.csv` it shows; *unclear* is what a person could see either way, and counts neither
as right nor as false. A photo of an object shows a name if its class belongs to one of the name's
WordNet groups.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.given.encoded import Encoded
from benchmarks.given.figures import mean
from benchmarks.setting import EXAMPLES, photos_in
from pixquery.db.records import Floats
from pixquery.engine.standing import FITS

HERE = Path(__file__).parent
OBJECTS = 150
"""How many objects, the first by name, are in the library of a first try."""
LISTED = 10


class Group(NamedTuple):
    """An everyday name, and the WordNet ids of the classes that show it."""

    name: str
    shows: frozenset[str]
    unclear: frozenset[str]


def rows_of(file: Path) -> list[dict[str, str]]:
    """The rows of a table with a header."""
    with file.open(newline="", encoding="utf-8") as content:
        return list(csv.DictReader(content))


def names() -> list[str]:
    """The everyday names."""
    return [row["name"] for row in rows_of(HERE / "groups.csv")]


def groups(folder: Path) -> list[Group]:
    """The everyday names, with their groups resolved to classes.

    Args:
        folder: ``imagenet-names``.
    """
    class_of = {row["class"]: row["wordnet_id"] for row in rows_of(folder / "classes.csv")}
    below = {id_: {id_} for id_ in class_of.values()} | {
        row["wordnet_id"]: {class_of[number] for number in row["classes"].split()}
        for row in rows_of(folder / "nodes.csv")
    }

    def classes(ids: str) -> frozenset[str]:
        return frozenset(class_ for id_ in ids.split() for class_ in below[id_])

    return [
        Group(row["name"], classes(row["shows"]), classes(row["unclear"]))
        for row in rows_of(HERE / "groups.csv")
    ]


def truth(group: Group, photos: Sequence[Path]) -> list[bool | None]:
    """Whether each photo shows a name; none where that is unclear."""
    examples = {row["image"]: row for row in rows_of(HERE / "examples.csv")}
    results: list[bool | None] = []
    for photo in photos:
        if photo.parent == EXAMPLES:
            row = examples[photo.name]
            shows, unclear = (
                group.name in row[column].split(";") for column in ("shows", "unclear")
            )
        else:
            shows, unclear = photo.stem in group.shows, photo.stem in group.unclear
        results.append(True if shows else None if unclear else False)
    return results


def false_fits(encoded: Encoded, objects: Path, folder: Path) -> dict[str, Any]:
    """How many photos that do not show a name fit it; with the first 150 objects and with all."""
    everything = photos_in(objects / "images")
    known = groups(folder)
    few = _false_fits(encoded, known, [*photos_in(EXAMPLES), *everything[:OBJECTS]])
    many = _false_fits(encoded, known, [*photos_in(EXAMPLES), *everything])
    return {
        "a dog, examples + 150 objects": few[known[0].name],
        "20 other names, examples + 150 objects": _sum(list(few.values())[1:]),
        "21 names, examples + all objects": _sum(list(many.values())),
        "each": many,
    }


def _false_fits(
    encoded: Encoded, known: Sequence[Group], photos: Sequence[Path]
) -> dict[str, dict[str, Any]]:
    aligned = np.concatenate(
        [encoded.photos([p for p in photos if (p.parent == EXAMPLES) == own]) for own in (1, 0)]
    )
    results = {}
    for group, text in zip(known, encoded.texts([group.name for group in known]), strict=True):
        relevances = encoded.relevance(text, aligned)
        answers = truth(group, photos)
        order = np.argsort(-relevances, kind="stable")
        fitting = [int(row) for row in order if relevances[row] >= FITS]
        false = [row for row in fitting if answers[row] is False]
        results[group.name] = {
            "false": count(len(false), answers.count(False)),
            "fitting": len(fitting),
            "unclear": sum(answers[row] is None for row in fitting),
            "right": sum(answers[row] is True for row in fitting),
            "showing": answers.count(True),
            "best": photos[order[0]].name,
            "best_relevance": round(float(relevances[order[0]]), 3),
            "false_photos": [f"{photos[row].name} {relevances[row]:.2f}" for row in false[:LISTED]],
        }
    return results


def count(value: int, among: int) -> dict[str, Any]:
    """A number of photos among many, as a figure."""
    return {"value": value, "n": among, "unit": ""}


def _sum(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "false": count(
            sum(row["false"]["value"] for row in results), sum(row["false"]["n"] for row in results)
        ),
        "right": count(
            sum(row["right"] for row in results), sum(row["showing"] for row in results)
        ),
    }


def descriptions(encoded: Encoded, objects: Path, others: Sequence[Path]) -> dict[str, Any]:
    """The example photos by plain descriptions, among 150 objects and some others."""
    rows = rows_of(HERE / "examples.csv")
    examples, things = photos_in(EXAMPLES), photos_in(objects / "images")[:OBJECTS]
    sets = [part for part in (examples, things, list(others)) if part]
    aligned: Floats = np.concatenate([encoded.photos(part) for part in sets])
    place_of = {photo.name: row for row, photo in enumerate(examples)}
    each: dict[str, dict[str, Any]] = {}
    for row, text in zip(rows, encoded.texts([r["description"] for r in rows]), strict=True):
        _, order = encoded.order(text, aligned)
        own = place_of[row["image"]]
        relevance = float(encoded.relevance(text, aligned[[own]])[0])
        places = np.flatnonzero(order == own)
        each[row["description"]] = {
            "image": row["image"],
            "rank": int(places[0]) + 1 if len(places) else None,
            "relevance": round(relevance, 3),
        }
    return {
        "photos": len(aligned),
        "others": [str(photo) for photo in others],
        "first": count(sum(row["rank"] == 1 for row in each.values()), len(each)),
        "reach fits": count(sum(row["relevance"] >= FITS for row in each.values()), len(each)),
        "relevance": mean(np.array([row["relevance"] for row in each.values()])),
        "each": each,
    }
