"""Fine-tunes the text encoder on differences that can be seen in photos.

A sentence encoder knows when two sentences mean the same, but not which differences a photo shows.
Its layers and one member of the alignment are trained together with the losses of
`trainer.learning.align`, each starting from its present state. The image encoder does not change.
Nor do the word vectors, so words that no caption uses keep their place among the others.
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

_BUCKETS = 8
"""Texts of similar length go through the network together, so that little padding is needed."""


@dataclass(frozen=True, slots=True)
class TextRecipe:
    """How to fine-tune the text encoder; the defaults were chosen on the development split."""

    epochs: int = 10
    batch: int = 256
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
    """Trains the layers of the model and the towers, in place.

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
    texts = _Texts(model)
    written = _ids(pieces, captions)
    named = [_ids(pieces, ways) for ways in names]
    photos, photo_of = torch.from_numpy(data.photos), torch.from_numpy(data.photo_of)
    class_photos = torch.from_numpy(prototypes.photos)
    meanings = functional.normalize(torch.from_numpy(data.meanings), dim=1)
    photo_meanings = torch.from_numpy(data.photo_meanings())
    batch = min(recipe.batch, len(captions))
    rounds = len(captions) // batch
    others = min(recipe.other_photos, photos.shape[1])
    classes = min(recipe.classes, len(names))
    optimizer = _optimizer(texts, towers, recipe)
    steps = recipe.epochs * rounds
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1.0, (step + 1) / 50) * 0.5 * (1 + np.cos(np.pi * step / steps)),
    )
    texts.train()
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
                towers.texts(texts.vectors([written[row] for row in rows])),
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
                towers.texts(texts.vectors(chosen)),
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


class _Texts:
    """A text model whose word vectors are frozen."""

    def __init__(self, model: TextModel) -> None:
        self._network = model.network
        self._words = model.network.embeddings
        self._words.requires_grad_(False)
        self._layers = list(model.network.encoder.layer)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The parameters of the trained layers."""
        return [p for layer in self._layers for p in layer.parameters()]

    def train(self) -> None:
        """Switches dropout on, but for the word vectors."""
        self._network.train()
        self._words.eval()

    def vectors(self, ids: Sequence[Tensor]) -> Tensor:
        """The model's vectors float32[n, w], unit rows, of texts as int64[its pieces]."""
        order = np.argsort([len(one) for one in ids], kind="stable")
        parts = []
        for rows in np.array_split(order, min(_BUCKETS, len(order))):
            padded, mask = _padded([ids[row] for row in rows])
            hidden = torch.where(mask[:, None, None, :] > 0, 0.0, -1e9)
            words = self._words(input_ids=padded)
            for layer in self._layers:
                out = layer(words, attention_mask=hidden)
                words = out[0] if isinstance(out, tuple) else out
            weights = mask.unsqueeze(-1).float()
            parts.append(functional.normalize((words * weights).sum(1) / weights.sum(1), dim=1))
        return torch.cat(parts)[torch.from_numpy(np.argsort(order))]


def _ids(pieces: Pieces, texts: Sequence[str]) -> list[Tensor]:
    return [torch.tensor(ids) for ids in pieces(texts)]


def _padded(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Rows padded to one length, and their mask int64[n, l]."""
    mask = nn.utils.rnn.pad_sequence(
        [torch.ones(len(row), dtype=torch.int64) for row in rows], True
    )
    return nn.utils.rnn.pad_sequence(list(rows), True), mask


def _optimizer(texts: _Texts, towers: Towers, recipe: TextRecipe) -> torch.optim.Optimizer:
    scales = [towers.captions_scale, towers.prototypes_scale]
    maps = [p for name, p in towers.named_parameters() if not name.endswith("_scale")]
    groups = [
        ([p for p in texts.parameters if p.ndim > 1], recipe.learning_rate, recipe.weight_decay),
        ([p for p in texts.parameters if p.ndim < 2], recipe.learning_rate, 0.0),
        (maps, recipe.towers_learning_rate, recipe.weight_decay),
        (scales, recipe.towers_learning_rate, 0.0),
    ]
    return torch.optim.AdamW(
        [{"params": part, "lr": rate, "weight_decay": decay} for part, rate, decay in groups]
    )
