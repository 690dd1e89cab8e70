"""What people type, and the values that it means."""

from datetime import datetime
from pathlib import Path

import pytest

from pixquery import wording
from pixquery.db.errors import BadQuery
from pixquery.db.records import Near, Period, Place, RootSummary, Stars
from pixquery.db.values import refuse_other_bytes


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


def test_towns() -> None:
    vienna = wording.near("Vienna")
    assert vienna == wording.near("Wien")
    assert (round(vienna.centre.latitude), round(vienna.centre.longitude)) == (48, 16)
    assert wording.near("Paris, Texas, 20").kilometres == 20
    assert wording.near("Paris, Texas").centre.longitude < -90
    with pytest.raises(BadQuery, match="no place named 'Viena, Texas' is known"):
        wording.near("Viena, Texas")
    with pytest.raises(BadQuery, match="is not a place"):
        wording.near("Vienna,0")


def test_names_of_places() -> None:
    assert wording.place("Italien").codes == wording.place("Italy").codes == {"IT"}
    with pytest.raises(BadQuery, match=r"no place named 'Lisbun' is known: .*Lisbon"):
        wording.place("Lisbun")


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [("4", 4, 4), ("4..", 4, None), ("..2", None, 2), (" 3 .. 5 ", 3, 5), ("-1", -1, -1),
     ("-1..0", -1, 0)],
)  # fmt: skip
def test_ratings(text: str, least: int | None, most: int | None) -> None:
    assert wording.rating(text) == Stars(least, most)


@pytest.mark.parametrize("text", ["", "..", "6", "4.5", "-2", "four", "4-5", "4..6", "٤", "4..."])
def test_a_wrong_rating_is_refused_with_examples(text: str) -> None:
    with pytest.raises(BadQuery, match=r"is not a rating: write 4, 4\.\., \.\.2 or 3\.\.5 stars"):
        wording.rating(text)


def test_a_rating_that_ends_before_it_begins() -> None:
    with pytest.raises(BadQuery, match=r"'5\.\.3' ends before it begins: write 3\.\.5"):
        wording.rating("5..3")


def test_keywords_and_names() -> None:
    assert wording.named("  New   York ", "keyword") == "New York"
    with pytest.raises(BadQuery, match="the keyword is empty"):
        wording.named(" ", "keyword")


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
        ("note: snow", "note: snow", 1.0),
        (":2", ":2", 1.0),
        ("a:1.5", "a", 1.5),
        ("a:.5", "a", 0.5),
        ("a:-10", "a", -10.0),
        ("a:b:3", "a:b", 3.0),
        ("two\nlines:3", "two\nlines", 3.0),
        # times, ratios and results
        ("a clock at 10:30", "a clock at 10:30", 1.0),
        ("10:30", "10:30", 1.0),
        ("ratio 16:9", "ratio 16:9", 1.0),
        ("it is 9 : 5", "it is 9 : 5", 1.0),
        ("a clock at 10:30:0.5", "a clock at 10:30", 0.5),
        # what nobody means as a weight
        ("a:11", "a:11", 1.0),
        ("year:2023", "year:2023", 1.0),
        ("x:nan", "x:nan", 1.0),
        ("x:inf", "x:inf", 1.0),
        ("x:1e3", "x:1e3", 1.0),
        ("x:\u0663", "x:\u0663", 1.0),
        # what surely is one
        ("x::2", "x", 2.0),
        ("10:30::2", "10:30", 2.0),
        ("a clock at 10::30", "a clock at 10", 30.0),
        ("Star Wars: 7::1", "Star Wars: 7", 1.0),
        ("x ::1e1", "x", 10.0),
        ("::2", "", 2.0),
        ("std::vector", "std::vector", 1.0),
    ],
)
def test_weights(text: str, words: str, weight: float) -> None:
    assert wording.weighted(text) == (words, weight)


@pytest.mark.parametrize("text", ["a::", "a:: ", "x::nan", "x::-inf", "x::infinity", "x::1e999"])
def test_what_follows_two_colons_must_be_a_number(text: str) -> None:
    with pytest.raises(BadQuery, match="a weight must follow :: in"):
        wording.weighted(text)


def test_file_names_have_no_times() -> None:
    assert wording.weighted("map.jp2:2", times=False) == ("map.jp2", 2.0)


@pytest.mark.parametrize("text", ["caf\udce9", "\ud800", "x" * 200 + "\udcff"])
def test_bytes_that_are_no_text_are_refused(text: str) -> None:
    with pytest.raises(BadQuery, match=r"the query '.{,90}' is not valid UTF-8"):
        refuse_other_bytes(text, "the query")


def test_every_text_is_text() -> None:
    for text in ("", "café", "写真 🎉", "\0\x1b\u202e"):
        refuse_other_bytes(text, "the query")


def test_a_folder_must_be_one_of_the_library() -> None:
    roots = [RootSummary(Path("/photos/2020"), 3)]
    for place in ("/photos/2020", "/photos/2020/may", "/photos"):
        assert wording.root_among(Path(place), roots) == Path(place)
    with pytest.raises(BadQuery, match=r"/music is not in the library: .* /photos/2020"):
        wording.root_among(Path("/music"), roots)
    with pytest.raises(BadQuery, match="none yet"):
        wording.root_among(Path("/music"), [])
