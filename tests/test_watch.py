"""A watched library stays up to date with its roots."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pytest

from pixquery import Library
from pixquery.db.errors import BadRoot
from pixquery.indexer.build import Options, index
from pixquery.indexer.ignore import IGNORE_FILE
from pixquery.indexer.report import IndexReport
from pixquery.indexer.watch import keep_in_step
from tests.conftest import REPOSITORY, Invoke, NewLibrary, Spawn, square
from tests.test_xmp_words import array, packet

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent by POSIX signals")


PATIENCE = 240
"""Seconds to wait for anything, even on a busy computer."""


def following(passes: Iterator[IndexReport]) -> IndexReport:
    """The next pass; an alarm ends watchfiles' waiting as Ctrl-C does."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(PATIENCE)
    try:
        return next(passes)
    except KeyboardInterrupt:
        pytest.fail("the pass that was waited for did not come")
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        if process is not None and process.poll() is not None:
            pytest.fail(f"the watching process ended: {process.communicate()}")
        if time.monotonic() > end:
            pytest.fail("what was waited for did not happen")
        time.sleep(0.02)


def photos_of(place: Path) -> set[str]:
    """The photos of a library, by name."""
    with Library.open(place) as library:
        return {record.path.name for record in library.catalog.everything()}


@contextmanager
def watching(place: Path, *words: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Runs the command; it must end properly on Ctrl-C."""
    process = subprocess.Popen(
        [sys.executable, "cli.py", "index", "--watch", "--library", place, *map(str, words)],
        cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
        if process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
        assert "Traceback" not in errors
        assert "stopped watching" in errors
        assert process.returncode in (0, 130)  # the latter in the midst of a pass
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    square(tmp_path / "photos" / "red.png", "red")
    square(tmp_path / "photos" / "sub" / "blue.png", "blue")
    return tmp_path / "photos"


def test_a_watched_library_follows_its_roots(
    root: Path, tmp_path: Path, colours: Path, spawn: Spawn
) -> None:
    place = root / "library"  # even there, its own writing starts nothing
    other = tmp_path / "other"
    square(other / "green.png", "green")
    (root / "everything").symlink_to("/", target_is_directory=True)  # is not watched
    assert spawn("index", root, other, "--library", place, "--profile", colours).returncode == 0
    with watching(place) as process:

        def settles(*names: str) -> None:
            wait_for(lambda: photos_of(place) == {f"{name}.png" for name in names}, process)

        square(root / "cyan.png", "cyan")
        settles("red", "blue", "green", "cyan")
        (root / "cyan.png").rename(other / "sky.png")
        settles("red", "blue", "green", "sky")
        (root / "sub" / "blue.png").unlink()
        settles("red", "green", "sky")
        square(root / "new" / "deep" / "white.png", "white")  # folders that came meanwhile, too
        settles("red", "green", "sky", "white")
        square(root / "new" / "deep" / "black.png", "black")
        settles("red", "green", "sky", "white", "black")
        (root / IGNORE_FILE).write_text("new\n")
        settles("red", "green", "sky")
        (root / IGNORE_FILE).unlink()
        settles("red", "green", "sky", "white", "black")
        other.rename(tmp_path / "unplugged")
        wait_for(lambda: not other.exists(), process)
        (tmp_path / "unplugged" / "green.png").rename(tmp_path / "unplugged" / "grass.png")
        (tmp_path / "unplugged").rename(other)
        settles("red", "grass", "sky", "white", "black")
        (root / "red.png").unlink()
        settles("grass", "sky", "white", "black")
    with Library.open(place) as library:
        assert library.search("green", k=1).hits[0].path == other / "grass.png"
        revision = library.catalog.revision
        index(library, [])
        assert library.catalog.revision == revision


def test_a_sidecar_that_comes_and_goes_is_seen(root: Path, new_library: NewLibrary) -> None:
    library = new_library()
    passes = keep_in_step(library, [root])
    assert following(passes).added == 2
    sidecar = root / "red.png.xmp"
    sidecar.write_bytes(packet(array("dc:subject", ["Lisbon"])))
    assert until_described(passes) == 1
    sidecar.unlink()
    assert until_described(passes) == 1


def until_described(passes: Iterator[IndexReport]) -> int:
    """How many photos the first pass describes that describes any."""
    return next(report.described for _ in range(9) if (report := following(passes)).described)


def test_what_changes_before_it_is_watched_is_seen(
    root: Path, new_library: NewLibrary, tmp_path: Path
) -> None:
    library = new_library()
    passes = keep_in_step(library, [root])
    assert following(passes).added == 2
    square(root / "green.png", "green")  # nobody is at the generator now
    square(root / "new" / "white.png", "white")
    added = 0
    while added < 2:
        added += following(passes).added
    assert len(library) == 4
    passes.close()  # type: ignore[attr-defined]


def test_names_that_are_not_unicode_do_not_end_the_watch(
    root: Path, new_library: NewLibrary
) -> None:
    odd = root / os.fsdecode(b"caf\xe9")
    try:
        odd.mkdir()
    except OSError as error:
        pytest.skip(f"this file system refuses the name: {error}")
    library = new_library()
    passes = keep_in_step(library, [root])
    assert following(passes).added == 2
    square(root / "green.png", "green").rename(root / os.fsdecode(b"gr\xfcn.png"))
    assert following(passes).added == 1
    square(odd / "white.png", "white")
    square(root / "black.png", "black")
    added = 0
    while added < 2:
        added += following(passes).added
    passes.close()  # type: ignore[attr-defined]
    with pytest.raises(BadRoot, match="Unicode"):
        next(keep_in_step(library, [odd]))


def test_links_are_watched_when_they_are_followed(
    root: Path, new_library: NewLibrary, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    square(outside / "green.png", "green")
    (root / "out").symlink_to(outside, target_is_directory=True)
    library = new_library()
    passes = keep_in_step(library, [root], Options(follow_links=True))
    assert following(passes).added == 3
    square(outside / "cyan.png", "cyan")
    assert following(passes).added == 1
    passes.close()  # type: ignore[attr-defined]


def test_a_root_may_be_away_and_come(root: Path, new_library: NewLibrary, tmp_path: Path) -> None:
    library = new_library()
    index(library, [root])
    root.rename(tmp_path / "unplugged")
    passes = keep_in_step(library, [])
    away = following(passes)
    assert [(lost.path, lost.images) for lost in away.vanished] == [(root, 2)]
    square(tmp_path / "unplugged" / "green.png", "green")
    (tmp_path / "unplugged").rename(root)
    back = following(passes)
    assert (back.added, back.unchanged, back.vanished) == (1, 2, ())
    passes.close()  # type: ignore[attr-defined]


def test_a_pass_waits_for_another_writer(root: Path, new_library: NewLibrary) -> None:
    library = new_library()
    index(library, [root])
    program = (
        "import sys, time; from pathlib import Path; from pixquery import Library\n"
        "with Library.open(sys.argv[1]) as library, library.writing():\n"
        "    print('held', flush=True); time.sleep(3)\n"
        "    print('left', flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, library.folder],
        cwd=REPOSITORY, stdout=subprocess.PIPE, text=True,
    ) as holder:  # fmt: skip
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        square(root / "green.png", "green")
        passes = keep_in_step(library, [])
        assert following(passes).added == 1
        assert holder.stdout.readline() == "left\n"
        passes.close()  # type: ignore[attr-defined]


def test_json_reports_each_run(root: Path, tmp_path: Path, colours: Path) -> None:
    place = tmp_path / "library"
    with watching(place, root, "--profile", colours, "--json") as process:
        first = printed(process)
        square(root / "green.png", "green")
        second = printed(process)  # the photo is in the catalogue before its run is reported
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=PATIENCE)
    reports = json.loads("[" + (first + second + out).replace("}\n{", "},{") + "]")
    assert [report["added"] for report in reports] == [2, 1], errors


def printed(process: subprocess.Popen[str]) -> str:
    """The next report, or what there is of it if the process ends."""
    assert process.stdout is not None
    lines = []
    patience = Timer(PATIENCE, process.kill)
    patience.start()
    for line in iter(process.stdout.readline, ""):
        lines.append(line)
        if line == "}\n":
            break
    patience.cancel()
    return "".join(lines)


def test_a_missing_package_is_named(root: Path, tmp_path: Path, invoke: Invoke) -> None:
    program = (
        "import sys; sys.modules['watchfiles'] = None; from pixquery.commands.entry import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "index", root, "--watch", "--library", tmp_path / "l"],
        cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == (
        "pixquery: this command needs the package watchfiles: pip install 'pixquery[watch]'\n"
    )
    assert not (tmp_path / "l").exists()


def test_a_folder_must_be_known_to_be_watched(tmp_path: Path, invoke: Invoke) -> None:
    done = invoke("index", "--watch", "--library", tmp_path / "l")
    assert done.exit_code == 2
    assert "name a folder" in done.stderr


def test_a_root_that_was_moved_whole_ends_nothing(
    root: Path, tmp_path: Path, new_library: NewLibrary
) -> None:
    library = new_library()
    other = square(tmp_path / "other" / "green.png", "green").parent
    index(library, [root, other])
    passes = keep_in_step(library, [])
    following(passes)
    root.rename(other / "photos")
    while following(passes).moved != 2:
        pass
    assert [folder.path for folder in library.catalog.roots()] == [other]
    square(other / "cyan.png", "cyan")
    while following(passes).added != 1:
        pass
    square(root / "white.png", "white")  # it is back
    while following(passes).added != 1:
        pass
    assert {folder.path for folder in library.catalog.roots()} == {root, other}
