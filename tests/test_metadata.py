"""What photos say of themselves, in the catalogue."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from pixquery.db.catalog import Catalog
from pixquery.db.errors import LibraryDamaged
from pixquery.db.metadata import TABLES, Noted
from pixquery.db.records import Annotation, FileState, ImageRecord, Line, Locality, Place
from pixquery.db.salvage import salvage

CORNERS = (0.1, 0.1, 0.5, 0.1, 0.5, 0.2, 0.1, 0.2)
LINES = (Line("BOARDING PASS", 0.98, CORNERS), Line("Wien → Lisboa „7“", 0.5, CORNERS))
ANNOTATION = Annotation(
    "A title", "Two\nlines", ("beach", "Anna's wedding"), ("Anna", "Bob"), -1, "Red", ("Alfama",)
)
LISBON = Locality("Lisbon", "Lisbon", "Portugal", "PT")


def photo(path: str, content: bytes = b"x" * 32, place: Place | None = None) -> ImageRecord:
    return ImageRecord(Path(path), FileState(3, 4), content, 30, 20, "JPEG", place=place)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """Three photos, the first and the second with coordinates."""
    catalog = Catalog(tmp_path / "c.sqlite")
    put(
        catalog,
        photo("/r/a.jpg", b"a" * 32, Place(38.7, -9.1)),
        photo("/r/b.jpg", b"b" * 32, Place(0.0, 0.0)),
        photo("/r/c.jpg", b"c" * 32),
    )
    yield catalog
    catalog.close()


def put(catalog: Catalog, *records: ImageRecord) -> list[int]:
    root = catalog.add_root(Path("/r"))
    return catalog.put(root, records, np.ones((len(records), 3), np.float16), "this")


def described(catalog: Catalog) -> list[object]:
    ids = [1, 2, 3]
    return [catalog.annotations(ids), catalog.readings(ids), catalog.localities(ids)]


def test_everything_comes_back_as_it_was_written(catalog: Catalog) -> None:
    assert described(catalog) == [{}, {}, {}]
    catalog.annotate({1: Noted(ANNOTATION), 2: Noted(Annotation(), "state")})
    catalog.note_readings({1: LINES, 2: ()}, "reader")
    catalog.locate({1: LISBON}, "data")
    assert described(catalog) == [{1: ANNOTATION, 2: Annotation()}, {1: LINES, 2: ()}, {1: LISBON}]
    assert catalog.sidecars() == {2: "state"}
    assert catalog.known_localities() == [(LISBON, 1)]
    assert catalog.problems() == []


def test_nothing_is_noted_of_photos_about_which_nobody_wrote(catalog: Catalog) -> None:
    before = catalog.metadata_revision
    catalog.annotate({1: Noted(Annotation())})
    assert catalog.annotations([1]) == {}
    assert catalog.metadata_revision == before
    catalog.annotate({1: Noted(ANNOTATION)})
    noted = catalog.metadata_revision
    catalog.annotate({1: Noted(Annotation())})  # the owner took it back
    assert catalog.annotations([1]) == {1: Annotation()}
    assert catalog.described_since(noted) == [1]


def test_changes_are_listed_by_revision(catalog: Catalog) -> None:
    catalog.annotate({1: Noted(ANNOTATION)})
    first = catalog.metadata_revision
    catalog.note_readings({3: LINES}, "reader")
    catalog.locate({2: LISBON}, "data")
    assert catalog.described_since(0) == [1, 2, 3]
    assert catalog.described_since(first) == [2, 3]
    assert catalog.described_since(catalog.metadata_revision) == []


def test_unread_photos_come_newest_first_and_another_reader_reads_all(catalog: Catalog) -> None:
    assert catalog.unread("reader") == [3, 2, 1]  # equal times: the later id first
    catalog.note_readings({2: ()}, "reader")
    assert (catalog.unread("reader"), catalog.unread("better")) == ([3, 1], [3, 2, 1])
    assert catalog.read_count() == 1


def test_photos_with_coordinates_wait_for_a_name(catalog: Catalog) -> None:
    assert catalog.unlocated("data") == {1: Place(38.7, -9.1), 2: Place(0.0, 0.0)}
    catalog.locate({1: LISBON}, "data")
    assert catalog.unlocated("data") == {2: Place(0.0, 0.0)}
    assert set(catalog.unlocated("newer data")) == {1, 2}


def test_another_content_has_said_nothing_yet(catalog: Catalog) -> None:
    catalog.annotate({1: Noted(ANNOTATION), 3: Noted(ANNOTATION)})
    catalog.note_readings({1: LINES, 3: LINES}, "reader")
    catalog.locate({1: LISBON}, "data")
    put(catalog, photo("/r/a.jpg", b"A" * 32), photo("/r/c.jpg", b"c" * 32))
    assert described(catalog) == [{3: ANNOTATION}, {3: LINES}, {}]


def test_what_is_noted_goes_with_the_photo(catalog: Catalog) -> None:
    catalog.annotate({1: Noted(ANNOTATION)})
    catalog.note_readings({1: LINES}, "reader")
    catalog.locate({1: LISBON}, "data")
    catalog.remove([1])
    assert described(catalog) == [{}, {}, {}]
    assert catalog.problems() == []


@pytest.mark.parametrize(
    ("table", "column"),
    [("annotations", "caption"), ("readings", "lines"), ("localities", "city")],
)
def test_an_altered_row_is_noticed_and_not_believed(
    table: str, column: str, catalog: Catalog
) -> None:
    catalog.annotate({1: Noted(ANNOTATION)})
    catalog.note_readings({1: LINES}, "reader")
    catalog.locate({1: LISBON}, "data")
    with closing(sqlite3.connect(catalog.file)) as other, other:
        other.execute(f"UPDATE {table} SET {column} = {column} || '!'")
    assert catalog.problems() == [f"1 rows of {table} differ from their checksums"]
    with pytest.raises(LibraryDamaged, match="verify --repair"):
        described(catalog)


def test_a_repair_keeps_what_is_sound_and_looks_again(catalog: Catalog) -> None:
    catalog.keep("profile", "lite")
    catalog.keep("annotated", "yes")
    catalog.annotate({1: Noted(ANNOTATION), 2: Noted(ANNOTATION)})
    catalog.note_readings({1: LINES, 2: ()}, "reader")
    catalog.locate({1: LISBON}, "data")
    catalog.close()
    with closing(sqlite3.connect(catalog.file)) as other, other:
        other.execute("UPDATE annotations SET title = 'other' WHERE image_id = 2")
        other.execute("UPDATE localities SET city = 'other'")
        other.execute("UPDATE images SET width = 1 WHERE id = 3")
    salvage(catalog.file)
    repaired = Catalog(catalog.file)
    assert described(repaired) == [{1: ANNOTATION}, {1: LINES, 2: ()}, {}]
    assert repaired.setting("annotated") == ""
    assert repaired.problems() == []
    repaired.close()


@pytest.mark.parametrize("lines", ["[[1]]", "[" * 100_000, "{}x", '[["a", "b", [1]]]', "[1]"])
def test_impossible_lines_with_a_checksum_are_damage(lines: str, catalog: Catalog) -> None:
    catalog.note_readings({1: LINES}, "reader")
    with closing(sqlite3.connect(catalog.file)) as other, other:
        from pixquery.db.checksums import computed, prepare

        prepare(other)
        other.execute("UPDATE readings SET lines = ?", (lines,))
        other.execute(f"UPDATE readings SET checksum = {computed('readings')}")
    with pytest.raises(LibraryDamaged):
        catalog.readings([1])


def test_a_catalogue_of_an_earlier_version_has_nothing_to_say(tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    made = Catalog(file)
    put(made, photo("/r/a.jpg"))
    made.close()
    with closing(sqlite3.connect(file)) as other, other:
        for table in TABLES:
            other.execute(f"DROP TABLE {table}")
        other.execute("PRAGMA user_version = 6")

    def no_lock() -> None:
        raise AssertionError("a reader changes nothing")

    reader = Catalog(file, lock=no_lock)  # type: ignore[arg-type] # never called
    assert described(reader) == [{}, {}, {}]
    assert (reader.described_since(0), reader.sidecars(), reader.read_count()) == ([], {}, 0)
    assert reader.known_localities() == []
    reader.close()
    writer = Catalog(file)
    writer.note_readings({1: LINES}, "reader")
    assert writer.readings([1]) == {1: LINES}
    assert writer.problems() == []
    writer.close()
