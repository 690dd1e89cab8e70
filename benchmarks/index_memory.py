"""How much memory does indexing a folder of 100,000 photos take, and indexing it again?

The photos are made: small, each one different in content and in pixels, so that every one is read,
decoded, encoded by the shipped image model and written. Their bytes are no matter here; what large
photos take is told by ``index_throughput.py``. Every command is a process of its own, and the
figure is the most memory that it ever held.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

from PIL import Image

from benchmarks.setting import ROOT, machine, say, tell, versions

A_FOLDER = 500
"""Files in each folder, as a camera makes them."""
SIDE = 24
"""Of a photo, in pixels."""
AIM = 700.0
"""In MB."""


def main() -> None:
    """Reads the arguments, makes the photos, runs the commands, prints the figures."""
    asked = _arguments()
    with tempfile.TemporaryDirectory(prefix="pixquery-bench-", dir=asked.place) as name:
        place = Path(name)
        os.environ["PIXQUERY_CACHE"] = str(place / "cache")
        say(f"writing {asked.count:,} photos")
        photos = _photos(place / "photos", asked.count)
        say("indexing them")
        first = _indexed(place / "library", photos)
        if first["added"] != asked.count:
            raise SystemExit(f"{first['added']:,} of {asked.count:,} photos were indexed")
        say("indexing them again")
        again = _indexed(place / "library", photos)
    tell(
        {
            "question": "the most memory that indexing holds, in MB",
            "machine": machine(),
            "versions": versions("openvino", "faiss-cpu", "numpy", "sqlalchemy", "pillow"),
            "photos": asked.count,
            "pixels_a_side": SIDE,
            "new_photos": first,
            "unchanged_photos": again,
            "aim": AIM,
        }
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=100_000, metavar="N", help="photos (100000)")
    parser.add_argument("--place", type=Path, metavar="DIR", help="where they are made")
    asked = parser.parse_args()
    if asked.count < 1:
        parser.error("the number must be at least 1")
    return asked


def _photos(root: Path, count: int) -> Path:
    random = Random(0)
    for number in range(count):
        folder = root / f"{number // A_FOLDER:04d}"
        folder.mkdir(parents=True, exist_ok=True)
        image = Image.frombytes("RGB", (SIDE, SIDE), random.randbytes(3 * SIDE * SIDE))
        image.save(folder / f"photo-{number:07d}.jpg", quality=80)
    return root


def _indexed(library: Path, photos: Path) -> dict[str, Any]:
    """One ``index`` command: what it did, its seconds, and the most memory it held."""
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
