"""Image encoders against their makers' own code."""

from pathlib import Path
from typing import Any

import pytest
import torch

from pixquery.trainer import onnx_files
from pixquery.trainer.adopting.image_network import image_network
from tests import checkpoints
from tests.adopted import (
    IMAGENET_DEVIATION,
    IMAGENET_MEAN,
    OWN_DEVIATION,
    OWN_MEAN,
    noise,
    of,
    prepared,
    refusal,
    run,
    vectors,
)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    return tmp_path / "model"


@pytest.fixture(scope="module")
def plain() -> Any:
    """ResNet-18 in full size, every number random."""
    return checkpoints.shaken(checkpoints.PlainResNet18())


def test_resnet18_as_torchvision_saves_it(plain: Any, tmp_path: Path) -> None:
    from transformers import ResNetConfig, ResNetForImageClassification

    theirs: Any
    sizes: dict[str, Any] = {"embedding_size": 64, "hidden_sizes": [64, 128, 256, 512]}
    sizes |= {"depths": [2] * 4, "layer_type": "basic", "num_labels": 1000}
    torch.save(plain.state_dict(), tmp_path / "resnet18-f37072fd.pth")
    encoder = image_network(of(tmp_path / "resnet18-f37072fd.pth"))
    assert (encoder.what, encoder.dimension, encoder.convolutional) == ("ResNet-18", 512, True)
    assert (encoder.preparation.size, encoder.preparation.interpolation) == (224, "bilinear")
    assert encoder.classes is not None
    assert encoder.classes.weight == pytest.approx(plain.fc.weight.detach().numpy())
    assert encoder.classes.names[:2] == ("tench", "goldfish")
    assert len(encoder.classes.names) == 1000
    pixels = noise(2, 224)
    photos = prepared(pixels, IMAGENET_MEAN, IMAGENET_DEVIATION)
    exported = run(onnx_files.image_onnx(encoder, 224), pixels=pixels)
    assert exported == pytest.approx(vectors(plain, photos), abs=1e-4, rel=1e-4)
    # The same weights in transformers.
    config = ResNetConfig(**sizes)
    theirs = ResNetForImageClassification(config)
    theirs.eval()
    own = {
        name: tensor
        for name, tensor in plain.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    state = theirs.state_dict()
    renamed = checkpoints.in_torchvision_words({name: name for name in state})
    theirs.load_state_dict(
        {name: own.get(new, state[name]) for new, name in renamed.items()}, strict=True
    )
    with torch.no_grad():
        pooled = theirs.resnet(photos).pooler_output.flatten(1).numpy()
    assert exported == pytest.approx(pooled, abs=1e-4, rel=1e-4)


def test_weights_in_half_precision_are_the_same_network(folder: Path) -> None:
    theirs = checkpoints.resnet(folder)
    theirs.half().save_pretrained(folder)
    encoder = image_network(of(folder))
    pixels = noise(2, checkpoints.SIDE)
    with torch.no_grad():
        photos = prepared(pixels, OWN_MEAN, OWN_DEVIATION)
        wanted = theirs.float().resnet(photos).pooler_output.flatten(1).numpy()
    assert vectors(encoder, torch.from_numpy(pixels)) == pytest.approx(wanted, abs=1e-4, rel=1e-4)


@pytest.mark.parametrize("layer_type", ["basic", "bottleneck"])
def test_resnets_as_transformers_save_them(layer_type: str, folder: Path) -> None:
    theirs = checkpoints.resnet(folder, layer_type=layer_type)
    encoder = image_network(of(folder))
    pixels = noise(3, checkpoints.SIDE)
    photos = prepared(pixels, OWN_MEAN, OWN_DEVIATION)
    with torch.no_grad():
        wanted = theirs.resnet(photos).pooler_output.flatten(1).numpy()
        answers = theirs(photos).logits.numpy()
    ours = vectors(encoder, torch.from_numpy(pixels))
    assert ours == pytest.approx(wanted, abs=1e-4, rel=1e-4)
    assert encoder.convolutional
    assert encoder.classes is not None
    assert encoder.classes.names == ("cat", "dog", "balloon")
    bias = theirs.classifier[1].bias.detach().numpy()
    assert encoder.classes is not None
    assert ours @ encoder.classes.weight.T + bias == pytest.approx(answers, abs=1e-3, rel=1e-3)
    # The same weights with torchvision's names are the same network.
    state = checkpoints.in_torchvision_words(dict(theirs.state_dict()))
    torch.save(state, folder.parent / "lone.pth")
    lone = image_network(of(folder.parent / "lone.pth"))
    lone.mean, lone.deviation = encoder.mean, encoder.deviation
    assert vectors(lone, torch.from_numpy(pixels)) == pytest.approx(wanted, abs=1e-4, rel=1e-4)
    assert lone.classes is None  # three classes without names


def vit(folder: Path) -> Any:
    from transformers import ViTConfig, ViTForImageClassification

    named = {"id2label": {0: "a", 1: "b", 2: "c"}, "label2id": {"a": 0, "b": 1, "c": 2}}
    sizes: dict[str, Any] = {**checkpoints.VISION, **named}
    return checkpoints.shaken(ViTForImageClassification(ViTConfig(**sizes)))


def test_the_pooling_of_a_classifier_is_what_its_last_layer_sees(folder: Path) -> None:
    """A classifier's files lack the weights of the pooling that the bare network has."""
    theirs = vit(folder)
    theirs.save_pretrained(folder)
    checkpoints.write_preparation(folder)
    encoder = image_network(of(folder))
    pixels = noise(3, checkpoints.SIDE)
    with torch.no_grad():
        answers = theirs(prepared(pixels, OWN_MEAN, OWN_DEVIATION)).logits.numpy()
    ours = vectors(encoder, torch.from_numpy(pixels))
    bias = theirs.classifier.bias.detach().numpy()
    assert encoder.classes is not None
    assert ours @ encoder.classes.weight.T + bias == pytest.approx(answers, abs=1e-3)
    assert not encoder.convolutional


def test_a_bare_network_is_pooled_as_it_pools(folder: Path) -> None:
    from transformers import Dinov2Config, Dinov2Model

    sizes = {name: value for name, value in checkpoints.VISION.items() if name[:5] != "inter"}
    theirs = checkpoints.shaken(Dinov2Model(Dinov2Config(**sizes)))
    theirs.save_pretrained(folder)
    checkpoints.write_preparation(folder)
    encoder = image_network(of(folder))
    pixels = noise(2, checkpoints.SIDE)
    with torch.no_grad():
        wanted = theirs(prepared(pixels, OWN_MEAN, OWN_DEVIATION)).pooler_output.numpy()
    assert vectors(encoder, torch.from_numpy(pixels)) == pytest.approx(wanted, abs=1e-4)
    assert encoder.classes is None


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"layer1.0.se.fc1.weight": (4, 4)}, "layer1.0.se.fc1.weight, which a"),
        ({"layer2.0.conv1.weight": (3, 3)}, "of the shape (3, 3)"),
        ({"layer3.1.bn2.running_var": None}, "lacks the weights layer3.1.bn2.running_var"),
    ],
)
def test_resnets_that_are_not_plain(
    broken: dict[str, tuple[int, ...] | None], words: str, tmp_path: Path
) -> None:
    state = checkpoints.PlainResNet18(4).state_dict()
    for name, shape in broken.items():
        if shape is None:
            del state[name]
        else:
            state[name] = torch.zeros(shape)
    torch.save(state, tmp_path / "net.pth")
    assert words in refusal(image_network, tmp_path / "net.pth")


def test_photos_of_another_size_than_the_network_takes(folder: Path) -> None:
    vit(folder).save_pretrained(folder)
    checkpoints.write_preparation(folder, size=48)
    assert "48 x 48" in refusal(image_network, folder)
