"""What does the vector index cost as a library grows, and does it still find the nearest photos?

For each size, a library of made vectors is published, opened and queried, and gets a thousand more
photos; each step runs in its own process.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks import made
from benchmarks.setting import (
    EXAMPLES,
    FLICKR8K,
    apart,
    first_of,
    machine,
    peak_memory,
    photos_in,
    print_json,
    quantiles,
    say,
    shown,
    versions,
)
from pixquery import Library
from pixquery.db.records import Floats
from pixquery.engine.profile import load_profile

DEPTH = 100
ADDED = 1000
PHOTOS = 1000

Facts = dict[str, Any]


def main() -> None:
    """Measures every size, and prints the figures."""
    arguments = _arguments()
    texts, origin = made.texts(arguments.captions, arguments.queries)
    document: Facts = {
        "question": "cost of the vector index by number of photos",
        "machine": machine(),
        "versions": versions("faiss-cpu", "numpy", "sqlalchemy"),
        "noise": arguments.noise,
        "queries": {"texts": len(texts), "from": origin},
        "sizes": [],
    }
    photos = photos_in(arguments.photos or first_of(FLICKR8K / "images" / "dev", EXAMPLES))
    document["real_photos"] = len(photos[:PHOTOS])
    with tempfile.TemporaryDirectory(prefix="pixquery-bench-") as name:
        os.environ["PIXQUERY_CACHE"] = str(Path(name) / "cache")
        base = made.real(Path(name) / "real", photos[:PHOTOS])
        profile = load_profile()
        queries = profile.alignment.texts(profile.texts.encode(texts))
        for size in arguments.sizes:
            facts = _measured(
                Path(name) / str(size) / "library", base, size, arguments.noise, queries
            )
            document["sizes"].append(facts)
    if arguments.plot:
        _plot(document["sizes"], arguments.plot)
        document["plot"] = shown(arguments.plot)
    print_json(document)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        default=[1_000, 10_000, 100_000, 1_000_000],
        metavar="N",
        help="photos of each library (1000 10000 100000 1000000; the last takes 8 GB of disk)",
    )
    parser.add_argument("--photos", type=Path, metavar="DIR", help="photos to make vectors from")
    parser.add_argument("--noise", type=float, default=1.0, metavar="X",
                        help="noise, in standard deviations of each dimension (1)")  # fmt: skip
    parser.add_argument("--captions", type=Path, default=FLICKR8K / "captions_dev.csv",
                        metavar="CSV", help="captions to use as queries")  # fmt: skip
    parser.add_argument("--queries", type=int, default=500, metavar="N", help="queries (500)")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the curve, SVG or PNG")
    arguments = parser.parse_args()
    if min(*arguments.sizes, arguments.queries) < 1:
        parser.error("the numbers must be at least 1")
    return arguments


def _measured(folder: Path, base: Floats, size: int, noise: float, queries: Floats) -> Facts:
    say(f"{size:,} photos: writing the catalogue")
    _apart(_written, folder, base, range(size), noise)
    say(f"{size:,} photos: building")
    built = _apart(_published, folder)
    say(f"{size:,} photos: querying")
    queried = _apart(_queried, folder, queries, threads="1")
    say(f"{size:,} photos: adding {ADDED:,}")
    _apart(_written, folder, base, range(size, size + ADDED), noise)
    added = _apart(_published, folder)
    after = _apart(_queried, folder, queries, threads="1")
    return {
        "photos": size,
        "build": built,
        "ask": queried,
        f"add_{ADDED}": added,
        f"recall@{DEPTH}_then": after[f"recall@{DEPTH}"],
    }


def _apart(do: Callable[..., Facts], *arguments: object, threads: str = "") -> Facts:
    """As :func:`apart`, with this many threads."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = threads  # read when NumPy is imported
        if not threads:
            del os.environ[name]
    return apart(do, *arguments)


def _written(folder: Path, base: Floats, rows: range, noise: float) -> Facts:
    with Library.open(folder, create=True) as library, library.writing():
        made.add(library, base, rows, noise=noise)
    return {}


def _published(folder: Path) -> Facts:
    """Builds the index: reads and aligns raw vectors, writes and renames the file."""
    begin = perf_counter()
    with Library.open(folder) as library, library.writing():
        library.publish()
        seconds = perf_counter() - begin
        return {
            "seconds": round(seconds, 2),
            "kind": library.index.kind,
            "file_megabytes": round(library.info().vectors_bytes / 1e6, 1),
            "peak_memory_megabytes": peak_memory(),
        }


def _queried(folder: Path, queries: Floats) -> Facts:
    """Measures queries in one thread, as the command line uses."""
    with Library.open(folder) as library:
        begin = perf_counter()
        vectors = library.index
        opened = perf_counter() - begin
        spent = []
        for query in queries:
            begin = perf_counter()
            vectors.search(query[None], DEPTH)
            spent.append(1000 * (perf_counter() - begin))
        memory = peak_memory()
        return {
            "seconds_to_open": round(opened, 3),
            "query_milliseconds": quantiles(spent),
            "peak_memory_megabytes": memory,
            f"recall@{DEPTH}": made.recall(library, queries, DEPTH),
        }


def _plot(sizes: list[Facts], file: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "pixquery"
    count = [facts["photos"] for facts in sizes]
    panels = {
        "one query, ms (median and 95 %)": [
            [facts["ask"]["query_milliseconds"][name] for facts in sizes] for name in ("p50", "p95")
        ],
        "build, s": [[facts["build"]["seconds"] for facts in sizes]],
        f"add {ADDED:,}, s": [[facts[f"add_{ADDED}"]["seconds"] for facts in sizes]],
        "file, MB": [[facts["build"]["file_megabytes"] for facts in sizes]],
    }
    figure, axes = plt.subplots(1, len(panels), figsize=(12, 3), layout="constrained")
    for axis, (title, lines) in zip(np.ravel(axes), panels.items(), strict=True):
        for values, style in zip(lines, ("o-", "o--"), strict=False):
            axis.loglog(count, values, style, color="#2a6f97", markersize=4)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("photos")
        axis.grid(visible=True, alpha=0.3)
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)


if __name__ == "__main__":
    main()
