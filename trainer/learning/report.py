"""The study as one HTML file to read, and as JSON for programs.

The page needs nothing but itself and runs no script. Its words stand in ``report.html`` beside this
file, its look in ``report.css``; whatever comes from the data (names, captions, words) is escaped.
The same study gives the same bytes.
"""

import json
import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from pixquery.db.quoting import quoted
from pixquery.trainer.learning import plots
from pixquery.trainer.learning.study import CONCATENATED, TWO_WAY

Study = Mapping[str, Any]
_Row = Mapping[str, Any]
_Content = dict[str, Any]
"""What the template makes a section of; empty where the study has nothing for it."""


def write_report(out: Path, study: Study) -> None:
    """Writes ``report.json`` and ``report.html``.

    Args:
        out: The folder to write to; it is made where it is missing.
        study: What was measured, as `train --json` prints it. Parts that are missing or null are
            left out of the page, or named in a sentence.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    plain = _plain(study)
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined,
        autoescape=True, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    html = templates.get_template("report.html").render(_page(_visible(plain)))
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(json.dumps(plain, indent=2) + "\n", "utf-8")
    (out / "report.html").write_text(html, "utf-8")


def _page(study: Study) -> dict[str, Any]:
    sections = (
        ("data", "The data", _data),
        ("ratings", "What people said", _ratings),
        ("agreement", "How far people agree", _agreement),
        ("splits", "Splits, and what leaks", _splits),
        ("regressors", "Regressors compared", _regressors),
        ("errors", "Where it errs", _errors),
        ("calibration", "Does 0.5 mean 0.5?", _calibration),
        ("worst", "The worst pairs", _worst),
        ("alignment", "The alignment", _alignment),
        ("reranking", "Before and after re-ranking", _reranking),
        ("use", "How to use the profile", _use),
    )
    return {
        **{key: study.get(key) for key in ("profile", "chosen", "deployed", "why", "seed")},
        "headline": list(_headline(study)),
        "sections": [(name, title, it) for name, title, build in sections if (it := build(study))],
    }


# -- what a section is made of ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    small: str = ""
    """Beneath it: an interval, or what a name stands for."""
    badge: str = ""


@dataclass(frozen=True, slots=True)
class _Line:
    """Of a table; the first cell is its name, all others are numbers."""

    cells: tuple[_Cell, ...]
    kind: str
    """``chosen``, ``reference``, ``aside`` (it decides nothing) or none of these."""


@dataclass(frozen=True, slots=True)
class _Fact:
    name: str
    value: str
    note: str = ""
    interval: str = ""


def _line(*cells: _Cell | str, kind: str = "") -> _Line:
    return _Line(tuple(_Cell(c) if isinstance(c, str) else c for c in cells), kind)


def _listed(rows: Sequence[_Row], **forms: str) -> list[_Line]:
    """Rows as they come, with the format of each column."""
    return [_line(*(_number(row.get(key), form) for key, form in forms.items())) for row in rows]


def _measured(rows: Sequence[_Row], name: str) -> _Content:
    """What was measured of each row, which ``name`` names."""
    measures = _measures(rows)
    lines = [_line(_text(row, name), *(_number(row.get(k)) for k in measures)) for row in rows]
    return {"columns": ["", *measures.values()], "lines": lines} if lines else {}


def _gain(name: str, before: Any, after: Any, bounds: Iterable[float] | None = None) -> _Line:
    gain = after - before if _known(before) and _known(after) else None
    small = _span(bounds or (), _SIGNED)
    return _line(name, _number(before), _number(after), _Cell(_number(gain, _SIGNED), small))


# -- data and judgements ----------------------------------------------------------------------


def _headline(study: Study) -> Iterator[_Fact]:
    best = _chosen(study)
    if best is None:
        return
    ratings, pairs = _part(study, "ratings"), _part(study, "pairs")
    floor, constant = ratings.get("noise_floor"), _constant(study).get("rmse")
    for key, name, references in (
        ("rmse", "RMSE", {"constant": constant, "noise floor": floor}),
        ("tau_c_expert", "Experts\u2019 τc", {"one expert": _ceiling(ratings)}),
        ("tau_b_crowd", "Crowd\u2019s τb", {}),
    ):
        if _known(best.get(key)):
            beside = [f"{what} {_number(v)}" for what, v in references.items() if _known(v)]
            yield _Fact(name, _number(best[key]), ", ".join(beside), _span(_interval(best, key)))
    if _known(pairs.get("expert")):
        crowd = pairs.get("crowd")
        more = f"and {_number(crowd, _COUNT)} that the crowd judged" if crowd else ""
        yield _Fact("Expert-judged pairs", _number(pairs["expert"], _COUNT), more)


def _data(study: Study) -> _Content:
    pairs, dropped = _part(study, "pairs"), _part(study, "dropped")
    if not pairs and not dropped:
        return {}
    words = [(word, n) for word, n in _part(dropped, "words").items() if _known(n)]
    words.sort(key=lambda item: (-item[1], item[0]))
    return {
        "lacks": _lacks(study),
        "counts": [
            _line(name, _number(pairs.get(key), _COUNT), _number(dropped.get(key), _COUNT))
            for key, name in (
                ("expert", "judged by experts"),
                ("crowd", "judged by the crowd"),
                ("both", "judged by both"),
                ("captions", "captions that alignments learn from"),
            )
            if pairs.get(key) or dropped.get(key)
        ],
        "stop_words": dropped.get("mode"),
        "words": [(word, _number(n, _COUNT)) for word, n in words],
        "cost": _measured(study.get("stop_words_cost") or (), "rows"),
    }


def _lacks(study: Study) -> str:
    """What a study of a user's own ratings does without, in words."""
    crowd = _part(study, "pairs").get("crowd") or _part(study, "ratings").get("crowd_shares")
    parts = {
        "no crowd": crowd,
        "no fitted alignment": study.get("alignment"),
        "no comparison of rankings": study.get("reranking"),
    }
    lacks = ", ".join(name for name, there in parts.items() if not there)
    return " and ".join(lacks.rsplit(", ", 1))


def _ratings(study: Study) -> _Content:
    ratings = _part(study, "ratings")
    grades = sorted((grade, n) for grade, n in _part(ratings, "grades").items() if _known(n))
    means, shares = ratings.get("expert_means"), ratings.get("crowd_shares") or ()
    if not grades and not means and not shares:
        return {}
    no_yes = sum(n for share, n in shares if share == 0) / max(1, sum(n for _, n in shares))
    return {
        "grades": plots.grades(grades) if grades else "",
        "means": plots.means(means) if means else "",
        "shares": plots.shares(shares) if shares else "",
        "no_yes": _number(no_yes, _PERCENT),
    }


_AGREEMENT = (
    ("alpha", "Krippendorff alpha", "1 is perfect agreement, 0 what chance would give"),
    ("icc_single", "ICC of one judge", "how much of a single grade is the pair, not the judge"),
    ("icc_mean", "ICC of the mean", "the same for the judges\u2019 mean, which is learned from"),
    ("noise_floor", "Noise floor", "RMSE of a perfect predictor; less would mean a leak"),
    ("human_ceiling", "Human ceiling", "τc of one expert against the mean of the others"),
)


def _agreement(study: Study) -> _Content:
    ratings = _part(study, "ratings")
    every = _part(ratings, "all_pairs")
    left, before = ({**part, "human_ceiling": _ceiling(part)} for part in (ratings, every))
    overlap = _with(ratings.get("overlap"), "expert", "yes", "mapped")
    content = {
        "facts": [
            _Fact(name, _number(left[key]), note)
            for key, name, note in _AGREEMENT
            if _known(left.get(key))
        ],
        "all_pairs": [
            _line(name, _number(left.get(key)), _number(before[key]))
            for key, name, _ in _AGREEMENT
            if _known(before.get(key))
        ],
        "plot": plots.overlap(overlap) if overlap else "",
        "overlap": _listed(overlap, expert=_SHORT, pairs=_COUNT, yes=_PERCENT, mapped=_SHORT),
        "aggregations": _measured(ratings.get("aggregations") or (), "name"),
    }
    return {**content, "crowd": ratings.get("crowd_shares")} if any(content.values()) else {}


# -- regressors -------------------------------------------------------------------------------


def _splits(study: Study) -> _Content:
    lines = []
    for row in study.get("splits") or ():
        decides = row.get("name") == TWO_WAY
        lines.append(
            _line(
                _Cell(_text(row, "name"), badge="decides" if decides else ""),
                *(_number(row.get(key), _COUNT) for key in ("folds", "training", "held_out")),
                *(_number(row.get(key), _PERCENT) for key in ("shared_photos", "shared_captions")),
                kind="chosen" if decides else "aside",
            )
        )
    return {"lines": lines} if lines else {}


def _regressors(study: Study) -> _Content:
    rows = _competitors(study)
    if not rows:
        return {}
    classic = [row for row in rows if row.get("features") == CONCATENATED]
    others = [row for row in rows if row.get("features") != CONCATENATED]
    return {
        "usual": _usual(study),
        "classic": _compared(classic, study) if classic else None,
        "others": _compared(sorted(others, key=_by_split_and_error), study) if others else None,
        "dots": list(_dots(study)),
        "by_photo": not all(map(_is_two_way, rows)),
    }


def _compared(rows: Sequence[_Row], study: Study) -> _Content:
    """Regressors, and beneath them what their figures are to be seen against."""
    ratings, constant, chosen = _part(study, "ratings"), _constant(study), _chosen(study)
    measures = _measures([*rows, constant])
    alike = Counter(_identity(row) for row in rows)
    mixed = len({row.get("features") for row in rows}) > 1

    def figures(row: _Row) -> Iterator[_Cell | str]:
        for key in measures:
            yield _Cell(_number(row[key]), _span(_interval(row, key))) if key in row else ""

    def line(row: _Row) -> _Line:
        split = "" if _is_two_way(row) and alike[_identity(row)] == 1 else _text(row, "split")
        small = _label(study, row, split, _text(row, "features") if mixed else "")
        badge = "chosen" if row is chosen else ""
        kind = badge if _is_two_way(row) else "aside"
        return _line(_Cell(_text(row, "name"), small, badge), *figures(row), kind=kind)

    references = {
        "constant predictor": constant,
        "noise floor": {"rmse": ratings.get("noise_floor")},
        "human ceiling": {"tau_c_expert": _ceiling(ratings)},
    }
    lines = [line(row) for row in rows]
    lines += [
        _line(name, *figures(row), kind="reference")
        for name, row in references.items()
        if any(_known(row.get(key)) for key in measures)
    ]
    return {"columns": ["regressor", *measures.values()], "lines": lines}


def _dots(study: Study) -> Iterator[tuple[str, str, str]]:
    """A plot for each measure that decides, with the measure's name and its better end."""
    rows = sorted(filter(_is_two_way, _competitors(study)), key=_by_split_and_error)
    by_photo = {_identity(row): row for row in _competitors(study) if not _is_two_way(row)}
    ratings, chosen = _part(study, "ratings"), _chosen(study)
    floor, constant = ratings.get("noise_floor"), _constant(study).get("rmse")
    for key, measure, better, references in (
        ("rmse", "RMSE", "lower", {"noise floor": floor, "constant": constant}),
        ("tau_c_expert", "experts τc", "higher", {"human ceiling": _ceiling(ratings)}),
        ("tau_b_crowd", "crowd τb", "higher", {}),
    ):
        dots = [
            plots.Dot(
                label=_label(study, row, _text(row, "name"), _text(row, "features")),
                value=row[key],
                interval=_interval(row, key),
                by_photo=by_photo.get(_identity(row), {}).get(key),
                chosen=row is chosen,
            )
            for row in _with(rows, key)
        ]
        if dots:
            known = [(what, value) for what, value in references.items() if _known(value)]
            yield plots.dots(key, measure, dots, known), measure, better


def _errors(study: Study) -> _Content:
    rows = _with(study.get("errors"), "grade", "rmse", "bias")
    lines = _listed(rows, grade=_SHORT, pairs=_COUNT, rmse=_PLAIN, bias=_SIGNED)
    return {"plot": plots.errors(rows), "lines": lines} if rows else {}


def _calibration(study: Study) -> _Content:
    rows = _with(study.get("calibration"), "predicted", "judged", "pairs")
    lines = _listed(rows, predicted=_SHORT, judged=_SHORT, pairs=_COUNT)
    return {"plot": plots.calibration(rows), "lines": lines} if rows else {}


def _worst(study: Study) -> _Content:
    keys = ("judged", "predicted")
    pairs = [
        {
            "text": _text(row, "text"),
            "image": _text(row, "image"),
            "said": [_number(row[key], _SHORT) for key in keys],
            "places": [round(100 * min(1.0, max(0.0, row[key])), 1) for key in keys],
        }
        for row in _with(study.get("worst"), *keys)
    ]
    return {"pairs": pairs} if pairs else {}


# -- rankings ---------------------------------------------------------------------------------


def _alignment(study: Study) -> _Content:
    found = _part(study, "alignment")
    before, after = _part(found, "before"), _part(found, "after")
    recalls = [name for name in after if before and name.startswith("recall")]
    curves = []
    for name in ("loss", "recall@10"):
        points = [(row["step"], row[name]) for row in _with(found.get("curve"), "step", name)]
        if len(points) > 1:
            curves.append((plots.curve(name, points), name.capitalize()))
    return found and {
        "split": found.get("split"),
        "gains": [_gain(name, before.get(name), after[name]) for name in recalls],
        "facts": [_Fact(name, _number(value)) for name, value in after.items()],
        "curves": curves,
    }


def _reranking(study: Study) -> _Content:
    found = _part(study, "reranking")
    if not found.get("first_stage") or not found.get("reranked"):
        return {}
    gains = []
    for part, of in ((found, ""), (_part(found, "rated"), ", rated candidates")):
        first, second, bounds = (_part(part, k) for k in ("first_stage", "reranked", "gain_ci95"))
        gains += [
            _gain(name + of, first[name], second.get(name), bounds.get(name)) for name in first
        ]
    queries = found.get("queries")
    return {"queries": _number(queries, _COUNT) if queries else "", "gains": gains}


def _use(study: Study) -> _Content:
    out = study.get("out")
    return {"folder": quoted(out)} if out else {}


# -- reading a study --------------------------------------------------------------------------

_MEASURES = {
    "rmse": "RMSE", "mae": "MAE", "spearman": "Spearman",
    "tau_c_expert": "experts τc", "tau_b_crowd": "crowd τb", "tau_c": "τc",
}  # fmt: skip


def _measures(rows: Sequence[_Row]) -> dict[str, str]:
    """The measures known of at least one row, with their names."""
    return {k: name for k, name in _MEASURES.items() if any(_known(row.get(k)) for row in rows)}


def _part(study: Study, key: str) -> dict[str, Any]:
    return study.get(key) or {}


def _known(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float)


def _with(rows: Sequence[_Row] | None, *keys: str) -> list[_Row]:
    """The rows in which all of these are numbers."""
    return [row for row in rows or () if all(_known(row.get(key)) for key in keys)]


def _interval(row: _Row, key: str) -> Sequence[float]:
    """The 95 % interval of a figure; nothing where it is unknown."""
    bounds = _part(row, "ci95").get(key) or ()
    return bounds if all(map(_known, bounds)) else ()


def _ceiling(ratings: _Row) -> float | None:
    """Told in percent; here a fraction, as every other tau."""
    percent = ratings.get("human_ceiling")
    return percent / 100 if _known(percent) else None


def _constant(study: Study) -> _Row:
    rows: Sequence[_Row] = study.get("regressors") or ()
    return next((row for row in rows if row.get("name") == "constant"), {})


def _competitors(study: Study) -> list[_Row]:
    return [row for row in study.get("regressors") or () if row.get("name") != "constant"]


def _chosen(study: Study) -> _Row | None:
    """The row of the chosen regressor; the best of them where several bear its name."""
    rows = [row for row in _competitors(study) if row.get("name") == study.get("chosen")]
    return min(filter(_is_two_way, rows), key=_by_split_and_error, default=None)


def _is_two_way(row: _Row) -> bool:
    return bool(row.get("split") == TWO_WAY)


def _by_split_and_error(row: _Row) -> tuple[bool, float]:
    error = row.get("rmse")
    return not _is_two_way(row), error if _known(error) else math.inf


def _identity(row: _Row) -> tuple[Any, ...]:
    return row.get("name"), row.get("features"), row.get("rows")


def _usual(study: Study) -> str:
    """What most regressors learned from: it need not be said of each."""
    return Counter(_text(row, "rows") for row in _competitors(study)).most_common(1)[0][0]


# -- words and numbers ------------------------------------------------------------------------

_PLAIN, _SIGNED, _SHORT, _COUNT, _PERCENT = ".3f", "+.3f", ".2f", ",.0f", ".1%"


def _number(value: Any, form: str = _PLAIN) -> str:
    if not _known(value):
        return "\u2013"
    return f"{value:{form}}".replace("-", "\u2212").replace("%", " %")


def _span(bounds: Iterable[Any], form: str = _PLAIN) -> str:
    return " to ".join(_number(end, form) for end in bounds)


def _text(row: _Row, key: str) -> str:
    return str(row.get(key) or "")


def _label(study: Study, row: _Row, *parts: str) -> str:
    """The parts, and what the row learned from where most others did not."""
    learned = _text(row, "rows")
    return " · ".join(filter(None, [*parts, learned if learned != _usual(study) else ""]))


def _plain(value: Any) -> Any:
    """What JSON knows: no NumPy, no paths, and null for what is not a number."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def _visible(value: Any) -> Any:
    """The same with texts that can stand in a page: stray bytes and controls as escapes."""
    if isinstance(value, dict):
        return {_visible(key): _visible(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_visible(inner) for inner in value]
    if not isinstance(value, str):
        return value
    valid = value.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c.encode("unicode_escape").decode() if _odd(c) else c for c in valid)


def _odd(character: str) -> bool:
    """Controls, characters that are none, and those that turn the direction of text around."""
    kind = unicodedata.category(character)
    turning = unicodedata.bidirectional(character) in _TURNING
    return kind == "Cc" or turning or ord(character) & 0xFFFE == 0xFFFE


_TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
