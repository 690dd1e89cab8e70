"""Repairs a damaged catalogue from the rows that match their checksums.

Nothing is deleted: the damaged files stay beside it as ``*.corrupt-*``. The next indexing restores
what was lost; it encodes only photos whose row or vector is gone.
"""

import os
import shutil
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pixquery.db.catalog import Catalog
from pixquery.db.checksums import SEALED, digest
from pixquery.db.errors import LibraryDamaged, LibraryTooNew, PixqueryError, StorageFailed
from pixquery.db.migrations import NEWEST
from pixquery.db.quoting import quoted
from pixquery.db.schema import (
    coming,
    concept_examples,
    concept_names,
    images,
    roots,
    settings,
    skipped,
    vectors,
)

_Row = Mapping[str, Any]

_FARTHEST = 1 << 30
"""The most ids to jump over to get past a page that cannot be read."""
_NEAR = 20_000
"""The most ids to try one by one there: about as many as one inner page leads to."""


def salvage(file: Path) -> None:
    """Puts a damaged catalogue aside and a sound one in its place; for the one writer.

    Readers see either the old catalogue or the new one.

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
    try:
        _remove(beside)
        for part in _parts(file):
            shutil.copyfile(part, part.with_name(f"{part.name}.{mark}"))
        with suppress(PixqueryError):  # an older catalogue has no checksums yet
            Catalog(file).close()
        Catalog(beside).close()
        with closing(_opened(beside)) as new:
            with closing(_opened(file)) as old:
                folders = _mend(old, new)
            if folders is None:
                _put_in_place(new, file)
        _remove(beside)
        if folders is not None:
            _remove(file)
            raise LibraryDamaged(
                f"the catalogue {file} was damaged beyond repair and was moved to {kept}: index "
                f"your photos again with `pixquery index {folders} --library "
                f"{quoted(file.parent)}`"
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
    for ending in ("", "-wal", "-shm"):
        file.with_name(f"{file.name}{ending}").unlink(missing_ok=True)


def _opened(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=30, isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection


def _mend(old: sqlite3.Connection, new: sqlite3.Connection) -> str | None:
    """Fills an empty catalogue from a damaged one.

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
        _raise_if_busy(error)
        return "FOLDER"
    known = list(_sound_rows(old, settings))
    if version > NEWEST and known:
        raise LibraryTooNew(
            "the catalogue is damaged and was made by a newer pixquery: repair it with that one"
        )
    folders = list(_sound_rows(old, roots))
    if not any(row["name"] == "profile" for row in known):
        paths = [os.fsdecode(bytes(row["path"])) for row in folders]
        return " ".join(map(quoted, paths)) or "FOLDER"
    new.execute("BEGIN IMMEDIATE")
    _insert(new, settings, known)
    _insert(new, roots, folders)
    homes = {row["id"] for row in folders}
    homeless: dict[bytes, list[_Row]] = {}
    for row in _sound_rows(old, images):
        if row["root_id"] in homes:
            _insert(new, images, [row])
        else:
            drive, _ = os.path.splitdrive(row["path"])
            homeless.setdefault(drive, []).append(row)
    for rows in homeless.values():
        home = _common_root(new, rows)
        _insert(new, images, ({**row, "root_id": home} for row in rows))
    _insert(new, skipped, (row for row in _sound_rows(old, skipped) if row["root_id"] in homes))
    photos = {row[0] for row in new.execute("SELECT id FROM images")}
    for table in (vectors, coming):
        _insert(new, table, (row for row in _sound_rows(old, table) if row["image_id"] in photos))
    for table in (concept_examples, concept_names):
        _insert(new, table, _sound_rows(old, table))
    _raise_revision(new)
    _raise_newest_id(old, new)
    new.execute("COMMIT")
    return None


# -- reading what can be read -------------------------------------------------------------------


def _sound_rows(connection: sqlite3.Connection, table: sa.Table) -> Iterator[_Row]:
    """Every row that can be read and matches its checksum."""
    return (row for row in _rows(connection, table) if _is_sound(table, row))


def _is_sound(table: sa.Table, row: _Row) -> bool:
    return bool(digest(*(row[name] for name in SEALED[table.name])) == row["checksum"])


def _rows(connection: sqlite3.Connection, table: sa.Table) -> Iterator[_Row]:
    """The rows of a table by id, skipping pages that cannot be read."""
    names = ", ".join(c.name for c in table.columns)
    select = f"SELECT rowid AS row_id, {names} FROM {table.name} NOT INDEXED WHERE rowid"
    last = 0
    while True:
        try:
            for row in connection.execute(f"{select} > ? ORDER BY rowid", (last,)):
                if row["row_id"] <= last:
                    break  # the tree's own order is damaged
                last = row["row_id"]
                yield dict(row)
            else:
                return
        except sqlite3.DatabaseError as error:
            _raise_if_busy(error)
        following = _next_after(connection, select, last)
        if following is None:
            return
        yield following
        last = following["row_id"]


def _next_after(connection: sqlite3.Connection, select: str, last: int) -> _Row | None:
    """The next row that can be read, after one that cannot."""
    step, beyond = 1, None
    while beyond is None and step <= _FARTHEST:
        with suppress(sqlite3.DatabaseError):
            beyond = connection.execute(f"{select} > ? LIMIT 1", (last + step,)).fetchone()
            if beyond is None:
                break  # no row lies beyond, and no damage either
        step *= 2
    for row_id in range(last + 1, last + 1 + min(step, _NEAR)):
        with suppress(sqlite3.DatabaseError):
            row = connection.execute(f"{select} = ?", (row_id,)).fetchone()
            if row is not None:
                return dict(row)
    return None if beyond is None else dict(beyond)


def _raise_if_busy(error: sqlite3.DatabaseError) -> None:
    if "locked" in str(error):
        raise error


# -- writing what was read ----------------------------------------------------------------------


def _insert(connection: sqlite3.Connection, table: sa.Table, rows: Iterable[_Row]) -> None:
    names = [c.name for c in table.columns]
    marks = ", ".join("?" * len(names))
    connection.executemany(
        f"INSERT OR IGNORE INTO {table.name} ({', '.join(names)}) VALUES ({marks})",
        ([row[name] for name in names] for row in rows),
    )


def _common_root(connection: sqlite3.Connection, rows: list[_Row]) -> int:
    """A root for photos whose own cannot be read: the folder that holds all of them.

    It goes when the user indexes the original root again, which covers it.
    """
    parents = {os.path.dirname(row["path"]) for row in rows}  # noqa: PTH120 - of bytes
    path = os.path.commonpath(sorted(parents))
    connection.execute("INSERT OR IGNORE INTO roots (path) VALUES (?)", (path,))
    root_id = int(connection.execute("SELECT id FROM roots WHERE path = ?", (path,)).fetchone()[0])
    connection.execute(
        "UPDATE roots SET checksum = ? WHERE id = ?", (digest(root_id, path), root_id)
    )
    return root_id


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
        _raise_if_busy(error)
        newest = None
    if newest is not None and isinstance(newest[0], int) and newest[0] < _FARTHEST:
        largest = new.execute("SELECT max(id) FROM images").fetchone()[0] or 0
        new.execute("DELETE FROM sqlite_sequence WHERE name = 'images'")
        new.execute(
            "INSERT INTO sqlite_sequence (name, seq) VALUES ('images', ?)",
            (max(largest, newest[0]),),
        )


def _put_in_place(new: sqlite3.Connection, file: Path) -> None:
    """Copies all pages in one transaction; replaces a file that is no longer a database."""
    try:
        with closing(_opened(file)) as old:
            old.execute("PRAGMA synchronous=FULL")
            new.backup(old)
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        pass
    _remove(file)
    with closing(_opened(file)) as empty:
        new.backup(empty)
