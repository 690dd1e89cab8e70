"""Does `--minus` keep unwanted photos away, and at what cost?

Pairs of everyday words are searched among photos whose captions say what they show. Of the first
ten hits, how many show the one and not the other, and how many show the unwanted one? For several
weights, and for two other ways of weighing.
"""

import argparse
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.setting import FLICKR8K, machine, print_json, say, versions
from pixquery import Library
from pixquery.db.records import Floats, Ids
from pixquery.indexer.build import index
from pixquery.trainer.learning.captions import read_captions
from pixquery.trainer.measuring.metrics import Values

WORDS = [
    "dog", "snow", "grass", "water", "beach", "ball", "bike", "street", "crowd", "mountain", "rock",
    "red", "car", "woman", "man", "horse", "bicycle", "running", "jumping", "swimming", "pool",
    "skateboard", "soccer", "building", "field", "sand", "trees",
]  # fmt: skip
FIRST = 10
WEIGHTS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0)


class Measured(NamedTuple):
    """The words, the photos, and how they are related."""

    photos: Floats
    """float32[n, a], aligned."""
    texts: Floats
    """float32[w, a]"""
    cosines: Floats
    """float32[n, w]"""
    usual: Floats
    """float32[w]: mean of the cosines with all photos."""
    spread: Floats
    """float32[w]: their standard deviation."""
    mentions: Ids
    """int64[n, w]: how many captions of a photo contain the word."""


def main() -> None:
    """Queries with and without the unwanted words, and prints the shares."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=FLICKR8K, metavar="DIR")
    data = parser.parse_args().data
    with tempfile.TemporaryDirectory(prefix="pixquery-minus-") as folder:
        measured = _measured(Path(folder), data)
    pairs = [
        (one, other)
        for one, other in permutations(range(len(WORDS)), 2)
        if ((measured.mentions[:, one] >= 2) & (measured.mentions[:, other] >= 2)).sum() >= 8
        and ((measured.mentions[:, one] >= 2) & (measured.mentions[:, other] == 0)).sum() >= 15
    ]
    ways: dict[str, Callable[[int, int, float], Values]] = {
        "as shipped": lambda one, other, w: (
            measured.cosines[:, one] / measured.spread[one]
            - w * measured.cosines[:, other] / measured.spread[other]
        ),
        "only above the usual": lambda one, other, w: (
            _unusual(measured, one) - w * np.maximum(0, _unusual(measured, other))
        ),
        "at right angles": lambda one, other, w: (
            measured.cosines[:, one] - w * (measured.photos @ _across(measured, one, other))
        ),
    }
    print_json(
        {
            "question": "does --minus keep away what is not wanted?",
            "machine": machine(),
            "versions": versions("numpy"),
            "photos": len(measured.photos),
            "pairs of words": len(pairs),
            "first": FIRST,
            "the word alone": _shares(measured, pairs, ways["as shipped"], 0.0),
            **{
                name: {str(w): _shares(measured, pairs, way, w) for w in WEIGHTS}
                for name, way in ways.items()
            },
        }
    )


def _measured(folder: Path, data: Path) -> Measured:
    with Library.open(folder, create=True) as library:
        say("indexing the development photos")
        index(library, [data / "images" / "dev"])
        vectors, profile = library.index, library.profile
        ids = vectors.ids()
        records = library.catalog.records(ids.tolist())
        photos = vectors.vectors(ids)
        texts = profile.alignment.texts(profile.texts.encode(list(WORDS)))
        assert profile.relevance is not None
        known = profile.relevance.landmarks.photos
        row_of = {records[int(number)].path.name: row for row, number in enumerate(ids)}
        mentions = np.zeros((len(ids), len(WORDS)), np.int64)
        for caption in read_captions(data / "captions_dev.csv"):
            words = set(re.findall("[a-z]+", caption.text.lower()))
            if caption.image in row_of:
                mentions[row_of[caption.image]] += [word in words for word in WORDS]
        return Measured(
            photos,
            texts,
            photos @ texts.T,
            (known @ texts.T).mean(0),
            profile.relevance.spread(texts),
            mentions,
        )


def _unusual(measured: Measured, word: int) -> Values:
    return np.asarray((measured.cosines[:, word] - measured.usual[word]) / measured.spread[word])


def _across(measured: Measured, one: int, other: int) -> Floats:
    """The part of the other text that is orthogonal to the one, a unit vector float32[a]."""
    rest = (
        measured.texts[other] - (measured.texts[other] @ measured.texts[one]) * measured.texts[one]
    )
    return np.asarray(rest / np.linalg.norm(rest), np.float32)


def _shares(
    measured: Measured,
    pairs: list[tuple[int, int]],
    way: Callable[[int, int, float], Values],
    w: float,
) -> dict[str, float]:
    return shares(measured.mentions, pairs, (way(one, other, w) for one, other in pairs))


def shares(
    mentions: Ids | Values, pairs: Sequence[tuple[int, int]], scores: Iterable[Values | Floats]
) -> dict[str, float]:
    """How many of the first photos are as wanted, and how many show what is not wanted.

    Args:
        mentions: [n, w], how many captions of each photo mention each word.
        pairs: The words that are wanted and not wanted.
        scores: For each pair [n]: photos are ordered by it, the largest first.
    """
    wanted = unwanted = 0
    for (one, other), each in zip(pairs, scores, strict=True):
        shows = mentions[np.argsort(-each, kind="stable")[:FIRST]] > 0
        wanted += int((shows[:, one] & ~shows[:, other]).sum())
        unwanted += int(shows[:, other].sum())
    asked_for = len(pairs) * FIRST
    return {
        "as wanted": round(wanted / asked_for, 3),
        "unwanted": round(unwanted / asked_for, 3),
    }


if __name__ == "__main__":
    main()
