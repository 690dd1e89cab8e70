"""Details, thumbnails and originals of photos."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from pixquery.indexer.build import index
from pixquery.indexer.kept import Kept
from pixquery.web.reader import Reader
from tests.aged import aged
from tests.conftest import NewLibrary, square
from tests.photos import UPRIGHT, corners
from tests.web.conftest import client_of, error, number_of, picture


def test_details(client: TestClient, ids: dict[str, int], root: Path) -> None:
    details = client.get(f"/api/images/{ids['Ferien ä']}").json()
    path = root / "Ferien ä.jpg"
    assert details.pop("modified")
    version = details["version"]
    assert version != client.get(f"/api/images/{ids['red']}").json()["version"]
    assert details == {
        "id": ids["Ferien ä"], "name": path.name, "path": str(path), "root": 1, "folder": "",
        "version": version,
        "width": 640, "height": 480, "bytes": path.stat().st_size, "format": "JPEG",
        "camera": "Maker Model 1", "taken": "2021-07-14T12:30:00",
        "place": {"latitude": 48.21, "longitude": 16.37},
        "locality": {"city": "Vienna", "region": "Vienna", "country": "Austria"},
        "annotation": None, "lines": [],
    }  # fmt: skip
    deep = next(root.rglob("green.*"))
    details = client.get(f"/api/images/{ids['green']}").json()
    assert details["folder"] == str(deep.parent.relative_to(root))
    assert (details["taken"], details["place"], details["camera"]) == (None, None, "")


@pytest.mark.parametrize("size", [160, 320, 640])
def test_thumbnails(client: TestClient, ids: dict[str, int], size: int) -> None:
    small = picture(client.get(f"/api/images/{ids['Ferien ä']}/thumbnail?size={size}"))
    assert small.size == (size, size * 3 // 4)
    colour = np.asarray(small).reshape(-1, 3).mean(0)
    assert np.abs(colour - (250, 20, 20)).max() < 4


def test_thumbnails_are_upright(client: TestClient, ids: dict[str, int]) -> None:
    address = f"/api/images/{ids['side']}/thumbnail"
    for _ in range(2):  # made, then cached
        small = picture(client.get(address))
        assert small.size == (96, 64)
        assert corners(np.asarray(small)) == UPRIGHT


def test_browsers_cache_thumbnails(client: TestClient, ids: dict[str, int]) -> None:
    """With the photo's version for ever, since no other content has that version."""
    hit = client.get("/api/search?q=red&k=1").json()["hits"][0]
    assert hit["version"] == client.get(f"/api/images/{ids['red']}").json()["version"]
    for address in (f"/api/images/{ids['red']}/thumbnail?size=160",
                    f"/api/images/{ids['red']}/file?as=jpeg"):  # fmt: skip
        kept = client.get(f"{address}&of={hit['version']}").headers["cache-control"]
        assert kept == "private, max-age=31536000, immutable"
        for wrong in ("", "&of=", f"&of={'0' * 16}", f"&of={hit['version'][:8]}"):
            revalidated = client.get(f"{address}{wrong}").headers["cache-control"]
            assert revalidated == "private, no-cache"
    address = f"/api/images/{ids['red']}/thumbnail?size=160"
    first = client.get(address)
    again = client.get(address, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get(f"/api/images/{ids['red']}/thumbnail?size=320")
    assert other.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize("size", ["0", "161", "100000", "-1", "160.5", "huge"])
def test_other_sizes_are_refused(client: TestClient, ids: dict[str, int], size: str) -> None:
    error(client.get(f"/api/images/{ids['red']}/thumbnail?size={size}"), 422)


def test_the_cache_has_a_limit(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept", 1000)
    for number in range(20):
        kept.put(f"{number:032x}-160", bytes(98) + b"\xff\xd9")
        os.utime(next((tmp_path / "kept").rglob(f"{number:032x}*")), (number, number))
    size = sum(file.stat().st_size for file in (tmp_path / "kept").rglob("*.jpg"))
    assert 0 < size <= 1000
    assert kept.get(f"{0:032x}-160") is None
    assert kept.get(f"{19:032x}-160") is not None
    assert not list((tmp_path / "kept").rglob("*.part"))
    next((tmp_path / "kept").rglob(f"{19:032x}*")).write_bytes(b"cut off")
    assert kept.get(f"{19:032x}-160") is None


def test_a_cache_that_cannot_be_written_is_no_error(own: Any, tmp_path: Path) -> None:
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


def test_names_in_any_script(client: TestClient, ids: dict[str, int]) -> None:
    disposition = client.get(f"/api/images/{ids['Ferien ä']}/file").headers["content-disposition"]
    assert disposition == "inline; filename=\"Ferien _.jpg\"; filename*=UTF-8''Ferien%20%C3%A4.jpg"


def test_formats_that_browsers_cannot_show_become_jpeg(
    client: TestClient, ids: dict[str, int]
) -> None:
    seen = picture(client.get(f"/api/images/{ids['cyan']}/file?as=jpeg"))
    assert seen.size == (24, 16)
    error(client.get(f"/api/images/{ids['cyan']}/file?as=html"), 422)


def test_large_photos_become_smaller_jpegs(own: Any) -> None:
    client, library, root = own
    square(root / "large.tiff", "red", (3000, 1500))
    index(library, [root])
    address = f"/api/images/{number_of(library, 'large')}/file?as=jpeg"
    assert picture(client.get(address)).size == (2048, 1024)


ADDRESSES = ("/thumbnail", "/thumbnail?size=640", "/file", "/file?as=jpeg")


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize("harm", ["gone", "cut", "folder", "link", "pipe", "loop", "outside"])
def test_a_file_that_is_not_the_photo_any_more(own: Any, path: str, harm: str) -> None:
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
            pytest.skip("named pipes need POSIX")
        os.mkfifo(photo)
    elif harm == "loop":
        photo.symlink_to(photo)
    elif harm == "outside":
        photo.symlink_to(outside)
    message = error(client.get(address), 410)
    assert "photo" in message
    assert str(root) not in message


def test_a_folder_replaced_by_a_link(own: Any, tmp_path: Path) -> None:
    client, library, root = own
    number = number_of(library, "red")
    square(tmp_path / "elsewhere" / "red.png", (254, 0, 0))
    root.rename(tmp_path / "moved")
    elsewhere = tmp_path / "elsewhere" / "red.png"
    size = (tmp_path / "moved" / "red.png").stat().st_size
    elsewhere.write_bytes(elsewhere.read_bytes().ljust(size, b"\0")[:size])
    root.mkdir()
    (root / "red.png").symlink_to(elsewhere)
    for path in ADDRESSES:
        error(client.get(f"/api/images/{number}{path}"), 410)


@pytest.mark.parametrize("earlier", [False, True], ids=["now", "earlier version"])
def test_photos_indexed_through_links_are_shown(
    earlier: bool, new_library: NewLibrary, tmp_path: Path
) -> None:
    from pixquery.indexer.build import Options

    square(tmp_path / "elsewhere" / "red.png", "red")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "link").symlink_to(tmp_path / "elsewhere")
    library = new_library()
    index(library, [tmp_path / "mine"], Options(follow_links=True))
    if earlier:
        aged(library.folder)
    with client_of(Reader(library.folder)) as client:
        number = number_of(library, "red")
        content = (tmp_path / "elsewhere" / "red.png").read_bytes()
        assert client.get(f"/api/images/{number}/file").content == content
        picture(client.get(f"/api/images/{number}/thumbnail"))


@pytest.mark.parametrize("path", ADDRESSES)
def test_an_edited_photo_is_shown_once_it_is_indexed_again(own: Any, path: str) -> None:
    client, library, root = own
    before = square(root / "edited.png", "red").read_bytes().ljust(1000, b"\0")
    after = square(root / "edited.png", "green").read_bytes().ljust(1000, b"\0")
    (root / "edited.png").write_bytes(before)
    index(library, [root])
    address = f"/api/images/{number_of(library, 'edited')}{path}"
    (root / "edited.png").write_bytes(after)
    message = error(client.get(address), 410)
    assert "it has changed since it was indexed: index its folder again" in message
    (root / "edited.png").write_bytes(before)
    os.utime(root / "edited.png", (1, 1))
    assert client.get(address).status_code == 200
    (root / "edited.png").write_bytes(after)
    index(library, [root])
    with Image.open(io.BytesIO(client.get(address).content)) as shown:
        assert np.asarray(shown.convert("RGB"))[8, 12, 1] > 200


def test_other_content_of_the_same_size_is_not_sent(own: Any) -> None:
    client, library, root = own
    size = (root / "red.png").stat().st_size
    (root / "red.png").write_bytes(b"<svg onload=alert(1)>".ljust(size))
    number = number_of(library, "red")
    for path in ADDRESSES:
        error(client.get(f"/api/images/{number}{path}"), 410)
