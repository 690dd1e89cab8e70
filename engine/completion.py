"""Completes raw vectors that have only the first of an encoder's numbers.

A newer image encoder may say more of a photo than the one it replaces, beside the same numbers.
What it would add can be estimated from these (a ridge regression, Hoerl and Kennard 1970), so that
photos that were encoded earlier, and pseudo-photos of classes, need not be encoded again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixquery.db.records import Floats


@dataclass(frozen=True)
class Completion:
    """Estimates the last d - m of d numbers from the first m."""

    stored_weight: NDArray[np.int8]
    """int8[m, d - m]"""
    scale: NDArray[Any]
    """[d - m]: the factor of each column of the weight."""
    bias: NDArray[Any]
    """[d - m]"""

    @classmethod
    def of(cls, tensors: Mapping[str, NDArray[Any]]) -> "Completion":
        """Reads ``completion.*``.

        Raises:
            KeyError: A tensor is missing.
        """
        return cls(
            tensors["completion.weight"], tensors["completion.scale"], tensors["completion.bias"]
        )

    @cached_property
    def _weight(self) -> Floats:
        """float32[m, d - m], computed with the first vector: most libraries do not need it."""
        return np.asarray(self.stored_weight * self.scale.astype(np.float32), np.float32)

    def completed(self, raw: Floats) -> Floats:
        """float32[n, d], from float32[n, m]; vectors of another length are returned as they are."""
        if raw.shape[1] != len(self.stored_weight):
            return raw
        return np.concatenate([raw, raw @ self._weight + self.bias.astype(np.float32)], 1)
