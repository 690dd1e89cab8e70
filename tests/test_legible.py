"""Text that is shown to people disturbs neither terminals nor pages."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixquery.engine.legible import counted, legible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("left \u202e right", r"left \u202e right"),
        ("\u2028\ufeff", r"\u2028\ufeff"),
        ("stray \udcff byte", r"stray \udcff byte"),
        ("Ferien ä, 写真, 🐕", "Ferien ä, 写真, 🐕"),
        ("3.05\u202fPM\u00a0\u3000", "3.05\u202fPM\u00a0\u3000"),  # spaces of other scripts
        ("क्\u200cष 🐕\u200d🦺", "क्\u200cष 🐕\u200d🦺"),  # joiners that scripts need
    ],
)
def test_what_disturbs_is_escaped(text: str, shown: str) -> None:
    assert legible(text) == shown


def test_paths_are_shown_like_text() -> None:
    assert legible(Path("a") / "b\n") == str(Path("a") / r"b\n")


@given(st.text())
def test_any_text_is_one_line_of_valid_unicode(text: str) -> None:
    shown = legible(text)
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert len(shown.splitlines()) <= 1
    assert legible(shown) == shown


def test_counts() -> None:
    assert (counted(1, "photo"), counted(2000, "photo")) == ("1 photo", "2,000 photos")
