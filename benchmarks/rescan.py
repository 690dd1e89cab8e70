# ruff: noqa: E402 - two variables must be set before NumPy is imported
r"""How long does it take to find that nothing changed in a folder of 100,000 files?

Compared with ``find -printf '%s %T@ %p\n'`` over the same files, which looks at each of them once
and does nothing else; the rounds of all alternate. The files are tiny images, all different. They
are written into the catalogue with made vectors, as only the second run is measured.

With ``--changes`` also: how long does it take after every file was touched, or renamed? Compared
with reading all files, which such a run cannot do without.
"""

import argparse
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # as the command line does, before NumPy is imported

import numpy as np
from PIL import Image

from benchmarks import made
from benchmarks.setting import ROOT, machine, peak_memory, print_json, say, versions
from pixquery import Library
from pixquery.db.records import FileState, ImageRecord
from pixquery.engine.photos import fingerprint
from pixquery.indexer.build import index
from pixquery.indexer.scan import scan

WRITTEN_AT_ONCE = 2000
AIM = 4.0

_Step = tuple[str, Callable[[Path], None], Callable[[], None]]
"""What is measured: its name, what is done to the files before, and the run."""


def main() -> None:
    """Makes the files and the library, and prints the figures."""
    arguments = _arguments()
    with made.workplace(arguments.place) as folder:
        say(f"writing {arguments.count:,} files")
        photos = made.write_files(folder / "photos", _images(arguments.count), ".png")
        say("writing the library")
        _fill(folder / "library", photos, arguments.count)
        figures = _measured(folder / "library", photos, arguments)
    print_json(
        {
            "question": "seconds to find that nothing changed",
            "machine": machine(),
            "versions": versions("sqlalchemy", "numpy"),
            "files": arguments.count,
            "files_a_folder": made.A_FOLDER,
            "rounds": arguments.rounds,
            **figures,
            "aim": AIM,
            "peak_memory_megabytes": peak_memory(),
        }
    )


def _arguments() -> argparse.Namespace:
    parser = made.parser(__doc__, "files")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="rounds of each (7)")
    parser.add_argument("--changes", action="store_true", help="also touch and rename all files")
    arguments = parser.parse_args()
    if min(arguments.count, arguments.rounds) < 1:
        parser.error("the numbers must be at least 1")
    return arguments


def _images(count: int) -> Iterator[bytes]:
    """Images of one pixel, of different bytes: what follows a PNG's end is not decoded."""
    out = io.BytesIO()
    Image.new("RGB", (1, 1)).save(out, "PNG")
    content = out.getvalue()
    return (content + number.to_bytes(4, "little") for number in range(count))


def _fill(folder: Path, photos: Path, count: int) -> None:
    """Adds all files to a library, as indexing would."""
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
    return ImageRecord(Path(path), state, fingerprint(Path(path).read_bytes()), 1, 1, "PNG")


def _measured(folder: Path, photos: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, str(ROOT / "cli.py"), "index", str(photos)]
    command += ["--library", str(folder), "--json"]

    def by_find() -> None:
        listed = subprocess.run(
            ["find", str(photos), "-type", "f", "-printf", r"%s %T@ %p\n"],
            check=True,
            stdout=subprocess.PIPE,
        ).stdout
        assert listed.count(b"\n") == arguments.count

    def by_pass() -> None:
        report = index(library, [photos])
        assert (report.unchanged, report.changes) == (arguments.count, 0)

    def by_command() -> None:
        done = subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE)
        assert json.loads(done.stdout)["unchanged"] == arguments.count

    def by_reading() -> None:
        for file in scan(photos).files:
            file.read_bytes()

    def touched_pass() -> None:
        report = index(library, [photos])
        assert (report.unchanged, report.changes) == (arguments.count, 0)

    def renamed_pass() -> None:
        report = index(library, [photos])
        assert (report.moved, report.changes) == (arguments.count, arguments.count)

    def renamed_command() -> None:
        done = subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE)
        assert json.loads(done.stdout)["moved"] == arguments.count

    steps: list[_Step] = [
        ("find", _nothing, by_find),
        ("pass", _nothing, by_pass),
        ("command", _nothing, by_command),
    ]
    if arguments.changes:
        steps += [
            ("reading", _nothing, by_reading),
            ("touched_pass", _touch, touched_pass),
            ("touched_command", _touch, by_command),
            ("renamed_pass", _rename, renamed_pass),
            ("renamed_command", _rename, renamed_command),
        ]
    spent: dict[str, list[float]] = {}
    with Library.open(folder) as library:
        for turn in range(arguments.rounds + 1):
            say(f"round {turn} of {arguments.rounds}" if turn else "warming up")
            for name, prepare, run in steps:
                prepare(photos)
                seconds = _seconds(run)
                if turn:
                    spent.setdefault(name, []).append(seconds)
    least = median(spent["find"])
    changes = {f"{name}_seconds": _spread(spent[name]) for name, prepare, _ in steps[3:]} | {
        f"{name}_to_unchanged": round(median(spent[name]) / median(spent[name[8:]]), 2)
        for name, _, _ in steps[4:]
    }
    return {
        "find_command": r"find DIR -type f -printf '%s %T@ %p\n'",
        "find_seconds": _spread(spent["find"]),
        "pass_seconds": _spread(spent["pass"]),
        "command_seconds": _spread(spent["command"]),
        "pass_to_find": round(median(spent["pass"]) / least, 2),
        "command_to_find": round(median(spent["command"]) / least, 2),
        **changes,
    }


def _nothing(_photos: Path) -> None:
    """Leaves the files as they are."""


def _touch(photos: Path) -> None:
    """Makes every file a second younger."""
    for file in scan(photos).files:
        later = file.stat().st_mtime_ns + 10**9
        os.utime(file, ns=(later, later))


def _rename(photos: Path) -> None:
    """Gives every file another name in its folder."""
    for file in scan(photos).files:
        file.rename(file.with_name(f"x{file.name}" if file.name[0] != "x" else file.name[1:]))


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
