"""Devices other than the processor that an image model can run on.

OpenVINO runs models on Intel's GPUs and NPUs, ONNX Runtime on NVIDIA's GPUs; both read the float
model of the profile. There are many drivers and some compute wrong results, so a device is trusted
only after it has computed the processor's vectors for a few pictures.
"""

import importlib.util
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from pixquery.db.errors import DeviceUnusable
from pixquery.db.records import Floats, Pixels
from pixquery.engine.alignment import unit
from pixquery.engine.encoders import ImageEncoder, OpenVinoImageEncoder, expect
from pixquery.engine.manifest import IR
from pixquery.engine.runtime import checked, compiled, openvino

AUTO, CPU, CUDA, GPU, NPU = "auto", "cpu", "cuda", "gpu", "npu"

AGREES = 0.99
"""The least cosine between a device's and the processor's vectors of the same pictures."""
_BATCH = 16
_PROVIDER = "CUDAExecutionProvider"


def image_encoder_on(
    device: str, model: Path, *, size: int, dimension: int, sha256: str = ""
) -> ImageEncoder | None:
    """An encoder that runs on a device and agrees with the processor.

    Args:
        device: ``cpu``, ``cuda``, ``gpu``, ``npu``, or ``auto``, which is a GPU with memory of its
            own if there is one, else the processor. Graphics that share the processor's memory, and
            NPUs, are only used if named.
        model: ONNX or IR, uint8[n, size, size, 3] -> float32[n, dimension], in full precision.
        size: Side of the square input, in pixels.
        dimension: Length of a vector.
        sha256: What the model's file must have; by default it may be any.

    Returns:
        None if the processor should be used.

    Raises:
        DeviceUnusable: The named device is missing, cannot run the model, or computes other vectors
            than the processor.
    """
    if device == CPU:
        return None
    about: dict[str, Any] = {"size": size, "dimension": dimension, "sha256": sha256}
    ways: dict[str, Callable[[], ImageEncoder]] = {
        CUDA: lambda: OnnxRuntimeImageEncoder(model, **about),
        GPU: lambda: BatchImageEncoder(model, "GPU", **about),
        NPU: lambda: BatchImageEncoder(model, "NPU", **about),
    }
    available = present()
    if model.suffix == IR:
        if device == CUDA:
            raise DeviceUnusable(
                "the profile's image model is in OpenVINO's format, which runs on Intel's devices "
                "alone: use --device cpu, or another profile"
            )
        available = [name for name in available if name != CUDA]
    if device == AUTO:
        best = next(
            (name for name in (CUDA, GPU) if name in available and _is_discrete(name)), None
        )
        if best is None:
            return None
        try:
            return _trusted(best, ways[best], model)
        except DeviceUnusable:
            return None
    if device not in available:
        others = ", ".join([CPU, *available])
        needed = "; NVIDIA's GPUs need `pip install 'pixquery[cuda]'`" if device == CUDA else ""
        raise DeviceUnusable(
            f"there is no device {device} that models can run on: choose one of {others}{needed}"
        )
    return _trusted(device, ways[device], model)


def present() -> list[str]:
    """The devices of this computer other than the processor."""
    kinds = {name.partition(".")[0].lower() for name in openvino().Core().available_devices}
    devices = [name for name in (GPU, NPU) if name in kinds]
    if importlib.util.find_spec("onnxruntime") and _has_cuda_build():
        import onnxruntime

        if _PROVIDER in onnxruntime.get_available_providers():
            devices.insert(0, CUDA)
    return devices


def _has_cuda_build() -> bool:
    """Whether the installed ONNX Runtime supports NVIDIA's GPUs; does not import it."""
    try:
        metadata.version("onnxruntime-gpu")
    except metadata.PackageNotFoundError:
        return False
    return True


def _is_discrete(device: str) -> bool:
    """Whether a device has memory of its own."""
    if device == CUDA:
        return True
    return "discrete" in str(openvino().Core().get_property("GPU", "DEVICE_TYPE")).lower()


def _trusted(device: str, make: Callable[[], ImageEncoder], model: Path) -> ImageEncoder:
    try:
        encoder = make()
        agreement = agreement_of(encoder, model)
    except (RuntimeError, ValueError, OSError) as error:  # a driver's have several lines
        cause = (str(error).strip().splitlines() or ["no reason given"])[-1]
        raise DeviceUnusable(
            f"the device {device} cannot run the image model ({cause}): use --device cpu"
        ) from error
    if agreement < AGREES:
        raise DeviceUnusable(
            f"the device {device} computes other vectors than the processor (cosine "
            f"{agreement:.4f}, and {AGREES} is the least allowed): use --device cpu"
        )
    return encoder


def agreement_of(encoder: ImageEncoder, model: Path) -> float:
    """The least cosine with the processor's vectors, over pictures of random colours."""
    cells = np.random.default_rng(0).integers(0, 256, (6, 5, 5, 3)).astype(np.uint8)
    repeats = -(-encoder.size // 5)
    pictures = cells.repeat(repeats, 1).repeat(repeats, 2)[:, : encoder.size, : encoder.size]
    pixels: Pixels = np.ascontiguousarray(pictures)
    beside = OpenVinoImageEncoder(model, size=encoder.size, dimension=encoder.dimension)
    ours, theirs = unit(encoder.encode(pixels)), unit(beside.encode(pixels))
    cosines = np.einsum("nd,nd->n", ours, theirs)
    return float(np.nan_to_num(cosines, nan=-1).min())


class BatchImageEncoder:
    """Runs an image model with OpenVINO in batches of one size, as GPUs and NPUs need."""

    def __init__(
        self, model: Path, device: str, *, size: int, dimension: int, sha256: str = ""
    ) -> None:
        """Compiles the model for a device, which has OpenVINO's name.

        Raises:
            RuntimeError: From OpenVINO: the device cannot use the model.
            OSError: The file cannot be read.
            ValueError: It is not the one with this SHA-256, or is no such model.
        """
        self.size = size
        self.dimension = dimension
        self._model = compiled(model, device, {}, sha256=sha256, shape=(_BATCH, size, size, 3))
        expect(self._model, ["u8"], dimension)

    def encode(self, pixels: Pixels) -> Floats:
        """Encodes uint8[n, size, size, 3] into float32[n, dimension]."""
        vectors = np.empty((len(pixels), self.dimension), np.float32)
        batch = np.zeros((_BATCH, self.size, self.size, 3), np.uint8)
        for start in range(0, len(pixels), _BATCH):
            part = pixels[start : start + _BATCH]
            batch[: len(part)] = part
            vectors[start : start + len(part)] = self._model([batch])[0][: len(part)]
        return vectors


class OnnxRuntimeImageEncoder:
    """Runs an ONNX image model with ONNX Runtime, on NVIDIA's GPUs."""

    def __init__(
        self,
        model: Path,
        *,
        size: int,
        dimension: int,
        sha256: str = "",
        provider: str = _PROVIDER,
    ) -> None:
        """Loads the model.

        Raises:
            OSError: The file cannot be read.
            ValueError: It is not the one with this SHA-256, or contains what no encoder needs.
            DeviceUnusable: The provider does not start, and ONNX Runtime would use another one; or
                the model was exported for photos of another size.
        """
        import onnxruntime

        self.size = size
        self.dimension = dimension
        if provider == _PROVIDER:
            onnxruntime.preload_dlls()  # CUDA's libraries, from the folders of PyTorch's wheels
        content = checked(model, sha256)
        self._session: Any = onnxruntime.InferenceSession(content, providers=[provider])
        if provider not in self._session.get_providers():
            raise DeviceUnusable(
                "ONNX Runtime found a GPU but not the CUDA libraries for it: install them with "
                "`pip install 'onnxruntime-gpu[cuda,cudnn]'`, or use --device cpu"
            )
        taken = self._session.get_inputs()[0].shape[1]
        if isinstance(taken, int) and taken != size:  # OpenVINO would change it
            raise DeviceUnusable(
                f"ONNX Runtime runs the image model {model} on photos of {taken} pixels, not "
                f"{size}: use --device cpu"
            )

    def encode(self, pixels: Pixels) -> Floats:
        """Encodes uint8[n, size, size, 3] into float32[n, dimension]."""
        parts = [np.empty((0, self.dimension), np.float32)]
        for start in range(0, len(pixels), 4 * _BATCH):
            parts += self._session.run(None, {"pixels": pixels[start : start + 4 * _BATCH]})
        return np.concatenate(parts)
