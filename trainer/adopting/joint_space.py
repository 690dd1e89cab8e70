"""The alignment of encoders that were trained together: their two spaces are one already."""

from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from pixquery.db.errors import SourceUnusable
from pixquery.db.records import Pixels
from pixquery.engine.alignment import Alignment, unit
from pixquery.engine.encoders import OpenVinoImageEncoder
from pixquery.trainer.adopting.borrowed import relevance_part
from pixquery.trainer.adopting.encoder_files import ENOUGH, text_encoder
from pixquery.trainer.adopting.networks import Joint
from pixquery.trainer.classes import imagenet_names, wordings

_EACH = 4
"""One in so many of ImageNet's thousand names is used: the paper's means are of 100 samples."""
_PROBES = 256


def joint_part(folder: Path, joint: Joint, pixels: Pixels) -> dict[str, Any]:
    """Writes alignment and relevance of a joint model; returns their part of the manifest.

    Photos crowd in one corner of the common space and texts in another, which makes some photos an
    answer to everything. Therefore half of each side's mean is subtracted: Zhou et al. 2023
    (arXiv:2302.11084) compare a photo x with a text y by (x - m_x / 2) . (y - m_y / 2), the first
    order of the loss that such models are trained with. Here both differences are scaled to length
    1, like everything in an index, so that their cosine counts. The mean of photos is over
    ``pixels``; with fewer than 100 of them, none is subtracted. The mean of texts is over 250 names
    of ImageNet's classes, each in both `wordings`.

    Args:
        folder: Where the encoders were written.
        joint: The networks.
        pixels: uint8[n, size, size, 3]

    Raises:
        SourceUnusable: The two sides have vectors of different length.
    """
    image, text = joint.image, joint.text
    if image.dimension != text.dimension:
        raise SourceUnusable(
            f"the model gives photos {image.dimension} numbers and texts {text.dimension}: choose "
            "one whose encoders share a space, like CLIP or SigLIP"
        )
    encoder = OpenVinoImageEncoder(
        folder / "image.onnx", size=image.preparation.size, dimension=image.dimension
    )
    names = imagenet_names()[::_EACH]
    texts = [wording for name in names for wording in reversed(wordings(name))]
    text_model = text_encoder(folder, text)
    text_vectors = unit(text_model.encode(texts))
    photos = encoder.encode(pixels)
    photo_bias = np.zeros(image.dimension, np.float32)
    if len(pixels) >= ENOUGH:
        photo_bias = -0.5 * unit(photos).mean(0)
    identity = np.eye(image.dimension, dtype=np.float32)
    tensors = {
        "image.weight": identity,
        "image.bias": np.asarray(photo_bias, np.float32),
        "text.0.weight": identity,
        "text.0.bias": np.asarray(-0.5 * text_vectors.mean(0), np.float32),
    }
    file = folder / "alignment.safetensors"
    file.write_bytes(save(tensors))
    rows = np.random.default_rng(0).permutation(len(texts))[:_PROBES]
    file.write_bytes(save({**tensors, "probes": Alignment(file).texts(text_vectors[rows])}))
    scales = {"logit_scale": joint.logit_scale}
    if joint.logit_bias is not None:
        scales["logit_bias"] = joint.logit_bias
    return {
        "alignment": file.name,
        "joint": scales,
        **relevance_part(folder, text_model, Alignment(file), photos),
    }
