"""Single keys from a terminal, of which none is lost that is pressed early."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

QUIT = ""
"""Escape, Ctrl-C, Ctrl-D, or a terminal that was closed."""
_ENDS = {"", "\x03", "\x04", "\x1b"}
_SEQUENCE = 0.05
"""Seconds in which the rest of an arrow key's escape sequence arrives."""


@contextmanager
def single_keys() -> Iterator[None]:
    """Has the terminal hand over each key at once and unseen; afterwards it is as before."""
    if sys.platform == "win32":
        yield
        return
    import termios
    import tty

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    # At once: by default, keys that were pressed before would be thrown away.
    tty.setcbreak(terminal, termios.TCSANOW)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def next_key() -> str:
    """The next key in lower case inside :func:`single_keys`; :data:`QUIT` for those that end."""
    try:
        key = click.getchar() if sys.platform == "win32" else _read()
    except (KeyboardInterrupt, EOFError, OSError):
        return QUIT
    return QUIT if key in _ENDS else key.lower()


def _read() -> str:
    terminal = sys.stdin.fileno()
    byte = os.read(terminal, 1)
    if byte != b"\x1b" or not select.select([terminal], [], [], _SEQUENCE)[0]:
        return byte.decode("latin-1")
    sequence = byte + os.read(terminal, 1)  # of an arrow key or the like
    while sequence[1:] in (b"[", b"O") or (
        sequence[1:2] == b"[" and not 0x40 <= sequence[-1] < 0x7F
    ):
        sequence += os.read(terminal, 1)
    return sequence.decode("latin-1")
