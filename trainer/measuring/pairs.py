"""Pairs of a photo and a text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pixquery.trainer.measuring.tables import filled, is_file, read_table


@dataclass(frozen=True, slots=True)
class Pair:
    """A photo and a text, to be scored."""

    image: Path
    text: str
    given: str = ""
    """The image's path as the user wrote it, if that differs."""


def read_pairs(file: Path) -> list[Pair]:
    """Reads pairs to score: columns ``image``, ``text``.

    Image paths are resolved against the current folder first, then against the file's own folder.

    Raises:
        BadData: The file is missing, lacks a column, or has bad lines or missing photos.
    """

    def pair(row: Sequence[str], _: int) -> Pair:
        path = Path(filled(row[0]))
        for candidate in (path, file.parent / path):
            if is_file(candidate):
                return Pair(candidate, filled(row[1]), str(path))
        raise ValueError(f"there is no photo {path}")

    return read_table(file, ("image", "text"), pair)
