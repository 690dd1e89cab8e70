"""Fits the completion of raw vectors that have only the first of an encoder's numbers."""

import numpy as np

from pixquery.db.records import Floats
from pixquery.trainer.learning.towers import Tensors


def fit_completion(photos: Floats, known: int, ridge: float) -> Tensors:
    """Fits what the last d - m numbers of a raw vector are likely to be, given the first m.

    A ridge regression over standardised numbers (Hoerl and Kennard 1970).

    Args:
        photos: float32[n, d], raw vectors of real photos.
        known: m.
        ridge: What is added to the diagonal: the more, the nearer to the mean are the estimates.

    Returns:
        The tensors of :class:`engine.completion.Completion`; none if m = d.
    """
    if known == photos.shape[1]:
        return {}
    first, last = photos[:, :known].astype(np.float64), photos[:, known:].astype(np.float64)
    centre, spread, mean = first.mean(0), first.std(0) + 1e-4, last.mean(0)
    standard = (first - centre) / spread
    slopes = np.linalg.solve(
        standard.T @ standard + ridge * np.eye(known), standard.T @ (last - mean)
    )
    weight = slopes / spread[:, None]
    scale = np.maximum(np.abs(weight).max(0) / 127, 1e-12)
    stored = np.round(weight / scale)
    return {
        "completion.weight": stored.astype(np.int8),
        "completion.scale": scale.astype(np.float32),
        "completion.bias": (mean - centre @ (stored * scale)).astype(np.float32),
    }
