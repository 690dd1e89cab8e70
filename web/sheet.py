"""An answer as one HTML file to look at, keep or send: a contact sheet that needs nothing else.

Thumbnails lie in it as data; the links lead to the files, and work where these are.
"""

import base64
import re
from collections.abc import Callable
from html import escape
from pathlib import Path
from string import Template

from pixquery.db.errors import UnreadableImage
from pixquery.engine.answers import Answer, Hit
from pixquery.indexer.photos import thumbnail_of
from pixquery.web.words import fit, photos

SIDE = 640
"""Longer side of a thumbnail, in pixels: sharp at the height of a row on a dense screen."""

_PAGE = Path(__file__).with_name("sheet.html")

_FIGURE = Template(
    """<li style="--shape:$shape">
<a href="$link">$picture<span class="name"><span class="rank">$rank</span> $name</span></a>
<p title="$folder">$mark<span>$when</span><span>$size</span></p>
</li>"""
)

Progress = Callable[[int, int], None]


def contact_sheet(answer: Answer, progress: Progress = lambda done, total: None) -> bytes:
    """Draws an answer.

    Args:
        answer: With one hit or more.
        progress: Is told how many thumbnails are made, and of how many.

    Returns:
        An HTML document in UTF-8. A photo that cannot be read has its reason in its place.
    """
    figures = []
    for done, hit in enumerate(answer.hits, 1):
        figures.append(_figure(hit))
        progress(done, len(answer.hits))
    shown = photos(len(figures))
    first = answer.hits[0].rank
    if first > 1:
        shown += f", from the {first:,}{_ending(first)} on"
    order = "best first" if answer.query else "newest first"
    page = Template(_PAGE.read_text("utf-8")).substitute(
        title=_text(answer.query or "The newest photos"),
        summary=_text(f"{shown} of {answer.among:,}, {order}"),
        figures="\n".join(figures),
    )
    return page.encode("utf-8", "backslashreplace")


def _figure(hit: Hit) -> str:
    return _FIGURE.substitute(
        shape=f"{min(4.0, max(0.4, hit.width / max(1, hit.height))):.4f}",
        link=escape(hit.path.absolute().as_uri()),
        picture=_picture(hit),
        rank=f"{hit.rank:,}",
        name=_text(hit.path.name),
        folder=_text(str(hit.path.parent)),
        mark=_mark(hit),
        when=f"{hit.taken.day} {hit.taken:%B %Y}" if hit.taken else "",
        size=f"{hit.width:,} &times; {hit.height:,}",
    )


def _picture(hit: Hit) -> str:
    try:
        small = thumbnail_of(hit.path, SIDE)
    except UnreadableImage as error:
        return f'<span class="gone">{_text(f"cannot be read: {error}")}</span>'
    return f'<img alt="" src="data:image/jpeg;base64,{as_data(small)}">'


def as_data(content: bytes) -> str:
    """Bytes as text, in base 64."""
    return base64.b64encode(content).decode("ascii")


def _mark(hit: Hit) -> str:
    level, words = fit(hit.relevance, hit.similarity)
    if hit.relevance is None:
        return f'<span class="fit">{_text(words)}</span>'
    bars = f'<span class="bars" data-level="{level}" aria-hidden="true">{"<i></i>" * 4}</span>'
    return f'<span class="fit" title="relevance {hit.relevance:.2f} of 1">{bars}{words}</span>'


def _ending(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _text(text: str) -> str:
    """Text that is nothing but text; control and direction marks would disturb what is around."""
    return escape(re.sub(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]", "\ufffd", text))
