"""The files that lie beside networks in public repositories, with their makers' entries."""

import json
from pathlib import Path
from typing import Any

CLIP_MEAN, CLIP_DEVIATION = (
    [0.48145466, 0.4578275, 0.40821073],
    [0.26862954, 0.26130258, 0.27577711],
)
_PREPARED = {"do_normalize": True, "do_rescale": True, "do_resize": True,
             "rescale_factor": 0.00392156862745098}  # fmt: skip


def write_json(file: Path, content: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")


def write_clip(folder: Path, config: Any) -> None:
    """Of ``Xenova/clip-vit-base-patch32``, whose mark for the end of a text is a wrong one."""
    side = config.vision_config.image_size
    shared = {"attention_dropout": 0.0, "dropout": 0.0, "hidden_act": "quick_gelu",
              "initializer_factor": 1.0, "initializer_range": 0.02,
              "layer_norm_eps": 1e-05, "projection_dim": config.projection_dim}  # fmt: skip
    text, vision = _sizes(config.text_config), _sizes(config.vision_config)
    write_json(
        folder / "config.json",
        {
            "_name_or_path": "openai/clip-vit-base-patch32",
            "architectures": ["CLIPModel"],
            "initializer_factor": 1.0,
            "logit_scale_init_value": 2.6592,
            "model_type": "clip",
            "projection_dim": config.projection_dim,
            "text_config": {
                **shared,
                **text,
                "bos_token_id": 0,
                "eos_token_id": 2,
                "max_position_embeddings": config.text_config.max_position_embeddings,
                "model_type": "clip_text_model",
                "pad_token_id": 1,
                "vocab_size": config.text_config.vocab_size,
            },
            "torch_dtype": "float32",
            "transformers_version": "4.33.0.dev0",
            "vision_config": {
                **shared,
                **vision,
                "image_size": side,
                "model_type": "clip_vision_model",
                "num_channels": 3,
                "patch_size": config.vision_config.patch_size,
            },
        },
    )
    write_json(
        folder / "preprocessor_config.json",
        {
            "crop_size": {"height": side, "width": side},
            "do_center_crop": True,
            "do_convert_rgb": True,
            **_PREPARED,
            "feature_extractor_type": "CLIPFeatureExtractor",
            "image_mean": CLIP_MEAN,
            "image_processor_type": "CLIPImageProcessor",
            "image_std": CLIP_DEVIATION,
            "resample": 3,
            "size": {"shortest_edge": side},
        },
    )
    write_clip_words(folder, config.text_config.max_position_embeddings)


def write_clip_words(folder: Path, longest: int) -> None:
    """How ``openai/clip-vit-base-patch32`` describes its tokenizer."""
    start, end = _mark("<|startoftext|>"), _mark("<|endoftext|>")
    write_json(
        folder / "tokenizer_config.json",
        {
            "add_prefix_space": False,
            "bos_token": start,
            "clean_up_tokenization_spaces": True,
            "do_lower_case": True,
            "eos_token": end,
            "errors": "replace",
            "model_max_length": longest,
            "pad_token": "<|endoftext|>",
            "tokenizer_class": "CLIPTokenizer",
            "unk_token": end,
        },
    )
    marks = {"bos_token": start, "eos_token": end, "pad_token": "<|endoftext|>", "unk_token": end}
    write_json(folder / "special_tokens_map.json", marks)


def write_siglip(folder: Path, config: Any) -> None:
    """Of ``Xenova/siglip-base-patch16-224``: photos are squashed with cubic interpolation."""
    text = _sizes(config.text_config) | {"projection_size": config.text_config.projection_size}
    _write_siglip_config(folder, config, text, "4.37.0.dev0")
    write_json(folder / "preprocessor_config.json", _squashed(config, resample=3))
    write_json(
        folder / "tokenizer_config.json",
        {
            "added_tokens_decoder": {
                "1": _added("</s>", strip=True),
                "2": _added("<unk>", strip=True),
            },
            "additional_special_tokens": [],
            "clean_up_tokenization_spaces": True,
            "do_lower_case": True,
            "eos_token": "</s>",
            "model_input_names": ["input_ids"],
            "model_max_length": 64,
            "pad_token": "</s>",
            "processor_class": "SiglipProcessor",
            "sp_model_kwargs": {},
            "tokenizer_class": "SiglipTokenizer",
            "unk_token": "<unk>",
        },
    )
    marks = {name: _mark(piece, strip=True) for name, piece in
             (("eos_token", "</s>"), ("pad_token", "</s>"), ("unk_token", "<unk>"))}  # fmt: skip
    write_json(folder / "special_tokens_map.json", marks)


def write_siglip2(folder: Path, config: Any) -> None:
    """Of ``onnx-community/siglip2-base-patch16-256-ONNX``: SigLIP's network with Gemma's pieces.

    Photos are squashed with linear interpolation. The configuration leaves out what is usual, so it
    does not say that texts have 64 pieces.
    """
    text = {"projection_size": config.text_config.projection_size}
    _write_siglip_config(folder, config, _sizes(config.text_config) | text, "4.49.0.dev0")
    write_json(
        folder / "preprocessor_config.json",
        {"do_convert_rgb": None, **_squashed(config, resample=2)},
    )
    write_gemma_words(folder)


def write_gemma_words(folder: Path) -> None:
    """How ``google/siglip2-base-patch16-256`` describes its tokenizer."""
    marks = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")
    write_json(
        folder / "tokenizer_config.json",
        {
            "add_bos_token": False,
            "add_eos_token": True,
            "added_tokens_decoder": {str(row): _added(mark) for row, mark in enumerate(marks)},
            "additional_special_tokens": ["<start_of_turn>", "<end_of_turn>"],
            "bos_token": "<bos>",
            "clean_up_tokenization_spaces": False,
            "do_lower_case": True,
            "eos_token": "<eos>",
            "extra_special_tokens": {},
            "model_input_names": ["input_ids"],
            "model_max_length": 64,
            "pad_token": "<pad>",
            "padding_side": "right",
            "processor_class": "SiglipProcessor",
            "sp_model_kwargs": {},
            "spaces_between_special_tokens": False,
            "tokenizer_class": "GemmaTokenizer",
            "unk_token": "<unk>",
            "use_default_system_prompt": False,
        },
    )
    special = {f"{mark[1:-1]}_token": _mark(mark) for mark in marks[:4]}
    write_json(folder / "special_tokens_map.json", special)


def _write_siglip_config(folder: Path, config: Any, text: dict[str, Any], version: str) -> None:
    write_json(
        folder / "config.json",
        {
            "architectures": ["SiglipModel"],
            "initializer_factor": 1.0,
            "model_type": "siglip",
            "text_config": {
                **text,
                "model_type": "siglip_text_model",
                "vocab_size": config.text_config.vocab_size,
            },
            "torch_dtype": "float32",
            "transformers_version": version,
            "vision_config": {
                **_sizes(config.vision_config),
                "image_size": config.vision_config.image_size,
                "model_type": "siglip_vision_model",
                "patch_size": config.vision_config.patch_size,
            },
        },
    )


def _sizes(config: Any) -> dict[str, int]:
    names = ("hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers")
    return {name: getattr(config, name) for name in names}


def _squashed(config: Any, *, resample: int) -> dict[str, Any]:
    side = config.vision_config.image_size
    return {
        **_PREPARED,
        "image_mean": [0.5, 0.5, 0.5],
        "image_processor_type": "SiglipImageProcessor",
        "image_std": [0.5, 0.5, 0.5],
        "processor_class": "SiglipProcessor",
        "resample": resample,
        "size": {"height": side, "width": side},
    }


def _mark(piece: str, *, strip: bool = False) -> dict[str, Any]:
    normalized = strip or piece == "<|startoftext|>"
    return {"content": piece, "lstrip": strip, "normalized": normalized, "rstrip": strip,
            "single_word": False}  # fmt: skip


def _added(piece: str, *, strip: bool = False) -> dict[str, Any]:
    return {**_mark(piece, strip=strip), "special": True}
