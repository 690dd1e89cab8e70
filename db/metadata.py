"""What photos say of themselves: their owner's words, text that was read in them, their places.

Each table has a row for a photo only if there is something to say, but for readings, which also
note that a photo was read and has no text. A row is about the photo's content: it goes when the
content changes.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pixquery.db.checksums import SEALED, digest, sound
from pixquery.db.connections import damaged
from pixquery.db.losses import LossKeeping
from pixquery.db.migrations import WITH_METADATA
from pixquery.db.reading import get, marks, parts
from pixquery.db.records import Annotation, Line, Locality, OwnersNames, Place, Tally

TABLES = ("annotations", "readings", "localities")
ANNOTATED = "annotated"
"""The setting that says that every photo was looked at for its owner's words."""
READS_TEXT = "read_text"
"""The setting that text in photos is read, "on" or "off"."""
_REVISION = "metadata_revision"
_PARTS = 10_000
"""Numbers in [0, 1] are stored as so many parts."""


class Noted(NamedTuple):
    """What an owner wrote about a photo, and the state of the sidecars it was read from."""

    annotation: Annotation
    sidecars: str = ""
    """A digest of their names, sizes and times; empty if there are none."""


class MetadataKeeping(LossKeeping):
    """Annotations, readings and localities; every method is one transaction."""

    @property
    def metadata_revision(self) -> int:
        """Rises by one with every change of annotations, readings or localities."""
        return int(self.setting(_REVISION, "0"))

    def described_since(self, revision: int) -> list[int]:
        """The ids of the photos that got an annotation, a reading or a locality since."""
        if self._version < WITH_METADATA:
            return []
        tables = " UNION ".join(
            f"SELECT image_id FROM {table} WHERE revision > ?1" for table in TABLES
        )
        return [row[0] for row in self._rows(f"{tables} ORDER BY image_id", revision)]

    def with_words(self, ids: Sequence[int]) -> set[int]:
        """Those of some photos that have an annotation or a reading."""
        return self._ids("annotations", ids) | self._ids("readings", ids)

    # -- annotations ----------------------------------------------------------------------------

    def annotations(self, ids: Sequence[int]) -> dict[int, Annotation]:
        """What owners wrote about these photos, by id; none of those about which nobody wrote.

        Raises:
            LibraryDamaged: A row differs from its checksum.
        """
        return {row[0]: _annotation(row) for row in self._of_photos("annotations", ids)}

    def sidecars(self) -> dict[int, str]:
        """The state of sidecars when they were read, by the id of their photo."""
        if self._version < WITH_METADATA:
            return {}
        rows = self._rows("SELECT image_id, sidecars FROM annotations WHERE sidecars != ''")
        return {row[0]: row[1] for row in rows}

    def annotate(self, notes: Mapping[int, Noted]) -> None:
        """Replaces what was noted about photos, if there is or was anything."""
        with self._write() as connection:
            held = self._ids("annotations", list(notes))
            rows = {
                image_id: _annotation_row(image_id, noted)
                for image_id, noted in notes.items()
                if noted.annotation or noted.sidecars or image_id in held
            }
            if rows:
                _replace(connection, self, "annotations", rows)

    def owners_names(self) -> OwnersNames:
        """The keywords and people that owners named; of several spellings, the most frequent."""
        if self._version < WITH_METADATA:
            return OwnersNames()
        rows = self._rows(
            "SELECT keywords, people, rating FROM annotations "
            f"WHERE (keywords != '' OR people != '' OR rating > 0) AND {sound('annotations')}"
        )
        keywords, people = (_tallied(row[column] for row in rows) for column in (0, 1))
        return OwnersNames(keywords, people, sum(row[2] is not None and row[2] > 0 for row in rows))

    @property
    def annotated_revision(self) -> int:
        """The ``metadata_revision`` at which owners' words were last noted; 0 if never."""
        if self._version < WITH_METADATA:
            return 0
        return int(self._value("SELECT coalesce(max(revision), 0) FROM annotations"))

    # -- text that was read ---------------------------------------------------------------------

    def readings(self, ids: Sequence[int]) -> dict[int, tuple[Line, ...]]:
        """The lines of text in these photos, by id, as far as they were read.

        Raises:
            LibraryDamaged: A row differs from its checksum, or is not what pixquery writes.
        """
        rows = self._of_photos("readings", ids)
        try:
            return {row[0]: _lines(row[3]) for row in rows}
        except (ValueError, TypeError, RecursionError):
            raise damaged(self.file, "text read in photos is not as it was written") from None

    def unread(self, reader: str) -> list[int]:
        """The ids of photos that this reader has not read, the newest first."""
        rows = self._rows(
            "SELECT images.id FROM images LEFT JOIN readings "
            "ON readings.image_id = images.id AND readings.reader = ? "
            "WHERE readings.image_id IS NULL "
            "ORDER BY coalesce(datetime(taken), datetime(mtime_ns / 1e9, 'unixepoch', "
            "'localtime')) DESC, images.id DESC",
            reader,
        )
        return [row[0] for row in rows]

    def read_count(self) -> int:
        """How many photos were read for text, by whatever reader."""
        if self._version < WITH_METADATA:
            return 0
        return int(self._value("SELECT count(*) FROM readings"))

    def note_readings(self, lines: Mapping[int, Sequence[Line]], reader: str) -> None:
        """Notes what a reader read in photos; no lines say that there is no text."""
        rows = {image_id: (image_id, reader, _written(own)) for image_id, own in lines.items()}
        with self._write() as connection:
            _replace(connection, self, "readings", rows)

    # -- places ---------------------------------------------------------------------------------

    def localities(self, ids: Sequence[int]) -> dict[int, Locality]:
        """Where these photos were taken, by id, as far as it is known.

        Raises:
            LibraryDamaged: A row differs from its checksum.
        """
        return {row[0]: Locality(*row[3:]) for row in self._of_photos("localities", ids)}

    def known_localities(self) -> list[tuple[Locality, int]]:
        """The places that photos were taken in, and how many there; the most first."""
        if self._version < WITH_METADATA:
            return []
        rows = self._rows(
            "SELECT city, region, country, code, count(*) FROM localities "
            f"WHERE {sound('localities')} GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 1, 2, 3"
        )
        return [(Locality(*row[:4]), row[4]) for row in rows]

    @property
    def located_revision(self) -> int:
        """The ``metadata_revision`` at which photos last got the names of places; 0 if never."""
        if self._version < WITH_METADATA:
            return 0
        return int(self._value("SELECT coalesce(max(revision), 0) FROM localities"))

    def has_places(self) -> bool:
        """Whether any photo has coordinates."""
        return bool(self._rows("SELECT 1 FROM images WHERE latitude IS NOT NULL LIMIT 1"))

    def unlocated(self, gazetteer: str) -> dict[int, Place]:
        """Photos with coordinates that this gazetteer has not named yet, by id."""
        rows = self._rows(
            "SELECT images.id, latitude, longitude FROM images LEFT JOIN localities "
            "ON localities.image_id = images.id AND localities.gazetteer = ? "
            "WHERE latitude IS NOT NULL AND longitude IS NOT NULL AND localities.image_id IS NULL "
            # Only the checksums of these are computed.
            f"AND CASE WHEN localities.image_id IS NULL THEN {sound('images')} END",
            gazetteer,
        )
        return {row[0]: Place(*row[1:]) for row in rows}

    def locate(self, localities: Mapping[int, Locality], gazetteer: str) -> None:
        """Notes where photos were taken, in names."""
        rows = {
            image_id: (image_id, gazetteer, *locality) for image_id, locality in localities.items()
        }
        with self._write() as connection:
            _replace(connection, self, "localities", rows)

    # -- rows -----------------------------------------------------------------------------------

    def forget_metadata(self, connection: sqlite3.Connection, ids: Sequence[int]) -> None:
        """Removes what is noted about photos whose content has changed, in a transaction."""
        for table in TABLES:
            for part in parts(ids):
                connection.execute(f"DELETE FROM {table} WHERE image_id IN {marks(part)}", part)

    def _ids(self, table: str, ids: Sequence[int]) -> set[int]:
        with self._read() as connection:
            return {
                row[0]
                for part in parts(ids)
                for row in connection.execute(
                    f"SELECT image_id FROM {table} WHERE image_id IN {marks(part)}", part
                )
            }

    def _of_photos(self, table: str, ids: Sequence[int]) -> list[tuple[Any, ...]]:
        """The rows of some photos.

        Raises:
            LibraryDamaged: One differs from its checksum.
        """
        if self._version < WITH_METADATA:
            return []
        rows: list[tuple[Any, ...]] = []
        with self._read() as connection:
            for part in parts(ids):
                rows += connection.execute(
                    f"SELECT {', '.join(SEALED[table])}, {sound(table)} FROM {table} "
                    f"WHERE image_id IN {marks(part)}",
                    part,
                )
        if not all(row[-1] for row in rows):
            raise damaged(self.file, f"rows of {table} differ from their checksums")
        return [row[:-1] for row in rows]


def _replace(
    connection: sqlite3.Connection,
    catalog: MetadataKeeping,
    table: str,
    rows: Mapping[int, tuple[object, ...]],
) -> None:
    """Replaces the rows of photos by new ones, which lack their revision after the id."""
    revision = _raise_revision(connection, catalog)
    connection.executemany(f"DELETE FROM {table} WHERE image_id = ?", [(one,) for one in rows])
    columns = (*SEALED[table], "checksum")
    numbered = [(image_id, revision, *rest) for image_id, *rest in rows.values()]
    sealed = [(*row, digest(*row)) for row in numbered]
    connection.executemany(
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES {marks(columns)}", sealed
    )


def _raise_revision(connection: sqlite3.Connection, catalog: MetadataKeeping) -> int:
    revision = str(int(get(connection, _REVISION, catalog.file) or 0) + 1)
    connection.execute(
        "INSERT OR REPLACE INTO settings (name, value, checksum) VALUES (?, ?, ?)",
        (_REVISION, revision, digest(_REVISION, revision)),
    )
    return int(revision)


def _annotation_row(image_id: int, noted: Noted) -> tuple[object, ...]:
    """The values of a row in the order of its columns, without the revision."""
    own = noted.annotation
    return (
        image_id,
        noted.sidecars,
        own.title,
        own.caption,
        *("\n".join(names) for names in (own.keywords, own.people, own.location)),
        own.rating,
        own.label,
    )


def _annotation(row: tuple[Any, ...]) -> Annotation:
    _, _, _, title, caption, keywords, people, location, rating, label = row
    return Annotation(
        title=title,
        caption=caption,
        keywords=_names(keywords),
        people=_names(people),
        rating=rating,
        label=label,
        location=_names(location),
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split("\n")))


def _tallied(columns: Iterable[str]) -> tuple[Tally, ...]:
    """How many photos have each name, which is compared as a filter compares it."""
    from pixquery.db.filters import plain  # SQLAlchemy: importing it takes longer than a query

    photos: Counter[str] = Counter()
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for column in columns:
        own = {plain(name): name for name in _names(column)}
        photos.update(own.keys())
        for key, name in own.items():
            spellings[key][name] += 1
    ordered = sorted(photos.items(), key=lambda each: (-each[1], each[0]))
    return tuple(Tally(spellings[key].most_common(1)[0][0], images) for key, images in ordered)


def _written(lines: Sequence[Line]) -> str:
    """The lines of a photo as JSON: text, confidence and corners of each, in ten thousandths."""
    rows = [
        [line.text, round(_PARTS * line.confidence), [round(_PARTS * x) for x in line.corners]]
        for line in lines
    ]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def _lines(text: str) -> tuple[Line, ...]:
    """What :func:`_written` wrote."""
    return tuple(
        Line(words + "", confidence / _PARTS, tuple(x / _PARTS for x in corners))
        for words, confidence, corners in json.loads(text)
    )
