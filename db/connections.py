"""Connections to a catalogue's file, transactions on them, and what SQLite's errors mean."""

import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from pixquery.db.checksums import prepare
from pixquery.db.errors import LibraryDamaged, LibraryLocked, PixqueryError, StorageFailed


class Connections:
    """Lends a connection to each transaction, and keeps those that are not lent.

    Where the place lets a reader make no log, or nobody make its index, it goes on in another way.
    """

    def __init__(self, file: Path) -> None:
        """Connects to a file, which is made where there is none.

        Raises:
            LibraryDamaged: The file is no database.
            StorageFailed: The place cannot be written or read.
        """
        self.file = file
        self._idle: list[sqlite3.Connection] = []
        self._frozen = False
        """SQLite relies on nobody writing."""
        self._alone: RLock | None = None
        """Guards the one connection that there can be."""
        try:
            self._try()
        except StorageFailed:
            if self._settled():
                self._frozen = True
            else:
                self._alone = RLock()
            self._try()

    def _try(self) -> None:
        try:
            with self.reading() as connection:
                connection.execute("PRAGMA user_version").fetchone()
        except PixqueryError:
            self.close()
            raise

    def close(self) -> None:
        """Closes all connections; the write-ahead log is folded into the file."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    # -- transactions ---------------------------------------------------------------------------

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A transaction that sees one state of the catalogue.

        Raises:
            LibraryDamaged: The catalogue's content cannot be.
            LibraryLocked: Another process writes, and nothing says what was read.
            StorageFailed: The disk fails.
        """
        before = self._settled() if self._frozen else None
        with self._transaction("BEGIN") as connection:
            yield connection
        if self._frozen and (before is None or before != self._settled()):
            raise self._locked()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction whose changes are kept together, or not at all where its body fails.

        Raises:
            LibraryDamaged: The catalogue's content cannot be.
            LibraryLocked: Another process writes.
            StorageFailed: The disk is full or fails.
        """
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._translated(), self._lent() as connection:
            connection.execute(begin)
            try:
                yield connection
            finally:
                if connection.in_transaction:  # SQLite rolls back by itself when the disk fails
                    connection.execute("ROLLBACK")

    @contextmanager
    def _lent(self) -> Iterator[sqlite3.Connection]:
        if self._alone is not None:
            with self._alone:
                if not self._idle:
                    self._idle.append(self._connected())
                yield self._idle[0]
            return
        idle = self._idle
        try:
            connection = idle.pop()
        except IndexError:
            connection = self._connected()
        try:
            yield connection
        finally:
            if idle is self._idle and not self._frozen:
                idle.append(connection)
            else:  # closed meanwhile; or frozen, when each reading looks at the file anew
                connection.close()

    def _connected(self) -> sqlite3.Connection:
        place = str(self.file)
        if self._frozen:
            place = f"{self.file.absolute().as_uri()}?mode=ro&immutable=1"
        connection = sqlite3.connect(
            place, timeout=30, isolation_level=None, check_same_thread=False, uri=self._frozen
        )
        try:
            prepare(connection)
            for pragma in self._pragmas():
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _pragmas(self) -> Iterator[str]:
        if self._frozen:  # the log and its index cannot be made
            return
        if self._alone is not None:
            # The log's index lies in memory, as no file can be made for it. SQLite lets nobody
            # else at the catalogue then until it is closed.
            yield "locking_mode=EXCLUSIVE"
        yield "journal_mode=WAL"  # readers go on while a run writes
        yield "synchronous=FULL"  # an acknowledged batch survives a power cut
        yield "foreign_keys=ON"

    def _settled(self) -> tuple[int, int, int] | None:
        """What tells one state of the file from another; none while the log holds a part of it."""
        try:
            log = self.file.with_name(f"{self.file.name}-wal")
            if log.exists() and log.stat().st_size:
                return None
            found = self.file.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    # -- errors ---------------------------------------------------------------------------------

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise self._refused(str(error)) from error
        except sqlite3.DatabaseError as error:
            raise damaged(self.file, str(error)) from error

    def _refused(self, cause: str) -> PixqueryError:
        if "locked" in cause:
            return self._locked()
        if any(sign in cause for sign in _DAMAGE):
            return damaged(self.file, cause)
        return StorageFailed(
            f"the library {self.file.parent} cannot be used ({cause}): make room or fix its "
            "permissions, then run the same command again; what was written before is kept"
        )

    def _locked(self) -> LibraryLocked:
        return LibraryLocked(
            f"the library {self.file.parent} is being written to by another program: "
            "try again later"
        )


_DAMAGE = ("malformed", "no such", "decode", "user-defined function", "has no column")
"""What SQLite says of a file whose content cannot be."""


def damaged(file: Path, cause: str) -> LibraryDamaged:
    """The error that a damaged catalogue is told by."""
    return LibraryDamaged(
        f"the catalogue {file} is damaged ({cause}): mend it with "
        f"`pixquery verify --repair --library {shlex.quote(str(file.parent))}`"
    )
