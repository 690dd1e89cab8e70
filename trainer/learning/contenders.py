"""The regressors that compete: what each one sees, and whose judgements it learns from."""

from dataclasses import dataclass, replace

from pixquery.db.records import Floats
from pixquery.trainer.learning.judged import Judged
from pixquery.trainer.learning.regressors import (
    Fit,
    Network,
    Predict,
    Trees,
    constant,
    fit_linear,
    fit_logistic,
    mean_of,
    similarity_only,
)
from pixquery.trainer.measuring.metrics import Values

EXPERTS, BOTH = "experts", "experts and crowd"
TWO_WAY, BY_PHOTO = "two-way", "by photo"
NONE, CONCATENATED, ALIGNED, PRODUCT = "none", "concatenated", "aligned", "product and text"
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
    """Whether a query can use it without the packages that training needs, and whether what it
    predicts is comparable: a similarity means more or less from query to query."""


def contenders(judged: Judged, *, seed: int = 0, few: bool = False) -> list[Contender]:
    """The regressors that compete: the classic recipe on both splits, better ones on one.

    Args:
        judged: The pairs.
        seed: For everything that is random.
        few: Leave out the networks that take longest and cannot be deployed.
    """
    network, trees = Network(seed=seed), Trees(seed=seed)
    small = Network(width=64, dropout=0.1, epochs=40, seed=seed)
    blend = mean_of(fit_logistic_as_fit, *(replace(small, seed=seed + m) for m in range(3)))
    both = (TWO_WAY, BY_PHOTO)
    competitors = [
        Contender("constant", NONE, EXPERTS, constant),
        Contender("linear", CONCATENATED, EXPERTS, fit_linear, both),
        Contender("CatBoost", CONCATENATED, EXPERTS, trees, both),
        Contender("network", CONCATENATED, EXPERTS, network, both),
        Contender(ALONE, ALIGNED, EXPERTS, similarity_only),
        Contender("linear", ALIGNED, EXPERTS, fit_linear),
        Contender("CatBoost", ALIGNED, EXPERTS, Trees(depth=3, seed=seed)),
        Contender("network", ALIGNED, EXPERTS, small),
        Contender("logistic", ALIGNED, EXPERTS, fit_logistic_as_fit, deployable=True),
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


def fit_logistic_as_fit(features: Floats, targets: Values, weights: Values) -> Predict:
    """`fit_logistic` as a `Fit`."""
    return fit_logistic(features, targets, weights)
