"""A command on a terminal of its own, at whose keys a test sits."""

import os
import re
import select
import struct
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import pytest

from tests.conftest import REPOSITORY

fcntl = pytest.importorskip("fcntl", reason="there are no pseudo terminals")
pty = pytest.importorskip("pty", reason="there are no pseudo terminals")
termios = pytest.importorskip("termios", reason="there are no pseudo terminals")

_PATIENCE = 60.0


class Terminal:
    """A running command; what it sent so far is ``sent``."""

    def __init__(self, *words: str | Path, columns: int = 100, **env: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, str(REPOSITORY / "cli.py"), *map(str, words)],
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={name: value for name, value in os.environ.items() if name != "COLUMNS"}
            | {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | env,
        )  # fmt: skip
        os.close(theirs)
        self.sent = ""
        self._seen = 0

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def wait_for(self, words: str) -> None:
        """Reads until the command has sent these words, after those waited for before."""
        until = time.monotonic() + _PATIENCE
        while (place := self.sent.find(words, self._seen)) < 0:
            assert self._read(until - time.monotonic()), (words, self.sent)
        self._seen = place + len(words)

    def wait_for_line(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """Reads until the command has sent what fits a pattern, after what was waited for."""
        until = time.monotonic() + _PATIENCE
        while (found := pattern.search(self.sent, self._seen)) is None:
            assert self._read(until - time.monotonic()), (pattern, self.sent)
        self._seen = found.end()
        return found

    def end(self) -> tuple[int, str]:
        """The exit code, once the command has ended, and all that it sent."""
        until = time.monotonic() + _PATIENCE
        while self._read(until - time.monotonic()):
            pass
        return self.process.wait(max(1.0, until - time.monotonic())), self.sent

    def _read(self, seconds: float) -> bool:
        """Reads some of what the command sends; false at its end, or if nothing came."""
        if seconds <= 0 or not select.select([self._ours], [], [], seconds)[0]:
            return False
        try:
            part = os.read(self._ours, 1 << 16)
        except OSError:  # the command has ended
            return False
        self.sent += part.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(part)
