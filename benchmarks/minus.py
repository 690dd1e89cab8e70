"""Does `--minus` keep away what is not wanted, and at what price?

Everyday words in pairs, asked of photos whose captions tell what they show: of the first ten hits,
how many show the one and not the other, and how many show what was not wanted, for several weights
and for two other ways of weighing.
"""

import argparse
import re
import tempfile
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.setting import FLICKR8K, machine, say, tell, versions
from pixquery import Library
from pixquery.db.records import Floats, Ids
from pixquery.engine.relevance import Logistic
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


class Asked(NamedTuple):
    """What is known of the words and the photos."""

    photos: Floats
    """float32[n, a], aligned."""
    texts: Floats
    """float32[w, a]"""
    cosines: Floats
    """float32[n, w]"""
    usual: Floats
    """float32[w]: of the cosines with usual photos, the mean"""
    spread: Floats
    """float32[w]: and the standard deviation."""
    said: Ids
    """int64[n, w]: how many captions of a photo say the word."""


def main() -> None:
    """Reads the arguments, asks, prints the shares."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=FLICKR8K, metavar="DIR")
    place = parser.parse_args().data
    with tempfile.TemporaryDirectory(prefix="pixquery-minus-") as folder:
        asked = _asked(Path(folder), place)
    pairs = [
        (one, other)
        for one, other in permutations(range(len(WORDS)), 2)
        if ((asked.said[:, one] >= 2) & (asked.said[:, other] >= 2)).sum() >= 8
        and ((asked.said[:, one] >= 2) & (asked.said[:, other] == 0)).sum() >= 15
    ]
    ways: dict[str, Callable[[int, int, float], Values]] = {
        "as shipped": lambda one, other, w: (
            asked.cosines[:, one] / asked.spread[one]
            - w * asked.cosines[:, other] / asked.spread[other]
        ),
        "only above the usual": lambda one, other, w: (
            _unusual(asked, one) - w * np.maximum(0, _unusual(asked, other))
        ),
        "at right angles": lambda one, other, w: (
            asked.cosines[:, one] - w * (asked.photos @ _across(asked, one, other))
        ),
    }
    tell(
        {
            "question": "does --minus keep away what is not wanted?",
            "machine": machine(),
            "versions": versions("numpy"),
            "photos": len(asked.photos),
            "pairs of words": len(pairs),
            "first": FIRST,
            "the word alone": _shares(asked, pairs, ways["as shipped"], 0.0),
            **{
                name: {str(w): _shares(asked, pairs, way, w) for w in WEIGHTS}
                for name, way in ways.items()
            },
        }
    )


def _asked(folder: Path, place: Path) -> Asked:
    with Library.open(folder, create=True) as library:
        say("indexing the development photos")
        index(library, [place / "images" / "dev"])
        held, profile = library.index, library.profile
        ids = held.ids()
        records = library.catalog.records(ids.tolist())
        photos = held.vectors(ids)
        texts = profile.alignment.texts(profile.texts.encode(list(WORDS)))
        assert isinstance(profile.relevance, Logistic)
        known = profile.relevance.landmarks.photos
        row_of = {records[int(number)].path.name: row for row, number in enumerate(ids)}
        said = np.zeros((len(ids), len(WORDS)), np.int64)
        for caption in read_captions(place / "captions_dev.csv"):
            words = set(re.findall("[a-z]+", caption.text.lower()))
            if caption.image in row_of:
                said[row_of[caption.image]] += [word in words for word in WORDS]
        return Asked(
            photos,
            texts,
            photos @ texts.T,
            (known @ texts.T).mean(0),
            profile.relevance.spread(texts),
            said,
        )


def _unusual(asked: Asked, word: int) -> Values:
    return np.asarray((asked.cosines[:, word] - asked.usual[word]) / asked.spread[word])


def _across(asked: Asked, one: int, other: int) -> Floats:
    """The part of the one text that says nothing of the other, float32[a], a unit vector."""
    rest = asked.texts[other] - (asked.texts[other] @ asked.texts[one]) * asked.texts[one]
    return np.asarray(rest / np.linalg.norm(rest), np.float32)


def _shares(
    asked: Asked, pairs: list[tuple[int, int]], way: Callable[[int, int, float], Values], w: float
) -> dict[str, float]:
    wanted = unwanted = 0
    for one, other in pairs:
        first = np.argsort(-way(one, other, w), kind="stable")[:FIRST]
        shows = asked.said[first] > 0
        wanted += int((shows[:, one] & ~shows[:, other]).sum())
        unwanted += int(shows[:, other].sum())
    asked_for = len(pairs) * FIRST
    return {
        "as wanted": round(wanted / asked_for, 3),
        "unwanted": round(unwanted / asked_for, 3),
    }


if __name__ == "__main__":
    main()
