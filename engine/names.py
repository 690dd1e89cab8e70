"""Names of things, and where photos of these things lie: a text is moved towards what it names.

A text that says nearly the same as a name is a text about that thing, whatever the text side of the
alignment makes of it. The names are those of the image encoder's classes and of groups of classes,
such as "dog" or "vehicle", and of what a library was taught.
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

_LEAST_SHARE = 1e-3
"""What counts less is left out, so that a query reads the keys of a few names only."""


@dataclass(frozen=True)
class Names:
    """The meanings of t names, and a photo's near vector for each."""

    stored_texts: NDArray[np.int8]
    """int8[t, e]: what `around` makes of texts, each row times any factor."""
    stored_keys: NDArray[np.int8]
    """int8[t, b]: unit rows times any factor."""
    centre: Floats
    """float32[e], the mean of texts: what all texts have in common tells no two of them apart."""
    temperature: float
    factor: float

    @classmethod
    def of(cls, tensors: Mapping[str, NDArray[Any]]) -> "Names":
        """Reads ``names.*``: first the names of rows of the memory, then those with own keys.

        Raises:
            KeyError: A tensor is missing.
            IndexError: A name is of a row that the memory does not have.
            ValueError: There are not as many names as keys.
        """
        texts, keys = tensors["names.texts"], []
        if "names.rows" in tensors:
            keys.append(tensors["memory.keys"][tensors["names.rows"]])
        if "names.keys" in tensors:
            keys.append(tensors["names.keys"])
        if sum(map(len, keys)) != len(texts):
            raise ValueError(f"{len(texts)} names have {sum(map(len, keys))} keys")
        return cls(
            texts,
            np.concatenate(keys),
            tensors["names.centre"].astype(np.float32),
            float(tensors["names.temperature"][0]),
            float(tensors["names.factor"][0]),
        )

    @cached_property
    def _texts(self) -> Floats:
        """float32[t, e], computed with the first text: without one, nothing is asked."""
        return unit(self.stored_texts.astype(np.float32))

    def drawn(self, near: Floats, texts: Floats) -> Floats:
        """Moves near vectors towards the photos of what the texts name.

        Args:
            near: float32[n, b], unit rows.
            texts: float32[n, e], what is compared with the names.

        Returns:
            float32[n, b], unit rows.
        """
        cosines = around(self.centre, texts) @ self._texts.T
        shares = np.exp((cosines - 1) / np.float32(self.temperature))
        shares[shares < _LEAST_SHARE] = 0
        meant = np.flatnonzero(shares.any(0))
        keys = unit(self.stored_keys[meant].astype(np.float32))
        return unit(near + np.float32(self.factor) * (shares[:, meant] @ keys))


def around(centre: Floats, texts: Floats) -> Floats:
    """Unit rows float32[n, e]: the directions of texts float32[n, e] as seen from their mean."""
    return unit(unit(texts) - centre)
