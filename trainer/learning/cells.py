"""The tables and facts of the report's page, and how figures are written there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pixquery.trainer.learning.results import Row, known, measures_of, text_of

Content = dict[str, Any]
"""What the template makes a section of; empty where the study has nothing for it."""


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    small: str = ""
    """Beneath it: an interval, or what a name stands for."""
    badge: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """Of a table; the first cell is its name, all others are numbers."""

    cells: tuple[Cell, ...]
    kind: str
    """``chosen``, ``reference``, ``aside`` (it decides nothing) or none of these."""


@dataclass(frozen=True, slots=True)
class Fact:
    name: str
    value: str
    note: str = ""
    interval: str = ""


def line_of(*cells: Cell | str, kind: str = "") -> Line:
    return Line(tuple(Cell(c) if isinstance(c, str) else c for c in cells), kind)


def listed(rows: Sequence[Row], **forms: str) -> list[Line]:
    """Rows as they come, with the format of each column."""
    return [line_of(*(number(row.get(key), form) for key, form in forms.items())) for row in rows]


def measured(rows: Sequence[Row], name: str) -> Content:
    """What was measured of each row, which ``name`` names."""
    measures = measures_of(rows)
    lines = [line_of(text_of(row, name), *(number(row.get(k)) for k in measures)) for row in rows]
    return {"columns": ["", *measures.values()], "lines": lines} if lines else {}


def gain_line(name: str, before: Any, after: Any, bounds: Iterable[float] | None = None) -> Line:
    gain = after - before if known(before) and known(after) else None
    small = span(bounds or (), SIGNED)
    return line_of(name, number(before), number(after), Cell(number(gain, SIGNED), small))


PLAIN, SIGNED, SHORT, COUNT, PERCENT = ".3f", "+.3f", ".2f", ",.0f", ".1%"


def number(value: Any, form: str = PLAIN) -> str:
    if not known(value):
        return "\u2013"
    return f"{value:{form}}".replace("-", "\u2212").replace("%", " %")


def span(bounds: Iterable[Any], form: str = PLAIN) -> str:
    return " to ".join(number(end, form) for end in bounds)
