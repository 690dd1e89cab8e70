"""How to prepare a photo for a network, as the model's own files say.

One thing always differs from what a model's makers did: the whole photo is squashed to a square,
and nothing is cut off (``docs/profiles.md``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixquery.db.errors import SourceUnusable
from pixquery.engine.manifest import SQUASH
from pixquery.trainer.adopting.sources import Source
from pixquery.trainer.adopting.wordpieces import read_json

INTERPOLATIONS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
"""Pillow's names, in the order of its numbers."""
_UNKNOWN_STEPS = ("do_flip_channel_order", "rescale_offset", "do_pad", "do_reduce_labels")


@dataclass(frozen=True, slots=True)
class Preparation:
    """How to prepare a photo: squash, scale, subtract the mean, divide by the deviation."""

    size: int
    """Side of the square, in pixels."""
    interpolation: str
    """Pillow's name of it."""
    scale: float
    """The factor of bytes."""
    mean: tuple[float, ...]
    """Of each channel, after scaling."""
    deviation: tuple[float, ...]
    """Of each channel, after scaling."""

    def steps(self, fit: str = SQUASH) -> list[str]:
        """What is done to a photo, in words; the last step is inside the network."""
        mean, deviation = (
            ", ".join(f"{value:g}" for value in values) for values in (self.mean, self.deviation)
        )
        square = f"{self.size} x {self.size} pixels, {self.interpolation}"
        return [
            "EXIF orientation applied",
            "transparency on white",
            f"squashed whole to {square}" if fit == SQUASH else f"its middle square at {square}",
            f"RGB bytes, (x * {self.scale:g} - ({mean})) / ({deviation}) inside the model",
        ]


IMAGENET = Preparation(224, "bilinear", 1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""The preparation of torchvision's first ImageNet weights."""


def of_timm(source: Source) -> Preparation:
    """The preparation in timm's configuration, or `IMAGENET` without one.

    Raises:
        SourceUnusable: An entry is missing or odd.
    """
    file = source.folder / "config.json"
    entries = read_json(file).get("pretrained_cfg") or {}
    try:
        interpolation = str(entries.get("interpolation", IMAGENET.interpolation))
        return Preparation(
            int(entries.get("input_size", (3, IMAGENET.size, IMAGENET.size))[-1]),
            interpolation if interpolation in INTERPOLATIONS else "bicubic",
            IMAGENET.scale,
            tuple(map(float, entries.get("mean", IMAGENET.mean))),
            tuple(map(float, entries.get("std", IMAGENET.deviation))),
        )
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise _odd(file, error) from error


def of_processor(source: Source) -> Preparation:
    """The preparation in the configuration of transformers' image processor.

    Raises:
        SourceUnusable: There is none, an entry is missing or odd, or a step is unknown.
    """
    entries = read_json(source.folder / "preprocessor_config.json") or read_json(
        source.folder / "processor_config.json"
    ).get("image_processor", {})
    if not entries:
        raise SourceUnusable(
            f"{source.named} does not say how its photos are prepared: put its "
            f"preprocessor_config.json into {source.folder}"
        )
    for step in _UNKNOWN_STEPS:
        if entries.get(step):
            raise SourceUnusable(
                f"{source.named} prepares photos with {step}, which pixquery does not support: "
                "choose another model"
            )
    kind = str(entries.get("image_processor_type", entries.get("feature_extractor_type", "")))
    usual = "bilinear" if kind.startswith(("ViTImage", "ViTFeature")) else "bicubic"
    chosen = entries.get("resample", INTERPOLATIONS.index(usual))
    scaled, normal = entries.get("do_rescale", True), entries.get("do_normalize", True)
    try:
        return Preparation(
            _side(entries),
            INTERPOLATIONS[chosen],
            float(entries.get("rescale_factor", 1 / 255)) if scaled else 1.0,
            tuple(map(float, entries["image_mean"])) if normal else (0.0,) * 3,
            tuple(map(float, entries["image_std"])) if normal else (1.0,) * 3,
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise _odd(source.folder / "preprocessor_config.json", error) from error


def _odd(file: Path, error: Exception) -> SourceUnusable:
    return SourceUnusable(
        f"{file} lacks an entry or has an odd one ({type(error).__name__}: {error}): download it "
        "again, or choose another model"
    )


def _side(entries: Mapping[str, Any]) -> int:
    """Side of the square that the network finally sees, in pixels."""
    cut = entries.get("crop_size") if entries.get("do_center_crop", True) else None
    size = cut if cut is not None else entries["size"]
    if not isinstance(size, dict):
        return int(size)
    if "shortest_edge" in size:
        return int(size["shortest_edge"])
    if size["height"] != size["width"]:
        raise ValueError(f"photos of {size['width']} x {size['height']} are not square")
    return int(size["height"])
