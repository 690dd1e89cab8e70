"""Ready ONNX networks as profiles need them: bytes or pieces in, one vector of length 1 out.

OpenVINO alone reads, changes and writes them. Every step of preparation becomes a part of the
graph, and its weights are stored in half precision.
"""

import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixquery.db.errors import SourceUnusable, StorageFailed
from pixquery.engine.onnx_graph import refuse_unusual
from pixquery.engine.photos import open_file
from pixquery.engine.runtime import cause_of, openvino
from pixquery.engine.tokenizer import Reading
from pixquery.trainer.adopting.preparation import Preparation

_PHOTOS = ("pixel_values", "image", "input", "pixels")
_TEXTS = ("input_ids", "text", "input", "ids")
_MASK = "attention_mask"
_OUTPUTS = ("image_embeds", "text_embeds", "image_embedding", "text_embedding", "embedding",
            "pooler_output", "output")  # fmt: skip
"""Names of outputs that hold one vector for each photo or text, the best first: where there are
several, those before are projected into the common space."""


@dataclass(frozen=True, slots=True)
class Network:
    """A ready network, and what was found out about it."""

    graph: Any
    """OpenVINO's model, as it was read."""
    input: str
    """The name of the photos or pieces that it takes."""
    output: str
    """The name of the vectors that it gives."""
    bytes_in: bool
    """Whether it takes photos as uint8[n, h, w, 3], and prepares them itself."""
    rows: int
    """How many photos or texts it takes at once; 0 for any number."""
    masked: bool
    """Whether it also takes a mask of the pieces."""

    def fed(self, values: Any) -> dict[str, Any]:
        """What to call it with: its input, and a mask that hides nothing."""
        return {self.input: values, **({_MASK: np.ones_like(values)} if self.masked else {})}


def image_network(file: Path, preparation: Preparation) -> Network:
    """Reads an image network.

    Args:
        file: ONNX: float32[n, 3, h, w], or uint8[n, h, w, 3] -> vectors.
        preparation: Of photos; the network must take this size.

    Raises:
        SourceUnusable: It is no such network.
    """
    graph = _read(file)
    taken = _only_input(graph, file, _PHOTOS)
    kind = taken.get_element_type().get_type_name()
    in_bytes = kind == "u8"
    size = preparation.size
    wanted = [-1, size, size, 3] if in_bytes else [-1, 3, size, size]
    shape = taken.get_partial_shape()
    if kind not in ("u8", "f32", "f16") or not _allows(shape, wanted):
        raise _unusable(
            file,
            f"takes {kind}{_shown(shape)}, and its other files speak of photos of {size} x {size} "
            "pixels",
        )
    rows = _rows(shape)
    graph.reshape({_name(taken): [rows or -1, *wanted[1:]]})
    return Network(graph, _name(taken), _output(graph, file), in_bytes, rows, masked=False)


def text_network(file: Path, most: int) -> Network:
    """Reads a text network.

    Args:
        file: ONNX: int32 or int64[n, l], and perhaps a mask of the same shape -> vectors.
        most: The most pieces of a text; the network must take so many.

    Raises:
        SourceUnusable: It is no such network.
    """
    graph = _read(file)
    masks = [each for each in graph.inputs if _name(each) == _MASK]
    taken = _only_input(graph, file, _TEXTS, masks)
    for each in (taken, *masks):
        kind, shape = each.get_element_type().get_type_name(), each.get_partial_shape()
        if kind not in ("i32", "i64") or not _allows(shape, [-1, most]):
            raise _unusable(
                file,
                f"takes {kind}{_shown(shape)}, and its other files speak of texts of {most} pieces",
            )
    rows = _rows(taken.get_partial_shape())
    return Network(graph, _name(taken), _output(graph, file), False, rows, masked=bool(masks))


def write_image(network: Network, preparation: Preparation, out: Path) -> int:
    """Writes uint8[n, h, w, 3] ``pixels`` -> float32[n, d] as IR; returns d."""
    opset = openvino().opset13
    graph = network.graph.clone()
    size = preparation.size
    pixels = opset.parameter([network.rows or -1, size, size, 3], np.uint8, name="pixels")
    prepared = pixels
    if not network.bytes_in:
        # Not OpenVINO's PrePostProcessor: with weights in half precision, it loses digits.
        deviation = np.array(preparation.deviation, np.float64)
        factor, shift = preparation.scale / deviation, -np.array(preparation.mean) / deviation
        scaled = opset.multiply(
            opset.convert(pixels, np.float32), opset.constant(factor.astype(np.float32))
        )
        shifted = opset.add(scaled, opset.constant(shift.astype(np.float32)))
        prepared = opset.transpose(shifted, opset.constant(np.array([0, 3, 1, 2], np.int64)))
    return _write(graph, network, {network.input: prepared}, [pixels], out)


def write_text(network: Network, reading: Reading, out: Path) -> int:
    """Writes int64[n, l] ``ids`` and ``mask`` -> float32[n, e] as IR; returns e.

    Args:
        network: As it was read.
        reading: How it reads texts; nothing of a text that is filled up is masked.
        out: The file; its weights lie beside it.
    """
    opset = openvino().opset13
    graph = network.graph.clone()
    shape = [network.rows or -1, reading.context or -1]
    ids, mask = (opset.parameter(shape, np.int64, name=name) for name in ("ids", "mask"))
    given = {network.input: ids}
    if network.masked:
        one = opset.constant(np.int64(1))
        given[_MASK] = opset.maximum(mask, one) if reading.context else mask
    return _write(graph, network, given, [ids, mask], out)


def _write(
    graph: Any, network: Network, given: dict[str, Any], parameters: Sequence[Any], out: Path
) -> int:
    """Puts new inputs before a graph and a length of 1 after it; returns the vectors' length."""
    opset = openvino().opset13
    for old in list(graph.get_parameters()):
        new = given[_name(old.output(0))]
        if new.output(0).get_element_type() != old.get_element_type():
            new = opset.convert(new, old.get_element_type())
        for target in old.output(0).get_target_inputs():
            target.replace_source_output(new.output(0))
    vectors = graph.output(network.output).get_node().input_value(0)
    if vectors.get_element_type().get_type_name() != "f32":
        vectors = opset.convert(vectors, np.float32).output(0)
    axis = opset.constant(np.array([1], np.int64))
    unit = opset.normalize_l2(vectors, axis, 1e-12, "max")
    model = openvino().Model([unit], list(parameters), out.stem)
    length = model.outputs[0].get_partial_shape()[1]
    try:
        openvino().save_model(model, str(out), compress_to_fp16=True)
    except RuntimeError as error:
        raise StorageFailed(
            f"{out} cannot be written: make room, or choose another folder with --out DIR"
        ) from error
    return int(length.get_length())


def _read(file: Path) -> Any:
    """A network whose weights stay in the file.

    Raises:
        SourceUnusable: It is no ONNX file, or contains what no encoder needs.
    """
    try:
        with open_file(file) as opened:
            refuse_unusual(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
        return openvino().Core().read_model(str(file))
    except (OSError, ValueError, RuntimeError) as error:
        raise SourceUnusable(
            f"{file} cannot be used ({cause_of(error)}): download it again, or choose another model"
        ) from error


def _only_input(graph: Any, file: Path, names: Sequence[str], others: Sequence[Any] = ()) -> Any:
    inputs = [each for each in graph.inputs if each not in others]
    if len(inputs) != 1 or _name(inputs[0]) not in names:
        given = ", ".join(map(_name, graph.inputs)) or "nothing"
        raise _unusable(file, f"takes {given}, and one of {', '.join(names)} was expected")
    return inputs[0]


def _output(graph: Any, file: Path) -> str:
    """The name of the output that holds vectors float[n, d]."""
    by_name = {name: output for output in graph.outputs for name in output.get_names()}
    for name in _OUTPUTS:
        shape = by_name[name].get_partial_shape() if name in by_name else None
        if shape is not None and not shape.rank.is_dynamic and len(shape) == 2:
            if shape[1].is_dynamic:
                raise _unusable(file, f"does not say how long the vectors {name} are")
            return name
    given = ", ".join(by_name) or "nothing"
    raise _unusable(file, f"gives {given}, and one of {', '.join(_OUTPUTS)} was expected")


def _name(port: Any) -> str:
    names = sorted(port.get_names())
    return names[0] if names else ""


def _allows(shape: Any, wanted: Sequence[int]) -> bool:
    """Whether a shape, parts of which may be open, can be another; -1 stands for any length."""
    if shape.rank.is_dynamic:
        return True
    return len(shape) == len(wanted) and all(
        side.is_dynamic or length == -1 or side.get_length() == length
        for side, length in zip(shape, wanted, strict=True)
    )


def _rows(shape: Any) -> int:
    rank_known = not shape.rank.is_dynamic
    return int(shape[0].get_length()) if rank_known and not shape[0].is_dynamic else 0


def _shown(shape: Any) -> str:
    return str(shape).replace("?", "n")


def _unusable(file: Path, why: str) -> SourceUnusable:
    return SourceUnusable(f"the network {file} {why}: choose another model")
