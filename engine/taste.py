"""A user's own taste: what their ratings change in the relevance that a profile predicts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from pixquery.db.errors import ProfileDamaged
from pixquery.db.records import Floats
from pixquery.engine.alignment import Alignment
from pixquery.engine.features import ALIGNED, Landmarks, Vectors
from pixquery.engine.predictors import Curve, logistic
from pixquery.engine.profile_files import ProfileFiles
from pixquery.engine.relevance import Regressor, Relevance
from pixquery.engine.tensors import agreed_lengths, read_tensors

_SHAPES = {"slope": ("1",), "bias": ("1",), "direction": ("a",)}
"""What the lengths of the tensors are called; equal names are equal lengths."""

_END = 0.001
"""How near to 0 and 1 a relevance gets before its log odds are taken: they stay below 7, and no two
relevances become the same."""


def log_odds(relevance: NDArray[np.floating]) -> NDArray[np.float64]:
    """``log(p / (1 - p))`` of relevances float[n] in [0, 1], slightly drawn in at both ends."""
    inner = _END + (1 - 2 * _END) * np.asarray(relevance, np.float64)
    return np.asarray(np.log(inner / (1 - inner)), np.float64)


class Taste:
    """A regressor's relevance on the user's scale, and for the photos that the user likes.

    ``logistic(slope * log_odds(relevance) + bias + photo . direction)``: slope and bias recalibrate
    what was predicted before (Cox 1958, "Two further applications of a model for binary
    regression"; as Platt scaling, 1999), and the direction is that of the photos that the user
    rates higher than other people do.
    """

    def __init__(self, earlier: Relevance, slope: float, bias: float, direction: Floats) -> None:
        """Joins the parts.

        Args:
            earlier: What the taste is about; it stays as it is.
            slope: 1 leaves the relevance as steep as it was.
            bias: In log odds; 0 leaves its level as it was.
            direction: float32[a] in the aligned space; zeros if all photos are liked alike.
        """
        self.earlier = earlier
        self.slope = slope
        self.bias = bias
        self.direction = direction

    @classmethod
    def load(cls, file: Path, earlier: Relevance, length: int, *, sha256: str = "") -> "Taste":
        """Reads what :meth:`dump` writes.

        Args:
            file: safetensors with ``slope`` [1], ``bias`` [1] and ``direction`` [a].
            earlier: The regressor whose relevance it changes.
            length: Of an aligned vector.
            sha256: What the file must have, in hexadecimal; it may be any if this is empty.

        Raises:
            ProfileDamaged: The file is missing, is another one or no safetensors file, lacks a
                tensor, or is for vectors of another length.
        """
        try:
            stored = read_tensors(file, sha256).tensors
            agreed_lengths(stored, _SHAPES)
            slope, bias = (float(stored[name][0]) for name in ("slope", "bias"))
            direction = stored["direction"].astype(np.float32)
        except (OSError, KeyError, IndexError, TypeError, ValueError) as error:
            raise ProfileDamaged(
                f"the taste {file} cannot be read ({error}): train the profile again"
            ) from error
        if len(direction) != length:
            raise ProfileDamaged(
                f"the taste {file} is for vectors of {len(direction)} numbers, and the alignment "
                f"gives {length}: train the profile again"
            )
        return cls(earlier, slope, bias, direction)

    def spread(self, vectors: Floats) -> Floats:
        """float32[n]: as the earlier regressor's."""
        return self.earlier.spread(vectors)

    @property
    def landmarks(self) -> Landmarks:
        """The earlier regressor's."""
        return self.earlier.landmarks

    def score(self, texts: Vectors, photos: Vectors) -> Floats:
        """float32[n] in [0, 1]."""
        known = log_odds(self.earlier.score(texts, photos))
        liked = photos.aligned @ self.direction
        return np.asarray(logistic(self.slope * known + self.bias + liked), np.float32)

    def dump(self) -> bytes:
        """The bytes that :meth:`load` reads."""
        return save(
            {
                "slope": np.array([self.slope], np.float32),
                "bias": np.array([self.bias], np.float32),
                "direction": self.direction.astype(np.float32),
            }
        )


def load_relevance(
    manifest: Mapping[str, Any], files: ProfileFiles, alignment: Alignment
) -> Relevance:
    """A profile's regressor, with the taste that it may have.

    Args:
        manifest: Of a profile that predicts relevance.
        files: The profile's.
        alignment: The profile's.

    Raises:
        ProfileDamaged: A file is missing or altered, or is for another alignment or encoders.
        ProfileError: It needs a package that is not installed.
    """
    name, made = manifest["relevance"], manifest.get("regressor", {})
    file = files.path(name, read=True)
    regressor = Regressor.load(
        file,
        sha256=files.sha256(name),
        kind=made.get("kind", Curve.kind),
        features=made.get("features", ALIGNED),
        trees=files.path(made["trees"]) if "trees" in made else None,
    )
    try:
        regressor.refuse_other_lengths(alignment.dimension, *alignment.lengths)
    except ValueError as error:
        raise ProfileDamaged(
            f"the relevance regressor {file} {error}: install the profile again, or train it again"
        ) from error
    taste = manifest.get("taste")
    if taste is None:
        return regressor
    return Taste.load(
        files.path(taste, read=True), regressor, alignment.dimension, sha256=files.sha256(taste)
    )
