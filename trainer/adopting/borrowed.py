"""Relevance for a model that nobody rated photos with, borrowed from one that people did.

What people judged gave another profile a curve that sees *relative* features alone, which mean
nearly the same in every space (`engine.features.relative_features`). ``docs/relevance.md`` says how
nearly; ``python -m benchmarks.transfer`` measures it, and writes the curve.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from pixquery.db.records import Floats
from pixquery.engine.alignment import Alignment
from pixquery.engine.encoders import TextEncoder
from pixquery.engine.features import RELATIVE, Landmarks
from pixquery.engine.predictors import Curve
from pixquery.engine.relevance import Regressor

CURVE = Path(__file__).with_name("borrowed.json")
"""``weights`` [1], ``bias``, ``calibration`` (``predicted`` and ``judged``, both ascending), and
what they were fitted to: ``from``, ``pairs`` and ``judges``."""
FEWEST = 20
"""How many photos show what is usual: with fewer, the scale is off by more than a few percent."""
MOST = 256
"""How many photos are kept: more change nothing."""
_TEXTS = ("sentences.txt", "names.txt")


def relevance_part(
    folder: Path, encoder: TextEncoder, alignment: Alignment, photos: Floats
) -> dict[str, Any]:
    """Writes a regressor for encoders that share a space.

    Args:
        folder: Where the profile is being made.
        encoder: The text encoder.
        alignment: Of both encoders.
        photos: float32[n, d], raw vectors of ordinary photos, such as the user's own.

    Returns:
        Its part of the manifest: ``relevance``, ``regressor`` and ``trained``. With fewer photos
        than `FEWEST`, nothing is written, and ``left_out`` says why.
    """
    if len(photos) < FEWEST:
        why = f"its scale needs {FEWEST} photos, and {len(photos)} were given"
        return {"left_out": {"relevance": why}}
    some = photos[:: -(-len(photos) // MOST)]
    texts = alignment.texts(encoder.encode(usual_texts()))
    curve = json.loads(CURVE.read_text("utf-8"))
    regressor = borrowed(curve, landmarks_of(texts, alignment.images(some)))
    file = folder / "relevance.safetensors"
    file.write_bytes(regressor.dump())
    return {
        "relevance": file.name,
        "regressor": {"kind": Curve.kind, "features": RELATIVE},
        "trained": {
            **{name: curve[name] for name in ("from", "pairs", "judges")},
            "borrowed": True,
        },
    }


def usual_texts() -> list[str]:
    """What a text is compared with: sentences about photos of all kinds, and names of things."""
    files = (Path(__file__).with_name(name) for name in _TEXTS)
    return [line for file in files for line in file.read_text("utf-8").splitlines()]


def landmarks_of(texts: Floats, photos: Floats) -> Landmarks:
    """Landmarks without things.

    Args:
        texts: float32[m, a], the aligned `usual_texts`.
        photos: float32[p, a], aligned.
    """
    return Landmarks(texts, photos, things=photos[:0], names=texts[:0])


def borrowed(curve: dict[str, Any], landmarks: Landmarks) -> Regressor:
    """The curve of ``borrowed.json``, with the landmarks of another space."""
    predicted, judged = (
        np.array(curve["calibration"][side], np.float32) for side in ("predicted", "judged")
    )
    weights = np.array(curve["weights"], np.float32)
    return Regressor(Curve(weights, curve["bias"]), landmarks, RELATIVE, (predicted, judged))
