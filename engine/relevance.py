"""Relevance at query time: what people would judge, in [0, 1], from what is known of a pair."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from safetensors.numpy import save

from pixquery.db.errors import ProfileDamaged
from pixquery.db.records import Floats
from pixquery.engine.features import (
    ALIGNED,
    CONCATENATED,
    NAMES,
    PRODUCT,
    RELATIVE,
    RELATIVE_NAMES,
    Landmarks,
    Vectors,
    columns,
)
from pixquery.engine.predictors import Curve, Predictor, predictor_of
from pixquery.engine.tensors import Tensors, agreed_lengths, read_tensors
from pixquery.engine.unit import in_bytes, unit

_LEAST_SPREAD = 1e-3
"""The least spread: with few landmarks a vector may seem equally far from all of them."""

_FEWEST = 5
"""How many weights the first files had."""

_SHAPES = {
    "weights": ("f",),
    "bias": ("1",),
    "scaler.mean": ("f",),
    "scaler.deviation": ("f",),
    "landmarks.texts": ("m", "a"),
    "landmarks.photos": ("p", "a"),
    "landmarks.things": ("c", "a"),
    "landmarks.names": ("t", "a"),
    "calibration.predicted": ("k",),
    "calibration.judged": ("k",),
}
"""What the lengths of the tensors are called; equal names are equal lengths."""

Calibration = tuple[Floats, Floats]
"""float32[k] and float32[k], ascending: predictions, and the mean of what people judged then."""

AS_IT_IS: Calibration = np.array([0, 1], np.float32), np.array([0, 1], np.float32)


class Relevance(Protocol):
    """Predicts how people would judge photos for a text."""

    @property
    def landmarks(self) -> Landmarks:
        """The points that features are computed from."""
        ...

    def score(self, texts: Vectors, photos: Vectors) -> Floats:
        """Judges pairs.

        Args:
            texts: Of n texts, or of one text for many photos.
            photos: Of n photos.

        Returns:
            float32[n] in [0, 1]: 0 = does not describe the photo at all, 1 = describes it.
        """
        ...

    def spread(self, vectors: Floats) -> Floats:
        """How much a vector's cosines with usual photos vary.

        Args:
            vectors: float32[n, a], aligned texts or photos.

        Returns:
            float32[n], above 0: standard deviations of the cosines with the photo landmarks.
        """
        ...


@dataclass(frozen=True)
class Regressor:
    """Predicts how people would judge photos for a text."""

    predictor: Predictor
    landmarks: Landmarks
    """The points that features are computed from."""
    features: str = ALIGNED
    """What the predictor sees of a pair: one of ``features.FEATURES``."""
    calibration: Calibration = AS_IT_IS
    """Values between are interpolated."""

    @classmethod
    def load(
        cls,
        file: Path,
        *,
        sha256: str = "",
        kind: str = Curve.kind,
        features: str = ALIGNED,
        trees: Path | None = None,
    ) -> "Regressor":
        """Reads what :meth:`dump` returned.

        Files of curves that were written before the last columns of ``features.NAMES`` existed have
        fewer weights, and lack what those columns need.

        Args:
            file: safetensors.
            sha256: What the file must have, in hexadecimal; it may be any if this is empty.
            kind: One of ``predictors.KINDS``.
            features: One of ``features.FEATURES``.
            trees: CatBoost's file, for trees.

        Raises:
            ProfileDamaged: The file is missing, is another one or no safetensors file, lacks a
                tensor, has tensors that contradict each other or are not finite, or was trained on
                other features than this version computes.
        """
        try:
            stored = read_tensors(file, sha256).tensors
            _check_lengths(agreed_lengths(stored, _SHAPES))
            tensors = {name: tensor.astype(np.float32) for name, tensor in stored.items()}
            if kind == Curve.kind and features == ALIGNED:
                tensors["weights"] = _padded(tensors["weights"])
            regressor = cls(
                predictor_of(kind, tensors, trees),
                _landmarks_of(tensors),
                features,
                _calibration_of(tensors),
            )
        except (OSError, KeyError, IndexError, TypeError, ValueError) as error:
            raise ProfileDamaged(
                f"the relevance regressor {file} cannot be read ({error}): "
                "install the profile again"
            ) from error
        return regressor

    def refuse_other_lengths(self, aligned: int, photo: int, text: int) -> None:
        """Raises unless it is for vectors of those lengths: aligned, and raw of each side.

        Raises:
            ValueError: It is for others; the words say for which.
        """
        length = self.landmarks.texts.shape[1]
        if length != aligned:
            raise ValueError(
                f"is for vectors of {length} numbers, and the alignment gives {aligned}"
            )
        seen = {
            ALIGNED: len(NAMES),
            CONCATENATED: photo + text,
            PRODUCT: 2 * aligned + len(NAMES),
            RELATIVE: len(RELATIVE_NAMES),
        }[self.features]
        if self.predictor.width != seen:
            raise ValueError(f"sees {self.predictor.width} numbers of a pair, and there are {seen}")

    def spread(self, vectors: Floats) -> Floats:
        """float32[n]: see `Relevance`."""
        apart = (vectors @ self.landmarks.photos.T).std(1)
        return np.asarray(np.maximum(apart, _LEAST_SPREAD), np.float32)

    def score(self, texts: Vectors, photos: Vectors) -> Floats:
        """float32[n]: what is predicted, calibrated; see `Relevance`."""
        if not len(photos.aligned):
            return np.empty(0, np.float32)
        predicted = self.predictor(columns(self.features, texts, photos, self.landmarks))
        return np.asarray(np.interp(np.clip(predicted, 0, 1), *self.calibration), np.float32)

    def dump(self) -> bytes:
        """The bytes that :meth:`load` reads; landmarks are in half precision, or in 8 bits."""
        return save(
            {
                **self.predictor.tensors(),
                "landmarks.texts": self.landmarks.texts.astype(np.float16),
                "landmarks.photos": self.landmarks.photos.astype(np.float16),
                "landmarks.things": in_bytes(self.landmarks.things),
                "landmarks.names": in_bytes(self.landmarks.names),
                "calibration.predicted": self.calibration[0],
                "calibration.judged": self.calibration[1],
            }
        )


def _padded(weights: Floats) -> Floats:
    """Weights for all columns of ``features.NAMES``.

    Raises:
        ValueError: They are for other features.
    """
    if not _FEWEST <= len(weights) <= len(NAMES):
        raise ValueError(
            f"it was trained on {len(weights)} features, and this pixquery computes {len(NAMES)}"
        )
    return np.pad(weights, (0, len(NAMES) - len(weights)))


def _landmarks_of(tensors: Tensors) -> Landmarks:
    texts = tensors["landmarks.texts"]
    return Landmarks(
        texts,
        tensors["landmarks.photos"],
        unit(tensors.get("landmarks.things", texts[:0])),
        unit(tensors.get("landmarks.names", texts[:0])),
    )


def _calibration_of(tensors: Tensors) -> Calibration:
    if "calibration.judged" not in tensors:
        return AS_IT_IS
    return tensors["calibration.predicted"], tensors["calibration.judged"]


def _check_lengths(lengths: Mapping[str, int]) -> None:
    """Raises if a regressor has nothing to compare with.

    Raises:
        ValueError: It has no landmarks, or an empty calibration.
    """
    for name in ("m", "p", "k"):
        if lengths.get(name) == 0:
            raise ValueError("it has no landmarks, or its calibration is empty")
