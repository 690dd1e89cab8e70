"""An answer in Python: a sequence of hits, and pictures in a notebook."""

import re
from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

import pixquery
from pixquery.engine.answers import Answer, Hit
from pixquery.engine.library import Library
from pixquery.engine.query import Query
from pixquery.indexer.build import index
from pixquery.web import notebook
from tests.conftest import COLOURS, NewLibrary, square

HOSTILE = "<img src=x onerror=alert(1)>\"'&.png"


def drawn(answer: Answer) -> str:
    assert pixquery.Answer is Answer  # as a user's import does
    html = answer._repr_html_()
    assert html is not None
    return html


def pictures(html: str) -> list[Image.Image]:
    found = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", html)
    return [Image.open(BytesIO(b64decode(data))).convert("RGB") for data in found]


def test_an_answer_is_a_sequence_of_its_hits(library: Library) -> None:
    answer = library.search("red", k=5)
    assert len(answer) == 5
    assert list(answer) == list(answer.hits)
    assert answer[0].rank == 1
    assert answer[-1] is answer.hits[-1]
    assert answer.hits[2] in answer
    assert [hit.rank for hit in reversed(answer)] == [5, 4, 3, 2, 1]
    with pytest.raises(IndexError):
        answer[5]


def test_a_slice_is_an_answer_of_those_hits(library: Library) -> None:
    answer = library.search("red", k=5)
    part = answer[1:3]
    assert isinstance(part, Answer)
    assert [hit.rank for hit in part] == [2, 3]
    assert (part.query, part.among) == (answer.query, answer.among)
    assert len(pictures(drawn(part))) == 2
    assert not answer[9:]


def test_a_notebook_shows_the_pictures_of_the_hits(library: Library) -> None:
    for query in ("red", Query(where=pixquery.Filter(min_width=1)), Query("red", offset=1)):
        answer = library.search(query)
        html = drawn(answer)
        shown = pictures(html)
        assert len(shown) == len(answer) > 1
        for hit, picture in zip(answer, shown, strict=True):
            got = picture.getpixel((5, 5))
            assert isinstance(got, tuple)
            if colour := COLOURS.get(hit.path.stem):
                assert max(abs(a - b) for a, b in zip(colour, got, strict=True)) < 12
            assert f"id {hit.id}" in html
    assert "fits very well" in drawn(library.search("red"))


def test_no_name_or_text_becomes_markup(new_library: NewLibrary, tmp_path: Path) -> None:
    square(tmp_path / "photos" / HOSTILE, "red")
    library = new_library()
    index(library, [tmp_path / "photos"])
    html = drawn(library.search("red <script>alert(1)</script>"))

    class Tags(HTMLParser):
        seen: set[tuple[str, str]] = set()  # noqa: RUF012

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.seen |= {(tag, name) for name, _ in attrs} | {(tag, "")}

    tags = Tags()
    tags.feed(html)
    assert {tag for tag, _ in tags.seen} == {"div", "p", "b", "figure", "img", "figcaption", "br"}
    assert not [name for _, name in tags.seen if name.startswith("on")]


def test_what_is_drawn_is_bounded(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = library.search("red", k=8)
    monkeypatch.setattr(notebook, "MOST", 3)
    html = drawn(answer)
    assert len(pictures(html)) == 3
    assert "8 photos of 10, the first 3 shown" in html
    monkeypatch.setattr(notebook, "MOST_BYTES", len(html) // 2)
    assert len(pictures(drawn(answer))) < 3


def test_a_photo_that_changed_is_not_drawn(new_library: NewLibrary, squares: Path) -> None:
    library = new_library()  # of its own: the served photos are shared by all tests
    index(library, [squares])
    answer = library.search("red", k=2)
    answer[0].path.unlink()
    square(answer[1].path, "blue", (99, 98))
    html = drawn(answer)
    assert not pictures(html)
    assert html.count("cannot be read") == 2


def test_without_the_public_face_there_is_no_picture(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Answer, "drawing", None)
    assert library.search("red")._repr_html_() is None


def test_an_answer_of_no_hit(library: Library) -> None:
    answer = library.search("red", k=1)[5:]
    assert (len(answer), list(answer)) == (0, [])
    assert "0 photos of 10" in drawn(answer)
    assert all(isinstance(hit, Hit) for hit in answer)
