"""A vision transformer of random weights, to measure what one with trained weights would cost here.

The arithmetic is the same, so the time is, and nothing has to be downloaded. Only the first layers
are built and timed: all layers are alike, and nearly all of the time is theirs. On an AMD EPYC, six
times the processor time of two layers was 2 to 9 % more than that of all twelve.
"""

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from pixquery.db.records import Pixels
from pixquery.engine.encoders import usable_cores
from pixquery.engine.runtime import openvino

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TIMED = 2
"""Layers that are built."""
_WIDER = 4
"""The hidden layer's size in each layer's perceptron, as a multiple of the width."""
_HEAD = 64
"""Numbers that one head of attention compares."""


@dataclass(frozen=True, slots=True)
class VisionTransformer:
    """The dimensions of a network as Dosovitskiy et al. describe it (arXiv:2010.11929)."""

    size: int
    """Side of the square that photos are squashed to, in pixels."""
    patch: int
    """Side of the squares that it is cut into, in pixels."""
    width: int
    layers: int


def seconds_per_photo(network: VisionTransformer, pixels: Pixels) -> float:
    """The time a network of these dimensions takes for a photo, with all cores at work.

    Args:
        network: Its dimensions.
        pixels: Photos to time it with, uint8[n, size, size, 3].

    Raises:
        RuntimeError: From OpenVINO: there is not enough memory, for example.
    """
    ov, cores = openvino(), usable_cores()
    options = {"NUM_STREAMS": cores, "INFERENCE_NUM_THREADS": cores}
    layers = min(_TIMED, network.layers)
    compiled = ov.Core().compile_model(_built(network, layers), "CPU", options)
    queue = ov.AsyncInferQueue(compiled, cores)
    rows = -(-len(pixels) // cores) * cores  # until the end, every core has a photo

    def run(count: int) -> float:
        begin = perf_counter()
        for row in range(count):
            place = row % len(pixels)
            queue.start_async({0: pixels[place : place + 1]})
        queue.wait_all()
        return perf_counter() - begin

    run(cores)  # the first photo of each core takes longer
    return run(rows) / rows * network.layers / layers


def _built(network: VisionTransformer, layers: int) -> Any:
    """The first layers as a model, uint8[1, size, size, 3] -> float32[1, width]."""
    ov = openvino()
    op, random = ov.opset13, np.random.default_rng(0)
    width, patch, heads = network.width, network.patch, network.width // _HEAD
    count = (network.size // patch) ** 2

    def weights(*shape: int) -> Any:
        values: NDArray[np.float32] = random.standard_normal(shape, np.float32)
        return op.constant(values * np.float32(0.02))

    def linear(rows: Any, given: int, taken: int) -> Any:
        return op.add(op.matmul(rows, weights(taken, given), False, True), weights(taken))

    def normal(rows: Any) -> Any:
        centred = op.mvn(rows, np.array([-1]), True, 1e-6, "inside_sqrt")
        return op.add(op.multiply(centred, weights(width)), weights(width))

    def by_head(rows: Any) -> Any:
        split = op.reshape(rows, np.array([1, count, heads, _HEAD]), False)
        return op.transpose(split, np.array([0, 2, 1, 3]))

    def attention(rows: Any) -> Any:
        query, key, value = (by_head(linear(rows, width, width)) for _ in range(3))
        likeness = op.matmul(op.multiply(query, np.float32(_HEAD**-0.5)), key, False, True)
        seen = op.transpose(
            op.matmul(op.softmax(likeness, -1), value, False, False), np.array([0, 2, 1, 3])
        )
        return linear(op.reshape(seen, np.array([1, count, width]), False), width, width)

    def perceptron(rows: Any) -> Any:
        hidden = op.gelu(linear(rows, width, _WIDER * width), "tanh")
        return linear(hidden, _WIDER * width, width)

    pixels = op.parameter([1, network.size, network.size, 3], np.uint8, name="pixels")
    planes = op.transpose(op.convert(pixels, "f32"), np.array([0, 3, 1, 2]))
    scaled = op.multiply(planes, np.float32(1 / 255))
    strides = [patch, patch]
    patches = op.convolution(
        scaled, weights(width, 3, patch, patch), strides, [0, 0], [0, 0], [1, 1]
    )
    rows = op.transpose(
        op.reshape(patches, np.array([1, width, count]), False), np.array([0, 2, 1])
    )
    for _ in range(layers):
        rows = op.add(rows, attention(normal(rows)))
        rows = op.add(rows, perceptron(normal(rows)))
    return ov.Model([op.reduce_mean(rows, np.array([1]), False)], [pixels], "trial")
