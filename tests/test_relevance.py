"""Features and relevance, compared with plain Python for one pair at a time."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from pixquery.db.errors import ProfileDamaged
from pixquery.db.records import Floats
from pixquery.engine.alignment import unit
from pixquery.engine.features import (
    BEHIND,
    CROWD,
    KIN,
    NAMED,
    NAMES,
    PEAK,
    RIVALS,
    Landmarks,
    Vectors,
    pair_features,
)
from pixquery.engine.predictors import Curve
from pixquery.engine.relevance import Regressor


def rows(seed: int, count: int, dimension: int = 5) -> Floats:
    return unit(np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32))


def landmarks(seed: int, texts: int, photos: int, things: int = 0, names: int = 0) -> Landmarks:
    counts = enumerate((texts, photos, things, names))
    return Landmarks(*(rows(seed + number, count) for number, count in counts))


def by_hand(text: Floats, photo: Floats, landmarks: Landmarks) -> list[float]:
    """The features of one pair, in plain Python."""
    kin = sorted(landmarks.texts, key=lambda each: float(text @ each))[-KIN:]
    crowding = sorted(float(photo @ each) for each in kin)[-CROWD:]
    usual = [float(text @ each) for each in landmarks.photos]
    nearest = sorted(usual)[-PEAK:]
    mean = sum(usual) / len(usual)
    spread = math.sqrt(sum((u - mean) ** 2 for u in usual) / len(usual))
    likeness = max((float(text @ each) for each in landmarks.names), default=-1.0)
    named = min(1.0, max(0.0, (likeness - NAMED[0]) / (NAMED[1] - NAMED[0])))
    rivals = sorted([*usual, *(float(text @ each) for each in landmarks.things)])[-RIVALS:]
    return [
        float(text @ photo),
        sum(crowding) / len(crowding),
        (1 - named) * sum(nearest) / len(nearest),
        (1 - named) * mean,
        (1 - named) * spread,
        named * (float(text @ photo) - sum(rivals) / len(rivals) + BEHIND),
    ]


@given(
    seed=st.integers(0, 2**31),
    count=st.integers(1, 8),
    counts=st.tuples(
        st.integers(1, 60), st.integers(1, 40), st.integers(0, 20), st.integers(0, 20)
    ),
)
def test_features_of_each_pair(seed: int, count: int, counts: tuple[int, int, int, int]) -> None:
    texts, photos = rows(seed, count), rows(seed + 1, count)
    marks = landmarks(seed + 2, *counts)
    found = pair_features(texts, photos, marks)
    assert found.shape == (count, len(NAMES))
    assert found.dtype == np.float32
    for row, text, photo in zip(found, texts, photos, strict=True):
        assert row == pytest.approx(by_hand(text, photo, marks), abs=1e-5)


def test_one_text_meets_many_photos() -> None:
    text, photos = rows(0, 1), rows(1, 7)
    marks = landmarks(2, 2 * KIN, 12, 9, 30)
    together = pair_features(text, photos, marks)
    apart = pair_features(np.repeat(text, 7, 0), photos, marks)
    assert together == pytest.approx(apart, abs=1e-6)


def test_cases_worked_out_on_paper() -> None:
    east, north = np.array([[1, 0]], np.float32), np.array([[0, 1]], np.float32)
    both, nothing = np.concatenate([east, north]), east[:0]
    # similarity 1; crowding (0 + 1) / 2; the text is orthogonal to the only photo landmark
    described = pair_features(north, north, Landmarks(both, east, nothing, nothing))
    assert described.tolist() == [[1.0, 0.5, 0.0, 0.0, 0.0, 0.0]]
    # The text is a name: its peak does not count; one of its two rivals is as near as the photo.
    named = pair_features(north, north, Landmarks(both, east, north, north))
    assert named == pytest.approx(np.array([[1.0, 0.5, 0.0, 0.0, 0.0, 1 - 0.5 + BEHIND]]))
    # cos = 0.8: three quarters of a name, and the photo is 1 - 0.8 ahead of what the text names
    near = np.array([[0.6, 0.8]], np.float32)
    partly = pair_features(near, near, Landmarks(both, north, nothing, north))
    wanted = [1.0, 0.7, 0.25 * 0.8, 0.25 * 0.8, 0.0, 0.75 * (1 - 0.8 + BEHIND)]
    assert partly == pytest.approx(np.array([wanted]), abs=1e-5)


@given(
    seed=st.integers(0, 2**31),
    weights=st.lists(st.floats(-50, 50), min_size=len(NAMES), max_size=len(NAMES)),
    bias=st.floats(-50, 50),
)
def test_relevance_is_the_logistic_of_the_weighted_features(
    seed: int, weights: list[float], bias: float
) -> None:
    texts, photos = rows(seed, 4), rows(seed + 1, 4)
    marks = landmarks(seed + 2, 12, 12, 5, 8)
    found = Regressor(Curve(np.array(weights, np.float32), bias), marks).score(
        Vectors(texts), Vectors(photos)
    )
    assert found.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()
    features = pair_features(texts, photos, marks).astype(np.float64)
    for value, row in zip(found, features, strict=True):
        exponent = sum(w * f for w, f in zip(weights, row, strict=True)) + bias
        assert value == pytest.approx(1 / (1 + math.exp(-exponent)), abs=1e-3)


@pytest.mark.parametrize("bias", [-1000.0, 1000.0])
def test_extreme_weights_neither_overflow_nor_leave_the_range(bias: float) -> None:
    marks = landmarks(0, 3, 3)
    judge = Regressor(Curve(np.zeros(len(NAMES), np.float32), bias), marks)
    found = judge.score(Vectors(rows(2, 2)), Vectors(rows(3, 2)))
    assert found.tolist() == [float(bias > 0)] * 2


def test_no_photos_give_no_scores() -> None:
    marks = landmarks(0, 12, 12)
    judge = Regressor(Curve(np.zeros(len(NAMES), np.float32), 0), marks)
    assert judge.score(Vectors(rows(2, 1)), Vectors(np.empty((0, 5), np.float32))).shape == (0,)


def saved(file: Path, **changes: np.ndarray | None) -> Path:
    tensors: dict[str, np.ndarray | None] = {
        "weights": np.arange(len(NAMES), dtype=np.float32),
        "bias": np.array([0.25], np.float32),
        "landmarks.texts": rows(0, 12),
        "landmarks.photos": rows(1, 12),
    }
    tensors |= changes
    save_file({name: tensor for name, tensor in tensors.items() if tensor is not None}, file)
    return file


def test_loading_gives_what_was_saved(tmp_path: Path) -> None:
    weights = np.linspace(0.3, 2, len(NAMES)).astype(np.float32)
    made = Regressor(Curve(weights, 0.25), landmarks(0, 12, 12, 5, 8))
    (tmp_path / "r").write_bytes(made.dump())
    loaded = Regressor.load(tmp_path / "r")
    texts, photos = rows(20, 9), rows(30, 9)
    pairs = Vectors(texts), Vectors(photos)
    assert loaded.score(*pairs) == pytest.approx(made.score(*pairs), abs=0.02)


def test_files_of_earlier_versions_predict_the_same_as_ever(tmp_path: Path) -> None:
    """They have five weights, and neither things nor names."""
    weights = np.arange(5, dtype=np.float32)
    loaded = Regressor.load(saved(tmp_path / "r", weights=weights))
    marks = landmarks(0, 12, 12)
    for text, photo in zip(rows(2, 3), rows(3, 3), strict=True):
        exponent = float(weights @ by_hand(text, photo, marks)[:5]) + 0.25
        found = loaded.score(Vectors(text[None]), Vectors(photo[None]))[0]
        assert found == pytest.approx(1 / (1 + math.exp(-exponent)), abs=1e-5)


@pytest.mark.parametrize("lacking", ["weights", "bias", "landmarks.texts", "landmarks.photos"])
def test_a_missing_tensor_is_reported(lacking: str, tmp_path: Path) -> None:
    with pytest.raises(ProfileDamaged, match="install the profile again"):
        Regressor.load(saved(tmp_path / "r", **{lacking: None}))


def test_a_regressor_of_other_features_is_refused(tmp_path: Path) -> None:
    file = saved(tmp_path / "r", weights=np.zeros(3, np.float32))
    with pytest.raises(ProfileDamaged, match="trained on 3 features"):
        Regressor.load(file)


@pytest.mark.parametrize("content", [None, b"", b"garbage" * 100])
def test_an_unreadable_file_is_reported(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "r").write_bytes(content)
    with pytest.raises(ProfileDamaged):
        Regressor.load(tmp_path / "r")
