"""Prototypes: pseudo-photos of the classes that the image encoder's classifier knows."""

from dataclasses import dataclass

import numpy as np

from pixquery.db.records import Floats


@dataclass(frozen=True, slots=True)
class Prototypes:
    """Pseudo-photos of classes, and texts that name them."""

    photos: Floats
    """float32[c, d]"""
    texts: Floats
    """float32[c, t, e]: t ways to name each class."""


def prototypes_of(classifier: Floats, photos: Floats) -> Floats:
    """Pseudo-photos from the rows of a classifier's last layer.

    Args:
        classifier: float32[c, d], one row of weights a class.
        photos: float32[n, d], real photos' vectors: they say where photos lie and how far apart.

    Returns:
        float32[c, d]: each class's direction, at the mean distance around the mean photo.
    """
    if not len(classifier):
        return classifier
    centre = photos.mean(0)
    distance = np.linalg.norm(photos - centre, axis=1).mean()
    directions = classifier - classifier.mean(0)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return np.asarray(centre + distance * directions, np.float32)
