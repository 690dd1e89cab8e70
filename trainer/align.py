"""Fits the alignment: maps under which a photo lies near the captions people wrote for it.

Symmetric InfoNCE (van den Oord et al. 2018, arXiv:1807.03748; Radford et al. 2021,
arXiv:2103.00020) on frozen encoders. A second loss of its own teaches the names of things that
captions of everyday scenes do not mention: each class of the image encoder's classifier is a
pseudo-photo (its *prototype*) whose text is the class's name.

Several members are trained from different seeds and merged into one map: side by side they make a
longer vector, whose principal components keep all that matters in a fraction of the length.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from db.records import Floats, Ids

Tensors = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Captioned:
    """Photos and the captions written for them, as raw encoder vectors."""

    photos: Floats
    """float32[v, n, d]: n photos in v views (as they are, mirrored, at another precision)."""
    captions: Floats
    """float32[m, e]"""
    photo_of: Ids
    """int64[m]: the photo of each caption."""


@dataclass(frozen=True, slots=True)
class Prototypes:
    """Pseudo-photos of classes, and texts that name them."""

    photos: Floats
    """float32[c, d]"""
    texts: Floats
    """float32[c, t, e]: t ways to name each class."""


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
    prototype_weight: float = 0.75
    prototype_batch: int = 256
    members: int = 4
    dimension: int = 256
    """Of the merged space."""


def prototypes_of(classifier: Floats, photos: Floats) -> Floats:
    """Pseudo-photos from the rows of a classifier's last layer.

    Args:
        classifier: float32[c, d], one row of weights a class.
        photos: float32[n, d], real photos' vectors: they say where photos lie and how far apart.

    Returns:
        float32[c, d]: each class's direction, at the mean distance around the mean photo.
    """
    centre = photos.mean(0)
    distance = np.linalg.norm(photos - centre, axis=1).mean()
    directions = classifier - classifier.mean(0)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return np.asarray(centre + distance * directions, np.float32)


def fit(
    data: Captioned,
    prototypes: Prototypes,
    recipe: Recipe,
    *,
    seed: int = 0,
    progress: Callable[[], object] = lambda: None,
) -> Tensors:
    """Fits an alignment.

    Args:
        data: What to learn from.
        prototypes: Classes to know besides.
        recipe: How.
        seed: The same seed gives the same alignment on the same machine.
        progress: Called after each epoch of each member.

    Returns:
        The tensors that :class:`engine.alignment.Alignment` reads, float32.
    """
    photos = torch.from_numpy(data.photos)
    centre, spread = photos.mean((0, 1)), photos.std((0, 1)) + 1e-4
    members = []
    for member in range(recipe.members):
        torch.manual_seed(seed * 1000 + member)
        towers = _Towers(photos.shape[-1], data.captions.shape[-1], centre, spread, recipe)
        _train(towers, data, prototypes, recipe, progress)
        members.append(towers.eval())
    return _merge(members, photos[0], recipe)


class _Towers(nn.Module):
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
        standard = (raw - self.centre) / self.spread
        return functional.normalize(self.image(self.image_dropout(standard)), dim=1)

    def texts(self, raw: Tensor) -> Tensor:
        hidden = functional.gelu(self.hidden(raw), approximate="tanh")
        return functional.normalize(self.text(self.text_dropout(hidden)), dim=1)


def _train(
    towers: _Towers,
    data: Captioned,
    prototypes: Prototypes,
    recipe: Recipe,
    progress: Callable[[], object],
) -> None:
    photos, captions = torch.from_numpy(data.photos), torch.from_numpy(data.captions)
    photo_of = torch.from_numpy(data.photo_of)
    class_photos = torch.from_numpy(prototypes.photos)
    class_texts = torch.from_numpy(prototypes.texts)
    classes, ways = class_texts.shape[:2]
    batch = min(recipe.batch, len(captions))
    rounds = len(captions) // batch
    scales = [towers.captions_scale, towers.prototypes_scale]
    maps = [p for name, p in towers.named_parameters() if not name.endswith("_scale")]
    optimizer = torch.optim.AdamW(
        [
            {"params": maps, "weight_decay": recipe.weight_decay},
            {"params": scales, "weight_decay": 0.0},
        ],
        lr=recipe.learning_rate,
    )
    steps = recipe.epochs * rounds
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1.0, (step + 1) / 50) * 0.5 * (1 + np.cos(np.pi * step / steps)),
    )
    for _ in range(recipe.epochs):
        order = torch.randperm(len(captions))
        for start in range(0, rounds * batch, batch):
            rows = order[start : start + batch]
            views = torch.randint(len(photos), (len(rows),))
            loss = _info_nce(
                towers.images(photos[views, photo_of[rows]]),
                towers.texts(captions[rows]),
                towers.captions_scale,
                photo_of[rows],
            )
            if recipe.prototype_weight:
                some = torch.randperm(classes)[: recipe.prototype_batch]
                named = class_texts[some, torch.randint(ways, (len(some),))]
                loss = loss + recipe.prototype_weight * _info_nce(
                    towers.images(class_photos[some]),
                    towers.texts(named),
                    towers.prototypes_scale,
                    some,
                )
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
        progress()


def _info_nce(images: Tensor, texts: Tensor, log_scale: Tensor, group: Tensor) -> Tensor:
    """Symmetric InfoNCE; other pairs of the same group are neither right nor wrong."""
    logits = log_scale.exp().clamp(max=100) * texts @ images.T
    twins = group[:, None] == group[None]
    twins.fill_diagonal_(False)
    logits = logits.masked_fill(twins, -1e4)
    right = torch.arange(len(logits))
    return (functional.cross_entropy(logits, right) + functional.cross_entropy(logits.T, right)) / 2


@torch.no_grad()
def _merge(members: list[_Towers], photos: Tensor, recipe: Recipe) -> Tensors:
    centre, spread = members[0].centre, members[0].spread
    image_weight = torch.cat([m.image.weight.T for m in members], 1) / spread[:, None]
    image_bias = torch.cat([m.image.bias for m in members]) - centre @ image_weight
    aligned = functional.normalize(photos @ image_weight + image_bias, dim=1)
    _, axes = torch.linalg.eigh(aligned.T @ aligned)
    basis = axes.flip(1)[:, : recipe.dimension]  # the strongest components first
    parts = basis.split(recipe.width)
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
