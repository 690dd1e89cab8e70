"""Indexing real folders: whatever happened to them before, the library equals a fresh build."""

import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from pixquery import Library, Query
from pixquery.db.catalog import Catalog
from pixquery.db.errors import BadRoot, LibraryLocked
from pixquery.engine.library import CATALOGUE
from pixquery.engine.profile import Profile
from pixquery.indexer.build import Options, index
from pixquery.indexer.report import IndexReport
from tests.conftest import (
    COLOURS,
    REPOSITORY,
    Invoke,
    NewLibrary,
    Spawn,
    parsed,
    square,
)

Contents = set[tuple[str, bytes, bytes]]


def contents(library: Library, root: Path) -> Contents:
    """What a library holds of each photo: place, content and vector."""
    records = list(library.catalog.everything())
    vectors = library.catalog.vectors_of([record.id for record in records], library.profile.encoder)
    return {
        (os.path.relpath(record.path, root), record.content, vectors[record.id].tobytes())
        for record in records
    }


def answers(library: Library) -> list[list[tuple[float, str]]]:
    """All hits for every colour; those that are equally near in the order of their names."""
    return [
        sorted(
            (-round(hit.similarity, 3), str(hit.path))
            for hit in library.search(Query(colour, k=10_000)).hits
            if hit.similarity is not None
        )
        for colour in COLOURS
    ]


def assert_equals_fresh(library: Library, root: Path, new_library: NewLibrary) -> None:
    fresh = new_library()
    index(fresh, [root])
    assert contents(library, root) == contents(fresh, root)
    assert answers(library) == answers(fresh)
    assert library.index.ids().tolist() == [r.id for r in library.catalog.everything()]


def stems(library: Library, colour: str, k: int = 1) -> list[str]:
    return [hit.path.stem for hit in library.search(colour, k=k).hits]


# -- any sequence of changes ------------------------------------------------------------------

_NAMES = ("a.png", "b.jpg", "c.png", "sub/a.png", "sub/d.webp", "sub/deeper/e.png", "z.tif")
_CONTENTS = (*COLOURS, "broken", "empty")
_names = st.sampled_from(_NAMES)
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), _names, st.sampled_from(_CONTENTS)),
        st.tuples(st.just("move"), _names, _names),
        st.tuples(st.just("copy"), _names, _names),
        st.tuples(st.just("swap"), _names, _names),
        st.tuples(st.just("delete"), _names, st.just("")),
        st.tuples(st.just("touch"), _names, st.just("")),
        st.tuples(st.just("index"), st.just(""), st.just("")),
    ),
    min_size=2,
    max_size=25,
)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The bytes of each colour's square; a name lies about the format as it pleases."""
    folder = tmp_path_factory.mktemp("originals")
    squares = {colour: square(folder / f"{colour}.png", colour).read_bytes() for colour in COLOURS}
    return {**squares, "broken": squares["red"][:50], "empty": b""}


class _Folder:
    """A folder that is changed step by step, with a clock of its own: times never repeat."""

    def __init__(self, root: Path, originals: dict[str, bytes]) -> None:
        self.root = root
        self._originals = originals
        self._now = 1_700_000_000 * 10**9
        self.write("anchor.png", "white")  # an empty folder is an error, and no matter here

    def write(self, name: str, content: str) -> None:
        file = self._file(name)
        file.write_bytes(self._originals[content])
        self._stamp(file)

    def move(self, name: str, other: str) -> None:
        if self._file(name).exists():
            self._file(name).replace(self._file(other))

    def copy(self, name: str, other: str) -> None:
        if self._file(name).exists() and name != other:
            shutil.copyfile(self._file(name), self._file(other))
            self._stamp(self._file(other))

    def swap(self, name: str, other: str) -> None:
        if self._file(name).exists() and self._file(other).exists():
            self.move(name, "between")
            self.move(other, name)
            self.move("between", other)

    def delete(self, name: str, _: str) -> None:
        self._file(name).unlink(missing_ok=True)

    def touch(self, name: str, _: str) -> None:
        if self._file(name).exists():
            self._stamp(self._file(name))

    def whole(self) -> set[Path]:
        """The files that are photos."""
        bad = (self._originals["broken"], b"")
        return {f for f in self.root.rglob("*.*") if f.is_file() and f.read_bytes() not in bad}

    def _file(self, name: str) -> Path:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        return file

    def _stamp(self, file: Path) -> None:
        self._now += 10**9
        os.utime(file, ns=(self._now, self._now))


@given(steps=_steps, batch_size=st.integers(1, 4))
@hypothesis_settings(max_examples=25)
def test_any_sequence_of_changes_equals_a_fresh_build(
    steps: list[tuple[str, str, str]],
    batch_size: int,
    originals: dict[str, bytes],
    new_library: NewLibrary,
) -> None:
    assert_any_sequence(steps, batch_size, originals, new_library)


@pytest.mark.slow
@given(steps=_steps, batch_size=st.integers(1, 4))
@hypothesis_settings(max_examples=1000)
def test_any_sequence_of_changes_equals_a_fresh_build_long(
    steps: list[tuple[str, str, str]],
    batch_size: int,
    originals: dict[str, bytes],
    new_library: NewLibrary,
) -> None:
    assert_any_sequence(steps, batch_size, originals, new_library)


def assert_any_sequence(
    steps: list[tuple[str, str, str]],
    batch_size: int,
    originals: dict[str, bytes],
    new_library: NewLibrary,
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = _Folder(Path(place) / "photos", originals)
        library = new_library()
        for what, name, other in [*steps, ("index", "", "")]:
            if what != "index":
                getattr(folder, what)(name, other)
                continue
            held = {record.path for record in library.catalog.everything()}
            report = index(library, [folder.root], Options(batch_size=batch_size))
            now = {record.path for record in library.catalog.everything()}
            assert now == folder.whole()
            assert (
                report.images
                == len(now)
                == len(held)
                + report.added
                - report.removed
                - len({skip.path for skip in report.skipped} & held)
            )
            assert report.images == sum(
                (report.added, report.updated, report.moved, report.unchanged)
            )
        again = index(library, [folder.root])
        assert again.unchanged == len(folder.whole())
        assert (again.added, again.updated, again.moved, again.removed) == (0, 0, 0, 0)
        assert_equals_fresh(library, folder.root, new_library)


# -- one change at a time ---------------------------------------------------------------------


def counts(report: IndexReport) -> dict[str, int]:
    names = ("added", "updated", "moved", "unchanged", "removed")
    return {name: getattr(report, name) for name in names if getattr(report, name)}


@pytest.fixture
def library(new_library: NewLibrary, squares: Path) -> Library:
    made = new_library()
    assert counts(index(made, [squares])) == {"added": 8}
    return made


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


def test_a_deleted_photo_is_forgotten(library: Library, squares: Path) -> None:
    library.search("red", k=1).hits[0].path.unlink()
    assert counts(index(library, [squares])) == {"removed": 1, "unchanged": 7}
    assert "red" not in stems(library, "red", 10)


def test_unchanged_files_are_not_read_again(library: Library, squares: Path) -> None:
    # Other bytes under the same size and time: whoever read the file would notice.
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


def test_a_mended_file_is_taken(new_library: NewLibrary, squares: Path) -> None:
    broken = squares / "grey.png"
    broken.write_bytes(b"")
    library = new_library()
    assert len(index(library, [squares]).skipped) == 1
    square(broken, "red")
    report = index(library, [squares])
    assert counts(report) == {"added": 1, "unchanged": 8}
    assert report.skipped == ()


def test_a_photo_that_breaks_leaves_the_answers(library: Library, squares: Path) -> None:
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


def test_rebuild_encodes_every_photo_anew(library: Library, squares: Path) -> None:
    ids = {record.path: record.id for record in library.catalog.everything()}
    report = index(library, [squares], Options(rebuild=True))
    assert counts(report) == {"updated": 8}
    assert {record.path: record.id for record in library.catalog.everything()} == ids
    assert stems(library, "red") == ["red"]


def test_rebuilding_one_folder_leaves_the_others_answering(library: Library, squares: Path) -> None:
    other = squares.parent / "other"
    square(other / "grey.png", (90, 20, 20))
    index(library, [other])
    index(library, [other], Options(rebuild=True))
    assert stems(library, "cyan") == ["cyan"]
    assert len(library.index) == 9


def test_progress_rises_to_the_total(new_library: NewLibrary, squares: Path) -> None:
    told: list[tuple[int, int]] = []
    index(
        new_library(),
        [squares],
        Options(batch_size=3, progress=lambda done, total: told.append((done, total))),
    )
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[0] == (0, 8)
    assert told[-1] == (8, 8)


# -- files that are no photos -----------------------------------------------------------------


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and then ends."""
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
    assert time.perf_counter() - begin < 5  # nothing of 2.5 gigapixels was unpacked
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
def test_any_name_is_taken(
    name: bytes, new_library: NewLibrary, tmp_path: Path, invoke: Invoke, colours: Path
) -> None:
    file = tmp_path / "photos" / os.fsdecode(name)
    source = square(tmp_path / "source.png", "red")
    file.parent.mkdir()
    try:
        shutil.copyfile(source, file)
    except OSError as error:
        pytest.skip(f"this file system refuses the name: {error}")
    place = tmp_path / "library"
    report = invoke("index", file.parent, "--library", place, "--profile", colours, "--json")
    assert parsed(report)["added"] == 1
    assert parsed(invoke("index", file.parent, "--library", place, "--json"))["unchanged"] == 1
    found = invoke("query", "red", "--library", place, "--paths", "-0")
    assert found.stdout_bytes == os.fsencode(file) + b"\0"
    table = invoke("query", "red", "--library", place)
    assert table.stdout.count("\n") == 1
    assert table.stdout[:-1].replace("\t", "").isprintable()


def test_links_hidden_and_foreign_files_are_passed_over(
    new_library: NewLibrary, squares: Path
) -> None:
    square(squares / ".hidden" / "a.png", "red")
    square(squares / "@eaDir" / "a.png", "red")
    (squares / "notes.txt").write_text("no photo")
    (squares / "link.png").symlink_to(next(squares.rglob("red.*")))
    (squares / "loop").symlink_to(squares, target_is_directory=True)
    report = index(new_library(), [squares])
    assert (report.added, report.skipped) == (8, ())


@contextmanager
def without_privileges() -> Iterator[None]:
    """File permissions bind everybody but root."""
    if os.name != "posix":
        pytest.skip("permissions are a thing of POSIX")
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_an_unreadable_folder_is_reported_and_loses_nothing(models: Profile) -> None:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o777)
        square(place / "photos" / "red.png", "red")
        closed = square(place / "photos" / "closed" / "blue.png", "blue").parent
        (place / "library").mkdir()
        library = Library(place / "library", Catalog(place / "library" / CATALOGUE), models)
        try:
            index(library, [place / "photos"])
            for file in [place / "library", *(place / "library").iterdir()]:
                file.chmod(0o777)
            closed.chmod(0)
            with without_privileges():
                report = index(library, [place / "photos"])
            assert [skip.path for skip in report.skipped] == [closed]
            assert "cannot be read" in report.skipped[0].reason
            assert counts(report) == {"unchanged": 1}
            assert stems(library, "blue") == ["blue"]  # not known to be gone
            with without_privileges(), pytest.raises(BadRoot, match="permissions"):
                index(library, [closed])
        finally:
            closed.chmod(0o700)
            library.close()


def test_an_unreadable_file_is_reported(models: Profile) -> None:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o777)
        square(place / "photos" / "red.png", "red")
        (place / "library").mkdir()
        library = Library(place / "library", Catalog(place / "library" / CATALOGUE), models)
        try:
            index(library, [place / "photos"])
            square(place / "photos" / "blue.png", "blue").chmod(0)
            for file in [place / "library", *(place / "library").iterdir()]:
                file.chmod(0o777)
            with without_privileges():
                report = index(library, [place / "photos"])
            assert [skip.path.name for skip in report.skipped] == ["blue.png"]
            assert "cannot be read" in report.skipped[0].reason
        finally:
            library.close()


# -- folders that are no roots ----------------------------------------------------------------


def test_a_missing_folder_is_named(new_library: NewLibrary, tmp_path: Path) -> None:
    with pytest.raises(BadRoot, match="nowhere"):
        index(new_library(), [tmp_path / "nowhere"])


def test_a_file_is_no_root(new_library: NewLibrary, tmp_path: Path) -> None:
    with pytest.raises(BadRoot, match="is a file"):
        index(new_library(), [square(tmp_path / "red.png", "red")])


def test_a_folder_without_photos_forgets_nothing(library: Library, squares: Path) -> None:
    # An unplugged disk leaves its empty folder behind.
    squares.rename(squares.parent / "away")
    squares.mkdir()
    report = index(library, [squares])
    assert counts(report) == {}
    assert [(lost.path, lost.images) for lost in report.vanished] == [(squares, 8)]
    assert "holds no photo" in report.vanished[0].reason
    assert len(library) == len(library.index) == 8


# -- folders that vanish and come back --------------------------------------------------------


def test_an_unplugged_disk_is_kept_and_comes_back(library: Library, squares: Path) -> None:
    ids = library.index.ids().tolist()
    squares.rename(squares.parent / "away")
    report = index(library, [])
    assert [(lost.path, lost.images) for lost in report.vanished] == [(squares, 8)]
    assert (report.images, report.roots, counts(report)) == (8, 0, {})
    assert stems(library, "red") == ["red"]
    (squares.parent / "away").rename(squares)
    back = index(library, [])
    assert (counts(back), back.vanished) == ({"unchanged": 8}, ())
    assert library.index.ids().tolist() == ids


def test_a_vanished_root_is_forgotten_when_pruned(library: Library, squares: Path) -> None:
    other = square(squares.parent / "other" / "grey.png", (90, 20, 20)).parent
    index(library, [other])
    squares.rename(squares.parent / "away")
    assert counts(index(library, [], Options(prune=True))) == {"removed": 8, "unchanged": 1}
    assert [root.path for root in library.catalog.roots()] == [other]
    assert len(library.index) == 1
    with pytest.raises(BadRoot, match="does not exist"):
        index(library, [squares])


def test_an_emptied_root_is_forgotten_when_pruned(library: Library, squares: Path) -> None:
    shutil.rmtree(squares)
    squares.mkdir()
    assert index(library, [squares]).images == 8
    assert counts(index(library, [squares], Options(prune=True))) == {"removed": 8}
    assert [(root.path, root.images) for root in library.catalog.roots()] == [(squares, 0)]


def test_a_vanished_folder_inside_a_root_is_kept_when_named(
    library: Library, squares: Path
) -> None:
    shutil.rmtree(squares / "deep")
    report = index(library, [squares / "deep"])
    assert [lost.path for lost in report.vanished] == [squares / "deep"]
    assert len(library) == 8
    assert index(library, [squares]).removed == report.vanished[0].images  # the disk is there


def test_another_disk_at_the_same_place_is_told(many: Path, new_library: NewLibrary) -> None:
    library = new_library()
    index(library, [many])
    many.rename(many.parent / "away")
    square(many / "other.png", "red", size=(31, 17))
    report = index(library, [many])
    assert "another disk" in report.vanished[0].reason
    assert len(library) == 150
    assert counts(index(library, [many], Options(prune=True))) == {"added": 1, "removed": 150}
    assert_equals_fresh(library, many, new_library)


def test_a_photo_copied_off_an_unplugged_disk_is_a_copy(library: Library, squares: Path) -> None:
    (red,) = squares.rglob("red.*")
    other = squares.parent / "other"
    other.mkdir()
    shutil.copyfile(red, other / "copy.jpg")
    squares.rename(squares.parent / "away")
    assert counts(index(library, [other])) == {"added": 1}
    assert len(library) == 9


def test_a_photo_of_a_closed_folder_is_not_gone(models: Profile) -> None:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o777)
        closed = square(place / "photos" / "closed" / "blue.png", "blue").parent
        (place / "library").mkdir()
        library = Library(place / "library", Catalog(place / "library" / CATALOGUE), models)
        try:
            index(library, [place / "photos"])
            shutil.copyfile(closed / "blue.png", place / "photos" / "copy.png")
            for file in [place / "library", *(place / "library").iterdir()]:
                file.chmod(0o777)
            closed.chmod(0)
            with without_privileges():
                report = index(library, [place / "photos"])
            assert (report.added, report.moved, report.images) == (1, 0, 2)
        finally:
            closed.chmod(0o700)
            library.close()


# -- links, copies and moves ------------------------------------------------------------------


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


def test_links_are_followed_when_asked(library: Library, squares: Path) -> None:
    outside = square(squares.parent / "outside" / "grey.png", (90, 20, 20)).parent
    (squares / "out").symlink_to(outside, target_is_directory=True)
    (squares / "loop").symlink_to(squares, target_is_directory=True)
    assert counts(index(library, [squares])) == {"unchanged": 8}
    followed = index(library, [squares], Options(follow_links=True))
    assert counts(followed) == {"added": 1, "unchanged": 8}
    assert counts(index(library, [squares])) == {"removed": 1, "unchanged": 8}


def test_a_copy_of_a_photo_that_moved_is_told_from_it(library: Library, squares: Path) -> None:
    (red,) = squares.rglob("red.*")
    shutil.copyfile(red, squares / f"copy{red.suffix}")
    red.rename(squares.parent / "out-of-sight")
    assert counts(index(library, [squares])) == {"moved": 1, "unchanged": 7}
    (squares.parent / "out-of-sight").rename(squares / f"later{red.suffix}")
    assert counts(index(library, [squares])) == {"added": 1, "unchanged": 8}


# -- files that change while they are indexed -------------------------------------------------


def meanwhile(act: Callable[[], object]) -> Options:
    """Options under which something happens after the scan and before the first file is read."""
    return Options(progress=lambda done, total: act() if done == 0 else None)


def test_a_new_file_that_vanishes_is_no_matter(library: Library, squares: Path) -> None:
    new = square(squares / "new.png", (1, 2, 3))
    report = index(library, [squares], meanwhile(new.unlink))
    assert (counts(report), report.skipped) == ({"unchanged": 8}, ())


def test_a_changed_file_that_vanishes_is_gone(library: Library, squares: Path) -> None:
    (red,) = squares.rglob("red.*")
    square(red, "green")
    report = index(library, [squares], meanwhile(red.unlink))
    assert (counts(report), report.skipped) == ({"removed": 1, "unchanged": 7}, ())
    assert len(library.index) == 7


def test_a_root_that_vanishes_in_the_middle_is_kept(library: Library, squares: Path) -> None:
    reds = [file for file in squares.rglob("*.*") if file.stem in ("red", "blue")]
    square(reds[0], "green")
    reds[1].unlink()
    report = index(library, [squares], meanwhile(lambda: squares.rename(squares.parent / "away")))
    assert [lost.path for lost in report.vanished] == [squares]
    assert report.removed == 0
    assert len(library) == 8


def test_a_file_that_grows_is_taken_as_it_is_when_read(library: Library, squares: Path) -> None:
    new = square(squares / "new.png", "red")
    report = index(library, [squares], meanwhile(lambda: square(new, "green", size=(99, 7))))
    assert counts(report) == {"added": 1, "unchanged": 8}
    assert set(stems(library, "green", 2)) == {"green", "new"}
    assert counts(index(library, [squares])) == {"unchanged": 9}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are a thing of POSIX")
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(library: Library, squares: Path) -> None:
    new = square(squares / "new.png", (1, 2, 3))

    def replace() -> None:
        new.unlink()
        os.mkfifo(new)

    report = index(library, [squares], meanwhile(replace))
    assert [(skip.path, "not a regular file" in skip.reason) for skip in report.skipped] == [
        (new, True)
    ]
    assert index(library, [squares]).skipped == ()


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux's /proc")
def test_a_file_that_cannot_be_read_is_tried_again(library: Library, squares: Path) -> None:
    new = squares / "new.png"
    outside = square(squares.parent / "outside.png", (1, 2, 3))
    new.symlink_to(outside)

    def replace() -> None:  # an ordinary file whose reading fails, whoever asks
        new.unlink()
        new.symlink_to("/proc/self/mem")

    report = index(library, [squares], Options(follow_links=True, progress=lambda d, t: replace()))
    assert "cannot be read" in report.skipped[0].reason
    assert "tried again" in report.skipped[0].reason
    new.unlink()
    new.symlink_to(outside)
    again = index(library, [squares], Options(follow_links=True))
    assert (counts(again), again.skipped) == ({"added": 1, "unchanged": 8}, ())


# -- a tree of everything ---------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="names and paths as Linux has them")
def test_a_tree_of_all_that_is_odd(
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
    (squares / "unread" / ".pixqueryignore").symlink_to(".pixqueryignore")  # for root, too
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


# -- stopped in the middle --------------------------------------------------------------------


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A few hundred squares of different shades."""
    root = tmp_path / "many"
    for number in range(150):
        file = root / f"{number % 7}" / f"{number:03}.png"
        square(file, (number, 255 - number, (number * 7) % 256), size=(9, 9))
    return root


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
            pytest.fail("what was waited for did not happen within a minute")
        time.sleep(0.005)


@pytest.mark.skipif(os.name != "posix", reason="these signals are a thing of POSIX")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_is_completed_by_the_next(
    how: signal.Signals, many: Path, tmp_path: Path, colours: Path, new_library: NewLibrary
) -> None:
    place = tmp_path / "library"
    command = ("index", many, "--library", place, "--batch-size", "1", "--jobs", "1")
    with running("cli.py", *command, "--profile", colours) as process:
        wait_for(lambda: (place / f"{CATALOGUE}-wal").exists())
        with Library.open(place) as watched:
            wait_for(lambda: len(watched) > 5)
        process.send_signal(how)
        _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    if how == signal.SIGINT:
        assert "interrupted" in errors
    assert process.returncode == (-signal.SIGKILL if how == signal.SIGKILL else 130)
    with Library.open(place) as library:
        kept = len(library)
        assert 5 < kept < 150
        assert len(library.index) == kept  # what was written answers
        report = index(library, [many])
        assert (report.added, report.unchanged) == (150 - kept, kept)
        assert_equals_fresh(library, many, new_library)


def test_a_second_writer_is_sent_away_and_readers_are_not(
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
        holder.kill()  # a lock survives no dead process
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


# -- no room ----------------------------------------------------------------------------------


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


@pytest.mark.skipif(os.name != "posix", reason="file size limits are a thing of POSIX")
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
    """A disk of its own, with next to no room."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=280k", "none", str(place)]
    if mount is None or subprocess.run([mount, *options], capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


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
        # Not even compiled models find room: they are a convenience.
        return spawn(*words, PIXQUERY_CACHE=str(small_disk / "cache"))

    def relieve() -> None:
        subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)

    assert_survives_a_full_disk(place, squares, many, full, relieve, new_library)
