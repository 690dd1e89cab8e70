"""Readers of the data files; every bad line is reported at once, with its number."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from db.errors import BadData
from db.records import Pair, TestQuery

_Row = TypeVar("_Row")
_SEPARATORS = (",", "|", "\t", ";")
_BAD_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Caption:
    """A text that somebody wrote for a photo."""

    id: str
    """``<photo>#<number>``"""
    image: str
    text: str


@dataclass(frozen=True, slots=True)
class ExpertRating:
    """Three people's grades of one pair, 1 = not described at all to 4 = described."""

    image: str
    caption: str
    grades: tuple[int, int, int]

    @property
    def source(self) -> str:
        """The photo that the caption was written for."""
        return self.caption.partition("#")[0]


def read_queries(file: Path, sep: str | None = None) -> list[TestQuery]:
    """Reads test queries: columns ``query_id``, ``query_text``, ``image``, in any order.

    Raises:
        BadData: The file is missing, lacks a column, or has bad lines.
    """
    return _read_table(
        file,
        ("query_id", "query_text", "image"),
        lambda row: TestQuery(_filled(row[0]), _filled(row[1]), _filled(row[2])),
        sep,
    )


def read_pairs(file: Path) -> list[Pair]:
    """Reads pairs to score: columns ``image``, ``text``.

    Image paths are looked for from the current folder, then from the file's own.

    Raises:
        BadData: The file is missing, lacks a column, or has bad lines or missing photos.
    """

    def pair(row: Sequence[str]) -> Pair:
        path = Path(_filled(row[0]))
        for place in (path, file.parent / path):
            if place.is_file():
                return Pair(place, _filled(row[1]), str(path))
        raise ValueError(f"there is no photo {path}")

    return _read_table(file, ("image", "text"), pair)


def read_captions(file: Path) -> list[Caption]:
    """Reads captions: columns ``image``, ``query_id``, ``query_text``.

    Raises:
        BadData: The file is missing, lacks a column, or has bad lines.
    """
    return _read_table(
        file,
        ("query_id", "image", "query_text"),
        lambda row: Caption(_filled(row[0]), _filled(row[1]), _filled(row[2])),
    )


def read_expert_ratings(file: Path) -> list[ExpertRating]:
    """Reads tab-separated lines of photo, caption id and three grades, without a header.

    Raises:
        BadData: The file is missing or has bad lines.
    """

    def rating(row: Sequence[str]) -> ExpertRating:
        if len(row) != 5:
            raise ValueError(f"5 columns are needed, not {len(row)}")
        a, b, c = (int(grade) for grade in row[2:])
        if not all(1 <= grade <= 4 for grade in (a, b, c)):
            raise ValueError(f"grades go from 1 to 4, not {row[2:]}")
        return ExpertRating(_filled(row[0]), _filled(row[1]), (a, b, c))

    lines = _lines(file)
    reader = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    rows = [(number, row) for number, row in enumerate(reader, 1) if row]
    return _convert(file, rows, rating)


def _read_table(
    file: Path,
    columns: Sequence[str],
    convert: Callable[[Sequence[str]], _Row],
    sep: str | None = None,
) -> list[_Row]:
    lines = _lines(file)
    if not lines:
        raise BadData(f"{file} is empty: a header with the columns {', '.join(columns)} is needed")
    if sep is not None and len(sep) != 1:
        raise BadData(f"the separator must be one character, not {sep!r}")
    found = [s for s in ([sep] if sep else _SEPARATORS) if set(columns) <= set(_header(lines, s))]
    if not found:
        raise BadData(
            f"{file}: the first line must name the columns {', '.join(columns)}, separated by "
            f"{'comma, |, tab or ;' if sep is None else repr(sep)}; it is {lines[0].strip()[:80]!r}"
        )
    header = _header(lines, found[0])
    reader = csv.reader(lines, delimiter=found[0])
    places = [header.index(column) for column in columns]

    def pick(row: Sequence[str]) -> _Row:
        if len(row) != len(header):
            raise ValueError(f"{len(header)} columns are needed, not {len(row)}")
        return convert([row[place] for place in places])

    try:
        rows = [(reader.line_num, row) for row in reader if row][1:]
    except csv.Error as error:
        raise BadData(f"{file} line {reader.line_num}: {error}: is a quote left open?") from error
    return _convert(file, rows, pick)


def _header(lines: Sequence[str], sep: str) -> list[str]:
    return [name.strip() for name in next(csv.reader(lines[:1], delimiter=sep))]


def _convert(
    file: Path, rows: Sequence[tuple[int, Sequence[str]]], convert: Callable[[Sequence[str]], _Row]
) -> list[_Row]:
    good: list[_Row] = []
    bad: list[str] = []
    for number, row in rows:
        try:
            good.append(convert(row))
        except ValueError as error:
            bad.append(f"line {number}: {error}")
    if bad:
        more = f"; and {len(bad) - _BAD_SHOWN} more" if len(bad) > _BAD_SHOWN else ""
        raise BadData(f"{file} has {len(bad)} bad lines: {'; '.join(bad[:_BAD_SHOWN])}{more}")
    if not good:
        raise BadData(f"{file} holds a header and nothing else: add a line for each query or pair")
    return good


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("a column is empty")
    return text.strip()


def _lines(file: Path) -> list[str]:
    try:
        # Not `splitlines`: it also cuts at separators that stand inside texts.
        return io.StringIO(file.read_bytes().decode("utf-8-sig"), newline="").readlines()
    except OSError as error:
        raise BadData(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadData(f"{file} is not UTF-8 text (byte {error.start}): save it as UTF-8") from error
