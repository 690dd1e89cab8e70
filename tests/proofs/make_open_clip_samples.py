"""Makes the models of ``tests/samples/open-clip``, as Immich and rclip have them, with open_clip.

It needs open_clip and timm, which pixquery never installs, in an environment of their own::

    python -m venv /tmp/open-clip && . /tmp/open-clip/bin/activate
    pip install torch==2.13.0 transformers==5.24.0 onnx onnxscript pillow ftfy regex wcwidth
    pip install --no-deps open_clip_torch==3.3.0 timm==1.0.31
    python -m tests.proofs.make_open_clip_samples

The networks, the tokenizers and the order of the steps of a photo are open_clip's. Both packages
also import torchvision: the four steps that photos take are written here anew, as torchvision does
them to photos of Pillow, and everything else of it is left empty. The exports follow immich-app's
``machine-learning/export`` and ``ml-models``, and rclip's ``scripts/convert_model.py``.
"""

import copy
import gzip
import json
import sys
import tempfile
import types
from collections.abc import Callable
from enum import Enum
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from PIL import Image
from torch import nn

from tests import ready_files, ready_words
from tests.checkpoints import shaken
from tests.ready_photos import pictures
from tests.ready_words import SENTENCES

SAMPLES = Path(__file__).parent.parent / "samples" / "open-clip"
SIDE = 32
_TEXT = {"width": 16, "heads": 2, "layers": 2}
CLIP: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": SIDE, "layers": 2, "width": 16, "head_width": 8, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 0, **_TEXT},
}
"""As open_clip's ``ViT-B-32``."""
SIGLIP: dict[str, Any] = {
    "embed_dim": 16,
    "init_logit_bias": -10,
    "custom_text": True,
    "vision_cfg": {
        "image_size": SIDE,
        "timm_model_name": "vit_tiny_patch8_siglip_32",
        "timm_model_pretrained": False,
        "timm_pool": "map",
        "timm_proj": "none",
    },
    "text_cfg": {
        "context_length": 64,
        "vocab_size": 0,
        "hf_tokenizer_name": "timm/ViT-B-32-SigLIP2-256",
        "tokenizer_kwargs": {"clean": "canonicalize"},
        **_TEXT,
        "no_causal_mask": True,
        "proj_bias": True,
        "pool_type": "last",
        "norm_kwargs": {"eps": 1e-6},
        "act_kwargs": {"approximate": "tanh"},
    },
}
"""As open_clip's ``ViT-B-32-SigLIP2-256``."""


# -- torchvision ------------------------------------------------------------------------------


class InterpolationMode(Enum):
    NEAREST, NEAREST_EXACT, BILINEAR, BICUBIC, BOX, HAMMING, LANCZOS = range(7)


PILLOW = {InterpolationMode.BILINEAR: 2, InterpolationMode.BICUBIC: 3}


class Resize:
    """One length is for the shorter side, two are for height and width."""

    def __init__(self, size: Any, interpolation: InterpolationMode) -> None:
        self.size, self.resample = size, PILLOW[interpolation]

    def __call__(self, image: Image.Image) -> Image.Image:
        if not isinstance(self.size, int):
            height, width = self.size
            return image.resize((width, height), self.resample)
        short, long = sorted(image.size)
        rest = int(self.size * long / short)
        upright = image.width <= image.height
        return image.resize((self.size, rest) if upright else (rest, self.size), self.resample)


class CenterCrop:
    def __init__(self, size: Any) -> None:
        self.height: int
        self.width: int
        self.height, self.width = (size, size) if isinstance(size, int) else size

    def __call__(self, image: Image.Image) -> Image.Image:
        top = round((image.height - self.height) / 2)
        left = round((image.width - self.width) / 2)
        return image.crop((left, top, left + self.width, top + self.height))


def to_tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)


class ToTensor:
    """open_clip calls ``to_tensor`` in a class of its own that is derived from this one."""


class Normalize:
    def __init__(self, mean: Any, std: Any) -> None:
        self.mean, self.std = torch.tensor(mean)[:, None, None], torch.tensor(std)[:, None, None]

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        return (image - self.mean) / self.std


class Compose:
    def __init__(self, steps: list[Callable[[Any], Any]]) -> None:
        self.transforms = steps

    def __call__(self, image: Any) -> Any:
        for step in self.transforms:
            image = step(image)
        return image


WRITTEN = (InterpolationMode, Resize, CenterCrop, to_tensor, ToTensor, Normalize, Compose)


class _Torchvision(MetaPathFinder, Loader):
    """Finds every module of torchvision: with these steps, and with an empty class for the rest."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        ours = name.partition(".")[0] == "torchvision"
        return ModuleSpec(name, self, is_package=True) if ours else None

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        known = {one.__name__: one for one in WRITTEN}

        class Empty(types.ModuleType):
            def __getattr__(self, name: str) -> Any:
                if name.startswith("__"):
                    raise AttributeError(name)
                return known.get(name) or type(name, (nn.Module,), {})

        return Empty(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


# -- networks ---------------------------------------------------------------------------------


def made(name: str, config: dict[str, Any], preparation: dict[str, Any]) -> tuple[Any, Any]:
    """open_clip's network with random weights, and its own preparation of photos."""
    import open_clip  # type: ignore[import-not-found]
    from open_clip.model import set_model_preprocess_cfg  # type: ignore[import-not-found]
    from open_clip.transform import PreprocessCfg, image_transform_v2  # type: ignore[import-not-found]

    with tempfile.TemporaryDirectory() as place:
        (Path(place) / f"{name}.json").write_text(json.dumps(config), "utf-8")
        open_clip.add_model_config(place)
    torch.manual_seed(0)
    model: Any = open_clip.create_model(name)
    settings = {"size": (SIDE, SIDE), "mode": "RGB", "fill_color": 0, "interpolation": "bicubic",
                **preparation}  # fmt: skip

    set_model_preprocess_cfg(model, settings)
    return shaken(model), image_transform_v2(PreprocessCfg(**settings), is_train=False)


def spread(model: Any, photos: torch.Tensor, ids: torch.Tensor) -> None:
    """Moves the vectors around 0: those of a random network are all alike, and wrong ones too."""
    with torch.no_grad():
        seen, read = model.encode_image(photos).mean(0), model.encode_text(ids).mean(0)
        if hasattr(model, "visual") and hasattr(model.visual, "trunk"):
            model.visual.trunk.attn_pool.mlp.fc2.bias -= seen
            model.text.text_projection.bias -= read
        else:
            model.visual.ln_post.bias -= seen @ torch.linalg.pinv(model.visual.proj)
            model.ln_final.bias -= read @ torch.linalg.pinv(model.text_projection)


def tiny_siglip() -> None:
    """Makes timm know SigLIP's network in small."""
    from timm.models import register_model  # type: ignore[import-not-found]
    from timm.models.vision_transformer import VisionTransformer  # type: ignore[import-not-found]

    def vit_tiny_patch8_siglip_32(pretrained: bool = False, **more: Any) -> Any:
        for name in ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"):
            more.pop(name, None)
        usual: dict[str, Any] = {"img_size": SIDE, "patch_size": 8, "embed_dim": 16, "depth": 2,
                 "num_heads": 2, "class_token": False, "act_layer": "gelu_tanh"}  # fmt: skip
        network: Any = VisionTransformer(**{**usual, **more})
        network.default_cfg = network.pretrained_cfg = {}
        return network

    vit_tiny_patch8_siglip_32.__module__ = "timm.models.vision_transformer"
    register_model(vit_tiny_patch8_siglip_32)


# -- files ------------------------------------------------------------------------------------


class _One(nn.Module):
    """A part of a model as a network of its own."""

    def __init__(self, model: nn.Module, compute: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.model, self.compute = model, compute

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.compute(values)


def write_immich(folder: Path, model: Any, ids: int) -> None:
    """Immich's export of each repository until 2026: for one photo, or one text, at a time."""
    parts = (
        ("visual", lambda image: model.encode_image(image, normalize=True), "image",
         torch.zeros(1, 3, SIDE, SIDE)),
        ("textual", lambda text: model.encode_text(text, normalize=True), "text",
         torch.ones(1, ids, dtype=torch.int32)),
    )  # fmt: skip
    for name, compute, given, values in parts:
        (folder / name).mkdir(parents=True, exist_ok=True)
        torch.onnx.export(
            _One(model, compute), (values,), str(folder / name / "model.onnx"),
            input_names=[given], output_names=["embedding"], opset_version=17, dynamo=False,
        )  # fmt: skip
        _brief(folder / name / "model.onnx")


def write_immich_new(folder: Path, model: Any, ids: int) -> None:
    """Immich's export since: photos as bytes, the word vectors in float16."""
    settings = model.visual.preprocess_cfg
    scaled = copy.deepcopy(model)
    first = scaled.visual.trunk.patch_embed.proj
    mean, deviation = (
        torch.tensor(settings[name])[None, :, None, None] for name in ("mean", "std")
    )
    with torch.no_grad():
        first.bias -= (first.weight * mean / deviation).sum((1, 2, 3))
        first.weight /= 255 * deviation
    parts = (
        ("visual", lambda image: scaled.encode_image(image.float().permute(0, 3, 1, 2),
         normalize=True), "image", torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8)),
        ("textual", lambda text: model.encode_text(text, normalize=True), "text",
         torch.ones(2, ids, dtype=torch.int32)),
    )  # fmt: skip
    for name, compute, given, values in parts:
        file = folder / name / "model.onnx"
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.onnx.export(
            _One(scaled, compute), (values,), str(file), input_names=[given],
            output_names=[f"{given}_embedding"], opset_version=23, dynamo=True,
            external_data=False, dynamic_shapes=({0: torch.export.Dim("batch")},), verbose=False,
        )  # fmt: skip
        _plain(file)


def _brief(file: Path) -> None:
    """Shortens the names within a network, which take as much room as the weights."""
    written = onnx.load(file)
    graph = written.graph
    kept = {one.name for one in (*graph.input, *graph.output)} | {""}
    inside = [
        *(one.name for one in graph.initializer),
        *(n for one in graph.node for n in one.output),
    ]
    brief = {name: f"v{row}" for row, name in enumerate(inside) if name not in kept}
    for weight in graph.initializer:
        weight.name = brief.get(weight.name, weight.name)
    for node in graph.node:
        node.name = ""
        node.input[:] = [brief.get(name, name) for name in node.input]
        node.output[:] = [brief.get(name, name) for name in node.output]
    del graph.value_info[:]
    onnx.checker.check_model(written)
    onnx.save(written, file)


def _plain(file: Path) -> None:
    """Drops notes of the exporter, and stores word vectors in float16."""
    written = onnx.load(file)
    graph = written.graph
    del graph.metadata_props[:], written.metadata_props[:], graph.value_info[:]
    weights = {weight.name: weight for weight in graph.initializer}
    nodes = []
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
        nodes.append(node)
        if node.op_type == "Gather" and node.input[0] in weights and node.input[1] == "text":
            table, found = weights[node.input[0]], node.output[0]
            half = numpy_helper.to_array(table).astype(np.float16)
            node.input[0], node.output[0] = f"{table.name}_fp16", f"{found}_fp16"
            table.CopyFrom(numpy_helper.from_array(half, f"{table.name}_fp16"))
            nodes.append(onnx.helper.make_node("Cast", [f"{found}_fp16"], [found], to=1))
    kept = [copy.deepcopy(node) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)
    onnx.checker.check_model(written)
    onnx.save(written, file)


def write_rclip(folder: Path, model: Any, ids: int) -> None:
    """rclip's export: any number at a time, and vectors of any length."""
    parts = (("visual", model.visual, torch.zeros(1, 3, SIDE, SIDE)),
             ("textual", model.encode_text, torch.ones(1, ids, dtype=torch.int64)))  # fmt: skip
    for name, compute, values in parts:
        folder.mkdir(parents=True, exist_ok=True)
        rows = {"input": {0: "batch"}, "output": {0: "batch"}}
        torch.onnx.export(
            _One(model, compute), (values,), str(folder / f"{name}.onnx"), input_names=["input"],
            output_names=["output"], dynamic_axes=rows, opset_version=18, dynamo=False,
        )  # fmt: skip
        _brief(folder / f"{name}.onnx")


def write_pairs(file: Path, tokenizer: Any) -> None:
    """The pairs of CLIP's vocabulary, as ``bpe_simple_vocab_16e6.txt.gz`` has them."""
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))


def write_vectors(file: Path, model: Any, photos: torch.Tensor, ids: torch.Tensor) -> None:
    with torch.no_grad():
        seen = model.encode_image(photos, normalize=True).numpy()
        read = model.encode_text(ids, normalize=True).numpy()
    np.savez(file, photos=seen, texts=read)


def main() -> None:
    """Writes all of them."""
    sys.meta_path.insert(0, _Torchvision())
    from open_clip.tokenizer import HFTokenizer, SimpleTokenizer  # type: ignore[import-not-found]

    torch.backends.mha.set_fastpath_enabled(False)
    tiny_siglip()
    images = pictures()

    words = ready_words.clip(400)
    CLIP["text_cfg"]["vocab_size"] = words.get_vocab_size()
    means = {"mean": ready_files.CLIP_MEAN, "std": ready_files.CLIP_DEVIATION}
    model, prepare = made("tiny-clip", CLIP, {**means, "resize_mode": "shortest"})
    folder, pairs = SAMPLES / "clip", SAMPLES / "rclip" / "bpe_simple_vocab_16e6.txt.gz"
    write_pairs(pairs, words)
    split = SimpleTokenizer(str(pairs))
    assert split.vocab_size == words.get_vocab_size()
    photos, ids = torch.stack([prepare(image) for image in images]), split(list(SENTENCES))
    spread(model, photos, ids)
    _write_files(folder, CLIP, model, words)
    ready_files.write_clip_words(folder / "textual", 77)
    write_immich(folder, model, 77)
    write_rclip(SAMPLES / "rclip", model, 77)
    write_vectors(folder / "vectors.npz", model, photos, ids)

    words = ready_words.small_gemma(450)
    SIGLIP["text_cfg"]["vocab_size"] = words.get_vocab_size()
    means = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
    model, prepare = made("tiny-siglip", SIGLIP, {**means, "resize_mode": "squash"})
    folder = SAMPLES / "siglip"
    _write_files(folder, SIGLIP, model, words)
    ready_files.write_gemma_words(folder / "textual")
    hf = HFTokenizer(str(folder / "textual"), context_length=64, clean="canonicalize")
    photos, ids = torch.stack([prepare(image) for image in images]), hf(list(SENTENCES))
    spread(model, photos, ids)
    write_immich(folder, model, 64)
    write_immich_new(SAMPLES / "new", model, 64)
    write_vectors(folder / "vectors.npz", model, photos, ids)


def _write_files(folder: Path, config: dict[str, Any], model: Any, words: Any) -> None:
    from open_clip import get_model_preprocess_cfg

    ready_files.write_json(folder / "config.json", config)
    settings = get_model_preprocess_cfg(model)
    ready_files.write_json(folder / "visual" / "preprocess_cfg.json", settings)
    (folder / "textual").mkdir(parents=True, exist_ok=True)
    (folder / "textual" / "tokenizer.json").write_text(words.to_str(), "utf-8")


if __name__ == "__main__":
    main()
