"""The second pass of `index`: reads the text in photos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pixquery.commands.printing import say
from pixquery.commands.progress import progress_bar
from pixquery.engine.legible import counted

if TYPE_CHECKING:
    from pixquery.engine.library import Library
    from pixquery.indexer.text_pass import TextReport


def read_if_wanted(library: Library) -> TextReport | None:
    """Reads the text in new photos, if the library is to; shows progress."""
    if not library.reads_text:
        return None
    from pixquery.indexer.text_pass import read_text

    with progress_bar("Reading text", "photos") as progress:
        return read_text(library, progress)


def say_what_was_read(report: TextReport | None) -> None:
    """Prints on stderr in how many photos there is text, if any were read."""
    if report is None or not (report.read or report.left):
        return
    words = f"read the text in {counted(report.read, 'photo')}, and found some in {report.found:,}"
    if report.interrupted:
        words += f"; {report.left:,} are left for the next `pixquery index`"
    elif report.left:
        words += f"; {report.left:,} could not be read now"
    say(words)


def text_json(report: TextReport | None) -> dict[str, Any] | None:
    """What was read, as JSON; null if the library reads no text."""
    if report is None:
        return None
    return {"read": report.read, "found": report.found, "left": report.left}
