"""What an answer says of its hits in words, which is the same wherever photos are shown."""

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pixquery import Filter, Library, Part, Query
from pixquery.engine.standing import FITS, NOTHING_FITS, STANDINGS
from pixquery.web.app import application
from pixquery.web.assistants import _Tools
from pixquery.web.guard import Rules
from pixquery.web.reader import Reader
from pixquery.web.sheet import contact_sheet
from tests.conftest import REPOSITORY, Invoke, parsed
from tests.lessons import resealed

NONSENSE = "asdfgh qwerty"
"""Words that the colour profile does not know, so that no photo is like them."""


def test_every_hit_has_the_words_of_its_relevance(library: Library) -> None:
    """Red's relevances are 1, three times 1/3, and four times 0."""
    answer = library.search("red", k=8)
    words = [next(row.words for row in STANDINGS if each >= row.least) for each in (1, 1 / 3, 0)]
    assert [hit.standing for hit in answer.hits] == [
        words[0], *[words[1]] * 3, *[words[2]] * 4,
    ]  # fmt: skip
    assert answer.judged
    assert answer.fits == sum(each >= FITS for each in (1, 1 / 3, 1 / 3, 1 / 3))
    assert library.search("red", k=1).fits == 1


@pytest.mark.parametrize(
    "query",
    [
        Query("red", parts=(Part("blue"),)),
        Query(parts=(Part("red"),)),
        Query("red without blue"),
        Query(where=Filter(min_width=1)),
    ],
    ids=str,
)
def test_without_relevance_there_are_no_words(library: Library, query: Query) -> None:
    answer = library.search(query)
    assert answer.hits
    assert {hit.standing for hit in answer.hits} == {None}
    assert (answer.judged, answer.fits, answer.nothing_fits) == (False, None, False)


def test_nothing_fits_if_the_best_photo_does_not(library: Library) -> None:
    assert not library.search("red").nothing_fits
    answer = library.search(NONSENSE)
    assert (answer.fits, answer.nothing_fits) == (0, True)
    later = library.search(Query("red", offset=4))
    assert later.fits == 0
    assert not later.nothing_fits  # the photo that fits was on the first page
    beyond = library.search(Query("red", offset=99))
    assert (beyond.judged, beyond.fits, beyond.nothing_fits) == (True, 0, False)


def test_by_similarity_any_photo_that_fits_counts(squares: Path, tmp_path: Path) -> None:
    """With a regressor that prefers the least similar photos, the first hit is none that fits."""
    from safetensors.numpy import load_file, save_file

    from pixquery import index
    from tests.conftest import write_profile

    folder = write_profile(tmp_path / "contrary", "contrary", relevance="steep")
    tensors = load_file(folder / "relevance.safetensors")
    save_file({**tensors, "weights": -tensors["weights"]}, folder / "relevance.safetensors")
    resealed(folder)
    with Library.open(tmp_path / "library", create=True, profile=str(folder)) as library:
        index(library, [squares])
        answer = library.search(Query("red", k=8, rerank=False))
    # logistic(-6 * cosine - 3) is 0.95 for cyan, whose cosine is -1, and at most 0.27 for others
    assert answer.hits[0].path.stem == "red"
    assert answer.hits[-1].path.stem == "cyan"
    assert answer.fits == 1
    assert not answer.nothing_fits


# -- the same words everywhere ------------------------------------------------------------------


def test_the_command_says_that_nothing_fits(place: Path, invoke: Invoke) -> None:
    shown = invoke("query", NONSENSE, "--library", place)
    assert shown.stderr == f"{NOTHING_FITS}; these photos come closest:\n"
    assert len(shown.stdout.splitlines()) == 8
    for words in ([NONSENSE, "--offset", "3"], ["red"], [NONSENSE, "--plus", "red"]):
        assert invoke("query", *words, "--library", place).stderr == ""


@pytest.mark.parametrize("form", ["--json", "--ndjson", "--paths"])
def test_forms_for_programs_say_it_in_their_fields(place: Path, invoke: Invoke, form: str) -> None:
    shown = invoke("query", NONSENSE, "--library", place, form)
    assert shown.stderr == ""
    worst = STANDINGS[-1].words
    if form == "--json":
        assert parsed(shown)["fits"] == 0
        assert {hit["standing"] for hit in parsed(shown)["hits"]} == {worst}
    if form == "--ndjson":
        hits = [json.loads(line) for line in shown.stdout.splitlines()]
        assert {hit["standing"] for hit in hits} == {worst}


def test_a_sheet_says_that_nothing_fits(library: Library) -> None:
    sentence = f"{NOTHING_FITS.capitalize()}. 2 photos of 8, best first"
    assert sentence in contact_sheet(library.search(NONSENSE, k=2), {}).decode()
    assert NOTHING_FITS.capitalize() not in contact_sheet(library.search("red", k=2), {}).decode()


def test_assistants_read_that_nothing_fits(library: Library) -> None:
    tools = _Tools(library)
    for text, expected in (
        (NONSENSE, f"{NOTHING_FITS.capitalize()}. 2 photos of 8, best first:"),
        ("red", "2 photos of 8, best first:"),
    ):
        summary = tools.search_photos(text, k=2, thumbnails=False).content[0]
        assert summary.model_dump()["text"] == expected


def test_the_gallery_learns_it_from_the_answer(library: Library) -> None:
    with TestClient(application(Reader(library.folder), Rules()), "http://127.0.0.1:8000") as site:
        page = site.get("/api/search", params={"q": NONSENSE}).json()
        assert (page["judged"], page["fits"]) == (True, 0)
        assert page["hits"][0]["standing"] == STANDINGS[-1].words
        page = site.get("/api/search", params={"q": "red", "plus": "blue"}).json()
        assert (page["judged"], page["fits"]) == (False, None)
        assert page["hits"][0]["standing"] is None
    phrases = (REPOSITORY / "pixquery" / "web" / "static" / "phrases.js").read_text("utf-8")
    assert f'answer.fits === 0 ? "{NOTHING_FITS.capitalize()}. "' in phrases
