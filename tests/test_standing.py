"""Words for relevance, which the gallery, sheets, terminals and assistants share."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from pixquery.engine.standing import FITS, STANDINGS, fits, in_figures, in_words, standing
from pixquery.web.app import application
from pixquery.web.guard import Rules
from pixquery.web.reader import Reader
from tests.conftest import REPOSITORY


@pytest.mark.parametrize(
    ("relevance", "words"),
    [(1, "fits very well"), (0.7, "fits very well"), (0.69, "fits"), (0.45, "fits"),
     (0.44, "fits partly"), (0.2, "fits partly"), (0.19, "hardly fits"), (0, "hardly fits")],
)  # fmt: skip
def test_words(relevance: float, words: str) -> None:
    assert standing(relevance).words == words
    assert in_words(relevance, 0.5) == words


@pytest.mark.parametrize(
    ("relevance", "figures", "words"),
    [(0.4499, "0.44", "fits partly"), (0.44994, "0.44", "fits partly"), (0.44996, "0.45", "fits"),
     (0.45, "0.45", "fits"), (0.455, "0.46", "fits"), (0.6999, "0.69", "fits"),
     (0.1999, "0.19", "hardly fits"), (0.196, "0.19", "hardly fits"),
     (0.999, "1.00", "fits very well"),
     (0.29, "0.29", "fits partly"), (0.0, "0.00", "hardly fits")],
)  # fmt: skip
def test_the_number_shown_agrees_with_the_words(relevance: float, figures: str, words: str) -> None:
    assert in_figures(relevance) == figures
    assert standing(relevance).words == words
    assert standing(float(figures)).words == words


def test_every_form_of_a_number_is_one_opinion() -> None:
    """As JSON, in the terminal, for programs, and as the server counts."""
    for step in range(100_001):
        relevance = step / 100_000
        row = standing(relevance)
        assert standing(round(relevance, 4)) is row
        assert standing(float(in_figures(relevance))) is row
        assert standing(float(in_figures(relevance, 3))) is row
        assert fits(relevance) == (round(relevance, 4) >= FITS)


def test_single_precision_changes_no_opinion() -> None:
    for row in STANDINGS:
        assert standing(float(np.float32(row.least))) is row


def test_without_relevance_there_is_likeness() -> None:
    assert in_words(None, 0.512) == "likeness 0.51"
    assert in_words(None, None) == ""


def test_levels_fall_with_relevance() -> None:
    assert [row.level for row in STANDINGS] == [4, 3, 2, 1]
    assert [row.least for row in STANDINGS] == sorted(
        (row.least for row in STANDINGS), reverse=True
    )
    assert STANDINGS[-1].least == 0


class _Meta(HTMLParser):
    content = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "meta" and values.get("name") == "standings":
            self.content = str(values["content"])


def test_the_gallery_receives_the_table(tmp_path: Path) -> None:
    app = application(Reader(tmp_path / "none"), Rules())
    with TestClient(app, "http://127.0.0.1:8000") as client:
        meta = _Meta()
        meta.feed(client.get("/").text)
    assert json.loads(meta.content) == [row._asdict() for row in STANDINGS]


def test_nothing_repeats_the_table() -> None:
    """Scripts and modules ask for the words, so that there is one place to change them."""
    files = list((REPOSITORY / "pixquery" / "web").rglob("*.*"))
    assert len(files) > 30
    for file in files:
        if file.suffix in {".py", ".js", ".html"}:
            for row in STANDINGS:
                assert f'"{row.words}"' not in file.read_text("utf-8"), file.name


def test_the_documentation_agrees() -> None:
    text = (REPOSITORY / "docs" / "search.md").read_text("utf-8")
    for row in STANDINGS[:-1]:
        assert re.search(rf"\*{row.words}\*\s+from {row.least}", text)
    assert f"*{STANDINGS[-1].words}*" in text
