# ruff: noqa: E402 - two variables must be set before NumPy is imported
r"""How long does it take to find that nothing changed in a folder of 100,000 files?

Measured against ``find -printf '%s %T@ %p\n'`` over the same files, which looks at each of them
once and does no more; the rounds of all take turns. The files are tiny images, each one its own
file. They are written into the catalogue with made vectors: how they got there is no matter here.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # as the command line does, before NumPy is imported

import numpy as np
import xxhash
from PIL import Image

from benchmarks.setting import ROOT, machine, peak_memory, say, tell, versions
from pixquery import Library
from pixquery.db.records import FileState, ImageRecord
from pixquery.indexer.build import index
from pixquery.indexer.scan import scan

A_FOLDER = 500
"""Files in each folder, as a camera makes them."""
WRITTEN_AT_ONCE = 2000
AIM = 4.0


def main() -> None:
    """Reads the arguments, makes the files and the library, prints the figures."""
    asked = _arguments()
    with tempfile.TemporaryDirectory(prefix="pixquery-bench-", dir=asked.place) as name:
        place = Path(name)
        os.environ["PIXQUERY_CACHE"] = str(place / "cache")
        say(f"writing {asked.count:,} files")
        photos = _photos(place / "photos", asked.count)
        say("writing the library")
        _fill(place / "library", photos, asked.count)
        found = _measured(place / "library", photos, asked)
    tell(
        {
            "question": "seconds to find that nothing changed",
            "machine": machine(),
            "versions": versions("sqlalchemy", "numpy"),
            "files": asked.count,
            "files_a_folder": A_FOLDER,
            "rounds": asked.rounds,
            **found,
            "aim": AIM,
            "peak_memory_megabytes": peak_memory(),
        }
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=100_000, metavar="N", help="files (100000)")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="rounds of each (7)")
    parser.add_argument("--place", type=Path, metavar="DIR", help="where the files are made")
    asked = parser.parse_args()
    if min(asked.count, asked.rounds) < 1:
        parser.error("the numbers must be at least 1")
    return asked


def _photos(root: Path, count: int) -> Path:
    """Writes that many images of one pixel, of different bytes."""
    import io

    held = io.BytesIO()
    Image.new("RGB", (1, 1)).save(held, "PNG")
    content = held.getvalue()  # what follows a PNG's end is no part of the picture
    for number in range(count):
        folder = root / f"{2000 + number // (A_FOLDER * 20)}" / f"{number // A_FOLDER:04d}"
        if number % A_FOLDER == 0:
            folder.mkdir(parents=True)
        (folder / f"IMG_{number:06d}.png").write_bytes(content + number.to_bytes(4, "little"))
    return root


def _fill(folder: Path, photos: Path, count: int) -> None:
    """Puts all files into a library, as indexing them would."""
    rng = np.random.default_rng(0)
    states = list(scan(photos).states.items())
    assert len(states) == count
    with Library.open(folder, create=True) as library, library.writing():
        catalog, profile = library.catalog, library.profile
        root = catalog.add_root(photos)
        for start in range(0, count, WRITTEN_AT_ONCE):
            records = [
                _record(path, state) for path, state in states[start : start + WRITTEN_AT_ONCE]
            ]
            raw = rng.standard_normal((len(records), profile.dimension)).astype(np.float16)
            catalog.put(root, records, raw, profile.encoder)
        library.publish()


def _record(path: str, state: FileState) -> ImageRecord:
    content = xxhash.xxh3_128_digest(Path(path).read_bytes())
    return ImageRecord(Path(path), state, content, 1, 1, "PNG")


def _measured(folder: Path, photos: Path, asked: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, str(ROOT / "cli.py"), "index", str(photos)]
    command += ["--library", str(folder), "--json"]

    def by_find() -> None:
        listed = subprocess.run(
            ["find", str(photos), "-type", "f", "-printf", r"%s %T@ %p\n"],
            check=True,
            stdout=subprocess.PIPE,
        ).stdout
        assert listed.count(b"\n") == asked.count

    def by_pass() -> None:
        report = index(library, [photos])
        assert (report.unchanged, report.changes) == (asked.count, 0)

    def by_command() -> None:
        done = subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE)
        assert json.loads(done.stdout)["unchanged"] == asked.count

    spent: dict[str, list[float]] = {}
    with Library.open(folder) as library:
        for turn in range(asked.rounds + 1):
            say(f"round {turn} of {asked.rounds}" if turn else "warming up")
            for name, run in (("find", by_find), ("pass", by_pass), ("command", by_command)):
                seconds = _seconds(run)
                if turn:
                    spent.setdefault(name, []).append(seconds)
    least = median(spent["find"])
    return {
        "find_command": r"find DIR -type f -printf '%s %T@ %p\n'",
        "find_seconds": _spread(spent["find"]),
        "pass_seconds": _spread(spent["pass"]),
        "command_seconds": _spread(spent["command"]),
        "pass_to_find": round(median(spent["pass"]) / least, 2),
        "command_to_find": round(median(spent["command"]) / least, 2),
    }


def _seconds(run: Callable[[], None]) -> float:
    begin = perf_counter()
    run()
    return perf_counter() - begin


def _spread(values: list[float]) -> dict[str, float]:
    return {
        "median": round(median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
    }


if __name__ == "__main__":
    main()
