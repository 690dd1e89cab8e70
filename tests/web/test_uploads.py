"""Uploaded photos and their limits."""

import json
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from pixquery import Library
from pixquery.engine.profile import MANIFEST
from pixquery.indexer.build import Options, index
from pixquery.web.reader import Reader
from pixquery.web.uploads import LARGEST
from tests import photos
from tests.conftest import COLOURS
from tests.photos import encoded, quarters
from tests.web.conftest import Server, client_of, error, http, upload


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7\n", b"PK\x03\x04zip",
     b"\xff\xd8\xff", b"GIF89a", encoded(quarters(), "JPEG")[:300],
     encoded(quarters(), "PNG")[:-40], photos.png_claiming(50_000, 50_000),
     photos.png_claiming(10_000, 5_001), photos.jxl_claiming(100_000, 100_000)],
    ids=range(12),
)  # fmt: skip
def test_uploads_that_are_not_photos(client: TestClient, content: bytes) -> None:
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


def test_an_upload_is_encoded_as_the_photos_of_the_library(
    colours: Path, root: Path, tmp_path: Path
) -> None:
    profile = Path(shutil.copytree(colours, tmp_path / "profile"))
    manifest = json.loads((profile / MANIFEST).read_text())
    manifest["image"]["sizes"] = {"high": [8, 12]}
    (profile / MANIFEST).write_text(json.dumps(manifest))
    dots = np.random.default_rng(1).random((11, 13, 3)) < 0.3
    Image.fromarray(np.uint8(255) * dots).save(tmp_path / "dots.png")
    place = tmp_path / "library"
    with Library.open(place, create=True, profile=str(profile)) as library:
        index(library, [root, tmp_path])
    content = (tmp_path / "dots.png").read_bytes()
    with client_of(Reader(place, look_again=0)) as client:
        for quality in ("normal", "high"):
            with Library.open(place, quality=quality, switch=True) as library:
                index(library, [], Options(rebuild=True))
            best = upload(client, content).json()["hits"][0]
            assert best["name"] == "dots.png"
            assert best["similarity"] == pytest.approx(1, abs=1e-5)


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


def test_forms_with_more_than_one_photo(client: TestClient) -> None:
    red = encoded(Image.new("RGB", (9, 9), "red"))
    two = [("photo", ("a.png", red)), ("photo", ("b.png", red))]
    error(client.post("/api/search", files=two), 422)
    error(client.post("/api/search", files={"photo": red}, data={"x": "y"}), 422)
    error(client.post("/api/search", files={"other": red}), 422)


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
    assert 25 <= sent < 60  # the system buffers some of it
    with suppress(OSError):  # it may be closed before it is read
        assert connection.recv(12) in (b"HTTP/1.1 413", b"")
    connection.close()
    assert http(server, "/healthz")[0] == 200


def test_uploads_that_wait_take_no_memory(server: Server) -> None:
    """Sixty photos of 20 MB would take 1.2 GB."""
    head = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n'
    photo = encoded(photos.quarters((1200, 800)), "PNG").ljust(20_000_000, b"\0")
    body = head + photo + b"\r\n--x--\r\n"
    request = (
        b"POST /api/search?k=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n" % len(body)
    )
    assert http(server, "/api/search?q=red")[0] == 200
    before = server.memory()
    waiting = [server.connect() for _ in range(60)]
    for connection in waiting:
        connection.settimeout(200)
        connection.sendall(request + body)
    statuses = []
    most = 0.0
    for connection in waiting:
        statuses.append(connection.recv(12))
        most = max(most, server.memory())
        connection.close()
    assert set(statuses) == {b"HTTP/1.1 200"}
    assert most < before + 300


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
    memory = []
    for _ in range(60):
        connection.request("POST", "/api/search?k=1", body, headers)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        response.read()
        memory.append(server.memory())
    connection.close()
    assert memory[-1] < memory[19] + 25, memory
