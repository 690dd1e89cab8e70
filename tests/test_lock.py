"""The writer's lock: who waits for whom, and what a migration waits for."""

import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pixquery import Library
from pixquery.db.errors import LibraryLocked
from pixquery.db.metadata import TABLES
from pixquery.db.migrations import NEWEST
from pixquery.engine.library import CATALOGUE
from pixquery.engine.lock import writers_lock
from pixquery.indexer.build import index
from tests.conftest import REPOSITORY, Invoke, Spawn, square

HOLDER = """
import sys, time
from pathlib import Path
from pixquery.engine.lock import writers_lock
with writers_lock(Path(sys.argv[1]), brief=sys.argv[2] == "brief"):
    print("held", flush=True)
    time.sleep(float(sys.argv[3]))
"""


@pytest.fixture
def place(tmp_path: Path, squares: Path, colours: Path) -> Path:
    """A closed library of the squares."""
    with Library.open(tmp_path / "library", create=True, profile=str(colours)) as library:
        index(library, [squares])
    return tmp_path / "library"


@contextmanager
def holder(place: Path, how: str, seconds: float) -> Iterator[None]:
    """Another process that holds the lock of a library."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(place), how, str(seconds)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield
        finally:
            process.kill()


def version(place: Path) -> int:
    with closing(sqlite3.connect(place / CATALOGUE)) as catalogue:
        return int(catalogue.execute("PRAGMA user_version").fetchone()[0])


def older(place: Path, to: int = 5) -> None:
    """Makes the catalogue one of an earlier version."""
    with closing(sqlite3.connect(place / CATALOGUE)) as catalogue, catalogue:
        for table in ("losses", *TABLES):
            catalogue.execute(f"DROP TABLE {table}")
        catalogue.execute("ALTER TABLE generations DROP COLUMN checksum")
        if to < 5:
            catalogue.execute("DROP TABLE concept_examples")
            catalogue.execute("DROP TABLE concept_names")
        catalogue.execute(f"PRAGMA user_version = {to}")
    catalogue.close()


# -- who waits ----------------------------------------------------------------------------------


def test_index_waits_for_a_query_that_brings_the_index_file_up_to_date(
    place: Path, squares: Path, spawn: Spawn
) -> None:
    square(squares / "new.png", (200, 20, 20))
    with holder(place, "brief", 2.5):
        done = spawn("index", squares, "--library", place)
    assert done.returncode == 0, done.stderr
    assert "1 added" in done.stdout
    assert done.stderr.count("waiting for it") == 1


def test_index_does_not_wait_for_another_index(place: Path, squares: Path, spawn: Spawn) -> None:
    with holder(place, "long", 30):
        begin = time.monotonic()
        done = spawn("index", squares, "--library", place)
    assert done.returncode == 75
    assert time.monotonic() - begin < 15
    assert "waiting" not in done.stderr


def test_readers_that_catch_up_never_make_index_fail(
    place: Path, squares: Path, tmp_path: Path
) -> None:
    # Each query finds a catalogue newer than its index file, and publishes another.
    words = [sys.executable, str(REPOSITORY / "cli.py")]
    for turn in range(4):
        square(squares / f"{turn}.png", (200, 20, turn))
        with closing(sqlite3.connect(place / CATALOGUE)) as catalogue, catalogue:
            catalogue.execute("DELETE FROM generations")
        catalogue.close()
        readers = [
            subprocess.Popen([*words, "query", "red", "--library", str(place)],
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]  # fmt: skip
        written = subprocess.run(
            [*words, "index", str(squares), "--library", str(place)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        for reader in readers:
            _, errors = reader.communicate()
            assert reader.returncode == 0, errors
        assert written.returncode == 0, written.stderr
    with Library.open(place) as library:
        assert len(library) == 12
        assert library.verify() == []


def test_a_reader_does_not_wait(place: Path, spawn: Spawn) -> None:
    next(place.glob("vectors-*")).unlink()
    for how in ("long", "brief"):
        with holder(place, how, 30):
            begin = time.monotonic()
            done = spawn("query", "red", "-k", "1", "--library", place)
        assert done.returncode == 0, done.stderr
        assert time.monotonic() - begin < 15


def test_waiting_ends(place: Path) -> None:
    told = []
    with holder(place, "brief", 30):
        for brief in (False, True):
            begin = time.monotonic()
            with (
                pytest.raises(LibraryLocked),
                writers_lock(place, brief=brief, patience=0.3, waiting=lambda: told.append(1)),
            ):
                pass
            assert 0.2 < time.monotonic() - begin < 5
    assert told == [1, 1]


# -- migrations ---------------------------------------------------------------------------------


def test_a_query_reads_an_earlier_version_beneath_its_writer(place: Path, spawn: Spawn) -> None:
    older(place)
    with holder(place, "long", 30):
        for words in (["query", "red", "-k", "1"], ["info"], ["verify"]):
            done = spawn(*words, "--library", place)
            assert done.returncode == 0, done.stderr
        assert version(place) == 5


def test_a_writer_brings_it_up_to_date(place: Path, squares: Path, invoke: Invoke) -> None:
    older(place)
    assert invoke("query", "red", "--library", place).exit_code == 0
    assert version(place) == 5
    assert invoke("index", squares, "--library", place).exit_code == 0
    assert version(place) == NEWEST
    assert invoke("verify", "--library", place).exit_code == 0


def test_a_version_that_cannot_be_read_waits_for_its_writer(place: Path, spawn: Spawn) -> None:
    older(place, 4)
    with holder(place, "long", 30):
        done = spawn("query", "red", "--library", place)
        assert done.returncode == 75
        assert "try again when it is done" in done.stderr
        assert version(place) == 4
    assert spawn("query", "red", "--library", place).returncode == 0
    assert version(place) == NEWEST


def test_a_library_of_an_earlier_version_that_nobody_may_write_answers(
    place: Path, invoke: Invoke
) -> None:
    older(place)
    kept = (place / CATALOGUE).read_bytes()
    copy = shutil.copytree(place, place.parent / "copy")
    assert invoke("query", "red", "-k", "1", "--library", copy).exit_code == 0
    assert (copy / CATALOGUE).read_bytes() == kept
