"""Lets regressors compete on pairs that they have not seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pixquery.db.records import Floats
from pixquery.engine.alignment import Alignment
from pixquery.engine.encoders import TextEncoder
from pixquery.engine.features import (
    OF_ONE_SPACE,
    Landmarks,
    Vectors,
    columns,
)
from pixquery.trainer.learning import findings, study
from pixquery.trainer.learning.contenders import (
    ALONE,
    BY_PHOTO,
    NONE,
    TWO_WAY,
    Contender,
    asked_for,
    contenders,
)
from pixquery.trainer.learning.course import CONTENDER, Course
from pixquery.trainer.learning.judged import Judged
from pixquery.trainer.learning.splits import Mask
from pixquery.trainer.learning.summary import summary
from pixquery.trainer.learning.tuning import tuned


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the competition of regressors gives."""

    report: dict[str, Any]
    pairs: Judged
    columns: dict[str, Floats]
    winner: study.HeldOut
    calibrated: study.HeldOut
    """The winner, calibrated for each half of the photos on the other, much as it is deployed."""
    default: study.HeldOut
    """What would have won if nothing had been asked for."""
    alone: study.HeldOut
    """Similarity alone, on the same held-out pairs: what the winner has to beat."""
    held_out: list[study.HeldOut]
    """What every contender predicts, each way of splitting."""


def encoded(encoder: TextEncoder, texts: Sequence[str]) -> Floats:
    """Raw vectors float32[n, e] of texts; each distinct text is encoded once."""
    distinct = sorted(set(texts))
    row_of = {text: row for row, text in enumerate(distinct)}
    return encoder.encode(distinct)[[row_of[text] for text in texts]]


def columns_of(
    alignment: Alignment, landmarks: Landmarks, raw_texts: Floats, raw_photos: Floats
) -> dict[str, Floats]:
    """What contenders see of n pairs: name of the features -> float32[n, f]."""
    texts = Vectors(alignment.texts(raw_texts), lambda: raw_texts)
    photos = Vectors(alignment.images(raw_photos), lambda: alignment.completed(raw_photos))
    return {
        NONE: np.zeros((len(raw_texts), 1), np.float32),
        **{name: columns(name, texts, photos, landmarks) for name in OF_ONE_SPACE},
    }


Choose = Callable[[Sequence[study.HeldOut], Judged], study.HeldOut]
"""From what all contenders predict of held-out pairs to the winner among them."""


def compete(
    course: Course,
    everything: Judged,
    kept: Mask,
    seen: dict[str, Floats],
    competitors: Sequence[Contender] | None = None,
    choose: Choose = study.chosen,
) -> Outcome:
    """Fits and measures every regressor on held-out pairs, and chooses the winner.

    Args:
        course: The run.
        everything: n rated pairs.
        kept: bool[n]: those without a stop word, which alone take part.
        seen: Name of the features -> float32[n, f].
        competitors: The regressors, beside those that are asked for; None means all.
        choose: Names the winner, if nothing is asked for.
    """
    seed = course.options.seed
    pairs = everything.keep(kept)
    features = {name: rows[kept] for name, rows in seen.items()}
    if competitors is None:
        competitors = contenders(pairs, seed=seed, few=course.options.quick)
    asked = asked_for(course.options.regressor, course.options.features, seed=seed)
    known = {contender.of for contender in competitors}
    competitors = [*competitors, *(each for each in asked if each.of not in known)]
    if course.options.tune:
        competitors = [*competitors, *tuned(pairs, features, course.options.tune, seed=seed)]
    held_out, table = [], []
    for contender in competitors:
        for split in contender.splits:
            predictions = study.hold_out(contender, pairs, features, split, seed=seed)
            held_out.append(predictions)
            table.append(findings.measured(predictions, pairs, seed=seed))
        course.step(CONTENDER)
    default = choose(held_out, pairs)
    wishes = {contender.of for contender in asked}
    winner = study.chosen(held_out, pairs, wishes) if wishes else default
    alone = next(h for h in held_out if (h.contender.name, h.split) == (ALONE, TWO_WAY))
    ratings = summary(pairs)
    ratings["all_pairs"] = {
        name: value
        for name, value in summary(everything).items()
        if name in ("alpha", "icc_single", "icc_mean", "noise_floor", "human_ceiling")
    }
    calibrated = study.cross_calibrated(winner, pairs, seed=seed)
    report = {
        "ratings": ratings,
        "splits": [findings.leak_check(pairs, s, seed=seed) for s in (TWO_WAY, BY_PHOTO)],
        "regressors": table,
        "stop_words_cost": None
        if kept.all()
        else findings.cost(winner.contender, everything, seen, kept, seed=seed),
        "chosen": winner.contender.name,
        "errors": findings.errors(winner, pairs),
        "calibration": findings.reliability(calibrated, pairs),
        "worst": findings.worst(winner, pairs),
    }
    return Outcome(report, pairs, features, winner, calibrated, default, alone, held_out)


def counts(pairs: Judged) -> dict[str, int]:
    """How many pairs experts, the crowd, and both judged."""
    return {
        "expert": int(pairs.expert.sum()),
        "crowd": int(pairs.crowd.sum()),
        "both": int((pairs.expert & pairs.crowd).sum()),
    }
