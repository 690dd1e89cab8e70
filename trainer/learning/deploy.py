"""Deploys the winner of the competition, if it orders photos no worse than similarity does."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from pixquery.engine.features import Landmarks
from pixquery.engine.profile import Profile
from pixquery.engine.relevance import Logistic
from pixquery.trainer.export import (
    write_manifest,
)
from pixquery.trainer.learning import study
from pixquery.trainer.learning.aggregation import aggregate
from pixquery.trainer.learning.competition import Outcome
from pixquery.trainer.learning.contenders import ALIGNED, EXPERTS
from pixquery.trainer.learning.course import Course
from pixquery.trainer.learning.learned import Learned
from pixquery.trainer.learning.regressors import Calibration, Fitted, calibrate
from pixquery.trainer.learning.rerank import Search, compared, rated_queries

_MARGIN = 0.005
"""How much recall or nDCG may be lost: less is chance."""


def deploy(
    course: Course,
    folder: Path,
    outcome: Outcome,
    landmarks: Landmarks,
    learned: Learned,
    search: Search,
) -> dict[str, Any]:
    """Fits the winner to all pairs and writes it, if it orders no worse than similarity does.

    It is not there for the order alone: what it predicts means the same for every query.

    Args:
        course: The run.
        folder: Where the profile is being made.
        outcome: Of the competition.
        landmarks: For the features that a query computes.
        learned: The encoders and the alignment.
        search: Queries to compare both orders on; perhaps none.

    Returns:
        ``reranking``, ``deployed`` and ``why`` of the report.
    """
    pairs = outcome.pairs
    contender = outcome.winner.contender
    known = pairs.expert if contender.rows == EXPERTS else pairs.expert | pairs.crowd
    targets, weights = study.lesson(contender, pairs, np.ones(len(pairs.images), np.bool_))
    aligned = outcome.columns[ALIGNED]
    fitted = contender.fit(aligned[known], targets[known], weights[known])
    assert isinstance(fitted, Fitted)  # noqa: S101 - every deployable one is
    of_experts = pairs.expert[outcome.winner.rows]
    expert_means = aggregate(pairs.grades[outcome.winner.rows[of_experts]], "mean")
    calibration = calibrate(outcome.winner.predicted[of_experts], expert_means)
    relevance = _relevance_of(fitted, calibration, landmarks)
    by = {"first_stage": outcome.alone, "reranked": outcome.winner}
    rated = rated_queries(
        pairs, {name: predictions.by_pair(len(pairs.images)) for name, predictions in by.items()}
    )
    report: dict[str, Any] = {"rated": rated}
    better = [rated["reranked"]["ndcg@10"] - rated["first_stage"]["ndcg@10"]] if rated else []
    if search.queries:
        queries = learned.texts.encode(search.queries)
        first = search.ranks(learned.alignment, queries, None)
        second = search.ranks(learned.alignment, queries, relevance)
        report |= compared(first, second, search.photo_of)
        # Neither recall among ten nor the order of rated photos may get worse.
        better.append(report["reranked"]["recall@10"] - report["first_stage"]["recall@10"])
    deployed = min(better, default=0) > -_MARGIN
    why = (
        "it orders held-out photos no worse than similarity alone does"
        if deployed
        else "queries rank by similarity alone, which orders held-out photos better"
    )
    _write_profile(
        course.profile,
        folder,
        relevance if deployed else None,
        fine_tuned=learned.texts is not course.profile.texts,
    )
    return {"reranking": report, "deployed": deployed, "why": why}


def _relevance_of(fitted: Fitted, calibration: Calibration, landmarks: Landmarks) -> Logistic:
    return Logistic(
        fitted.weights,
        fitted.bias,
        landmarks,
        (calibration.predicted.astype(np.float32), calibration.judged.astype(np.float32)),
    )


def copy_encoders(profile: Profile, folder: Path) -> None:
    """Copies all files of a profile except those that training writes.

    Raises:
        ProfileDamaged: A file is not the one that the manifest names: a copy would be vouched for.
    """
    profile.check()
    learned = {profile.manifest.get(part) for part in ("alignment", "relevance", "taste")}
    for name in set(profile.manifest["files"]) - learned:
        shutil.copyfile(profile.folder / name, folder / name)


def _write_profile(
    profile: Profile, folder: Path, relevance: Logistic | None, *, fine_tuned: bool
) -> None:
    manifest = {
        k: v for k, v in profile.manifest.items() if k not in ("files", "relevance", "taste")
    }
    manifest["alignment"] = manifest.get("alignment", "alignment.safetensors")
    if fine_tuned:
        manifest["text"] = {**manifest["text"], "fine_tuned": True}
    if relevance is not None:
        manifest["relevance"] = "relevance.safetensors"
        (folder / manifest["relevance"]).write_bytes(relevance.dump())
    write_manifest(folder, manifest)
