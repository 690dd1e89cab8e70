"""The catalogue's tables, and the numbered steps that bring an older catalogue up to date.

Paths are stored as the bytes the file system uses: a name need not be valid Unicode.
"""

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy import Connection

from db.errors import LibraryTooNew

metadata = sa.MetaData()

settings = sa.Table(
    "settings",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

roots = sa.Table(
    "roots",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("path", sa.LargeBinary, nullable=False, unique=True),
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
    sa.Column("taken", sa.DateTime),
    sa.Index("images_by_content", "content"),
    sa.Index("images_by_root", "root_id"),
    sqlite_autoincrement=True,  # an id in somebody's bookmark never comes to mean another photo
)

# Apart from `images`, so that looking through the photos does not page through their vectors.
vectors = sa.Table(
    "vectors",
    metadata,
    sa.Column("image_id", sa.ForeignKey("images.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("encoder", sa.Text, nullable=False),  # which image encoder, by its digest
    sa.Column("revision", sa.Integer, nullable=False, index=True),  # the catalogue's when written
    sa.Column("raw", sa.LargeBinary, nullable=False),  # float16[d], as that encoder gave it
)

skipped = sa.Table(
    "skipped",
    metadata,
    sa.Column("path", sa.LargeBinary, primary_key=True),
    sa.Column("root_id", sa.ForeignKey("roots.id", ondelete="CASCADE"), nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("mtime_ns", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
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


MIGRATIONS: tuple[Callable[[Connection], None], ...] = ()
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
