"""What a ready network must take and give, and what becomes of it."""

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixquery.db.errors import SourceUnusable
from pixquery.db.records import Floats
from pixquery.engine.encoders import OpenVinoImageEncoder
from pixquery.engine.runtime import compiled, openvino
from pixquery.engine.tokenizer import Reading
from pixquery.trainer.adopting import graphs
from pixquery.trainer.adopting.preparation import Preparation
from tests.adopted import unit

onnx = pytest.importorskip("onnx", reason="onnx comes with the extra `train`")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")
SIZE, LENGTH = 8, 5
PLAIN = Preparation(SIZE, "bicubic", 1 / 255, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
WEIGHT = np.random.default_rng(0).standard_normal((3 * SIZE * SIZE, LENGTH)).astype(np.float32)


def image_file(
    file: Path,
    *,
    name: str = "pixel_values",
    shape: tuple[Any, ...] = ("n", 3, SIZE, SIZE),
    kind: int = TensorProto.FLOAT,
    outputs: tuple[str, ...] = ("image_embeds",),
    opset: int = 17,
    steps: tuple[Any, ...] = (),
) -> Path:
    """Flattens a photo and multiplies it with `WEIGHT`; ``last_hidden_state`` is something else."""
    nodes = [
        *steps,
        helper.make_node("Cast", [name], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["float"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], [outputs[-1]]),
    ]
    given = [helper.make_tensor_value_info(outputs[-1], TensorProto.FLOAT, ["n", LENGTH])]
    if len(outputs) > 1:
        nodes.append(helper.make_node("Identity", ["float"], [outputs[0]]))
        hidden = helper.make_tensor_value_info(outputs[0], TensorProto.FLOAT, list(shape))
        given.insert(0, hidden)
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info(name, kind, list(shape))], given,
        [numpy_helper.from_array(np.resize(WEIGHT, (prod(shape[1:]), LENGTH)), "weight")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 10
    onnx.save(model, file)
    return file


def text_file(file: Path, *inputs: tuple[str, int, tuple[Any, ...]], output: str) -> Path:
    """Looks up each piece in a table, and adds up what is not masked."""
    table = np.random.default_rng(1).standard_normal((10, LENGTH)).astype(np.float32)
    name = inputs[0][0]
    nodes = [helper.make_node("Gather", ["table", name], ["words"])]
    if len(inputs) > 1:
        nodes += [
            helper.make_node("Cast", [inputs[1][0]], ["mask"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["mask", "last"], ["wide"]),
            helper.make_node("Mul", ["words", "wide"], ["left"]),
        ]
    last = "left" if len(inputs) > 1 else "words"
    nodes.append(helper.make_node("ReduceSum", [last, "middle"], [output], keepdims=0))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(*each) for each in inputs],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", LENGTH])],
        [
            numpy_helper.from_array(table, "table"),
            numpy_helper.from_array(np.array([2]), "last"),
            numpy_helper.from_array(np.array([1]), "middle"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, file)
    return file


def prepared(pixels: Any) -> Floats:
    """By hand: bytes to [0, 1], less the mean, by the deviation, colours first."""
    scaled = (pixels / 255 - PLAIN.mean) / PLAIN.deviation
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2).reshape(len(pixels), -1), np.float32)


@pytest.mark.parametrize("opset", [13, 17, 23])
@pytest.mark.parametrize("rows", ["n", 1])
def test_photos_are_prepared_inside(tmp_path: Path, rows: Any, opset: int) -> None:
    file = image_file(tmp_path / "m.onnx", shape=(rows, 3, SIZE, SIZE), opset=opset)
    network = graphs.image_network(file, PLAIN)
    assert (network.rows, network.bytes_in, network.output) == (
        0 if rows == "n" else 1, False, "image_embeds",
    )  # fmt: skip
    assert graphs.write_image(network, PLAIN, tmp_path / "image.xml") == LENGTH
    pixels = np.random.default_rng(2).integers(0, 256, (7, SIZE, SIZE, 3)).astype(np.uint8)
    encoder = OpenVinoImageEncoder(tmp_path / "image.xml", size=SIZE, dimension=LENGTH, exact=True)
    true = unit(prepared(pixels) @ WEIGHT)
    assert np.abs(encoder.encode(pixels) - true).max() < 2e-3  # weights in half precision
    stored = (tmp_path / "image.bin").stat().st_size
    assert stored < WEIGHT.nbytes * 0.6


def test_a_network_that_takes_bytes_prepares_them_itself(tmp_path: Path) -> None:
    turn = helper.make_node("Transpose", ["image"], ["turned"], perm=[0, 3, 1, 2])
    file = image_file(
        tmp_path / "m.onnx", name="image", shape=("n", SIZE, SIZE, 3), kind=TensorProto.UINT8,
        outputs=("image_embedding",), steps=(turn,),
    )  # fmt: skip
    network = graphs.image_network(file, PLAIN)
    assert network.bytes_in
    graphs.write_image(network, PLAIN, tmp_path / "image.xml")
    pixels = np.random.default_rng(2).integers(0, 256, (3, SIZE, SIZE, 3)).astype(np.uint8)
    encoder = OpenVinoImageEncoder(tmp_path / "image.xml", size=SIZE, dimension=LENGTH, exact=True)
    flat = pixels.reshape(3, -1).astype(np.float32)
    assert np.abs(encoder.encode(pixels) - unit(flat @ WEIGHT)).max() < 2e-3


@pytest.mark.parametrize("outputs", [("last_hidden_state", "pooler_output")])
def test_outputs_are_chosen_by_name(tmp_path: Path, outputs: tuple[str, ...]) -> None:
    file = image_file(tmp_path / "m.onnx", outputs=outputs)
    assert graphs.image_network(file, PLAIN).output == "pooler_output"


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no vectors": ({"outputs": ("logits",)}, "gives logits"),
    "another input": ({"name": "audio"}, "takes audio"),
    "another size": ({"shape": ("n", 3, 16, 16)}, "photos of 8 x 8 pixels"),
    "grey photos": ({"shape": ("n", 1, SIZE, SIZE)}, "photos of 8 x 8 pixels"),
    "whole numbers": ({"kind": TensorProto.INT64}, "takes i64"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_image_network_is_refused(what: str, tmp_path: Path) -> None:
    options, words = WRONG[what]
    with pytest.raises(SourceUnusable, match=words):
        graphs.image_network(image_file(tmp_path / "m.onnx", **options), PLAIN)


def _weights_elsewhere(file: Path) -> None:
    model = onnx.load(image_file(file))
    onnx.save(model, file, save_as_external_data=True, location="weights", size_threshold=0)


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "empty": lambda file: file.write_bytes(b""),
    "no onnx": lambda file: file.write_bytes(b"<html>"),
    "cut off": lambda file: file.write_bytes(image_file(file).read_bytes()[:-200]),
    "weights elsewhere": _weights_elsewhere,
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damaged_files_are_refused(what: str, tmp_path: Path) -> None:
    DAMAGE[what](tmp_path / "m.onnx")
    with pytest.raises(SourceUnusable, match="cannot be used"):
        graphs.image_network(tmp_path / "m.onnx", PLAIN)


@pytest.mark.parametrize("kind", [TensorProto.INT32, TensorProto.INT64])
@pytest.mark.parametrize("context", [0, 6])
def test_a_mask_hides_pieces_unless_texts_are_filled(
    tmp_path: Path, kind: int, context: int
) -> None:
    shape = ("n", "l")
    file = text_file(
        tmp_path / "t.onnx", ("input_ids", kind, shape), ("attention_mask", kind, shape),
        output="text_embeds",
    )  # fmt: skip
    network = graphs.text_network(file, 6)
    assert network.masked
    graphs.write_text(network, Reading(6, context), tmp_path / "text.xml")
    model = openvino().Core().compile_model(tmp_path / "text.xml", "CPU")
    ids = np.array([[1, 2, 3, 0, 0, 0]])
    mask = np.array([[1, 1, 1, 0, 0, 0]])
    table = np.random.default_rng(1).standard_normal((10, LENGTH)).astype(np.float32)
    rows = table[ids[0]] if context else table[[1, 2, 3]]
    assert np.abs(model([ids, mask])[0] - unit(rows.sum(0, keepdims=True))).max() < 2e-2


def test_what_is_no_text_network_is_refused(tmp_path: Path) -> None:
    ids = ("input_ids", TensorProto.INT64, ("n", "l"))
    odd = text_file(tmp_path / "a.onnx", ids, ("token_type_ids", *ids[1:]), output="text_embeds")
    with pytest.raises(SourceUnusable, match="takes input_ids, token_type_ids"):
        graphs.text_network(odd, 6)
    short = text_file(tmp_path / "b.onnx", ("text", TensorProto.INT32, (1, 4)), output="embedding")
    assert graphs.text_network(short, 4).rows == 1
    with pytest.raises(SourceUnusable, match="texts of 6 pieces"):
        graphs.text_network(short, 6)
    real = text_file(
        tmp_path / "c.onnx", ("text", TensorProto.INT64, (1, 4)), output="logits_per_text"
    )
    with pytest.raises(SourceUnusable, match="gives logits_per_text"):
        graphs.text_network(real, 4)


def test_a_network_that_repeats_steps_is_refused(tmp_path: Path) -> None:
    """In OpenVINO's own format, which holds loops as well; in ONNX it is refused before."""
    ov = openvino()
    op = ov.opset13
    each = op.parameter([1, 3], np.float32)
    body = ov.Model([op.constant(True), op.add(each, op.constant(np.float32(1)))], [each], "body")
    rows = op.parameter([1, 3], np.float32)
    loop = op.loop(op.constant(np.int32(3)), op.constant(True))
    loop.set_function(body)
    loop.set_special_body_ports([-1, 0])
    loop.set_merged_input(each, rows.output(0), body.results[1].output(0))
    result = loop.get_iter_value(body.results[1].output(0), -1)
    ov.save_model(ov.Model([result], [rows], "loop"), str(tmp_path / "loop.xml"))
    with pytest.raises(ValueError, match="the step Loop, which may never end"):
        compiled(tmp_path / "loop.xml", "CPU", {})
