"""Somebody who judges by a rule that pixquery does not know, and what is measured of it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pixquery import Library
from pixquery.engine.features import Vectors
from pixquery.engine.profile import Profile
from pixquery.engine.ratings_file import NO, PARTLY, VERDICTS, YES
from tests.conftest import COLOURS, centred, square

Rule = Callable[[Path, str], str]
"""From a photo and a text to a verdict."""

TEXTS = ("red", "green", "blue", "yellow", "cyan", "magenta")


def spread_colours(root: Path, *, count: int, seed: int = 0) -> Path:
    """Photos of random colours, named after them."""
    rng = np.random.default_rng(seed)
    for red, green, blue in rng.integers(0, 256, (count, 3)).tolist():
        square(root / f"{red:03}-{green:03}-{blue:03}.png", (red, green, blue))
    return root


def colour_of(photo: Path) -> np.ndarray:
    """The unit vector of a photo of `spread_colours`, float64[3]."""
    red, green, blue = map(int, photo.stem.split("-"))
    return centred((red, green, blue))


def strict(photo: Path, text: str) -> str:
    """Somebody who says yes to what is nearly pure, and no where others say partly."""
    cosine = float(colour_of(photo) @ centred(text))
    return YES if cosine > 0.9 else PARTLY if cosine > 0.75 else NO


def predicted(library: Library, profile: Profile, pairs: Sequence[tuple[int, str]]) -> np.ndarray:
    """The relevance float32[n] of pairs of a photo's id and a text.

    The profile has the library's encoders and alignment.
    """
    photos = Vectors(library.index.vectors(np.array([image_id for image_id, _ in pairs], np.int64)))
    distinct = sorted({text for _, text in pairs})
    rows = [distinct.index(text) for _, text in pairs]
    texts = Vectors(profile.alignment.texts(profile.texts.encode(distinct))[rows])
    assert profile.relevance is not None
    return profile.relevance.score(texts, photos)


def held_out_errors(
    library: Library, profiles: Sequence[Profile], pairs: Sequence[tuple[int, str]], rule: Rule
) -> list[float]:
    """The RMSE of each profile's relevance over such pairs."""
    records = library.catalog.records(sorted({image_id for image_id, _ in pairs}))
    truth = np.array([VERDICTS[rule(records[image_id].path, text)] for image_id, text in pairs])
    return [
        float(np.sqrt(np.square(predicted(library, each, pairs) - truth).mean()))
        for each in profiles
    ]


assert set(TEXTS) < set(COLOURS)
