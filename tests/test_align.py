"""An alignment whose answer is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from pixquery.db.records import Floats
from pixquery.engine.alignment import Alignment, unit
from pixquery.trainer.learning.align import adapt, fit
from pixquery.trainer.learning.captioned import Captioned
from pixquery.trainer.learning.prototypes import Prototypes
from pixquery.trainer.learning.recipe import Recipe

pytestmark = pytest.mark.usefixtures("one_thread")


def two_views(count: int, seed: int) -> tuple[Floats, Floats]:
    """The same things as photos and as texts: two linear views of hidden causes."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(count, 6))
    mixing = np.random.default_rng(7)
    photos = hidden @ mixing.normal(size=(6, 20)) + 3
    texts = hidden @ mixing.normal(size=(6, 10)) + 0.01 * rng.normal(size=(count, 10))
    return photos.astype(np.float32), texts.astype(np.float32)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Alignment:
    from safetensors.numpy import save_file

    photos, texts = two_views(300, seed=0)
    data = Captioned(photos=photos[None], captions=texts, photo_of=np.arange(300), meanings=texts)
    classes, names = two_views(30, seed=1)
    recipe = Recipe(
        epochs=40, batch=100, learning_rate=5e-3, hidden=32, width=16, image_dropout=0.0,
        text_dropout=0.0, members=1, dimension=12, prototype_batch=20,
    )  # fmt: skip
    told: list[float] = []
    tensors = fit(data, Prototypes(classes, names[:, None]), recipe, progress=told.append)
    assert len(told) == 40  # once an epoch of each member
    assert told[-1] < told[0] / 2
    again = fit(data, Prototypes(classes, names[:, None]), recipe)
    assert all(np.allclose(tensors[name], again[name], atol=1e-4) for name in tensors)
    file = tmp_path_factory.mktemp("fitted") / "a.safetensors"
    save_file(tensors, file)
    return Alignment(file)


def test_matching_photos_and_texts_are_nearest(fitted: Alignment) -> None:
    photos, texts = two_views(100, seed=5)  # never seen in training
    cosines = fitted.texts(texts) @ fitted.images(photos).T
    assert fitted.dimension == 12
    assert (cosines.argmax(1) == np.arange(100)).mean() > 0.8


def turned(vectors: Floats, angle: float) -> Floats:
    """Vectors rotated by an angle in the planes of dimensions 1 and 2, 3 and 4, and so on."""
    cos, sin = np.cos(angle), np.sin(angle)
    pairs = vectors.reshape(len(vectors), -1, 2)
    both = np.stack([cos * pairs[..., 0] - sin * pairs[..., 1],
                     sin * pairs[..., 0] + cos * pairs[..., 1]], 2)  # fmt: skip
    return np.asarray(both.reshape(vectors.shape), np.float32)


def test_adapting_starts_from_the_shared_space(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    hidden = unit(rng.normal(size=(400, 16)).astype(np.float32))
    noise = 0.15 * rng.normal(size=hidden.shape).astype(np.float32)
    photos, texts = unit(hidden + noise), turned(hidden, 0.9)
    own = {"image.weight": np.eye(16, dtype=np.float32), "image.bias": np.zeros(16, np.float32)}
    own |= {"text.0.weight": own["image.weight"], "text.0.bias": own["image.bias"]}
    data = Captioned(photos[None, :300], texts[:300], np.arange(300), texts[:300])
    recipe = Recipe(batch=100, epochs=0, soft_weight=0.0)
    for name, tensor in adapt(own, 20, data, recipe).items():
        np.testing.assert_array_equal(tensor, own[name])
    learned = adapt(own, 20, data, replace(recipe, epochs=700))

    def first(maps: dict[str, Floats]) -> float:
        """The share of unseen texts whose own photo is nearest."""
        file = tmp_path / "alignment.safetensors"
        file.write_bytes(save(maps))
        held = Alignment(file)
        cosines = held.texts(texts[300:]) @ held.images(photos[300:]).T
        return float((cosines.argmax(1) == np.arange(100)).mean())

    assert first(own) < 0.6
    assert first(learned) > first(own) + 0.15
    assert np.linalg.norm(learned["image.weight"] - own["image.weight"]) < 4
