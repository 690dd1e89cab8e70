"""What names of places mean, in any language; which names a library's places have."""

import pytest

from pixquery.db.records import City, Locality, Meaning, Province
from pixquery.engine.gazetteer import gazetteer
from pixquery.engine.place_names import (
    dumped,
    known_as,
    loaded,
    names_of,
    position,
    similar,
)

VIENNA = Locality("Vienna", "Vienna", "Austria", "AT")
MUNICH = Locality("Munich", "Bavaria", "Germany", "DE")
FLORENCE = Locality("Florence", "Tuscany", "Italy", "IT")
PARIS = Locality("Paris", "Île-de-France", "France", "FR")
TEXAS = Locality("Paris", "Texas", "United States", "US")
SAHARA = Locality("", "", "Algeria", "DZ")
ALL = (VIENNA, MUNICH, FLORENCE, PARIS, TEXAS, SAHARA)
MEANT = {
    "Vienna": [VIENNA], "Wien": [VIENNA], "wien": [VIENNA], "Viena": [VIENNA], "ウィーン": [VIENNA],
    "Vienna, Austria": [VIENNA], "Wien, Österreich": [VIENNA], "Vienna, Virginia": [],
    "München": [MUNICH], "Munchen": [MUNICH], "Bayern": [MUNICH], "Bavaria": [MUNICH],
    "Bavière": [MUNICH], "Bavaria, Germany": [MUNICH], "Bavaria, Italy": [],
    "Deutschland": [MUNICH],
    "Firenze": [FLORENCE], "Toscana": [FLORENCE], "Toskana": [FLORENCE], "Tuscany": [FLORENCE],
    "Italy": [FLORENCE], "Italien": [FLORENCE], "イタリア": [FLORENCE],
    "Paris": [PARIS, TEXAS], "Paris, Texas": [TEXAS], "Paris, TX": [TEXAS], "Paris, USA": [TEXAS],
    "Paris, France": [PARIS], "Paris, Texas, USA": [TEXAS], "Texas": [TEXAS], "USA": [TEXAS],
    "Algerien": [SAHARA], "Nowhereville": [], "": [], ",": [], "Brooklyn": [],
}  # fmt: skip
POSITIONS = {
    "Vienna": "Vienna, Austria", "wien": "Vienna, Austria", "Rom": "Rome, Lazio, Italy",
    "Nis": "Niš, Central Serbia, Serbia", "Vienna, Virginia": "Vienna, Virginia, United States",
    "Springfield, Illinois": "Springfield, Illinois, United States",
    "Springfield, IL": "Springfield, Illinois, United States",
    "Brooklyn": "Brooklyn, New York, United States", "Saint Petersburg": None, "Nowhereville": None,
    "Austria": None, "": None,
}  # fmt: skip


@pytest.mark.parametrize("name", MEANT)
def test_a_name_means_these_places(name: str) -> None:
    meaning = names_of(name)
    assert [place for place in ALL if meaning.matches(place)] == MEANT[name]


def test_a_meaning_may_be_none() -> None:
    assert not names_of("Nowhereville")
    assert names_of("Italy").codes == {"IT"}
    assert not Meaning().matches(SAHARA)
    assert not Meaning(frozenset({City("", "", "DZ")}), frozenset({Province("", "DZ")})).matches(
        SAHARA
    )


def test_positions_are_those_of_the_largest_town() -> None:
    assert position("Vienna") == ((48.208, 16.372), "Vienna, Austria")
    for name, shown in POSITIONS.items():
        found = position(name)
        if name != "Saint Petersburg":
            assert (found and found.name) == shown
        else:
            assert found is not None
            assert found.name.endswith("Russia")


def test_names_that_are_spelt_alike_are_offered() -> None:
    assert similar("Viena")[0] == "Vienna"
    assert similar("Germnay") == ["Germany"]
    assert "Lisbon" in similar("Lisbonn")
    assert similar("Xyzzy") == similar("") == []


def test_a_library_is_known_by_names_in_all_languages() -> None:
    known = known_as({VIENNA: 5, MUNICH: 2, TEXAS: 1, PARIS: 3, SAHARA: 1})
    for name, shown in {
        "wien": "Vienna", "vienna": "Vienna", "ウィーン": "Vienna", "bayern": "Bavaria",
        "algerie": "Algeria", "munchen": "Munich", "usa": "United States", "france": "France",
    }.items():  # fmt: skip
        assert known[name].name == shown
    assert known["paris"].meaning.matches(PARIS)
    assert known["paris"].meaning.matches(TEXAS)
    assert not known["vienna"].meaning.matches(MUNICH)
    assert not {"lisbon", "italy", "tuscany", "tx", ""} & set(known)
    assert loaded(dumped(known)) == known
    assert loaded(dumped({})) == known_as({}) == {}


def test_names_of_another_version_of_the_data_do_no_harm() -> None:
    assert "nowhere" not in known_as({Locality("Nowhere", "No region", "No country", "ZZ"): 1})


def test_every_large_town_is_found_by_its_name() -> None:
    data = gazetteer()
    for row in (data.people > 3e6).nonzero()[0].tolist():
        found = position(data.names[row])
        assert found is not None
        if data.whole[row] == row:
            assert names_of(data.names[row]).matches(data.locality(row))
