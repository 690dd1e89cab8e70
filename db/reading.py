"""Queries to the catalogue, in plain SQL.

Most commands read little and end in a moment; importing SQLAlchemy would take longer than they do.
"""

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pixquery.db.checksums import SEALED, digest, sound
from pixquery.db.connections import Connections, damaged
from pixquery.db.errors import LibraryDamaged
from pixquery.db.forms import formed
from pixquery.db.migrations import WITH_METADATA
from pixquery.db.records import (
    Facets,
    FileState,
    Filter,
    Ids,
    ImageRecord,
    Place,
    RootSummary,
    Tally,
)
from pixquery.db.values import UNDER, bounds, is_moment

_Value = TypeVar("_Value")
_Row = tuple[Any, ...]

_LONGEST_SETTING = 16_384
"""Characters; the longest is the path of a profile."""
_IN_LIMIT = 500
"""Values in one statement: SQLite takes up to 32,766, and is no faster with more than this."""


class Reading:
    """Queries for settings, roots and photos; every method is one transaction."""

    def __init__(self, file: Path) -> None:
        """Opens the file; users open a :class:`pixquery.db.catalog.Catalog`."""
        self.file = file
        self._connections = Connections(file)
        self._read = self._connections.reading
        self._vectors = "vectors"
        """The table to use: ``vectors``, or ``coming``, which replaces it once it is complete."""
        self._version = 0
        """Of the file, once it is opened."""

    def close(self) -> None:
        """Closes all connections; the write-ahead log is folded into the file."""
        self._connections.close()

    # -- settings and roots ---------------------------------------------------------------------

    def setting(self, name: str, default: str = "") -> str:
        """The value of a setting."""
        with self._read() as connection:
            value = get(connection, name, self.file)
        return default if value is None else value

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
        """The indexed folders in the order they were added, without rows that name none."""
        rows = self._rows(
            "SELECT roots.path, count(images.id) FROM roots "
            f"LEFT JOIN images ON images.root_id = roots.id WHERE {formed('roots')} "
            "GROUP BY roots.id ORDER BY roots.id"
        )
        return tuple(RootSummary(Path(os.fsdecode(path)), count) for path, count in rows)

    def root_paths(self) -> list[Path]:
        """The same without counting their photos, which takes time."""
        rows = self._rows(f"SELECT path FROM roots WHERE {formed('roots')}")
        return [Path(os.fsdecode(row[0])) for row in rows]

    def __len__(self) -> int:
        return int(self._value("SELECT count(*) FROM images"))

    # -- photos ---------------------------------------------------------------------------------

    def records(self, ids: Sequence[int]) -> dict[int, ImageRecord]:
        """The photos with those ids that are still in the catalogue.

        Raises:
            LibraryDamaged: A row differs from its checksum, or is gone while its vector is not.
        """
        records: dict[int, ImageRecord] = {}
        with self._read() as connection:
            for part in parts(ids):
                rows = connection.execute(f"{_SOUND_IMAGES} AND id IN {marks(part)}", part)
                records.update((row[0], _record(row)) for row in rows)
            for part in parts([image_id for image_id in ids if image_id not in records]):
                for table, key in (("images", "id"), ("vectors", "image_id")):
                    exists = f"SELECT 1 FROM {table} WHERE {key} IN {marks(part)} LIMIT 1"
                    if connection.execute(exists, part).fetchone():
                        raise damaged(self.file, "rows of photos differ from their checksums")
        return records

    def twins(self, contents: Sequence[bytes]) -> dict[bytes, list[ImageRecord]]:
        """The photos whose files had each of these contents when they were indexed, by id."""
        twins: dict[bytes, list[ImageRecord]] = {}
        with self._read() as connection:
            for part in parts(contents):
                matching = f"{_SOUND_IMAGES} AND content IN {marks(part)} ORDER BY id"
                for record in map(_record, connection.execute(matching, part)):
                    twins.setdefault(record.content, []).append(record)
        return twins

    def under(self, folder: Path) -> list[ImageRecord]:
        """The photos at or under a folder, by id, except damaged rows."""
        rows = self._rows(f"{_SOUND_IMAGES} AND {UNDER} ORDER BY id", *bounds(folder))
        return [_record(row) for row in rows]

    def shared(self, folder: Path, root_id: int) -> set[int]:
        """The photos at or under a folder whose content a photo of another root has, too."""
        rows = self._rows(
            f"SELECT id FROM images WHERE {UNDER} AND root_id != ? AND EXISTS (SELECT 1 "
            "FROM images AS other WHERE other.content = images.content AND other.root_id = ?)",
            *bounds(folder),
            root_id,
            root_id,
        )
        return {row[0] for row in rows}

    def hints(self) -> set[bytes]:
        """The hints that an earlier version noted instead of fingerprints."""
        rows = self._rows("SELECT DISTINCT content FROM images WHERE length(content) = 16")
        return {row[0] for row in rows}

    def contents(self, *encoders: str) -> set[bytes]:
        """The contents of all photos that have all details and a vector of one of the encoders."""
        rows = self._rows(
            f"SELECT DISTINCT content FROM images JOIN {self._vectors} ON image_id = id "
            f"WHERE encoder IN {marks(encoders)} AND format != ''",
            *encoders,
        )
        return {row[0] for row in rows}

    def everything(self) -> Iterator[ImageRecord]:
        """All photos by id, except those that :meth:`problems` reports."""
        last = 0
        while rows := self._rows(f"{_SOUND_IMAGES} AND id > ? ORDER BY id LIMIT 1000", last):
            yield from map(_record, rows)
            last = rows[-1][0]

    # -- photos that match a filter -------------------------------------------------------------

    def matching(self, where: Filter) -> Ids:
        """The ids int64[n] of the photos that match a filter, ascending."""
        rows = self._matching("SELECT id FROM images WHERE {} ORDER BY id", where)
        return np.fromiter((row[0] for row in rows), np.int64)

    def newest(
        self, where: Filter, *, limit: int, offset: int = 0, oldest: bool = False
    ) -> list[ImageRecord]:
        """The photos that match a filter, the newest first, or the oldest.

        By the camera's clock, or by the file's time if the camera noted none.

        Raises:
            LibraryDamaged: A row differs from its checksum.
        """
        rows = self._matching(
            f"SELECT id FROM images WHERE {{}} ORDER BY {_by_moment(oldest=oldest)} "
            f"LIMIT {limit:d} OFFSET {offset:d}",
            where,
        )
        records = self.records([row[0] for row in rows])
        return [records[row[0]] for row in rows if row[0] in records]

    def dated(self, where: Filter) -> list[tuple[int, str | None, int, int]]:
        """The photos that match a filter, the newest first: id, month, width and height.

        The month is such as "2023-07", and none for a photo without any date.
        """
        return self._matching(
            f"SELECT id, substr({_MOMENT}, 1, 7), width, height FROM images WHERE {{}} "
            f"ORDER BY {_by_moment()}",
            where,
        )

    def best_first(self, where: Filter) -> tuple[Ids, Ids]:
        """The photos that match a filter, the one to keep first.

        By the most pixels, then the largest file, then the oldest.

        Returns:
            int64[n] ids, and int64[n] numbers that are equal for files that may be equal: those of
            one size and content hash, or of one size if their hashes are of different kinds.
        """
        rows = self._matching(
            "SELECT id, dense_rank() OVER (ORDER BY size, CASE WHEN shortest = longest "
            "THEN content END) FROM (SELECT id, size, content, width, height, mtime_ns, "
            "min(length(content)) OVER same AS shortest, "
            "max(length(content)) OVER same AS longest "
            "FROM images WHERE {} WINDOW same AS (PARTITION BY size)) "
            "ORDER BY width * height DESC, size DESC, mtime_ns, id",
            where,
        )
        pairs = np.fromiter((number for row in rows for number in row), np.int64)
        ids, hints = pairs.reshape(-1, 2).T
        return ids, hints

    def _matching(self, statement: str, where: Filter) -> list[_Row]:
        """Rows of a statement with a place for the filter's condition."""
        if not where:
            return self._rows(statement.format("1"))
        from pixquery.db import filters  # SQLAlchemy: importing it takes longer than a query

        annotated = self._version >= WITH_METADATA
        matches, values = filters.condition(where, annotated=annotated)
        with self._read() as connection:
            filters.prepare(connection)
            return connection.execute(statement.format(matches), values).fetchall()

    def facets(self) -> Facets:
        """The formats, cameras and years of the photos."""
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

    # -- soundness ------------------------------------------------------------------------------

    def problems(self) -> list[str]:
        """What SQLite's own checks, foreign keys and checksums find; empty if all is well."""
        try:
            with self._read() as connection:
                checks = [row[0] for row in connection.execute("PRAGMA integrity_check")]
                outside = connection.execute(_OUTSIDE).fetchone()[0]
                dangling = connection.execute("PRAGMA foreign_key_check").fetchall()
                tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
                altered: Mapping[str, int] = {
                    table: connection.execute(
                        f"SELECT count(*) FROM {table} WHERE NOT {sound(table)}"
                    ).fetchone()[0]
                    # An index file can be made anew without repairing the catalogue.
                    for table in SEALED.keys() & tables - {"generations"}
                }
        except LibraryDamaged as error:
            return [str(error)]
        return [
            *(text for text in checks if text != "ok"),
            *([f"{outside} photos are not in the folders they belong to"] if outside else []),
            *(f"a row of {row[0]} refers to a row of {row[2]} that is gone" for row in dangling),
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


_MOMENT = "coalesce(datetime(taken), datetime(mtime_ns / 1e9, 'unixepoch', 'localtime'))"
"""When a photo was taken, in whole seconds of a clock without a zone: the camera's, or this
computer's if only the file's time is known."""


def _by_moment(*, oldest: bool = False) -> str:
    """An order in which no two photos are equal, and photos without any date come last."""
    return f"{_MOMENT} ASC NULLS LAST, id ASC" if oldest else f"{_MOMENT} DESC, id DESC"


_OUTSIDE = (
    "SELECT count(*) FROM images JOIN roots ON roots.id = images.root_id "
    "WHERE substr(images.path, 1, length(roots.path)) != roots.path"
)
_SOUND_IMAGES = f"SELECT {', '.join(SEALED['images'])} FROM images WHERE {sound('images')}"


def get(connection: sqlite3.Connection, name: str, file: Path) -> str | None:
    """The value of a setting, read in the caller's transaction.

    Args:
        connection: Inside the transaction.
        name: The setting's.
        file: The catalogue, for the error message.

    Raises:
        LibraryDamaged: The setting differs from its checksum.
    """
    row = connection.execute(
        "SELECT value, checksum FROM settings WHERE name = ?", (name,)
    ).fetchone()
    if row is None:
        return None
    if digest(name, row[0]) != row[1]:
        raise damaged(file, f"the setting {name} differs from its checksum")
    if not _is_setting(name, row[0]):
        raise damaged(file, f"the setting {name} is none")
    return str(row[0])


def _is_setting(name: str, value: object) -> bool:
    """Whether a value can be that of a setting; whoever made the library chose its checksum too."""
    if not isinstance(value, str) or len(value) > _LONGEST_SETTING:
        return False
    if name == "updated":
        return is_moment(value)
    counts = name in ("revision", "metadata_revision")
    return not counts or (value.isascii() and value.isdigit() and len(value) < 19)


def parts(values: Sequence[_Value]) -> Iterator[Sequence[_Value]]:
    """Splits values into as many as one statement should take."""
    for start in range(0, len(values), _IN_LIMIT):
        yield values[start : start + _IN_LIMIT]


def marks(values: Sequence[object]) -> str:
    """SQL of a list with a placeholder for each value."""
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
