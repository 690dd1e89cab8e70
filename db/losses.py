"""Photos that were lost to damage: noted when a catalogue is repaired, until they were looked for.

The notes are written in the same transaction as the repaired catalogue. So whatever stops a repair
half-way, a library that lacks photos says so.
"""

import os
import sqlite3
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from pixquery.db.checksums import SEALED, digest, sound
from pixquery.db.migrations import WITH_LOSSES
from pixquery.db.opening import Opened
from pixquery.db.reading import marks
from pixquery.db.values import UNDER, bounds

_COLUMNS = (*SEALED["losses"], "checksum")


class Loss(NamedTuple):
    """A folder whose photos may be lost to damage."""

    root: Path | None
    """None if it is not known which folder they were in."""
    photos: int
    """How many are known to be lost; there may be others."""
    guessed: bool = False
    """The folder's own name is lost, and ``root`` is the part of it that is known."""


class LossKeeping(Opened):
    """What is known of lost photos; every method is one transaction."""

    def losses(self) -> list[Loss]:
        """What was lost and was not looked for since, by folder.

        A damaged row counts as a loss that nothing is known of.
        """
        if self._version < WITH_LOSSES:  # which noted none
            return []
        return [_loss(*row) for row in self._rows(f"SELECT {', '.join(_COLUMNS)} FROM losses "
                                                  "ORDER BY root")]  # fmt: skip

    def settle(self, looked: Collection[Path], named: Collection[Path]) -> None:
        """Forgets the losses of folders in which all photos were found again that are there.

        Args:
            looked: The folders that were indexed, all of them within reach.
            named: Those that the user named, who knows what their names were.
        """
        losses = self.losses()
        if not losses:
            return
        everything = all(_covered(root.path, looked) for root in self.roots())
        settled = [
            root
            for root, _, guessed in losses
            if (
                everything and (named or not guessed)
                if root is None
                else _covered(root, looked) and (_covered(root, named) or not guessed)
            )
        ]
        if settled:
            with self._write() as connection:
                for root in filter(None, settled):
                    connection.execute("DELETE FROM losses WHERE root = ?", (os.fsencode(root),))
                if None in settled:
                    nowhere = f"root = x'' OR NOT {sound('losses')}"
                    connection.execute(f"DELETE FROM losses WHERE {nowhere}")


def _covered(folder: Path, by: Collection[Path]) -> bool:
    return not {folder, *folder.parents}.isdisjoint(by)


def put(connection: sqlite3.Connection, losses: Iterable[Loss]) -> None:
    """Notes losses in the caller's transaction, in addition to those that are noted."""
    for loss in losses:
        root = b"" if loss.root is None else os.fsencode(loss.root)
        row = connection.execute(
            "SELECT photos, guessed FROM losses WHERE root = ?", (root,)
        ).fetchone() or (0, 0)
        new = root, max(row[0], loss.photos), max(row[1], int(loss.guessed))
        connection.execute(
            f"INSERT OR REPLACE INTO losses ({', '.join(_COLUMNS)}) VALUES {marks(_COLUMNS)}",
            (*new, digest(*new)),
        )


def forget(connection: sqlite3.Connection, folder: Path) -> None:
    """Forgets the losses in a folder that the library is to forget."""
    where = UNDER.replace("path", "root")
    connection.execute(f"DELETE FROM losses WHERE {where}", bounds(folder))


def _loss(root: object, photos: object, guessed: object, checksum: object) -> Loss:
    if digest(root, photos, guessed) != checksum:
        return Loss(None, 0)
    match root, photos:
        case bytes(path), int(count):
            return Loss(Path(os.fsdecode(path)) if path else None, count, guessed=bool(guessed))
    return Loss(None, 0)
