"""Queries to a library of colour squares, whose answers can be computed by hand."""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from pixquery import Filter, Library, Part, Query
from pixquery.db.errors import BadQuery, NothingFound
from pixquery.db.records import Floats, Period
from pixquery.engine.answers import Milliseconds
from pixquery.engine.features import Vectors
from pixquery.engine.profile import Profile
from pixquery.engine.query import LONGEST_QUERY
from pixquery.engine.ranking import Ranking
from pixquery.engine.search import search
from pixquery.indexer.build import index
from tests.conftest import COLOURS, NewLibrary, centred, square


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


def test_words_without_meaning_do_not_change_the_answer(library: Library) -> None:
    plain = [hit.id for hit in library.search("blue", k=1).hits]
    assert [hit.id for hit in library.search("A photo of a BLUE thing", k=1).hits] == plain


def test_a_mixture_lies_between_its_colours(library: Library) -> None:
    hits = library.search("red green", k=3).hits
    assert {hit.path.stem for hit in hits} == {"red", "green", "yellow"}


def test_offset_continues_where_the_last_page_ended(library: Library) -> None:
    everything = library.search(Query("red", k=8)).hits
    paged = [
        hit for start in (0, 3, 6) for hit in library.search(Query("red", k=3, offset=start)).hits
    ]
    assert paged == list(everything)
    assert library.search(Query("red", k=3, offset=8)).hits == ()


def test_candidates_limit_what_is_judged_but_never_the_page(library: Library) -> None:
    assert library.search(Query("red", k=1, candidates=3)).candidates == 3
    assert len(library.search(Query("red", k=5, candidates=1)).hits) == 5
    assert len(library.search(Query("red", k=2, offset=5, candidates=1)).hits) == 2


def test_min_relevance_leaves_out_hits_below_it(library: Library) -> None:
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


def test_a_hit_describes_the_file(library: Library, squares: Path) -> None:
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


def test_the_longest_text_is_accepted(library: Library) -> None:
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


# -- more than a text -------------------------------------------------------------------------


def stems(library: Library, query: Query) -> list[str]:
    return [hit.path.stem for hit in library.search(query).hits]


def colour_id(library: Library, colour: str) -> int:
    return next(record.id for record in library.catalog.everything() if record.path.stem == colour)


def test_several_parts_are_the_weighted_sum_of_their_colours(library: Library) -> None:
    """Without landmarks all parts have one scale, so that the sum can be computed by hand."""
    query = Query("red", k=8, parts=(Part("green", weight=0.5), Part("blue", weight=-2)))
    hits = library.search(query).hits
    point = centred("red") + 0.5 * centred("green") - 2 * centred("blue")
    point /= np.linalg.norm(point)
    for hit in hits:
        assert hit.similarity == pytest.approx(float(point @ centred(hit.path.stem)), abs=0.02)
        assert hit.relevance is None
    assert [hit.similarity for hit in hits] == sorted(
        (hit.similarity for hit in hits if hit.similarity is not None), reverse=True
    )


def test_weights_count_on_one_scale_with_landmarks(
    tints: Path, squares: Path, tmp_path: Path
) -> None:
    """The corners' cosines vary equally for each colour, and more for their sum."""
    with Library.open(tmp_path / "judged", create=True, profile=str(tints)) as library:
        index(library, [squares])
        corners = np.stack([centred(colour) for colour in COLOURS])
        parts = {"red": 1.0, "red green": -0.5}
        vectors = {"red": centred("red"), "red green": centred((128, 128, 0))}
        point = sum(
            weight / (corners @ vectors[text]).std() * vectors[text]
            for text, weight in parts.items()
        )
        point = point / np.linalg.norm(point)
        query = Query(k=8, parts=tuple(Part(text, weight=w) for text, w in parts.items()))
        for hit in library.search(query).hits:
            assert hit.similarity == pytest.approx(float(point @ centred(hit.path.stem)), abs=0.02)


def test_a_photo_finds_similar_photos(library: Library) -> None:
    pixels = np.full((8, 8, 3), COLOURS["cyan"], np.uint8)
    hits = library.search(Query(k=4, parts=(Part(pixels=pixels, name="mine.jpg"),))).hits
    assert hits[0].path.stem == "cyan"
    assert hits[0].similarity == pytest.approx(1, abs=0.01)
    assert {hit.path.stem for hit in hits[1:]} == {"green", "blue", "white"}
    assert all(hit.relevance is None for hit in hits)


def test_a_hit_finds_similar_photos_but_not_itself(library: Library) -> None:
    query = Query(k=8, parts=(Part(id=colour_id(library, "cyan")),))
    names = stems(library, query)
    assert set(names[:3]) == {"green", "blue", "white"}
    assert len(names) == 7
    assert "cyan" not in names


def test_no_id_is_too_large_to_be_unknown(library: Library) -> None:
    for image_id in (2**63, 2**70):
        with pytest.raises(BadQuery, match="no photo with the id"):
            library.search(Query("red", parts=(Part(id=image_id),)))
        with pytest.raises(NothingFound, match="no photo with the id"):
            library.photo(image_id)


def test_an_unknown_id_is_refused(library: Library) -> None:
    with pytest.raises(BadQuery, match="no photo with the id 999"):
        library.search(Query(parts=(Part(id=999),)))


def test_parts_that_cancel_out_are_refused(library: Library) -> None:
    with pytest.raises(BadQuery, match="cancel out"):
        library.search(Query("red", parts=(Part("red", weight=-1),)))


def test_a_filter_limits_the_search_to_its_photos(library: Library, squares: Path) -> None:
    square(squares / "tall" / "red.png", "red", size=(10, 40))
    square(squares / "tall" / "blue.png", "blue", size=(10, 40))
    index(library, [squares])
    answer = library.search(Query("red", where=Filter(orientation="portrait")))
    assert [hit.path.stem for hit in answer.hits] == ["red", "blue"]
    assert (answer.among, answer.candidates) == (2, 2)
    assert library.search(Query("red", where=Filter(min_width=10_000))).hits == ()


def test_a_filter_alone_gives_the_newest_first(library: Library, squares: Path) -> None:
    for year, colour in ((2001, "red"), (2015, "blue"), (2008, "green")):
        file = next(squares.rglob(f"{colour}.*"))
        moment = datetime(year, 6, 1).timestamp()
        os.utime(file, (moment, moment))
    index(library, [squares])
    where = Filter(modified=Period(datetime(2000, 1, 1), datetime(2020, 1, 1)))
    answer = library.search(Query(where=where))
    assert [hit.path.stem for hit in answer.hits] == ["blue", "green", "red"]
    assert [hit.rank for hit in answer.hits] == [1, 2, 3]
    assert all(hit.relevance is None and hit.similarity is None for hit in answer.hits)
    paged = [
        hit for at in (0, 2) for hit in library.search(Query(where=where, k=2, offset=at)).hits
    ]
    assert paged == list(answer.hits)


# -- pages ------------------------------------------------------------------------------------


def test_pages_never_overlap_however_few_are_judged_at_a_time(tints: Path, tmp_path: Path) -> None:
    """The regressor's order differs from the prefilter's: careless paging would repeat hits."""
    rng = np.random.default_rng(3)
    for number, colour in enumerate(rng.integers(0, 256, (60, 3)).tolist()):
        square(tmp_path / "many" / f"{number:02d}.png", tuple(colour))
    with Library.open(tmp_path / "judged", create=True, profile=str(tints)) as library:
        index(library, [tmp_path / "many"])
        hits = library.search(Query("red", k=60, candidates=7)).hits
        for size in (1, 4, 9, 60):
            paged = [
                hit.id
                for start in range(0, 60, size)
                for hit in library.search(Query("red", k=size, offset=start, candidates=7)).hits
            ]
            assert paged == [hit.id for hit in hits]
        assert len({hit.id for hit in hits}) == 60


def test_min_relevance_searches_beyond_the_first_candidates(tints: Path, tmp_path: Path) -> None:
    for number in range(40):
        square(tmp_path / "many" / f"{number:02d}.png", (255, number, number))
    square(tmp_path / "many" / "blue.png", "blue")
    with Library.open(tmp_path / "judged", create=True, profile=str(tints)) as library:
        index(library, [tmp_path / "many"])
        hits = library.search(Query("red", k=100, candidates=8, min_relevance=0.8)).hits
        assert len(hits) == 40
        paged = [
            hit.id
            for start in range(0, 50, 10)
            for hit in library.search(
                Query("red", k=10, offset=start, candidates=8, min_relevance=0.8)
            ).hits
        ]
        assert paged == [hit.id for hit in hits]


def test_a_photo_shown_with_a_relevance_reaches_it(tints: Path, tmp_path: Path) -> None:
    """Single precision has no 0.45, and JSON rounds to four places."""
    for number in range(60):
        square(tmp_path / "many" / f"{number:02d}.png", (255, 4 * number, 4 * number))
    with Library.open(tmp_path / "judged", create=True, profile=str(tints)) as library:
        index(library, [tmp_path / "many"])
        hits = library.search(Query("red", k=60)).hits
        shown = {hit.id: round(hit.relevance or 0, 4) for hit in hits}
        for least in sorted(set(shown.values()))[::7]:
            reached = library.search(Query("red", k=60, min_relevance=least)).hits
            assert {hit.id for hit in reached} == {id for id in shown if shown[id] >= least}


class Counted(Profile):
    """The colour profile, counting its calls; the relevance of a photo is random."""

    encoded = 0
    judged = 0

    def encode(self, texts: list[str]) -> Floats:
        self.encoded += 1
        return super().texts.encode(texts)

    def score(self, texts: Vectors, photos: Vectors) -> Floats:
        self.judged += len(photos.aligned)
        return np.asarray(np.modf(1000 * np.abs(photos.aligned[:, 1]))[0], np.float32)

    def spread(self, vectors: Floats) -> Floats:
        return np.ones(len(vectors), np.float32)

    @property
    def texts(self) -> Any:
        return self

    @property
    def relevance(self) -> Any:
        return self


@pytest.mark.parametrize(("k", "offset", "least"), [(14, 0, 0.8), (8, 5, 0.8), (3, 30, 0.6)])
def test_more_candidates_encode_once_and_judge_each_photo_once(
    new_library: NewLibrary, models: Profile, tmp_path: Path, k: int, offset: int, least: float
) -> None:
    for number in range(150):
        square(tmp_path / "many" / f"{number:03d}.png", (255, number, number))
    library = new_library()
    index(library, [tmp_path / "many"])
    counted = Counted(models.folder, models.manifest)
    query = Query("red", k=k, offset=offset, candidates=20, min_relevance=least)
    answer = search(query, counted, library.index, library.catalog, library.mentions)
    assert answer.candidates > 2 * 20  # more than at first
    assert counted.encoded == 1
    assert counted.judged == answer.candidates
    deep = Query("red", k=150, candidates=20)
    every = search(deep, counted, library.index, library.catalog, library.mentions).hits
    fit = [hit for hit in every if hit.relevance is not None and hit.relevance >= least]
    page = [(hit.id, hit.relevance, hit.similarity) for hit in answer.hits]
    assert page == [(hit.id, hit.relevance, hit.similarity) for hit in fit[offset : offset + k]]
    assert len(page) == k


# -- a library that others write to -----------------------------------------------------------


def test_a_long_lived_reader_sees_what_others_indexed(
    library: Library, squares: Path, colours: Path
) -> None:
    with Library.open(library.folder) as reader:
        before = len(reader.search(Query("red", k=100)).hits)
        square(squares / "more.png", (250, 5, 5))
        index(library, [squares])
        reader.refresh()
        after = reader.search(Query("red", k=100)).hits
        assert len(after) == before + 1
        loaded = reader.index
        reader.refresh()
        assert reader.index is loaded  # nothing changed, so nothing is read again


def test_newest_returns_the_newest_photos(library: Library) -> None:
    every = [hit.id for hit in library.newest(k=100).hits]
    records = sorted(library.catalog.everything(), key=lambda r: (r.state.mtime_ns // 10**9, r.id))
    assert every == [record.id for record in reversed(records)]
    page = library.newest(k=3, offset=2)
    assert [hit.id for hit in page.hits] == every[2:5]
    assert [hit.rank for hit in page.hits] == [3, 4, 5]
    assert page.among == len(library)


def test_many_threads_can_search_while_the_library_changes(
    library: Library, squares: Path, colours: Path
) -> None:
    with Library.open(library.folder) as reader, ThreadPoolExecutor(8) as threads:
        stop = Event()

        def ask() -> set[int]:
            counts = set()
            while not stop.is_set():
                counts.add(len(reader.search(Query("red", k=100)).hits))
            return counts

        futures = [threads.submit(ask) for _ in range(4)]
        before = len(reader)
        for step in range(5):
            square(squares / f"more-{step}.png", (250, step, 5))
            index(library, [squares])
            reader.refresh()
        stop.set()
        for answers in futures:
            assert answers.result() <= set(range(before, before + 6))
        assert len(reader.search(Query("red", k=100)).hits) == before + 5


def test_a_photo_is_looked_up_by_its_id(library: Library) -> None:
    number = colour_id(library, "red")
    assert library.photo(number).path.stem == "red"
    with pytest.raises(NothingFound, match="999"):
        library.photo(999)
