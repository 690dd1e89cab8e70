"""Fine-tunes the text encoder on differences that can be seen in photos.

A sentence encoder knows when two sentences mean the same, but not which differences a photo shows.
Its upper layers and one member of the alignment are trained together with the losses of
`trainer.learning.align`, each starting from its present state. The image encoder does not change.
Nor do the lower layers and the word vectors, so words that no caption uses keep their meaning, and
the lower layers' output is computed once for each text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pixquery.trainer.learning.captioned import Captioned
from pixquery.trainer.learning.losses import Spread, info_nce
from pixquery.trainer.learning.prototypes import Prototypes
from pixquery.trainer.learning.recipe import Recipe
from pixquery.trainer.learning.towers import Towers
from pixquery.trainer.text_model import TextModel

Pieces = Callable[[Sequence[str]], list[list[int]]]
"""Texts -> the ids of the word pieces of each."""

_BUCKETS = 4
"""Texts of similar length go through the network together, so that little padding is needed."""


@dataclass(frozen=True, slots=True)
class TextRecipe:
    """How to fine-tune the text encoder; the defaults were chosen on the development split."""

    epochs: int = 5
    batch: int = 256
    frozen_layers: int = 3
    learning_rate: float = 1e-4
    towers_learning_rate: float = 4e-4
    weight_decay: float = 0.01
    other_photos: int = 768
    """Wrong photos for each caption, besides those of its batch; the image side costs little."""
    classes: int = 96
    """Names of classes in each step."""


def fine_tune(
    model: TextModel,
    pieces: Pieces,
    captions: Sequence[str],
    names: Sequence[Sequence[str]],
    data: Captioned,
    prototypes: Prototypes,
    towers: Towers,
    recipe: TextRecipe,
    losses: Recipe,
    *,
    seed: int = 0,
    progress: Callable[[float], object] = lambda loss: None,
) -> None:
    """Trains the upper layers of the model and the towers, in place.

    Args:
        model: The text encoder.
        pieces: Splits texts into the model's word pieces.
        captions: m texts, those of ``data.captions``.
        names: t ways to name each of c classes.
        data: The photos, the photo of each caption, and the captions' meanings.
        prototypes: The classes' pseudo-photos.
        towers: A fitted member of the alignment.
        recipe: How to fine-tune.
        losses: Weights and temperatures of the losses.
        seed: The same seed gives the same model on the same machine.
        progress: Called after each step with its loss.
    """
    torch.manual_seed(seed)
    torch.set_flush_denormal(True)  # denormal gradients would take a hundred times as long
    rng = np.random.default_rng(seed)
    halves = _Halves(model, pieces, recipe.frozen_layers)
    lower = halves.lower(captions)
    named = [halves.lower(ways) for ways in names]
    photos, photo_of = torch.from_numpy(data.photos), torch.from_numpy(data.photo_of)
    class_photos = torch.from_numpy(prototypes.photos)
    meanings = functional.normalize(torch.from_numpy(data.meanings), dim=1)
    photo_meanings = torch.from_numpy(data.photo_meanings())
    batch = min(recipe.batch, len(captions))
    rounds = len(captions) // batch
    others = min(recipe.other_photos, photos.shape[1])
    classes = min(recipe.classes, len(names))
    optimizer = _optimizer(halves, towers, recipe)
    steps = recipe.epochs * rounds
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1.0, (step + 1) / 50) * 0.5 * (1 + np.cos(np.pi * step / steps)),
    )
    model.train()
    towers.train()
    for _ in range(recipe.epochs):
        order = rng.permutation(len(captions))
        for start in range(0, rounds * batch, batch):
            rows = order[start : start + batch]
            more = torch.from_numpy(rng.choice(photos.shape[1], others, replace=False))
            seen = torch.cat([photo_of[rows], more])
            views = torch.randint(len(photos), (len(seen),))
            loss = info_nce(
                towers.images(photos[views, seen]),
                towers.texts(halves.upper([lower[row] for row in rows])),
                towers.captions_scale,
                seen,
                Spread(
                    meanings[rows] @ photo_meanings[seen].T,
                    losses.soft_weight,
                    losses.soft_temperature,
                ),
            )
            # The chosen classes first, then all others as wrong answers.
            shuffled = rng.permutation(len(names))
            chosen = [named[c][rng.integers(len(named[c]))] for c in shuffled[:classes]]
            loss = loss + losses.prototype_weight * info_nce(
                towers.images(class_photos[shuffled]),
                towers.texts(halves.upper(chosen)),
                towers.prototypes_scale,
                torch.from_numpy(shuffled),
            )
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            progress(float(loss.detach()))
    model.eval()
    towers.eval()


class _Halves:
    """A text model in two halves: frozen layers, computed once for each text, and trained ones."""

    def __init__(self, model: TextModel, pieces: Pieces, frozen: int) -> None:
        network = model.network
        self._pieces = pieces
        self._words = network.embeddings
        layers = list(network.encoder.layer)
        self._below, self._above = layers[:frozen], layers[frozen:]
        for part in (self._words, *self._below):
            part.requires_grad_(False)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The parameters of the trained layers."""
        return [p for layer in self._above for p in layer.parameters()]

    @torch.no_grad()
    def lower(self, texts: Sequence[str]) -> list[Tensor]:
        """The lower layers' output for each text, float16[its pieces, w]."""
        for layer in (self._words, *self._below):
            layer.eval()
        pieces = [torch.tensor(ids) for ids in self._pieces(texts)]
        outputs: list[Tensor] = [torch.empty(0)] * len(pieces)
        order = np.argsort([len(ids) for ids in pieces], kind="stable")
        for start in range(0, len(order), 128):
            rows = order[start : start + 128]
            ids, mask = _padded([pieces[row] for row in rows])
            words = _through(self._below, self._words(input_ids=ids), mask).half()
            for row, one in zip(rows, words, strict=True):
                outputs[row] = one[: len(pieces[row])].clone()
        return outputs

    def upper(self, lower: Sequence[Tensor]) -> Tensor:
        """The model's vectors float32[n, w], unit rows, from the lower layers' output."""
        order = np.argsort([len(words) for words in lower], kind="stable")
        parts = []
        for rows in np.array_split(order, min(_BUCKETS, len(order))):
            words, mask = _padded([lower[row].float() for row in rows])
            words = _through(self._above, words, mask)
            weights = mask.unsqueeze(-1).float()
            parts.append(functional.normalize((words * weights).sum(1) / weights.sum(1), dim=1))
        return torch.cat(parts)[torch.from_numpy(np.argsort(order))]


def _padded(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Rows padded to one length, and their mask int64[n, l]."""
    mask = nn.utils.rnn.pad_sequence(
        [torch.ones(len(row), dtype=torch.int64) for row in rows], True
    )
    return nn.utils.rnn.pad_sequence(list(rows), True), mask


def _through(layers: Sequence[nn.Module], words: Tensor, mask: Tensor) -> Tensor:
    hidden = torch.where(mask[:, None, None, :] > 0, 0.0, -1e9)
    for layer in layers:
        out = layer(words, attention_mask=hidden)
        words = out[0] if isinstance(out, tuple) else out
    return words


def _optimizer(halves: _Halves, towers: Towers, recipe: TextRecipe) -> torch.optim.Optimizer:
    scales = [towers.captions_scale, towers.prototypes_scale]
    maps = [p for name, p in towers.named_parameters() if not name.endswith("_scale")]
    groups = [
        ([p for p in halves.parameters if p.ndim > 1], recipe.learning_rate, recipe.weight_decay),
        ([p for p in halves.parameters if p.ndim < 2], recipe.learning_rate, 0.0),
        (maps, recipe.towers_learning_rate, recipe.weight_decay),
        (scales, recipe.towers_learning_rate, 0.0),
    ]
    return torch.optim.AdamW(
        [{"params": part, "lr": rate, "weight_decay": decay} for part, rate, decay in groups]
    )
