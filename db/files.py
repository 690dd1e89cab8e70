"""What the catalogue notes of files, to detect changes."""

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from pixquery.db.checksums import digest
from pixquery.db.forms import IS_PATH
from pixquery.db.reading import Reading, marks, parts
from pixquery.db.records import FileState, KnownFile
from pixquery.db.values import UNDER, bounds


class FileReading(Reading):
    """Queries for files; every method is one transaction."""

    def holds(self, path: Path) -> bool:
        """Whether a root, a photo or a skipped file is at or under ``path``."""
        with self._read() as connection:
            return any(
                connection.execute(f"SELECT 1 FROM {table} WHERE {UNDER} LIMIT 1", bounds(path))
                .fetchone()
                for table in ("roots", "images", "skipped")
            )  # fmt: skip

    def has_photos(self, folder: Path) -> bool:
        """Whether a photo is at or under a folder."""
        return bool(self._rows(f"SELECT 1 FROM images WHERE {UNDER} LIMIT 1", *bounds(folder)))

    def known(self, root: Path, *encoders: str) -> dict[str, KnownFile]:
        """Every photo and every skipped file at or under ``root``, by path.

        A photo without a vector of one of the encoders, or without the details that filters need,
        gets a state that equals no file's, so that it counts as changed.
        """
        inside = bounds(root)
        with self._read() as connection:
            without = self._without(connection, encoders)
            rows = connection.execute(_KNOWN_IMAGES, inside).fetchall()
            skipped = connection.execute(_KNOWN_SKIPPED, inside).fetchall()
        make, decode = tuple.__new__, os.fsdecode  # twice as fast as calling the types
        files: dict[str, KnownFile] = {
            decode(path): make(
                KnownFile, (image_id, make(FileState, (size, mtime_ns)), content, "")
            )
            for path, size, mtime_ns, image_id, content in rows
        }
        if without:
            unlike = FileState(-1, -1)
            for path, file in files.items():
                if file.id in without:
                    files[path] = KnownFile(file.id, unlike, b"")
        for *values, checksum in skipped:
            if digest(*values) == checksum:  # else the next run tries the file again
                path, size, mtime_ns, reason = values
                files[decode(path)] = KnownFile(0, FileState(size, mtime_ns), b"", reason)
        return files

    def noted(self, paths: Sequence[str]) -> dict[str, KnownFile]:
        """Those of some files that are in the catalogue, as photos or as skipped."""
        files: dict[str, KnownFile] = {}
        with self._read() as connection:
            for part in parts([os.fsencode(path) for path in paths]):
                here = f"FROM {{}} WHERE path IN {marks(part)}"
                for path, *state, reason, checksum in connection.execute(
                    "SELECT path, size, mtime_ns, reason, checksum " + here.format("skipped"), part
                ):
                    if digest(path, *state, reason) == checksum:
                        files[os.fsdecode(path)] = KnownFile(0, FileState(*state), b"", reason)
                for path, *state, image_id, content in connection.execute(
                    "SELECT path, size, mtime_ns, id, content " + here.format("images"), part
                ):
                    files[os.fsdecode(path)] = KnownFile(image_id, FileState(*state), content)
        return files

    def states(self) -> dict[str, FileState]:
        """The size and time of every photo's file, by path."""
        rows = self._rows(f"SELECT path, size, mtime_ns FROM images WHERE {IS_PATH}")
        return {os.fsdecode(path): FileState(*state) for path, *state in rows}

    def repeated(self) -> list[tuple[str, KnownFile]]:
        """The photos whose content is also another's, by id."""
        rows = self._rows(
            f"SELECT path, id, size, mtime_ns, content FROM images WHERE {IS_PATH} AND content IN "
            "(SELECT content FROM images GROUP BY content HAVING count(*) > 1) ORDER BY id"
        )
        return [
            (os.fsdecode(path), KnownFile(image_id, FileState(size, mtime_ns), content))
            for path, image_id, size, mtime_ns, content in rows
        ]

    def _without(self, connection: sqlite3.Connection, encoders: Sequence[str]) -> set[int]:
        """The photos that have no vector of one of the encoders."""
        source = f"FROM {self._vectors} WHERE encoder IN {marks(encoders)}"
        counts = f"SELECT (SELECT count(*) FROM images), (SELECT count(*) {source})"
        images, vectors = connection.execute(counts, encoders).fetchone()
        if images == vectors:  # each vector has its own photo: see the tables' keys
            return set()
        lacking = f"SELECT id FROM images WHERE id NOT IN (SELECT image_id {source})"
        return {row[0] for row in connection.execute(lacking, encoders)}


_KNOWN_IMAGES = (
    "SELECT path, CASE format WHEN '' THEN -1 ELSE size END, mtime_ns, id, content FROM images "
    f"WHERE {UNDER}"
)
_KNOWN_SKIPPED = f"SELECT path, size, mtime_ns, reason, checksum FROM skipped WHERE {UNDER}"
