"""Functions of the page's modules."""

from itertools import pairwise
from typing import Any

import pytest

from tests.gallery.conftest import Open, called, needs_chromium

pytestmark = needs_chromium


@pytest.mark.parametrize(("width", "height"), [(1240, 232), (374, 150), (2500, 232), (120, 150)])
def test_rows_keep_shapes_and_fill_the_page(
    visit: Open, gallery: str, width: int, height: int
) -> None:
    page = visit(gallery)
    sizes = [(4000, 3000), (3000, 4000), (1000, 1000), (1920, 1080), (159, 239), (2400, 1000)]
    shapes = [{"width": w, "height": h} for place in range(60) for w, h in sizes[place % 5 :]]
    answer = called(page, "rows", "layOut", shapes, width, height, 8)
    boxes = answer["boxes"]
    assert len(boxes) == len(shapes)
    rows: dict[int, list[Any]] = {}
    for shape, box in zip(shapes, boxes, strict=True):
        rows.setdefault(box["top"], []).append(box)
        if box["width"] < width - 2:
            assert box["width"] / box["height"] == pytest.approx(
                shape["width"] / shape["height"], abs=0.03
            )
    tops = sorted(rows)
    for top, following in pairwise(tops):
        row = rows[top]
        assert top + row[0]["height"] + 8 == following
        assert row[0]["left"] == 0
        for left, right in pairwise(row):
            assert left["left"] + left["width"] + 8 == right["left"]
        if row[0]["height"] < round(height * 1.4):
            assert row[-1]["left"] + row[-1]["width"] == width
        assert row[0]["height"] <= height * 1.4 + 1
    assert answer["height"] == tops[-1] + rows[tops[-1]][0]["height"]


def test_rows_of_odd_photos(visit: Open, gallery: str) -> None:
    page = visit(gallery)
    assert called(page, "rows", "layOut", [], 500, 200, 8) == {"boxes": [], "height": 0}
    for odd in (
        {"width": 30_000, "height": 100},
        {"width": 1, "height": 9000},
        {"width": 0, "height": 0},
    ):
        (box,) = called(page, "rows", "layOut", [odd], 500, 200, 8)["boxes"]
        assert 0 < box["width"] <= 500
        assert 0 < box["height"] <= 280


@pytest.mark.parametrize(
    "address",
    [
        "./",
        "?q=red",
        "?q=a+red+car&plus=snow%3A0.5&plus=ice&minus=people%3A2",
        "?minus=ratio+16%3A9%3A1&like_id=3&like_id=4",
        "?q=%26+%2B+%25+%22%3Cb%3E%22+%C3%A9&format=PNG&format=JPEG+XL",
        "?q=x&path=*may*&taken=2023..2024-06&root=2&orientation=portrait&photo=7",
        "?q=a+dog%2C+2019&literal=2019&place=Paris%2C+Texas&text=gate+b27&rating=4..",
        "?q=x&example=holiday.jpg&photo=7",
    ],
)
def test_addresses_and_states_convert_both_ways(visit: Open, gallery: str, address: str) -> None:
    page = visit(gallery)
    state = called(page, "address", "fromAddress", address.removeprefix("./"))
    assert called(page, "address", "toAddress", state) == address
    request = called(page, "address", "toRequest", state)
    assert "example" not in request
    assert "photo" not in request


def test_cameras_whose_names_others_contain_say_so(visit: Open, gallery: str) -> None:
    page = visit(gallery)
    cameras = [{"name": name} for name in ("Apple iPhone 12", "Apple iPhone 12 Pro", "Canon 80D")]
    names = [called(page, "filters", "kinds", camera["name"], cameras) for camera in cameras]
    assert names == ["Apple iPhone 12, all models", "Apple iPhone 12 Pro", "Canon 80D"]


def test_weights_in_addresses(visit: Open, gallery: str) -> None:
    page = visit(gallery)
    state = called(page, "address", "fromAddress", "?plus=ratio 16:9:1&minus=snow : .5&minus= ")
    assert state["plus"] == [{"text": "ratio 16:9", "weight": 1}]
    assert state["minus"] == [{"text": "snow", "weight": 0.5}]


def test_words_for_numbers(visit: Open, gallery: str) -> None:
    page = visit(gallery)
    for relevance, words in (
        (1, "fits very well"), (0.7, "fits very well"), (0.69, "fits"), (0.45, "fits"),
        (0.44, "fits partly"), (0.2, "fits partly"), (0.19, "hardly fits"), (0, "hardly fits"),
    ):  # fmt: skip
        assert called(page, "words", "standing", relevance)["words"] == words
    for time_, words in (
        ("2023", "2023"), ("2023-07", "July 2023"), ("2023-07-04", "4 July 2023"),
        ("2023..2024-06", "2023 to June 2024"), ("2023..", "since 2023"), ("..2020", "until 2020"),
    ):  # fmt: skip
        assert called(page, "words", "period", time_) == words
    for rating, words in (
        ("4", "4 stars"), ("1", "1 star"), ("-1", "rejected"), ("4..", "4 stars or more"),
        ("..2", "up to 2 stars"), ("3..5", "3 to 5 stars"),
    ):  # fmt: skip
        assert called(page, "words", "stars", rating) == words
    for count, words in ((999, "999 bytes"), (62_451, "62.5 KB"), (12_345_678, "12.3 MB")):
        assert called(page, "words", "bytes", count) == words
    where = called(page, "words", "place", {"latitude": -33.9249, "longitude": 18.4241})
    assert where == "33.9249° S, 18.4241° E"
