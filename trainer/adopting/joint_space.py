"""The alignment of encoders that were trained together: their two spaces are one already."""

from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from pixquery.db.errors import SourceUnusable
from pixquery.db.records import Pixels
from pixquery.engine.alignment import Alignment, unit
from pixquery.engine.encoders import OpenVinoImageEncoder
from pixquery.trainer.adopting.encoder_files import ENOUGH, text_encoder
from pixquery.trainer.adopting.networks import Joint
from pixquery.trainer.classes import imagenet_names

_EACH = 4
"""Of ImageNet's thousand names one in so many: the paper's means are of 100 samples."""
_PROBES = 256


def joint_part(folder: Path, joint: Joint, pixels: Pixels) -> dict[str, Any]:
    """The alignment of a joint model: the two spaces are one already.

    Photos crowd in one corner of that space and texts in another, which makes some photos the
    answer to everything. Half of each side's mean is taken off: Zhou et al. 2023
    (arXiv:2302.11084) compare a photo x with a text y by (x - m_x / 2) . (y - m_y / 2), the first
    order of the loss that such models are trained with. Here both differences are brought to
    length 1 again, as everything in an index is, so that it is their cosine that counts. The mean
    of photos is that of the given ones, if they are at least 100, else none is taken off; that of
    texts is the mean over 250 names of ImageNet's classes, each alone and as "a photo of a".
    """
    image, text = joint.image, joint.text
    if image.dimension != text.dimension:
        raise SourceUnusable(
            f"the model gives photos {image.dimension} numbers and texts {text.dimension}: choose "
            "one whose two sides meet in one space, like CLIP or SigLIP"
        )
    encoder = OpenVinoImageEncoder(
        folder / "image.onnx", size=image.preparation.size, dimension=image.dimension
    )
    some_names = imagenet_names()[::_EACH]
    said = [way for name in some_names for way in (name, f"a photo of a {name}")]
    texts = unit(text_encoder(folder, text).encode(said))
    off_photos = np.zeros(image.dimension, np.float32)
    if len(pixels) >= ENOUGH:
        off_photos = -0.5 * unit(encoder.encode(pixels)).mean(0)
    same = np.eye(image.dimension, dtype=np.float32)
    tensors = {
        "image.weight": same,
        "image.bias": np.asarray(off_photos, np.float32),
        "text.0.weight": same,
        "text.0.bias": np.asarray(-0.5 * texts.mean(0), np.float32),
    }
    file = folder / "alignment.safetensors"
    file.write_bytes(save(tensors))
    some = np.random.default_rng(0).permutation(len(texts))[:_PROBES]
    file.write_bytes(save({**tensors, "probes": Alignment(file).texts(texts[some])}))
    told = {"logit_scale": joint.logit_scale}
    if joint.logit_bias is not None:
        told["logit_bias"] = joint.logit_bias
    return {"alignment": file.name, "joint": told}
