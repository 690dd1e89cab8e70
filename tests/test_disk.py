"""Models on the disk: folders, lone files, and other things, which are refused."""

import os
import tempfile
from pathlib import Path

import pytest

from pixquery.db.errors import SourceUnusable
from pixquery.trainer.adopting.find import find
from pixquery.trainer.adopting.sources import Source
from tests.published import ABC, CARD, lay, refused


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder as the hub lays it out."""
    return lay(tmp_path / "model", {"config.json": b"{}", "model.safetensors": b"abc"})


def test_a_folder_has_a_licence_and_checksums(folder: Path) -> None:
    lay(folder, {"README.md": CARD.encode(), "1_Pooling/config.json": b"", "photo.jpg": b"",
                 "run.py": b"", "pytorch_model.bin": b"older"})  # fmt: skip
    source = find(str(folder))
    assert (source.named, source.folder, source.weights) == (
        str(folder),
        folder,
        folder / "model.safetensors",
    )
    assert (source.revision, source.licence) == ("", "apache-2.0")
    assert set(source.checksums) == {
        "README.md",
        "config.json",
        "model.safetensors",
        "1_Pooling/config.json",
    }
    assert source.checksums["model.safetensors"] == ABC


def test_a_lone_file_is_a_model_too(tmp_path: Path) -> None:
    file = tmp_path / "resnet18-f37072fd.pth"
    file.write_bytes(b"abc")
    (tmp_path / "README.md").write_text(CARD)  # of another download in the same folder
    assert find(str(file)) == Source(str(file), tmp_path, file, "", "unknown", {file.name: ABC})


def test_a_lone_file_uses_the_config_beside_it(folder: Path) -> None:
    lay(folder, {"ema.safetensors": b"abc", "README.md": CARD.encode()})
    source = find(str(folder / "ema.safetensors"))
    assert (source.weights, source.licence) == (folder / "ema.safetensors", "apache-2.0")
    assert set(source.checksums) == {"ema.safetensors", "config.json", "README.md"}


@pytest.mark.parametrize("name", ["pytorch_model.bin", "checkpoint.pth", "weights.safetensors"])
def test_the_only_weights_of_a_folder_are_taken(tmp_path: Path, name: str) -> None:
    lay(tmp_path, {"config.json": b"{}", name: b"abc"})
    assert find(str(tmp_path)).weights == tmp_path / name


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "neither config.json nor weights"),
        ({"a.jpg": b"photo", "b.jpg": b"photo"}, "neither config.json nor weights"),
        ({"config.json": b"{}", "model.onnx": b"x"}, "no weights: put the model's model.saf"),
        ({"model.safetensors": b"x"}, "has no config.json"),
        ({"resnet18.pth": b"x"}, "give FOLDER/resnet18.pth if it is torchvision's"),
        ({"config.json": b"{}", "a.pth": b"x", "b.pt": b"x"}, "several files of weights (a.pth, b"),
        ({"config.json": b"{}", "model.safetensors": b""}, "model.safetensors is empty"),
        (
            {
                "config.json": b"{}",
                "model.safetensors": b"version https://git-lfs.github.com/spec/v1",
            },
            "run `git lfs pull` in FOLDER",
        ),
        ({"config.json": b"{}", "model.safetensors.index.json": b"[]"}, "no index of weights"),
        (
            {
                "config.json": b"{}",
                "model.safetensors.index.json": b'{"weight_map": {"a": "../a.safetensors"}}',
            },
            "no part of the weights beside it",
        ),
    ],
)
def test_folders_that_are_no_models_are_refused(
    tmp_path: Path, files: dict[str, bytes], said: str
) -> None:
    place = lay(tmp_path / "here", files)
    place.mkdir(exist_ok=True)
    assert said in refused(place, SourceUnusable).replace(str(place), "FOLDER")


@pytest.mark.parametrize("closed", ["", "model.safetensors", "config.json"])
def test_unreadable_files_are_refused(closed: str) -> None:
    if os.name != "posix":
        pytest.skip("permissions are a thing of POSIX")
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        place = lay(Path(name) / "model", {"config.json": b"{}", "model.safetensors": b"abc"})
        (place / closed).chmod(0)
        try:
            if user == 0:  # permissions do not apply to root
                os.seteuid(65534)
            assert f"{place / closed} cannot be read: Perm" in refused(place, SourceUnusable)
        finally:
            os.seteuid(user)
            (place / closed).chmod(0o700)
