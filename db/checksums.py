"""Checksums of rows: SQLite does not notice a flipped bit inside one.

Rows that answers depend on carry a checksum of their other columns, which :func:`sound` compares.
"""

import hashlib
import sqlite3
from pathlib import Path

import xxhash

_VECTORS = ("image_id", "encoder", "revision", "raw")

SEALED = {
    "settings": ("name", "value"),
    "roots": ("id", "path"),
    "images": ("id", "path", "size", "mtime_ns", "content", "width", "height", "format", "taken",
               "camera", "latitude", "longitude"),
    "vectors": _VECTORS,
    "coming": _VECTORS,
    "skipped": ("path", "size", "mtime_ns", "reason"),
}  # fmt: skip
"""The tables with checksums, and what these are made of: all but the root, no part of answers."""


def digest(*values: object) -> bytes:
    """XXH3-64 of a row's values as SQLite holds them, 8 bytes."""
    state = xxhash.xxh3_64()
    for value in values:
        part = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
        state.update(b"%d:" % len(part))
        state.update(part)
    return state.digest()


def computed(table: str) -> str:
    """SQL of the checksum that a row of the table should have; see :func:`prepare`."""
    return f"pixquery_digest({', '.join(f'{table}.{column}' for column in SEALED[table])})"


def sound(table: str) -> str:
    """SQL of whether a row of the table is as it was written."""
    return f"{table}.checksum = {computed(table)}"


def prepare(connection: sqlite3.Connection) -> None:
    """Teaches a connection the function that :func:`computed` asks for."""
    connection.create_function("pixquery_digest", -1, digest, deterministic=True)


def sha256_of(file: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        OSError: It cannot be read.
    """
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
