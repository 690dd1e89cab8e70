"""How to fit an alignment."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an alignment is fitted; the values were chosen on the development split."""

    epochs: int = 25
    batch: int = 1024
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    hidden: int = 1024
    width: int = 1024
    """Of one member's space."""
    image_dropout: float = 0.5
    text_dropout: float = 0.35
    soft_weight: float = 0.4
    """Share of the target that is spread over the photos that a caption also suits."""
    soft_temperature: float = 0.1
    prototype_weight: float = 0.75
    prototype_batch: int = 256
    members: int = 1
    """More find a little more, and each takes as long again."""
    dimension: int = 256
    """Of the merged space."""
    memory_temperature: float = 0.06
    """Of the softmax over cosines: how far beyond the most alike photos is looked."""
    memory_weight: float = 0.5
    """Of what the memory says, beside the direct comparison."""
    memory_dimension: int = 384
    """Of the space with memory."""
