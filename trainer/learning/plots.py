"""The study's plots: SVG elements for a page whose colours they take.

The page says what `--ink`, `--soft`, `--faint`, `--accent` and `--paper` are, so that a plot reads
in light, in dark and on paper. Each plot tells its figures to who cannot see it, its texts are
escaped and stay texts, and no two share an id. The same figures give the same bytes.
"""

import io
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # comes with the extra `train`, and takes its time to load
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Rows = Sequence[Mapping[str, Any]]
Levels = Sequence[tuple[float, float]]
"""Each with how many pairs have it."""

_MANY = 40
"""More than these can be neither told one by one nor told apart."""
_LONGEST_LABEL = 58


@dataclass(frozen=True, slots=True)
class Dot:
    """A regressor's figure, on two-way folds where nothing else is said."""

    label: str
    value: float
    interval: Sequence[float]
    """Its two ends, or none."""
    by_photo: float | None
    chosen: bool


# -- what people said -------------------------------------------------------------------------


def grades(counts: Sequence[tuple[str, float]]) -> str:
    """How often experts gave each grade."""

    def draw(axes: "Axes") -> None:
        axes.bar([name for name, _ in counts], [n for _, n in counts], width=0.6, color=_ACCENT)
        _count_upward(axes, "grade", "grades given")

    return _svg("grades", f"Bar chart: how often experts gave each grade. {_told(counts)}.", draw)


def means(levels: Levels) -> str:
    """How many pairs have each mean judgement."""
    told = f"Bar chart: how many pairs have each mean judgement. {_told(levels)}."
    return _svg("means", told, lambda axes: _bars(axes, levels, "judgement"))


def shares(levels: Levels) -> str:
    """How many pairs have each share of the crowd's yes, on a logarithmic scale."""
    told = f"Bar chart, logarithmic: the crowd's shares of yes. {_told(levels)}."
    return _svg("shares", told, lambda axes: _bars(axes, levels, "share of yes", log=True))


def overlap(rows: Rows) -> str:
    """What the crowd said at each judgement of the experts (hollow), and its map (filled)."""
    told = _told((row["expert"], f"{row['yes']:.2f} to {row['mapped']:.2f}") for row in rows)

    def draw(axes: "Axes") -> None:
        _unit_square(axes, "judgement of the experts", "crowd")
        _two_lines(axes, rows, "expert", hollow="yes", filled="mapped")

    return _svg(
        "overlap",
        "Line chart: the crowd's share of yes and its mapped value at each judgement of the "
        f"experts. {told}.",
        draw,
        (400, 330),
    )


# -- what regressors make of it ---------------------------------------------------------------


def dots(
    key: str, measure: str, dots: Sequence[Dot], references: Iterable[tuple[str, float]]
) -> str:
    """One row a regressor, its name above its dot, so that the plot stays narrow.

    Args:
        key: The measure, as ids have it.
        measure: And as people read it.
        dots: The regressors, from the top.
        references: Vertical lines with their names.
    """
    told = _told((dot.label, f"{dot.value:.3f}") for dot in dots)

    def draw(axes: "Axes") -> None:
        axes.grid(axis="x")
        for name, value in references:
            _upright(axes, name, value)
        for place, dot in enumerate(dots):
            _dot(axes, -place, dot)
        axes.set_ylim(0.4 - len(dots), 1.5)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.06)

    return _svg(
        f"dots-{key}",
        f"Dot plot of {measure} on two-way folds, best first by RMSE. {told}.",
        draw,
        (340, 60 + 36 * len(dots)),
    )


def errors(rows: Rows) -> str:
    """RMSE (hollow) and bias (filled) at each judgement."""
    told = _told(
        (f"{row['grade']:.2f}", f"RMSE {row['rmse']:.2f}, bias {row['bias']:+.2f}") for row in rows
    )

    def draw(axes: "Axes") -> None:
        axes.axhline(0, **_DOTTED)
        _two_lines(axes, rows, "grade", hollow="rmse", filled="bias")
        axes.set_xlabel("judged")
        _only_across(axes)

    return _svg("errors", f"Line chart: RMSE and bias at each judgement. {told}.", draw, (400, 300))


def calibration(rows: Rows) -> str:
    """What people judged of pairs predicted alike; the larger a dot, the more pairs."""
    told = _told((f"{row['predicted']:.2f}", f"{row['judged']:.2f}") for row in rows)

    def draw(axes: "Axes") -> None:
        _unit_square(axes, "predicted", "judged")
        predicted, judged = [row["predicted"] for row in rows], [row["judged"] for row in rows]
        most = max(row["pairs"] for row in rows)
        sizes = [20 + 140 * row["pairs"] / most for row in rows]
        axes.plot(predicted, judged, color=_ACCENT, linewidth=1.2)
        axes.scatter(predicted, judged, sizes, color=_ACCENT, linewidths=0, zorder=3)

    return _svg(
        "calibration",
        f"Reliability diagram: mean judgement by predicted relevance. {told}.",
        draw,
        (400, 330),
    )


def curve(name: str, points: Sequence[tuple[float, float]]) -> str:
    """A figure at the steps of the alignment's learning."""
    (first, start), (last, end) = points[0], points[-1]

    def draw(axes: "Axes") -> None:
        steps, values = zip(*points, strict=True)
        axes.plot(steps, values, color=_ACCENT, linewidth=1.8, solid_capstyle="round")
        axes.plot(steps[-1:], values[-1:], "o", color=_ACCENT, markersize=5)
        axes.set(xlabel="step", ylabel=name)
        _only_across(axes)

    return _svg(
        f"curve-{name}",
        f"Line chart: {name} while the alignment learned, from {start:.3f} at step {first:g} to "
        f"{end:.3f} at step {last:g}.",
        draw,
        (400, 250),
    )


# -- marks and axes ---------------------------------------------------------------------------

_INK, _SOFT, _FAINT, _ACCENT, _PAPER = "#010101", "#020202", "#030303", "#040404", "#050505"
"""Stand-ins: Matplotlib takes no CSS variables."""
_COLOURS = {
    _INK: "var(--ink)",
    _SOFT: "var(--soft)",
    _FAINT: "var(--faint)",
    _ACCENT: "var(--accent)",
    _PAPER: "var(--paper)",
}
_DOTTED: dict[str, Any] = {"color": _SOFT, "linewidth": 1, "linestyle": (0, (1, 3))}
_HOLLOW: dict[str, Any] = {
    "color": _SOFT,
    "markerfacecolor": _PAPER,
    "markersize": 6,
    "linewidth": 1.2,
    "zorder": 3,
}
_FILLED: dict[str, Any] = {"color": _ACCENT, "markersize": 6, "linewidth": 1.8, "zorder": 4}


def _bars(axes: "Axes", levels: Levels, label: str, *, log: bool = False) -> None:
    """Bars at the levels; binned where there are many."""
    places, counts = np.array(levels, float).T
    width = 0.025
    if len(places) > _MANY:
        counts, edges = np.histogram(places, 20, weights=counts)
        places, width = (edges[1:] + edges[:-1]) / 2, 0.8 * float(edges[1] - edges[0])
    axes.bar(places, counts, width=width, color=_ACCENT)
    if log:
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.7)
    _count_upward(axes, label, "pairs")


def _count_upward(axes: "Axes", right: str, up: str) -> None:
    axes.set(xlabel=right, ylabel=up)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    _only_across(axes)


def _only_across(axes: "Axes") -> None:
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)


def _unit_square(axes: "Axes", right: str, up: str) -> None:
    """From 0 to 1 either way, with the diagonal."""
    ticks = (0, 0.25, 0.5, 0.75, 1)
    labels = [f"{tick:g}" for tick in ticks]
    axes.plot([0, 1], [0, 1], **_DOTTED)
    axes.set(xlabel=right, ylabel=up, xlim=(-0.04, 1.04), ylim=(-0.04, 1.04))
    axes.set_xticks(ticks, labels)
    axes.set_yticks(ticks, labels)
    axes.grid()
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def _two_lines(axes: "Axes", rows: Rows, along: str, *, hollow: str, filled: str) -> None:
    places = [row[along] for row in rows]
    axes.plot(places, [row[hollow] for row in rows], "o-", **_HOLLOW)
    axes.plot(places, [row[filled] for row in rows], "o-", **_FILLED)


def _upright(axes: "Axes", name: str, value: float) -> None:
    axes.axvline(value, ymax=0.97, **_DOTTED)
    axes.annotate(
        name, (value, 1), xycoords=axes.get_xaxis_transform(), ha="center", va="top",
        color=_SOFT, fontsize=10, bbox={"facecolor": _PAPER, "edgecolor": "none", "pad": 1.5},
    )  # fmt: skip


def _dot(axes: "Axes", place: int, dot: Dot) -> None:
    colour = _ACCENT if dot.chosen else _INK
    if dot.interval:
        axes.plot(dot.interval, [place] * 2, color=colour, linewidth=2, solid_capstyle="round")
    if dot.by_photo is not None:
        axes.plot(dot.by_photo, place, "o", **_HOLLOW)
    axes.plot(dot.value, place, "o", color=colour, markersize=7, zorder=4)
    label = dot.label
    axes.annotate(
        label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…",
        (0, place), (0, 9), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
        ha="left", va="bottom", color=colour, fontsize=10,
        fontweight="bold" if dot.chosen else "normal",
    )  # fmt: skip


# -- from a drawing to the page ---------------------------------------------------------------

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


def _svg(
    name: str, told: str, draw: Callable[["Axes"], None], size: tuple[float, float] = (340, 230)
) -> str:
    """Draws a plot.

    Args:
        name: Of the plot, in the page's ids.
        told: What it shows, for who cannot see it.
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
        svg = _element(figure, name)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(told)}"', 1)


def _element(figure: "Figure", name: str) -> str:
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


def _told(items: Iterable[tuple[Any, Any]]) -> str:
    """The figures in words; of many, the ends."""
    told = [
        f"{name:g}: {value}" if isinstance(name, float) else f"{name}: {value}"
        for name, value in items
    ]
    if len(told) > _MANY:
        return f"{len(told)} levels, from {told[0]} to {told[-1]}"
    return "; ".join(told)
