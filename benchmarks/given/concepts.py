"""Whether the data that a profile is made from has a concept at all."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from snowballstemmer import stemmer  # type: ignore[import-untyped]

LONGEST = 4
"""Words of the longest concept."""
FEW = 10
"""Photos that a concept needs not to be rare, if it is no name of ImageNet."""


class Known(NamedTuple):
    """Where a concept occurs."""

    photos: int
    """Of Flickr8k's training photos, those that a caption names it for."""
    names: int
    """Of ImageNet's classes and the groups above them."""


def stems(text: str) -> tuple[str, ...]:
    """The stems of the words of a text, so that a plural is found by its singular."""
    letters = "".join(c if c.isalnum() else " " for c in text.lower())
    return tuple(_stem(word) for word in letters.split())


@cache
def _stem(word: str) -> str:
    return str(stemmer("english").stemWord(word))


def known(concepts: Iterable[str], captions: Path, names: Path) -> dict[str, Known]:
    """Where each concept occurs.

    Args:
        concepts: Each one word or several; alternatives are separated by ``|``.
        captions: Flickr8k's ``captions_train.csv``.
        names: The folder ``imagenet-names``.
    """
    wanted: dict[tuple[str, ...], list[str]] = defaultdict(list)
    concepts = list(dict.fromkeys(concepts))
    for concept in concepts:
        for phrase in {stems(one) for one in concept.split("|")}:
            wanted[phrase].append(concept)
    photos: dict[str, set[str]] = defaultdict(set)
    for row in _rows(captions):
        for phrase in wanted.keys() & set(_phrases(stems(row["query_text"]))):
            for concept in wanted[phrase]:
                photos[concept].add(row["image"])
    named: Counter[str] = Counter()
    for file in ("classes.csv", "nodes.csv"):
        for row in _rows(names / file):
            phrases = {p for name in row["names"].split("; ") for p in _phrases(stems(name))}
            named.update({c for phrase in wanted.keys() & phrases for c in wanted[phrase]})
    return {concept: Known(len(photos[concept]), named[concept]) for concept in concepts}


def _phrases(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for length in range(1, LONGEST + 1):
        for start in range(len(words) - length + 1):
            yield words[start : start + length]


def _rows(file: Path) -> list[dict[str, Any]]:
    with file.open(newline="", encoding="utf-8") as content:
        return list(csv.DictReader(content))
