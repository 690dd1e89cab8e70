"""What the study finds, as rows of the report."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pixquery.db.records import Floats
from pixquery.trainer.learning.aggregation import aggregate
from pixquery.trainer.learning.contenders import TWO_WAY, Contender
from pixquery.trainer.learning.judged import Judged
from pixquery.trainer.learning.splits import Mask
from pixquery.trainer.learning.study import HeldOut, hold_out, of_experts, splits
from pixquery.trainer.measuring.metrics import Values, bootstrap, mae, rmse, spearman, tau_b, tau_c

_WORST = 20


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
    predicted, said, _ = of_experts(found, judged)
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
    predicted, said, _ = of_experts(found, judged)
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
    predicted, said, rows = of_experts(found, judged)
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
