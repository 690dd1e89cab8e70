"""Small steps that tests of other people's networks share."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as runtime
import pytest
import torch

from pixquery.db.errors import SourceUnusable
from pixquery.db.records import Floats, Pixels
from pixquery.trainer.adopting.find import find
from tests import checkpoints

TEXTS = ["man on bicycle", "Red BALLOON!", "a", "the dog's photo, of snow", "dog " * 60, "café 空"]
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
OWN_MEAN, OWN_DEVIATION = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    return tmp_path / "model"


def noise(count: int, side: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)


def prepared(pixels: Pixels, mean: tuple[float, ...], deviation: tuple[float, ...]) -> Any:
    """Photos as the networks were trained on them: float32[n, 3, h, w]."""
    scaled = (pixels.astype(np.float64) / 255 - mean) / deviation
    return torch.from_numpy(scaled.transpose(0, 3, 1, 2).astype(np.float32))


def of(place: Path) -> Any:
    return find(str(place))


def run(model: Any, **given: Any) -> Floats:
    """An ONNX model's output in ONNX Runtime."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, given)[0])


def vectors(network: Any, *given: Any) -> Floats:
    with torch.no_grad():
        return np.asarray(network(*given).numpy())


def tokens(folder: Path, texts: list[str], longest: int) -> dict[str, Any]:
    """Ids and mask as transformers makes them."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    found = tokenizer(texts, padding=True, truncation=True, max_length=longest, return_tensors="pt")
    return {name: found[name] for name in ("input_ids", "attention_mask")}


def ours(network: Any, texts: list[str], fill: int = 0) -> Floats:
    """The network's vectors for its own word pieces, in one padded batch."""
    pieces = network.pieces.ids(texts)
    longest = max(map(len, pieces))
    ids = np.array([one + [fill] * (longest - len(one)) for one in pieces], np.int64)
    mask = np.array([[1] * len(one) + [0] * (longest - len(one)) for one in pieces], np.int64)
    return vectors(network, torch.from_numpy(ids), torch.from_numpy(mask))


def unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def refusal(read: Callable[[Any], Any], place: Path) -> str:
    with pytest.raises(SourceUnusable) as caught:
        read(of(place))
    message = str(caught.value)
    assert "\n" not in message
    return message


def change(file: Path, **entries: Any) -> None:
    checkpoints.write_json(file, {**json.loads(file.read_text("utf-8")), **entries})
