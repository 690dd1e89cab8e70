"""The two encoders of a profile: written, compared with their originals, described."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save

from pixquery.db.errors import SourceUnusable
from pixquery.db.records import Floats, Pixels
from pixquery.engine.encoders import OpenVinoImageEncoder, OpenVinoTextEncoder
from pixquery.engine.tokenizer import Reading
from pixquery.trainer import onnx_files
from pixquery.trainer.adopting.comparison import LEAST, cosines_of, some_of
from pixquery.trainer.adopting.joint_space import ENOUGH
from pixquery.trainer.adopting.manifest import encoder_sha256, weights_sha256
from pixquery.trainer.adopting.networks import ImageNetwork, TextNetwork
from pixquery.trainer.adopting.sample_texts import TEXTS
from pixquery.trainer.adopting.sources import Source

_CALIBRATING = 300
_LEAST_INT8 = 0.99


def image_part(
    folder: Path, image: ImageNetwork, pixels: Pixels, source: Source
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Writes the image encoder; returns its part of the manifest, and how well it agrees."""
    size, dimension = image.preparation.size, image.dimension
    model = onnx_files.image_onnx(image, size)
    onnx_files.save(onnx_files.halved(model), folder / "image.onnx")
    checked = some_of(pixels)
    with torch.no_grad():
        true = np.concatenate([image(torch.from_numpy(one[None])).numpy() for one in checked])
    encoder = OpenVinoImageEncoder(
        folder / "image.onnx", size=size, dimension=dimension, exact=True
    )
    agreement = {"image": _agreed(encoder.encode(checked), true, source, "photos")}
    models, left_out = {"float": "image.onnx"}, {}
    if not image.convolutional:
        left_out["int8"] = "eight bits are for convolutional networks"
    elif len(pixels) < ENOUGH:
        left_out["int8"] = f"its ranges need {ENOUGH} photos, and {len(pixels)} were given"
    else:
        file = folder / "image-int8.onnx"
        calibration = pixels[:: max(1, len(pixels) // _CALIBRATING)][:_CALIBRATING]
        onnx_files.save(onnx_files.quantized(model, calibration, kept=1), file)
        coarse = OpenVinoImageEncoder(file, size=size, dimension=dimension).encode(checked)
        mean = float(cosines_of(coarse, true).mean())
        if mean >= _LEAST_INT8:
            models["int8"] = file.name
            agreement["int8"] = _rounded(cosines_of(coarse, true))
        else:
            file.unlink()
            left_out["int8"] = f"its mean cosine to full precision is {mean:.3f}, not {_LEAST_INT8}"
    part = {
        "models": models,
        **({"left_out": left_out} if left_out else {}),
        "source_sha256": encoder_sha256(source, image.pooling, image.preparation),
        "size": size,
        "interpolation": image.preparation.interpolation,
        "dimension": dimension,
        "preprocessing": [*image.preparation.steps(), image.pooling],
        **_classes(folder, image),
    }
    return part, agreement


def text_part(
    folder: Path, text: TextNetwork, source: Source
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Writes the text encoder; returns its part of the manifest, and how well it agrees."""
    most = text.pieces.most
    onnx_files.save(onnx_files.halved(onnx_files.text_onnx(text, most)), folder / "text.onnx")
    (folder / "tokenizer.json").write_text(text.pieces.tokenizer, "utf-8")
    with torch.no_grad():
        true = np.concatenate(
            [
                text(torch.tensor([ids]), torch.ones((1, len(ids)), dtype=torch.int64)).numpy()
                for ids in text.pieces.ids(TEXTS)
            ]
        )
    vectors = text_encoder(folder, text).encode(list(TEXTS))
    part = {
        "model": "text.onnx",
        "tokenizer": "tokenizer.json",
        "source_sha256": weights_sha256(source),
        "dimension": text.dimension,
        "max_tokens": most,
        "preprocessing": [f"word pieces, {most} at most", text.pooling],
    }
    return part, {"text": _agreed(vectors, true, source, "texts")}


def text_encoder(folder: Path, text: TextNetwork) -> OpenVinoTextEncoder:
    """The text encoder in ``folder``, run at full precision."""
    return OpenVinoTextEncoder(
        folder / "text.onnx",
        folder / "tokenizer.json",
        dimension=text.dimension,
        reading=Reading(text.pieces.most),
        exact=True,
    )


def _agreed(vectors: Floats, true: Floats, source: Source, what: str) -> dict[str, float]:
    cosines = cosines_of(vectors, true)
    if not cosines.min() >= LEAST:
        raise SourceUnusable(
            f"the encoder made from {source.named} gives {what} other vectors than the original: "
            f"the lowest cosine between them is {cosines.min():.4f}, and {LEAST} is needed; "
            "choose another model"
        )
    return _rounded(cosines)


def _rounded(cosines: Floats) -> dict[str, float]:
    return {"lowest": round(float(cosines.min()), 6), "mean": round(float(cosines.mean()), 6)}


def _classes(folder: Path, image: ImageNetwork) -> dict[str, Any]:
    if image.classes is None:
        return {}
    weight = image.classes.weight.astype(np.float16)
    (folder / "classes.safetensors").write_bytes(save({"weight": weight}))
    return {"classes": {"file": "classes.safetensors", "names": list(image.classes.names)}}
