"""The study as one HTML file to read, and as JSON for programs.

The page needs nothing but itself: its plots are SVG that takes the page's colours, so that they
read in light, in dark and on paper, and it runs no script. Whatever comes from the data (names,
captions, words) is escaped. The same study gives the same bytes.
"""

import io
import json
import math
import re
import shlex
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

if TYPE_CHECKING:  # both come with the extra `train`, and take their time to load
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Study = Mapping[str, Any]
_Row = Mapping[str, Any]

TWO_WAY = "two-way"
"""The split that decides, by its name in the study."""
CONCATENATED = "concatenated"
"""The features of the classic recipe."""


def write_report(out: Path, study: Study) -> None:
    """Writes ``report.json`` and ``report.html``.

    Args:
        out: The folder to write to; it is made where it is missing.
        study: What was measured, as `train --json` prints it. Parts that are missing or null are
            left out of the page, or named in a sentence.
    """
    from jinja2 import Environment, StrictUndefined

    plain = _plain(study)
    page = _page(_visible(plain))
    templates = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    templates.filters["curly"] = _curly
    html = templates.from_string(_TEMPLATE).render(page=page, style=_STYLE)
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(json.dumps(plain, indent=2) + "\n", "utf-8")
    (out / "report.html").write_text(html + "\n", "utf-8")


# -- what a page is made of -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    small: str = ""
    """Beneath it: an interval, or what a name stands for."""
    badge: str = ""


@dataclass(frozen=True, slots=True)
class _Line:
    cells: tuple[_Cell, ...]
    kind: str = ""
    """``chosen``, ``reference`` or ``aside`` (a row that decides nothing)."""


@dataclass(frozen=True, slots=True)
class _Table:
    caption: str
    columns: tuple[str, ...]
    """The first one names the rows; all others hold numbers."""
    lines: tuple[_Line, ...]
    kind: str = "table"


@dataclass(frozen=True, slots=True)
class _Plot:
    svg: str
    """Markup, whose texts are escaped."""
    caption: str


@dataclass(frozen=True, slots=True)
class _Plots:
    plots: tuple[_Plot, ...]
    kind: str = "plots"


@dataclass(frozen=True, slots=True)
class _Beside:
    """A plot and the figures it was drawn from."""

    plot: _Plot
    table: _Table
    kind: str = "beside"


@dataclass(frozen=True, slots=True)
class _Prose:
    text: str
    kind: str = "prose"


@dataclass(frozen=True, slots=True)
class _Fact:
    name: str
    value: str
    note: str
    small: str = ""


@dataclass(frozen=True, slots=True)
class _Facts:
    facts: tuple[_Fact, ...]
    kind: str = "facts"


@dataclass(frozen=True, slots=True)
class _Words:
    caption: str
    words: tuple[tuple[str, str], ...]
    """Each with its count."""
    kind: str = "words"


@dataclass(frozen=True, slots=True)
class _Pair:
    text: str
    image: str
    judged: str
    predicted: str
    places: tuple[float, float]
    """Of both on the scale, in percent."""

    @property
    def apart(self) -> float:
        """Percent of the scale."""
        return round(abs(self.places[0] - self.places[1]), 1)


@dataclass(frozen=True, slots=True)
class _Pairs:
    pairs: tuple[_Pair, ...]
    kind: str = "pairs"


@dataclass(frozen=True, slots=True)
class _Commands:
    lines: tuple[str, ...]
    kind: str = "commands"


_Block = _Table | _Plots | _Beside | _Prose | _Facts | _Words | _Pairs | _Commands


@dataclass(frozen=True, slots=True)
class _Section:
    id: str
    title: str
    blocks: tuple[_Block, ...]


@dataclass(frozen=True, slots=True)
class _Page:
    title: str
    verdict: str
    why: str
    facts: tuple[_Fact, ...]
    sections: tuple[_Section, ...]
    colophon: str


def _page(study: Study) -> _Page:
    sections = [
        _Section(id_, title, blocks)
        for id_, title, build in (
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
        if (blocks := tuple(build(study)))
    ]
    profile = study.get("profile")
    seed = study.get("seed")
    return _Page(
        title=f"Relevance study of {profile}" if profile else "Relevance study",
        verdict=_verdict(study),
        why=_sentence(study.get("why") or ""),
        facts=tuple(_headline(study)),
        sections=tuple(sections),
        colophon="Every figure of this page stands in report.json beside it."
        + (
            f" Seed {seed}: on one machine, the same data and seed give the same figures."
            if _known(seed)
            else ""
        ),
    )


def _verdict(study: Study) -> str:
    chosen = study.get("chosen")
    if not chosen:
        return "No regressor was chosen."
    if study.get("deployed"):
        return f"“{chosen}” won, and it is deployed."
    return f"“{chosen}” won, but it is not deployed: queries rank by similarity."


def _headline(study: Study) -> Iterable[_Fact]:
    best = _chosen(study)
    if best is None:
        return
    floor, ceiling = _part(study, "ratings", "noise_floor"), _ceiling(study)
    constant = next((row for row in _two_way(study) if _is_constant(row)), {})
    notes = {
        "rmse": [("constant", constant.get("rmse")), ("noise floor", floor)],
        "tau_c_expert": [("one expert", ceiling)],
        "tau_b_crowd": [],
    }
    names = {
        "rmse": "RMSE",
        "tau_c_expert": "Experts' τc",
        "tau_b_crowd": "Crowd's τb",
    }
    for key, name in names.items():
        if _known(best.get(key)):
            beside = ", ".join(f"{what} {_number(v)}" for what, v in notes[key] if _known(v))
            yield _Fact(name, _number(best[key]), beside, _interval(best, key))
    experts, crowd = (_part(study, "pairs", who) for who in ("expert", "crowd"))
    if _known(experts):
        more = f"and {_count(crowd)} that the crowd judged" if crowd else ""
        yield _Fact("Expert-judged pairs", _count(experts), more)


# -- sections ---------------------------------------------------------------------------------


def _data(study: Study) -> Iterable[_Block]:
    pairs, dropped = study.get("pairs") or {}, study.get("dropped") or {}
    if not pairs and not dropped:
        return
    yield _Prose(
        "People saw a photo with a text and said how well the text describes the photo. "
        + _absent(study)
    )
    counts = [
        _line(name, _count(pairs.get(key)), _count(dropped.get(key)))
        for key, name in (
            ("expert", "judged by experts"),
            ("crowd", "judged by the crowd"),
            ("both", "judged by both"),
        )
        if pairs.get(key)
    ]
    if dropped.get("captions"):
        counts.append(
            _line("captions that alignments learn from", _NONE, _count(dropped["captions"]))
        )
    if counts:
        yield _Table("Pairs of a photo and a text", ("", "in the study", "left out"), tuple(counts))
    mode = dropped.get("mode")
    if mode:
        yield _Prose(_STOP_WORDS.get(mode, f"Stop words: {mode}."))
    counted = [item for item in (dropped.get("words") or {}).items() if _known(item[1])]
    words = sorted(counted, key=lambda item: (-item[1], item[0]))
    if words:
        yield _Words(
            "Stop words found, and in how many texts",
            tuple((word, _count(count)) for word, count in words),
        )
    cost = study.get("stop_words_cost") or ()
    if cost:
        yield _figures("What the stop words cost", cost, lambda row: str(row.get("rows", "")))


_STOP_WORDS = {
    "pairs": "Texts with a stop word were left out of the rated pairs, but stayed among the "
    "captions that alignments learn from.",
    "all": "Texts with a stop word were left out of the rated pairs and of the captions that "
    "alignments learn from.",
    "off": "No text was left out for its words.",
}


def _absent(study: Study) -> str:
    parts = [
        name
        for name, there in (
            ("no crowd", _part(study, "pairs", "crowd") or _part(study, "ratings", "crowd_shares")),
            ("no fitted alignment", study.get("alignment")),
            ("no comparison of rankings", study.get("reranking")),
        )
        if not there
    ]
    return f"This study has {_listed(parts)}." if parts else ""


def _ratings(study: Study) -> Iterable[_Block]:
    ratings = study.get("ratings") or {}
    means, crowd = (
        [level for level in ratings.get(key) or () if all(map(_known, level))]
        for key in ("expert_means", "crowd_shares")
    )
    items = sorted((k, v) for k, v in (ratings.get("grades") or {}).items() if _known(v))
    plots = []
    if items:
        plots.append(
            _plot(
                "grades",
                f"Bar chart: how often experts gave each grade. {_told(items)}.",
                "Every single grade, from 1 (does not describe the photo at all) to 4 "
                "(describes it).",
                lambda axes: _bars(axes, [k for k, _ in items], [v for _, v in items], "grade"),
            )
        )
    if means:
        plots.append(
            _plot(
                "means",
                f"Bar chart: how many pairs have each mean judgement. {_told(means)}.",
                "The judgement of a pair: its grades' mean, from 0 to 1.",
                lambda axes: _stems(axes, means, "judgement"),
            )
        )
    if crowd:
        total = max(1, sum(count for _, count in crowd))
        none = sum(count for share, count in crowd if share == 0)
        plots.append(
            _plot(
                "shares",
                f"Bar chart, logarithmic: the crowd's shares of yes. {_told(crowd)}.",
                f"The crowd's shares of “yes”, on a logarithmic scale: {_percent(none / total)} of "
                "the pairs have none.",
                lambda axes: _stems(axes, crowd, "share of yes", log=True),
            )
        )
    if plots:
        yield _Plots(tuple(plots))


_AGREEMENT = (
    ("alpha", "Krippendorff alpha", "1 is perfect agreement, 0 what chance would give"),
    ("icc_single", "ICC of one judge", "how much of a single grade is the pair, not the judge"),
    ("icc_mean", "ICC of the mean", "the same for the judges' mean, which is learned from"),
    ("noise_floor", "Noise floor", "RMSE of a perfect predictor; less would mean a leak"),
    ("human_ceiling", "Human ceiling", "τc of one expert against the mean of the others"),
)


def _agreement(study: Study) -> Iterable[_Block]:
    ratings = dict(study.get("ratings") or {})
    ratings["human_ceiling"] = _ceiling(study)
    facts = tuple(
        _Fact(name, _number(ratings[key]), note)
        for key, name, note in _AGREEMENT
        if _known(ratings.get(key))
    )
    if facts:
        yield _Facts(facts)
    whole = ratings.get("all_pairs") or {}
    if whole:
        yield _Table(
            "Agreement on the pairs left, and on all pairs before stop words",
            ("", "pairs left", "all pairs"),
            tuple(
                _line(name, _number(ratings.get(key)), _number(_fraction(whole.get(key), key)))
                for key, name, _ in _AGREEMENT
                if _known(whole.get(key))
            ),
        )
    aggregations = ratings.get("aggregations") or ()
    if aggregations:
        yield _figures(
            "Ways to make one judgement of several, against every single grade",
            aggregations,
            lambda row: str(row.get("name", "")),
        )
    overlap = _with(ratings.get("overlap"), "expert", "yes", "mapped")
    if overlap:
        yield _Prose(
            "The crowd is stricter than the experts: a share of “yes” is no grade. It is mapped "
            "onto the experts' scale by a curve that only rises, fitted where both judged."
        )
        yield _Beside(
            _plot(
                "overlap",
                "Line chart: the crowd's share of yes and its mapped value at each judgement of "
                "the experts. "
                + _told(
                    (row["expert"], f"{row['yes']:.2f} to {row['mapped']:.2f}") for row in overlap
                )
                + ".",
                "Hollow: the crowd's share of “yes”. Filled: what it is mapped to. Dotted: perfect "
                "agreement.",
                lambda axes: _overlap(axes, overlap),
                size=(400, 330),
            ),
            _listing(
                "Pairs that both judged",
                overlap,
                ("experts", "expert", _two),
                ("pairs", "pairs", _count),
                ("yes", "yes", _percent),
                ("mapped", "mapped", _two),
            ),
        )
    elif facts and not ratings.get("crowd_shares"):
        yield _Prose("No crowd judged these pairs.")


def _splits(study: Study) -> Iterable[_Block]:
    splits = study.get("splits") or ()
    if not splits:
        return
    yield _Prose(
        "A predictor that has seen a held-out pair's caption with another photo can remember "
        "instead of judge. The two-way split holds out photos and captions, in both roles; the "
        "split by photo alone, which is often used, stands beside it to show what that is worth. "
        "Only the two-way split decides."
    )
    yield _Table(
        "What the held-out pairs share with training",
        ("split", "folds", "training pairs", "held-out pairs", "photos seen", "captions seen"),
        tuple(
            _Line(
                (
                    _Cell(str(row.get("name", "")), badge="decides" if _decides(row) else ""),
                    _Cell(_count(row.get("folds"))),
                    _Cell(_count(row.get("training"))),
                    _Cell(_count(row.get("held_out"))),
                    _Cell(_percent(row.get("shared_photos"))),
                    _Cell(_percent(row.get("shared_captions"))),
                ),
                "chosen" if _decides(row) else "aside",
            )
            for row in splits
        ),
    )


def _decides(split: _Row) -> bool:
    return split.get("name") == TWO_WAY


_MEASURES = (
    ("rmse", "RMSE"),
    ("mae", "MAE"),
    ("spearman", "Spearman"),
    ("tau_c_expert", "experts τc"),
    ("tau_b_crowd", "crowd τb"),
    ("tau_c", "τc"),
)


def _regressors(study: Study) -> Iterable[_Block]:
    rows = [row for row in study.get("regressors") or () if not _is_constant(row)]
    if not rows:
        return
    yield _Prose(
        "RMSE and MAE say how far predictions lie from judgements on the scale from 0 to 1: lower "
        "is better. Spearman's rho and Kendall's tau say how well predictions order pairs as "
        "people do: higher is better. Each figure has its 95 % interval, from a bootstrap over "
        "photos."
    )
    usual = _usual_rows(rows)
    learned = f" and learned from {usual}" if usual else ""
    yield _Prose(
        f"Unless its row says otherwise, a regressor was measured on two-way folds{learned}. Grey "
        "rows are of the split by photo and decide nothing."
    )
    classic = [row for row in rows if row.get("features") == CONCATENATED]
    others = [row for row in rows if row.get("features") != CONCATENATED]
    if classic:
        yield _Prose(
            "The classic recipe lays the vector of the photo and that of the text side by side and "
            "leaves the rest to the regressor. By photo it looks fair; on captions that training "
            "has not seen, either way, it shows its worth."
        )
        yield _compared("The classic recipe: concatenated features", classic, study, usual)
    if others:
        caption = "All others" if classic else "On held-out pairs"
        yield _compared(caption, sorted(others, key=_by_split_and_error), study, usual)
    plots = tuple(_dot_plots(study))
    if plots:
        yield _Plots(plots)


def _compared(caption: str, rows: Sequence[_Row], study: Study, usual: str) -> _Table:
    chosen = _chosen(study)
    constants = [row for row in _two_way(study) if _is_constant(row)]
    measures = _measured([*rows, *constants])
    both = Counter(_identity(row) for row in rows)
    features = len({row.get("features") for row in rows}) > 1

    def line(name: _Cell, values: _Row, kind: str) -> _Line:
        figures = (
            _Cell(_number(values[key]), _interval(values, key)) if key in values else _Cell("")
            for key, _ in measures
        )
        return _Line((name, *figures), kind)

    lines = [
        line(
            _Cell(
                str(row.get("name", "")),
                _listed_parts(
                    row.get("split")
                    if row.get("split") != TWO_WAY or both[_identity(row)] > 1
                    else "",
                    row.get("features") if features else "",
                    _unusual_rows(row, usual),
                ),
                "chosen" if row is chosen else "",
            ),
            row,
            "chosen" if row is chosen else "" if row.get("split") == TWO_WAY else "aside",
        )
        for row in rows
    ]
    lines += [line(_Cell("constant predictor"), row, "reference") for row in constants[:1]]
    lines += [
        line(_Cell(name), {key: value}, "reference")
        for name, key, value in (
            ("noise floor", "rmse", _part(study, "ratings", "noise_floor")),
            ("human ceiling", "tau_c_expert", _ceiling(study)),
        )
        if _known(value) and key in dict(measures)
    ]
    return _Table(caption, ("regressor", *(name for _, name in measures)), tuple(lines))


def _by_split_and_error(row: _Row) -> tuple[bool, float]:
    error = row.get("rmse")
    return row.get("split") != TWO_WAY, float(error) if _known(error) else math.inf


def _dot_plots(study: Study) -> Iterable[_Plot]:
    rows = sorted(
        (row for row in _two_way(study) if not _is_constant(row)), key=_by_split_and_error
    )
    by_photo = {
        _identity(row): row
        for row in study.get("regressors") or ()
        if row.get("split") != TWO_WAY and not _is_constant(row)
    }
    usual = _usual_rows(rows) if rows else ""
    constant = next((row for row in _two_way(study) if _is_constant(row)), {})
    chosen = _chosen(study)
    for key, name, better, references in (
        (
            "rmse",
            "RMSE",
            "lower",
            [
                ("noise floor", _part(study, "ratings", "noise_floor")),
                ("constant", constant.get("rmse")),
            ],
        ),
        ("tau_c_expert", "experts τc", "higher", [("human ceiling", _ceiling(study))]),
        ("tau_b_crowd", "crowd τb", "higher", []),
    ):
        shown = [row for row in rows if _known(row.get(key))]
        if not shown:
            continue
        labels = [
            _listed_parts(row.get("name"), row.get("features"), _unusual_rows(row, usual))
            for row in shown
        ]
        told = _told((label, f"{row[key]:.3f}") for label, row in zip(labels, shown, strict=True))
        beside = " Hollow: split by photo." if by_photo else ""
        yield _plot(
            f"dots-{key}",
            f"Dot plot of {name} on two-way folds, best first by RMSE. {told}.",
            f"{name}, {better} is better. Filled: two-way folds, with the 95 % interval.{beside}",
            lambda axes, key=key, shown=shown, labels=labels, references=references: _dots(  # type: ignore[misc]
                axes,
                [
                    _Dot(label, row, by_photo.get(_identity(row), {}), row is chosen)
                    for label, row in zip(labels, shown, strict=True)
                ],
                key,
                [(what, value) for what, value in references if _known(value)],
            ),
            size=(340, 60 + 36 * len(shown)),
        )


def _errors(study: Study) -> Iterable[_Block]:
    errors = _with(study.get("errors"), "grade", "rmse", "bias")
    if not errors:
        return
    yield _Prose(
        "The chosen regressor's errors on held-out pairs, by what people judged. A bias above 0 "
        "means that it was too kind, below 0 too strict; some pull to the middle is the price of "
        "a small RMSE."
    )
    yield _Beside(
        _plot(
            "errors",
            "Line chart: RMSE and bias at each judgement. "
            + _told(
                (f"{row['grade']:.2f}", f"RMSE {row['rmse']:.2f}, bias {row['bias']:+.2f}")
                for row in errors
            )
            + ".",
            "Hollow: RMSE. Filled: bias.",
            lambda axes: _levels(axes, errors),
            size=(400, 300),
        ),
        _listing(
            "Errors per level of the judgement",
            errors,
            ("judged", "grade", _two),
            ("pairs", "pairs", _count),
            ("RMSE", "rmse", _number),
            ("bias", "bias", _signed),
        ),
    )


def _calibration(study: Study) -> Iterable[_Block]:
    bins = _with(study.get("calibration"), "predicted", "judged", "pairs")
    if not bins:
        return
    yield _Prose(
        "Held-out pairs in order of the predicted relevance, bin by bin: on the diagonal, people "
        "judged on average what was predicted, and a threshold such as 0.5 means what it says."
    )
    yield _Beside(
        _plot(
            "calibration",
            "Reliability diagram: mean judgement by predicted relevance. "
            + _told((f"{row['predicted']:.2f}", f"{row['judged']:.2f}") for row in bins)
            + ".",
            "The larger a dot, the more pairs. Dotted: perfect calibration.",
            lambda axes: _reliability(axes, bins),
            size=(400, 330),
        ),
        _listing(
            "Reliability",
            bins,
            ("predicted", "predicted", _two),
            ("judged", "judged", _two),
            ("pairs", "pairs", _count),
        ),
    )


def _worst(study: Study) -> Iterable[_Block]:
    worst = _with(study.get("worst"), "judged", "predicted")
    if not worst:
        return
    yield _Prose(
        "Held-out pairs whose prediction (filled) lies farthest from what people judged (hollow)."
    )
    yield _Pairs(
        tuple(
            _Pair(
                text=str(row.get("text") or ""),
                image=str(row.get("image") or ""),
                judged=_number(row["judged"], 2),
                predicted=_number(row["predicted"], 2),
                places=(_place(row["judged"]), _place(row["predicted"])),
            )
            for row in worst
        )
    )


def _alignment(study: Study) -> Iterable[_Block]:
    found = study.get("alignment") or {}
    if not found:
        return
    split = found.get("split")
    yield _Prose(
        "The alignment maps photos and texts into one space, where a text's own photo should be "
        "its nearest. Recall@k is the share of texts whose photo is among the first k"
        + (f", measured on the split “{split}”, which nothing was learned from." if split else ".")
    )
    before, after = found.get("before") or {}, found.get("after") or {}
    names = ("recall@1", "recall@5", "recall@10")
    after = after or {name: found[name] for name in names if _known(found.get(name))}
    if before and after:
        yield _Table(
            "Recall before and after",
            ("", "before", "after", "gain"),
            tuple(
                _line(
                    name,
                    _number(before.get(name)),
                    _number(after.get(name)),
                    _gain(before, after, name),
                )
                for name in names
            ),
        )
    elif after:
        yield _Facts(tuple(_Fact(name, _number(after[name]), "") for name in after))
    curve = found.get("curve") or ()
    plots = []
    for key, name in (("loss", "loss"), ("recall@10", "recall@10")):
        points = [(row["step"], row[key]) for row in _with(curve, "step", key)]
        if len(points) > 1:
            first, last = points[0], points[-1]
            plots.append(
                _plot(
                    f"curve-{key}",
                    f"Line chart: {name} while the alignment learned, from {first[1]:.3f} at step "
                    f"{first[0]:g} to {last[1]:.3f} at step {last[0]:g}.",
                    f"{name.capitalize()} while the alignment learned.",
                    lambda axes, points=points, name=name: _curve(  # type: ignore[misc]
                        axes, points, name
                    ),
                    size=(400, 250),
                )
            )
    if plots:
        yield _Plots(tuple(plots))


def _reranking(study: Study) -> Iterable[_Block]:
    found = study.get("reranking") or {}
    first, reranked = found.get("first_stage") or {}, found.get("reranked") or {}
    if not first or not reranked:
        return
    queries = found.get("queries")
    yield _Prose(
        "The first stage finds candidates by similarity alone; re-ranking orders them by the "
        "predicted relevance"
        + (f". Measured on {_count(queries)} queries" if queries else "")
        + ". A gain whose interval lies above 0 is no accident."
    )
    bounds = found.get("gain_ci95") or {}
    rated = found.get("rated") or {}
    parts = [(name, first, reranked, bounds.get(name)) for name in first]
    over = rated.get("first_stage") or {}
    parts += [
        (f"{name}, rated candidates", {f"{name}, rated candidates": over[name]},
         {f"{name}, rated candidates": (rated.get("reranked") or {}).get(name)},
         (rated.get("gain_ci95") or {}).get(name))
        for name in over
    ]  # fmt: skip
    yield _Table(
        "First stage and re-ranked",
        ("", "first stage", "re-ranked", "gain"),
        tuple(
            _Line(
                (
                    _Cell(name),
                    _Cell(_number(one.get(name))),
                    _Cell(_number(two.get(name))),
                    _Cell(_gain(one, two, name), _span(span, signed=True)),
                )
            )
            for name, one, two, span in parts
        ),
    )


def _use(study: Study) -> Iterable[_Block]:
    out = study.get("out")
    if not out:
        return
    folder = shlex.quote(str(out))
    yield _Prose(
        "Make a library with the profile, then ask it. Relevance is on the scale of the "
        "judgements, so that a threshold leaves out what people would call a poor match."
        if study.get("deployed")
        else "Make a library with the profile, then ask it. No regressor is deployed, so that "
        "queries rank by similarity."
    )
    yield _Commands(
        (
            f"pixquery index ~/Pictures --profile {folder} --library my-library",
            'pixquery query "man on bicycle" --library my-library --min-relevance 0.5'
            if study.get("deployed")
            else 'pixquery query "man on bicycle" --library my-library',
        )
    )


# -- reading a study --------------------------------------------------------------------------


def _part(study: Study, *keys: str) -> Any:
    found: Any = study
    for key in keys:
        found = (found or {}).get(key)
    return found


def _known(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)


def _with(rows: Sequence[_Row] | None, *keys: str) -> list[_Row]:
    """The rows in which all of these are numbers."""
    return [row for row in rows or () if all(_known(row.get(key)) for key in keys)]


def _ceiling(study: Study) -> float | None:
    return _fraction(_part(study, "ratings", "human_ceiling"), "human_ceiling")


def _fraction(value: Any, key: str) -> float | None:
    """The value; the human ceiling, told in percent, as a fraction like every other tau."""
    if not _known(value):
        return None
    return value / 100 if key == "human_ceiling" and value > 1 else value


def _is_constant(row: _Row) -> bool:
    return str(row.get("name", "")).startswith("constant")


def _two_way(study: Study) -> list[_Row]:
    return [row for row in study.get("regressors") or () if row.get("split", TWO_WAY) == TWO_WAY]


def _chosen(study: Study) -> _Row | None:
    """The row of the chosen regressor; the best of them where several bear its name."""
    chosen = study.get("chosen")
    named = [row for row in _two_way(study) if chosen and row.get("name") == chosen]
    return min(named, key=_by_split_and_error, default=None)


def _identity(row: _Row) -> tuple[Any, ...]:
    return row.get("name"), row.get("features"), row.get("rows")


def _usual_rows(rows: Sequence[_Row]) -> str:
    """What most regressors learned from: it need not be said of each."""
    return str(Counter(row.get("rows") or "" for row in rows).most_common(1)[0][0])


def _unusual_rows(row: _Row, usual: str) -> str:
    learned = str(row.get("rows") or "")
    return learned if learned != usual else ""


def _listed_parts(*parts: Any) -> str:
    return " · ".join(str(part) for part in parts if part)


def _measured(rows: Sequence[_Row]) -> list[tuple[str, str]]:
    return [(key, name) for key, name in _MEASURES if any(_known(row.get(key)) for row in rows)]


def _listing(
    caption: str, rows: Sequence[_Row], *columns: tuple[str, str, Callable[[Any], str]]
) -> _Table:
    """Rows as they come; columns are their titles, keys and how to show a value."""
    return _Table(
        caption,
        tuple(title for title, _, _ in columns),
        tuple(_line(*(show(row.get(key)) for _, key, show in columns)) for row in rows),
    )


def _figures(caption: str, rows: Sequence[_Row], name: Callable[[_Row], str]) -> _Table:
    measures = _measured(rows)
    return _Table(
        caption,
        ("", *(title for _, title in measures)),
        tuple(_line(name(row), *(_number(row.get(key)) for key, _ in measures)) for row in rows),
    )


# -- words and numbers ------------------------------------------------------------------------


_NONE, _MINUS = "\u2013", "\u2212"


def _line(*cells: str) -> _Line:
    return _Line(tuple(_Cell(cell) for cell in cells))


def _number(value: Any, digits: int = 3) -> str:
    return f"{value:.{digits}f}".replace("-", _MINUS) if _known(value) else _NONE


def _two(value: Any) -> str:
    return _number(value, 2)


def _signed(value: Any, digits: int = 3) -> str:
    return f"{value:+.{digits}f}".replace("-", _MINUS) if _known(value) else _NONE


def _count(value: Any) -> str:
    return f"{value:,.0f}" if _known(value) else _NONE


def _percent(value: Any) -> str:
    return f"{100 * value:.1f} %" if _known(value) else _NONE


def _gain(before: _Row, after: _Row, name: str) -> str:
    one, two = before.get(name), after.get(name)
    return _signed(two - one) if _known(one) and _known(two) else _NONE


def _interval(row: _Row, key: str) -> str:
    return _span((row.get("ci95") or {}).get(key))


def _span(bounds: Any, *, signed: bool = False) -> str:
    if not bounds or not all(_known(end) for end in bounds):
        return ""
    show = _signed if signed else _number
    return " to ".join(show(end) for end in bounds)


def _place(value: Any) -> float:
    return round(100 * min(1.0, max(0.0, value)), 1) if _known(value) else 0.0


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _told(items: Iterable[tuple[Any, Any]]) -> str:
    """A plot's figures in words, for who cannot see it; the ends of many."""
    told = [
        f"{name:g}: {value}" if isinstance(name, float) else f"{name}: {value}"
        for name, value in items
    ]
    if len(told) > _MOST_TOLD:
        return f"{len(told)} levels, from {told[0]} to {told[-1]}"
    return "; ".join(told)


_MOST_TOLD = 40


def _curly(text: str) -> str:
    """Apostrophes as books have them; for our own words, never for what comes from data."""
    return text.replace("'", "\u2019")


def _sentence(text: str) -> str:
    text = text.strip()
    whole = text[:1].upper() + text[1:]
    return whole if not whole or whole[-1] in ".!?…" else f"{whole}."


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


# -- plots ------------------------------------------------------------------------------------

_INK, _SOFT, _FAINT, _ACCENT, _PAPER = "#010101", "#020202", "#030303", "#040404", "#050505"
"""Stand-ins: the page says what colours they are."""
_COLOURS = {
    _INK: "var(--ink)",
    _SOFT: "var(--soft)",
    _FAINT: "var(--faint)",
    _ACCENT: "var(--accent)",
    _PAPER: "var(--paper)",
}
_LONGEST_LABEL = 58


def _plot(
    name: str,
    told: str,
    caption: str,
    draw: Callable[["Axes"], None],
    size: tuple[float, float] = (340, 230),
) -> _Plot:
    """Draws a plot.

    Args:
        name: Of the plot, in the page's ids.
        told: What it shows, for who cannot see it.
        caption: Stands beneath.
        draw: Draws into axes.
        size: Width and height in the page's pixels, where it is not shrunk.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the browser has it
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**_LOOK, "svg.hashsalt": name})
        figure = Figure(figsize=(size[0] / 72, size[1] / 72), layout="constrained")
        draw(figure.subplots())
        svg = _svg(figure, name)
    opening = f'<svg role="img" aria-label="{escape(told)}"'
    return _Plot(svg.replace("<svg", opening, 1), caption)


_LOOK: dict[Any, Any] = {
    "font.size": 11,
    "text.parse_math": False,  # a name may hold a $
    "text.color": _INK,
    "axes.edgecolor": _SOFT,
    "axes.labelcolor": _SOFT,
    "axes.labelsize": 11,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "grid.color": _FAINT,
    "grid.linewidth": 0.8,
    "lines.color": _INK,
    "xtick.color": _SOFT,
    "ytick.color": _SOFT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "xtick.major.pad": 6,
    "svg.fonttype": "none",  # text stays text
}


def _svg(figure: "Figure", name: str) -> str:
    """The figure as an element of the page, with ids that no other figure has."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    for part in (r"<metadata>.*?</metadata>", r"<style.*?</style>", r"<!--.*?-->"):
        svg = re.sub(part, "", svg, flags=re.DOTALL)
    svg = re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', r"<svg \1>", svg, count=1)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'xlink:href="#', f'href="#{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    for stand_in, colour in _COLOURS.items():
        svg = svg.replace(stand_in, colour)
    return re.sub(r"\n\s*\n", "\n", svg).strip()


def _bars(axes: "Axes", names: Sequence[str], counts: Sequence[float], label: str) -> None:
    axes.bar(names, counts, width=0.6, color=_ACCENT)
    axes.set_xlabel(label)
    _counts_on(axes)


def _stems(
    axes: "Axes", levels: Sequence[Sequence[float]], label: str, *, log: bool = False
) -> None:
    """Bars at the levels; binned where there are too many to tell apart."""
    places, counts = np.array(levels, float).T
    width = 0.025
    if len(places) > 40:
        counts, edges = np.histogram(places, 20, weights=counts)
        places, width = (edges[1:] + edges[:-1]) / 2, 0.8 * float(edges[1] - edges[0])
    axes.bar(places, counts, width=width, color=_ACCENT)
    if log:
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.7)
    axes.set_xlabel(label)
    _counts_on(axes)


def _counts_on(axes: "Axes") -> None:
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_ylabel("pairs" if axes.get_xlabel() != "grade" else "grades given")


def _unit_square(axes: "Axes", right: str, up: str) -> None:
    ticks = (0, 0.25, 0.5, 0.75, 1)
    axes.plot([0, 1], [0, 1], color=_SOFT, linewidth=1, linestyle=(0, (1, 3)))
    axes.set(xlabel=right, ylabel=up, xlim=(-0.04, 1.04), ylim=(-0.04, 1.04))
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.grid()
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def _overlap(axes: "Axes", rows: Sequence[_Row]) -> None:
    _unit_square(axes, "judgement of the experts", "crowd")
    experts = [row["expert"] for row in rows]
    axes.plot(experts, [row["yes"] for row in rows], "o-", **_HOLLOW)
    axes.plot(experts, [row["mapped"] for row in rows], "o-", **_FILLED)


def _reliability(axes: "Axes", rows: Sequence[_Row]) -> None:
    _unit_square(axes, "predicted", "judged")
    predicted, judged = [row["predicted"] for row in rows], [row["judged"] for row in rows]
    most = max(max(row["pairs"] for row in rows), 1)
    axes.plot(predicted, judged, color=_ACCENT, linewidth=1.2)
    sizes = [20 + 140 * row["pairs"] / most for row in rows]
    axes.scatter(predicted, judged, sizes, color=_ACCENT, linewidths=0, zorder=3)


def _levels(axes: "Axes", rows: Sequence[_Row]) -> None:
    grades = [row["grade"] for row in rows]
    axes.axhline(0, color=_SOFT, linewidth=1, linestyle=(0, (1, 3)))
    axes.plot(grades, [row["rmse"] for row in rows], "o-", **_HOLLOW)
    axes.plot(grades, [row["bias"] for row in rows], "o-", **_FILLED)
    axes.set_xlabel("judged")
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)


def _curve(axes: "Axes", points: Sequence[tuple[float, float]], label: str) -> None:
    steps, values = zip(*points, strict=True)
    axes.plot(steps, values, color=_ACCENT, linewidth=1.8, solid_capstyle="round")
    axes.plot(steps[-1:], values[-1:], "o", color=_ACCENT, markersize=5)
    axes.set(xlabel="step", ylabel=label)
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)


_HOLLOW: dict[str, Any] = {
    "color": _SOFT,
    "markerfacecolor": _PAPER,
    "markersize": 6,
    "linewidth": 1.2,
    "zorder": 3,
}
_FILLED: dict[str, Any] = {"color": _ACCENT, "markersize": 6, "linewidth": 1.8, "zorder": 4}


@dataclass(frozen=True, slots=True)
class _Dot:
    label: str
    row: _Row
    """Figures on two-way folds."""
    by_photo: _Row
    chosen: bool


def _dots(
    axes: "Axes", dots: Sequence[_Dot], key: str, references: Sequence[tuple[str, float]]
) -> None:
    """One row a regressor, its name above its dot, so that plots stay narrow.

    Args:
        axes: Where to draw.
        dots: The regressors, from the top.
        key: The measure.
        references: Vertical lines with their names.
    """
    axes.grid(axis="x")
    for what, value in references:
        axes.axvline(value, color=_SOFT, linewidth=1, linestyle=(0, (1, 3)), ymax=0.97)
        axes.annotate(
            what, (value, 1), xycoords=axes.get_xaxis_transform(), ha="center", va="top",
            color=_SOFT, fontsize=10, bbox={"facecolor": _PAPER, "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip
    for place, dot in enumerate(dots):
        colour = _ACCENT if dot.chosen else _INK
        bounds = (dot.row.get("ci95") or {}).get(key)
        if bounds and all(_known(end) for end in bounds):
            axes.plot(bounds, [-place] * 2, color=colour, linewidth=2, solid_capstyle="round")
        if _known(dot.by_photo.get(key)):
            axes.plot(dot.by_photo[key], -place, "o", **_HOLLOW)
        axes.plot(dot.row[key], -place, "o", color=colour, markersize=7, zorder=4)
        label = dot.label
        axes.annotate(
            label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…",
            (0, -place), (0, 9), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
            ha="left", va="bottom", color=colour, fontsize=10,
            fontweight="bold" if dot.chosen else "normal",
        )  # fmt: skip
    axes.set_ylim(0.4 - len(dots), 1.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.06)


# -- the page ---------------------------------------------------------------------------------

_STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fdfcfa; --ink: #1d1e20; --soft: #62656b; --faint: #e6e4de; --accent: #0a6a5f;
  --tint: #0a6a5f12;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #151618; --ink: #e8e6e1; --soft: #a1a3a8; --faint: #303236; --accent: #63c9b6;
    --tint: #63c9b61a;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.65 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  overflow-wrap: break-word;
}
header, main, footer { max-width: 66rem; margin: 0 auto; padding: 0 clamp(1.25rem, 5vw, 3rem); }
header { padding-top: clamp(3rem, 9vw, 6.5rem); }
.kicker { margin: 0; color: var(--accent); font-weight: 600; }
h1 {
  margin: .6rem 0 0; max-width: 24ch; font-size: clamp(1.9rem, 5vw, 3.1rem); line-height: 1.15;
  letter-spacing: -.02em; font-weight: 650; text-wrap: balance;
}
.why { max-width: 40rem; margin: 1.25rem 0 0; font-size: 1.25rem; line-height: 1.5;
  color: var(--soft); text-wrap: pretty; }
nav { margin-top: 3rem; border-top: 1px solid var(--faint); padding-top: 1.25rem; }
nav ol { margin: 0; padding: 0; list-style: none; columns: 15rem; column-gap: 2rem; }
nav li { break-inside: avoid; padding: .15rem 0; }
nav a { color: inherit; text-decoration: none; }
nav a:hover, nav a:focus-visible { color: var(--accent); text-decoration: underline; }
.no { display: inline-block; flex: none; min-width: 1.9em; color: var(--accent);
  font-variant-numeric: tabular-nums; }
section { margin-top: clamp(4rem, 9vw, 6.5rem); scroll-margin-top: 2rem; }
h2 { display: flex; margin: 0 0 1rem; font-size: 1.6rem; line-height: 1.25; letter-spacing: -.01em;
  font-weight: 650; text-wrap: balance; }
p { max-width: 42rem; margin: 1rem 0; text-wrap: pretty; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 9.5rem), 1fr));
  gap: 1.75rem 2rem; margin: 2.25rem 0; }
.facts div { border-top: 2px solid var(--accent); padding-top: .7rem; }
.facts dt { font-size: .9rem; line-height: 1.35; color: var(--soft); }
.facts dd { margin: 0; font-variant-numeric: tabular-nums; }
.facts .value { font-size: 2rem; line-height: 1.35; font-weight: 600; letter-spacing: -.02em; }
.facts .note { font-size: .9rem; line-height: 1.4; color: var(--soft); }
.listing { margin: 2rem 0; min-width: 0; }
.table { overflow-x: auto; }
.table:focus-visible { outline: 2px solid var(--accent); outline-offset: .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; line-height: 1.4;
  font-variant-numeric: tabular-nums; }
.short table { width: auto; min-width: min(100%, 24rem); }
h3 { margin: 0 0 .6rem; font-size: .95rem; line-height: 1.4; font-weight: 600; }
th, td { padding: .5rem 0 .5rem 1.5rem; text-align: right; vertical-align: baseline;
  white-space: nowrap; border-bottom: 1px solid var(--faint); font-weight: 400; }
thead th { color: var(--soft); font-size: .85rem; border-bottom-color: var(--soft); }
th:first-child { position: sticky; left: 0; padding: .5rem .75rem; text-align: left;
  background: var(--paper); white-space: normal; min-width: 9rem; }
td:last-child, th:last-child:not(:first-child) { padding-right: .75rem; }
small { display: block; font-size: .78rem; font-weight: 400; line-height: 1.35;
  color: var(--soft); }
.aside { color: var(--soft); }
.chosen > th, .chosen > td { background: linear-gradient(var(--tint), var(--tint)), var(--paper); }
.chosen > th:first-child { background: linear-gradient(var(--tint), var(--tint)), var(--paper);
   box-shadow: inset 3px 0 var(--accent); font-weight: 600; }
.reference > * { font-style: italic; color: var(--soft); }
.badge { display: inline-block; padding: 0 .55em; border-radius: 1em;
  background: var(--accent); color: var(--paper); font-size: .72rem; font-weight: 600;
  line-height: 1.6; vertical-align: .08em; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 18rem), 1fr));
  gap: 2.5rem 2rem; margin: 2rem 0; }
.beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr));
  gap: 2rem 3.5rem; align-items: start; margin: 2rem 0; }
.beside .listing { margin: 0; }
figure { margin: 0; max-width: 30rem; }
svg { display: block; width: 100%; height: auto; overflow: visible; stroke-linejoin: round; }
svg text { font-family: inherit !important; font-variant-numeric: tabular-nums; }
figcaption, .legend { margin-top: .6rem; font-size: .88rem; line-height: 1.45; color: var(--soft);
  text-wrap: pretty; }
.words { margin: 2rem 0; }
.words ul { margin: 0; padding: 0; list-style: none; columns: 9.5rem; column-gap: 2.5rem;
  font-size: .95rem; }
.words li { display: flex; justify-content: space-between; gap: 1rem; break-inside: avoid;
  padding: .2rem 0; border-bottom: 1px solid var(--faint); }
.words li > :first-child { min-width: 0; }
.words li > :last-child { color: var(--soft); font-variant-numeric: tabular-nums; }
.pairs { margin: 2rem 0; padding: 0; list-style: none; border-top: 1px solid var(--faint); }
.pairs li { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 19rem);
  gap: .25rem 3rem; align-items: center; padding: .85rem 0;
  border-bottom: 1px solid var(--faint); break-inside: avoid; }
.pairs .text { margin: 0; line-height: 1.4; }
.pairs .photo { font: .8rem/1.4 ui-monospace, "SF Mono", Menlo, Consolas, monospace;
  color: var(--soft); overflow-wrap: anywhere; }
.scale { position: relative; height: .9rem; margin: 0 .45rem; }
.scale i { position: absolute; top: 50%; }
.scale .axis { left: -.45rem; right: -.45rem; height: 1px; background: var(--faint); }
.scale .way { height: 2px; margin-top: -.5px; background: var(--soft); }
.scale .dot { width: .8rem; height: .8rem; margin: -.4rem 0 0 -.4rem; border-radius: 50%;
  border: 2px solid var(--accent); background: var(--accent); }
.scale .hollow { border-color: var(--soft); background: var(--paper); }
.pairs .said { font-size: .82rem; color: var(--soft); font-variant-numeric: tabular-nums; }
pre { overflow-x: auto; margin: 1.5rem 0; padding: 1.1rem 1.25rem; border-radius: .5rem;
  background: var(--tint); font: .88rem/1.75 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
footer { margin-top: clamp(4rem, 9vw, 6.5rem); padding-bottom: 4rem; }
footer p { border-top: 1px solid var(--faint); padding-top: 1.25rem; max-width: none;
  font-size: .9rem; color: var(--soft); }
@media (max-width: 40rem) {
  body { font-size: 1rem; }
  .pairs li { grid-template-columns: minmax(0, 1fr); }
  .pairs .measure { margin-top: .4rem; }
  th, td { padding-left: .9rem; }
  .short th:first-child { min-width: 5.5rem; }
}
@media print {
  @page { margin: 18mm 16mm; }
  :root { --paper: #fff; font-size: 9.5pt; }
  header, main, footer { max-width: none; padding-left: 0; padding-right: 0; }
  header { padding-top: 0; }
  section { margin-top: 2.5rem; }
  h2, h3 { break-after: avoid; }
  figure, tr, .facts, .short { break-inside: avoid; }
  .plots { grid-template-columns: repeat(3, 1fr); }
  .table, pre { overflow: visible; }
  table { font-size: 8.5pt; }
  th, td { padding-left: .6rem; }
  th:first-child { position: static; }
  pre { white-space: pre-wrap; }
  * { print-color-adjust: exact; }
}
"""

_TEMPLATE = """\
{% macro table(block) %}
<div class="listing">
<h3>{{ block.caption|curly }}</h3>
<div class="table{{ " short" if block.columns|length < 5 }}" tabindex="0" role="region"
  aria-label="{{ block.caption|curly }}">
<table>
<thead><tr>
{% for column in block.columns %}
<th scope="col">{{ column }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for line in block.lines %}
<tr{% if line.kind %} class="{{ line.kind }}"{% endif %}>
{%- for cell in line.cells %}
{% set tag = "th" if loop.first else "td" %}
<{{ tag }}{% if loop.first %} scope="row"{% endif %}>{{ cell.text }}
{%- if cell.badge %} <span class="badge">{{ cell.badge }}</span>{% endif %}
{%- if cell.small %}<small>{{ cell.small }}</small>{% endif %}</{{ tag }}>
{%- endfor %}
</tr>
{% endfor %}
</tbody>
</table>
</div>
</div>
{% endmacro %}
{% macro plot(block) %}
<figure>
{{ block.svg|safe }}
<figcaption>{{ block.caption|curly }}</figcaption>
</figure>
{% endmacro %}
{% macro facts(items) %}
<dl class="facts">
{% for fact in items %}
<div><dt>{{ fact.name|curly }}</dt><dd class="value">{{ fact.value }}</dd>
{%- if fact.small %}<dd class="note">{{ fact.small }}</dd>{% endif %}
{%- if fact.note %}<dd class="note">{{ fact.note|curly }}</dd>{% endif %}</div>
{% endfor %}
</dl>
{% endmacro %}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<meta name="color-scheme" content="light dark" />
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'" />
<title>{{ page.title }}</title>
<style>{{ style|safe }}</style>
</head>
<body>
<header>
<p class="kicker">{{ page.title }}</p>
<h1>{{ page.verdict }}</h1>
{% if page.why %}
<p class="why">{{ page.why }}</p>
{% endif %}
{% if page.facts %}
{{ facts(page.facts) }}
{% endif %}
{% if page.sections %}
<nav aria-label="Contents"><ol>
{% for section in page.sections %}
<li><a href="#{{ section.id }}"><span class="no">{{ loop.index }}</span>{{ section.title }}</a></li>
{% endfor %}
</ol></nav>
{% endif %}
</header>
<main>
{% for section in page.sections %}
<section id="{{ section.id }}">
<h2><span class="no">{{ loop.index }}</span><span>{{ section.title }}</span></h2>
{% for block in section.blocks %}
{% if block.kind == "prose" %}
<p>{{ block.text|curly }}</p>
{% elif block.kind == "table" %}
{{ table(block) }}
{% elif block.kind == "plots" %}
<div class="plots">
{% for each in block.plots %}
{{ plot(each) }}
{% endfor %}
</div>
{% elif block.kind == "beside" %}
<div class="beside">
{{ plot(block.plot) }}
{{ table(block.table) }}
</div>
{% elif block.kind == "facts" %}
{{ facts(block.facts) }}
{% elif block.kind == "words" %}
<div class="words"><h3>{{ block.caption|curly }}</h3>
<ul>
{% for word, count in block.words %}
<li><span>{{ word }}</span><span>{{ count }}</span></li>
{% endfor %}
</ul></div>
{% elif block.kind == "pairs" %}
<ol class="pairs">
{% for pair in block.pairs %}
{% set judged, predicted = pair.places %}
<li><div><p class="text">{{ pair.text }}</p><div class="photo">{{ pair.image }}</div></div>
<div class="measure"><div class="scale" aria-hidden="true"><i class="axis"></i>
<i class="way" style="left: {{ pair.places|min }}%; width: {{ pair.apart }}%"></i>
<i class="dot hollow" style="left: {{ judged }}%"></i>
<i class="dot" style="left: {{ predicted }}%"></i></div>
<div class="said">judged {{ pair.judged }}, predicted {{ pair.predicted }}</div></div></li>
{% endfor %}
</ol>
{% elif block.kind == "commands" %}
<pre>{% for line in block.lines %}{{ line }}{{ "\\n" if not loop.last }}{% endfor %}</pre>
{% endif %}
{% endfor %}
</section>
{% endfor %}
</main>
<footer><p>{{ page.colophon }}</p></footer>
</body>
</html>
"""
