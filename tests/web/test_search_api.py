"""Searches through the API give the engine's answers."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pixquery import Filter, Library, Query
from tests.conftest import COLOURS
from tests.web.conftest import error


@pytest.mark.parametrize("colour", COLOURS)
def test_words_find_what_the_engine_finds(
    client: TestClient, library: Library, colour: str
) -> None:
    told = client.get("/api/search", params={"q": colour, "k": 5}).json()
    expected = library.search(Query(colour, k=5))
    assert told["query"] == colour
    assert told["profile"] == "colours"
    assert told["among"] == len(library)
    assert told["candidates"] == expected.candidates
    assert told["judged"] is True
    assert told["next"] == 5
    assert set(told["milliseconds"]) == {"encode", "prefilter", "rerank", "total"}
    for hit, wanted in zip(told["hits"], expected.hits, strict=True):
        assert set(hit) == {"rank", "id", "name", "path", "version", "relevance", "similarity",
                            "width", "height", "modified", "taken"}  # fmt: skip
        assert (hit["rank"], hit["id"]) == (wanted.rank, wanted.id)
        assert (hit["name"], hit["path"]) == (wanted.path.name, str(wanted.path))
        assert hit["relevance"] == pytest.approx(wanted.relevance, abs=1e-3)
        assert hit["similarity"] == pytest.approx(wanted.similarity, abs=1e-3)
        assert (hit["width"], hit["height"]) == (wanted.width, wanted.height)
        assert datetime.fromisoformat(hit["modified"]) == wanted.modified
        assert hit["taken"] == (wanted.taken.isoformat() if wanted.taken else None)


def test_without_a_question_the_newest_photos_come(client: TestClient, library: Library) -> None:
    told = client.get("/api/search", params={"k": 3}).json()
    assert [hit["id"] for hit in told["hits"]] == [hit.id for hit in library.newest(k=3).hits]
    assert (told["query"], told["judged"], told["candidates"]) == ("", False, 0)
    assert told["among"] == len(library)
    assert all(hit["relevance"] is hit["similarity"] is None for hit in told["hits"])
    assert client.get("/api/search?q=&k=3").json()["hits"] == told["hits"]


@pytest.mark.parametrize("params", [{"q": "red"}, {}, {"q": "red", "min_relevance": "0.4"}])
def test_pages_follow_each_other_to_the_end(client: TestClient, params: dict[str, str]) -> None:
    whole = client.get("/api/search", params=params | {"k": 200}).json()
    assert whole["next"] is None
    found: list[int] = []
    offset: int | None = 0
    while offset is not None:
        page = client.get("/api/search", params=params | {"k": 4, "offset": offset}).json()
        found += [hit["id"] for hit in page["hits"]]
        offset = page["next"]
    assert found == [hit["id"] for hit in whole["hits"]]


def test_beyond_the_end_there_is_nothing(client: TestClient) -> None:
    for params in ({"q": "red"}, {}, {"orientation": "landscape"}):
        told = client.get("/api/search", params={**params, "offset": 10**30}).json()
        assert (told["hits"], told["next"]) == ([], None)


def test_parts_are_added_and_taken_off(client: TestClient, ids: dict[str, int]) -> None:
    told = client.get("/api/search?q=red&plus=green&minus=blue:0.5").json()
    assert told["hits"][0]["id"] == ids["yellow"]
    assert told["judged"] is False
    assert told["hits"][0]["relevance"] is None
    assert told["query"] == "red, green, -0.5 x blue"


def test_photos_like_a_hit_leave_it_out(client: TestClient, ids: dict[str, int]) -> None:
    told = client.get(f"/api/search?like_id={ids['red']}&like_id={ids['green']}").json()
    found = [hit["id"] for hit in told["hits"]]
    assert not {ids["red"], ids["green"]} & set(found)
    assert ids["yellow"] in found[:2]


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ("orientation=landscape", Filter(orientation="landscape")),
        ("min_width=100&min_height=100", Filter(min_width=100, min_height=100)),
        ("format=jpg&format=png", Filter(formats=("JPEG", "PNG"))),
        ("path=*deep*", Filter(paths=("*deep*",))),
        ("path=re*&path=*.bmp", Filter(paths=("re*", "*.bmp"))),
        ("camera=maker", Filter(camera="maker")),
    ],
)
def test_filters_let_through_what_the_catalogue_does(
    client: TestClient, library: Library, asked: str, where: Filter
) -> None:
    expected = {int(i) for i in library.catalog.matching(where)}
    assert expected
    for words in ("", "&q=red", "&plus=red"):
        told = client.get(f"/api/search?k=200&{asked}{words}").json()
        assert {hit["id"] for hit in told["hits"]} == expected
        assert told["among"] == len(expected)


def test_filters_by_what_the_camera_noted(client: TestClient, ids: dict[str, int]) -> None:
    for asked in ("taken=2021", "taken=2021-07..2021-08", "near=48.21,16.37", "near=48.2,16.3,50"):
        hits = client.get(f"/api/search?{asked}").json()["hits"]
        assert [hit["id"] for hit in hits] == [ids["Ferien ä"]], asked
    assert client.get("/api/search?taken=2020").json()["hits"] == []
    assert client.get("/api/search?modified=1999").json()["among"] == 0


def test_a_root_is_asked_by_its_number(client: TestClient, library: Library) -> None:
    assert client.get("/api/search?root=1").json()["among"] == len(library)
    assert "folders" in error(client.get("/api/search?root=2"), 422)


def test_a_photo_is_found_by_itself(client: TestClient, root: Path, ids: dict[str, int]) -> None:
    for name in ("deep/green.gif", "deep/deep/black.jpg", "blue.png"):
        path = next(root.rglob(Path(name).name), None)
        if path is None:
            continue
        told = client.post("/api/search?k=1", files={"photo": (name, path.read_bytes())}).json()
        assert told["hits"][0]["id"] == ids[path.stem]
        assert told["judged"] is False
        assert told["query"] == path.name


def test_a_photo_and_words(client: TestClient, root: Path, ids: dict[str, int]) -> None:
    red = next(root.rglob("red.*")).read_bytes()
    told = client.post("/api/search?q=green&format=jpg&format=png", files={"photo": red}).json()
    assert told["judged"] is False
    formats = {client.get(f"/api/images/{hit['id']}").json()["format"] for hit in told["hits"]}
    assert formats == {"JPEG", "PNG"}


def test_the_policy_refuses(own: Any) -> None:
    client, library, _ = own
    library.switch_policy(on=True)
    assert "child" in error(client.get("/api/search?q=a child"), 403)
    error(client.get("/api/search?q=red&plus=children"), 403)
    assert client.get("/api/search?q=red").status_code == 200


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("k=0", "k:"), ("k=201", "k:"), ("k=many", "k:"), ("offset=-1", "offset:"),
        ("q=" + "x" * 1001, "q:"), ("plus=" + "x" * 2000, "plus"), ("min_relevance=2", "min_rel"),
        ("min_relevance=nan", "min_rel"), ("taken=yesterday", "2023-07"),
        ("modified=2023-13", "no time"),
        ("near=here", "no place"), ("format=mp3", "JPEG"), ("orientation=round", "orientation"),
        ("min_width=-1", "min_width"), ("min_width=1e99", "min_width"),
        ("minus=people", "not wanted"),
        ("plus=snow:1000", "weight"), ("plus=%20", "empty"), ("color=red", "color"),
        ("plus=red&minus=red", "cancel"), ("q=red&plus=green&min_relevance=0.5", "relevance"),
        ("min_relevance=0.5", "relevance"), ("&".join(["plus=red"] * 33), "plus"),
        ("like_id=1&like_id=77", "number 77"), ("taken=2023..2021", "ends before"),
    ],
)  # fmt: skip
def test_bad_questions_are_told_in_a_sentence(client: TestClient, asked: str, said: str) -> None:
    told = error(client.get(f"/api/search?{asked}"), 422)
    assert said in told
    assert "\n" not in told
