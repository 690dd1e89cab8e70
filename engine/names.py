"""Names of things, and where photos of these things lie: a text is moved towards what it names.

A text that says nearly the same as a name is a text about that thing, whatever the text side of the
alignment makes of it. The names are those of the image encoder's classes, and of what a library was
taught.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixquery.db.records import Floats
from pixquery.engine.unit import unit

TEMPERATURE = 0.1
"""How far a text may be from a name: a cosine of 0.9 counts e times less than one of 1."""
FACTOR = 1.0
"""How far a text that is a name is moved, compared with its own length."""


@dataclass(frozen=True)
class Names:
    """The meanings of t names, and a photo's near vector for each."""

    stored_texts: NDArray[np.int8]
    """int8[t, e]: unit rows times any factor."""
    stored_keys: NDArray[np.int8]
    """int8[t, b]: unit rows times any factor."""
    centre: Floats
    """float32[e], the mean of texts: what all texts have in common tells no two of them apart."""
    temperature: float
    factor: float

    @classmethod
    def of(cls, tensors: Mapping[str, NDArray[Any]]) -> "Names":
        """Reads ``names.*``.

        Raises:
            KeyError: A tensor is missing.
            IndexError: A name is of a row that the memory does not have.
        """
        own = "names.keys" in tensors
        keys = tensors["names.keys"] if own else tensors["memory.keys"][tensors["names.rows"]]
        return cls(
            tensors["names.texts"],
            keys,
            tensors["names.centre"].astype(np.float32),
            float(tensors["names.temperature"][0]),
            float(tensors["names.factor"][0]),
        )

    @cached_property
    def _texts(self) -> Floats:
        """float32[e, t], unit columns around the centre."""
        texts = unit(self.stored_texts.astype(np.float32))
        return np.ascontiguousarray(unit(texts - self.centre).T)

    @cached_property
    def _keys(self) -> Floats:
        """float32[t, b], unit rows times the factor."""
        return np.float32(self.factor) * unit(self.stored_keys.astype(np.float32))

    def drawn(self, near: Floats, texts: Floats) -> Floats:
        """Moves near vectors towards the photos of what the texts name.

        Args:
            near: float32[n, b], unit rows.
            texts: float32[n, e], what is compared with the names.

        Returns:
            float32[n, b], unit rows.
        """
        cosines = unit(unit(texts) - self.centre) @ self._texts
        return unit(near + np.exp((cosines - 1) / np.float32(self.temperature)) @ self._keys)
