"""Numbered steps that bring an older catalogue up to date."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from pixquery.db.checksums import prepare
from pixquery.db.connections import damaged
from pixquery.db.errors import LibraryTooNew
from pixquery.db.structure import objection


def _add_checksums(connection: sqlite3.Connection) -> None:
    """Version 2: rows have checksums."""
    prepare(connection)
    for table, columns in (
        ("settings", "name, value"),
        ("roots", "id, path"),
        ("images", "id, path, size, mtime_ns, content, width, height, taken"),
        ("vectors", "image_id, encoder, revision, raw"),
    ):
        connection.execute(f"ALTER TABLE {table} ADD COLUMN checksum BLOB NOT NULL DEFAULT (x'')")
        connection.execute(f"UPDATE {table} SET checksum = pixquery_digest({columns})")
    connection.execute("CREATE INDEX ix_vectors_encoder ON vectors (encoder)")


def _add_details(connection: sqlite3.Connection) -> None:
    """Version 3: columns for filters, and checksums of skipped files.

    The next indexing fills in the columns and tries the skipped files again.
    """
    prepare(connection)
    before = "id, path, size, mtime_ns, content, width, height, taken"
    for column in (
        "format TEXT NOT NULL DEFAULT ''",
        "camera TEXT NOT NULL DEFAULT ''",
        "latitude FLOAT",
        "longitude FLOAT",
    ):
        connection.execute(f"ALTER TABLE images ADD COLUMN {column}")
    after = before.replace("taken", "format, taken, camera, latitude, longitude")
    connection.execute(
        f"UPDATE images SET checksum = pixquery_digest({after}) "
        f"WHERE checksum = pixquery_digest({before})"  # else a damaged row would match afterwards
    )
    connection.execute("DELETE FROM skipped")
    connection.execute("ALTER TABLE skipped ADD COLUMN checksum BLOB NOT NULL DEFAULT (x'')")


def _add_coming(connection: sqlite3.Connection) -> None:
    """Version 4: a table for the vectors of another profile while it is being switched to."""
    connection.execute(
        "CREATE TABLE coming (image_id INTEGER NOT NULL, encoder TEXT NOT NULL, "
        "revision INTEGER NOT NULL, raw BLOB NOT NULL, checksum BLOB DEFAULT (x'') NOT NULL, "
        "PRIMARY KEY (image_id), "
        "FOREIGN KEY(image_id) REFERENCES images (id) ON DELETE CASCADE)"
    )
    for column in ("encoder", "revision"):
        connection.execute(f"CREATE INDEX ix_coming_{column} ON coming ({column})")


def _add_concepts(connection: sqlite3.Connection) -> None:
    """Version 5: tables for what a library was taught."""
    connection.execute(
        "CREATE TABLE concept_examples (concept TEXT NOT NULL, content BLOB NOT NULL, "
        "encoder TEXT NOT NULL, taught TEXT NOT NULL, path BLOB NOT NULL, raw BLOB NOT NULL, "
        "checksum BLOB DEFAULT (x'') NOT NULL, PRIMARY KEY (concept, content, encoder))"
    )
    connection.execute(
        "CREATE TABLE concept_names (concept TEXT NOT NULL, encoder TEXT NOT NULL, "
        "raw BLOB NOT NULL, checksum BLOB DEFAULT (x'') NOT NULL, PRIMARY KEY (concept, encoder))"
    )


def _add_losses(connection: sqlite3.Connection) -> None:
    """Version 6: the name of the index file has a checksum, and there is a table of losses.

    Files that were skipped are tried again: more of them can be read.
    """
    prepare(connection)
    connection.execute("ALTER TABLE generations ADD COLUMN checksum BLOB NOT NULL DEFAULT (x'')")
    connection.execute(
        "UPDATE generations SET checksum = pixquery_digest(file, size, sha256, revision, space)"
    )
    connection.execute("DELETE FROM skipped")
    connection.execute(
        "CREATE TABLE losses (root BLOB NOT NULL, photos INTEGER NOT NULL, "
        "guessed BOOLEAN NOT NULL, checksum BLOB DEFAULT (x'') NOT NULL, PRIMARY KEY (root))"
    )


def _add_metadata(connection: sqlite3.Connection) -> None:
    """Version 7: tables for what photos say of themselves, which the next indexing fills."""
    of_photo = "image_id INTEGER NOT NULL, revision INTEGER NOT NULL"
    for table, columns in (
        (
            "annotations",
            "sidecars TEXT NOT NULL, title TEXT NOT NULL, caption TEXT NOT NULL, "
            "keywords TEXT NOT NULL, people TEXT NOT NULL, location TEXT NOT NULL, "
            "rating INTEGER, label TEXT NOT NULL",
        ),
        ("readings", "reader TEXT NOT NULL, lines TEXT NOT NULL"),
        (
            "localities",
            "gazetteer TEXT NOT NULL, city TEXT NOT NULL, region TEXT NOT NULL, "
            "country TEXT NOT NULL, code TEXT NOT NULL",
        ),
    ):
        connection.execute(
            f"CREATE TABLE {table} ({of_photo}, {columns}, checksum BLOB DEFAULT (x'') NOT NULL, "
            "PRIMARY KEY (image_id), "
            "FOREIGN KEY(image_id) REFERENCES images (id) ON DELETE CASCADE)"
        )
        connection.execute(f"CREATE INDEX ix_{table}_revision ON {table} (revision)")


_Step = Callable[[sqlite3.Connection], None]
MIGRATIONS: tuple[_Step, ...] = (
    _add_checksums,
    _add_details,
    _add_coming,
    _add_concepts,
    _add_losses,
    _add_metadata,
)
"""Step i brings a catalogue from version i + 1 to i + 2. Released steps never change."""

NEWEST = len(MIGRATIONS) + 1

READABLE = 5
"""Catalogues from this version on are read as they are; only writers bring them up to date."""
WITH_LOSSES, WITH_METADATA = 6, 7
"""The versions from which there are those tables."""


def version_of(connection: sqlite3.Connection, file: Path) -> int:
    """The catalogue's version; 0 if it has no tables yet.

    Raises:
        LibraryDamaged: It has tables, triggers or views that are not pixquery's.
        LibraryTooNew: This pixquery does not know the version.
    """
    version = _version(connection)
    if version > NEWEST:
        raise LibraryTooNew(
            f"the library {file.parent} has catalogue version {version}, and this pixquery knows "
            f"versions up to {NEWEST}: update pixquery, or choose another library with "
            "--library DIR"
        )
    if version:
        _refuse_foreign(connection, version, file)
    return version


def migrate(connection: sqlite3.Connection, file: Path) -> None:
    """Creates the tables of a new catalogue, or brings an older one up to date.

    Args:
        connection: Inside a transaction that the caller commits: all steps or none.
        file: The catalogue, for the error message.

    Raises:
        LibraryDamaged: It has tables, triggers or views that are not pixquery's.
        LibraryTooNew: This pixquery does not know the catalogue's version.
    """
    version = version_of(connection, file)
    if version == NEWEST:
        return
    if version == 0:
        from pixquery.db.schema import create  # SQLAlchemy: most catalogues have their tables

        create(connection)
    else:
        for step in MIGRATIONS[version - 1 :]:
            step(connection)
    _refuse_foreign(connection, NEWEST, file)
    connection.execute(f"PRAGMA user_version = {NEWEST}")


def _refuse_foreign(connection: sqlite3.Connection, version: int, file: Path) -> None:
    if reason := objection(connection, version):
        raise damaged(file, reason)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
