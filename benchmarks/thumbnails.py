"""What does it cost to make the gallery's thumbnails while indexing?

The same photos are indexed into new libraries by turns, with thumbnails and without, each time with
an empty cache of thumbnails. The compiled models are kept.
"""

import argparse
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from benchmarks import made
from benchmarks.setting import (
    EXAMPLES,
    FLICKR8K,
    first_of,
    machine,
    photos_in,
    print_json,
    say,
    shown,
    versions,
)
from pixquery import Library
from pixquery.indexer.build import index
from pixquery.indexer.options import Options


def main() -> None:
    """Indexes by turns, and prints the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, metavar="DIR", help="photos to index")
    parser.add_argument("--count", type=int, default=500, metavar="N", help="how many (500)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="of both kinds (5)")
    arguments = parser.parse_args()
    source = arguments.photos or first_of(FLICKR8K / "images" / "dev", EXAMPLES)
    photos = photos_in(source)[: arguments.count]
    runs: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    with made.workplace(None) as place:
        folder = place / "photos"
        folder.mkdir()
        for photo in photos:
            shutil.copyfile(photo, folder / photo.name)
        _indexed(place, folder, made_too=False)  # compiles the models
        for number in range(arguments.rounds):
            for made_too in (False, True) if number % 2 else (True, False):
                runs[made_too].append(_indexed(place, folder, made_too=made_too))
                say(f"round {number + 1}, thumbnails {made_too}: {runs[made_too][-1]}")
    shares = {
        name: [on[name] / off[name] - 1 for on, off in zip(runs[True], runs[False], strict=True)]
        for name in ("seconds", "processor_seconds")
    }
    print_json(
        {
            "question": "what making thumbnails costs indexing",
            "machine": machine(),
            "versions": versions("openvino", "pillow"),
            "photos": {"count": len(photos), "from": shown(source)},
            "without": _median(runs[False]),
            "with": _median(runs[True]),
            "more_percent": {name: round(100 * median(all_), 1) for name, all_ in shares.items()},
        }
    )


def _indexed(place: Path, folder: Path, *, made_too: bool) -> dict[str, float]:
    library, cache = place / "library", Path(os.environ["PIXQUERY_CACHE"]) / "thumbnails"
    for old in (library, cache):
        shutil.rmtree(old, ignore_errors=True)
    with Library.open(library, create=True) as opened:
        opened.profile.photos  # noqa: B018 - loaded before the clock starts
        wall, spent = perf_counter(), process_time()
        report = index(opened, [folder], replace(Options(), thumbnails=made_too))
        wall, spent = perf_counter() - wall, process_time() - spent
    files = list(cache.glob("*/*.jpg"))
    if len(files) != (report.added if made_too else 0):
        sys.exit(f"{len(files)} thumbnails were made of {report.added} photos")
    return {
        "seconds": round(wall, 2),
        "processor_seconds": round(spent, 2),
        "photos_per_second": round(report.added / wall, 1),
        "thumbnail_kilobytes": round(sum(f.stat().st_size for f in files) / 1e3),
    }


def _median(runs: list[dict[str, float]]) -> dict[str, Any]:
    return {name: round(median(run[name] for run in runs), 2) for name in runs[0]}


if __name__ == "__main__":
    main()
