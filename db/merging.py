"""Two roots that are one folder under two names become one."""

import sqlite3
from pathlib import Path

from pixquery.db.checksums import sound
from pixquery.db.connections import damaged
from pixquery.db.values import UNDER, bounds


def merge(
    connection: sqlite3.Connection, old: Path, new: Path, root_id: int, file: Path
) -> tuple[list[int], int]:
    """Replaces the beginning of the paths of a root's photos, and removes the root.

    Skipped files are forgotten, so that they are tried again under their new names.

    Args:
        connection: Inside a transaction that the caller commits.
        old: The root.
        new: Another name of its folder.
        root_id: The root at or above ``new``.
        file: The catalogue, for the error message.

    Returns:
        The ids of the photos with new paths, whose checksums the caller computes; and how many
        photos were there under both names, and are kept under the new one.

    Raises:
        LibraryDamaged: A row differs from its checksum: it would match it afterwards.
    """
    inside = bounds(old)
    rows = connection.execute(
        f"SELECT id, {sound('images')} FROM images WHERE {UNDER}", inside
    ).fetchall()
    if not all(row[1] for row in rows):
        raise damaged(file, "rows of photos differ from their checksums")
    first_old, first_new = inside[1], bounds(new)[1]
    connection.execute(
        "UPDATE OR IGNORE images SET path = CAST(? || substr(path, ?) AS BLOB), root_id = ? "
        f"WHERE {UNDER}",
        (first_new, len(first_old) + 1, root_id, *inside),
    )
    twice = {row[0] for row in connection.execute(f"SELECT id FROM images WHERE {UNDER}", inside)}
    for table in ("images", "skipped"):
        connection.execute(f"DELETE FROM {table} WHERE {UNDER}", inside)
    connection.execute(f"DELETE FROM roots WHERE {UNDER}", inside)
    return [row[0] for row in rows if row[0] not in twice], len(twice)
