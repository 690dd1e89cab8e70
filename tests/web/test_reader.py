"""What the library contains, also while it changes, and when it is empty, missing or damaged."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from PIL import Image
from starlette.testclient import TestClient

from pixquery import Library
from pixquery.indexer.build import index
from pixquery.web.reader import Reader
from tests.conftest import REPOSITORY, NewLibrary, square
from tests.lessons import oranges
from tests.web.conftest import client_of, error, number_of


def test_the_library(client: TestClient, library: Library, root: Path) -> None:
    contents = client.get("/api/library").json()
    assert (contents["name"], contents["folder"]) == (library.folder.name, str(library.folder))
    assert contents["images"] == len(library)
    assert contents["roots"] == [{"number": 1, "name": root.name, "images": len(library)}]
    assert contents["profile"] == "colours"
    assert sum(row["images"] for row in contents["formats"]) == len(library)
    assert contents["cameras"] == [{"name": "Maker Model 1", "images": 1}]
    assert contents["years"] == [{"year": 2021, "images": 1}]
    assert contents["updated"] == library.catalog.updated.isoformat(timespec="seconds")  # type: ignore[union-attr]


def test_cameras_count_the_photos_their_filter_finds(own: Any) -> None:
    client, library, root = own
    for number, model in enumerate(["iPhone 12", "iPhone 12", "iPhone 12 Pro", "IPHONE", "D750"]):
        exif = Image.Exif()
        exif[0x010F], exif[0x0110] = "Apple", model
        square(root / f"camera-{number}.jpg", (number, 0, 0), exif=exif)
    index(library, [root])
    contents = {one["name"]: one["images"] for one in client.get("/api/library").json()["cameras"]}
    assert contents == {
        "Apple iPhone 12": 3, "Apple iPhone 12 Pro": 1, "Apple IPHONE": 4, "Apple D750": 1,
    }  # fmt: skip
    for name, count in contents.items():
        assert client.get("/api/search", params={"camera": name}).json()["among"] == count


def test_photos_indexed_by_others_appear(own: Any) -> None:
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
        contents = client.get("/api/library").json()
        assert (contents["images"], contents["roots"], contents["formats"]) == (0, [], [])
        for query in ("", "?q=red", "?format=jpg"):
            page = client.get(f"/api/search{query}").json()
            assert (page["hits"], page["next"], page["among"]) == ([], None, 0)


def test_a_missing_library_may_be_created(tmp_path: Path, colours: Path) -> None:
    place = tmp_path / "later"
    with client_of(Reader(place, look_again=0)) as client:
        assert client.get("/").status_code == 200
        for path in ("/api/search?q=red", "/api/library", "/api/images/1"):
            assert f"there is no library in {place}" in error(client.get(path), 503)
        square(tmp_path / "photos" / "red.png", "red")
        with Library.open(place, create=True, profile=str(colours)) as library:
            index(library, [tmp_path / "photos"])
        assert client.get("/api/search?q=red").json()["hits"][0]["name"] == "red.png"


def test_a_rebuilt_library_is_reopened(tmp_path: Path, colours: Path, tints: Path) -> None:
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


def test_a_damaged_catalogue_is_reported(own: Any) -> None:
    import sqlite3

    client, library, _ = own
    number = number_of(library, "red")
    with closing(sqlite3.connect(library.folder / "catalogue.sqlite")) as connection, connection:
        connection.execute("UPDATE images SET path = '/etc/passwd' WHERE id = ?", (number,))
    for path in ("", "/thumbnail", "/file", "/file?as=jpeg"):
        assert "damaged" in error(client.get(f"/api/images/{number}{path}"), 503)


def test_what_another_process_teaches_is_known(own: Any, tmp_path: Path) -> None:
    client, library, root = own
    square(root / "orange.png", (252, 127, 12))
    index(library, [root])
    asked = "/api/search?q=sunset&k=1"
    assert client.get(asked).json()["hits"][0]["similarity"] == 0  # the word means nothing
    words = ["models", "teach", "sunset", *map(str, oranges(tmp_path / "examples"))]
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "cli.py"), *words, "--library", str(library.folder)],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (hit,) = client.get(asked).json()["hits"]
    assert (hit["name"], hit["similarity"] > 0.9) == ("orange.png", True)
    library.forget_concept("sunset")
    assert client.get(asked).json()["hits"][0]["similarity"] == 0
