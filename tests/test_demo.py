"""The shipped profile finds in the example photos what `make demo` and the README promise."""

import re
from pathlib import Path

import pytest

from pixquery import Library
from pixquery.indexer.build import index

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples" / "images"

EXPECTED = {
    "a cup of coffee on a wooden table": "p10.jpg",
    "a red hot air balloon": "p15.jpg",
    "snow on a mountain peak": "p21.jpg",
    "a pug dog": "p07.jpg",
    "a cat": "p06.jpg",
    "a man taking a picture": "p03.jpg",
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    opened = Library.open(tmp_path_factory.mktemp("demo"), create=True)
    index(opened, [EXAMPLES])
    return opened


@pytest.mark.parametrize(("query", "photo"), EXPECTED.items())
def test_the_right_photo_comes_first(library: Library, query: str, photo: str) -> None:
    assert library.search(query).hits[0].path.name == photo


def test_the_queries_of_make_demo_are_tested_here() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    demo = makefile[makefile.index("\ndemo:") : makefile.index("\nlint:")]
    queries = re.findall(r'"(a .*?|snow .*?)"', demo)
    assert len(queries) == 3
    assert set(queries) <= set(EXPECTED)


def test_every_example_photo_has_a_source_and_a_licence() -> None:
    readme = (EXAMPLES.parent / "README.md").read_text("utf-8")
    photos = sorted(photo.name for photo in EXAMPLES.iterdir())
    assert len(photos) == 21
    assert [name for name in photos if f"`{name}`" not in readme] == []
    assert sum(photo.stat().st_size for photo in EXAMPLES.iterdir()) <= 4_000_000
