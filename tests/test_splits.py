"""Folds that share neither a photo nor a caption."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixquery.trainer.learning.splits import two_way

_names = st.sampled_from([f"photo{number}" for number in range(12)])
_pairs = st.lists(st.tuples(_names, _names), min_size=1, max_size=60)


@given(pairs=_pairs, groups=st.integers(3, 6), seed=st.integers(0, 99))
def test_nothing_held_out_was_seen_in_either_role(
    pairs: list[tuple[str, str]], groups: int, seed: int
) -> None:
    photos, sources = ([pair[side] for pair in pairs] for side in (0, 1))
    held_out_times = np.zeros(len(pairs), int)
    folds = 0
    for training, held_out in two_way(photos, sources, groups=groups, seed=seed):
        folds += 1
        held_out_times += held_out
        assert held_out.any()
        assert not (training & held_out).any()
        unseen = {name for pair, out in zip(pairs, held_out, strict=True) if out for name in pair}
        seen = {name for pair, used in zip(pairs, training, strict=True) if used for name in pair}
        assert unseen.isdisjoint(seen)
    assert (held_out_times == 1).all()
    assert 1 <= folds <= groups**2


def test_texts_that_are_no_photos_leave_more_to_learn_from() -> None:
    """Three of each, every pair rated: four of the nine share nothing with a held-out one."""
    photos = [f"p{number // 3}" for number in range(9)]
    texts = [f"t{number % 3}" for number in range(9)]
    folds = list(two_way(photos, texts, groups=3))
    assert len(folds) == 9
    for training, held_out in folds:
        assert (training.sum(), held_out.sum()) == (4, 1)
        row = int(np.flatnonzero(held_out)[0])
        kept = np.flatnonzero(training)
        assert all(photos[row] != photos[k] and texts[row] != texts[k] for k in kept)


def test_the_same_seed_gives_the_same_folds() -> None:
    photos = [f"p{number % 30}" for number in range(300)]
    sources = [f"p{number // 10}" for number in range(300)]

    def folds(seed: int) -> list[list[bool]]:
        return [held_out.tolist() for _, held_out in two_way(photos, sources, seed=seed)]

    assert folds(1) == folds(1)
    assert folds(1) != folds(2)


@pytest.mark.parametrize("groups", [5, 8])
def test_most_of_the_data_is_left_for_training(groups: int) -> None:
    rng = np.random.default_rng(0)
    photos, sources = ([f"p{n}" for n in rng.integers(0, 400, 3000)] for _ in range(2))
    shares = [training.mean() for training, _ in two_way(photos, sources, groups=groups)]
    # Of g groups g - 2 are clear for photo and source each (g - 1 where the two coincide).
    assert np.mean(shares) == pytest.approx(((groups - 2) / groups) ** 2, abs=0.06)
