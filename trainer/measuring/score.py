"""Scores pairs of a photo and a text by a profile."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pixquery.db.records import Scales
from pixquery.engine.features import Vectors
from pixquery.engine.profile import Profile
from pixquery.trainer.measuring.pairs import Pair

Progress = Callable[[int, int], object]


def score(
    pairs: Sequence[Pair],
    profile: Profile,
    load: Callable[[Path], Scales],
    progress: Progress = lambda done, total: None,
) -> list[tuple[Pair, float, float | None]]:
    """Computes the similarity and the relevance of each pair.

    Args:
        pairs: The pairs to score.
        profile: The models to use.
        load: Reads a photo at the profile's sizes.
        progress: Called with the number of photos done and the number to do.

    Returns:
        Each pair with its similarity in [-1, 1] and its relevance in [0, 1], or None if the profile
        predicts no relevance.

    Raises:
        UnreadableImage: A photo cannot be read.
        ProfileDamaged: A model gives numbers that are not finite.
    """
    files = sorted({pair.image for pair in pairs})
    texts = sorted({pair.text for pair in pairs})
    encoded = []
    for start in range(0, len(files), 32):
        batch = [load(file) for file in files[start : start + 32]]
        encoded.append(profile.photos.encode_all(batch))
        progress(min(start + 32, len(files)), len(files))
    raw, raw_texts = np.concatenate(encoded), profile.texts.encode(texts)
    aligned, aligned_texts = profile.alignment.images(raw), profile.alignment.texts(raw_texts)
    photo_of = {file: row for row, file in enumerate(files)}
    text_of = {text: row for row, text in enumerate(texts)}
    photo_rows = [photo_of[pair.image] for pair in pairs]
    text_rows = [text_of[pair.text] for pair in pairs]
    photos = Vectors(aligned, lambda: raw).rows(photo_rows)
    queries = Vectors(aligned_texts, lambda: raw_texts).rows(text_rows)
    similarities = np.einsum("na,na->n", queries.aligned, photos.aligned)
    relevances: list[float | None] = [None] * len(pairs)
    if profile.relevance is not None:
        relevances = list(map(float, profile.relevance.score(queries, photos)))
    return list(zip(pairs, map(float, similarities), relevances, strict=True))
