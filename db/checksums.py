"""Checksums of rows and files: SQLite does not notice a flipped bit inside a row.

Rows that answers depend on have a checksum of their other columns, which :func:`sound` compares.
It notices damage, not forgery: who can write to the catalogue can also write its checksums.
"""

import errno
import hashlib
import sqlite3
import stat
from pathlib import Path

import xxhash

from pixquery.db.forms import formed

_VECTORS = ("image_id", "encoder", "revision", "raw")

SEALED = {
    "settings": ("name", "value"),
    "roots": ("id", "path"),
    "images": ("id", "path", "size", "mtime_ns", "content", "width", "height", "format", "taken",
               "camera", "latitude", "longitude"),
    "vectors": _VECTORS,
    "coming": _VECTORS,
    "skipped": ("path", "size", "mtime_ns", "reason"),
    "concept_examples": ("concept", "content", "encoder", "taught", "path", "raw"),
    "concept_names": ("concept", "encoder", "raw"),
    "generations": ("file", "size", "sha256", "revision", "space"),
    "losses": ("root", "photos", "guessed"),
    "annotations": ("image_id", "revision", "sidecars", "title", "caption", "keywords", "people",
                    "location", "rating", "label"),
    "readings": ("image_id", "revision", "reader", "lines"),
    "localities": ("image_id", "revision", "gazetteer", "city", "region", "country", "code"),
}  # fmt: skip
"""The tables with checksums, and their columns: all but the root, which no answer shows."""


def digest(*values: object) -> bytes:
    """XXH3-64 of a row's values as SQLite stores them, 8 bytes."""
    state = xxhash.xxh3_64()
    for value in values:
        part = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
        state.update(b"%d:" % len(part))
        state.update(part)
    return state.digest()


def computed(table: str) -> str:
    """SQL that computes the checksum of a row; see :func:`prepare`."""
    return f"pixquery_digest({', '.join(f'{table}.{column}' for column in SEALED[table])})"


def sound(table: str) -> str:
    """SQL that is true of the rows that match their checksums, and hold what they may hold.

    Anybody can compute a checksum: it reveals an accident, and no intention.
    """
    return f"({formed(table)} AND {table}.checksum = {computed(table)})"


def prepare(connection: sqlite3.Connection) -> None:
    """Adds the function that :func:`computed` calls to a connection."""
    connection.create_function("pixquery_digest", -1, digest, deterministic=True)


def checksum_of(content: bytes | memoryview) -> bytes:
    """XXH3-128 of some bytes, 16 bytes; it tells damage, and is no protection from forgery."""
    return xxhash.xxh3_128_digest(content)


def sha256_of(file: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        OSError: It cannot be read, or is a pipe or a device, which may have no end.
    """
    if not stat.S_ISREG(file.stat().st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(file))
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
