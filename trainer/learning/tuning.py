"""Searches better settings for the regressors."""

from collections.abc import Callable, Mapping

from pixquery.db.records import Floats
from pixquery.engine.features import ALIGNED, PRODUCT
from pixquery.trainer.learning.contenders import (
    BOTH,
    EXPERTS,
    MUCH_OVERLAP,
    TWO_WAY,
    Contender,
)
from pixquery.trainer.learning.judged import Judged
from pixquery.trainer.learning.regressors import (
    Network,
    Trees,
)
from pixquery.trainer.learning.study import hold_out, of_experts
from pixquery.trainer.measuring.metrics import rmse


def tuned(
    judged: Judged, features: Mapping[str, Floats], trials: int, *, seed: int = 0
) -> list[Contender]:
    """Searches better settings for the trees and the network with Optuna (Akiba et al. 2019).

    It uses other folds than the study, or it would have seen the pairs that it is judged on.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rows = BOTH if (judged.expert & judged.crowd).sum() >= MUCH_OVERLAP else EXPERTS

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

    best = []
    for make in (trees, network):

        def error(trial: optuna.trial.BaseTrial, make: Callable[..., Contender] = make) -> float:
            held_out = hold_out(make(trial), judged, features, TWO_WAY, seed=seed + 1)
            predicted, expert_means, _ = of_experts(held_out, judged)
            return rmse(predicted, expert_means)

        search = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
        search.optimize(error, n_trials=trials)
        best.append(make(optuna.trial.FixedTrial(search.best_params)))
    return best
