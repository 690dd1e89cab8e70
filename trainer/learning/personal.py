"""Adapts the relevance that a profile predicts to a user's ratings, and keeps it if that is better.

Of the earlier relevance and a few tastes (`trainer.learning.taste`), more and less cautious ones,
that one wins which errs least on pairs whose photo and text were both held out. But the earlier one
was fitted to many people's judgements, and is kept unless the gain is no chance.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixquery.db.errors import BadData
from pixquery.db.records import Floats
from pixquery.engine.features import ALIGNED, Vectors
from pixquery.engine.profile import Profile
from pixquery.engine.relevance import Relevance
from pixquery.engine.taste import Taste, log_odds
from pixquery.trainer.learning.aggregation import aggregate
from pixquery.trainer.learning.competition import Outcome
from pixquery.trainer.learning.contenders import (
    ALONE,
    EXPERTS,
    NONE,
    TWO_WAY,
    Contender,
    contenders,
)
from pixquery.trainer.learning.judged import Judged
from pixquery.trainer.learning.regressors import Predict
from pixquery.trainer.learning.rerank import rated_queries
from pixquery.trainer.learning.study import HeldOut, hold_out
from pixquery.trainer.learning.taste import Belief, Caution, fit_taste, unchanged
from pixquery.trainer.measuring.metrics import Values, bootstrap, interval, spearman
from pixquery.trainer.profile_folder import copy_files, write_manifest

FEW = 1000
"""Fewer pairs teach no network and no trees anything; they are not even tried."""
PERSONAL = "relevance and photo"
"""The features of a taste: log odds of the earlier relevance, and the aligned photo."""
KEPT = "kept as it was"
RECALIBRATED = "recalibrated"
_CAUTIONS = {
    RECALIBRATED: Caution(0.2, 0.3, 0.0),
    "cautious taste": Caution(0.2, 0.3, 0.5),
    "taste": Caution(0.3, 0.5, 1.0),
    "bold taste": Caution(0.5, 1.0, 2.0),
}
"""The tastes that are tried. Thirty ratings cannot move the first two far in a wrong direction, and
some hundreds show which one suits them."""
_REPEATS = 3
"""How often few pairs are split anew: a single split of 30 pairs says little."""
_LEAST_REVERSED = 10
"""So many pairs can show that the ratings are the wrong way round."""
_LIGHT = ("constant", ALONE, "logistic")
_BOLD = 100
"""From so many pairs on the bolder tastes are tried: fewer can only lead them astray."""
_CAREFUL = (RECALIBRATED, "cautious taste")


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a profile predicts before a user's ratings."""

    relevance: Relevance
    """Without any taste."""
    belief: Belief
    """The taste so far; :func:`unchanged` if there is none."""

    def columns(self, texts: Vectors, photos: Vectors) -> Floats:
        """float32[n, 1 + a], the features `PERSONAL` of n pairs."""
        known = log_odds(self.relevance.score(texts, photos))
        return np.hstack([known[:, None].astype(np.float32), photos.aligned])

    def kept(self, features: Floats, targets: Values, weights: Values) -> Predict:
        """Learns nothing; a `Fit`."""
        del features, targets, weights
        return lambda unseen: self.belief.predict(*_parts(unseen))

    def fit(self, features: Floats, targets: Values, weights: Values, caution: Caution) -> Belief:
        """The taste that ratings show; weights are not needed, as each pair counts once."""
        del weights
        return fit_taste(*_parts(features), targets, self.belief, caution)


def earlier_of(relevance: Relevance, length: int) -> Earlier:
    """Takes a regressor and the taste that it may have apart; ``length`` is that of a vector."""
    if isinstance(relevance, Taste):
        belief = Belief(relevance.slope, relevance.bias, relevance.direction.astype(np.float64))
        return Earlier(relevance.earlier, belief)
    return Earlier(relevance, unchanged(length))


def light_contenders(pairs: Judged, *, seed: int = 0) -> list[Contender]:
    """Those that few pairs can teach."""
    everyone = contenders(pairs, seed=seed, few=True)
    return [one for one in everyone if one.name in _LIGHT and one.features in (NONE, ALIGNED)]


def personal_contenders(earlier: Earlier, pairs: int) -> list[Contender]:
    """The earlier relevance, and the tastes that may take its place after so many pairs."""

    def taste(caution: Caution) -> Callable[[Floats, Values, Values], Predict]:
        def fit(features: Floats, targets: Values, weights: Values) -> Predict:
            belief = earlier.fit(features, targets, weights, caution)
            return lambda unseen: belief.predict(*_parts(unseen))

        return fit

    kept = Contender(KEPT, PERSONAL, EXPERTS, earlier.kept, deployable=True)
    return [kept] + [
        Contender(name, PERSONAL, EXPERTS, taste(caution), deployable=True)
        for name, caution in _CAUTIONS.items()
        if pairs >= _BOLD or name in _CAREFUL
    ]


@dataclass(slots=True)
class Choice:
    """Chooses among the personal contenders; a `Choose`."""

    columns: Floats
    """float32[n, 1 + a], the features `PERSONAL`."""
    seed: int = 0
    gain: dict[str, Any] | None = None
    """Of the best taste over the earlier relevance, once it has chosen: mean squared errors on
    held-out pairs, and an interval of their difference."""

    def __call__(self, held_out: Sequence[HeldOut], pairs: Judged) -> HeldOut:
        """The taste that errs least, if its gain is no chance; otherwise what was there before."""
        personal = {h.contender.name: h for h in held_out if h.contender.features == PERSONAL}
        errors = {name: self._errors(first, pairs) for name, first in personal.items()}
        before = errors.pop(KEPT)
        best = min(errors, key=lambda name: float(errors[name].mean()))
        gains = before - errors[best]
        ends = []
        for names in (pairs.images, pairs.sources):  # chance is in the choice of both
            _, groups = np.unique(np.array(names), return_inverse=True)
            ends.append(interval(gains, groups, seed=self.seed))
        low, high = (float(end) for end in (min(e[0] for e in ends), max(e[1] for e in ends)))
        self.gain = {
            "regressor": best,
            "mse_before": round(float(before.mean()), 5),
            "mse_after": round(float(errors[best].mean()), 5),
            "gain_interval": [round(low, 5), round(high, 5)],
        }
        return personal[best if low > 0 else KEPT]

    def _errors(self, first: HeldOut, pairs: Judged) -> Values:
        """Squared errors float64[n] of held-out predictions, the mean of several splits."""
        judged = aggregate(pairs.grades, "mean")
        count = len(judged)
        errors = [(first.by_pair(count) - judged) ** 2]
        if count < FEW:
            for seed in range(self.seed + 1, self.seed + _REPEATS):
                again = hold_out(
                    first.contender, pairs, {PERSONAL: self.columns}, TWO_WAY, seed=seed
                )
                errors.append((again.by_pair(count) - judged) ** 2)
        return np.asarray(np.mean(errors, 0), np.float64)


def refuse_reversed(columns: Floats, pairs: Judged) -> None:
    """Refuses ratings whose best is the lowest.

    Args:
        columns: float32[n, 1 + a], the features `PERSONAL`.
        pairs: n rated pairs.

    Raises:
        BadData: They fall where relevance rises, and that is no chance.
    """
    if len(columns) < _LEAST_REVERSED:
        return
    _, groups = np.unique(np.array(pairs.images), return_inverse=True)
    judged = aggregate(pairs.grades, "mean")
    _, high = bootstrap(spearman, columns[:, 0], judged, groups=groups)
    if high < 0:
        raise BadData(
            "the ratings are low where the text describes the photo and high where it does not: "
            "turn them round, so that the highest is the best"
        )


def write_personal(
    profile: Profile, folder: Path, outcome: Outcome, earlier: Earlier, choice: Choice
) -> dict[str, Any]:
    """Writes a profile with the winner, fitted to all pairs, to ``folder``.

    Returns:
        ``reranking``, ``deployed``, ``kept``, ``gain`` and ``why`` of the report.

    Raises:
        ProfileDamaged: A file is not the one that the manifest names: a copy would be vouched for.
    """
    pairs, name = outcome.pairs, outcome.winner.contender.name
    kept = name == KEPT
    manifest = {entry: it for entry, it in profile.manifest.items() if entry != "files"}
    copy_files(profile, folder, without=[] if kept else [manifest.get("taste", "")])
    if not kept:
        judged = aggregate(pairs.grades, "mean")
        belief = earlier.fit(choice.columns, judged, np.ones(len(judged)), _CAUTIONS[name])
        manifest["taste"] = "taste.safetensors"
        direction = belief.direction.astype(np.float32)
        taste = Taste(earlier.relevance, belief.slope, belief.bias, direction)
        (folder / manifest["taste"]).write_bytes(taste.dump())
    write_manifest(folder, manifest)
    count = len(pairs.images)
    orders = {"first_stage": outcome.alone, "reranked": outcome.winner}
    rated = rated_queries(pairs, {key: one.by_pair(count) for key, one in orders.items()})
    return {
        "reranking": {"rated": rated},
        "deployed": True,
        "kept": kept,
        "gain": choice.gain,
        "why": _why(profile.name, choice.gain or {}, kept=kept),
    }


def _why(name: str, gain: Mapping[str, Any], *, kept: bool) -> str:
    before, after = (np.sqrt(gain[key]) for key in ("mse_before", "mse_after"))
    figures = f"RMSE {after:.3f} instead of {before:.3f} on held-out pairs"
    if not kept:
        return f"it predicts these ratings better than the relevance of {name}: {figures}"
    if after >= before:
        return f"nothing predicts these ratings better than the relevance of {name}, which is kept"
    return (
        f"the relevance of {name} is kept: the best change to it, {gain['regressor']}, gains no "
        f"more than chance could ({figures})"
    )


def _parts(features: Floats) -> tuple[Values, Floats]:
    """Log odds float64[n] and photos float32[n, a] of the features `PERSONAL`."""
    return features[:, 0].astype(np.float64), features[:, 1:]
