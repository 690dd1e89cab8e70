"""Concepts in the catalogue: the vectors of their example photos and of their names.

A row is never changed. An example that another image encoder encodes gets another row, so that a
library can go back to an earlier profile without reading a photo again.
"""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixquery.db.checksums import SEALED, digest
from pixquery.db.connections import damaged
from pixquery.db.raw_vectors import VectorReading
from pixquery.db.reading import marks
from pixquery.db.records import Floats
from pixquery.db.values import is_moment


class ExampleRecord(NamedTuple):
    """One example photo of a concept, as one image encoder sees it."""

    concept: str
    """The concept's name as it was typed."""
    content: bytes
    """BLAKE3 of the file's bytes, 32 bytes; or XXH3-128, 16 bytes, by an earlier version."""
    encoder: str
    """The image encoder's digest."""
    taught: datetime
    """When the photo was given as an example, UTC."""
    path: Path
    """Where it was then."""
    raw: NDArray[np.float16]
    """float16[d], the image encoder's vector."""


class ConceptReading(VectorReading):
    """Queries for concepts; every method is one transaction."""

    def examples(self) -> list[ExampleRecord]:
        """The examples of all concepts and encoders, in the order they were added.

        Raises:
            LibraryDamaged: A row differs from its checksum, or vectors of one encoder have
                different lengths.
        """
        rows = self._rows(_EXAMPLES)
        lengths: dict[str, int] = {}
        for *values, checksum in rows:
            if digest(*values) != checksum or not _is_example(values):
                raise damaged(self.file, "examples of concepts differ from their checksums")
            _, _, encoder, _, _, raw = values
            if lengths.setdefault(encoder, len(raw)) != len(raw) or len(raw) % 2:
                raise damaged(self.file, "examples of concepts have vectors of different lengths")
        return [
            ExampleRecord(
                concept, content, encoder, datetime.fromisoformat(taught),
                Path(os.fsdecode(path)), np.frombuffer(raw, np.float16),
            )
            for concept, content, encoder, taught, path, raw, _ in rows
        ]  # fmt: skip

    def concept_names(self, encoder: str) -> dict[str, Floats]:
        """The vectors float32[e] of concepts' names, as far as they were noted, by name.

        Args:
            encoder: The text encoder's digest.

        Raises:
            LibraryDamaged: A row differs from its checksum.
        """
        rows = self._rows(f"{_NAMES} WHERE encoder = ?", encoder)
        for *values, checksum in rows:
            sound = digest(*values) == checksum and isinstance(values[0], str)
            if not sound or not isinstance(values[2], bytes) or len(values[2]) % 4:
                raise damaged(self.file, "names of concepts differ from their checksums")
        return {concept: np.frombuffer(raw, np.float32) for concept, _, raw, _ in rows}


def _is_example(values: Sequence[object]) -> bool:
    match values:
        case (str(), bytes(), str(), str(taught), bytes(path), bytes(raw)):
            return is_moment(taught) and b"\0" not in path and len(raw) > 0
    return False


def example_row(example: ExampleRecord) -> tuple[object, ...]:
    """The values of :data:`PUT_EXAMPLE`."""
    row = (
        example.concept,
        example.content,
        example.encoder,
        example.taught.isoformat(timespec="seconds"),
        os.fsencode(example.path),
        example.raw.astype(np.float16).tobytes(),
    )
    return (*row, digest(*row))


def name_row(concept: str, encoder: str, raw: Floats) -> tuple[object, ...]:
    """The values of :data:`PUT_NAME`."""
    row = concept, encoder, raw.astype(np.float32).tobytes()
    return (*row, digest(*row))


def _columns(table: str) -> Sequence[str]:
    return (*SEALED[table], "checksum")


def _put(table: str) -> str:
    columns = _columns(table)
    return f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES {marks(columns)}"


PUT_EXAMPLE = _put("concept_examples")
PUT_NAME = _put("concept_names")
_EXAMPLES = f"SELECT {', '.join(_columns('concept_examples'))} FROM concept_examples ORDER BY rowid"
_NAMES = f"SELECT {', '.join(_columns('concept_names'))} FROM concept_names"
