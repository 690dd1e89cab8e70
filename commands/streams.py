"""Standard input, output and error: always open, and safe to print anything to.

A terminal acts on what it is sent: a name with an escape sequence could rewrite the screen, or type
a command. Every value is made legible where it is put into a text. But one may be forgotten, and
other packages print, too, so a terminal gets nothing but legible text. Colours, progress bars and
pictures are drawn on the stream behind, which :func:`unguarded` returns.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TextIO, cast

from pixquery.engine.legible import legible_lines


class Guarded(io.TextIOBase):
    """A stream to a terminal on which everything but text, line breaks and tabs is escaped.

    It has no ``buffer``: click would write to that directly if the locale is ASCII, or on Windows.
    """

    def __init__(self, stream: TextIO) -> None:
        """Takes the stream to write to."""
        self.unguarded = stream

    def write(self, text: str) -> int:
        """Writes the text legibly."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self.unguarded.write(legible_lines(text))
        return len(text)

    def writable(self) -> bool:
        """It is."""
        return True

    def flush(self) -> None:
        """Flushes the terminal's stream."""
        self.unguarded.flush()

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self.unguarded.isatty()

    def fileno(self) -> int:
        """The terminal's."""
        return self.unguarded.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The terminal's."""
        return self.unguarded.encoding


def guarded(stream: TextIO) -> TextIO:
    """The stream, guarded if it is a terminal."""
    if isinstance(stream, Guarded) or not stream.isatty():
        return stream
    return cast("TextIO", Guarded(stream))


def unguarded(stream: TextIO) -> TextIO:
    """The stream itself. Only what this package draws may be written to it."""
    return stream.unguarded if isinstance(stream, Guarded) else stream


def prepare() -> None:
    """Opens the standard streams that are closed, and makes all of them safe to print to."""
    standard = ("stdin", "stdout", "stderr")
    closed = [name for name in standard if getattr(sys, name) is None]
    for name in closed:
        _fill(standard.index(name))
    for name in closed:
        mode = "r" if name == "stdin" else "w"
        null = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - as long as we run
        setattr(sys, name, null)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            # A name may have characters that the output has no bytes for.
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, guarded(stream))


def _fill(number: int) -> None:
    """Opens a descriptor if it is closed. Otherwise the next file would get its number.

    That file could be the catalogue, and whatever prints would write to it.
    """
    try:
        os.fstat(number)
    except OSError:
        null = os.open(os.devnull, os.O_RDWR)
        if null != number:
            os.dup2(null, number)
            os.close(null)
