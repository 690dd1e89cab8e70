"""Other people's models as PyTorch modules, in the form that the runtime wants.

Photos as bytes in and one vector out, ids and mask of texts in and one vector out, every step
between inside. Weights are read without running anything that came with them, photos are prepared
as the model's own files say: neither torchvision nor timm is needed. One thing is always done
otherwise than a model's makers did: the whole photo is squashed to a square, and nothing is cut
off (``docs/profiles.md``).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pixquery.db.errors import SourceUnusable
from pixquery.db.records import Floats
from pixquery.trainer.adopting.resnet import ResNet, is_resnet
from pixquery.trainer.adopting.sources import Source, read_state
from pixquery.trainer.adopting.wordpieces import Pieces, quiet, read_json, read_pieces
from pixquery.trainer.learning.datasets import imagenet_names

_INTERPOLATIONS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
"""Pillow's, in its order."""
_CONVOLUTIONAL = {"resnet", "regnet"}
_UNKNOWN_STEPS = ("do_flip_channel_order", "rescale_offset", "do_pad", "do_reduce_labels")
_IMAGENET = 1000
_FIXED_LENGTH = {"siglip"}
"""Models that were trained on texts filled up to their longest, without a mask."""


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


@dataclass(frozen=True, slots=True)
class Classes:
    """The last layer of a classifier: one row a class."""

    weight: Floats
    """float32[c, d]"""
    names: tuple[str, ...]
    """c of them."""


class ImageNetwork(nn.Module):
    """Photos as bytes -> vectors.

    Attributes:
        preparation: What the photos are made of, and what is done with them inside.
        dimension: Length of a vector, d.
        what: The kind of network, for people.
        pooling: How the vector comes from the last features, for people.
        classes: The classifier's last layer, where the model is one, all else comes before it, and
            the classes have names.
        convolutional: Whether eight bits may do.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: nn.Module, preparation: Preparation, what: str, pooling: str):
        super().__init__()
        self.network = network
        self.preparation = preparation
        self.what = what
        self.pooling = pooling
        self.classes: Classes | None = None
        self.convolutional = False
        self.register_buffer("mean", torch.tensor(preparation.mean).view(-1, 1, 1))
        self.register_buffer("deviation", torch.tensor(preparation.deviation).view(-1, 1, 1))
        self.eval()
        self.requires_grad_(False)
        self.dimension = self(_grey(preparation.size)).shape[1]

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8[n, size, size, 3] -> float32[n, d]."""
        scaled = pixels.permute(0, 3, 1, 2).float() * self.preparation.scale
        vectors: Tensor = self.network((scaled - self.mean) / self.deviation)
        return vectors


class TextNetwork(nn.Module):
    """Ids of word pieces -> vectors.

    Attributes:
        pieces: How texts are split.
        dimension: Length of a vector, e.
        what: The kind of network, for people.
        pooling: How the vector comes from the last features, for people.
    """

    def __init__(self, network: nn.Module, pieces: Pieces, what: str, pooling: str) -> None:
        super().__init__()
        self.network = network
        self.pieces = pieces
        self.what = what
        self.pooling = pooling
        self.eval()
        self.requires_grad_(False)
        self.dimension = self(*_few(pieces)).shape[1]

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """int64[n, l] twice -> float32[n, e]; what stands where the mask is 0 is no matter."""
        vectors: Tensor = self.network(ids.where(mask > 0, self.pieces.pad), mask)
        return vectors


@dataclass(frozen=True, slots=True)
class Joint:
    """Two networks that were trained together: their vectors are of one space, of length 1."""

    image: ImageNetwork
    text: TextNetwork
    logit_scale: float
    """A cosine is multiplied by it before it becomes a probability."""
    logit_bias: float | None
    """And this is added, where the model has it."""


# -- photos -----------------------------------------------------------------------------------


def image_network(source: Source) -> ImageNetwork:
    """The image encoder of a source.

    Args:
        source: A vision model that transformers knows, or a ResNet as torchvision or timm name its
            parts.

    Raises:
        SourceUnusable: It is neither, its files contradict each other or cannot be read.
    """
    state = read_state(source.weights)
    if is_resnet(state):
        return _plain_resnet(source, state)
    config = _configuration(source)
    _refuse_joint(source, config)
    if _kind(source, config).main_input_name != "pixel_values":
        raise SourceUnusable(
            f"{source.named} is a {config.model_type} model, which sees no photos: give a text "
            "model with --text, and an image model with --image"
        )
    preparation = _preparation(source)
    model, untrained = _load(source, config, state, classifier=_is_classifier(config))
    features = _Features(model.base_model)
    with _sizes_told(source, preparation.size):
        ways = ("first", "mean") if untrained else ("pooler", "first", "mean")
        features.pooling, weight = _pooling(model, features, ways, preparation.size)
        found = ImageNetwork(features, preparation, _what(config), _POOLINGS[features.pooling])
    if weight is not None:
        told = [str(config.id2label.get(row, "")) for row in range(len(weight))]
        found.classes = _classes(weight, told)
    found.convolutional = config.model_type in _CONVOLUTIONAL
    return found


_POOLINGS = {
    "pooler": "as the model pools its last features",
    "first": "the first of the last features",
    "mean": "mean over all positions of the last features",
}


class _Features(nn.Module):
    """float32[n, 3, h, w], prepared -> float32[n, d], by transformers' model."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.pooling = "pooler"

    def forward(self, pixels: Tensor) -> Tensor:
        out = self.model(pixel_values=pixels)
        last: Tensor = out.last_hidden_state
        pooled: Tensor | None = getattr(out, "pooler_output", None)
        if self.pooling == "pooler" and pooled is not None and _is_vector(pooled):
            return pooled.flatten(1)
        if last.ndim == 4:
            return last.mean((2, 3))
        return last[:, 0] if self.pooling == "first" else last.mean(1)


def _pooling(
    model: Any, features: _Features, ways: tuple[str, ...], size: int
) -> tuple[str, Floats | None]:
    """How to pool, and the classifier's last layer float32[c, d] if it comes right after.

    The files of a classifier do not say which of the features its last layer sees; its answers to
    a picture do.
    """
    picture = torch.rand((1, 3, size, size), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        if model is not features.model:
            last = [part for part in model.modules() if isinstance(part, nn.Linear)][-1]
            answers = model(pixel_values=picture).logits
            for way in ways:
                features.pooling = way
                seen = features(picture)
                if seen.shape[1] == last.in_features and torch.allclose(
                    last(seen), answers, rtol=1e-3, atol=1e-3
                ):
                    return way, np.asarray(last.weight.detach().numpy(), np.float32)
        pooled = getattr(features.model(pixel_values=picture), "pooler_output", None)
    return "pooler" if ways[0] == "pooler" and _is_vector(pooled) else "mean", None


def _is_vector(pooled: Tensor | None) -> bool:
    return pooled is not None and pooled.flatten(1).shape[1] == pooled.shape[1]


def _plain_resnet(source: Source, state: Mapping[str, Tensor]) -> ImageNetwork:
    try:
        network = ResNet(state)
    except SourceUnusable as error:
        raise SourceUnusable(
            f"{source.named} {error}: plain ResNets alone can be read from torchvision's and "
            "timm's weights; give another, or a model that transformers knows"
        ) from error
    found = ImageNetwork(network, _timm(source), network.name, _POOLINGS["mean"])
    last = state.get("fc.weight")
    if last is not None and last.shape[1] == found.dimension:
        found.classes = _classes(np.asarray(last.float().numpy(), np.float32), [])
    found.convolutional = True
    return found


def _timm(source: Source) -> Preparation:
    """As timm's configuration says; without one as torchvision's first weights want it."""
    file = source.folder / "config.json"
    told = read_json(file).get("pretrained_cfg") or {}
    try:
        interpolation = str(told.get("interpolation", IMAGENET.interpolation))
        return Preparation(
            int(told.get("input_size", (3, IMAGENET.size, IMAGENET.size))[-1]),
            interpolation if interpolation in _INTERPOLATIONS else "bicubic",
            IMAGENET.scale,
            tuple(map(float, told.get("mean", IMAGENET.mean))),
            tuple(map(float, told.get("std", IMAGENET.deviation))),
        )
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise _odd(file, error) from error


def _classes(weight: Floats, told: Sequence[str]) -> Classes | None:
    """With the names that a model tells; ImageNet's thousand are known, and better, without."""
    usual = all(name == f"LABEL_{row}" for row, name in enumerate(told))
    if len(weight) == _IMAGENET and (usual or told[0].startswith("tench")):
        return Classes(weight, tuple(imagenet_names()))
    return None if usual or not all(told) else Classes(weight, tuple(told))


# -- how photos are prepared ------------------------------------------------------------------


def _preparation(source: Source) -> Preparation:
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
    chosen = told.get("resample", _INTERPOLATIONS.index(usual))
    scaled, normal = told.get("do_rescale", True), told.get("do_normalize", True)
    try:
        return Preparation(
            _side(told),
            _INTERPOLATIONS[chosen],
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


# -- texts ------------------------------------------------------------------------------------


def text_network(source: Source) -> TextNetwork:
    """The text encoder of a source.

    Args:
        source: A text model that transformers knows, or a folder of sentence-transformers.

    Raises:
        SourceUnusable: It is neither, its files contradict each other or cannot be read.
    """
    config = _configuration(source)
    _refuse_joint(source, config)
    if config.is_encoder_decoder:
        raise SourceUnusable(
            f"{source.named} is a {config.model_type} model, which writes texts: choose one that "
            "encodes them"
        )
    if _kind(source, config).main_input_name != "input_ids":
        raise SourceUnusable(
            f"{source.named} is a {config.model_type} model, which reads no texts: give an image "
            "model with --image, and a text model with --text"
        )
    way, unit = _sentence_pooling(source)
    model, _ = _load(source, config, read_state(source.weights))
    pieces = read_pieces(source, config, _positions(model, config))
    words = "mean of the word vectors" if way == "mean" else "the first word's vector"
    network = _Sentence(model, way, unit=unit)
    return TextNetwork(network, pieces, _what(config), words + (", length 1" if unit else ""))


def _positions(model: nn.Module, config: Any) -> int | None:
    """How many pieces the network tells apart by their place; some keep places for padding."""
    rows: int | None = getattr(config, "max_position_embeddings", None)
    for part in model.modules():
        if isinstance(part, nn.Embedding) and part.num_embeddings == rows and part.padding_idx:
            return rows - part.padding_idx - 1
    return rows


class _Sentence(nn.Module):
    """Ids and mask, int64[n, l] -> float32[n, e]."""

    def __init__(self, model: nn.Module, way: str, *, unit: bool) -> None:
        super().__init__()
        self.model = model
        self.way = way
        self.unit = unit

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        words: Tensor = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        if self.way == "mean":
            weights = mask.unsqueeze(-1).float()
            vectors = (words * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        else:
            vectors = words[:, 0]
        return functional.normalize(vectors, dim=-1) if self.unit else vectors


def _sentence_pooling(source: Source) -> tuple[str, bool]:
    """What becomes of the word vectors, ``mean`` or ``cls``, and whether of length 1."""
    file = source.folder / "modules.json"
    steps = [str(step["type"]).rsplit(".", 1)[-1] for step in _list(file)]
    unknown = [step for step in steps if step not in ("Transformer", "Pooling", "Normalize")]
    if unknown:
        raise SourceUnusable(
            f"{source.named} goes on with a layer {unknown[0]} (see {file}), which pixquery does "
            "not know: choose another text model"
        )
    ways = ["mean"]
    if "Pooling" in steps:
        place = next(step["path"] for step in _list(file) if step["type"].endswith("Pooling"))
        told = read_json(source.folder / place / "config.json")
        given = told.get("pooling_mode")
        ways = [given] if isinstance(given, str) else list(given or ())
        old = ("pooling_mode_", "_tokens", "_token")
        ways = ways or [
            name.removeprefix(old[0]).removesuffix(old[1]).removesuffix(old[2])
            for name, chosen in told.items()
            if name.startswith(old[0]) and chosen is True
        ]
    if ways not in (["mean"], ["cls"]):
        raise SourceUnusable(
            f"{source.named} pools its word vectors by {' and '.join(ways) or 'nothing'}, and "
            "pixquery knows mean and cls: choose another text model"
        )
    return ways[0], "Normalize" in steps


# -- both -------------------------------------------------------------------------------------


def joint_networks(source: Source) -> Joint:
    """Both sides of a model that was trained on photos and texts together, such as CLIP.

    Raises:
        SourceUnusable: It is none, its files contradict each other or cannot be read.
    """
    config = _configuration(source)
    if not _is_joint(config):
        raise SourceUnusable(
            f"{source.named} is a {config.model_type} model, which has one side: give it with "
            "--image or --text, and another for the other side"
        )
    kind = _kind(source, config)
    if not (hasattr(kind, "get_image_features") and hasattr(kind, "get_text_features")):
        raise SourceUnusable(
            f"{source.named} is a {config.model_type} model, whose two sides do not meet in one "
            "space: choose one like CLIP or SigLIP"
        )
    positions = getattr(config.text_config, "max_position_embeddings", None)
    pieces = read_pieces(source, config, positions)
    preparation = _preparation(source)
    model, _ = _load(source, config, read_state(source.weights))
    words: nn.Module
    if config.model_type in _FIXED_LENGTH:
        words = _FilledTexts(model, pieces.most, pieces.pad)
        how = f"filled up to {pieces.most} pieces, projected, length 1"
    else:
        # CLIP's own fill is the piece that ends texts, and where that stands the vector is read.
        pieces = Pieces(pieces.tokenizer, pieces.most, _fill(model))
        words = _Texts(model)
        how = "as the model pools them, projected, length 1"
    with _sizes_told(source, preparation.size):
        image = ImageNetwork(
            _Photos(model), preparation, _what(config), "as the model pools, projected, length 1"
        )
    text = TextNetwork(words, pieces, _what(config), how)
    bias = getattr(model, "logit_bias", None)
    return Joint(
        image,
        text,
        float(model.logit_scale.detach().exp()),
        None if bias is None else float(bias.detach()),
    )


def _fill(model: nn.Module) -> int:
    """The id that a network itself takes for none; 0, which ends no text, where it knows none."""
    kept = (part.padding_idx for part in model.modules() if isinstance(part, nn.Embedding))
    return next((place for place in kept if place is not None), 0)


class _Photos(nn.Module):
    model: Any

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        return _unit(self.model.get_image_features(pixel_values=pixels))


class _Texts(nn.Module):
    model: Any

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return _unit(self.model.get_text_features(input_ids=ids, attention_mask=mask))


class _FilledTexts(nn.Module):
    """Fills texts up to one length, whose last place the model reads, and masks nothing."""

    model: Any
    fill: Tensor

    def __init__(self, model: nn.Module, length: int, pad: int) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("fill", torch.full((1, length), pad, dtype=torch.int64))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        del mask
        fill = self.fill.expand(ids.shape[0], -1)
        filled = torch.cat([ids, fill], 1)[:, : self.fill.shape[1]]
        return _unit(self.model.get_text_features(input_ids=filled))


def _unit(found: Any) -> Tensor:
    vectors: Tensor = found if isinstance(found, Tensor) else found.pooler_output
    return functional.normalize(vectors, dim=-1)


# -- what transformers reads ------------------------------------------------------------------


def _configuration(source: Source) -> Any:
    from huggingface_hub.errors import StrictDataclassError
    from transformers import CONFIG_MAPPING

    file = source.folder / "config.json"
    told = read_json(file)
    kind = told.get("model_type")
    if kind is None:
        timm = (
            f"; of timm's models only plain ResNets, not {told['architecture']}"
            if ("architecture" in told)
            else ""
        )
        raise SourceUnusable(
            f"{source.named} is no model that transformers knows ({file} tells no model_type"
            f"{timm}): give a model's folder, its name on the hub, or a ResNet's weights"
        )
    if kind not in CONFIG_MAPPING:
        own = ", and code that comes with a model is never run" if "auto_map" in told else ""
        raise SourceUnusable(
            f"{source.named} is a {kind!r} model, which the installed transformers does not know"
            f"{own}: choose another, or pip install --upgrade transformers"
        )
    if "quantization_config" in told:
        raise SourceUnusable(
            f"{source.named} is stored in fewer bits, which pixquery cannot read: choose the model "
            "that it was made from"
        )
    try:
        with quiet():
            return CONFIG_MAPPING[kind].from_dict(told)
    except (ValueError, TypeError, KeyError, AttributeError, StrictDataclassError) as error:
        raise SourceUnusable(
            f"the configuration {file} cannot be used ({_short(error)}): get it again"
        ) from error


def _kind(source: Source, config: Any) -> Any:
    """The class of the model without any head."""
    from transformers import MODEL_MAPPING

    if type(config) not in MODEL_MAPPING:
        raise SourceUnusable(
            f"{source.named} is a {config.model_type} model, which encodes nothing: choose another"
        )
    return _first(MODEL_MAPPING[type(config)])


def _first(kinds: Any) -> Any:
    """Of several classes for one configuration the usual one."""
    return kinds[0] if isinstance(kinds, tuple) else kinds


def _load(
    source: Source, config: Any, state: dict[str, Tensor], *, classifier: bool = False
) -> tuple[Any, bool]:
    """The model with its weights, and whether those of its pooling are missing.

    Every other weight must be there and fit.
    """
    from transformers import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING

    kind = _kind(source, config)
    if classifier:
        kind = _first(MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING.get(type(config), kind))
    try:
        with quiet():
            model, told = kind.from_pretrained(
                None, config=config, state_dict=state, output_loading_info=True,
                ignore_mismatched_sizes=True, dtype=torch.float32, attn_implementation="eager",
            )  # fmt: skip
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError, ImportError) as error:
        raise SourceUnusable(
            f"{source.named} cannot be built as a {config.model_type} model ({_short(error)}): "
            "get it again, or choose another"
        ) from error
    for name, stored, wanted in sorted(told["mismatched_keys"]):
        raise SourceUnusable(
            f"{source.weights} has weights {name} of the shape {tuple(stored)}, and config.json "
            f"asks for {tuple(wanted)}: get both again from one place"
        )
    missing = sorted(name for name in told["missing_keys"] if "pooler." not in name)
    if missing:
        raise SourceUnusable(
            f"{source.weights} lacks {len(missing)} weights of a {config.model_type} model, such "
            f"as {missing[0]}: get it again, or choose another model"
        )
    return model.eval(), bool(told["missing_keys"])


def _is_joint(config: Any) -> bool:
    return hasattr(config, "text_config") and hasattr(config, "vision_config")


def _refuse_joint(source: Source, config: Any) -> None:
    if _is_joint(config):
        raise SourceUnusable(
            f"{source.named} is a {config.model_type} model, which has both sides: give it with "
            "--joint"
        )


def _is_classifier(config: Any) -> bool:
    return any(name.endswith("ForImageClassification") for name in config.architectures or ())


def _what(config: Any) -> str:
    return str(config.model_type)


@contextmanager
def _sizes_told(source: Source, size: int) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:
        raise SourceUnusable(
            f"{source.named} cannot read photos of {size} x {size} pixels, for which its "
            f"preprocessor_config.json asks ({_short(error)}): get both again from one place"
        ) from error


def _list(file: Path) -> list[dict[str, Any]]:
    if not file.is_file():
        return []
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SourceUnusable(f"the file {file} is no JSON ({error}): get it again") from error
    steps = found if isinstance(found, list) else []
    return [step for step in steps if isinstance(step, dict) and {"type", "path"} <= step.keys()]


def _short(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__


def _grey(size: int) -> Tensor:
    return torch.full((1, size, size, 3), 127, dtype=torch.uint8)


def _few(pieces: Pieces) -> tuple[Tensor, Tensor]:
    ids = torch.tensor(pieces.ids(["a photo"]), dtype=torch.int64)
    return ids, torch.ones_like(ids)
