"""The classes that the image encoder's own classifier sees in a photo, as the meaning of a text."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixquery.db.records import Floats
from pixquery.engine.unit import unit


@dataclass(frozen=True)
class Classes:
    """A classifier's last layer, and the meaning of each class's names."""

    stored_weight: NDArray[np.int8]
    """int8[c, m], over the first m numbers of a raw vector."""
    scale: NDArray[Any]
    """[c]: the factor of each row of the weight."""
    bias: Floats
    """float32[c]"""
    stored_texts: NDArray[np.int8]
    """int8[c, e]: a unit row for each class, times any factor."""
    factor: float
    """Of the classes' texts, compared with the captions of similar photos."""

    @classmethod
    def of(cls, tensors: Mapping[str, NDArray[Any]]) -> "Classes":
        """Reads ``classes.*``.

        Raises:
            KeyError: A tensor is missing.
        """
        return cls(
            tensors["classes.weight"],
            tensors["classes.scale"],
            tensors["classes.bias"].astype(np.float32),
            tensors["classes.texts"],
            float(tensors["classes.factor"][0]),
        )

    @cached_property
    def _weight(self) -> Floats:
        """float32[m, c], computed with the first photo: a query does not need it."""
        scale = self.scale.astype(np.float32)[:, None]
        return np.ascontiguousarray((self.stored_weight * scale).T)

    @cached_property
    def _texts(self) -> Floats:
        """float32[c, e], unit rows times the factor."""
        return np.float32(self.factor) * unit(self.stored_texts.astype(np.float32))

    def seen(self, raw: Floats) -> Floats:
        """The texts of the classes in each photo, weighted by their probabilities.

        Args:
            raw: float32[n, d], d >= m.

        Returns:
            float32[n, e], rows of at most the length ``factor``.
        """
        logits = raw[:, : len(self._weight)] @ self._weight + self.bias
        shares = np.exp(logits - logits.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        return np.asarray(shares @ self._texts, np.float32)
