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


def bare_class(source: Source, config: Any) -> Any:
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


def load(
    source: Source, config: Any, state: dict[str, Tensor], *, classifier: bool = False
) -> tuple[Any, bool]:
    """The model with its weights, and whether those of its pooling are missing.

    Every other weight must be there and fit.
    """
    from transformers import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING

    kind = bare_class(source, config)
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


def is_joint(config: Any) -> bool:
    return hasattr(config, "text_config") and hasattr(config, "vision_config")


def refuse_joint(source: Source, config: Any) -> None:
    if is_joint(config):
        raise SourceUnusable(
            f"{source.named} is a {config.model_type} model, which has both sides: give it with "
            "--joint"
        )


def what(config: Any) -> str:
    return str(config.model_type)


@contextmanager
def sizes_checked(source: Source, size: int) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:
        raise SourceUnusable(
            f"{source.named} cannot read photos of {size} x {size} pixels, for which its "
            f"preprocessor_config.json asks ({_short(error)}): get both again from one place"
        ) from error


def _short(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__
