"""Do writers and readers of one library get in each other's way?

Run it: ``python -m tests.proofs.contention_soak``; in short: ``--seconds 10``.

Several writers index the same folder as often as they can, while photos are added and removed. Each
run takes the lock, or is refused because another holds it. Several readers query all the time. An
answer must contain every photo that was in the catalogue before and after it and in the reader's
index, no photo that was in neither, none twice, and each with the cosine of its colour, which is
part of the file's name. In the end, one `index` must lead to the same library as a fresh build.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from benchmarks.setting import machine, say, tell, versions
from pixquery import Library, Query
from pixquery.db.errors import LibraryLocked, LibraryNotFound, PixqueryError
from pixquery.indexer.build import Options, index
from tests.proofs.material import CLOSE, ROOT, RUNGS, Workplace, centred, differences, rung, square

GROUP = 6
GROUPS = 24
WORDS = ("red", "green", "blue")


def main() -> None:
    """Starts writers and readers, and prints the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--readers", type=int, default=4)
    parser.add_argument("--rung", choices=RUNGS, default="inverted")
    parser.add_argument("--be", choices=("writer", "reader"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.be:
        with rung(RUNGS[arguments.rung]):
            _be(arguments.be, arguments.folder, monotonic() + arguments.seconds)
        return
    with tempfile.TemporaryDirectory(prefix="pixquery-proof-") as folder:
        result = prove(
            Path(folder), arguments.seconds, writers=arguments.writers, readers=arguments.readers,
            on=arguments.rung,
        )  # fmt: skip
    tell(
        {
            "question": "do writers and readers of one library get in each other's way?",
            "machine": machine(),
            "versions": versions("faiss-cpu", "sqlalchemy", "filelock"),
            "rung": arguments.rung,
            **result,
        }
    )
    raise SystemExit(int(bool(result["failures"])))


def prove(folder: Path, seconds: float, *, writers: int, readers: int, on: str) -> dict[str, Any]:
    """Lets processes write and read for this many seconds."""
    workplace = Workplace(folder, RUNGS[on])
    photos = folder / "photos"
    chance = random.Random(1)
    for group in range(GROUPS // 2):
        _come(photos, group, chance)
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.proofs.contention_soak", "--be", role,
             "--folder", str(folder), "--rung", on, "--seconds", str(seconds)],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for role in ["writer"] * writers + ["reader"] * readers
    ]  # fmt: skip
    end = monotonic() + seconds
    changes = 0
    while monotonic() < end:
        group = chance.randrange(GROUPS)
        if (photos / f"{group:02d}").is_dir():
            _go(photos, group)
        else:
            _come(photos, group, chance)
        changes += 1
        sleep(0.2)
    tally: Counter[str] = Counter()
    failures: list[str] = []
    for process in started:
        output = process.communicate(timeout=120)[0]
        try:
            result = json.loads(output.splitlines()[-1])
        except (IndexError, ValueError):
            failures.append(f"a process ended with {process.returncode}: {output}")
            continue
        failures += result.pop("failures")
        tally.update(result)
    after = workplace.index([photos])
    failures += differences(after, workplace.fresh([photos]))
    failures += [f"verify: {what}" for what in workplace.verify()]
    for failure in failures[:20]:
        say(failure)
    return {
        "seconds": seconds,
        "writers": writers,
        "readers": readers,
        "changes of the folder": changes,
        **{name: tally[name] for name in sorted(tally)},
        "failures": failures,
    }


def _come(photos: Path, group: int, chance: random.Random) -> None:
    """Adds a group of photos, all at once as far as the indexer can see."""
    beside = photos.parent / f"coming-{group:02d}"
    for number in range(GROUP):
        red, green, blue = (chance.randrange(256) for _ in range(3))
        name = f"{group:02d}-{number}-{red}-{green}-{blue}.png"
        square(beside / name, (red, green, blue), (8, 8))
    photos.mkdir(exist_ok=True)
    beside.rename(photos / f"{group:02d}")


def _go(photos: Path, group: int) -> None:
    gone = photos.parent / f"going-{group:02d}"
    (photos / f"{group:02d}").rename(gone)
    for file in gone.iterdir():
        file.unlink()
    gone.rmdir()


def _be(role: str, folder: Path, end: float) -> None:
    workplace = Workplace(folder, {})
    tally: Counter[str] = Counter()
    failures: list[str] = []
    while monotonic() < end:
        try:
            if role == "writer":
                _write(workplace, folder / "photos", tally)
            else:
                failures += _read(workplace, tally)
        except LibraryLocked:
            tally[f"{role} had to wait"] += 1
            sleep(0.01)
        except LibraryNotFound:
            sleep(0.01)  # no writer has begun yet
        except PixqueryError as error:
            failures.append(f"{role}: {type(error).__name__}: {error}")
    print(json.dumps({**tally, "failures": failures}))
    sys.stdout.flush()
    os._exit(0)


def _write(workplace: Workplace, photos: Path, tally: Counter[str]) -> None:
    with Library.open(workplace.library, create=True, profile=str(workplace.profile)) as library:
        index(library, [photos], Options(batch_size=GROUP, jobs=1))
    tally["runs of index"] += 1


def _read(workplace: Workplace, tally: Counter[str]) -> list[str]:
    wrong = []
    with Library.open(workplace.library) as library:
        indexed = {int(image_id) for image_id in library.index.ids()}
        for word in WORDS:
            before = _vector_ids(library)
            hits = library.search(Query(word, k=GROUP * GROUPS, candidates=GROUP * GROUPS)).hits
            tally["answers"] += 1
            tally["hits"] += len(hits)
            paths = [hit.path for hit in hits]
            ids, after = {hit.id for hit in hits}, _vector_ids(library)
            if not indexed & before & after <= ids <= indexed & (before | after):
                wrong.append(f"the answer to {word} is of no state that was ever published")
            if len(set(paths)) != len(paths):
                wrong.append(f"the answer to {word} names a photo twice")
            if [hit.rank for hit in hits] != sorted(hit.rank for hit in hits):
                wrong.append(f"the answer to {word} is not in order")
            for hit in hits:
                red, green, blue = map(int, hit.path.stem.split("-")[2:])
                if abs(hit.similarity - centred((red, green, blue)) @ centred(word)) > CLOSE:
                    wrong.append(f"{hit.path.name} has the similarity {hit.similarity} to {word}")
    return wrong


def _vector_ids(library: Library) -> set[int]:
    return {int(image_id) for image_id in library.catalog.vector_ids(library.profile.encoder)}


if __name__ == "__main__":
    main()
