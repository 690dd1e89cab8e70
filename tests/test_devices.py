"""Devices other than the processor compute the same vectors, or are refused.

No GPU is needed: the code that runs OpenVINO and ONNX Runtime on a device runs them on the
processor here.
"""

from pathlib import Path

import click
import numpy as np
import onnx
import pytest

from pixquery.commands.index import index
from pixquery.db.errors import DeviceUnusable
from pixquery.db.records import Floats, Pixels
from pixquery.engine.devices import (
    AGREES,
    AUTO,
    CPU,
    CUDA,
    GPU,
    NPU,
    BatchImageEncoder,
    OnnxRuntimeImageEncoder,
    agreement_of,
    image_encoder_on,
    present,
)
from pixquery.engine.encoders import ImageEncoder, has_bfloat16
from pixquery.engine.profile import load_profile
from pixquery.trainer.onnx_files import of_any_size
from tests.conftest import COLOURS, SIZE, Invoke

ABSENT = [device for device in (CUDA, GPU, NPU) if device not in present()]


@pytest.fixture
def model(colours: Path) -> Path:
    return colours / "image.onnx"


def encoders(model: Path, size: int, dimension: int) -> list[ImageEncoder]:
    return [
        BatchImageEncoder(model, "CPU", size=size, dimension=dimension),
        OnnxRuntimeImageEncoder(
            model, size=size, dimension=dimension, provider="CPUExecutionProvider"
        ),
    ]


@pytest.mark.parametrize("count", [0, 1, 16, 17, 150])
def test_batches_of_any_length_are_encoded_in_order(model: Path, count: int) -> None:
    colours = np.array(list(COLOURS.values()), np.uint8)[np.arange(count) % 8]
    pixels = np.broadcast_to(colours[:, None, None], (count, SIZE, SIZE, 3))
    for encoder in encoders(model, SIZE, 3):
        found = encoder.encode(np.ascontiguousarray(pixels))
        assert found.shape == (count, 3)
        np.testing.assert_allclose(found, colours / 255, atol=1e-6)


def test_the_shipped_model_agrees_on_all_ways_to_run_it() -> None:
    profile = load_profile()
    model = profile.folder / profile.manifest["image"]["models"]["float"]
    for encoder in encoders(model, profile.size, profile.dimension):
        # With bfloat16 the processor itself computes with 8 bits of precision.
        assert agreement_of(encoder, model) > (AGREES if has_bfloat16() else 0.9999)


def test_onnx_runtime_takes_other_sizes_if_the_model_does(model: Path, tmp_path: Path) -> None:
    with pytest.raises(DeviceUnusable, match="8 pixels, not 12"):
        OnnxRuntimeImageEncoder(model, size=12, dimension=3, provider="CPUExecutionProvider")
    flexible = tmp_path / "flexible.onnx"
    onnx.save(of_any_size(onnx.load(model)), flexible)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 12, 12, 3)).astype(np.uint8)
    for encoder in encoders(flexible, 12, 3):
        vectors = encoder.encode(pixels)
        np.testing.assert_allclose(vectors, pixels.mean((1, 2)) / 255, atol=1e-6)


class Wrong:
    """A device whose driver swaps two colours, or computes no numbers at all."""

    size, dimension = SIZE, 3

    def __init__(self, encoder: ImageEncoder, *, broken: bool) -> None:
        self._encoder, self._broken = encoder, broken

    def encode(self, pixels: Pixels) -> Floats:
        found = self._encoder.encode(pixels)[:, [1, 0, 2]]
        return found * np.float32(np.nan if self._broken else 1)


@pytest.mark.parametrize("broken", [False, True])
def test_a_device_that_computes_wrong_results_is_refused(model: Path, *, broken: bool) -> None:
    encoder = encoders(model, SIZE, 3)[0]
    assert agreement_of(encoder, model) > 0.9999
    assert agreement_of(Wrong(encoder, broken=broken), model) < 0.99


@pytest.mark.skipif(not ABSENT, reason="this computer has every kind of device")
def test_a_missing_device_is_reported(model: Path, squares: Path, invoke: Invoke) -> None:
    for device in ABSENT:
        with pytest.raises(DeviceUnusable, match=f"no device {device}.*cpu"):
            image_encoder_on(device, model, size=SIZE, dimension=3)
    done = invoke("index", squares, "--library", squares.parent / "l", "--device", ABSENT[0])
    assert done.exit_code == 1
    assert f"there is no device {ABSENT[0]}" in done.stderr
    again = invoke("index", squares, "--library", squares.parent / "l", "--device", "cpu")
    assert again.exit_code == 0


def test_the_command_offers_every_device() -> None:
    (option,) = (option for option in index.params if option.name == "device")
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == (AUTO, CPU, CUDA, GPU, NPU)


@pytest.mark.skipif(bool(present()), reason="this computer has another device")
def test_without_a_device_the_processor_encodes(model: Path) -> None:
    for device in (AUTO, CPU):
        assert image_encoder_on(device, model, size=SIZE, dimension=3) is None


@pytest.mark.skipif(not present(), reason="this computer has no device but the processor")
@pytest.mark.parametrize("device", present())
def test_the_devices_of_this_computer_agree_with_its_processor(device: str) -> None:
    profile = load_profile()
    model = profile.folder / profile.manifest["image"]["models"]["float"]
    encoder = image_encoder_on(device, model, size=profile.size, dimension=profile.dimension)
    assert encoder is not None
    assert agreement_of(encoder, model) > 0.99
