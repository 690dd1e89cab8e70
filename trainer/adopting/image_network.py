"""Image encoders: vision models that transformers knows, and plain ResNets."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pixquery.db.errors import SourceUnusable
from pixquery.db.records import Floats
from pixquery.trainer.adopting.architectures import (
    bare_class,
    configuration,
    load,
    refuse_joint,
    sizes_checked,
)
from pixquery.trainer.adopting.networks import Classes, ImageNetwork
from pixquery.trainer.adopting.preparation import of_processor, of_timm
from pixquery.trainer.adopting.resnet import ResNet, is_resnet
from pixquery.trainer.adopting.sources import Source
from pixquery.trainer.adopting.weights import read_state
from pixquery.trainer.classes import imagenet_names

_CONVOLUTIONAL = {"resnet", "regnet"}
_IMAGENET = 1000


def image_network(source: Source) -> ImageNetwork:
    """The image encoder of a source.

    Args:
        source: A vision model that transformers knows, or a ResNet with weights named as in
            torchvision or timm.

    Raises:
        SourceUnusable: It is neither, or its files contradict each other or cannot be read.
    """
    state = read_state(source.weights)
    if is_resnet(state):
        return _plain_resnet(source, state)
    config = configuration(source)
    refuse_joint(source, config)
    if bare_class(source, config).main_input_name != "pixel_values":
        raise SourceUnusable(
            f"{source.named} is a {config.model_type} model, which encodes no photos: give a text "
            "model with --text, and an image model with --image"
        )
    preparation = of_processor(source)
    model, untrained = load(source, config, state, classifier=_is_classifier(config))
    features = _Features(model.base_model)
    with sizes_checked(source, preparation.size):
        ways = ("first", "mean") if untrained else ("pooler", "first", "mean")
        features.pooling, weight = _pooling(model, features, ways, preparation.size)
        encoder = ImageNetwork(
            features, preparation, config.model_type, _POOLINGS[features.pooling]
        )
    if weight is not None:
        names = [str(config.id2label.get(row, "")) for row in range(len(weight))]
        encoder.classes = _classes(weight, names)
    encoder.convolutional = config.model_type in _CONVOLUTIONAL
    return encoder


_POOLINGS = {
    "pooler": "as the model pools its last features",
    "first": "the first of the last features",
    "mean": "mean over all positions of the last features",
}


class _Features(nn.Module):
    """float32[n, 3, h, w], prepared -> float32[n, d], by transformers' model."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.pooling = "pooler"

    def forward(self, pixels: Tensor) -> Tensor:
        out = self.model(pixel_values=pixels)
        last: Tensor = out.last_hidden_state
        pooled: Tensor | None = getattr(out, "pooler_output", None)
        if self.pooling == "pooler" and pooled is not None and _is_vector(pooled):
            return pooled.flatten(1)
        if last.ndim == 4:
            return last.mean((2, 3))
        return last[:, 0] if self.pooling == "first" else last.mean(1)


def _pooling(
    model: Any, features: _Features, ways: tuple[str, ...], size: int
) -> tuple[str, Floats | None]:
    """How to pool, and the classifier's last layer float32[c, d] if it follows directly.

    The files of a classifier do not say which features its last layer sees; its output for a
    picture shows it.
    """
    picture = torch.rand((1, 3, size, size), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        if model is not features.model:
            last = [part for part in model.modules() if isinstance(part, nn.Linear)][-1]
            answers = model(pixel_values=picture).logits
            for way in ways:
                features.pooling = way
                seen = features(picture)
                if seen.shape[1] == last.in_features and torch.allclose(
                    last(seen), answers, rtol=1e-3, atol=1e-3
                ):
                    return way, np.asarray(last.weight.detach().numpy(), np.float32)
        pooled = getattr(features.model(pixel_values=picture), "pooler_output", None)
    return "pooler" if ways[0] == "pooler" and _is_vector(pooled) else "mean", None


def _is_vector(pooled: Tensor | None) -> bool:
    return pooled is not None and pooled.flatten(1).shape[1] == pooled.shape[1]


def _plain_resnet(source: Source, state: Mapping[str, Tensor]) -> ImageNetwork:
    try:
        network = ResNet(state)
    except SourceUnusable as error:
        raise SourceUnusable(
            f"{source.named} {error}: of torchvision's and timm's weights, only plain ResNets "
            "can be read; choose one, or a model that transformers knows"
        ) from error
    encoder = ImageNetwork(network, of_timm(source), network.name, _POOLINGS["mean"])
    last = state.get("fc.weight")
    if last is not None and last.shape[1] == encoder.dimension:
        encoder.classes = _classes(np.asarray(last.float().numpy(), np.float32), [])
    encoder.convolutional = True
    return encoder


def _classes(weight: Floats, names: Sequence[str]) -> Classes | None:
    """The classes with the model's own names, or with better ones if they are ImageNet's."""
    usual = all(name == f"LABEL_{row}" for row, name in enumerate(names))
    if len(weight) == _IMAGENET and (usual or names[0].startswith("tench")):
        return Classes(weight, tuple(imagenet_names()))
    return None if usual or not all(names) else Classes(weight, tuple(names))


def _is_classifier(config: Any) -> bool:
    return any(name.endswith("ForImageClassification") for name in config.architectures or ())
