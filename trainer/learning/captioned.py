"""Photos and the captions that people wrote for them."""

from dataclasses import dataclass

import numpy as np

from pixquery.db.records import Floats, Ids
from pixquery.engine.alignment import unit


@dataclass(frozen=True, slots=True)
class Captioned:
    """Photos and the captions written for them, as raw encoder vectors."""

    photos: Floats
    """float32[v, n, d]: n photos in v views (as they are, mirrored, at another precision)."""
    captions: Floats
    """float32[m, e]"""
    photo_of: Ids
    """int64[m]: the photo of each caption."""
    meanings: Floats
    """float32[m, s]: the captions by a sentence encoder that was not fitted to photos; their
    cosines say how well a caption suits another photo."""

    def photo_meanings(self) -> Floats:
        """float32[n, s]: the mean of the unit meanings of each photo's captions."""
        sums = np.zeros((self.photos.shape[1], self.meanings.shape[1]), np.float32)
        np.add.at(sums, self.photo_of, unit(self.meanings))
        counts = np.bincount(self.photo_of, minlength=len(sums))
        return np.asarray(sums / np.maximum(counts, 1)[:, None], np.float32)
