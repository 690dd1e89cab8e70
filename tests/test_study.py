"""The competition of regressors, against cases that a person can work out."""

from collections.abc import Callable

import numpy as np
import pytest

from pixquery.db.errors import BadData
from pixquery.db.records import Floats
from pixquery.engine.alignment import unit

study = pytest.importorskip(
    "pixquery.trainer.learning.study", reason="scikit-learn comes with the extra `train`"
)
rerank = pytest.importorskip("pixquery.trainer.learning.rerank", reason="needs the extra `train`")
ratings = pytest.importorskip("pixquery.trainer.learning.ratings")

PHOTOS = 60


@pytest.fixture(scope="module")
def pairs() -> object:
    """Every photo with its own text and five others; the first column below is the truth."""
    rng = np.random.default_rng(0)
    images, texts, truth = [], [], []
    for photo in range(PHOTOS):
        for text in (photo, *rng.choice(PHOTOS, 5, replace=False)):
            images.append(f"{photo}.jpg")
            texts.append(f"{text}.jpg")
            truth.append(1.0 if text == photo else rng.choice([0.0, 1 / 3, 2 / 3]))
    own = np.array([image == text for image, text in zip(images, texts, strict=True)])
    return ratings.Judged(
        images=tuple(images),
        texts=tuple(f"the text of {text}" for text in texts),
        sources=tuple(texts),
        grades=np.repeat(np.array(truth)[:, None], 3, 1),
        share=np.full(len(images), np.nan),
        votes=np.zeros(len(images), np.int64),
        own=own,
    )


def knowing(pairs: object, noise: float) -> dict[str, Floats]:
    truth = pairs.grades[:, 0]  # type: ignore[attr-defined]
    rng = np.random.default_rng(1)
    column = truth + noise * rng.normal(size=len(truth))
    return {"known": np.asarray(column[:, None], np.float32)}


def as_it_is(features: Floats, targets: np.ndarray, weights: np.ndarray) -> Callable[..., object]:
    return lambda unseen: np.asarray(unseen[:, 0], np.float64)


def contender(name: str = "as it is", *, deployable: bool = True) -> object:
    return study.Contender(name, "known", study.EXPERTS, as_it_is, deployable=deployable)


def test_every_pair_is_predicted_once_by_who_has_not_seen_it(pairs: object) -> None:
    count = len(pairs.images)  # type: ignore[attr-defined]
    number = np.arange(count, dtype=np.float32)[:, None]
    told: list[tuple[set[int], set[int]]] = []

    def spy(features: Floats, targets: np.ndarray, weights: np.ndarray) -> Callable[..., object]:
        seen = {int(row) for row in features[:, 0]}

        def predict(unseen: Floats) -> object:
            told.append((seen, {int(row) for row in unseen[:, 0]}))
            return np.zeros(len(unseen))

        return predict

    spying = study.Contender("spy", "number", study.EXPERTS, spy)
    found = study.hold_out(spying, pairs, {"number": number}, study.TWO_WAY)
    assert sorted(found.rows) == list(range(count))
    for seen, asked in told:
        names = [
            {pairs.images[row] for row in rows} | {pairs.sources[row] for row in rows}  # type: ignore[attr-defined]
            for rows in (seen, asked)
        ]
        assert not names[0] & names[1]


def test_a_split_by_photo_leaks_and_the_two_way_split_does_not(pairs: object) -> None:
    two_way, by_photo = (study.leak_check(pairs, s) for s in (study.TWO_WAY, study.BY_PHOTO))
    assert (two_way["shared_photos"], two_way["shared_captions"]) == (0, 0)
    assert by_photo["shared_captions"] > 0.9
    assert (two_way["folds"], by_photo["folds"]) == (25, 5)


def test_who_knows_the_truth_makes_no_error(pairs: object) -> None:
    found = study.hold_out(contender(), pairs, knowing(pairs, 0.0), study.TWO_WAY)
    row = study.measured(found, pairs, draws=20)
    assert (row["rmse"], row["mae"], row["spearman"]) == (0, 0, 1)
    assert row["tau_b_crowd"] is None
    assert row["ci95"]["rmse"] == [0, 0]
    assert all(level["rmse"] == 0 for level in study.errors(found, pairs))


def test_the_least_error_wins_among_the_deployable(pairs: object) -> None:
    held_out = [
        study.hold_out(one, pairs, knowing(pairs, noise), study.TWO_WAY)
        for one, noise in (
            (contender("rough"), 0.3),
            (contender("fine"), 0.1),
            (contender("perfect, but heavy", deployable=False), 0.0),
        )
    ]
    assert study.chosen(held_out, pairs).contender.name == "fine"


def test_the_worst_pairs_are_the_furthest_off(pairs: object) -> None:
    features = knowing(pairs, 0.0)
    row = int(np.flatnonzero(~pairs.own)[3])  # type: ignore[attr-defined]
    features["known"][row] = 1 - features["known"][row]
    off = abs(1 - 2 * float(pairs.grades[row, 0]))  # type: ignore[attr-defined]
    found = study.hold_out(contender(), pairs, features, study.TWO_WAY)
    worst = study.worst(found, pairs)[0]
    assert worst["image"] == pairs.images[row]  # type: ignore[attr-defined]
    assert abs(worst["judged"] - worst["predicted"]) == pytest.approx(off, abs=0.01)


def test_calibration_across_halves_mends_what_is_off(pairs: object) -> None:
    features = knowing(pairs, 0.0)
    features["known"] = features["known"] ** 2 * 0.5  # in order, and far too low
    found = study.hold_out(contender(), pairs, features, study.TWO_WAY)
    mended = study.cross_calibrated(found, pairs)
    before, after = (study.measured(one, pairs, draws=2)["rmse"] for one in (found, mended))
    assert after < before / 3
    for bin_ in study.reliability(mended, pairs):
        assert bin_["predicted"] == pytest.approx(bin_["judged"], abs=0.1)


def test_too_little_to_learn_from_is_told(pairs: object) -> None:
    alike = pairs.keep(pairs.grades[:, 0] == 0)  # type: ignore[attr-defined]
    with pytest.raises(BadData, match="judged alike"):
        study.check_groups(alike)
    one = pairs.keep(np.array([i == "3.jpg" for i in pairs.images]))  # type: ignore[attr-defined]
    with pytest.raises(BadData, match="1 photos"):
        study.check_groups(one)


# -- re-ranking -------------------------------------------------------------------------------


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
    assert list(rerank.ranks_of(texts, photos, photo_of, None)) == list(expected)
    few = rerank.ranks_of(texts, photos, photo_of, None, candidates=5)
    assert list(few) == [rank if rank <= 5 else np.inf for rank in expected]
    turned = rerank.ranks_of(texts, photos, photo_of, Backwards(), candidates=50)
    assert list(turned) == list(51 - expected)


def test_the_gain_is_of_the_same_queries() -> None:
    first, second = np.array([1.0, 2.0, 20.0, np.inf]), np.array([1.0, 1.0, 20.0, 3.0])
    found = rerank.compared(first, second, np.arange(4))
    assert found["first_stage"]["recall@1"] == 0.25
    assert found["reranked"]["recall@1"] == 0.5
    assert found["reranked"]["recall@5"] == 0.75
    low, high = found["gain_ci95"]["recall@1"]
    assert low == 0
    assert 0.25 <= high <= 1


def test_orders_of_rated_photos(pairs: object) -> None:
    truth = pairs.grades[:, 0]  # type: ignore[attr-defined]
    found = rerank.rated_queries(pairs, {"right": truth, "wrong": -truth})
    assert found["right"]["ndcg@10"] == 1
    assert found["wrong"]["ndcg@10"] < 0.9
