"""The words of a library's photos, to search: an SQLite file with a full-text index (FTS5).

It is derived from the catalogue: whoever searches brings it up to date, and if it is gone or
damaged, makes it anew. What it finds is a candidate, whose words are read in the catalogue.

https://www.sqlite.org/fts5.html
"""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import RLock
from typing import Any, Literal

from pixquery.db.catalog import Catalog
from pixquery.db.connections import Connection, distrust, refuse_odd_file
from pixquery.db.errors import StorageFailed
from pixquery.db.reading import parts
from pixquery.db.records import Annotation, Line
from pixquery.db.terms import terms

FILE = "words.sqlite"

Source = Literal["text", "owner"]
"""Where words stand: in the photo, or in what its owner wrote."""

_SCHEMA = (
    "CREATE VIRTUAL TABLE words USING fts5(text, owner, tokenize = 'ascii')",
    "CREATE TABLE state (metadata INTEGER NOT NULL, photos INTEGER NOT NULL)",
    "INSERT INTO state VALUES (0, 0)",
    "CREATE TABLE kept (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
)
"""Columns hold terms, separated by blanks, so that SQLite need not know how words are written. The
state is the catalogue's ``metadata_revision`` and ``revision``."""
_OBJECTS = [
    ("table", name)
    for name in ("kept", "state", "words", "words_config", "words_content", "words_data",
                 "words_docsize", "words_idx")
]  # fmt: skip
_RANKED = 2_000
"""Photos that are ranked, at most; it takes 2 milliseconds for each thousand."""


class Words:
    """The full-text index of one library, for any number of threads."""

    def __init__(self, folder: Path) -> None:
        """Opens nothing yet.

        Args:
            folder: The library's.
        """
        self._file = folder / FILE
        self._connection: sqlite3.Connection | None = None
        self._state = -1, -1
        self._one_at_a_time = RLock()

    def close(self) -> None:
        """Closes the file."""
        with self._one_at_a_time:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def bring_up_to_date(self, catalog: Catalog) -> bool:
        """Adds what was written to the catalogue since, and drops photos that are gone.

        If the file cannot be written, the words are kept in memory.

        Returns:
            Whether there are any words.

        Raises:
            LibraryDamaged: Rows of the catalogue differ from their checksums.
        """
        state = catalog.metadata_revision, catalog.revision
        if state[0] == 0:
            return False
        with self._one_at_a_time:
            if self._connection is None or self._state != state:
                try:
                    self._catch_up(catalog, state)
                except (sqlite3.Error, StorageFailed):
                    self._make_anew(catalog, state)
        return True

    def search(
        self,
        alternatives: Sequence[Sequence[str]],
        *,
        spare: int = 0,
        limit: int = 200,
        source: Source | None = None,
    ) -> list[int]:
        """The ids of photos that contain the terms, the best first (BM25).

        If they are very many, the newest in the library come first: to rank them takes long.

        Args:
            alternatives: For each term, the forms that will do, such as its singular.
            spare: How many of the terms may be missing.
            limit: The most photos to return.
            source: Where the words must stand; anywhere by default.
        """
        if not alternatives:
            return []
        needed = [" OR ".join(f'"{form}"' for form in forms) for forms in alternatives]
        expression = _expression(needed, spare)
        if source is not None:
            expression = f"{source} : ({expression})"
        found = self._values(
            "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid DESC LIMIT ?",
            expression,
            max(limit, _RANKED + 1),
        )
        if len(found) > _RANKED:
            return found[:limit]
        return self._values(
            "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank LIMIT ?", expression, limit
        )

    def _values(self, statement: str, *values: object) -> list[Any]:
        """The first column of some rows; none if the file was damaged since it was opened.

        Then whoever brings it up to date next makes it anew.
        """
        with self._one_at_a_time:
            if self._connection is None:
                return []
            try:
                return [row[0] for row in self._connection.execute(statement, values)]
            except sqlite3.Error:
                self.close()
                with suppress(OSError):
                    self._file.unlink()
                return []

    def agrees(self, catalog: Catalog) -> bool:
        """Whether the index is sound, and has exactly the words that the catalogue has.

        Raises:
            LibraryDamaged: Rows of the catalogue differ from their checksums.
        """
        if not self.bring_up_to_date(catalog):
            return True
        with self._one_at_a_time:
            connection = self._connection
            assert connection is not None  # noqa: S101 - it was just brought up to date
            try:
                connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
                noted = connection.execute("SELECT rowid, text, owner FROM words").fetchall()
            except sqlite3.Error:
                return False
        expected = (
            row for part in parts(catalog.described_since(0)) for row in _rows(catalog, part)
        )
        return sorted(noted) == sorted(expected)

    def make_anew(self, catalog: Catalog) -> None:
        """Makes the file anew, whatever is in it."""
        with self._one_at_a_time:
            self._make_anew(catalog, (catalog.metadata_revision, catalog.revision))

    # -- what else is derived -------------------------------------------------------------------

    def kept(self, name: str) -> str:
        """A text that was kept beside the words; empty if there is none."""
        found = self._values("SELECT value FROM kept WHERE name = ?", name)
        return str(found[0]) if found else ""

    def keep(self, name: str, value: str) -> None:
        """Keeps a text that can be derived from the catalogue again."""
        self._values("INSERT OR REPLACE INTO kept VALUES (?, ?)", name, value)

    # -- writing --------------------------------------------------------------------------------

    def _catch_up(self, catalog: Catalog, state: tuple[int, int]) -> None:
        connection = self._connection = self._connection or self._opened(str(self._file))
        connection.execute("BEGIN IMMEDIATE")
        try:
            known = connection.execute("SELECT metadata, photos FROM state").fetchone()
            if known is None:
                raise sqlite3.DatabaseError("the file does not say what it is from")
            if known[0] > state[0]:  # the library was put back to an earlier state
                connection.execute("DELETE FROM words")
                known = 0, 0
            if known[0] < state[0]:
                self._add(connection, catalog, catalog.described_since(known[0]))
            if known != state:
                noted = [row[0] for row in connection.execute("SELECT rowid FROM words")]
                gone = set(noted) - catalog.with_words(noted)
                connection.executemany("DELETE FROM words WHERE rowid = ?", [(i,) for i in gone])
                connection.execute("UPDATE state SET metadata = ?, photos = ?", state)
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        self._state = state

    def _make_anew(self, catalog: Catalog, state: tuple[int, int]) -> None:
        """Makes another file, or keeps the words in memory where there can be none."""
        self.close()
        try:
            for ending in ("", "-journal", "-wal", "-shm"):
                self._file.with_name(f"{self._file.name}{ending}").unlink(missing_ok=True)
            self._catch_up(catalog, state)
        except (OSError, sqlite3.Error, StorageFailed):
            self.close()
            self._connection = self._opened(":memory:")
            self._catch_up(catalog, state)

    def _add(self, connection: sqlite3.Connection, catalog: Catalog, ids: Sequence[int]) -> None:
        for part in parts(ids):
            connection.executemany("DELETE FROM words WHERE rowid = ?", [(one,) for one in part])
            connection.executemany(
                "INSERT INTO words (rowid, text, owner) VALUES (?, ?, ?)", _rows(catalog, part)
            )

    def _opened(self, name: str) -> sqlite3.Connection:
        if name != ":memory:":
            refuse_odd_file(self._file)
        connection = sqlite3.connect(
            name, timeout=30, isolation_level=None, check_same_thread=False, factory=Connection
        )
        try:
            distrust(connection)
            connection.execute("BEGIN IMMEDIATE")
            if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                for statement in _SCHEMA:
                    connection.execute(statement)
            made = connection.execute(
                "SELECT type, name FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
            )
            if made.fetchall() != _OBJECTS:
                raise sqlite3.DatabaseError("the file has other tables")
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection


def _rows(catalog: Catalog, ids: Sequence[int]) -> list[tuple[int, str, str]]:
    """The ids and the words of some photos, of those that have any."""
    readings, annotations = catalog.readings(ids), catalog.annotations(ids)
    rows = (
        (
            image_id,
            " ".join(of_lines(readings.get(image_id, ()))),
            " ".join(of_annotation(annotations.get(image_id, Annotation()))),
        )
        for image_id in ids
    )
    return [row for row in rows if row[1] or row[2]]


def _expression(needed: Sequence[str], spare: int) -> str:
    """All of the parts, or all but some."""
    if spare <= 0 or len(needed) <= 1:
        return " AND ".join(f"({part})" for part in needed)
    return " OR ".join(
        f"({_expression([*needed[:left], *needed[left + 1 :]], spare - 1)})"
        for left in range(len(needed))
    )


def of_lines(lines: Iterable[Line]) -> list[str]:
    """The terms of text that was read in a photo."""
    return [term for line in lines for term in terms(line.text)]


def of_annotation(annotation: Annotation) -> list[str]:
    """The terms of what an owner wrote; a label such as "Red" is a mark, and describes nothing."""
    texts = (
        annotation.title, annotation.caption, *annotation.keywords, *annotation.people,
        *annotation.location,
    )  # fmt: skip
    return [term for text in texts for term in terms(text)]
