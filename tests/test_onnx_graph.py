"""What an ONNX file may contain, compared with files that the package onnx writes."""

import random
from pathlib import Path
from typing import Any

import pytest

from pixquery.engine.onnx_graph import refuse_unusual
from pixquery.engine.profile import DEFAULT, SHIPPED

onnx = pytest.importorskip("onnx", reason="onnx comes with the extra `train`")


def serialized(*nodes: Any, initializers: Any = (), version: int = 13) -> bytes:
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in "xy"]
    graph = helper.make_graph([*nodes], "graph", ends[:1], ends[1:], list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
    return bytes(model.SerializeToString())


def outside() -> Any:
    from onnx import TensorProto

    tensor = TensorProto(
        name="w", data_type=1, dims=[4, 4], data_location=TensorProto.DataLocation.EXTERNAL
    )
    tensor.external_data.add(key="location", value="../../../etc/passwd")
    return tensor


def nested(node: Any, depth: int) -> Any:
    """A node within the branches of `If` nodes."""
    from onnx import helper

    for _ in range(depth):
        graph = helper.make_graph([node], "branch", [], [])
        node = helper.make_node("If", ["x"], ["y"], then_branch=graph, else_branch=graph)
    return node


@pytest.mark.parametrize("name", ["image.onnx", "image-int8.onnx", "text.onnx"])
def test_the_shipped_models_are_usual(name: str) -> None:
    refuse_unusual((SHIPPED / DEFAULT / name).read_bytes())


def test_weights_in_another_file_are_refused() -> None:
    from onnx import helper

    multiply = helper.make_node("MatMul", ["x", "w"], ["y"])
    with pytest.raises(ValueError, match="another file"):
        refuse_unusual(serialized(multiply, initializers=[outside()]))
    constant = helper.make_node("Constant", [], ["w"], value=outside())
    with pytest.raises(ValueError, match="another file"):
        refuse_unusual(serialized(constant, multiply))
    with pytest.raises(ValueError, match="another file"):
        refuse_unusual(serialized(nested(constant, 3)))


@pytest.mark.parametrize("operation", ["Loop", "Scan"])
@pytest.mark.parametrize("depth", [0, 2])
def test_loops_are_refused(operation: str, depth: int) -> None:
    from onnx import helper

    node = nested(helper.make_node(operation, ["x"], ["y"]), depth)
    with pytest.raises(ValueError, match=operation):
        refuse_unusual(serialized(node))


@pytest.mark.parametrize("content", [b"", b"x", b"\xff" * 100, b"\x00" * 100, b"PK\x03\x04", b"{}"])
def test_what_is_no_model_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="no ONNX"):
        refuse_unusual(content)


def test_damage_anywhere_does_no_more_than_refuse(colours: Path) -> None:
    sound, chance = (colours / "text.onnx").read_bytes(), random.Random(0)
    for _ in range(2000):
        content = bytearray(sound)
        for _ in range(chance.randrange(1, 6)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        del content[chance.choice([len(content), chance.randrange(len(content))]) :]
        try:
            refuse_unusual(bytes(content))
        except ValueError as error:
            assert str(error)
