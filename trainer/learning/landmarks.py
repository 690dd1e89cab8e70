"""Chooses landmarks: points of the aligned space that show what is usual."""

import numpy as np
from sklearn.cluster import MiniBatchKMeans

from pixquery.db.records import Floats
from pixquery.engine.features import Landmarks
from pixquery.engine.profile import Profile
from pixquery.engine.unit import unit
from pixquery.trainer.learning.learned import Learned


def fit_landmarks(learned: Learned, photos: Floats, *, seed: int = 0) -> Landmarks:
    """Landmarks: cluster centres of aligned training captions, class names and photos.

    All things and their names are landmarks as they are.

    Args:
        learned: An alignment, and the texts and things that it was learned from.
        photos: float32[n, d], raw vectors of the photos.
        seed: The same seed gives the same landmarks.
    """
    aligned = learned.alignment
    texts = [
        _centres(aligned.texts(learned.captions), 768, seed),
        _centres(aligned.texts(learned.names), 512, seed),
    ]
    return Landmarks(
        texts=np.concatenate(texts),
        photos=_centres(aligned.images(photos), 256, seed),
        things=aligned.images(learned.things),
        names=aligned.texts(learned.every_name),
    )


def landmarks_of(profile: Profile, learned: Learned, photos: Floats, *, seed: int = 0) -> Landmarks:
    """The landmarks of a profile whose alignment stays; new ones if its regressor has none."""
    known: Landmarks | None = getattr(profile.relevance, "landmarks", None)
    return fit_landmarks(learned, photos, seed=seed) if known is None else known


def _centres(vectors: Floats, count: int, seed: int) -> Floats:
    if len(vectors) <= count:
        return vectors
    means = MiniBatchKMeans(count, batch_size=4096, n_init=1, max_iter=50, random_state=seed).fit(
        vectors
    )
    return unit(np.asarray(means.cluster_centers_, np.float32))
