"""Fits relevance regressors: from the features of a pair to what people judged.

All are of the type `Fit`, which takes features, targets and weights and returns a function that
predicts. What can be deployed predicts with the very code that a query runs.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import StandardScaler

from pixquery.db.records import Floats
from pixquery.engine import predictors
from pixquery.engine.features import NAMES
from pixquery.engine.predictors import Curve, Layers, Line, Scaler, logistic

CROWDING_WEIGHT = 0.12
"""How much of a photo's crowding to subtract from its similarity.

Set by hand, not fitted to the ratings. They reward hubs slightly (photos that suit many captions
were judged more mildly, too), but a search for one photo is better when it distrusts hubs. For the
effect of other weights see ``docs/relevance.md``.
"""

LEAD_WEIGHT = 0.8
"""How much of a photo's lead to add to its similarity.

Set by hand, too: people rated captions, and a lead is that of a photo for a name.
"""

Values = NDArray[np.float64]
Predict = Callable[[Floats], NDArray[np.floating]]
"""float32[n, f] features -> [n], in [0, 1] except for the linear ones and trees."""
Fit = Callable[[Floats, Values, Values], Predict]
"""float32[n, f] features, float64[n] targets in [0, 1], float64[n] weights -> a predictor."""


def fit_logistic(
    features: Floats,
    targets: Values,
    weights: Values | None = None,
    *,
    crowding_weight: float = CROWDING_WEIGHT,
) -> Curve:
    """Fits a logistic curve by least squares, so that it predicts the mean judgement.

    Args:
        features: float32[n, f], from ``pair_features``.
        targets: float64[n] in [0, 1].
        weights: float64[n], how much each pair counts; None means equally.
        crowding_weight: Subtracted from the similarity for each unit of crowding.
    """
    root = np.sqrt(np.ones(len(targets)) if weights is None else weights)
    mixing = np.zeros((len(NAMES), 2))
    mixing[NAMES.index("similarity"), 0] = 1
    mixing[NAMES.index("photo_crowding"), 0] = -crowding_weight
    mixing[NAMES.index("lead"), 0] = LEAD_WEIGHT
    mixing[NAMES.index("text_peak"), 1] = 1
    mixed = features @ mixing
    centre, spread = mixed.mean(0), mixed.std(0) + 1e-9
    standard = np.c_[(mixed - centre) / spread, np.ones(len(mixed))]

    def residuals(parameters: Values) -> Values:
        ridge = 0.1 * parameters[:-1]  # keeps the text column from fitting single captions
        return np.concatenate([root * (logistic(standard @ parameters) - targets), ridge])

    solution = least_squares(residuals, np.zeros(standard.shape[1])).x
    slopes = solution[:-1] / spread
    weights = mixing @ slopes
    return Curve(weights.astype(np.float32), float(solution[-1] - centre @ slopes))


def fit_linear(features: Floats, targets: Values, weights: Values) -> Line:
    """Ordinary least squares on standardised features; a `Fit`."""
    scaler = _scaler(features)
    model = LinearRegression().fit(scaler(features), targets, sample_weight=weights)
    return Line(scaler, np.asarray(model.coef_, np.float32), float(model.intercept_))


def _scaler(features: Floats) -> Scaler:
    fitted = StandardScaler().fit(features)
    return Scaler(fitted.mean_.astype(np.float32), fitted.scale_.astype(np.float32))


@dataclass(frozen=True, slots=True)
class Grown:
    """CatBoost's trees, before they are in a file."""

    model: Any

    def __call__(self, features: Floats) -> Values:
        """float64[n], which may be outside of [0, 1]; a `Predict`."""
        return np.asarray(self.model.predict(features), np.float64)

    def saved(self, file: Path) -> predictors.Trees:
        """Writes them, and reads them as a query does."""
        self.model.save_model(str(file))
        return predictors.Trees(file)


@dataclass(frozen=True, slots=True)
class Trees:
    """Boosted trees (CatBoost, Prokhorenkova et al. 2018, arXiv:1706.09516)."""

    iterations: int = 300
    depth: int = 5
    learning_rate: float = 0.05
    l2: float = 10.0
    seed: int = 0

    def __call__(self, features: Floats, targets: Values, weights: Values) -> Predict:
        """Fits; a `Fit`.

        Where there is nothing to split by, trees predict the mean of the targets. CatBoost raises
        an error instead.
        """
        if (targets == targets[0]).all() or (features == features[0]).all():
            mean = float(np.average(targets, weights=weights))
            return lambda unseen: np.full(len(unseen), mean)
        from catboost import CatBoostRegressor

        model = CatBoostRegressor(
            iterations=self.iterations,
            depth=self.depth,
            learning_rate=self.learning_rate,
            l2_leaf_reg=self.l2,
            # Of a thousand columns each tree needs only a few; the next tree sees others.
            rsm=min(1.0, 64 / features.shape[1]),
            border_count=64,
            random_seed=self.seed,
            verbose=False,
            allow_writing_files=False,
        ).fit(features, targets, sample_weight=weights)
        return Grown(model)


@dataclass(frozen=True, slots=True)
class Network:
    """Five fully connected layers with batch normalisation, the classic recipe's network."""

    width: int = 256
    """Of the first layer; each further layer has half."""
    dropout: float = 0.3
    epochs: int = 20
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    batch: int = 256
    seed: int = 0

    def __call__(self, features: Floats, targets: Values, weights: Values) -> Layers:
        """Fits by weighted least squares, the last layer through a logistic curve; a `Fit`."""
        scaler = _scaler(features)
        with one_thread():
            return Layers(scaler, self._trained(scaler(features), targets, weights))

    def _trained(
        self, rows: Floats, targets: Values, weights: Values
    ) -> tuple[tuple[Floats, Floats], ...]:
        """The layers of a network that was trained on standardised rows."""
        import torch
        from torch.nn import functional

        def tensor(array: NDArray[np.generic]) -> torch.Tensor:
            return torch.from_numpy(np.asarray(array, np.float32))

        torch.manual_seed(self.seed)
        inputs, wanted, weighing = tensor(rows), tensor(targets), tensor(weights)
        mean = np.clip(np.average(targets, weights=weights), 0.01, 0.99)
        model = self._layers(rows.shape[1], float(np.log(mean / (1 - mean))))
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )
        batch = min(self.batch, len(inputs))
        rounds = len(inputs) // batch
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.learning_rate, total_steps=self.epochs * rounds + 1
        )
        for _ in range(self.epochs):
            order = torch.randperm(len(inputs))
            for start in range(0, rounds * batch, batch):
                drawn = order[start : start + batch]
                error = functional.mse_loss(
                    torch.sigmoid(model(inputs[drawn])[:, 0]), wanted[drawn], reduction="none"
                )
                loss = (weighing[drawn] * error).sum() / weighing[drawn].sum()
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                schedule.step()
        return tuple(_folded(model))

    def _layers(self, inputs: int, level: float) -> Any:
        """The network before training; it predicts ``level`` for every pair."""
        from torch import nn

        layers: list[nn.Module] = []
        for layer in range(4):
            outputs = max(8, self.width >> layer)
            layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()]
            layers.append(nn.Dropout(self.dropout))
            inputs = outputs
        last = nn.Linear(inputs, 1)
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, level)
        return nn.Sequential(*layers, last)


@contextmanager
def one_thread() -> Iterator[None]:
    """Lets PyTorch use one: batches this small take up to ten times as long in several."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _folded(model: Any) -> Iterator[tuple[Floats, Floats]]:
    """The layers of a network, each with its batch normalisation in its weight and bias."""
    import torch
    from torch import nn

    linear = [each for each in model if isinstance(each, nn.Linear)]
    norms = [each for each in model if isinstance(each, nn.BatchNorm1d)]
    with torch.no_grad():
        for layer, norm in zip(linear, [*norms, None], strict=True):
            weight, bias = layer.weight.double(), layer.bias.double()
            if norm is not None:
                of_norm = norm.state_dict()  # typed as tensors, where the attributes may be None
                spread = torch.sqrt(of_norm["running_var"].double() + norm.eps)
                factor = of_norm["weight"].double() / spread
                weight = weight * factor[:, None]
                bias = (bias - of_norm["running_mean"].double()) * factor
                bias = bias + of_norm["bias"].double()
            yield weight.T.float().contiguous().numpy(), bias.float().numpy()


def similarity_only(features: Floats, targets: Values, weights: Values) -> Predict:
    """A logistic curve over the similarity alone; a `Fit`."""
    return fit_logistic(_first_column(features), targets, weights, crowding_weight=0.0)


def constant(features: Floats, targets: Values, weights: Values) -> Predict:
    """Always predicts the mean of the targets; a `Fit`."""
    del features
    mean = float(np.average(targets, weights=weights))
    return lambda unseen: np.full(len(unseen), mean)


def mean_of(*fits: Fit) -> Fit:
    """Predicts the mean of several regressors' predictions; a `Fit`."""

    def fit(features: Floats, targets: Values, weights: Values) -> Predict:
        predictors = [one(features, targets, weights) for one in fits]
        return lambda unseen: np.asarray(
            np.mean([one(unseen) for one in predictors], 0), np.float64
        )

    return fit


@dataclass(frozen=True, slots=True)
class Calibration:
    """A rising map from predictions to the mean judgement of such pairs."""

    predicted: Values
    """float64[m] in [0, 1], rising."""
    judged: Values
    """float64[m] in [0, 1], rising; linear between the points."""

    def __call__(self, predicted: Values) -> Values:
        """float64[n] predictions -> float64[n] in [0, 1]."""
        return np.interp(predicted, self.predicted, self.judged)


def calibrate(predicted: Values, targets: Values, *, bins: int = 20) -> Calibration:
    """Fits an isotonic calibration (Zadrozny and Elkan 2002) that creates no ties.

    Predictions are sorted into equally filled bins, isotonic regression makes the bins' mean
    judgements rise, and straight lines connect them: steps would tie photos that the regressor had
    told apart.

    Args:
        predicted: float64[n] in [0, 1], of pairs that the regressor has not seen.
        targets: float64[n] in [0, 1].
        bins: How many bins at most.
    """
    order = np.argsort(predicted, kind="stable")
    parts = np.array_split(order, min(bins, max(1, len(order) // 10)))
    centres = np.array([predicted[part].mean() for part in parts])
    judged = np.array([targets[part].mean() for part in parts])
    sizes = np.array([len(part) for part in parts])
    rising = IsotonicRegression().fit_transform(centres, judged, sample_weight=sizes)
    ends = np.r_[0.0, centres, 1.0], np.r_[0.0, rising, 1.0]
    keep = np.r_[True, np.diff(ends[0]) > 1e-9]
    # A slight extra slope, so that flat stretches stay in order.
    tilted = 0.98 * ends[1][keep] + 0.02 * ends[0][keep]
    return Calibration(ends[0][keep], tilted)


def _first_column(features: Floats) -> Floats:
    alone = np.zeros_like(features)
    alone[:, 0] = features[:, 0]
    return alone
