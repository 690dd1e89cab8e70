"""Prototypes: pseudo-photos of the classes that the image encoder's classifier knows."""

from dataclasses import dataclass

import numpy as np

from pixquery.db.records import Floats


@dataclass(frozen=True, slots=True)
class Prototypes:
    """Pseudo-photos of c classes, and the texts that name them."""

    photos: Floats
    """float32[c, d]"""
    texts: Floats
    """float32[c, t, e]: t ways to name each class."""


def prototypes_of(classifier: Floats, photos: Floats) -> Floats:
    """Makes pseudo-photos from the rows of a classifier's last layer.

    Args:
        classifier: float32[c, m], the weights of each class over the first m numbers of a photo.
        photos: float32[n, d], vectors of real photos: they show where photos lie and how far apart.

    Returns:
        float32[c, d]: each class's direction from the mean photo, at the mean distance of photos;
        what the classifier does not know is estimated.
    """
    if not len(classifier):
        return np.empty((0, photos.shape[1]), np.float32)
    known = photos[:, : classifier.shape[1]]
    centre = known.mean(0)
    distance = np.linalg.norm(known - centre, axis=1).mean()
    directions = classifier - classifier.mean(0)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return completed(np.asarray(centre + distance * directions, np.float32), photos)


_RIDGE = 600.0
"""Chosen for some 6,000 photos."""


def completed(known: Floats, photos: Floats, ridge: float = _RIDGE) -> Floats:
    """Estimates the last numbers of vectors from the first ones, as they go together in photos.

    Ridge regression (Hoerl and Kennard 1970) on standardised numbers.

    Args:
        known: float32[c, m], the first numbers of c vectors.
        photos: float32[n, d], whole vectors.
        ridge: Added to the diagonal.

    Returns:
        float32[c, d]: the known numbers, and the d - m estimated ones.
    """
    count = known.shape[1]
    if count == photos.shape[1]:
        return known
    centre, spread = photos[:, :count].mean(0), photos[:, :count].std(0) + 1e-4
    standard = ((photos[:, :count] - centre) / spread).astype(np.float64)
    others = photos[:, count:].astype(np.float64)
    mean = others.mean(0)
    weights = np.linalg.solve(
        standard.T @ standard + ridge * np.eye(count), standard.T @ (others - mean)
    )
    estimated = mean + (known - centre) / spread @ weights
    return np.concatenate([known, estimated.astype(np.float32)], 1)
