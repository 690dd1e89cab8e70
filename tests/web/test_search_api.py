"""Searches through the API give the engine's answers."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pixquery import Filter, Library, Query
from pixquery.engine.standing import FITS
from tests.conftest import COLOURS
from tests.web.conftest import error


@pytest.mark.parametrize("colour", COLOURS)
def test_words_give_the_engines_hits(client: TestClient, library: Library, colour: str) -> None:
    page = client.get("/api/search", params={"q": colour, "k": 5}).json()
    expected = library.search(Query(colour, k=5))
    assert page["query"] == colour
    assert page["profile"] == "colours"
    assert page["among"] == len(library)
    assert page["candidates"] == expected.candidates
    assert page["judged"] is True
    assert page["fits"] == sum(hit["relevance"] >= FITS for hit in page["hits"])
    assert page["next"] == 5
    assert set(page["milliseconds"]) == {"encode", "prefilter", "rerank", "total"}
    for hit, wanted in zip(page["hits"], expected.hits, strict=True):
        assert set(hit) == {"rank", "id", "name", "path", "version", "relevance", "standing",
                            "similarity", "width", "height", "modified", "taken", "month",
                            "matched"}  # fmt: skip
        assert hit["standing"] == wanted.standing
        assert (hit["rank"], hit["id"]) == (wanted.rank, wanted.id)
        assert (hit["name"], hit["path"]) == (wanted.path.name, str(wanted.path))
        assert hit["relevance"] == pytest.approx(wanted.relevance, abs=1e-3)
        assert hit["similarity"] == pytest.approx(wanted.similarity, abs=1e-3)
        assert (hit["width"], hit["height"]) == (wanted.width, wanted.height)
        assert datetime.fromisoformat(hit["modified"]) == wanted.modified
        assert hit["taken"] == (wanted.taken.isoformat() if wanted.taken else None)


def test_an_empty_query_gives_the_newest_photos(client: TestClient, library: Library) -> None:
    page = client.get("/api/search", params={"k": 3}).json()
    assert [hit["id"] for hit in page["hits"]] == [hit.id for hit in library.newest(k=3).hits]
    assert (page["query"], page["judged"], page["candidates"]) == ("", False, 0)
    assert page["fits"] is None
    assert page["among"] == len(library)
    assert all(hit["relevance"] is hit["similarity"] is None for hit in page["hits"])
    assert client.get("/api/search?q=&k=3").json()["hits"] == page["hits"]


@pytest.mark.parametrize("params", [{"q": "red"}, {}, {"q": "red", "min_relevance": "0.4"}])
def test_pages_cover_all_hits(client: TestClient, params: dict[str, str]) -> None:
    all_hits = client.get("/api/search", params=params | {"k": 200}).json()
    assert all_hits["next"] is None
    collected: list[int] = []
    offset: int | None = 0
    while offset is not None:
        page = client.get("/api/search", params=params | {"k": 4, "offset": offset}).json()
        collected += [hit["id"] for hit in page["hits"]]
        offset = page["next"]
    assert collected == [hit["id"] for hit in all_hits["hits"]]


def test_an_offset_past_the_end_gives_no_hits(client: TestClient) -> None:
    for params in ({"q": "red"}, {}, {"orientation": "landscape"}):
        page = client.get("/api/search", params={**params, "offset": 10**30}).json()
        assert (page["hits"], page["next"]) == ([], None)


def test_parts_are_added_and_subtracted(client: TestClient, ids: dict[str, int]) -> None:
    page = client.get("/api/search?q=red&plus=green&minus=blue:0.5").json()
    assert page["hits"][0]["id"] == ids["yellow"]
    assert page["judged"] is False
    assert page["hits"][0]["relevance"] is None
    assert page["query"] == "red, green, -0.5 x blue"


def test_photos_like_a_hit_exclude_it(client: TestClient, ids: dict[str, int]) -> None:
    page = client.get(f"/api/search?like_id={ids['red']}&like_id={ids['green']}").json()
    hits = [hit["id"] for hit in page["hits"]]
    assert not {ids["red"], ids["green"]} & set(hits)
    assert ids["yellow"] in hits[:2]


@pytest.mark.parametrize(
    ("parameters", "where"),
    [
        ("orientation=landscape", Filter(orientation="landscape")),
        ("min_width=100&min_height=100", Filter(min_width=100, min_height=100)),
        ("format=jpg&format=png", Filter(formats=("JPEG", "PNG"))),
        ("path=*deep*", Filter(paths=("*deep*",))),
        ("path=re*&path=*.bmp", Filter(paths=("re*", "*.bmp"))),
        ("camera=maker", Filter(camera="maker")),
    ],
)
def test_filters_match_what_the_catalogue_matches(
    client: TestClient, library: Library, parameters: str, where: Filter
) -> None:
    expected = {int(i) for i in library.catalog.matching(where)}
    assert expected
    for words in ("", "&q=red", "&plus=red"):
        page = client.get(f"/api/search?k=200&{parameters}{words}").json()
        assert {hit["id"] for hit in page["hits"]} == expected
        assert page["among"] == len(expected)


def test_filters_by_camera_data(client: TestClient, ids: dict[str, int]) -> None:
    for parameters in (
        "taken=2021",
        "taken=2021-07..2021-08",
        "near=48.21,16.37",
        "near=48.2,16.3,50",
    ):
        hits = client.get(f"/api/search?{parameters}").json()["hits"]
        assert [hit["id"] for hit in hits] == [ids["Ferien ä"]], parameters
    assert client.get("/api/search?taken=2020").json()["hits"] == []
    assert client.get("/api/search?modified=1999").json()["among"] == 0


def test_a_root_is_named_by_its_number(client: TestClient, library: Library) -> None:
    assert client.get("/api/search?root=1").json()["among"] == len(library)
    assert "folders" in error(client.get("/api/search?root=2"), 422)


def test_a_photo_finds_itself(client: TestClient, root: Path, ids: dict[str, int]) -> None:
    for name in ("deep/green.gif", "deep/deep/black.jpg", "blue.png"):
        path = next(root.rglob(Path(name).name), None)
        if path is None:
            continue
        page = client.post("/api/search?k=1", files={"photo": (name, path.read_bytes())}).json()
        assert page["hits"][0]["id"] == ids[path.stem]
        assert page["judged"] is False
        assert page["query"] == path.name


def test_a_photo_with_words(client: TestClient, root: Path, ids: dict[str, int]) -> None:
    red = next(root.rglob("red.*")).read_bytes()
    page = client.post("/api/search?q=green&format=jpg&format=png", files={"photo": red}).json()
    assert page["judged"] is False
    formats = {client.get(f"/api/images/{hit['id']}").json()["format"] for hit in page["hits"]}
    assert formats == {"JPEG", "PNG"}


def test_the_policy_refuses(own: Any) -> None:
    client, library, _ = own
    library.switch_policy(on=True)
    assert "child" in error(client.get("/api/search?q=a child"), 403)
    error(client.get("/api/search?q=red&plus=children"), 403)
    assert client.get("/api/search?q=red").status_code == 200


@pytest.mark.parametrize(
    ("parameters", "part"),
    [
        ("k=0", "k "), ("k=201", "k "), ("k=many", "k "), ("offset=-1", "offset "),
        ("q=" + "x" * 1001, "q "), ("plus=" + "x" * 2000, "plus"), ("min_relevance=2", "min_rel"),
        ("min_relevance=nan", "min_rel"), ("taken=yesterday", "2023-07"),
        ("modified=2023-13", "not a time"),
        ("near=here", "no place named"), ("near=1,2,3,4", "not a place"),
        ("format=mp3", "JPEG"), ("orientation=round", "orientation"),
        ("min_width=-1", "min_width"), ("min_width=1e99", "min_width"),
        ("minus=people", "not wanted"),
        ("plus=snow::1000", "weight"), ("plus=snow::", "weight"), ("plus=%20", "empty"),
        ("color=red", "color"),
        ("plus=red&minus=red", "cancel"), ("q=red&plus=green&min_relevance=0.5", "relevance"),
        ("min_relevance=0.5", "relevance"), ("&".join(["plus=red"] * 33), "plus"),
        ("like_id=1&like_id=77", "id 77"), ("taken=2023..2021", "ends before"),
        ("rating=6", "not a rating"), ("rating=5..1", "ends before"), ("keyword=%20", "empty"),
        ("person=%20", "empty"),
    ],
)  # fmt: skip
def test_a_bad_parameter_gives_a_sentence(client: TestClient, parameters: str, part: str) -> None:
    message = error(client.get(f"/api/search?{parameters}"), 422)
    assert part in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (f"q={'x' * 1001}", "q has 1,001 characters and may have 1,000"),
        (f"plus={'x' * 1021}", "plus has 1,021 characters and may have 1,020"),
        ("minus=a&" * 33, "minus is given 33 times, and may be given 32 times"),
        ("k=0", "k must be 1 or more, not '0'"),
        ("k=201", "k must be 200 or less, not '201'"),
        ("k=many", "k must be a whole number, not 'many'"),
        ("min_relevance=2", "min_relevance must be 1 or less, not '2'"),
        ("min_relevance=nan", "min_relevance must be a finite number, not 'nan'"),
        ("orientation=round", "orientation must be 'landscape', 'portrait' or 'square'"),
        ("exact=maybe", "exact must be true or false, not 'maybe'"),
        ("like_id=x", "like_id must be a whole number, not 'x'"),
        ("colour=red", "there is no parameter colour"),
        (f"k={'9' * 5000}", "k must be a whole number of fewer digits"),
        ("k=x&offset=-1", "k must be a whole number, not 'x'; offset must be 0 or more, not '-1'"),
    ],
)
def test_refusals_name_the_parameter_in_plain_words(
    parameters: str, message: str, client: TestClient
) -> None:
    refused = error(client.get(f"/api/search?{parameters}"), 422)
    assert message in refused
    assert "input" not in refused
    assert len(refused) < 200


def test_an_unknown_size_or_id_is_refused_in_plain_words(client: TestClient) -> None:
    assert "size must be 160, 320 or 640" in error(
        client.get("/api/images/1/thumbnail?size=9"), 422
    )
    assert "image_id must be a whole number" in error(client.get("/api/images/x"), 422)


def test_the_description_says_that_pictures_are_bytes(client: TestClient) -> None:
    """A generated client would otherwise drop them."""
    paths = client.get("/openapi.json").json()["paths"]
    binary = {"schema": {"type": "string", "format": "binary"}}
    for address, status in (("thumbnail", "200"), ("file", "200"), ("file", "206")):
        answers = paths[f"/api/images/{{image_id}}/{address}"]["get"]["responses"]
        content = answers[status]["content"]
        assert content["image/jpeg"] == binary
        assert all(media == binary for media in content.values())
