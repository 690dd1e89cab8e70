"""Runs that are stopped, or find no room on the disk."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pixquery import Library
from pixquery.db.errors import LibraryLocked, LibraryNotFound
from pixquery.engine.library import CATALOGUE
from pixquery.indexer.build import Options, index
from tests.comparing import (
    answers,
    assert_equals_fresh,
    counts,
)
from tests.conftest import (
    REPOSITORY,
    Invoke,
    NewLibrary,
    Spawn,
)


@pytest.mark.parametrize("stop_after", [0, 1, 3])
def test_ctrl_c_keeps_what_was_done(stop_after: int, new_library: NewLibrary, many: Path) -> None:
    calls = 0

    def stop(done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls > stop_after:
            raise KeyboardInterrupt

    library = new_library()
    report = index(library, [many], Options(batch_size=16, progress=stop))
    assert report.interrupted
    assert report.added == report.images == len(library.index) == 16 * stop_after
    rest = index(library, [many])
    assert counts(rest) == {
        name: count
        for name, count in (("added", 150 - 16 * stop_after), ("unchanged", 16 * stop_after))
        if count
    }
    assert_equals_fresh(library, many, new_library)


@contextmanager
def running(*words: str | Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, *map(str, words)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            pytest.fail("the condition did not become true within a minute")
        time.sleep(0.005)


def photos_in(folder: Path) -> int:
    """How many photos a library holds so far; none while another process still creates it."""
    try:
        with Library.open(folder) as library:
            return len(library)
    except LibraryNotFound:
        return 0


@pytest.mark.skipif(os.name != "posix", reason="these signals exist on POSIX only")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_is_completed_by_the_next(
    how: signal.Signals, many: Path, tmp_path: Path, colours: Path, new_library: NewLibrary
) -> None:
    place = tmp_path / "library"
    command = ("index", many, "--library", place, "--batch-size", "1", "--jobs", "1")
    with running("cli.py", *command, "--profile", colours) as process:
        wait_for(lambda: photos_in(place) > 5)
        process.send_signal(how)
        _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    if how == signal.SIGINT:
        assert "interrupted" in errors
    assert process.returncode == (-signal.SIGKILL if how == signal.SIGKILL else 130)
    with Library.open(place) as library:
        kept = len(library)
        assert 5 < kept < 150
        assert len(library.index) == kept  # what was written is searchable
        report = index(library, [many])
        assert (report.added, report.unchanged) == (150 - kept, kept)
        assert_equals_fresh(library, many, new_library)


def test_a_second_writer_is_refused_and_readers_are_not(
    library: Library, squares: Path, invoke: Invoke
) -> None:
    library.search("red")
    program = (
        "import sys; from pixquery import Library\n"
        "with Library.open(sys.argv[1]) as library, library.writing():\n"
        "    print('held', flush=True); input()\n"
    )
    with running("-c", program, library.folder) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LibraryLocked):
            index(library, [squares])
        refused = invoke("index", squares, "--library", library.folder)
        assert refused.exit_code == 75
        assert "written to by another" in refused.stderr
        assert invoke("query", "red", "--library", library.folder).exit_code == 0
        holder.kill()  # the lock of a dead process is free
        holder.wait()
        assert invoke("index", squares, "--library", library.folder).exit_code == 0


def test_readers_do_not_wait_for_a_writer(library: Library, squares: Path) -> None:
    library.search("red")
    program = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('BEGIN IMMEDIATE'); print('held', flush=True); input()\n"
    )
    with running("-c", program, library.folder / CATALOGUE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with running("cli.py", "query", "red", "-k", "1", "--library", library.folder) as reader:
            try:
                answer, _ = reader.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                pytest.fail("a query waited for the end of a writer's transaction")
        assert "red" in answer


# -- no room -----------------------------------------------------------------------------------


def assert_survives_a_full_disk(
    place: Path,
    squares: Path,
    many: Path,
    full: Callable[..., subprocess.CompletedProcess[str]],
    relieve: Callable[[], object],
    new_library: NewLibrary,
) -> None:
    with Library.open(place) as library:
        before = answers(library)
    failed = full("index", many, "--library", place, "--batch-size", "4")
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert failed.stderr.startswith("pixquery: ")
    assert failed.stderr.count("\n") == 1
    assert "Traceback" not in failed.stderr
    assert "what was written before is kept" in failed.stderr or "are safe" in failed.stderr
    query = full("query", "red", "-k", "1", "--paths", "--library", place)
    assert query.returncode == 0, query.stderr
    relieve()
    with Library.open(place) as library:
        after = answers(library)
        for old, new in zip(before, after, strict=True):
            assert set(old) <= set(new)
        report = index(library, [squares, many])
        assert report.images == 158
        fresh = new_library()
        index(fresh, [squares, many])
        assert answers(library) == answers(fresh)


@pytest.mark.skipif(os.name != "posix", reason="file size limits exist on POSIX only")
def test_a_file_that_cannot_grow(
    squares: Path, many: Path, tmp_path: Path, colours: Path, new_library: NewLibrary
) -> None:
    import resource

    place = tmp_path / "library"
    with Library.open(place, create=True, profile=str(colours)) as library:
        index(library, [squares])

    def full(*words: str | Path) -> subprocess.CompletedProcess[str]:
        limit = 130_000
        return subprocess.run(
            [sys.executable, "cli.py", *map(str, words)],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        )

    assert_survives_a_full_disk(place, squares, many, full, lambda: None, new_library)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A separate disk with hardly any room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=280k", "none", str(disk)]
    if mount is None or subprocess.run([mount, *options], capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk(
    small_disk: Path,
    squares: Path,
    many: Path,
    colours: Path,
    new_library: NewLibrary,
    spawn: Spawn,
) -> None:
    place = small_disk / "library"
    with Library.open(place, create=True, profile=str(colours)) as library:
        index(library, [squares])

    def full(*words: str | Path) -> subprocess.CompletedProcess[str]:
        # There is not even room for compiled models, which are optional.
        return spawn(*words, PIXQUERY_CACHE=str(small_disk / "cache"))

    def relieve() -> None:
        subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)

    assert_survives_a_full_disk(place, squares, many, full, relieve, new_library)
