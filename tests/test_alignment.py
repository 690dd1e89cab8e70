"""The alignment compared with PyTorch and with plain arithmetic."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from pixquery.db.errors import ProfileDamaged
from pixquery.db.records import Floats
from pixquery.engine.alignment import Alignment, unit


def tensors(layers: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Random maps: photos of 5 and texts of 4 numbers into 3."""
    sides = [4, *([7] * (layers - 1)), 3]
    made = {"image.weight": rng.normal(size=(5, 3)), "image.bias": rng.normal(size=3)}
    for layer in range(layers):
        made[f"text.{layer}.weight"] = rng.normal(size=(sides[layer], sides[layer + 1]))
        made[f"text.{layer}.bias"] = rng.normal(size=sides[layer + 1])
    return {name: tensor.astype(np.float32) for name, tensor in made.items()}


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_it_is_what_pytorch_computes(layers: int, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch comes with the extra `train`")
    rng = np.random.default_rng(layers)
    held = tensors(layers, rng)
    save_file(held, tmp_path / "a.safetensors")
    alignment = Alignment(tmp_path / "a.safetensors")
    assert alignment.dimension == 3
    images = rng.normal(size=(9, 5)).astype(np.float32)
    texts = rng.normal(size=(9, 4)).astype(np.float32)
    linear = torch.nn.functional.linear
    given_ = {name: torch.from_numpy(tensor) for name, tensor in held.items()}
    wanted = linear(torch.from_numpy(images), given_["image.weight"].T, given_["image.bias"])
    hidden = torch.from_numpy(texts)
    for layer in range(layers):
        if layer:
            hidden = torch.nn.functional.gelu(hidden, approximate="tanh")
        hidden = linear(hidden, given_[f"text.{layer}.weight"].T, given_[f"text.{layer}.bias"])
    normalize = torch.nn.functional.normalize
    assert np.abs(alignment.images(images) - normalize(wanted).numpy()).max() < 1e-5
    assert np.abs(alignment.texts(texts) - normalize(hidden).numpy()).max() < 1e-5


def test_a_photo_is_described_by_the_captions_of_photos_like_it(tmp_path: Path) -> None:
    """Compared with plain arithmetic: of two photos in memory, one is like the new one."""
    held = tensors(1, np.random.default_rng(0)) | {
        "memory.keys": np.array([[127, 0, 0], [0, 127, 0]], np.int8),
        "memory.values": np.array([[100, 0, 0, 0], [0, 0, 100, 0]], np.int8),
        "memory.temperature": np.array([0.5], np.float32),
        "memory.weight": np.array([2.0], np.float32),
        "basis": np.eye(7, dtype=np.float32),
    }
    held["image.weight"] = np.eye(5, 3, dtype=np.float32)
    held["image.bias"] = np.zeros(3, np.float32)
    save_file(held, tmp_path / "a.safetensors")
    alignment = Alignment(tmp_path / "a.safetensors")
    assert alignment.dimension == 7
    photo = np.array([[0.6, 0.8, 0.0, 5.0, 5.0]], np.float32)
    first, second = np.exp((0.6 - 1) / 0.5), np.exp((0.8 - 1) / 0.5)
    described = np.array([first, 0, second, 0]) / np.hypot(first, second)
    wanted = np.array([0.6, 0.8, 0, *(2 * described)]) / np.sqrt(1 + 4)
    assert alignment.images(photo)[0] == pytest.approx(wanted, abs=1e-5)
    text = np.array([[0.0, 3.0, 4.0, 0.0]], np.float32)
    found = alignment.texts(text)[0]
    assert found[3:] * np.sqrt(2) == pytest.approx([0, 0.6, 0.8, 0], abs=1e-5)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)


def test_many_photos_are_described_as_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    held = tensors(1, rng) | {
        "memory.keys": rng.integers(-127, 128, (40, 3)).astype(np.int8),
        "memory.values": rng.integers(-127, 128, (40, 4)).astype(np.int8),
        "memory.temperature": np.array([0.1], np.float32),
        "memory.weight": np.array([0.5], np.float32),
        "basis": np.linalg.qr(rng.normal(size=(7, 5)))[0].astype(np.float32),
    }
    save_file(held, tmp_path / "a.safetensors")
    alignment = Alignment(tmp_path / "a.safetensors")
    photos = rng.normal(size=(1200, 5)).astype(np.float32)
    together = alignment.images(photos)
    assert together.shape == (1200, 5)
    alone = np.concatenate([alignment.images(photos[row : row + 1]) for row in (0, 511, 512, 1199)])
    assert np.abs(together[[0, 511, 512, 1199]] - alone).max() < 1e-5


def test_half_precision_files_are_read(tmp_path: Path) -> None:
    held = tensors(2, np.random.default_rng(0))
    save_file({name: t.astype(np.float16) for name, t in held.items()}, tmp_path / "a")
    aligned = Alignment(tmp_path / "a").images(np.eye(5, dtype=np.float32))
    assert aligned.dtype == np.float32
    save_file(held, tmp_path / "b")
    assert (
        np.abs(aligned - Alignment(tmp_path / "b").images(np.eye(5, dtype=np.float32))).max() < 0.01
    )


def test_the_digest_follows_the_content(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        save_file(tensors(1, np.random.default_rng(seed)), tmp_path / name)
    a, b, c = (Alignment(tmp_path / name).digest for name in "abc")
    assert a == b != c


@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-10, 1e10))
def test_unit_rows_have_length_one(seed: int, scale: float) -> None:
    rows: Floats = (np.random.default_rng(seed).normal(size=(5, 4)) * scale).astype(np.float32)
    assert np.linalg.norm(unit(rows), axis=1) == pytest.approx(1, abs=1e-5)
    assert np.einsum("na,na->n", unit(rows), rows) == pytest.approx(
        np.linalg.norm(rows, axis=1), rel=1e-5
    )


def test_rows_of_zeros_stay_zeros() -> None:
    assert unit(np.zeros((2, 3), np.float32)).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_no_rows_are_no_error(tmp_path: Path) -> None:
    save_file(tensors(1, np.random.default_rng(0)), tmp_path / "a")
    assert Alignment(tmp_path / "a").images(np.empty((0, 5), np.float32)).shape == (0, 3)


@pytest.mark.parametrize("content", [None, b"", b"garbage" * 100])
def test_an_unreadable_file_is_reported(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "a").write_bytes(content)
    with pytest.raises(ProfileDamaged, match="install the profile again"):
        Alignment(tmp_path / "a")


@pytest.mark.parametrize("lacking", ["image.weight", "image.bias", "text.0.weight", "text.1.bias"])
def test_a_missing_tensor_is_reported(lacking: str, tmp_path: Path) -> None:
    held = tensors(2, np.random.default_rng(0))
    del held[lacking]
    save_file(held, tmp_path / "a")
    with pytest.raises(ProfileDamaged):
        Alignment(tmp_path / "a")


def test_an_alignment_without_texts_is_refused(tmp_path: Path) -> None:
    held = {n: t for n, t in tensors(1, np.random.default_rng(0)).items() if n.startswith("image")}
    save_file(held, tmp_path / "a")
    with pytest.raises(ProfileDamaged):
        Alignment(tmp_path / "a")
