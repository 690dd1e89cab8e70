"""One query on a library of colour squares, whose every answer can be worked out."""

import math
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from conftest import COLOURS, NewLibrary, centred, square

from db.errors import BadQuery
from db.records import Milliseconds
from engine import Library, Query
from engine.search import LONGEST_QUERY, Ranking
from indexer.build import index


@pytest.fixture
def library(new_library: NewLibrary, squares: Path) -> Library:
    made = new_library()
    index(made, [squares])
    return made


@pytest.mark.parametrize("colour", COLOURS)
def test_each_colour_finds_its_square(library: Library, colour: str) -> None:
    best = library.search(colour, k=1).hits[0]
    assert best.path.stem == colour
    assert best.similarity == pytest.approx(1, abs=0.01)
    assert best.relevance == pytest.approx(1, abs=0.01)
    assert best.rank == 1


def test_similarities_are_the_cosines_of_the_colours(library: Library) -> None:
    hits = library.search("red", k=8).hits
    assert len(hits) == 8
    for hit in hits:
        expected = float(centred("red") @ centred(hit.path.stem))
        assert hit.similarity == pytest.approx(expected, abs=0.02)
        assert hit.relevance == pytest.approx(max(0.0, expected), abs=0.02)
    assert [hit.rank for hit in hits] == list(range(1, 9))
    assert {hit.path.stem for hit in hits[1:4]} == {"black", "yellow", "magenta"}
    assert hits[-1].path.stem == "cyan"


def test_words_that_say_nothing_do_not_change_the_answer(library: Library) -> None:
    plain = [hit.id for hit in library.search("blue", k=1).hits]
    assert [hit.id for hit in library.search("A photo of a BLUE thing", k=1).hits] == plain


def test_a_mixture_lies_between_its_colours(library: Library) -> None:
    hits = library.search("red green", k=3).hits
    assert {hit.path.stem for hit in hits} == {"red", "green", "yellow"}


def test_offset_continues_where_the_page_before_ended(library: Library) -> None:
    everything = library.search(Query("red", k=8)).hits
    paged = [
        hit for start in (0, 3, 6) for hit in library.search(Query("red", k=3, offset=start)).hits
    ]
    assert paged == list(everything)
    assert library.search(Query("red", k=3, offset=8)).hits == ()


def test_candidates_bound_what_is_judged_but_never_the_page(library: Library) -> None:
    assert library.search(Query("red", k=1, candidates=3)).candidates == 3
    assert len(library.search(Query("red", k=5, candidates=1)).hits) == 5
    assert len(library.search(Query("red", k=2, offset=5, candidates=1)).hits) == 2


def test_min_relevance_leaves_out_what_lies_below(library: Library) -> None:
    assert {hit.path.stem for hit in library.search("red", min_relevance=0.9).hits} == {"red"}
    assert len(library.search("red", min_relevance=0.3).hits) == 4
    assert library.search("unheard of", min_relevance=0.1).hits == ()


def test_rerank_orders_by_relevance_and_ties_by_similarity() -> None:
    ranking = Ranking(
        ids=np.array([10, 11, 12, 13]),
        similarities=np.array([0.9, 0.8, 0.7, 0.6], np.float32),
        relevances=np.array([0.2, 0.5, 0.9, 0.5], np.float32),
        milliseconds=Milliseconds(0, 0, 0, 0),
    )
    assert ranking.order(rerank=True).tolist() == [2, 1, 3, 0]
    assert ranking.order(rerank=False).tolist() == [0, 1, 2, 3]


def test_a_hit_tells_the_file(library: Library, squares: Path) -> None:
    file = square(squares / "wide.png", "red", size=(40, 10))
    os.utime(file, ns=(0, 1_700_000_000_123_456_789))
    index(library, [squares])
    hit = next(hit for hit in library.search("red").hits if hit.path == file)
    assert (hit.width, hit.height) == (40, 10)
    assert (
        abs(hit.modified - datetime(2023, 11, 14, 22, 13, 20, 123456, UTC)).total_seconds() < 0.01
    )
    assert library.catalog.records([hit.id])[hit.id].path == file


def test_the_times_add_up(library: Library) -> None:
    spent = library.search("red").milliseconds
    parts = (spent.encode, spent.prefilter, spent.rerank)
    assert all(part >= 0 for part in parts)
    assert math.fsum(parts) <= spent.total


def test_an_empty_library_answers_nothing(new_library: NewLibrary) -> None:
    answer = new_library().search("red")
    assert answer.hits == ()
    assert answer.candidates == 0


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "x" * (LONGEST_QUERY + 1)])
def test_unusable_texts_are_refused(text: str) -> None:
    with pytest.raises(BadQuery):
        Query(text)


@pytest.mark.parametrize(
    ("name", "values"),
    [("k", {"k": 0}), ("offset", {"offset": -1}), ("candidates", {"candidates": 0})],
)
def test_numbers_out_of_range_are_refused(name: str, values: dict[str, int]) -> None:
    with pytest.raises(BadQuery, match=name):
        Query("red", **values)  # type: ignore[arg-type]


def test_the_longest_text_is_taken(library: Library) -> None:
    assert library.search(("red " * LONGEST_QUERY)[:LONGEST_QUERY], k=1).hits[0].path.stem == "red"


def test_reranking_by_a_trained_regressor_keeps_relevance_in_range(
    tints: Path, squares: Path, tmp_path: Path
) -> None:
    with Library.open(tmp_path / "judged", create=True, profile=str(tints)) as library:
        index(library, [squares])
        hits = library.search("red", k=8).hits
    # weight 6, bias -3: logistic(6 * cosine - 3)
    for hit in hits:
        cosine = float(centred("red") @ centred(hit.path.stem))
        assert hit.relevance == pytest.approx(1 / (1 + math.exp(3 - 6 * cosine)), abs=0.02)
    assert hits[0].path.stem == "red"
