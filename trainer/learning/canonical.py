"""Fits an alignment to a few hundred or thousand pairs: regularised canonical correlations.

The directions of photos and of texts that vary together most (Hotelling 1936), with a ridge on both
covariances (Vinod 1976): a solution in closed form with two settings. On 900 pairs of Flickr8k it
finds as much as InfoNCE with settings chosen for so few, or more where no classifier names classes
(recall@10 of 53 % against 48 %), in seconds.
"""

import numpy as np
from numpy.typing import NDArray

from pixquery.db.errors import BadData
from pixquery.trainer.learning.captioned import Captioned
from pixquery.trainer.learning.prototypes import Prototypes
from pixquery.trainer.learning.towers import Tensors
from pixquery.trainer.measuring.metrics import Values

_Matrix = NDArray[np.float64]
_PHOTO_RIDGE, _TEXT_RIDGE = 8_000.0, 800.0
"""Added to the eigenvalues of the sums of squares, in multiples of their mean per photo; chosen on
the development split of Flickr8k."""
_DIMENSION = 256


def fit_canonical(data: Captioned, classes: Prototypes, weights: Values) -> Tensors:
    """Fits linear maps to pairs and to the names of classes, if there are any.

    Classes count together as much as all pairs. Photos that repeat bring nothing new about photos,
    so the ridge is relative to the number of different ones.

    Args:
        data: m pairs of a photo and a text.
        classes: Pseudo-photos and their names; perhaps none.
        weights: float64[m], above 0.

    Returns:
        The tensors that :class:`engine.alignment.Alignment` reads, float32.

    Raises:
        BadData: All photos or all texts have the same vector.
    """
    views = len(data.photos)
    photos = [view[data.photo_of] for view in data.photos]
    texts = [data.captions] * views
    shares = [weights / weights.sum() / views] * views
    if len(classes.photos):
        photos.append(classes.photos)
        texts.append(classes.texts.mean(1))
        shares.append(np.full(len(classes.photos), 1 / len(classes.photos)))
    share = np.concatenate(shares)
    share /= share.sum()
    distinct = len(np.unique(data.photo_of))
    photo_mean, photo, photo_root = _whitened(photos, share, _PHOTO_RIDGE / distinct, "photos")
    text_mean, text, text_root = _whitened(texts, share, _TEXT_RIDGE / distinct, "texts")
    crossed = photo_root @ ((photo * share[:, None]).T @ text) @ text_root
    left, strength, right = np.linalg.svd(crossed, full_matrices=False)
    kept = slice(min(_DIMENSION, len(strength)))
    # What correlates more counts more, on both sides.
    photo_map = photo_root @ left[:, kept] * strength[kept]
    text_map = text_root @ right[kept].T * strength[kept]
    tensors = {
        "image.weight": photo_map,
        "image.bias": -photo_mean @ photo_map,
        "text.0.weight": text_map,
        "text.0.bias": -text_mean @ text_map,
    }
    scale = {side: np.abs(tensors[f"{side}.weight"]).max() for side in ("image", "text.0")}
    return {
        name: np.ascontiguousarray(tensor / scale[name.rpartition(".")[0]], np.float32)
        for name, tensor in tensors.items()
    }


def _whitened(
    parts: list[NDArray[np.float32]], share: Values, ridge: float, what: str
) -> tuple[_Matrix, _Matrix, _Matrix]:
    """The mean, the rows around it, and the root of the inverse covariance with a ridge."""
    rows = np.concatenate(parts).astype(np.float64)
    mean = share @ rows
    rows -= mean
    values, axes = np.linalg.eigh((rows * share[:, None]).T @ rows)
    level = values.mean()
    if level <= 1e-12 * max(1.0, float(mean @ mean)):
        raise BadData(
            f"the encoder gives all {what} the same vector, so that no alignment can be learned: "
            "choose another profile"
        )
    root = (axes / np.sqrt(np.maximum(values, 0) + ridge * level)) @ axes.T
    return mean, rows, root
