"""A contact sheet: the hits of an answer as one HTML file to look at, keep or send.

The file is complete in itself: thumbnails are embedded as data. Its links point to the photos on
this computer and do not work elsewhere.
"""

import base64
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from string import Template

from pixquery.db.errors import UnreadableImage
from pixquery.db.records import ImageRecord
from pixquery.engine.answers import Answer, Hit
from pixquery.engine.legible import counted, legible
from pixquery.engine.mentions import by_words
from pixquery.engine.standing import NOTHING_FITS, in_figures, in_words, standing
from pixquery.indexer.thumbnails import thumbnail_of

SIDE = 640
"""Longer side of a thumbnail, in pixels: sharp at the height of a row on a high-density screen."""

_PAGE = Path(__file__).with_name("sheet.html")

_FIGURE = Template(
    """<li style="--shape:$shape">
<a href="$link">$picture<span class="name"><span class="rank">$rank</span> $name</span></a>
<p title="$folder">$mark<span>$when</span><span>$size</span></p>
<p class="why">$why</p>
</li>"""
)

Progress = Callable[[int, int], None]


def contact_sheet(
    answer: Answer,
    photos: Mapping[int, ImageRecord],
    progress: Progress = lambda done, total: None,
) -> bytes:
    """Draws the hits of an answer.

    Args:
        answer: An answer with at least one hit.
        photos: What the catalogue has of the hits, by id: only what was indexed is drawn.
        progress: Called after each thumbnail with the number done and the total.

    Returns:
        An HTML document in UTF-8. Where a photo cannot be read, the document says why.
    """
    figures = []
    for done, hit in enumerate(answer.hits, 1):
        figures.append(_figure(hit, photos.get(hit.id)))
        progress(done, len(answer.hits))
    summary = f"{NOTHING_FITS.capitalize()}. " if answer.nothing_fits else ""
    summary += f"{counted(len(figures), 'photo')} of {answer.among:,}"
    first = answer.hits[0].rank
    if first > 1:
        summary += f", starting at the {first:,}{_ending(first)}"
    sort = "newest" if answer.sort == "relevance" else answer.sort
    best = answer.query and answer.sort == "relevance"
    order = "best first" if best else f"{sort} first"
    page = Template(_PAGE.read_text("utf-8")).substitute(
        title=as_text(answer.query or f"The {sort} photos"),
        summary=as_text(f"{summary}, {order}"),
        figures="\n".join(figures),
    )
    return page.encode("utf-8", "backslashreplace")


def _figure(hit: Hit, photo: ImageRecord | None) -> str:
    return _FIGURE.substitute(
        shape=f"{min(4.0, max(0.4, hit.width / max(1, hit.height))):.4f}",
        link=escape(hit.path.absolute().as_uri()),
        picture=_picture(photo),
        rank=f"{hit.rank:,}",
        name=as_text(hit.path.name),
        folder=as_text(str(hit.path.parent)),
        mark=_mark(hit),
        when=f"{hit.taken.day} {hit.taken:%B %Y}" if hit.taken else "",
        size=f"{hit.width:,} &times; {hit.height:,}",
        why="".join(f"<span>{as_text(str(match))}</span>" for match in by_words(hit.matched)),
    )


def _picture(photo: ImageRecord | None) -> str:
    try:
        small = thumbnail_of(photo, SIDE)
    except UnreadableImage as error:
        return f'<span class="gone">{as_text(f"cannot be read: {error}")}</span>'
    return f'<img alt="" src="data:image/jpeg;base64,{as_data(small)}">'


def as_data(content: bytes) -> str:
    """Bytes as Base64 text."""
    return base64.b64encode(content).decode("ascii")


def _mark(hit: Hit) -> str:
    words = in_words(hit.relevance, hit.similarity)
    if hit.relevance is None:
        return f'<span class="fit">{as_text(words)}</span>'
    level = standing(hit.relevance).level
    bars = f'<span class="bars" data-level="{level}" aria-hidden="true">{"<i></i>" * 4}</span>'
    relevance = in_figures(hit.relevance)
    return f'<span class="fit" title="relevance {relevance} out of 1">{bars}{words}</span>'


def _ending(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def as_text(text: str) -> str:
    """Text for HTML, in which nothing acts on a page or a terminal."""
    return escape(legible(text))
