"""Fits the alignment: maps under which a photo lies near the captions people wrote for it.

Symmetric InfoNCE (van den Oord et al. 2018, arXiv:1807.03748; Radford et al. 2021,
arXiv:2103.00020) on frozen encoders. A caption describes other photos a little, too: how much is
known from the captions of those, and a share of the target is spread accordingly. A second loss of
its own teaches the names of things that captions of everyday scenes do not mention: each class of
the image encoder's classifier is a pseudo-photo (its *prototype*) whose text is the class's name.

Several members may be trained from different seeds and merged into one map: side by side they make
a longer vector, whose principal components keep all that matters in a fraction of the length.

Last comes the memory: the photos and classes learned from, each with the mean of its texts. Whether
a text describes a photo is then also asked of the captions of the photos that this one is like, and
how alike two captions are the sentence encoder knows far better than any map from photos.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from pixquery.db.records import Floats, Ids
from pixquery.engine.alignment import unit

Tensors = dict[str, NDArray[Any]]
"""float32, int8 for the memory."""


@dataclass(frozen=True, slots=True)
class Captioned:
    """Photos and the captions written for them, as raw encoder vectors."""

    photos: Floats
    """float32[v, n, d]: n photos in v views (as they are, mirrored, at another precision)."""
    captions: Floats
    """float32[m, e]"""
    photo_of: Ids
    """int64[m]: the photo of each caption."""
    meanings: Floats
    """float32[m, s]: the captions as a sentence encoder sees them that was not fitted to photos;
    cosines between them say how far a caption suits another photo."""

    def photo_meanings(self) -> Floats:
        """float32[n, s]: the mean of the unit meanings of each photo's captions."""
        sums = np.zeros((self.photos.shape[1], self.meanings.shape[1]), np.float32)
        np.add.at(sums, self.photo_of, unit(self.meanings))
        counts = np.bincount(self.photo_of, minlength=len(sums))
        return np.asarray(sums / np.maximum(counts, 1)[:, None], np.float32)


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


def prototypes_of(classifier: Floats, photos: Floats) -> Floats:
    """Pseudo-photos from the rows of a classifier's last layer.

    Args:
        classifier: float32[c, d], one row of weights a class.
        photos: float32[n, d], real photos' vectors: they say where photos lie and how far apart.

    Returns:
        float32[c, d]: each class's direction, at the mean distance around the mean photo.
    """
    if not len(classifier):
        return classifier
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
    progress: Callable[[float], object] = lambda loss: None,
) -> Tensors:
    """Fits an alignment: several members, merged.

    Args:
        data: What to learn from.
        prototypes: Classes to know besides.
        recipe: How.
        seed: The same seed gives the same alignment on the same machine.
        progress: Called after each epoch of each member with its mean loss.

    Returns:
        The tensors that :class:`engine.alignment.Alignment` reads, float32.
    """
    members = [
        fit_member(data, prototypes, recipe, seed=seed * 1000 + member, progress=progress)
        for member in range(recipe.members)
    ]
    return merge(members, data.photos[0], recipe.dimension)


def adapt(
    own: Tensors,
    scale: float,
    data: Captioned,
    recipe: Recipe,
    *,
    seed: int = 0,
    progress: Callable[[float], object] = lambda loss: None,
) -> Tensors:
    """Fits the alignment of encoders that share a space already, beginning from that space.

    Both sides get a linear map that begins as the one they have; what is learned of it decays
    towards that, so that little data changes little.

    Args:
        own: ``image.weight``, ``image.bias``, ``text.0.weight`` and ``text.0.bias``, square.
        scale: By which the encoders were trained to multiply cosines.
        data: What to learn from.
        recipe: How; dropout and widths are no matter here.
        seed: The same seed gives the same alignment on the same machine.
        progress: Called after each epoch with its mean loss.

    Returns:
        The same tensors, learned.
    """
    torch.manual_seed(seed)
    maps = Maps(own, scale)
    nothing = Prototypes(np.empty((0, 0), np.float32), np.empty((0, 1, 0), np.float32))
    _train(maps, data, nothing, replace(recipe, learning_rate=_GENTLE), progress)
    return maps.tensors()


_GENTLE = 1e-4
"""Learning rate of maps that begin well."""


class Maps(nn.Module):
    """A linear map for each side, told as what is added to the one that it began with."""

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
        """What :class:`engine.alignment.Alignment` reads."""
        return {
            f"{name}.{part}": self._now(side, part).contiguous().numpy()
            for side, name in (("image", "image"), ("text", "text.0"))
            for part in ("weight", "bias")
        }


def fit_member(
    data: Captioned,
    prototypes: Prototypes,
    recipe: Recipe,
    *,
    seed: int = 0,
    progress: Callable[[float], object] = lambda loss: None,
) -> "Towers":
    """Fits one member; arguments as for `fit`."""
    photos = torch.from_numpy(data.photos)
    centre, spread = photos.mean((0, 1)), photos.std((0, 1)) + 1e-4
    torch.manual_seed(seed)
    towers = Towers(photos.shape[-1], data.captions.shape[-1], centre, spread, recipe)
    _train(towers, data, prototypes, recipe, progress)
    return towers.eval()


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


def _train(
    towers: "Towers | Maps",
    data: Captioned,
    prototypes: Prototypes,
    recipe: Recipe,
    progress: Callable[[float], object],
) -> None:
    photos, captions = torch.from_numpy(data.photos), torch.from_numpy(data.captions)
    photo_of = torch.from_numpy(data.photo_of)
    meanings = functional.normalize(torch.from_numpy(data.meanings), dim=1)
    photo_meanings = torch.from_numpy(data.photo_meanings())
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
    steps = max(1, recipe.epochs * rounds)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1.0, (step + 1) / 50) * 0.5 * (1 + np.cos(np.pi * step / steps)),
    )
    for _ in range(recipe.epochs):
        order, total = torch.randperm(len(captions)), 0.0
        for start in range(0, rounds * batch, batch):
            rows = order[start : start + batch]
            views = torch.randint(len(photos), (len(rows),))
            loss = info_nce(
                towers.images(photos[views, photo_of[rows]]),
                towers.texts(captions[rows]),
                towers.captions_scale,
                photo_of[rows],
                Spread(
                    meanings[rows] @ photo_meanings[photo_of[rows]].T,
                    recipe.soft_weight,
                    recipe.soft_temperature,
                ),
            )
            if recipe.prototype_weight and classes:
                some = torch.randperm(classes)[: recipe.prototype_batch]
                named = class_texts[some, torch.randint(ways, (len(some),))]
                loss = loss + recipe.prototype_weight * info_nce(
                    towers.images(class_photos[some]),
                    towers.texts(named),
                    towers.prototypes_scale,
                    some,
                )
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        progress(total / rounds)


@dataclass(frozen=True, slots=True)
class Spread:
    """How a share of the target is spread over other photos."""

    likeness: Tensor
    """float32[b, c]: how well each text suits each photo, by its captions' cosines."""
    weight: float
    temperature: float


def info_nce(
    images: Tensor,
    texts: Tensor,
    log_scale: Tensor,
    group: Tensor,
    spread: Spread | None = None,
) -> Tensor:
    """Symmetric InfoNCE; other pairs of the same group are neither right nor wrong.

    Args:
        images: float32[c, a], unit rows; the first b belong to the texts, the others are only
            there to be told apart from.
        texts: float32[b, a], unit rows.
        log_scale: The logarithm of the inverse temperature.
        group: int64[c]: what each photo belongs to.
        spread: Of the captions' targets; none means all on the one right photo.
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


@torch.no_grad()
def merge(members: Sequence[Towers], photos: Floats, dimension: int) -> Tensors:
    """One map of several members: side by side, then the strongest principal components.

    Args:
        members: Fitted, in one space of raw vectors.
        photos: float32[n, d], the photos whose components they are.
        dimension: How many components are kept.

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


def remember(tensors: Tensors, data: Captioned, prototypes: Prototypes, recipe: Recipe) -> Tensors:
    """Adds the memory to an alignment.

    Args:
        tensors: Of `merge`.
        data: The photos to remember, and the vectors of their captions.
        prototypes: Classes to remember, so that things no caption mentions find their names.
        recipe: Its ``memory_`` values.

    Returns:
        All tensors that :class:`engine.alignment.Alignment` reads.
    """

    def aligned(raw: Floats) -> Floats:
        return unit(raw @ tensors["image.weight"] + tensors["image.bias"])

    photos = unit(np.mean([aligned(view) for view in data.photos], 0))
    captions = np.zeros((len(photos), data.captions.shape[1]), np.float32)
    np.add.at(captions, data.photo_of, unit(data.captions))
    captioned = np.abs(captions).sum(1) > 0
    keys = np.concatenate([photos[captioned], aligned(prototypes.photos)])
    values = unit(np.concatenate([captions[captioned], unit(prototypes.texts.mean(1))]))
    likeness = np.exp((photos @ keys.T - 1) / recipe.memory_temperature)
    both = np.concatenate([photos, recipe.memory_weight * unit(likeness @ values)], 1)
    _, axes = np.linalg.eigh(both.T @ both)
    basis = axes[:, ::-1][:, : recipe.memory_dimension]  # the strongest components first
    return {
        **tensors,
        "memory.keys": _bytes(keys),
        "memory.values": _bytes(values),
        "memory.temperature": np.array([recipe.memory_temperature], np.float32),
        "memory.weight": np.array([recipe.memory_weight], np.float32),
        "basis": np.ascontiguousarray(basis, np.float32),
    }


def _bytes(rows: Floats) -> NDArray[np.int8]:
    """Unit rows as int8, one factor for all: a quarter of the size, cosines kept to 0.001."""
    return np.asarray(np.round(rows * (127 / np.abs(rows).max())), np.int8)
