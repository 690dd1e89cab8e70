"""One run of the indexer: what a change in a folder does to the library."""

import os
import shutil
from pathlib import Path

import pytest

from pixquery import Library
from pixquery.indexer.build import Options, index
from tests.comparing import (
    counts,
    stems,
)
from tests.conftest import (
    COLOURS,
    NewLibrary,
    square,
)


def test_folders_are_named_as_people_type_them(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    photo = square(tmp_path / "photos" / "red.png", "red")
    assert index(library, ["~/photos"]).added == 1
    assert photo in [record.path for record in library]


def test_every_format_is_indexed(library: Library, squares: Path) -> None:
    suffixes = {file.suffix for file in squares.rglob("*.*")}
    assert suffixes == {".jpg", ".png", ".gif", ".webp", ".bmp", ".tiff"}
    assert all(stems(library, colour) == [colour] for colour in COLOURS)


def test_a_moved_photo_keeps_its_id(library: Library, squares: Path) -> None:
    before = library.search("red", k=1).hits[0]
    (squares / "elsewhere").mkdir()
    before.path.rename(squares / "elsewhere" / "renamed.png")
    assert counts(index(library, [squares])) == {"moved": 1, "unchanged": 7}
    after = library.search("red", k=1).hits[0]
    assert after.id == before.id
    assert after.path == squares / "elsewhere" / "renamed.png"


def test_a_photo_moved_between_roots_keeps_its_id(library: Library, squares: Path) -> None:
    before = library.search("red", k=1).hits[0]
    other = squares.parent / "other"
    other.mkdir()
    before.path.rename(other / "red.png")
    assert counts(index(library, [other])) == {"moved": 1}
    assert library.search("red", k=1).hits[0].id == before.id
    assert {root.path: root.images for root in library.catalog.roots()} == {squares: 7, other: 1}


def test_a_copy_is_another_photo(library: Library, squares: Path) -> None:
    (red,) = squares.rglob("red.*")
    shutil.copyfile(red, squares / f"twin{red.suffix}")
    assert counts(index(library, [squares])) == {"added": 1, "unchanged": 8}
    assert set(stems(library, "red", 2)) == {"red", "twin"}


def test_a_changed_photo_is_found_by_its_new_colour(library: Library, squares: Path) -> None:
    file = library.search("red", k=1).hits[0].path
    square(file, "green", size=(99, 7))
    assert counts(index(library, [squares])) == {"updated": 1, "unchanged": 7}
    assert set(stems(library, "green", 2)) == {"green", "red"}
    (record,) = [r for r in library.catalog.everything() if r.path == file]
    assert (record.width, record.height) == (99, 7)


def test_a_touched_photo_is_unchanged(library: Library, squares: Path) -> None:
    file = library.search("red", k=1).hits[0].path
    os.utime(file, ns=(1, 1))
    revision = library.catalog.revision
    assert counts(index(library, [squares])) == {"unchanged": 8}
    assert library.catalog.revision == revision


def test_a_deleted_photo_is_removed(library: Library, squares: Path) -> None:
    library.search("red", k=1).hits[0].path.unlink()
    assert counts(index(library, [squares])) == {"removed": 1, "unchanged": 7}
    assert "red" not in stems(library, "red", 10)


def test_unchanged_files_are_not_read_again(library: Library, squares: Path) -> None:
    # Other bytes of the same size and time: reading the file would show them.
    file = library.search("red", k=1).hits[0].path
    status = file.stat()
    file.write_bytes(bytes(status.st_size))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    report = index(library, [squares])
    assert counts(report) == {"unchanged": 8}
    assert report.skipped == ()


def test_unchanged_broken_files_are_reported_without_reading(
    new_library: NewLibrary, squares: Path
) -> None:
    broken = squares / "broken.jpg"
    broken.write_bytes(b"x" * 10)
    library = new_library()
    first = index(library, [squares])
    status = broken.stat()
    square(squares / "good.png", "red").replace(broken)
    content = broken.read_bytes()
    broken.write_bytes(content[: status.st_size].ljust(status.st_size))
    os.utime(broken, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert index(library, [squares]).skipped == first.skipped


def test_a_repaired_file_is_added(new_library: NewLibrary, squares: Path) -> None:
    broken = squares / "grey.png"
    broken.write_bytes(b"")
    library = new_library()
    assert len(index(library, [squares]).skipped) == 1
    square(broken, "red")
    report = index(library, [squares])
    assert counts(report) == {"added": 1, "unchanged": 8}
    assert report.skipped == ()


def test_a_damaged_photo_is_no_longer_found(library: Library, squares: Path) -> None:
    file = library.search("red", k=1).hits[0].path
    file.write_bytes(file.read_bytes()[:30])
    report = index(library, [squares])
    assert [skip.path for skip in report.skipped] == [file]
    assert report.images == 7
    assert "red" not in stems(library, "red", 10)


def test_excluded_files_are_left_out(new_library: NewLibrary, squares: Path) -> None:
    library = new_library()
    report = index(library, [squares], Options(exclude=("deep", "red.*")))
    assert {hit.path.stem for hit in library.search("red", k=9).hits} == {
        file.stem for file in squares.iterdir() if file.is_file() and file.stem != "red"
    }
    assert report.images > 0


def test_a_root_above_takes_over_the_roots_inside(new_library: NewLibrary, squares: Path) -> None:
    library = new_library()
    index(library, [squares / "deep"])
    inner = len(library)
    report = index(library, [squares])
    assert counts(report) == {"added": 8 - inner, "unchanged": inner}
    assert [(root.path, root.images) for root in library.catalog.roots()] == [(squares, 8)]
    assert counts(index(library, [squares / "deep", squares])) == {"unchanged": 8}


def test_indexing_one_folder_leaves_the_others_alone(library: Library, squares: Path) -> None:
    other = squares.parent / "other"
    square(other / "grey.png", (90, 20, 20))
    assert counts(index(library, [other])) == {"added": 1}
    assert len(library) == 9


def test_rebuild_encodes_every_photo_again(library: Library, squares: Path) -> None:
    ids = {record.path: record.id for record in library.catalog.everything()}
    report = index(library, [squares], Options(rebuild=True))
    assert counts(report) == {"updated": 8}
    assert {record.path: record.id for record in library.catalog.everything()} == ids
    assert stems(library, "red") == ["red"]


def test_a_photo_that_moves_while_all_are_encoded_again_keeps_its_id(
    library: Library, squares: Path
) -> None:
    (before,) = (record for record in library if record.path.stem == "red")
    before.path.rename(squares / "renamed.png")
    assert counts(index(library, [squares], Options(rebuild=True))) == {"moved": 1, "updated": 7}
    (after,) = (record for record in library if record.path.stem == "renamed")
    assert after.id == before.id
    assert stems(library, "red") == ["renamed"]


def test_rebuilding_one_folder_leaves_the_others_answering(library: Library, squares: Path) -> None:
    other = squares.parent / "other"
    square(other / "grey.png", (90, 20, 20))
    index(library, [other])
    index(library, [other], Options(rebuild=True))
    assert stems(library, "cyan") == ["cyan"]
    assert len(library.index) == 9


def test_progress_rises_to_the_total(new_library: NewLibrary, squares: Path) -> None:
    reported: list[tuple[int, int]] = []
    index(
        new_library(),
        [squares],
        Options(batch_size=3, progress=lambda done, total: reported.append((done, total))),
    )
    assert [done for done, _ in reported] == sorted(done for done, _ in reported)
    assert reported[0] == (0, 8)
    assert reported[-1] == (8, 8)


# -- links, copies and moves -------------------------------------------------------------------


def test_hard_links_are_one_photo_that_survives_its_names(library: Library, squares: Path) -> None:
    (red,) = squares.rglob("red.*")
    (red.parent / f"zz{red.suffix}").hardlink_to(red)
    report = index(library, [squares])
    assert (counts(report), report.linked) == ({"unchanged": 8}, 1)
    before = library.search("red", k=1).hits[0]
    red.unlink()
    report = index(library, [squares])
    assert (counts(report), report.linked) == ({"moved": 1, "unchanged": 7}, 0)
    after = library.search("red", k=1).hits[0]
    assert (after.id, after.path.stem) == (before.id, "zz")


def test_links_are_followed_on_request(library: Library, squares: Path) -> None:
    outside = square(squares.parent / "outside" / "grey.png", (90, 20, 20)).parent
    (squares / "out").symlink_to(outside, target_is_directory=True)
    (squares / "loop").symlink_to(squares, target_is_directory=True)
    assert counts(index(library, [squares])) == {"unchanged": 8}
    followed = index(library, [squares], Options(follow_links=True))
    assert counts(followed) == {"added": 1, "unchanged": 8}
    assert counts(index(library, [squares])) == {"removed": 1, "unchanged": 8}


def test_a_copy_of_a_moved_photo_is_another_photo(library: Library, squares: Path) -> None:
    (red,) = squares.rglob("red.*")
    shutil.copyfile(red, squares / f"copy{red.suffix}")
    red.rename(squares.parent / "out-of-sight")
    assert counts(index(library, [squares])) == {"moved": 1, "unchanged": 7}
    (squares.parent / "out-of-sight").rename(squares / f"later{red.suffix}")
    assert counts(index(library, [squares])) == {"added": 1, "unchanged": 8}
