# ruff: noqa: E402 - two variables must be set before NumPy is imported
"""How long does a query take: the whole command, and each stage once the models are loaded?

The larger library is made of the raw vectors of real photos with noise, under names of files that
do not exist.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # as the command line does, before NumPy is imported

import numpy as np

from benchmarks import made
from benchmarks.setting import (
    EXAMPLES,
    FLICKR8K,
    ROOT,
    first_of,
    machine,
    peak_memory,
    photos_in,
    print_json,
    quantiles,
    say,
    versions,
)
from pixquery import Library, Query
from pixquery.db.records import Floats

COLD_QUERY = "man on bicycle"
CANDIDATES = 200
DEPTH = 100
WARM_UP = 20


def main() -> None:
    """Makes both libraries, and prints the figures."""
    arguments = _arguments()
    texts, origin = made.texts(arguments.captions, arguments.queries)
    document: dict[str, Any] = {
        "question": "seconds of a whole query command, milliseconds of each stage when warm",
        "machine": machine(),
        "versions": versions("openvino", "faiss-cpu", "numpy", "sqlalchemy", "tokenizers"),
        "queries": {"texts": len(texts), "from": origin, "candidates": CANDIDATES},
    }
    with tempfile.TemporaryDirectory(prefix="pixquery-bench-") as name:
        place = Path(name)
        os.environ["PIXQUERY_CACHE"] = str(place / "cache")
        photos = photos_in(arguments.photos or first_of(FLICKR8K / "images" / "dev", EXAMPLES))
        say(f"indexing {min(arguments.count, len(photos))} photos")
        small = place / "small"
        base = made.real(small, photos[: arguments.count])
        document["small"] = _measured(small, texts, arguments.cold)
        say(f"making a library of {arguments.large:,}")
        large, facts = _invented(place, base, arguments.large, arguments.noise)
        document["large"] = facts | _measured(large, texts, arguments.cold)
    document["peak_memory_megabytes"] = peak_memory()
    print_json(document)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, metavar="DIR", help="photos of the small library")
    parser.add_argument(
        "--count", type=int, default=1000, metavar="N", help="photos of the small library (1000)"
    )
    parser.add_argument(
        "--large", type=int, default=100_000, metavar="N", help="photos of the large one (100000)"
    )
    parser.add_argument(
        "--noise",
        type=float,
        default=1.0,
        metavar="X",
        help="noise of the made vectors, in standard deviations of each dimension (1)",
    )
    parser.add_argument(
        "--captions",
        type=Path,
        default=FLICKR8K / "captions_dev.csv",
        metavar="CSV",
        help="captions to use as queries; made sentences if the file is missing",
    )
    parser.add_argument("--queries", type=int, default=300, metavar="N", help="queries (300)")
    parser.add_argument("--cold", type=int, default=10, metavar="N", help="whole commands (10)")
    arguments = parser.parse_args()
    if min(arguments.count, arguments.large, arguments.queries, arguments.cold) < 1:
        parser.error("the numbers must be at least 1")
    return arguments


# -- libraries --------------------------------------------------------------------------------


def _invented(place: Path, base: Floats, count: int, noise: float) -> tuple[Path, dict[str, Any]]:
    """Makes a library of ``count`` vectors; also returns what that took."""
    begin = perf_counter()
    with Library.open(place / "large", create=True) as library, library.writing():
        made.add(library, base, range(count), noise=noise)
        written = perf_counter()
        library.publish()
        return library.folder, {
            "noise": noise,
            "seconds_to_write_the_catalogue": round(written - begin, 2),
            "seconds_to_build_the_index": round(perf_counter() - written, 2),
        }


# -- measures ---------------------------------------------------------------------------------


def _measured(folder: Path, texts: list[str], cold: int) -> dict[str, Any]:
    with Library.open(folder) as library:
        profile = library.profile
        queries = profile.alignment.texts(profile.texts.encode(texts))
        begin = perf_counter()
        vectors = library.index
        opened = perf_counter() - begin
        facts: dict[str, Any] = {
            "photos": len(library),
            "index": {
                "kind": vectors.kind,
                "dimension": vectors.dimension,
                "megabytes": round(library.info().vectors_bytes / 1e6, 2),
                "seconds_to_load": round(opened, 4),
                f"recall@{DEPTH}_of_exact_search": made.recall(library, queries, DEPTH),
            },
            "catalogue_megabytes": round(library.info().catalogue_bytes / 1e6, 2),
        }
        say(f"{len(texts)} warm queries over {len(library):,} photos")
        facts["warm_milliseconds"] = _warm(library, texts)
    say(f"{cold} whole commands")
    facts["cold_seconds"] = _cold(folder, cold)
    return facts


def _warm(library: Library, texts: list[str]) -> dict[str, dict[str, float]]:
    spent: dict[str, list[float]] = {}
    for number, text in enumerate([*texts[:WARM_UP], *texts]):
        answer = library.search(Query(text, candidates=CANDIDATES))
        if number < WARM_UP:
            continue
        stages = asdict(answer.milliseconds)
        stages["catalogue rows and order"] = 2 * stages["total"] - sum(stages.values())
        for stage, value in stages.items():
            spent.setdefault(stage, []).append(value)
    return {stage: quantiles(values) for stage, values in spent.items()}


def _cold(folder: Path, count: int) -> dict[str, Any]:
    command = [sys.executable, str(ROOT / "cli.py"), "query", COLD_QUERY, "--json"]
    command += ["--library", str(folder)]
    seconds = []
    for _ in range(count + 1):
        begin = perf_counter()
        done = subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE)
        seconds.append(perf_counter() - begin)
        if not json.loads(done.stdout)["hits"]:
            raise SystemExit("the query found nothing")
    runs = np.array(seconds[1:])
    return {
        "command": f'cli.py query "{COLD_QUERY}" --json',
        "runs": count,
        "median": round(float(np.median(runs)), 3),
        "min": round(float(runs.min()), 3),
        "max": round(float(runs.max()), 3),
        "warm_up_run": round(seconds[0], 3),
    }


if __name__ == "__main__":
    main()
