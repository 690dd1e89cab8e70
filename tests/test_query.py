"""What may be asked, and what is refused."""

from typing import Any

import numpy as np
import pytest

from pixquery.db.errors import BadQuery
from pixquery.db.records import Filter
from pixquery.engine.query import LONGEST_QUERY, Part, Query


@pytest.mark.parametrize(
    "text", ["", "   ", "\n\t", "x" * (LONGEST_QUERY + 1), "caf\udce9", "\ud800"]
)
def test_unusable_texts_are_refused(text: str) -> None:
    with pytest.raises(BadQuery):
        Query(text)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("k", {"k": 0}), ("offset", {"offset": -1}), ("candidates", {"candidates": 0}),
        ("k", {"k": 2**70}), ("offset", {"offset": 2**70}), ("candidates", {"candidates": 2**70}),
        ("least relevance", {"min_relevance": 1.5}),
        ("least relevance", {"min_relevance": float("nan")}),
    ],
)  # fmt: skip
def test_numbers_out_of_range_are_refused(name: str, values: dict[str, float]) -> None:
    with pytest.raises(BadQuery, match=name):
        Query("red", **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"parts": (Part("red", weight=-1),)}, "only what is not wanted"),
        ({"text": "red", "parts": (Part("blue"),), "min_relevance": 0.5}, "a single text"),
        ({"where": Filter(min_width=3), "min_relevance": 0.5}, "a single text"),
        ({"text": "red", "parts": (Part("blue"),) * 33}, "33 parts"),
    ],
)
def test_contradictions_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(BadQuery, match=message):
        Query(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "part of a query is empty"),
        ({"text": "red", "id": 3}, "part of a query is empty"),
        ({"text": "x" * (LONGEST_QUERY + 1)}, "characters"),
        ({"text": "red", "weight": 0.0}, "weight 0 of red"),
        ({"text": "red", "weight": float("nan")}, "weight nan"),
        ({"text": "red", "weight": 101.0}, "weight 101"),
        ({"text": "caf\udce9"}, "not valid UTF-8"),
    ],
)
def test_unusable_parts_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(BadQuery, match=message):
        Part(**values)


def test_a_query_as_text_lists_its_parts() -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    parts = (Part("snow", weight=0.5), Part("people", weight=-1), Part(pixels=pixels), Part(id=7))
    assert str(Query("a dog", parts=parts)) == ("a dog, +0.5 x snow, -1 x people, a photo, photo 7")


# -- filters ----------------------------------------------------------------------------------
