"""What people type, and the values that it means."""

from datetime import datetime
from pathlib import Path

import pytest

from pixquery import wording
from pixquery.db.errors import BadQuery
from pixquery.db.records import Near, Period, Place, RootSummary


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("2023", (2023, 1, 1), (2024, 1, 1)),
        ("2023-02", (2023, 2, 1), (2023, 3, 1)),
        ("2024-2", (2024, 2, 1), (2024, 3, 1)),
        ("2023-12", (2023, 12, 1), (2024, 1, 1)),
        ("2024-02-29", (2024, 2, 29), (2024, 3, 1)),
        ("2023..2024-06", (2023, 1, 1), (2024, 7, 1)),
        (" 2023-05-01 .. 2023-05-01 ", (2023, 5, 1), (2023, 5, 2)),
        ("2023..", (2023, 1, 1), None),
        ("..2020-06-30", None, (2020, 7, 1)),
        ("9999", (9999, 1, 1), None),
        ("..9999", None, None),
    ],
)
def test_times(text: str, begin: tuple[int, ...] | None, end: tuple[int, ...] | None) -> None:
    wanted = Period(
        datetime(*begin) if begin else None,  # type: ignore[arg-type]
        datetime(*end) if end else None,  # type: ignore[arg-type]
    )
    assert wording.period(text) == wanted


@pytest.mark.parametrize(
    "text", ["", "..", "summer", "2023-13", "2023-02-30", "0000", "23", "2023...2024", "2023-1-1-1"]
)
def test_a_wrong_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(BadQuery, match=r"is not a time: write 2023, 2023-07"):
        wording.period(text)


def test_a_time_that_ends_before_it_begins() -> None:
    with pytest.raises(BadQuery, match=r"'2024\.\.2023' ends before it begins: write 2023\.\.2024"):
        wording.period("2024..2023")


def test_places() -> None:
    assert wording.near("48.2,16.4") == Near(Place(48.2, 16.4), wording.NEARBY)
    assert wording.near(" -33.9, 18.4 , 0.5") == Near(Place(-33.9, 18.4), 0.5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Vienna",
        "48.2",
        "91,0",
        "0,181",
        "0,0,0",
        "0,0,-1",
        "0,0,nan",
        "0,0,inf",
        "1,2,3,4",
        "nan,0",
    ],
)
def test_a_wrong_place_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadQuery, match=r"is not a place: .*48\.21,16\.37,5"):
        wording.near(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("jpg", "JPEG"),
        (".JPEG", "JPEG"),
        ("webp", "WebP"),
        ("Raw", "camera RAW"),
        ("jpeg xl", "JPEG XL"),
    ],
)
def test_formats(text: str, name: str) -> None:
    assert wording.format_name(text) == name


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BadQuery, match="no format 'psd': choose one of JPEG, PNG"):
        wording.format_name("psd")


@pytest.mark.parametrize(
    ("text", "words", "weight"),
    [
        ("snow", "snow", 1.0),
        ("snow:0.5", "snow", 0.5),
        ("a red car : -2", "a red car", -2.0),
        ("ratio 16:9", "ratio 16", 9.0),
        ("note: snow", "note: snow", 1.0),
        (":2", ":2", 1.0),
    ],
)
def test_weights(text: str, words: str, weight: float) -> None:
    assert wording.weighted(text) == (words, weight)


def test_a_folder_must_be_one_of_the_library() -> None:
    roots = [RootSummary(Path("/photos/2020"), 3)]
    for place in ("/photos/2020", "/photos/2020/may", "/photos"):
        assert wording.root_among(Path(place), roots) == Path(place)
    with pytest.raises(BadQuery, match=r"/music is not in the library: .* /photos/2020"):
        wording.root_among(Path("/music"), roots)
    with pytest.raises(BadQuery, match="none yet"):
        wording.root_among(Path("/music"), [])
