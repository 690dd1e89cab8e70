"""ZIPs of chosen photos."""

import asyncio
import io
import zipfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient
from starlette.types import Message

from pixquery.indexer.build import index
from pixquery.web.archive import LEFT_OUT, MOST, plain_name
from pixquery.web.ranges import Sent
from pixquery.web.reader import Reader
from tests.conftest import square
from tests.web.conftest import TOKEN, client_of, error


def unpacked(client: TestClient, *ids: int) -> dict[str, bytes]:
    response = client.post("/api/archive", data={"ids": ",".join(map(str, ids))})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/zip"
    assert response.headers["content-disposition"].startswith('attachment; filename="photos ')
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}


def test_it_holds_the_files_as_they_are(
    client: TestClient, ids: dict[str, int], root: Path
) -> None:
    wanted = {file.name: file.read_bytes() for file in root.rglob("*.*") if file.is_file()}
    assert unpacked(client, *ids.values()) == wanted
    assert list(unpacked(client, ids["red"], ids["blue"], ids["red"])) == [
        next(root.rglob(f"{name}.*")).name for name in ("red", "blue")
    ]


def test_files_of_one_name_are_numbered(own: Any) -> None:
    client, library, root = own
    for place in ("a", "b", "c"):
        square(root / place / "Same.PNG" if place == "b" else root / place / "same.png", "red")
    index(library, [root])
    same = {r.id: r.path.read_bytes() for r in library if r.path.stem.casefold() == "same"}
    held = unpacked(client, *same)
    assert len({name.casefold() for name in held}) == len(same) == 3
    assert sorted(held.values()) == sorted(same.values())
    assert sum(" (" in name for name in held) == 2


def test_what_cannot_be_read_is_listed(own: Any) -> None:
    client, library, root = own
    ids = {record.path.stem: record.id for record in library}
    next(root.rglob("red.*")).unlink()
    square(next(root.rglob("blue.*")), "green")
    held = unpacked(client, *ids.values())
    listed = held.pop(LEFT_OUT).decode().splitlines()
    assert len(listed) == 2
    assert len(held) == len(ids) - 2
    assert not any(str(root) in line for line in listed)


def test_what_is_refused(client: TestClient, ids: dict[str, int]) -> None:
    for wrong in ("", "a", "1,,2", "-1", "1;2", "../x", "0", "1" * 30):
        error(client.post("/api/archive", data={"ids": wrong}), 422)
    error(client.post("/api/archive", data={"ids": "999999"}), 404)
    error(client.post("/api/archive", data={"ids": "9" * 19}), 404)
    many = ",".join(map(str, range(1, MOST + 2)))
    assert "5,001 photos are too many" in error(
        client.post("/api/archive", data={"ids": many}), 413
    )
    error(client.post("/api/archive", data={"ids": ",".join(map(str, range(1, 100_001)))}), 422)


def test_other_sites_and_strangers_get_none(client: TestClient, folder: Path) -> None:
    form = {"ids": "1"}
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        error(client.post("/api/archive", data=form, headers=headers), 403)
    error(client.post("/api/archive", data=form, headers={"Host": "evil.example"}), 400)
    with client_of(Reader(folder), TOKEN) as guarded:
        error(guarded.post("/api/archive", data=form), 401)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("IMG_1.JPG", "IMG_1.JPG"),
        ("Ferien ä.jpg", "Ferien ä.jpg"),
        ("a\\..\\b.jpg", "a_.._b.jpg"),
        ("con.jpg", "_con.jpg"),
        ("LPT1", "_LPT1"),
        ("..", "photo"),
        ("x\x1b[7m\n.jpg", "x_[7m_.jpg"),
        ("\udcff.jpg", "_.jpg"),
        ("ends. ", "ends"),
        ('"why?".jpg', "_why__.jpg"),
    ],
)
def test_names(name: str, plain: str) -> None:
    assert plain_name(name) == plain


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=()), min_size=1))
def test_no_name_leads_elsewhere(name: str) -> None:
    plain = plain_name(name)
    assert plain
    assert not {*plain} & {*'/\\:*?"<>|\0\n\r'}
    assert plain not in (".", "..")
    assert not plain.endswith((" ", "."))
    assert len(plain.encode()) <= 255


def test_a_client_that_goes_ends_the_archive() -> None:
    ended = []

    def pieces() -> Generator[bytes]:
        try:
            while True:
                yield b"piece"
        finally:
            ended.append(True)

    async def visit() -> int:
        sent: list[Message] = []

        async def receive() -> Message:
            while len(sent) < 5:
                await asyncio.sleep(0)
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)
            await asyncio.sleep(0)

        await Sent(pieces(), "application/zip", {})({"type": "http"}, receive, send)
        return len(sent)

    assert asyncio.run(asyncio.wait_for(visit(), 30)) >= 5
    assert ended == [True]
