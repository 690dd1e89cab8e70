"""Opens a catalogue: refuses what is none, creates a new one, brings an older one up to date."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from pixquery.db.concepts import ConceptReading
from pixquery.db.errors import PixqueryError
from pixquery.db.migrations import NEWEST, READABLE, migrate, version_of


class Opened(ConceptReading):
    """A catalogue that is open; users open a :class:`pixquery.db.catalog.Catalog`."""

    def __init__(
        self, file: Path, *, lock: Callable[[], AbstractContextManager[None]] | None = None
    ) -> None:
        """Opens a catalogue, and creates the tables in a new file.

        An older one is brought up to date, which only its one writer may do. One that can be read
        as it is waits for :meth:`bring_up_to_date` if the caller is no writer.

        Args:
            file: The catalogue.
            lock: Makes the lock of its library, for a caller who does not hold it.

        Raises:
            LibraryDamaged: The file is not a catalogue, or contains more than one.
            LibraryLocked: It is too old to be read as it is, and another process writes to it.
            LibraryTooNew: A newer pixquery made it.
            StorageFailed: The folder cannot be read or written, or the file is a link.
        """
        super().__init__(file)
        self._write = self._connections.writing
        try:
            with self._read() as connection:
                self._version = version_of(connection, file)
            if lock is None or self._version == 0:
                self.bring_up_to_date()
            elif self._version < READABLE:
                with lock():
                    self.bring_up_to_date()
        except PixqueryError:
            self.close()
            raise

    def reopen(self) -> None:
        """Opens the file anew, after a repair may have put another one in its place.

        Raises:
            LibraryError: As for opening it.
        """
        self._connections.reopen()
        with self._read() as connection:
            self._version = version_of(connection, self.file)

    def bring_up_to_date(self) -> None:
        """Creates the tables that are missing, or changes older ones; for the one writer.

        Raises:
            LibraryDamaged: The catalogue has tables, triggers or views that are not pixquery's.
        """
        if self._version != NEWEST:
            with self._write() as connection:
                migrate(connection, self.file)
            self._version = NEWEST
