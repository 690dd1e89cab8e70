"""A library that somebody else made: it is used, or refused in one sentence, and does no harm."""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pixquery import Library
from pixquery.db.catalog import Catalog
from pixquery.db.checksums import SEALED, digest
from pixquery.db.errors import LibraryDamaged
from pixquery.engine.library import CATALOGUE
from pixquery.indexer.build import index
from tests.conftest import COLOURS, Invoke, parsed, square

QUICK = 5.0
"""Seconds within which any refusal comes."""


@pytest.fixture
def place(tmp_path: Path, squares: Path, colours: Path) -> Path:
    """A closed library of the squares."""
    with Library.open(tmp_path / "library", create=True, profile=str(colours)) as library:
        index(library, [squares])
    return tmp_path / "library"


def planted(place: Path, *statements: str) -> None:
    """Changes a catalogue as somebody can who knows how checksums are computed."""
    with closing(sqlite3.connect(place / CATALOGUE)) as catalogue, catalogue:
        catalogue.create_function("pixquery_digest", -1, digest, deterministic=True)
        for statement in statements:
            catalogue.execute(statement)
        for table in SEALED.keys() - {"losses"}:
            if catalogue.execute(
                "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)
            ).fetchone():
                columns = ", ".join(SEALED[table])
                catalogue.execute(f"UPDATE {table} SET checksum = pixquery_digest({columns})")
    catalogue.close()


def count(place: Path, table: str = "images") -> int:
    with closing(sqlite3.connect(place / CATALOGUE)) as catalogue:
        return int(catalogue.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def refused(invoke: Invoke, *words: object) -> str:
    """The one sentence with which a command ends, within moments."""
    begin = time.monotonic()
    done = invoke(*words)
    assert time.monotonic() - begin < QUICK
    assert done.exit_code == 1, (done.stdout, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert lines[0].startswith("pixquery: ")
    assert "This is a bug" not in lines[0]
    return lines[0]


def harmless(invoke: Invoke, *words: object) -> None:
    """A command answers or is refused."""
    begin = time.monotonic()
    done = invoke(*words)
    assert time.monotonic() - begin < QUICK
    assert "This is a bug" not in done.stderr, done.stderr
    assert done.exception is None or isinstance(done.exception, SystemExit)


# -- what a schema may say ----------------------------------------------------------------------

SCHEMAS = {
    "a trigger that empties the library": [
        "CREATE TRIGGER t AFTER UPDATE ON settings BEGIN DELETE FROM images; END"
    ],
    "a trigger on photos": [
        "CREATE TRIGGER t AFTER INSERT ON images BEGIN DELETE FROM vectors; END"
    ],
    "a view that is not asked for": ["CREATE VIEW v AS SELECT * FROM images"],
    "a view in the place of a table": [
        "ALTER TABLE images RENAME TO kept",
        "CREATE VIEW images AS SELECT * FROM kept",
    ],
    "a view without an end in the place of a table": [
        "DROP TABLE skipped",
        "CREATE VIEW skipped AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT i AS path, i AS root_id, i AS size, i AS mtime_ns, i AS reason, i AS checksum "
        "FROM n",
    ],
    "a table of its own": ["CREATE TABLE more (a)"],
    "a virtual table": ["CREATE VIRTUAL TABLE more USING fts5(a)"],
    "a column that is computed": [
        "ALTER TABLE images ADD COLUMN more AS (hex(zeroblob(400000000))) VIRTUAL"
    ],
    "a column more": ["ALTER TABLE images ADD COLUMN more TEXT"],
    "an index on an expression": ["CREATE INDEX more ON images (hex(zeroblob(900000000)))"],
    "a partial index": ["CREATE INDEX more ON images (size) WHERE size > 3"],
    "an index less": ["DROP INDEX images_by_root"],
    "a check": [
        "DROP TABLE losses",
        "CREATE TABLE losses (root BLOB NOT NULL CHECK (length(root) < 0), photos INTEGER NOT "
        "NULL, guessed BOOLEAN NOT NULL, checksum BLOB DEFAULT (x'') NOT NULL, PRIMARY KEY (root))",
    ],
    "another collation": [
        "DROP TABLE losses",
        "CREATE TABLE losses (root BLOB NOT NULL COLLATE NOCASE, photos INTEGER NOT NULL, guessed "
        "BOOLEAN NOT NULL, checksum BLOB DEFAULT (x'') NOT NULL, PRIMARY KEY (root))",
    ],
}  # fmt: skip


@pytest.mark.parametrize("what", SCHEMAS)
def test_a_schema_that_is_not_pixquerys_is_refused_and_never_run(
    what: str, place: Path, squares: Path, invoke: Invoke
) -> None:
    with closing(sqlite3.connect(place / CATALOGUE)) as catalogue, catalogue:
        for statement in SCHEMAS[what]:
            if "hex(zero" in statement:
                catalogue.execute("DELETE FROM images")
            catalogue.execute(statement)
    catalogue.close()
    before = count(place)
    for words in (["query", "red"], ["index", squares], ["info"], ["verify"]):
        sentence = refused(invoke, *words, "--library", place)
        assert "verify --repair" in sentence
    assert count(place) == before
    repaired = invoke("verify", "--repair", "--library", place)
    assert repaired.exit_code == 0, (repaired.stdout, repaired.stderr)
    assert invoke("verify", "--library", place).exit_code == 0
    with Library.open(place) as library:
        assert len(library) == 8
        for colour in COLOURS:
            assert library.search(colour, k=1).hits[0].path.stem == colour


def test_what_sqlite_quotes_of_a_damaged_schema_is_one_line(
    place: Path, squares: Path, invoke: Invoke
) -> None:
    with closing(sqlite3.connect(place / CATALOGUE)) as catalogue, catalogue:
        catalogue.execute("PRAGMA writable_schema = ON")
        catalogue.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'encoder', char(39) || 'encoder') "
            "WHERE name = 'coming'"
        )
    with pytest.raises(LibraryDamaged, match="verify --repair") as caught:
        Library.open(place)
    assert str(caught.value).isprintable()
    for words in (["query", "red"], ["index", squares], ["info"], ["verify"]):
        assert "malformed database schema (coming)" in refused(invoke, *words, "--library", place)
    assert invoke("verify", "--repair", "--library", place).exit_code == 0
    with Library.open(place) as library:
        assert len(library) == 8


def test_a_catalogue_of_an_earlier_version_may_have_no_trigger_either(
    place: Path, squares: Path, invoke: Invoke
) -> None:
    with closing(sqlite3.connect(place / CATALOGUE)) as catalogue, catalogue:
        catalogue.execute("CREATE TRIGGER t AFTER UPDATE ON images BEGIN DELETE FROM roots; END")
        catalogue.execute("PRAGMA user_version = 2")
    catalogue.close()
    assert "trigger" in refused(invoke, "index", squares, "--library", place)
    assert count(place, "roots") == 1


def test_sqlites_statistics_are_no_reason_to_refuse(place: Path, invoke: Invoke) -> None:
    planted(place, "ANALYZE")
    assert count(place, "sqlite_stat1")
    assert invoke("query", "red", "--library", place).exit_code == 0


# -- names of files -----------------------------------------------------------------------------

NAMES = ["../victim", "/etc/hostname", "victim", "vectors-1.faiss/../../victim",
         "vectors-00000001-1.faiss\x1b[2J", "", ".", "..", "lock", "catalogue.sqlite",
         "vectors-00000001-1.faiss\n"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_no_file_but_an_index_file_is_taken_for_one(name: str, place: Path, invoke: Invoke) -> None:
    victim = place.parent / "victim"
    victim.write_bytes(b"precious")
    inside = place / "victim"
    inside.write_bytes(b"precious")
    quoted = name.replace("'", "''")
    planted(place, f"UPDATE generations SET file = CAST(x'{quoted.encode().hex()}' AS TEXT)")
    assert invoke("verify", "--library", place).exit_code == 1
    done = invoke("query", "red", "-k", "1", "--json", "--library", place)
    assert [Path(hit["path"]).stem for hit in parsed(done)["hits"]] == ["red"]
    assert victim.read_bytes() == inside.read_bytes() == b"precious"
    assert list(place.glob("*.corrupt-*")) == list(place.parent.glob("*.corrupt-*")) == []
    assert invoke("verify", "--library", place).exit_code == 0


def test_a_row_without_its_checksum_names_no_index_file(place: Path, invoke: Invoke) -> None:
    with closing(sqlite3.connect(place / CATALOGUE)) as catalogue, catalogue:
        catalogue.execute("UPDATE generations SET size = size + 1")
    catalogue.close()
    found = parsed(invoke("verify", "--library", place, "--json"))["findings"]
    assert [finding["what"].split(":")[0] for finding in found] == ["vectors"]
    assert invoke("query", "red", "--library", place).exit_code == 0  # which makes another
    assert invoke("verify", "--library", place).exit_code == 0


# -- values that no column should hold ----------------------------------------------------------

VALUES = {
    "a huge id": "UPDATE images SET id = 4611686018427387904 WHERE id = 3",
    "a negative id": "UPDATE images SET id = -1 WHERE id = 3",
    "the largest id was used": "UPDATE sqlite_sequence SET seq = 9223372036854775807",
    "a size that is text": "UPDATE images SET size = 'large' WHERE id = 3",
    "a path that is a number": "UPDATE images SET path = 7 WHERE id = 3",
    "a path that is text": "UPDATE images SET path = '/a.png' WHERE id = 3",
    "a relative path": "UPDATE images SET path = CAST('a.png' AS BLOB) WHERE id = 3",
    "a path that leads up": "UPDATE images SET path = CAST('/p/../shadow' AS BLOB) WHERE id = 3",
    "a path with NUL": "UPDATE images SET path = x'2f610062' WHERE id = 3",
    "a time that is none": "UPDATE images SET taken = '2020-02-31 10:00:00.000000' WHERE id = 3",
    "a time in the year 0": "UPDATE images SET taken = '0000-01-01 10:00:00.000000' WHERE id = 3",
    "a time that is a number": "UPDATE images SET taken = 12 WHERE id = 3",
    "a far file time": "UPDATE images SET mtime_ns = 9223372036854775807 WHERE id = 3",
    "an infinite latitude": "UPDATE images SET latitude = 9e999, longitude = 1 WHERE id = 3",
    "a latitude that is text": "UPDATE images SET latitude = 'x', longitude = 'y' WHERE id = 3",
    "a short content": "UPDATE images SET content = x'' WHERE id = 3",
    "a content that is text": "UPDATE images SET content = 'abcdefghijklmnop' WHERE id = 3",
    "a huge camera": "UPDATE images SET camera = hex(zeroblob(45000000)) WHERE id = 3",
    "a camera with escapes": "UPDATE images SET camera = char(27) || '[2J' WHERE id = 3",
    "a negative width": "UPDATE images SET width = -5 WHERE id = 3",
    "a vector of another length": "UPDATE vectors SET raw = x'0000' WHERE image_id = 3",
    "vectors of another length": "UPDATE vectors SET raw = x'00000000'",
    "no vector at all": "UPDATE vectors SET raw = x''",
    "a vector that is text": "UPDATE vectors SET raw = 'abcdef' WHERE image_id = 3",
    "a vector that is no number": "UPDATE vectors SET raw = x'007e007e007e' WHERE image_id = 3",
    "a vector of nobody": "UPDATE vectors SET image_id = -7 WHERE image_id = 3",
    "a far revision": "UPDATE settings SET value = '999999999999999999' WHERE name = 'revision'",
    "a revision that is text": "UPDATE settings SET value = 'new' WHERE name = 'revision'",
    "a moment that is none": "UPDATE settings SET value = 'yesterday' WHERE name = 'updated'",
    "a profile that is not there": "UPDATE settings SET value = '../../x' WHERE name = 'profile'",
    "a profile with escapes":
        "UPDATE settings SET value = char(27) || '[2J' WHERE name = 'profile'",
    "a profile with NUL": "UPDATE settings SET value = '/x' || char(0) WHERE name = 'profile'",
    "a quality that is none": "UPDATE settings SET value = 'best' WHERE name = 'quality'",
    "a number for a setting": "UPDATE settings SET value = x'00ff' WHERE name = 'quality'",
    "a root that is relative": "UPDATE roots SET path = CAST('squares' AS BLOB)",
    "a root with NUL": "UPDATE roots SET path = x'2f00'",
    "a root that is text": "UPDATE roots SET path = 'x'",
    "a skipped number": "INSERT INTO skipped VALUES (7, 1, 'a', 'b', 3, x'')",
    "a concept without a vector":
        "INSERT INTO concept_examples VALUES ('c', x'00', 'e', 'soon', x'2f', x'', x'')",
    "a concept's number": "INSERT INTO concept_examples VALUES (1, 2, 3, 4, 5, 6, x'')",
    "a name's number": "INSERT INTO concept_names VALUES (1, 2, 3, x'')",
    "a generation of text": "UPDATE generations SET size = 'x', revision = 'y'",
    "a lost number": "INSERT INTO losses VALUES (7, 'many', 5, x'00')",
    "a version below 0": "PRAGMA user_version = -3",
    "a version between": "PRAGMA user_version = 3",
}  # fmt: skip


@pytest.mark.parametrize("what", VALUES)
def test_a_value_that_no_column_should_hold_does_no_harm(
    what: str, place: Path, squares: Path, invoke: Invoke, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(place / CATALOGUE)) as catalogue:
        catalogue.execute("PRAGMA foreign_keys=OFF")
    planted(place, VALUES[what])
    for file in place.glob("vectors-*"):
        file.unlink()  # so that the vectors are read as well
    library = "--library", place
    for words in (["query", "red", "-k", "8"], ["query", "red", "--camera", "x"], ["info"],
                  ["query", "red", "--in", squares], ["duplicates"], ["verify"],
                  ["index", squares], ["query", "red"], ["verify", "--repair"], ["index", squares],
                  ["query", "red"]):  # fmt: skip
        harmless(invoke, *words, *library)


def test_a_photo_outside_of_its_folder_is_reported_and_gets_no_folder_of_its_own(
    place: Path, squares: Path, invoke: Invoke
) -> None:
    private = square(place.parent / "private" / "red.png", "red")
    square(private.with_name("other.png"), "blue")
    planted(place, f"UPDATE images SET path = CAST('{private}' AS BLOB) WHERE id = 3")
    told = invoke("verify", "--library", place)
    assert told.exit_code == 1
    assert "1 photos are not in the folders" in told.stdout
    assert invoke("verify", "--repair", "--library", place).exit_code == 0
    with Library.open(place) as library:
        assert [root.path for root in library.catalog.roots()] == [squares]
        assert all(squares in record.path.parents for record in library)
        assert len(library) == 8


def test_photos_are_read_in_order_of_their_ids_without_beginning_anew(place: Path) -> None:
    from pixquery.db.reading import _SOUND_IMAGES

    with closing(sqlite3.connect(place / CATALOGUE)) as catalogue:
        catalogue.create_function("pixquery_digest", -1, digest, deterministic=True)
        (plan,) = catalogue.execute(
            f"EXPLAIN QUERY PLAN {_SOUND_IMAGES} AND id > 5 ORDER BY id LIMIT 9"
        ).fetchall()
    assert plan[3] == "SEARCH images USING INTEGER PRIMARY KEY (rowid>?)"


# -- files that are none ------------------------------------------------------------------------


def _linked(file: Path, to: Path) -> None:
    if file.exists():
        shutil.move(file, to)
    else:
        to.write_bytes(b"precious")
    file.symlink_to(to)


def _pipe(file: Path, to: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("named pipes exist on POSIX only")
    file.unlink(missing_ok=True)
    os.mkfifo(file)


def _folder(file: Path, to: Path) -> None:
    file.unlink(missing_ok=True)
    file.mkdir()


@pytest.mark.skipif(os.name != "posix", reason="links and pipes")
@pytest.mark.parametrize("kind", [_linked, _pipe, _folder])
@pytest.mark.parametrize("name", [CATALOGUE, f"{CATALOGUE}-wal", f"{CATALOGUE}-shm",
                                  f"{CATALOGUE}-journal", "lock", "lock.brief"])  # fmt: skip
def test_a_file_of_a_library_that_is_none_is_not_followed(
    name: str, kind: Callable[[Path, Path], None], place: Path, squares: Path, invoke: Invoke
) -> None:
    for file in squares.rglob("red.*"):
        file.unlink()  # so that there is something to write
    victim = place.parent / "victim"
    kind(place / name, victim)
    before = victim.read_bytes() if victim.exists() else b""
    if name != "lock.brief":
        assert name in refused(invoke, "index", squares, "--library", place)
    harmless(invoke, "query", "red", "--library", place)
    harmless(invoke, "verify", "--library", place)
    harmless(invoke, "verify", "--repair", "--library", place)
    assert (victim.read_bytes() if victim.exists() else b"") == before


@pytest.mark.skipif(os.name != "posix", reason="hard links")
def test_a_lock_that_is_another_file_as_well_is_not_emptied(
    place: Path, squares: Path, invoke: Invoke
) -> None:
    victim = place.parent / "victim"
    victim.write_bytes(b"precious")
    (place / "lock").unlink(missing_ok=True)
    (place / "lock").hardlink_to(victim)
    assert "lock" in refused(invoke, "index", squares, "--library", place)
    assert victim.read_bytes() == b"precious"


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_an_index_file_that_is_a_pipe_is_not_waited_for(place: Path, invoke: Invoke) -> None:
    (file,) = place.glob("vectors-*")
    _pipe(file, file)
    harmless(invoke, "query", "red", "--library", place)
    harmless(invoke, "verify", "--library", place)


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_a_stop_word_list_that_is_a_pipe_is_not_waited_for(place: Path, invoke: Invoke) -> None:
    planted(place, "INSERT INTO settings VALUES ('policy', 'on', x'')")
    _pipe(place / "stop-words.txt", place)
    assert "not a regular file" in refused(invoke, "query", "red", "--library", place)


def test_checking_the_schema_costs_less_than_a_third_of_a_millisecond(place: Path) -> None:
    from pixquery.db.structure import objection

    with closing(sqlite3.connect(place / CATALOGUE)) as catalogue:
        fastest = 1.0
        for _ in range(50):
            begin = time.perf_counter()
            assert objection(catalogue, 6) == ""
            fastest = min(fastest, time.perf_counter() - begin)
    assert fastest < 0.0003
    Catalog(place / CATALOGUE).close()
