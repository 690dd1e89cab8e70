"""An answer as a notebook shows it: small pictures with their captions, embedded in the page."""

from pixquery.db.errors import UnreadableImage
from pixquery.db.records import ImageRecord
from pixquery.engine.answers import Answer, Hit
from pixquery.engine.legible import counted
from pixquery.engine.standing import NOTHING_FITS, in_figures, in_words
from pixquery.indexer.thumbnails import thumbnail_of
from pixquery.web.sheet import as_data, as_text

MOST = 24
"""Hits that are drawn; a notebook keeps every output in its file."""
SIDE = 240
"""Longer side of a picture, in pixels."""
MOST_BYTES = 1_000_000
"""Bytes of the pictures of one answer."""

_GRID = "display:flex;flex-wrap:wrap;gap:12px;align-items:flex-end"
_FIGURE = f"margin:0;max-width:{SIDE}px;overflow-wrap:anywhere;font-size:12px;line-height:1.4"
_IMAGE = "display:block;max-width:100%;height:auto;border-radius:4px;margin:0 0 4px"


def answer_html(answer: Answer) -> str:
    """Draws the first hits of an answer as HTML.

    The styles are part of the elements, because notebooks leave out style sheets, and use the
    notebook's own colours.

    Args:
        answer: From a library; its photos are read from their files.

    Returns:
        A `div`. It has no scripts and loads nothing. Where a photo cannot be read, it says why.
    """
    records = {record.id: record for record in answer.photos}
    figures, room = [], MOST_BYTES
    for hit in answer.hits[:MOST]:
        picture = _picture(records.get(hit.id))
        if len(picture) > room:
            break
        room -= len(picture)
        figures.append(f'<figure style="{_FIGURE}">{picture}{_caption(hit)}</figure>')
    return (
        f'<div><p style="margin:0 0 8px">{_summary(answer, len(figures))}</p>'
        f'<div style="{_GRID}">{"".join(figures)}</div></div>'
    )


def _summary(answer: Answer, drawn: int) -> str:
    title = f"<b>{as_text(answer.query)}</b>: " if answer.query else "The newest: "
    poor = f"{NOTHING_FITS}; " if answer.nothing_fits else ""
    found = f"{counted(len(answer), 'photo')} of {answer.among:,}"
    more = f", the first {drawn} shown" if drawn < len(answer) else ""
    return f"{title}{poor}{found}{more}"


def _picture(record: ImageRecord | None) -> str:
    try:
        small = thumbnail_of(record, SIDE)
    except UnreadableImage as error:
        return f'<p style="margin:0 0 4px"><i>{as_text(f"cannot be read: {error}")}</i></p>'
    return f'<img alt="" style="{_IMAGE}" src="data:image/jpeg;base64,{as_data(small)}">'


def _caption(hit: Hit) -> str:
    words = in_words(hit.relevance, hit.similarity)
    if hit.relevance is not None:
        words = f"{in_figures(hit.relevance)} {words}"
    facts = " · ".join(filter(None, (words, f"id {hit.id}")))
    return (
        f'<figcaption title="{as_text(str(hit.path))}">'
        f"{hit.rank:,}. {as_text(hit.path.name)}<br>{as_text(facts)}</figcaption>"
    )
