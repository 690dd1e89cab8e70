"""Relevance regressors whose predictions a person can work out."""

from pathlib import Path
from typing import Literal

import numpy as np
from safetensors.numpy import save_file

from pixquery.db.records import Floats
from pixquery.engine.features import NAMES

Kind = Literal["cosine", "steep", "none"]
"""The cosine, or 0 if that is negative; logistic(6 * cosine - 3); no relevance."""

_FILE = "relevance.safetensors"


def write_regressor(folder: Path, kind: Kind, landmarks: Floats) -> dict[str, str]:
    """Writes a regressor that looks at similarity alone; returns what the manifest says of it.

    Args:
        folder: The profile's.
        kind: What it predicts.
        landmarks: float32[n, a], unit rows; how much cosines with them vary weights the parts of a
            query.
    """
    if kind == "none":
        return {}
    tensors = {
        "weights": np.array([6 * (name == "similarity") for name in NAMES], np.float32),
        "bias": np.array([-3], np.float32),
        "landmarks.texts": landmarks.astype(np.float32),
        "landmarks.photos": landmarks.astype(np.float32),
    }
    if kind == "cosine":  # calibration undoes the logistic curve
        cosines = np.linspace(-1, 1, 2001)
        tensors["calibration.predicted"] = (1 / (1 + np.exp(3 - 6 * cosines))).astype(np.float32)
        tensors["calibration.judged"] = np.maximum(0, cosines).astype(np.float32)
    save_file(tensors, folder / _FILE)
    return {"relevance": _FILE}
