"""Draws a plot as an SVG element that takes the colours of the page."""

import io
import re
import warnings
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # comes with the extra `train`, and takes its time to load
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


INK, SOFT, FAINT, ACCENT, PAPER = "#010101", "#020202", "#030303", "#040404", "#050505"
"""Stand-ins: Matplotlib takes no CSS variables."""
_COLOURS = {
    INK: "var(--ink)",
    SOFT: "var(--soft)",
    FAINT: "var(--faint)",
    ACCENT: "var(--accent)",
    PAPER: "var(--paper)",
}
DOTTED: dict[str, Any] = {"color": SOFT, "linewidth": 1, "linestyle": (0, (1, 3))}
HOLLOW: dict[str, Any] = {
    "color": SOFT,
    "markerfacecolor": PAPER,
    "markersize": 6,
    "linewidth": 1.2,
    "zorder": 3,
}
FILLED: dict[str, Any] = {"color": ACCENT, "markersize": 6, "linewidth": 1.8, "zorder": 4}
_LOOK: dict[Any, Any] = {
    "font.size": 11,
    "text.parse_math": False,  # a name may hold a $
    "text.color": INK,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": SOFT,
    "axes.labelsize": 11,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "lines.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "xtick.major.pad": 6,
    "svg.fonttype": "none",  # text stays text
}


def svg_of(
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
