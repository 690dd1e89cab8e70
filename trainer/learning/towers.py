"""The maps that an alignment consists of while it learns.

Several members may be trained from different seeds and merged into one map: side by side they make
a longer vector, whose principal components keep all that matters in a fraction of the length.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from pixquery.db.records import Floats
from pixquery.trainer.learning.recipe import Recipe

Tensors = dict[str, NDArray[Any]]
"""float32, or int8 and int32 for what is remembered."""


class Maps(nn.Module):
    """A linear map for each side, as the one that it started from plus a learned difference."""

    def __init__(self, own: Tensors, scale: float) -> None:
        super().__init__()
        for side, name in (("image", "image"), ("text", "text.0")):
            for part in ("weight", "bias"):
                begun = torch.from_numpy(np.asarray(own[f"{name}.{part}"], np.float32))
                self.register_buffer(f"{side}_{part}_begun", begun)
                self.register_parameter(f"{side}_{part}", nn.Parameter(torch.zeros_like(begun)))
        start = float(np.log(scale))
        self.captions_scale = nn.Parameter(torch.tensor(start))
        self.prototypes_scale = nn.Parameter(torch.tensor(start))

    def images(self, raw: Tensor) -> Tensor:
        """Aligns raw vectors float32[n, a]; unit rows."""
        return self._mapped("image", raw)

    def texts(self, raw: Tensor) -> Tensor:
        """Aligns raw vectors float32[n, a]; unit rows."""
        return self._mapped("text", raw)

    def _mapped(self, side: str, raw: Tensor) -> Tensor:
        return functional.normalize(raw @ self._now(side, "weight") + self._now(side, "bias"))

    def _now(self, side: str, part: str) -> Tensor:
        now: Tensor = getattr(self, f"{side}_{part}_begun") + getattr(self, f"{side}_{part}")
        return now

    @torch.no_grad()
    def tensors(self) -> Tensors:
        """The tensors that :class:`engine.alignment.Alignment` reads."""
        return {
            f"{name}.{part}": self._now(side, part).contiguous().numpy()
            for side, name in (("image", "image"), ("text", "text.0"))
            for part in ("weight", "bias")
        }


class Towers(nn.Module):
    """One member: a linear map for photos, a perceptron for texts."""

    def __init__(self, d: int, e: int, centre: Tensor, spread: Tensor, recipe: Recipe) -> None:
        super().__init__()
        self.centre = nn.Buffer(centre)
        self.spread = nn.Buffer(spread)
        self.image = nn.Linear(d, recipe.width)
        self.image_dropout = nn.Dropout(recipe.image_dropout)
        self.hidden = nn.Linear(e, recipe.hidden)
        self.text_dropout = nn.Dropout(recipe.text_dropout)
        self.text = nn.Linear(recipe.hidden, recipe.width)
        start = float(np.log(1 / 0.07))
        self.captions_scale = nn.Parameter(torch.tensor(start))
        self.prototypes_scale = nn.Parameter(torch.tensor(start))

    def images(self, raw: Tensor) -> Tensor:
        """Aligns raw vectors float32[n, d]; unit rows float32[n, width]."""
        standard = (raw - self.centre) / self.spread
        return functional.normalize(self.image(self.image_dropout(standard)), dim=1)

    def texts(self, raw: Tensor) -> Tensor:
        """Aligns raw vectors float32[n, e]; unit rows float32[n, width]."""
        hidden = functional.gelu(self.hidden(raw), approximate="tanh")
        return functional.normalize(self.text(self.text_dropout(hidden)), dim=1)


@torch.no_grad()
def merge(members: Sequence[Towers], photos: Floats, dimension: int) -> Tensors:
    """Merges several members into one map: side by side, then the main principal components.

    Args:
        members: Fitted to the same raw vectors.
        photos: float32[n, d], the photos whose principal components to use.
        dimension: How many components to keep.

    Returns:
        The tensors that :class:`engine.alignment.Alignment` reads, float32.
    """
    centre, spread = members[0].centre, members[0].spread
    image_weight = torch.cat([m.image.weight.T for m in members], 1) / spread[:, None]
    image_bias = torch.cat([m.image.bias for m in members]) - centre @ image_weight
    aligned = functional.normalize(torch.from_numpy(photos) @ image_weight + image_bias, dim=1)
    _, axes = torch.linalg.eigh(aligned.T @ aligned)
    basis = axes.flip(1)[:, :dimension]  # the strongest components first
    parts = basis.split([member.image.out_features for member in members])
    merged = {
        "image.weight": image_weight @ basis,
        "image.bias": image_bias @ basis,
        "text.0.weight": torch.cat([m.hidden.weight.T for m in members], 1),
        "text.0.bias": torch.cat([m.hidden.bias for m in members]),
        "text.1.weight": torch.cat(
            [m.text.weight.T @ part for m, part in zip(members, parts, strict=True)]
        ),
        "text.1.bias": torch.stack(
            [m.text.bias @ part for m, part in zip(members, parts, strict=True)]
        ).sum(0),
    }
    return {name: tensor.contiguous().numpy() for name, tensor in merged.items()}
