"""The second pass of an indexing: reads the text in photos, the newest first.

It takes hours for many photos. So each photo is written for itself, the library is locked only for
that moment, and whatever stops the pass, the next one goes on with the first photo that was not
read. It runs at a low priority, as somebody may be searching.
"""

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Protocol

from pixquery.db.errors import MissingExtra, PhotoFailed, UnreadableImage
from pixquery.db.metadata import READS_TEXT
from pixquery.db.records import Line
from pixquery.engine.library import Library
from pixquery.engine.photos import read_indexed
from pixquery.indexer.failures import failures_reported
from pixquery.indexer.interrupt import deferred_ctrl_c

_LOWER = 10
"""By how much the priority is lowered, where the system has such numbers."""
_A_MOMENT = 0.5
"""Seconds."""


class TextReader(Protocol):
    """Reads text in photos; see :mod:`pixquery.indexer.text_reader`."""

    version: str
    """A digest of what it reads with."""

    def read_file(self, content: bytes) -> Sequence[Line]:
        """The lines of text in a photo's file."""
        ...


@dataclass(frozen=True, slots=True)
class TextReport:
    """What one pass did."""

    read: int = 0
    """Photos that were read."""
    found: int = 0
    """How many of them have text."""
    left: int = 0
    """Photos that are still to be read: their files cannot be read now, or the pass was stopped."""
    interrupted: bool = False


def refuse_if_missing() -> None:
    """Refuses to read text before anything else is done, if that cannot be.

    Raises:
        MissingExtra: The packages of the extra ``text`` are not installed.
    """
    for package in ("rapidocr", "cv2"):
        if find_spec(package) is None:
            raise MissingExtra(
                f"reading text needs the package {package}: pip install 'pixquery[text]'"
            )


def remember_to_read(library: Library, *, on: bool) -> None:
    """Makes the library's indexings read text, or not; what was read stays."""
    if library.reads_text != on:
        with library.writing(brief=True):
            library.catalog.keep(READS_TEXT, "on" if on else "off")


def read_text(
    library: Library,
    progress: Callable[[int, int], object] = lambda done, total: None,
    reader: TextReader | None = None,
) -> TextReport:
    """Reads the text in all photos that were not read yet, or changed since.

    Ctrl-C ends the pass early; the report then says ``interrupted``.

    Args:
        library: To read; it answers meanwhile, and knows what was read so far.
        progress: Called with the number of photos done and the number to do.
        reader: By default the one of the extra ``text``.

    Raises:
        MissingExtra: It is not installed.
        LibraryLocked: Another process has been writing for long.
        StorageFailed: The disk is full or failing; what was written before is kept.
    """
    # In a thread of its own, whose priority can be lowered without that of others. Those that the
    # models start get the same.
    with (
        deferred_ctrl_c() as stop_requested,
        ThreadPoolExecutor(1, "text", initializer=_step_back) as thread,
    ):
        reading = thread.submit(_read_all, library, progress, stop_requested, reader)
        while not wait([reading], _A_MOMENT).done:  # on Windows, Ctrl-C interrupts no longer wait
            pass
        return reading.result()


def _read_all(
    library: Library,
    progress: Callable[[int, int], object],
    stop_requested: Callable[[], bool],
    reader: TextReader | None,
) -> TextReport:
    waiting = library.catalog.unread(_installed_version() if reader is None else reader.version)
    if not waiting:
        return TextReport()
    if reader is None:
        from pixquery.indexer import text_reader

        reader = text_reader.TextReader(os.cpu_count() or 1)
    read = found = 0
    progress(0, len(waiting))
    for done, image_id in enumerate(waiting):
        if stop_requested():
            return TextReport(read, found, len(waiting) - read, interrupted=True)
        lines = _read(library, image_id, reader)
        if lines is not None:
            read += 1
            found += bool(lines)
        progress(done + 1, len(waiting))
    return TextReport(read, found, len(waiting) - read)


def _installed_version() -> str:
    """The reader's version, without its networks, which take a second to load."""
    refuse_if_missing()
    from pixquery.indexer import text_reader  # OpenVINO: most indexings read no text

    return text_reader.reading_version()


def _read(library: Library, image_id: int, reader: TextReader) -> Sequence[Line] | None:
    """Reads one photo and notes its lines; none if it cannot be read now."""
    catalog = library.catalog
    record = catalog.records([image_id]).get(image_id)
    if record is None:  # it was removed meanwhile
        return None
    try:
        with failures_reported("could not be read"):
            lines = reader.read_file(read_indexed(record))
    except (OSError, UnreadableImage, PhotoFailed):
        return None
    with library.writing(brief=True), catalog.transaction():
        now = catalog.records([image_id]).get(image_id)
        if now is None or now.content != record.content:
            return None
        catalog.note_readings({image_id: lines}, reader.version)
    return lines


def _step_back() -> None:
    """Lowers the priority of this thread, where the system can do that for one alone."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) + _LOWER)
