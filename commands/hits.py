"""The ways to show the hits of an answer: JSON, lines, a table, pictures, or a page."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixquery.commands.loading import writing
from pixquery.commands.printing import console, day, figure, iso, near, rounded, say, shown
from pixquery.commands.progress import progress_bar
from pixquery.db.errors import NothingFound, NoViewer
from pixquery.db.quoting import quoted
from pixquery.engine.legible import counted, legible
from pixquery.engine.standing import NOTHING_FITS, in_figures, standing

if TYPE_CHECKING:
    from pixquery.db.records import ImageRecord
    from pixquery.engine.answers import Answer, Hit
    from pixquery.engine.mentions import Match


def hit_json(hit: Hit) -> dict[str, Any]:
    """A hit as JSON. Unknown values are null."""
    return {
        **asdict(hit),
        "path": str(hit.path),
        "relevance": figure(hit.relevance),
        "similarity": figure(hit.similarity),
        "modified": iso(hit.modified),
        "taken": hit.taken.isoformat() if hit.taken else None,
        "standing": hit.standing,
        "matched": [_match_json(match) for match in hit.matched],
    }


def _match_json(match: Match) -> dict[str, Any]:
    """Why a photo is in an answer; where a line of text stands, if it is one."""
    corners = {"corners": list(match.corners)} if match.corners else {}
    return {"kind": match.kind, "words": match.words, **corners}


def answer_json(answer: Answer) -> dict[str, Any]:
    """An answer as JSON, with the time of each stage in milliseconds."""
    return {
        "query": answer.query,
        "profile": answer.profile,
        "candidates": answer.candidates,
        "among": answer.among,
        "searched": _searched_json(answer),
        "recognised": [asdict(each) for each in answer.recognised],
        "suggestions": list(answer.suggestions),
        "hints": list(answer.hints),
        "fits": answer.fits,
        "hits": [hit_json(hit) for hit in answer.hits],
        "milliseconds": rounded(asdict(answer.milliseconds), 2),
    }


def _searched_json(answer: Answer) -> dict[str, Any] | None:
    phrase = answer.searched
    if phrase is None:
        return None
    return {"text": phrase.text, "also": phrase.also, "minus": list(phrase.minus)}


def say_what_was_searched(answer: Answer) -> None:
    """Prints on stderr how the text was understood, if not word for word, and what to try."""
    for each in answer.recognised:
        words = f"--literal {quoted(each.words)} searches for the words instead"
        say(f"only photos taken in {each.meaning}: {words}")
    if answer.searched is not None and answer.searched.reworded:
        say(f"searching for: {answer.searched}")
    for suggestion in answer.suggestions:
        say(f"did you mean: {suggestion}?")
    for hint in answer.hints:
        say(hint)


def say_if_nothing_fits(answer: Answer) -> None:
    """Prints on stderr that even the best photo does not fit, if that is so."""
    if answer.nothing_fits:
        say(f"{NOTHING_FITS}; these photos come closest:")


def show_hits(answer: Answer) -> None:
    """Prints a table on a terminal, otherwise a tab-separated line per hit."""
    if not sys.stdout.isatty():
        for hit in answer.hits:
            relevance = "" if hit.relevance is None else in_figures(hit.relevance, 3)
            similarity = "" if hit.similarity is None else f"{hit.similarity:.3f}"
            click.echo("\t".join([str(hit.rank), relevance, similarity, shown(hit.path)]))
        return
    from rich.table import Table
    from rich.text import Text

    drawing = console()
    width = drawing.width
    table = Table(box=None, pad_edge=False, header_style="dim", show_header=width >= _FOR_BARS)
    table.add_column("#", justify="right", style="dim")
    described = answer.hits[0].similarity is not None
    heading = "relevance" if answer.judged else "likeness" if described else "date"
    table.add_column(heading, no_wrap=True)
    table.add_column("photo", overflow="fold")
    if width >= _FOR_IDS:
        table.add_column("id", justify="right", style="dim", no_wrap=True)
    if width >= _FOR_SIZE:
        table.add_column("size", justify="right", style="dim", no_wrap=True)
    for hit in answer.hits:
        link = Text(near(hit.path))
        if hit.path.is_absolute() and shown(hit.path) == str(hit.path):
            link.stylize(f"link {hit.path.as_uri()}")
        for reason in _reasons(hit):
            link.append(f"\n{reason}", "dim")
        size = [f"{hit.width} x {hit.height}"] if width >= _FOR_SIZE else []
        number = [str(hit.id)] if width >= _FOR_IDS else []
        table.add_row(str(hit.rank), _known(hit, width), link, *number, *size)
    drawing.print(table)
    spent = answer.milliseconds.total
    summary = f"{answer.candidates:,} of {answer.among:,} photos compared in {spent:.0f} ms"
    if answer.sort != "relevance":
        summary += f", the {answer.sort} first"
    if not answer.candidates:
        end = "oldest" if answer.sort == "oldest" else "newest"
        summary = f"the {end} of {answer.among:,} photos"
        if not described and any(hit.taken is None for hit in answer.hits):
            mark = "(file)" if width >= _FOR_WORDS else "*"
            summary += f"; {mark}: when the file was modified, as no camera noted a time"
    drawing.print(summary, style="dim", highlight=False)


def _reasons(hit: Hit) -> list[str]:
    """Why a photo is in the answer, in words, unless it only looks like what is searched."""
    reasons = [match for match in hit.matched if match.kind != "look"]
    return [legible(str(match)) for match in reasons]


_FOR_SIZE, _FOR_IDS, _FOR_WORDS, _FOR_BARS = 86, 70, 54, 40
"""Columns of a terminal from which there is room for these; the path needs about 20 of them."""


def show_pictures(answer: Answer, photos: Mapping[int, ImageRecord]) -> None:
    """Shows pictures by kitty's graphics, sixels or half blocks, whichever the terminal knows.

    Args:
        answer: With the hits to show.
        photos: What the catalogue has of them, by id.
    """
    from rich.text import Text

    from pixquery.engine.standing import in_words

    screen = console()
    with pictures_shown() as show_picture:
        for hit in answer.hits:
            words = in_words(hit.relevance, hit.similarity)
            caption = [f"{hit.rank}", words, near(hit.path), f"{hit.width} x {hit.height}"]
            caption.append(f"id {hit.id}")
            screen.print(Text("  ".join(filter(None, caption))))
            show_picture(photos.get(hit.id))
            screen.print()


@contextmanager
def pictures_shown() -> Iterator[Callable[[ImageRecord | None], None]]:
    """A function that shows one picture on the terminal, which is asked how to draw.

    Raises:
        MissingExtra: The package that draws pictures is not installed.
    """
    import logging

    # Many terminals do not report their size, and for each it logs a warning with a traceback.
    logging.getLogger("textual_image").addHandler(logging.NullHandler())
    from rich.text import Text

    from pixquery.commands.terminal import drawing
    from pixquery.db.errors import UnreadableImage
    from pixquery.indexer.thumbnails import thumbnail_of

    screen = console()
    with drawing() as picture:

        def show(photo: ImageRecord | None) -> None:
            try:
                small = thumbnail_of(photo, _PICTURE)
            except UnreadableImage as error:
                screen.print(Text(f"cannot be read: {legible(str(error))}", "dim"))
            else:
                screen.print(picture(io.BytesIO(small), width="auto", height=_ROWS))

        yield show


_PICTURE, _ROWS = 640, 12
"""The longer side of a picture in pixels, and its height in lines."""


def write_sheet(answer: Answer, photos: Mapping[int, ImageRecord], file: Path) -> None:
    """Writes the hits to ``file``, as an HTML page of pictures; ``photos`` are theirs, by id."""
    from pixquery.web.sheet import contact_sheet

    with progress_bar("Drawing", "photos") as progress:
        page = contact_sheet(answer, photos, progress)
    with writing(file, "--sheet FILE.html"):
        file.write_bytes(page)
    say(f"wrote {counted(len(answer.hits), 'picture')} to {file}")


def open_hit(answer: Answer, rank: int) -> None:
    """Opens the hit of a rank with the system's viewer.

    Raises:
        NothingFound: No hit of this rank was shown.
        NoViewer: There is no viewer, or it could not open the photo.
        OSError: The photo is gone, or no regular file any more.
    """
    hit = next((hit for hit in answer.hits if hit.rank == rank), None)
    if hit is None:
        first, last = answer.hits[0].rank, answer.hits[-1].rank
        raise NothingFound(f"cannot open hit {rank}: the hits shown are {first} to {last}")
    open_photo(hit.path)


def open_photo(path: Path) -> None:
    """Opens a photo with the system's viewer.

    Raises:
        NoViewer: There is no viewer, or it could not open the photo.
        OSError: The photo is gone, or no regular file any more.
    """
    from pixquery.engine.photos import open_file

    open_file(path).close()  # a viewer would wait for a pipe
    if sys.platform == "win32":
        os.startfile(path)
        return
    names = ("open",) if sys.platform == "darwin" else ("xdg-open", "gio")
    viewer = next(filter(None, map(shutil.which, names)), None)
    if viewer is None:
        raise NoViewer(
            f"found no program that opens photos: install xdg-utils, or open {path} yourself"
        )
    words = [viewer, "open"] if Path(viewer).name == "gio" else [viewer]
    import subprocess  # most commands do not need it

    nothing = subprocess.DEVNULL
    started = subprocess.Popen(
        [*words, path], stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
    )
    try:
        failed = started.wait(_PATIENCE) != 0
    except subprocess.TimeoutExpired:
        failed = False  # some viewers run until the photo is closed
    if failed:
        raise NoViewer(f"{Path(viewer).name} could not open {path}: open it yourself")


_PATIENCE = 3
"""Seconds to wait for a viewer that fails."""


_COLOURS = {4: "green", 3: "green", 2: "yellow", 1: "red"}
"""Of the levels of :data:`pixquery.engine.standing.STANDINGS`."""


def _known(hit: Hit, width: int) -> Any:
    """How well a hit fits, or else how similar it is, or else when it was taken.

    On a terminal of ``width`` columns.
    """
    from rich.text import Text

    if hit.relevance is not None:
        row = standing(hit.relevance)
        words = row.words if width >= _FOR_WORDS else ""
        written, bar = in_figures(hit.relevance), _bar(row.level, 4, _COLOURS[row.level], words)
    elif hit.similarity is not None:
        full = round(10 * max(0.0, hit.similarity))
        written, bar = f"{hit.similarity:4.2f}", _bar(full, 10)
    else:
        if hit.taken is not None:
            return Text(day(hit.taken))
        words = " (file)" if width >= _FOR_WORDS else "*"
        return Text(day(hit.modified)) + Text(words, "dim")
    return Text(f"{written} ") + bar if width >= _FOR_BARS else Text(written)


def _bar(full: int, cells: int, colour: str = "", words: str = "") -> Any:
    from rich.text import Text

    bar = Text("━" * full, colour) + Text("─" * (cells - full), "bright_black")
    return bar + Text(f" {words}") if words else bar
