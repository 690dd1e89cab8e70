"""The standard streams: never closed, and a terminal is sent nothing but text."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import TextIO, cast

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixquery.commands.streams import Guarded, guarded, unguarded
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.skipif(os.name != "posix", reason="descriptors differ on other systems")


class Terminal(io.StringIO):
    """What a terminal was sent."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1


def test_a_terminal_is_sent_text_alone() -> None:
    terminal = Terminal()
    stream = guarded(terminal)
    print("a\tb \x1b[31mred\x9b2J \u202eleft\r\n写真 🐕\u200d🦺 \udcff", file=stream)
    assert terminal.getvalue() == (
        "a\tb \\x1b[31mred\\x9b2J \\u202eleft\\r\n写真 🐕\u200d🦺 \\udcff\n"
    )


@given(st.lists(st.text()))
def test_no_pieces_make_an_escape_sequence(pieces: list[str]) -> None:
    terminal = Terminal()
    stream = guarded(terminal)
    for piece in pieces:
        assert stream.write(piece) == len(piece)
    assert all(c in "\n\t" or ord(c) > 31 for c in terminal.getvalue())
    assert not set(terminal.getvalue()) & {"\x7f", *map(chr, range(0x80, 0xA0))}


def test_what_is_no_terminal_stays_exact() -> None:
    out = io.StringIO()
    assert guarded(out) is out
    assert unguarded(out) is out


def test_the_terminal_itself_can_be_drawn_on() -> None:
    terminal = Terminal()
    stream = guarded(terminal)
    assert guarded(stream) is stream
    unguarded(stream).write("\x1b[32mgreen")
    assert terminal.getvalue() == "\x1b[32mgreen"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_click_prints_through_the_guard(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the locale is ASCII, it looks for a stream of bytes to write UTF-8 to."""
    terminal = Terminal()
    monkeypatch.setattr(terminal, "encoding", encoding)
    monkeypatch.setattr(sys, "stdout", guarded(terminal))
    click.echo("\x1b]0;title\x07")
    click.secho("red", fg="red")
    assert "\x1b" not in terminal.getvalue()
    assert "\\x1b]0;title\\x07" in terminal.getvalue()


def test_bytes_are_refused() -> None:
    stream = cast("TextIO", Guarded(Terminal()))
    with pytest.raises(TypeError, match="must be str"):
        stream.write(b"\x1b")  # type: ignore[arg-type]
    assert not hasattr(stream, "buffer")


def script(redirections: str, code: str) -> subprocess.CompletedProcess[str]:
    line = f'exec "$0" -c "$1" {redirections}'
    return subprocess.run(
        ["bash", "-c", line, sys.executable, f"from pixquery.commands.streams import *\n{code}"],
        cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_opened(closed: str, tmp_path: Path) -> None:
    """Otherwise the first file to be opened would be what the next line is printed to."""
    file = tmp_path / "file"
    done = script(
        closed,
        f"prepare(); import sys; number = os.open({str(file)!r}, os.O_CREAT | os.O_WRONLY)\n"
        "for stream in (sys.stdin, sys.stdout, sys.stderr): stream.fileno()\n"
        "print('one'); print('two', file=sys.stderr); os.write(1, b'three'); os.write(2, b'four')\n"
        "sys.stdin.read(); os._exit(number > 2 and 0)",
    )
    assert done.returncode == 0, done.stderr
    assert file.read_bytes() == b""


def test_characters_that_the_output_has_no_bytes_for_are_escaped() -> None:
    code = r"prepare(); print('☂ é \udcff')"
    for encoding, shown in (("latin-1", b"\\u2602 \xe9 \\udcff\n"), ("utf-8", None)):
        done = subprocess.run(
            [sys.executable, "-c", f"from pixquery.commands.streams import *\n{code}"],
            env={**os.environ, "PYTHONIOENCODING": encoding},
            cwd=REPOSITORY, capture_output=True, check=True, timeout=60,
        )  # fmt: skip
        assert done.stdout == (shown or "☂ é \\udcff\n".encode())
