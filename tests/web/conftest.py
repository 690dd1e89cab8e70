"""A served library whose photos the tests can name, and the server as a process."""

import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from pixquery import Library
from pixquery.indexer.build import index
from pixquery.indexer.kept import Kept
from pixquery.web.app import application
from pixquery.web.guard import Rules
from pixquery.web.pictures import Pictures
from pixquery.web.reader import Reader
from tests.conftest import COLOURS, REPOSITORY, NewLibrary, square
from tests.photos import oriented, quarters

HERE = "http://127.0.0.1:8000"
TOKEN = "a long word that nobody can guess"


def client_of(
    reader: Reader, token: str = "", *, peer: str = "127.0.0.1", raises: bool = True
) -> TestClient:
    app = application(reader, Rules(token))
    return TestClient(
        app, HERE, client=(peer, 50_000), raise_server_exceptions=raises, follow_redirects=False
    )


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a square of each colour, one photo with camera data, and one on its side."""
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


@pytest.fixture(scope="session")
def folder(root: Path, colours: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("served") / "my photos"
    with Library.open(place, create=True, profile=str(colours)) as library:
        index(library, [root])
    return place


@pytest.fixture(scope="session")
def library(folder: Path) -> Iterator[Library]:
    """The same library, opened with the engine."""
    with Library.open(folder) as opened:
        yield opened


@pytest.fixture(scope="session")
def client(folder: Path) -> Iterator[TestClient]:
    with client_of(Reader(folder, look_again=0)) as opened:
        yield opened


@pytest.fixture(scope="session")
def ids(library: Library) -> dict[str, int]:
    """Ids of the photos by file name without suffix."""
    return {record.path.stem: record.id for record in library.catalog.everything()}


@pytest.fixture
def own(new_library: NewLibrary, tmp_path: Path) -> Iterator[tuple[TestClient, Library, Path]]:
    """A library that a test may damage: its client, itself, and its root."""
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
    body = response.json()
    assert list(body) == ["error"]
    return str(body["error"])


def picture(response: Any) -> Image.Image:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(response.content), formats=("JPEG",)) as image:
        image.load()
        return image


def upload(client: TestClient, content: bytes, name: str = "photo.jpg", **more: Any) -> Any:
    return client.post("/api/search", files={"photo": (name, content)}, **more)


class Server:
    """A process of `pixquery serve`, started as users do."""

    def __init__(self, *words: str | Path, **env: str) -> None:
        if os.name != "posix":
            pytest.skip("stops the server with Ctrl-C as POSIX has it")
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
            pytest.skip("reads the memory of another process from Linux's /proc")
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1e3

    def end(self) -> tuple[int, str]:
        import signal

        self.process.send_signal(signal.SIGINT)
        _, errors = self.process.communicate(timeout=100)
        return self.process.returncode, errors


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
