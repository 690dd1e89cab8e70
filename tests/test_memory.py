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
