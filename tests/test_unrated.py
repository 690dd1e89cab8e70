"""A profile that predicts no relevance, such as CLIP: nothing is shown that people never judged."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pixquery import BadQuery, Library, Part, Query, index, teach
from pixquery.web.app import application
from pixquery.web.assistants import _Tools
from pixquery.web.guard import Rules
from pixquery.web.reader import Reader
from tests.conftest import Invoke, centred, parsed, sentence
from tests.lessons import oranges

REFUSAL = "the profile unrated predicts no relevance, so no photo can be left out by it: "


@pytest.fixture
def colours(unrated: Path) -> Path:
    """The profile of `place`."""
    return unrated


@pytest.fixture
def library(place: Path) -> Iterator[Library]:
    with Library.open(place) as opened:
        yield opened


def test_hits_are_ordered_by_similarity_and_have_no_relevance(library: Library) -> None:
    answer = library.search("red", k=8)
    assert answer.hits[0].path.stem == "red"
    for hit in answer.hits:
        cosine = float(centred("red") @ centred(hit.path.stem))
        assert hit.similarity == pytest.approx(cosine, abs=0.02)
        assert (hit.relevance, hit.standing) == (None, None)
    similarities = [hit.similarity or 0.0 for hit in answer.hits]
    assert similarities == sorted(similarities, reverse=True)
    assert (answer.judged, answer.fits, answer.nothing_fits) == (False, None, False)
    assert not library.search("unheard of").nothing_fits
    assert not library.info().relevance


def test_parts_have_one_scale(library: Library) -> None:
    """Nothing says how cosines of each vary, so that the sum can be computed by hand."""
    parts = (Part("red green", weight=0.5), Part("blue", weight=-2))
    point = centred("red") + 0.5 * centred((128, 128, 0)) - 2 * centred("blue")
    for hit in library.search(Query("red", k=8, parts=parts)).hits:
        cosine = float(point @ centred(hit.path.stem)) / float((point @ point) ** 0.5)
        assert hit.similarity == pytest.approx(cosine, abs=0.02)


def test_a_least_relevance_is_refused(library: Library, unrated: Path) -> None:
    for query in (Query("red", min_relevance=0.1), Query("red without blue", min_relevance=0.1)):
        with pytest.raises(BadQuery, match=REFUSAL) as refused:
            library.search(query)
    assert f"`pixquery train RATINGS.csv --profile {unrated} --out DIR`" in str(refused.value)


def test_a_hint_does_not_speak_of_relevance(library: Library) -> None:
    assert library.search("red without blue").hints == ()


# -- the command line ---------------------------------------------------------------------------


def test_query(place: Path, invoke: Invoke) -> None:
    done = invoke("query", "red", "--library", place, "-k", "2", "--json")
    assert parsed(done)["fits"] is None
    for hit in parsed(done)["hits"]:
        assert hit["relevance"] is hit["standing"] is None
        assert hit["similarity"] > 0
    lines = invoke("query", "red", "--library", place, "-k", "2").stdout.splitlines()
    assert [line.split("\t")[:2] for line in lines] == [["1", ""], ["2", ""]]
    refused = invoke("query", "red", "--library", place, "--min-relevance", "0.5")
    assert refused.exit_code == 2
    assert REFUSAL in sentence(refused.stderr)


def test_score_leaves_the_column_empty(
    place: Path, tmp_path: Path, squares: Path, invoke: Invoke
) -> None:
    file = tmp_path / "pairs.csv"
    file.write_text(f"image,text\n{next(squares.rglob('red.*'))},red\n")
    (row,) = csv.DictReader(io.StringIO(invoke("score", file, "--library", place).stdout))
    assert float(row["similarity"]) == pytest.approx(1, abs=0.02)
    assert row["relevance"] == ""
    (as_json,) = parsed(invoke("score", file, "--library", place, "--json"))
    assert as_json["relevance"] is None


def test_evaluate_ranks_by_similarity_and_says_so(
    place: Path, tmp_path: Path, invoke: Invoke
) -> None:
    file = tmp_path / "queries.csv"
    file.write_text("query_id,query_text,image\n1,red,red.jpg\n2,red green,yellow.bmp\n")
    document = parsed(invoke("evaluate", file, "--library", place, "--json"))
    assert document["relevance"] is False
    assert document["reranked"] == document["first_stage"]
    shown = invoke("evaluate", file, "--library", place).stdout
    assert "the profile predicts no relevance: re-ranked is by similarity, too\n" in shown


def test_info_and_lists_say_so(place: Path, unrated: Path, tints: Path, invoke: Invoke) -> None:
    assert "profile    unrated, predicts no relevance\n" in invoke(
        "info", "--library", place
    ).stdout  # fmt: skip
    assert parsed(invoke("info", "--library", place, "--json"))["relevance"] is False
    listed = invoke("models", "list", PIXQUERY_PROFILES=str(unrated.parent)).stdout
    assert "unrated: predicts no relevance: orders by similarity alone\n" in listed
    assert "predicts no relevance" not in invoke(
        "models", "list", PIXQUERY_PROFILES=str(tints.parent)
    ).stdout  # fmt: skip


# -- concepts -----------------------------------------------------------------------------------


def test_a_taught_library_is_the_same(place: Path, tmp_path: Path, invoke: Invoke) -> None:
    examples = oranges(tmp_path / "examples")
    with Library.open(place) as library:
        lesson = teach(library, "sunset", examples[:3])
        assert lesson.relevance_before is lesson.relevance_after is lesson.fits is None
        assert library.search("sunset").hits[0].relevance is None
        with pytest.raises(BadQuery, match=REFUSAL):
            library.search("sunset", min_relevance=0.5)
    again = invoke("models", "teach", "sunset", *examples, "--library", place)
    assert again.exit_code == 0, again.output
    assert "the most similar of 8 photos: " in again.stdout
    assert "fit;" not in again.stdout
    document = parsed(invoke("models", "teach", "sunset", *examples, "--library", place, "--json"))
    assert document["relevance"] == {"before": None, "after": None}
    assert document["fits"] is None


# -- the gallery and assistants -----------------------------------------------------------------


def test_the_api(place: Path) -> None:
    with TestClient(application(Reader(place), Rules()), "http://127.0.0.1:8000") as client:
        assert client.get("/api/library").json()["relevance"] is False
        page = client.get("/api/search", params={"q": "red"}).json()
        assert (page["judged"], page["fits"]) == (False, None)
        assert page["hits"][0]["relevance"] is page["hits"][0]["standing"] is None
        refused = client.get("/api/search", params={"q": "red", "min_relevance": 0.5})
    assert refused.status_code == 422
    assert REFUSAL in refused.json()["error"]


def test_the_api_of_another_profile(squares: Path, tints: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "rated", create=True, profile=str(tints)) as library:
        index(library, [squares])
    with TestClient(application(Reader(library.folder), Rules()), "http://127.0.0.1:80") as client:
        assert client.get("/api/library").json()["relevance"] is True


def test_assistants(library: Library) -> None:
    tools = _Tools(library)
    answer = tools.search_photos("red", k=1, thumbnails=False)
    summary, hit = (part.model_dump()["text"] for part in answer.content)
    assert summary == "1 photo of 8, best first:"
    assert "likeness 1.00; 24 x 16 pixels;" in hit
    (contents,) = (part.model_dump()["text"] for part in tools.library_info().content)
    assert contents.startswith("8 photos, profile unrated, which predicts no relevance.\n")
