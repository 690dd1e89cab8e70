"""Models that were trained on photos and texts together, such as CLIP."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pixquery.db.errors import SourceUnusable
from pixquery.trainer.adopting.architectures import (
    bare_class,
    configuration,
    is_joint,
    load,
    sizes_checked,
    what,
)
from pixquery.trainer.adopting.networks import ImageNetwork, Joint, TextNetwork
from pixquery.trainer.adopting.preparation import of_processor
from pixquery.trainer.adopting.sources import Source
from pixquery.trainer.adopting.weights import read_state
from pixquery.trainer.adopting.wordpieces import Pieces, read_pieces

_FIXED_LENGTH = {"siglip"}
"""Models that were trained on texts filled up to their longest, without a mask."""


def joint_networks(source: Source) -> Joint:
    """Both sides of a model that was trained on photos and texts together, such as CLIP.

    Raises:
        SourceUnusable: It is none, its files contradict each other or cannot be read.
    """
    config = configuration(source)
    if not is_joint(config):
        raise SourceUnusable(
            f"{source.named} is a {config.model_type} model, which has one side: give it with "
            "--image or --text, and another for the other side"
        )
    kind = bare_class(source, config)
    if not (hasattr(kind, "get_image_features") and hasattr(kind, "get_text_features")):
        raise SourceUnusable(
            f"{source.named} is a {config.model_type} model, whose two sides do not meet in one "
            "space: choose one like CLIP or SigLIP"
        )
    positions = getattr(config.text_config, "max_position_embeddings", None)
    pieces = read_pieces(source, config, positions)
    preparation = of_processor(source)
    model, _ = load(source, config, read_state(source.weights))
    words: nn.Module
    if config.model_type in _FIXED_LENGTH:
        words = _FilledTexts(model, pieces.most, pieces.pad)
        how = f"filled up to {pieces.most} pieces, projected, length 1"
    else:
        # CLIP's own fill is the piece that ends texts, and where that stands the vector is read.
        pieces = Pieces(pieces.tokenizer, pieces.most, _fill(model))
        words = _Texts(model)
        how = "as the model pools them, projected, length 1"
    with sizes_checked(source, preparation.size):
        image = ImageNetwork(
            _Photos(model), preparation, what(config), "as the model pools, projected, length 1"
        )
    text = TextNetwork(words, pieces, what(config), how)
    bias = getattr(model, "logit_bias", None)
    return Joint(
        image,
        text,
        float(model.logit_scale.detach().exp()),
        None if bias is None else float(bias.detach()),
    )


def _fill(model: nn.Module) -> int:
    """The id that a network itself takes for none; 0, which ends no text, where it knows none."""
    kept = (part.padding_idx for part in model.modules() if isinstance(part, nn.Embedding))
    return next((place for place in kept if place is not None), 0)


class _Photos(nn.Module):
    model: Any

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        return _unit(self.model.get_image_features(pixel_values=pixels))


class _Texts(nn.Module):
    model: Any

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return _unit(self.model.get_text_features(input_ids=ids, attention_mask=mask))


class _FilledTexts(nn.Module):
    """Fills texts up to one length, whose last place the model reads, and masks nothing."""

    model: Any
    fill: Tensor

    def __init__(self, model: nn.Module, length: int, pad: int) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("fill", torch.full((1, length), pad, dtype=torch.int64))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        del mask
        fill = self.fill.expand(ids.shape[0], -1)
        filled = torch.cat([ids, fill], 1)[:, : self.fill.shape[1]]
        return _unit(self.model.get_text_features(input_ids=filled))


def _unit(found: Any) -> Tensor:
    vectors: Tensor = found if isinstance(found, Tensor) else found.pooler_output
    return functional.normalize(vectors, dim=-1)
