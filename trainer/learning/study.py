"""The study of regressors: each judged on pairs that it has not seen, two ways of splitting.

The split by photo is the classic recipe's and leaks: nearly every caption of a held-out pair was
seen in training with another photo. It is shown so that a reader sees what it promises; the
two-way split alone decides.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit

from pixquery.db.errors import BadData
from pixquery.db.records import Floats
from pixquery.trainer.learning.aggregation import aggregate
from pixquery.trainer.learning.contenders import EXPERTS, TWO_WAY, Contender
from pixquery.trainer.learning.crowd import fused
from pixquery.trainer.learning.judged import Judged
from pixquery.trainer.learning.regressors import (
    Predict,
    calibrate,
)
from pixquery.trainer.learning.splits import Mask, two_way
from pixquery.trainer.measuring.metrics import Values, rmse

_PHOTO_SPLITS = 5
_LEAST_GROUPS = 3
_MANY = 50
"""Photos, from which on five groups of them are large enough."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A contender's predictions of pairs it has not seen."""

    contender: Contender
    split: str
    rows: NDArray[np.int64]
    """int64[m]: which pairs; one may come several times in a split by photo."""
    predicted: Values
    """float64[m]"""
    folds: int
    seconds: float

    def by_pair(self, count: int) -> Values:
        """float64[count]: the prediction of each pair, where every pair was held out once."""
        values = np.full(count, np.nan)
        values[self.rows] = self.predicted
        return values


def splits(judged: Judged, name: str, *, seed: int = 0) -> Iterator[tuple[Mask, Mask]]:
    """Yields (training, held out) masks bool[n] of a split by its name."""
    if name == TWO_WAY:
        few = len(set(judged.images)) < _MANY
        yield from two_way(judged.images, judged.sources, groups=3 if few else 5, seed=seed)
        return
    shuffled = GroupShuffleSplit(_PHOTO_SPLITS, test_size=0.3, random_state=seed)
    places = np.arange(len(judged.images))
    for training, held_out in shuffled.split(places, groups=judged.images):
        yield np.isin(places, training), np.isin(places, held_out)


def check_groups(judged: Judged) -> None:
    """Refuses pairs that nothing can be learned from.

    Raises:
        BadData: Fewer than three photos or texts, or all pairs judged alike.
    """
    for what, groups in (("photos", judged.images), ("texts", judged.sources)):
        if len(set(groups)) < _LEAST_GROUPS:
            raise BadData(
                f"the ratings are of {len(set(groups))} {what}, and pairs can be held out only "
                f"with {_LEAST_GROUPS} or more: rate more {what}"
            )
    grades = aggregate(judged.grades[judged.expert], "mean")
    if not len(grades) or np.ptp(grades) == 0:
        raise BadData(
            "all pairs are judged alike, so that there is nothing to learn: add pairs that are "
            "judged otherwise"
        )


def hold_out(
    contender: Contender,
    judged: Judged,
    features: Mapping[str, Floats],
    split: str,
    *,
    seed: int = 0,
) -> HeldOut:
    """Predicts every held-out pair by a regressor fitted on the pairs that are clear of it."""
    begin = perf_counter()
    columns = features[contender.features]
    parts: list[tuple[NDArray[np.int64], Values]] = []
    for clear, held_out in splits(judged, split, seed=seed):
        if not (clear & judged.expert).any():
            raise BadData(
                "the ratings are too few to hold pairs out: nothing is left to learn from when "
                "photos and texts of the others are kept apart. Rate more photos and texts"
            )
        predict = fit_on(contender, judged, columns, clear)
        rows = np.flatnonzero(held_out)
        parts.append((rows, np.clip(predict(columns[rows]), 0, 1)))
    return HeldOut(
        contender,
        split,
        np.concatenate([rows for rows, _ in parts]),
        np.concatenate([predicted for _, predicted in parts]),
        len(parts),
        perf_counter() - begin,
    )


def fit_on(contender: Contender, judged: Judged, columns: Floats, training: Mask) -> Predict:
    """Fits a contender on its rows of the training ones.

    Targets from the crowd are on the experts' scale only roughly, so that who learned from them is
    calibrated on the experts' training pairs afterwards.
    """
    targets, weights = lesson(contender, judged, training)
    rows = training & (judged.expert if contender.rows == EXPERTS else weights > 0)
    predict = contender.fit(columns[rows], targets[rows], weights[rows])
    if contender.rows == EXPERTS:
        return predict
    known = training & judged.expert
    level = calibrate(
        np.clip(predict(columns[known]), 0, 1), aggregate(judged.grades[known], "mean")
    )
    return lambda unseen: level(np.clip(predict(unseen), 0, 1))


def lesson(contender: Contender, judged: Judged, training: Mask) -> tuple[Values, Values]:
    """Targets and weights float64[n] of a contender; only its own rows' mean anything."""
    if contender.rows == EXPERTS:
        targets = aggregate(judged.grades, "mean")
        return targets, np.ones(len(targets))
    return fused(judged, training)


def chosen(held_out: Sequence[HeldOut], judged: Judged) -> HeldOut:
    """The deployable contender with the least error on pairs held out both ways."""

    def error(found: HeldOut) -> float:
        predicted, said, _ = of_experts(found, judged)
        return rmse(predicted, said)

    return min((h for h in held_out if h.contender.deployable and h.split == TWO_WAY), key=error)


def cross_calibrated(found: HeldOut, judged: Judged, *, seed: int = 0) -> HeldOut:
    """The predictions calibrated, each half of the photos by the other half's judgements."""
    photos = np.array(judged.images)[found.rows]
    names = np.unique(photos)
    half = np.isin(photos, np.random.default_rng(seed).permutation(names)[: len(names) // 2])
    known = judged.expert[found.rows]
    said = np.full(len(known), np.nan)
    said[known] = aggregate(judged.grades[found.rows[known]], "mean")
    predicted = found.predicted.copy()
    for part in (half, ~half):
        if (~part & known).any():
            level = calibrate(found.predicted[~part & known], said[~part & known])
            predicted[part] = level(found.predicted[part])
    return replace(found, predicted=predicted)


def of_experts(found: HeldOut, judged: Judged) -> tuple[Values, Values, NDArray[np.int64]]:
    kept = judged.expert[found.rows] & ~judged.own[found.rows]
    rows = found.rows[kept]
    return found.predicted[kept], aggregate(judged.grades[rows], "mean"), rows
