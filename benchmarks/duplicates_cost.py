"""How do time and memory of finding duplicates grow, and are all copies found?

A library of made vectors contains near copies, with a little noise, of every twentieth photo. The
files of these photos and copies are made too, without content, as each is looked at. Each size is
written and published in one process, and compared in another.
"""

import argparse
import os
import tempfile
from pathlib import Path
from time import perf_counter, process_time
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
    say,
    versions,
)
from pixquery import Library
from pixquery.db.records import FileState, Floats, ImageRecord

SHARE = 20
"""Photos per copy."""

Facts = dict[str, Any]


def main() -> None:
    """Measures every size, and prints the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000],
                        metavar="N", help="photos of each library")  # fmt: skip
    parser.add_argument("--photos", type=Path, metavar="DIR", help="photos to make vectors from")
    parser.add_argument("--noise", type=float, default=1.0, metavar="X",
                        help="noise of different photos, in standard deviations (1)")  # fmt: skip
    parser.add_argument("--copy-noise", type=float, default=0.15, metavar="X",
                        help="noise of copies (0.15)")  # fmt: skip
    arguments = parser.parse_args()
    document: Facts = {
        "question": "cost of finding duplicates by number of photos",
        "machine": machine(),
        "versions": versions("faiss-cpu", "numpy", "sqlalchemy"),
        "noise": arguments.noise,
        "copy_noise": arguments.copy_noise,
        "sizes": [],
    }
    photos = photos_in(arguments.photos or first_of(FLICKR8K / "images" / "dev", EXAMPLES))
    with tempfile.TemporaryDirectory(prefix="pixquery-bench-") as name:
        os.environ["PIXQUERY_CACHE"] = str(Path(name) / "cache")
        base = made.real(Path(name) / "real", photos[:1000])
        for size in arguments.sizes:
            folder = Path(name) / str(size) / "library"
            say(f"{size:,} photos: writing")
            apart(_written, folder, base, size, arguments.noise, arguments.copy_noise)
            say(f"{size:,} photos: comparing")
            document["sizes"].append({"photos": size, **apart(_compared, folder)})
    print_json(document)


def _written(folder: Path, base: Floats, size: int, noise: float, copy_noise: float) -> Facts:
    copies = size // SHARE
    with Library.open(folder, create=True) as library, library.writing():
        made.add(library, base, range(size - copies), noise=noise)
        root = library.catalog.add_root(folder.parent / "copies")
        spread = base.std(0) * np.float32(copy_noise)
        rng = np.random.default_rng(9)
        remaining = copies
        for ids, raw in made.raw_vectors(library):
            batch = ids[::SHARE][:remaining]
            likes = raw[::SHARE][:remaining]
            remaining -= len(batch)
            near = np.maximum(likes + spread * rng.standard_normal(likes.shape, "f4"), 0)
            records = [_record(folder.parent / "copies", int(image_id)) for image_id in batch]
            library.catalog.put(root, records, near.astype(np.float16), library.profile.encoder)
            originals = library.catalog.records(batch.tolist()).values()
            for record in (*records, *originals):
                _place(record)
            if not remaining:
                break
        library.publish()
    return {}


def _record(folder: Path, of: int) -> ImageRecord:
    return ImageRecord(
        folder / f"copy-of-{of:07d}.jpg",
        FileState(900_000, 1_700_000_000_000_000_000),
        (of + (1 << 40)).to_bytes(16, "little"),
        2000,
        1500,
        "JPEG",
    )


def _place(record: ImageRecord) -> None:
    """Makes the file that the catalogue describes; its bytes take no space on the disk."""
    record.path.parent.mkdir(parents=True, exist_ok=True)
    with record.path.open("wb") as file:
        file.truncate(record.state.size)
    os.utime(record.path, ns=(record.state.mtime_ns, record.state.mtime_ns))


def _compared(folder: Path) -> Facts:
    """Measures opening the library and its index, and finding all groups with their records."""
    begin = perf_counter()
    with Library.open(folder) as library:
        opened = len(library.index)
        before = peak_memory()
        answer = library.duplicates()
        seconds = perf_counter() - begin
        right = sum(
            copy.record.path.stem == f"copy-of-{group.best.id:07d}"
            for group in answer.groups
            for copy in group.copies
        )
        return {
            "index": library.index.kind,
            "seconds": round(seconds, 2),
            "processor_seconds": round(process_time(), 2),
            "peak_memory_megabytes": peak_memory(),
            "peak_memory_before_megabytes": before,
            "made_copies": opened // SHARE,
            "found": right,
            "others": answer.copies - right,
        }


if __name__ == "__main__":
    main()
