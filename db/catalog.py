"""The catalogue: the truth about a library, and the only file that speaks SQL."""

import os
import shlex
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.exc import DatabaseError, OperationalError

from db import filters
from db.errors import LibraryDamaged, LibraryLocked, PixqueryError, StorageFailed
from db.filters import bounds, conditions, under
from db.records import (
    Facets,
    FileState,
    Filter,
    Generation,
    Ids,
    ImageRecord,
    KnownFile,
    Place,
    RootSummary,
    Skipped,
    Tally,
)
from db.schema import (
    CHECKED,
    coming,
    computed,
    digest,
    generations,
    images,
    is_current,
    migrate,
    prepare,
    roots,
    settings,
    skipped,
    sound,
    vectors,
)

RawVectors = NDArray[np.float16]
_Value = TypeVar("_Value")

_IN_LIMIT = (
    500  # SQLite takes 32,766 bound values; small statements are as fast and safe everywhere
)


class Catalog:
    """One library's SQLite file: roots, photos, raw encoder vectors and index generations.

    Every method is one transaction. A writer must hold the library's lock; readers need nothing.
    """

    def __init__(self, file: Path) -> None:
        """Opens the catalogue, creating the tables in a new file.

        Raises:
            LibraryDamaged: The file is not a catalogue.
            LibraryTooNew: A newer pixquery made it.
            StorageFailed: The place cannot be written or read.
        """
        self.file = file
        self._vectors = vectors
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(file)),
            connect_args={"timeout": 30, "isolation_level": None},
        )
        sa.event.listen(self._engine, "connect", _prepare)
        self._frozen = False
        try:
            current = self._is_current()
        except StorageFailed:
            if self._settled():
                self._freeze()
            else:
                self._keep_alone()
            current = self._is_current()
        if not current:
            with self._write() as connection:
                migrate(connection, str(file.parent))

    def _is_current(self) -> bool:
        with self._read() as connection:
            return is_current(connection)

    def _freeze(self) -> None:
        """Goes on without the log and its index, which cannot be made: for readers.

        SQLite then relies on nobody writing, so :meth:`_read` looks whether somebody did.
        """
        self._engine.dispose()
        self._frozen = True
        place = f"{self.file.absolute().as_uri()}?mode=ro&immutable=1"
        self._engine = sa.create_engine(
            "sqlite://",
            creator=lambda: sqlite3.connect(place, uri=True, isolation_level=None),
            poolclass=sa.NullPool,
        )
        sa.event.listen(self._engine, "connect", lambda connection, _: _teach(connection))

    def _keep_alone(self) -> None:
        """Goes on with the log's index in memory, where no file can be made for it.

        SQLite then lets nobody else at the catalogue until it is closed.
        """
        self._engine.dispose()
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(self.file)),
            connect_args={"timeout": 30, "isolation_level": None, "check_same_thread": False},
            poolclass=sa.StaticPool,
        )

        @sa.event.listens_for(self._engine, "connect")
        def prepare_alone(connection: sqlite3.Connection, record: object) -> None:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            _prepare(connection, record)

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

    def close(self) -> None:
        """Closes all connections; the write-ahead log is folded into the file."""
        self._engine.dispose()

    # -- transactions ---------------------------------------------------------------------------

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        before = self._settled() if self._frozen else None
        with self._translated(), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                if not connection.invalidated:
                    connection.exec_driver_sql("ROLLBACK")
        if self._frozen and (before is None or before != self._settled()):
            raise LibraryLocked(
                f"the library {self.file.parent} is being written to by another program: "
                "try again later"
            )

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._translated(), self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                # SQLite itself rolls back when the disk fails, SQLAlchemy drops the connection on
                # Ctrl-C: a second ROLLBACK is an error then.
                if not connection.invalidated and _in_transaction(connection):
                    connection.exec_driver_sql("ROLLBACK")
                raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except PixqueryError:
            raise
        except OperationalError as error:
            raise _storage_error(self.file, error) from error
        except DatabaseError as error:
            raise damaged(self.file, str(error.orig)) from error

    # -- settings -------------------------------------------------------------------------------

    def setting(self, name: str, default: str = "") -> str:
        """The value that was last given to a setting."""
        with self._read() as connection:
            found = _get(connection, name, self.file)
        return default if found is None else found

    def keep(self, name: str, value: str) -> None:
        """Keeps a setting."""
        with self._write() as connection:
            _set(connection, name, value)

    @property
    def revision(self) -> int:
        """Rises by one with every change of photos or vectors."""
        return int(self.setting("revision", "0"))

    @property
    def updated(self) -> datetime | None:
        """When photos or vectors last changed, UTC."""
        text = self.setting("updated")
        return datetime.fromisoformat(text) if text else None

    # -- roots ----------------------------------------------------------------------------------

    def add_root(self, path: Path) -> int:
        """The id of a root that covers ``path``; a new one takes over the roots inside it."""
        with self._write() as connection:
            known = {
                os.fsdecode(row.path): row.id
                for row in connection.execute(sa.select(roots.c.id, roots.c.path))
            }
            for place in (path, *path.parents):
                if str(place) in known:
                    return int(known[str(place)])
            new = connection.execute(sa.insert(roots).values(path=os.fsencode(path)))
            assert new.inserted_primary_key is not None  # noqa: S101 - an insert of one row
            root_id = int(new.inserted_primary_key[0])
            _seal(connection, roots, roots.c.id == root_id)
            for inner, inner_id in known.items():
                if path in Path(inner).parents:
                    for table in (images, skipped):
                        connection.execute(
                            sa.update(table)
                            .where(table.c.root_id == inner_id)
                            .values(root_id=root_id)
                        )
                    connection.execute(sa.delete(roots).where(roots.c.id == inner_id))
            return root_id

    def drop_roots(self, path: Path) -> None:
        """Forgets the roots at or under ``path``, with whatever is left in them."""
        with self._write() as connection:
            connection.execute(sa.delete(roots).where(under(roots.c.path, path)))

    def roots(self) -> tuple[RootSummary, ...]:
        """The indexed folders in the order they were added."""
        count = sa.func.count(images.c.id)
        with self._read() as connection:
            rows = connection.execute(
                sa.select(roots.c.path, count)
                .select_from(roots.outerjoin(images))
                .group_by(roots.c.id)
                .order_by(roots.c.id)
            ).all()
        return tuple(RootSummary(Path(os.fsdecode(row[0])), row[1]) for row in rows)

    # -- what is known --------------------------------------------------------------------------

    def __len__(self) -> int:
        with self._read() as connection:
            return int(
                connection.execute(sa.select(sa.func.count()).select_from(images)).scalar_one()
            )

    def holds(self, path: Path) -> bool:
        """Whether a root, a photo or a skipped file lies at or under ``path``."""
        with self._read() as connection:
            return any(
                connection.execute(sa.select(sa.exists().where(under(table.c.path, path)))).scalar()
                for table in (roots, images, skipped)
            )

    def known(self, root: Path, encoder: str) -> dict[str, KnownFile]:
        """Every photo and every skipped file at or under ``root``, by path.

        A photo without a vector of ``encoder``, or without the details that filters ask for, has a
        state that equals no file's, so that it counts as changed.
        """
        whole, inside, beyond = bounds(root)
        held = self._vectors
        lacking = sa.select(images.c.id).where(
            images.c.id.not_in(sa.select(held.c.image_id).where(held.c.encoder == encoder))
        )
        with self._read() as connection:
            without = {row[0] for row in connection.execute(lacking)}
            rows = _plain_rows(connection, _KNOWN_IMAGES, (whole, inside, beyond))
            bad = _plain_rows(connection, _KNOWN_SKIPPED, (whole, inside, beyond))
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

    def records(self, ids: Sequence[int]) -> dict[int, ImageRecord]:
        """The photos of those ids that the catalogue still holds.

        Raises:
            LibraryDamaged: One of them is not as it was written, or gone without its vector.
        """
        found: dict[int, ImageRecord] = {}
        with self._read() as connection:
            for part in _parts(ids):
                rows = connection.execute(_SOUND_IMAGES, {"ids": part})
                found.update((row.id, _record(row)) for row in rows)
            for part in _parts([image_id for image_id in ids if image_id not in found]):
                for key in (images.c.id, vectors.c.image_id):
                    if connection.execute(sa.select(sa.exists().where(key.in_(part)))).scalar():
                        raise damaged(self.file, "rows of photos differ from their checksums")
        return found

    def matching(self, where: Filter) -> Ids:
        """The ids of the photos that a filter lets through, int64[n], rising."""
        with self._read() as connection:
            rows = connection.execute(
                sa.select(images.c.id).where(*conditions(where)).order_by(images.c.id)
            )
            return np.fromiter((row[0] for row in rows), np.int64)

    def newest(self, where: Filter, *, limit: int, offset: int = 0) -> list[ImageRecord]:
        """The photos that a filter lets through, the newest first.

        By the camera's clock, or the file's time where the camera told none.

        Raises:
            LibraryDamaged: One of them is not as it was written.
        """
        written = sa.func.datetime(images.c.mtime_ns / 1_000_000_000, "unixepoch", "localtime")
        when = sa.func.coalesce(sa.func.datetime(images.c.taken), written)
        with self._read() as connection:
            rows = connection.execute(
                sa.select(images.c.id)
                .where(*conditions(where))
                .order_by(when.desc(), images.c.id.desc())
                .limit(limit)
                .offset(offset)
            ).all()
        found = self.records([row[0] for row in rows])
        return [found[row[0]] for row in rows if row[0] in found]

    def best_first(self, where: Filter) -> tuple[Ids, Ids]:
        """The photos that a filter lets through, as one would keep them.

        The most pixels first, then the largest file, then the oldest.

        Returns:
            int64[n] ids and int64[n] numbers of their contents, equal for equal files.
        """
        content = sa.func.dense_rank().over(order_by=images.c.content)
        with self._read() as connection:
            rows = connection.execute(
                sa.select(images.c.id, content)
                .where(*conditions(where))
                .order_by(
                    (images.c.width * images.c.height).desc(),
                    images.c.size.desc(),
                    images.c.mtime_ns,
                    images.c.id,
                )
            )
            pairs = np.fromiter((number for row in rows for number in row), np.int64)
        ids, contents = pairs.reshape(-1, 2).T
        return ids, contents

    def facets(self) -> Facets:
        """Of which formats, cameras and years the photos are."""
        year = sa.func.strftime("%Y", images.c.taken)
        with self._read() as connection:
            formats, cameras, years = (
                [
                    Tally(str(row[0]), row[1])
                    for row in connection.execute(
                        sa.select(value, sa.func.count())
                        .where(value != "")
                        .group_by(value)
                        .order_by(*order)
                    )
                ]
                for value, order in (
                    (images.c.format, (sa.func.count().desc(), images.c.format)),
                    (images.c.camera, (sa.func.count().desc(), images.c.camera)),
                    (year, (year.desc(),)),
                )
            )
        return Facets(tuple(formats), tuple(cameras), tuple(years))

    def twins(self, content: bytes) -> list[ImageRecord]:
        """The photos whose files had exactly this content when they were indexed."""
        with self._read() as connection:
            rows = connection.execute(
                sa.select(images).where(images.c.content == content, sound(images))
            ).all()
        return [_record(row) for row in rows]

    def contents(self, encoder: str) -> set[bytes]:
        """The contents of all photos that have a vector of ``encoder`` and all details."""
        held = self._vectors
        with self._read() as connection:
            rows = connection.execute(
                sa.select(images.c.content)
                .join_from(images, held)
                .where(held.c.encoder == encoder, images.c.format != "")
                .distinct()
            ).all()
        return {row[0] for row in rows}

    def everything(self) -> Iterator[ImageRecord]:
        """All photos by id, a thousand at a time; those that :meth:`problems` tells of left out."""
        last = 0
        while True:
            with self._read() as connection:
                rows = connection.execute(
                    sa.select(images)
                    .where(images.c.id > last, sound(images))
                    .order_by(images.c.id)
                    .limit(1000)
                ).all()
            if not rows:
                return
            yield from map(_record, rows)
            last = rows[-1].id

    # -- changes --------------------------------------------------------------------------------

    def put(
        self, root_id: int, records: Sequence[ImageRecord], raw: RawVectors, encoder: str
    ) -> list[int]:
        """Adds photos, or replaces those at the same paths, with their vectors; all or nothing.

        Args:
            root_id: From :meth:`add_root`.
            records: ``n`` photos of different paths; their ``id`` is not looked at.
            raw: float16[n, d], as the image encoder gave them.
            encoder: Which image encoder that was.

        Returns:
            The ids in the order of ``records``; a replaced photo keeps its id.
        """
        if not records:
            return []
        paths = [os.fsencode(record.path) for record in records]
        rows = [
            {
                "root_id": root_id,
                "path": path,
                "size": record.state.size,
                "mtime_ns": record.state.mtime_ns,
                "content": record.content,
                "width": record.width,
                "height": record.height,
                "format": record.format,
                "taken": record.taken,
                "camera": record.camera,
                "latitude": record.place.latitude if record.place else None,
                "longitude": record.place.longitude if record.place else None,
            }
            for path, record in zip(paths, records, strict=True)
        ]
        with self._write() as connection:
            revision = _touch(connection, self.file)
            self._forget_changed(connection, rows)
            connection.execute(_PUT_IMAGE, rows)
            ids: dict[bytes, int] = {}
            for part in _parts(paths):
                found = connection.execute(
                    sa.select(images.c.path, images.c.id).where(images.c.path.in_(part))
                )
                ids.update((path, image_id) for path, image_id in found)
                connection.execute(sa.delete(skipped).where(skipped.c.path.in_(part)))
            for some in _parts(list(ids.values())):
                _seal(connection, images, images.c.id.in_(some))
            connection.execute(
                _PUT_VECTOR[self._vectors],
                [
                    {
                        "image_id": ids[path],
                        "raw": vector.tobytes(),
                        "encoder": encoder,
                        "revision": revision,
                        "checksum": digest(ids[path], encoder, revision, vector.tobytes()),
                    }
                    for path, vector in zip(paths, raw, strict=True)
                ],
            )
        return [ids[path] for path in paths]

    def _forget_changed(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Drops the vectors that the other table holds of what is now another picture."""
        content_of = {row["path"]: row["content"] for row in rows}
        for part in _parts(list(content_of)):
            found = connection.execute(
                sa.select(images.c.id, images.c.path, images.c.content).where(
                    images.c.path.in_(part)
                )
            ).all()
            changed = [row.id for row in found if row.content != content_of[row.path]]
            if changed:
                other = coming if self._vectors is vectors else vectors
                connection.execute(sa.delete(other).where(other.c.image_id.in_(changed)))

    def skip(self, root_id: int, files: Sequence[tuple[Skipped, FileState]]) -> None:
        """Remembers unusable files, so that unchanged ones are not read again.

        A photo that was at such a path before leaves the catalogue.
        """
        with self._write() as connection:
            for file, state in files:
                path = os.fsencode(file.path)
                values = {
                    "path": path,
                    "root_id": root_id,
                    "size": state.size,
                    "mtime_ns": state.mtime_ns,
                    "reason": file.reason,
                    "checksum": digest(path, state.size, state.mtime_ns, file.reason),
                }
                connection.execute(
                    insert(skipped)
                    .values(values)
                    .on_conflict_do_update(index_elements=["path"], set_=values)
                )
                gone = connection.execute(sa.delete(images).where(images.c.path == path))
                if gone.rowcount:
                    _touch(connection, self.file)

    def restate(self, files: Mapping[int, FileState]) -> None:
        """Notes new sizes and times of files whose content is unchanged."""
        with self._write() as connection:
            for image_id, state in files.items():
                self._change(connection, image_id, size=state.size, mtime_ns=state.mtime_ns)

    def move(self, image_id: int, root_id: int, path: Path, state: FileState) -> None:
        """Notes that a photo now lies elsewhere; its id and vector stay."""
        with self._write() as connection:
            self._change(
                connection,
                image_id,
                root_id=root_id,
                path=os.fsencode(path),
                size=state.size,
                mtime_ns=state.mtime_ns,
            )
            connection.execute(sa.delete(skipped).where(skipped.c.path == os.fsencode(path)))

    def _change(self, connection: Connection, image_id: int, **values: int | bytes) -> None:
        """Changes a row that is as it was written: another would pass for sound afterwards."""
        this = images.c.id == image_id
        if connection.execute(sa.update(images).where(this, sound(images)).values(values)).rowcount:
            _seal(connection, images, this)
        elif connection.execute(sa.select(sa.exists().where(this))).scalar():
            raise damaged(self.file, "rows of photos differ from their checksums")

    def remove(self, ids: Sequence[int]) -> None:
        """Forgets photos and their vectors."""
        with self._write() as connection:
            for part in _parts(ids):
                connection.execute(sa.delete(images).where(images.c.id.in_(part)))
            if ids:
                _touch(connection, self.file)

    def forget_skipped(self, paths: Sequence[Path]) -> None:
        """Forgets that files were skipped: they are gone, or to be tried again."""
        with self._write() as connection:
            for path in paths:
                connection.execute(sa.delete(skipped).where(skipped.c.path == os.fsencode(path)))

    def forget_vectors(self, ids: Sequence[int]) -> None:
        """Drops vectors, so that the next run encodes their photos anew."""
        with self._write() as connection:
            for part in _parts(ids):
                connection.execute(
                    sa.delete(self._vectors).where(self._vectors.c.image_id.in_(part))
                )
            if ids:
                _touch(connection, self.file)

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
        wanted = (_CHANGED_VECTORS if since else _ALL_VECTORS)[self._vectors]
        values = {"encoder": encoder, "since": since, "after": after, "most": limit}
        with self._read() as connection:
            rows = connection.execute(wanted, values).all()
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
        with self._read() as connection:
            rows = _plain_rows(connection, _VECTOR_IDS[self._vectors], (encoder,))
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

    def vectors_of(self, ids: Sequence[int], encoder: str) -> dict[int, RawVectors]:
        """float16[d] for each of the photos that has a sound vector of ``encoder``."""
        found: dict[int, RawVectors] = {}
        held = self._vectors
        with self._read() as connection:
            for part in _parts(ids):
                for row in connection.execute(
                    sa.select(held.c.image_id, held.c.raw).where(
                        held.c.image_id.in_(part), held.c.encoder == encoder, sound(held)
                    )
                ):
                    found[row[0]] = np.frombuffer(row[1], np.float16)
        return found

    def unsound(self, length: int, encoder: str) -> list[int]:
        """Photos without a vector of ``encoder`` of this length, as it was written."""
        current = sa.and_(vectors.c.image_id == images.c.id, vectors.c.encoder == encoder)
        with self._read() as connection:
            rows = connection.execute(
                sa.select(images.c.id)
                .select_from(images.outerjoin(vectors, current))
                .where(
                    sa.or_(
                        vectors.c.raw.is_(None),
                        sa.not_(sound(vectors)),
                        sa.func.length(vectors.c.raw) != length * np.dtype(np.float16).itemsize,
                    )
                )
            ).all()
        return [row[0] for row in rows]

    def generation(self) -> Generation | None:
        """The published vector file; none before the first."""
        with self._read() as connection:
            row = connection.execute(sa.select(generations)).first()
        return None if row is None else Generation(**row._mapping)

    def publish(self, generation: Generation) -> None:
        """Makes a vector file the current one, in place of any other."""
        with self._write() as connection:
            _publish(connection, generation)

    # -- another profile, or all anew -----------------------------------------------------------

    def answers_with(self, encoder: str) -> bool:
        """Whether a photo has a vector of this encoder that answers, or none has any."""
        with self._read() as connection:
            return any(
                connection.execute(sa.select(question)).scalar()
                for question in (
                    sa.exists().where(vectors.c.encoder == encoder),
                    ~sa.exists(sa.select(vectors.c.image_id)),
                )
            )

    def fill_coming(self, encoder: str) -> None:
        """From now on this object reads and writes the vectors to come; for writers.

        Those of the same encoder that an earlier run left there are gone on with.
        """
        with self._write() as connection:
            connection.execute(sa.delete(coming).where(coming.c.encoder != encoder))
        self._vectors = coming

    def carry_over(self, encoder: str) -> None:
        """Counts the vectors of this encoder that answer among those to come, where one lacks."""
        held = sa.select(vectors).where(vectors.c.encoder == encoder)
        with self._write() as connection:
            connection.execute(
                sa.insert(coming)
                .prefix_with("OR IGNORE")
                .from_select([column.name for column in vectors.columns], held)
            )

    def lacking(self, encoder: str) -> int:
        """How many photos have no vector of this encoder, among those that this object reads."""
        return len(self) - len(self.vector_ids(encoder))

    def waiting(self) -> int:
        """How many vectors are there to come."""
        with self._read() as connection:
            return int(
                connection.execute(sa.select(sa.func.count()).select_from(coming)).scalar_one()
            )

    def adopt(self, profile: str, generation: Generation) -> None:
        """Makes a profile the library's own, and lets its vectors and its index file answer.

        All at once: no reader ever sees one profile with another's vectors.
        """
        with self._write() as connection:
            if self._vectors is coming:
                connection.execute(sa.delete(vectors))
                connection.execute(
                    sa.insert(vectors).from_select(
                        [column.name for column in vectors.columns], sa.select(coming)
                    )
                )
                connection.execute(sa.delete(coming))
            _set(connection, "profile", profile)
            connection.execute(sa.delete(settings).where(settings.c.name == "switching"))
            _publish(connection, generation)
        self._vectors = vectors

    def problems(self) -> list[str]:
        """What SQLite's own checks, foreign keys and checksums find; empty when all is well."""
        try:
            with self._read() as connection:
                found = [row[0] for row in connection.exec_driver_sql("PRAGMA integrity_check")]
                loose = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
                altered = {
                    table.name: connection.execute(
                        sa.select(sa.func.count()).select_from(table).where(sa.not_(sound(table)))
                    ).scalar_one()
                    for table in CHECKED
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


def damaged(file: Path, cause: str) -> LibraryDamaged:
    """The error that a damaged catalogue is told by."""
    return LibraryDamaged(
        f"the catalogue {file} is damaged ({cause}): mend it with "
        f"`pixquery verify --repair --library {shlex.quote(str(file.parent))}`"
    )


def _put(table: sa.Table, key: str) -> Insert:
    """Inserts rows, or overwrites those of the same key; built once, as building takes longest."""
    statement = insert(table)
    return statement.on_conflict_do_update(
        index_elements=[key],
        set_={
            column.name: statement.excluded[column.name]
            for column in table.columns
            if column.name not in ("id", key)
        },
    )


_ALL_VECTORS = {
    # The sign keeps SQLite from its index, which could be damaged and lie: rows tell themselves.
    table: sa.text(
        f"SELECT image_id, raw, revision, checksum FROM {table.name} "
        "WHERE +encoder = :encoder AND image_id > :after ORDER BY image_id LIMIT :most"
    )
    for table in (vectors, coming)
}
_CHANGED_VECTORS = {
    # Here it makes SQLite begin with the few changed rows instead of looking through all.
    table: sa.text(
        f"SELECT image_id, raw, revision, checksum FROM {table.name} WHERE image_id IN ("
        f"SELECT image_id FROM {table.name} WHERE revision > :since AND +encoder = :encoder "
        "AND +image_id > :after ORDER BY +image_id LIMIT :most) ORDER BY image_id"
    )
    for table in (vectors, coming)
}
_VECTOR_IDS = {
    table: f"SELECT image_id FROM {table.name} WHERE encoder = ? ORDER BY image_id"
    for table in (vectors, coming)
}
_SOUND_IMAGES = sa.select(images).where(
    images.c.id.in_(sa.bindparam("ids", expanding=True)), sound(images)
)  # built once, as building takes longest
_PUT_IMAGE = _put(images, "path")
_PUT_VECTOR = {table: _put(table, "image_id") for table in (vectors, coming)}
_KNOWN_IMAGES = (
    "SELECT path, CASE format WHEN '' THEN -1 ELSE size END, mtime_ns, id, content FROM images "
    "WHERE path = ? OR (path >= ? AND path < ?)"
)
_KNOWN_SKIPPED = (
    "SELECT path, size, mtime_ns, reason, checksum FROM skipped "
    "WHERE path = ? OR (path >= ? AND path < ?)"
)


def _seal(connection: Connection, table: sa.Table, rows: sa.ColumnElement[bool]) -> None:
    """Notes the checksums of rows that were just written."""
    connection.execute(sa.update(table).where(rows).values(checksum=computed(table)))


def _teach(connection: sqlite3.Connection) -> None:
    """Teaches SQLite the functions that statements ask for."""
    prepare(connection)
    filters.prepare(connection)


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    _teach(connection)
    for pragma in (
        "journal_mode=WAL",  # readers go on while a run writes
        "synchronous=FULL",  # an acknowledged batch survives a power cut
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _in_transaction(connection: Connection) -> bool:
    driver = connection.connection.driver_connection
    return bool(driver is not None and driver.in_transaction)


_DAMAGE = ("malformed", "no such", "decode", "user-defined function", "has no column")
"""What SQLite says of a file whose content cannot be."""


def _storage_error(file: Path, error: OperationalError) -> PixqueryError:
    cause = str(error.orig)
    if "locked" in cause:
        return LibraryLocked(
            f"the library {file.parent} is being written to by another program: try again later"
        )
    if any(sign in cause for sign in _DAMAGE):
        return damaged(file, cause)
    return StorageFailed(
        f"the library {file.parent} cannot be used ({cause}): make room or fix its permissions, "
        "then run the same command again; what was written before is kept"
    )


def _set(connection: Connection, name: str, value: str) -> None:
    values = {"value": value, "checksum": digest(name, value)}
    connection.execute(
        insert(settings)
        .values(name=name, **values)
        .on_conflict_do_update(index_elements=["name"], set_=values)
    )


def _get(connection: Connection, name: str, file: Path) -> str | None:
    row = connection.execute(
        sa.select(settings.c.value, settings.c.checksum).where(settings.c.name == name)
    ).first()
    if row is None:
        return None
    if digest(name, row.value) != row.checksum:
        raise damaged(file, f"the setting {name} differs from its checksum")
    return str(row.value)


def _publish(connection: Connection, generation: Generation) -> None:
    connection.execute(sa.delete(generations))
    connection.execute(sa.insert(generations).values(asdict(generation)))


def _touch(connection: Connection, file: Path) -> int:
    before = _get(connection, "revision", file)
    revision = int(before or 0) + 1
    _set(connection, "revision", str(revision))
    _set(connection, "updated", datetime.now(UTC).isoformat(timespec="seconds"))
    return revision


def _plain_rows(
    connection: Connection, statement: str, values: tuple[bytes | str, ...]
) -> list[tuple[Any, ...]]:
    """Rows as SQLite gives them: making SQLAlchemy's of them takes longer than all else."""
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 - it has just answered
    try:
        return list(driver.execute(statement, values).fetchall())
    except sqlite3.DatabaseError as error:
        kind = OperationalError if isinstance(error, sqlite3.OperationalError) else DatabaseError
        raise kind(statement, values, error) from error


def _parts(values: Sequence[_Value]) -> Iterator[Sequence[_Value]]:
    for start in range(0, len(values), _IN_LIMIT):
        yield values[start : start + _IN_LIMIT]


def _record(row: sa.Row[tuple[object, ...]]) -> ImageRecord:
    values = row._mapping
    place = values["latitude"], values["longitude"]
    return ImageRecord(
        path=Path(os.fsdecode(values["path"])),
        state=FileState(values["size"], values["mtime_ns"]),
        content=values["content"],
        width=values["width"],
        height=values["height"],
        format=values["format"],
        taken=values["taken"],
        camera=values["camera"],
        place=None if place[0] is None or place[1] is None else Place(*place),
        id=values["id"],
    )
