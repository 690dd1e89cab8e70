"""How to fit an alignment."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to fit an alignment; the defaults were chosen on the development split."""

    epochs: int = 25
    batch: int = 1024
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    hidden: int = 1024
    width: int = 1024
    """Dimension of one member's space."""
    image_dropout: float = 0.5
    text_dropout: float = 0.35
    soft_weight: float = 0.4
    """The share of the target that is spread over other photos that a caption suits."""
    soft_temperature: float = 0.1
    prototype_weight: float = 0.75
    prototype_batch: int = 256
    members: int = 1
    """More members find slightly more; each takes as long again."""
    dimension: int = 256
    """Dimension of the merged space."""
    memory_temperature: float = 0.06
    """Temperature of the softmax over cosines: how far to look beyond the most similar photos."""
    memory_weight: float = 1.0
    """Weight of the memory relative to the direct comparison."""
    memory_dimension: int = 384
    """Dimension of the space with memory."""
    class_factor: float = 1.1
    """How much the classes seen in a photo count, compared with the captions of similar photos."""
    name_factor: float = 1.0
    """How far a text that names a class is moved towards it, compared with its own length."""
    name_temperature: float = 0.1
    """Temperature of the softmax over cosines: how little a text may differ from a name."""
    completion_ridge: float = 600.0
    """Added to the diagonal when the numbers of a raw vector that a classifier does not use are
    estimated from those that it uses, for some 6,000 photos."""
