"""What the regressor sees of a (text, photo) pair: one function for query and training."""

from dataclasses import dataclass

import numpy as np

from pixquery.db.records import Floats, Ids

NAMES = (
    "similarity",
    "photo_crowding",
    "text_peak",
    "text_mean",
    "text_spread",
)
"""The columns of :func:`pair_features`."""

KIN = 32
"""How many of the text landmarks nearest to a text are its kin."""
CROWD = 3
"""How many of a text's kin, the nearest to a photo, *photo_crowding* is averaged over."""
PEAK = 10
"""How many of the photo landmarks nearest to a text *text_peak* is averaged over."""


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Points of the aligned space, chosen in training, that show what is usual."""

    texts: Floats
    """float32[m, a]: centres of the training captions and of the names of things."""
    photos: Floats
    """float32[p, a]: centres of the training photos."""


def pair_features(texts: Floats, photos: Floats, landmarks: Landmarks) -> Floats:
    """Describes aligned pairs.

    A photo near many texts is a hub, which comes up for every query; *photo_crowding* measures this
    (CSLS, Conneau et al. 2018, arXiv:1710.04087). It only compares with the text's own kin: a photo
    near many captions of sports is no worse an answer to the name of an animal. Cosines of general
    and of detailed texts have different scales; the *text* columns describe what is usual for the
    text.

    Args:
        texts: float32[n, a], or float32[1, a] for one text and many photos.
        photos: float32[n, a]
        landmarks: The profile's.

    Returns:
        float32[n, len(NAMES)]
    """
    similarity = np.einsum("na,na->n", np.broadcast_to(texts, photos.shape), photos)
    kin = _nearest(texts @ landmarks.texts.T, KIN)
    if len(texts) == 1:
        crowding = _peak(photos @ landmarks.texts[kin[0]].T, CROWD)
    else:
        crowding = _peak(np.take_along_axis(photos @ landmarks.texts.T, kin, 1), CROWD)
    usual = texts @ landmarks.photos.T
    of_text = np.stack([_peak(usual, PEAK), usual.mean(1), usual.std(1)], 1)
    features = np.empty((len(photos), len(NAMES)), np.float32)
    features[:, 0] = similarity
    features[:, 1] = crowding
    features[:, 2:] = of_text
    return features


def _nearest(cosines: Floats, count: int) -> Ids:
    """Columns int64[n, count] of the ``count`` largest values in each row."""
    count = min(count, cosines.shape[1])
    return np.argpartition(cosines, -count, axis=1)[:, -count:]


def _peak(cosines: Floats, count: int) -> Floats:
    """Mean float32[n] of the ``count`` largest values in each row."""
    count = min(count, cosines.shape[1])
    return np.asarray(np.partition(cosines, -count, axis=1)[:, -count:].mean(1), np.float32)
