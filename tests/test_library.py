"""A library's parts are kept in step, and repaired from the catalogue."""

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from pixquery import Library
from pixquery.db.catalog import Catalog
from pixquery.db.checksums import digest
from pixquery.db.errors import (
    LibraryDamaged,
    LibraryNotFound,
    LibraryTooNew,
    ProfileMismatch,
    ProfileNotFound,
    StorageFailed,
)
from pixquery.db.migrations import MIGRATIONS
from pixquery.engine.library import CATALOGUE
from pixquery.engine.profile import MANIFEST
from pixquery.indexer.build import index
from tests.conftest import COLOURS, Invoke, parsed, square


@pytest.fixture
def place(tmp_path: Path, squares: Path, colours: Path) -> Path:
    """A closed library of the squares."""
    with Library.open(tmp_path / "library", create=True, profile=str(colours)) as library:
        index(library, [squares])
    return tmp_path / "library"


def vectors_of(place: Path) -> Path:
    (file,) = place.glob("vectors-*.faiss")
    return file


def answers(place: Path) -> dict[str, list[str]]:
    with Library.open(place) as library:
        return {
            colour: [hit.path.stem for hit in library.search(colour, k=1).hits]
            for colour in COLOURS
        }


RIGHT = {colour: [colour] for colour in COLOURS}


def profile_of(place: Path) -> str:
    with Library.open(place) as library:
        return library.profile.name


def made_with(place: Path, profile: str) -> None:
    catalog = Catalog(place / CATALOGUE)
    catalog.keep("profile", profile)
    catalog.close()


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": lambda file: file.unlink(),
    "one bit": flip,
    "cut off": lambda file: file.write_bytes(file.read_bytes()[:-1]),
    "empty": lambda file: file.write_bytes(b""),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_vector_file_is_rebuilt(damage: str, place: Path) -> None:
    file = vectors_of(place)
    DAMAGES[damage](file)
    assert answers(place) == RIGHT
    kept = list(place.glob("*.corrupt-*"))
    assert len(kept) == (damage != "missing")  # a damaged file is kept
    assert vectors_of(place) != file
    with Library.open(place) as library:
        assert library.verify() == []


def test_the_vectors_are_read_and_not_rebuilt_each_time(place: Path) -> None:
    before = vectors_of(place).stat()
    assert answers(place) == RIGHT
    after = vectors_of(place).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_stale_generation_is_caught_up(place: Path, squares: Path) -> None:
    # As after a crash between the last batch and the vector file: all changes are committed.
    old = shutil.copytree(place, place.parent / "old")
    square(squares / "new.png", (200, 20, 20))
    next(squares.rglob("blue.*")).unlink()
    square(next(squares.rglob("green.*")), "black")
    with Library.open(place) as library:
        index(library, [squares])
    with (
        closing(sqlite3.connect(place / CATALOGUE)) as catalogue,
        catalogue,
        closing(sqlite3.connect(old / CATALOGUE)) as past,
    ):
        row = past.execute("SELECT * FROM generations").fetchone()
        catalogue.execute("DELETE FROM generations")
        catalogue.execute("INSERT INTO generations VALUES (?, ?, ?, ?, ?, ?)", row)
    catalogue.close()
    past.close()
    vectors_of(place).unlink()
    shutil.copy(vectors_of(old), place)
    with Library.open(place) as library:
        assert [f.what for f in library.verify()] == [
            "vectors: the index file is older than the catalogue"
        ]
        assert {hit.path.stem for hit in library.search("black", k=2).hits} == {"black", "green"}
        assert {hit.path.stem for hit in library.search("red", k=2).hits} == {"red", "new"}
        assert library.search("blue", k=1).hits[0].path.stem != "blue"
        assert library.index.ids().tolist() == [r.id for r in library.catalog.everything()]
        assert library.verify() == []


def test_publishing_removes_older_vector_files(place: Path, squares: Path) -> None:
    before = vectors_of(place)
    square(squares / "new.png", (200, 20, 20))
    with Library.open(place) as library:
        index(library, [squares])
    assert vectors_of(place) != before


def test_a_changed_alignment_is_noticed(place: Path, tmp_path: Path, colours: Path) -> None:
    from safetensors.numpy import load_file, save_file

    profile = shutil.copytree(colours, tmp_path / "profile")
    made_with(place, str(profile))
    assert answers(place) == RIGHT
    tensors = load_file(profile / "alignment.safetensors")
    turned = {n: np.ascontiguousarray(np.roll(t, 1, -1)) for n, t in tensors.items()}
    save_file(turned, profile / "alignment.safetensors")
    content = (profile / "alignment.safetensors").read_bytes()
    manifest = json.loads((profile / MANIFEST).read_text())  # training writes a new one
    manifest["files"]["alignment.safetensors"] = {
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    (profile / MANIFEST).write_text(json.dumps(manifest))
    assert answers(place) == RIGHT
    with Library.open(place) as library:
        assert library.index.vectors(library.index.ids()).shape == (8, 3)


# -- opening ----------------------------------------------------------------------------------


def test_a_missing_library_is_reported_with_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(LibraryNotFound, match="pixquery index"):
        Library.open(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_newer_library_is_refused(place: Path) -> None:
    with closing(sqlite3.connect(place / CATALOGUE)) as catalogue, catalogue:
        catalogue.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 2}")
    catalogue.close()
    with pytest.raises(LibraryTooNew, match="update pixquery"):
        Library.open(place)


def test_a_catalogue_without_its_profile_is_damaged(place: Path) -> None:
    with closing(sqlite3.connect(place / CATALOGUE)) as catalogue, catalogue:
        catalogue.execute("DELETE FROM settings WHERE name = 'profile'")
    catalogue.close()
    with pytest.raises(LibraryDamaged, match=r"profile.*verify --repair"):
        Library.open(place)


def test_another_profile_is_refused_with_what_to_do(
    place: Path, colours: Path, tints: Path
) -> None:
    with pytest.raises(ProfileMismatch, match="--rebuild") as error:
        Library.open(place, profile=str(tints))
    assert str(tints) in str(error.value)
    assert str(colours.resolve()) in str(error.value)
    assert answers(place) == RIGHT
    Library.open(place, profile=str(colours)).close()


def test_switching_profiles_encodes_all_photos_again(
    place: Path, squares: Path, tints: Path, invoke: Invoke
) -> None:
    done = invoke("index", squares, "--library", place, "--rebuild", "--profile", tints, "--json")
    assert parsed(done)["updated"] == 8
    assert answers(place) == RIGHT
    assert profile_of(place) == "tints"
    with Library.open(place) as library:
        assert library.verify() == []


def test_a_switch_that_fails_switches_nothing(
    place: Path, squares: Path, tints: Path, invoke: Invoke
) -> None:
    # An unplugged disk leaves its empty folder.
    squares.rename(squares.parent / "away")
    squares.mkdir()
    failed = invoke("index", squares, "--library", place, "--rebuild", "--profile", tints)
    assert failed.exit_code == 1
    assert profile_of(place) == "colours"
    assert answers(place) == RIGHT


def test_a_switch_while_another_writes_switches_nothing(
    place: Path, squares: Path, tints: Path, invoke: Invoke
) -> None:
    with Library.open(place) as library, library.writing():
        refused = invoke("index", squares, "--library", place, "--rebuild", "--profile", tints)
        assert refused.exit_code == 75
    assert profile_of(place) == "colours"
    assert answers(place) == RIGHT


def test_a_rebuild_keeps_the_photos_of_an_unplugged_disk(
    place: Path, squares: Path, tmp_path: Path, invoke: Invoke
) -> None:
    other = square(tmp_path / "other" / "crimson.png", (220, 20, 60)).parent
    squares.rename(squares.parent / "away")
    done = invoke("index", other, "--library", place, "--rebuild")
    assert done.exit_code == 0
    assert answers(place) == RIGHT  # the same encoder: the old vectors are still right


def test_a_profile_that_disappeared_is_reported(place: Path, tmp_path: Path, colours: Path) -> None:
    made_with(place, "/gone")
    with pytest.raises(ProfileNotFound, match="/gone"):
        Library.open(place)


def test_a_catalogue_of_garbage_is_reported_in_one_sentence(place: Path, invoke: Invoke) -> None:
    (place / CATALOGUE).write_bytes(b"garbage" * 5000)
    with pytest.raises(LibraryDamaged, match="verify --repair"):
        Library.open(place)
    done = invoke("query", "red", "--library", place)
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("pixquery: the catalogue")


def test_a_folder_that_cannot_be_created(tmp_path: Path, colours: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageFailed, match="--library"):
        Library.open(tmp_path / "file" / "library", create=True, profile=str(colours))


def test_the_home_folder_is_expanded(
    tmp_path: Path, colours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with Library.open("~/photos", create=True, profile=str(colours)) as library:
        assert library.folder == tmp_path / "photos"
        assert len(library) == 0


def test_info_counts(place: Path, squares: Path) -> None:
    with Library.open(place) as library:
        info = library.info()
    assert (info.images, info.dimension, info.index, info.profile) == (8, 3, "exact", "colours")
    assert [(root.path, root.images) for root in info.roots] == [(squares, 8)]
    assert info.vectors_bytes == vectors_of(place).stat().st_size
    assert info.catalogue_bytes >= (place / CATALOGUE).stat().st_size
    assert info.updated is not None


# -- verify -----------------------------------------------------------------------------------


def in_catalogue(statement: str) -> Callable[[Path, Path], object]:
    def change(place: Path, squares: Path) -> None:
        with closing(sqlite3.connect(place / CATALOGUE)) as catalogue, catalogue:
            catalogue.execute(statement)
        catalogue.close()

    return change


def _photo_gone(place: Path, squares: Path) -> None:
    next(squares.rglob("red.*")).unlink()


def _photo_changed(place: Path, squares: Path) -> None:
    square(next(squares.rglob("red.*")), (250, 5, 5), size=(50, 51))


def in_vectors(damage: Callable[[Path], object]) -> Callable[[Path, Path], object]:
    return lambda place, squares: damage(vectors_of(place))


WRONGS: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    **{f"vector file {name}": (in_vectors(do), "vectors: ") for name, do in DAMAGES.items()},
    "no generation": (in_catalogue("DELETE FROM generations"), "vectors: there is no index file"),
    "a loose vector": (
        in_catalogue("DELETE FROM images WHERE id = 2"),
        "catalogue: a row of vectors refers to a row of images",
    ),
    "a lost vector": (
        in_catalogue("DELETE FROM vectors WHERE image_id = 3"),
        "catalogue: 1 photos have no sound vector",
    ),
    "a short vector": (
        in_catalogue("UPDATE vectors SET raw = x'0000' WHERE image_id = 3"),
        "catalogue: 1 photos have no sound vector",
    ),
    "a photo gone": (_photo_gone, "file: "),
    "a photo changed": (_photo_changed, "file: "),
}


@pytest.mark.parametrize("wrong", WRONGS)
def test_verify_finds_and_repairs(wrong: str, place: Path, squares: Path, invoke: Invoke) -> None:
    assert invoke("verify", "--library", place).exit_code == 0
    damage, words = WRONGS[wrong]
    damage(place, squares)
    done = invoke("verify", "--library", place, "--json")
    assert done.exit_code == 1
    findings = parsed(done)["findings"]
    assert any(finding["what"].startswith(words) for finding in findings)
    assert not any(finding["repaired"] for finding in findings)
    mended = invoke("verify", "--library", place, "--repair", "--json")
    assert mended.exit_code == 0
    assert all(finding["repaired"] for finding in parsed(mended)["findings"])
    assert invoke("verify", "--library", place).exit_code == 0
    remaining = {file.stem for file in squares.rglob("*.*")}
    assert {name for names in answers(place).values() for name in names} == remaining


def test_verify_compares_the_vectors_themselves(place: Path, invoke: Invoke) -> None:
    opposite = np.array([1, -1, 1], np.float16).tobytes()
    with Library.open(place) as library:
        known = digest(3, library.profile.encoder, 1, opposite).hex()  # as for a sound row
    in_catalogue(
        f"UPDATE vectors SET raw = x'{opposite.hex()}', revision = 1, checksum = x'{known}' "
        "WHERE image_id = 3"
    )(place, place)
    done = invoke("verify", "--library", place, "--json")
    assert done.exit_code == 1
    assert any(f["what"].startswith("vectors: ") for f in parsed(done)["findings"])


def test_verify_notices_a_damaged_profile(
    place: Path, tmp_path: Path, colours: Path, invoke: Invoke
) -> None:
    profile = shutil.copytree(colours, tmp_path / "profile")
    made_with(place, str(profile))
    flip(profile / "text.onnx")
    findings = parsed(invoke("verify", "--library", place, "--json"))["findings"]
    assert [finding["what"].split(":")[0] for finding in findings] == ["profile"]
    assert "text.onnx" in findings[0]["what"]


def test_verify_repair_respects_the_lock(place: Path, invoke: Invoke) -> None:
    with Library.open(place) as library, library.writing():
        assert invoke("verify", "--library", place, "--repair").exit_code == 75
        assert invoke("verify", "--library", place).exit_code == 0


def test_a_library_that_is_being_created_is_not_there_yet(
    tmp_path: Path, squares: Path, colours: Path
) -> None:
    """Between its catalogue and its profile a reader would otherwise guess the profile."""
    (tmp_path / "library").mkdir()
    Catalog(tmp_path / "library" / CATALOGUE).close()
    with pytest.raises(LibraryNotFound, match="make one with"):
        Library.open(tmp_path / "library")
    with Library.open(tmp_path / "library", create=True, profile=str(colours)) as library:
        index(library, [squares])
    assert answers(tmp_path / "library") == RIGHT
