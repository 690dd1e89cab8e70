"""Deploys the winner of the competition, or what was asked for.

The winner is deployed if it orders photos no worse than similarity does; what a user asks for is
deployed even where it loses, and the report says what it loses.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixquery.db.errors import BadData
from pixquery.engine.features import ALIGNED, Landmarks
from pixquery.engine.predictors import Curve, Layers, Line, Predictor, Trees
from pixquery.engine.profile import Profile
from pixquery.engine.relevance import Regressor
from pixquery.trainer.learning import findings, study
from pixquery.trainer.learning.aggregation import aggregate
from pixquery.trainer.learning.competition import Outcome
from pixquery.trainer.learning.contenders import EXPERTS
from pixquery.trainer.learning.course import Course
from pixquery.trainer.learning.learned import Learned
from pixquery.trainer.learning.regressors import Grown, Predict, calibrate
from pixquery.trainer.learning.rerank import Order, Search, compared, rated_queries
from pixquery.trainer.learning.study import of_experts
from pixquery.trainer.measuring.metrics import rmse
from pixquery.trainer.profile_folder import copy_files, learned_files, write_manifest

_MARGIN = 0.005
"""How much recall or nDCG may be lost: less is chance."""
_TREES = "relevance.cbm"


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a query orders photos by from now on."""

    outcome: Outcome
    landmarks: Landmarks
    relevance: Regressor | None
    """None: similarity orders them."""
    orders: list[Order]
    """Of the test queries."""
    report: dict[str, Any]
    """``reranking``, ``calibrated``, ``deployed`` and ``why``."""


def deploy(
    course: Course,
    folder: Path,
    outcome: Outcome,
    landmarks: Landmarks,
    learned: Learned,
    search: Search,
) -> Deployment:
    """Fits the winner to all pairs and writes it, if it orders no worse than similarity does.

    It is not there for the order alone: what it predicts means the same for every query.

    Args:
        course: The run.
        folder: Where the profile is being made.
        outcome: Of the competition.
        landmarks: For the features that a query computes.
        learned: The encoders and the alignment.
        search: Queries to compare both orders on; perhaps none.
    """
    pairs, winner = outcome.pairs, outcome.winner
    asked = course.options.asked
    relevance = fitted(winner, outcome, landmarks, folder)
    by = {"first_stage": outcome.alone, "reranked": winner}
    rated = rated_queries(
        pairs, {name: predictions.by_pair(len(pairs.images)) for name, predictions in by.items()}
    )
    report: dict[str, Any] = {"rated": rated}
    better = [rated["reranked"]["ndcg@10"] - rated["first_stage"]["ndcg@10"]] if rated else []
    first: list[Order] = []
    second: list[Order] = []
    if search.queries:
        queries = learned.texts.encode(search.queries)
        first = search.orders(learned.alignment, queries, None)
        second = search.orders(learned.alignment, queries, relevance)
        report |= compared(search.ranks_in(first), search.ranks_in(second), search.photo_of)
        # Neither recall among ten nor the order of rated photos may get worse.
        better.append(report["reranked"]["recall@10"] - report["first_stage"]["recall@10"])
    good = min(better, default=0) > -_MARGIN
    deployed = relevance if good or asked else None
    fine_tuned = learned.texts is not course.profile.texts
    _write_profile(course.profile, folder, deployed, fine_tuned=fine_tuned)
    return Deployment(
        outcome,
        landmarks,
        deployed,
        first if deployed is None else second,
        {
            "reranking": report,
            "calibrated": findings.measured(outcome.calibrated, pairs, seed=course.options.seed),
            "deployed": good or asked,
            "why": _why_asked(outcome, good) if asked else _WHY[good],
        },
    )


_WHY = {
    True: "it orders held-out photos no worse than similarity alone does",
    False: "queries rank by similarity alone, which orders held-out photos better",
}


def _why_asked(outcome: Outcome, good: bool) -> str:
    """What following a wish costs, in words."""
    default, winner = outcome.default, outcome.winner
    told = [f"{winner.contender.name} on {winner.contender.features} features was asked for"]
    if default.contender.of != winner.contender.of:
        errors = {
            each.contender.of: rmse(*of_experts(each, outcome.pairs)[:2])
            for each in (default, winner)
        }
        mine, its = errors[winner.contender.of], errors[default.contender.of]
        verdict = "is nearer to what people judged" if its < mine else "is no nearer to people"
        told.append(
            f"the default ({default.contender.name}, {default.contender.features}) {verdict}: "
            f"RMSE {its:.3f} instead of {mine:.3f} on held-out pairs"
        )
    if not good:
        told.append("similarity alone orders held-out photos better")
    return "; ".join(told)


def fitted(
    held_out: study.HeldOut, outcome: Outcome, landmarks: Landmarks, folder: Path
) -> Regressor:
    """A contender, fitted to all pairs and calibrated on what it predicted of held-out ones.

    Args:
        held_out: Those predictions.
        outcome: Of the competition.
        landmarks: For the features that a query computes.
        folder: Where CatBoost's trees are written, and read when they are first used.

    Raises:
        BadData: The trees found nothing to split by.
    """
    pairs, contender = outcome.pairs, held_out.contender
    known = pairs.expert if contender.rows == EXPERTS else pairs.expert | pairs.crowd
    targets, weights = study.lesson(contender, pairs, np.ones(len(pairs.images), np.bool_))
    seen = outcome.columns[contender.features][known]
    predict = contender.fit(seen, targets[known], weights[known])
    of_experts = pairs.expert[held_out.rows]
    expert_means = aggregate(pairs.grades[held_out.rows[of_experts]], "mean")
    level = calibrate(held_out.predicted[of_experts], expert_means)
    return Regressor(
        _predictor(predict, folder),
        landmarks,
        contender.features,
        (level.predicted.astype(np.float32), level.judged.astype(np.float32)),
    )


def _predictor(predict: Predict, folder: Path) -> Predictor:
    """What is written of a fitted regressor.

    Raises:
        BadData: The trees found nothing to split by.
    """
    if isinstance(predict, Grown):
        return predict.saved(folder / _TREES)
    if isinstance(predict, Curve | Line | Layers):
        return predict
    raise BadData(
        "the pairs are all alike to the regressor that was asked for, so that it learned nothing: "
        "leave out --regressor and --features"
    )


def copy_encoders(profile: Profile, folder: Path) -> None:
    """Copies all files of a profile except those that training writes.

    Raises:
        ProfileDamaged: A file is not the one that the manifest names: a copy would be vouched for.
    """
    copy_files(profile, folder, without=learned_files(profile.manifest))


def _write_profile(
    profile: Profile, folder: Path, relevance: Regressor | None, *, fine_tuned: bool
) -> None:
    made = ("files", "relevance", "regressor", "taste", "left_out")
    manifest = {k: v for k, v in profile.manifest.items() if k not in made}
    manifest["alignment"] = manifest.get("alignment", "alignment.safetensors")
    if fine_tuned:
        manifest["text"] = {**manifest["text"], "fine_tuned": True}
    if relevance is not None:
        manifest["relevance"] = "relevance.safetensors"
        (folder / manifest["relevance"]).write_bytes(relevance.dump())
        kind = relevance.predictor.kind
        if (kind, relevance.features) != (Curve.kind, ALIGNED):
            manifest["regressor"] = {"kind": kind, "features": relevance.features}
        if isinstance(relevance.predictor, Trees):
            manifest["regressor"]["trees"] = relevance.predictor.file.name
    write_manifest(folder, manifest)
