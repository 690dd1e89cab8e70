"""Reads weights without running anything that came with them."""

import json
import re
import struct
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from pixquery.db.errors import SourceUnusable

if TYPE_CHECKING:  # imported with the first weights: finding a model should not wait for it
    from torch import Tensor
from pixquery.trainer.adopting.sources import INDEX, SHARD

_POINTER = b"version https://git-lfs.github.com/spec/"
_DAMAGE = (UnpicklingError, RuntimeError, ValueError, LookupError, TypeError, AttributeError,
           AssertionError, ArithmeticError, EOFError, MemoryError, struct.error)  # fmt: skip
"""The errors of PyTorch's reader for files with flipped, missing or foreign bytes."""


def read_state(file: Path) -> "dict[str, Tensor]":
    """Reads the tensors of a file of weights, by name; never runs code in it.

    Of a training checkpoint, the weights inside it are read.

    Args:
        file: ``*.safetensors``, an index ``*.safetensors.index.json`` of several such files beside
            it, or, by any other name, a file that ``torch.save`` wrote.

    Raises:
        SourceUnusable: The file is damaged, or contains something else.
    """
    with readable(file):
        refuse_hollow(file)
        if file.name.endswith(INDEX):
            states = [read_state(file.parent / part) for part in parts_of(file)]
            return {name: tensor for state in states for name, tensor in state.items()}
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(file)
    state = _unwrapped(_unpickled(file))
    if not state:
        raise SourceUnusable(
            f"{file} contains no tensors by name: give the file of a state dict, as "
            "torch.save(model.state_dict(), FILE) writes it"
        )
    return state


@contextmanager
def readable(file: Path) -> Iterator[None]:
    """Raises what goes wrong while a file or folder is read as ``SourceUnusable``."""
    try:
        yield
    except OSError as error:
        raise SourceUnusable(
            f"{error.filename or file} cannot be read: {error.strerror or error}; check that it "
            "is the right file"
        ) from error
    except SafetensorError as error:
        raise SourceUnusable(
            f"{file} is damaged, or no safetensors file ({error}): download it again"
        ) from error


def refuse_hollow(file: Path) -> None:
    """Refuses a file that has no weights in it.

    Raises:
        SourceUnusable: It is empty, or a pointer of git-lfs.
    """
    with file.open("rb") as opened:
        head = opened.read(len(_POINTER))
    if not head:
        raise SourceUnusable(f"{file} is empty: download it again")
    if head == _POINTER:
        raise SourceUnusable(
            f"{file} is a git-lfs pointer and not the weights: run `git lfs pull` in {file.parent}"
        )


def parts_of(index: Path) -> list[str]:
    """The names of the files that an index lists; they must be beside it.

    Raises:
        SourceUnusable: The file is no index, or lists something else.
    """
    try:
        parts = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise SourceUnusable(f"{index} is no index of weights: download it again") from error
    for part in parts:
        if not isinstance(part, str) or not SHARD.fullmatch(part):
            raise SourceUnusable(
                f"{index} lists {part!r}, which is no part of the weights beside it"
            )
    return parts


def _unpickled(file: Path) -> Any:
    import torch

    try:
        with warnings.catch_warnings(action="ignore"):  # about formats, which are refused below
            return torch.load(file, map_location="cpu", weights_only=True)
    except _DAMAGE as error:
        code = re.search(r"GLOBAL (\S+)", str(error))
        trouble = (
            f"asks to run {code[1]}, and pixquery never runs code from a model: give its state "
            "dict, or better its safetensors"
            if code
            else f"is damaged, or no PyTorch weights ({type(error).__name__}): download it again"
        )
        raise SourceUnusable(f"{file} {trouble}") from error


def _unwrapped(state: Any) -> "dict[str, Tensor]":
    """The weights of a checkpoint, which may also contain the optimizer's state and more."""
    from torch import Tensor

    if not isinstance(state, Mapping):
        return {}
    inner = (state.get(name) for name in ("state_dict", "model"))
    state = next((part for part in inner if isinstance(part, Mapping)), state)
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    if all(str(name).startswith("module.") for name in tensors):  # trained on several devices
        return {str(name).removeprefix("module."): value for name, value in tensors.items()}
    return tensors
