"""Two orders of the same photos, compared."""

import numpy as np
import pytest

from pixquery.engine.alignment import unit
from pixquery.engine.features import NAMES, Landmarks, Vectors
from pixquery.engine.predictors import Curve
from pixquery.engine.relevance import Regressor
from pixquery.trainer.learning.judged import Judged
from pixquery.trainer.learning.rerank import Order, Search, compared, orders_of, rated_queries
from tests.rated import rated_pairs


@pytest.fixture(scope="module")
def pairs() -> Judged:
    return rated_pairs()


def backwards(length: int) -> Regressor:
    """Prefers the photos that are least similar."""
    weights = np.array([-6 * (name == "similarity") for name in NAMES], np.float32)
    return Regressor(Curve(weights, 0), landmarks(length))


def landmarks(length: int) -> Landmarks:
    some = np.eye(length, dtype=np.float32)
    return Landmarks(some, some, some[:0], some[:0])


def test_ranks_are_those_of_sorting_everything() -> None:
    rng = np.random.default_rng(0)
    sides = (unit(rng.normal(size=(n, 8)).astype(np.float32)) for n in (20, 50))
    texts, photos = map(Vectors, sides)
    photo_of = rng.integers(50, size=20)
    search = Search([""] * 20, photo_of, photos.aligned, [""] * 50)
    cosines = texts.aligned @ photos.aligned.T
    right = cosines[np.arange(20), photo_of]
    expected = 1 + (cosines > right[:, None]).sum(1)
    assert list(search.ranks_in(list(orders_of(texts, photos, None)))) == list(expected)
    few = list(orders_of(texts, photos, None, candidates=5))
    assert list(search.ranks_in(few)) == [rank if rank <= 5 else np.inf for rank in expected]
    turned = list(orders_of(texts, photos, backwards(8), candidates=50))
    assert list(search.ranks_in(turned)) == list(51 - expected)


def test_what_relevance_ties_similarity_orders() -> None:
    alike, other = [0.6, 0.8, 0], [0.8, 0.6, 0]
    photos = Vectors(np.array([alike, other, [0, 0, 1]], np.float32))
    text = Vectors(np.array([[1, 0, 0]], np.float32))
    (order,) = orders_of(text, photos, Regressor(Curve(np.zeros(6, np.float32), 0), landmarks(3)))
    assert list(order.photos) == [1, 0, 2]
    assert list(order.values) == [0.5, 0.5, 0.5]
    assert list(order.similarities) == pytest.approx([0.8, 0.6, 0])
    assert Order(order.photos, order.similarities, None).values is order.similarities


def test_the_gain_is_of_the_same_queries() -> None:
    first, second = np.array([1.0, 2.0, 20.0, np.inf]), np.array([1.0, 1.0, 20.0, 3.0])
    found = compared(first, second, np.arange(4))
    assert found["first_stage"]["recall@1"] == 0.25
    assert found["reranked"]["recall@1"] == 0.5
    assert found["reranked"]["recall@5"] == 0.75
    low, high = found["gain_ci95"]["recall@1"]
    assert low == 0
    assert 0.25 <= high <= 1


def test_orders_of_rated_photos(pairs: Judged) -> None:
    truth = pairs.grades[:, 0]
    found = rated_queries(pairs, {"right": truth, "wrong": -truth})
    assert found["right"]["ndcg@10"] == 1
    assert found["wrong"]["ndcg@10"] < 0.9
