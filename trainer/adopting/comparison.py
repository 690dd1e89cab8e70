"""A converted network beside the one it was made of, with a preparation of its own in NumPy."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pixquery.db.errors import SourceUnusable
from pixquery.db.records import Floats, Pixels
from pixquery.engine.alignment import unit
from pixquery.engine.runtime import EXACT, WITHOUT_SNIPPETS, openvino
from pixquery.engine.tokenizer import Reading
from pixquery.trainer.adopting.graphs import Network
from pixquery.trainer.adopting.layouts import Pair
from pixquery.trainer.adopting.wording import reader_of

LEAST = 0.999
"""The least cosine between a vector of a made network and one of the original."""
_COMPARED = 32
"""How many photos go through both."""


def some_of(pixels: Pixels) -> Pixels:
    """Photos to compare networks with, evenly chosen from more."""
    return pixels[:: max(1, len(pixels) // _COMPARED)][:_COMPARED]


def cosines_of(vectors: Floats, true: Floats) -> Floats:
    """float32[n], row by row of float32[n, d] twice; 0 where either has no direction."""
    return np.asarray(np.nan_to_num(np.einsum("nd,nd->n", unit(vectors), unit(true))), np.float32)


def original_photos(network: Network, pair: Pair, pixels: Pixels) -> Floats:
    """What the untouched network makes of photos uint8[n, size, size, 3]: unit rows."""
    prepared = pixels if network.bytes_in else _prepared(pair, pixels)
    return _run(network, [prepared[row : row + 1] for row in range(len(prepared))])


def original_texts(
    network: Network, tokenizer: str, reading: Reading, texts: Sequence[str]
) -> Floats:
    """What the untouched network makes of texts, one at a time: unit rows."""
    reader = reader_of(tokenizer, reading)
    kind = network.graph.input(network.input).get_element_type().to_dtype()
    return _run(network, [np.array([reader.encode(text).ids], kind) for text in texts])


def agreement(vectors: Floats, true: Floats, file: Path, what: str) -> float:
    """The lowest cosine between the rows of float32[n, d] twice.

    Raises:
        SourceUnusable: It is below `LEAST`, or a vector has no direction.
    """
    cosines = cosines_of(vectors, true)
    if not cosines.min() >= LEAST:
        raise SourceUnusable(
            f"converted, {file} gives {what} other vectors than before: the lowest cosine between "
            f"them is {cosines.min():.4f}, and {LEAST} is needed; choose another model"
        )
    return round(float(cosines.min()), 6)


def _prepared(pair: Pair, pixels: Pixels) -> Floats:
    """float32[n, 3, h, w], as the files of the pair say."""
    preparation = pair.preparation
    mean, deviation = (
        np.array(each, np.float32) for each in (preparation.mean, preparation.deviation)
    )
    scaled = pixels.astype(np.float32) * np.float32(preparation.scale)
    return np.ascontiguousarray(((scaled - mean) / deviation).transpose(0, 3, 1, 2))


def _one_row(port: Any) -> list[Any]:
    """The shape of an input for one photo or text at a time."""
    return [1, *list(port.get_partial_shape())[1:]]


def _run(network: Network, batches: Sequence[np.ndarray]) -> Floats:
    graph = network.graph.clone()
    graph.reshape({network.input: _one_row(graph.input(network.input))})
    model = openvino().Core().compile_model(graph, "CPU", {**EXACT, **WITHOUT_SNIPPETS})
    given = [np.array(model(network.fed(batch))[network.output], np.float32) for batch in batches]
    return unit(np.concatenate(given))
