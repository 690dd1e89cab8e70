"""Turns a library into one of the versions that noted XXH3-128 of a photo's bytes."""

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import xxhash
from blake3 import blake3

from pixquery.db.checksums import SEALED, computed, prepare
from pixquery.engine.library import CATALOGUE


def aged(place: Path, contents: Iterable[bytes] = ()) -> None:
    """Rewrites what is noted of the contents of photos and examples.

    Args:
        place: The library.
        contents: The bytes of its files; by default they are read from their paths.
    """
    hints = {blake3(content).digest(): xxhash.xxh3_128_digest(content) for content in contents}
    with closing(sqlite3.connect(place / CATALOGUE)) as catalogue, catalogue:
        prepare(catalogue)
        for table in ("images", "concept_examples"):
            rows = catalogue.execute(
                f"SELECT rowid, path, content FROM {table} WHERE length(content) = 32"
            ).fetchall()
            for rowid, path, content in rows:
                old = hints.get(content)
                if old is None:
                    old = xxhash.xxh3_128_digest(Path(os.fsdecode(path)).read_bytes())
                catalogue.execute(f"UPDATE {table} SET content = ? WHERE rowid = ?", (old, rowid))
            catalogue.execute(f"UPDATE {table} SET checksum = {computed(table)}")


def lengths(place: Path, table: str = "images") -> dict[str, int]:
    """How many bytes are noted of each file's content, by the file's name."""
    assert "content" in SEALED[table]
    with closing(sqlite3.connect(place / CATALOGUE)) as catalogue:
        rows = catalogue.execute(f"SELECT path, length(content) FROM {table}").fetchall()
    return {Path(os.fsdecode(path)).name: length for path, length in rows}
