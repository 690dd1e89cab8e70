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

from pixquery.db.errors import ProfileDamaged
from pixquery.db.records import Floats, Pixels, Scales
from pixquery.engine.runtime import EXACT, Options, cause_of, compiled, openvino
from pixquery.engine.tokenizer import Reading, rank_of, read_parted, read_tokenizer

if TYPE_CHECKING:
    from pixquery.engine.runtime import CompiledModel, InferRequest


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
            float32[n, dimension], raw: neither centred nor normalised. A damaged network may give
            some photos numbers that are not finite.
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

    def __init__(self, encoders: Sequence[ImageEncoder], device: str = "cpu") -> None:
        """Joins encoders, one for each size, that run the same network on a device."""
        self._encoders = tuple(encoders)
        self.device = device

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

    def encode_all(self, photos: Sequence[Scales]) -> Floats:
        """The same for photos of which none can be left out.

        Raises:
            ProfileDamaged: The network gives one of them numbers that are not finite.
        """
        vectors = self.encode(photos)
        if not np.isfinite(vectors).all():
            raise ProfileDamaged(
                "the image model gives a photo numbers that are not finite: choose another photo, "
                "and if it happens again, install the profile again"
            )
        return vectors


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware (AVX-512 BF16, AMX)."""
    return "BF16" in openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoImageEncoder:
    """Runs an image model on the CPU, one photo per call and one call per core.

    Small networks of depthwise convolutions are bound by memory: with one photo per call the
    activations stay in the core's cache, which beats larger batches (``docs/performance.md``).
    """

    def __init__(
        self,
        model: Path,
        *,
        size: int,
        dimension: int,
        threads: int = 0,
        exact: bool = False,
        sha256: str = "",
        cached: bool = True,
    ) -> None:
        """Compiles the model.

        Args:
            model: ONNX or IR, uint8[n, size, size, 3] -> float32[n, dimension].
            size: Side of the square input, in pixels; a convolutional network runs at several.
            dimension: Length of a vector.
            threads: Cores to use; 0 = all that this process may use.
            exact: Compute in float32 even if the processor is faster with less precision.
            sha256: What the file must have; by default it may be any.
            cached: Use the cache of compiled models.

        Raises:
            ProfileDamaged: The file is missing, is another one, or is no such model.
        """
        self.size = size
        self.dimension = dimension
        cores = threads or usable_cores()
        options = {"NUM_STREAMS": cores, "INFERENCE_NUM_THREADS": cores, **_options(exact=exact)}
        with damage_reported(model):
            self._model = compiled(
                model, "CPU", options, sha256=sha256, shape=(1, size, size, 3), cached=cached
            )
            expect(self._model, ["u8"], dimension)
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
    """Runs a text model on the CPU; ``tokenizers`` splits the words."""

    def __init__(
        self,
        model: Path,
        tokenizer: Path,
        *,
        reading: Reading,
        dimension: int,
        vocabulary: Path | None = None,
        exact: bool = False,
        sha256: str = "",
    ) -> None:
        """Compiles the model.

        Args:
            model: ONNX or IR, (int64[n, l] ids, int64[n, l] mask) -> float32[n, dimension].
            tokenizer: A ``tokenizer.json``.
            reading: How the model reads texts.
            dimension: Length of a vector.
            vocabulary: What was taken out of the tokenizer, if anything was.
            exact: Compute in float32 even if the processor is faster with less precision.
            sha256: What the model's file must have; by default it may be any.

        Raises:
            ProfileDamaged: A file is missing, is another one, or is no such model.
        """
        self.dimension = dimension
        self._file = model
        self._reading = reading
        self._tokenizer = (
            read_parted(tokenizer, reading, vocabulary)
            if vocabulary
            else read_tokenizer(tokenizer, reading)
        )
        options = {"PERFORMANCE_HINT": "LATENCY", **_options(exact=exact)}
        with damage_reported(model):
            self._model = compiled(model, "CPU", options, sha256=sha256)
            expect(self._model, ["i64", "i64"], dimension)
        self._one_at_a_time = Lock()

    def rank(self, word: str) -> int | None:
        """The number of a whole word; none in vocabularies that are not BERT's kind."""
        return rank_of(word, self._tokenizer)

    def pieces(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text's word pieces, as the model reads them."""
        return [
            [piece for piece, real in zip(one.ids, one.attention_mask, strict=True) if real]
            for one in self._tokenizer.encode_batch(list(texts))
        ]

    def encode(self, texts: list[str]) -> Floats:
        """Encodes texts, those of similar length together, into float32[n, dimension].

        Raises:
            ProfileDamaged: The network gives other than finite numbers, or fails.
        """
        vectors = np.empty((len(texts), self.dimension), np.float32)
        tokens = self._tokenizer.encode_batch(texts)
        order = sorted(range(len(texts)), key=lambda row: sum(tokens[row].attention_mask))
        at_once = self._reading.rows
        for start in range(0, len(order), at_once):
            rows = order[start : start + at_once]
            longest = self._reading.context or max(sum(tokens[row].attention_mask) for row in rows)
            ids = np.array([tokens[row].ids[:longest] for row in rows], np.int64)
            mask = np.array([tokens[row].attention_mask[:longest] for row in rows], np.int64)
            with self._one_at_a_time, damage_reported(self._file):
                found = self._model([ids, mask])[0]
                if found.shape != (len(rows), self.dimension) or not np.isfinite(found).all():
                    raise ValueError("it does not give every text a vector of finite numbers")
                vectors[rows] = found
        return vectors


@contextmanager
def damage_reported(model: Path) -> Iterator[None]:
    """Raises what is wrong with a model's file as one sentence.

    Raises:
        ProfileDamaged: OpenVINO cannot use the model, or it is not what it should be.
    """
    try:
        yield
    except (RuntimeError, ValueError, OSError) as error:
        raise ProfileDamaged(
            f"the model file {model} cannot be used ({cause_of(error)}): install the profile again"
        ) from error


def expect(model: "CompiledModel", inputs: Sequence[str], dimension: int) -> None:
    """Raises if a model does not take and give what an encoder does.

    Args:
        model: Compiled.
        inputs: The types of what it takes, by OpenVINO's names.
        dimension: Length of the vectors that it should give.

    Raises:
        ValueError: In words that follow the file's name.
    """
    taken = [each.get_element_type().get_type_name() for each in model.inputs]
    if taken != [*inputs]:
        raise ValueError(f"it takes {' and '.join(taken) or 'nothing'}, not {' and '.join(inputs)}")
    given = model.outputs[0].get_partial_shape() if model.outputs else None
    if given is None or given.rank.is_dynamic or len(given) != 2:
        raise ValueError("it does not give a vector for each row")
    if not given[1].is_dynamic and given[1].get_length() != dimension:
        raise ValueError(
            f"it gives {given[1].get_length():,} numbers, and the manifest says {dimension:,}"
        )
    kind = model.outputs[0].get_element_type().get_type_name()
    if kind != "f32":
        raise ValueError(f"it gives {kind}, not f32")


def _options(*, exact: bool) -> Options:
    return EXACT if exact else {}


def usable_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
