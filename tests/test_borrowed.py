"""Relevance for a model that nobody rated photos with, in a space that a person can work out."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from pixquery.db.records import Floats
from pixquery.engine.alignment import Alignment, unit
from pixquery.engine.features import RELATIVE, Vectors, relative_features
from pixquery.engine.manifest import parsed
from pixquery.engine.profile import DEFAULT, load_profile
from pixquery.engine.relevance import Regressor
from pixquery.trainer.adopting.borrowed import (
    CURVE,
    FEWEST,
    MOST,
    borrowed,
    landmarks_of,
    relevance_part,
    usual_texts,
)

LENGTH = 8


class Words:
    """A text encoder: each text has a direction of its own."""

    dimension = LENGTH

    def rank(self, word: str) -> int | None:
        return None

    def encode(self, texts: list[str]) -> Floats:
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) for text in texts]
        return np.stack([rows(seed, 1)[0] for seed in seeds])


def rows(seed: int, count: int) -> Floats:
    return unit(np.random.default_rng(seed).normal(size=(count, LENGTH)).astype(np.float32))


@pytest.fixture
def alignment(tmp_path: Path) -> Alignment:
    """Leaves all vectors as they are."""
    same, none = np.eye(LENGTH, dtype=np.float32), np.zeros(LENGTH, np.float32)
    names = ("image.weight", "image.bias", "text.0.weight", "text.0.bias")
    save_file(dict(zip(names, (same, none, same, none), strict=True)), tmp_path / "alignment")
    return Alignment(tmp_path / "alignment")


def test_a_base_install_can_run_it() -> None:
    code = (
        "import sys, pixquery.trainer.adopting.borrowed; "
        "print(*{'torch', 'transformers', 'sklearn', 'scipy', 'onnx'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


def test_the_curve_is_that_of_people_and_rises() -> None:
    curve = json.loads(CURVE.read_text("utf-8"))
    assert load_profile(curve["from"]).name == DEFAULT
    assert curve["pairs"] > 2000
    assert curve["judges"] == "experts"
    assert len(curve["weights"]) == 1
    for side in ("predicted", "judged"):
        values = np.array(curve["calibration"][side])
        assert (np.diff(values) > 0).all()
        assert values[0] >= 0
        assert values[-1] <= 1


def test_texts_are_distinct_and_plain() -> None:
    texts = usual_texts()
    assert len(texts) == len(set(texts)) > 300
    assert all(text == text.strip() and text.isascii() and text for text in texts)


def test_what_is_written_is_what_a_query_reads(tmp_path: Path, alignment: Alignment) -> None:
    photos = rows(0, 30)
    part = relevance_part(tmp_path, Words(), alignment, photos)
    assert part["regressor"] == {"kind": "logistic", "features": RELATIVE}
    read = Regressor.load(tmp_path / part["relevance"], **part["regressor"])
    read.refuse_other_lengths(LENGTH, LENGTH, LENGTH)
    landmarks = landmarks_of(Words().encode(usual_texts()), photos)
    made = borrowed(json.loads(CURVE.read_text("utf-8")), landmarks)
    asked, seen = Vectors(rows(1, 1)), Vectors(rows(2, 40))
    relevance = read.score(asked, seen)
    assert relevance == pytest.approx(made.score(asked, seen), abs=2e-3)
    assert ((relevance >= 0) & (relevance <= 1)).all()
    closeness = relative_features(asked.aligned, seen.aligned, landmarks)[:, 0]
    order = np.argsort(closeness)
    assert (np.diff(relevance[order]) >= -2e-3).all()
    assert (read.spread(asked.aligned) > 0).all()


def test_the_manifest_says_where_it_comes_from(tmp_path: Path, alignment: Alignment) -> None:
    part = relevance_part(tmp_path, Words(), alignment, rows(0, FEWEST))
    trained = part["trained"]
    assert trained["from"] == DEFAULT
    assert trained["borrowed"] is True
    file = {"bytes": 1, "sha256": "0" * 64}
    rest = {
        "name": "mine", "description": "", "licence": "", "files": {"x": file},
        "image": {"models": {"float": "x"}, "size": 1, "dimension": 1, "source_sha256": "1"},
        "text": {"model": "x", "tokenizer": "x", "dimension": 1, "max_tokens": 9},
    }  # fmt: skip
    assert parsed(json.dumps({**rest, **part}))["trained"] == trained


def test_few_photos_give_no_relevance_and_the_reason(tmp_path: Path, alignment: Alignment) -> None:
    part = relevance_part(tmp_path, Words(), alignment, rows(0, FEWEST - 1))
    why = f"its scale needs {FEWEST} photos, and {FEWEST - 1} were given"
    assert part == {"left_out": {"relevance": why}}
    assert not (tmp_path / "relevance.safetensors").exists()


@pytest.mark.parametrize("count", [MOST, MOST + 1, 3 * MOST])
def test_many_photos_are_sampled_evenly(tmp_path: Path, alignment: Alignment, count: int) -> None:
    relevance_part(tmp_path, Words(), alignment, rows(0, count))
    kept = Regressor.load(tmp_path / "relevance.safetensors", features=RELATIVE).landmarks.photos
    assert MOST // 2 < len(kept) <= MOST
    step = -(-count // MOST)
    assert kept == pytest.approx(rows(0, count)[::step], abs=1e-3)
