"""The catalogue's tables, and the numbered steps that bring an older catalogue up to date.

Paths are stored as the bytes the file system uses: a name need not be valid Unicode.

SQLite does not notice a flipped bit inside a row. Rows that answers depend on carry a checksum of
their other columns, which :func:`sound` compares.
"""

import sqlite3
from collections.abc import Callable

import sqlalchemy as sa
import xxhash
from sqlalchemy import Connection

from db.errors import LibraryTooNew

metadata = sa.MetaData()


def _checksum() -> sa.Column[bytes]:
    # Empty until the row's own transaction fills it in.
    return sa.Column("checksum", sa.LargeBinary, nullable=False, server_default=sa.text("x''"))


settings = sa.Table(
    "settings",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    _checksum(),
)

roots = sa.Table(
    "roots",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("path", sa.LargeBinary, nullable=False, unique=True),
    _checksum(),
)

images = sa.Table(
    "images",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("root_id", sa.ForeignKey("roots.id", ondelete="CASCADE"), nullable=False),
    sa.Column("path", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("mtime_ns", sa.Integer, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("format", sa.Text, nullable=False, server_default=""),  # empty: not noted yet
    sa.Column("taken", sa.DateTime),
    sa.Column("camera", sa.Text, nullable=False, server_default=""),
    sa.Column("latitude", sa.Float),
    sa.Column("longitude", sa.Float),
    _checksum(),
    sa.Index("images_by_content", "content"),
    sa.Index("images_by_root", "root_id"),
    sqlite_autoincrement=True,  # an id in somebody's bookmark never comes to mean another photo
)


def _vectors(name: str) -> sa.Table:
    # Apart from `images`, so that looking through the photos does not page through their vectors.
    return sa.Table(
        name,
        metadata,
        sa.Column("image_id", sa.ForeignKey("images.id", ondelete="CASCADE"), primary_key=True),
        # Which image encoder, by its digest; its index tells what is lacking without the vectors.
        sa.Column("encoder", sa.Text, nullable=False, index=True),
        sa.Column("revision", sa.Integer, nullable=False, index=True),  # the catalogue's
        sa.Column("raw", sa.LargeBinary, nullable=False),  # float16[d], as that encoder gave it
        _checksum(),
    )


vectors = _vectors("vectors")

coming = _vectors("coming")
"""What will take the place of ``vectors`` once all photos are in it: while a library is encoded
anew, or for another profile, it goes on answering from those."""

skipped = sa.Table(
    "skipped",
    metadata,
    sa.Column("path", sa.LargeBinary, primary_key=True),
    sa.Column("root_id", sa.ForeignKey("roots.id", ondelete="CASCADE"), nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("mtime_ns", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    _checksum(),
)

generations = sa.Table(
    "generations",
    metadata,
    sa.Column("file", sa.Text, primary_key=True),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("space", sa.Text, nullable=False),
)


CHECKED = (settings, roots, images, vectors, coming, skipped)
"""The tables with checksums; photos' and skipped files' leave out the root, no part of answers."""


def digest(*values: object) -> bytes:
    """XXH3-64 of a row's values as SQLite holds them, 8 bytes."""
    state = xxhash.xxh3_64()
    for value in values:
        part = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
        state.update(b"%d:" % len(part))
        state.update(part)
    return state.digest()


def computed(table: sa.Table) -> sa.ColumnElement[bytes]:
    """The checksum that a row of the table should have; see :func:`prepare`."""
    columns = [c for c in table.columns if c.name not in ("checksum", "root_id")]
    return sa.func.pixquery_digest(*columns, type_=sa.LargeBinary)


def sound(table: sa.Table) -> sa.ColumnElement[bool]:
    """Whether a row is as it was written."""
    return table.c.checksum == computed(table)


def prepare(connection: sqlite3.Connection) -> None:
    """Teaches a connection the function that :func:`computed` asks for."""
    connection.create_function("pixquery_digest", -1, digest, deterministic=True)


def _teach(connection: Connection) -> None:
    """As :func:`prepare`: whoever migrates may bring a connection that was never taught."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - there is no other kind here
    prepare(driver)


def _add_checksums(connection: Connection) -> None:
    """Version 2: rows know whether they are as they were written."""
    _teach(connection)
    for table, columns in (
        ("settings", "name, value"),
        ("roots", "id, path"),
        ("images", "id, path, size, mtime_ns, content, width, height, taken"),
        ("vectors", "image_id, encoder, revision, raw"),
    ):
        connection.exec_driver_sql(
            f"ALTER TABLE {table} ADD COLUMN checksum BLOB NOT NULL DEFAULT (x'')"
        )
        connection.exec_driver_sql(f"UPDATE {table} SET checksum = pixquery_digest({columns})")
    connection.exec_driver_sql("CREATE INDEX ix_vectors_encoder ON vectors (encoder)")


def _add_details(connection: Connection) -> None:
    """Version 3: what filters ask for, and checksums of skipped files.

    The next indexing fills in the former, and looks at skipped files once more.
    """
    _teach(connection)
    before = "id, path, size, mtime_ns, content, width, height, taken"
    for column in (
        "format TEXT NOT NULL DEFAULT ''",
        "camera TEXT NOT NULL DEFAULT ''",
        "latitude FLOAT",
        "longitude FLOAT",
    ):
        connection.exec_driver_sql(f"ALTER TABLE images ADD COLUMN {column}")
    after = before.replace("taken", "format, taken, camera, latitude, longitude")
    connection.exec_driver_sql(
        f"UPDATE images SET checksum = pixquery_digest({after}) "
        f"WHERE checksum = pixquery_digest({before})"  # else damage would pass for sound
    )
    connection.exec_driver_sql("DELETE FROM skipped")
    connection.exec_driver_sql(
        "ALTER TABLE skipped ADD COLUMN checksum BLOB NOT NULL DEFAULT (x'')"
    )


def _add_coming(connection: Connection) -> None:
    """Version 4: vectors of another profile beside those that answer."""
    connection.exec_driver_sql(
        "CREATE TABLE coming (image_id INTEGER NOT NULL, encoder TEXT NOT NULL, "
        "revision INTEGER NOT NULL, raw BLOB NOT NULL, checksum BLOB DEFAULT (x'') NOT NULL, "
        "PRIMARY KEY (image_id), "
        "FOREIGN KEY(image_id) REFERENCES images (id) ON DELETE CASCADE)"
    )
    for column in ("encoder", "revision"):
        connection.exec_driver_sql(f"CREATE INDEX ix_coming_{column} ON coming ({column})")


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (_add_checksums, _add_details, _add_coming)
"""Step i brings a catalogue from version i + 1 to i + 2. Released steps never change."""


NEWEST = len(MIGRATIONS) + 1


def is_current(connection: Connection) -> bool:
    """Whether the catalogue is of the newest version."""
    return bool(_version(connection) == NEWEST)


def migrate(connection: Connection, place: str) -> None:
    """Creates the tables of a new catalogue, or brings an older one up to date.

    Args:
        connection: Inside a transaction that the caller commits: all steps or none.
        place: The library's folder, for the error message.

    Raises:
        LibraryTooNew: The catalogue's version is not known to this pixquery.
    """
    version = _version(connection)
    if version > NEWEST:
        raise LibraryTooNew(
            f"the library {place} has catalogue version {version}, and this pixquery knows up to "
            f"{NEWEST}: update pixquery, or choose another library with --library DIR"
        )
    if version == 0:
        metadata.create_all(connection)
    else:
        for step in MIGRATIONS[version - 1 :]:
            step(connection)
    if version < NEWEST:
        connection.exec_driver_sql(f"PRAGMA user_version = {NEWEST}")


def _version(connection: Connection) -> int:
    return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
