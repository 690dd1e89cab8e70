"""Reads safetensors files whose numbers are all finite and whose shapes agree."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from pixquery.engine.photos import read_file

MOST_BYTES = 2**30
"""Larger files are not read."""
_LARGEST = 1e6
"""The largest number that a map or a regressor contains; what is larger soon overflows."""

Tensors = Mapping[str, NDArray[Any]]


class TensorFile(NamedTuple):
    """A file's tensors by name, and its SHA-256 in hexadecimal."""

    tensors: Tensors
    sha256: str


def read_tensors(file: Path, sha256: str = "") -> TensorFile:
    """Reads a safetensors file.

    Args:
        file: To read.
        sha256: What it must have, in hexadecimal; it may be any if this is empty.

    Raises:
        OSError: It cannot be read.
        ValueError: It is another file, is no safetensors file, or contains a number that is not
            finite; in words that name the tensor.
    """
    content = read_file(file, MOST_BYTES)
    digest = hashlib.sha256(content).hexdigest()
    if sha256 and digest != sha256:
        raise ValueError("it is not the one the profile was made with")
    try:
        tensors = load(content)
    except (SafetensorError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is no safetensors file that can be used: {error}") from error
    for name, tensor in tensors.items():
        if not _is_finite(tensor):
            raise ValueError(f"the tensor {name} contains numbers that are not finite, or vast")
    return TensorFile(tensors, digest)


def _is_finite(tensor: NDArray[Any]) -> bool:
    if tensor.dtype == np.float16:  # NumPy computes with these one by one
        return not (tensor.view(np.uint16) & 0x7C00 == 0x7C00).any()  # all bits of the exponent
    if not np.issubdtype(tensor.dtype, np.floating):
        return True
    return bool((np.abs(tensor) <= _LARGEST).all())  # false for what is not a number


def agreed_lengths(tensors: Tensors, shapes: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """The lengths that the shapes of tensors have in common.

    Args:
        tensors: Those that are not there are left out.
        shapes: For each name, what the length of each dimension is called.

    Raises:
        ValueError: A tensor has another number of dimensions, is empty, or contradicts another.
    """
    lengths: dict[str, int] = {}
    for name, dimensions in shapes.items():
        if name not in tensors:
            continue
        shape = tensors[name].shape
        if len(shape) != len(dimensions):
            raise ValueError(f"the tensor {name} has the shape {shape}")
        for dimension, length in zip(dimensions, shape, strict=True):
            if lengths.setdefault(dimension, length) != length:
                raise ValueError(
                    f"the tensor {name} has the shape {shape}, and {lengths[dimension]} should be "
                    f"where {length} is"
                )
    return lengths
