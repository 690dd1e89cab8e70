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


def measures_of(rows: Sequence[Row]) -> dict[str, str]:
    """The measures known of at least one row, with their names."""
    return {k: name for k, name in _MEASURES.items() if any(known(row.get(k)) for row in rows)}


def part_of(study: Study, key: str) -> dict[str, Any]:
    return study.get(key) or {}


def known(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float)


def rows_with(rows: Sequence[Row] | None, *keys: str) -> list[Row]:
    """The rows in which all of these are numbers."""
    return [row for row in rows or () if all(known(row.get(key)) for key in keys)]


def interval_of(row: Row, key: str) -> Sequence[float]:
    """The 95 % interval of a figure; nothing where it is unknown."""
    bounds = part_of(row, "ci95").get(key) or ()
    return bounds if all(map(known, bounds)) else ()


def ceiling(ratings: Row) -> float | None:
    """Told in percent; here a fraction, as every other tau."""
    percent = ratings.get("human_ceiling")
    return percent / 100 if known(percent) else None


def constant_row(study: Study) -> Row:
    rows: Sequence[Row] = study.get("regressors") or ()
    return next((row for row in rows if row.get("name") == "constant"), {})


def competitors(study: Study) -> list[Row]:
    return [row for row in study.get("regressors") or () if row.get("name") != "constant"]


def chosen_row(study: Study) -> Row | None:
    """The row of the chosen regressor; the best of them where several bear its name."""
    rows = [row for row in competitors(study) if row.get("name") == study.get("chosen")]
    return min(filter(is_two_way, rows), key=by_split_and_error, default=None)


def is_two_way(row: Row) -> bool:
    return bool(row.get("split") == TWO_WAY)


def by_split_and_error(row: Row) -> tuple[bool, float]:
    error = row.get("rmse")
    return not is_two_way(row), error if known(error) else math.inf


def identity(row: Row) -> tuple[Any, ...]:
    return row.get("name"), row.get("features"), row.get("rows")


def usual_rows(study: Study) -> str:
    """What most regressors learned from: it need not be said of each."""
    return Counter(text_of(row, "rows") for row in competitors(study)).most_common(1)[0][0]


def text_of(row: Row, key: str) -> str:
    return str(row.get(key) or "")


def label_of(study: Study, row: Row, *parts: str) -> str:
    """The parts, and what the row learned from where most others did not."""
    learned = text_of(row, "rows")
    return " · ".join(filter(None, [*parts, learned if learned != usual_rows(study) else ""]))
