"""Encoders as ONNX files.

The files take whole photos as bytes, or ids of texts, and return pooled vectors: every step of
preprocessing is inside. Weights are stored in half precision; image models also come in 8-bit
integers for processors without bfloat16, and the word table of a text model may be in 8 bits, too.
"""

import io
import logging
import sys
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from pixquery.db.errors import ProfileDamaged
from pixquery.db.records import Pixels

_MANY_WORDS = 10_000
"""A table with as many rows holds words; the others hold positions."""

_STATISTICS = "openvino_telemetry"


def image_onnx(model: nn.Module, size: int) -> onnx.ModelProto:
    """An image encoder, uint8[n, size, size, 3] ``pixels`` -> float32[n, d], as ONNX."""
    example = torch.zeros((2, size, size, 3), dtype=torch.uint8)
    count = torch.export.Dim("n", min=1, max=4096)
    return _to_onnx(model, (example,), ["pixels"], {"pixels": {0: count}})


def text_onnx(model: nn.Module, most: int = 256) -> onnx.ModelProto:
    """A text encoder, int64[n, l] ``ids`` and ``mask`` -> float32[n, e], as ONNX.

    Args:
        model: The encoder.
        most: The largest l.
    """
    ids = torch.arange(3 * min(12, most)).reshape(3, -1)
    count = torch.export.Dim("n", min=1, max=4096)
    length = torch.export.Dim("l", min=2, max=most)
    shape = {0: count, 1: length}
    return _to_onnx(
        model, (ids, torch.ones_like(ids)), ["ids", "mask"], {"ids": shape, "mask": shape}
    )


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model with its large weights stored as float16; it still computes in float32."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    casts = []
    for tensor in result.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < 1024:
            continue
        name, values = tensor.name, numpy_helper.to_array(tensor)
        if np.abs(values).max() > np.finfo(np.float16).max:
            continue
        half = numpy_helper.from_array(values.astype(np.float16), f"{name}.half")
        tensor.CopyFrom(half)
        casts.append(helper.make_node("Cast", [half.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *result.graph.node]
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    return result


def with_table_in_8_bits(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same text model with its word table as int8[v, w] and a factor for each word.

    Rows are looked up first and become float32 then, so that the runtime cannot unfold the table
    when it compiles the model.

    Raises:
        ProfileDamaged: The model looks nothing up in a table of `_MANY_WORDS` rows or more.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    tables = {
        tensor.name: tensor
        for tensor in result.graph.initializer
        if len(tensor.dims) == 2 and tensor.dims[0] >= _MANY_WORDS
    }
    nodes: list[onnx.NodeProto] = []
    for node in result.graph.node:
        table = tables.pop(node.input[0], None) if node.op_type == "Gather" else None
        if table is None:
            nodes.append(node)
            continue
        name, ids, rows = table.name, node.input[1], node.output[0]
        values = numpy_helper.to_array(table).astype(np.float32)
        factors = np.abs(values).max(1, keepdims=True) / 127
        factors[factors == 0] = 1
        table.CopyFrom(numpy_helper.from_array(np.round(values / factors).astype(np.int8), name))
        result.graph.initializer.append(numpy_helper.from_array(factors, f"{name}.factors"))
        nodes += [
            helper.make_node("Gather", [name, ids], [f"{rows}.int8"], f"{rows}.int8"),
            helper.make_node(
                "Cast", [f"{rows}.int8"], [f"{rows}.float"], f"{rows}.float", to=TensorProto.FLOAT
            ),
            helper.make_node(
                "Gather", [f"{name}.factors", ids], [f"{rows}.factors"], f"{rows}.factors"
            ),
            helper.make_node("Mul", [f"{rows}.float", f"{rows}.factors"], [rows], rows),
        ]
    if len(nodes) == len(result.graph.node):
        raise ProfileDamaged("the text model has no word table: export it again")
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    return result


def quantized(model: onnx.ModelProto, calibration: Pixels, kept: int) -> onnx.ModelProto:
    """The image model with 8-bit weights and activations where they do little harm.

    Weights use half of the 8-bit range, because processors that add pairs of products in 16 bits
    (AVX2) would overflow.

    Args:
        model: uint8[n, size, size, 3] ``pixels`` -> vectors.
        calibration: uint8[m, size, size, 3], photos that set the ranges.
        kept: How many of the first convolutions stay in float, as all depthwise ones do.
    """
    nncf = _nncf()
    from nncf.quantization.advanced_parameters import (
        AdvancedQuantizationParameters,
        OverflowFix,
    )

    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    depthwise = [
        node for node in convolutions if any(a.name == "group" and a.i > 1 for a in node.attribute)
    ]
    in_float = {node.name for node in [*convolutions[:kept], *depthwise]}
    nncf.set_log_level(logging.ERROR)
    with redirect_stdout(io.StringIO()):  # it would print a progress bar among the command's output
        result = nncf.quantize(
            model,
            nncf.Dataset(list(calibration), lambda pixels: {"pixels": pixels[None]}),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(calibration),
            advanced_parameters=AdvancedQuantizationParameters(overflow_fix=OverflowFix.ENABLE),
            ignored_scope=nncf.IgnoredScope(names=sorted(in_float)),
        )
    assert isinstance(result, onnx.ModelProto)  # noqa: S101 - for the type checker
    return result


def _nncf() -> Any:
    """The module ``nncf``, imported without its usage statistics.

    They use the network, and a process that cannot reach it does not end.
    """
    imported = sys.modules.pop(_STATISTICS, None)
    sys.modules[_STATISTICS] = None  # type: ignore[assignment] # makes its import fail
    try:
        import nncf
    finally:
        del sys.modules[_STATISTICS]
        if imported is not None:
            sys.modules[_STATISTICS] = imported
    return nncf


def _to_onnx(
    model: nn.Module, example: tuple[Tensor, ...], names: Sequence[str], shapes: dict[str, Any]
) -> onnx.ModelProto:
    for name in ("torch.onnx", "onnxscript"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch warns about its own code
        program = torch.onnx.export(
            model,
            example,
            input_names=list(names),
            output_names=["vectors"],
            dynamic_shapes=shapes,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise ProfileDamaged("PyTorch made no ONNX program: reinstall 'pixquery[train]'")
    proto: onnx.ModelProto = program.model_proto
    return proto


def of_any_size(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same convolutional network, whose ``pixels`` may have any height and width.

    OpenVINO changes a model's input by itself; ONNX Runtime, which runs on GPUs, does not.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    _, height, width, _ = result.graph.input[0].type.tensor_type.shape.dim
    height.dim_param, width.dim_param = "height", "width"
    del result.graph.value_info[:]  # sizes of what lies between input and output
    return result


def save(model: onnx.ModelProto, file: Path) -> None:
    """Writes a model without traces of where it was made."""
    for node in model.graph.node:  # PyTorch's stack traces: paths, and megabytes
        node.doc_string = ""
        del node.metadata_props[:]
    for value in model.graph.value_info:
        del value.metadata_props[:]
    onnx.save(model, file)
