"""The study's plots. Each one has a label with its figures, for people who cannot see it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # comes with the extra `train`, and takes its time to load
    from matplotlib.axes import Axes
from pixquery.trainer.learning.drawing import (
    ACCENT,
    DOTTED,
    FILLED,
    HOLLOW,
    INK,
    PAPER,
    SOFT,
    svg_of,
)

Rows = Sequence[Mapping[str, Any]]
Levels = Sequence[tuple[float, float]]
"""Levels, each with the number of pairs that have it."""
_MANY = 40
"""More figures than these are neither listed one by one nor drawn as single bars."""
_LONGEST_LABEL = 58


@dataclass(frozen=True, slots=True)
class Dot:
    """A regressor's figure, on two-way folds unless another split is named."""

    label: str
    value: float
    interval: Sequence[float]
    """Its two ends, or empty."""
    by_photo: float | None
    chosen: bool


def grades(counts: Sequence[tuple[str, float]]) -> str:
    """How often experts gave each grade."""

    def draw(axes: "Axes") -> None:
        axes.bar([name for name, _ in counts], [n for _, n in counts], width=0.6, color=ACCENT)
        _count_upward(axes, "grade", "grades given")

    return svg_of(
        "grades", f"Bar chart: how often experts gave each grade. {_in_words(counts)}.", draw
    )


def means(levels: Levels) -> str:
    """How many pairs have each mean judgement."""
    words = f"Bar chart: how many pairs have each mean judgement. {_in_words(levels)}."
    return svg_of("means", words, lambda axes: _bars(axes, levels, "judgement"))


def shares(levels: Levels) -> str:
    """How many pairs have each share of the crowd's "yes", on a logarithmic scale."""
    words = f"Bar chart, logarithmic: the crowd's shares of yes. {_in_words(levels)}."
    return svg_of("shares", words, lambda axes: _bars(axes, levels, "share of yes", log=True))


def overlap(rows: Rows) -> str:
    """The crowd's share of "yes" at each judgement of the experts (hollow), mapped (filled)."""
    words = _in_words((row["expert"], f"{row['yes']:.2f} to {row['mapped']:.2f}") for row in rows)

    def draw(axes: "Axes") -> None:
        _unit_square(axes, "judgement of the experts", "crowd")
        _two_lines(axes, rows, "expert", hollow="yes", filled="mapped")

    return svg_of(
        "overlap",
        "Line chart: the crowd's share of yes and its mapped value at each judgement of the "
        f"experts. {words}.",
        draw,
        (400, 330),
    )


def dots(
    key: str, measure: str, dots: Sequence[Dot], references: Iterable[tuple[str, float]]
) -> str:
    """One row for each regressor, its name above its dot, so that the plot stays narrow.

    Args:
        key: The measure's name in ids.
        measure: The measure's name for people.
        dots: The regressors, from the top.
        references: Names and positions of vertical lines.
    """
    words = _in_words((dot.label, f"{dot.value:.3f}") for dot in dots)

    def draw(axes: "Axes") -> None:
        axes.grid(axis="x")
        for name, value in references:
            _upright(axes, name, value)
        for height, dot in enumerate(dots):
            _dot(axes, -height, dot)
        axes.set_ylim(0.4 - len(dots), 1.5)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.06)

    return svg_of(
        f"dots-{key}",
        f"Dot plot of {measure} on two-way folds, best first by RMSE. {words}.",
        draw,
        (340, 60 + 36 * len(dots)),
    )


def errors(rows: Rows) -> str:
    """RMSE (hollow) and bias (filled) at each judgement."""
    words = _in_words(
        (f"{row['grade']:.2f}", f"RMSE {row['rmse']:.2f}, bias {row['bias']:+.2f}") for row in rows
    )

    def draw(axes: "Axes") -> None:
        axes.axhline(0, **DOTTED)
        _two_lines(axes, rows, "grade", hollow="rmse", filled="bias")
        axes.set_xlabel("judged")
        _only_across(axes)

    return svg_of(
        "errors", f"Line chart: RMSE and bias at each judgement. {words}.", draw, (400, 300)
    )


def calibration(rows: Rows) -> str:
    """The mean judgement of pairs with similar predictions; larger dots mean more pairs."""
    words = _in_words((f"{row['predicted']:.2f}", f"{row['judged']:.2f}") for row in rows)

    def draw(axes: "Axes") -> None:
        _unit_square(axes, "predicted", "judged")
        predicted, judged = [row["predicted"] for row in rows], [row["judged"] for row in rows]
        most = max(row["pairs"] for row in rows)
        sizes = [20 + 140 * row["pairs"] / most for row in rows]
        axes.plot(predicted, judged, color=ACCENT, linewidth=1.2)
        axes.scatter(predicted, judged, sizes, color=ACCENT, linewidths=0, zorder=3)

    return svg_of(
        "calibration",
        f"Reliability diagram: mean judgement by predicted relevance. {words}.",
        draw,
        (400, 330),
    )


def curve(name: str, points: Sequence[tuple[float, float]]) -> str:
    """A figure at each step of training the alignment."""
    (first, start), (last, end) = points[0], points[-1]

    def draw(axes: "Axes") -> None:
        steps, values = zip(*points, strict=True)
        axes.plot(steps, values, color=ACCENT, linewidth=1.8, solid_capstyle="round")
        axes.plot(steps[-1:], values[-1:], "o", color=ACCENT, markersize=5)
        axes.set(xlabel="step", ylabel=name)
        _only_across(axes)

    return svg_of(
        f"curve-{name}",
        f"Line chart: {name} during the training of the alignment, from {start:.3f} at step "
        f"{first:g} to {end:.3f} at step {last:g}.",
        draw,
        (400, 250),
    )


def _bars(axes: "Axes", levels: Levels, label: str, *, log: bool = False) -> None:
    """Bars at the levels, binned if there are many."""
    places, counts = np.array(levels, float).T
    width = 0.025
    if len(places) > _MANY:
        counts, edges = np.histogram(places, 20, weights=counts)
        places, width = (edges[1:] + edges[:-1]) / 2, 0.8 * float(edges[1] - edges[0])
    axes.bar(places, counts, width=width, color=ACCENT)
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
    axes.plot([0, 1], [0, 1], **DOTTED)
    axes.set(xlabel=right, ylabel=up, xlim=(-0.04, 1.04), ylim=(-0.04, 1.04))
    axes.set_xticks(ticks, labels)
    axes.set_yticks(ticks, labels)
    axes.grid()
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def _two_lines(axes: "Axes", rows: Rows, along: str, *, hollow: str, filled: str) -> None:
    places = [row[along] for row in rows]
    axes.plot(places, [row[hollow] for row in rows], "o-", **HOLLOW)
    axes.plot(places, [row[filled] for row in rows], "o-", **FILLED)


def _upright(axes: "Axes", name: str, value: float) -> None:
    axes.axvline(value, ymax=0.97, **DOTTED)
    axes.annotate(
        name, (value, 1), xycoords=axes.get_xaxis_transform(), ha="center", va="top",
        color=SOFT, fontsize=10, bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.5},
    )  # fmt: skip


def _dot(axes: "Axes", height: int, dot: Dot) -> None:
    colour = ACCENT if dot.chosen else INK
    if dot.interval:
        axes.plot(dot.interval, [height] * 2, color=colour, linewidth=2, solid_capstyle="round")
    if dot.by_photo is not None:
        axes.plot(dot.by_photo, height, "o", **HOLLOW)
    axes.plot(dot.value, height, "o", color=colour, markersize=7, zorder=4)
    label = dot.label
    axes.annotate(
        label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…",
        (0, height), (0, 9), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
        ha="left", va="bottom", color=colour, fontsize=10,
        fontweight="bold" if dot.chosen else "normal",
    )  # fmt: skip


def _in_words(items: Iterable[tuple[Any, Any]]) -> str:
    """The figures in words; of many, only the first and the last."""
    words = [
        f"{name:g}: {value}" if isinstance(name, float) else f"{name}: {value}"
        for name, value in items
    ]
    if len(words) > _MANY:
        return f"{len(words)} levels, from {words[0]} to {words[-1]}"
    return "; ".join(words)
