"""Makes a profile out of other people's encoders, and checks it before anybody uses it.

Both sides are written as the runtime reads them and then run by it, beside the PyTorch modules that
they were made from, on real photos and texts: a profile whose vectors differ is refused. Encoders
that were trained together need no training here. For all others the alignment is still to be
learned.
"""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save

from pixquery.db.errors import BadData, SourceUnusable
from pixquery.db.records import Floats, Pixels
from pixquery.engine.alignment import Alignment, unit
from pixquery.engine.encoders import OpenVinoImageEncoder, OpenVinoTextEncoder
from pixquery.engine.profile import MANIFEST, SHIPPED
from pixquery.trainer import export
from pixquery.trainer.adopting.networks import (
    ImageNetwork,
    Joint,
    TextNetwork,
    image_network,
    joint_networks,
    text_network,
)
from pixquery.trainer.adopting.sources import Source, find
from pixquery.trainer.learning.datasets import imagenet_names

Photos = Callable[[int, str], Pixels]
"""Side of a square in pixels and Pillow's name of an interpolation -> real photos, squashed whole:
uint8[n, side, side, 3]; some hundreds are best."""
Progress = Callable[[str, int, int], object]
"""Told what is done, how much of it and of how much; a download's file and its bytes."""

_ENOUGH = 100
"""Photos that ranges of eight bits and a mean can be learned from."""
_CALIBRATING = 300
_CHECKED = 32
"""Photos and texts that go through both."""
_EACH = 4
"""Of ImageNet's thousand names one in so many: the paper's means are of 100 samples."""
_PROBES = 256
_LEAST = 0.999
_LEAST_INT8 = 0.99
_STEPS = 6
_TEXTS = (
    "man on bicycle",
    "a black dog running through snow",
    "two girls playing on a skateboard",
    "a red hot air balloon over fields",
    "a cup of coffee on a wooden table",
    "an old woman laughing",
    "snow on a mountain peak",
    "children building a sandcastle at the beach",
    "a cat asleep on a keyboard",
    "people waiting for a train at night",
    "a wedding couple under an umbrella",
    "street market with fruit and vegetables",
    "a boat in fog",
    "birthday cake with candles",
    "a football player kicking the ball",
    "sunset behind palm trees",
    "a rocket on its launch pad at dusk",
    "close-up of a butterfly on a flower",
    "empty road in the desert",
    "a man in a blue shirt climbing a rock",
    "a",
    "?!",
    "RED BALLOON",
    "don't look down!",
    "1234567890",
    "une tasse de café",
    "ein Hund läuft über die Wiese",
    "собака бежит по снегу",
    "空飛ぶ気球",
    "🎉",
    "a photo of a photo of a photo " * 20,
    "the quick brown fox jumps over the lazy dog, " * 40,
)
"""What people ask with, and what they might: short, long, in other tongues, nearly nothing."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose encoders: one source for each side, or one for both."""

    image: str = ""
    text: str = ""
    joint: str = ""


KNOWN = {
    "resnet18-distilbert": Wanted("microsoft/resnet-18", "distilbert/distilbert-base-uncased"),
    "clip-b32": Wanted(joint="openai/clip-vit-base-patch32"),
    "siglip-b16": Wanted(joint="google/siglip-base-patch16-224"),
}
"""Profiles whose name alone says what they are made of."""


def add(
    name: str,
    out: Path,
    wanted: Wanted,
    photos: Photos,
    progress: Progress = lambda what, done, total: None,
) -> dict[str, Any]:
    """Makes a profile; nothing of it is left unless it is whole and its vectors are right.

    Args:
        name: What the profile is called.
        out: Its folder; an earlier profile of the same name is replaced.
        wanted: Whose encoders; one of `KNOWN` where nothing is given.
        photos: Loads real photos to check and calibrate with.
        progress: Told how it goes.

    Returns:
        ``profile``, ``folder``, ``image`` and ``text`` (source, dimension and more), the lowest and
        mean cosines to the original in ``agreement``, ``aligned`` (whether it can be searched
        with), ``bytes``, ``licence``.

    Raises:
        BadData: The name or the folder cannot be used, or nothing is said of the sources.
        SourceUnusable: A source is none, or what is made of it computes something else.
        DownloadFailed: A source cannot be fetched.
    """
    wanted = _settled(name, out, wanted)
    course = _Course(progress)
    with export.moved_when_done(out) as folder:
        if wanted.joint:
            both = find(wanted.joint, progress=progress)
            course.step("reading the models")
            joint = joint_networks(both)
            sources, image, text = [both], joint.image, joint.text
        else:
            sources = [find(source, progress=progress) for source in (wanted.image, wanted.text)]
            course.step("reading the models")
            joint, image, text = None, image_network(sources[0]), text_network(sources[1])
        course.step("writing the image encoder")
        pixels = _loaded(photos, image)
        seen, seeing = _image_part(folder, image, pixels, sources[0])
        course.step("writing the text encoder")
        read, reading = _text_part(folder, text, sources[-1])
        manifest = {
            **_about(name, sources, image, text),
            "image": seen,
            "text": read,
            "agreement": {**seeing, **reading},
        }
        if joint is not None:
            course.step("comparing photos with texts")
            manifest |= _joint_part(folder, joint, pixels)
        export.write_manifest(folder, manifest)
        course.step("done")
    return _report(out, manifest)


@dataclass(slots=True)
class _Course:
    progress: Progress
    done: int = 0

    def step(self, what: str) -> None:
        self.progress(what, self.done if what != "done" else _STEPS, _STEPS)
        self.done += 1


def _settled(name: str, out: Path, wanted: Wanted) -> Wanted:
    """Whose encoders after all; refuses what could not be made, before anything is fetched."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise BadData(
            f"a profile's name has letters, digits, points and dashes; {name!r} cannot be one"
        )
    if (SHIPPED / name / MANIFEST).is_file():
        raise BadData(f"{name} comes with pixquery: choose another name")
    if (out / MANIFEST).is_file():
        try:
            held = json.loads((out / MANIFEST).read_text("utf-8")).get("name")
        except (OSError, ValueError, AttributeError):
            held = None
        if held != name:
            raise BadData(f"{out} holds another profile, {held}: choose another folder")
    if wanted == Wanted() and name in KNOWN:
        return KNOWN[name]
    if bool(wanted.joint) == bool(wanted.image or wanted.text) or bool(wanted.image) != bool(
        wanted.text
    ):
        raise BadData(
            f"it takes --image SOURCE and --text SOURCE, or --joint SOURCE alone, to make {name}; "
            f"known without either: {', '.join(KNOWN)}"
        )
    return wanted


def _loaded(photos: Photos, image: ImageNetwork) -> Pixels:
    size = image.preparation.size
    pixels = photos(size, image.preparation.interpolation)
    if not len(pixels):
        raise BadData("there is no photo to check the image encoder with: name a folder of photos")
    return pixels


# -- the two sides ----------------------------------------------------------------------------


def _image_part(
    folder: Path, image: ImageNetwork, pixels: Pixels, source: Source
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Writes the image encoder; its part of the manifest, and how well it agrees."""
    size, dimension = image.preparation.size, image.dimension
    model = export.image_onnx(image, size)
    export.save(export.halved(model), folder / "image.onnx")
    checked = pixels[:: max(1, len(pixels) // _CHECKED)][:_CHECKED]
    with torch.no_grad():
        true = np.concatenate([image(torch.from_numpy(one[None])).numpy() for one in checked])
    encoder = OpenVinoImageEncoder(
        folder / "image.onnx", size=size, dimension=dimension, exact=True
    )
    agreement = {"image": _agreed(encoder.encode(checked), true, source, "photos")}
    models, left_out = {"float": "image.onnx"}, {}
    if not image.convolutional:
        left_out["int8"] = "eight bits are for convolutional networks"
    elif len(pixels) < _ENOUGH:
        left_out["int8"] = f"its ranges need {_ENOUGH} photos, and {len(pixels)} were given"
    else:
        file = folder / "image-int8.onnx"
        some = pixels[:: max(1, len(pixels) // _CALIBRATING)][:_CALIBRATING]
        export.save(export.quantized(model, some, kept=1), file)
        coarse = OpenVinoImageEncoder(file, size=size, dimension=dimension).encode(checked)
        mean = float(_cosines(coarse, true).mean())
        if mean >= _LEAST_INT8:
            models["int8"] = file.name
            agreement["int8"] = _told(_cosines(coarse, true))
        else:
            file.unlink()
            left_out["int8"] = f"its mean cosine to full precision is {mean:.3f}, not {_LEAST_INT8}"
    part = {
        "models": models,
        **({"left_out": left_out} if left_out else {}),
        "source_sha256": _encoder_sha256(source, image),
        "size": size,
        "interpolation": image.preparation.interpolation,
        "dimension": dimension,
        "preprocessing": _image_steps(image),
        **_classes(folder, image),
    }
    return part, agreement


def _text_part(
    folder: Path, text: TextNetwork, source: Source
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Writes the text encoder; its part of the manifest, and how well it agrees."""
    most = text.pieces.most
    export.save(export.halved(export.text_onnx(text, most)), folder / "text.onnx")
    (folder / "tokenizer.json").write_text(text.pieces.tokenizer, "utf-8")
    with torch.no_grad():
        true = np.concatenate(
            [
                text(torch.tensor([ids]), torch.ones((1, len(ids)), dtype=torch.int64)).numpy()
                for ids in text.pieces.ids(_TEXTS)
            ]
        )
    found = _text_encoder(folder, text).encode(list(_TEXTS))
    part = {
        "model": "text.onnx",
        "tokenizer": "tokenizer.json",
        "source_sha256": _weights_sha256(source),
        "dimension": text.dimension,
        "max_tokens": most,
        "preprocessing": [f"word pieces, {most} at most", text.pooling],
    }
    return part, {"text": _agreed(found, true, source, "texts")}


def _text_encoder(folder: Path, text: TextNetwork) -> OpenVinoTextEncoder:
    return OpenVinoTextEncoder(
        folder / "text.onnx",
        folder / "tokenizer.json",
        dimension=text.dimension,
        max_tokens=text.pieces.most,
        exact=True,
    )


def _agreed(found: Floats, true: Floats, source: Source, what: str) -> dict[str, float]:
    cosines = _cosines(found, true)
    if not cosines.min() >= _LEAST:
        raise SourceUnusable(
            f"what was made of {source.named} gives {what} other vectors than the original: the "
            f"lowest cosine between them is {cosines.min():.4f}, and {_LEAST} is asked for; choose "
            "another model"
        )
    return _told(cosines)


def _told(cosines: Floats) -> dict[str, float]:
    return {"lowest": round(float(cosines.min()), 6), "mean": round(float(cosines.mean()), 6)}


def _cosines(found: Floats, true: Floats) -> Floats:
    """float32[n]; 0 where either is no direction."""
    return np.asarray(np.nan_to_num(np.einsum("nd,nd->n", unit(found), unit(true))), np.float32)


def _image_steps(image: ImageNetwork) -> list[str]:
    preparation = image.preparation
    mean, deviation = (
        ", ".join(f"{value:g}" for value in values)
        for values in (preparation.mean, preparation.deviation)
    )
    return [
        "EXIF orientation applied",
        "transparency on white",
        f"squashed whole to {preparation.size} x {preparation.size} pixels, "
        f"{preparation.interpolation}",
        f"RGB bytes, (x * {preparation.scale:g} - ({mean})) / ({deviation}) inside the model",
        image.pooling,
    ]


def _classes(folder: Path, image: ImageNetwork) -> dict[str, Any]:
    if image.classes is None:
        return {}
    weight = image.classes.weight.astype(np.float16)
    (folder / "classes.safetensors").write_bytes(save({"weight": weight}))
    return {"classes": {"file": "classes.safetensors", "names": list(image.classes.names)}}


# -- encoders that were trained together ------------------------------------------------------


def _joint_part(folder: Path, joint: Joint, pixels: Pixels) -> dict[str, Any]:
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
    texts = unit(_text_encoder(folder, text).encode(said))
    off_photos = np.zeros(image.dimension, np.float32)
    if len(pixels) >= _ENOUGH:
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


# -- what is told of it -----------------------------------------------------------------------


def _about(
    name: str, sources: Sequence[Source], image: ImageNetwork, text: TextNetwork
) -> dict[str, Any]:
    whats = [f"image encoder ({image.what})", f"text encoder ({text.what})"]
    if len(sources) == 1:
        whats = [f"both encoders ({image.what})"]
    licences = sorted({source.licence for source in sources})
    return {
        "name": name,
        "description": " and ".join(source.named for source in sources),
        "licence": " and ".join(licences),
        "sources": [
            {
                "what": what,
                "from": source.named,
                "revision": source.revision,
                "file": _weights_name(source),
                "sha256": source.checksums[_weights_name(source)],
                "licence": source.licence,
            }
            for what, source in zip(whats, sources, strict=True)
        ],
        "made_with": export.made_with("torch", "transformers", "onnx", "nncf"),
    }


def _report(out: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    image, text = manifest["image"], manifest["text"]
    return {
        "profile": manifest["name"],
        "folder": str(out),
        "image": {
            "from": manifest["sources"][0]["from"],
            "size": image["size"],
            "dimension": image["dimension"],
            "models": sorted(image["models"]),
            "left_out": image.get("left_out", {}),
        },
        "text": {
            "from": manifest["sources"][-1]["from"],
            "dimension": text["dimension"],
            "max_tokens": text["max_tokens"],
        },
        "agreement": manifest["agreement"],
        "aligned": "alignment" in manifest,
        "bytes": sum(file.stat().st_size for file in out.iterdir()),
        "licence": manifest["licence"],
    }


def _weights_name(source: Source) -> str:
    return source.weights.relative_to(source.folder).as_posix()


def _weights_sha256(source: Source) -> str:
    """One checksum of all files of weights: of an index and its parts, or of the one file."""
    index = _weights_name(source).endswith(".index.json")
    sums = [
        checksum
        for file, checksum in sorted(source.checksums.items())
        if file == _weights_name(source) or (index and file.endswith(".safetensors"))
    ]
    return sums[0] if len(sums) == 1 else hashlib.sha256("".join(sums).encode()).hexdigest()


def _encoder_sha256(source: Source, image: ImageNetwork) -> str:
    """Identifies the image encoder: the weights, and what becomes of a photo before them."""
    content = {
        "weights": _weights_sha256(source),
        "pooling": image.pooling,
        **asdict(image.preparation),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
