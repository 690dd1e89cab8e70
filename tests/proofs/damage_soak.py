"""Is every damaged file of a library noticed, and repaired or refused with the next command?

Run it: ``python -m tests.proofs.damage_soak``; in short: ``--cases 10``.

Flips a random bit of a random file of a library, or cuts the file off at a random length: the
catalogue, its write-ahead log and that log's index, the vector index, the lock. The libraries were
closed properly, on each rung of the ladder, and in one the writer was killed. Each time

- `query` answers correctly, or refuses in one sentence that names the next command; if the log was
  damaged, it may answer from an older state, as SQLite keeps what comes before the damage;
- `verify` finds the damage, or nothing that the library contains was affected;
- `verify --repair`, and the command that it names, lead to the same library as a fresh build;
  photos are encoded again only if their row or vector is gone; a damaged file is kept as
  `*.corrupt-*`.

`--seed S --case N` replays one damage.
"""

import argparse
import json
import random
import shlex
import shutil
import signal
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.setting import machine, say, tell, versions
from pixquery.db.errors import PixqueryError
from pixquery.engine.library import CATALOGUE
from tests.proofs.material import (
    BATCH,
    CLOSE,
    COLOURS,
    RUNGS,
    Children,
    Ended,
    Limits,
    NoFaults,
    Photos,
    State,
    Workplace,
    compiled_faults,
    differences,
    refusal,
)

PHOTOS = 60


def main() -> None:
    """Damages libraries, and prints the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=1000, metavar="N", help="damages (1000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int, metavar="N", help="only this one")
    arguments = parser.parse_args()
    cases = range(arguments.cases) if arguments.case is None else [arguments.case]
    with tempfile.TemporaryDirectory(prefix="pixquery-proof-") as folder:
        result = prove(Path(folder), cases, arguments.seed)
    tell(
        {
            "question": "is every damaged file noticed, and repaired or clearly refused?",
            "machine": machine(),
            "versions": versions("faiss-cpu", "sqlalchemy"),
            "seed": arguments.seed,
            "photos": PHOTOS,
            **result,
        }
    )
    raise SystemExit(int(bool(result["failures"])))


def prove(folder: Path, cases: range | list[int], seed: int) -> dict[str, Any]:
    """Damages a library in each case; every case has its own seed.

    Raises:
        NoFaults: Here, the writer cannot be killed at a chosen call.
    """
    begin = perf_counter()
    tally: Counter[str] = Counter()
    failures = []
    with Children(folder, compiled_faults(folder)) as children:
        models = [
            _Model.closed(folder / "exact", RUNGS["exact"]),
            _Model.closed(folder / "inverted", RUNGS["inverted"]),
            _Model.killed(folder / "killed", RUNGS["inverted"], children),
        ]
        for case in cases:
            chance = random.Random(f"{seed} {case}")
            one = _Case(chance.choice(models), children, chance, tally)
            try:
                wrongs = list(one.run())
            except (PixqueryError, AssertionError, sqlite3.Error) as error:
                wrongs = [f"{type(error).__name__}: {error}"]
            failures += [f"case {case}, {one.damage}: {wrong}" for wrong in wrongs]
            for wrong in wrongs:
                say(f"case {case}, {one.damage}: {wrong}")
            if case % 100 == 99:
                say(f"{case + 1} damages, {len(failures)} failures, {dict(tally)}")
    return {
        "damages": len(cases),
        **{name: tally[name] for name in sorted(tally)},
        "failures": failures,
        "seconds": round(perf_counter() - begin, 1),
    }


@dataclass(frozen=True, slots=True)
class _Model:
    """A sound library; copies of it are damaged."""

    workplace: Workplace
    photos: Photos
    sound: Path
    """The undamaged files."""
    fresh: State
    revision: int
    unencoded: int
    """Photos that were not encoded yet when the writer was killed."""
    answers: Any = field(hash=False)
    """The correct answers."""

    @classmethod
    def closed(cls, folder: Path, limits: Limits) -> "_Model":
        workplace = Workplace(folder, limits)
        photos = Photos(folder / "photos", PHOTOS, 5)
        workplace.index([photos.root])
        return cls._of(workplace, photos)

    @classmethod
    def killed(cls, folder: Path, limits: Limits, children: Children) -> "_Model":
        """A library whose writer was killed while changes were in the log only."""
        workplace = Workplace(folder, limits)
        photos = Photos(folder / "photos", PHOTOS, 6)
        workplace.index([photos.root])
        for _ in range(30):
            photos.change()
        ended = children.run(
            "index", library=str(workplace.library), profile=str(workplace.profile),
            roots=[str(photos.root)], batch_size=BATCH, limits=dict(limits),
            acknowledged=str(folder / "acknowledged"),
            fault={"folder": str(workplace.library), "at": 45, "error": 0, "lasting": False},
        )  # fmt: skip
        if ended.status != -signal.SIGKILL:
            raise AssertionError(f"index was to be killed and ended with {ended.status}")
        if not (workplace.library / f"{CATALOGUE}-wal").is_file():
            raise AssertionError("the killed writer left no log")
        return cls._of(workplace, photos)

    @classmethod
    def _of(cls, workplace: Workplace, photos: Photos) -> "_Model":
        sound = workplace.folder / "sound"
        workplace.library.rename(sound)
        shutil.copytree(sound, workplace.library)
        answers = workplace.hits()
        catalogue = workplace.library / CATALOGUE
        with closing(sqlite3.connect(catalogue)) as opened:
            revision = opened.execute("SELECT max(revision) FROM vectors").fetchone()[0]
        fresh = workplace.fresh([photos.root])
        workplace.index([photos.root])
        unencoded = _encoded_since(revision, catalogue)
        return cls(workplace, photos, sound, fresh, revision, unencoded, answers)


class _Case:
    """One damage, how it is reported, and how it is repaired."""

    def __init__(
        self, model: _Model, children: Children, chance: random.Random, tally: Counter[str]
    ) -> None:
        self._model = model
        self._children = children
        self._chance = chance
        self._tally = tally
        self._library = model.workplace.library
        self._where = ["--library", str(self._library)]
        self.damage = ""

    def run(self) -> Iterator[str]:
        shutil.rmtree(self._library, ignore_errors=True)
        shutil.copytree(self._model.sound, self._library)
        file = self._damage()
        damaged = file.read_bytes()
        kind = file.name.split("-0")[0]
        log = file.name.startswith(f"{CATALOGUE}-")
        verified = self._command("verify", "--json")
        noticed = verified.status != 0
        yield from self._understood(verified)
        answer = self._ask()
        if answer.status:
            yield from refusal(answer.output)
            if "`pixquery " not in answer.output:
                yield f"query names no next command: {answer.output}"
            self._tally[f"{kind}: query refused"] += 1
        elif (odd := self._odd(json.loads(answer.output))) and not (log and self._older()):
            yield f"query answers wrongly, and verify says {verified.output[:300]!r}: {odd}"
        else:
            self._tally[f"{kind}: query {'of an older state' if odd else 'right'}"] += 1
        self._tally[f"{kind}: {'noticed' if noticed else 'not noticed'}"] += 1
        yield from self._repaired(file, damaged, log=log)

    def _damage(self) -> Path:
        files = sorted(f for f in self._library.iterdir() if f.stat().st_size or f.name == "lock")
        file = self._chance.choice(files)
        content = bytearray(file.read_bytes())
        if not content:  # the lock is empty: write anything into it
            content = bytearray(self._chance.randbytes(8))
            self.damage = f"{file.name}: overwritten"
        elif self._chance.random() < 0.7:
            offset = self._chance.randrange(len(content))
            bit = self._chance.randrange(8)
            content[offset] ^= 1 << bit
            self.damage = f"{file.name}: bit {bit} of byte {offset} of {len(content)}"
        else:
            length = self._chance.randrange(len(content))
            self.damage = f"{file.name}: cut off at {length} of {len(content)}"
            del content[length:]
        file.write_bytes(content)
        return file

    def _repaired(self, file: Path, damaged: bytes, *, log: bool) -> Iterator[str]:
        repaired = self._command("verify", "--repair", "--json")
        if repaired.status:
            yield from self._understood(repaired)
            words = repaired.output.rpartition("`pixquery ")[2].partition("`")[0]
            if not words.startswith("index "):
                yield f"verify --repair ends with {repaired.status}: {repaired.output}"
                return
            words = words.replace("FOLDER", shlex.quote(str(self._model.photos.root)))
            self._tally[f"{file.name.split('-0')[0]}: beyond repair"] += 1
            profile = ["--profile", str(self._model.workplace.profile)]
            done = self._command(*shlex.split(words), *profile, as_is=True)
            if done.status:
                yield f"`pixquery {words}` ends with {done.status}: {done.output}"
                return
        else:
            encoded = _encoded_since(self._model.revision, self._library / CATALOGUE)
            encoded = 0 if log else encoded - self._model.unencoded
            self._tally["photos encoded again by repair"] += encoded
            if encoded and CATALOGUE not in file.name:
                yield f"{encoded} photos were encoded again"
        if not log and damaged and file.name != "lock":
            kept = [f.read_bytes() for f in self._library.glob("*.corrupt-*")]
            if (not file.exists() or file.read_bytes() != damaged) and not repaired.status:
                self._tally["damaged files kept aside"] += damaged in kept
        after = self._model.workplace.index([self._model.photos.root])
        yield from differences(after, self._model.fresh)
        yield from (f"verify: {what}" for what in self._model.workplace.verify())

    def _ask(self) -> Ended:
        return self._children.run(
            "answers", library=str(self._library), words=list(COLOURS),
            limits=dict(self._model.workplace.limits),
        )  # fmt: skip

    def _command(self, *words: str, as_is: bool = False) -> Ended:
        words = words if as_is else (*words, *self._where)
        return self._children.run("command", words=words, limits=dict(self._model.workplace.limits))

    def _understood(self, ended: Ended) -> Iterator[str]:
        """A command must end with one sentence or its findings, never with a traceback."""
        if ended.status < 0 or "Traceback" in ended.output or "This is a bug" in ended.output:
            yield f"ended with {ended.status}: {ended.output}"

    def _odd(self, answers: Any) -> str:
        """How answers differ from the correct ones, in any field."""
        for word, wanted in self._model.answers.items():
            ours = {hit[0]: hit[1:] for hit in answers[word]}
            theirs = {hit[0]: hit[1:] for hit in wanted}
            if ours.keys() != theirs.keys():
                return f"{word}: {sorted(ours.keys() ^ theirs.keys())}"
            for path, (similarity, *others) in theirs.items():
                if abs(ours[path][0] - similarity) > CLOSE or ours[path][1:] != others:
                    return f"{word}: {path}: {ours[path]} != {theirs[path]}"
        return ""

    def _older(self) -> bool:
        """Whether the catalogue is sound, though it has lost the end of its log."""
        return not self._command("verify", "--json").output.count("checksum")


def _encoded_since(revision: int, catalogue: Path) -> int:
    """How many photos got their vectors after a revision."""
    with closing(sqlite3.connect(catalogue)) as opened:
        row = opened.execute("SELECT count(*) FROM vectors WHERE revision > ?", (revision,))
        return int(row.fetchone()[0])


if __name__ == "__main__":
    try:
        main()
    except NoFaults as reason:
        raise SystemExit(str(reason)) from None
