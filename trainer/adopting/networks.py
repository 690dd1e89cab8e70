"""Other people's models as PyTorch modules, in the form that the runtime needs.

An image network takes photos as bytes, a text network takes ids and a mask, and each returns one
vector: every step between is inside.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pixquery.db.records import Floats
from pixquery.trainer.adopting.preparation import Preparation
from pixquery.trainer.adopting.wordpieces import Pieces


@dataclass(frozen=True, slots=True)
class Classes:
    """The last layer of a classifier, one row for each class."""

    weight: Floats
    """float32[c, d]"""
    names: tuple[str, ...]
    """c names."""


class ImageNetwork(nn.Module):
    """Photos as bytes -> vectors.

    Attributes:
        preparation: How photos are prepared, partly before the network and partly inside.
        dimension: Length of a vector, d.
        what: The kind of network, in words.
        pooling: How the vector is computed from the last features, in words.
        classes: The classifier's last layer, if the model is a classifier, the layer follows
            directly on the vector, and the classes have names.
        convolutional: Whether eight bits may be precise enough.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: nn.Module, preparation: Preparation, what: str, pooling: str):
        super().__init__()
        self.network = network
        self.preparation = preparation
        self.what = what
        self.pooling = pooling
        self.classes: Classes | None = None
        self.convolutional = False
        self.register_buffer("mean", torch.tensor(preparation.mean).view(-1, 1, 1))
        self.register_buffer("deviation", torch.tensor(preparation.deviation).view(-1, 1, 1))
        self.eval()
        self.requires_grad_(False)
        self.dimension = self(_grey(preparation.size)).shape[1]

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8[n, size, size, 3] -> float32[n, d]."""
        scaled = pixels.permute(0, 3, 1, 2).float() * self.preparation.scale
        vectors: Tensor = self.network((scaled - self.mean) / self.deviation)
        return vectors


class TextNetwork(nn.Module):
    """Ids of word pieces -> vectors.

    Attributes:
        pieces: How to split texts.
        dimension: Length of a vector, e.
        what: The kind of network, in words.
        pooling: How the vector is computed from the last features, in words.
    """

    def __init__(self, network: nn.Module, pieces: Pieces, what: str, pooling: str) -> None:
        super().__init__()
        self.network = network
        self.pieces = pieces
        self.what = what
        self.pooling = pooling
        self.eval()
        self.requires_grad_(False)
        self.dimension = self(*_few(pieces)).shape[1]

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """int64[n, l] twice -> float32[n, e]; ids where the mask is 0 have no effect."""
        vectors: Tensor = self.network(ids.where(mask > 0, self.pieces.pad), mask)
        return vectors


@dataclass(frozen=True, slots=True)
class Joint:
    """Two networks that were trained together: their vectors share a space and have length 1."""

    image: ImageNetwork
    text: TextNetwork
    logit_scale: float
    """The factor of a cosine before it becomes a probability."""
    logit_bias: float | None
    """Added after that, if the model has it."""


def _grey(size: int) -> Tensor:
    return torch.full((1, size, size, 3), 127, dtype=torch.uint8)


def _few(pieces: Pieces) -> tuple[Tensor, Tensor]:
    ids = torch.tensor(pieces.ids(["a photo"]), dtype=torch.int64)
    return ids, torch.ones_like(ids)
