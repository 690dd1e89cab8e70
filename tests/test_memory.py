"""The memory of an alignment."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from pixquery.engine.alignment import Alignment, unit
from pixquery.trainer.learning.captioned import Captioned
from pixquery.trainer.learning.memory import remember
from pixquery.trainer.learning.prototypes import Prototypes
from pixquery.trainer.learning.recipe import Recipe

pytestmark = pytest.mark.usefixtures("one_thread")


def test_remembered_photos_are_found_by_their_captions() -> None:
    """Photos that the linear map cannot distinguish, but the sentences can."""
    rng = np.random.default_rng(0)
    photos = rng.normal(size=(200, 12)).astype(np.float32)
    captions = unit(np.concatenate([photos, photos + 0.1 * rng.normal(size=photos.shape)])[:, :6])
    tensors = {
        "image.weight": np.eye(12, dtype=np.float32),
        "image.bias": np.zeros(12, np.float32),
        "text.0.weight": np.zeros((6, 12), np.float32),  # knows nothing of photos
        "text.0.bias": np.ones(12, np.float32),
    }
    data = Captioned(photos[None], captions.astype(np.float32), np.tile(np.arange(200), 2),
                           captions)  # fmt: skip
    classes = Prototypes(photos[:3], np.zeros((3, 1, 6), np.float32))
    recipe = Recipe(memory_temperature=0.05, memory_weight=5.0, memory_dimension=18)
    with_memory = remember(tensors, data, classes, recipe)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "a.safetensors"
        file.write_bytes(save(with_memory))
        alignment = Alignment(file)
    unseen = photos[3:] + 0.05 * rng.normal(size=photos[3:].shape).astype(np.float32)
    cosines = alignment.texts(captions[3:200]) @ alignment.images(unseen).T
    assert (cosines.argmax(1) == np.arange(197)).mean() > 0.8


def test_photos_with_captions_come_first_then_classes() -> None:
    rng = np.random.default_rng(1)
    photos = rng.normal(size=(2, 5, 4)).astype(np.float32)
    captions = rng.normal(size=(6, 3)).astype(np.float32)
    tensors = {"image.weight": np.eye(4, dtype=np.float32), "image.bias": np.zeros(4, np.float32)}
    photo_of = np.array([0, 0, 1, 3, 3, 4])  # nobody described the photo 2
    classes = Prototypes(
        rng.normal(size=(2, 4)).astype(np.float32), rng.normal(size=(2, 2, 3)).astype(np.float32)
    )
    data = Captioned(photos, captions, photo_of, captions)
    remembered = remember(tensors, data, classes, Recipe(memory_dimension=7))
    keys = unit(remembered["memory.keys"].astype(np.float32))
    seen = unit(unit(photos[0]) + unit(photos[1]))[[0, 1, 3, 4]]
    wanted = np.concatenate([seen, unit(classes.photos)])
    assert keys == pytest.approx(wanted, abs=0.02)  # int8
    values = unit(remembered["memory.values"].astype(np.float32))
    assert values[0] == pytest.approx(unit(unit(captions[:2]).sum(0)[None])[0], abs=0.02)
    meant = unit(unit(classes.texts[:, 0] + classes.texts[:, 1]))
    assert values[4:] == pytest.approx(meant, abs=0.02)
