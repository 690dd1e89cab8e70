"""Commands run where something is missing, closed, full or odd: an answer or one sentence."""

import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple
from urllib.request import urlopen

import pytest

from tests.conftest import REPOSITORY, square

pytestmark = pytest.mark.skipif(os.name != "posix", reason="streams differ on other systems")


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: bytes
    err: str


def run(
    *words: str | Path,
    shell: str = "",
    cwd: Path | None = None,
    env: Mapping[str, str | None] = MappingProxyType({}),
) -> Done:
    """Runs a command as a shell does.

    Args:
        words: After ``pixquery``.
        shell: Redirections, such as ``>&-``.
        cwd: The current folder; one that does not exist is deleted after the command began.
        env: Variables to set, or to remove.
    """
    line = f'exec "$0" "$@" {shell}'
    if cwd is not None and not cwd.exists():
        line = f'mkdir "{cwd}" && cd "{cwd}" && rmdir "{cwd}" && {line}'
        cwd = None
    variables = {**os.environ, **env}
    done = subprocess.run(
        ["bash", "-c", line, sys.executable, str(REPOSITORY / "cli.py"), *map(str, words)],
        env={name: value for name, value in variables.items() if value is not None},
        cwd=cwd, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    lines = done.stderr.decode("utf-8", "backslashreplace").splitlines(keepends=True)
    err = "".join(line for line in lines if not line.startswith(("shell-init:", "bash:")))
    return Done(done.returncode, done.stdout, err)


def check(words: tuple[str | Path, ...], done: Done) -> None:
    """No command may end in a traceback or in an error of ours."""
    for bad in ("Traceback", "This is a bug", "Exception ignored", "Error:"):
        assert bad not in done.err, (words, done)
    assert done.code in {0, 1}, (words, done)
    if done.code == 1:
        assert done.err.startswith("pixquery: "), (words, done)


@pytest.fixture
def commands(place: Path, squares: Path, tmp_path: Path) -> list[tuple[str | Path, ...]]:
    """Every command that ends by itself, each of which succeeds."""
    red = next(squares.rglob("red.*"))
    square(squares / "again.png", "red")
    assert run("index", "--library", place).code == 0
    (tmp_path / "pairs.csv").write_text(f"image,text\n{red},red\n")
    (tmp_path / "queries.csv").write_text("query_id,query_text,image\n1,red,red.png\n")
    library = ("--library", place)
    return [
        ("query", "red", *library), ("query", "red", "--json", *library),
        ("query", "red", "--paths", "-0", *library),
        ("query", "red", "--sheet", tmp_path / "sheet.html", *library),
        ("index", *library), ("duplicates", *library),
        ("info", *library), ("policy", *library), ("verify", *library), ("models", "list"),
        ("models", "teach", "dots", squares, *library),
        ("score", tmp_path / "pairs.csv", *library),
        ("evaluate", tmp_path / "queries.csv", "--report", tmp_path / "report", *library),
        ("mcp", "--json", *library), ("mcp", *library), ("--help",), ("--version",),
    ]  # fmt: skip


def test_output_that_is_closed_is_nowhere(
    commands: list[tuple[str | Path, ...]], place: Path, squares: Path
) -> None:
    """Daemons close all of it. What is done is done, and nothing is said."""
    for words, shell in zip(commands, cycle((">&- </dev/null", "<&- >&- 2>&-")), strict=False):
        done = run(*words, shell=shell)
        assert (done.code, done.out) == (0, b""), (words, shell, done)
        check(words, done)
    (squares / "broken.jpg").write_bytes(b"no photo")  # there is something to say
    done = run("index", "--library", place, shell="2>&-")
    assert (done.code, done.err) == (0, "")
    assert b"1 skipped" in done.out
    assert json.loads(run("query", "red", "--json", "--library", place, shell="2>&-").out)["hits"]


def test_full_output_is_a_sentence(commands: list[tuple[str | Path, ...]]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    noisy = [words for words in commands if words[0] != "mcp" or "--json" in words]
    with ThreadPoolExecutor(2) as pool:
        for words, done in zip(
            noisy, pool.map(lambda each: run(*each, shell=">/dev/full"), noisy), strict=True
        ):
            check(words, done)
            assert done.code == 1, (words, done)
            assert "the output cannot be written (No space left" in done.err, (words, done)


@pytest.mark.parametrize(
    ("env", "shown"),
    [
        ({"PYTHONIOENCODING": "latin-1"}, b"\\u2602"),
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, b"\\udce2"),
        ({"LC_ALL": "C.UTF-8"}, "☂".encode()),
    ],
)
def test_names_that_the_output_has_no_bytes_for(
    env: dict[str, str], shown: bytes, place: Path, squares: Path, tmp_path: Path
) -> None:
    umbrella = square(squares / "☂.png", "red")
    assert run("index", "--library", place).code == 0
    (tmp_path / "pairs.csv").write_text(f"image,text\n{umbrella},é ☂\n", "utf-8")
    for words in (("query", "red"), ("duplicates",), ("score", tmp_path / "pairs.csv")):
        done = run(*words, "--library", place, env=env)
        check(words, done)
        if env.get("PYTHONUTF8") != "0" or words[0] == "query":  # then names are bytes to it
            assert done.code == 0, done
            assert shown in done.out, done


@pytest.mark.parametrize(
    "env",
    [
        {"TERM": "dumb"}, {"TERM": None}, {"COLUMNS": "0"}, {"COLUMNS": "-3"}, {"COLUMNS": "wide"},
        {"NO_COLOR": "1", "FORCE_COLOR": "1"}, {"TMPDIR": "/nowhere"}, {"HOME": None},
        {"HOME": ""}, {"HOME": "/nowhere"}, {"PIXQUERY_CACHE": ""},
        {"PIXQUERY_CACHE": "~nobody-x/c"},
        {"PIXQUERY_PROFILES": ""}, {"PIXQUERY_PROFILES": "~nobody-x/p"}, {"PIXQUERY_TOKEN": ""},
        {"XDG_DATA_HOME": "", "XDG_CACHE_HOME": ""}, {"LANG": "xx_YY.nothing", "LC_ALL": "xx"},
    ],
    ids=str,
)  # fmt: skip
def test_odd_variables_change_no_answer(
    env: dict[str, str | None], place: Path, tmp_path: Path
) -> None:
    done = run("query", "red", "--json", "--library", place, cwd=tmp_path, env=env)
    assert (done.code, done.err) == (0, "")
    assert not list(Path.cwd().glob("~*"))
    assert len(json.loads(done.out)["hits"]) == 8


def test_the_library_may_be_named_with_a_tilde(place: Path, squares: Path, tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "PIXQUERY_LIBRARY": f"~/{place.name}"}
    for words in (("index",), ("query", "red"), ("mcp", "--json")):
        done = run(*words, env=env)
        check(words, done)
        assert done.code == 0, done
    assert str(place) in json.loads(done.out)["mcpServers"]["pixquery"]["args"]
    assert run("info", f"--library=~/{place.name}", env={"HOME": str(tmp_path)}).code == 0
    for words in (("index", str(squares)), ("query", "red")):
        done = run(*words, env={"PIXQUERY_LIBRARY": "~nobody-x/library"})
        check(words, done)
        assert "~nobody-x/library is below the home folder of a user that does not" in done.err
    assert not list(Path.cwd().glob("~*"))


def test_a_current_folder_that_was_deleted(place: Path, squares: Path, tmp_path: Path) -> None:
    gone, library = tmp_path / "gone", ("--library", place)
    for words in (("query", "red", *library), ("info", *library), ("index", squares, *library),
                  ("models", "list"), ("mcp", "--json", *library)):  # fmt: skip
        done = run(*words, cwd=gone)
        assert done.code == 0, (words, done)
    lost: list[tuple[str | Path, ...]] = [
        ("info", "--library", "here"),
        ("index", "photos", *library),
        ("query", "red", "--root", ".", *library),
        ("train", squares, "--out", "profile"),
    ]
    for each in lost:
        done = run(*each, cwd=gone)
        check(each, done)
        assert done.err == (
            "pixquery: the current folder was deleted: go to another, such as with `cd`\n"
        ), each


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_a_user_without_a_home_or_a_name(
    place: Path, squares: Path, colours: Path, tmp_path: Path
) -> None:
    """As in a container that is started with ``--user 54321``."""
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": sysconfig.get_path("purelib")}

    def started(python: str, *words: str | Path) -> Done:
        try:
            done = subprocess.run(
                [python, *map(str, words)], env=env, cwd="/", capture_output=True, timeout=120,
                check=False, user=54321, group=54321, extra_groups=[],
            )  # fmt: skip
        except PermissionError as error:
            return Done(126, b"", str(error))
        return Done(done.returncode, done.stdout, done.stderr.decode())

    program = str(REPOSITORY / "cli.py")
    pythons = [sys.executable, "/usr/bin/python3"]  # the first may be in somebody's home
    python = next((each for each in pythons if started(each, program, "--version").code == 0), "")
    if not python:
        pytest.skip("others cannot read this checkout or its Python")

    def nobody(*words: str | Path) -> Done:
        return started(python, program, *words)

    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(0o755)
    profile = tmp_path / "colours"
    profile.mkdir()
    for file in colours.iterdir():
        (profile / file.name).write_bytes(file.read_bytes())
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs").chmod(0o777)
    library = tmp_path / "theirs" / "library"
    indexed = nobody("index", squares, "--library", library, "--profile", profile)
    assert indexed.code == 0, indexed
    found = nobody("query", "red", "--library", library)
    assert (found.code, found.out.count(b"\n")) == (0, 8), found
    assert nobody("models", "list").code == 0
    for words in (("query", "red"), ("info",), ("index", squares)):
        without = nobody(*words)
        assert without.code == 1, without
        assert "this user has no home folder" in without.err
    added = nobody("models", "add", "mine", "--image", "x", "--text", "y")
    assert added.code == 1, added
    assert "name a folder with --out DIR" in added.err


@pytest.mark.parametrize("after", [0.15, 0.3, 0.35, 0.6, 1.0])
def test_control_c_at_any_time(after: float, place: Path) -> None:
    """It ends a command with 130, unless it comes after its end, or before our first line."""
    started = subprocess.Popen(
        [sys.executable, str(REPOSITORY / "cli.py"), "query", "red", "--library", str(place)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    time.sleep(after)
    started.send_signal(signal.SIGINT)
    _, err = started.communicate(timeout=60)
    if "KeyboardInterrupt" in err:  # while Python itself started
        assert "pixquery: " not in err
        return
    assert (started.returncode, err) in {(0, ""), (130, "pixquery: interrupted\n")}


def test_serve_runs_with_its_output_closed(place: Path) -> None:
    """As a daemon does."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = 'exec "$0" "$@" <&- >&- 2>&-'
    words = [str(REPOSITORY / "cli.py"), "serve", "--port", str(port), "--library", str(place)]
    started = subprocess.Popen(["bash", "-c", script, sys.executable, *words])
    for _ in range(300):
        with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            assert answer.status == 200
            break
        assert started.poll() is None
        time.sleep(0.1)
    else:
        pytest.fail("it does not answer")
    started.send_signal(signal.SIGINT)
    assert started.wait(30) == 0
