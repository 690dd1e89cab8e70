"""Which words in photos are read?

Photos with known words are made (benchmarks/lettering.py) and read as `index` reads them. The
figures are the shares of words that were read exactly, but for case and punctuation: `recall` as
words of their own, `recall_within` also where they run together with others.
"""

import argparse
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.lettering import HEIGHT, WIDTH, Lettered, all_lettered
from benchmarks.setting import FLICKR8K, machine, photos_in, print_json, say, shown, versions
from pixquery.db.records import Line
from pixquery.indexer.text_reader import TextReader

Facts = dict[str, Any]


def main() -> None:
    """Makes photos, reads them, and prints the figures."""
    arguments = _arguments()
    folder: Path = arguments.backgrounds
    document: Facts = {
        "question": "words read in photos",
        "machine": machine(),
        "versions": versions("numpy", "openvino", "pillow", "rapidocr"),
        "made": _made(
            TextReader(arguments.threads),
            photos_in(folder) if folder.is_dir() else [],
            arguments.count,
            arguments.seed,
        ),
    }
    document["made"]["backgrounds"] = shown(folder) if folder.is_dir() else "waves of colour"
    print_json(document)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
