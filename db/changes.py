"""Changes of rows that keep their vectors: a photo was moved or touched, its content is proven."""

import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pixquery.db.checksums import SEALED, sound
from pixquery.db.concepts import ExampleRecord, example_row
from pixquery.db.connections import damaged
from pixquery.db.metadata import MetadataKeeping
from pixquery.db.reading import marks, parts
from pixquery.db.records import FileState, Place
from pixquery.db.values import written


class Move(NamedTuple):
    """A photo whose file has another path now."""

    image_id: int
    root_id: int
    """From :meth:`pixquery.db.catalog.Catalog.add_root`."""
    path: Path
    state: FileState


class Taking(NamedTuple):
    """When and where a photo was taken, as far as it is known now."""

    taken: datetime | None
    """By the camera's clock."""
    place: Place | None
    moved: bool
    """The place is another one than before, so that its name is not known any more."""


class ChangeWriting(MetadataKeeping):
    """Changes of rows that keep their vectors."""

    def transaction(self) -> AbstractContextManager[object]:
        """Makes everything that this thread does inside one transaction: all or nothing."""
        return self._write()

    def restate(self, files: Mapping[int, FileState]) -> None:
        """Updates sizes and times of files whose content is unchanged.

        Raises:
            LibraryDamaged: A row differs from its checksum.
        """
        with self._write() as connection:
            self._change(connection, ("size", "mtime_ns"), [(*files[i], i) for i in files])

    def move(self, moves: Sequence[Move]) -> None:
        """Changes photos' paths; ids and vectors stay.

        Raises:
            LibraryDamaged: A row differs from its checksum.
        """
        rows = [
            (root_id, os.fsencode(path), *state, image_id)
            for image_id, root_id, path, state in moves
        ]
        with self._write() as connection:
            self._change(connection, ("root_id", "path", "size", "mtime_ns"), rows)
            for part in parts([row[1] for row in rows]):
                connection.execute(f"DELETE FROM skipped WHERE path IN {marks(part)}", part)

    def retake(self, takings: Mapping[int, Taking]) -> None:
        """Changes when and where photos were taken, by id, as another sidecar says.

        Raises:
            LibraryDamaged: A row differs from its checksum.
        """
        rows = [
            (written(taken) if taken else None, *(place or (None, None)), image_id)
            for image_id, (taken, place, _) in takings.items()
        ]
        if not rows:
            return
        with self._write() as connection:
            self._change(connection, ("taken", "latitude", "longitude"), rows)
            for part in parts([image_id for image_id, new in takings.items() if new.moved]):
                connection.execute(f"DELETE FROM localities WHERE image_id IN {marks(part)}", part)

    def prove(self, contents: Mapping[int, bytes]) -> None:
        """Replaces hints by fingerprints, by photo; the bytes are those that were indexed.

        Raises:
            LibraryDamaged: A row differs from its checksum.
        """
        with self._write() as connection:
            self._change(connection, ("content",), [(contents[i], i) for i in contents])

    def prove_examples(self, content: bytes, examples: Sequence[ExampleRecord]) -> None:
        """Replaces the hint of a concept's example by its fingerprint, in place: order matters."""
        with self._write() as connection:
            for example in examples:
                row = example_row(example._replace(content=content))
                connection.execute(
                    "UPDATE OR IGNORE concept_examples SET content = ?, checksum = ? "
                    "WHERE concept = ? AND content = ? AND encoder = ?",
                    (content, row[-1], example.concept, example.content, example.encoder),
                )

    def _change(
        self,
        connection: sqlite3.Connection,
        columns: Sequence[str],
        rows: Sequence[tuple[object, ...]],
    ) -> None:
        """Changes rows that match their checksums: a damaged one would match it afterwards.

        Args:
            connection: In a transaction.
            columns: The columns to change.
            rows: Their new values, and the photo's id at the end.
        """
        new = {column: f"?{place}" for place, column in enumerate(columns, 1)}
        checksum = ", ".join(new.get(column, column) for column in SEALED["images"])
        changed = connection.executemany(
            f"UPDATE images SET {', '.join(f'{name} = {value}' for name, value in new.items())}, "
            f"checksum = pixquery_digest({checksum}) "
            f"WHERE id = ?{len(columns) + 1} AND {sound('images')}",
            rows,
        )
        if changed.rowcount != len(rows):
            for part in parts([row[-1] for row in rows]):
                unsound = f"FROM images WHERE id IN {marks(part)} AND NOT {sound('images')}"
                if connection.execute(f"SELECT 1 {unsound}", part).fetchone():
                    raise damaged(self.file, "rows of photos differ from their checksums")
