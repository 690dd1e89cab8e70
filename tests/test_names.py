"""What names and classes add to an alignment, compared with plain arithmetic."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from pixquery.db.errors import ProfileDamaged
from pixquery.db.records import Floats
from pixquery.engine.alignment import Alignment
from pixquery.engine.unit import unit

Tensors = dict[str, NDArray[np.generic]]
Write = Callable[[Tensors], Alignment]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(tensors: Tensors) -> Alignment:
        save_file(tensors, tmp_path / "a.safetensors")
        return Alignment(tmp_path / "a.safetensors")

    return written


def one(number: float) -> Floats:
    return np.array([number], np.float32)


def with_memory() -> Tensors:
    """Photos of 3 numbers, of which 2 count; texts of 2; two photos in memory."""
    return {
        "image.weight": np.eye(3, 2, dtype=np.float32),
        "image.bias": np.zeros(2, np.float32),
        "text.0.weight": np.eye(2, dtype=np.float32),
        "text.0.bias": np.zeros(2, np.float32),
        "memory.keys": np.array([[127, 0], [0, 127]], np.int8),
        "memory.values": np.array([[100, 0], [0, 100]], np.int8),
        "memory.temperature": one(0.5),
        "memory.weight": one(2),
        "basis": np.eye(4, dtype=np.float32),
    }


def with_names(temperature: float = 1.0) -> Tensors:
    """The name (1, 0) is of the photo (0, 1)."""
    return {
        **with_memory(),
        "names.texts": np.array([[50, 0]], np.int8),
        "names.rows": np.array([1], np.int32),
        "names.centre": np.zeros(2, np.float32),
        "names.temperature": one(temperature),
        "names.factor": one(0.5),
    }


def classes() -> Tensors:
    """Two classes that see the third number of a photo, which the near vector ignores."""
    return {
        "classes.weight": np.array([[0, 0, 100], [0, 0, -100]], np.int8),
        "classes.scale": np.array([0.01, 0.02], np.float32),
        "classes.bias": np.array([0.0, 1.0], np.float32),
        "classes.texts": np.array([[0, 9], [-70, 0]], np.int8),
        "classes.factor": one(3),
    }


def test_a_text_is_moved_towards_what_it_names(write: Write) -> None:
    alignment = write(with_names())
    moved = alignment.texts(np.array([[2, 0], [0, 2], [1, 1]], np.float32)) * np.sqrt(2)
    far, middle = 0.5 * np.exp(-1), 0.5 * np.exp(np.sqrt(0.5) - 1)
    wanted = unit(np.array([[1, 0.5], [0, 1 + far], [np.sqrt(0.5), np.sqrt(0.5) + middle]]))
    assert moved[:, :2] == pytest.approx(wanted, abs=1e-5)
    assert moved[:, 2:] == pytest.approx(unit(np.array([[1, 0], [0, 1], [1, 1]])), abs=1e-5)


def test_what_all_texts_have_in_common_names_nothing(write: Write) -> None:
    """Around the mean (0.6, 0.8), the text (1, 0) lies opposite to the text (0, 1)."""
    centre = np.array([0.6, 0.8])
    name = np.array([1, 0]) - centre
    tensors = with_names() | {
        "names.centre": centre.astype(np.float32),
        "names.texts": np.round(100 * name).astype(np.int8)[None],
    }
    other = np.array([0, 1]) - centre
    cosine = name @ other / np.linalg.norm(name) / np.linalg.norm(other)
    moved = write(tensors).texts(np.array([[0, 5]], np.float32))[0, :2] * np.sqrt(2)
    assert moved == pytest.approx([0, 1], abs=1e-5)  # towards (0, 1), where it is
    towards = tensors | {"names.rows": np.array([0], np.int32)}
    moved = write(towards).texts(np.array([[0, 5]], np.float32))[0, :2] * np.sqrt(2)
    wanted = np.array([0.5 * np.exp(cosine - 1), 1])
    assert moved == pytest.approx(wanted / np.linalg.norm(wanted), abs=0.01)  # rounded names


def test_texts_are_moved_one_at_a_time(write: Write) -> None:
    rng = np.random.default_rng(0)
    tensors = with_names(0.1) | {
        "names.texts": rng.integers(-127, 128, (50, 2)).astype(np.int8),
        "names.rows": rng.integers(0, 2, 50).astype(np.int32),
    }
    alignment = write(tensors)
    texts = rng.normal(size=(30, 2)).astype(np.float32)
    alone = np.concatenate([alignment.texts(text[None]) for text in texts])
    assert alignment.texts(texts) == pytest.approx(alone, abs=1e-6)


def test_names_far_from_a_text_leave_it_alone(write: Write) -> None:
    text = np.array([[0, 1]], np.float32)
    assert (write(with_names(0.1)).texts(text) == write(with_memory()).texts(text)).all()


def test_a_photo_is_also_described_by_its_classes(write: Write) -> None:
    photo = np.array([0.6, 0.8, 2.0])
    alike = np.exp((photo[:2] - 1) / 0.5)
    captions = alike / np.linalg.norm(alike)
    logits = np.array([2.0 * 1.0, 2.0 * -2.0 + 1.0])
    shares = np.exp(logits) / np.exp(logits).sum()
    described = captions + 3 * (shares[0] * np.array([0, 1]) + shares[1] * np.array([-1, 0]))
    wanted = np.concatenate([photo[:2], 2 * described])
    found = write(with_memory() | classes()).images(photo[None].astype(np.float32))[0]
    assert found == pytest.approx(wanted / np.linalg.norm(wanted), abs=1e-5)


def test_the_classifier_sees_the_first_numbers_only(write: Write) -> None:
    tensors = with_memory() | classes() | {"image.weight": np.eye(5, 2, dtype=np.float32)}
    alignment = write(tensors)
    photos = np.random.default_rng(0).normal(size=(700, 5)).astype(np.float32)
    changed = photos.copy()
    changed[:, 3:] = 7
    assert (alignment.images(photos) == alignment.images(changed)).all()


def test_sure_classes_do_not_overflow(write: Write) -> None:
    tensors = with_memory() | classes() | {"classes.scale": np.array([1e3, 1e3], np.float32)}
    assert np.isfinite(write(tensors).images(np.full((2, 3), 1e3, np.float32))).all()


@pytest.mark.parametrize("lacking", ["names.rows", "names.centre", "names.factor"])
def test_a_missing_part_of_the_names_is_reported(lacking: str, write: Write) -> None:
    tensors = with_names()
    del tensors[lacking]
    with pytest.raises(ProfileDamaged):
        write(tensors)


@pytest.mark.parametrize("part", ["scale", "bias", "texts", "factor"])
def test_a_missing_part_of_the_classes_is_reported(part: str, write: Write) -> None:
    tensors = with_memory() | classes()
    del tensors[f"classes.{part}"]
    with pytest.raises(ProfileDamaged):
        write(tensors)


def test_a_name_of_no_row_is_reported(write: Write) -> None:
    with pytest.raises(ProfileDamaged):
        write(with_names() | {"names.rows": np.array([2], np.int32)})
