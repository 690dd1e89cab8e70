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
"""How many of the landmarks nearest to a text are its kin."""
CROWD = 3
"""How many of a text's kin, those nearest to a photo, tell how crowded it is."""
PEAK = 10
"""How many of the photo landmarks nearest to a text tell how well it can be answered."""


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Points of the aligned space that training left behind, to tell usual from unusual."""

    texts: Floats
    """float32[m, a]: centres of the training captions and of the names of things."""
    photos: Floats
    """float32[p, a]: centres of the training photos."""


def pair_features(texts: Floats, photos: Floats, landmarks: Landmarks) -> Floats:
    """Describes aligned pairs.

    A photo that many texts lie near is a hub: it comes up for every query, and *photo_crowding*
    tells how much (CSLS, Conneau et al. 2018, arXiv:1710.04087). Only the text's own kin are asked:
    a photo that suits many captions of sports is no worse an answer to the name of an animal.
    Cosines of general and of detailed texts are not on one scale either: the *text* columns tell
    what is usual for the text.

    Args:
        texts: float32[n, a], or float32[1, a] where one text meets many photos.
        photos: float32[n, a]
        landmarks: Of the profile.

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
    """Columns of the ``count`` largest of each row, int64[n, count]."""
    count = min(count, cosines.shape[1])
    return np.argpartition(cosines, -count, axis=1)[:, -count:]


def _peak(cosines: Floats, count: int) -> Floats:
    """Mean of the ``count`` largest of each row, float32[n]."""
    count = min(count, cosines.shape[1])
    return np.asarray(np.partition(cosines, -count, axis=1)[:, -count:].mean(1), np.float32)
