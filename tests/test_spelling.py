"""Typing errors get the known word offered; right words and names are left alone."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixquery.engine.profile import load_profile
from pixquery.engine.spelling import Spelling

WORDS = "the dog bicycle beach mountain umbrella bird woods wood snow board run nice happy nixon"
RANKS = {word: 2000 + place for place, word in enumerate(WORDS.split())} | {"quokka": 29_000}
KNOWN = Spelling(RANKS.get)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("bicylce", "bicycle"),  # two letters swapped
        ("ibcycle", "bicycle"),
        ("bicycel", "bicycle"),
        ("bicyle", "bicycle"),  # one too few
        ("bicycl", "bicycle"),
        ("umbrela", "umbrella"),
        ("bicyccle", "bicycle"),  # one too many
        ("biccycle", "bicycle"),
        ("bivycle", "bicycle"),  # a neighbouring key
        ("umbrilla", "umbrella"),  # a wrong vowel in a long word
        ("brid", "bird"),
    ],
)
def test_a_slip_gets_the_word_that_was_meant(typed: str, meant: str) -> None:
    assert KNOWN.offer(typed) == meant


@pytest.mark.parametrize(
    "typed",
    [
        "bicycle",
        "bicycles",  # known by their stem
        "happier",
        "running",
        "snowboard",  # or by their parts
        "dgo",  # too short
        "bird",
        "bipycle",  # p and c are no neighbours
        "picycle",  # first letters are seldom wrong
        "bicylec",  # two slips
        "quoka",  # nobody means so rare a word
        "nikon",  # k and x are no neighbours
        "birpd",  # p is not beside r and d on the keyboard
        "fahrrad",
        "asdfgh",
        "straße",
        "x" * 1000,
        "",
    ],
)
def test_others_get_nothing(typed: str) -> None:
    assert KNOWN.offer(typed) == ""


def test_a_text_is_kept_but_for_its_errors() -> None:
    assert KNOWN.corrected("the dog, on a  bicylce!") == "the dog, on a  bicycle!"
    assert KNOWN.corrected("Bicylce") == "Bicycle"
    assert KNOWN.corrected("the dog in the snow") == ""
    assert KNOWN.corrected("asdfgh qwerty") == ""


@pytest.mark.parametrize("text", ["a photo by Bicylce", "BICYLCE", "at McBrid"])
def test_names_are_not_corrected(text: str) -> None:
    assert KNOWN.corrected(text) == ""


@given(st.text(max_size=80))
@settings(max_examples=200, deadline=None)
def test_any_text(text: str) -> None:
    offered = KNOWN.corrected(text)
    assert offered != text or not text
    assert not offered or re.sub(r"\w", "", offered) == re.sub(r"\w", "", text)


# -- with the words of the shipped profile --------------------------------------------------------

NAMES = """
    Lisbon Vienna Toyota Anna Gizmo Nikon Canon Salzburg Graz Prague Zagreb Ljubljana
    Bratislava Krakow Gdansk Porto Sintra Faro Lagos Sevilla Granada Malaga Bilbao Nice Lyon
    Marseille Grenoble Annecy Chamonix Zermatt Luzern Basel Zurich Innsbruck Hallstatt Munich
    Dresden Leipzig Hamburg Bremen Sylt Utrecht Delft Ghent Bruges Antwerp Oslo Bergen Tromso
    Uppsala Malmo Helsinki Tampere Tallinn Riga Vilnius Kyoto Osaka Nara Sapporo Hanoi Bangkok
    Phuket Bali Ubud Yosemite Zion Sedona Tahoe Waikiki Maui Kauai Oaxaca Tulum Cusco
    Patagonia Fujifilm Leica Sony Olympus Pentax Hasselblad Peugeot Renault Skoda Subaru
    Hyundai Porsche Lego Ikea Adidas Otto Emma Lukas Mateo Sofia Milo Luna Bella Rocky Kiki
    Waldo Fido Zelda
""".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def shipped() -> Spelling:
    return Spelling(load_profile().texts.rank)


def test_proper_names_are_never_corrected(shipped: Spelling) -> None:
    assert len(NAMES) >= 100
    assert [name for name in NAMES if shipped.offer(name.lower())] == []


def test_common_nouns_are_found_again(shipped: Spelling) -> None:
    """Each of 30 nouns with two letters swapped: most are found again, and nothing else."""
    nouns = """
        bicycle umbrella mountain elephant motorcycle computer keyboard butterfly kitchen garden
        bottle guitar airplane balloon window picture bridge castle church statue sunset sunrise
        necklace blanket chicken rabbit squirrel turtle helicopter television
    """.split()  # noqa: SIM905
    chance = random.Random(3)
    offers = []
    for noun in nouns:
        place = chance.choice([at for at in range(1, len(noun) - 1) if noun[at] != noun[at + 1]])
        wrong = noun[:place] + noun[place + 1] + noun[place] + noun[place + 2 :]
        offers.append((noun, shipped.offer(wrong)))
    assert sum(noun == offered for noun, offered in offers) >= 26
    assert [pair for pair in offers if pair[1] not in (pair[0], "")] == []
