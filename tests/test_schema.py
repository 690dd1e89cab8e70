"""The tables of a new catalogue, and catalogues of other versions."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from pixquery.db.catalog import Catalog
from pixquery.db.checksums import SEALED, digest
from pixquery.db.errors import LibraryTooNew
from pixquery.db.metadata import TABLES
from pixquery.db.migrations import MIGRATIONS, migrate
from pixquery.db.records import FileState, ImageRecord, Skipped
from pixquery.db.schema import metadata

NEWEST = len(MIGRATIONS) + 1
ADDED = {"coming", "concept_examples", "concept_names", "losses", *TABLES}
"""The tables that version 3 did not have."""


@contextmanager
def connected(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection whose transaction is committed."""
    with closing(sqlite3.connect(file)) as connection, connection:
        yield connection


def version(file: Path) -> int:
    with connected(file) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_a_new_file_gets_all_tables_and_the_newest_version(tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    with connected(file) as connection:
        migrate(connection, file)
    assert version(file) == NEWEST
    with connected(file) as connection:
        made = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    assert made >= set(metadata.tables)


def test_checksums_cover_all_columns_but_the_root() -> None:
    columns = {
        table.name: tuple(c.name for c in table.columns if c.name not in ("root_id", "checksum"))
        for table in metadata.sorted_tables
        if "checksum" in table.columns
    }
    assert columns == SEALED
    assert set(metadata.tables) == set(SEALED)


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    for _ in range(2):
        with connected(file) as connection:
            migrate(connection, file)
    assert version(file) == NEWEST


def test_a_newer_catalogue_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    with closing(sqlite3.connect(file)) as raw, raw:
        raw.execute(f"PRAGMA user_version = {NEWEST + 1}")
    raw.close()
    before = file.read_bytes()
    with connected(file) as connection, pytest.raises(LibraryTooNew, match=str(NEWEST + 1)):
        migrate(connection, file)
    assert file.read_bytes() == before


def test_only_known_columns_may_be_empty() -> None:
    empty = {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if column.nullable
    }
    # A photo may have no camera time, no position and no stars; all else is always known.
    assert empty == {"images.taken", "images.latitude", "images.longitude", "annotations.rating"}


def test_an_older_catalogue_gets_checksums_and_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    record = ImageRecord(
        Path("/r/a.png"), FileState(3, 4), b"x" * 16, 30, 20, "PNG", datetime(2020, 2, 29)
    )
    catalog = Catalog(file)
    catalog.keep("profile", "lite")
    root = catalog.add_root(Path("/r"))
    (image_id,) = catalog.put(root, [record], np.ones((1, 3), np.float16), "this")
    catalog.close()
    with closing(sqlite3.connect(file)) as raw, raw:  # as in version 1
        for column in ("format", "camera", "latitude", "longitude"):
            raw.execute(f"ALTER TABLE images DROP COLUMN {column}")
        for table in ADDED:
            raw.execute(f"DROP TABLE {table}")
        for table in SEALED.keys() - ADDED:
            raw.execute(f"ALTER TABLE {table} DROP COLUMN checksum")
        raw.execute("DROP INDEX ix_vectors_encoder")
        raw.execute("PRAGMA user_version = 1")
    raw.close()
    catalog = Catalog(file)
    assert version(file) == NEWEST
    assert catalog.problems() == []
    assert catalog.setting("profile") == "lite"
    assert catalog.records([image_id])[image_id] == replace(record, id=image_id, format="")
    assert catalog.vectors_of([image_id], "this")[image_id].tolist() == [1, 1, 1]
    catalog.close()


def test_a_catalogue_without_details_is_indexed_again_and_keeps_what_is_damaged(
    tmp_path: Path,
) -> None:
    file = tmp_path / "c.sqlite"
    state = FileState(3, 4)
    records = [
        ImageRecord(Path(f"/r/{name}.png"), state, name.encode() * 16, 30, 20, "PNG")
        for name in "ab"
    ]
    catalog = Catalog(file)
    root = catalog.add_root(Path("/r"))
    ids = catalog.put(root, records, np.ones((2, 3), np.float16), "this")
    catalog.skip(root, [(Skipped(Path("/r/c.png"), "broken"), state)])
    catalog.close()
    with closing(sqlite3.connect(file)) as raw, raw:  # as in version 2
        raw.create_function("pixquery_digest", -1, digest)
        for table in ADDED:
            raw.execute(f"DROP TABLE {table}")
        for column in ("format", "camera", "latitude", "longitude"):
            raw.execute(f"ALTER TABLE images DROP COLUMN {column}")
        for table in ("skipped", "generations"):
            raw.execute(f"ALTER TABLE {table} DROP COLUMN checksum")
        columns = "id, path, size, mtime_ns, content, width, height, taken"
        raw.execute(f"UPDATE images SET checksum = pixquery_digest({columns})")
        raw.execute("UPDATE images SET width = 31 WHERE id = ?", ids[1:])
        raw.execute("PRAGMA user_version = 2")
    raw.close()
    catalog = Catalog(file)
    assert version(file) == NEWEST
    assert [record.id for record in catalog.everything()] == ids[:1]
    known = catalog.known(Path("/r"), "this")
    assert set(known) == {"/r/a.png", "/r/b.png"}  # the skipped file is tried again
    assert all(file.state != state for file in known.values())
    assert catalog.contents("this") == set()
    catalog.close()


@pytest.mark.parametrize("before", [3, 4])
def test_a_catalogue_without_concepts_gets_the_tables_of_a_new_one(
    before: int, tmp_path: Path
) -> None:
    file, fresh = tmp_path / "c.sqlite", tmp_path / "fresh.sqlite"
    for each in (file, fresh):
        catalog = Catalog(each)
        catalog.keep("profile", "lite")
        catalog.close()
    with connected(file) as raw:
        for table in ADDED if before == 3 else ADDED - {"coming"}:
            raw.execute(f"DROP TABLE {table}")
        raw.execute("ALTER TABLE generations DROP COLUMN checksum")
        raw.execute(f"PRAGMA user_version = {before}")
    catalog = Catalog(file)
    assert version(file) == NEWEST
    assert (catalog.problems(), catalog.examples()) == ([], [])
    assert catalog.setting("profile") == "lite"
    catalog.close()
    with connected(file) as ours, connected(fresh) as theirs:
        for table in ADDED:
            columns = f"PRAGMA table_info({table})"
            assert ours.execute(columns).fetchall() == theirs.execute(columns).fetchall()
