"""Makes the encoders of a profile from weights for PyTorch; needs the extra ``train``."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pixquery.db.errors import BadData
from pixquery.db.records import Pixels
from pixquery.engine.encoders import OpenVinoImageEncoder
from pixquery.trainer.adopting.encoder_files import image_part, text_encoder, text_part
from pixquery.trainer.adopting.image_network import image_network
from pixquery.trainer.adopting.joint_networks import joint_networks
from pixquery.trainer.adopting.joint_space import joint_part
from pixquery.trainer.adopting.manifest import about
from pixquery.trainer.adopting.networks import ImageNetwork
from pixquery.trainer.adopting.sources import Photos, Source
from pixquery.trainer.adopting.text_network import text_network
from pixquery.trainer.packages import made_with


def manifest_of(
    folder: Path, name: str, sources: Sequence[Source], photos: Photos, step: Callable[[str], None]
) -> dict[str, Any]:
    """Writes the encoders of models for PyTorch; returns the manifest.

    Args:
        folder: Where the files are written.
        name: The profile's.
        sources: An image model and a text model, or one that is both.
        photos: Loads photos for the check and the calibration.
        step: Called before each step.

    Raises:
        BadData: There is no photo.
        SourceUnusable: A source is no model, or the encoder made from it computes something else.
    """
    step("reading the models")
    joint = joint_networks(sources[0]) if len(sources) == 1 else None
    if joint is not None:
        image, text = joint.image, joint.text
        whats = [f"both encoders ({image.what})"]
    else:
        image, text = image_network(sources[0]), text_network(sources[1])
        whats = [f"image encoder ({image.what})", f"text encoder ({text.what})"]
    step("writing the image encoder")
    pixels = _loaded(photos, image)
    image_manifest, image_agreement = image_part(folder, image, pixels, sources[0])
    step("writing the text encoder")
    text_manifest, text_agreement = text_part(folder, text, sources[-1])
    manifest = {
        **about(name, sources, whats),
        "image": image_manifest,
        "text": text_manifest,
        "agreement": {**image_agreement, **text_agreement},
        "made_with": made_with("torch", "transformers", "onnx", "nncf"),
    }
    if joint is not None:
        step("comparing photos with texts")
        size = image.preparation.size
        encoder = OpenVinoImageEncoder(folder / "image.onnx", size=size, dimension=image.dimension)
        manifest |= joint_part(folder, encoder.encode(pixels), text_encoder(folder, text))
        manifest["joint"] = {"logit_scale": joint.logit_scale}
        if joint.logit_bias is not None:
            manifest["joint"]["logit_bias"] = joint.logit_bias
    return manifest


def _loaded(photos: Photos, image: ImageNetwork) -> Pixels:
    pixels = photos(image.preparation.size, image.preparation.interpolation, "squash")
    if not len(pixels):
        raise BadData("there is no photo to check the image encoder with: name a folder of photos")
    return pixels
