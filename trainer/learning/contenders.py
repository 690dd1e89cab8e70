"""The regressors that compete: what each one sees, and whose judgements it learns from."""

from dataclasses import dataclass, replace

from pixquery.db.errors import BadData
from pixquery.db.records import Floats
from pixquery.engine import predictors
from pixquery.engine.features import ALIGNED, CONCATENATED, OF_ONE_SPACE, PRODUCT
from pixquery.engine.predictors import KINDS, Curve, Layers, Line
from pixquery.trainer.learning.judged import Judged
from pixquery.trainer.learning.regressors import (
    Fit,
    Network,
    Trees,
    constant,
    fit_linear,
    fit_logistic,
    mean_of,
    similarity_only,
)
from pixquery.trainer.measuring.metrics import Values

AUTO = "auto"
CATBOOST = predictors.Trees.kind
CLASSIC = (Line.kind, CATBOOST, Layers.kind)
"""The kinds of the classic recipe."""
EXPERTS, BOTH = "experts", "experts and crowd"
TWO_WAY, BY_PHOTO = "two-way", "by photo"
NONE = "none"
ALONE = "similarity alone"
MUCH_OVERLAP = 300
"""How many pairs both must have judged, so that every fold can map the crowd to the experts."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A regressor, what it sees, and whose judgements it learns from."""

    name: str
    features: str
    rows: str
    fit: Fit
    splits: tuple[str, ...] = (TWO_WAY,)
    deployable: bool = False
    """Whether it may be deployed without being asked for: it is small, smooth, and comparable (a
    similarity means more or less from query to query)."""

    @property
    def of(self) -> tuple[str, str, str]:
        """What tells it from others."""
        return self.name, self.features, self.rows


def contenders(judged: Judged, *, seed: int = 0, few: bool = False) -> list[Contender]:
    """The regressors that compete: the classic recipe on both splits, better ones on one.

    Args:
        judged: The pairs.
        seed: For everything that is random.
        few: Leave out the networks that take longest and cannot be deployed.
    """
    small = Network(width=64, dropout=0.1, epochs=40, seed=seed)
    blend = mean_of(fit_logistic_as_fit, *(replace(small, seed=seed + m) for m in range(3)))
    both = (TWO_WAY, BY_PHOTO)
    competitors = [
        Contender("constant", NONE, EXPERTS, constant),
        *(replace(_made(kind, CONCATENATED, seed), splits=both) for kind in CLASSIC),
        Contender(ALONE, ALIGNED, EXPERTS, similarity_only),
        *(_made(kind, ALIGNED, seed) for kind in (*CLASSIC, Curve.kind)),
    ]
    if not few:
        competitors.append(Contender("logistic and networks", ALIGNED, EXPERTS, blend))
    if (judged.expert & judged.crowd).sum() >= MUCH_OVERLAP:
        competitors.append(
            Contender("logistic, crowd", ALIGNED, BOTH, fit_logistic_as_fit, deployable=True)
        )
        if not few:
            wide = Network(width=128, epochs=8, seed=seed)
            competitors.append(Contender("network, crowd", PRODUCT, BOTH, wide))
    return competitors


def asked_for(regressor: str, features: str, *, seed: int = 0) -> list[Contender]:
    """The contenders that may be deployed by a user's wish.

    Args:
        regressor: *auto*, or one of ``predictors.KINDS``.
        features: *auto*, or one of ``OF_ONE_SPACE``.
        seed: For everything that is random.

    Returns:
        None if both are *auto*.

    Raises:
        BadData: A logistic curve is asked for that sees anything but aligned features.
    """
    if regressor == features == AUTO:
        return []
    if regressor == Curve.kind and features not in (AUTO, ALIGNED):
        raise BadData(
            f"the logistic regressor sees aligned features alone, not {features}: leave out "
            "--features, or choose another --regressor"
        )
    kinds = KINDS if regressor == AUTO else (regressor,)
    seen = OF_ONE_SPACE if features == AUTO else (features,)
    return [
        _made(kind, each, seed)
        for kind in kinds
        for each in seen
        if kind != Curve.kind or each == ALIGNED
    ]


def _made(kind: str, features: str, seed: int) -> Contender:
    """The regressor of a kind that suits the features."""
    few = features == ALIGNED
    if kind == Curve.kind:
        return Contender("logistic", ALIGNED, EXPERTS, fit_logistic_as_fit, deployable=True)
    if kind == Line.kind:
        return Contender("linear", features, EXPERTS, fit_linear)
    if kind == CATBOOST:
        trees = Trees(depth=3, seed=seed) if few else Trees(seed=seed)
        return Contender("CatBoost", features, EXPERTS, trees)
    network = Network(width=64, dropout=0.1, epochs=40, seed=seed) if few else Network(seed=seed)
    return Contender("network", features, EXPERTS, network)


def fit_logistic_as_fit(features: Floats, targets: Values, weights: Values) -> Curve:
    """`fit_logistic` as a `Fit`."""
    return fit_logistic(features, targets, weights)
