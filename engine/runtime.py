"""OpenVINO without its usage statistics, and a cache of compiled models that programs can share.

The only file that imports OpenVINO. Its model converter brings usage statistics, which start a
thread and use the network. If the converter cannot be imported, OpenVINO works without both, and
its import takes half the time.
"""

import hashlib
import os
import platform
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from io import BytesIO
from math import prod
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from pixquery.db.checksums import sha256_of
from pixquery.engine import blobs
from pixquery.engine.home import chosen_folder, user_folder
from pixquery.engine.legible import legible
from pixquery.engine.manifest import IR, weights_of
from pixquery.engine.onnx_graph import refuse_unusual
from pixquery.engine.photos import open_file

if TYPE_CHECKING:
    import openvino as ov

    CompiledModel = ov.CompiledModel  # other files know OpenVINO by this one alone
    InferRequest = ov.InferRequest

Options = Mapping[str, str | int]

EXACT: Options = MappingProxyType({"INFERENCE_PRECISION_HINT": "f32"})
"""Computes in float32 even if the processor is faster with less precision."""
WITHOUT_SNIPPETS: Options = MappingProxyType({"SNIPPETS_MODE": "DISABLE"})
"""Keeps OpenVINO from fusing steps of attention on processors.

Fused, an attention whose question is always the same, as SigLIP's pooling is, encodes only the
first photo right (2026.4; open_clip's networks, ``tests/test_graphs.py``). Not fusing them costs no
time that could be measured.
"""
_CONVERTER = "openvino.tools.ovc"
_importing = Lock()
_in_use: list[NDArray[np.uint8]] = []
"""The memory of loaded models: OpenVINO reads weights from it, and never says until when."""
_ABANDONED = 24 * 3600
"""Seconds after which nobody can still be writing an unfinished file."""
_VAST = 1 << 29
"""Numbers that a tensor may have."""
_MOST_CONSTANT = 1 << 31
"""Additions and the like that constants may take."""
_REPEATING = ("Loop", "TensorIterator")
_SUMS = ("MatMul", "Convolution", "GroupConvolution", "Einsum")


def openvino() -> Any:
    """The module ``openvino``, imported at the first call without its model converter."""
    with _importing:
        missing = _CONVERTER not in sys.modules
        if missing:
            sys.modules[_CONVERTER] = None  # type: ignore[assignment] # makes its import fail
        try:
            import openvino
        finally:
            if missing:
                del sys.modules[_CONVERTER]
    return openvino


def cause_of(error: Exception) -> str:
    """Why a file or a model cannot be used, in one line; OpenVINO's errors have several."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return str(getattr(error, "strerror", None) or (lines or ["no reason given"])[-1])


def cache_folder() -> Path:
    """The folder of compiled models: ``$PIXQUERY_CACHE``, else the user's cache folder."""
    chosen = os.environ.get("PIXQUERY_CACHE")
    return chosen_folder(chosen) if chosen else user_folder(user_cache_path, "pixquery")


def compiled(
    model: Path,
    device: str,
    options: Options,
    *,
    sha256: str = "",
    shape: Sequence[int] = (),
    cached: bool = True,
) -> "ov.CompiledModel":
    """Compiles a model, or loads it compiled from the cache.

    Models in OpenVINO's own format (IR) are compiled each time: their weights are used where they
    lie in the file, which takes no longer than to load them compiled, and a cache would need as
    much room again.

    A compiled model in the cache was made from a file of this SHA-256, whatever the file contains
    by now, and is used only if it is as it was written. If it cannot be used, the model is compiled
    anew; if the cache cannot be written, it is compiled each time.

    Args:
        model: ONNX, or IR whose weights are beside it and known to be right.
        device: By OpenVINO's name.
        options: OpenVINO's, without a cache.
        sha256: Of the file, in hexadecimal; by default what it has now.
        shape: Of the first input; by default the model's own.
        cached: Use the cache.

    Raises:
        RuntimeError: From OpenVINO: the model cannot be used.
        OSError: The file cannot be read.
        ValueError: It is not the one with this SHA-256, or contains what no encoder needs.
    """
    core, sha256 = openvino().Core(), sha256 or sha256_of(model)
    if model.suffix == IR:
        cached = False
        options = {**options, **(WITHOUT_SNIPPETS if device == "CPU" else {})}
    place = _place(core, model, device, options, sha256, shape) if cached else None
    if place is not None:
        ready = _loaded(core, place, device, options)
        if ready is not None:
            return ready
    network = _in_ir(core, model, sha256) if model.suffix == IR else _in_onnx(core, model, sha256)
    if shape:
        network.reshape(list(shape))
    _refuse_endless(network)
    made: ov.CompiledModel = core.compile_model(network, device, options)
    if place is not None:
        _keep(place, made)
    return made


def _in_onnx(core: "ov.Core", model: Path, sha256: str) -> "ov.Model":
    return core.read_model(checked(model, sha256))


def _in_ir(core: "ov.Core", model: Path, sha256: str) -> "ov.Model":
    """Reads a network in OpenVINO's own format; its weights stay in their file.

    Raises:
        OSError: A file cannot be read.
        ValueError: It is not the one with this SHA-256.
    """
    content = _content(model, sha256).decode("utf-8")
    with open_file(model.with_name(weights_of(model.name))) as opened:
        # Private: a weight that OpenVINO changes in place is not changed in the file.
        weights = np.memmap(opened, np.uint8, "c")
    network: ov.Model = core.read_model(content, openvino().Tensor(weights, shared_memory=True))
    _in_use.append(weights)
    return network


def checked(model: Path, sha256: str) -> bytes:
    """The content of a model's file, to be used instead of the file, which may change meanwhile.

    Args:
        model: An ONNX file.
        sha256: What it must have, in hexadecimal; it may be any if this is empty.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not the one with this SHA-256, or contains what no encoder needs.
    """
    content = _content(model, sha256)
    refuse_unusual(content)
    return content


def _content(model: Path, sha256: str) -> bytes:
    with open_file(model) as opened:
        content = opened.read()
    if sha256 and hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError("it is not the one the profile was made with")
    return content


def _place(
    core: "ov.Core",
    model: Path,
    device: str,
    options: Options,
    sha256: str,
    shape: Sequence[int],
) -> Path:
    """The file of the compiled model: for this file and use, this processor, and these contents."""
    settings = sorted((name, str(value)) for name, value in options.items())
    which = _short(
        str(model.absolute()), device, repr(settings), repr([*shape]), *_hardware(core, device)
    )
    return cache_folder() / f"{which}-{_short(sha256, openvino().__version__)}.blob"


def _hardware(core: "ov.Core", device: str) -> list[str]:
    """What a compiled model depends on: home folders are shared by computers that differ."""
    about = [platform.machine(), str(core.get_property(device, "FULL_DEVICE_NAME"))]
    about += sorted(map(str, core.get_property(device, "OPTIMIZATION_CAPABILITIES")))
    with suppress(OSError), Path("/proc/cpuinfo").open("rb") as opened:  # Linux only
        flags = re.search(rb"^flags\s*:(.*)$", opened.read(8192), re.MULTILINE)
        if flags:
            about += sorted(
                flag
                for flag in flags[1].decode("ascii", "replace").split()
                if flag.startswith(("sse", "ssse", "avx", "amx", "fma", "f16c"))
            )
    return about


def _short(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _loaded(
    core: "ov.Core", place: Path, device: str, options: Options
) -> "ov.CompiledModel | None":
    """The compiled model in a file; none if there is none that can be used."""
    try:
        content = blobs.read(place)
        if content is None:
            return None
        array = np.frombuffer(content, np.uint8)
        tensor = openvino().Tensor(array, shared_memory=True)
        ready: ov.CompiledModel = core.import_model(tensor, device, options)
    except (OSError, RuntimeError, MemoryError):  # another processor's, or there is no such file
        return None
    _in_use.append(array)
    return ready


def _keep(place: Path, model: "ov.CompiledModel") -> None:
    """Writes a compiled model, and removes what other versions of it and of pixquery left."""

    def content() -> bytes:
        exported = BytesIO()
        model.export_model(exported)
        return exported.getvalue()

    if place.is_dir():
        _remove(place)
    try:
        blobs.write(place, content)
    except (OSError, RuntimeError):  # no room, no permission, or a device that exports nothing
        return
    which = place.name.partition("-")[0]
    for other in place.parent.glob(f"{which}-*"):
        if other != place:
            _remove(other)
    for folder in place.parent.glob("*-*/"):  # of versions that had a folder for each model
        if re.fullmatch(r"[0-9a-f]{16}-[0-9a-f]{16}", folder.name):
            _remove(folder)
    for unfinished in place.parent.glob(f"{blobs.UNFINISHED}*"):
        with suppress(OSError):
            if time.time() - unfinished.lstat().st_mtime > _ABANDONED:
                _remove(unfinished)


def forget_compiled(digests: Iterable[str]) -> None:
    """Removes the compiled models of files with these SHA-256, whatever they were compiled for."""
    for sha256 in digests:
        for file in cache_folder().glob(f"*-{_short(sha256, openvino().__version__)}.blob"):
            _remove(file)


def _remove(file: Path) -> None:
    if file.is_dir() and not file.is_symlink():
        import shutil

        shutil.rmtree(file, ignore_errors=True)
        return
    with suppress(OSError):
        file.unlink()


def _refuse_endless(network: "ov.Model") -> None:
    """Raises if steps repeat, a tensor is larger than any encoder's, or constants take long.

    OpenVINO computes with constants when it compiles a model, and by the plainest code it has.
    """
    constant: set[str] = set()
    spent = 0
    for operation in network.get_ordered_ops():
        name, kind = operation.get_friendly_name(), operation.get_type_name()
        if kind in _REPEATING:  # of ONNX, `refuse_unusual` has looked at more
            raise ValueError(f"it contains the step {kind}, which may never end")
        if kind == "Constant":  # no larger than the file
            constant.add(name)
            continue
        sizes = [_size(output) for output in operation.outputs()]
        if max(sizes, default=0) > _VAST:
            raise ValueError(
                f"its step {legible(name)[:60]!r} gives {max(sizes):,} numbers, and {_VAST:,} are "
                "the most"
            )
        inputs = [each.get_source_output() for each in operation.inputs()]
        if inputs and all(each.get_node().get_friendly_name() in constant for each in inputs):
            constant.add(name)
            terms = 1
            if kind in _SUMS:  # each number is a sum of so many terms at most
                terms = max(max(each.get_shape(), default=1) for each in inputs)
            spent += sum(sizes) * terms
            if spent > _MOST_CONSTANT:
                raise ValueError(f"its constant {legible(name)[:60]!r} would take long to compute")


def _size(output: Any) -> int:
    """How many numbers an output has; 0 if that is not known yet."""
    shape = output.get_partial_shape()
    return prod(map(int, shape.to_shape())) if shape.is_static else 0
