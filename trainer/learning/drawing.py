"""Draws a plot as an SVG element that uses the colours of the page.

The page defines `--ink`, `--soft`, `--faint`, `--accent` and `--paper`, so a plot is legible in
light mode, in dark mode and on paper. Its texts are escaped and remain texts, and no two plots
share an id. The same figures give the same bytes.
"""

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
"""Placeholders, because Matplotlib accepts no CSS variables."""
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
    "text.parse_math": False,  # a name may contain a $
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
    "svg.fonttype": "none",  # text remains text
}


def svg_of(
    name: str, label: str, draw: Callable[["Axes"], None], size: tuple[float, float] = (340, 230)
) -> str:
    """Draws a plot.

    Args:
        name: The prefix of the plot's ids.
        label: What the plot shows, for people who cannot see it.
        draw: Draws into axes.
        size: Width and height in pixels of the page, before it is scaled down.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Glyph .* missing"
        )  # the browser has those glyphs
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**_LOOK, "svg.hashsalt": name})
        figure = Figure(figsize=(size[0] / 72, size[1] / 72), layout="constrained")
        draw(figure.subplots())
        svg = _element(figure, name)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1)


def _element(figure: "Figure", name: str) -> str:
    """The figure as an SVG element whose ids no other figure has."""
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
    for placeholder, colour in _COLOURS.items():
        svg = svg.replace(placeholder, colour)
    return re.sub(r"\n\s*\n", "\n", svg).strip()
