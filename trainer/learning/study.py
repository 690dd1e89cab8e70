"""The study of regressors: each judged on pairs that it has not seen, two ways of splitting.

The split by photo is the classic recipe's and leaks: nearly every caption of a held-out pair was
seen in training with another photo. It is shown so that a reader sees what it promises; the
two-way split alone decides.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit

from pixquery.db.errors import BadData
from pixquery.db.records import Floats
from pixquery.trainer.learning.ratings import Judged, Mask, aggregate, fused
from pixquery.trainer.learning.regressors import (
    Fit,
    Network,
    Predict,
    Trees,
    Values,
    calibrate,
    constant,
    fit_linear,
    fit_logistic,
    mean_of,
    similarity_only,
)
from pixquery.trainer.learning.splits import two_way
from pixquery.trainer.measuring.metrics import bootstrap, mae, rmse, spearman, tau_b, tau_c

EXPERTS, BOTH = "experts", "experts and crowd"
TWO_WAY, BY_PHOTO = "two-way", "by photo"
NONE, CONCATENATED, ALIGNED, PRODUCT = "none", "concatenated", "aligned", "product and text"
ALONE = "similarity alone"

_PHOTO_SPLITS = 5
_LEAST_GROUPS = 3
_MUCH_OVERLAP = 300
"""Pairs that experts and crowd both judged, with which every fold can map one onto the other."""
_MANY = 50
"""Photos, from which on five groups of them are large enough."""
_WORST = 20


@dataclass(frozen=True, slots=True)
class Contender:
    """A regressor, what it sees, and whose judgements it learns from."""

    name: str
    features: str
    rows: str
    fit: Fit
    splits: tuple[str, ...] = (TWO_WAY,)
    deployable: bool = False
    """Whether a query can use it without training's packages."""


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


def contenders(judged: Judged, *, seed: int = 0, few: bool = False) -> list[Contender]:
    """Who takes part: the classic recipe on both splits, and what does better on the one.

    Args:
        judged: The pairs.
        seed: Of whatever is drawn.
        few: Leave out the networks that take longest and cannot be deployed.
    """
    network, trees = Network(seed=seed), Trees(seed=seed)
    small = Network(width=64, dropout=0.1, epochs=40, seed=seed)
    blend = mean_of(fit_logistic_as_fit, *(replace(small, seed=seed + m) for m in range(3)))
    both = (TWO_WAY, BY_PHOTO)
    found = [
        Contender("constant", NONE, EXPERTS, constant),
        Contender("linear", CONCATENATED, EXPERTS, fit_linear, both),
        Contender("CatBoost", CONCATENATED, EXPERTS, trees, both),
        Contender("network", CONCATENATED, EXPERTS, network, both),
        Contender(ALONE, ALIGNED, EXPERTS, similarity_only, deployable=True),
        Contender("linear", ALIGNED, EXPERTS, fit_linear),
        Contender("CatBoost", ALIGNED, EXPERTS, Trees(depth=3, seed=seed)),
        Contender("network", ALIGNED, EXPERTS, small),
        Contender("logistic", ALIGNED, EXPERTS, fit_logistic_as_fit, deployable=True),
    ]
    if not few:
        found.append(Contender("logistic and networks", ALIGNED, EXPERTS, blend))
    if (judged.expert & judged.crowd).sum() >= _MUCH_OVERLAP:
        found.append(
            Contender("logistic, crowd", ALIGNED, BOTH, fit_logistic_as_fit, deployable=True)
        )
        if not few:
            wide = Network(width=128, epochs=8, seed=seed)
            found.append(Contender("network, crowd", PRODUCT, BOTH, wide))
    return found


def fit_logistic_as_fit(features: Floats, targets: Values, weights: Values) -> Predict:
    """`fit_logistic` as a `Fit`."""
    return fit_logistic(features, targets, weights)


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
        predicted, said, _ = _of_experts(found, judged)
        return rmse(predicted, said)

    return min((h for h in held_out if h.contender.deployable and h.split == TWO_WAY), key=error)


def cost(
    contender: Contender,
    judged: Judged,
    features: Mapping[str, Floats],
    left: Mask,
    *,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """What leaving pairs out costs: the same contender with all pairs, and with those left."""
    rows = []
    for name, kept in (("all rated pairs", np.ones_like(left)), ("those left", left)):
        some = judged.keep(kept)
        columns = {contender.features: features[contender.features][kept]}
        row = measured(hold_out(contender, some, columns, TWO_WAY, seed=seed), some, seed=seed)
        rows.append({"rows": name} | {m: row[m] for m in ("rmse", "tau_c_expert", "tau_b_crowd")})
    return rows


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


def tuned(
    judged: Judged, features: Mapping[str, Floats], trials: int, *, seed: int = 0
) -> list[Contender]:
    """Searches better settings for trees and network with Optuna (Akiba et al. 2019).

    On folds of another dealing than the study's, or the search would have seen what judges it.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rows = BOTH if (judged.expert & judged.crowd).sum() >= _MUCH_OVERLAP else EXPERTS

    def trees(trial: optuna.trial.BaseTrial) -> Contender:
        fit = Trees(
            iterations=trial.suggest_int("iterations", 100, 600, log=True),
            depth=trial.suggest_int("depth", 2, 6),
            learning_rate=trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
            l2=trial.suggest_float("l2", 1, 100, log=True),
            seed=seed,
        )
        return Contender("CatBoost, tuned", ALIGNED, EXPERTS, fit)

    def network(trial: optuna.trial.BaseTrial) -> Contender:
        fit = Network(
            width=trial.suggest_int("width", 32, 256, log=True),
            dropout=trial.suggest_float("dropout", 0.0, 0.6),
            epochs=trial.suggest_int("epochs", 4, 30, log=True),
            learning_rate=trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True),
            weight_decay=trial.suggest_float("weight_decay", 1e-3, 1.0, log=True),
            seed=seed,
        )
        return Contender("network, tuned", PRODUCT, rows, fit)

    found = []
    for make in (trees, network):

        def error(trial: optuna.trial.BaseTrial, make: Callable[..., Contender] = make) -> float:
            held_out = hold_out(make(trial), judged, features, TWO_WAY, seed=seed + 1)
            predicted, said, _ = _of_experts(held_out, judged)
            return rmse(predicted, said)

        search = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
        search.optimize(error, n_trials=trials)
        found.append(make(optuna.trial.FixedTrial(search.best_params)))
    return found


def measured(found: HeldOut, judged: Judged, *, seed: int = 0, draws: int = 200) -> dict[str, Any]:
    """A row of the report: agreement with people, with 95 % intervals over whole photos.

    Pairs of a photo and its own caption are left out against the experts, as CLIPScore does
    (Hessel et al. 2021, arXiv:2104.08718), and kept against the crowd.
    """
    _, groups = np.unique(np.array(judged.images)[found.rows], return_inverse=True)
    of_experts = judged.expert[found.rows] & ~judged.own[found.rows]
    of_crowd = judged.crowd[found.rows]
    grades = judged.grades[found.rows]
    row: dict[str, Any] = {}
    intervals: dict[str, Any] = {}

    def take(name: str, measure: Callable[..., float], kept: Mask, judgements: Values) -> None:
        if not kept.any():
            row[name] = intervals[name] = None
            return
        predicted, said = found.predicted[kept], judgements[kept]
        _, own = np.unique(groups[kept], return_inverse=True)
        row[name] = round(measure(predicted, said), 4)
        low, high = bootstrap(measure, predicted, said, groups=own, seed=seed, draws=draws)
        intervals[name] = [round(low, 4), round(high, 4)]

    means = np.full(len(grades), np.nan)
    means[judged.expert[found.rows]] = aggregate(grades[judged.expert[found.rows]], "mean")
    for name, measure in (("rmse", rmse), ("mae", mae), ("spearman", spearman)):
        take(name, measure, of_experts, means)
    take("tau_c_expert", tau_c, of_experts, grades)
    take("tau_b_crowd", tau_b, of_crowd, judged.share[found.rows])
    return {
        "name": found.contender.name,
        "features": found.contender.features,
        "rows": found.contender.rows,
        "split": found.split,
        **row,
        "ci95": intervals,
        "folds": found.folds,
        "seconds": round(found.seconds, 1),
    }


def leak_check(judged: Judged, name: str, *, seed: int = 0) -> dict[str, Any]:
    """How much of a split's held-out pairs training has seen half of."""
    photos, sources = np.array(judged.images), np.array(judged.sources)
    figures = []
    for clear, held_out in splits(judged, name, seed=seed):
        seen = {*photos[clear], *sources[clear]}
        figures.append(
            (
                clear.sum(),
                held_out.sum(),
                np.mean([photo in seen for photo in photos[held_out]]),
                np.mean([source in seen for source in sources[held_out]]),
            )
        )
    training, out, shared_photos, shared_captions = np.mean(figures, 0)
    return {
        "name": name,
        "folds": len(figures),
        "training": round(float(training), 1),
        "held_out": round(float(out), 1),
        "shared_photos": round(float(shared_photos), 4),
        "shared_captions": round(float(shared_captions), 4),
    }


def errors(found: HeldOut, judged: Judged) -> list[dict[str, Any]]:
    """How far predictions are off at each level of the experts' mean, own pairs left out."""
    predicted, said, _ = _of_experts(found, judged)
    rows = []
    for level in np.unique(said):
        off = (predicted - said)[said == level]
        rows.append(
            {
                "grade": round(float(level), 3),
                "pairs": len(off),
                "rmse": round(float(np.sqrt(np.mean(off**2))), 4),
                "bias": round(float(off.mean()), 4),
            }
        )
    return rows


def reliability(found: HeldOut, judged: Judged, *, bins: int = 10) -> list[dict[str, Any]]:
    """What was judged of pairs predicted alike: held-out pairs in equally wide bins."""
    predicted, said, _ = _of_experts(found, judged)
    place = np.minimum((predicted * bins).astype(int), bins - 1)
    return [
        {
            "predicted": round(float(predicted[place == b].mean()), 4),
            "judged": round(float(said[place == b].mean()), 4),
            "pairs": int((place == b).sum()),
        }
        for b in range(bins)
        if (place == b).any()
    ]


def worst(found: HeldOut, judged: Judged) -> list[dict[str, Any]]:
    """The pairs furthest from what the experts said."""
    predicted, said, rows = _of_experts(found, judged)
    order = np.argsort(-np.abs(predicted - said), kind="stable")[:_WORST]
    return [
        {
            "image": judged.images[rows[place]],
            "text": judged.texts[rows[place]],
            "judged": round(float(said[place]), 3),
            "predicted": round(float(predicted[place]), 3),
        }
        for place in order
    ]


def _of_experts(found: HeldOut, judged: Judged) -> tuple[Values, Values, NDArray[np.int64]]:
    kept = judged.expert[found.rows] & ~judged.own[found.rows]
    rows = found.rows[kept]
    return found.predicted[kept], aggregate(judged.grades[rows], "mean"), rows
