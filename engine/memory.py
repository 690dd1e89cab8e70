"""The memory of an alignment: photos with known captions, which describe a new photo.

A new photo is described by the captions of the photos that it is like (a kernel average, Nadaraya
and Watson 1964; in the form of attention, Vaswani et al. 2017, arXiv:1706.03762), and by the names
of the classes that the image encoder's own classifier sees in it. A text is compared with this
description as a sentence. ``trainer/learning/memory.py`` makes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixquery.db.records import Floats
from pixquery.engine.classes import Classes
from pixquery.engine.unit import unit

_AT_ONCE = 512
"""Photos to describe at a time: their cosines with the whole memory take some megabytes."""


@dataclass(frozen=True)
class Memory:
    """Photos and the meaning of their captions."""

    stored_keys: NDArray[np.int8]
    """int8[m, b]: near vectors of photos, each row a unit row times any factor."""
    stored_values: NDArray[np.int8]
    """int8[m, e]: unit rows times one factor."""
    temperature: float
    weight: float
    """Of the description, compared with the near vector."""
    classes: Classes | None
    basis: Floats
    """float32[b + e, a]: the strongest directions of both parts together."""

    @classmethod
    def of(cls, tensors: Mapping[str, NDArray[Any]]) -> "Memory":
        """Reads ``memory.*``, ``classes.*`` and ``basis``.

        Raises:
            KeyError: A tensor is missing.
        """
        return cls(
            tensors["memory.keys"],
            tensors["memory.values"],
            float(tensors["memory.temperature"][0]),
            float(tensors["memory.weight"][0]),
            Classes.of(tensors) if "classes.weight" in tensors else None,
            tensors["basis"].astype(np.float32),
        )

    @cached_property
    def _keys(self) -> Floats:
        """float32[m, b], computed with the first photo: a query does not need it."""
        return unit(self.stored_keys.astype(np.float32))

    @cached_property
    def _values(self) -> Floats:
        """float32[m, e], rows of equal length."""
        return self.stored_values.astype(np.float32)

    @property
    def centre(self) -> Floats:
        """float32[e], the mean of all captions."""
        return np.asarray(self.stored_values.mean(0, dtype=np.float32) / self._factor, np.float32)

    def in_values(self, texts: Floats) -> NDArray[np.int8]:
        """Unit rows float32[n, e] as further rows of ``stored_values``."""
        return np.asarray(np.clip(np.round(self._factor * texts), -127, 127), np.int8)

    @property
    def _factor(self) -> np.float32:
        """The length of each row of ``stored_values``."""
        return np.float32(np.linalg.norm(self.stored_values[0].astype(np.float32)))

    def images(self, near: Floats, raw: Floats) -> Floats:
        """Unit rows float32[n, a], from near vectors float32[n, b] and raw ones float32[n, d]."""
        parts = [np.empty((0, self.basis.shape[1]), np.float32)]
        for start in range(0, len(near), _AT_ONCE):
            batch = slice(start, start + _AT_ONCE)
            parts.append(unit(self.described(near[batch], raw[batch]) @ self.basis))
        return np.concatenate(parts)

    def described(self, near: Floats, raw: Floats) -> Floats:
        """Near vectors beside descriptions, float32[n, b + e]."""
        likeness = np.exp((near @ self._keys.T - 1) / np.float32(self.temperature))
        description = unit(likeness @ self._values)
        if self.classes is not None:
            description += self.classes.seen(raw)
        return np.concatenate([near, np.float32(self.weight) * description], 1)

    def texts(self, near: Floats, raw: Floats) -> Floats:
        """Unit rows float32[n, a], from near vectors float32[n, b] and raw ones float32[n, e]."""
        return unit(np.concatenate([near, unit(raw)], 1) @ self.basis)
