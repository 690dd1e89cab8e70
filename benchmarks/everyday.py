"""Are everyday things found, and does relevance mean one thing whatever is asked?

One table over all given sets of photos: recall, mean average precision, what a threshold of
relevance shows, agreement with people, false fits, robustness, and a hundred everyday queries. Each
figure stands beside what it was and what it must reach. Vectors of photos and texts are kept in
a folder, so that a second run with other alignment or relevance takes less than a minute. The exit
code is 0 whatever the figures are.
"""

import argparse
import os
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

from platformdirs import user_cache_path

from benchmarks.given import examples, finding, people, robustness, sheet, things, typed, union
from benchmarks.given.encoded import Encoded
from benchmarks.given.table import lines
from benchmarks.setting import (
    DATA,
    first_of,
    machine,
    photos_in,
    print_json,
    say,
    shown,
    versions,
)
from pixquery import Library
from pixquery.engine.profile import DEFAULT, load_profile
from pixquery.trainer.measuring.queries import read_queries

Parts: TypeAlias = dict[str, tuple[tuple[Path, ...], Callable[[], Any]]]
"""Each part of the table: the paths it needs, and how it is measured."""


def main() -> None:
    """Measures every given set, and prints the table or the JSON document."""
    arguments = _arguments()
    os.environ.setdefault("PIXQUERY_CACHE", str(arguments.cache / "models"))
    begin = perf_counter()
    profile = load_profile(arguments.profile)
    encoded = Encoded(profile, arguments.cache)
    with ExitStack() as stack:
        figures, seconds = _measured(_parts(encoded, arguments, stack), arguments.only)
    document = {
        "question": "everyday things: what is found, and what relevance means",
        "machine": machine(),
        "versions": versions("openvino", "numpy", "faiss-cpu"),
        "profile": {"name": profile.name, "folder": str(profile.folder)},
        "data": str(arguments.data),
        "seconds": {**seconds, "total": round(perf_counter() - begin, 1)},
        "figures": figures,
    }
    if arguments.json:
        print_json(document)
    else:
        print("\n".join(lines(figures)))
        print(f"{document['seconds']['total']} s")  # type: ignore[index]


def _measured(parts: Parts, only: list[str] | None) -> tuple[dict[str, Any], dict[str, float]]:
    """The figures of each part, or why it is left out, and its seconds."""
    figures: dict[str, Any] = {}
    seconds: dict[str, float] = {}
    unknown = [name for name in only or () if name not in parts]
    if unknown:
        raise SystemExit(f"there is no part {unknown[0]!r}: choose among {', '.join(parts)}")
    for name in only or parts:
        needs, measure = parts[name]
        begin = perf_counter()
        missing = [path for path in needs if not path.exists()]
        if missing:
            figures[name] = f"left out: {shown(missing[0])} is missing"
        else:
            say(name)
            figures[name] = measure()
        seconds[name] = round(perf_counter() - begin, 1)
    return figures, seconds


def _parts(encoded: Encoded, arguments: argparse.Namespace, stack: ExitStack) -> Parts:
    """Each part of the table: the paths it needs, and how it is measured."""
    data: Path = arguments.data.absolute()
    flickr8k, objects = data / "flickr8k", data / "objects"
    photos = arguments.photos or flickr8k / "images" / "dev"
    queries = arguments.queries or flickr8k / "test_queries.csv"
    sets = [(photos, queries)] + [
        (data / name / "images", data / name / "queries.csv") for name in ("objects", "things200")
    ]
    names = first_of(data / "imagenet-names", DATA / "imagenet-names")
    rated = tuple(flickr8k / name for name in ("ExpertAnnotations.tsv", "images/rated"))
    trained = flickr8k / "captions_train.csv"
    if not trained.is_file():
        trained = DATA / "flickr8k" / "captions_train.csv"

    @cache
    def library() -> Library:
        return stack.enter_context(union.library_of(encoded, union.given(data)))

    def everyday() -> dict[str, Any]:
        there = trained.is_file() and names.is_dir()
        return typed.everyday(library(), typed.concepts_known(trained, names) if there else None)

    def page() -> str:
        return str(sheet.write(library(), arguments.sheet, [*examples.names(), *typed.NONSENSE]))

    return {
        "captions": (
            (photos, queries),
            lambda: finding.captions(encoded, photos, read_queries(queries)),
        ),
        "objects": ((objects,), lambda: finding.objects(encoded, objects)),
        "objects as typed": (
            (objects,),
            lambda: typed.wordings(encoded, objects),
        ),
        "objects by relevance": ((objects,), lambda: things.objects(encoded, objects)),
        "things": (
            (data / "things200",),
            lambda: things.things(encoded, data / "things200"),
        ),
        "coco": ((data / "coco-mini",), lambda: finding.coco(encoded, data / "coco-mini")),
        "people": (rated, lambda: people.agreement(encoded, flickr8k)),
        "false fits": ((objects, names), lambda: examples.false_fits(encoded, objects, names)),
        "descriptions": ((objects,), lambda: examples.descriptions(encoded, objects, _two(data))),
        "robustness": (
            tuple(path for pair in sets for path in pair),
            lambda: robustness.robustness(encoded, sets),
        ),
        "receipts": (
            (data / "receipts",),
            lambda: typed.receipts(library(), data / "receipts" / "images"),
        ),
        "typed": ((), everyday),
        "nonsense": ((), lambda: typed.nonsense(library())),
        "costs": ((), lambda: typed.costs(library())),
        **({"sheet": ((), page)} if arguments.sheet else {}),
    }


def _two(data: Path) -> list[Path]:
    """Two photos of neither examples nor objects: Flickr8k's spare ones, or what there is."""
    spare = first_of(data / "flickr8k" / "images" / "extra", data / "coco-mini" / "images")
    return photos_in(spare)[:2] if spare.is_dir() else []


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", default=DEFAULT, metavar="NAME|DIR", help="models to measure")
    parser.add_argument(
        "--data", type=Path, default=DATA, metavar="DIR", help="holds flickr8k, objects, ..."
    )
    parser.add_argument(
        "--photos", type=Path, metavar="DIR", help="photos of the captions (flickr8k/images/dev)"
    )
    parser.add_argument(
        "--queries", type=Path, metavar="FILE", help="their captions (flickr8k/test_queries.csv)"
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=user_cache_path("pixquery-everyday", appauthor=False),
        metavar="DIR",
        help="where vectors are kept (a folder of the user's cache)",
    )
    parser.add_argument(
        "--only", nargs="+", metavar="PART", help="only these parts, such as things"
    )
    parser.add_argument(
        "--sheet",
        type=Path,
        metavar="DIR",
        help="also write a page with the first photos of each query; outside the repository",
    )
    parser.add_argument("--json", action="store_true", help="print everything as one document")
    return parser.parse_args()


if __name__ == "__main__":
    main()
