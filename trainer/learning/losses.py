"""The loss that alignments and the text encoder learn from."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Spread:
    """How to spread a share of the target over other photos."""

    likeness: Tensor
    """float32[b, c]: how well each text suits each photo, by cosines with its captions."""
    weight: float
    temperature: float


def info_nce(
    images: Tensor,
    texts: Tensor,
    log_scale: Tensor,
    group: Tensor,
    spread: Spread | None = None,
) -> Tensor:
    """Symmetric InfoNCE; other pairs in the same group count neither as right nor as wrong.

    Args:
        images: float32[c, a], unit rows; the first b belong to the texts, the others are only
            wrong answers.
        texts: float32[b, a], unit rows.
        log_scale: The logarithm of the inverse temperature.
        group: int64[c]: the group of each photo.
        spread: Of the captions' targets; None puts all of it on the right photo.
    """
    count = len(texts)
    right = torch.arange(count)
    twins = group[:count, None] == group[None]
    twins[right, right] = False
    logits = (log_scale.exp().clamp(max=100) * texts @ images.T).masked_fill(twins, -1e4)
    back = logits[:, :count].T
    loss = functional.cross_entropy(logits, right) + functional.cross_entropy(back, right)
    if spread is not None and spread.weight:
        likeness = spread.likeness.clone()
        likeness[right, right] = 1.0  # a caption suits its own photo as it suits itself
        likeness = likeness.masked_fill(twins, -1e4) / spread.temperature
        forth = functional.softmax(likeness, 1)
        backwards = functional.softmax(likeness[:, :count].T, 1)
        soft = functional.cross_entropy(logits, forth) + functional.cross_entropy(back, backwards)
        loss = (1 - spread.weight) * loss + spread.weight * soft
    return loss / 2
