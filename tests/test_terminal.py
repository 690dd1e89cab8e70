"""No name, value or file makes a terminal do anything, whatever command shows it.

Each command runs on a terminal of its own. Colours, links and the progress bar are drawn there, and
nothing else that a terminal acts on.
"""

import os
import re
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import REPOSITORY, Invoke, square, write_profile

fcntl = pytest.importorskip("fcntl", reason="there are no pseudo terminals")
pty = pytest.importorskip("pty", reason="there are no pseudo terminals")
termios = pytest.importorskip("termios", reason="there are no pseudo terminals")

HOSTILE = "e\x1b[7;5m\x1b]0;title\x07\x9b2J\u202e\rx\n"
"""Blinking, another title, a cleared screen, text that runs leftwards, an overwritten line."""
DRAWN = re.compile(
    r"\x1b\[[0-9;]*m|\x1b\]8;[^\x1b\x07]*\x1b\\"  # colours and links
    r"|\x1b\[\?25[lh]|\x1b\[[12]?K|\x1b\[[0-9]*A|\r(?=\n|\x1b|$| )"  # the progress bar
)


def on_terminal(
    *words: str | Path, columns: int = 80, env: dict[str, str] | None = None
) -> tuple[int, str]:
    """Runs a command on a terminal; its exit code, and what the terminal was sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    started = subprocess.Popen(
        [sys.executable, str(REPOSITORY / "cli.py"), *map(str, words)],
        stdin=theirs, stdout=theirs, stderr=theirs,
        env={name: value for name, value in os.environ.items() if name != "COLUMNS"}
        | {"TERM": "xterm-256color"} | (env or {}),
    )  # fmt: skip
    os.close(theirs)
    sent = b""
    try:
        while part := os.read(ours, 1 << 16):
            sent += part
    except OSError:  # the command has ended
        pass
    os.close(ours)
    return started.wait(60), sent.decode().replace("\r\n", "\n")


@pytest.fixture
def hostile(tmp_path: Path, squares: Path, colours: Path, invoke: Invoke) -> Path:
    """A library of photos with such names, cameras and folders."""
    exif = Image.Exif()
    exif[0x010F] = HOSTILE
    square(squares / f"{HOSTILE}.jpg", "red", exif=exif)
    square(squares / f"{HOSTILE}2.jpg", "red")
    (squares / f"{HOSTILE}.png").write_bytes(b"no photo")
    library = tmp_path / "library"
    assert invoke("index", squares, "--library", library, "--profile", colours).exit_code == 0
    return library


def test_no_command_lets_anything_through(hostile: Path, squares: Path, tmp_path: Path) -> None:
    photo, red = squares / f"{HOSTILE}.jpg", next(squares.rglob("red.*"))
    cell = f'"{HOSTILE}"'
    tables = {
        "pairs": f"image,text\n{red},{cell}\n",
        "lost": f"image,text\n{cell},red\n",
        "queries": f"query_id,query_text,image\n1,red,{cell}\n",
        "header": f"{cell},{cell}\n",
        "ratings": f"image,text,rating\n{photo.name.strip()!r},red,{cell}\n",
    }
    for name, text in tables.items():
        (tmp_path / f"{name}.csv").write_text(text, "utf-8", newline="")
    profiles = tmp_path / "profiles"
    write_profile(profiles / "odd", HOSTILE)
    (profiles / "odd" / "text.onnx").unlink()
    write_profile(profiles / "odder", "odder")
    manifest = profiles / "odder" / "manifest.json"
    escaped = HOSTILE.encode("unicode_escape").decode().replace("\\x", "\\u00")
    manifest.write_text(manifest.read_text("utf-8").replace("CC0-1.0", escaped), "utf-8")
    queries = [
        ("red",), ("red", "--json"), ("red", "--ndjson"), ("red", "--paths"),
        ("red", "--paths", "-0"), ("--camera", HOSTILE), (HOSTILE,), ("red", "--plus", HOSTILE),
        ("red", "--sheet", tmp_path / f"{HOSTILE}.html"), ("red", "--open", "1"),
        ("red", "--sheet", tmp_path / HOSTILE / "x.html"), ("--like", photo), ("--like", HOSTILE),
        *(("red", option, HOSTILE) for option in (
            "--format", "--taken", "--near", "--path", "--root", "-k", "--orientation",
            "--min-relevance", "--library",
        )),
        ("red", f"--{HOSTILE}"), ("red", "red", HOSTILE),
    ]  # fmt: skip
    words: list[tuple[str | Path, ...]] = [
        *(("query", *each) for each in queries),
        ("index",), ("index", HOSTILE), ("index", "--profile", HOSTILE),
        ("index", squares, "--library", tmp_path / "new", "--profile", profiles / "odder"),
        ("index", squares, "--library", tmp_path / "newer", "--profile", profiles / "odd"),
        ("duplicates",), ("duplicates", "--paths"), ("info",), ("verify",), ("policy",),
        ("judge", "--undo"), ("judge", "--undo", "--worker", HOSTILE), ("train",),
        ("judge", "--export", tmp_path / f"{HOSTILE}.csv"), ("models", "use", HOSTILE),
        ("policy", HOSTILE), ("models", "list"), ("models", HOSTILE), ("models", "add", HOSTILE),
        ("models", "teach", HOSTILE, photo, photo), ("models", "forget-concept", HOSTILE),
        ("models", "teach", "dots", photo, squares / f"{HOSTILE}2.jpg", squares / f"{HOSTILE}.png"),
        *(("score", tmp_path / f"{name}.csv") for name in ("pairs", "lost", "header")),
        ("evaluate", tmp_path / "queries.csv"), ("score", HOSTILE),
        ("evaluate", tmp_path / "queries.csv", "--sep", HOSTILE),
        ("train", tmp_path / "ratings.csv", "--out", tmp_path / "out"),
        ("train", HOSTILE, "--out", HOSTILE), ("serve", "--host", HOSTILE),
        ("mcp", "--json", "--library", HOSTILE), (HOSTILE,), (f"--{HOSTILE}",), ("--help",),
    ]  # fmt: skip
    env = {"PIXQUERY_LIBRARY": str(hostile), "PIXQUERY_PROFILES": str(profiles), "PATH": "/nowhere"}
    with ThreadPoolExecutor(3) as pool:
        # Wide, so that no name is broken over two lines.
        answers = list(pool.map(lambda each: on_terminal(*each, columns=400, env=env), words))
    for each, (code, sent) in zip(words, answers, strict=True):
        assert code in {0, 1, 2, 3, 75}, (each, sent)  # 75: another one of them writes
        assert "This is a bug" not in sent, (each, sent)
        assert "Traceback" not in sent, (each, sent)
        plain = DRAWN.sub("", sent)
        odd = {c for c in plain if c not in "\n\t\0" and not c.isprintable()}
        assert not odd, (each, sent)
        assert not re.search(r"\x1b\[7;5m|\x1b\]0", sent), (each, sent)
    for place, shown in ((0, "\\x1b[7;5m"), (4, "\\u202e")):
        assert shown in answers[place][1]
    assert "skipped " in on_terminal("index", env=env)[1]  # nobody else writes now


def test_tables_for_programs_stay_exact(hostile: Path, squares: Path, tmp_path: Path) -> None:
    """A pipe is no terminal."""
    pairs = tmp_path / "pairs.csv"
    text = f'"{HOSTILE.strip()}"'
    red = next(squares.rglob("red.*"))
    pairs.write_text(f"image,text\n{red},{text}\n", "utf-8", newline="")
    command = [sys.executable, str(REPOSITORY / "cli.py")]
    scored = subprocess.run(
        [*command, "score", str(pairs), "--library", str(hostile)], capture_output=True, check=True
    )
    assert HOSTILE.strip().encode() in scored.stdout
    paths = subprocess.run(
        [*command, "query", "red", "--paths", "-0", "--library", str(hostile)],
        capture_output=True, check=True,
    )  # fmt: skip
    assert os.fsencode(squares / f"{HOSTILE}.jpg") in paths.stdout.split(b"\0")


@pytest.mark.parametrize("columns", [20, 30, 40, 60, 80, 200])
def test_paths_are_shown_at_any_width(columns: int, hostile: Path) -> None:
    code, sent = on_terminal("query", "red", "-k", "9", "--library", hostile, columns=columns)
    assert code == 0
    lines = DRAWN.sub("", sent).split("\n")
    assert all(len(line.rstrip()) <= columns for line in lines), sent
    first = next(line.index("/") for line in lines if "/" in line)  # where the paths begin
    together = "".join(line[first:].split("  ")[0].strip() for line in lines)
    assert "squares/deep/red.png" in together, sent
    assert ("fits very well" in sent) == (columns >= 54)
    assert ("24 x 16" in sent) == (columns >= 86)
    headings = next((line for line in lines if "relevance" in line), "")
    assert ("id" in headings.split()) == (columns >= 70)


def test_colours_can_be_switched_off(hostile: Path) -> None:
    for command in (("query", "red"), ("duplicates",)):
        for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            _, sent = on_terminal(*command, "--library", hostile, env=env)
            assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", sent), (env, sent)
        _, sent = on_terminal(*command, "--library", hostile)
        assert "\x1b[32m" in sent


def test_dates_say_whether_a_camera_noted_them(
    tmp_path: Path, colours: Path, invoke: Invoke
) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2019:08:13 10:00:00"
    square(tmp_path / "photos" / "a.jpg", "red", exif=exif)
    square(tmp_path / "photos" / "b.jpg", "blue")
    os.utime(tmp_path / "photos" / "b.jpg", (1_500_000_000,) * 2)
    library = tmp_path / "library"
    assert (
        invoke("index", tmp_path / "photos", "--library", library, "--profile", colours).exit_code
        == 0
    )
    words = ("query", "--min-width", "1", "--library", library)
    _, sent = on_terminal(*words, env={"TZ": "UTC"})
    plain = DRAWN.sub("", sent)
    assert "date" in plain.splitlines()[0].split()
    assert "taken" not in plain
    assert "2019-08-13 " in plain
    assert "2019-08-13 (file)" not in plain
    assert "2017-07-14 (file)" in plain
    assert "(file): when the file was modified" in plain.replace("\n", " ")
    _, narrow = on_terminal(*words, columns=45, env={"TZ": "UTC"})
    assert "2017-07-14*" in DRAWN.sub("", narrow)
