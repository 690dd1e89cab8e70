"""The architectures that transformers knows: builds them and loads their weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from pixquery.db.errors import SourceUnusable
from pixquery.trainer.adopting.sources import Source
from pixquery.trainer.adopting.wordpieces import quiet, read_json


def configuration(source: Source) -> Any:
    """A model's configuration, as transformers reads it.

    Raises:
        SourceUnusable: transformers does not know the model, or its configuration is damaged.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import CONFIG_MAPPING

    file = source.folder / "config.json"
    entries = read_json(file)
    kind = entries.get("model_type")
    if kind is None:
        timm = (
            f"; of timm's models only plain ResNets, not {entries['architecture']}"
            if ("architecture" in entries)
            else ""
        )
        raise SourceUnusable(
            f"{source.named} is no model that transformers knows ({file} has no model_type"
            f"{timm}): give a model's folder, its id at the hub, or a ResNet's weights"
        )
    if kind not in CONFIG_MAPPING:
        own = ", and pixquery never runs code from a model" if "auto_map" in entries else ""
        raise SourceUnusable(
            f"{source.named} is a {kind!r} model, which the installed transformers does not know"
            f"{own}: choose another, or pip install --upgrade transformers"
        )
    if "quantization_config" in entries:
        raise SourceUnusable(
            f"{source.named} is quantized, which pixquery cannot read: choose the model "
            "that it was made from"
        )
    try:
        with quiet():
            return CONFIG_MAPPING[kind].from_dict(entries)
    except (ValueError, TypeError, KeyError, AttributeError, StrictDataclassError) as error:
        raise SourceUnusable(
            f"the configuration {file} cannot be used ({_short(error)}): download it again"
        ) from error


def bare_class(source: Source, config: Any) -> Any:
    """The class of the model without any head.

    Raises:
        SourceUnusable: There is none.
    """
    from transformers import MODEL_MAPPING

    if type(config) not in MODEL_MAPPING:
        raise SourceUnusable(
            f"{source.named} is a {config.model_type} model, which encodes nothing: choose another"
        )
    return _first(MODEL_MAPPING[type(config)])


def _first(kinds: Any) -> Any:
    """The usual class, if there are several for one configuration."""
    return kinds[0] if isinstance(kinds, tuple) else kinds


def load(
    source: Source, config: Any, state: dict[str, Tensor], *, classifier: bool = False
) -> tuple[Any, bool]:
    """Builds a model with its weights; also returns whether those of its pooling are missing.

    Raises:
        SourceUnusable: Any other weight is missing or has the wrong shape.
    """
    from transformers import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING

    kind = bare_class(source, config)
    if classifier:
        kind = _first(MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING.get(type(config), kind))
    try:
        with quiet():
            model, loading = kind.from_pretrained(
                None, config=config, state_dict=state, output_loading_info=True,
                ignore_mismatched_sizes=True, dtype=torch.float32, attn_implementation="eager",
            )  # fmt: skip
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError, ImportError) as error:
        raise SourceUnusable(
            f"{source.named} cannot be built as a {config.model_type} model ({_short(error)}): "
            "download it again, or choose another"
        ) from error
    for name, stored, wanted in sorted(loading["mismatched_keys"]):
        raise SourceUnusable(
            f"{source.weights} has weights {name} of the shape {tuple(stored)}, and config.json "
            f"asks for {tuple(wanted)}: download both again from the same source"
        )
    missing = sorted(name for name in loading["missing_keys"] if "pooler." not in name)
    if missing:
        raise SourceUnusable(
            f"{source.weights} lacks {len(missing)} weights of a {config.model_type} model, such "
            f"as {missing[0]}: download it again, or choose another model"
        )
    return model.eval(), bool(loading["missing_keys"])


def is_joint(config: Any) -> bool:
    """Whether a model encodes both photos and texts."""
    return hasattr(config, "text_config") and hasattr(config, "vision_config")


def refuse_joint(source: Source, config: Any) -> None:
    """Refuses a model that encodes both photos and texts.

    Raises:
        SourceUnusable: It does.
    """
    if is_joint(config):
        raise SourceUnusable(
            f"{source.named} is a {config.model_type} model, which encodes both photos and "
            "texts: give it with --joint"
        )


@contextmanager
def sizes_checked(source: Source, size: int) -> Iterator[None]:
    """Raises errors of a network that is given photos of a size as ``SourceUnusable``."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        raise SourceUnusable(
            f"{source.named} cannot read photos of {size} x {size} pixels, the size in its "
            f"preprocessor_config.json ({_short(error)}): download both again from the same source"
        ) from error


def _short(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__
