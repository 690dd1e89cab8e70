"""Other people's models as PyTorch modules, in the form that the runtime wants.

Photos as bytes in and one vector out, ids and mask of texts in and one vector out, every step
between inside. Weights are read without running anything that came with them, photos are prepared
as the model's own files say: neither torchvision nor timm is needed. One thing is always done
otherwise than a model's makers did: the whole photo is squashed to a square, and nothing is cut
off (``docs/profiles.md``).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pixquery.db.records import Floats
from pixquery.trainer.adopting.preparation import Preparation
from pixquery.trainer.adopting.wordpieces import Pieces


@dataclass(frozen=True, slots=True)
class Classes:
    """The last layer of a classifier: one row a class."""

    weight: Floats
    """float32[c, d]"""
    names: tuple[str, ...]
    """c of them."""


class ImageNetwork(nn.Module):
    """Photos as bytes -> vectors.

    Attributes:
        preparation: What the photos are made of, and what is done with them inside.
        dimension: Length of a vector, d.
        what: The kind of network, for people.
        pooling: How the vector comes from the last features, for people.
        classes: The classifier's last layer, where the model is one, all else comes before it, and
            the classes have names.
        convolutional: Whether eight bits may do.
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
        pieces: How texts are split.
        dimension: Length of a vector, e.
        what: The kind of network, for people.
        pooling: How the vector comes from the last features, for people.
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
        """int64[n, l] twice -> float32[n, e]; what stands where the mask is 0 is no matter."""
        vectors: Tensor = self.network(ids.where(mask > 0, self.pieces.pad), mask)
        return vectors


@dataclass(frozen=True, slots=True)
class Joint:
    """Two networks that were trained together: their vectors are of one space, of length 1."""

    image: ImageNetwork
    text: TextNetwork
    logit_scale: float
    """A cosine is multiplied by it before it becomes a probability."""
    logit_bias: float | None
    """And this is added, where the model has it."""


def _grey(size: int) -> Tensor:
    return torch.full((1, size, size, 3), 127, dtype=torch.uint8)


def _few(pieces: Pieces) -> tuple[Tensor, Tensor]:
    ids = torch.tensor(pieces.ids(["a photo"]), dtype=torch.int64)
    return ids, torch.ones_like(ids)
