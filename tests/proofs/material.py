"""The material of the proofs: small photos that change, libraries of them, and child processes.

The photos are colour squares and the profile is the tests' colour encoder. A hundred are indexed in
a fraction of a second, and only the models are smaller than in a library of real photos.
"""

import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from PIL import Image

import pixquery.engine.vectors
from benchmarks.setting import ROOT as ROOT
from pixquery import Library, Query
from pixquery.db.errors import LibraryNotFound
from pixquery.db.records import FileState
from pixquery.indexer.build import Options, index
from pixquery.indexer.scan import compare, scan_roots
from pixquery.indexer.sidecars import state_of as state_of_sidecars
from pixquery.indexer.undescribed import to_describe
from tests.conftest import COLOURS as COLOURS
from tests.conftest import centred as centred
from tests.conftest import square as square
from tests.conftest import write_profile
from tests.test_xmp_words import array, packet

Limits = Mapping[str, int]

RUNGS: dict[str, Limits] = {
    "exact": {"EXACT_LIMIT": 1_000_000},
    "inverted": {"EXACT_LIMIT": 40},
}
"""Each rung of the ladder: the sizes at which `pixquery.engine.vectors` changes rungs."""

BATCH = 8
"""Photos per transaction; small, for many transactions in a short run."""
CLOSE = 5e-3
"""Half-precision vectors of unit length differ by less than this in any cosine."""


# -- photos ------------------------------------------------------------------------------------


TOWNS = ((38.72, -9.14), (48.21, 16.37), (-33.87, 151.21))
"""Where some photos were taken: Lisbon, Vienna, Sydney."""


class Photos:
    """A folder of colour squares that changes at random, as people change folders.

    Two in three have a caption or coordinates, and words are written beside some later.
    """

    def __init__(self, root: Path, count: int, seed: int) -> None:
        self.root = root
        self.random = random.Random(seed)
        root.mkdir(parents=True)
        self._next = 0
        for _ in range(count):
            self.add()

    def files(self) -> list[Path]:
        """All files but sidecars, sorted."""
        files = (file for file in self.root.rglob("*.*") if file.suffix != ".xmp")
        return sorted(file for file in files if file.is_file())

    def add(self) -> None:
        """Adds a photo; one in twenty is unusable."""
        file = self._new()
        if self.random.random() < 0.05:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self.random.randbytes(200))
        else:
            square(file, self._colour(), (8, 8), exif=self._exif())

    def change(self) -> None:
        """Makes one random change."""
        files = self.files()
        what = self.random.choice(
            ("add", "add", "edit", "move", "copy", "delete", "touch", "write")
        )
        if what == "add" or len(files) < 3:
            self.add()
            return
        file = self.random.choice(files)
        if what == "edit":
            square(file, self._colour(), (9, 8 + self.random.randrange(8)), exif=self._exif())
        elif what == "move":
            to = self._new()
            to.parent.mkdir(parents=True, exist_ok=True)
            file.rename(to)
        elif what == "copy":
            to = self._new()
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, to)
        elif what == "delete":
            file.unlink()
        elif what == "write":
            self._write_beside(file)
        else:
            os.utime(file, (1, self.random.randrange(2**31)))

    def _new(self) -> Path:
        self._next += 1
        return self.root / self.random.choice(("", "a", "a/b")) / f"{self._next:05d}.png"

    def _exif(self) -> Image.Exif:
        exif = Image.Exif()
        if self.random.random() < 0.4:
            exif[0x010E] = f"caption {self.random.randrange(1000)}"
        if self.random.random() < 0.4:
            latitude, longitude = self.random.choice(TOWNS)
            exif[0x8825] = {
                1: "N" if latitude > 0 else "S", 2: (abs(latitude), 0.0, 0.0),
                3: "E" if longitude > 0 else "W", 4: (abs(longitude), 0.0, 0.0),
            }  # fmt: skip
        return exif

    def _write_beside(self, file: Path) -> None:
        """Writes, changes or removes a photo's sidecar."""
        sidecar = file.with_name(f"{file.name}.xmp")
        if sidecar.exists() and self.random.random() < 0.5:
            sidecar.unlink()
            return
        words = packet(array("dc:subject", [f"keyword {self.random.randrange(1000)}"]))
        sidecar.write_bytes(words)

    def _colour(self) -> tuple[int, int, int]:
        red, green, blue = (self.random.randrange(256) for _ in range(3))
        return red, green, blue


# -- libraries ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class State:
    """Everything that a library contains, except its ids."""

    photos: Mapping[str, tuple[object, ...]]
    """By path: size, time, content, width, height, format, EXIF, words, town, raw vector."""
    skipped: Mapping[str, tuple[object, ...]]
    roots: tuple[str, ...]
    answers: Mapping[str, Mapping[str, float]]
    """By colour word, then by path: the similarity."""


def state_of(library: Library) -> State:
    """Reads a library through its own functions."""
    encoder = library.profile.encoder
    records = list(library.catalog.everything())
    ids = [record.id for record in records]
    raw = library.catalog.vectors_of(ids, encoder)
    annotations, localities = library.catalog.annotations(ids), library.catalog.localities(ids)
    known = {
        name: file
        for root in library.catalog.roots()
        for name, file in library.catalog.known(root.path, encoder).items()
    }
    return State(
        photos={
            str(record.path): (
                *record.state, record.content, record.width, record.height, record.format,
                record.taken, record.camera, record.place,
                annotations.get(record.id) or None, localities.get(record.id),
                raw[record.id].tobytes() if record.id in raw else None,
            )
            for record in records
        },
        skipped={name: (*f.state, f.reason) for name, f in known.items() if not f.id},
        roots=tuple(str(root.path) for root in library.catalog.roots()),
        answers=answers_of(library),
    )  # fmt: skip


def answers_of(library: Library) -> dict[str, dict[str, float]]:
    """All hits of a library for each colour word, with their similarities."""
    answers = {}
    for word in COLOURS:
        everything = max(1, len(library))
        hits = library.search(Query(word, k=everything, candidates=everything)).hits
        similarities = [hit.similarity or 0.0 for hit in hits]
        paths = [str(hit.path) for hit in hits]
        # Relevance is computed from the vectors, and orders hits that differ by rounding only.
        if any(after > before + 1e-6 for before, after in pairwise(similarities)):
            raise AssertionError(f"the answer to {word} is not in order")
        if len(set(paths)) != len(paths):
            raise AssertionError(f"the answer to {word} names a photo twice")
        answers[word] = dict(zip(paths, similarities, strict=True))
    return answers


def differences(state: State, wanted: State) -> list[str]:
    """How a state differs from the wanted one; empty if it does not."""
    problems = []
    for name in ("photos", "skipped"):
        ours, theirs = getattr(state, name), getattr(wanted, name)
        problems += [f"{name}: {path} is missing" for path in theirs.keys() - ours.keys()]
        problems += [f"{name}: {path} should not be there" for path in ours.keys() - theirs.keys()]
        problems += [
            f"{name}: {path} differs: {ours[path]} != {theirs[path]}"
            for path in ours.keys() & theirs.keys()
            if ours[path] != theirs[path]
        ]
    if state.roots != wanted.roots:
        problems.append(f"roots: {state.roots} != {wanted.roots}")
    return problems + answer_differences(state.answers, wanted.answers) + untrue(state)


def answer_differences(
    state: Mapping[str, Mapping[str, float]], wanted: Mapping[str, Mapping[str, float]]
) -> list[str]:
    """How answers differ by more than the rounding of the index."""
    problems = []
    for word, theirs in wanted.items():
        ours = state[word]
        if ours.keys() != theirs.keys():
            odd = sorted(ours.keys() ^ theirs.keys())
            problems.append(f"answers: {word}: {len(odd)} photos differ, as {odd[:3]}")
        elif any(abs(ours[path] - theirs[path]) > CLOSE for path in theirs):
            problems.append(f"answers: {word}: other similarities")
    return problems


def untrue(state: State) -> list[str]:
    """How the answers of a state differ from the cosines of the vectors in its catalogue."""
    wanted: dict[str, dict[str, float]] = {word: {} for word in COLOURS}
    for path, (*_, raw) in state.photos.items():
        if not isinstance(raw, bytes):
            continue
        vector = np.frombuffer(raw, np.float16).astype(np.float64) - 0.5
        vector /= np.linalg.norm(vector)
        for word, answer in wanted.items():
            answer[path] = float(vector @ centred(word))
    return answer_differences(state.answers, wanted)


@contextmanager
def rung(limits: Limits) -> Iterator[None]:
    """Makes this process change rungs at these sizes."""
    before = {name: getattr(pixquery.engine.vectors, name) for name in limits}
    for name, value in limits.items():
        setattr(pixquery.engine.vectors, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(pixquery.engine.vectors, name, value)


@dataclass(slots=True)
class Workplace:
    """The folder of a proof: the profile, the photos, the library, and fresh builds."""

    folder: Path
    limits: Limits
    profile: Path = field(init=False)
    library: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.profile = self.folder / "profile"
        self.library = self.folder / "library"
        os.environ.setdefault("PIXQUERY_CACHE", str(self.folder / "cache"))
        if not self.profile.exists():
            write_profile(self.profile, "colours")

    @property
    def created(self) -> bool:
        """Whether the library is there; before it has a profile, it is not."""
        try:
            Library.open(self.library).close()
        except LibraryNotFound:
            return False
        return True

    def index(self, roots: Sequence[Path], library: Path | None = None) -> State:
        """Indexes in this process, as a user would after a failure; returns the outcome."""
        with (
            rung(self.limits),
            Library.open(library or self.library, create=True, profile=str(self.profile)) as opened,
        ):
            index(opened, roots, Options(batch_size=BATCH, jobs=2))
            return state_of(opened)

    def fresh(self, roots: Sequence[Path]) -> State:
        """What a fresh library of these folders contains."""
        folder = self.folder / "fresh"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            return self.index(roots, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def state(self) -> State:
        """What the library contains and answers now."""
        with rung(self.limits), Library.open(self.library) as opened:
            return state_of(opened)

    def answers(self) -> dict[str, dict[str, float]]:
        """What the library answers now."""
        with rung(self.limits), Library.open(self.library) as opened:
            return answers_of(opened)

    def hits(self) -> dict[str, list[list[object]]]:
        """What the library answers now, with all fields of each hit."""
        with rung(self.limits), Library.open(self.library) as opened:
            everything = max(1, len(opened))
            return {
                word: [
                    [str(h.path), h.similarity, h.width, h.height, h.modified.timestamp()]
                    for h in opened.search(Query(word, k=everything, candidates=everything)).hits
                ]
                for word in COLOURS
            }

    def kind(self) -> str:
        """The rung in words, to check that it is the intended one."""
        with rung(self.limits), Library.open(self.library) as opened:
            return opened.index.kind

    def verify(self) -> list[str]:
        """What `verify` finds."""
        with rung(self.limits), Library.open(self.library) as opened:
            return [finding.what for finding in opened.verify()]

    def promise(self, roots: Sequence[Path]) -> "Promise":
        """What an indexing run has to do now."""
        if not self.created:
            return Promise({str(path): state for root in roots for path, state
                            in scan_roots([root])[root].states.items()})  # fmt: skip
        files: dict[str, FileState] = {}
        words: dict[str, str] = {}
        with Library.open(self.library) as opened:
            for root, scanned in scan_roots(roots).items():
                known = opened.catalog.known(root, opened.profile.encoder)
                files |= {str(path): state for path, state, _ in compare(scanned, known).fresh}
                words |= {
                    str(path): state_of_sidecars(scanned.sidecars.get(str(path), ()))
                    for path, _ in to_describe(opened.catalog, root, scanned, known)
                }
        return Promise(files, words)


@dataclass(frozen=True, slots=True)
class Promise:
    """What a run has to note in the catalogue."""

    files: Mapping[str, FileState]
    """The new and changed files, with their states."""
    words: Mapping[str, str] = field(default_factory=dict)
    """The unchanged photos whose owner's words changed, with the states of their sidecars."""

    def kept(self, workplace: Workplace) -> int:
        """How much of it the catalogue contains now."""
        if not workplace.created:
            return 0
        with Library.open(workplace.library) as opened:
            known = {
                name: file
                for root in opened.catalog.roots()
                for name, file in opened.catalog.known(root.path, opened.profile.encoder).items()
            }
            sidecars = opened.catalog.sidecars()
        return sum(
            name in known and known[name].state == state for name, state in self.files.items()
        ) + sum(
            name in known and sidecars.get(known[name].id, "") == state
            for name, state in self.words.items()
        )


# -- children ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended."""

    status: int
    """Its exit code, or minus the signal that ended it."""
    seconds: float
    output: str
    """Everything it printed."""


class Children:
    """Processes that do one thing each, with the fault library loaded if it was compiled."""

    def __init__(self, folder: Path, faults: Path | None = None) -> None:
        self._folder = folder
        environment = dict(os.environ)
        if faults is not None:
            environment["LD_PRELOAD"] = str(faults)
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.proofs.child"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
            bufsize=1,
        )

    def close(self) -> None:
        """Ends the server."""
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait(30)
        self._server.stdout.close()

    def __enter__(self) -> "Children":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, do: str, *, kill_after: float | None = None, **arguments: Any) -> Ended:
        """Lets a child do something; kills it after ``kill_after`` seconds if that is given."""
        log = self._folder / "child.log"
        self._ask({"do": do, "log": str(log), **arguments})
        pid = int(self._answer()["pid"])
        begin = monotonic()
        if kill_after is not None and not self._answers_within(kill_after):
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(pid, signal.SIGKILL)
        status = int(self._answer()["status"])
        return Ended(status, monotonic() - begin, log.read_text("utf-8", "replace"))

    def _ask(self, document: Mapping[str, Any]) -> None:
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(document) + "\n")
        self._server.stdin.flush()

    def _answer(self) -> Any:
        assert self._server.stdout is not None
        return json.loads(self._server.stdout.readline())

    def _answers_within(self, seconds: float) -> bool:
        assert self._server.stdout is not None
        return bool(select.select([self._server.stdout], [], [], seconds)[0])


def compiled_faults(folder: Path) -> Path:
    """Compiles tests/proofs/faults.c.

    Raises:
        NoFaults: The system is not Linux, or has no compiler.
    """
    compiler = next((path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))), "")
    if not (compiler and sys.platform == "linux"):
        raise NoFaults("faults are injected on Linux where a C compiler is installed")
    file = folder / "faults.so"
    done = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(file),
         str(Path(__file__).with_name("faults.c")), "-ldl", "-lpthread"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise NoFaults(f"the fault library cannot be compiled here: {done.stderr.strip()}")
    return file


class NoFaults(RuntimeError):
    """Faults cannot be injected here; the message says why."""


def refusal(output: str) -> list[str]:
    """What is wrong with an error message; empty if it is one sentence."""
    lines = [line for line in output.splitlines() if line.strip()]
    if len(lines) == 1 and lines[0].startswith("pixquery: ") and "This is a bug" not in lines[0]:
        return []
    return [f"not one sentence: {output.strip()!r}"]
