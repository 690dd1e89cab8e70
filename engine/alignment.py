"""The alignment maps the two encoders' vectors into one space, where a cosine means likeness.

The image side is one linear map, the text side a small multilayer perceptron; both give unit
vectors. A *memory* may follow: photos with known captions. A new photo is described by the captions
of the photos it is like (a kernel average, Nadaraya and Watson 1964; in the form of attention,
Vaswani et al. 2017, arXiv:1706.03762), which are compared with the text as sentences.
``trainer/learning/align.py`` fits all of it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from pixquery.db.errors import ProfileDamaged
from pixquery.db.records import Floats


class Alignment:
    """Maps raw encoder vectors to unit vectors in one space.

    Attributes:
        digest: Identifies the space.
        dimension: Length of an aligned vector, a.
        probes: float32[p, a]: aligned texts like those that people type, to tune an index with.
    """

    def __init__(self, file: Path) -> None:
        """Reads the maps.

        Args:
            file: safetensors with ``image.weight`` [d, b], ``image.bias`` [b] and, for layers
                i = 0, 1, ..., ``text.i.weight`` and ``text.i.bias``, GELU between the layers. With
                a memory also ``memory.keys`` int8[m, b] and ``memory.values`` int8[m, e], unit rows
                times a factor, ``memory.temperature`` [1], ``memory.weight`` [1] and ``basis``
                [b + e, a]. ``probes`` [p, a] is optional.

        Raises:
            ProfileDamaged: The file is missing, is no safetensors file, or lacks a tensor.
        """
        try:
            content = file.read_bytes()
            stored = load(content)
            tensors = {
                name: tensor.astype(np.float32)
                for name, tensor in stored.items()
                if tensor.dtype != np.int8
            }
            self._image = tensors["image.weight"], tensors["image.bias"]
            text = {int(name.split(".")[1]) for name in tensors if name.startswith("text.")}
            layers = max(text, default=0) + 1
            self._text = [
                (tensors[f"text.{layer}.weight"], tensors[f"text.{layer}.bias"])
                for layer in range(layers)
            ]
            self._memory = _Memory.of(stored, tensors) if "memory.keys" in stored else None
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise ProfileDamaged(
                f"the alignment {file} cannot be read ({error}): install the profile again"
            ) from error
        self.digest = hashlib.sha256(content).hexdigest()[:16]
        self.dimension = int(
            self._image[0].shape[1] if self._memory is None else self._memory.basis.shape[1]
        )
        self.probes = unit(tensors.get("probes", np.eye(self.dimension, dtype=np.float32)))

    def images(self, raw: Floats) -> Floats:
        """Aligns raw image vectors float32[n, d] to unit rows float32[n, a].

        Vectors of an earlier encoder may be shorter: what it did not compute counts as zero.
        """
        weight, bias = self._image
        aligned = unit(raw @ weight[: raw.shape[1]] + bias)
        return aligned if self._memory is None else self._memory.images(aligned)

    def texts(self, raw: Floats) -> Floats:
        """Aligns raw text vectors float32[n, e] to unit rows float32[n, a]."""
        layers = iter(self._text)
        weight, bias = next(layers)
        hidden = raw @ weight + bias
        for weight, bias in layers:
            hidden = _gelu(hidden) @ weight + bias
        aligned = unit(hidden)
        return aligned if self._memory is None else self._memory.texts(aligned, raw)


_AT_ONCE = 512
"""Photos to describe at a time: their cosines with the whole memory take some megabytes."""


@dataclass(frozen=True)
class _Memory:
    """Photos and the meaning of their captions."""

    stored_keys: NDArray[np.int8]
    stored_values: NDArray[np.int8]
    temperature: float
    weight: float
    basis: Floats
    """float32[b + e, a]: the strongest directions of both parts together."""

    @classmethod
    def of(cls, stored: Mapping[str, NDArray[Any]], tensors: Mapping[str, Floats]) -> "_Memory":
        return cls(
            stored["memory.keys"],
            stored["memory.values"],
            float(tensors["memory.temperature"][0]),
            float(tensors["memory.weight"][0]),
            tensors["basis"],
        )

    @cached_property
    def _keys(self) -> Floats:
        """float32[m, b], computed with the first photo: a query does not need it."""
        return unit(self.stored_keys.astype(np.float32))

    @cached_property
    def _values(self) -> Floats:
        """float32[m, e], rows of equal length."""
        return self.stored_values.astype(np.float32)

    def images(self, aligned: Floats) -> Floats:
        parts = [np.empty((0, self.basis.shape[1]), np.float32)]
        for start in range(0, len(aligned), _AT_ONCE):
            batch = aligned[start : start + _AT_ONCE]
            likeness = np.exp((batch @ self._keys.T - 1) / np.float32(self.temperature))
            described = unit(likeness @ self._values)
            both = np.concatenate([batch, np.float32(self.weight) * described], 1)
            parts.append(unit(both @ self.basis))
        return np.concatenate(parts)

    def texts(self, aligned: Floats, raw: Floats) -> Floats:
        return unit(np.concatenate([aligned, unit(raw)], 1) @ self.basis)


def unit(rows: Floats) -> Floats:
    """Scales float32[n, a] so that each row has length 1; rows of zeros stay zeros."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    return np.asarray(rows / lengths, np.float32)


def _gelu(x: Floats) -> Floats:
    """GELU in its tanh form (Hendrycks and Gimpel 2016, arXiv:1606.08415), as in training."""
    inner = np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x**3)
    return np.asarray(np.float32(0.5) * x * (1 + np.tanh(inner)), np.float32)
