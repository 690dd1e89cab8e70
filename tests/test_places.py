"""Which words of a query name a place of the library, against a table made by hand."""

from functools import cache

import numpy as np
import pytest

from pixquery.db.records import Locality
from pixquery.engine.gazetteer import localities
from pixquery.engine.place_names import Known, known_as, position
from pixquery.engine.places import mentions

TOWNS = (
    "Lisbon", "New York", "Vienna", "Nice", "Reading, England", "Bath, England", "Split, Croatia",
    "Mobile, Alabama", "Orange, France", "Lima", "Brussels", "Paris", "Paris, Texas",
    "Saint Helier", "London", "Tokyo", "Istanbul", "Beijing", "Conakry", "Hamburg", "Munich",
    "Florence", "Boston", "Buffalo", "Male, Maldives", "Nancy", "Cork", "Sydney", "Austin",
    "Venice", "Berlin", "Rome", "Panama City, Panama", "San Francisco", "Hallstatt", "Amman",
    "Tbilisi", "Cologne", "Amsterdam", "Charlotte", "Essen", "Jakarta", "March, England",
)  # fmt: skip
"""Where the photos of the library in these tests were taken."""

PLACES = {
    "lisbon": ["Lisbon"],
    "Lisbon": ["Lisbon"],
    "portugal": ["Portugal"],
    "new york at night": ["New York City"],
    "beach in Portugal 2023": ["Portugal"],
    "my photos from wien": ["Vienna"],
    "sunset in vienna": ["Vienna"],
    "dinner in Nice": ["Nice"],
    "a street in Reading": ["Reading"],
    "ferry to Split": ["Split"],
    "Paris, Texas": ["Paris"],
    "eiffel tower, paris": ["Paris"],
    "tokyo street at night": ["Tokyo"],
    "summer in italy": ["Italy"],
    "Urlaub in Italien": ["Italy"],
    "vacances à Lisbonne": ["Lisbon"],
    "ウィーン": ["Vienna"],
    "bayern": ["Bavaria"],
    "cats in turkey": ["Türkiye"],
    "the great wall in China": ["China"],
    "trip to san francisco": ["San Francisco"],
    "photos from the netherlands": ["Netherlands"],
    "hiking around hallstatt": ["Hallstatt"],
    "london 2023": ["London"],
    "christmas market vienna": ["Vienna"],
    "a wedding in Bath": ["Bath"],
    "from lisbon to vienna": ["Lisbon", "Vienna"],
    "kitchen in our flat, berlin": ["Berlin"],
    "pictures of rome": ["Rome"],
}
"""Queries, and the places that they name."""

WORDS = (
    "a nice beach", "reading a book", "turkey on a plate", "china cup", "bath tub", "a split log",
    "mobile phone", "orange", "march", "lima beans", "brussels sprouts", "a man in jersey",
    "guinea pig", "hamburger", "a baby in bath", "buffalo in the snow", "charlotte at the beach",
    "florence and her dog", "Nice", "A Nice Beach", "Nice sunset", "boston terrier",
    "a panama hat", "sydney with a cake", "a georgia peach pie", "male lion", "bottle of cologne",
    "new york cheesecake", "a dog called paris", "woman in orange", "vienna sausage",
    "java code on a screen", "cork board", "SPLIT LOG IN ORANGE", "the essen table",
    "people reading in march", '"lisbon" on a sign', "berlin wall", "madagascar",
)  # fmt: skip
"""Queries that name no place, although the library has photos of one that is written so."""


@cache
def known() -> dict[str, Known]:
    found = [position(town) for town in TOWNS]
    places = np.array([each.place for each in found if each is not None])
    assert len(places) == len(TOWNS)
    counts: dict[Locality, int] = {}
    for locality in localities(places[:, 0], places[:, 1]):
        assert locality is not None
        counts[locality] = counts.get(locality, 0) + 10
    return known_as(counts)


@pytest.mark.parametrize("text", PLACES)
def test_places_are_recognised(text: str) -> None:
    assert [mention.name for mention in mentions(text, known().get)] == PLACES[text]


@pytest.mark.parametrize("text", WORDS)
def test_words_stay_words(text: str) -> None:
    assert mentions(text, known().get) == []
