"""The duplicates of a served library: compared in the background, and moved only to the trash."""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pixquery import Library
from pixquery.indexer.build import index
from pixquery.web.app import application
from pixquery.web.guard import Rules
from pixquery.web.reader import Reader
from tests.conftest import NewLibrary, square
from tests.web.conftest import HERE, TOKEN, error

if sys.platform != "linux":
    pytest.skip("the trash is read as Linux desktops keep it", allow_module_level=True)


@pytest.fixture
def bin_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty trash, which send2trash finds when it is imported."""

    def forget() -> None:
        for name in [name for name in sys.modules if name.split(".")[0] == "send2trash"]:
            del sys.modules[name]

    forget()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    yield tmp_path / "data" / "Trash" / "files"
    forget()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A best photo, an equal one, a smaller one of the same picture, and another photo."""
    folder = tmp_path / "photos"
    best = square(folder / "best.png", "red", (48, 32))
    shutil.copy(best, folder / "copy.png")
    os.utime(best, (1_700_000_000,) * 2)
    square(folder / "small.png", "red", (24, 16))
    square(folder / "blue.png", "blue")
    return folder


@pytest.fixture
def library(new_library: NewLibrary, photos: Path) -> Library:
    library = new_library()
    index(library, [photos])
    return library


def served(library: Library, token: str = "", *, may_trash: bool, peer: str = "127.0.0.1") -> Any:
    app = application(Reader(library.folder, look_again=0), Rules(token), may_trash=may_trash)
    return TestClient(app, HERE, client=(peer, 50_000))


@pytest.fixture
def client(library: Library, bin_: Path) -> Iterator[TestClient]:
    with served(library, may_trash=True) as opened:
        yield opened


def settled(client: TestClient) -> dict[str, Any]:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found: dict[str, Any] = client.get("/api/duplicates").json()
        if found["state"] in ("done", "failed", "none"):
            return found
        time.sleep(0.02)
    raise AssertionError("the work did not end")


def compared(client: TestClient, threshold: float = 0.9) -> dict[str, Any]:
    begun = client.post("/api/duplicates", json={"threshold": threshold})
    assert begun.status_code == 202, begun.text
    return settled(client)


def by_name(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {copy["name"]: copy for group in found["groups"] for copy in group["copies"]}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_nothing_is_compared_before_somebody_asks(client: TestClient) -> None:
    found = client.get("/api/duplicates").json()
    assert (found["state"], found["groups"], found["may_trash"]) == ("none", [], True)


def test_groups_have_their_best_photo_and_say_why(client: TestClient, photos: Path) -> None:
    found = compared(client)
    assert (found["state"], found["among"], found["found"], found["copies"]) == ("done", 4, 1, 2)
    (group,) = found["groups"]
    assert group["best"]["name"] == "best.png"
    assert group["best"]["path"] == str(photos / "best.png")
    copies = by_name(found)
    assert {name: copy["exact"] for name, copy in copies.items()} == {
        "copy.png": True,
        "small.png": False,
    }
    assert found["bytes"] == sum((photos / name).stat().st_size for name in copies)
    exact = compared(client, 1)
    assert list(by_name(exact)) == ["copy.png"]
    assert exact["threshold"] == 1


def test_groups_come_in_pages(client: TestClient, library: Library, photos: Path) -> None:
    for colour in ("blue", "green", "cyan"):
        square(photos / f"{colour}-1.png", colour, (40, 40))
        square(photos / f"{colour}-2.png", colour, (30, 30))
    index(library, [photos])
    assert compared(client)["found"] == 4
    seen: list[int] = []
    following: int | None = 0
    while following is not None:
        page = client.get(f"/api/duplicates?offset={following}&k=3").json()
        seen += [group["number"] for group in page["groups"]]
        following = page["next"]
    assert seen == [1, 2, 3, 4]


def test_chosen_copies_go_to_the_trash(client: TestClient, photos: Path, bin_: Path) -> None:
    copy = by_name(compared(client))["copy.png"]
    moved = client.post("/api/duplicates/trash", json={"ids": [copy["id"]]})
    assert moved.status_code == 202, moved.text
    found = settled(client)
    assert names(bin_) == ["copy.png"]
    assert names(photos) == ["best.png", "blue.png", "small.png"]
    assert {name: copy["moved"] for name, copy in by_name(found).items()} == {
        "copy.png": True,
        "small.png": False,
    }
    assert (found["copies"], found["left"], found["trouble"]) == (1, [], "")
    again = client.post("/api/duplicates/trash", json={"ids": [copy["id"]]})
    assert "no copy was chosen" in error(again, 422)


def test_a_copy_that_changed_stays_and_says_why(
    client: TestClient, photos: Path, bin_: Path
) -> None:
    copies = by_name(compared(client))
    square(photos / "copy.png", "green", (48, 32))
    client.post("/api/duplicates/trash", json={"ids": [copy["id"] for copy in copies.values()]})
    found = settled(client)
    assert names(bin_) == ["small.png"]
    (left,) = found["left"]
    assert left["name"] == "copy.png"
    assert "changed" in left["reason"]
    assert "copy.png" in names(photos)


def test_a_best_photo_and_others_never_go(
    client: TestClient, library: Library, photos: Path, bin_: Path
) -> None:
    found = compared(client)
    blue = next(r.id for r in library.catalog.everything() if r.path.stem == "blue")
    copy = by_name(found)["copy.png"]["id"]
    for wrong in (found["groups"][0]["best"]["id"], blue, 10**9):
        refused = client.post("/api/duplicates/trash", json={"ids": [copy, wrong]})
        assert f"the photo {wrong} is no copy" in error(refused, 422)
    assert len(names(photos)) == 4
    assert names(bin_) == []


def test_a_photo_that_became_a_link_stays(
    client: TestClient, photos: Path, bin_: Path, tmp_path: Path
) -> None:
    copy = by_name(compared(client))["copy.png"]
    photos.rename(tmp_path / "elsewhere")
    photos.mkdir()
    for name in names(tmp_path / "elsewhere"):
        (photos / name).symlink_to(tmp_path / "elsewhere" / name)
    client.post("/api/duplicates/trash", json={"ids": [copy["id"]]})
    found = settled(client)
    assert found["copies"] == 2
    assert len(names(tmp_path / "elsewhere")) == 4
    assert names(bin_) == []


def test_a_folder_that_leads_outside_is_refused(
    new_library: NewLibrary, tmp_path: Path, bin_: Path
) -> None:
    library, inside = new_library(), tmp_path / "photos" / "inside"
    best = square(inside / "best.png", "red", (48, 32))
    shutil.copy(best, inside / "copy.png")
    os.utime(best, (1_700_000_000,) * 2)
    index(library, [tmp_path / "photos"])
    with served(library, may_trash=True) as client:
        copy = by_name(compared(client))["copy.png"]
        inside.rename(tmp_path / "outside")
        inside.symlink_to(tmp_path / "outside", target_is_directory=True)
        refused = client.post("/api/duplicates/trash", json={"ids": [copy["id"]]})
        assert "outside the library's folders" in error(refused, 403)
    assert names(tmp_path / "outside") == ["best.png", "copy.png"]
    assert names(bin_) == []


@pytest.mark.parametrize(
    ("may_trash", "token", "peer", "message"),
    [
        (False, "", "127.0.0.1", "start it with --trash"),
        (True, "", "192.0.2.7", "only the computer with the photos"),
        (True, TOKEN, "127.0.0.1", "only the computer with the photos"),
        (True, TOKEN, "192.0.2.7", "only the computer with the photos"),
    ],
)
def test_the_trash_is_off_unless_asked_for_and_local(
    may_trash: bool, token: str, peer: str, message: str, library: Library, bin_: Path, photos: Path
) -> None:
    with served(library, token, may_trash=may_trash, peer=peer) as client:
        if token:
            client.headers["Authorization"] = f"Bearer {token}"
        found = compared(client)
        assert found["may_trash"] is False
        ids = [copy["id"] for copy in by_name(found).values()]
        assert len(ids) == 2
        assert message in error(client.post("/api/duplicates/trash", json={"ids": ids}), 403)
        local = peer == "127.0.0.1" and not token
        assert all((copy["path"] is not None) == local for copy in by_name(found).values())
    assert len(names(photos)) == 4
    assert names(bin_) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": HERE},
        {"Host": "evil.example"},
        {"Origin": "null"},
    ],
    ids=str,
)
def test_other_sites_start_and_move_nothing(
    headers: dict[str, str], client: TestClient, bin_: Path
) -> None:
    ids = [copy["id"] for copy in by_name(compared(client)).values()]
    for address, body in (
        ("/api/duplicates", {"threshold": 1}),
        ("/api/duplicates/trash", {"ids": ids}),
    ):
        refused = client.post(address, json=body, headers=headers)
        assert refused.status_code in (400, 403), refused.text
    assert names(bin_) == []
    assert client.get("/api/duplicates").json()["threshold"] == 0.9


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_what_a_form_can_send_is_refused(kind: str, client: TestClient, bin_: Path) -> None:
    ids = [copy["id"] for copy in by_name(compared(client)).values()]
    refused = client.post(
        "/api/duplicates/trash", content=f'{{"ids": {ids}}}', headers={"Content-Type": kind}
    )
    assert "application/json" in error(refused, 415)
    assert names(bin_) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{}", 422), ('{"ids": []}', 422), ('{"ids": ["../x"]}', 422), ('{"ids": [0]}', 422),
        ('{"ids": [1], "paths": ["/etc/passwd"]}', 422), ("[", 422), ("[" * 100_000, 422),
        (f'{{"ids": {[1] * 100_001}}}', 422), (" " * (2**20 + 1), 413),
    ],
    ids=range(9),
)  # fmt: skip
def test_bad_bodies_are_refused(body: str, status: int, client: TestClient, bin_: Path) -> None:
    compared(client)
    headers = {"Content-Type": "application/json"}
    error(client.post("/api/duplicates/trash", content=body, headers=headers), status)
    assert names(bin_) == []


def test_a_move_needs_a_comparison(client: TestClient) -> None:
    refused = client.post("/api/duplicates/trash", json={"ids": [1]})
    assert "compare the photos first" in error(refused, 409)


@pytest.mark.parametrize("threshold", [0, -1, 1.1, "much"])
def test_a_threshold_out_of_range_is_refused(threshold: object, client: TestClient) -> None:
    assert "threshold" in error(client.post("/api/duplicates", json={"threshold": threshold}), 422)


def test_a_failure_is_told(client: TestClient, library: Library) -> None:
    shutil.rmtree(library.folder)
    client.post("/api/duplicates", json={})
    found = settled(client)
    assert found["state"] == "failed"
    assert "library" in found["trouble"]
