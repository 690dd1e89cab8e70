"""What a catalogue tells: plain SQL, as most commands ask little and are over in a moment."""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pixquery.db.checksums import SEALED, digest, sound
from pixquery.db.connections import Connections, damaged
from pixquery.db.errors import LibraryDamaged
from pixquery.db.records import (
    Facets,
    FileState,
    Filter,
    Generation,
    Ids,
    ImageRecord,
    KnownFile,
    Place,
    RootSummary,
    Tally,
)
from pixquery.db.values import UNDER, bounds

RawVectors = NDArray[np.float16]
_Value = TypeVar("_Value")
_Row = tuple[Any, ...]

_IN_LIMIT = (
    500  # SQLite takes 32,766 bound values; small statements are as fast and safe everywhere
)


class Reading:
    """The questions to a catalogue; every method is one transaction."""

    def __init__(self, file: Path) -> None:
        """Opens the file; see :class:`db.catalog.Catalog`, which users make."""
        self.file = file
        self._connections = Connections(file)
        self._read = self._connections.reading
        self._vectors = "vectors"
        """Which vectors are meant: those that answer, or those ``coming`` to take their place."""

    def close(self) -> None:
        """Closes all connections; the write-ahead log is folded into the file."""
        self._connections.close()

    # -- settings and roots ---------------------------------------------------------------------

    def setting(self, name: str, default: str = "") -> str:
        """The value that was last given to a setting."""
        with self._read() as connection:
            found = get(connection, name, self.file)
        return default if found is None else found

    @property
    def revision(self) -> int:
        """Rises by one with every change of photos or vectors."""
        return int(self.setting("revision", "0"))

    @property
    def updated(self) -> datetime | None:
        """When photos or vectors last changed, UTC."""
        text = self.setting("updated")
        return datetime.fromisoformat(text) if text else None

    def roots(self) -> tuple[RootSummary, ...]:
        """The indexed folders in the order they were added."""
        rows = self._rows(
            "SELECT roots.path, count(images.id) FROM roots "
            "LEFT JOIN images ON images.root_id = roots.id GROUP BY roots.id ORDER BY roots.id"
        )
        return tuple(RootSummary(Path(os.fsdecode(path)), count) for path, count in rows)

    # -- what is known --------------------------------------------------------------------------

    def __len__(self) -> int:
        return int(self._value("SELECT count(*) FROM images"))

    def holds(self, path: Path) -> bool:
        """Whether a root, a photo or a skipped file lies at or under ``path``."""
        with self._read() as connection:
            return any(
                connection.execute(f"SELECT 1 FROM {table} WHERE {UNDER} LIMIT 1", bounds(path))
                .fetchone()
                for table in ("roots", "images", "skipped")
            )  # fmt: skip

    def known(self, root: Path, encoder: str) -> dict[str, KnownFile]:
        """Every photo and every skipped file at or under ``root``, by path.

        A photo without a vector of ``encoder``, or without the details that filters ask for, has a
        state that equals no file's, so that it counts as changed.
        """
        inside = bounds(root)
        with self._read() as connection:
            without = self._without(connection, encoder)
            rows = connection.execute(_KNOWN_IMAGES, inside).fetchall()
            bad = connection.execute(_KNOWN_SKIPPED, inside).fetchall()
        make, decode = tuple.__new__, os.fsdecode  # twice as fast as the types' own names
        found: dict[str, KnownFile] = {
            decode(path): make(
                KnownFile, (image_id, make(FileState, (size, mtime_ns)), content, "")
            )
            for path, size, mtime_ns, image_id, content in rows
        }
        if without:
            unlike = FileState(-1, -1)
            for path, file in found.items():
                if file.id in without:
                    found[path] = KnownFile(file.id, unlike, b"")
        for *values, checksum in bad:
            if digest(*values) == checksum:  # else it is tried once more, and noted anew
                path, size, mtime_ns, reason = values
                found[decode(path)] = KnownFile(0, FileState(size, mtime_ns), b"", reason)
        return found

    def _without(self, connection: sqlite3.Connection, encoder: str) -> set[int]:
        """The photos that have no vector of ``encoder``."""
        held = f"FROM {self._vectors} WHERE encoder = ?"
        counts = f"SELECT (SELECT count(*) FROM images), (SELECT count(*) {held})"
        images, vectors = connection.execute(counts, (encoder,)).fetchone()
        if images == vectors:  # no photo has two, and none of a photo that is gone is left
            return set()
        lacking = f"SELECT id FROM images WHERE id NOT IN (SELECT image_id {held})"
        return {row[0] for row in connection.execute(lacking, (encoder,))}

    # -- photos ---------------------------------------------------------------------------------

    def records(self, ids: Sequence[int]) -> dict[int, ImageRecord]:
        """The photos of those ids that the catalogue still holds.

        Raises:
            LibraryDamaged: One of them is not as it was written, or gone without its vector.
        """
        found: dict[int, ImageRecord] = {}
        with self._read() as connection:
            for part in parts(ids):
                rows = connection.execute(f"{_SOUND_IMAGES} AND id IN {marks(part)}", part)
                found.update((row[0], _record(row)) for row in rows)
            for part in parts([image_id for image_id in ids if image_id not in found]):
                for table, key in (("images", "id"), ("vectors", "image_id")):
                    held = f"SELECT 1 FROM {table} WHERE {key} IN {marks(part)} LIMIT 1"
                    if connection.execute(held, part).fetchone():
                        raise damaged(self.file, "rows of photos differ from their checksums")
        return found

    def twins(self, content: bytes) -> list[ImageRecord]:
        """The photos whose files had exactly this content when they were indexed."""
        return [_record(row) for row in self._rows(f"{_SOUND_IMAGES} AND content = ?", content)]

    def contents(self, encoder: str) -> set[bytes]:
        """The contents of all photos that have a vector of ``encoder`` and all details."""
        rows = self._rows(
            f"SELECT DISTINCT content FROM images JOIN {self._vectors} ON image_id = id "
            "WHERE encoder = ? AND format != ''",
            encoder,
        )
        return {row[0] for row in rows}

    def everything(self) -> Iterator[ImageRecord]:
        """All photos by id, a thousand at a time; those that :meth:`problems` tells of left out."""
        last = 0
        while rows := self._rows(f"{_SOUND_IMAGES} AND id > ? ORDER BY id LIMIT 1000", last):
            yield from map(_record, rows)
            last = rows[-1][0]

    # -- photos that a filter lets through ------------------------------------------------------

    def matching(self, where: Filter) -> Ids:
        """The ids of the photos that a filter lets through, int64[n], rising."""
        rows = self._passing("SELECT id FROM images WHERE {} ORDER BY id", where)
        return np.fromiter((row[0] for row in rows), np.int64)

    def newest(self, where: Filter, *, limit: int, offset: int = 0) -> list[ImageRecord]:
        """The photos that a filter lets through, the newest first.

        By the camera's clock, or the file's time where the camera told none.

        Raises:
            LibraryDamaged: One of them is not as it was written.
        """
        rows = self._passing(
            "SELECT id FROM images WHERE {} ORDER BY coalesce("
            "datetime(taken), datetime(mtime_ns / 1e9, 'unixepoch', 'localtime')) DESC, id DESC "
            f"LIMIT {limit:d} OFFSET {offset:d}",
            where,
        )
        found = self.records([row[0] for row in rows])
        return [found[row[0]] for row in rows if row[0] in found]

    def best_first(self, where: Filter) -> tuple[Ids, Ids]:
        """The photos that a filter lets through, as one would keep them.

        The most pixels first, then the largest file, then the oldest.

        Returns:
            int64[n] ids and int64[n] numbers of their contents, equal for equal files.
        """
        rows = self._passing(
            "SELECT id, dense_rank() OVER (ORDER BY content) FROM images WHERE {} "
            "ORDER BY width * height DESC, size DESC, mtime_ns, id",
            where,
        )
        pairs = np.fromiter((number for row in rows for number in row), np.int64)
        ids, contents = pairs.reshape(-1, 2).T
        return ids, contents

    def _passing(self, statement: str, where: Filter) -> list[_Row]:
        """Rows of a statement that takes the filter's condition."""
        if not where:
            return self._rows(statement.format("1"))
        from pixquery.db.filters import (  # SQLAlchemy: it takes longer than a query does
            condition,
            prepare,
        )

        passes, values = condition(where)
        with self._read() as connection:
            prepare(connection)
            return connection.execute(statement.format(passes), values).fetchall()

    def facets(self) -> Facets:
        """Of which formats, cameras and years the photos are."""
        with self._read() as connection:
            formats, cameras, years = (
                tuple(
                    Tally(str(name), count)
                    for name, count in connection.execute(
                        f"SELECT {value} AS name, count(*) FROM images WHERE name != '' "
                        f"GROUP BY name ORDER BY {order}"
                    )
                )
                for value, order in (
                    ("format", "count(*) DESC, name"),
                    ("camera", "count(*) DESC, name"),
                    ("strftime('%Y', taken)", "name DESC"),
                )
            )
        return Facets(formats, cameras, years)

    # -- vectors and their generations ----------------------------------------------------------

    def raw_vectors(
        self, encoder: str, *, since: int = 0, after: int = 0, limit: int = 4096
    ) -> tuple[Ids, RawVectors]:
        """The next photos' ids and raw vectors, by id.

        Args:
            encoder: Vectors of other image encoders are left out.
            since: Only vectors that were written after this revision.
            after: The last id that was had before; 0 to begin.
            limit: How many at the most.

        Returns:
            int64[n] and float16[n, d]; n = 0 at the end.

        Raises:
            LibraryDamaged: Vectors of different lengths, or not as they were written.
        """
        wanted = (_CHANGED_VECTORS if since else _ALL_VECTORS).format(self._vectors)
        values = {"encoder": encoder, "since": since, "after": after, "most": limit}
        with self._read() as connection:
            rows = connection.execute(wanted, values).fetchall()
        if not rows:
            return np.empty(0, np.int64), np.empty((0, 0), np.float16)
        ids = np.array([row[0] for row in rows], np.int64)
        blobs = [row[1] for row in rows]
        if len(set(map(len, blobs))) > 1 or len(blobs[0]) % 2:
            raise damaged(self.file, "vectors of different lengths")
        for image_id, blob, revision, checksum in rows:
            if digest(image_id, encoder, revision, blob) != checksum:
                raise damaged(self.file, "vectors differ from their checksums")
        if (np.diff(ids) <= 0).any():
            raise damaged(self.file, "an index names a vector twice")
        return ids, np.frombuffer(b"".join(blobs), np.float16).reshape(len(ids), -1)

    def vector_ids(self, encoder: str) -> Ids:
        """The ids int64[n] of all photos that have a vector of ``encoder``, sorted."""
        rows = self._rows(
            f"SELECT image_id FROM {self._vectors} WHERE encoder = ? ORDER BY image_id", encoder
        )
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def vectors_of(self, ids: Sequence[int], encoder: str) -> dict[int, RawVectors]:
        """float16[d] for each of the photos that has a sound vector of ``encoder``."""
        wanted = (
            f"SELECT image_id, raw FROM {self._vectors} "
            f"WHERE encoder = ? AND {sound(self._vectors)} AND image_id IN "
        )
        found: dict[int, RawVectors] = {}
        with self._read() as connection:
            for part in parts(ids):
                for image_id, raw in connection.execute(wanted + marks(part), (encoder, *part)):
                    found[image_id] = np.frombuffer(raw, np.float16)
        return found

    def generation(self) -> Generation | None:
        """The published vector file; none before the first."""
        rows = self._rows("SELECT file, size, sha256, revision, space FROM generations")
        return Generation(*rows[0]) if rows else None

    def answers_with(self, encoder: str) -> bool:
        """Whether a photo has a vector of this encoder that answers, or none has any."""
        return bool(
            self._value(
                "SELECT EXISTS (SELECT 1 FROM vectors WHERE encoder = ?) "
                "OR NOT EXISTS (SELECT 1 FROM vectors)",
                encoder,
            )
        )

    def lacking(self, encoder: str) -> int:
        """How many photos have no vector of this encoder, among those that this object reads."""
        return len(self) - len(self.vector_ids(encoder))

    def waiting(self) -> int:
        """How many vectors are there to come."""
        return int(self._value("SELECT count(*) FROM coming"))

    # -- soundness ------------------------------------------------------------------------------

    def unsound(self, length: int, encoder: str) -> list[int]:
        """Photos without a vector of ``encoder`` of this length, as it was written."""
        rows = self._rows(
            "SELECT images.id FROM images "
            "LEFT JOIN vectors ON vectors.image_id = images.id AND vectors.encoder = ? "
            f"WHERE vectors.raw IS NULL OR NOT {sound('vectors')} OR length(vectors.raw) != ?",
            encoder,
            length * np.dtype(np.float16).itemsize,
        )
        return [row[0] for row in rows]

    def problems(self) -> list[str]:
        """What SQLite's own checks, foreign keys and checksums find; empty when all is well."""
        try:
            with self._read() as connection:
                found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
                loose = connection.execute("PRAGMA foreign_key_check").fetchall()
                altered: Mapping[str, int] = {
                    table: connection.execute(
                        f"SELECT count(*) FROM {table} WHERE NOT {sound(table)}"
                    ).fetchone()[0]
                    for table in SEALED
                }
        except LibraryDamaged as error:
            return [str(error)]
        return [
            *(text for text in found if text != "ok"),
            *(f"a row of {row[0]} refers to a row of {row[2]} that is gone" for row in loose),
            *(
                f"{count} rows of {name} differ from their checksums"
                for name, count in altered.items()
                if count
            ),
        ]

    # -- rows -----------------------------------------------------------------------------------

    def _rows(self, statement: str, *values: object) -> list[_Row]:
        with self._read() as connection:
            return connection.execute(statement, values).fetchall()

    def _value(self, statement: str, *values: object) -> Any:
        return self._rows(statement, *values)[0][0]


_ALL_VECTORS = (
    # The sign keeps SQLite from its index, which could be damaged and lie: rows tell themselves.
    "SELECT image_id, raw, revision, checksum FROM {0} "
    "WHERE +encoder = :encoder AND image_id > :after ORDER BY image_id LIMIT :most"
)
_CHANGED_VECTORS = (
    # Here it makes SQLite begin with the few changed rows instead of looking through all.
    "SELECT image_id, raw, revision, checksum FROM {0} WHERE image_id IN ("
    "SELECT image_id FROM {0} WHERE revision > :since AND +encoder = :encoder "
    "AND +image_id > :after ORDER BY +image_id LIMIT :most) ORDER BY image_id"
)
_KNOWN_IMAGES = (
    "SELECT path, CASE format WHEN '' THEN -1 ELSE size END, mtime_ns, id, content FROM images "
    f"WHERE {UNDER}"
)
_KNOWN_SKIPPED = f"SELECT path, size, mtime_ns, reason, checksum FROM skipped WHERE {UNDER}"
_SOUND_IMAGES = f"SELECT {', '.join(SEALED['images'])} FROM images WHERE {sound('images')}"


def get(connection: sqlite3.Connection, name: str, file: Path) -> str | None:
    """The value of a setting, in a transaction that is under way.

    Raises:
        LibraryDamaged: It is not as it was written; ``file`` names the catalogue.
    """
    row = connection.execute(
        "SELECT value, checksum FROM settings WHERE name = ?", (name,)
    ).fetchone()
    if row is None:
        return None
    if digest(name, row[0]) != row[1]:
        raise damaged(file, f"the setting {name} differs from its checksum")
    return str(row[0])


def parts(values: Sequence[_Value]) -> Iterator[Sequence[_Value]]:
    """As many values at a time as one statement takes."""
    for start in range(0, len(values), _IN_LIMIT):
        yield values[start : start + _IN_LIMIT]


def marks(values: Sequence[object]) -> str:
    """SQL of a list of so many values."""
    return f"({', '.join('?' * len(values))})"


def _record(row: _Row) -> ImageRecord:
    (image_id, path, size, mtime_ns, content, width, height, format_, taken, camera, latitude,
     longitude) = row  # fmt: skip
    return ImageRecord(
        path=Path(os.fsdecode(path)),
        state=FileState(size, mtime_ns),
        content=content,
        width=width,
        height=height,
        format=format_,
        taken=datetime.fromisoformat(taken) if taken else None,
        camera=camera,
        place=None if latitude is None or longitude is None else Place(latitude, longitude),
        id=image_id,
    )
