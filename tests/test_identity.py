"""One photo per file, whatever names it has."""

import os
from pathlib import Path

import pytest

from pixquery.engine.library import Library
from pixquery.indexer.build import Options, index
from pixquery.indexer.identity import CHECKED
from tests.conftest import NewLibrary, square

FOLLOW = Options(follow_links=True)


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path]:
    """A folder with a link to another, and the other."""
    a, b = tmp_path / "a", tmp_path / "b"
    square(a / "own.png", "green")
    square(b / "red.png", "red")
    square(b / "sub" / "blue.png", "blue")
    (a / "link").symlink_to(b)
    return a, b


def paths(library: Library) -> set[Path]:
    return {record.path for record in library.catalog.everything()}


def test_links_into_another_root(both: tuple[Path, Path], new_library: NewLibrary) -> None:
    a, b = both
    library = new_library()
    report = index(library, [a, b], FOLLOW)
    assert (report.added, report.linked, report.images) == (3, 2, 3)
    assert paths(library) == {a / "own.png", b / "red.png", b / "sub" / "blue.png"}
    report = index(library, [], FOLLOW)
    assert (report.unchanged, report.linked, report.changes) == (3, 2, 0)
    report = index(library, [])
    assert (report.unchanged, report.linked, report.changes) == (3, 0, 0)


def test_roots_one_after_the_other(both: tuple[Path, Path], new_library: NewLibrary) -> None:
    a, b = both
    library = new_library()
    index(library, [a], FOLLOW)
    first = paths(library)
    report = index(library, [b], FOLLOW)
    assert (report.added, report.linked, report.images) == (0, 2, 3)
    assert paths(library) == first  # the name that the library has stays
    report = index(library, [])  # and when it leads nowhere, the other is there at once
    assert (report.images, report.moved, report.removed) == (3, 2, 0)
    assert paths(library) == {a / "own.png", b / "red.png", b / "sub" / "blue.png"}


def test_hard_links_across_roots(tmp_path: Path, new_library: NewLibrary) -> None:
    photo = square(tmp_path / "b" / "red.png", "red")
    square(tmp_path / "b" / "blue.png", "blue")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "same.png").hardlink_to(photo)
    square(tmp_path / "a" / "copy.png", "red")
    os.utime(tmp_path / "a" / "copy.png", ns=(0, photo.stat().st_mtime_ns))
    for order in (["a", "b"], ["b", "a"]):
        library = new_library()
        for root in order:
            index(library, [tmp_path / root])
        report = index(library, [])
        assert (report.images, report.unchanged, report.linked) == (3, 3, 1)
        names = {path.name for path in paths(library)}
        assert names == {"blue.png", "copy.png", "same.png" if order[0] == "a" else "red.png"}
        library.close()


def test_a_touched_file_stays_one(tmp_path: Path, new_library: NewLibrary) -> None:
    photo = square(tmp_path / "a" / "red.png", "red")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "same.png").hardlink_to(photo)
    square(tmp_path / "b" / "blue.png", "blue")
    library = new_library()
    square(tmp_path / "a" / "black.png", "black")
    assert index(library, [tmp_path / "a", tmp_path / "b"]).images == 3
    os.utime(photo, ns=(0, 1_600_000_000_000_000_000))
    assert index(library, []).images == 3
    square(photo, "green")  # another content, the same file
    report = index(library, [])
    assert (report.images, report.updated, report.linked) == (3, 1, 1)
    photo.unlink()
    report = index(library, [])
    assert (report.images, report.moved) == (3, 1)
    assert paths(library) > {tmp_path / "b" / "same.png", tmp_path / "b" / "blue.png"}


def test_a_library_with_repeated_photos_is_mended(tmp_path: Path, new_library: NewLibrary) -> None:
    """As earlier versions let them in: a copy that became a hard link, with its size and time."""
    for root in ("a", "b"):
        square(tmp_path / root / "red.png", "red")
        square(tmp_path / root / "copy.png", "blue")
    moment = 1_600_000_000_000_000_000
    for file in tmp_path.rglob("*.png"):
        os.utime(file, ns=(moment, moment))
    library = new_library()
    assert index(library, [tmp_path / "a", tmp_path / "b"]).images == 4
    ids = {record.path: record.id for record in library.catalog.everything()}
    assert library.catalog.setting(CHECKED) == str(library.catalog.revision)
    (tmp_path / "b" / "red.png").unlink()
    (tmp_path / "b" / "red.png").hardlink_to(tmp_path / "a" / "red.png")
    library.catalog.keep(CHECKED, "")
    report = index(library, [])
    assert (report.mended, report.images, report.linked, report.unchanged) == (1, 3, 1, 3)
    kept = {record.path: record.id for record in library.catalog.everything()}
    assert kept == {path: ids[path] for path in kept}
    assert tmp_path / "b" / "red.png" not in kept
    assert index(library, []).mended == 0
    assert library.catalog.problems() == []


def test_what_is_out_of_reach_is_no_other_name(tmp_path: Path, new_library: NewLibrary) -> None:
    photo = square(tmp_path / "a" / "red.png", "red")
    square(tmp_path / "a" / "blue.png", "blue")  # without it, the folder would count as moved
    moment = photo.stat().st_mtime_ns
    library = new_library()
    index(library, [tmp_path / "a"])
    (tmp_path / "a").rename(tmp_path / "unplugged")
    copy = square(tmp_path / "b" / "red.png", "red")
    os.utime(copy, ns=(moment, moment))
    report = index(library, [tmp_path / "b"])
    assert (report.added, report.images) == (1, 3)
