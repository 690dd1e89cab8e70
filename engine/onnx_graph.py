"""What an ONNX file may contain: an encoder is one graph without loops, whole in its file.

OpenVINO follows whatever a model says. A loop may never end, and weights that are said to lie in
another file are read from there. Only the fields of the format that matter here are looked at
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

from collections.abc import Iterator, Mapping
from mmap import mmap
from types import MappingProxyType

_REPEATING = {b"Loop", b"Scan", b"SequenceMap"}
_MOST_MESSAGES = 1_000_000

_MODEL, _GRAPH, _NODE, _ATTRIBUTE, _TENSOR, _SPARSE, _FUNCTION = range(7)

_PARTS: Mapping[int, Mapping[int, int]] = MappingProxyType(
    {
        _MODEL: {7: _GRAPH, 25: _FUNCTION},
        _GRAPH: {1: _NODE, 5: _TENSOR, 15: _SPARSE},
        _FUNCTION: {7: _NODE},
        _NODE: {5: _ATTRIBUTE},
        _ATTRIBUTE: {5: _TENSOR, 6: _GRAPH, 10: _TENSOR, 11: _GRAPH, 22: _SPARSE, 23: _SPARSE},
        _SPARSE: {1: _TENSOR, 2: _TENSOR},
        _TENSOR: {},
    }
)
"""The fields of each kind of message that are messages, and their kinds."""
_OPERATION = 4
"""The field of a node with the name of what it computes."""
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
"""The fields of a tensor that say that its numbers lie in another file."""
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5


def refuse_unusual(model: bytes | mmap) -> None:
    """Raises if a model is no ONNX, repeats steps, or keeps weights outside its file.

    Raises:
        ValueError: In words that follow the file's name and a colon.
    """
    content, pending = memoryview(model), [(_MODEL, 0, len(model))]
    seen = graphs = 0
    while pending:
        kind, begin, end = pending.pop()
        graphs += kind == _GRAPH
        seen += 1
        if seen > _MOST_MESSAGES:
            raise ValueError(f"it has more than {_MOST_MESSAGES:,} parts")
        for field, wire, start, stop in _fields(content, begin, end):
            if kind == _TENSOR and (
                field == _EXTERNAL_DATA or (field == _DATA_LOCATION and start != stop)
            ):
                raise ValueError("its weights are in another file")
            if kind == _NODE and field == _OPERATION:
                name = bytes(content[start:stop])
                if name in _REPEATING:
                    raise ValueError(f"it contains the step {name.decode()}, which may never end")
            if field in _PARTS[kind]:
                if wire != _LENGTH:
                    raise ValueError("it is no ONNX model")
                pending.append((_PARTS[kind][field], start, stop))
    if not graphs:
        raise ValueError("it is no ONNX model")


def _fields(content: memoryview, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Number, wire type and extent of each field of a protobuf message.

    The extent of a number is empty if the number is 0.
    """
    while at < end:
        key, at = _varint(content, at, end)
        wire = key & 7
        if wire == _VARINT:
            start = at
            number, at = _varint(content, at, end)
            yield key >> 3, wire, start, at if number else start
            continue
        if wire == _LENGTH:
            length, at = _varint(content, at, end)
        elif wire in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if wire == _EIGHT_BYTES else 4
        else:
            raise ValueError("it is no ONNX model")
        if length > end - at:
            raise ValueError("it is cut off, or no ONNX model")
        yield key >> 3, wire, at, at + length
        at += length


def _varint(content: memoryview, at: int, end: int) -> tuple[int, int]:
    """A number of up to ten bytes, and where the next field begins."""
    number = 0
    for place in range(10):
        if at + place >= end:
            break
        byte = content[at + place]
        number |= (byte & 127) << 7 * place
        if byte < 128:
            return number, at + place + 1
    raise ValueError("it is cut off, or no ONNX model")
