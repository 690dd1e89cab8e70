"""Models that cannot be used are refused with a reason."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pixquery.trainer.adopting.image_network import image_network
from pixquery.trainer.adopting.joint_networks import joint_networks
from pixquery.trainer.adopting.text_network import text_network
from tests import checkpoints
from tests.adopted import change, of, refusal
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    return tmp_path / "model"


def test_image_and_text_models_that_are_mixed_up(folder: Path, tmp_path: Path) -> None:
    text, both = tmp_path / "text", tmp_path / "both"
    checkpoints.resnet(folder)
    checkpoints.distilbert(text)
    checkpoints.clip(both)
    assert "sees no photos" in refusal(image_network, text)
    assert "reads no texts" in refusal(text_network, folder)
    assert "--joint" in refusal(image_network, both)
    assert "--joint" in refusal(text_network, both)
    assert "has one side" in refusal(joint_networks, folder)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("config.json", "{", "no JSON"),
        ("config.json", "[]", "no named values"),
        ("config.json", "{}", "tells no model_type"),
        ("config.json", '{"architecture": "vit_base_patch16_224"}', "not vit_base_patch16_224"),
        ("config.json", '{"model_type": "seer9"}', "'seer9' model, which the installed"),
        ("config.json", '{"model_type": "seer9", "auto_map": {"AutoModel": "m.M"}}', "never run"),
        ("config.json", '{"model_type": "resnet", "layer_type": "odd"}', "layer"),
        ("config.json", '{"model_type": "resnet", "depths": "odd"}', "cannot be"),
        ("config.json", '{"model_type": "resnet", "quantization_config": {}}', "fewer bits"),
        ("preprocessor_config.json", "{", "no JSON"),
        ("preprocessor_config.json", '{"size": 32}', "'image_mean'"),
        ("preprocessor_config.json", '{"size": {"height": 32, "width": 64}}', "no squares"),
        ("preprocessor_config.json", '{"do_flip_channel_order": true}', "do_flip_channel_order"),
    ],
)
def test_files_of_a_vision_model_that_are_wrong(
    name: str, content: str, words: str, folder: Path
) -> None:
    checkpoints.resnet(folder)
    (folder / name).write_text(content)
    assert words in refusal(image_network, folder)


def test_weights_that_do_not_fit(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    checkpoints.resnet(folder)
    weights = folder / "model.safetensors"
    state = load_file(weights)
    change(folder / "config.json", embedding_size=16)
    assert "(8, 3, 7, 7)" in (message := refusal(image_network, folder))
    assert "(16, 3, 7, 7)" in message
    change(folder / "config.json", embedding_size=8)
    some = "resnet.embedder.embedder.convolution.weight"
    save_file({name: tensor for name, tensor in state.items() if name != some}, weights)
    assert f"such as {some}" in refusal(image_network, folder)
    whole = shutil.copy(weights, tmp_path / "whole")
    weights.write_bytes(Path(whole).read_bytes()[:-100])
    assert "damaged" in refusal(image_network, folder)


def test_models_that_generate_texts_are_refused(folder: Path) -> None:
    from transformers import T5Config, T5Model

    small = T5Config(vocab_size=20, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    T5Model(small).save_pretrained(folder)
    assert "writes texts" in refusal(text_network, folder)


def test_code_of_a_model_is_never_run(folder: Path, tmp_path: Path) -> None:
    """A configuration's reference to code beside it is ignored."""
    checkpoints.distilbert(folder)
    trap = f"open({str(tmp_path / 'sprung')!r}, 'w')\nclass M: ...\n"
    (folder / "modeling_trap.py").write_text(trap)
    own = {"AutoConfig": "modeling_trap.M", "AutoModel": "modeling_trap.M"}
    change(folder / "config.json", auto_map=own)
    change(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["modeling_trap.M", None]})
    text_network(of(folder))
    assert not (tmp_path / "sprung").exists()


def test_neither_torchvision_nor_timm_is_imported(folder: Path, tmp_path: Path) -> None:
    checkpoints.resnet(folder)
    checkpoints.clip(tmp_path / "clip")
    script = (
        "import sys\n"
        "from pixquery.trainer.adopting.image_network import image_network\n"
        "from pixquery.trainer.adopting.joint_networks import joint_networks\n"
        "from pixquery.trainer.adopting.find import find\n"
        "image_network(find(sys.argv[1])), joint_networks(find(sys.argv[2]))\n"
        "print({'torchvision', 'timm', 'sentencepiece'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, folder, tmp_path / "clip"],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("set()\n", "")
