"""The tables and facts of the report's page, and how figures are written there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pixquery.trainer.learning.results import Row, known, measures_of, text_of

Content = dict[str, Any]
"""What the template needs for a section; empty if the study has nothing for it."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table."""

    text: str
    small: str = ""
    """A line below the text: an interval, or details of a name."""
    badge: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table; its first cell is a name, all others are numbers."""

    cells: tuple[Cell, ...]
    kind: str
    """``chosen``, ``reference``, ``aside`` (it decides nothing) or none of these."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure with its name."""

    name: str
    value: str
    note: str = ""
    interval: str = ""


def line_of(*cells: Cell | str, kind: str = "") -> Line:
    """A row from cells or their texts."""
    return Line(tuple(Cell(c) if isinstance(c, str) else c for c in cells), kind)


def listed(rows: Sequence[Row], **forms: str) -> list[Line]:
    """One line a row, with a format for each column."""
    return [line_of(*(number(row.get(key), form) for key, form in forms.items())) for row in rows]


def measured(rows: Sequence[Row], name: str, *, by_user: bool = False) -> Content:
    """A table of every measure that is known; column ``name`` says what was measured."""
    measures = measures_of(rows, by_user=by_user)
    lines = [line_of(text_of(row, name), *(number(row.get(k)) for k in measures)) for row in rows]
    return {"columns": ["", *measures.values()], "lines": lines} if lines else {}


def gain_line(name: str, before: Any, after: Any, bounds: Iterable[float] | None = None) -> Line:
    """A row of two figures and their difference with its interval."""
    gain = after - before if known(before) and known(after) else None
    small = span(bounds or (), SIGNED)
    return line_of(name, number(before), number(after), Cell(number(gain, SIGNED), small))


PLAIN, SIGNED, SHORT, COUNT, PERCENT = ".3f", "+.3f", ".2f", ",.0f", ".1%"


def number(value: Any, form: str = PLAIN) -> str:
    """A figure as the page shows it; a dash if it is unknown."""
    if not known(value):
        return "\u2013"
    return f"{value:{form}}".replace("-", "\u2212").replace("%", " %")


def span(bounds: Iterable[Any], form: str = PLAIN) -> str:
    """The ends of an interval, as the page shows them."""
    return " to ".join(number(end, form) for end in bounds)
