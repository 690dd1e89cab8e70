"""Raw vectors that have only the first of an encoder's numbers."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from pixquery.db.records import Floats
from pixquery.engine.alignment import Alignment
from pixquery.engine.completion import Completion
from pixquery.engine.unit import unit
from pixquery.trainer.learning.completion import fit_completion
from pixquery.trainer.learning.prototypes import prototypes_of

pytestmark = pytest.mark.usefixtures("one_thread")


def photos(count: int, seed: int) -> Floats:
    """Nine numbers, the last three of which follow from the first six, nearly."""
    rng = np.random.default_rng(seed)
    first = rng.normal(3, [0.5, 0.5, 1, 1, 2, 1], size=(count, 6))
    mixing = np.random.default_rng(9).normal(size=(6, 3))
    last = (first - 3) / [0.5, 0.5, 1, 1, 2, 1] @ mixing + [5, -5, 0]
    last += 0.01 * rng.normal(size=(count, 3))
    return np.concatenate([first, last], 1).astype(np.float32)


def test_what_is_missing_is_estimated() -> None:
    completion = Completion.of(fit_completion(photos(2000, 0), 6, 1.0))
    unseen = photos(100, 1)
    assert completion.completed(unseen[:, :6]) == pytest.approx(unseen, abs=0.15)


def test_it_is_a_ridge_regression() -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    seen, unseen = photos(50, 2), photos(20, 3)
    centre, spread = seen[:, :6].mean(0), seen[:, :6].std(0) + 1e-4
    model = linear.Ridge(alpha=30.0).fit((seen[:, :6] - centre) / spread, seen[:, 6:])
    wanted = model.predict((unseen[:, :6] - centre) / spread)
    found = Completion.of(fit_completion(seen, 6, 30.0)).completed(unseen[:, :6])
    assert (found[:, :6] == unseen[:, :6]).all()
    assert found[:, 6:] == pytest.approx(wanted, abs=0.1)  # rounded to int8
    strong = Completion.of(fit_completion(seen, 6, 1e9)).completed(unseen[:, :6])
    assert strong[:, 6:] == pytest.approx(np.tile(seen[:, 6:].mean(0), (20, 1)), abs=1e-3)


def test_nothing_is_missing() -> None:
    assert fit_completion(photos(20, 0), 9, 1.0) == {}


def test_an_alignment_takes_both_kinds_of_vectors(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tensors = {
        "image.weight": rng.normal(size=(9, 4)).astype(np.float32),
        "image.bias": np.zeros(4, np.float32),
        "text.0.weight": rng.normal(size=(5, 4)).astype(np.float32),
        "text.0.bias": np.zeros(4, np.float32),
    }
    save_file(tensors | fit_completion(photos(2000, 0), 6, 1.0), tmp_path / "a")
    alignment = Alignment(tmp_path / "a")
    unseen = photos(30, 1)
    whole = alignment.images(unseen)
    assert whole == pytest.approx(unit(unseen @ tensors["image.weight"]), abs=1e-5)
    assert (whole * alignment.images(unseen[:, :6])).sum(1).min() > 0.99
    assert alignment.taught(np.ones((1, 5), np.float32), [unseen[:2, :6]]).dimension == 4


def test_prototypes_have_all_numbers() -> None:
    """Their first numbers lie as far from the mean as those of photos, the others follow."""
    seen = photos(2000, 0)
    classifier = np.random.default_rng(1).normal(size=(7, 6)).astype(np.float32)
    completion = Completion.of(fit_completion(seen, 6, 1.0))
    found = prototypes_of(classifier, seen, completion)
    assert found.shape == (7, 9)
    assert found[:, :6] == pytest.approx(prototypes_of(classifier, seen[:, :6]), rel=1e-5)
    assert found == pytest.approx(completion.completed(found[:, :6]), rel=1e-5)
    assert prototypes_of(classifier[:0], seen, completion).shape == (0, 9)
