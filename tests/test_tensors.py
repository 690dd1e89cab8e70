"""Safetensors files: whole, of finite numbers and of shapes that agree."""

import json
import random
import struct
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save, save_file

from pixquery.db.errors import ProfileDamaged
from pixquery.engine.alignment import Alignment
from pixquery.engine.profile import DEFAULT, SHIPPED
from pixquery.engine.relevance import Regressor
from pixquery.engine.tensors import agreed_lengths, read_tensors


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(
    kind: type[np.floating], odd: float, tmp_path: Path
) -> None:
    tensor = np.linspace(-6e4, 6e4, 1000).astype(kind).reshape(20, 50)
    save_file({"a": tensor, "whole": np.arange(9)}, tmp_path / "a")
    assert set(read_tensors(tmp_path / "a").tensors) == {"a", "whole"}
    tensor[7, 7] = odd
    save_file({"a": tensor}, tmp_path / "a")
    with pytest.raises(ValueError, match=r"the tensor a .* not finite"):
        read_tensors(tmp_path / "a")


def test_another_file_is_refused(tmp_path: Path) -> None:
    content = save({"a": np.zeros(3, np.float32)})
    (tmp_path / "a").write_bytes(content)
    digest = sha256(content).hexdigest()
    assert read_tensors(tmp_path / "a", digest).sha256 == digest
    with pytest.raises(ValueError, match="not the one"):
        read_tensors(tmp_path / "a", "0" * 64)


HEADERS = {
    "a vast header": struct.pack("<Q", 2**62) + b"{}",
    "a long header": struct.pack("<Q", 10**8) + b"{" * 1000,
    "a nested header": struct.pack("<Q", 100_000) + b"[" * 100_000,
    "a vast tensor": None,
    "no header": b"",
}


@pytest.mark.parametrize("what", HEADERS)
def test_wrong_headers_are_refused(what: str, tmp_path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 4]}})
    content = HEADERS[what]
    if content is None:
        content = struct.pack("<Q", len(header)) + header.encode() + b"1234"
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ValueError, match="no safetensors file"):
        read_tensors(tmp_path / "a")


def test_lengths_agree_or_are_named() -> None:
    tensors = {"a": np.zeros((2, 3)), "b": np.zeros(3), "c": np.zeros((3, 2))}
    assert agreed_lengths(tensors, {"a": ("x", "y"), "b": ("y",), "none": ("z",)}) == {
        "x": 2, "y": 3,
    }  # fmt: skip
    with pytest.raises(ValueError, match="the tensor c has the shape"):
        agreed_lengths(tensors, {"a": ("x", "y"), "c": ("x", "y")})
    with pytest.raises(ValueError, match="the tensor b has the shape"):
        agreed_lengths(tensors, {"b": ("x", "y")})


@pytest.mark.parametrize("name", ["alignment", "relevance"])
def test_tensors_of_the_shipped_profile_with_any_other_shape_are_refused(
    name: str, tmp_path: Path
) -> None:
    tensors = dict(read_tensors(SHIPPED / DEFAULT / f"{name}.safetensors").tensors)
    file = tmp_path / "a"
    for changed, tensor in tensors.items():
        if tensor.shape in ((1,), (6,)):
            continue
        save_file({**tensors, changed: np.ascontiguousarray(tensor[:-1])}, file)
        if changed in ("names.rows", "probes", "landmarks.texts", "landmarks.photos",
                       "landmarks.things", "landmarks.names"):  # fmt: skip
            tensor = tensor.T if tensor.ndim > 1 else tensor  # fewer rows are as good
            save_file({**tensors, changed: np.ascontiguousarray(tensor[:-1])}, file)
        with pytest.raises(ProfileDamaged, match="cannot be read"):
            _ = Alignment(file) if name == "alignment" else Regressor.load(file)


def test_damage_anywhere_does_no_more_than_refuse(tmp_path: Path, colours: Path) -> None:
    sound, chance = (colours / "alignment.safetensors").read_bytes(), random.Random(0)
    for _ in range(1000):
        content = bytearray(sound)
        for _ in range(chance.randrange(1, 4)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        (tmp_path / "a").write_bytes(content)
        try:
            assert np.isfinite(Alignment(tmp_path / "a").texts(np.ones((1, 3), np.float32))).all()
        except ProfileDamaged as error:
            assert str(tmp_path / "a") in str(error)
        except ValueError as error:  # its maps are for texts of another length
            assert "matmul" in str(error)
