"""Relevance at query time: what people would judge, in [0, 1], from the features of a pair."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from pixquery.db.errors import ProfileDamaged
from pixquery.db.records import Floats
from pixquery.engine.features import NAMES, Landmarks, pair_features
from pixquery.engine.tensors import agreed_lengths, read_tensors
from pixquery.engine.unit import in_bytes, unit


class Relevance(Protocol):
    """Predicts how people would judge photos for a text."""

    def score(self, texts: Floats, photos: Floats) -> Floats:
        """Judges aligned pairs.

        Args:
            texts: float32[n, a], or float32[1, a] for one text and many photos.
            photos: float32[n, a]

        Returns:
            float32[n] in [0, 1]: 0 = does not describe the photo at all, 1 = describes it.
        """
        ...

    def spread(self, vectors: Floats) -> Floats:
        """How much a vector's cosines with usual photos vary.

        Args:
            vectors: float32[n, a], aligned texts or photos.

        Returns:
            float32[n], above 0: standard deviations.
        """
        ...


_LEAST_SPREAD = 1e-3
"""The least spread: with few landmarks a vector may seem equally far from all of them."""

_FEWEST = 5
"""How many weights the first files had."""

_SHAPES = {
    "weights": ("f",),
    "bias": ("1",),
    "landmarks.texts": ("m", "a"),
    "landmarks.photos": ("p", "a"),
    "landmarks.things": ("c", "a"),
    "landmarks.names": ("t", "a"),
    "calibration.predicted": ("k",),
    "calibration.judged": ("k",),
}
"""What the lengths of the tensors are called; equal names are equal lengths."""

_AS_IT_IS = np.array([0, 1], np.float32), np.array([0, 1], np.float32)


class Logistic:
    """A logistic curve over a weighted sum of features: monotone in each, always in [0, 1]."""

    def __init__(
        self,
        weights: Floats,
        bias: float,
        landmarks: Landmarks,
        calibration: tuple[Floats, Floats] = _AS_IT_IS,
    ) -> None:
        """Joins the parts.

        Args:
            weights: float32[f], one per feature in the order of ``features.NAMES``.
            bias: Added to the weighted sum.
            landmarks: The points that features are computed from.
            calibration: float32[m] and float32[m], ascending: values of the curve, and what people
                judged such pairs on average; values between are interpolated.
        """
        self._weights = weights
        self._bias = np.float32(bias)
        self._landmarks = landmarks
        self._calibration = calibration

    @classmethod
    def load(cls, file: Path, *, sha256: str = "") -> "Logistic":
        """Reads ``weights`` [f], ``bias`` [1], ``landmarks.texts`` and ``landmarks.photos``.

        Also ``landmarks.things`` and ``landmarks.names``, ``calibration.predicted`` [m] and
        ``calibration.judged`` [m] if the file has them. Files written before the last columns of
        ``features.NAMES`` existed have fewer weights, and lack what those columns need.

        Args:
            file: safetensors.
            sha256: What the file must have, in hexadecimal; it may be any if this is empty.

        Raises:
            ProfileDamaged: The file is missing, is another one or no safetensors file, lacks a
                tensor, has tensors that contradict each other or are not finite, or was trained on
                other features than this version computes.
        """
        try:
            stored = read_tensors(file, sha256).tensors
            _check_lengths(agreed_lengths(stored, _SHAPES))
            tensors = {n: t.astype(np.float32) for n, t in stored.items()}
            texts = tensors["landmarks.texts"]
            landmarks = Landmarks(
                texts,
                tensors["landmarks.photos"],
                unit(tensors.get("landmarks.things", texts[:0])),
                unit(tensors.get("landmarks.names", texts[:0])),
            )
            weights, bias = tensors["weights"], float(tensors["bias"][0])
            calibration = _AS_IT_IS
            if "calibration.judged" in tensors:
                calibration = tensors["calibration.predicted"], tensors["calibration.judged"]
        except (OSError, KeyError, IndexError, TypeError, ValueError) as error:
            raise ProfileDamaged(
                f"the relevance regressor {file} cannot be read ({error}): "
                "install the profile again"
            ) from error
        if not _FEWEST <= len(weights) <= len(NAMES):
            raise ProfileDamaged(
                f"the relevance regressor {file} was trained on {len(weights)} features, and this "
                f"pixquery computes {len(NAMES)}: train the profile again"
            )
        weights = np.pad(weights, (0, len(NAMES) - len(weights)))
        return cls(weights, bias, landmarks, calibration)

    @property
    def landmarks(self) -> Landmarks:
        """The points that features are computed from."""
        return self._landmarks

    def spread(self, vectors: Floats) -> Floats:
        """float32[n]: standard deviations of the cosines with the photo landmarks."""
        apart = (vectors @ self._landmarks.photos.T).std(1)
        return np.asarray(np.maximum(apart, _LEAST_SPREAD), np.float32)

    def score(self, texts: Floats, photos: Floats) -> Floats:
        """float32[n]: ``1 / (1 + exp(-(weights . features + bias)))``, calibrated."""
        features = pair_features(texts, photos, self._landmarks)
        predicted = logistic(features @ self._weights + self._bias)
        return np.asarray(np.interp(predicted, *self._calibration), np.float32)

    def dump(self) -> bytes:
        """The bytes that :meth:`load` reads; landmarks are in half precision, or in 8 bits."""
        return save(
            {
                "weights": self._weights,
                "bias": np.array([self._bias], np.float32),
                "landmarks.texts": self._landmarks.texts.astype(np.float16),
                "landmarks.photos": self._landmarks.photos.astype(np.float16),
                "landmarks.things": in_bytes(self._landmarks.things),
                "landmarks.names": in_bytes(self._landmarks.names),
                "calibration.predicted": self._calibration[0],
                "calibration.judged": self._calibration[1],
            }
        )


def _check_lengths(lengths: Mapping[str, int]) -> None:
    """Raises if a regressor has nothing to compare with.

    Raises:
        ValueError: It has no landmarks, or an empty calibration.
    """
    for name in ("m", "p", "k"):
        if lengths.get(name) == 0:
            raise ValueError("it has no landmarks, or its calibration is empty")


def logistic(x: NDArray[Any]) -> NDArray[Any]:
    """``1 / (1 + exp(-x))`` in a form that cannot overflow."""
    return np.asarray((1 + np.tanh(x / 2)) / 2)
