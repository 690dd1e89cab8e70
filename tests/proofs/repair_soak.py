"""Does a library that was repaired, or is half repaired, ever lack photos without saying so?

Run it: ``python -m tests.proofs.repair_soak``; in short: ``--damage "a row" --step 20``.

A library of two folders is damaged in one of several ways. `verify --repair` is run on copies of
it and killed at each of the calls by which it changes files of the library: before the call, and
in the middle of each write. Both is done with all photos within reach, and with one of the folders
away, as on an unplugged disk. Each time

- `verify` reports a problem, or every photo is still found: nothing is lost in silence;
- no command ends with a traceback;
- with the folder back, one `verify --repair` that nobody disturbs, and one `index`, bring back a
  library that equals a fresh build, and `verify` finds nothing.
"""

import argparse
import shlex
import shutil
import signal
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.setting import machine, print_json, say, versions
from pixquery.db.errors import PixqueryError
from pixquery.engine.library import CATALOGUE
from tests.proofs.kills import HALF_A_WRITE, KILL, Kills
from tests.proofs.material import (
    RUNGS,
    Children,
    Ended,
    NoFaults,
    Photos,
    State,
    Workplace,
    compiled_faults,
    differences,
)

PHOTOS = 14
"""In each of the two folders."""
PAGE = 4096


def _page_of(table: str) -> Callable[[Path], None]:
    """Zeroes the page that holds the first rows of a table."""

    def damage(library: Path) -> None:
        file = library / CATALOGUE
        with closing(sqlite3.connect(file)) as opened:
            (page,) = opened.execute(
                "SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)
            ).fetchone()
        content = bytearray(file.read_bytes())
        start = (page - 1) * PAGE
        if content[start] == 5:  # an inner page: take the last of those it leads to
            page = int.from_bytes(content[start + 8 : start + 12], "big")
            start = (page - 1) * PAGE
        content[start : start + PAGE] = bytes(PAGE)
        file.write_bytes(content)

    return damage


def _statement(statement: str) -> Callable[[Path], None]:
    def damage(library: Path) -> None:
        with closing(sqlite3.connect(library / CATALOGUE)) as opened, opened:
            opened.execute(statement)
        opened.close()

    return damage


def _bytes(name: str, change: Callable[[bytearray], None]) -> Callable[[Path], None]:
    def damage(library: Path) -> None:
        (file,) = library.glob(name)
        content = bytearray(file.read_bytes())
        change(content)
        file.write_bytes(content)

    return damage


def _cut(content: bytearray) -> None:
    del content[len(content) * 2 // 3 :]


def _pages_of_another_size(content: bytearray) -> None:
    content[16:18] = (8192).to_bytes(2, "big")


def _not_to_be_written(content: bytearray) -> None:
    """Names a format that SQLite reads and does not write: the file cannot be replaced in place."""
    content[18] = 3
    content[len(content) // 2] ^= 4


def _flip(content: bytearray) -> None:
    content[len(content) // 2] ^= 4


def _zero_header(content: bytearray) -> None:
    content[:100] = bytes(100)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "a row": _statement("UPDATE images SET width = width + 1 WHERE id % 5 = 0"),
    "rows gone": _statement("DELETE FROM images WHERE id % 3 = 0"),
    "a page of images": _page_of("images"),
    "a page of vectors": _page_of("vectors"),
    "owners' words": _statement("UPDATE annotations SET caption = 'other' WHERE image_id % 2"),
    "a page of annotations": _page_of("annotations"),
    "a page of localities": _page_of("localities"),
    "a page of roots": _page_of("roots"),
    "a page of settings": _page_of("settings"),
    "an index of images": _page_of("images_by_root"),
    "the end of the catalogue": _bytes(CATALOGUE, _cut),
    "a header that forbids writing": _bytes(CATALOGUE, _not_to_be_written),
    "the size of pages": _bytes(CATALOGUE, _pages_of_another_size),
    "the header": _bytes(CATALOGUE, _zero_header),
    "the log": _bytes(f"{CATALOGUE}-wal", _flip),
    "the index file": _bytes("vectors-*.faiss", _flip),
}


def main() -> None:
    """Kills `verify --repair` again and again, and prints the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--damage", choices=DAMAGES, action="append", help="only this one")
    parser.add_argument("--step", type=int, default=1, metavar="N", help="every n-th call (1)")
    arguments = parser.parse_args()
    document: dict[str, Any] = {
        "question": "does a half repaired library ever lack photos without saying so?",
        "machine": machine(),
        "versions": versions("faiss-cpu", "sqlalchemy"),
        "photos": 2 * PHOTOS,
        "damages": {},
    }
    failed = False
    for damage in arguments.damage or DAMAGES:
        with tempfile.TemporaryDirectory(prefix="pixquery-proof-") as folder:
            result = prove(Path(folder), damage, arguments.step)
        document["damages"][damage] = result
        failed = failed or bool(result["failures"])
        say(f"{damage}: {result}")
    print_json(document)
    raise SystemExit(int(failed))


def prove(folder: Path, damage: str, step: int) -> dict[str, Any]:
    """Kills a repair at every ``step``-th call.

    Raises:
        NoFaults: Here, processes cannot be killed at a call.
    """
    begin = perf_counter()
    tally: Counter[str] = Counter()
    failures: list[str] = []
    with Children(folder, compiled_faults(folder)) as children:
        proof = _Proof(Workplace(folder / "work", RUNGS["exact"]), children, damage, tally)
        for away in (False, True):
            failures += proof.killed_everywhere(step, away=away)
    return {
        **{name: tally[name] for name in sorted(tally)},
        "failures": failures,
        "seconds": round(perf_counter() - begin, 1),
    }


class _Proof:
    """One damaged library, repaired and killed again and again."""

    def __init__(
        self, workplace: Workplace, children: Children, damage: str, tally: Counter[str]
    ) -> None:
        self._workplace = workplace
        self._children = children
        self._tally = tally
        near, far = (
            Photos(workplace.folder / name, PHOTOS, seed)
            for seed, name in enumerate(("near", "far"), 3)
        )
        self._roots = [near.root, far.root]
        self._unplugged = workplace.folder / "unplugged"
        workplace.index(self._roots)
        if damage == "the log":
            for photos in (near, far):
                for _ in range(6):
                    photos.add()
            self._kill_an_index()
        self._fresh: State = workplace.fresh(self._roots)
        self._held = self._photos_of_a_copy()
        DAMAGES[damage](workplace.library)
        self._kills = Kills(children, workplace.library, ["verify", "--repair"])

    def _kill_an_index(self) -> None:
        words = ["index", *map(str, self._roots), "--batch-size", "4", "--jobs", "1"]
        ended = self._children.run(
            "command", words=[*words, *self._where], fault={
                "folder": str(self._workplace.library), "at": 25, "error": KILL, "lasting": False
            },
        )  # fmt: skip
        if ended.status != -signal.SIGKILL:
            raise AssertionError(f"index was to be killed and ended with {ended.status}")

    def _photos_of_a_copy(self) -> set[str]:
        """The photos of the library before the damage; opening a library may empty its log."""
        copy = self._workplace.folder / "copy"
        shutil.copytree(self._workplace.library, copy)
        with closing(sqlite3.connect(copy / CATALOGUE)) as opened:
            rows = opened.execute("SELECT path FROM images").fetchall()
        return {bytes(path).decode() for (path,) in rows}

    @property
    def _where(self) -> list[str]:
        return ["--library", str(self._workplace.library)]

    def killed_everywhere(self, step: int, *, away: bool) -> Iterator[str]:
        self._plug(away=away)
        self._kills.run(0)
        calls = self._kills.journal()
        self._tally["calls"] += len(calls)
        yield from (f"undisturbed, {'away' if away else 'there'}: {wrong}"
                    for wrong in self._checked())  # fmt: skip
        for at in range(1, len(calls) + 1, step):
            for way in (KILL, HALF_A_WRITE) if calls[at - 1] == "write" else (KILL,):
                self._plug(away=away)
                status = self._kills.run(at, way)
                self._tally["killed"] += status == -signal.SIGKILL
                try:
                    wrongs = list(self._checked())
                except (PixqueryError, AssertionError, sqlite3.Error) as error:
                    wrongs = [f"{type(error).__name__}: {error}"]
                for wrong in wrongs:
                    failure = (
                        f"call {at} ({calls[at - 1]}), {'half of it' if way else 'instead of it'}, "
                        f"{'away' if away else 'there'}: {wrong}"
                    )
                    say(failure)
                    yield failure

    def _plug(self, *, away: bool) -> None:
        far = self._roots[1]
        if away and far.exists():
            far.rename(self._unplugged)
        elif not away and self._unplugged.exists():
            self._unplugged.rename(far)

    def _checked(self) -> Iterator[str]:
        """What is wrong after a repair that may have been killed."""
        verified = self._command("verify", "--json")
        yield from self._understood(verified)
        if verified.status:
            self._tally["reported"] += 1
            self._tally["reported as lost"] += " lost to damage" in verified.output
        else:
            self._tally["whole"] += 1
            lacking = self._held - self._photos_of_the_library()
            if lacking:
                yield f"{len(lacking)} photos were lost in silence, as {min(lacking)}"
        self._plug(away=False)
        repaired = self._command("verify", "--repair", "--json")
        yield from self._understood(repaired)
        if repaired.status:
            yield from self._beyond_repair(repaired)
        yield from differences(self._workplace.index(self._roots), self._fresh)
        yield from (f"verify: {what}" for what in self._workplace.verify())

    def _beyond_repair(self, repaired: Ended) -> Iterator[str]:
        """Follows the advice: the catalogue was put aside, and the photos are indexed again."""
        words = repaired.output.rpartition("`pixquery ")[2].partition("`")[0]
        if not words.startswith("index "):
            yield f"verify --repair ends with {repaired.status}: {repaired.output}"
            return
        if (self._workplace.library / CATALOGUE).exists():  # a folder's name was lost
            self._tally["a folder's name was lost"] += 1
            return
        self._tally["beyond repair"] += 1
        folders = " ".join(map(shlex.quote, map(str, self._roots)))
        profile = ["--profile", str(self._workplace.profile)]
        done = self._command(*shlex.split(words.replace("FOLDER", folders)), *profile, as_is=True)
        if done.status:
            yield f"`pixquery {words}` ends with {done.status}: {done.output}"

    def _photos_of_the_library(self) -> set[str]:
        return set(self._workplace.state().photos)

    def _command(self, *words: str, as_is: bool = False) -> Ended:
        words = words if as_is else (*words, *self._where)
        return self._children.run("command", words=words)

    def _understood(self, ended: Ended) -> Iterator[str]:
        if ended.status < 0 or "Traceback" in ended.output or "This is a bug" in ended.output:
            yield f"ended with {ended.status}: {ended.output}"


if __name__ == "__main__":
    try:
        main()
    except NoFaults as reason:
        raise SystemExit(str(reason)) from None
