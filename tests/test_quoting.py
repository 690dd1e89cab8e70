"""Commands in messages can be pasted into a POSIX shell and into Windows' command lines."""

import shlex
import subprocess
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from platformdirs import user_data_path

from pixquery.db.quoting import library_option, quoted
from tests.conftest import Invoke


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_a_posix_shell_reads_the_word_back(word: str) -> None:
    assert shlex.split(quoted(word, windows=False)) == [word]


@given(st.text("ab \t\\\"'&", min_size=1))
def test_words_with_blanks_are_quoted_as_python_quotes_them_for_windows(word: str) -> None:
    if " " in word or "\t" in word:
        assert quoted(word, windows=True) == subprocess.list2cmdline([word])


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (PureWindowsPath(r"D:\photos"), r"D:\photos"),
        (PureWindowsPath("D:\\"), "D:\\"),
        (PureWindowsPath(r"C:\Users\Ann Lee\pixquery"), r'"C:\Users\Ann Lee\pixquery"'),
        ("C:\\my photos\\", '"C:\\my photos\\\\"'),
        (r"C:\R&D", r'"C:\R&D"'),
        ("it's", '"it\'s"'),
        ("", '""'),
    ],
)
def test_windows(word: str | PureWindowsPath, expected: str) -> None:
    assert quoted(word, windows=True) == expected


def test_posix() -> None:
    assert quoted(PurePosixPath("/home/ann/photos"), windows=False) == "/home/ann/photos"
    assert quoted(PurePosixPath("/home/ann lee"), windows=False) == "'/home/ann lee'"


def test_the_system_decides(tmp_path: Path) -> None:
    assert quoted(tmp_path / "a b") in (f"'{tmp_path}/a b'", f'"{tmp_path}\\a b"')


def test_a_library_is_named_unless_commands_use_it_anyway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, other = tmp_path / "usual", tmp_path / "an other"
    monkeypatch.setenv("PIXQUERY_LIBRARY", str(usual))
    assert library_option(usual) == ""
    assert library_option(f"{usual}/../usual/") == ""
    assert library_option(other) == f" --library {quoted(other)}"
    monkeypatch.setenv("PIXQUERY_LIBRARY", "")
    assert library_option(user_data_path("pixquery", appauthor=False)) == ""
    assert library_option(usual) == f" --library {quoted(usual)}"


def test_messages_name_the_library_only_if_needed(invoke: Invoke, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    plain = invoke("query", "red", PIXQUERY_LIBRARY=str(nowhere))
    assert "`pixquery index FOLDER`" in plain.stderr
    named = invoke("query", "red", "--library", nowhere, PIXQUERY_LIBRARY=str(tmp_path))
    assert f"`pixquery index FOLDER --library {nowhere}`" in named.stderr
