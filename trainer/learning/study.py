"""The study of regressors: each judged on pairs that it has not seen, two ways of splitting.

The split by photo is the classic recipe's, and it leaks: training has seen nearly every caption of
the held-out pairs with another photo. The report shows what it promises; only the two-way split
decides.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
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
_LEAST_GROUPS, _LEAST_PAIRS = 3, 2
_MANY = 50
"""From so many photos on, five groups of them are large enough."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A contender's predictions for pairs that it has not seen."""

    contender: Contender
    split: str
    rows: NDArray[np.int64]
    """int64[m]: the numbers of the pairs; a split by photo may repeat one."""
    predicted: Values
    """float64[m]"""
    folds: int
    seconds: float

    def by_pair(self, count: int) -> Values:
        """float64[count]: the prediction for each pair, if every pair was held out once."""
        values = np.full(count, np.nan)
        values[self.rows] = self.predicted
        return values


def splits(judged: Judged, name: str, *, seed: int = 0) -> Iterator[tuple[Mask, Mask]]:
    """Yields (training, held out) masks bool[n] of a named split."""
    if name == TWO_WAY:
        # Where a photo is nobody's source, a fold leaves more to learn from: see `two_way`.
        few = len(set(judged.images)) < _MANY and not set(judged.images).isdisjoint(judged.sources)
        yield from two_way(judged.images, judged.sources, groups=3 if few else 5, seed=seed)
        return
    shuffled = GroupShuffleSplit(_PHOTO_SPLITS, test_size=0.3, random_state=seed)
    rows = np.arange(len(judged.images))
    for training, held_out in shuffled.split(rows, groups=judged.images):
        yield np.isin(rows, training), np.isin(rows, held_out)


def check_groups(judged: Judged) -> None:
    """Refuses pairs from which nothing can be learned.

    Raises:
        BadData: There are fewer than three photos or texts, or all pairs have the same judgement.
    """
    for what, groups in (("photos", judged.images), ("texts", judged.sources)):
        if len(set(groups)) < _LEAST_GROUPS:
            raise BadData(
                f"the ratings are of only {len(set(groups))} {what}, and holding pairs out needs "
                f"{_LEAST_GROUPS} or more: rate more {what}"
            )
    grades = aggregate(judged.grades[judged.expert], "mean")
    if not len(grades) or np.ptp(grades) == 0:
        raise BadData(
            "all pairs have the same judgement, so there is nothing to learn: add pairs with "
            "other judgements"
        )


def hold_out(
    contender: Contender,
    judged: Judged,
    features: Mapping[str, Floats],
    split: str,
    *,
    seed: int = 0,
) -> HeldOut:
    """Predicts every held-out pair with a regressor fitted to pairs that share nothing with it.

    Raises:
        BadData: A fold has too few pairs to learn from.
    """
    begin = perf_counter()
    columns = features[contender.features]
    parts: list[tuple[NDArray[np.int64], Values]] = []
    for clear, held_out in splits(judged, split, seed=seed):
        if (clear & judged.expert).sum() < _LEAST_PAIRS:
            raise BadData(
                "there are too few ratings to hold pairs out: without the held-out photos and "
                f"texts fewer than {_LEAST_PAIRS} pairs are left to learn from: rate more of both"
            )
        predict = fit_on(contender, judged, columns, clear)
        rows = np.flatnonzero(held_out)
        parts.append((rows, np.clip(predict(columns[rows]), 0, 1).astype(np.float64)))
    return HeldOut(
        contender,
        split,
        np.concatenate([rows for rows, _ in parts]),
        np.concatenate([predicted for _, predicted in parts]),
        len(parts),
        perf_counter() - begin,
    )


def fit_on(contender: Contender, judged: Judged, columns: Floats, training: Mask) -> Predict:
    """Fits a contender to those training rows that it learns from.

    The crowd's targets are only roughly on the experts' scale, so a contender that learned from
    them is calibrated on the experts' training pairs afterwards.
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
    """Targets and weights float64[n] for a contender; only those of its own rows are meaningful."""
    if contender.rows == EXPERTS:
        targets = aggregate(judged.grades, "mean")
        return targets, np.ones(len(targets))
    return fused(judged, training)


def chosen(
    held_out: Sequence[HeldOut],
    judged: Judged,
    among: Collection[tuple[str, str, str]] | None = None,
) -> HeldOut:
    """The contender with the smallest error on two-way folds.

    Args:
        held_out: Predictions of all contenders.
        judged: The pairs.
        among: What may be chosen (``Contender.of``); by default what may be deployed unasked.
    """

    def error(one: HeldOut) -> float:
        predicted, expert_means, _ = of_experts(one, judged)
        return rmse(predicted, expert_means)

    def may_be(contender: Contender) -> bool:
        return contender.deployable if among is None else contender.of in among

    return min((h for h in held_out if may_be(h.contender) and h.split == TWO_WAY), key=error)


def cross_calibrated(held_out: HeldOut, judged: Judged, *, seed: int = 0) -> HeldOut:
    """Calibrates the predictions for each half of the photos on the other half's judgements."""
    photos = np.array(judged.images)[held_out.rows]
    names = np.unique(photos)
    half = np.isin(photos, np.random.default_rng(seed).permutation(names)[: len(names) // 2])
    known = judged.expert[held_out.rows]
    expert_means = np.full(len(known), np.nan)
    expert_means[known] = aggregate(judged.grades[held_out.rows[known]], "mean")
    predicted = held_out.predicted.copy()
    for part in (half, ~half):
        if (~part & known).any():
            level = calibrate(held_out.predicted[~part & known], expert_means[~part & known])
            predicted[part] = level(held_out.predicted[part])
    return replace(held_out, predicted=predicted)


def of_experts(held_out: HeldOut, judged: Judged) -> tuple[Values, Values, NDArray[np.int64]]:
    """Predictions, experts' means and rows, without pairs of a photo and its own caption."""
    kept = judged.expert[held_out.rows] & ~judged.own[held_out.rows]
    rows = held_out.rows[kept]
    return held_out.predicted[kept], aggregate(judged.grades[rows], "mean"), rows
