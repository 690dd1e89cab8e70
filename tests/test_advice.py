"""Answers say what was searched, and what to try."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pixquery import Library, Part, Query
from pixquery.db.errors import BadQuery, QueryRefused
from pixquery.engine.phrasing import Phrase
from pixquery.engine.query import MOST_PARTS
from pixquery.indexer.build import index


@pytest.fixture
def library(tmp_path: Path, squares: Path, english: Path) -> Iterator[Library]:
    """A library of the squares, whose profile understands English."""
    with Library.open(tmp_path / "library", create=True, profile=str(english)) as made:
        index(made, [squares])
        yield made


def order(library: Library, query: Query | str) -> list[str]:
    if isinstance(query, str):
        query = Query(query, k=8)
    return [hit.path.stem for hit in library.search(query).hits]


def test_words_for_the_program_are_left_out(library: Library) -> None:
    answer = library.search("please show me all my photos of red")
    assert answer.query == "please show me all my photos of red"
    assert answer.searched == Phrase("red", reworded=True)
    assert (answer.suggestions, answer.hints) == ((), ())
    assert [hit.similarity for hit in answer.hits] == [
        hit.similarity for hit in library.search("red").hits
    ]
    assert all(hit.relevance is not None for hit in answer.hits)


def test_nothing_is_said_of_a_text_that_is_searched_as_it_is(library: Library) -> None:
    answer = library.search("red")
    assert (answer.searched, answer.suggestions, answer.hints) == (None, (), ())
    assert library.search("  red   and green ").searched is None
    assert library.newest().searched is None


def test_without_is_half_of_minus(library: Library) -> None:
    answer = library.search(Query("red without blue", k=8))
    assert answer.searched is not None
    assert str(answer.searched) == "red, without blue"
    typed = library.search(Query("red", parts=(Part("blue", weight=-0.5),), k=8))
    assert [hit.id for hit in answer.hits] == [hit.id for hit in typed.hits]
    assert all(hit.relevance is None for hit in answer.hits)
    (hint,) = answer.hints
    assert "relevance is only predicted for a single description" in hint
    assert typed.hints == ()  # who types --minus knows


def test_parts_are_understood_like_the_text(library: Library) -> None:
    bare = Query("red", parts=(Part("blue", weight=-1), Part("green")), k=8)
    typed = Query("a red", parts=(Part("a blue", weight=-1), Part("photos of green")), k=8)
    similarities = [[hit.similarity for hit in library.search(q).hits] for q in (bare, typed)]
    assert similarities[0] == similarities[1]
    assert library.search(typed).query == "a red, -1 x a blue, photos of green"


def test_plurals_are_compared_by_both_forms(library: Library) -> None:
    """In this profile "reds" is an unknown word, grey, whose vector is zero after centring."""
    answer = library.search(Query("reds", k=8))
    assert answer.searched == Phrase("reds", also="red")
    both = library.search(Query("reds", also="red", exact=True, k=8))
    assert [hit.similarity for hit in answer.hits] == [hit.similarity for hit in both.hits]
    texts, align = library.profile.texts, library.profile.alignment
    vectors = align.texts(texts.encode(["blue", "red"]))
    mean = vectors.sum(0) / np.linalg.norm(vectors.sum(0))
    hits = library.search(Query("blue", also="red", exact=True, k=8)).hits
    for hit in hits:
        (photo,) = library.index.vectors(np.array([hit.id], np.int64))
        assert hit.similarity == pytest.approx(float(photo @ mean), abs=1e-3)
    assert {hit.path.stem for hit in hits[:1]} == {"magenta"}


def test_exact_takes_every_word(library: Library) -> None:
    answer = library.search(Query("red without blue", k=8, exact=True))
    assert (answer.searched, answer.hints) == (None, ())
    assert order(library, Query("red without blue", k=8, exact=True)) == order(
        library, Query("red unlike blue", k=8)
    )


def test_a_least_relevance_keeps_one_description(library: Library) -> None:
    """It is known for single texts only, and a filter must not refuse what people type."""
    answer = library.search("my photos of red without blue", min_relevance=0.1)
    assert answer.searched == Phrase("red without blue", reworded=True)
    assert "searched like the rest" in answer.hints[0]
    assert all(hit.relevance is not None for hit in answer.hits)


def test_full_queries_stay_legal(library: Library) -> None:
    parts = tuple(Part("green") for _ in range(MOST_PARTS))
    assert library.search(Query("red without blue", parts=parts)).hits


def test_typing_errors_get_an_offer_and_are_searched_as_typed(library: Library) -> None:
    answer = library.search("my photos of yelolw")
    assert answer.suggestions == ("my photos of yellow",)
    assert answer.searched == Phrase("yelolw", reworded=True)
    assert library.search("asdfgh qwerty").suggestions == ()
    assert library.search(Query("yelolw", exact=True)).suggestions == ("yellow",)


def test_other_languages_get_one_hint(library: Library) -> None:
    answer = library.search("ein Hund im Schnee")
    (hint,) = answer.hints
    assert "the profile english understands English, and this looks like German" in hint
    assert "`pixquery models list`" in hint
    assert answer.hits
    assert answer.suggestions == ()


def test_profiles_that_do_not_say_their_languages_say_nothing_of_them(
    new_library: object, tmp_path: Path, squares: Path, colours: Path
) -> None:
    with Library.open(tmp_path / "library", create=True, profile=str(colours)) as made:
        index(made, [squares])
        assert made.profile.languages == ()
        answer = made.search("ein yelolw")
        assert (answer.suggestions, answer.hints) == ((), ())


def test_a_policy_refuses_what_was_typed(library: Library) -> None:
    library.switch_policy(on=True)
    for text in ("photos of my kids", "red without children", "children no red", "my girls photos"):
        with pytest.raises(QueryRefused):
            library.search(text)
    assert library.search("my photos of red without blue").hits


def test_a_policy_refuses_what_is_searched(library: Library) -> None:
    """The words that are typed as well as those that they stand for."""
    library.switch_policy(on=True)
    (library.folder / "stop-words.txt").write_text("people\n")
    with pytest.raises(QueryRefused, match="'people'"):
        library.search("red with nobody")


def test_evaluation_searches_queries_as_they_are(library: Library) -> None:
    text = "red without blue"
    exact = library.search(Query(text, k=8, exact=True))
    ranking = library.rank(text)
    assert {hit.id for hit in exact.hits} == set(ranking.ids.tolist())
    assert [hit.similarity for hit in exact.hits] == pytest.approx(
        sorted(ranking.similarities.tolist(), reverse=True)
    )


@pytest.mark.parametrize("text", ["", "   ", "x" * 1001])
def test_bad_texts_are_bad_queries(library: Library, text: str) -> None:
    with pytest.raises(BadQuery):
        library.search(text)


@pytest.mark.parametrize(
    "text", ["?", "-", "no", "without", "'", "\0", "photos of", "\u200b", "no no"]
)
def test_odd_texts_are_answered(library: Library, text: str) -> None:
    assert library.search(text).hits
