"""Which photos duplicates names: never one whose loss loses a picture."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pixquery import Library
from pixquery.db.records import FileState, ImageRecord
from pixquery.engine.sightings import LeftOut, Sighting, compare, look
from tests.conftest import Invoke, NewLibrary, parsed, square

POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has neither pipes nor such names")
TIME = 1_700_000_000

Change = Callable[[Path], object]


class Shelf:
    """Folders of photos and one library of them."""

    def __init__(self, place: Path, colours: Path, invoke: Invoke) -> None:
        self.place, self._invoke = place, invoke
        self._library = ("--library", place / "library")
        self._profile = ("--profile", colours)

    def red(self, *names: str) -> list[Path]:
        """Equal photos; the first is the oldest, so it is the best."""
        first = square(self.place / names[0], "red")
        os.utime(first, (TIME, TIME))
        files = [first]
        for number, name in enumerate(names[1:], 1):
            file = self.place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(first, file)
            os.utime(file, (TIME + number, TIME + number))
            files.append(file)
        return files

    def index(self, *roots: str, links: bool = False) -> None:
        words = [self.place / root for root in roots] + ["--follow-links"] * links
        done = self._invoke("index", *words, *self._library, *self._profile)
        assert done.exit_code == 0, done.output

    def found(self, threshold: float = 1) -> Any:
        """What the command answers as JSON, which its paths agree with."""
        asked = ("duplicates", *self._library, "--threshold", str(threshold))
        done = self._invoke(*asked, "--json")
        assert done.exit_code == (0 if parsed(done)["groups"] else 3)
        paths = self._invoke(*asked, "--paths", "-0").stdout_bytes.split(b"\0")[:-1]
        answer = parsed(done)
        assert [os.fsdecode(path) for path in paths] == [
            copy["path"] for group in answer["groups"] for copy in group["copies"]
        ]
        return answer

    def groups(self, threshold: float = 1) -> list[list[str]]:
        """The photos of each group below the shelf, the best first."""
        return [
            [self.name(photo["path"]) for photo in (group["best"], *group["copies"])]
            for group in self.found(threshold)["groups"]
        ]

    def left_out(self) -> list[tuple[str, str]]:
        return [(self.name(each["path"]), each["kind"]) for each in self.found()["left_out"]]

    def name(self, path: str) -> str:
        return os.path.relpath(path, self.place)


@pytest.fixture
def shelf(tmp_path: Path, colours: Path, invoke: Invoke) -> Shelf:
    return Shelf(tmp_path, colours, invoke)


@pytest.fixture
def mount() -> Iterator[Callable[..., Path]]:
    """Mounts file systems, for those who may."""
    mounted: list[Path] = []

    def do(*words: str, at: Path) -> Path:
        at.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["mount", *words, at], capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"nothing can be mounted here: {done.stderr.decode().strip()}")
        mounted.append(at)
        return at

    if sys.platform != "linux":
        pytest.skip("mounts are made as on Linux")
    yield do
    for at in reversed(mounted):
        subprocess.run(["umount", at], check=True)


# -- one file, several paths ----------------------------------------------------------------------


def test_a_root_and_a_link_to_it(shelf: Shelf) -> None:
    shelf.red("disk/a.jpg")
    (shelf.place / "Pictures").symlink_to("disk")
    shelf.index("Pictures")
    shelf.index("disk")
    assert shelf.groups() == []
    assert [kind for _, kind in shelf.left_out()] in ([], ["same file"])  # or indexed once


def test_a_link_that_is_followed_into_another_root(shelf: Shelf) -> None:
    shelf.red("B/a.jpg", "B/b.jpg")
    square(shelf.place / "A" / "own.png", "blue")
    (shelf.place / "A" / "link").symlink_to("../B")
    shelf.index("A", "B", links=True)
    assert shelf.groups() == [["B/a.jpg", "B/b.jpg"]]  # by its own path


def test_a_link_takes_no_space(shelf: Shelf) -> None:
    """Its target is outside of the library: nobody asked for that one."""
    shelf.red("A/best.jpg", "elsewhere/a.jpg")
    (shelf.place / "A" / "link.jpg").symlink_to("../elsewhere/a.jpg")
    shelf.index("A", links=True)
    assert shelf.groups() == []
    assert shelf.left_out() == [("A/link.jpg", "link")]


def test_a_folder_that_is_mounted_twice(shelf: Shelf, mount: Callable[..., Path]) -> None:
    shelf.red("root/a/one.jpg", "root/a/two.jpg")
    mount("--bind", str(shelf.place / "root" / "a"), at=shelf.place / "root" / "b")
    other = mount("--bind", str(shelf.place / "root" / "a"), at=shelf.place / "other")
    shelf.index("root")
    shelf.index(other.name)
    (group,) = shelf.groups()
    assert len(group) == 2
    assert len({(shelf.place / name).stat().st_ino for name in group}) == 2


def test_an_overlay_and_what_it_lies_over(shelf: Shelf, mount: Callable[..., Path]) -> None:
    """One file may have two device numbers."""
    tmpfs = mount("-t", "tmpfs", "none", at=shelf.place / "disk")
    for name in ("lower", "upper", "work"):
        (tmpfs / name).mkdir()
    shelf.red("disk/lower/a.jpg")
    layers = f"lowerdir={tmpfs}/lower,upperdir={tmpfs}/upper,workdir={tmpfs}/work"
    merged = mount("-t", "overlay", "none", "-o", layers, at=shelf.place / "merged")
    shelf.index("disk/lower")
    shelf.index(merged.name)
    assert shelf.groups() == []
    assert len(shelf.left_out()) == 1


def test_hard_links_free_nothing(new_library: NewLibrary, tmp_path: Path) -> None:
    photo = square(tmp_path / "a.jpg", "red")
    os.link(photo, other := tmp_path / "b.jpg")
    with new_library() as library:
        put(library, {photo: b"a" * 16, other: b"a" * 16})
        found = library.duplicates()
        assert (found.groups, found.bytes) == ((), 0)
        assert [(each.record.path, each.kind) for each in found.left_out] == [(other, "same file")]


def test_all_hard_links_of_a_copy_free_its_bytes_once(
    new_library: NewLibrary, tmp_path: Path
) -> None:
    best, copy, link = (tmp_path / f"{name}.jpg" for name in ("best", "copy", "link"))
    square(best, "red")
    os.utime(best, (TIME, TIME))
    shutil.copy(best, copy)
    os.link(copy, link)
    with new_library() as library:
        put(library, dict.fromkeys((best, copy, link), b"a" * 16))
        found = library.duplicates()
        assert [(each.record.path, each.frees) for each in found.groups[0].copies] == [
            (copy, 0),
            (link, best.stat().st_size),
        ]
        assert (found.bytes, found.left_out) == (best.stat().st_size, ())
        os.link(copy, tmp_path / "elsewhere.jpg")  # deleting the two frees nothing
        assert library.duplicates().bytes == 0


# -- the catalogue is out of date -----------------------------------------------------------------


def edited(photo: Path) -> None:
    content = bytearray(photo.read_bytes())
    content[-3] ^= 1
    photo.write_bytes(content)


def replaced(make: Change) -> Change:
    def do(photo: Path) -> None:
        photo.unlink()
        make(photo)

    return do


def bound(path: Path) -> None:
    here = Path.cwd()
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(path.parent)  # a socket's path is short
        listener.bind(path.name)
        os.chdir(here)


def no_folder(photo: Path) -> None:
    photo.parent.rename(photo.parent.parent / "away")
    photo.parent.touch()


def piped(photo: Path) -> None:
    assert hasattr(os, "mkfifo")
    os.mkfifo(photo)


CHANGES: dict[str, tuple[Change, str]] = {
    "deleted": (Path.unlink, "missing"),
    "edited": (edited, "changed"),
    "touched": (Path.touch, "changed"),
    "longer": (lambda photo: photo.write_bytes(photo.read_bytes() + b" "), "changed"),
    "a folder": (replaced(Path.mkdir), "changed"),
    "a pipe": (replaced(piped), "changed"),
    "a socket": (replaced(bound), "changed"),
    "a dangling link": (replaced(lambda path: path.symlink_to("nowhere")), "missing"),
    "a circle of links": (replaced(lambda path: path.symlink_to(path)), "unreachable"),
    "unplugged": (lambda photo: photo.parent.rename(photo.parent.parent / "away"), "missing"),
    "no folder": (no_folder, "missing"),
}


@POSIX
@pytest.mark.parametrize("change", CHANGES)
def test_what_is_not_as_it_was_is_neither_best_nor_copy(change: str, shelf: Shelf) -> None:
    act, kind = CHANGES[change]
    best, *_ = shelf.red("A/best.jpg", "B/second.jpg", "B/third.jpg")
    shelf.index("A", "B")
    assert shelf.groups() == [["A/best.jpg", "B/second.jpg", "B/third.jpg"]]
    act(best)
    assert shelf.groups() == [["B/second.jpg", "B/third.jpg"]]
    assert shelf.left_out() == [("A/best.jpg", kind)]
    (shelf.place / "B" / "third.jpg").unlink()
    assert shelf.groups() == []


@POSIX
@pytest.mark.parametrize("change", CHANGES)
def test_near_copies_too(change: str, shelf: Shelf) -> None:
    act, kind = CHANGES[change]
    best = square(shelf.place / "A" / "best.png", "red", (48, 32))
    for number, name in enumerate(("second", "third")):
        square(shelf.place / "B" / f"{name}.png", "red", (40 - number, 30))
    shelf.index("A", "B")
    assert shelf.groups(0.9) == [["A/best.png", "B/second.png", "B/third.png"]]
    act(best)
    assert shelf.groups(0.9) == [["B/second.png", "B/third.png"]]
    left_out = shelf.found(0.9)["left_out"]
    assert [(shelf.name(each["path"]), each["kind"]) for each in left_out] == [("A/best.png", kind)]


def test_a_folder_that_was_moved_and_indexed_again(shelf: Shelf) -> None:
    shelf.red("old/a.jpg")
    shelf.index("old")
    (shelf.place / "old").rename(shelf.place / "new")
    shelf.index("new")
    assert shelf.groups() == []


@POSIX
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs another user")
def test_a_closed_folder(shelf: Shelf) -> None:
    best, *_ = shelf.red("A/best.jpg", "B/second.jpg")
    record = ImageRecord(best, FileState(best.stat().st_size, TIME * 10**9), b"", 24, 16)
    shelf.place.chmod(0o755)
    (shelf.place / "A").chmod(0)
    assert isinstance(look(record), Sighting)
    os.seteuid(65534)
    try:
        now = look(record)
    finally:
        os.seteuid(0)
    assert isinstance(now, LeftOut)
    assert now.kind in {"unreachable", "missing"}  # folders above may be closed too
    assert "denied" in now.reason


def test_the_words_on_what_is_left_out(shelf: Shelf, invoke: Invoke) -> None:
    best, second, _ = shelf.red("A/best.jpg", "A/second.jpg", "A/third.jpg")
    shelf.index("A")
    best.unlink()
    second.touch()
    done = invoke("duplicates", "--library", shelf.place / "library")
    assert done.exit_code == 3
    missing, changed, nothing = done.stderr.splitlines()
    assert missing.startswith(f"pixquery: 1 photo is not there any more ({best}): run")
    assert changed.startswith(f"pixquery: 1 photo is no longer what was indexed ({second}): run")
    assert "no duplicates" in nothing


# -- equal files ----------------------------------------------------------------------------------


def put(library: Library, files: dict[Path, bytes]) -> None:
    """Adds red photos with the content hashes that are given."""
    records = []
    for file, content in files.items():
        status = file.stat()
        state = FileState(status.st_size, status.st_mtime_ns)
        records.append(ImageRecord(file, state, content, 24, 16, "JPEG"))
    root = library.catalog.add_root(records[0].path.parent)
    vectors = np.tile(np.array([1, 0, 0], np.float16), (len(records), 1))
    library.catalog.put(root, records, vectors, library.profile.encoder)


def test_a_hash_that_collides_proves_nothing(new_library: NewLibrary, tmp_path: Path) -> None:
    """Each of two colliding photos has a true copy."""
    contents = [bytes([kind]) * (3 << 20) for kind in (1, 1, 2, 2)]
    contents[2] = contents[0][:-1] + b"\x02"  # the last byte of many
    contents[3] = contents[2]
    files = [tmp_path / f"{number}.jpg" for number in range(4)]
    for number, (file, content) in enumerate(zip(files, contents, strict=True)):
        file.write_bytes(content)
        os.utime(file, (TIME + number, TIME + number))
    with new_library() as library:
        put(library, dict.fromkeys(files, b"collision" + bytes(7)))
        groups = library.duplicates(1).groups
        assert [(g.best.path, *(copy.record.path for copy in g.copies)) for g in groups] == [
            (files[0], files[1]),
            (files[2], files[3]),
        ]
        (group,) = library.duplicates(0.9).groups  # all four look the same
        assert [(copy.record.path, copy.exact) for copy in group.copies] == [
            (files[1], True),
            (files[2], False),
            (files[3], False),
        ]


def test_hashes_of_two_kinds_are_no_difference(new_library: NewLibrary, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.jpg" for number in range(3)]
    for number, file in enumerate(files):
        file.write_bytes(b"same" if number < 2 else b"like")
        os.utime(file, (TIME + number, TIME + number))
    with new_library() as library:
        put(library, dict(zip(files, (b"a" * 16, b"b" * 32, b"c" * 32), strict=True)))
        (group,) = library.duplicates(1).groups
        assert [group.best.path, *(copy.record.path for copy in group.copies)] == files[:2]


def test_the_same_size_and_time_prove_nothing(shelf: Shelf) -> None:
    best, *_ = shelf.red("A/best.jpg", "A/second.jpg")
    shelf.index("A")
    edited(best)
    os.utime(best, (TIME, TIME))
    assert shelf.groups() == []
    (group,) = shelf.found(0.9)["groups"]
    assert [copy["kind"] for copy in group["copies"]] == ["near"]


def test_a_file_that_changes_is_not_equal(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    seen = []
    for file in (one, other):
        file.write_bytes(b"bytes")
        status = file.stat()
        found = look(ImageRecord(file, FileState(5, status.st_mtime_ns), b"", 1, 1))
        assert isinstance(found, Sighting)
        seen.append(found)
    assert compare(*seen) is True
    aside = tmp_path / "aside"
    other.rename(aside)
    shutil.copy2(aside, other)  # of the same size and time
    answer = compare(*seen)
    assert isinstance(answer, LeftOut)
    assert (answer.record.path, answer.kind) == (other, "changed")


@POSIX
def test_names_of_any_bytes(shelf: Shelf) -> None:
    odd = os.fsdecode(b"two\nlines \xff.jpg")
    try:
        shelf.red("A/best.jpg", f"A/{odd}")
    except OSError:
        pytest.skip("this file system takes no such names")
    shelf.index("A")
    assert shelf.groups() == [["A/best.jpg", f"A/{odd}"]]


# -- whatever happens -----------------------------------------------------------------------------

_act = st.tuples(
    st.sampled_from(["delete", "edit", "touch", "swap", "link", "hard link", "copy", "alias"]),
    st.integers(0, 7),
    st.integers(0, 7),
)


@POSIX
@given(
    kinds=st.lists(st.integers(0, 2), min_size=2, max_size=8),
    before=st.lists(_act, max_size=4),
    after=st.lists(_act, max_size=4),
    threshold=st.sampled_from([0.5, 1]),
)
@hypothesis_settings(max_examples=80)
def test_deleting_what_is_named_loses_no_content(
    kinds: list[int],
    before: list[tuple[str, int, int]],
    after: list[tuple[str, int, int]],
    threshold: float,
    new_library: NewLibrary,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = tmp_path_factory.mktemp("photos")
    (root / "folder").mkdir()
    (root / "alias").symlink_to("folder")
    files = []
    for number, kind in enumerate(kinds):
        file = root / "folder" / f"{number}.jpg"
        file.write_bytes(bytes([kind]) * 10)
        os.utime(file, (TIME + number, TIME + number))
        files.append(file)
    for action in before:
        disturb(files, *action)
    there = [file for file in files if file.exists()]
    if not there:
        return
    with new_library() as library:
        put(library, {file: file.read_bytes()[:1] * 16 for file in there})
        for action in after:
            disturb(files, *action)
        contents = {file.read_bytes() for file in files if file.exists()}
        found = library.duplicates(threshold)
        named = [copy.record.path for group in found.groups for copy in group.copies]
        kept = {group.best.path.resolve() for group in found.groups}
        assert len(set(named)) == len(named)
        assert not kept & {path.resolve() for path in named}
        seen = {group.seen.file for group in found.groups}
        assert not seen & {copy.seen.file for group in found.groups for copy in group.copies}
        for group in found.groups:
            for copy in group.copies:
                if copy.exact:
                    assert copy.record.path.read_bytes() == group.best.path.read_bytes()
        for path in named:
            path.unlink()
        assert all(group.best.path.exists() for group in found.groups)
        if threshold == 1:
            assert {file.read_bytes() for file in files if file.exists()} == contents


def disturb(files: list[Path], what: str, one: int, other: int) -> None:
    file, second = files[one % len(files)], files[other % len(files)]
    new = file.with_name(f"{len(files)}-{what}.jpg")
    if what == "alias":
        files.append(file.parent.parent / "alias" / file.name)
    elif not file.exists():
        return
    elif what == "delete":
        file.unlink()
    elif what == "edit":
        file.write_bytes(b"\x09" * 10)
        os.utime(file, (TIME + one, TIME + one))
    elif what == "touch":
        os.utime(file, (TIME + 99, TIME + 99))
    elif what == "swap" and second.exists() and not second.samefile(file):
        file.rename(new)
        second.rename(file)
        new.rename(second)
    elif what == "link":
        new.symlink_to(file)
        files.append(new)
    elif what == "hard link":
        os.link(file.resolve(), new)
        files.append(new)
    elif what == "copy":
        shutil.copy2(file, new)
        files.append(new)
