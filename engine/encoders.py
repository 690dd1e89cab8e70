"""Encoders: pixels -> vectors and texts -> vectors, run by OpenVINO.

A profile names the models; the runtime picks what suits the processor. Nothing here imports
PyTorch, so a query starts at once.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordPiece

from pixquery.db.errors import ProfileDamaged
from pixquery.db.records import Floats, Pixels, Scales
from pixquery.engine.runtime import compiled, openvino

if TYPE_CHECKING:
    from pixquery.engine.runtime import InferRequest


class ImageEncoder(Protocol):
    """Turns pixels into vectors."""

    size: int
    """Photos are squashed to ``size`` x ``size`` pixels."""
    dimension: int

    def encode(self, pixels: Pixels) -> Floats:
        """Encodes photos.

        Args:
            pixels: uint8[n, size, size, 3], upright sRGB.

        Returns:
            float32[n, dimension], raw: neither centred nor normalised.
        """
        ...


class TextEncoder(Protocol):
    """Turns texts into vectors."""

    dimension: int

    def encode(self, texts: list[str]) -> Floats:
        """Encodes texts into float32[n, dimension]."""
        ...

    def rank(self, word: str) -> int | None:
        """The place of a whole word in a vocabulary that begins with the most usual ones.

        None if the vocabulary does not contain the word, or is not in such an order.
        """
        ...


class PhotoEncoder:
    """Encodes photos at one or more sizes; a photo's vector is the mean of those of its sizes.

    What one size blurs or cuts apart, another shows: averaging predictions over scales is as old as
    convolutional networks on ImageNet (Krizhevsky et al. 2012; Simonyan and Zisserman 2015,
    arXiv:1409.1556, section 3.2). The vectors stay in the space of a single size.
    """

    def __init__(self, encoders: Sequence[ImageEncoder]) -> None:
        """Joins encoders, one for each size, that run the same network."""
        self._encoders = tuple(encoders)

    def encode(self, photos: Sequence[Scales]) -> Floats:
        """Encodes photos.

        Args:
            photos: Each with uint8[size, size, 3], upright sRGB, for every encoder in their order;
                or all with the first only.

        Returns:
            float32[n, d], raw: neither centred nor normalised.
        """
        if not photos:
            return np.empty((0, self._encoders[0].dimension), np.float32)
        scales = zip(*photos, strict=True)
        vectors = [
            encoder.encode(np.stack(pixels))
            for encoder, pixels in zip(self._encoders, scales, strict=False)
        ]
        return vectors[0] if len(vectors) == 1 else np.mean(vectors, 0, np.float32)


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware (AVX-512 BF16, AMX)."""
    return "BF16" in openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoImageEncoder:
    """Runs an ONNX image model on the CPU, one photo per call and one call per core.

    Small networks of depthwise convolutions are bound by memory: with one photo per call the
    activations stay in the core's cache, which beats larger batches (``docs/performance.md``).
    """

    def __init__(
        self, model: Path, *, size: int, dimension: int, threads: int = 0, exact: bool = False
    ) -> None:
        """Compiles the model.

        Args:
            model: ONNX, uint8[n, size, size, 3] -> float32[n, dimension].
            size: Side of the square input, in pixels; a convolutional network runs at several.
            dimension: Length of a vector.
            threads: Cores to use; 0 = all that this process may use.
            exact: Compute in float32 even if the processor is faster with less precision.
        """
        self.size = size
        self.dimension = dimension
        cores = threads or _usable_cores()
        options = {"NUM_STREAMS": cores, "INFERENCE_NUM_THREADS": cores, **_options(exact=exact)}
        with _damage_reported(model):
            network = openvino().Core().read_model(model)
            own = network.input(0).partial_shape[1]
            network.reshape([1, size, size, 3])
            variant = "" if own == size else str(size)
            self._model = compiled(model, "CPU", options, network, variant=variant)
        self._queue = openvino().AsyncInferQueue(self._model, cores)
        self._one_at_a_time = Lock()

    def encode(self, pixels: Pixels) -> Floats:
        """Encodes uint8[n, size, size, 3] into float32[n, dimension]."""
        vectors = np.empty((len(pixels), self.dimension), np.float32)

        def keep(request: "InferRequest", row: int) -> None:
            vectors[row] = request.get_output_tensor(0).data[0]

        with self._one_at_a_time:
            self._queue.set_callback(keep)
            for row in range(len(pixels)):
                self._queue.start_async({0: pixels[row : row + 1]}, row)
            self._queue.wait_all()
        return vectors


class OpenVinoTextEncoder:
    """Runs an ONNX sentence encoder on the CPU; ``tokenizers`` splits the words."""

    def __init__(
        self,
        model: Path,
        tokenizer: Path,
        *,
        dimension: int,
        max_tokens: int,
        exact: bool = False,
    ) -> None:
        """Compiles the model.

        Args:
            model: ONNX, (int64[n, l] ids, int64[n, l] mask) -> float32[n, dimension].
            tokenizer: A ``tokenizer.json``.
            dimension: Length of a vector.
            max_tokens: Longer texts are cut.
            exact: Compute in float32 even if the processor is faster with less precision.
        """
        self.dimension = dimension
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.enable_truncation(max_tokens)
        self._tokenizer.enable_padding()
        options = {"PERFORMANCE_HINT": "LATENCY", **_options(exact=exact)}
        with _damage_reported(model):
            self._model = compiled(model, "CPU", options)
        self._one_at_a_time = Lock()

    def rank(self, word: str) -> int | None:
        """The number of a whole word; none in vocabularies that are not BERT's kind."""
        ordered = isinstance(self._tokenizer.model, WordPiece)
        number = self._tokenizer.token_to_id(word) if ordered else None
        return None if number is None else int(number)

    def pieces(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text's word pieces, as the model reads them."""
        return [
            [piece for piece, real in zip(one.ids, one.attention_mask, strict=True) if real]
            for one in self._tokenizer.encode_batch(list(texts))
        ]

    def encode(self, texts: list[str]) -> Floats:
        """Encodes texts, those of similar length together, into float32[n, dimension]."""
        vectors = np.empty((len(texts), self.dimension), np.float32)
        tokens = self._tokenizer.encode_batch(texts)
        order = sorted(range(len(texts)), key=lambda row: sum(tokens[row].attention_mask))
        for start in range(0, len(order), 32):
            rows = order[start : start + 32]
            longest = max(sum(tokens[row].attention_mask) for row in rows)
            ids = np.array([tokens[row].ids[:longest] for row in rows], np.int64)
            mask = np.array([tokens[row].attention_mask[:longest] for row in rows], np.int64)
            with self._one_at_a_time:
                vectors[rows] = self._model([ids, mask])[0]
        return vectors


@contextmanager
def _damage_reported(model: Path) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # from OpenVINO, several lines long
        cause = (str(error).strip().splitlines() or ["no reason given"])[-1]
        raise ProfileDamaged(
            f"the model file {model} cannot be used ({cause}): install the profile again"
        ) from error


def _options(*, exact: bool) -> dict[str, str | int]:
    return {"INFERENCE_PRECISION_HINT": "f32"} if exact else {}


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
