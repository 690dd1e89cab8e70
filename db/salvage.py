"""Repairs a damaged catalogue from the rows that match their checksums.

Nothing is deleted: the damaged files stay beside it as ``*.corrupt-*``. The next indexing restores
what was lost; it encodes only photos whose row or vector is gone.
"""

import os
import shutil
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

import sqlalchemy as sa

from pixquery.db.catalog import Catalog
from pixquery.db.checksums import digest
from pixquery.db.connections import (
    Connection,
    distrust,
    is_half_mended,
    mended,
    refuse_odd_files,
)
from pixquery.db.errors import LibraryDamaged, LibraryTooNew, PixqueryError, StorageFailed
from pixquery.db.losses import put
from pixquery.db.metadata import ANNOTATED
from pixquery.db.migrations import NEWEST, WITH_LOSSES, WITH_METADATA
from pixquery.db.quoting import library_option, quoted
from pixquery.db.remains import FARTHEST, Remains, Row, raise_if_busy
from pixquery.db.schema import (
    annotations,
    coming,
    concept_examples,
    concept_names,
    images,
    localities,
    losses,
    readings,
    roots,
    settings,
    skipped,
    vectors,
)
from pixquery.db.survivors import Survivors


def salvage(file: Path) -> None:
    """Puts a damaged catalogue aside and a sound one in its place; for the one writer.

    Readers see either the old catalogue or the new one, which says what is lost. Whatever stops
    this half-way, it can be called again.

    Args:
        file: The catalogue.

    Raises:
        LibraryDamaged: Even the name of its profile is lost: the catalogue was put aside, and the
            photos must be indexed again, as the message says.
        LibraryTooNew: A newer pixquery made it.
        StorageFailed: There is no room for a second catalogue beside it.
    """
    mark = f"corrupt-{time.time_ns()}"
    beside = file.with_name(f"{file.name}.mending")
    kept = file.with_name(f"{file.name}.{mark}")
    refuse_odd_files(file)
    try:
        if is_half_mended(file):  # an earlier call was stopped as it put it in place
            _put_in_place_of_no_database(file)
            return
        _remove(beside)
        for part in _parts(file):
            _copy(part, part.with_name(f"{part.name}.{mark}"))
        with suppress(PixqueryError):  # an older catalogue has no checksums yet
            Catalog(file).close()
        Catalog(beside).close()
        with closing(_opened(beside)) as new:
            with closing(_opened(file)) as old:
                folders = _mend(old, new)
            replaced = folders is None and _put_in_place(new, file)
        if folders is None and not replaced:
            _sync(beside)
            beside.replace(mended(file))
            _put_in_place_of_no_database(file)
        _remove(beside)
        if folders is not None:
            _remove(file)
            raise LibraryDamaged(
                f"the catalogue {file} was damaged beyond repair and was moved to {kept}: index "
                f"your photos again with `pixquery index {folders}"
                f"{library_option(file.parent)}`"
            )
    except OSError as error:
        raise StorageFailed(
            f"the catalogue {file} cannot be repaired ({error.strerror}): make room, fix its "
            "permissions or close other programs that use it, then run the same command again"
        ) from error
    except sqlite3.OperationalError as error:
        raise StorageFailed(
            f"the catalogue {file} cannot be repaired ({error}): make room or wait until no other "
            "program uses it, then run the same command again"
        ) from error


def _parts(file: Path) -> list[Path]:
    """The catalogue and its write-ahead log; SQLite rebuilds the log's index when it opens it."""
    return [part for part in (file, file.with_name(f"{file.name}-wal")) if part.exists()]


def _remove(file: Path) -> None:
    for ending in ("", *_LOGS):
        file.with_name(f"{file.name}{ending}").unlink(missing_ok=True)


_LOGS = ("-wal", "-shm", "-journal")


def _copy(file: Path, to: Path) -> None:
    shutil.copyfile(file, to)
    _sync(to)


def _sync(file: Path) -> None:
    """Has the disk keep a file and its name."""
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())
    if os.name == "posix":  # Windows cannot open a folder; its renames are durable anyway
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _opened(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=30, isolation_level=None, factory=Connection)
    connection.row_factory = sqlite3.Row
    distrust(connection)
    return connection


def _mend(old: sqlite3.Connection, new: sqlite3.Connection) -> str | None:
    """Fills an empty catalogue from a damaged one, and notes what is lost.

    Returns:
        The folders to index again, as far as known, if the catalogue cannot be repaired.

    Raises:
        LibraryTooNew: A newer pixquery made it.
    """
    try:
        # SQLite reads nothing of a truncated file unless its schema may be written.
        old.execute("PRAGMA writable_schema=ON")
        version = old.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise_if_busy(error)
        return "FOLDER"
    remains = Remains(old)
    known = list(remains.sound(settings))
    if version > NEWEST and known:
        raise LibraryTooNew(
            "the catalogue is damaged and was made by a newer pixquery: repair it with that one"
        )
    photos = Survivors(remains)
    if not any(row["name"] == "profile" for row in known):
        return " ".join(quoted(os.fsdecode(path)) for path in photos.homes.values()) or "FOLDER"
    new.execute("BEGIN IMMEDIATE")
    _insert(new, settings, known)
    for home, path in photos.homes.items():
        _insert(new, roots, [{"id": home, "path": path, "checksum": digest(home, path)}])
    _insert(new, images, photos.sound.values())
    _insert(new, skipped, (row for row in remains.sound(skipped) if row["root_id"] in photos.homes))
    held = photos.sound.keys() | photos.outlines.keys()
    for table in (vectors, coming):
        _insert(new, table, (row for row in remains.sound(table) if row["image_id"] in held))
    photos.keep({row[0] for row in new.execute("SELECT image_id FROM vectors")})
    _insert(new, images, photos.outlines.values())
    for table in (vectors, coming):
        new.execute(f"DELETE FROM {table.name} WHERE image_id NOT IN (SELECT id FROM images)")
    for table in (concept_examples, concept_names):
        _insert(new, table, remains.sound(table))
    if version >= WITH_LOSSES:
        _insert(new, losses, remains.sound(losses))
    if version >= WITH_METADATA:
        _save_metadata(remains, new)
    put(new, photos.losses())
    _raise_revision(new)
    _raise_newest_id(old, new)
    new.execute("COMMIT")
    return None


def _save_metadata(remains: Remains, new: sqlite3.Connection) -> None:
    """Saves what photos say of themselves; what is lost of it, the next indexing reads again."""
    held = {row[0] for row in new.execute("SELECT id FROM images")}
    for table in (annotations, readings, localities):
        _insert(new, table, (row for row in remains.sound(table) if row["image_id"] in held))
    # Only photos that have an annotation have a row of one, so nobody can tell what is missing.
    new.execute("DELETE FROM settings WHERE name = ?", (ANNOTATED,))


# -- writing what was read ----------------------------------------------------------------------


def _insert(connection: sqlite3.Connection, table: sa.Table, rows: Iterable[Row]) -> None:
    names = [c.name for c in table.columns]
    marks = ", ".join("?" * len(names))
    connection.executemany(
        f"INSERT OR IGNORE INTO {table.name} ({', '.join(names)}) VALUES ({marks})",
        ([row[name] for name in names] for row in rows),
    )


def _raise_revision(connection: sqlite3.Connection) -> None:
    """Raises the revision above every vector's, so that the index file is rebuilt."""
    noted = connection.execute("SELECT value FROM settings WHERE name = 'revision'").fetchone()
    newest = [
        connection.execute(f"SELECT max(revision) FROM {table.name}").fetchone()[0] or 0
        for table in (vectors, coming)
    ]
    revision = str(max(int(noted[0]) if noted else 0, *newest) + 1)
    connection.execute(
        "INSERT OR REPLACE INTO settings (name, value, checksum) VALUES ('revision', ?, ?)",
        (revision, digest("revision", revision)),
    )


def _raise_newest_id(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    """Keeps ids that were once used from coming to mean other photos."""
    try:
        newest = old.execute("SELECT seq FROM sqlite_sequence WHERE name = 'images'").fetchone()
    except sqlite3.DatabaseError as error:
        raise_if_busy(error)
        newest = None
    if newest is not None and isinstance(newest[0], int) and newest[0] < FARTHEST:
        largest = new.execute("SELECT max(id) FROM images").fetchone()[0] or 0
        new.execute("DELETE FROM sqlite_sequence WHERE name = 'images'")
        new.execute(
            "INSERT INTO sqlite_sequence (name, seq) VALUES ('images', ?)",
            (max(largest, newest[0]),),
        )


def _put_in_place(new: sqlite3.Connection, file: Path) -> bool:
    """Copies all pages in one transaction; false if the file is no longer a database.

    A file whose header gives another size of pages is none either.
    """
    try:
        with closing(_opened(file)) as old:
            old.execute("PRAGMA synchronous=FULL")
            new.backup(old)
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return True
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY and os.access(file, os.W_OK):
            return False
        raise
    except sqlite3.DatabaseError:
        return False


def _put_in_place_of_no_database(file: Path) -> None:
    """Puts the repaired catalogue in place, step by step; each may be the last that is done.

    The logs go first: SQLite would take them for the new file's.
    """
    for ending in _LOGS:
        file.with_name(f"{file.name}{ending}").unlink(missing_ok=True)
    mended(file).replace(file)
    _sync(file)
