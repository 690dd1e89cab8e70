"""Layouts in which pairs of ready ONNX networks are published, and what their files say.

A pair encodes photos and texts into one space. Three layouts are known: that of transformers.js
(https://huggingface.co/onnx-community and /Xenova), that of Immich
(https://huggingface.co/immich-app), and that of open_clip's and rclip's exports if they come with
a ``tokenizer.json``.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixquery.db.errors import SourceUnusable
from pixquery.engine.manifest import CROP, SQUASH
from pixquery.trainer.adopting.preparation import INTERPOLATIONS, Preparation, of_processor
from pixquery.trainer.adopting.sources import CONFIG, Source
from pixquery.trainer.adopting.wordpieces import read_json

TOKENIZER = "tokenizer.json"
_SETTINGS = "tokenizer_config.json"
_OPEN_CLIP = "open_clip_config.json"
_PREPARED = "preprocess_cfg.json"
_HALF = "_fp16"
_IMAGES = ("visual/model.onnx", "visual.onnx")
_TEXTS = ("textual/model.onnx", "textual.onnx")
_BESIDE = frozenset(
    {
        CONFIG,
        "README.md",
        "preprocessor_config.json",
        TOKENIZER,
        _SETTINGS,
        _OPEN_CLIP,
        f"visual/{_PREPARED}",
        f"textual/{TOKENIZER}",
        f"textual/{_SETTINGS}",
    }
)
_OPENAI = Preparation(
    224,
    "bicubic",
    1 / 255,
    (0.48145466, 0.4578275, 0.40821073),
    (0.26862954, 0.26130258, 0.27577711),
)
"""The preparation of OpenAI's CLIP, which open_clip's models have unless their files differ."""
_CONTEXTS = {"clip": 77, "siglip": 64}
"""The architectures of transformers whose rules are known, and the usual length of their texts."""
_ENDS_NOTHING = ""
"""What CLIP's texts are filled up with. Its makers repeat the piece that ends a text, and read the
vector at the first of them; which of several equal numbers is found first differs among runtimes
(OpenVINO 2025.2: the last). What follows the end has no effect."""
_CANONICAL = {"SiglipTokenizer"}
"""Classes of transformers' tokenizers that remove punctuation before their ``tokenizer.json``."""
_OF_LANGUAGES = {"NllbTokenizer", "NllbTokenizerFast"}
"""Those that mark texts with their language."""


@dataclass(frozen=True, slots=True)
class Wording:
    """How a text is prepared for the network."""

    most: int
    """Longer texts are truncated to so many pieces."""
    filled: bool
    """Shorter ones are filled up to as many."""
    pad: str
    """The piece to fill up with; if it is empty, the one with the number 0."""
    lower: bool = False
    """Texts become lower case first."""
    plain: bool = False
    """Texts lose their punctuation first."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two ONNX networks that were trained together, and how their makers use them."""

    what: str
    """The kind of network, in words."""
    image: Path
    text: Path
    tokenizer: Path
    preparation: Preparation
    """What the network needs, unless its graph takes bytes."""
    fit: str
    """How a photo becomes a square."""
    wording: Wording


def networks_in(names: Collection[str], known: Collection[str] = ()) -> tuple[str, str] | None:
    """The files of the image and of the text network among those of a repository.

    Half precision is preferred: its files are half as large, and profiles store no more.

    Args:
        names: Of all files.
        known: Files whose checksums are known, which come before all others.
    """
    if known and (pair := networks_in({*names} & {*known})):
        return pair
    for image, text in zip(_IMAGES, _TEXTS, strict=True):
        if image in names and text in names:
            return image, text
    for ending in (_HALF, ""):
        image, text = f"onnx/vision_model{ending}.onnx", f"onnx/text_model{ending}.onnx"
        if image in names and text in names:
            return image, text
    return None


def files_of(names: Collection[str], networks: tuple[str, str]) -> list[str]:
    """The files of a repository that a pair needs: config.json first, the networks last."""
    beside = sorted(_BESIDE.intersection(names), key=lambda name: name != CONFIG)
    return [*beside, *networks]


def pair_of(source: Source, networks: tuple[str, str]) -> Pair:
    """What the files of a pair say.

    Args:
        source: The repository.
        networks: Image and text, as `networks_in` found them.

    Raises:
        SourceUnusable: A file is missing or odd, or asks for a step that is not known.
    """
    image, text = networks
    if image.startswith("onnx/"):
        return _of_transformers(source, networks)
    folder, config = source.folder, read_json(source.folder / CONFIG)
    if image.startswith("visual/"):
        prepared, words = read_json(folder / "visual" / _PREPARED), folder / "textual"
    else:
        stored = read_json(folder / _OPEN_CLIP)
        prepared, words = stored.get("preprocess_cfg", {}), folder
        config = stored.get("model_cfg", config)
    preparation, fit = _of_open_clip(source, prepared, config)
    told = config.get("text_cfg", {})
    options = told.get("tokenizer_kwargs", {})
    canonical = options.get("clean") == "canonicalize"
    settings = read_json(words / _SETTINGS)
    return Pair(
        what="open_clip model",
        image=folder / image,
        text=folder / text,
        tokenizer=_tokenizer(source, words, settings),
        preparation=preparation,
        fit=fit,
        wording=Wording(
            most=_whole(told, "context_length", _CONTEXTS["clip"], folder / CONFIG),
            filled=True,
            pad=_pad(settings) if told.get("no_causal_mask") else _ENDS_NOTHING,
            lower=canonical,
            plain=canonical,
        ),
    )


def _of_transformers(source: Source, networks: tuple[str, str]) -> Pair:
    folder, config = source.folder, read_json(source.folder / CONFIG)
    kind = config.get("model_type")
    if kind not in _CONTEXTS:
        raise SourceUnusable(
            f"{source.named} is a {kind} model, and of ready networks only those of "
            f"{' and '.join(_CONTEXTS)} models can be used: choose one of them"
        )
    settings = read_json(folder / _SETTINGS)
    processor = read_json(folder / "preprocessor_config.json")
    cut = processor.get("crop_size") is not None and processor.get("do_center_crop", True)
    size = processor.get("size")
    siglip = kind == "siglip"
    context = _whole(
        config.get("text_config", {}), "max_position_embeddings", _CONTEXTS[kind], folder / CONFIG
    )
    longest = settings.get("model_max_length")
    return Pair(
        what=f"{kind} model",
        image=folder / networks[0],
        text=folder / networks[1],
        tokenizer=_tokenizer(source, folder, settings),
        preparation=of_processor(source),
        fit=CROP if cut or (isinstance(size, dict) and "shortest_edge" in size) else SQUASH,
        wording=Wording(
            most=min(context, int(longest)) if isinstance(longest, int | float) else context,
            filled=siglip,
            pad=_pad(settings) if siglip else _ENDS_NOTHING,
            lower=siglip,
            plain=siglip and settings.get("tokenizer_class") in _CANONICAL,
        ),
    )


def _of_open_clip(
    source: Source, prepared: Mapping[str, Any], config: Mapping[str, Any]
) -> tuple[Preparation, str]:
    """The preparation in open_clip's ``preprocess_cfg``, and how a photo becomes a square."""
    size = prepared.get("size", config.get("vision_cfg", {}).get("image_size", _OPENAI.size))
    sides = size if isinstance(size, list) else [size, size]
    mode = prepared.get("resize_mode", "shortest")
    fits = {"shortest": CROP, "squash": SQUASH}
    interpolation = prepared.get("interpolation", "bicubic")
    try:
        if mode not in fits or interpolation not in INTERPOLATIONS or len({*sides}) != 1:
            raise ValueError(f"{mode}, {interpolation}, {sides}")
        preparation = Preparation(
            int(sides[0]),
            interpolation,
            1 / 255,
            tuple(map(float, prepared.get("mean", _OPENAI.mean))),
            tuple(map(float, prepared.get("std", _OPENAI.deviation))),
        )
    except (TypeError, ValueError) as error:
        raise SourceUnusable(
            f"{source.named} prepares photos in a way that pixquery does not know ({error}): "
            "choose another model"
        ) from error
    return preparation, fits[mode]


def _tokenizer(source: Source, folder: Path, settings: Mapping[str, Any]) -> Path:
    if not (folder / TOKENIZER).is_file():
        raise SourceUnusable(
            f"{source.named} has no {TOKENIZER}, so its texts cannot be split into pieces: put it "
            f"into {folder}, or choose another model"
        )
    if settings.get("tokenizer_class") in _OF_LANGUAGES:
        raise SourceUnusable(
            f"{source.named} marks each text with its language, which pixquery does not support: "
            "choose another model, such as siglip2-b16 for many languages"
        )
    return folder / TOKENIZER


def _pad(settings: Mapping[str, Any]) -> str:
    """The piece that texts are filled up with; none if the files do not say."""
    pad = settings.get("pad_token")
    return str(pad.get("content", "") if isinstance(pad, dict) else pad or "")


def _whole(table: Mapping[str, Any], name: str, usual: int, file: Path) -> int:
    value = table.get(name, usual)
    if type(value) is not int or not 1 <= value <= 1024:
        raise SourceUnusable(
            f"{name} in {file} is {value!r}, and should be a whole number up to 1,024: download "
            "the file again, or choose another model"
        )
    return value
