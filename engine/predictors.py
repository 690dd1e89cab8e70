"""What turns the columns of pairs into predictions, as training found it: plain numbers, no code.

The curve, the line and the layers are computed with NumPy. Trees are CatBoost's own file, which
only CatBoost reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from pixquery.db.errors import ProfileDamaged, ProfileError
from pixquery.db.records import Floats

Tensors = Mapping[str, NDArray[Any]]


class Predictor(Protocol):
    """Predicts judgements of pairs from their columns."""

    kind: ClassVar[str]
    """What the manifest calls it."""

    def __call__(self, columns: Floats) -> Floats:
        """float32[n, f] -> float32[n]: about 0 to 1, before it is calibrated."""
        ...

    @property
    def width(self) -> int:
        """How many columns it sees, f; 0 if it does not say."""
        ...

    def tensors(self) -> dict[str, Floats]:
        """What :func:`predictor_of` makes the same one from."""
        ...


@dataclass(frozen=True)
class Curve:
    """A logistic curve over a weighted sum of columns: monotone in each, always in [0, 1]."""

    kind: ClassVar[str] = "logistic"
    weights: Floats
    """float32[f]"""
    bias: float

    def __call__(self, columns: Floats) -> Floats:
        """float32[n]: ``1 / (1 + exp(-(columns . weights + bias)))``."""
        return logistic(columns @ self.weights + np.float32(self.bias))

    @property
    def width(self) -> int:
        """How many columns it sees, f."""
        return len(self.weights)

    def tensors(self) -> dict[str, Floats]:
        """``weights`` [f] and ``bias`` [1]."""
        return {"weights": self.weights, "bias": np.array([self.bias], np.float32)}


@dataclass(frozen=True)
class Scaler:
    """Columns with a mean of 0 and a deviation of 1 in training (scikit-learn's StandardScaler)."""

    mean: Floats
    """float32[f]"""
    deviation: Floats
    """float32[f], above 0"""

    def __call__(self, columns: Floats) -> Floats:
        """Standardises float32[n, f]."""
        return (columns - self.mean) / self.deviation

    def folded(self, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """What does to columns as they are what a weight and a bias do to standardised ones.

        Args:
            weight: float32[f, o]
            bias: float32[o]
        """
        scaled = weight.astype(np.float64) / self.deviation[:, None]
        return scaled.astype(np.float32), (bias - self.mean @ scaled).astype(np.float32)

    def tensors(self) -> dict[str, Floats]:
        """``scaler.mean`` and ``scaler.deviation``, [f] each."""
        return {"scaler.mean": self.mean, "scaler.deviation": self.deviation}


@dataclass(frozen=True)
class Line:
    """A weighted sum of standardised columns."""

    kind: ClassVar[str] = "linear"
    scaler: Scaler
    weights: Floats
    """float32[f]"""
    bias: float

    def __call__(self, columns: Floats) -> Floats:
        """float32[n], which may be outside of [0, 1]."""
        weight, bias = self._folded
        return (columns @ weight + bias)[:, 0]

    @cached_property
    def _folded(self) -> tuple[Floats, Floats]:
        return self.scaler.folded(self.weights[:, None], np.array([self.bias], np.float32))

    @property
    def width(self) -> int:
        """How many columns it sees, f."""
        return len(self.weights)

    def tensors(self) -> dict[str, Floats]:
        """``weights`` [f], ``bias`` [1], and the scaler's."""
        bias = np.array([self.bias], np.float32)
        return {"weights": self.weights, "bias": bias, **self.scaler.tensors()}


@dataclass(frozen=True)
class Layers:
    """Fully connected layers with rectifiers between them, the last through a logistic curve.

    Batch normalisation (Ioffe and Szegedy 2015, arXiv:1502.03167) is a part of the weights.
    """

    kind: ClassVar[str] = "network"
    scaler: Scaler
    layers: tuple[tuple[Floats, Floats], ...]
    """A weight float32[i, o] and a bias float32[o] each; the last layer has one output."""

    def __call__(self, columns: Floats) -> Floats:
        """float32[n], in [0, 1]."""
        *hidden, (weight, bias) = self._folded
        seen = columns
        for each, shift in hidden:
            seen = np.maximum(seen @ each + shift, 0)
        return logistic((seen @ weight + bias)[:, 0])

    @cached_property
    def _folded(self) -> tuple[tuple[Floats, Floats], ...]:
        first, *others = self.layers
        return (self.scaler.folded(*first), *others)

    @property
    def width(self) -> int:
        """How many columns it sees, f."""
        return len(self.layers[0][0])

    def tensors(self) -> dict[str, Floats]:
        """``layers.0.weight`` [f, o], ``layers.0.bias`` [o], and so on, and the scaler's."""
        named = {
            f"layers.{place}.{part}": tensor
            for place, layer in enumerate(self.layers)
            for part, tensor in zip(("weight", "bias"), layer, strict=True)
        }
        return {**named, **self.scaler.tensors()}


@dataclass(frozen=True)
class Trees:
    """Boosted trees in CatBoost's own file (``.cbm``)."""

    kind: ClassVar[str] = "catboost"
    file: Path

    def __call__(self, columns: Floats) -> Floats:
        """float32[n], which may be outside of [0, 1]."""
        return np.asarray(self._model.predict(columns, thread_count=1), np.float32)

    @property
    def width(self) -> int:
        """How many columns it sees, f."""
        return len(self._model.feature_names_)

    def tensors(self) -> dict[str, Floats]:
        """None: all is in the file."""
        return {}

    @cached_property
    def _model(self) -> Any:
        try:
            from catboost import CatBoostError, CatBoostRegressor
        except ImportError as error:
            raise ProfileError(
                f"the relevance regressor {self.file} is made of CatBoost's trees, and CatBoost is "
                "not installed: pip install 'pixquery[catboost]'"
            ) from error
        try:
            return CatBoostRegressor().load_model(str(self.file))
        except CatBoostError as error:
            raise ProfileDamaged(
                f"the relevance regressor {self.file} cannot be read: install the profile again"
            ) from error


KINDS = (Curve.kind, Line.kind, Trees.kind, Layers.kind)


def predictor_of(kind: str, tensors: Tensors, trees: Path | None = None) -> Predictor:
    """Makes a predictor of what its ``tensors`` returned.

    Args:
        kind: One of ``KINDS``.
        tensors: float32
        trees: CatBoost's file, if it is of that kind.

    Raises:
        KeyError: A tensor is missing.
        ValueError: Tensors contradict each other, the kind is unknown, or there is no file.
    """
    if kind == Trees.kind:
        if trees is None:
            raise ValueError("it names no file of trees")
        return Trees(trees)
    if kind == Curve.kind:
        return Curve(tensors["weights"], float(tensors["bias"][0]))
    scaler = Scaler(tensors["scaler.mean"], tensors["scaler.deviation"])
    if not (scaler.deviation > 0).all():
        raise ValueError("a deviation of its columns is not above 0")
    if kind == Line.kind:
        _agree(scaler, len(tensors["weights"]))
        return Line(scaler, tensors["weights"], float(tensors["bias"][0]))
    if kind != Layers.kind:
        raise ValueError(f"{kind!r} is no kind of regressor")
    layers: list[tuple[Floats, Floats]] = []
    while f"layers.{len(layers)}.weight" in tensors:
        place = f"layers.{len(layers)}"
        layers.append((tensors[f"{place}.weight"], tensors[f"{place}.bias"]))
    if not layers:
        raise KeyError("layers.0.weight")
    _agree(scaler, len(layers[0][0]))
    lengths = [weight.shape[1] for weight, _ in layers]
    for (weight, bias), length in zip(layers, lengths, strict=True):
        if bias.shape != (length,):
            raise ValueError(f"a layer of {weight.shape} numbers has a bias of {bias.shape}")
    if [len(weight) for weight, _ in layers[1:]] != lengths[:-1] or lengths[-1] != 1:
        raise ValueError("its layers do not fit together")
    return Layers(scaler, tuple(layers))


def _agree(scaler: Scaler, width: int) -> None:
    if scaler.mean.shape != (width,) or scaler.deviation.shape != (width,):
        raise ValueError(f"it sees {width} columns, and scales {scaler.mean.shape}")


def logistic(x: NDArray[Any]) -> NDArray[Any]:
    """``1 / (1 + exp(-x))`` in a form that cannot overflow."""
    return np.asarray((1 + np.tanh(x / 2)) / 2)
