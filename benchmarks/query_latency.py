# ruff: noqa: E402 - two variables must be set before NumPy is imported
"""How long does a query take: the whole command, and each stage once the models are loaded?

The larger library is made: real photos' raw vectors with noise, under names of files that do not
exist, written through the catalogue and published as indexing would.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # as the command line does, before NumPy is imported

import numpy as np
from setting import (
    EXAMPLES,
    FLICKR8K,
    ROOT,
    first_of,
    machine,
    peak_memory,
    photos_in,
    quantiles,
    say,
    shown,
    tell,
    versions,
)

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from db.records import FileState, Floats, ImageRecord
from engine import Library, Query
from indexer.build import index
from trainer.datasets import read_captions

COLD_QUERY = "man on bicycle"
CANDIDATES = 200
DEPTH = 100
WARM_UP = 20
WRITTEN_AT_ONCE = 2000

_WHO = (
    "a man|a woman|two children|a brown dog|an old couple|a girl in a red dress|a cat|some people"
)
_DOING = "sitting|running|standing|jumping|playing|looking around|resting|turning to the camera"
_WHERE = "on the beach|in a park|by a lake|in the street|on a sofa|in the snow|at night|on a bench"


def main() -> None:
    """Reads the arguments, makes both libraries, prints the figures."""
    asked = _arguments()
    texts, origin = _texts(asked.captions, asked.queries)
    document: dict[str, Any] = {
        "question": "seconds of a whole query command, milliseconds of each stage when warm",
        "machine": machine(),
        "versions": versions("openvino", "faiss-cpu", "numpy", "sqlalchemy", "tokenizers"),
        "queries": {"texts": len(texts), "from": origin, "candidates": CANDIDATES},
    }
    with tempfile.TemporaryDirectory(prefix="pixquery-bench-") as name:
        place = Path(name)
        os.environ["PIXQUERY_CACHE"] = str(place / "cache")
        photos = photos_in(asked.photos or first_of(FLICKR8K / "images" / "dev", EXAMPLES))
        say(f"indexing {min(asked.count, len(photos))} photos")
        small, base = _real(place, photos, asked.count)
        document["small"] = _measured(small, texts, asked.cold)
        say(f"making a library of {asked.large:,}")
        large, facts = _invented(place, base, asked.large, asked.noise)
        document["large"] = facts | _measured(large, texts, asked.cold)
    document["peak_memory_megabytes"] = peak_memory()
    tell(document)


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
        help="where the queries come from; made sentences where it is missing",
    )
    parser.add_argument("--queries", type=int, default=300, metavar="N", help="queries (300)")
    parser.add_argument("--cold", type=int, default=10, metavar="N", help="whole commands (10)")
    asked = parser.parse_args()
    if min(asked.count, asked.large, asked.queries, asked.cold) < 1:
        parser.error("the numbers must be at least 1")
    return asked


def _texts(captions: Path, count: int) -> tuple[list[str], str]:
    """Different sentences in random order, and where they come from."""
    if captions.is_file():
        found = sorted({caption.text for caption in read_captions(captions)})
        origin = shown(captions)
    else:
        parts = [words.split("|") for words in (_WHO, _DOING, _WHERE)]
        found = [f"{a} {b} {c}" for a in parts[0] for b in parts[1] for c in parts[2]]
        origin = "made of a few words"
    Random(0).shuffle(found)
    return found[:count], origin


# -- libraries --------------------------------------------------------------------------------


def _real(place: Path, photos: list[Path], count: int) -> tuple[Path, Floats]:
    """A library of given photos, copied into one folder; and their raw vectors."""
    folder = place / "photos"
    folder.mkdir()
    for photo in photos[:count]:
        (folder / photo.name).write_bytes(photo.read_bytes())
    with Library.open(place / "small", create=True) as library:
        index(library, [folder])
        parts, after = [], 0
        while True:
            ids, raw = library.catalog.raw_vectors(library.profile.encoder, after=after)
            if not len(ids):
                break
            parts.append(raw.astype(np.float32))
            after = int(ids[-1])
        return library.folder, np.concatenate(parts)


def _invented(place: Path, base: Floats, count: int, noise: float) -> tuple[Path, dict[str, Any]]:
    """A library of ``count`` made vectors, and what making it took."""
    rng = np.random.default_rng(0)
    spread = base.std(0) * np.float32(noise)
    begin = perf_counter()
    with Library.open(place / "large", create=True) as library:
        catalog, profile = library.catalog, library.profile
        likeness: list[Floats] = []
        with library.writing():
            root = catalog.add_root(place / "nowhere")
            for start in range(0, count, WRITTEN_AT_ONCE):
                rows = np.arange(start, min(start + WRITTEN_AT_ONCE, count))
                real = base[rows % len(base)]
                made = real + spread * rng.standard_normal(real.shape, np.float32)
                made = np.maximum(made, 0)
                records = [_record(place / "nowhere", int(row)) for row in rows]
                catalog.put(root, records, made.astype(np.float16), profile.encoder)
                if start == 0:
                    aligned = profile.alignment.images(real), profile.alignment.images(made)
                    likeness.append(np.einsum("na,na->n", *aligned))
            written = perf_counter()
            library.publish()
            published = perf_counter()
        return library.folder, {
            "made": {
                "noise": noise,
                "mean_cosine_to_the_real_photo": round(float(np.mean(likeness[0])), 3),
                "seconds_to_write_the_catalogue": round(written - begin, 2),
                "seconds_to_build_the_index": round(published - written, 2),
            }
        }


def _record(folder: Path, number: int) -> ImageRecord:
    path = folder / f"{number // 1000:04d}" / f"photo-{number:07d}.jpg"
    content = number.to_bytes(16, "little")
    return ImageRecord(path, FileState(3_000_000, 1_700_000_000_000_000_000), content, 4000, 3000)


# -- measures ---------------------------------------------------------------------------------


def _measured(folder: Path, texts: list[str], cold: int) -> dict[str, Any]:
    with Library.open(folder) as library:
        begin = perf_counter()
        held = library.index
        opened = perf_counter() - begin
        facts: dict[str, Any] = {
            "photos": len(library),
            "index": {
                "kind": held.kind,
                "dimension": held.dimension,
                "megabytes": round(library.info().vectors_bytes / 1e6, 2),
                "seconds_to_load": round(opened, 4),
                f"recall@{DEPTH}_of_exact_search": _recall(library, texts),
            },
            "catalogue_megabytes": round(library.info().catalogue_bytes / 1e6, 2),
        }
        say(f"{len(texts)} warm queries over {len(library):,} photos")
        facts["warm_milliseconds"] = _warm(library, texts)
    say(f"{cold} whole commands")
    facts["cold_seconds"] = _cold(folder, cold)
    return facts


def _recall(library: Library, texts: list[str]) -> float:
    """Share of the truly nearest photos that the index finds."""
    profile, depth = library.profile, min(DEPTH, len(library))
    queries = profile.alignment.texts(profile.texts.encode(texts))
    ids, after, cosines = [], 0, []
    while True:
        some, raw = library.catalog.raw_vectors(profile.encoder, after=after)
        if not len(some):
            break
        ids.append(some)
        cosines.append(queries @ profile.alignment.images(raw.astype(np.float32)).T)
        after = int(some[-1])
    known, similarities = np.concatenate(ids), np.concatenate(cosines, 1)
    nearest = known[np.argpartition(-similarities, depth - 1, axis=1)[:, :depth]]
    found = library.index.search(queries, depth).ids
    shared = [len(np.intersect1d(a, b)) for a, b in zip(nearest, found, strict=True)]
    return round(float(np.mean(shared)) / depth, 4)


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
