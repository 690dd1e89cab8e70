"""The image encoder's own classifier: what an alignment takes from it."""

from dataclasses import dataclass

import numpy as np
from safetensors.numpy import load_file

from pixquery.db.records import Floats, Ids
from pixquery.engine.encoders import TextEncoder
from pixquery.engine.names import around
from pixquery.engine.profile import Profile
from pixquery.engine.unit import in_bytes, unit
from pixquery.trainer.classes import imagenet_names, imagenet_synonyms, wordings
from pixquery.trainer.image_model import EXPORTS, ImageModel
from pixquery.trainer.learning.recipe import Recipe
from pixquery.trainer.learning.towers import Tensors


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

    @classmethod
    def of(cls, profile: Profile) -> "Classifier":
        """The classifier of a profile's image encoder, of no class if it has none."""
        image = profile.manifest["image"]
        if profile.source in EXPORTS:
            model = ImageModel()
            return cls(
                model.classifier, model.classifier_bias, imagenet_names(), imagenet_synonyms()
            )
        names = list(image.get("classes", {}).get("names", []))
        if not names:
            return cls(np.empty((0, profile.dimension), np.float32), None, [], [])
        file = profile.folder / image["classes"]["file"]
        of_imagenet = names == imagenet_names()
        return cls(
            weight=load_file(file)["weight"].astype(np.float32),
            bias=None,
            names=names,
            synonyms=imagenet_synonyms() if of_imagenet else [(name,) for name in names],
        )

    @property
    def wordings(self) -> list[tuple[str, str]]:
        """Two ways to name each class."""
        return [wordings(name) for name in self.names]

    def classes(self, texts: TextEncoder, recipe: Recipe) -> Tensors:
        """The tensors of :class:`engine.classes.Classes`; none without a bias.

        A class means the mean of its names, and of what a caption would call it.
        """
        if self.bias is None:
            return {}
        captions = unit(texts.encode([wordings(names[0])[0] for names in self.synonyms]))
        scale = np.abs(self.weight).max(1) / 127
        return {
            "classes.weight": np.asarray(np.round(self.weight / scale[:, None]), np.int8),
            "classes.scale": scale,
            "classes.bias": self.bias,
            "classes.texts": in_bytes(unit(captions + self._meanings(texts))),
            "classes.factor": np.array([recipe.class_factor], np.float32),
        }

    def named(self, texts: TextEncoder, captions: Floats, first: int, recipe: Recipe) -> Tensors:
        """The tensors of :class:`engine.names.Names`; none without classes.

        Args:
            texts: The text encoder.
            captions: float32[n, e], raw vectors of texts of all kinds.
            first: The memory's row of the first class; the others follow.
            recipe: Its ``name_`` values apply.
        """
        if not self.synonyms:
            return {}
        centre = unit(captions).mean(0)
        return {
            "names.texts": in_bytes(around(centre, self._said(texts))),
            "names.rows": (first + self._class_of_name).astype(np.int32),
            "names.centre": centre,
            "names.temperature": np.array([recipe.name_temperature], np.float32),
            "names.factor": np.array([recipe.name_factor], np.float32),
        }

    @property
    def _class_of_name(self) -> Ids:
        return np.repeat(np.arange(len(self.synonyms)), [len(names) for names in self.synonyms])

    def _said(self, texts: TextEncoder) -> Floats:
        """Unit rows float32[t, e] of all names."""
        return unit(texts.encode([name for names in self.synonyms for name in names]))

    def _meanings(self, texts: TextEncoder) -> Floats:
        """float32[c, e], the mean direction of each class's names."""
        sums = np.zeros((len(self.synonyms), texts.dimension), np.float32)
        np.add.at(sums, self._class_of_name, self._said(texts))
        return unit(sums)
