"""What a photo is recognised by: its bytes, and nothing that other bytes can be made to share."""

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import xxhash
from blake3 import blake3
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from pixquery import Library
from pixquery.db.checksums import computed, prepare
from pixquery.engine.library import CATALOGUE
from pixquery.indexer.build import Options, index
from tests.aged import aged, lengths
from tests.collisions import colliding
from tests.comparing import answers, counts, stems
from tests.conftest import COLOURS, NewLibrary, square

Pair = tuple[bytes, bytes]


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """A red and a blue JPEG of one size and one XXH3-128."""
    red = square(tmp_path / "made" / "red.jpg", "red", (64, 48))
    blue = square(tmp_path / "made" / "blue.jpg", "blue", (40, 90))
    return colliding(red.read_bytes(), blue.read_bytes())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a white square."""
    return square(tmp_path / "photos" / "white.png", "white").parent


def colours(library: Library) -> dict[str, str]:
    """What colour each photo's vector has, by the photo's name."""
    records = {record.id: record.path.name for record in library}
    vectors = library.catalog.vectors_of(list(records), library.profile.encoder)
    return {
        records[image_id]: min(
            COLOURS, key=lambda name: float(np.abs(np.array(COLOURS[name]) / 255 - vector).max())
        )
        for image_id, vector in vectors.items()
    }


def ids(library: Library) -> dict[str, int]:
    return {record.path.name: record.id for record in library}


def write(file: Path, content: bytes, second: int) -> Path:
    file.write_bytes(content)
    os.utime(file, ns=(second * 10**9, second * 10**9))
    return file


def test_the_pair_is_what_it_claims(pair: Pair, tmp_path: Path) -> None:
    red, blue = pair
    assert len(red) == len(blue)
    assert xxhash.xxh3_128_digest(red) == xxhash.xxh3_128_digest(blue)
    assert blake3(red).digest() != blake3(blue).digest()
    for content, size in ((red, (64, 48)), (blue, (40, 90))):
        with Image.open(write(tmp_path / "one.jpg", content, 1)) as image:
            assert image.size == size


def test_each_of_two_files_with_one_checksum_has_its_own_vector(
    pair: Pair, root: Path, new_library: NewLibrary
) -> None:
    library = new_library()
    write(root / "red.jpg", pair[0], 1)
    assert index(library, [root]).added == 2
    write(root / "blue.jpg", pair[1], 1)
    assert counts(index(library, [root])) == {"added": 1, "unchanged": 2}
    assert colours(library) == {"red.jpg": "red", "blue.jpg": "blue", "white.png": "white"}
    assert stems(library, "blue") == ["blue"]
    assert library.duplicates(1).groups == ()
    assert set(lengths(library.folder).values()) == {32}


def test_unchanged_files_of_an_old_library_are_not_read(
    root: Path, new_library: NewLibrary
) -> None:
    library = new_library()
    index(library, [root])
    aged(library.folder)
    (white,) = root.iterdir()
    state = white.stat()
    write(white, bytes(state.st_size), 1)
    os.utime(white, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert counts(index(library, [root])) == {"unchanged": 1}
    assert set(lengths(library.folder).values()) == {16}


def test_an_old_library_tells_a_collision_from_a_copy(
    pair: Pair, root: Path, new_library: NewLibrary
) -> None:
    library = new_library()
    write(root / "red.jpg", pair[0], 1)
    index(library, [root])
    aged(library.folder)
    before = ids(library)
    write(root / "blue.jpg", pair[1], 1)
    write(root / "copy.jpg", pair[0], 2)
    assert counts(index(library, [root])) == {"added": 2, "unchanged": 2}
    assert colours(library) == {
        "red.jpg": "red", "blue.jpg": "blue", "copy.jpg": "red", "white.png": "white"
    }  # fmt: skip
    assert {name: ids(library)[name] for name in before} == before
    assert lengths(library.folder) == {
        "red.jpg": 32, "blue.jpg": 32, "copy.jpg": 32, "white.png": 16
    }  # fmt: skip
    (group,) = library.duplicates(1).groups
    assert {group.best.path.name, group.copies[0].record.path.name} == {"red.jpg", "copy.jpg"}


@pytest.mark.parametrize("which", [0, 1])
def test_a_missing_photo_of_an_old_library_is_encoded_again_where_it_may_be(
    which: int, pair: Pair, root: Path, new_library: NewLibrary
) -> None:
    library = new_library()
    write(root / "red.jpg", pair[0], 1)
    index(library, [root])
    aged(library.folder)
    before = ids(library)["red.jpg"]
    (root / "red.jpg").unlink()
    write(root / "elsewhere.jpg", pair[which], 2)
    assert counts(index(library, [root])) == {"moved": 1, "unchanged": 1}
    assert ids(library)["elsewhere.jpg"] == before
    assert colours(library)["elsewhere.jpg"] == ("red", "blue")[which]
    assert lengths(library.folder)["elsewhere.jpg"] == 32
    assert library.verify() == []


@pytest.mark.parametrize("which", [0, 1])
def test_a_touched_photo_of_an_old_library_is_encoded_again(
    which: int, pair: Pair, root: Path, new_library: NewLibrary
) -> None:
    library = new_library()
    write(root / "photo.jpg", pair[0], 1)
    write(root / "copy.jpg", pair[0], 1)
    index(library, [root])
    aged(library.folder)
    before = ids(library)
    write(root / "photo.jpg", pair[which], 2)
    assert counts(index(library, [root])) == {"unchanged": 3}
    assert ids(library) == before
    assert colours(library)["photo.jpg"] == ("red", "blue")[which]
    assert colours(library)["copy.jpg"] == "red"
    # Its copy is proven with it, or the two would not be known as equal any more.
    assert lengths(library.folder) == {"photo.jpg": 32, "copy.jpg": 32, "white.png": 16}
    assert len(library.duplicates(1).groups) == 1 - which
    assert counts(index(library, [root])) == {"unchanged": 3}
    assert library.verify() == []


def test_a_vector_of_another_file_is_noticed_when_files_are_compared(
    pair: Pair, root: Path, new_library: NewLibrary
) -> None:
    library = new_library()
    other = root.parent / "other"
    other.mkdir()
    write(other / "red.jpg", pair[0], 1)
    write(root / "blue.jpg", pair[1], 1)
    index(library, [root, other])
    aged(library.folder)
    stolen = ids(library)
    with closing(sqlite3.connect(library.folder / CATALOGUE)) as catalogue, catalogue:
        prepare(catalogue)  # as the version that took the one file for the other
        catalogue.execute(
            "UPDATE vectors SET raw = (SELECT raw FROM vectors WHERE image_id = ?) "
            "WHERE image_id = ?",
            (stolen["red.jpg"], stolen["blue.jpg"]),
        )
        catalogue.execute(f"UPDATE vectors SET checksum = {computed('vectors')}")
    assert colours(library)["blue.jpg"] == "red"
    write(root / "copy.jpg", pair[0], 2)
    index(library, [root])
    assert colours(library) == {
        "red.jpg": "red", "blue.jpg": "blue", "copy.jpg": "red", "white.png": "white"
    }  # fmt: skip
    assert {root.path: root.images for root in library.catalog.roots()} == {root: 3, other: 1}
    assert library.verify() == []


_NAMES = ("a.jpg", "b.jpg", "c.jpg", "d.jpg")
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(_NAMES), st.sampled_from("01")),
        st.tuples(st.just("move"), st.sampled_from(_NAMES), st.sampled_from(_NAMES)),
        st.tuples(st.just("copy"), st.sampled_from(_NAMES), st.sampled_from(_NAMES)),
        st.tuples(st.just("delete"), st.sampled_from(_NAMES), st.just("")),
        st.tuples(st.sampled_from(["index", "age", "rebuild"]), st.just(""), st.just("")),
    ),
    min_size=3,
    max_size=20,
)


@given(steps=_steps, batch_size=st.integers(1, 3))
@hypothesis_settings(max_examples=40)
def test_an_old_library_always_has_the_vectors_of_its_files(
    steps: list[tuple[str, str, str]], batch_size: int, new_library: NewLibrary
) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = square(Path(name) / "photos" / "white.png", "white").parent
        made = [
            square(Path(name) / colour / "made.jpg", colour, size).read_bytes()
            for colour, size in (("red", (64, 48)), ("blue", (40, 90)))
        ]
        pair = colliding(made[0], made[1])
        contents = [*pair, (root / "white.png").read_bytes()]
        library = new_library()
        now = 1_700_000_000
        for what, one, other in [*steps, ("index", "", "")]:
            now += 1
            file = root / one
            if what == "write":
                write(file, pair[int(other)], now)
            elif what == "age":
                aged(library.folder, contents)
            elif what in ("index", "rebuild"):
                options = Options(batch_size=batch_size, rebuild=what == "rebuild")
                report = index(library, [root], options)
                assert report.images == report.added + report.updated + report.moved + (
                    report.unchanged
                )
            elif file.exists() and what == "move":
                file.replace(root / other)
            elif file.exists() and what == "copy" and one != other:
                shutil.copyfile(file, root / other)
                os.utime(root / other, ns=(now * 10**9, now * 10**9))
            elif what == "delete":
                file.unlink(missing_ok=True)
        right = {
            file.name: "red" if file.read_bytes() == pair[0] else "blue"
            for file in root.glob("*.jpg")
        }
        assert colours(library) == {**right, "white.png": "white"}
        fresh = new_library()
        index(fresh, [root])
        assert answers(library) == answers(fresh)
        assert library.verify() == []
