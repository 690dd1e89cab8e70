"""The catalogue: the source of truth of a library, in one SQLite file."""

import os
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from pixquery.db.changes import ChangeWriting
from pixquery.db.checksums import SEALED, computed, digest
from pixquery.db.concepts import PUT_EXAMPLE, PUT_NAME, ExampleRecord, example_row, name_row
from pixquery.db.date_order import DateOrders
from pixquery.db.losses import forget, put
from pixquery.db.merging import merge
from pixquery.db.raw_vectors import RawVectors
from pixquery.db.reading import get, marks, parts
from pixquery.db.records import FileState, Floats, Generation, ImageRecord, Skipped
from pixquery.db.values import UNDER, bounds, written


class Catalog(ChangeWriting):
    """One library's SQLite file: roots, photos, raw encoder vectors and index generations.

    Every method is one transaction; inside :meth:`transaction`, all calls together are one. A
    writer must hold the library's lock; readers need no lock.
    """

    @cached_property
    def dates(self) -> DateOrders:
        """Its photos by date, for readers that ask for many parts of them."""
        return DateOrders(self)

    def keep(self, name: str, value: str) -> None:
        """Stores a setting."""
        with self._write() as connection:
            _set(connection, name, value)

    def name_profile(self, profile: str, quality: str) -> None:
        """Notes the profile and the quality of a new library."""
        with self._write() as connection:
            _set(connection, "profile", profile)
            _set(connection, "quality", quality)

    def note_switch(self, profile: str, quality: str) -> None:
        """Notes what photos are being encoded with until :meth:`adopt`."""
        with self._write() as connection:
            _set(connection, "switching", profile)
            _set(connection, "switching_quality", quality)

    # -- roots ----------------------------------------------------------------------------------

    def add_root(self, path: Path) -> int:
        """The id of the root that contains ``path``; a new root absorbs the roots inside it."""
        with self._write() as connection:
            rows = connection.execute("SELECT path, id FROM roots")
            known: dict[str, int] = {os.fsdecode(row[0]): row[1] for row in rows}
            for folder in (path, *path.parents):
                if str(folder) in known:
                    return known[str(folder)]
            new = connection.execute("INSERT INTO roots (path) VALUES (?)", (os.fsencode(path),))
            root_id = new.lastrowid
            assert root_id is not None  # noqa: S101 - one row was inserted
            _seal(connection, "roots", [root_id])
            for inner, inner_id in known.items():
                if path in Path(inner).parents:
                    for table in ("images", "skipped"):
                        connection.execute(
                            f"UPDATE {table} SET root_id = ? WHERE root_id = ?", (root_id, inner_id)
                        )
                    connection.execute("DELETE FROM roots WHERE id = ?", (inner_id,))
            return root_id

    def drop_roots(self, path: Path) -> None:
        """Removes the roots at or under ``path``, and all photos in them."""
        with self._write() as connection:
            before = connection.execute("SELECT count(*) FROM images").fetchone()
            connection.execute(f"DELETE FROM roots WHERE {UNDER}", bounds(path))
            forget(connection, path)
            if before != connection.execute("SELECT count(*) FROM images").fetchone():
                _touch(connection, self.file)

    def merge_roots(self, path: Path, new: Path) -> int:
        """Makes a root part of another one, of which it is ``new``; ids stay.

        Returns:
            How many photos were in the catalogue under both names; each is kept under the new one.
        """
        root_id = self.add_root(new)
        lost = [
            loss._replace(root=new / loss.root.relative_to(path))
            for loss in self.losses()
            if loss.root and loss.root.is_relative_to(path)
        ]
        with self._write() as connection:
            forget(connection, path)
            put(connection, lost)
            renamed, twice = merge(connection, path, new, root_id, self.file)
            _seal(connection, "images", renamed)
            if twice:
                _touch(connection, self.file)
            return twice

    # -- photos ---------------------------------------------------------------------------------

    def put(
        self, root_id: int, records: Sequence[ImageRecord], raw: RawVectors, encoder: str
    ) -> list[int]:
        """Adds photos with their vectors, or replaces those with the same paths; all or none.

        Args:
            root_id: From :meth:`add_root`.
            records: ``n`` photos with different paths; their ``id`` is ignored.
            raw: float16[n, d], the image encoder's vectors.
            encoder: The image encoder, as :attr:`pixquery.engine.profile.Profile.encoder` names it.

        Returns:
            The ids in the order of ``records``; a replaced photo keeps its id.
        """
        if not records:
            return []
        paths = [os.fsencode(record.path) for record in records]
        with self._write() as connection:
            revision = _touch(connection, self.file)
            self._forget_changed(connection, records)
            connection.executemany(_PUT_IMAGE, [_row(root_id, record) for record in records])
            ids: dict[bytes, int] = {}
            for part in parts(paths):
                here = f"WHERE path IN {marks(part)}"
                ids.update(connection.execute(f"SELECT path, id FROM images {here}", part))
                connection.execute(f"DELETE FROM skipped {here}", part)
            _seal(connection, "images", list(ids.values()))
            rows = [
                (ids[path], encoder, revision, vector.tobytes())
                for path, vector in zip(paths, raw, strict=True)
            ]
            connection.executemany(
                _PUT_VECTOR[self._vectors], [(*row, digest(*row)) for row in rows]
            )
        return [ids[path] for path in paths]

    def _forget_changed(
        self, connection: sqlite3.Connection, records: Sequence[ImageRecord]
    ) -> None:
        """Deletes what is of the content that a photo no longer has, but its vector.

        That is its vector in the other table, and what was noted about it.
        """
        other = "coming" if self._vectors == "vectors" else "vectors"
        content_of = {os.fsencode(record.path): record.content for record in records}
        for part in parts(list(content_of)):
            rows = connection.execute(
                f"SELECT id, path, content FROM images WHERE path IN {marks(part)}", part
            )
            changed = [row[0] for row in rows if row[2] != content_of[row[1]]]
            _delete(connection, other, "image_id", changed)
            self.forget_metadata(connection, changed)

    def skip(self, root_id: int, files: Sequence[tuple[Skipped, FileState]]) -> None:
        """Notes unusable files, so that they are not read again until they change.

        Removes the photos with these paths.
        """
        with self._write() as connection:
            for file, state in files:
                row = os.fsencode(file.path), state.size, state.mtime_ns, file.reason
                connection.execute(_PUT_SKIPPED, (root_id, *row, digest(*row)))
                gone = connection.execute("DELETE FROM images WHERE path = ?", (row[0],))
                if gone.rowcount:
                    _touch(connection, self.file)

    def remove(self, ids: Sequence[int]) -> None:
        """Removes photos and their vectors."""
        with self._write() as connection:
            _delete(connection, "images", "id", ids)
            if ids:
                _touch(connection, self.file)

    def forget_skipped(self, paths: Sequence[Path]) -> None:
        """Removes the notes of skipped files that are gone, or should be tried again."""
        with self._write() as connection:
            _delete(connection, "skipped", "path", [os.fsencode(path) for path in paths])

    # -- vectors and their generations ----------------------------------------------------------

    def forget_vectors(self, ids: Sequence[int]) -> None:
        """Deletes vectors, so that the next run encodes their photos again."""
        with self._write() as connection:
            _delete(connection, self._vectors, "image_id", ids)
            if ids:
                _touch(connection, self.file)

    def publish(self, generation: Generation) -> None:
        """Makes a vector file the current one, instead of any other."""
        with self._write() as connection:
            _publish(connection, generation)

    # -- concepts -------------------------------------------------------------------------------

    def define(
        self, concept: str, examples: Sequence[ExampleRecord], generation: Generation
    ) -> None:
        """Makes these the only examples of a concept, and publishes the vectors that know it.

        In one transaction: no reader ever sees a concept without its vectors, or the reverse.

        Args:
            concept: The name it has in the catalogue, if it is there already.
            examples: Its examples for all encoders; none removes the concept.
            generation: Of the revision after the present one.
        """
        with self._write() as connection:
            connection.execute("DELETE FROM concept_examples WHERE concept = ?", (concept,))
            connection.executemany(PUT_EXAMPLE, map(example_row, examples))
            connection.execute(
                "DELETE FROM concept_names "
                "WHERE concept NOT IN (SELECT concept FROM concept_examples)"
            )
            _touch(connection, self.file)
            _publish(connection, generation)

    def add_examples(self, examples: Sequence[ExampleRecord]) -> None:
        """Adds examples as another encoder sees them."""
        with self._write() as connection:
            connection.executemany(PUT_EXAMPLE, map(example_row, examples))
            if examples:
                _touch(connection, self.file)

    def note_names(self, names: Mapping[str, Floats], encoder: str) -> None:
        """Notes the vectors float32[e] of concepts' names, by name, of a text encoder."""
        with self._write() as connection:
            rows = [name_row(concept, encoder, raw) for concept, raw in names.items()]
            connection.executemany(PUT_NAME, rows)

    # -- another profile, or all photos encoded again -------------------------------------------

    def fill_coming(self, encoder: str) -> None:
        """Makes this object read and write the table ``coming`` from now on; for the one writer.

        Keeps the vectors of the same encoder that an interrupted run left there.
        """
        with self._write() as connection:
            connection.execute("DELETE FROM coming WHERE encoder != ?", (encoder,))
        self._vectors = "coming"

    def carry_over(self, encoder: str) -> None:
        """Copies vectors of this encoder to ``coming`` for photos that have none there.

        Does nothing if this object uses the table ``vectors``.
        """
        if self._vectors != "coming":
            return
        with self._write() as connection:
            connection.execute(
                f"INSERT OR IGNORE INTO coming ({_VECTOR}) "
                f"SELECT {_VECTOR} FROM vectors WHERE encoder = ?",
                (encoder,),
            )

    def adopt(self, profile: str, quality: str, generation: Generation) -> None:
        """Makes a profile the library's own, together with its vectors and its index file.

        In one transaction: no reader ever sees one profile with another's vectors.
        """
        with self._write() as connection:
            if self._vectors == "coming":
                connection.execute("DELETE FROM vectors")
                connection.execute(f"INSERT INTO vectors ({_VECTOR}) SELECT {_VECTOR} FROM coming")
            connection.execute("DELETE FROM coming")
            _set(connection, "profile", profile)
            _set(connection, "quality", quality)
            _delete(connection, "settings", "name", ["switching", "switching_quality"])
            _publish(connection, generation)
        self._vectors = "vectors"


def _upsert(table: str, columns: Sequence[str], key: str) -> str:
    """SQL that inserts a row, or overwrites the row with the same key, which keeps its id."""
    new = ", ".join(f"{column} = excluded.{column}" for column in columns if column != key)
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES {marks(columns)} "
        f"ON CONFLICT ({key}) DO UPDATE SET {new}"
    )


_PUT_IMAGE = _upsert("images", ("root_id", *SEALED["images"][1:], "checksum"), "path")
_PUT_SKIPPED = _upsert("skipped", ("root_id", *SEALED["skipped"], "checksum"), "path")
_PUT_SETTING = _upsert("settings", (*SEALED["settings"], "checksum"), "name")
_PUT_VECTOR = {
    table: _upsert(table, (*SEALED[table], "checksum"), "image_id")
    for table in ("vectors", "coming")
}
_VECTOR = ", ".join((*SEALED["vectors"], "checksum"))


def _row(root_id: int, record: ImageRecord) -> tuple[object, ...]:
    """The values of :data:`_PUT_IMAGE`."""
    place = record.place or (None, None)
    return (
        root_id,
        os.fsencode(record.path),
        *record.state,
        record.content,
        record.width,
        record.height,
        record.format,
        written(record.taken) if record.taken else None,
        record.camera,
        *place,
        b"",  # until its id is known
    )


def _seal(connection: sqlite3.Connection, table: str, ids: Sequence[int]) -> None:
    """Computes the checksums of rows that were just written."""
    for part in parts(ids):
        connection.execute(
            f"UPDATE {table} SET checksum = {computed(table)} WHERE id IN {marks(part)}", part
        )


def _delete(
    connection: sqlite3.Connection, table: str, column: str, values: Sequence[int | str | bytes]
) -> None:
    for part in parts(values):
        connection.execute(f"DELETE FROM {table} WHERE {column} IN {marks(part)}", part)


def _set(connection: sqlite3.Connection, name: str, value: str) -> None:
    connection.execute(_PUT_SETTING, (name, value, digest(name, value)))


def _publish(connection: sqlite3.Connection, generation: Generation) -> None:
    row = astuple(generation)
    connection.execute("DELETE FROM generations")
    connection.execute(
        f"INSERT INTO generations ({', '.join(SEALED['generations'])}, checksum) "
        f"VALUES {marks((*row, 'checksum'))}",
        (*row, digest(*row)),
    )


def _touch(connection: sqlite3.Connection, file: Path) -> int:
    revision = int(get(connection, "revision", file) or 0) + 1
    _set(connection, "revision", str(revision))
    _set(connection, "updated", datetime.now(UTC).isoformat(timespec="seconds"))
    return revision
