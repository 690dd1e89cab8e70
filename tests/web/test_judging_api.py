"""Judgements over HTTP: who may give them, and what is kept."""

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pixquery import Library
from pixquery.engine.ratings_file import RatingsFile, named_worker
from pixquery.web.reader import Reader
from tests.web.conftest import TOKEN, client_of, error, number_of

Own = tuple[TestClient, Library, Path]


def add(client: TestClient, image_id: int, text: str, rating: str, **more: Any) -> Any:
    body = {"id": image_id, "text": text, "rating": rating}
    return client.post("/api/judgements", json=body, **more)


def given(response: Any) -> dict[int, str]:
    assert response.status_code == 200, response.text
    return {one["id"]: one["rating"] for one in response.json()["given"]}


def test_a_judgement_is_kept(own: Own) -> None:
    client, library, root = own
    red, blue = number_of(library, "red"), number_of(library, "blue")
    assert given(add(client, red, "my photos of red", "yes")) == {red: "yes"}
    response = add(client, blue, "red", "no")
    assert given(response) == {red: "yes", blue: "no"}
    assert {**response.json(), "given": []} == {
        "text": "red", "given": [], "judgements": 2, "photos": 2, "texts": 1,
        "lacking": "they are of 2 photos: judge 3 or more", "worthwhile": False, "writable": True,
        "learned": 0,
    }  # fmt: skip
    kept = RatingsFile(library.folder).read().counting
    assert [(Path(one.image), one.text, one.rating, one.worker) for one in kept] == [
        (root / "red.png", "red", "yes", named_worker("")),
        (root / "blue.png", "red", "no", named_worker("")),
    ]
    assert given(client.get("/api/judgements", params={"text": "Red"})) == {}
    assert given(client.get("/api/judgements", params={"text": "red"})) == {red: "yes", blue: "no"}
    assert client.get("/api/judgements").json()["judgements"] == 2


def test_withdrawn_and_undone(own: Own) -> None:
    client, library, _ = own
    red = number_of(library, "red")
    for rating in ("yes", "no"):
        add(client, red, "red", rating)
    pair: dict[str, Any] = {"id": red, "text": "red"}
    assert given(client.delete("/api/judgements", params=pair | {"last": "true"})) == {red: "yes"}
    add(client, red, "red", "partly")
    assert given(client.delete("/api/judgements", params=pair)) == {}
    assert RatingsFile(library.folder).read().counting == ()


def test_judgements_of_others_are_not_mine(own: Own) -> None:
    client, library, root = own
    RatingsFile(library.folder).add(root / "red.png", "red", "no", "somebody else")
    RatingsFile(library.folder).add(root / "gone.png", "red", "no")
    response = client.get("/api/judgements", params={"text": "red"})
    assert given(response) == {}
    assert response.json()["judgements"] == 2


def test_only_photos_of_the_library_and_verdicts(own: Own) -> None:
    client, library, _ = own
    red = number_of(library, "red")
    error(add(client, 999, "red", "yes"), 404)
    for body in (
        (red, "red", "maybe"), (red, "summer 2019", "yes"), (red, " ", "yes"), (0, "red", "yes"),
        (red, "x" * 1001, "yes"),
    ):  # fmt: skip
        error(add(client, *body), 422)
    error(client.post("/api/judgements", content=b'{"id": 1}'), 422)
    error(
        client.post("/api/judgements", content=b"id=1", headers={"content-type": "text/plain"}), 422
    )
    assert RatingsFile(library.folder).read().counting == ()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of the stemmer
def test_the_stop_word_policy_holds_for_judgements(own: Own) -> None:
    client, library, _ = own
    library.switch_policy(on=True)
    error(add(client, number_of(library, "red"), "a child", "yes"), 403)
    assert client.get("/api/judgements", params={"text": "a child"}).json()["text"] is None
    assert RatingsFile(library.folder).read().counting == ()


CHANGES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("POST", "/api/judgements", {"json": {"id": 1, "text": "red", "rating": "yes"}}),
    ("DELETE", "/api/judgements", {"params": {"id": 1, "text": "red"}}),
    ("POST", "/api/training", {}),
    ("DELETE", "/api/training", {}),
    ("POST", "/api/training/use", {"json": {"relevance": "new"}}),
)


@pytest.mark.parametrize("method, path, more", CHANGES)
def test_no_other_site_changes_anything(
    own: Own, method: str, path: str, more: dict[str, Any]
) -> None:
    client, library, _ = own
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:8000"},
    ):
        assert "other sites" in error(client.request(method, path, headers=headers, **more), 403)
    # A name that was rebound to this computer.
    headers = {"Host": "evil.example:8000", "Origin": "http://evil.example:8000"}
    error(client.request(method, path, headers=headers, **more), 400)
    assert RatingsFile(library.folder).read().counting == ()
    # What a form of another page can send.
    simple = {"content-type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "cross-site"}
    error(client.request(method, path, headers=simple, content=b"id=1&text=red&rating=yes"), 403)


@pytest.mark.parametrize("method, path, more", CHANGES)
def test_strangers_change_nothing(own: Own, method: str, path: str, more: dict[str, Any]) -> None:
    folder = own[1].folder
    with client_of(Reader(folder), peer="192.0.2.7") as client:
        assert "proxy" in error(client.request(method, path, **more), 403)
        assert client.get("/api/judgements").json()["writable"] is False
    with client_of(Reader(folder)) as client:
        forwarded = {"X-Forwarded-For": "192.0.2.7"}
        assert "proxy" in error(client.request(method, path, headers=forwarded, **more), 403)
    with client_of(Reader(folder), TOKEN, peer="192.0.2.7") as client:
        error(client.request(method, path, **more), 401)
    assert not (folder / "ratings.csv").exists()


def test_with_the_token_others_judge_too(own: Own) -> None:
    _, library, _ = own
    red = number_of(library, "red")
    with client_of(Reader(library.folder), TOKEN, peer="192.0.2.7") as client:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert given(add(client, red, "red", "yes", headers=headers)) == {red: "yes"}


def test_a_library_that_cannot_be_written(own: Own) -> None:
    client, library, _ = own
    (library.folder / "ratings.csv").symlink_to("/dev/full")
    message = error(add(client, number_of(library, "red"), "red", "yes"), 503)
    assert "is a link" in message


def test_the_api_is_described(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths["/api/judgements"]) == {"get", "post", "delete"}
    assert set(paths["/api/training"]) == {"get", "post", "delete"}
    for path in ("/api/judgements", "/api/training", "/api/training/use"):
        for operation in paths[path].values():
            assert operation["description"] or operation["summary"]
            assert "200" in operation["responses"]
