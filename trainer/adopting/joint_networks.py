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
)
from pixquery.trainer.adopting.networks import ImageNetwork, Joint, TextNetwork
from pixquery.trainer.adopting.preparation import of_processor
from pixquery.trainer.adopting.sources import Source
from pixquery.trainer.adopting.weights import read_state
from pixquery.trainer.adopting.wordpieces import Pieces, read_pieces

_FIXED_LENGTH = {"siglip"}
"""Models that were trained on texts padded to full length, without a mask."""


def joint_networks(source: Source) -> Joint:
    """Both encoders of a model that was trained on photos and texts together, such as CLIP.

    Raises:
        SourceUnusable: It is none, or its files contradict each other or cannot be read.
    """
    config = configuration(source)
    if not is_joint(config):
        raise SourceUnusable(
            f"{source.named} is a {config.model_type} model, which is only one encoder: give it "
            "with --image or --text, and another model for the other"
        )
    kind = bare_class(source, config)
    if not (hasattr(kind, "get_image_features") and hasattr(kind, "get_text_features")):
        raise SourceUnusable(
            f"{source.named} is a {config.model_type} model, whose encoders do not share a "
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
        # CLIP pads with the piece that ends texts, and reads the vector at its position.
        pieces = Pieces(pieces.tokenizer, pieces.most, _fill(model))
        words = _Texts(model)
        how = "as the model pools them, projected, length 1"
    with sizes_checked(source, preparation.size):
        image = ImageNetwork(
            _Photos(model),
            preparation,
            config.model_type,
            "as the model pools, projected, length 1",
        )
    text = TextNetwork(words, pieces, config.model_type, how)
    bias = getattr(model, "logit_bias", None)
    return Joint(
        image,
        text,
        float(model.logit_scale.detach().exp()),
        None if bias is None else float(bias.detach()),
    )


def _fill(model: nn.Module) -> int:
    """The id that the network itself uses for padding, or 0, which ends no text."""
    ids = (part.padding_idx for part in model.modules() if isinstance(part, nn.Embedding))
    return next((id_ for id_ in ids if id_ is not None), 0)


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
    """Pads texts to one length, whose last position the model reads, and masks nothing."""

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


def _unit(output: Any) -> Tensor:
    vectors: Tensor = output if isinstance(output, Tensor) else output.pooler_output
    return functional.normalize(vectors, dim=-1)
