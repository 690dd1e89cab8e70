"""Text encoders: text models that transformers knows, and sentence-transformers."""

import json
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from pixquery.db.errors import SourceUnusable
from pixquery.trainer.adopting.architectures import (
    bare_class,
    configuration,
    load,
    refuse_joint,
)
from pixquery.trainer.adopting.networks import TextNetwork
from pixquery.trainer.adopting.sources import Source
from pixquery.trainer.adopting.weights import read_state
from pixquery.trainer.adopting.wordpieces import read_json, read_pieces


def text_network(source: Source) -> TextNetwork:
    """The text encoder of a source.

    Args:
        source: A text model that transformers knows, perhaps from sentence-transformers.

    Raises:
        SourceUnusable: It is none, or its files contradict each other or cannot be read.
    """
    config = configuration(source)
    refuse_joint(source, config)
    if config.is_encoder_decoder:
        raise SourceUnusable(
            f"{source.named} is a {config.model_type} model, which generates texts: choose one "
            "that encodes them"
        )
    if bare_class(source, config).main_input_name != "input_ids":
        raise SourceUnusable(
            f"{source.named} is a {config.model_type} model, which encodes no texts: give an image "
            "model with --image, and a text model with --text"
        )
    way, unit = _sentence_pooling(source)
    model, _ = load(source, config, read_state(source.weights))
    pieces = read_pieces(source, config, _positions(model, config))
    words = "mean of the word vectors" if way == "mean" else "the first word's vector"
    network = _Sentence(model, way, unit=unit)
    return TextNetwork(network, pieces, config.model_type, words + (", length 1" if unit else ""))


def _positions(model: nn.Module, config: Any) -> int | None:
    """How many positions the network has for pieces; some reserve a few for padding."""
    rows: int | None = getattr(config, "max_position_embeddings", None)
    for part in model.modules():
        if isinstance(part, nn.Embedding) and part.num_embeddings == rows and part.padding_idx:
            return rows - part.padding_idx - 1
    return rows


class _Sentence(nn.Module):
    """Ids and mask, int64[n, l] -> float32[n, e]."""

    def __init__(self, model: nn.Module, way: str, *, unit: bool) -> None:
        super().__init__()
        self.model = model
        self.way = way
        self.unit = unit

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        words: Tensor = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        if self.way == "mean":
            weights = mask.unsqueeze(-1).float()
            vectors = (words * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        else:
            vectors = words[:, 0]
        return functional.normalize(vectors, dim=-1) if self.unit else vectors


def _sentence_pooling(source: Source) -> tuple[str, bool]:
    """How to pool the word vectors, ``mean`` or ``cls``, and whether to scale to length 1."""
    file = source.folder / "modules.json"
    steps = [str(step["type"]).rsplit(".", 1)[-1] for step in _list(file)]
    unknown = [step for step in steps if step not in ("Transformer", "Pooling", "Normalize")]
    if unknown:
        raise SourceUnusable(
            f"{source.named} has a further layer {unknown[0]} (see {file}), which pixquery does "
            "not support: choose another text model"
        )
    ways = ["mean"]
    if "Pooling" in steps:
        folder = next(step["path"] for step in _list(file) if step["type"].endswith("Pooling"))
        entries = read_json(source.folder / folder / "config.json")
        mode = entries.get("pooling_mode")
        ways = [mode] if isinstance(mode, str) else list(mode or ())
        old = ("pooling_mode_", "_tokens", "_token")
        ways = ways or [
            name.removeprefix(old[0]).removesuffix(old[1]).removesuffix(old[2])
            for name, chosen in entries.items()
            if name.startswith(old[0]) and chosen is True
        ]
    if ways not in (["mean"], ["cls"]):
        raise SourceUnusable(
            f"{source.named} pools its word vectors by {' and '.join(ways) or 'nothing'}, but "
            "pixquery supports only mean or cls: choose another text model"
        )
    return ways[0], "Normalize" in steps


def _list(file: Path) -> list[dict[str, Any]]:
    if not file.is_file():
        return []
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SourceUnusable(f"the file {file} is no JSON ({error}): download it again") from error
    steps = content if isinstance(content, list) else []
    return [step for step in steps if isinstance(step, dict) and {"type", "path"} <= step.keys()]
