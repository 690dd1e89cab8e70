"""CLIP and SigLIP against transformers' own code."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pixquery.trainer import onnx_files
from pixquery.trainer.adopting.joint_networks import joint_networks
from tests import checkpoints
from tests.adopted import (
    OWN_DEVIATION,
    OWN_MEAN,
    TEXTS,
    noise,
    of,
    ours,
    prepared,
    run,
    tokens,
    unit,
    vectors,
)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    return tmp_path / "model"


@pytest.mark.parametrize("ends", [None, 2])
def test_clip_is_as_transformers_has_it(ends: int | None, folder: Path) -> None:
    theirs = checkpoints.clip(folder, ends=ends)
    joint = joint_networks(of(folder))
    pixels = noise(3, checkpoints.SIDE)
    given = tokens(folder, TEXTS, 20)  # which pads with the piece that ends a text
    with torch.no_grad():
        seen = theirs.get_image_features(
            pixel_values=prepared(pixels, OWN_MEAN, OWN_DEVIATION)
        ).pooler_output.numpy()
        read = theirs.get_text_features(**given).pooler_output.numpy()
    assert vectors(joint.image, torch.from_numpy(pixels)) == pytest.approx(unit(seen), abs=1e-5)
    assert ours(joint.text, TEXTS) == pytest.approx(unit(read), abs=1e-5)
    the_end = int(given["input_ids"].max())
    assert ours(joint.text, TEXTS, fill=the_end) == pytest.approx(unit(read), abs=1e-5)
    if ends is not None:
        longest = given["input_ids"].shape[1]
        exported = run(
            onnx_files.text_onnx(joint.text, longest),
            ids=given["input_ids"].numpy(), mask=given["attention_mask"].numpy(),
        )  # fmt: skip
        assert exported == pytest.approx(unit(read), abs=1e-4)
    assert joint.logit_scale == pytest.approx(np.exp(theirs.logit_scale.item()), rel=1e-5)
    assert joint.logit_bias is None


# The ids of these texts by the library sentencepiece and transformers' tokenizer for it.
SIGLIP_IDS = {
    "red balloon": [4, 5, 1],
    "Red, balloons!": [4, 5, 9, 1],
    "RED  Balloon": [4, 5, 1],
    "": [1],
    " a": [3, 6, 1],
    "?!": [1],
    "空 a": [3, 2, 6, 1],
    "a-b": [6, 11, 1],
    "ba l": [3, 11, 10, 3, 21, 1],
    "blue balloon on a field of red": [3, 11, 21, 29, 14, 5, 3, 24, 23, 6, 3, 1],
}


def test_siglip_is_as_transformers_has_it(folder: Path) -> None:
    theirs = checkpoints.siglip(folder)
    joint = joint_networks(of(folder))
    texts = list(SIGLIP_IDS)
    assert dict(zip(texts, joint.text.pieces.ids(texts), strict=True)) == SIGLIP_IDS
    filled = torch.tensor([ids + [1] * (12 - len(ids)) for ids in SIGLIP_IDS.values()])
    with torch.no_grad():
        read = theirs.get_text_features(input_ids=filled).pooler_output.numpy()
    assert ours(joint.text, texts) == pytest.approx(unit(read), abs=1e-5)
    assert ours(joint.text, texts, fill=30) == pytest.approx(unit(read), abs=1e-5)
    alone = np.concatenate([ours(joint.text, [text]) for text in texts])
    assert alone == pytest.approx(unit(read), abs=1e-5)
    assert joint.logit_bias == pytest.approx(theirs.logit_bias.item())
    # A tokenizer.json in place of sentencepiece's file is used unchanged.
    (folder / "spiece.model").unlink()
    (folder / "tokenizer.json").write_text(joint.text.pieces.tokenizer, "utf-8")
    again = joint_networks(of(folder))
    assert again.text.pieces.ids(texts) == list(SIGLIP_IDS.values())
