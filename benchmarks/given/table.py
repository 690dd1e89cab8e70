"""The table that `benchmarks.everyday` prints: each figure beside what it was and must reach."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple


class Aim(NamedTuple):
    """What a figure was, on photos that are kept elsewhere unless it says so, and must reach."""

    now: str
    must: str


_NONE = Aim("", "")
_CHANGE = Aim("", "<= 0.05")
AIMS = {
    "captions / reranked / recall@1": Aim("28.4 test", ">= 30.5 (31.5 high)"),
    "captions / reranked / recall@5": Aim("59.8 test", ">= 62 (63.5 high)"),
    "captions / reranked / recall@10": Aim("73.0 test", ">= 75 (76 high)"),
    "objects / name / prefilter / recall@1": Aim("51.8", ">= 80"),
    "objects / name / prefilter / recall@10": Aim("81.0", ">= 96"),
    "objects by relevance / pooled AP / share of mAP": Aim("61", ">= 88"),
    "things / mAP / prefilter": Aim("62.7", ">= 77"),
    "things / pooled AP / share of mAP": Aim("80", ">= 95"),
    "things / at 0.5 / right": Aim("81", ">= 90"),
    "things / at 0.5 / found": Aim("30", ">= 62"),
    "things / at 'fits' / right": Aim("", ">= 85"),
    "objects by relevance / at 'fits' / right": Aim("", ">= 85"),
    "coco / captions / prefilter / recall@5": Aim("81.0 of 159", ">= 84"),
    "coco / categories / prefilter": Aim("50.3 of 159", ">= 54"),
    "people / relevance / tau_c": Aim("53.2", ">= 53, aim 55"),
    "people / relevance / rmse": Aim("15.9", "<= 16.0, aim 15.0"),
    "people / relevance / tau_b": Aim("38.6", ">= 38, aim 40"),
    "false fits / a dog, examples + 150 objects / false": Aim("20 of 79", "<= 3"),
    "descriptions / first": Aim("12", ">= 17"),
    "descriptions / reach fits": Aim("7", ">= 17"),
    "robustness / all three / own pairs": _CHANGE,
    "robustness / all three / pairs from 0.2": _CHANGE,
    "robustness / all three / all pairs": _CHANGE,
    "robustness / eight orientations of the examples / change": Aim("0.08 spread", "<= 0.05"),
    "receipts / P@10, taught from 3 photos": Aim("0", ">= 90"),
    "nonsense / fitting": Aim("", "0"),
}
LONGEST = 24
"""Characters of a value in the table; what is longer is printed below."""
EACH = "each"
"""The key of results of single queries, which have tables of their own."""


def lines(figures: dict[str, Any]) -> list[str]:
    """The table of all figures, one of each set of single queries, and notes."""
    values = list(_rows(figures))
    notes = [f"{name}: {cells[0]}" for name, cells in values if len(cells[0]) > LONGEST]
    rows = [("measure", "value", "95 %", "n", "now", "must reach")]
    rows += [
        (name, *cells, *AIMS.get(name, _NONE)) for name, cells in values if len(cells[0]) <= LONGEST
    ]
    parts = [_aligned(rows), notes, *(_aligned(rows) for rows in _singles(figures))]
    return [line for part in parts if part for line in (*part, "")][:-1]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _rows(value: Any, name: str = "") -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Every figure in the nested results, by its path."""
    if isinstance(value, str):
        yield name, (value, "", "")
    elif isinstance(value, dict) and "value" in value and "n" in value:
        ends = value.get("ci95")
        between = f"{100 * ends[0]:.1f} .. {100 * ends[1]:.1f}" if ends else ""
        yield name, (_cell(value["value"], value.get("unit", "%")), between, f"{value['n']:,}")
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in (EACH, "best"):
                yield from _rows(inner, f"{name} / {key}" if name else key)


def _cell(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.1f}" if unit == "%" else f"{value:,g}" + (f" {unit}" if unit else "")


def _singles(figures: dict[str, Any]) -> Iterator[list[tuple[str, ...]]]:
    """The tables of single queries."""
    results = {name: part[EACH] for name, part in figures.items() if EACH in part}
    if "false fits" in results:
        yield [
            ("examples + all objects", "false fits", "right", "showing", "first false"),
            *(
                (
                    name,
                    f"{row['false']['value']}",
                    f"{row['right']}",
                    f"{row['showing']}",
                    ", ".join(row["false_photos"][:3]),
                )
                for name, row in results["false fits"].items()
            ),
        ]
    if "descriptions" in results:
        yield [
            ("description", "photo", "rank", "relevance"),
            *(
                (name, row["image"], f"{row['rank']}", f"{row['relevance']:.2f}")
                for name, row in results["descriptions"].items()
            ),
        ]
    if "typed" in results:
        yield [
            ("query", "best", "", "fitting", "concept"),
            *(
                (name, _number(row["best"]), row["words"], f"{row['fitting']}", _concept(row))
                for name, row in results["typed"].items()
            ),
        ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _concept(row: dict[str, Any]) -> str:
    missing = [f"no concept: {name}" for name in row["no_concept"]]
    return "; ".join([*missing, *(f"rare: {name}" for name in row["rare"])])
