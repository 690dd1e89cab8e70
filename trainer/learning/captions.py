"""Captions: texts that people wrote for photos."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pixquery.trainer.measuring.tables import filled, read_table


@dataclass(frozen=True, slots=True)
class Caption:
    """A text and its photo."""

    id: str
    """``<photo it was written for>#<number>``"""
    image: str
    """The photo that it was written for; in a file of rated pairs, the one it was shown with."""
    text: str
    weight: float = 1.0
    """How well it describes the photo, in (0, 1]."""


def read_captions(file: Path) -> list[Caption]:
    """Reads captions: columns ``image``, ``query_id``, ``query_text``; each id once.

    Raises:
        BadData: The file is missing, lacks a column, or has bad lines.
    """
    return read_table(
        file, ("query_id", "image", "query_text"), _caption, key=lambda caption: caption.id
    )


def _caption(row: Sequence[str], _: int) -> Caption:
    return Caption(filled(row[0]), filled(row[1]), filled(row[2]))
