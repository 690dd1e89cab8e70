"""What photos say of themselves, through the API."""

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pixquery import Library
from pixquery.db.metadata import READS_TEXT, Noted
from pixquery.db.records import Annotation, Line, Locality
from pixquery.web.descriptions import MOST_PLACES, tallied
from pixquery.web.reader import Reader
from tests.web.conftest import TOKEN, client_of, error, number_of

CORNERS = (0.1, 0.2, 0.9, 0.2, 0.9, 0.3, 0.1, 0.3)
WRITTEN = Annotation(
    "Sunset", "At the beach.", ("holiday", "sea"), ("Anna Smith",), 4, "Red", ("Alfama",)
)
LISBON = Locality("Lisbon", "Lisbon", "Portugal", "PT")


@pytest.fixture
def worded(own: Any) -> tuple[TestClient, Library]:
    """Text in the blue square, words of its owner about the green one, and a place for it."""
    client, library, _ = own
    red, green, blue = (number_of(library, name) for name in ("red", "green", "blue"))
    with library.writing():
        lines = [Line("BOARDING PASS", 0.9, CORNERS), Line("Gate B27", 0.8, CORNERS)]
        library.catalog.note_readings({blue: lines, red: []}, "reader")
        library.catalog.annotate({green: Noted(WRITTEN)})
        library.catalog.locate({green: LISBON}, "gazetteer")
    return client, library


def names(page: Any) -> list[str]:
    return [hit["name"] for hit in page.json()["hits"]]


def test_hits_say_why(worded: tuple[TestClient, Library]) -> None:
    client, _ = worded
    first, *others = client.get("/api/search?q=boarding pass").json()["hits"]
    assert first["name"] == "blue.png"
    line = {"kind": "text", "words": "BOARDING PASS", "corners": list(CORNERS)}
    assert first["matched"] == [line]
    alike = {"kind": "look", "words": "looks like it", "corners": None}
    assert [hit["matched"] for hit in others] == [[alike], [alike]]
    (hit, *_) = client.get("/api/search?q=anna").json()["hits"]
    assert hit["matched"] == [{"kind": "person", "words": "Anna Smith", "corners": None}]
    assert {tuple(hit["matched"]) for hit in client.get("/api/search").json()["hits"]} == {()}


def test_text_alone(worded: tuple[TestClient, Library]) -> None:
    client, _ = worded
    page = client.get("/api/search?text=b27 gate")
    assert (names(page), page.json()["among"]) == (["blue.png"], 1)
    assert names(client.get("/api/search?text=gate&q=red")) == ["blue.png"]
    assert names(client.get("/api/search?text=gate b28")) == []
    assert "stand in a photo" in error(client.get("/api/search?text=!!!"), 422)


def test_places_filter(worded: tuple[TestClient, Library]) -> None:
    client, _ = worded
    for parameters in ("place=Lisboa", "place=Portugal&q=red", "place=Tokyo&place=Portugal"):
        page = client.get(f"/api/search?{parameters}")
        assert names(page) == ["green.png"], parameters
        place = {"kind": "place", "words": "Lisbon, Portugal", "corners": None}
        assert page.json()["hits"][0]["matched"][0] == place
    assert names(client.get("/api/search?place=Tokyo")) == []
    assert "no place named 'Lisbn' is known: Lisb" in error(
        client.get("/api/search?place=Lisbn"), 422
    )
    for bad in ("", "%20", ",", "x" * 200, "\N{SNOWMAN}"):
        error(client.get(f"/api/search?place={bad}"), 422)


def test_near_a_town(client: TestClient, ids: dict[str, int]) -> None:
    for near in ("Vienna", "Wien,20", "Vienna, Austria, 5"):
        hits = client.get("/api/search", params={"near": near}).json()["hits"]
        assert [hit["id"] for hit in hits] == [ids["Ferien ä"]], near


def test_words_that_are_a_filter(worded: tuple[TestClient, Library]) -> None:
    client, _ = worded
    page = client.get("/api/search?q=red in lisbon").json()
    assert page["recognised"] == [{"kind": "place", "words": "lisbon", "meaning": "Lisbon"}]
    assert (page["among"], page["query"]) == (1, "red in lisbon")
    only = client.get("/api/search?q=lisbon&min_relevance=0.5").json()
    assert ([hit["name"] for hit in only["hits"]], only["judged"]) == (["green.png"], False)
    for parameters in ("q=red in lisbon&literal=Lisbon", "q=red in lisbon&exact=true"):
        page = client.get(f"/api/search?{parameters}").json()
        assert (page["recognised"], page["among"]) == ([], 3)
    page = client.get("/api/search?q=red in 1999").json()  # no photo is from then
    assert page["recognised"] == []
    assert 'no photo matches "in 1999"' in page["hints"][0]


def test_details_of_a_photo(worded: tuple[TestClient, Library]) -> None:
    client, library = worded
    green = client.get(f"/api/images/{number_of(library, 'green')}").json()
    assert green["locality"] == {"city": "Lisbon", "region": "Lisbon", "country": "Portugal"}
    assert green["annotation"] == {
        "title": "Sunset", "caption": "At the beach.", "keywords": ["holiday", "sea"],
        "people": ["Anna Smith"], "rating": 4, "label": "Red", "location": ["Alfama"],
    }  # fmt: skip
    assert green["lines"] == []
    blue = client.get(f"/api/images/{number_of(library, 'blue')}").json()
    assert (blue["locality"], blue["annotation"]) == (None, None)
    assert blue["lines"] == [
        {"text": text, "corners": list(CORNERS)} for text in ("BOARDING PASS", "Gate B27")
    ]


def test_the_library_says_how_far_it_was_read(worded: tuple[TestClient, Library]) -> None:
    client, library = worded
    contents = client.get("/api/library").json()
    assert contents["text"] == {"on": False, "read": 2}
    lisbon, portugal = ({"name": name, "images": 1} for name in ("Lisbon", "Portugal"))
    assert contents["places"] == [lisbon, portugal]
    with library.writing():
        library.catalog.keep(READS_TEXT, "on")
        library.catalog.note_readings({number_of(library, "green"): []}, "reader")
        library.catalog.locate({number_of(library, "red"): LISBON}, "gazetteer")
    contents = client.get("/api/library").json()
    assert contents["text"] == {"on": True, "read": 3}
    assert contents["places"][0] == {"name": "Lisbon", "images": 2}


def test_remote_clients_see_words_and_no_paths(
    worded: tuple[TestClient, Library], tmp_path: Path
) -> None:
    _, library = worded
    reader = Reader(library.folder, look_again=0)
    with client_of(reader, TOKEN, peer="10.0.0.9") as remote:
        remote.headers["Authorization"] = f"Bearer {TOKEN}"
        for address in (
            "/api/search?q=boarding pass", f"/api/images/{number_of(library, 'blue')}",
            "/api/library",
        ):  # fmt: skip
            answer = remote.get(address)
            assert answer.status_code == 200
            assert str(tmp_path) not in answer.text
        assert "BOARDING PASS" in remote.get("/api/search?q=boarding pass").text
        message = error(remote.get("/api/search?place=/etc/passwd"), 422)
        assert "no place named '/etc/passwd'" in message


@pytest.mark.parametrize(
    ("parameters", "part"),
    [
        ("text=" + "x" * 201, "text has 201"), ("literal=" + "x" * 201, "literal"),
        ("&".join(["literal=x"] * 33), "literal"), ("&".join(["place=Lisbon"] * 33), "place"),
        ("place=" + "x" * 201, "place"), ("near=Nowhereville", "no place named"),
    ],
)  # fmt: skip
def test_limits(client: TestClient, parameters: str, part: str) -> None:
    assert part in error(client.get(f"/api/search?q=red&{parameters}"), 422)


def test_names_count_wherever_they_stand() -> None:
    salzburg, hallein = (
        Locality(city, "Salzburg", "Austria", "AT") for city in ("Salzburg", "Hallein")
    )
    nowhere = Locality("", "", "Iceland", "IS")
    tallies = tallied([(salzburg, 5), (hallein, 3), (nowhere, 1)])
    assert [tuple(each) for each in tallies] == [
        ("Austria", 8), ("Salzburg", 8), ("Hallein", 3), ("Iceland", 1),
    ]  # fmt: skip
    many = [(Locality(f"Town {number}", "", "", ""), 1) for number in range(500)]
    assert len(tallied(many)) == MOST_PLACES
