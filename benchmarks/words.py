"""Which words in photos are read, and are they found?

`made`: photos with known words are made (benchmarks/lettering.py) and read as `index` reads them.
The figures are the shares of words that were read exactly, but for case and punctuation: `recall`
as words of their own, `recall_within` also where they run together with others.

The other parts: see benchmarks/mentioned.py. `receipts`, `captions` and `meanwhile` need a library
of receipts among 2,500 other photos, which takes a quarter of an hour to read; --library keeps it.
"""

import argparse
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.lettering import HEIGHT, WIDTH, Lettered, all_lettered
from benchmarks.made import workplace
from benchmarks.mentioned import captions, large, meanwhile, receipts
from benchmarks.setting import (
    DATA,
    FLICKR8K,
    OBJECTS,
    machine,
    photos_in,
    print_json,
    say,
    shown,
    versions,
)
from pixquery import Library
from pixquery.db.records import Line
from pixquery.indexer.build import Options, index
from pixquery.indexer.text_pass import read_text
from pixquery.indexer.text_reader import TextReader

Facts = dict[str, Any]

RECEIPTS = DATA / "receipts" / "images"
CAPTIONS = FLICKR8K / "captions_dev.csv"
OTHERS = 2_500
_PARTS = ("made", "receipts", "captions", "meanwhile", "large")


def main() -> None:
    """Makes photos, reads them, and prints the figures."""
    arguments = _arguments()
    folder: Path = arguments.backgrounds
    document: Facts = {
        "question": "words read in photos, and found",
        "machine": machine(),
        "versions": versions("numpy", "openvino", "pillow", "rapidocr"),
    }
    if "made" in arguments.parts:
        photos = photos_in(folder) if folder.is_dir() else []
        reader = TextReader(arguments.threads)
        document["made"] = _made(reader, photos, arguments.count, arguments.seed)
        document["made"]["backgrounds"] = shown(folder) if photos else "waves of colour"
    with workplace(None) as place:
        if {"receipts", "captions", "meanwhile"} & {*arguments.parts}:
            home = arguments.library or place / "library"
            with _library(home) as library:
                if "receipts" in arguments.parts:
                    seed = arguments.seed
                    document["receipts"] = receipts(library, RECEIPTS, arguments.queries, seed)
                if "captions" in arguments.parts:
                    document["captions"] = captions(library, CAPTIONS)
            if "meanwhile" in arguments.parts:
                document["meanwhile"] = meanwhile(home, place, CAPTIONS)
        if "large" in arguments.parts:
            document["large"] = large(place, arguments.large, arguments.seed)
    print_json(document)


def _library(folder: Path) -> Library:
    """A library of the receipts and others, whose text was read; made if there is none."""
    images = FLICKR8K / "images"
    others = [
        *map(photos_in, (images / "dev", images / "rated", images / "extra", OBJECTS / "images"))
    ]
    rest = photos_in(images / "train")[: OTHERS - sum(map(len, others))]
    photos = [photo for part in (*others, rest, photos_in(RECEIPTS)) for photo in part]
    library = Library.open(folder, create=True)
    if len(library) < len(photos):
        links = folder / "photos"
        for photo in photos:
            place = links / photo.parent.parent.name / photo.parent.name / photo.name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(photo)
        say(f"indexing {len(photos):,} photos")
        index(library, [links], Options(follow_links=True))

    def told(done: int, total: int) -> None:
        if done % 100 == 0:
            say(f"read {done:,} of {total:,} photos")

    read_text(library, told)
    return library


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", default=_PARTS, choices=_PARTS,
                        help="what to measure (all)")  # fmt: skip
    parser.add_argument("--library", type=Path, metavar="DIR",
                        help="where the library of receipts and others is, or is made")  # fmt: skip
    parser.add_argument("--queries", type=int, default=4, metavar="N",
                        help="queries for each receipt (4)")  # fmt: skip
    parser.add_argument("--large", type=int, default=100_000, metavar="N",
                        help="photos of the large library (100000)")  # fmt: skip
    parser.add_argument("--count", type=int, default=1000, metavar="N",
                        help="made photos (1000)")  # fmt: skip
    parser.add_argument("--backgrounds", type=Path, metavar="DIR",
                        default=FLICKR8K / "images" / "rated",
                        help="photos to write the words on; waves of colour if it is "
                             "missing")  # fmt: skip
    parser.add_argument("--threads", type=int, default=1, metavar="N",
                        help="processor cores to read with (1)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    return parser.parse_args()


def _made(reader: TextReader, backgrounds: Sequence[Path], count: int, seed: int) -> Facts:
    tallies: dict[str, dict[str, list[tuple[bool, bool]]]] = defaultdict(lambda: defaultdict(list))
    seconds = 0.0
    for number, photo in enumerate(all_lettered(count, backgrounds, seed)):
        started = time.perf_counter()
        lines = reader.read_file(photo.content)
        seconds += time.perf_counter() - started
        outcomes = _outcomes(photo, lines)
        for kind, value in _kinds(photo):
            tallies[kind][value] += outcomes
        if number % 100 == 99:
            say(f"read {number + 1:,} of {count:,} photos")
    rows = {
        kind: {value: _shares(outcomes) for value, outcomes in sorted(group.items(), key=_order)}
        for kind, group in tallies.items()
    }
    return {
        "photos": count,
        "pixels": [WIDTH, HEIGHT],
        "seconds_per_photo": round(seconds / max(1, count), 3),
        "reader": reader.version,
        **rows,
    }


def _kinds(photo: Lettered) -> Iterable[tuple[str, str]]:
    share = 100 * photo.size / WIDTH
    yield "all", "all"
    yield "by_size", f"{share:g} %"  # of the letters' em, of the longer side
    yield "by_face", photo.face
    yield "by_angle", f"{photo.angle}"
    yield "by_light", photo.light
    yield "by_ground", "plate" if photo.plate else "photo"


def _order(group: tuple[str, Any]) -> tuple[float, str]:
    number = re.match(r"-?[\d.]+", group[0])
    return (float(number[0]) if number else 0, group[0])


def _outcomes(photo: Lettered, lines: Sequence[Line]) -> list[tuple[bool, bool]]:
    """For each word, whether it was read as a word, and whether within one."""
    texts = [[_plain(word) for word in line.text.split()] for line in lines]
    words = {word for text in texts for word in text}
    joined = ["".join(text) for text in texts]
    return [
        (_plain(word) in words, any(_plain(word) in line for line in joined))
        for drawn in photo.lines
        for word in drawn
    ]


def _plain(word: str) -> str:
    return "".join(filter(str.isalnum, word.casefold()))


def _shares(outcomes: Sequence[tuple[bool, bool]]) -> Facts:
    own, within = (sum(outcome) for outcome in zip(*outcomes, strict=True))
    return {
        "words": len(outcomes),
        "recall": round(own / len(outcomes), 4),
        "recall_within": round(within / len(outcomes), 4),
    }


if __name__ == "__main__":
    main()
