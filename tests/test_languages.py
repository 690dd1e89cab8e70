"""Other languages are told from English, and English is never taken for another."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixquery.engine.languages import UNSURE, foreign
from tests.conftest import DATA


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("ein Hund", "German"),
        ("Hund im Schnee", "German"),
        ("meine Fotos von Wien", "German"),
        ("une plage", "French"),
        ("un homme sur un vélo dans la rue", "French"),
        ("una mujer en una bicicleta con su perro", "Spanish"),
        ("um cachorro", "Portuguese"),
        ("een hond", "Dutch"),
        ("pies na plaży", "Polish"),
        ("pes na pláži", "Czech"),
        ("en hund", UNSURE),  # Swedish, Danish or Norwegian
        ("собака на пляже", "Russian or another language in Cyrillic letters"),
        ("σκύλος", "Greek"),
        ("כלב", "Hebrew"),
        ("كلب", "Arabic or another language in Arabic letters"),
        ("कुत्ता", "Hindi or another language in Devanagari letters"),
        ("강아지", "Korean"),
        ("犬", "Chinese or Japanese"),
        ("雪の中の犬", "Japanese"),
    ],
)  # fmt: skip
def test_other_languages(text: str, language: str) -> None:
    assert foreign(text) == language


@pytest.mark.parametrize(
    "text",
    ["", "dog", "a dog in the snow",
     "red car", "chien", "Strand", "café de flore", "la tour eiffel",
     "Los Angeles", "Las Vegas", "Rio de Janeiro", "notre dame de paris", "die hard poster",
     "van gogh painting", "crème brûlée", "Zürich lake", "beach in São Paulo", "men on a bus",
     "costa del sol", "dia de los muertos", "asdfgh qwerty", "🐶", "123",
     "a man on a bike, Москва"],
)  # fmt: skip
def test_english_and_names(text: str) -> None:
    assert foreign(text) == ""


@given(st.text(max_size=100))
def test_any_text(text: str) -> None:
    foreign(text)


def captions(file: Path) -> list[dict[str, str]]:
    if not file.is_file():
        pytest.skip(f"{file} is not here")
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_no_english_caption_is_taken_for_another_language() -> None:
    for row in captions(DATA / "flickr8k" / "captions_dev.csv"):
        assert foreign(row["query_text"]) == "", row["query_text"]


@pytest.mark.parametrize(("code", "least"), [("de", 0.95), ("fr", 0.98), ("cs", 0.88)])
def test_most_translated_captions_are_told(code: str, least: float) -> None:
    rows = captions(DATA / "flickr8k-translations" / "captions_dev.csv")
    texts = [row["query_text"] for row in rows if row["language"] == code]
    assert sum(foreign(text) != "" for text in texts) / len(texts) >= least
