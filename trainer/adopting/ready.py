"""Makes the encoders of a profile from a ready pair of ONNX networks, without PyTorch."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixquery.db.errors import SourceUnusable
from pixquery.db.records import Pixels
from pixquery.engine.encoders import OpenVinoImageEncoder, OpenVinoTextEncoder
from pixquery.engine.manifest import IR, SQUASH
from pixquery.engine.tokenizer import Reading
from pixquery.engine.vocabulary import parted
from pixquery.trainer.adopting.comparison import agreement, original_photos, original_texts
from pixquery.trainer.adopting.graphs import (
    Network,
    image_network,
    text_network,
    write_image,
    write_text,
)
from pixquery.trainer.adopting.layouts import Pair
from pixquery.trainer.adopting.manifest import pair_sha256
from pixquery.trainer.adopting.sample_texts import TEXTS
from pixquery.trainer.adopting.sources import Source
from pixquery.trainer.adopting.wording import worded

_MANY_ROWS = 32
"""How many texts are read at once, where the network takes any number."""


@dataclass(frozen=True, slots=True)
class Encoders:
    """The encoders of a profile in the making, and its manifest's entries for them."""

    image: OpenVinoImageEncoder
    text: OpenVinoTextEncoder
    entries: dict[str, Any]
    """``image``, ``text`` and ``conversion``: the lowest cosines to the original networks."""


def encoders_of(
    folder: Path, pair: Pair, source: Source, pixels: Pixels, step: Callable[[str], None]
) -> Encoders:
    """Converts both networks, and compares them with the originals.

    Args:
        folder: Where the encoders are written.
        pair: What the files of the pair say.
        source: The files.
        pixels: uint8[n, size, size, 3], some photos to compare with.
        step: Called before each step.

    Raises:
        SourceUnusable: The networks are none of an encoder's kind, do not share a space, or give
            other vectors once they are converted.
    """
    image = image_network(pair.image, pair.preparation)
    text = text_network(pair.text, pair.wording.most)
    step("converting the image encoder")
    file = folder / f"image{IR}"
    size, dimension = pair.preparation.size, write_image(image, pair.preparation, file)
    encoder = OpenVinoImageEncoder(file, size=size, dimension=dimension, exact=True)
    true = original_photos(image, pair, pixels)
    conversion = {"image": agreement(encoder.encode(pixels), true, pair.image, "photos")}
    step("converting the text encoder")
    tokenizer, pad = worded(pair)
    vocabulary = _write_tokenizer(folder, tokenizer)
    reading = _reading(pair, text, pad)
    true = original_texts(text, tokenizer, reading, TEXTS)
    if true.shape[1] != dimension:
        raise SourceUnusable(
            f"{source.named} gives photos {dimension} numbers and texts {true.shape[1]}: choose a "
            "model whose encoders share a space, like CLIP or SigLIP"
        )
    write_text(text, reading, folder / f"text{IR}")
    said = OpenVinoTextEncoder(
        folder / f"text{IR}",
        folder / "tokenizer.json",
        reading=reading,
        dimension=dimension,
        vocabulary=vocabulary,
        exact=True,
    )
    conversion["text"] = agreement(said.encode(list(TEXTS)), true, pair.text, "texts")
    entries = {
        "image": {
            "models": {"float": file.name},
            "source_sha256": pair_sha256(source, pair),
            "size": size,
            "interpolation": pair.preparation.interpolation,
            **({} if pair.fit == SQUASH else {"fit": pair.fit}),
            "dimension": dimension,
            "preprocessing": _image_steps(image, pair),
        },
        "text": {
            "model": f"text{IR}",
            "tokenizer": "tokenizer.json",
            **({"pieces": vocabulary.name} if vocabulary else {}),
            "source_sha256": source.checksums[_inside(source, pair.text)],
            "dimension": dimension,
            "max_tokens": reading.max_tokens,
            "pad": reading.pad,
            **({"context": reading.context} if reading.context else {}),
            **({"rows": reading.rows} if reading.rows != _MANY_ROWS else {}),
            "preprocessing": _text_steps(pair),
        },
        "conversion": conversion,
    }
    return Encoders(encoder, said, entries)


def _write_tokenizer(folder: Path, tokenizer: str) -> Path | None:
    """Writes a tokenizer; returns the file of its vocabulary, if that is kept apart."""
    apart = parted(tokenizer)
    (folder / "tokenizer.json").write_text(apart[0] if apart else tokenizer, "utf-8")
    if apart is None:
        return None
    file = folder / "pieces.safetensors"
    file.write_bytes(apart[1])
    return file


def _reading(pair: Pair, text: Network, pad: int) -> Reading:
    """How the network reads texts; one for a fixed number of texts has a fixed length, too."""
    wording = pair.wording
    filled = wording.filled or text.rows > 0
    return Reading(wording.most, wording.most if filled else 0, pad, text.rows or _MANY_ROWS)


def _inside(source: Source, file: Path) -> str:
    return file.relative_to(source.folder).as_posix()


def _image_steps(image: Network, pair: Pair) -> list[str]:
    steps = pair.preparation.steps(pair.fit)
    if image.bytes_in:
        steps[-1] = "RGB bytes, as the network takes them"
    return [*steps, "as the model pools, projected, length 1"]


def _text_steps(pair: Pair) -> list[str]:
    wording = pair.wording
    steps = ["without punctuation"] if wording.plain else []
    steps += ["lower case"] if wording.lower else []
    filling = f"filled up to {wording.most} pieces" if wording.filled else "pieces"
    return [*steps, f"{filling}, {wording.most} at most", "projected, length 1"]
