"""Files that cannot be used, odd ones, and those that change during a run."""

import dataclasses
import os
import shutil
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from pixquery import Library
from pixquery.db.catalog import Catalog
from pixquery.db.errors import BadRoot
from pixquery.engine.library import CATALOGUE
from pixquery.engine.profile import Profile
from pixquery.indexer.build import Options, index
from tests.comparing import (
    assert_equals_fresh,
    counts,
    stems,
    without_privileges,
)
from tests.conftest import (
    Invoke,
    NewLibrary,
    parsed,
    square,
)


def png_header(width: int, height: int) -> bytes:
    """A PNG that ends after its header."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + header
        + struct.pack(">I", zlib.crc32(header))
        + struct.pack(">I", 10_000)
        + b"IDAT"
    )


def test_broken_files_are_skipped_with_their_reasons(
    new_library: NewLibrary, squares: Path
) -> None:
    photo = square(squares.parent / "large.jpg", "red", size=(640, 480)).read_bytes()
    broken = {
        "cut.jpg": (photo[: len(photo) // 2], "cut off"),
        "empty.png": (b"", "empty"),
        "text.jpg": (b"Dear diary, this is no photo.\n" * 20, "not a JPEG"),
        "huge.png": (png_header(50_000, 50_000), "50,000 x 50,000 pixels"),
        "stub.gif": (b"GIF89a", ""),
        "zeros.tif": (bytes(1000), "not a JPEG"),
    }
    for name, (content, _) in broken.items():
        (squares / name).write_bytes(content)
    library = new_library()
    begin = time.perf_counter()
    report = index(library, [squares])
    assert time.perf_counter() - begin < 5  # the 2.5 gigapixels were not decompressed
    assert counts(report) == {"added": 8}
    assert {skip.path.name for skip in report.skipped} == set(broken)
    for skip in report.skipped:
        assert broken[skip.path.name][1] in skip.reason
        assert str(squares) not in skip.reason


def test_names_lie_and_content_decides(new_library: NewLibrary, tmp_path: Path) -> None:
    Image.new("RGB", (5, 5), "red").save(tmp_path / "really.jpg", "PNG")
    library = new_library()
    index(library, [tmp_path])
    assert stems(library, "red") == ["really"]


@pytest.mark.parametrize(
    "name",
    [b"new\nline.png", b"tab\there.png", b"caf\xe9.png", b"\xff\xfe.png", "写真 🎉.png".encode(),
     b"-rf.png", b"a'b\"c.png", b" .png", b"%s{}.png", b"x" * 251 + b".png"],
)  # fmt: skip
def test_any_name_is_possible(
    name: bytes, new_library: NewLibrary, tmp_path: Path, invoke: Invoke, colours: Path
) -> None:
    file = tmp_path / "photos" / os.fsdecode(name)
    source = square(tmp_path / "source.png", "red")
    file.parent.mkdir()
    try:
        shutil.copyfile(source, file)
    except OSError as error:
        pytest.skip(f"this file system refuses the name: {error}")
    library = tmp_path / "library"
    report = invoke("index", file.parent, "--library", library, "--profile", colours, "--json")
    assert parsed(report)["added"] == 1
    assert parsed(invoke("index", file.parent, "--library", library, "--json"))["unchanged"] == 1
    answer = invoke("query", "red", "--library", library, "--paths", "-0")
    assert answer.stdout_bytes == os.fsencode(file) + b"\0"
    table = invoke("query", "red", "--library", library)
    assert table.stdout.count("\n") == 1
    assert table.stdout[:-1].replace("\t", "").isprintable()


def test_links_hidden_and_foreign_files_are_left_out(
    new_library: NewLibrary, squares: Path
) -> None:
    square(squares / ".hidden" / "a.png", "red")
    square(squares / "@eaDir" / "a.png", "red")
    (squares / "notes.txt").write_text("no photo")
    (squares / "link.png").symlink_to(next(squares.rglob("red.*")))
    (squares / "loop").symlink_to(squares, target_is_directory=True)
    report = index(new_library(), [squares])
    assert (report.added, report.skipped) == (8, ())


def test_an_unreadable_folder_is_reported_and_loses_nothing(models: Profile) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        square(folder / "photos" / "red.png", "red")
        closed = square(folder / "photos" / "closed" / "blue.png", "blue").parent
        (folder / "library").mkdir()
        library = Library(folder / "library", Catalog(folder / "library" / CATALOGUE), models)
        try:
            index(library, [folder / "photos"])
            for file in [folder / "library", *(folder / "library").iterdir()]:
                file.chmod(0o777)
            closed.chmod(0)
            with without_privileges():
                report = index(library, [folder / "photos"])
            assert [skip.path for skip in report.skipped] == [closed]
            assert "cannot be read" in report.skipped[0].reason
            assert counts(report) == {"unchanged": 1}
            assert stems(library, "blue") == ["blue"]  # it may still exist
            with without_privileges(), pytest.raises(BadRoot, match="permissions"):
                index(library, [closed])
        finally:
            closed.chmod(0o700)
            library.close()


def test_an_unreadable_file_is_reported(models: Profile) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        square(folder / "photos" / "red.png", "red")
        (folder / "library").mkdir()
        library = Library(folder / "library", Catalog(folder / "library" / CATALOGUE), models)
        try:
            index(library, [folder / "photos"])
            square(folder / "photos" / "blue.png", "blue").chmod(0)
            for file in [folder / "library", *(folder / "library").iterdir()]:
                file.chmod(0o777)
            with without_privileges():
                report = index(library, [folder / "photos"])
            assert [skip.path.name for skip in report.skipped] == ["blue.png"]
            assert "cannot be read" in report.skipped[0].reason
        finally:
            library.close()


# -- files that change while they are indexed --------------------------------------------------


def meanwhile(act: Callable[[], object]) -> Options:
    """Options that run a function after the scan and before the first file is read."""
    return Options(progress=lambda done, total: act() if done == 0 else None)


def test_a_new_file_that_vanishes_is_not_reported(library: Library, squares: Path) -> None:
    new = square(squares / "new.png", (1, 2, 3))
    report = index(library, [squares], meanwhile(new.unlink))
    assert (counts(report), report.skipped) == ({"unchanged": 8}, ())


def test_a_changed_file_that_vanishes_is_gone(library: Library, squares: Path) -> None:
    (red,) = squares.rglob("red.*")
    square(red, "green")
    report = index(library, [squares], meanwhile(red.unlink))
    assert (counts(report), report.skipped) == ({"removed": 1, "unchanged": 7}, ())
    assert len(library.index) == 7


def test_a_root_that_vanishes_during_a_run_is_kept(library: Library, squares: Path) -> None:
    reds = [file for file in squares.rglob("*.*") if file.stem in ("red", "blue")]
    square(reds[0], "green")
    reds[1].unlink()
    report = index(library, [squares], meanwhile(lambda: squares.rename(squares.parent / "away")))
    assert [lost.path for lost in report.vanished] == [squares]
    assert report.removed == 0
    assert len(library) == 8


def test_a_file_that_grows_is_used_as_it_is_when_read(library: Library, squares: Path) -> None:
    new = square(squares / "new.png", "red")
    report = index(library, [squares], meanwhile(lambda: square(new, "green", size=(99, 7))))
    assert counts(report) == {"added": 1, "unchanged": 8}
    assert set(stems(library, "green", 2)) == {"green", "new"}
    assert counts(index(library, [squares])) == {"unchanged": 9}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes exist on POSIX only")
def test_a_pipe_that_replaces_a_file_does_not_block(library: Library, squares: Path) -> None:
    new = square(squares / "new.png", (1, 2, 3))

    def replace() -> None:
        new.unlink()
        os.mkfifo(new)

    report = index(library, [squares], meanwhile(replace))
    assert [(skip.path, "not a regular file" in skip.reason) for skip in report.skipped] == [
        (new, True)
    ]
    assert index(library, [squares]).skipped == ()


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="links can be refused on POSIX only")
def test_a_link_that_replaces_a_file_is_not_followed(library: Library, squares: Path) -> None:
    secret = square(squares.parent / "elsewhere" / "secret.png", (1, 2, 3))
    new = square(squares / "new.png", (4, 5, 6))

    def replace() -> None:
        new.unlink()
        new.symlink_to(secret)

    report = index(library, [squares], meanwhile(replace))
    assert counts(report) == {"unchanged": 8}
    assert [(skip.path, "symbolic links" in skip.reason) for skip in report.skipped] == [
        (new, True)
    ]


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="links can be refused on POSIX only")
@pytest.mark.parametrize("replaced", ["new", "new/deep", "."])
def test_a_link_that_replaces_a_folder_is_not_followed(
    replaced: str, library: Library, squares: Path
) -> None:
    elsewhere = squares.parent / "elsewhere"
    for folder in (elsewhere, squares):
        square(folder / "new" / "deep" / "new.png", (1, 2, 3) if folder == squares else (4, 5, 6))
    place = squares / replaced

    def replace() -> None:
        place.rename(squares.parent / "away")
        place.symlink_to(elsewhere / replaced, target_is_directory=True)

    report = index(library, [squares], meanwhile(replace))
    assert counts(report) == {"unchanged": 8}
    (skip,) = report.skipped
    assert skip.path == squares / "new" / "deep" / "new.png"
    reason = "another folder" if replaced == "." else "symbolic links are not followed"
    assert reason in skip.reason
    assert "tried again" in skip.reason
    assert len(library) == 8


def test_a_link_that_leads_elsewhere_since_the_scan(library: Library, squares: Path) -> None:
    linked = square(squares.parent / "linked" / "new.png", (1, 2, 3))
    secret = square(squares.parent / "secret" / "new.png", (4, 5, 6))
    link = squares / "link"
    link.symlink_to(linked.parent, target_is_directory=True)

    def replace() -> None:
        link.unlink()
        link.symlink_to(secret.parent, target_is_directory=True)

    options = Options(follow_links=True)
    report = index(library, [squares], dataclasses.replace(meanwhile(replace), follow_links=True))
    assert counts(report) == {"unchanged": 8}
    assert "another file has taken its place" in report.skipped[0].reason
    assert counts(index(library, [squares], options)) == {"added": 1, "unchanged": 8}


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux's /proc")
def test_a_file_that_cannot_be_read_is_tried_again(library: Library, squares: Path) -> None:
    new = squares / "new.png"
    outside = square(squares.parent / "outside.png", (1, 2, 3))
    new.symlink_to(outside)

    def replace() -> None:  # a regular file that nobody can read
        new.unlink()
        new.symlink_to("/proc/self/mem")

    report = index(library, [squares], Options(follow_links=True, progress=lambda d, t: replace()))
    assert "cannot be read" in report.skipped[0].reason
    assert "tried again" in report.skipped[0].reason
    new.unlink()
    new.symlink_to(outside)
    again = index(library, [squares], Options(follow_links=True))
    assert (counts(again), again.skipped) == ({"added": 1, "unchanged": 8}, ())


# -- a tree of everything ----------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="names and paths of Linux")
def test_a_tree_of_odd_files_and_folders(
    library: Library, squares: Path, new_library: NewLibrary
) -> None:
    import socket

    source = square(squares.parent / "source.png", (1, 2, 3)).read_bytes()
    names = [b"new\nline.png", b"caf\xe9.png", "caf\u00e9.png".encode(), "cafe\u0301.png".encode()]
    for number, odd in enumerate(names):
        (squares / os.fsdecode(odd)).write_bytes(source + bytes([number]))
    (squares / "deep" / "up").symlink_to(squares, target_is_directory=True)
    os.mkfifo(squares / "pipe.jpg")
    (squares / "unread").mkdir()
    (squares / "unread" / ".pixqueryignore").symlink_to(".pixqueryignore")  # not even root reads it
    there = os.open(squares, os.O_RDONLY)
    for _ in range(25):
        os.mkdir("n" * 200, dir_fd=there)
        inner = os.open("n" * 200, os.O_RDONLY, dir_fd=there)
        os.close(there)
        there = inner
    os.close(there)
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as bound:
        bound.bind(f"{short}/s")
        Path(short, "s").rename(squares / "socket.png")
        report = index(library, [squares])
    assert counts(report) == {"added": len(names), "unchanged": 8}
    reasons = sorted(skip.reason for skip in report.skipped)
    assert len(reasons) == 2
    assert "its .pixqueryignore cannot be read" in reasons[1]
    assert "File name too long" in reasons[0]
    assert counts(index(library, [squares])) == {"unchanged": 8 + len(names)}
    assert_equals_fresh(library, squares, new_library)
