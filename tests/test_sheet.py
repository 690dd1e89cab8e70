"""Contact sheets: their contents, and that no name or query can become markup."""

import base64
import io
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from PIL import Image

from pixquery.engine.answers import Answer, Hit, Milliseconds
from pixquery.engine.mentions import LOOKS, Match
from pixquery.web.sheet import SIDE, Progress, contact_sheet
from tests.conftest import Invoke, square
from tests.photos import recorded


def answer(*paths: Path, query: str = "a red square", first: int = 1, among: int = 9) -> Answer:
    moment = datetime(2024, 5, 1, 12, tzinfo=UTC)
    hits = tuple(
        Hit(rank, rank, path, 0.9, 0.8, 24, 16, moment, datetime(2024, 5, 1, 14))
        for rank, path in enumerate(paths, first)
    )
    return Answer(query, "colours", 9, hits, Milliseconds(1, 1, 1, 3), among)


def sheet(answer: Answer, progress: Progress = lambda done, total: None) -> bytes:
    """A sheet of photos as they are now."""
    photos = {hit.id: recorded(hit.path) for hit in answer.hits}
    return contact_sheet(answer, photos, progress)


class Elements(HTMLParser):
    """The start tags of a page, with their attributes."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page.decode("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def values(self, tag: str, name: str) -> list[str]:
        return [str(attrs.get(name)) for each, attrs in self.tags if each == tag]


def test_a_sheet_has_pictures_words_and_links(tmp_path: Path) -> None:
    paths = [square(tmp_path / f"{n} #%.png", (200, n, 0), (2000, 1000)) for n in range(3)]
    page = sheet(answer(*paths, among=2000))
    elements = Elements(page)
    assert [Path(unquote(urlsplit(link).path)) for link in elements.values("a", "href")] == paths
    for source in elements.values("img", "src"):
        kind, data = source.split(",", 1)
        assert kind == "data:image/jpeg;base64"
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            assert image.size == (SIDE, SIDE // 2)
    text = page.decode()
    assert "<h1>a red square</h1>" in text
    assert "3 photos of 2,000, best first" in text
    assert text.count("fits very well") == 3
    assert "1 May 2024" in text


def test_hits_by_words_say_so(tmp_path: Path) -> None:
    red = square(tmp_path / "red.png", "red")
    plain = answer(red)
    line = Match("text", "<b>STOP</b>", (0, 0, 1, 0, 1, 1, 0, 1))
    hit = replace(plain.hits[0], matched=(line, Match("person", "Anna"), LOOKS))
    page = sheet(replace(plain, hits=(hit,))).decode()
    assert '<span>text: "&lt;b&gt;STOP&lt;/b&gt;"</span><span>person: Anna</span>' in page.replace(
        "&quot;", '"'
    )
    assert "looks like it" not in page
    assert '<p class="why"></p>' in sheet(plain).decode()


def test_a_sheet_needs_nothing_else(tmp_path: Path) -> None:
    page = sheet(answer(square(tmp_path / "red.png", "red"))).decode()
    elements = Elements(page.encode())
    assert not {"script", "link", "iframe"} & {tag for tag, _ in elements.tags}
    assert "url(" not in page
    policy = elements.values("meta", "content")[1]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert "prefers-color-scheme" in page or "light-dark(" in page


@pytest.mark.parametrize("name", ["<script>alert(1)</script>.png", "\"'&amp;.png", "\udcff.png"])
def test_names_and_queries_are_text(name: str, tmp_path: Path) -> None:
    path = tmp_path / name.replace("/", "")
    hostile = answer(path, query=f"{name} \u202e\x1b[31m <img src=x onerror=y>")
    page = sheet(hostile)
    elements = Elements(page)
    assert "script" not in {tag for tag, _ in elements.tags}
    assert not any("onerror" in attrs for _, attrs in elements.tags)
    assert b"\x1b" not in page
    assert "\u202e" not in page.decode()


def test_a_photo_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    page = sheet(answer(tmp_path / "gone.jpg", tmp_path / "broken.jpg")).decode()
    assert "cannot be read: No such file or directory" in page
    assert "cannot be read: not a JPEG" in page
    assert "<img" not in page


def test_later_pages_and_newest_photos_say_so(tmp_path: Path) -> None:
    red = square(tmp_path / "red.png", "red")
    assert (
        "1 photo of 30, starting at the 22nd, best first"
        in sheet(answer(red, first=22, among=30)).decode()
    )
    newest = sheet(answer(red, query="")).decode()
    assert "<h1>The newest photos</h1>" in newest
    assert "newest first" in newest


def test_progress_is_reported(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    red = square(tmp_path / "red.png", "red")
    sheet(answer(red, red), lambda done, total: calls.append((done, total)))
    assert calls == [(1, 2), (2, 2)]


def test_the_command_writes_a_sheet(
    tmp_path: Path, squares: Path, colours: Path, invoke: Invoke
) -> None:
    library = ("--library", tmp_path / "library")
    assert invoke("index", squares, *library, "--profile", colours).exit_code == 0
    file = tmp_path / "out.html"
    done = invoke("query", "red", *library, "-k", "3", "--sheet", file)
    assert done.exit_code == 0
    assert done.stdout.count("\n") == 3
    assert done.stderr == f"wrote 3 pictures to {file}\n"
    assert len(Elements(file.read_bytes()).values("img", "src")) == 3
    nowhere = invoke("query", "red", *library, "--sheet", tmp_path / "no" / "out.html")
    assert nowhere.exit_code == 1
    assert "cannot access" in nowhere.stderr
    nothing = invoke("query", "red", *library, "--offset", "99", "--sheet", tmp_path / "none.html")
    assert nothing.exit_code == 3
    assert not (tmp_path / "none.html").exists()
