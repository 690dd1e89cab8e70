"""The memory of an alignment: the photos and classes it learned from, with the mean of their texts.

Whether a text describes a photo is then also asked of the captions of similar photos: the sentence
encoder knows far better how similar two captions are than any map from photos does.
"""

import numpy as np

from pixquery.db.records import Floats
from pixquery.engine.memory import Memory
from pixquery.engine.unit import in_bytes, unit
from pixquery.trainer.learning.captioned import Captioned
from pixquery.trainer.learning.prototypes import Prototypes
from pixquery.trainer.learning.recipe import Recipe
from pixquery.trainer.learning.towers import Tensors


def remember(tensors: Tensors, data: Captioned, prototypes: Prototypes, recipe: Recipe) -> Tensors:
    """Adds the memory to an alignment.

    Args:
        tensors: From `merge`, with those of :class:`engine.classes.Classes` if there are any.
        data: The photos to remember, and the vectors of their captions.
        prototypes: Classes to remember, so that things that no caption mentions find their names.
        recipe: Its ``memory_`` values apply.

    Returns:
        The tensors with those of :class:`engine.memory.Memory`: its rows are the photos with
        captions, then the classes.
    """

    def aligned(raw: Floats) -> Floats:
        return unit(raw @ tensors["image.weight"] + tensors["image.bias"])

    photos = unit(np.mean([aligned(view) for view in data.photos], 0))
    captions = np.zeros((len(photos), data.captions.shape[1]), np.float32)
    np.add.at(captions, data.photo_of, unit(data.captions))
    captioned = np.abs(captions).sum(1) > 0
    keys = np.concatenate([photos[captioned], aligned(prototypes.photos)])
    values = unit(np.concatenate([captions[captioned], unit(prototypes.texts.mean(1))]))
    remembered = {
        **tensors,
        "memory.keys": in_bytes(keys),
        "memory.values": in_bytes(values),
        "memory.temperature": np.array([recipe.memory_temperature], np.float32),
        "memory.weight": np.array([recipe.memory_weight], np.float32),
    }
    everything = np.eye(keys.shape[1] + values.shape[1], dtype=np.float32)
    both = Memory.of({**remembered, "basis": everything}).described(photos, data.photos[0])
    _, axes = np.linalg.eigh(both.T @ both)
    basis = axes[:, ::-1][:, : recipe.memory_dimension]  # the strongest components first
    return {**remembered, "basis": np.ascontiguousarray(basis, np.float32)}
