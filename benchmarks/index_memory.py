"""How much memory does indexing a folder of 100,000 photos take, and indexing it again?

The photos are made: small, and each one different, so that every one is read, decoded, encoded by
the shipped image model and written. Large photos are measured by ``index_throughput.py``. Every
command runs in its own process, and the figure is its peak memory.
"""

import argparse
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

from PIL import Image

from benchmarks import made
from benchmarks.setting import ROOT, machine, say, tell, versions

SIDE = 24
"""Of a photo, in pixels."""
AIM = 700.0
"""In MB."""


def main() -> None:
    """Reads the arguments, makes the photos, runs the commands, prints the figures."""
    arguments = _arguments()
    with made.workplace(arguments.place) as folder:
        say(f"writing {arguments.count:,} photos")
        photos = made.write_files(folder / "photos", _photos(arguments.count), ".jpg")
        say("indexing them")
        first = _indexed(folder / "library", photos)
        if first["added"] != arguments.count:
            raise SystemExit(f"{first['added']:,} of {arguments.count:,} photos were indexed")
        say("indexing them again")
        again = _indexed(folder / "library", photos)
    tell(
        {
            "question": "the most memory that indexing holds, in MB",
            "machine": machine(),
            "versions": versions("openvino", "faiss-cpu", "numpy", "sqlalchemy", "pillow"),
            "photos": arguments.count,
            "pixels_a_side": SIDE,
            "new_photos": first,
            "unchanged_photos": again,
            "aim": AIM,
        }
    )


def _arguments() -> argparse.Namespace:
    parser = made.parser(__doc__, "photos")
    arguments = parser.parse_args()
    if arguments.count < 1:
        parser.error("the number must be at least 1")
    return arguments


def _photos(count: int) -> Iterator[bytes]:
    random = Random(0)
    for _ in range(count):
        out = io.BytesIO()
        image = Image.frombytes("RGB", (SIDE, SIDE), random.randbytes(3 * SIDE * SIDE))
        image.save(out, "JPEG", quality=80)
        yield out.getvalue()


def _indexed(library: Path, photos: Path) -> dict[str, Any]:
    """Runs ``index``: what it did, its seconds, and its peak memory."""
    words = [sys.executable, "cli.py", "index", str(photos), "--library", str(library), "--json"]
    begin = perf_counter()
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        report = json.loads(run.stdout.read())
        _, status, used = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
    if run.returncode:
        raise SystemExit(f"the command ended with {run.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "added": report["added"],
        "unchanged": report["unchanged"],
        "seconds": round(perf_counter() - begin, 1),
        "peak_memory_megabytes": round(used.ru_maxrss * unit / 1e6, 1),
    }


if __name__ == "__main__":
    main()
