"""The alignment of encoders that were trained together: their two spaces are one already."""

from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from pixquery.db.errors import SourceUnusable
from pixquery.db.records import Floats
from pixquery.engine.alignment import Alignment, unit
from pixquery.engine.encoders import TextEncoder
from pixquery.trainer.adopting.borrowed import relevance_part
from pixquery.trainer.classes import imagenet_groups, wordings

ENOUGH = 100
"""How many photos a mean and the ranges of eight bits can be learned from."""
_EACH = 3
"""One in so many names of things is used: the paper's means are of 100 samples."""
_PROBES = 256


def joint_part(folder: Path, photos: Floats, text: TextEncoder) -> dict[str, Any]:
    """Writes alignment and relevance of encoders that share a space; returns the manifest's part.

    Photos crowd in one corner of the common space and texts in another, which makes some photos an
    answer to everything. Therefore half of each side's mean is subtracted: Zhou et al. 2023
    (arXiv:2302.11084) compare a photo x with a text y by (x - m_x / 2) . (y - m_y / 2), the first
    order of the loss that such models are trained with. Here both differences are scaled to length
    1, like everything in an index, so that their cosine counts. The mean of photos is over
    ``photos``; with fewer than 100 of them, none is subtracted. The mean of texts is over 282 names
    of groups of ImageNet's classes, such as "dog", each in both `wordings`.

    Args:
        folder: The profile's.
        photos: float32[n, d], what its image encoder makes of some photos.
        text: Its text encoder.

    Raises:
        SourceUnusable: The two sides have vectors of different length.
    """
    dimension = photos.shape[1]
    if dimension != text.dimension:
        raise SourceUnusable(
            f"the model gives photos {dimension} numbers and texts {text.dimension}: choose "
            "one whose encoders share a space, like CLIP or SigLIP"
        )
    names = [group.names[0] for group in imagenet_groups()[::_EACH]]
    texts = [wording for name in names for wording in reversed(wordings(name))]
    text_vectors = unit(text.encode(texts))
    photo_bias = np.zeros(dimension, np.float32)
    if len(photos) >= ENOUGH:
        photo_bias = -0.5 * unit(photos).mean(0)
    identity = np.eye(dimension, dtype=np.float32)
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
    return {
        "alignment": file.name,
        **relevance_part(folder, text, Alignment(file), photos),
    }
