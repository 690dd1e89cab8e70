"""Reads tables of text. All bad lines of a file are reported at once, with their numbers."""

import csv
import io
import math
import os
import re
import stat
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import TypeVar

from pixquery.db.errors import BadData

_Row = TypeVar("_Row")
_Record = tuple[int, list[str]]
"""The number of a record's first line, and its cells."""
SEPARATORS = (",", "|", "\t", ";")
_BAD_SHOWN = 10
_MOST_BYTES = 10**9
_BEGINNING = 1000
"""Characters in which a table has no NUL, unless it is written in UTF-16 or -32."""
_NO_WAITING = getattr(os, "O_NONBLOCK", 0)
_END = "\0end"
"""Appended to the file: a quote that is left open swallows it."""


def read_tsv(
    file: Path,
    columns: int,
    convert: Callable[[Sequence[str], int], _Row],
    key: Callable[[_Row], Hashable],
) -> list[_Row]:
    """Reads tab-separated lines without a header; quotes mean nothing in them.

    Args:
        file: What to read.
        columns: How many each line must have.
        convert: From cells and line number to a row; raises ValueError.
        key: What no two rows may share.

    Raises:
        BadData: The file is missing or empty, or has bad lines.
    """

    def all_cells(row: Sequence[str], line: int) -> _Row:
        if len(row) != columns:
            raise ValueError(f"{columns} columns are needed, not {len(row)}")
        return convert(row, line)

    reader = csv.reader(lines_of(file), delimiter="\t", quoting=csv.QUOTE_NONE)
    try:
        rows = [(number, row) for number, row in enumerate(reader, 1) if row]
    except csv.Error as error:
        raise BadData(f"{file} line {reader.line_num}: {error}") from error
    if not rows:
        raise BadData(f"{file} is empty: a line for each rated pair is needed")
    return convert_rows(file, rows, all_cells, key)


def read_table(
    file: Path,
    columns: Sequence[str],
    convert: Callable[[Sequence[str], int], _Row],
    *,
    optional: Sequence[str] = (),
    key: Callable[[_Row], Hashable] | None = None,
    sep: str | None = None,
    otherwise: str = "",
    lines: Sequence[str] | None = None,
) -> list[_Row]:
    """Reads a table with a header.

    Args:
        file: What to read.
        columns: Those that the header must name, in the order that ``convert`` wants.
        convert: From cells and line number to a row; raises ValueError.
        optional: Columns whose cells follow if the header names them.
        key: What no two rows may share.
        sep: The separator; otherwise the header shows it.
        otherwise: What else the file may be, for the error message.
        lines: Those of the file, if they are read already: a pipe can be read once.

    Raises:
        BadData: The file is missing, lacks a column, or has bad lines.
    """
    lines = lines_of(file) if lines is None else lines
    if not lines:
        raise BadData(f"{file} is empty: a header with the columns {', '.join(columns)} is needed")
    if sep is not None and (len(sep) != 1 or sep in '\r\n"'):
        raise BadData(f"the separator must be one character, such as a comma, not {sep!r}")
    fitting = [
        s for s in ([sep] if sep else SEPARATORS) if set(columns) <= set(header_of(lines, s))
    ]
    if not fitting:
        raise BadData(
            f"{file}: the first line must name the columns {', '.join(columns)}, separated by "
            f"{'comma, |, tab or ;' if sep is None else repr(sep)}"
            f"{', ' + otherwise if otherwise else ''}; it is {lines[0].strip()[:80]!r}"
        )
    header = header_of(lines, fitting[0])
    wanted = [*columns, *(name for name in optional if name in header)]
    twice = [name for name in wanted if header.count(name) > 1]
    if twice:
        raise BadData(f"{file}: the first line names the column {twice[0]} more than once")
    positions = [header.index(name) for name in wanted]

    def pick(row: Sequence[str], line: int) -> _Row:
        if len(row) != len(header):
            raise ValueError(f"{len(header)} columns are needed, not {len(row)}")
        return convert([row[position] for position in positions], line)

    return convert_rows(file, _records(file, lines, fitting[0])[1:], pick, key)


def header_of(lines: Sequence[str], sep: str) -> list[str]:
    """The column names in the first line, if ``sep`` separates them; none if it is too long."""
    try:
        return [name.strip() for name in next(csv.reader(lines[:1], delimiter=sep), [])]
    except csv.Error:
        return []


def _records(file: Path, lines: Sequence[str], sep: str) -> list[_Record]:
    """Every record that is not blank, including the header."""
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
    """Converts numbered records to rows.

    Raises:
        BadData: ``convert`` refused some of them, two have the same key, or there are none.
    """
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
        raise BadData(f"{file} has a header and nothing else: add a line for each query or pair")
    return good


def filled(text: str) -> str:
    """A cell without blanks around it; raises ValueError if nothing is left."""
    if not text.strip():
        raise ValueError("a column is empty")
    return text.strip()


def whole_number(text: str) -> int:
    """The number in a cell of digits; raises ValueError for anything else."""
    cell = filled(text)
    if not re.fullmatch("[0-9]+", cell):
        raise ValueError(f"{cell!r} is no whole number")
    return int(cell)


def number_in(text: str, what: str) -> float:
    """The finite number in a cell; raises ValueError, which calls it ``what``."""
    cell = filled(text)
    try:
        value = math.nan if "_" in cell else float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"the {what} {cell!r} is no number")
    return value


def is_file(path: Path) -> bool:
    """Whether a path names a file; a text that cannot be a path does not."""
    try:
        return path.is_file()
    except OSError:  # a text in place of a path can be too long for one
        return False


def lines_of(file: Path) -> list[str]:
    """The lines of a UTF-8 file, with their ends.

    Raises:
        BadData: It cannot be read, or is not UTF-8.
    """
    try:
        text = _content(file).decode("utf-8-sig")
    except OSError as error:
        raise BadData(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadData(f"{file} is not UTF-8 text (byte {error.start}): save it as UTF-8") from error
    if "\0" in text[:_BEGINNING]:
        raise BadData(f"{file} is not UTF-8 text (it may be UTF-16): save it as UTF-8")
    # Not `splitlines`: it also splits at rare characters that are part of a text.
    return io.StringIO(text, newline="").readlines()


def _content(file: Path) -> bytes:
    """The bytes of a file, or of a pipe that somebody writes to, such as ``<(command)``.

    Raises:
        BadData: It is something else, or too large.
        OSError: It cannot be read.
    """
    # A pipe that nobody writes to would be waited for, without a word.
    with open(file, "rb", opener=lambda name, flags: os.open(name, flags | _NO_WAITING)) as opened:
        kind = os.fstat(opened.fileno()).st_mode
        if stat.S_ISFIFO(kind):
            try:
                begin = os.read(opened.fileno(), 1)
            except BlockingIOError:  # somebody has opened it, and will write
                begin = b""
                os.set_blocking(opened.fileno(), True)
                begin = os.read(opened.fileno(), 1)
            if not begin:
                raise BadData(f"{file} is a pipe that nobody writes to: name a file with the table")
            os.set_blocking(opened.fileno(), True)
        elif stat.S_ISREG(kind) or opened.isatty():
            begin = b""
        else:
            raise BadData(f"{file} is no file: name one with the table")
        content = begin + opened.read(_MOST_BYTES)
    if len(content) >= _MOST_BYTES:
        raise BadData(f"{file} is larger than {_MOST_BYTES // 10**6:,} MB: split the table")
    return content
