"""Photos are told by their content, unless their names say that they are none."""

import os
from pathlib import Path

import pytest

from pixquery.indexer.build import index
from pixquery.indexer.scan import NO_PHOTO, scan
from pixquery.indexer.suffixes import SUFFIXES, is_other
from tests.conftest import Invoke, NewLibrary, names, plant, square

ODD = ("stereo.MPO", "stereo.jps", "pano.insp", "a.jif", "noextension", "twitter.jpg_large",
       "saved.jpg ", "copy.jpeg.1", "b.JPG.orig", "c.", "d.jpg?width=200", "e.jpg_", "f.jpegx",
       "g.img2", "写真", "h jpg", "i.jpg copy")  # fmt: skip
NONE = ("film.mp4", "a.MOV", "alone.xmp", "IMG_1.AAE", "a.thm", "a.jpg.part", "a.jpg~",
        "a.jpg_original", "a.jpg.crdownload", "list.txt")  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    photo = square(tmp_path / "photos" / "red.png", "red")
    for name in (*ODD, *NONE):
        (photo.parent / name).write_bytes(photo.read_bytes())
    plant(photo.parent, "no photo", "README", "a.xyz", "empty", "BM, a story")
    (photo.parent / "empty").write_bytes(b"")
    plant(photo.parent, ".hidden", ".git/objects/ab")
    return photo.parent


def test_odd_names(root: Path) -> None:
    scanned = scan(root)
    assert names(scanned, root) == {"red.png", *ODD}
    assert scanned.passed_over == len(NONE) + 5
    assert {Path(path).name for path in scanned.no_photos} == {
        "no photo", "README", "a.xyz", "empty", "BM, a story",
    }  # fmt: skip


def test_no_suffix_is_both() -> None:
    assert not any(is_other(f"a{suffix}") for suffix in SUFFIXES)
    assert all(map(is_other, NONE))
    assert not any(map(is_other, ODD))


@pytest.mark.skipif(os.name != "posix", reason="pipes with names, and links")
def test_what_is_no_regular_file_is_not_opened(root: Path, tmp_path: Path) -> None:
    os.mkfifo(root / "pipe")  # which would wait for ever
    (root / "link").symlink_to(root / "red.png")
    (root / "zero").symlink_to("/dev/zero")
    secret = square(tmp_path / "secret.png", "blue").rename(tmp_path / "secret")
    (root / "out").symlink_to(secret)
    assert names(scan(root), root) == {"red.png", *ODD}
    assert names(scan(root, follow_links=True), root) == {"red.png", *ODD, "out"}


def test_other_files_are_looked_into_once(root: Path, new_library: NewLibrary) -> None:
    library = new_library()
    report = index(library, [root])
    assert (report.added, report.skipped) == (1 + len(ODD), ())
    assert report.passed_over == len(NONE) + 5
    before = {path: (root / path).stat().st_atime_ns for path in ("README", "noextension")}
    report = index(library, [])
    assert (report.unchanged, report.changes, report.skipped) == (1 + len(ODD), 0, ())
    assert report.passed_over == len(NONE) + 5
    assert {path: (root / path).stat().st_atime_ns for path in before} == before
    noted = library.catalog.noted([str(root / "README"), str(root / "noextension")])
    assert {Path(path).name: known.reason for path, known in noted.items()} == {
        "README": NO_PHOTO, "noextension": "",
    }  # fmt: skip


def test_other_files_become_photos_and_go(root: Path, new_library: NewLibrary) -> None:
    library = new_library()
    index(library, [root])
    (root / "README").write_bytes((root / "red.png").read_bytes() + b" ")
    (root / "no photo").unlink()
    assert index(library, []).added == 1
    assert not library.catalog.noted([str(root / "no photo")])
    (root / "README").write_text("no more")
    report = index(library, [])
    assert [skip.path.name for skip in report.skipped] == ["README"]
    assert len(library) == 1 + len(ODD)


def test_a_photo_that_cannot_be_looked_into_stays(root: Path, new_library: NewLibrary) -> None:
    library = new_library()
    index(library, [root])
    (root / "noextension").chmod(0)
    assert index(library, []).images == 1 + len(ODD)


def test_excluded_and_ignored_files_are_not_counted(root: Path) -> None:
    assert scan(root, ("*",)).passed_over == 0
    (root / ".pixqueryignore").write_text("*\n!README\n")
    assert scan(root).passed_over == 1


def test_it_is_said(root: Path, tmp_path: Path, colours: Path, invoke: Invoke) -> None:
    done = invoke("index", root, "--library", tmp_path / "l", "--profile", colours)
    assert f", {len(NONE) + 5} other files passed over in " in done.stdout
