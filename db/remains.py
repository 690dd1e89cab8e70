"""What can still be read of a damaged catalogue: sound rows, and signs of those that are lost."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import sqlalchemy as sa

from pixquery.db.checksums import SEALED, digest
from pixquery.db.forms import MOST_IDS, formed
from pixquery.db.structure import is_plain

Row = Mapping[str, Any]

FARTHEST = 1 << 30
"""The most ids to jump over to get past a page that cannot be read."""
_NEAR = 20_000
"""The most ids to try one by one there: about as many as one inner page leads to."""


class Sign(NamedTuple):
    """What is known of a photo whose row may be lost."""

    root_id: int | None = None
    path: bytes | None = None
    content: bytes | None = None


class Remains:
    """A damaged catalogue.

    Only rows of ordinary tables are read: nothing that its schema says is run.

    Attributes:
        torn: The tables of which something could not be read.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Reads nothing yet.

        Args:
            connection: To the catalogue, with rows as ``sqlite3.Row``.
        """
        self._connection = connection
        self.torn: set[str] = set()

    def sound(self, table: sa.Table) -> Iterator[Row]:
        """Every row that can be read, and is as pixquery wrote it."""
        return (row for row in self.rows(table) if is_sound(table, row))

    def rows(self, table: sa.Table) -> Iterator[Row]:
        """The rows of a table by id, skipping pages that cannot be read."""
        if not self._is_table(table.name):
            return
        names = ", ".join(c.name for c in table.columns)
        select = (
            f"SELECT rowid AS row_id, {names}, ({formed(table.name)}) AS formed "
            f"FROM {table.name} NOT INDEXED WHERE rowid"
        )
        last = 0
        while True:
            try:
                for row in self._connection.execute(f"{select} > ? ORDER BY rowid", (last,)):
                    if row["row_id"] <= last:
                        break  # the tree's own order is damaged
                    last = row["row_id"]
                    yield dict(row)
                else:
                    return
            except sqlite3.DatabaseError as error:
                raise_if_busy(error)
            self.torn.add(table.name)
            following = self._next_after(select, last)
            if following is None:
                return
            yield following
            last = following["row_id"]

    def _is_table(self, name: str) -> bool:
        """Whether it is a table that computes nothing; a view may have its name."""
        try:
            row = self._connection.execute(
                "SELECT type, sql FROM sqlite_master WHERE name = ?", (name,)
            ).fetchone()
        except sqlite3.DatabaseError as error:
            raise_if_busy(error)
            row = None
        if row is not None and row["type"] == "table" and is_plain(str(row["sql"])):
            return True
        self.torn.add(name)
        return False

    def _next_after(self, select: str, last: int) -> Row | None:
        """The next row that can be read, after one that cannot."""
        step, beyond = 1, None
        while beyond is None and step <= FARTHEST:
            with suppress(sqlite3.DatabaseError):
                beyond = self._connection.execute(
                    f"{select} > ? LIMIT 1", (last + step,)
                ).fetchone()
                if beyond is None:
                    break  # no row lies beyond, and no damage either
            step *= 2
        for row_id in range(last + 1, last + 1 + min(step, _NEAR)):
            with suppress(sqlite3.DatabaseError):
                row = self._connection.execute(f"{select} = ?", (row_id,)).fetchone()
                if row is not None:
                    return dict(row)
        return None if beyond is None else dict(beyond)

    # -- signs of what is lost ------------------------------------------------------------------

    def signs(self) -> dict[int, Sign]:
        """What SQLite's indexes and the vectors say of photos, by id.

        Each lists the photos anew, in pages of its own.
        """
        signs: dict[int, Sign] = {}
        for image_id, root_id in self._listed("images", "images_by_root", "root_id"):
            signs[image_id] = Sign(root_id if isinstance(root_id, int) else None)
        for image_id, path in self._listed("images", "sqlite_autoindex_images_1", "path"):
            known = signs.get(image_id, Sign())
            signs[image_id] = known._replace(path=path if isinstance(path, bytes) else None)
        for image_id, content in self._listed("images", "images_by_content", "content"):
            known = signs.get(image_id, Sign())
            signs[image_id] = known._replace(content=content if _is_content(content) else None)
        for table in ("vectors", "coming"):
            for image_id, _ in self._listed(table, f"ix_{table}_revision", "revision"):
                signs.setdefault(image_id, Sign())
        return signs

    def folders(self) -> dict[int, bytes]:
        """The paths of roots by id, as SQLite's index has them."""
        return {
            root_id: path
            for root_id, path in self._listed("roots", "sqlite_autoindex_roots_1", "path")
            if isinstance(path, bytes)
        }

    def _listed(self, table: str, index: str, column: str) -> Iterator[tuple[int, Any]]:
        """Ids and values in an index, as far as it can be read."""
        if not self._is_table(table):
            return
        before: Any = None
        listing = f"SELECT {column}, rowid FROM {table} INDEXED BY {index}"
        try:
            for value, row_id in self._connection.execute(listing):
                same = before is not None and type(before[0]) is type(value)
                if same and (value, row_id) <= before:
                    return  # its own order is damaged
                before = value, row_id
                if 0 < row_id < MOST_IDS:
                    yield row_id, value
        except sqlite3.DatabaseError as error:
            raise_if_busy(error)


def is_sound(table: sa.Table, row: Row) -> bool:
    """Whether a row matches its checksum, and its values are of the kind that pixquery writes."""
    values = (row[name] for name in SEALED[table.name])
    return bool(row["formed"]) and digest(*values) == row["checksum"]


def _is_content(value: object) -> bool:
    return isinstance(value, bytes) and 0 < len(value) <= 64


def raise_if_busy(error: sqlite3.DatabaseError) -> None:
    """Raises the error if it says nothing about the file."""
    if "locked" in str(error):
        raise error
