"""Ignore files say what they say to git."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pixquery.db.errors import BadRoot
from pixquery.indexer.ignore import IGNORE_FILE, Rules
from pixquery.indexer.scan import scan, scan_roots
from tests.conftest import names, plant


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        ("", {"a.png", "b.tmp.png", "sub/a.png", "sub/deep/c.png"}),
        ("# no more than a word\n\n!\n", {"a.png", "b.tmp.png", "sub/a.png", "sub/deep/c.png"}),
        ("*.tmp.png", {"a.png", "sub/a.png", "sub/deep/c.png"}),
        ("*.tmp.png  \r\n", {"a.png", "sub/a.png", "sub/deep/c.png"}),
        ("\ufeffb.tmp.png", {"a.png", "sub/a.png", "sub/deep/c.png"}),
        ("/a.png", {"b.tmp.png", "sub/a.png", "sub/deep/c.png"}),
        ("sub/", {"a.png", "b.tmp.png"}),
        ("deep", {"a.png", "b.tmp.png", "sub/a.png"}),
        ("*\n!*/\n!a.png", {"a.png", "sub/a.png"}),
        ("sub\n!sub/a.png", {"a.png", "b.tmp.png"}),
        ("sub/*\n!sub/deep", {"a.png", "b.tmp.png", "sub/deep/c.png"}),
        ("sub/**/", {"a.png", "b.tmp.png", "sub/a.png"}),
        ("**/c.png", {"a.png", "b.tmp.png", "sub/a.png"}),
        ("*", set()),
    ],
)
def test_an_ignore_file(lines: str, left: set[str], tmp_path: Path) -> None:
    plant(tmp_path, "a.png", "b.tmp.png", "sub/a.png", "sub/deep/c.png")
    (tmp_path / IGNORE_FILE).write_bytes(lines.encode())
    assert names(scan(tmp_path), tmp_path) == left


def test_the_innermost_ignore_file_decides(tmp_path: Path) -> None:
    plant(tmp_path, "a.png", "sub/a.png", "sub/b.png", "sub/deep/b.png")
    (tmp_path / IGNORE_FILE).write_text("a.png\n")
    (tmp_path / "sub" / IGNORE_FILE).write_text("!a.png\nb.png\n")
    (tmp_path / "sub" / "deep" / IGNORE_FILE).write_text("!/b.png\n")
    assert names(scan(tmp_path), tmp_path) == {"sub/a.png", "sub/deep/b.png"}


def test_names_that_are_no_text_can_be_ignored(tmp_path: Path) -> None:
    plant(tmp_path, os.fsdecode(b"caf\xe9.png"), "new\nline.png", "b.png", "写真.png")
    (tmp_path / IGNORE_FILE).write_bytes(b"caf\xe9.png\nnew?line.png\n" + "写?.png".encode())
    assert names(scan(tmp_path), tmp_path) == {"b.png"}


def test_a_folder_whose_ignore_file_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    # Nobody knows then what was not to be looked at. A link to itself is closed to root, too.
    plant(tmp_path, "a.png", "private/b.png")
    (tmp_path / "private" / IGNORE_FILE).symlink_to(IGNORE_FILE)
    found = scan(tmp_path)
    assert names(found, tmp_path) == {"a.png"}
    assert [skip.path for skip in found.closed] == [tmp_path / "private"]
    assert IGNORE_FILE in found.closed[0].reason


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are a thing of POSIX")
def test_a_pipe_in_the_place_of_an_ignore_file_says_nothing(tmp_path: Path) -> None:
    plant(tmp_path, "b.png")
    os.mkfifo(tmp_path / IGNORE_FILE)  # and nobody waits for it
    assert names(scan(tmp_path), tmp_path) == {"b.png"}


def test_stars_do_not_multiply(tmp_path: Path) -> None:
    # Each of these took longer than anybody waits, with a matcher that tries a star again.
    name = "a" * 240 + ".png"
    plant(tmp_path, name, "/".join(["a"] * 300) + "/a.png")
    lines = ["*a*a*a*a*a*a*a*a*a*a*a*b", "**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/*b",
             "**/*a*a*a*a*b/**/*a*a*a*a*b/**/c", "*a" * 8000 + "b", "**/" * 8000 + "b",
             "[a]" * 100 + "*" * 1000 + "b", "/**/**/**/*a*/**/*a*/**/b",
             "?*" * 4000 + "b"]  # fmt: skip
    (tmp_path / IGNORE_FILE).write_text("\n".join(lines))
    begin = time.perf_counter()
    assert len(scan(tmp_path).files) == 2
    assert time.perf_counter() - begin < 20


@pytest.mark.parametrize("line", ["{}.png", "*_{}.png", "img_{}*", "/sub/{}.png", "**/{}", "{}/"])
def test_very_many_lines_are_looked_up(line: str, tmp_path: Path) -> None:
    plant(tmp_path, "a.png", "7.png", "x_7.png", "img_7.png", "sub/7.png", "7/7.png")
    lines = [line.format(number) for number in range(200_000)]
    (tmp_path / IGNORE_FILE).write_text("\n".join(lines))
    begin = time.perf_counter()
    rules = Rules.read(str(tmp_path))
    assert time.perf_counter() - begin < 10  # a regular expression for each takes a minute
    begin = time.perf_counter()
    for number in range(20_000):
        rules.ignore(str(tmp_path / "sub" / f"z{number}.jpg"), folder=False)
    assert time.perf_counter() - begin < 5
    (tmp_path / IGNORE_FILE).write_text(line.format(7))
    few = names(scan(tmp_path), tmp_path)
    (tmp_path / IGNORE_FILE).write_text("\n".join(lines))
    assert names(scan(tmp_path), tmp_path) == few


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"private/\n" + b"a" * (16 * 2**20), "larger than 16 MB"),
        (b"*a" * 20_000, "a line is longer than 32,768 characters"),
        (
            b"".join(b"i*%d*j\n" % number for number in range(20_000)),
            "too many lines with wildcards",
        ),
        ("private/\n".encode("utf-16"), "not a text in UTF-8"),
    ],
)
def test_a_folder_with_an_unusable_ignore_file_stays_out(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    plant(tmp_path, "a.png", "sub/private/b.png", "sub/c.png")
    (tmp_path / "sub" / IGNORE_FILE).write_bytes(content)
    found = scan(tmp_path)
    assert names(found, tmp_path) == {"a.png"}
    assert [(skip.path, skip.reason) for skip in found.closed] == [
        (tmp_path / "sub", f"its {IGNORE_FILE} cannot be read ({reason})")
    ]
    with pytest.raises(BadRoot, match=f"mend {IGNORE_FILE}"):
        scan_roots([tmp_path / "sub"])


def test_other_things_in_the_place_of_an_ignore_file(tmp_path: Path) -> None:
    plant(tmp_path, "a.png", f"folder/{IGNORE_FILE}/x", "folder/b.png", "linked/b.png", "lines")
    (tmp_path / "lines").write_text("b.png")
    (tmp_path / "linked" / IGNORE_FILE).symlink_to(tmp_path / "lines")
    assert names(scan(tmp_path), tmp_path) == {"a.png", "folder/b.png"}


# -- as git has it ----------------------------------------------------------------------------

_TREE = ("a.png", "b.png", "sub/a.png", "sub/b.jpg", "sub/deep/a.png", "sub/deep/b.png", "s2/a.png")
_patterns = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "!"]),
        st.sampled_from(["", "/", "**/", "sub/", "s*/", "*/**/"]),
        st.sampled_from(["*", "a.png", "*.png", "sub", "deep", "?.jpg", "s*", "[ab].png", "**"]),
        st.sampled_from(["", "/", "/*", "/**"]),
    ),
)


_Lines = list[str]


class Git(NamedTuple):
    repository: Path
    ask: Callable[..., list[str]]


@pytest.fixture(scope="module")
def git(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Git]:
    """Asks git in a separate repository; each question is a process, so ask many things at once."""
    found = shutil.which("git")
    if found is None:
        pytest.skip("git is not here to be asked")
    repository = tmp_path_factory.mktemp("repository")
    nobody = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}

    def ask(*words: str, about: str = "") -> list[str]:
        told = subprocess.run(
            [found, "-C", repository, *words],
            input=os.fsencode(about), capture_output=True, check=False,
            env={**os.environ, **nobody, "XDG_CONFIG_HOME": os.devnull},
        )  # fmt: skip
        assert told.returncode in (0, 1), told.stderr
        return os.fsdecode(told.stdout).split("\0")

    ask("init", "-q")
    yield Git(repository, ask)


@contextmanager
def folders(git: Git, count: int) -> Iterator[list[Path]]:
    """So many empty folders in the repository, for a while."""
    with tempfile.TemporaryDirectory(dir=git.repository) as place:
        made = [Path(place, str(number)) for number in range(count)]
        for folder in made:
            folder.mkdir()
        yield made


def assert_folders_as_by_git(cases: list[tuple[_Lines, _Lines]], git: Git) -> None:
    with folders(git, len(cases)) as roots:
        for root, lines in zip(roots, cases, strict=True):
            plant(root, *_TREE)
            for folder, own in zip((root, root / "sub"), lines, strict=True):
                (folder / IGNORE_FILE).write_text("\n".join(own))
                (folder / ".gitignore").write_text("\n".join(own))
        listed = git.ask("ls-files", "--others", "--exclude-standard", "-z")
        kept = {git.repository / name for name in listed if name.endswith((".png", ".jpg"))}
        for root, lines in zip(roots, cases, strict=True):
            assert set(scan(root).files) == {path for path in kept if root in path.parents}, lines


_CASES = st.lists(
    st.tuples(st.lists(_patterns, max_size=4), st.lists(_patterns, max_size=3)),
    min_size=1,
    max_size=40,
)


@given(cases=_CASES)
@example(cases=[(["sub/**/"], []), (["*", "!sub"], []), ([], ["/*", "!*/"])])
@hypothesis_settings(max_examples=8)
def test_folders_are_ignored_as_by_git(cases: list[tuple[_Lines, _Lines]], git: Git) -> None:
    assert_folders_as_by_git(cases, git)


@pytest.mark.slow
@given(cases=_CASES)
@hypothesis_settings(max_examples=200)
def test_folders_are_ignored_as_by_git_long(cases: list[tuple[_Lines, _Lines]], git: Git) -> None:
    assert_folders_as_by_git(cases, git)


_LETTERS = "ab-]![^*\\ #"
_pieces = st.sampled_from(
    ["a", "b", "-", "]", "!", "[", "^", "*", "**", "?", "\\", "/", " ", "#", "[ab]", "[!a]", "[^b]",
     "[a-b]", "[b-a]", "[]a]", "[!]a]", "[[:alpha:]]", "[[:punct:]-b]", "[[:nope:]]", "[a-",
     "[\\]]", "[[:alpha:]", "\\*", "\\ ", "/**/", "[*-b]", "[--b]", "[a\\-b]"]
)  # fmt: skip
_WILD = st.lists(
    st.lists(_pieces, min_size=1, max_size=5).map("".join), min_size=1, max_size=40
)  # fmt: skip


def assert_matches_as_git(patterns: _Lines, git: Git) -> None:
    names = [*_LETTERS, *(a + b for a in _LETTERS for b in _LETTERS), "a/b", "b/a", "a/a/b", "a/-"]
    with folders(git, len(patterns)) as roots:
        for root, pattern in zip(roots, patterns, strict=True):
            (root / IGNORE_FILE).write_text(pattern)
            (root / ".gitignore").write_text(pattern)
        paths = [os.path.join(root, name) for root in roots for name in names]
        fields = git.ask(
            "check-ignore", "--no-index", "-z", "--verbose", "--non-matching", "--stdin",
            about="\0".join(paths),
        )  # fmt: skip
        by_git = {
            path: bool(source) and not line.startswith("!")
            for source, line, path in zip(fields[::4], fields[2::4], fields[3::4], strict=False)
        }
        for root, pattern in zip(roots, patterns, strict=True):
            rules = Rules.read(str(root))
            for name in names:
                whole = name.split("/")
                above = [os.path.join(root, *whole[:end]) for end in range(1, len(whole))]
                path = os.path.join(root, name)
                ours = any(rules.ignore(folder, folder=True) for folder in above)
                ours = ours or rules.ignore(path, folder=False)
                assert ours == by_git[path], (pattern, name)


@given(patterns=_WILD)
@example(patterns=["[a-", "[]", "a\\", "\\!", "a\\  ", "!", "/", "//", "[!", "[[:", "**", "/**"])
@example(patterns=["a**/a", "/a**", "a**b/a", "[a]**/a", "?**/b", "a/**/**/b", "*a*a*b/*", "***/a"])
@hypothesis_settings(max_examples=8)
def test_patterns_match_what_they_match_in_git(patterns: _Lines, git: Git) -> None:
    assert_matches_as_git(patterns, git)


@pytest.mark.slow
@given(patterns=_WILD)
@hypothesis_settings(max_examples=300)
def test_patterns_match_what_they_match_in_git_long(patterns: _Lines, git: Git) -> None:
    assert_matches_as_git(patterns, git)
