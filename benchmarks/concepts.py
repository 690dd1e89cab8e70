"""Does a library find what it was taught from three photos, and everything else as before?

Fifty receipts lie among 2,500 other photos. For several choices of three of them, "receipt" is
taught and asked for in several wordings; the three examples do not count as answers. Queries for
other things are evaluated before and after.
"""

import argparse
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.setting import DATA, machine, photos_in, print_json, say, versions
from pixquery import Library, Query, index, teach
from pixquery.engine.standing import FITS
from pixquery.indexer.build import Options
from pixquery.trainer.measuring.evaluate import evaluate
from pixquery.trainer.measuring.queries import TestQuery, read_queries

WORDINGS = ("receipt", "receipts", "a photo of a receipt", "my receipts")
CHOICES = ((0, 1, 2), (10, 25, 40), (17, 33, 49))
"""Which of the receipts are the examples."""
OTHERS = (
    "objects/images",
    "things200/images",
    "coco-mini/images",
    "flickr8k/images/dev",
    "flickr8k/images/rated",
)
COUNT = 2500
CAPTIONS = 500


def main() -> None:
    """Teaches, asks, evaluates and forgets, and prints the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR")
    parser.add_argument("--library", type=Path, metavar="DIR", help="make the library here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pixquery-concepts-") as folder:
        print_json(
            {
                "question": "are receipts found, taught from three photos, and the rest as before?",
                "machine": machine(),
                "versions": versions("faiss-cpu", "openvino"),
                **_measured(arguments.data, Path(folder), arguments.library),
            }
        )


def _measured(data: Path, folder: Path, place: Path | None) -> dict[str, Any]:
    receipts = photos_in(data / "receipts" / "images")
    others = [photo for name in OTHERS for photo in photos_in(data / name)][:COUNT]
    photos = (place or folder) / "photos"
    photos.mkdir(parents=True, exist_ok=True)
    for photo in (*receipts, *others):
        if not (photos / photo.name).exists():
            (photos / photo.name).symlink_to(photo)
    queries = {
        "objects by name": read_queries(data / "objects" / "queries.csv"),
        "Flickr8k dev captions": _captions(data / "flickr8k" / "captions_dev.csv")[:CAPTIONS],
    }
    with Library.open((place or folder) / "library", create=True) as library:
        index(library, [photos], Options(follow_links=True))
        say(f"{len(library)} photos")
        before = _recalls(library, queries)
        kept = _hits(library, queries)
        results = []
        for choice in CHOICES:
            examples = [receipts[number] for number in choice]
            begin = perf_counter()
            lesson = teach(library, "receipt", examples)
            seconds = perf_counter() - begin
            taught = {
                "examples": [example.name for example in examples],
                "seconds": round(seconds, 2),
                "likeness": round(lesson.likeness, 3),
                "relevance of the examples": [
                    None if value is None else round(value, 3)
                    for value in (lesson.relevance_before, lesson.relevance_after)
                ],
                "answers": {
                    words: _answers(library, words, {example.name for example in examples})
                    for words in WORDINGS
                },
                "recalls": _recalls(library, queries),
                "first hits changed": _changed(kept, _hits(library, queries)),
            }  # fmt: skip
            say(str(taught))
            results.append(taught)
            library.forget_concept("receipt")
        forgotten = _changed(kept, _hits(library, queries))
        images = len(library)
        untaught = {words: _answers(library, words, set()) for words in WORDINGS}
    return {
        "photos": images,
        "receipts": len(receipts),
        "before": {"answers": untaught, "recalls": before},
        "taught": results,
        "first hits changed after forgetting": forgotten,
    }


def _captions(file: Path) -> list[TestQuery]:
    """Captions as queries for their photo, in the order of a fixed shuffle of their text."""
    return sorted(read_queries(file), key=lambda query: hash_of(query.text))


def hash_of(text: str) -> int:
    """A number that orders texts at random, the same in every run."""
    return sum((place + 1) * ord(char) for place, char in enumerate(text)) * 2654435761 % 2**32


def _answers(library: Library, words: str, examples: set[str]) -> dict[str, float]:
    """How many of the first ten hits are receipts, in percent; and what reaches "fits"."""
    hits = library.search(Query(words, k=200)).hits
    right = [hit.path.name.startswith("receipt") for hit in hits if hit.path.name not in examples]
    fits = [
        hit.path.name.startswith("receipt")
        for hit in hits
        if hit.path.name not in examples and hit.relevance is not None and hit.relevance >= FITS
    ]
    return {
        "P@10": 10 * sum(right[:10]),
        "receipts that fit": sum(fits),
        "others that fit": len(fits) - sum(fits),
    }


def _recalls(library: Library, queries: dict[str, list[TestQuery]]) -> dict[str, Any]:
    found = {}
    for name, asked in queries.items():
        result, _ = evaluate(library, asked, 200)
        found[name] = {
            stage: [round(100 * measures[f"recall@{k}"], 1) for k in (1, 5, 10)]
            for stage, measures in (
                ("prefilter", result.first_stage), ("re-ranked", result.reranked),
            )
        }  # fmt: skip
    return found


def _hits(library: Library, queries: dict[str, list[TestQuery]]) -> list[list[int]]:
    """The ids of the first ten hits of every query."""
    return [
        [hit.id for hit in library.search(query.text).hits]
        for asked in queries.values()
        for query in asked
    ]


def _changed(before: list[list[int]], after: list[list[int]]) -> dict[str, int]:
    """How many queries have another first hit, and how many of the first ten hits are new."""
    return {
        "queries": len(before),
        "another first hit": sum(
            one[:1] != other[:1] for one, other in zip(before, after, strict=True)
        ),
        "new among the first ten": sum(
            len(set(other) - set(one)) for one, other in zip(before, after, strict=True)
        ),
    }


if __name__ == "__main__":
    main()
