"""How photos are prepared, as a model's own files say."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from pixquery.trainer.adopting.image_network import image_network
from tests import checkpoints
from tests.adopted import of, refusal

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    return tmp_path / "model"


def test_timm_states_its_own_preparation(folder: Path) -> None:
    from safetensors.torch import save_file

    state = checkpoints.PlainResNet18(8).state_dict()
    save_file(state, folder / "model.safetensors")
    told = {"input_size": [3, 288, 288], "interpolation": "bicubic", "mean": [0.5] * 3,
            "std": [0.25] * 3, "crop_pct": 0.95}  # fmt: skip
    checkpoints.write_json(
        folder / "config.json", {"architecture": "resnet18", "pretrained_cfg": told}
    )
    found = image_network(of(folder)).preparation
    assert (found.size, found.interpolation, found.mean, found.deviation) == (
        288, "bicubic", (0.5,) * 3, (0.25,) * 3,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("told", "side", "interpolation"),
    [
        ({"size": 32}, 32, "bicubic"),
        ({"size": {"height": 32, "width": 32}, "resample": 2}, 32, "bilinear"),
        ({"size": {"shortest_edge": 32}, "crop_pct": 0.875}, 32, "bicubic"),
        ({"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}}, 32, "bicubic"),
        ({"size": 36, "crop_size": 32, "do_center_crop": True, "resample": 1}, 32, "lanczos"),
        ({"size": 32, "crop_size": 24, "do_center_crop": False}, 32, "bicubic"),
    ],
)
def test_the_square_is_what_the_network_sees_at_last(
    told: dict[str, Any], side: int, interpolation: str, folder: Path
) -> None:
    checkpoints.resnet(folder)
    checkpoints.write_preparation(folder, **told)
    found = image_network(of(folder)).preparation
    assert (found.size, found.interpolation) == (side, interpolation)


def test_old_transformers_scaled_to_the_middle(folder: Path) -> None:
    """A processor of transformers 5 writes another file; steps that it turns off are skipped."""
    checkpoints.resnet(folder)
    told = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").unlink()
    told |= {"do_normalize": False, "rescale_factor": 1 / 127.5}
    del told["resample"]
    told["image_processor_type"] = "ViTImageProcessor"
    checkpoints.write_json(folder / "processor_config.json", {"image_processor": told})
    found = image_network(of(folder)).preparation
    assert (found.scale, found.mean, found.deviation) == (
        1 / 127.5,
        (0.0,) * 3,
        (1.0,) * 3,
    )
    assert found.interpolation == "bilinear"


def test_files_of_a_vision_model_that_are_missing(folder: Path) -> None:
    checkpoints.resnet(folder)
    (folder / "preprocessor_config.json").unlink()
    assert "does not say how its photos are prepared" in refusal(image_network, folder)


def test_a_useless_timm_configuration_is_refused(folder: Path) -> None:
    torch.save(checkpoints.PlainResNet18(4).state_dict(), folder / "pytorch_model.bin")
    odd = {"architecture": "resnet18", "pretrained_cfg": {"mean": 3}}
    checkpoints.write_json(folder / "config.json", odd)
    assert "has an odd one" in refusal(image_network, folder)
