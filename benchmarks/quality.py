"""What does `index --quality high` cost, and what does it find?

Cost: the same photos are indexed into new libraries at normal and at high quality, alternating,
each run in its own process. Every run loads and runs its models once before its clock starts.

Recall: the development photos of Flickr8k are indexed at both qualities, and their captions are
asked, as `evaluate` does.

Both are done with each precision of the image model: the float one, which OpenVINO computes in
bfloat16 where the processor can, and the 8-bit one.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.index_throughput import LARGE, SMALL, large, photo_arguments, photos_of, small
from benchmarks.setting import (
    EXAMPLES,
    FLICKR8K,
    OBJECTS,
    apart,
    first_of,
    machine,
    needed,
    photos_in,
    print_json,
    say,
    shown,
    usable_cores,
    versions,
)
from pixquery import Library
from pixquery.engine.manifest import CHECKSUM, MANIFEST, checksum
from pixquery.engine.profile import QUALITIES, load_profile
from pixquery.indexer.build import index


def main() -> None:
    """Measures, and prints the figures."""
    arguments = _arguments()
    photos = arguments.photos or first_of(OBJECTS / "images", EXAMPLES)
    document: dict[str, Any] = {
        "question": "what --quality high costs and brings",
        "machine": machine(),
        "versions": versions("openvino", "pillow", "numpy"),
        "profile": arguments.profile,
        "photos": shown(photos),
    }
    with tempfile.TemporaryDirectory(prefix="pixquery-bench-") as name:
        place = Path(name)
        os.environ["PIXQUERY_CACHE"] = str(place / "cache")
        profiles = _by_precision(arguments.profile, place)
        for size, count, make in (
            (SMALL, arguments.count_small, small),
            (LARGE, arguments.count_large, large(arguments.grain)),
        ):
            if count:
                folder = place / size.replace(" ", "-")
                facts = photos_of(folder, photos_in(photos), count, make)
                document[size] = facts | {
                    precision: _cost(folder, profile, place, arguments.rounds)
                    for precision, profile in profiles.items()
                }
        if not arguments.no_recall:
            queries = needed(arguments.data / "test_queries.csv")
            document["recall"] = {
                precision: {
                    quality: apart(_recall, arguments.data / "images" / "dev", queries, profile,
                                   quality, place / f"dev-{precision}-{quality}")
                    for quality in QUALITIES
                }
                for precision, profile in profiles.items()
            }  # fmt: skip
    print_json(document)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", default="lite2-minilm", metavar="NAME|DIR", help="models")
    photo_arguments(parser, count_small=300, count_large=60)
    parser.add_argument(
        "--data", type=Path, default=FLICKR8K, metavar="DIR", help="the Flickr8k files"
    )
    parser.add_argument("--no-recall", action="store_true", help="measure the cost alone")
    return parser.parse_args()


def _by_precision(name: str, place: Path) -> dict[str, Path]:
    """A copy of the profile for each precision, with no other to choose from."""
    profile = load_profile(name)
    copies = {}
    for precision, model in profile.manifest["image"]["models"].items():
        copy = place / f"profile-{precision}"
        copy.mkdir()
        for file in profile.manifest["files"]:
            (copy / file).symlink_to(profile.folder / file)
        image = {**profile.manifest["image"], "models": {"float": model}}
        entries = {**profile.manifest, "image": image}
        (copy / MANIFEST).write_text(json.dumps({**entries, CHECKSUM: checksum(entries)}))
        copies[precision] = copy
    return copies


# -- cost -------------------------------------------------------------------------------------


def _cost(folder: Path, profile: Path, place: Path, rounds: int) -> dict[str, Any]:
    rates: dict[str, list[float]] = {quality: [] for quality in QUALITIES}
    for number in range(rounds):
        for quality in QUALITIES if number % 2 == 0 else QUALITIES[::-1]:
            with tempfile.TemporaryDirectory(dir=place) as library:
                run = apart(_indexed, folder, profile, quality, Path(library) / "library")
            rates[quality].append(run["images_per_second"])
            say(f"{folder.name}, {profile.name}, {quality}: {rates[quality][-1]:.1f} photos/s")
    normal, high = rates["normal"], rates["high"]
    return {
        "images_per_second": {quality: median(each) for quality, each in rates.items()},
        "normal_over_high": {
            "of_medians": round(median(normal) / median(high), 3),
            "every_round": [round(a / b, 3) for a, b in zip(normal, high, strict=True)],
        },
        "every_round": rates,
    }


def _indexed(folder: Path, name: Path, quality: str, place: Path) -> dict[str, Any]:
    with Library.open(place, create=True, profile=str(name), quality=quality) as library:
        profile = library.profile
        scales = tuple(np.zeros((size, size, 3), np.uint8) for size in profile.sizes)
        profile.photos.encode([scales] * usable_cores())
        profile.alignment.images(np.zeros((1, profile.dimension), np.float32))
        begin = perf_counter()
        report = index(library, [folder])
        seconds = perf_counter() - begin
    if report.skipped:
        raise SystemExit(f"{len(report.skipped)} photos could not be indexed")
    return {"images_per_second": round(report.added / seconds, 2)}


# -- recall -----------------------------------------------------------------------------------


def _recall(photos: Path, file: Path, name: Path, quality: str, place: Path) -> dict[str, Any]:
    from pixquery.trainer.measuring.evaluate import evaluate
    from pixquery.trainer.measuring.queries import read_queries

    say(f"indexing and asking {shown(photos)}, {name.name}, {quality}")
    with Library.open(place, create=True, profile=str(name), quality=quality) as library:
        index(library, [photos])
        result, _ = evaluate(library, read_queries(file), 200)
    measures = ("recall@1", "recall@5", "recall@10")
    return {
        stage: {measure: round(means[measure], 4) for measure in measures}
        for stage, means in (("first_stage", result.first_stage), ("reranked", result.reranked))
    }


if __name__ == "__main__":
    main()
