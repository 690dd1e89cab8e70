"""The alignment: from the two encoders' spaces into the shared one, where a cosine means likeness.

The image side is one linear map, the text side a small multilayer perceptron; both end on the unit
sphere. How they are fitted is told in ``trainer/align.py``.
"""

import hashlib
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from db.errors import ProfileDamaged
from db.records import Floats


class Alignment:
    """Maps raw encoder vectors onto unit vectors of one space."""

    def __init__(self, file: Path) -> None:
        """Reads the maps.

        Args:
            file: safetensors with ``image.weight`` [d, a], ``image.bias`` [a] and, for layers
                i = 0, 1, ..., ``text.i.weight`` and ``text.i.bias``, GELU between the layers.

        Raises:
            ProfileDamaged: The file is missing, no safetensors, or lacks a tensor.
        """
        try:
            content = file.read_bytes()
            tensors = {name: t.astype(np.float32) for name, t in load(content).items()}
            self._image = tensors["image.weight"], tensors["image.bias"]
            text = {int(name.split(".")[1]) for name in tensors if name.startswith("text.")}
            layers = max(text, default=0) + 1
            self._text = [
                (tensors[f"text.{layer}.weight"], tensors[f"text.{layer}.bias"])
                for layer in range(layers)
            ]
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise ProfileDamaged(
                f"the alignment {file} cannot be read ({error}): install the profile again"
            ) from error
        self.digest = hashlib.sha256(content).hexdigest()[:16]
        self.dimension = int(self._image[0].shape[1])

    def images(self, raw: Floats) -> Floats:
        """Aligns raw image vectors float32[n, d]; unit rows float32[n, a]."""
        weight, bias = self._image
        return unit(raw @ weight + bias)

    def texts(self, raw: Floats) -> Floats:
        """Aligns raw text vectors float32[n, e]; unit rows float32[n, a]."""
        layers = iter(self._text)
        weight, bias = next(layers)
        hidden = raw @ weight + bias
        for weight, bias in layers:
            hidden = _gelu(hidden) @ weight + bias
        return unit(hidden)


def unit(rows: Floats) -> Floats:
    """Scales float32[n, a] so that each row has length 1; rows of zeros stay zeros."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    return np.asarray(rows / lengths, np.float32)


def _gelu(x: Floats) -> Floats:
    """GELU's tanh form (Hendrycks and Gimpel 2016, arXiv:1606.08415), as in training."""
    inner = np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x**3)
    return np.asarray(np.float32(0.5) * x * (1 + np.tanh(inner)), np.float32)
