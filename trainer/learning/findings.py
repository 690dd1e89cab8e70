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
    kept: Mask,
    *,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """What leaving pairs out costs: the same contender with all pairs, and with those kept."""
    rows = []
    for name, mask in (("all rated pairs", np.ones_like(kept)), ("those left", kept)):
        pairs = judged.keep(mask)
        columns = {contender.features: features[contender.features][mask]}
        row = measured(hold_out(contender, pairs, columns, TWO_WAY, seed=seed), pairs, seed=seed)
        rows.append({"rows": name} | {m: row[m] for m in ("rmse", "tau_c_expert", "tau_b_crowd")})
    return rows


def measured(
    held_out: HeldOut, judged: Judged, *, seed: int = 0, draws: int = 200
) -> dict[str, Any]:
    """A row of the report: agreement with people, with 95 % intervals from draws of whole photos.

    Pairs of a photo and its own caption do not count against the experts, as in CLIPScore
    (Hessel et al. 2021, arXiv:2104.08718); against the crowd they do.
    """
    _, groups = np.unique(np.array(judged.images)[held_out.rows], return_inverse=True)
    of_experts = judged.expert[held_out.rows] & ~judged.own[held_out.rows]
    of_crowd = judged.crowd[held_out.rows]
    grades = judged.grades[held_out.rows]
    row: dict[str, Any] = {}
    intervals: dict[str, Any] = {}

    def take(name: str, measure: Callable[..., float], kept: Mask, judgements: Values) -> None:
        if not kept.any():
            row[name] = intervals[name] = None
            return
        predicted, actual = held_out.predicted[kept], judgements[kept]
        _, own = np.unique(groups[kept], return_inverse=True)
        row[name] = round(measure(predicted, actual), 4)
        low, high = bootstrap(measure, predicted, actual, groups=own, seed=seed, draws=draws)
        intervals[name] = [round(low, 4), round(high, 4)]

    means = np.full(len(grades), np.nan)
    means[judged.expert[held_out.rows]] = aggregate(grades[judged.expert[held_out.rows]], "mean")
    for name, measure in (("rmse", rmse), ("mae", mae), ("spearman", spearman)):
        take(name, measure, of_experts, means)
    take("tau_c_expert", tau_c, of_experts, grades)
    take("tau_b_crowd", tau_b, of_crowd, judged.share[held_out.rows])
    return {
        "name": held_out.contender.name,
        "features": held_out.contender.features,
        "rows": held_out.contender.rows,
        "split": held_out.split,
        **row,
        "ci95": intervals,
        "folds": held_out.folds,
        "seconds": round(held_out.seconds, 1),
    }


def leak_check(judged: Judged, name: str, *, seed: int = 0) -> dict[str, Any]:
    """How many of a split's held-out photos and captions training has seen."""
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


def errors(held_out: HeldOut, judged: Judged) -> list[dict[str, Any]]:
    """Errors at each level of the experts' mean, without pairs of a photo and its own caption."""
    predicted, expert_means, _ = of_experts(held_out, judged)
    rows = []
    for level in np.unique(expert_means):
        off = (predicted - expert_means)[expert_means == level]
        rows.append(
            {
                "grade": round(float(level), 3),
                "pairs": len(off),
                "rmse": round(float(np.sqrt(np.mean(off**2))), 4),
                "bias": round(float(off.mean()), 4),
            }
        )
    return rows


def reliability(held_out: HeldOut, judged: Judged, *, bins: int = 10) -> list[dict[str, Any]]:
    """Mean prediction and mean judgement of held-out pairs, in equally wide bins."""
    predicted, expert_means, _ = of_experts(held_out, judged)
    bin_of = np.minimum((predicted * bins).astype(int), bins - 1)
    return [
        {
            "predicted": round(float(predicted[bin_of == b].mean()), 4),
            "judged": round(float(expert_means[bin_of == b].mean()), 4),
            "pairs": int((bin_of == b).sum()),
        }
        for b in range(bins)
        if (bin_of == b).any()
    ]


def worst(held_out: HeldOut, judged: Judged) -> list[dict[str, Any]]:
    """The pairs whose predictions are farthest from the experts' mean."""
    predicted, expert_means, rows = of_experts(held_out, judged)
    order = np.argsort(-np.abs(predicted - expert_means), kind="stable")[:_WORST]
    return [
        {
            "image": judged.images[rows[row]],
            "text": judged.texts[rows[row]],
            "judged": round(float(expert_means[row]), 3),
            "predicted": round(float(predicted[row]), 3),
        }
        for row in order
    ]
