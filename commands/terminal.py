"""What the terminal can draw. Keys that are typed while it is asked are left for the shell."""

from __future__ import annotations

import io
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO

from pixquery.commands.loading import extra
from pixquery.commands.printing import say
from pixquery.commands.streams import unguarded
from pixquery.engine.legible import legible

Graphics = Literal["sixel", "kitty", "blocks"]

_QUESTIONS = b"\x1b_Gi=1,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[16t\x1b[c"
"""Kitty's graphics, the size of a cell, and what it is, which every terminal answers: last."""

_KITTY = re.compile(rb"\x1b_G([^\x1b]*)\x1b\\")
_CELL = re.compile(rb"\x1b\[6;(\d+);(\d+)t")
_ATTRIBUTES = re.compile(rb"\x1b\[\?([\d;]*)c")
_PATIENCE = 1.0
"""Seconds to wait for the last answer: the terminal may be far away."""

_USUAL_CELL = 10, 20
_MUTE = {"", "dumb", "linux"}
"""Terminals (``$TERM``) that answer nothing, or would print the question."""

_KNOWN: dict[str, Graphics] = {
    "xterm-kitty": "kitty", "xterm-ghostty": "kitty", "foot": "sixel", "foot-extra": "sixel",
    "mlterm": "sixel",
}  # fmt: skip
"""What terminals draw that need not be asked."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """How to draw pictures on a terminal."""

    graphics: Graphics = "blocks"
    cell: tuple[int, int] = _USUAL_CELL
    """Width and height of a character, in pixels."""


class _Unasked(io.TextIOBase):
    """Output to a terminal that is said to be none."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal

    def write(self, text: str) -> int:
        return self._terminal.write(text)

    def flush(self) -> None:
        self._terminal.flush()


@contextmanager
def drawing() -> Iterator[Any]:
    """The class of renderables that the terminal can draw.

    ``textual_image`` asks terminals itself, when it is imported and when it draws, and loses what
    is typed meanwhile. It does not ask where the output is no terminal, and then takes the size of
    a cell from two variables.

    Raises:
        MissingExtra: The extra for pictures is not installed.
    """
    if os.name != "posix":
        with extra("terminal"):
            from textual_image.renderable import Image  # asks
        yield Image
        return
    found = ask()
    width, height = found.cell
    cells = {"TEXTUAL_CELL_WIDTH": str(width), "TEXTUAL_CELL_HEIGHT": str(height)}
    before = sys.__stdout__
    setattr(sys, "__stdout__", _Unasked(unguarded(sys.stdout)))  # noqa: B010 - it is final for the type checker
    os.environ.update(cells)
    try:
        with extra("terminal"):
            from textual_image.renderable import HalfcellImage, SixelImage, TGPImage
        kinds = {"sixel": SixelImage, "kitty": TGPImage, "blocks": HalfcellImage}
        yield kinds[found.graphics]
    finally:
        setattr(sys, "__stdout__", before)  # noqa: B010
        for name in cells:
            os.environ.pop(name, None)


def ask() -> Drawing:
    """Asks the terminal behind stdin and stdout, which must be one.

    If something was typed already and could not be put back, the terminal is not asked.
    """
    if sys.platform == "win32":
        return Drawing()
    import termios
    import tty

    name, keyboard = os.environ.get("TERM", ""), sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    tty.setcbreak(keyboard, termios.TCSANOW)  # keeps what was typed, and shows it no second time
    try:
        if name in _MUTE or (_typed(keyboard) and not _takes_back()):
            return Drawing(_KNOWN.get(name, "blocks"), _cell_reported() or _USUAL_CELL)
        answers, keys = _answers(keyboard)
        lost = _put_back(keyboard, keys)
    finally:
        termios.tcsetattr(keyboard, termios.TCSANOW, before)
    if lost:
        keys_lost = legible(lost.decode("utf-8", "replace"))
        say(f"what was typed while the terminal was asked is lost, type it again: {keys_lost}")
    return understood(answers)


def understood(answers: bytes) -> Drawing:
    """What the answers of a terminal mean.

    Sixels are preferred: some terminals know kitty's graphics, but not its placeholders.
    """
    attributes, kitty = _ATTRIBUTES.search(answers), _KITTY.search(answers)
    graphics: Graphics = "blocks"
    if attributes is not None and b"4" in attributes[1].split(b";"):
        graphics = "sixel"
    elif kitty is not None and kitty[1].endswith(b";OK"):
        graphics = "kitty"
    cell = _cell_reported()
    if cell is None and (size := _CELL.search(answers)) is not None:
        cell = int(size[2]), int(size[1])
    return Drawing(graphics, cell if cell is not None and all(cell) else _USUAL_CELL)


def _answers(keyboard: int) -> tuple[bytes, bytes]:
    """Asks; the answers, and all else that came in: keys."""
    from select import select

    sys.stdout.flush()
    os.write(sys.stdout.fileno(), _QUESTIONS)
    received, end = b"", time.monotonic() + _PATIENCE
    while _ATTRIBUTES.search(received) is None:
        left = end - time.monotonic()
        if left <= 0 or not select([keyboard], [], [], left)[0]:
            break
        part = os.read(keyboard, 4096)
        if not part:
            break
        received += part
    keys = received
    for answer in (_KITTY, _CELL, _ATTRIBUTES):
        keys = answer.sub(b"", keys, count=1)
    return received, keys


def _typed(keyboard: int) -> bool:
    """Whether something was typed that nobody has read."""
    from select import select

    return bool(select([keyboard], [], [], 0)[0])


def _takes_back() -> bool:
    """Whether this system lets a program put back keys. Linux may be set up not to."""
    if sys.platform == "darwin":
        return True
    if sys.platform != "linux":
        return False
    try:
        return Path("/proc/sys/dev/tty/legacy_tiocsti").read_text("ascii").strip() != "0"
    except OSError:  # kernels before 6.2 always do
        return True


def _put_back(keyboard: int, keys: bytes) -> bytes:
    """Puts keys back for whoever reads next; those that the system refused."""
    if sys.platform == "win32":
        return keys
    import fcntl
    import termios

    for place in range(len(keys)):
        try:
            fcntl.ioctl(keyboard, termios.TIOCSTI, keys[place : place + 1])
        except OSError:
            return keys[place:]
    return b""


def _cell_reported() -> tuple[int, int] | None:
    """Width and height of a cell in pixels as the system knows them; none if it does not."""
    if sys.platform == "win32":
        return None
    import fcntl
    import struct
    import termios

    with suppress(OSError):
        size = fcntl.ioctl(sys.stdout.fileno(), termios.TIOCGWINSZ, bytes(8))
        rows, columns, width, height = struct.unpack("HHHH", size)
        if rows and columns and width >= columns and height >= rows:
            return width // columns, height // rows
    return None
