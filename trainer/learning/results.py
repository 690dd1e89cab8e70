"""Looks up a study's results."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from pixquery.trainer.learning.contenders import TWO_WAY

Study = Mapping[str, Any]
Row = Mapping[str, Any]
_MEASURES = {
    "rmse": "RMSE", "mae": "MAE", "spearman": "Spearman",
    "tau_c_expert": "experts τc", "tau_b_crowd": "crowd τb", "tau_c": "τc",
}  # fmt: skip


def measures_of(rows: Sequence[Row], *, by_user: bool = False) -> dict[str, str]:
    """Key -> name of each measure that at least one row has; a user's own raters are no experts."""
    names = {**_MEASURES, "tau_c_expert": "τc"} if by_user else _MEASURES
    return {k: name for k, name in names.items() if any(known(row.get(k)) for row in rows)}


def raters_of(study: Study) -> str:
    """Who rated if it was the user, or people of theirs; empty if experts and a crowd did."""
    judges = str(study.get("judges") or "")
    return "" if judges.startswith("experts") else judges


def part_of(study: Study, key: str) -> dict[str, Any]:
    """A part of the study; empty if it is missing or null."""
    return study.get(key) or {}


def known(value: Any) -> TypeGuard[float]:
    """Whether a figure is known: a number, not null."""
    return isinstance(value, int | float)


def rows_with(rows: Sequence[Row] | None, *keys: str) -> list[Row]:
    """The rows in which all of these are numbers."""
    return [row for row in rows or () if all(known(row.get(key)) for key in keys)]


def interval_of(row: Row, key: str) -> Sequence[float]:
    """The 95 % interval of a figure; empty if it is unknown."""
    bounds = part_of(row, "ci95").get(key) or ()
    return bounds if all(map(known, bounds)) else ()


def ceiling(ratings: Row) -> float | None:
    """The human ceiling as a fraction, like every other tau; the study has it in percent."""
    percent = ratings.get("human_ceiling")
    return percent / 100 if known(percent) else None


def constant_row(study: Study) -> Row:
    """The row of the constant predictor."""
    rows: Sequence[Row] = study.get("regressors") or ()
    return next((row for row in rows if row.get("name") == "constant"), {})


def competitors(study: Study) -> list[Row]:
    """The rows of all other regressors."""
    return [row for row in study.get("regressors") or () if row.get("name") != "constant"]


def chosen_row(study: Study) -> Row | None:
    """The row of the chosen regressor; the best one if several have its name."""
    rows = [row for row in competitors(study) if row.get("name") == study.get("chosen")]
    return min(filter(is_two_way, rows), key=by_split_and_error, default=None)


def is_two_way(row: Row) -> bool:
    """Whether a row was measured on two-way folds."""
    return bool(row.get("split") == TWO_WAY)


def by_split_and_error(row: Row) -> tuple[bool, float]:
    """Sorts rows on two-way folds first, then by RMSE."""
    error = row.get("rmse")
    return not is_two_way(row), error if known(error) else math.inf


def identity(row: Row) -> tuple[Any, ...]:
    """What makes two rows the same regressor, whatever the split."""
    return row.get("name"), row.get("features"), row.get("rows")


def usual_rows(study: Study) -> str:
    """What most regressors learned from, so that only exceptions need a label."""
    return Counter(text_of(row, "rows") for row in competitors(study)).most_common(1)[0][0]


def text_of(row: Row, key: str) -> str:
    """A text of a row; empty if it is missing or null."""
    return str(row.get(key) or "")


def label_of(study: Study, row: Row, *parts: str) -> str:
    """The parts, and what the row learned from if that is an exception."""
    learned = text_of(row, "rows")
    return " · ".join(filter(None, [*parts, learned if learned != usual_rows(study) else ""]))
