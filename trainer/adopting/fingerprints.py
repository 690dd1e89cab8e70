"""Reference numbers: what the makers' own code computes for a few photos and texts.

A network that is fed wrongly still computes something. So for each known model, a maintainer with a
network runs `pixquery models fingerprint NAME` once, and commits the numbers; whoever adds the
model compares. A vector is kept as its sums under fixed random signs, which keep distances
(Achlioptas 2003, Database-friendly random projections).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pixquery.db.errors import SourceUnusable
from pixquery.db.records import Floats
from pixquery.engine.alignment import unit
from pixquery.trainer.adopting.examples import Example, Manner, pixels_of
from pixquery.trainer.adopting.ready import Encoders
from pixquery.trainer.adopting.sources import Source
from pixquery.trainer.packages import made_with

FOLDER = Path(__file__).with_name("fingerprints")
PHOTOS = ("p01.jpg", "p08.jpg", "p12.png", "p16.jpg", "p20.jpg")
"""Tall, wide and square ones, in colour and in grey."""
TEXTS = (
    "a",
    "a black dog running through snow",
    "RED Balloon, don't look down!",
    "un café - 東京",
    "the quick brown fox jumps over the lazy dog, " * 20,
)
"""Short and too long ones, with capitals, signs and other scripts: wrong rules change them."""
_SUMS = 24
LEAST_PHOTO = 0.99
"""The least cosine, as the sums tell it: the makers resize with other libraries."""
LEAST_TEXT = 0.997


def sums(vectors: Floats) -> list[list[float]]:
    """Of each row of float32[n, d], scaled to length 1, 24 sums with fixed random signs."""
    rows = unit(np.asarray(vectors, np.float32)).astype(np.float64)
    return [[round(float(value), 5) for value in row] for row in rows @ _signs(rows.shape[1])]


def reference_of(name: str) -> dict[str, Any] | None:
    """The committed numbers for a known name; none if there are none yet."""
    file = FOLDER / f"{name}.json"
    return json.loads(file.read_text("utf-8")) if file.is_file() else None


def fingerprint(photos: Floats, texts: Floats, source: Source) -> str:
    """Numbers to commit as JSON, from the vectors of `PHOTOS` and of `TEXTS`."""
    made = {
        "from": source.named,
        "revision": source.revision,
        "made_with": made_with("torch", "transformers"),
        "photos": sums(photos),
        "texts": sums(texts),
    }
    return json.dumps(made, indent=1) + "\n"


def compared(
    reference: Mapping[str, Any],
    made: Encoders,
    examples: Sequence[Example],
    manner: Manner,
    source: Source,
) -> dict[str, float]:
    """The lowest cosines to what the makers' code computes, as the sums tell them.

    Raises:
        SourceUnusable: One is too low.
    """
    by_name = {example.name: example for example in examples}
    texts = _lowest(sums(made.text.encode(list(TEXTS))), reference["texts"])
    result = {"texts": texts}
    if all(name in by_name for name in PHOTOS):
        pixels = pixels_of([by_name[name] for name in PHOTOS], manner)
        result["photos"] = _lowest(sums(made.image.encode(pixels)), reference["photos"])
    for what, least in (("texts", LEAST_TEXT), ("photos", LEAST_PHOTO)):
        if not result.get(what, 1) >= least:
            raise SourceUnusable(
                f"{source.named} gives {what} other vectors than its makers' own code: the lowest "
                f"cosine between them is about {result[what]:.3f}, and {least} is needed; please "
                "report this, and choose another model meanwhile"
            )
    return result


def _lowest(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> float:
    """The lowest cosine of vectors of length 1 whose sums differ by so much."""
    apart = np.square(np.subtract(ours, theirs)).mean(1)
    return round(float(1 - apart.max() / 2), 5)


def _signs(dimension: int) -> np.ndarray:
    """-1 or 1, float64[d, 24]: the same on every machine, whatever NumPy's generators become."""
    bits = hashlib.shake_256(b"pixquery").digest(dimension * _SUMS // 8)
    signs = np.unpackbits(np.frombuffer(bits, np.uint8)).astype(np.float64) * 2 - 1
    return signs.reshape(dimension, _SUMS)
