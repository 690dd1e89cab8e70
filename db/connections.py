"""Connections to a catalogue's file, their transactions, and SQLite's errors as pixquery's."""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock, local
from typing import Any

from pixquery.db.checksums import prepare
from pixquery.db.errors import LibraryDamaged, LibraryLocked, PixqueryError, StorageFailed
from pixquery.db.quoting import library_option

LONGEST_VALUE = 64 * 2**20
"""Bytes of the longest value that SQLite reads or makes: a photo's row has a few thousand."""


class Connection(sqlite3.Connection):
    """A connection whose errors are SQLite's, whatever their messages quote.

    Python fails to decode the message if it quotes a damaged schema that is not UTF-8.
    """

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """As `sqlite3.Connection` does."""
        try:
            return super().execute(*arguments)
        except UnicodeDecodeError as error:
            raise sqlite3.DatabaseError(_NOT_UTF8) from error

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        """As `sqlite3.Connection` does."""
        try:
            return super().executemany(*arguments)
        except UnicodeDecodeError as error:
            raise sqlite3.DatabaseError(_NOT_UTF8) from error


class Connections:
    """A pool that lends one connection to each transaction.

    If the folder cannot be written, so that SQLite can create no log, or if the log's index cannot
    be shared, it opens the catalogue in another way.
    """

    def __init__(self, file: Path) -> None:
        """Connects to a file, which is created if there is none.

        Raises:
            LibraryDamaged: The file is no database.
            StorageFailed: The folder cannot be read or written, or one of the files is a link.
        """
        refuse_odd_files(file)
        self.file = file
        self._idle: list[sqlite3.Connection] = []
        self._frozen = False
        """Whether SQLite may rely on nobody writing."""
        self._alone: RLock | None = None
        """Guards the one connection, if there can be no more than one."""
        self._own = local()
        """The connection of this thread's writing transaction, which further ones join."""
        self._choose()

    def reopen(self) -> None:
        """Opens the file anew, after another one has taken its place.

        Raises:
            LibraryDamaged: The file is no database.
            StorageFailed: The folder cannot be read or written.
        """
        self.close()
        self._frozen, self._alone = False, None
        self._choose()

    def _choose(self) -> None:
        """Chooses how to open the file."""
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
        """A transaction that sees one state of the catalogue; inside a writing one, a part of it.

        Raises:
            LibraryDamaged: The catalogue's content is impossible.
            LibraryLocked: Another process wrote meanwhile, and what was read may be a mixture.
            StorageFailed: The disk fails.
        """
        if (outer := self._outer) is not None:
            yield outer
            return
        before = self._settled() if self._frozen else None
        with self._transaction("BEGIN") as connection:
            yield connection
        if self._frozen and (before is None or before != self._settled()):
            raise self._locked()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction whose changes are all kept, or none of them if its body fails.

        A transaction that begins inside it, in the same thread, is a part of it.

        Raises:
            LibraryDamaged: The catalogue's content is impossible.
            LibraryLocked: Another process writes.
            StorageFailed: The disk is full or fails.
        """
        if (outer := self._outer) is not None:
            yield outer
            return
        with self._transaction("BEGIN IMMEDIATE") as connection:
            self._own.connection = connection
            try:
                yield connection
            finally:
                self._own.connection = None
            connection.execute("COMMIT")

    @property
    def _outer(self) -> sqlite3.Connection | None:
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        return connection

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
            else:  # closed meanwhile; or frozen, when each transaction opens the file again
                connection.close()

    def _connected(self) -> sqlite3.Connection:
        address = str(self.file)
        if self._frozen:
            address = f"{self.file.absolute().as_uri()}?mode=ro&immutable=1"
        connection = sqlite3.connect(
            address, timeout=30, isolation_level=None, check_same_thread=False,
            factory=Connection, uri=self._frozen,
        )  # fmt: skip
        try:
            prepare(connection)
            distrust(connection)
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
            # The log's index is kept in memory, as no file can be made for it. Until it is closed,
            # SQLite keeps everybody else from the catalogue.
            yield "locking_mode=EXCLUSIVE"
        yield "journal_mode=WAL"  # readers can read while a run writes
        yield "synchronous=FULL"  # a committed batch survives a power cut
        yield "foreign_keys=ON"

    def _settled(self) -> tuple[int, int, int] | None:
        """What distinguishes states of the file; none while a part of it is in the log."""
        try:
            log = self.file.with_name(f"{self.file.name}-wal")
            if log.exists() and log.stat().st_size:
                return None
            state = self.file.stat()
        except OSError:
            return None
        return state.st_ino, state.st_size, state.st_mtime_ns

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


def distrust(connection: sqlite3.Connection) -> None:
    """Keeps a file that somebody else made from running functions, or filling the memory."""
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA cell_size_check=ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)


def mended(file: Path) -> Path:
    """The repaired catalogue while it waits to be put in the place of a file that is no database.

    Such a file cannot be replaced in a transaction. While this one exists, it is the truth.
    """
    return file.with_name(f"{file.name}.mended")


def is_half_mended(file: Path) -> bool:
    """Whether a repair was stopped before the repaired catalogue was in place."""
    return mended(file).exists()


def refuse_odd_files(file: Path) -> None:
    """Refuses a catalogue whose files are none: SQLite would write through a link, or wait.

    Raises:
        StorageFailed: One is a link, a folder, a pipe or a device.
    """
    for ending in ("", "-wal", "-shm", "-journal"):
        refuse_odd_file(file.with_name(f"{file.name}{ending}"))


def refuse_odd_file(file: Path) -> None:
    """Refuses a file of a library that is a link, a folder, a pipe or a device.

    Raises:
        StorageFailed: It is one of these.
    """
    try:
        mode = file.lstat().st_mode
    except OSError:
        return  # there is none, or opening it says why it cannot be used
    if not stat.S_ISREG(mode):
        kind = "a link" if stat.S_ISLNK(mode) else "no file"
        raise StorageFailed(
            f"{file} is {kind}, and a library consists of files of its own: move it away, then "
            "run the same command again"
        )


_LONGEST_CAUSE = 200
"""Characters of what SQLite says."""
_NOT_UTF8 = "malformed database schema: it is not UTF-8"
_DAMAGE = (
    "malformed",
    "no such",
    "decode",
    "user-defined function",
    "has no column",
    "duplicate column",
)
"""Words in SQLite's messages about a file whose content is impossible."""


def damaged(file: Path, cause: str) -> LibraryDamaged:
    """The error for a damaged catalogue. SQLite quotes what it cannot read, line by line."""
    cause = " ".join(cause.split())
    if len(cause) > _LONGEST_CAUSE:
        cause = f"{cause[:_LONGEST_CAUSE]}..."
    return LibraryDamaged(
        f"the catalogue {file} is damaged ({cause}): repair it with "
        f"`pixquery verify --repair{library_option(file.parent)}`"
    )
