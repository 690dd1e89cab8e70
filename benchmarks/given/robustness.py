"""Does the same picture, stored a little differently, get the same relevance?

Photos are shifted by a pixel, scaled to 90 %, and stored as JPEG of quality 70; the examples are
also stored in the eight EXIF orientations, each file encoded anew.
"""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.Image import Resampling, Transpose

from benchmarks.given.encoded import Encoded
from benchmarks.given.examples import HERE, rows_of
from benchmarks.given.figures import one
from benchmarks.setting import EXAMPLES, photos_in
from pixquery.db.records import Floats
from pixquery.trainer.measuring.queries import TestQuery, read_queries

EACH = (70, 65, 65)
"""How many photos of scenes, objects and things: 200 together."""
EDGE = 0.05
"""The change that relevance may have."""
QUALITY = 75
"""Of the JPEG files in eight orientations."""
_STORED = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_90,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_270,
}
"""How an upright picture is turned to be stored with each orientation but the first."""


def upright(content: bytes) -> Image.Image:
    """The pixels of a file in RGB, as they are seen."""
    with Image.open(io.BytesIO(content)) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def shifted(image: Image.Image) -> bytes:
    """One pixel to the right and down; the first row and column are repeated. Without loss."""
    pixels = np.asarray(image)
    return _png(Image.fromarray(np.pad(pixels, ((1, 0), (1, 0), (0, 0)), "edge")[:-1, :-1]))


def smaller(image: Image.Image) -> bytes:
    """At 90 % of width and height. Without loss."""
    size = round(0.9 * image.width), round(0.9 * image.height)
    return _png(image.resize(size, Resampling.LANCZOS))


def coarser(image: Image.Image) -> bytes:
    """As JPEG of quality 70."""
    return _jpeg(image, quality=70)


def oriented(image: Image.Image, orientation: int) -> bytes:
    """As JPEG that is stored turned or mirrored, with the EXIF orientation that undoes it."""
    stored = image.transpose(_STORED[orientation]) if orientation in _STORED else image
    exif = Image.Exif()
    exif[0x0112] = orientation
    return _jpeg(stored, quality=QUALITY, exif=exif)


CHANGES: dict[str, Callable[[Image.Image], bytes]] = {
    "shifted by a pixel": shifted,
    "at 90 % size": smaller,
    "JPEG quality 70": coarser,
}


def robustness(encoded: Encoded, sets: Sequence[tuple[Path, Path]]) -> dict[str, Any]:
    """The 95th percentile of the change of relevance.

    Args:
        encoded: The profile.
        sets: Folders of photos and files of their queries: scenes, objects and things.
    """
    photos: list[Path] = []
    queries: list[TestQuery] = []
    for (folder, file), count in zip(sets, EACH, strict=True):
        known = [q for q in read_queries(file) if (folder / q.image).is_file()]
        names = list(dict.fromkeys(query.image for query in known))[:count]
        photos += [folder / name for name in names]
        queries += [query for query in known if query.image in set(names)]
    row_of = {photo.name: row for row, photo in enumerate(photos)}
    own = (np.arange(len(queries)), np.array([row_of[query.image] for query in queries]))
    texts = encoded.texts([query.text for query in queries])
    before = encoded.relevances(texts, encoded.photos(photos))
    changes = {
        name: np.abs(encoded.relevances(texts, _changed(encoded, name, photos)) - before)
        for name in CHANGES
    }
    together = np.stack(list(changes.values()))
    reaching = np.where(before >= 0.2)
    return {
        "photos": len(photos),
        **{
            name: {
                "own pairs": _percentile(change[own]),
                "pairs from 0.2": _percentile(change[reaching]),
                "all pairs": _percentile(change),
            }
            for name, change in changes.items()
        },
        "all three": {
            "own pairs": _percentile(together[:, own[0], own[1]]),
            "pairs from 0.2": _percentile(together[:, reaching[0], reaching[1]]),
            "all pairs": _percentile(together),
        },
        "eight orientations of the examples": orientations(encoded),
    }


def _changed(encoded: Encoded, name: str, photos: Sequence[Path]) -> Floats:
    change = CHANGES[name]
    key = (name, [(str(photo), photo.stat().st_size) for photo in photos])
    return encoded.pixels(
        key,
        lambda: np.stack(
            [encoded.decoded(change(upright(photo.read_bytes()))) for photo in photos]
        ),
    )


def orientations(encoded: Encoded) -> dict[str, Any]:
    """How relevance differs among the eight orientations of each example, for its description."""
    rows = rows_of(HERE / "examples.csv")
    photos = photos_in(EXAMPLES)
    place_of = {photo.name: row for row, photo in enumerate(photos)}
    vectors = encoded.pixels(
        ("orientations", QUALITY, [(photo.name, photo.stat().st_size) for photo in photos]),
        lambda: np.stack(
            [
                encoded.decoded(oriented(upright(photo.read_bytes()), orientation))
                for photo in photos
                for orientation in range(1, 9)
            ]
        ),
    ).reshape(len(photos), 8, -1)
    texts = encoded.texts([row["description"] for row in rows])
    spreads, changes = [], []
    for row, text in zip(rows, texts, strict=True):
        relevances = encoded.relevance(text, vectors[place_of[row["image"]]])
        spreads.append(float(np.ptp(relevances)))
        changes.append(np.abs(relevances[1:] - relevances[0]))
    return {
        "change": _percentile(np.stack(changes)),
        "largest spread of one picture": {**one(max(spreads), len(spreads)), "unit": ""},
        "median spread": {**one(float(np.median(spreads)), len(spreads)), "unit": ""},
    }


def _percentile(changes: NDArray[Any]) -> dict[str, Any]:
    return {
        **one(float(np.quantile(changes, 0.95)), changes.size),
        "unit": "",
        "over 0.05": round(float((changes > EDGE).mean()), 4),
        "largest": round(float(changes.max()), 4),
    }


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _jpeg(image: Image.Image, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", **options)
    return stream.getvalue()
