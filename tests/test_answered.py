"""The best and the worst answers of a study: which they are, and how the page shows them."""

import html
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pixquery.commands.loading import thumbnail_maker
from pixquery.db.errors import UnreadableImage
from pixquery.engine.alignment import unit
from pixquery.engine.features import Vectors
from pixquery.trainer.learning.answered import BEST, FIRST, WORST, answer, picked, thumbnails
from pixquery.trainer.learning.report import write_report
from pixquery.trainer.learning.rerank import Order, Search, orders_of
from tests.conftest import square
from tests.studies import answer as told
from tests.test_rerank import backwards


def search_of(photo_of: list[int], photos: int) -> Search:
    queries = [f"query {number}" for number in range(len(photo_of))]
    names = [f"{number}.jpg" for number in range(photos)]
    return Search(queries, np.array(photo_of), np.zeros((photos, 1), np.float32), names)


def order_of(photos: list[int], *relevances: float) -> Order:
    values = np.array(relevances, np.float32)
    return Order(np.array(photos), values, values)


# -- which queries ------------------------------------------------------------------------------


def test_the_best_are_far_ahead_and_the_worst_far_down() -> None:
    asked = [0, 1, 2, 3, 4, 5, 6, 7]
    orders = [
        order_of([0, 1, 2], 0.9, 0.8, 0),
        order_of([1, 2, 0], 0.9, 0.1, 0),
        order_of([2, 1, 0], 0.5, 0.2, 0),
        order_of([3, 1, 0], 0.7, 0.5, 0),
        *(order_of([0, 1, 2], 1, 0.1, 0) for _ in range(4)),
    ]
    depths = np.array([1, 1, 1, 1, 2, 900, 30, 400.0])
    picks = picked(orders, depths, search_of(asked, 8), np.ones(8, np.bool_))
    assert picks == [(1, BEST), (2, BEST), (3, BEST), (5, WORST), (7, WORST), (6, WORST)]


def test_no_photo_is_asked_for_twice_and_none_that_may_not_be_shown() -> None:
    orders = [order_of([0, 1], 0.9, lead) for lead in (0.1, 0.2, 0.3)]
    orders += [order_of([1, 0], 0.9, 0.5) for _ in range(4)]
    depths, asked = np.array([1, 1, 1, 2, 8, 7, 9.0]), [0, 0, 2, 3, 3, 2, 4]
    shown = np.array([True] * 6 + [False])
    picks = picked(orders, depths, search_of(asked, 5), shown)
    assert picks == [(0, BEST), (2, BEST), (4, WORST)]


def test_without_queries_there_is_nothing_to_show() -> None:
    assert picked([], np.empty(0), search_of([], 3), np.empty(0, np.bool_)) == []


# -- what is said of them -----------------------------------------------------------------------


@pytest.mark.parametrize("candidates", [50, 7])
def test_orders_are_those_of_sorting_everything(candidates: int) -> None:
    rng = np.random.default_rng(0)
    texts, photos = (unit(rng.normal(size=(n, 8)).astype(np.float32)) for n in (20, 50))
    photo_of = rng.integers(50, size=20)
    search = Search([f"q{n}" for n in range(20)], photo_of, photos, [f"p{n}" for n in range(50)])
    regressor = backwards(8)
    ahead, turned = (
        list(orders_of(Vectors(texts), Vectors(photos), relevance, candidates=candidates))
        for relevance in (None, regressor)
    )
    for row in range(20):
        by = {("similarity alone", "aligned"): ahead[row], ("turned", "aligned"): turned[row]}
        found = answer(search, row, WORST, by)
        assert (found["query"], found["image"]) == (f"q{row}", f"p{photo_of[row]}")
        cosines = photos @ texts[row]
        near = sorted(range(50), key=lambda photo: -cosines[photo])[:candidates]
        for order, expected in zip(found["orders"], (near, near[::-1]), strict=True):
            right = photo_of[row]
            assert order["rank"] == (expected.index(right) + 1 if right in expected else None)
            first = expected[:FIRST]
            assert [each["image"] for each in order["photos"]] == [f"p{photo}" for photo in first]
            assert [each["right"] for each in order["photos"]] == [p == right for p in first]
            said = [each["similarity"] for each in order["photos"]]
            assert said == pytest.approx(cosines[first], abs=1e-4)
        similar, relevant = (order["photos"] for order in found["orders"])
        assert {each["relevance"] for each in similar} == {None}
        scores = 1 / (1 + np.exp(6 * cosines[near[::-1][:FIRST]]))
        assert [each["relevance"] for each in relevant] == pytest.approx(scores, abs=1e-4)


# -- thumbnails ---------------------------------------------------------------------------------


def failing(path: Path) -> bytes:
    if path.name == "gone.jpg":
        raise UnreadableImage("it is gone")
    return path.name.encode()


def test_only_photos_that_are_shown_and_can_be_read_have_one() -> None:
    answers = [told("a dog", "right.jpg", BEST, 1, None, 2)]
    answers[0]["orders"][1]["photos"][0]["image"] = "gone.jpg"
    names = {"right.jpg", *(p["image"] for o in answers[0]["orders"] for p in o["photos"])}
    files = {name: Path("photos") / name for name in {*names, "another.jpg"}}
    assert thumbnails(answers, files, failing) == {
        name: name.encode() for name in names - {"gone.jpg"}
    }
    assert thumbnails(answers, files, None) == {}


HOSTILE = "\"><img src=x onerror='alert(1)'>.png"


@pytest.fixture
def drawn(tmp_path: Path) -> Callable[..., str]:
    """The page of an answer whose right photo has a hostile name."""

    def draw(*, photos: bool = True) -> str:
        answers = [told(HOSTILE, HOSTILE, BEST, 1, 2, None)]
        make = thumbnail_maker(112, 75) if photos else None
        files = {
            each["image"]: tmp_path / "missing"
            for order in answers[0]["orders"]
            for each in order["photos"]
        }
        files[HOSTILE] = square(tmp_path / "photo.jpg", "red", (300, 200))
        out = tmp_path / "out"
        write_report(out, {"answers": answers}, thumbnails(answers, files, make))
        return (out / "report.html").read_text("utf-8")

    return draw


def test_photos_are_embedded_and_others_named(drawn: Callable[..., str]) -> None:
    page = drawn()
    assert page.count('<img src="data:image/jpeg;base64,') == 3  # beside the query, in two orders
    assert page.count("<img") == 3
    assert page.count(f'alt="{html.escape(HOSTILE).replace("&quot;", "&#34;")}"'
                      .replace("&#x27;", "&#39;")) == 3  # fmt: skip
    assert "img-src data:" in page
    assert '<span class="photo">1_of_network.jpg</span>' in page
    assert page.count('<span class="badge">right</span>') == 2
    assert drawn() == page


def test_a_page_without_photos_names_all(drawn: Callable[..., str]) -> None:
    page = drawn(photos=False)
    assert "data:image" not in page
    assert "<img" not in page
    assert page.count("onerror=&#39;alert(1)&#39;") == 4
