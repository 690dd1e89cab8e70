"""Weights: read without running code, refused if damaged."""

import os
import pickle
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from pixquery.db.errors import SourceUnusable
from pixquery.trainer.adopting.find import find
from pixquery.trainer.adopting.weights import read_state
from tests.published import STATE, lay, pickled, refused, same, sharded, sums


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder as the hub lays it out."""
    return lay(tmp_path / "model", {"config.json": b"{}", "model.safetensors": b"abc"})


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "model.safetensors")
    assert same(read_state(tmp_path / "model.safetensors"), STATE)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "document",
    [
        STATE,
        {"state_dict": STATE, "epoch": 7},
        {"model": STATE, "optimizer": {"lr": 0.1}},
        {f"module.{name}": tensor for name, tensor in STATE.items()},
    ],
    ids=["bare", "state_dict", "model", "parallel"],
)
def test_checkpoints_are_read(tmp_path: Path, document: object, zipped: bool) -> None:
    (tmp_path / "a.pth").write_bytes(pickled(document, zipped=zipped))
    assert same(read_state(tmp_path / "a.pth"), STATE)


def test_a_layer_may_be_called_module(tmp_path: Path) -> None:
    state = {"module.weight": torch.ones(2), "head.weight": torch.zeros(2)}
    (tmp_path / "a.pth").write_bytes(pickled(state))
    assert same(read_state(tmp_path / "a.pth"), state)


def test_weights_in_several_files_are_joined(tmp_path: Path) -> None:
    lay(tmp_path, sharded())
    found = find(str(tmp_path))
    assert found.checksums == sums(sharded(), *sharded())
    assert same(read_state(found.weights), STATE)


def test_a_missing_part_is_reported(tmp_path: Path) -> None:
    lay(tmp_path, sharded())
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    assert "model-00002-of-00002.safetensors cannot be read" in refused(tmp_path, SourceUnusable)


class Payload:
    """Creates a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pth", "weights"])
@pytest.mark.parametrize("form", ["zipped", "legacy", "pickle 2", "pickle 4"])
def test_code_in_weights_never_runs(tmp_path: Path, name: str, form: str) -> None:
    pickle.loads(pickle.dumps(Payload(tmp_path / "control")))
    assert (tmp_path / "control").is_dir(), "the payload works where code is allowed"

    bad: dict[str, object] = {"bad": Payload(tmp_path / "ran")}
    if form.startswith("pickle"):
        data = pickle.dumps(bad, protocol=int(form[-1]))
    else:
        data = pickled({**STATE, **bad}, zipped=form == "zipped")
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SourceUnusable) as caught:
        read_state(tmp_path / name)
    said = str(caught.value)
    assert (
        "no PyTorch weights" if form == "pickle 4" else "mkdir, and pixquery never runs"
    ) in said
    assert "\n" not in said
    assert find(str(tmp_path / name)).checksums.keys() == {name}, "finding reads no weights"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_damaged_checkpoints_are_refused_or_read_whole(tmp_path: Path, zipped: bool) -> None:
    whole, file, chance = pickled(STATE, zipped=zipped), tmp_path / "a.pth", random.Random(5)
    for attempt in range(200):
        data = bytearray(whole[: chance.randrange(len(whole)) if attempt % 3 == 0 else None])
        for _ in range(chance.randrange(1, 20) if attempt % 3 else 0):
            data[chance.randrange(len(data))] = chance.randrange(256)
        file.write_bytes(data)
        try:
            assert read_state(file)
        except SourceUnusable as error:
            assert str(file) in str(error)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.safetensors", b"These are not the weights that you are looking for.", "damaged, or no"),
        ("a.safetensors", b"abc", "damaged, or no"),
        ("a.safetensors", b"", "is empty"),
        ("a.pth", b"", "is empty"),
        ("a.pth", b"<html>Please log in</html>", "no PyTorch weights"),
        ("a.pth", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("a.pth", pickled([1, 2]), "no tensors by name"),
        ("a.pth", pickled({"epoch": 3}), "no tensors by name"),
        ("a.pth", pickled(torch.zeros(3)), "no tensors by name"),
        ("a.pth", pickled(torch.nn.Linear(2, 2)), "asks to run torch.nn.modules.linear.Linear"),
    ],
)
def test_other_files_are_no_weights(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SourceUnusable, match=said):
        read_state(tmp_path / name)


def test_truncated_safetensors_are_refused(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "whole.safetensors")
    whole = (tmp_path / "whole.safetensors").read_bytes()
    for length in range(1, len(whole)):
        (tmp_path / "cut.safetensors").write_bytes(whole[:length])
        with pytest.raises(SourceUnusable, match="damaged"):
            read_state(tmp_path / "cut.safetensors")


def test_missing_weights_are_reported(tmp_path: Path) -> None:
    with pytest.raises(SourceUnusable, match=r"no\.pth cannot be read: No such file"):
        read_state(tmp_path / "no.pth")
    with pytest.raises(SourceUnusable, match="Is a directory"):
        read_state(tmp_path)
