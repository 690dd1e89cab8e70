"""Pictures in terminals, through pseudo-terminals that answer as real ones do; and viewers."""

import base64
import io
import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import REPOSITORY, Invoke, square

pytestmark = pytest.mark.skipif(os.name != "posix", reason="terminals are a thing of POSIX")


@pytest.fixture
def place(tmp_path: Path, colours: Path, invoke: Invoke) -> Path:
    """A library of one red square."""
    square(tmp_path / "photos" / "red.png", "red", (240, 160))
    library = tmp_path / "library"
    done = invoke("index", tmp_path / "photos", "--library", library, "--profile", colours)
    assert done.exit_code == 0
    return library


_SHELL = """
import fcntl, os, select, subprocess, sys, termios, tty
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
code = subprocess.call(sys.argv[1:])
tty.setcbreak(0, termios.TCSANOW)
typed = b""
while select.select([0], [], [], 0.5)[0]:
    typed += os.read(0, 4096)
print("\\nthe shell reads", typed)
raise SystemExit(code)
"""
"""A shell that runs one command, and then reads what was typed."""


class Terminal:
    """A pseudo-terminal of 80 by 24 cells of 10 by 20 pixels."""

    def __init__(self, *, kitty: bool = False, sixel: bool = False) -> None:
        import fcntl
        import pty
        import struct
        import termios

        self.kitty, self.sixel, self.typed = kitty, sixel, b""
        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 800, 480))

    def run(self, *words: str | Path, controlling: bool = False, **env: str) -> str:
        """What a command has written, to which its questions were answered.

        Args:
            words: The command.
            controlling: Whether it is the terminal of the command's session, as in a shell.
            env: Variables of the environment.
        """
        door = [sys.executable, str(REPOSITORY / "cli.py")]
        if controlling:
            door = [sys.executable, "-c", _SHELL, *door]
        done = subprocess.Popen(
            [*door, *map(str, words)],
            stdin=self.theirs, stdout=self.theirs, stderr=self.theirs,
            start_new_session=controlling,
            env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **env},
        )  # fmt: skip
        os.close(self.theirs)
        shown, answered, end = b"", 0, time.monotonic() + 60
        while time.monotonic() < end:
            if not select.select([self.ours], [], [], 0.1)[0]:
                continue
            try:
                part = os.read(self.ours, 65536)
            except OSError:
                break
            if not part:
                break
            shown += part
            while end_of_one := self._answer(shown[answered:]):
                answered += end_of_one
        assert done.wait(10) == 0, shown
        return shown.decode("utf-8", "replace")

    def _answer(self, unanswered: bytes) -> int:
        """Answers the first question; how many bytes are dealt with."""
        asked = re.search(rb"\x1b\[c|\x1b\[16t|\x1b_G[^\x1b]*a=q[^\x1b]*\x1b\\", unanswered)
        if asked is None:
            return 0
        os.write(self.ours, self.typed)
        self.typed = b""
        if asked[0] == b"\x1b[c":
            os.write(self.ours, b"\x1b[?62;4c" if self.sixel else b"\x1b[?62c")
        elif asked[0] == b"\x1b[16t":
            os.write(self.ours, b"\x1b[6;20;10t")
        elif self.kitty:
            os.write(self.ours, b"\x1b_Gi=1;OK\x1b\\")
        return asked.end()


def pictures(place: Path, terminal: Terminal) -> str:
    pytest.importorskip("textual_image")
    return terminal.run("query", "red", "--library", place, "--pictures")


def test_kitty_gets_the_picture_as_png(place: Path) -> None:
    shown = pictures(place, Terminal(kitty=True))
    parts = re.findall(r"\x1b_Gi=\d+,m=[01],f=100,q=2;([^\x1b]*)\x1b\\", shown)
    with Image.open(io.BytesIO(base64.b64decode("".join(parts)))) as image:
        assert image.format == "PNG"
        assert image.size == (360, 240)  # twelve lines of 20 pixels
        red, green, blue = image.convert("RGB").getpixel((100, 100))  # type: ignore[misc]
    assert red > 240
    assert max(green, blue) < 15
    assert re.search(r"\x1b_Ga=p,i=\d+,c=36,r=12,U=1,q=2\x1b\\", shown)
    assert shown.count("\U0010eeee") == 36 * 12
    assert "fits very well" in shown


def test_a_sixel_terminal_gets_sixels(place: Path) -> None:
    shown = pictures(place, Terminal(sixel=True))
    found = re.search(r"\x1bP[0-9;]*q(.*?)\x1b\\", shown, re.DOTALL)
    assert found is not None
    assert re.search(r"#\d+;2;100;0;0", found[1]) or re.search(r"#\d+;2;99;0;0", found[1])
    assert "\U0010eeee" not in shown


def test_any_other_terminal_gets_half_blocks(place: Path) -> None:
    shown = pictures(place, Terminal())
    assert shown.count("▀") == 36 * 12
    assert re.search(r"38;2;25\d;[0-9];[0-9];48;2;25\d;[0-9];[0-9]m▀", shown)
    assert "\x1bP" not in shown


KEYS = b"echo caf\xc3\xa9 \x1b[A\r"
"""With an accent, and the key for the command before."""


@pytest.mark.parametrize("early", [True, False], ids=["before", "meanwhile"])
@pytest.mark.parametrize("kind", ["kitty", "sixel", ""])
def test_the_shell_reads_what_was_typed(early: bool, kind: str, place: Path) -> None:
    pytest.importorskip("textual_image")
    terminal = Terminal(kitty=kind == "kitty", sixel=kind == "sixel")
    if early:
        os.write(terminal.ours, KEYS)
    else:
        terminal.typed = KEYS
    shown = terminal.run("query", "red", "--library", place, "--pictures", controlling=True)
    expected = KEYS.replace(b"\r", b"\n")
    assert f"the shell reads {expected!r}" in shown
    drawn = {"kitty": "\U0010eeee", "sixel": "\x1bP", "": "▀"}
    assert drawn[kind] in shown


def test_keys_that_the_system_refuses_are_named() -> None:
    """They cannot be put back into what is no terminal."""
    from pixquery.commands.terminal import _put_back

    reading, writing = os.pipe()
    try:
        assert _put_back(reading, b"ls") == b"ls"
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize(
    ("answers", "graphics"),
    [
        (b"\x1b[?62;4c", "sixel"),
        (b"\x1b[?64;14;24c", "blocks"),
        (b"\x1b_Gi=1;OK\x1b\\\x1b[?62c", "kitty"),
        (b"\x1b_Gi=1;OK\x1b\\\x1b[?62;4c", "sixel"),
        (b"\x1b_Gi=1;ENOTSUPPORTED\x1b\\\x1b[?62c", "blocks"),
        (b"ls\x1b[A", "blocks"),
        (b"", "blocks"),
    ],
)
def test_answers_of_terminals(answers: bytes, graphics: str) -> None:
    from pixquery.commands.terminal import understood

    assert understood(answers).graphics == graphics


def test_a_photo_that_is_gone_leaves_its_words(place: Path) -> None:
    (place.parent / "photos" / "red.png").unlink()
    shown = pictures(place, Terminal())
    assert "cannot be read: No such file or directory" in shown


def test_pictures_need_a_terminal(place: Path, invoke: Invoke) -> None:
    told = invoke("query", "red", "--library", place, "--pictures")
    assert told.exit_code == 2
    assert "--sheet" in told.stderr


# -- viewers ----------------------------------------------------------------------------------


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has a program of its own")
def test_a_hit_is_opened_with_the_systems_viewer(
    place: Path, tmp_path: Path, invoke: Invoke
) -> None:
    program(tmp_path / "bin", "xdg-open", f'echo "$@" > "{tmp_path}/opened"')
    asked = ("query", "red", "--library", place)
    done = invoke(*asked, "--open", "1", PATH=str(tmp_path / "bin"))
    assert done.exit_code == 0, done.stderr
    opened = (tmp_path / "opened").read_text().strip()
    assert opened == str(place.parent / "photos" / "red.png")
    beyond = invoke(*asked, "--open", "2", PATH=str(tmp_path / "bin"))
    assert beyond.exit_code == 3
    assert "the hits shown are 1 to 1" in beyond.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has a program of its own")
def test_no_viewer_is_a_sentence(place: Path, tmp_path: Path, invoke: Invoke) -> None:
    asked = ("query", "red", "--library", place, "--open", "1")
    (tmp_path / "none").mkdir()
    without = invoke(*asked, PATH=str(tmp_path / "none"))
    assert without.exit_code == 1
    assert "found no program that opens photos" in without.stderr
    program(tmp_path / "bin", "gio", "exit 4")
    failing = invoke(*asked, PATH=str(tmp_path / "bin"))
    assert failing.exit_code == 1
    assert "gio could not open" in failing.stderr
