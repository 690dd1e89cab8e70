"""Reads tables of text; a file with bad lines is refused with all of them and their numbers."""

import csv
import io
import math
import re
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import TypeVar

from pixquery.db.errors import BadData

_Row = TypeVar("_Row")
_Record = tuple[int, list[str]]
"""The line that a record begins on, and its cells."""
SEPARATORS = (",", "|", "\t", ";")
_BAD_SHOWN = 10
_END = "\0end"
"""Read after a file's last line: a quote left open swallows it."""


def read_tsv(
    file: Path,
    columns: int,
    convert: Callable[[Sequence[str], int], _Row],
    key: Callable[[_Row], Hashable],
) -> list[_Row]:
    def whole(row: Sequence[str], line: int) -> _Row:
        if len(row) != columns:
            raise ValueError(f"{columns} columns are needed, not {len(row)}")
        return convert(row, line)

    reader = csv.reader(lines_of(file), delimiter="\t", quoting=csv.QUOTE_NONE)
    rows = [(number, row) for number, row in enumerate(reader, 1) if row]
    if not rows:
        raise BadData(f"{file} is empty: a line for each rated pair is needed")
    return convert_rows(file, rows, whole, key)


def read_table(
    file: Path,
    columns: Sequence[str],
    convert: Callable[[Sequence[str], int], _Row],
    *,
    optional: Sequence[str] = (),
    key: Callable[[_Row], Hashable] | None = None,
    sep: str | None = None,
    otherwise: str = "",
) -> list[_Row]:
    """Reads a table with a header.

    Args:
        file: What to read.
        columns: Those that the header must name, in the order that ``convert`` wants.
        convert: From cells and line number to a row; raises ValueError.
        optional: Columns whose cells follow where the header names them.
        key: What no two rows may share.
        sep: Separator; else found from the header.
        otherwise: What the file might also be, for the error.
    """
    lines = lines_of(file)
    if not lines:
        raise BadData(f"{file} is empty: a header with the columns {', '.join(columns)} is needed")
    if sep is not None and len(sep) != 1:
        raise BadData(f"the separator must be one character, not {sep!r}")
    found = [s for s in ([sep] if sep else SEPARATORS) if set(columns) <= set(header_of(lines, s))]
    if not found:
        raise BadData(
            f"{file}: the first line must name the columns {', '.join(columns)}, separated by "
            f"{'comma, |, tab or ;' if sep is None else repr(sep)}"
            f"{', ' + otherwise if otherwise else ''}; it is {lines[0].strip()[:80]!r}"
        )
    header = header_of(lines, found[0])
    wanted = [*columns, *(name for name in optional if name in header)]
    twice = [name for name in wanted if header.count(name) > 1]
    if twice:
        raise BadData(f"{file}: the first line names the column {twice[0]} more than once")
    places = [header.index(name) for name in wanted]

    def pick(row: Sequence[str], line: int) -> _Row:
        if len(row) != len(header):
            raise ValueError(f"{len(header)} columns are needed, not {len(row)}")
        return convert([row[place] for place in places], line)

    return convert_rows(file, _records(file, lines, found[0])[1:], pick, key)


def header_of(lines: Sequence[str], sep: str) -> list[str]:
    return [name.strip() for name in next(csv.reader(lines[:1], delimiter=sep), [])]


def _records(file: Path, lines: Sequence[str], sep: str) -> list[_Record]:
    """Every record that is not blank, the header among them."""
    reader = csv.reader([*lines, _END], delimiter=sep)
    records: list[_Record] = []
    begin = 1
    try:
        for row in reader:
            if row:
                records.append((begin, row))
            begin = reader.line_num + 1
    except csv.Error as error:
        raise BadData(f"{file} line {begin}: {error}: is a quote left open?") from error
    begin, last = records.pop()
    if last != [_END]:
        raise BadData(f"{file} line {begin}: a quote is opened and never closed")
    return records


def convert_rows(
    file: Path,
    rows: Sequence[tuple[int, Sequence[str]]],
    convert: Callable[[Sequence[str], int], _Row],
    key: Callable[[_Row], Hashable] | None = None,
) -> list[_Row]:
    good: list[_Row] = []
    bad: list[str] = []
    first: dict[Hashable, int] = {}
    for number, row in rows:
        try:
            good.append(convert(row, number))
        except ValueError as error:
            bad.append(f"line {number}: {error}")
            continue
        if key and (before := first.setdefault(key(good[-1]), number)) != number:
            bad.append(f"line {number}: it repeats line {before}")
    if bad:
        more = f"; and {len(bad) - _BAD_SHOWN} more" if len(bad) > _BAD_SHOWN else ""
        raise BadData(f"{file} has {len(bad)} bad lines: {'; '.join(bad[:_BAD_SHOWN])}{more}")
    if not good:
        raise BadData(f"{file} holds a header and nothing else: add a line for each query or pair")
    return good


def filled(text: str) -> str:
    if not text.strip():
        raise ValueError("a column is empty")
    return text.strip()


def whole_number(text: str) -> int:
    cell = filled(text)
    if not re.fullmatch("[0-9]+", cell):
        raise ValueError(f"{cell!r} is no whole number")
    return int(cell)


def number_in(text: str, what: str) -> float:
    cell = filled(text)
    try:
        value = math.nan if "_" in cell else float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"the {what} {cell!r} is no number")
    return value


def is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a text where a path should stand can be too long for one
        return False


def lines_of(file: Path) -> list[str]:
    try:
        # Not `splitlines`: it also cuts at separators that stand inside texts.
        return io.StringIO(file.read_bytes().decode("utf-8-sig"), newline="").readlines()
    except OSError as error:
        raise BadData(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadData(f"{file} is not UTF-8 text (byte {error.start}): save it as UTF-8") from error
