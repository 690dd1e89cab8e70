"""A page with the first photos of each query, so that a person can look."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from pathlib import Path

from benchmarks.given.examples import HERE, rows_of
from benchmarks.setting import ROOT
from pixquery import Library, Query
from pixquery.engine.answers import Hit
from pixquery.engine.standing import in_words
from pixquery.indexer.decode import thumbnail

SHOWN = 5
SIDE = 160
_HEAD = """<!doctype html><meta charset="utf-8"><title>Everyday queries</title>
<style>body{font:14px sans-serif;margin:1em}h2{font-size:1em;margin:1em 0 .3em}
figure{display:inline-block;margin:0 .6em 0 0;width:170px;vertical-align:top}
figcaption{font-size:12px;overflow-wrap:anywhere}</style>
"""


def write(library: Library, folder: Path, more: Sequence[str] = ()) -> Path:
    """Writes ``index.html`` with the first photos of every query of `typed.csv` and of others.

    The photos are not free to be given away, so that the page may not lie in the repository.
    """
    if folder.resolve().is_relative_to(ROOT):
        raise SystemExit(f"{folder} is in the repository: name a folder outside for --sheet")
    folder.mkdir(parents=True, exist_ok=True)
    parts = [_HEAD]
    for text in [*(row["query"] for row in rows_of(HERE / "typed.csv")), *more]:
        hits = library.search(Query(text, k=SHOWN)).hits
        parts += [f"<h2>{escape(text)}</h2>", *(_figure(hit) for hit in hits)]
    page = folder / "index.html"
    page.write_text("\n".join(parts), "utf-8")
    return page


def _figure(hit: Hit) -> str:
    picture = b64encode(thumbnail(hit.path.read_bytes(), SIDE)).decode()
    relevance = "" if hit.relevance is None else f"{hit.relevance:.2f} "
    words = escape(in_words(hit.relevance, hit.similarity))
    return (
        f'<figure><img alt="" src="data:image/jpeg;base64,{picture}">'
        f"<figcaption>{relevance}{words}<br>{escape(hit.path.name)}</figcaption></figure>"
    )
