"""Which words of a query name a place of the library, against a table made by hand."""

import csv
import time
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from pixquery.db.records import Locality
from pixquery.engine.dates import dates
from pixquery.engine.gazetteer import gazetteer, localities
from pixquery.engine.place_names import Known, dumped, known_as, lookup, position
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


def test_a_date_is_no_place_and_a_place_may_stand_beside_it() -> None:
    for text, places in {
        "lisbon march 2020": ["Lisbon"],
        "dinner in March 2020": [],
        "summer 2019 vienna": ["Vienna"],
        "dinner in March": ["March"],
        "14. Juli 2023 in Wien": ["Vienna"],
        "last christmas in new york": ["New York City"],
    }.items():
        taken = [(each.begin, each.end) for each in dates(text, date(2026, 11, 28))]
        assert [mention.name for mention in mentions(text, known().get, taken)] == places


def test_more_places() -> None:
    """The same as the table, found to be needed when it was read."""
    for text, places in {
        "my trip to Rome and Florence": ["Rome", "Florence"],
        "lima peru": ["Lima"],
        "nice, france": ["Nice"],
        "a week in austin texas": ["Austin"],
        "streets of lisbon": ["Lisbon"],
        "old town of vienna": ["Vienna"],
        "a map of italy": [],
        "in rome and nice weather": ["Rome"],
        "paris fashion week poster": [],
        "i love new york t-shirt": [],
    }.items():
        assert [mention.name for mention in mentions(text, known().get)] == places


def test_a_mention_says_where_it_stands_and_what_it_means() -> None:
    text = "two dogs in Paris, Texas, at night"
    (mention,) = mentions(text, known().get)
    assert text[mention.begin : mention.end] == mention.words == "Paris, Texas"
    assert [city.region for city in mention.meaning.cities] == ["Texas"]


def test_other_places_are_not_meant() -> None:
    for text in ("not in paris", "beach except lisbon", "without vienna", "photos not from rome"):
        assert mentions(text, known().get) == []


def test_names_are_looked_up_in_what_was_kept() -> None:
    look = lookup(dumped(known()))
    assert mentions("my photos from wien", look) == mentions("my photos from wien", known().get)
    assert look("nowhere") is None
    assert mentions("a dog", lookup(dumped({}))) == []


def test_captions_hardly_ever_name_a_place(flickr: Path) -> None:
    """All places of the world as a library: of 5,000 captions, 4 name a place."""
    data = gazetteer()
    large = np.flatnonzero((data.people > 30_000) & (data.whole == np.arange(len(data.whole))))
    world = known_as({data.locality(row): 1 for row in large.tolist()})
    with (flickr / "captions_dev.csv").open(encoding="utf-8") as stream:
        captions = [row["query_text"] for row in csv.DictReader(stream)]
    assert len(captions) == 5_000
    named = [text for text in captions if mentions(text, world.get)]
    assert len(named) <= 5
    assert sum(bool(dates(text, date(2026, 11, 28))) for text in captions) <= 1


def test_a_query_without_a_place_costs_little() -> None:
    text = "two brown dogs play with a red ball on the beach"
    look = known().get
    mentions(text, look)
    begin = time.perf_counter()
    for _ in range(200):
        mentions(text, look)
    assert (time.perf_counter() - begin) / 200 < 0.0003


def test_any_text_is_read() -> None:
    for text in ("", " ", '"', "in", "in in in", "," * 50, "ß" * 500, "Paris" + ", Texas" * 30):
        mentions(text, known().get)
