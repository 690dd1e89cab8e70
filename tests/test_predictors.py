"""Predictors against arithmetic by hand and the packages that they come from."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from pixquery.db.errors import ProfileDamaged
from pixquery.db.records import Floats
from pixquery.engine.predictors import (
    KINDS,
    Curve,
    Layers,
    Line,
    Predictor,
    Scaler,
    Trees,
    predictor_of,
)
from pixquery.trainer.learning import regressors
from pixquery.trainer.learning.regressors import Grown


def rows(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


LINE = Line(
    Scaler(np.array([1, 2], np.float32), np.array([2, 4], np.float32)),
    np.array([0.5, -1], np.float32),
    0.25,
)
LAYERS = Layers(
    LINE.scaler,
    (
        (np.array([[1, -1], [2, 0]], np.float32), np.array([0, 0.5], np.float32)),
        (np.array([[1], [3]], np.float32), np.array([-1], np.float32)),
    ),
)


def test_by_hand() -> None:
    columns = np.array([[3, 10], [-1, 2]], np.float32)  # (1, 2) and (-1, 0) once they are scaled
    assert LINE(columns) == pytest.approx([0.5 - 2 + 0.25, -0.5 + 0.25])
    # Hidden: (1 + 4, -1 + 0.5 -> 0) and (-1 -> 0, 1 + 0.5); then 5 - 1 and 4.5 - 1.
    assert LAYERS(columns) == pytest.approx(1 / (1 + np.exp([-4, -3.5])))
    curve = Curve(np.array([2, 0], np.float32), -1)
    assert curve(columns) == pytest.approx(1 / (1 + np.exp([-5, 3])))


@pytest.mark.parametrize("made", [Curve(rows(4), 0.5), LINE, LAYERS], ids=lambda one: one.kind)
def test_what_is_written_is_read(made: Predictor) -> None:
    again = predictor_of(made.kind, made.tensors())
    columns = rows(5, made.width)
    assert again.width == made.width
    assert again(columns) == pytest.approx(made(columns))


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("linear", {"scaler.mean": None}),
        ("linear", {"scaler.mean": rows(3)}),
        ("linear", {"scaler.deviation": np.zeros(2, np.float32)}),
        ("linear", {"weights": rows(3)}),
        ("network", {"layers.0.weight": None}),
        ("network", {"layers.0.bias": rows(3)}),
        ("network", {"layers.1.weight": rows(3, 1)}),
        ("network", {"layers.1.weight": rows(2, 2), "layers.1.bias": rows(2)}),
        ("network", {"scaler.deviation": rows(5) ** 2 + 1}),
        ("catboost", {}),
        ("forest", {}),
    ],
)
def test_what_does_not_fit_together_is_refused(kind: str, change: dict[str, Floats | None]) -> None:
    made = LAYERS if kind == "network" else LINE
    tensors = {**made.tensors(), **change}
    kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    with pytest.raises((KeyError, ValueError)):
        predictor_of(kind, kept)


def test_every_kind_has_a_name_of_its_own() -> None:
    assert len(set(KINDS)) == 4


def test_a_folded_network_is_the_trained_one() -> None:
    """PyTorch's own layers, with batch normalisation, against what is deployed."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    network = regressors.Network(width=32)
    model = network._layers(6, 0.0)
    for layer in model:  # as if trained
        if isinstance(layer, torch.nn.BatchNorm1d):
            torch.nn.init.uniform_(layer.weight, 0.5, 2)
            torch.nn.init.normal_(layer.bias)
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.2, 3)
        if isinstance(layer, torch.nn.Linear):
            torch.nn.init.normal_(layer.weight)
    model.eval()
    columns = rows(50, 6)
    scaler = Scaler(columns.mean(0), columns.std(0))
    folded = Layers(scaler, tuple(regressors._folded(model)))
    with torch.no_grad():
        expected = torch.sigmoid(model(torch.from_numpy(scaler(columns)))[:, 0]).numpy()
    assert folded(columns) == pytest.approx(expected, abs=3e-5)


def test_a_line_is_that_of_scikit_learn() -> None:
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    columns, weights = 3 + 5 * rows(80, 7), np.random.default_rng(3).uniform(0.5, 2, 80)
    targets = np.random.default_rng(2).uniform(size=80)
    pipeline = make_pipeline(StandardScaler(), LinearRegression())
    pipeline.fit(columns, targets, linearregression__sample_weight=weights)
    made = regressors.fit_linear(columns, targets, weights)
    assert made(columns) == pytest.approx(pipeline.predict(columns), abs=1e-5)


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Grown, Trees]:
    pytest.importorskip("catboost")
    columns = rows(200, 5)
    made = regressors.Trees(iterations=20)(
        columns, (columns[:, 0] > 0).astype(np.float64), np.ones(200)
    )
    assert isinstance(made, Grown)
    return made, made.saved(tmp_path_factory.mktemp("trees") / "relevance.cbm")


def test_trees_predict_the_same_from_their_file(grown: tuple[Grown, Trees]) -> None:
    made, trees = grown
    columns = rows(30, 5, seed=1)
    assert trees.width == 5
    assert trees(columns) == pytest.approx(made(columns), abs=1e-6)


def test_damaged_trees_are_one_sentence(grown: tuple[Grown, Trees], tmp_path: Path) -> None:
    file = tmp_path / "relevance.cbm"
    file.write_bytes(grown[1].file.read_bytes()[:200])
    with pytest.raises(ProfileDamaged, match="install the profile again"):
        Trees(file)(rows(1, 5))


@pytest.mark.parametrize("kind", ["network", "linear"])
def test_neither_torch_nor_scikit_learn_is_imported(kind: str, tmp_path: Path) -> None:
    made = LAYERS if kind == "network" else LINE
    save_file(made.tensors(), tmp_path / "tensors")
    code = (
        "import sys, numpy as np; from pixquery.engine.predictors import predictor_of; "
        "from safetensors.numpy import load_file; tensors = load_file(sys.argv[1]); "
        f"predictor_of({kind!r}, tensors)(np.ones((3, 2), np.float32)); "
        "print([name for name in ('torch', 'sklearn', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "tensors"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
