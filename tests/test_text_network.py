"""Text encoders against their makers' own code."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from pixquery.trainer.adopting.text_network import text_network
from pixquery.trainer.onnx_files import text_onnx
from pixquery.trainer.packages import source_file
from pixquery.trainer.text_model import TEXT_SOURCE, TextModel
from tests import checkpoints
from tests.adopted import TEXTS, change, of, ours, refusal, run, tokens, vectors

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    return tmp_path / "model"


def test_plain_text_models_give_the_mean_of_their_words(folder: Path) -> None:
    theirs = checkpoints.distilbert(folder)
    encoder = text_network(of(folder))
    assert (encoder.pieces.most, encoder.dimension) == (40, 16)
    given = tokens(folder, TEXTS, 40)
    with torch.no_grad():
        words = theirs(**given).last_hidden_state
    mask = given["attention_mask"].unsqueeze(-1)
    wanted = ((words * mask).sum(1) / mask.sum(1)).numpy()
    assert ours(encoder, TEXTS) == pytest.approx(wanted, abs=1e-5)
    assert ours(encoder, TEXTS, fill=7) == pytest.approx(wanted, abs=1e-5)
    exported = run(
        text_onnx(encoder, 40),
        ids=given["input_ids"].numpy(), mask=given["attention_mask"].numpy(),
    )  # fmt: skip
    assert exported == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize(("way", "unit"), [("cls", True), ("mean", False), ("mean", True)])
def test_sentence_models_pool_as_their_folder_says(
    way: str, unit: bool, old: bool, folder: Path
) -> None:
    theirs = checkpoints.sentences(folder, way, unit=unit, old=old)
    encoder = text_network(of(folder))
    assert encoder.pieces.most == 24
    given = tokens(folder, TEXTS, 24)
    with torch.no_grad():
        words = theirs(**given).last_hidden_state.numpy()
    mask = given["attention_mask"].numpy()[:, :, None]
    wanted = words[:, 0] if way == "cls" else (words * mask).sum(1) / mask.sum(1)
    if unit:
        wanted = wanted / np.linalg.norm(wanted, axis=1, keepdims=True)
    assert ours(encoder, TEXTS) == pytest.approx(wanted, abs=1e-5)


def test_a_real_sentence_model_is_read_as_the_shipped_profile_reads_it() -> None:
    folder = source_file(TEXT_SOURCE).parent
    encoder = text_network(of(folder))
    shipped = TextModel()
    assert (encoder.pieces.most, encoder.dimension) == (256, 384)
    given = tokens(folder, TEXTS, 256)
    wanted = vectors(shipped, given["input_ids"], given["attention_mask"])
    assert ours(encoder, TEXTS) == pytest.approx(wanted, abs=1e-5)


def test_text_models_that_cannot_be_used(folder: Path) -> None:
    checkpoints.sentences(folder, "mean", unit=True)
    shutil.move(folder / "vocab.txt", folder / "elsewhere")
    assert "has no vocabulary" in refusal(text_network, folder)
    (folder / "tokenizer.json").write_text("{")
    assert "no JSON" in refusal(text_network, folder)
    (folder / "tokenizer.json").unlink()
    shutil.move(folder / "elsewhere", folder / "vocab.txt")
    change(folder / "tokenizer_config.json", padding_side="left")
    assert "on the left" in refusal(text_network, folder)
    change(folder / "tokenizer_config.json", padding_side="right")
    pooling = folder / "1_Pooling" / "config.json"
    change(pooling, pooling_mode=["mean", "max"])
    assert "mean and max" in refusal(text_network, folder)
    change(pooling, pooling_mode="mean")
    modules = json.loads((folder / "modules.json").read_text())
    layer = {"idx": 3, "path": "3_Dense", "type": "sentence_transformers.models.Dense"}
    checkpoints.write_json(folder / "modules.json", [*modules, layer])
    assert "a further layer Dense" in refusal(text_network, folder)
    checkpoints.write_json(folder / "modules.json", modules)
    with (folder / "vocab.txt").open("a") as words:
        words.write("another\n")
    assert "pieces, and the network knows" in refusal(text_network, folder)
