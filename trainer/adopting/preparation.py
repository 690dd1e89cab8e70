"""How a photo is prepared before it reaches a network."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixquery.db.errors import SourceUnusable
from pixquery.trainer.adopting.sources import Source
from pixquery.trainer.adopting.wordpieces import read_json

INTERPOLATIONS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
"""Pillow's, in its order."""
_UNKNOWN_STEPS = ("do_flip_channel_order", "rescale_offset", "do_pad", "do_reduce_labels")


@dataclass(frozen=True, slots=True)
class Preparation:
    """What becomes of a photo before it reaches the network."""

    size: int
    """Side of the square that it is squashed to, in pixels."""
    interpolation: str
    """By Pillow's name."""
    scale: float
    """Bytes are multiplied by it."""
    mean: tuple[float, ...]
    """Of each channel, taken off."""
    deviation: tuple[float, ...]
    """Of each channel, divided by."""


IMAGENET = Preparation(224, "bilinear", 1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""As torchvision's first ImageNet weights were trained."""


def of_timm(source: Source) -> Preparation:
    """As timm's configuration says; without one as torchvision's first weights want it."""
    file = source.folder / "config.json"
    told = read_json(file).get("pretrained_cfg") or {}
    try:
        interpolation = str(told.get("interpolation", IMAGENET.interpolation))
        return Preparation(
            int(told.get("input_size", (3, IMAGENET.size, IMAGENET.size))[-1]),
            interpolation if interpolation in INTERPOLATIONS else "bicubic",
            IMAGENET.scale,
            tuple(map(float, told.get("mean", IMAGENET.mean))),
            tuple(map(float, told.get("std", IMAGENET.deviation))),
        )
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise _odd(file, error) from error


def of_processor(source: Source) -> Preparation:
    told = read_json(source.folder / "preprocessor_config.json") or read_json(
        source.folder / "processor_config.json"
    ).get("image_processor", {})
    if not told:
        raise SourceUnusable(
            f"{source.named} does not tell how its photos are prepared: put its "
            f"preprocessor_config.json into {source.folder}"
        )
    for step in _UNKNOWN_STEPS:
        if told.get(step):
            raise SourceUnusable(
                f"{source.named} prepares photos by {step}, which pixquery does not know: choose "
                "another model"
            )
    kind = str(told.get("image_processor_type", told.get("feature_extractor_type", "")))
    usual = "bilinear" if kind.startswith(("ViTImage", "ViTFeature")) else "bicubic"
    chosen = told.get("resample", INTERPOLATIONS.index(usual))
    scaled, normal = told.get("do_rescale", True), told.get("do_normalize", True)
    try:
        return Preparation(
            _side(told),
            INTERPOLATIONS[chosen],
            float(told.get("rescale_factor", 1 / 255)) if scaled else 1.0,
            tuple(map(float, told["image_mean"])) if normal else (0.0,) * 3,
            tuple(map(float, told["image_std"])) if normal else (1.0,) * 3,
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise _odd(source.folder / "preprocessor_config.json", error) from error


def _odd(file: Path, error: Exception) -> SourceUnusable:
    return SourceUnusable(
        f"{file} lacks an entry or has an odd one ({type(error).__name__}: {error}): get it again, "
        "or choose another model"
    )


def _side(told: Mapping[str, Any]) -> int:
    """Side of the square that the network sees at last, in pixels."""
    cut = told.get("crop_size") if told.get("do_center_crop", True) else None
    size = cut if cut is not None else told["size"]
    if not isinstance(size, dict):
        return int(size)
    if "shortest_edge" in size:
        return int(size["shortest_edge"])
    if size["height"] != size["width"]:
        raise ValueError(f"photos of {size['width']} x {size['height']} are no squares")
    return int(size["height"])
