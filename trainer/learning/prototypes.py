"""Prototypes: pseudo-photos of the classes that the image encoder's classifier knows."""

from dataclasses import dataclass

import numpy as np

from pixquery.db.records import Floats
from pixquery.engine.completion import Completion


@dataclass(frozen=True, slots=True)
class Prototypes:
    """Pseudo-photos of c classes, and the texts that name them."""

    photos: Floats
    """float32[c, d]"""
    texts: Floats
    """float32[c, t, e]: t ways to name each class."""


def prototypes_of(
    classifier: Floats, photos: Floats, completion: Completion | None = None
) -> Floats:
    """Makes pseudo-photos from the rows of a classifier's last layer.

    Args:
        classifier: float32[c, m], the weights of each class over the first m numbers of a photo.
        photos: float32[n, d], vectors of real photos: they show where photos lie and how far apart.
        completion: Estimates the other d - m numbers, which the classifier does not know; needed
            if there are any.

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
    prototypes = np.asarray(centre + distance * directions, np.float32)
    return prototypes if completion is None else completion.completed(prototypes)
