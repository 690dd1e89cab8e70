"""Fits the alignment: maps under which a photo lies near the captions people wrote for it.

Symmetric InfoNCE (van den Oord et al. 2018, arXiv:1807.03748; Radford et al. 2021,
arXiv:2103.00020) on frozen encoders. A caption also describes other photos to some degree, which
their own captions show, and a share of the target is spread accordingly. A second loss teaches the
names of things that captions of everyday scenes do not mention: each class of the image encoder's
classifier is a pseudo-photo (its *prototype*) whose text is the class's name.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional

from pixquery.trainer.learning.captioned import Captioned
from pixquery.trainer.learning.losses import Spread, info_nce
from pixquery.trainer.learning.prototypes import Prototypes
from pixquery.trainer.learning.recipe import Recipe
from pixquery.trainer.learning.towers import Maps, Tensors, Towers, merge


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
        prototypes: Classes to learn the names of.
        recipe: How to fit it.
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
    """Fits the alignment of encoders that already share a space, starting from that space.

    Each side gets a linear map that starts as the one it has. Weight decay pulls the map back
    towards its start, so little data changes little.

    Args:
        own: ``image.weight``, ``image.bias``, ``text.0.weight`` and ``text.0.bias``, square.
        scale: The factor of cosines that the encoders were trained with.
        data: What to learn from.
        recipe: How to fit it; dropout and widths have no effect here.
        seed: The same seed gives the same alignment on the same machine.
        progress: Called after each epoch with its mean loss.

    Returns:
        The same tensors after training.
    """
    torch.manual_seed(seed)
    maps = Maps(own, scale)
    nothing = Prototypes(np.empty((0, 0), np.float32), np.empty((0, 1, 0), np.float32))
    _train(maps, data, nothing, replace(recipe, learning_rate=_GENTLE), progress)
    return maps.tensors()


_GENTLE = 1e-4
"""The learning rate of maps that start well."""


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
                drawn = torch.randperm(classes)[: recipe.prototype_batch]
                named = class_texts[drawn, torch.randint(ways, (len(drawn),))]
                loss = loss + recipe.prototype_weight * info_nce(
                    towers.images(class_photos[drawn]),
                    towers.texts(named),
                    towers.prototypes_scale,
                    drawn,
                )
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        progress(total / rounds)
