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
        classifier: float32[c, d], the weights of each class.
        photos: float32[n, d], vectors of real photos: they show where photos lie and how far apart.

    Returns:
        float32[c, d]: each class's direction from the mean photo, at the mean distance of photos.
    """
    if not len(classifier):
        return classifier
    centre = photos.mean(0)
    distance = np.linalg.norm(photos - centre, axis=1).mean()
    directions = classifier - classifier.mean(0)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return np.asarray(centre + distance * directions, np.float32)
