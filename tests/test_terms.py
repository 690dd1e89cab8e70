"""The terms of texts, by hand."""
# ruff: noqa: RUF001 - letters that look like others

import pytest

from pixquery.db.terms import terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Gate B27", ["gate", "b27"]),
        ("TOTAL: 12.50 EUR", ["total", "12", "50", "eur"]),
        ("Café-Bar Zürich", ["cafe", "bar", "zurich"]),
        ("MR. D.I.Y. (JOHOR)", ["mr", "diy", "johor"]),
        ("U.S.A, 8.30 a.m.", ["usa", "8", "30", "am"]),
        ("Mr.B. e.g. x", ["mr", "b", "eg", "x"]),
        ("Straße", ["strasse"]),
        ("İstanbul", ["istanbul"]),
        ("snake_case Anna's", ["snake", "case", "anna", "s"]),
        ("東京 Tower", ["東", "京", "tower"]),
        ("ラーメン", ["ラ", "ー", "メ", "ン"]),
        ("ﬁne ＡＢＣ ½", ["fine", "abc", "1", "2"]),
        ("שָׁלוֹם Ёлка", ["שלום", "елка"]),
        ("🎉 -- !", []),
        ("", []),
        ("a\0b\ud800c", ["a", "b", "c"]),
    ],
)
def test_terms(text: str, expected: list[str]) -> None:
    assert terms(text) == expected
