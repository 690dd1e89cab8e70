"""Words of a query that become a filter, and stay words where they should."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import pytest

from pixquery import Library, Query
from pixquery.db.checksums import digest
from pixquery.db.errors import QueryRefused
from pixquery.db.records import Filter, Locality, Near, Period, Place
from pixquery.engine.gazetteer import gazetteer
from pixquery.engine.place_names import Known, known_as
from pixquery.engine.recognition import in_days, recognise
from tests.conftest import Invoke, parsed


def today() -> date:
    return date(2026, 5, 20)


@dataclass(frozen=True)
class Places:
    """The places of a library that there is not."""

    lookup: Callable[[str], Known | None] | None


NOWHERE = Places(None)
LISBON = Locality("Lisbon", "Lisbon", "Portugal", "PT")
VIENNA = Locality("Vienna", "Vienna", "Austria", "AT")


@pytest.fixture(scope="module")
def places() -> Places:
    return Places(known_as({LISBON: 3, VIENNA: 1}).get)


@pytest.mark.parametrize(
    ("typed", "rest", "recognised"),
    [
        ("beach in Portugal, summer 2019", "beach",
         [("place", "Portugal", "Portugal"), ("taken", "summer 2019", "2019-06-01..2019-08-31")]),
        ("Wien", "", [("place", "Wien", "Vienna")]),
        ("a dog yesterday", "a dog", [("taken", "yesterday", "2026-05-19")]),
        ("sunset since 2022", "sunset", [("taken", "since 2022", "2022-01-01..")]),
        ("a 2021 bottle of wine", "a 2021 bottle of wine", []),
        ("Paris at night", "Paris at night", []),  # the library has no photo of it
        ("man on bicycle", "man on bicycle", []),
    ],
)  # fmt: skip
def test_what_becomes_a_filter(
    typed: str, rest: str, recognised: list[tuple[str, str, str]], places: Places
) -> None:
    query, found = recognise(Query(typed), places, today)
    assert query.text == rest
    assert [(each.kind, each.words, each.meaning) for each in found] == recognised
    kinds = {kind for kind, _, _ in recognised}
    assert bool(query.where.places) == ("place" in kinds)
    assert (query.where.taken is not None) == ("taken" in kinds)


def test_words_that_are_to_stay_words(places: Places) -> None:
    typed = "Lisbon in summer 2019"
    whole = Query(typed, literal=("Summer 2019", "in summer 2019"))
    query, found = recognise(whole, places, today)
    assert [each.words for each in found] == ["Lisbon"]
    assert query.text == "in summer 2019"
    assert recognise(Query(typed, exact=True), places, today)[1] == ()
    assert recognise(Query(typed, literal=("lisbon",)), NOWHERE, today)[1][0].kind == "taken"


def test_a_filter_that_was_set_is_left_alone(places: Places) -> None:
    when, where = Period(datetime(2020, 1, 1), None), Near(Place(0, 0), 1)
    query = Query("Lisbon 2019", where=Filter(taken=when, near=where))
    assert recognise(query, places, today) == (query, ())


@pytest.mark.parametrize(
    ("period", "text"),
    [
        (Period(datetime(2019, 6, 1), datetime(2019, 9, 1)), "2019-06-01..2019-08-31"),
        (Period(datetime(2019, 6, 1), datetime(2019, 6, 2)), "2019-06-01"),
        (Period(None, datetime(2015, 1, 1)), "..2014-12-31"),
        (Period(datetime(2022, 1, 1), None), "2022-01-01.."),
    ],
)
def test_a_period_as_it_is_typed(period: Period, text: str) -> None:
    from pixquery.engine.wording import period as read

    assert in_days(period) == text
    assert read(text) == period


@pytest.fixture
def travelled(library: Library) -> Library:
    """The red and the blue square were taken in Lisbon, the green one in Vienna."""
    ids = {record.path.stem: record.id for record in library}
    with library.writing():
        library.catalog.locate(
            {ids["red"]: LISBON, ids["blue"]: LISBON, ids["green"]: VIENNA}, "data"
        )
    return library


def test_a_search_in_a_place(travelled: Library) -> None:
    answer = travelled.search("red in Lisboa")
    assert [hit.path.stem for hit in answer.hits] == ["red", "blue"]
    assert [str(match) for match in answer.hits[0].matched] == [
        "place: Lisbon, Portugal", "looks like it",
    ]  # fmt: skip
    (chip,) = answer.recognised
    assert (chip.words, chip.meaning, answer.query) == ("Lisboa", "Lisbon", "red in Lisboa")
    assert answer.searched is None or answer.searched.text == "red"
    words = travelled.search(Query("red in Lisboa", literal=("lisboa",)))
    assert (len(words.hits), words.recognised) == (8, ())


def test_a_stop_word_is_refused_whatever_it_would_become(travelled: Library) -> None:
    travelled.switch_policy(on=True)
    travelled.stop_words.write_text("lisboa\nsummer\nstop\n", encoding="utf-8")
    for query in (Query("red in Lisboa"), Query("red summer 2019"), Query(words="stop sign")):
        with pytest.raises(QueryRefused):
            travelled.search(query)
    assert travelled.search("red in Portugal").recognised


def test_a_place_alone_shows_its_photos(travelled: Library) -> None:
    answer = travelled.search("Austria")
    assert [hit.path.stem for hit in answer.hits] == ["green"]
    assert str(answer.hits[0].matched[0]) == "place: Vienna, Austria"


def test_a_filter_that_nothing_matches_hides_nothing(travelled: Library) -> None:
    answer = travelled.search("red 1950")
    assert len(answer.hits) == 8
    assert answer.recognised == ()
    assert any('"1950"' in hint for hint in answer.hints)


def test_new_places_are_known_at_once(travelled: Library) -> None:
    assert travelled.search("red in Japan").recognised == ()
    ids = {record.path.stem: record.id for record in travelled}
    with travelled.writing():
        tokyo = Locality("Tokyo", "Tokyo", "Japan", "JP")
        travelled.catalog.locate({ids["white"]: tokyo}, "data")
    assert [hit.path.stem for hit in travelled.search("red in Japan").hits] == ["white"]


def test_what_was_kept_and_is_damaged_is_found_again(travelled: Library) -> None:
    travelled.search("red in Lisbon")
    kept = travelled._words.kept("places")
    assert "lisboa" in kept
    for damaged in ("junk", kept[:-1], kept.replace("lisboa", "lisbob")):
        travelled._words.keep("places", damaged)
        with Library.open(travelled.folder) as again:
            assert again.search("red in Lisboa").recognised
            assert again._words.kept("places") == kept


def test_names_that_somebody_forged_are_none(travelled: Library) -> None:
    travelled.search("red in Lisbon")
    text = "lisboa\n[["
    revision = travelled.catalog.located_revision
    travelled._words.keep("places", f"{revision} {digest(text).hex()}\n{text}")
    with Library.open(travelled.folder) as again:
        assert again.search("red in Lisboa").recognised == ()


def test_the_command_names_the_filter_and_how_to_take_it_off(
    travelled: Library, invoke: Invoke
) -> None:
    place = travelled.folder
    done = invoke("query", "red in Lisbon", "--library", place)
    assert "only photos taken in Lisbon: --literal Lisbon searches" in done.stderr
    answer = parsed(invoke("query", "red in Lisbon", "--library", place, "--json"))
    assert answer["recognised"] == [{"kind": "place", "words": "Lisbon", "meaning": "Lisbon"}]
    words = ("query", "red in Lisbon", "--literal", "Lisbon", "--library", place, "--json")
    assert parsed(invoke(*words))["recognised"] == []
    assert (
        len(parsed(invoke("query", "--place", "Portugal", "--library", place, "--json"))["hits"])
        == 2
    )
    unknown = invoke("query", "red", "--place", "Lisbun", "--library", place)
    assert (unknown.exit_code, "Lisbon" in unknown.stderr) == (2, True)


def test_coordinates_get_their_names(tmp_path: Path, colours: Path, invoke: Invoke) -> None:
    from PIL import Image

    from tests.conftest import square

    photo = square(tmp_path / "photos" / "a.jpg", "red")
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (38.0, 42.0, 0.0), 3: "W", 4: (9.0, 8.0, 0.0)}
    Image.open(photo).save(photo, exif=exif)
    place = tmp_path / "library"
    words = ("index", tmp_path / "photos", "--library", place, "--profile", colours)
    assert invoke(*words).exit_code == 0
    with Library.open(place) as library:
        assert library.catalog.known_localities()[0][0].city == "Lisbon"
        assert library.catalog.unlocated(gazetteer().version) == {}
