"""Folders that are no roots, and folders that vanish and come back."""

import shutil
import tempfile
from pathlib import Path

import pytest

from pixquery import Library
from pixquery.db.catalog import Catalog
from pixquery.db.errors import BadRoot
from pixquery.engine.library import CATALOGUE
from pixquery.engine.profile import Profile
from pixquery.indexer.build import Options, index
from tests.comparing import assert_equals_fresh, counts, stems, without_privileges
from tests.conftest import (
    NewLibrary,
    square,
)


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
    assert "contains no photo" in report.vanished[0].reason
    assert len(library) == len(library.index) == 8


# -- folders that vanish and come back ---------------------------------------------------------


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
