"""The image encoder's own classifier: what an alignment takes from it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from pixquery.db.records import Floats, Ids
from pixquery.engine.encoders import TextEncoder
from pixquery.engine.names import around
from pixquery.engine.profile import Profile
from pixquery.engine.unit import in_bytes, unit
from pixquery.trainer.classes import (
    Group,
    imagenet_groups,
    imagenet_names,
    imagenet_synonyms,
    wordings,
)
from pixquery.trainer.image_model import EXPORTS, ImageModel
from pixquery.trainer.learning.recipe import Recipe
from pixquery.trainer.learning.towers import Tensors

Bytes = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Classifier:
    """The last layer of a classifier of c classes, and what they are called."""

    weight: Floats
    """float32[c, m], over the first m numbers of a raw vector."""
    bias: Floats | None
    """float32[c]; none if it is not known. Then its probabilities are not known either."""
    names: list[str]
    """One for each class, to learn from."""
    synonyms: list[tuple[str, ...]]
    """All names of each class."""
    groups: list[Group]
    """Classes with a name in common."""

    @classmethod
    def of(cls, profile: Profile) -> "Classifier":
        """The classifier of a profile's image encoder, of no class if it has none."""
        image = profile.manifest["image"]
        if profile.source in EXPORTS:
            model = ImageModel()
            return cls(
                model.classifier,
                model.classifier_bias,
                imagenet_names(),
                imagenet_synonyms(),
                imagenet_groups(),
            )
        names = list(image.get("classes", {}).get("names", []))
        if not names:
            return cls(np.empty((0, profile.dimension), np.float32), None, [], [], [])
        file = profile.folder / image["classes"]["file"]
        of_imagenet = names == imagenet_names()
        return cls(
            weight=load_file(file)["weight"].astype(np.float32),
            bias=None,
            names=names,
            synonyms=imagenet_synonyms() if of_imagenet else [(name,) for name in names],
            groups=imagenet_groups() if of_imagenet else [],
        )

    @property
    def wordings(self) -> list[tuple[str, str]]:
        """Two ways to name each class."""
        return [wordings(name) for name in self.names]

    def said(self, texts: TextEncoder) -> Floats:
        """Raw vectors float32[t, e] of all names: of the classes, then of the groups."""
        every = [*self.synonyms, *(group.names for group in self.groups)]
        return texts.encode([name for names in every for name in names])

    def classes(self, texts: TextEncoder, said: Floats, recipe: Recipe) -> Tensors:
        """The tensors of :class:`engine.classes.Classes`; none without a bias.

        A class means the mean of its names, and of what a caption would call it.

        Args:
            texts: The text encoder.
            said: Of `said`.
            recipe: Its ``class_factor`` applies.
        """
        if self.bias is None:
            return {}
        captions = unit(texts.encode([wordings(names[0])[0] for names in self.synonyms]))
        scale = np.abs(self.weight).max(1) / 127
        return {
            "classes.weight": np.asarray(np.round(self.weight / scale[:, None]), np.int8),
            "classes.scale": scale,
            "classes.bias": self.bias,
            "classes.texts": in_bytes(unit(captions + self._meanings(said))),
            "classes.factor": np.array([recipe.class_factor], np.float32),
        }

    def named(self, said: Floats, captions: Floats, keys: Bytes, recipe: Recipe) -> Tensors:
        """The tensors of :class:`engine.names.Names`; none without classes.

        A group's key is the mean direction of its classes.

        Args:
            said: Of `said`.
            captions: float32[n, e], raw vectors of texts of all kinds.
            keys: int8[m, b], the memory's; its last c rows are those of the classes.
            recipe: Its ``name_`` values apply.
        """
        if not self.synonyms:
            return {}
        centre = unit(captions).mean(0)
        first = len(keys) - len(self.synonyms)
        of_classes = unit(keys[first:].astype(np.float32))
        of_groups = [
            of_classes[list(group.classes)].sum(0) for group in self.groups for _ in group.names
        ]
        own = {"names.keys": in_bytes(unit(np.stack(of_groups)))} if of_groups else {}
        return {
            "names.texts": in_bytes(around(centre, unit(said))),
            "names.rows": (first + self._class_of_name).astype(np.int32),
            **own,
            "names.centre": centre,
            "names.temperature": np.array([recipe.name_temperature], np.float32),
            "names.factor": np.array([recipe.name_factor], np.float32),
        }

    @property
    def _class_of_name(self) -> Ids:
        return np.repeat(np.arange(len(self.synonyms)), [len(names) for names in self.synonyms])

    def _meanings(self, said: Floats) -> Floats:
        """float32[c, e], the mean direction of each class's names."""
        sums = np.zeros((len(self.synonyms), said.shape[1]), np.float32)
        np.add.at(sums, self._class_of_name, unit(said[: len(self._class_of_name)]))
        return unit(sums)
