"""Writes networks to ONNX as transformers.js does: names, order of outputs, what may vary in size.

Its exporter is Optimum's, with the outputs that transformers.js adds in its ``scripts/extra``.
"""

import warnings
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

PHOTO, WORDS = "pixel_values", "input_ids"
STATES, POOLED = "last_hidden_state", "pooler_output"
_SIZES = {
    PHOTO: {0: "batch_size", 1: "num_channels", 2: "height", 3: "width"},
    WORDS: {0: "batch_size", 1: "sequence_length"},
    STATES: {0: "batch_size", 1: "sequence_length"},
}
_ROWS = {0: "batch_size"}


class _Part(nn.Module):
    """One network of a pair, with its outputs in the order of the file."""

    def __init__(self, network: nn.Module, head: nn.Module | None, given: str) -> None:
        super().__init__()
        self.network, self.head, self.given = network, head, given

    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = self.network(**{self.given: values})
        if self.head is None:
            return found.last_hidden_state, found.pooler_output
        return self.head(found.pooler_output), found.last_hidden_state


def write_clip(folder: Path, model: Any, *, dynamic: bool = True) -> None:
    """A CLIPModel of transformers: ``image_embeds`` and ``text_embeds`` come first."""
    vision = _Part(model.vision_model, model.visual_projection, PHOTO)
    text = _Part(model.text_model, model.text_projection, WORDS)
    side, longest = _sizes(model)
    _write(folder / "vision_model.onnx", vision, _photo(side, dynamic), ["image_embeds", STATES],
           dynamic=dynamic)  # fmt: skip
    _write(folder / "text_model.onnx", text, _words(longest, dynamic), ["text_embeds", STATES],
           dynamic=dynamic)  # fmt: skip


def write_siglip(folder: Path, model: Any) -> None:
    """A SiglipModel of transformers: the vector comes after the hidden states."""
    side, longest = _sizes(model)
    for name, part, values in (
        ("vision_model.onnx", _Part(model.vision_model, None, PHOTO), _photo(side)),
        ("text_model.onnx", _Part(model.text_model, None, WORDS), _words(longest)),
    ):
        _write(folder / name, part, values, [STATES, POOLED])


def write_half(file: Path) -> Path:
    """The same network in float16 but for inputs and outputs, as ``_fp16.onnx`` beside it.

    transformers.js writes its files with the same function of onnxconverter-common, which ONNX
    Runtime has too.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    written = file.with_name(f"{file.stem}_fp16.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numbers too small for float16
        onnx.save(convert_float_to_float16(onnx.load(file), keep_io_types=True), written)
    return written


def _sizes(model: Any) -> tuple[int, int]:
    config = model.config
    return config.vision_config.image_size, config.text_config.max_position_embeddings


def _photo(side: int, dynamic: bool = True) -> torch.Tensor:
    return torch.linspace(-1, 1, (1 + dynamic) * 3 * side * side).reshape(-1, 3, side, side)


def _words(longest: int, dynamic: bool = True) -> torch.Tensor:
    return torch.ones((1 + dynamic, longest), dtype=torch.int64)


def _write(
    file: Path, part: _Part, values: torch.Tensor, outputs: list[str], *, dynamic: bool = True
) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    sizes = {name: _SIZES.get(name, _ROWS) for name in [part.given, *outputs]} if dynamic else {}
    if part.given == PHOTO and dynamic:
        sizes[STATES] = _ROWS
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the traced exporter, which these files come from
        torch.onnx.export(
            part.eval(), (values,), str(file), input_names=[part.given], output_names=outputs,
            dynamic_axes=sizes, opset_version=14, dynamo=False,
        )  # fmt: skip
