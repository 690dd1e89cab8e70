"""The server against the truth: its answers, its limits, and whom it turns away."""

import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import schemathesis
import uvicorn
from hypothesis import Phase, given
from hypothesis import settings as hypothesis_settings
from PIL import Image
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from pixquery import Filter, Library, Query
from pixquery.db.errors import LibraryDamaged, QueryRefused
from pixquery.engine.profile import Profile
from pixquery.indexer.build import index
from pixquery.web import serving
from pixquery.web.app import application
from pixquery.web.batches import MOST, Batches, SharedProfile
from pixquery.web.gate import Gate
from pixquery.web.guard import Rules, is_loopback
from pixquery.web.pictures import Kept, Pictures
from pixquery.web.reader import Reader
from pixquery.web.refusals import Refusal, refusal_of
from pixquery.web.serving import Impatient
from pixquery.web.uploads import LARGEST
from tests import photos
from tests.conftest import COLOURS, REPOSITORY, Invoke, NewLibrary, square
from tests.photos import UPRIGHT, corners, encoded, oriented, quarters

HERE = "http://127.0.0.1:8000"
TOKEN = "a long word that nobody guesses"


def client_of(
    reader: Reader, token: str = "", *, peer: str = "127.0.0.1", raises: bool = True
) -> TestClient:
    app = application(reader, Rules(token))
    return TestClient(
        app, HERE, client=(peer, 50_000), raise_server_exceptions=raises, follow_redirects=False
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a square of each colour, a photo of a camera, and one on its side."""
    root = tmp_path_factory.mktemp("photos") / "squares"
    suffixes = [".jpg", ".png", ".gif", ".webp", ".bmp", ".tiff", ".jpg", ".png"]
    for place, (colour, suffix) in enumerate(zip(COLOURS, suffixes, strict=True)):
        square(root / "/".join(["deep"] * (place % 3)) / f"{colour}{suffix}", colour)
    (root / "side.jpg").write_bytes(oriented(quarters(), 6, "JPEG", quality=95))
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Maker", "Model 1"
    exif.get_ifd(0x8769)[0x9003] = "2021:07:14 12:30:00"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 12.0, 36.0), 3: "E", 4: (16.0, 22.0, 12.0)})
    square(root / "Ferien ä.jpg", (250, 20, 20), (640, 480), exif=exif)
    return root


@pytest.fixture(scope="module")
def folder(root: Path, colours: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("served") / "my photos"
    with Library.open(place, create=True, profile=str(colours)) as library:
        index(library, [root])
    return place


@pytest.fixture(scope="module")
def library(folder: Path) -> Iterator[Library]:
    """The same library, as the engine has it."""
    with Library.open(folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    with client_of(Reader(folder, look_again=0)) as opened:
        yield opened


@pytest.fixture(scope="module")
def ids(library: Library) -> dict[str, int]:
    """Numbers of the photos, by their names without suffix."""
    return {record.path.stem: record.id for record in library.catalog.everything()}


@pytest.fixture
def own(new_library: NewLibrary, tmp_path: Path) -> Iterator[tuple[TestClient, Library, Path]]:
    """A library of one's own to do harm to: its client, itself, and its root."""
    library, root = new_library(), tmp_path / "mine"
    for colour in ("red", "green", "blue"):
        square(root / f"{colour}.png", colour)
    index(library, [root])
    reader = Reader(library.folder, look_again=0)
    kept = Kept(tmp_path / "kept", 2**20)
    app = application(reader, Rules(), Pictures(reader, kept))
    with TestClient(app, HERE, client=("127.0.0.1", 1)) as opened:
        yield opened, library, root


def number_of(library: Library, stem: str) -> int:
    return next(r.id for r in library.catalog.everything() if r.path.stem == stem)


def error(response: Any, status: int) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    told = response.json()
    assert list(told) == ["error"]
    return str(told["error"])


def picture(response: Any) -> Image.Image:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(response.content), formats=("JPEG",)) as image:
        image.load()
        return image


# -- searching --------------------------------------------------------------------------------


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


# -- photos -----------------------------------------------------------------------------------


def test_details(client: TestClient, ids: dict[str, int], root: Path) -> None:
    told = client.get(f"/api/images/{ids['Ferien ä']}").json()
    path = root / "Ferien ä.jpg"
    assert told.pop("modified")
    version = told["version"]
    assert version != client.get(f"/api/images/{ids['red']}").json()["version"]
    assert told == {
        "id": ids["Ferien ä"], "name": path.name, "path": str(path), "root": 1, "folder": "",
        "version": version,
        "width": 640, "height": 480, "bytes": path.stat().st_size, "format": "JPEG",
        "camera": "Maker Model 1", "taken": "2021-07-14T12:30:00",
        "place": {"latitude": 48.21, "longitude": 16.37},
    }  # fmt: skip
    deep = next(root.rglob("green.*"))
    told = client.get(f"/api/images/{ids['green']}").json()
    assert told["folder"] == str(deep.parent.relative_to(root))
    assert (told["taken"], told["place"], told["camera"]) == (None, None, "")


@pytest.mark.parametrize("size", [160, 320, 640])
def test_thumbnails(client: TestClient, ids: dict[str, int], size: int) -> None:
    small = picture(client.get(f"/api/images/{ids['Ferien ä']}/thumbnail?size={size}"))
    assert small.size == (size, size * 3 // 4)
    colour = np.asarray(small).reshape(-1, 3).mean(0)
    assert np.abs(colour - (250, 20, 20)).max() < 4


def test_thumbnails_are_upright(client: TestClient, ids: dict[str, int]) -> None:
    address = f"/api/images/{ids['side']}/thumbnail"
    for _ in range(2):  # made, and kept
        small = picture(client.get(address))
        assert small.size == (96, 64)
        assert corners(np.asarray(small)) == UPRIGHT


def test_thumbnails_are_kept_by_browsers(client: TestClient, ids: dict[str, int]) -> None:
    """For ever by the photo's version, which another photo or content never has."""
    hit = client.get("/api/search?q=red&k=1").json()["hits"][0]
    assert hit["version"] == client.get(f"/api/images/{ids['red']}").json()["version"]
    for address in (f"/api/images/{ids['red']}/thumbnail?size=160",
                    f"/api/images/{ids['red']}/file?as=jpeg"):  # fmt: skip
        kept = client.get(f"{address}&of={hit['version']}").headers["cache-control"]
        assert kept == "private, max-age=31536000, immutable"
        for wrong in ("", "&of=", f"&of={'0' * 16}", f"&of={hit['version'][:8]}"):
            asked_after = client.get(f"{address}{wrong}").headers["cache-control"]
            assert asked_after == "private, no-cache"
    address = f"/api/images/{ids['red']}/thumbnail?size=160"
    first = client.get(address)
    again = client.get(address, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get(f"/api/images/{ids['red']}/thumbnail?size=320")
    assert other.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize("size", ["0", "161", "100000", "-1", "160.5", "huge"])
def test_thumbnails_have_few_sizes(client: TestClient, ids: dict[str, int], size: str) -> None:
    error(client.get(f"/api/images/{ids['red']}/thumbnail?size={size}"), 422)


def test_the_disk_keeps_so_many_pictures(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept", 1000)
    for number in range(20):
        kept.put(f"{number:032x}-160", bytes(98) + b"\xff\xd9")
        os.utime(next((tmp_path / "kept").rglob(f"{number:032x}*")), (number, number))
    held = sum(file.stat().st_size for file in (tmp_path / "kept").rglob("*.jpg"))
    assert 0 < held <= 1000
    assert kept.get(f"{0:032x}-160") is None
    assert kept.get(f"{19:032x}-160") is not None
    assert not list((tmp_path / "kept").rglob("*.part"))
    next((tmp_path / "kept").rglob(f"{19:032x}*")).write_bytes(b"cut off")
    assert kept.get(f"{19:032x}-160") is None


def test_a_disk_that_keeps_nothing_costs_no_picture(own: Any, tmp_path: Path) -> None:
    client, library, _ = own
    (tmp_path / "kept").write_text("no folder")
    picture(client.get(f"/api/images/{number_of(library, 'red')}/thumbnail"))


@pytest.mark.parametrize(
    ("stem", "kind"),
    [("red", "image/png"), ("side", "image/jpeg"), ("green", "image/gif"), ("blue", "image/webp"),
     ("yellow", "image/bmp"), ("cyan", "image/tiff")],
)  # fmt: skip
def test_originals(
    client: TestClient, ids: dict[str, int], root: Path, stem: str, kind: str
) -> None:
    path = next(root.rglob(f"{stem}.*"))
    response = client.get(f"/api/images/{ids[stem]}/file")
    assert response.content == path.read_bytes()
    assert response.headers["content-type"] == kind
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-disposition"].startswith(f'inline; filename="{path.name}"')


def test_names_of_any_letters(client: TestClient, ids: dict[str, int]) -> None:
    told = client.get(f"/api/images/{ids['Ferien ä']}/file").headers["content-disposition"]
    assert told == "inline; filename=\"Ferien _.jpg\"; filename*=UTF-8''Ferien%20%C3%A4.jpg"


@pytest.mark.parametrize(
    ("asked", "part"),
    [("bytes=0-9", slice(0, 10)), ("bytes=5-", slice(5, None)), ("bytes=-7", slice(-7, None)),
     ("bytes=0-999999", slice(0, None)), ("bytes=3-3", slice(3, 4))],
)  # fmt: skip
def test_parts_of_originals(
    client: TestClient, ids: dict[str, int], root: Path, asked: str, part: slice
) -> None:
    content = next(root.rglob("red.*")).read_bytes()
    address = f"/api/images/{ids['red']}/file"
    response = client.get(address, headers={"Range": asked})
    assert response.content == content[part]
    assert response.status_code == (200 if content[part] == content else 206)
    if response.status_code == 206:
        first = (
            content.index(content[part]) if part.start is None else part.indices(len(content))[0]
        )
        last = first + len(content[part]) - 1
        assert response.headers["content-range"] == f"bytes {first}-{last}/{len(content)}"
    other = client.get(address, headers={"Range": asked, "If-Range": '"another"'})
    assert (other.status_code, other.content) == (200, content)


@pytest.mark.parametrize(
    "asked", ["bytes=9-3", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=0-1,3-4",
              "bytes=" + "9" * 400 + "-"],
)  # fmt: skip
def test_ranges_that_say_nothing_get_the_whole(
    client: TestClient, ids: dict[str, int], root: Path, asked: str
) -> None:
    response = client.get(f"/api/images/{ids['red']}/file", headers={"Range": asked})
    assert (response.status_code, response.content) == (200, next(root.rglob("red.*")).read_bytes())


@pytest.mark.parametrize("asked", ["bytes=100000000-", "bytes=-0"])
def test_ranges_beyond_the_end(client: TestClient, ids: dict[str, int], asked: str) -> None:
    response = client.get(f"/api/images/{ids['red']}/file", headers={"Range": asked})
    error(response, 416)
    assert response.headers["content-range"].startswith("bytes */")


def test_what_browsers_cannot_show_comes_as_jpeg(client: TestClient, ids: dict[str, int]) -> None:
    seen = picture(client.get(f"/api/images/{ids['cyan']}/file?as=jpeg"))
    assert seen.size == (24, 16)
    error(client.get(f"/api/images/{ids['cyan']}/file?as=html"), 422)


def test_large_photos_come_as_smaller_jpegs(own: Any) -> None:
    client, library, root = own
    square(root / "large.tiff", "red", (3000, 1500))
    index(library, [root])
    address = f"/api/images/{number_of(library, 'large')}/file?as=jpeg"
    assert picture(client.get(address)).size == (2048, 1024)


def test_the_library(client: TestClient, library: Library, root: Path) -> None:
    told = client.get("/api/library").json()
    assert (told["name"], told["folder"]) == (library.folder.name, str(library.folder))
    assert told["images"] == len(library)
    assert told["roots"] == [{"number": 1, "name": root.name, "images": len(library)}]
    assert told["profile"] == "colours"
    assert sum(row["images"] for row in told["formats"]) == len(library)
    assert told["cameras"] == [{"name": "Maker Model 1", "images": 1}]
    assert told["years"] == [{"year": 2021, "images": 1}]
    assert told["updated"] == library.catalog.updated.isoformat(timespec="seconds")  # type: ignore[union-attr]


def test_cameras_count_what_their_filter_finds(own: Any) -> None:
    client, library, root = own
    for number, model in enumerate(["iPhone 12", "iPhone 12", "iPhone 12 Pro", "IPHONE", "D750"]):
        exif = Image.Exif()
        exif[0x010F], exif[0x0110] = "Apple", model
        square(root / f"camera-{number}.jpg", (number, 0, 0), exif=exif)
    index(library, [root])
    told = {one["name"]: one["images"] for one in client.get("/api/library").json()["cameras"]}
    assert told == {
        "Apple iPhone 12": 3, "Apple iPhone 12 Pro": 1, "Apple IPHONE": 4, "Apple D750": 1,
    }  # fmt: skip
    for name, count in told.items():
        assert client.get("/api/search", params={"camera": name}).json()["among"] == count


# -- a library that changes, is empty, missing or damaged -----------------------------------------


def test_what_others_index_is_seen(own: Any) -> None:
    client, library, root = own
    assert client.get("/api/search?q=yellow&k=1").json()["hits"][0]["name"] != "yellow.png"
    before = client.get("/api/library").json()["images"]
    square(root / "yellow.png", "yellow")
    index(library, [root])
    assert client.get("/api/search?q=yellow&k=1").json()["hits"][0]["name"] == "yellow.png"
    assert client.get("/api/library").json()["images"] == before + 1


def test_an_empty_library(new_library: NewLibrary) -> None:
    with client_of(Reader(new_library().folder)) as client:
        assert client.get("/").status_code == 200
        told = client.get("/api/library").json()
        assert (told["images"], told["roots"], told["formats"]) == (0, [], [])
        for asked in ("", "?q=red", "?format=jpg"):
            found = client.get(f"/api/search{asked}").json()
            assert (found["hits"], found["next"], found["among"]) == ([], None, 0)


def test_a_missing_library_may_come_into_being(tmp_path: Path, colours: Path) -> None:
    place = tmp_path / "later"
    with client_of(Reader(place, look_again=0)) as client:
        assert client.get("/").status_code == 200
        for path in ("/api/search?q=red", "/api/library", "/api/images/1"):
            assert f"there is no library in {place}" in error(client.get(path), 503)
        square(tmp_path / "photos" / "red.png", "red")
        with Library.open(place, create=True, profile=str(colours)) as library:
            index(library, [tmp_path / "photos"])
        assert client.get("/api/search?q=red").json()["hits"][0]["name"] == "red.png"


def test_a_library_that_is_made_anew_is_opened_anew(
    tmp_path: Path, colours: Path, tints: Path
) -> None:
    square(tmp_path / "photos" / "red.png", "red")
    place = tmp_path / "library"
    with Library.open(place, create=True, profile=str(colours)) as library:
        index(library, [tmp_path / "photos"])
    with client_of(Reader(place, look_again=0)) as client:
        assert client.get("/api/search?q=red").json()["profile"] == "colours"
        from pixquery.indexer.build import Options

        with Library.open(place, profile=str(tints), create=True, switch=True) as library:
            index(library, [], Options(rebuild=True))
        assert client.get("/api/search?q=red").json()["profile"] == "tints"


def test_a_damaged_catalogue_is_told(own: Any) -> None:
    import sqlite3

    client, library, _ = own
    number = number_of(library, "red")
    with closing(sqlite3.connect(library.folder / "catalogue.sqlite")) as connection, connection:
        connection.execute("UPDATE images SET path = '/etc/passwd' WHERE id = ?", (number,))
    connection.close()
    for path in ("", "/thumbnail", "/file", "/file?as=jpeg"):
        assert "damaged" in error(client.get(f"/api/images/{number}{path}"), 503)


def test_the_policy_refuses(own: Any) -> None:
    client, library, _ = own
    library.switch_policy(on=True)
    assert "child" in error(client.get("/api/search?q=a child"), 403)
    error(client.get("/api/search?q=red&plus=children"), 403)
    assert client.get("/api/search?q=red").status_code == 200


# -- files that are gone, changed or elsewhere -------------------------------------------------

ADDRESSES = ("/thumbnail", "/thumbnail?size=640", "/file", "/file?as=jpeg")


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize("harm", ["gone", "cut", "folder", "link", "pipe", "loop", "outside"])
def test_a_file_that_is_no_longer_the_photo(own: Any, path: str, harm: str) -> None:
    client, library, root = own
    photo = root / "red.png"
    outside = root.parent / "outside.png"
    outside.write_bytes(bytes(photo.stat().st_size))
    address = f"/api/images/{number_of(library, 'red')}{path}"
    content = photo.read_bytes()
    photo.unlink()
    if harm == "cut":
        photo.write_bytes(content[:-10])
    elif harm == "folder":
        photo.mkdir()
    elif harm == "link":
        photo.symlink_to("/etc/passwd")
    elif harm == "pipe":
        if not hasattr(os, "mkfifo"):
            pytest.skip("pipes with names are a thing of POSIX")
        os.mkfifo(photo)
    elif harm == "loop":
        photo.symlink_to(photo)
    elif harm == "outside":
        photo.symlink_to(outside)
    said = error(client.get(address), 404 if harm == "outside" else 410)
    assert "photo" in said
    assert str(root) not in said


def test_a_folder_that_became_a_link_elsewhere(own: Any, tmp_path: Path) -> None:
    client, library, root = own
    number = number_of(library, "red")
    square(tmp_path / "elsewhere" / "red.png", (254, 0, 0))
    root.rename(tmp_path / "moved")
    elsewhere = tmp_path / "elsewhere" / "red.png"
    size = (tmp_path / "moved" / "red.png").stat().st_size
    elsewhere.write_bytes(elsewhere.read_bytes().ljust(size, b"\0")[:size])
    root.mkdir()
    (root / "red.png").symlink_to(elsewhere)
    error(client.get(f"/api/images/{number}/file"), 404)


def test_photos_that_were_indexed_through_links_are_shown(
    new_library: NewLibrary, tmp_path: Path
) -> None:
    from pixquery.indexer.build import Options

    square(tmp_path / "elsewhere" / "red.png", "red")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "link").symlink_to(tmp_path / "elsewhere")
    library = new_library()
    index(library, [tmp_path / "mine"], Options(follow_links=True))
    with client_of(Reader(library.folder)) as client:
        number = number_of(library, "red")
        content = (tmp_path / "elsewhere" / "red.png").read_bytes()
        assert client.get(f"/api/images/{number}/file").content == content
        picture(client.get(f"/api/images/{number}/thumbnail"))


def test_a_photo_that_was_edited_is_not_kept_as_the_old_one(own: Any) -> None:
    client, library, root = own
    before = square(root / "edited.png", "red").read_bytes().ljust(1000, b"\0")
    after = square(root / "edited.png", "green").read_bytes().ljust(1000, b"\0")
    (root / "edited.png").write_bytes(before)
    index(library, [root])
    address = f"/api/images/{number_of(library, 'edited')}/thumbnail"
    (root / "edited.png").write_bytes(after)
    response = client.get(address)
    assert np.asarray(picture(response))[8, 12, 1] > 200
    assert response.headers["cache-control"] == "no-store"
    (root / "edited.png").write_bytes(before)
    assert np.asarray(picture(client.get(address)))[8, 12, 0] > 200


def test_a_photo_that_became_undecodable(own: Any) -> None:
    client, library, root = own
    size = (root / "red.png").stat().st_size
    (root / "red.png").write_bytes(b"<svg onload=alert(1)>".ljust(size))
    number = number_of(library, "red")
    error(client.get(f"/api/images/{number}/thumbnail"), 410)
    response = client.get(f"/api/images/{number}/file")
    assert response.headers["content-type"] == "image/png"  # never what it looks like


PAYLOADS = [
    "../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%252f..%252fetc%252fpasswd", "....//....//etc/passwd",
    "..;/..;/etc/passwd", "..\\..\\..\\etc\\passwd", "..%5c..%5cetc%5cpasswd",
    "%2e%2e%5c%2e%2e%5cetc%5cpasswd", "/etc/passwd", "//etc/passwd", "///etc/passwd",
    "%2fetc%2fpasswd", "%2f%2fetc%2fpasswd", "file:///etc/passwd", "file:%2f%2f%2fetc%2fpasswd",
    "etc/passwd%00.jpg", "../../../etc/passwd%00", "1%00", "1%00.png", "%00", "\\\\host\\share\\a",
    "%5c%5chost%5cshare%5ca", "C:\\Windows\\win.ini", "C:/Windows/win.ini", "c%3a%5cboot.ini",
    "..%c0%af..%c0%afetc/passwd", "%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd", "%uff0e%uff0e/etc/passwd",
    "..%ef%bc%8f..%ef%bc%8fetc/passwd", "\uff0e\uff0e/\uff0e\uff0e/etc/passwd",
    "1/../../../etc/passwd",
    "1/%2e%2e/%2e%2e/etc/passwd", "./1/.././../etc/passwd", "~/.ssh/id_rsa", "~root/.bashrc",
    "$HOME/.bashrc", "%24%7BHOME%7D", "1;cat%20/etc/passwd", "1|id", "1%0a/etc/passwd",
    "1%0d%0aX-Evil:%201", "proc/self/environ", "/proc/self/fd/0", "/dev/zero",
    "../catalogue.sqlite", "..%2fcatalogue.sqlite", "static/../../cli.py", "http://127.0.0.1/etc/passwd",
]  # fmt: skip


def test_there_are_fifty_payloads() -> None:
    assert len(set(PAYLOADS)) == 50


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_is_read_by_a_path(client: TestClient, payload: str) -> None:
    for before, after in (
        ("/api/images/", ""), ("/api/images/", "/file"), ("/api/images/", "/thumbnail"),
        ("/static/", ""), ("/", ""), ("/api/images/1/file?as=", ""),
        ("/api/images/1/thumbnail?size=", ""), ("/api/search?like_id=", ""),
        ("/api/search?root=", ""),
    ):  # fmt: skip
        response = client.get(HERE + before + payload + after)
        assert response.status_code in (400, 404, 405, 422), (before, payload)
        assert b"root:" not in response.content
        assert "x-evil" not in response.headers


FORGED = ["0", "-1", "999999", "2147483648", "9223372036854775807", "9223372036854775808",
          "1" + "0" * 30, "-9223372036854775809", "1.5", "1e3", "0x1", "abc", "1,2", "1 2",
          "\u0661",
          "NaN", "Infinity", "null", "true", "[1]"]  # fmt: skip


@pytest.mark.parametrize("forged", FORGED)
def test_forged_ids(client: TestClient, ids: dict[str, int], forged: str) -> None:
    assert len(FORGED) == 20
    for path in ("", "/thumbnail", "/file", "/file?as=jpeg"):
        response = client.get(f"/api/images/{forged}{path}")
        if forged == "\u0661":  # a digit all the same: the photo of that number, or none
            assert response.status_code in (200, 404, 422)
        else:
            error(response, response.status_code)
            assert response.status_code in (404, 422)
    response = client.get("/api/search", params={"like_id": forged})
    if forged != "\u0661":
        error(response, 422)


# -- limits -----------------------------------------------------------------------------------


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


def upload(client: TestClient, content: bytes, name: str = "photo.jpg", **more: Any) -> Any:
    return client.post("/api/search", files={"photo": (name, content)}, **more)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7\n", b"PK\x03\x04zip",
     b"\xff\xd8\xff", b"GIF89a", encoded(quarters(), "JPEG")[:300],
     encoded(quarters(), "PNG")[:-40], photos.png_claiming(50_000, 50_000),
     photos.png_claiming(10_000, 5_001), photos.jxl_claiming(100_000, 100_000)],
    ids=range(12),
)  # fmt: skip
def test_uploads_that_are_no_photos(client: TestClient, content: bytes) -> None:
    error(upload(client, content), 422)


def test_more_than_fifty_megapixels_are_refused(client: TestClient) -> None:
    assert "50 megapixels" in error(upload(client, photos.png_claiming(10_000, 5_001)), 422)


def test_a_mislabelled_photo_is_a_photo(client: TestClient, ids: dict[str, int]) -> None:
    green = encoded(Image.new("RGB", (9, 9), COLOURS["green"]), "PNG")
    for name in ("photo.txt", "../../evil.html", "", "\0", "a" * 500):
        response = client.post(
            "/api/search?k=1", files={"photo": (name or "x", green, "text/html")}
        )
        assert response.json()["hits"][0]["id"] == ids["green"]


def test_too_large_uploads(client: TestClient) -> None:
    assert "25 MB" in error(upload(client, bytes(LARGEST + 1)), 413)
    head = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(10**12)}
    assert "25 MB" in error(client.post("/api/search", content=b"", headers=head), 413)


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"", "multipart/form-data"), (b"", "application/json"), (b"{}", "application/json"),
     (b"--x\r\n\r\n", "multipart/form-data; boundary=x"),
     (b"a=b", "application/x-www-form-urlencoded"),
     (b"garbage", "multipart/form-data; boundary=x"),
     (b"garbage", "multipart/form-data; boundary=")],
)  # fmt: skip
def test_forms_without_a_photo(client: TestClient, content: bytes, kind: str) -> None:
    headers = {"Content-Type": kind}
    assert "photo" in error(client.post("/api/search", content=content, headers=headers), 422)
    assert error(client.post("/api/search", headers=headers), 422)


def test_forms_with_more_than_a_photo(client: TestClient) -> None:
    red = encoded(Image.new("RGB", (9, 9), "red"))
    two = [("photo", ("a.png", red)), ("photo", ("b.png", red))]
    error(client.post("/api/search", files=two), 422)
    error(client.post("/api/search", files={"photo": red}, data={"x": "y"}), 422)
    error(client.post("/api/search", files={"other": red}), 422)


@pytest.mark.anyio
async def test_more_than_the_queue_takes_is_turned_away() -> None:
    import asyncio

    gate, stop = Gate("test", threads=2, waiting=3), threading.Event()
    asked = [asyncio.ensure_future(gate.run(stop.wait)) for _ in range(5)]
    await asyncio.sleep(0)
    assert gate.inside == 5
    with pytest.raises(Refusal) as refused:
        await gate.run(stop.wait)
    assert refused.value.status == 429
    assert refused.value.headers["retry-after"] == "1"
    stop.set()
    assert await asyncio.gather(*asked) == [True] * 5
    assert gate.inside == 0
    gate.close()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_busy_servers_answer_429(folder: Path) -> None:
    reader, stop = Reader(folder), threading.Event()
    answer = reader.ask

    def slow(*args: Any, **more: Any) -> Any:
        stop.wait(20)
        return answer(*args, **more)

    reader.ask = slow  # type: ignore[method-assign]
    with client_of(reader) as client:
        statuses: list[int] = []

        def ask() -> None:
            response = client.get("/api/search?q=red")
            statuses.append(response.status_code)
            if response.status_code == 429:
                assert response.headers["retry-after"] == "1"

        threads = [threading.Thread(target=ask) for _ in range(90)]
        for thread in threads:
            thread.start()
        until = time.monotonic() + 10
        while statuses.count(429) < 10 and time.monotonic() < until:
            time.sleep(0.01)
        # Whoever asks for something else meanwhile is answered.
        assert client.get("/healthz").status_code == 200
        assert client.get("/api/library").status_code == 200
        assert 'pixquery_queue_length{queue="search"} 80' in client.get("/metrics").text
        stop.set()
        for thread in threads:
            thread.join()
    assert sorted(statuses) == [200] * 80 + [429] * 10


# -- who may ask --------------------------------------------------------------------------------


def test_without_the_token_nobody_is_answered(folder: Path, ids: dict[str, int]) -> None:
    number = ids["red"]
    with client_of(Reader(folder), TOKEN) as client:
        for path in ("/", "/static/app.js", "/api/search?q=red", "/api/library", "/docs",
                     "/openapi.json", "/metrics", f"/api/images/{number}", "/nothing",
                     f"/api/images/{number}/thumbnail", f"/api/images/{number}/file"):  # fmt: skip
            for headers in (
                {}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"},
                {"Authorization": "Bearer"}, {"Cookie": f"pixquery={TOKEN[:5]}"},
                {"Cookie": "pixquery="}, {"Cookie": "\x01;;=,"},
            ):  # fmt: skip
                response = client.get(path, headers=headers)
                assert "token" in error(response, 401)
                assert response.headers["www-authenticate"] == "Bearer"
        error(client.get("/?token=wrong"), 401)
        error(client.get("/api/library", params={"token": TOKEN}), 401)
        error(upload(client, b"x"), 401)
        assert client.get("/healthz").json() == {"status": "ok"}
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert client.get("/api/library", headers=bearer).status_code == 200


def test_a_visit_with_the_token_lets_a_browser_in(folder: Path) -> None:
    with client_of(Reader(folder), TOKEN) as client:
        response = client.get("/", params={"token": TOKEN})
        assert response.status_code == 200
        cookie = response.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert TOKEN not in cookie
        assert 'http-equiv="refresh"' in response.text
        assert client.get("/").status_code == 200
        assert client.get("/api/search?q=red").status_code == 200
        client.cookies.clear()
        error(client.get("/"), 401)


@pytest.mark.parametrize("peer", ["127.0.0.1", "192.0.2.7"])
def test_clients_elsewhere_learn_no_paths(
    folder: Path, root: Path, ids: dict[str, int], peer: str, tmp_path: Path
) -> None:
    token = TOKEN if peer == "127.0.0.1" else ""
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    with client_of(Reader(folder), token, peer=peer) as client:
        client.headers.update(bearer)
        for path in ("/api/search?q=red", "/api/search", f"/api/images/{ids['red']}",
                     "/api/library", "/openapi.json", "/metrics"):  # fmt: skip
            response = client.get(path)
            assert response.status_code == 200
            assert str(root.parent) not in response.text
            assert str(folder.parent) not in response.text
            assert '"path":' not in response.text or path == "/openapi.json"
        # Nor by guessing.
        for glob in (f"{root}/*", f"{str(root)[:4]}*", "*photos*squares*"):
            assert client.get("/api/search", params={"path": glob}).json()["hits"] == []
        below = client.get("/api/search", params={"path": "*deep*", "k": 200}).json()["hits"]
        assert len(below) == sum("deep" in str(p.relative_to(root)) for p in root.rglob("*.*"))
        named = client.get("/api/search", params={"path": "red.*"}).json()["hits"]
        assert [hit["id"] for hit in named] == [ids["red"]]
    with client_of(Reader(tmp_path / "none"), token, peer=peer) as client:
        said = error(client.get("/api/library", headers=bearer), 503)
        assert str(tmp_path) not in said


def test_behind_a_proxy_nobody_is_local(client: TestClient) -> None:
    for name in ("X-Forwarded-For", "Forwarded", "Via"):
        hit = client.get("/api/search?q=red", headers={name: "192.0.2.7"}).json()["hits"][0]
        assert "path" not in hit


def test_errors_hide_paths_from_clients_elsewhere() -> None:
    for kind, status in ((LibraryDamaged, 503), (QueryRefused, 403)):
        found = kind("it lies in /home/me")
        assert "/home/me" in str(refusal_of(found, local=True))
        refusal = refusal_of(found, local=False)
        assert "/home/me" not in str(refusal)
        assert refusal.status == status


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "",
     "192.168.1.5:8000", "0.0.0.0", "[::2]:8000", "2130706433", "localhost@evil.example"],
)  # fmt: skip
def test_other_names_of_this_computer_are_refused(client: TestClient, host: str) -> None:
    error(client.get("/api/library", headers={"Host": host}), 400)
    error(client.get("/", headers={"Host": host}), 400)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "LOCALHOST:8000", "localhost.", "[::1]:8000", "[::1]",
             "127.1.2.3:1"]
)  # fmt: skip
def test_this_computers_own_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/api/library", headers={"Host": host}).status_code == 200


def test_with_a_token_any_name_will_do(folder: Path) -> None:
    with client_of(Reader(folder), TOKEN) as client:
        headers = {"Host": "photos.example", "Authorization": f"Bearer {TOKEN}"}
        assert client.get("/api/library", headers=headers).status_code == 200


def test_other_sites_may_not_ask(client: TestClient, root: Path) -> None:
    content = next(root.rglob("red.*")).read_bytes()
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200)):
        response = upload(client, content, headers={"Sec-Fetch-Site": site})
        assert response.status_code == status
    for method in ("OPTIONS", "GET", "POST"):
        headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        response = client.request(method, "/api/search", headers=headers)
        assert not [name for name in response.headers if name.startswith("access-control")]


def test_every_answer_has_the_headers(client: TestClient, ids: dict[str, int]) -> None:
    for path in ("/", "/static/app.js", "/api/search?q=red", "/api/library", "/docs", "/healthz",
                 "/nothing", "/api/images/77777", f"/api/images/{ids['red']}/thumbnail",
                 f"/api/images/{ids['red']}/file", "/api/search?k=0",
                 "/static/nothing.js"):  # fmt: skip
        for host in ("127.0.0.1", "evil.example"):
            headers = client.get(path, headers={"Host": host}).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "img-src 'self' blob:" in policy
            assert "frame-ancestors 'none'" in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert "cache-control" in headers
            assert "server" not in headers


def test_loopback() -> None:
    for host in ("127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "Localhost"):
        assert is_loopback(host)
    for host in ("0.0.0.0", "::", "10.0.0.1", "example.org", "", "localhost.example.org"):
        assert not is_loopback(host)


# -- pages, meters, defects -----------------------------------------------------------------------


def test_the_page_and_its_files(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<script>" not in page.text
    assert " style=" not in page.text
    assert client.get("/static/docs.css").headers["content-type"].startswith("text/css")
    error(client.get("/static/nothing.js"), 404)
    error(client.get("/static/"), 404)
    error(client.get("/nothing"), 404)
    error(client.delete("/api/search"), 405)


def test_the_apis_page_names_every_route(client: TestClient) -> None:
    page = client.get("/docs").text
    document = client.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()} {path}" in page
            for parameter in operation.get("parameters", []):
                assert f"<code>{parameter['name']}</code>" in page
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page


def test_meters(folder: Path) -> None:
    with client_of(Reader(folder)) as client:
        for _ in range(3):
            client.get("/api/search?q=red")
        client.get("/api/search?k=0")
        client.get("/api/images/777")
        client.get("/nothing/secret")
        client.request("BREW", "/api/search")
        text = client.get("/metrics").text
    counted = 'pixquery_requests_total{method="GET",route='
    assert f'{counted}"/api/search",status="200"}} 3.0' in text
    assert f'{counted}"/api/search",status="422"}} 1.0' in text
    assert f'{counted}"/api/images/{{image_id}}",status="404"}} 1.0' in text
    assert f'{counted}"other",status="404"}} 1.0' in text
    assert 'method="other"' in text
    assert "secret" not in text
    for stage in ("encode", "prefilter", "rerank", "total"):
        assert f'pixquery_search_seconds_count{{stage="{stage}"}} 3.0' in text
    assert 'pixquery_queue_length{queue="search"} 0.0' in text


def test_a_defect_is_told_without_its_details(folder: Path) -> None:
    reader = Reader(folder)

    def broken() -> Any:
        raise ZeroDivisionError("/home/me")

    reader.contents = broken  # type: ignore[method-assign]
    with client_of(reader, raises=False) as client:
        response = client.get("/api/library")
        said = error(response, 500)
        assert "ZeroDivisionError" in said
        assert "/home/me" not in said
        assert "content-security-policy" in response.headers


# -- many texts at once ---------------------------------------------------------------------------


class Counting:
    """A text encoder that is slow, and notes its batches: a text's vector is its length."""

    dimension = 1

    def __init__(self) -> None:
        self.batches: list[int] = []

    def encode(self, texts: list[str]) -> np.ndarray:
        self.batches.append(len(texts))
        time.sleep(0.01)
        if "broken" in texts:
            raise RuntimeError("broken")
        return np.array([[len(text)] for text in texts], np.float32)


def test_texts_of_many_threads_are_encoded_together() -> None:
    counting = Counting()
    batches = Batches(counting)
    found: dict[int, float] = {}

    def ask(length: int) -> None:
        found[length] = float(batches.encode(["x" * length])[0, 0])

    threads = [threading.Thread(target=ask, args=(length,)) for length in range(1, 101)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {length: length for length in range(1, 101)}
    assert sum(counting.batches) == 100
    assert max(counting.batches) == MOST
    assert len(counting.batches) < 40
    assert batches.encode(["a", "bb", "ccc"]).tolist() == [[1], [2], [3]]
    with pytest.raises(RuntimeError, match="broken"):
        batches.encode(["broken"])


def test_a_shared_profile_gives_the_same_vectors(models: Profile) -> None:
    shared = SharedProfile(models.folder, models.manifest)
    assert isinstance(shared.texts, Batches)
    assert np.array_equal(shared.texts.encode(["red"]), models.texts.encode(["red"]))


# -- any request ----------------------------------------------------------------------------------


CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_headers_conformance, response_schema_conformance,
]  # fmt: skip


def test_any_request_gets_an_answer_that_is_described(folder: Path) -> None:
    app = application(Reader(folder), Rules())
    host = {"Host": "127.0.0.1"}
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers=host)
    asked = []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        asked.append(operation.label)

        @given(case=operation.as_strategy())
        @hypothesis_settings(max_examples=40, phases=[Phase.explicit, Phase.generate])
        def check(case: Any) -> None:
            case.validate_response(case.call(headers=host), checks=CHECKS)

        check()
    assert len(asked) == 8


# -- a process of its own ----------------------------------------------------------------------


class Server:
    """`pixquery serve` as a user starts it."""

    def __init__(self, *words: str | Path, **env: str) -> None:
        if os.name != "posix":
            pytest.skip("the server is stopped with Ctrl-C as POSIX has it")
        self.process = subprocess.Popen(
            [sys.executable, str(REPOSITORY / "cli.py"), "serve", "--port", "0", "--json",
             *map(str, words)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **env},
        )  # fmt: skip
        assert self.process.stdout is not None
        lines = ""
        while not lines.endswith("}\n"):
            line = self.process.stdout.readline()
            assert line, self.process.stderr and self.process.stderr.read()
            lines += line
        self.url: str = json.loads(lines)["url"]
        self.port = int(self.url.rstrip("/").rpartition(":")[2])

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def memory(self) -> float:
        """Resident megabytes."""
        if sys.platform != "linux":
            pytest.skip("the memory of another process is read from Linux's /proc")
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1e3

    def end(self) -> tuple[int, str]:
        import signal

        self.process.send_signal(signal.SIGINT)
        _, told = self.process.communicate(timeout=100)
        return self.process.returncode, told


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    started = Server("--library", folder)
    yield started
    if started.process.poll() is None:
        started.process.kill()
        started.process.communicate()


def http(server: Server, path: str, seconds: float = 30) -> tuple[int, bytes]:
    from http.client import HTTPConnection

    connection = HTTPConnection("127.0.0.1", server.port, timeout=seconds)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_slow_clients_block_nobody_and_ctrl_c_ends_it(server: Server, ids: dict[str, int]) -> None:
    slow = [server.connect() for _ in range(120)]
    for number, connection in enumerate(slow):
        if number % 3 == 0:
            connection.sendall(b"GET /api/search?q=red HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        elif number % 3 == 1:
            connection.sendall(
                b"POST /api/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
            )
        else:  # asks, and never reads
            address = f"GET /api/images/{ids['side']}/file HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
            connection.sendall(address.encode() * 20)
    begin = time.monotonic()
    for _ in range(20):
        status, content = http(server, "/api/search?q=red")
        assert status == 200
        assert json.loads(content)["hits"]
    assert time.monotonic() - begin < 60
    for connection in slow:
        connection.close()
    from http.client import HTTPConnection

    steady = HTTPConnection("127.0.0.1", server.port, timeout=30)
    for path in ("/healthz", "/", f"/api/images/{ids['red']}/file"):  # the connection stays usable
        steady.request("HEAD", path)
        response = steady.getresponse()
        assert (response.status, response.read()) == (200, b"")
        assert int(response.headers["content-length"]) > 0
    steady.close()
    code, told = server.end()
    assert code in (0, 130)
    assert "Traceback" not in told


def answer(connection: socket.socket) -> None:
    got = b""
    while not got.endswith(b'{"status":"ok"}'):
        some = connection.recv(1 << 16)
        assert some, got
        got += some


def test_who_dawdles_over_a_head_is_cut_off(folder: Path) -> None:
    class Hasty(Impatient):
        patience = 0.3

    app = application(Reader(folder), Rules())
    config = uvicorn.Config(app, http=Hasty, log_level="error", ws="none")
    running = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    place = listening.getsockname()
    whole = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    try:
        for before, sent in ((b"", b""), (b"", whole[:30]), (whole, whole[:30])):
            with socket.create_connection(place, timeout=30) as slow:
                slow.sendall(before)
                if before:
                    answer(slow)
                slow.sendall(sent)
                begin = time.monotonic()
                assert slow.recv(1) == b""
                assert time.monotonic() - begin < 20
        with socket.create_connection(place, timeout=30) as steady:  # one that asks now and then
            for _ in range(4):
                steady.sendall(whole)
                answer(steady)
                time.sleep(0.2)
    finally:
        running.should_exit = True
        thread.join(30)
        listening.close()


def test_small_answers_do_not_wait_for_acknowledgements() -> None:
    """asyncio switches the waiting off only where a socket names TCP as its protocol."""
    with serving._listening("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP


def test_an_endless_upload_is_cut_off(server: Server) -> None:
    connection = server.connect()
    connection.sendall(
        b"POST /api/search HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    )
    head = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n'
    connection.sendall(b"%x\r\n%b\r\n" % (len(head), head))
    chunk = b"%x\r\n%b\r\n" % (1 << 20, bytes(1 << 20))
    sent = 0
    with suppress(OSError):
        while sent < 100:
            connection.sendall(chunk)
            sent += 1
    assert 25 <= sent < 60  # what the system buffers is sent, too
    with suppress(OSError):  # it may be closed before it was read
        assert connection.recv(12) in (b"HTTP/1.1 413", b"")
    connection.close()
    assert http(server, "/healthz")[0] == 200


def test_memory_is_flat_over_uploads(server: Server) -> None:
    from http.client import HTTPConnection

    content = encoded(photos.quarters((1200, 800)), "JPEG").ljust(3_000_000, b"\0")
    body = (
        b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n'
        + content
        + b"\r\n--x--\r\n"
    )
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    held = []
    for _ in range(60):
        connection.request("POST", "/api/search?k=1", body, headers)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        response.read()
        held.append(server.memory())
    connection.close()
    assert held[-1] < held[19] + 25, held


def test_a_port_in_use_is_told_with_another(invoke: Invoke, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = invoke("serve", "--library", folder, "--port", str(port))
    assert done.exit_code == 1
    assert f"port {port} is in use: try another, such as --port " in done.stderr


def test_other_addresses_need_a_token(invoke: Invoke, folder: Path) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1"):
        done = invoke("serve", "--library", folder, "--host", host, PIXQUERY_TOKEN="")
        assert done.exit_code == 1
        assert "PIXQUERY_TOKEN" in done.stderr
    done = invoke("serve", "--library", folder, "--host", "no.such.name.invalid", "--token", "x")
    assert done.exit_code == 1
    assert "no address" in done.stderr


_LIGHT = """
import json, sys
from starlette.testclient import TestClient
import cli, web.serving
from pathlib import Path
from pixquery.web.app import application
from pixquery.web.guard import Rules
from pixquery.web.reader import Reader
app = application(Reader(Path(sys.argv[1])), Rules())
with TestClient(app, "http://127.0.0.1") as client:
    assert client.get("/api/search?q=red").json()["hits"]
    assert client.get("/docs").status_code == 200
print(json.dumps(sorted({name.removeprefix("pixquery.").split(".")[0] for name in sys.modules})))
"""


def test_serving_is_light(folder: Path) -> None:
    from tests.test_house import HEAVY

    done = subprocess.run(
        [sys.executable, "-c", _LIGHT, str(folder)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    modules = set(json.loads(done.stdout))
    assert not (HEAVY | {"trainer"}) & modules
