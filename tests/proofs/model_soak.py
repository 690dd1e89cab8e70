"""Does a damaged model, manifest or compiled model ever change an answer or a stored vector?

Run it: ``python -m tests.proofs.model_soak``; in short: ``--cases 10``.

A copy of the shipped profile, and the cache of its compiled models, are damaged in one place at a
time: bytes overwritten at random, one bit flipped, a file cut off, emptied, lengthened, removed,
exchanged with another, or replaced by a folder. Each time, in processes of their own,

- `query` gives the answers it gave before, or refuses in one sentence that names the file;
- `index` stores for a new photo the vector that it got before, bit for bit, or refuses likewise;
- once the profile's files are whole again, whatever became of the cache, both are right.

`--seed S --case N` replays one damage.
"""

import argparse
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.setting import machine, print_json, say, versions
from pixquery.engine.library import CATALOGUE
from pixquery.engine.profile import DEFAULT, SHIPPED
from tests.proofs.material import refusal

WORDS = ("a red square", "something dark")
CLOSE = 1e-6
"""By how much relevance and similarity may differ: not at all, but for how they are printed."""
PHOTOS = 4


def main() -> None:
    """Damages files, and prints the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--case", type=int, help="replay this one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--profile", type=Path, default=SHIPPED / DEFAULT)
    arguments = parser.parse_args()
    cases = range(arguments.cases) if arguments.case is None else [arguments.case]
    with tempfile.TemporaryDirectory(prefix="pixquery-proof-") as folder:
        result = prove(Path(folder), cases, seed=arguments.seed, profile=arguments.profile)
    print_json(
        {
            "question": "does a damaged model ever change an answer or a stored vector?",
            "machine": machine(),
            "versions": versions("openvino", "tokenizers", "safetensors"),
            **result,
        }
    )
    if result["failures"]:
        sys.exit(1)


def prove(folder: Path, cases: Iterable[int], *, seed: int, profile: Path) -> dict[str, Any]:
    """Damages one file after the other.

    Args:
        folder: Empty, to work in.
        cases: Which damages.
        seed: They depend on it and on their number only.
        profile: What is copied and damaged.

    Returns:
        How many damages there were, what became of them, and ``failures``.
    """
    begin, tally = perf_counter(), Counter[str]()
    failures: list[str] = []
    place = _Place.made(folder, profile)
    numbers = list(cases)
    for case in numbers:
        one = _Case(place, random.Random(f"{seed} {case}"), tally)
        for wrong in one.run():
            failures.append(f"case {case}, {one.damage}: {wrong}")
            say(failures[-1])
        if case % 20 == 19:
            say(f"{case + 1} damages, {len(failures)} failures, {dict(tally)}")
    return {
        "damages": len(numbers),
        **{name: tally[name] for name in sorted(tally)},
        "failures": failures,
        "seconds": round(perf_counter() - begin, 1),
    }


@dataclass(frozen=True, slots=True)
class _Said:
    status: int
    output: str
    errors: str


@dataclass(frozen=True, slots=True)
class _Seen:
    """Answers to :data:`WORDS`, and the stored vector of the new photo."""

    answers: list[list[tuple[str, float, float]]]
    vector: bytes


@dataclass(frozen=True, slots=True)
class _Place:
    """A sound profile, its cache and a library; and copies of them that are damaged."""

    folder: Path
    right: _Seen

    @classmethod
    def made(cls, folder: Path, profile: Path) -> "_Place":
        chance = np.random.default_rng(0)
        for kind, count in (("photos", PHOTOS), ("new", 1)):
            (folder / kind).mkdir()
            for number in range(count):
                cells = chance.integers(0, 256, (4, 4, 3)).astype(np.uint8)
                pixels = cells.repeat(64, 0).repeat(64, 1)
                Image.fromarray(pixels).save(folder / kind / f"{number}.png")
        shutil.copytree(profile, folder / "profile")
        place = cls(folder, _Seen([], b""))
        place.keep("profile")
        place.run("index", folder / "photos", "--profile", folder / "profile")
        place.keep("library")
        answers = [place.answer(place.ask(word)) for word in WORDS]
        vector = place.vector()
        place.keep("cache")
        assert vector is not None
        return cls(folder, _Seen(answers, vector))

    def keep(self, name: str) -> None:
        shutil.copytree(self.folder / name, self.folder / f"sound {name}")

    def restore(self, *names: str) -> None:
        for name in names:
            shutil.rmtree(self.folder / name, ignore_errors=True)
            shutil.copytree(self.folder / f"sound {name}", self.folder / name)

    def run(self, *words: str | Path) -> _Said:
        done = subprocess.run(
            [sys.executable, "-m", "pixquery", *map(str, words), "--json",
             "--library", str(self.folder / "library")],
            env={**os.environ, "PIXQUERY_CACHE": str(self.folder / "cache")},
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        return _Said(done.returncode, done.stdout, done.stderr)

    def ask(self, word: str) -> _Said:
        return self.run("query", word, "-k", str(PHOTOS))

    def answer(self, said: _Said) -> list[tuple[str, float, float]]:
        return [
            (hit["path"], hit["relevance"] or 0.0, hit["similarity"])
            for hit in json.loads(said.output)["hits"]
        ]

    def vector(self) -> "bytes | None":
        """What `index` stores for the new photo; none if it refuses."""
        self.restore("library")
        said = self.run("index", self.folder / "new")
        if said.status:
            return None
        with closing(sqlite3.connect(self.folder / "library" / CATALOGUE)) as catalogue:
            row = catalogue.execute(
                "SELECT raw FROM vectors JOIN images ON images.id = image_id WHERE path LIKE ? ",
                (b"%" + os.fsencode(os.sep + "new" + os.sep) + b"%",),
            ).fetchone()
        return bytes(row[0]) if row else b""


class _Case:
    """One damage, and what becomes of it."""

    def __init__(self, place: _Place, chance: random.Random, tally: Counter[str]) -> None:
        self._place, self._chance, self._tally = place, chance, tally
        self.damage = ""
        self._file = Path()

    def run(self) -> Iterator[str]:
        self._place.restore("profile", "cache", "library")
        self._damage()
        kind = self._file.parent.name
        refused = False
        for word, right in zip(WORDS, self._place.right.answers, strict=True):
            said = self._place.ask(word)
            if said.status:
                refused = True
                yield from self._understood(said)
                break  # the other words meet the same file
            if not _equal(self._place.answer(said), right):
                yield f"silently another answer to {word!r}"
        self._tally[f"{kind}: query {'refused' if refused else 'right'}"] += 1
        yield from self._indexed(kind)
        self._place.restore("profile", "library")
        for word, right in zip(WORDS[:1], self._place.right.answers, strict=False):
            said = self._place.ask(word)
            if said.status or not _equal(self._place.answer(said), right):
                yield f"not mended: {said.errors or 'another answer'}"

    def _indexed(self, kind: str) -> Iterator[str]:
        place = self._place
        vector = place.vector()
        if vector is None:
            yield from self._understood(place.run("index", place.folder / "new"))
            self._tally[f"{kind}: index refused"] += 1
        elif vector != place.right.vector:
            yield "silently another stored vector"
        else:
            self._tally[f"{kind}: index right"] += 1

    def _understood(self, said: _Said) -> Iterator[str]:
        """A refusal is one sentence that names the file that was damaged."""
        if said.status < 0 or said.status >= 128:
            yield f"crashed with {said.status}: {said.errors}"
        yield from refusal(said.errors)
        if not any(name in said.errors for name in self._names):
            yield f"names another file: {said.errors}"

    def _damage(self) -> None:
        chance, place = self._chance, self._place
        folder = place.folder / chance.choice(("profile", "cache"))
        files = sorted(folder.iterdir())
        file = self._file = chance.choice(files)
        self._names = [file.name]
        content = bytearray(file.read_bytes())
        file.chmod(0o644)
        what = chance.choice(
            ("bytes", "bytes", "bit", "cut off", "emptied", "lengthened", "removed", "exchanged",
             "a folder", "zeros")
        )  # fmt: skip
        self.damage = f"{file.relative_to(place.folder)}: {what}"
        if what == "exchanged":
            other = chance.choice([each for each in files if each != file] or files)
            self._names.append(other.name)
            aside = folder / "aside"
            file.rename(aside)
            other.rename(file)
            aside.rename(other)
            return
        if what in ("removed", "a folder"):
            file.unlink()
            if what == "a folder":
                file.mkdir()
            return
        at = chance.randrange(len(content))
        if what == "bytes":
            for _ in range(64):
                content[chance.randrange(len(content))] ^= chance.randrange(1, 256)
        elif what == "bit":
            content[at] ^= 1 << chance.randrange(8)
        elif what == "cut off":
            del content[at:]
        elif what == "emptied":
            content.clear()
        elif what == "lengthened":
            content += chance.randbytes(chance.randrange(1, 100))
        else:
            content[at : at + 4096] = bytes(len(content[at : at + 4096]))
        times = file.stat()
        file.write_bytes(content)
        if chance.random() < 0.5:  # as a copy that keeps times would
            os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def _equal(ours: list[tuple[str, float, float]], right: list[tuple[str, float, float]]) -> bool:
    return [hit[0] for hit in ours] == [hit[0] for hit in right] and all(
        abs(mine - theirs) <= CLOSE
        for one, other in zip(ours, right, strict=True)
        for mine, theirs in zip(one[1:], other[1:], strict=True)
    )


if __name__ == "__main__":
    main()
