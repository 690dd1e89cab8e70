"""The tables of a new catalogue; :mod:`pixquery.db.migrations` brings older ones to this state."""

import sqlite3

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

metadata = sa.MetaData()


def _checksum() -> sa.Column[bytes]:
    # Empty until the same transaction fills it in.
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
    sa.Column("format", sa.Text, nullable=False, server_default=""),  # empty: not known yet
    sa.Column("taken", sa.DateTime),
    sa.Column("camera", sa.Text, nullable=False, server_default=""),
    sa.Column("latitude", sa.Float),
    sa.Column("longitude", sa.Float),
    _checksum(),
    sa.Index("images_by_content", "content"),
    sa.Index("images_by_root", "root_id"),
    sqlite_autoincrement=True,  # an id in a bookmark never comes to mean another photo
)


def _vectors(name: str) -> sa.Table:
    # Not in `images`, so that reading all photos does not read their vectors.
    return sa.Table(
        name,
        metadata,
        sa.Column("image_id", sa.ForeignKey("images.id", ondelete="CASCADE"), primary_key=True),
        # The image encoder and quality; its index shows which photos lack a vector.
        sa.Column("encoder", sa.Text, nullable=False, index=True),
        sa.Column("revision", sa.Integer, nullable=False, index=True),  # the catalogue's
        sa.Column("raw", sa.LargeBinary, nullable=False),  # float16[d], not aligned
        _checksum(),
    )


vectors = _vectors("vectors")

coming = _vectors("coming")
"""Replaces ``vectors`` once it has all photos. While a library is encoded again, or for another
profile, queries are answered with ``vectors``."""

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

concept_examples = sa.Table(
    "concept_examples",
    metadata,
    sa.Column("concept", sa.Text, primary_key=True),
    sa.Column("content", sa.LargeBinary, primary_key=True),
    sa.Column("encoder", sa.Text, primary_key=True),  # the image encoder's digest
    sa.Column("taught", sa.Text, nullable=False),  # ISO 8601, UTC
    sa.Column("path", sa.LargeBinary, nullable=False),
    sa.Column("raw", sa.LargeBinary, nullable=False),  # float16[d], not aligned
    _checksum(),
)

concept_names = sa.Table(
    "concept_names",
    metadata,
    sa.Column("concept", sa.Text, primary_key=True),
    sa.Column("encoder", sa.Text, primary_key=True),  # the text encoder's digest
    sa.Column("raw", sa.LargeBinary, nullable=False),  # float32[e], not aligned
    _checksum(),
)
"""Computed from the names of concepts; kept so that a query need not encode all of them."""

generations = sa.Table(
    "generations",
    metadata,
    sa.Column("file", sa.Text, primary_key=True),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("space", sa.Text, nullable=False),
    _checksum(),
)

losses = sa.Table(
    "losses",
    metadata,
    # Empty if no folder is known that the photos may have been in.
    sa.Column("root", sa.LargeBinary, primary_key=True),
    sa.Column("photos", sa.Integer, nullable=False),  # known to be lost; there may be others
    sa.Column("guessed", sa.Boolean, nullable=False),  # the folder's own name is lost
    _checksum(),
)
"""Photos that a repair could not save, until an indexing has looked for them."""


def _of_photo(name: str, *columns: sa.Column[str] | sa.Column[int]) -> sa.Table:
    """A table of what photos say of themselves; most photos have no row in most of them."""
    return sa.Table(
        name,
        metadata,
        sa.Column("image_id", sa.ForeignKey("images.id", ondelete="CASCADE"), primary_key=True),
        # Of the setting `metadata_revision`, so that what is derived can be brought up to date.
        sa.Column("revision", sa.Integer, nullable=False, index=True),
        *columns,
        _checksum(),
    )


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


annotations = _of_photo(
    "annotations",
    _text("sidecars"),  # a digest of their names, sizes and times; empty if there are none
    _text("title"),
    _text("caption"),
    _text("keywords"),  # one a line, as in the next two
    _text("people"),
    _text("location"),
    sa.Column("rating", sa.Integer),
    _text("label"),
)

readings = _of_photo(
    "readings",
    _text("reader"),  # a digest of the models and settings that read it
    _text("lines"),  # JSON; see `db.metadata`
)

localities = _of_photo(
    "localities",
    _text("gazetteer"),  # a digest of the data that the names are from
    _text("city"),
    _text("region"),
    _text("country"),
    _text("code"),
)


def create(connection: sqlite3.Connection) -> None:
    """Creates the tables and their indexes."""
    for table in metadata.sorted_tables:
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        statements: list[ExecutableDDLElement] = [
            CreateTable(table, if_not_exists=True),
            *(CreateIndex(index, if_not_exists=True) for index in indexes),
        ]
        for statement in statements:
            connection.execute(str(statement.compile(dialect=sqlite.dialect())))
