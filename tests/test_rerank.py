"""Two orders of the same photos, compared."""

import numpy as np
import pytest

from pixquery.db.records import Floats
from pixquery.engine.alignment import unit
from pixquery.trainer.learning.judged import Judged
from pixquery.trainer.learning.rerank import compared, ranks_of, rated_queries

PHOTOS = 60


@pytest.fixture(scope="module")
def pairs() -> Judged:
    """Every photo with its own text and five others; the first column below is the truth."""
    rng = np.random.default_rng(0)
    images, texts, truth = [], [], []
    for photo in range(PHOTOS):
        for text in (photo, *rng.choice(PHOTOS, 5, replace=False)):
            images.append(f"{photo}.jpg")
            texts.append(f"{text}.jpg")
            truth.append(1.0 if text == photo else rng.choice([0.0, 1 / 3, 2 / 3]))
    own = np.array([image == text for image, text in zip(images, texts, strict=True)])
    return Judged(
        images=tuple(images),
        texts=tuple(f"the text of {text}" for text in texts),
        sources=tuple(texts),
        grades=np.repeat(np.array(truth)[:, None], 3, 1),
        share=np.full(len(images), np.nan),
        votes=np.zeros(len(images), np.int64),
        own=own,
    )


class Backwards:
    """Judges photos the better the less alike they are."""

    def score(self, texts: Floats, photos: Floats) -> Floats:
        return np.asarray(0.5 - 0.5 * (photos @ texts[0]), np.float32)


def test_ranks_are_those_of_sorting_everything() -> None:
    rng = np.random.default_rng(0)
    texts, photos = (unit(rng.normal(size=(n, 8)).astype(np.float32)) for n in (20, 50))
    photo_of = rng.integers(50, size=20)
    cosines = texts @ photos.T
    right = cosines[np.arange(20), photo_of]
    expected = 1 + (cosines > right[:, None]).sum(1)
    assert list(ranks_of(texts, photos, photo_of, None)) == list(expected)
    few = ranks_of(texts, photos, photo_of, None, candidates=5)
    assert list(few) == [rank if rank <= 5 else np.inf for rank in expected]
    turned = ranks_of(texts, photos, photo_of, Backwards(), candidates=50)
    assert list(turned) == list(51 - expected)


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
