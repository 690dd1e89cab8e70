"""Concepts that an alignment is taught."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save_file

from pixquery.db.records import Floats
from pixquery.engine.alignment import Alignment
from pixquery.engine.unit import in_bytes, unit

Tensors = dict[str, NDArray[np.generic]]
NEAR, PHOTO, TEXT, ROWS = 32, 40, 16, 40
"""Lengths of near vectors, raw photos and raw texts, and rows of the memory."""


def gaussian(rng: np.random.Generator, rows: int, columns: int) -> Floats:
    return rng.normal(size=(rows, columns)).astype(np.float32)


def maps() -> Tensors:
    rng = np.random.default_rng(0)
    return {
        "image.weight": rng.normal(size=(PHOTO, NEAR)).astype(np.float32),
        "image.bias": rng.normal(size=NEAR).astype(np.float32),
        "text.0.weight": rng.normal(size=(TEXT, NEAR)).astype(np.float32),
        "text.0.bias": np.zeros(NEAR, np.float32),
    }


def memory() -> Tensors:
    rng = np.random.default_rng(1)
    return {
        "memory.keys": in_bytes(unit(gaussian(rng, ROWS, NEAR))),
        "memory.values": in_bytes(unit(gaussian(rng, ROWS, TEXT))),
        "memory.temperature": np.array([0.06], np.float32),
        "memory.weight": np.array([0.5], np.float32),
        "basis": np.eye(NEAR + TEXT, dtype=np.float32),
    }


def names() -> Tensors:
    rng = np.random.default_rng(2)
    return {
        "names.texts": in_bytes(unit(gaussian(rng, 9, TEXT))),
        "names.rows": rng.integers(0, ROWS, 9).astype(np.int32),
        "names.centre": np.full(TEXT, 0.05, np.float32),
        "names.temperature": np.array([0.1], np.float32),
        "names.factor": np.array([1.0], np.float32),
    }


@pytest.fixture(scope="module", params=["maps alone", "with a memory", "with names"])
def alignment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Alignment:
    tensors = maps()
    if request.param != "maps alone":
        tensors |= memory()
    if request.param == "with names":
        tensors |= names()
    return written(tensors, tmp_path_factory.mktemp("taught"))


def written(tensors: Tensors, folder: Path) -> Alignment:
    save_file(tensors, folder / "a.safetensors")
    return Alignment(folder / "a.safetensors")


def lesson(seed: int, examples: list[int]) -> tuple[Floats, list[Floats]]:
    """Words of concepts, and for each this many photos that look alike."""
    rng = np.random.default_rng(seed)
    texts = rng.normal(size=(len(examples), TEXT)).astype(np.float32)
    photos = [
        (rng.normal(size=(1, PHOTO)) + 0.1 * rng.normal(size=(count, PHOTO))).astype(np.float32)
        for count in examples
    ]
    return texts, photos


examples = st.lists(st.integers(1, 20), min_size=1, max_size=4)
seeds = st.integers(0, 2**16)


@given(seed=seeds, counts=examples)
@settings(max_examples=25, deadline=None)
def test_it_is_another_space_of_the_same_dimension(
    alignment: Alignment, seed: int, counts: list[int]
) -> None:
    texts, photos = lesson(seed, counts)
    taught = alignment.taught(texts, photos)
    assert taught.dimension == alignment.dimension
    assert taught.digest != alignment.digest
    assert len(taught.digest) == len(alignment.digest)
    for rows in (taught.texts(texts), taught.images(np.concatenate(photos))):
        assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)
        assert rows.shape[1] == taught.dimension
    assert taught.probes.shape == alignment.probes.shape


@given(seed=seeds)
@settings(max_examples=25, deadline=None)
def test_the_digest_follows_the_concepts(alignment: Alignment, seed: int) -> None:
    texts, photos = lesson(seed, [2, 3])
    digest = alignment.taught(texts, photos).digest
    assert alignment.taught(texts.copy(), [group.copy() for group in photos]).digest == digest
    others = [
        alignment.taught(texts[:1], photos[:1]),
        alignment.taught(texts[::-1], photos),
        alignment.taught(texts, photos[::-1]),
        alignment.taught(texts, [photos[0], photos[1][:2]]),
        alignment.taught(texts[:1], photos[:1]).taught(texts[1:], photos[1:]),
    ]
    digests = {other.digest for other in others}
    assert len(digests) == len(others)
    assert digest not in digests


def test_nothing_taught_changes_nothing(alignment: Alignment) -> None:
    taught = alignment.taught(np.empty((0, TEXT), np.float32), [])
    assert taught.digest == alignment.digest


def test_a_concept_is_found(alignment: Alignment) -> None:
    texts, photos = lesson(3, [4])
    others = np.random.default_rng(4).normal(size=(300, PHOTO)).astype(np.float32)
    taught = alignment.taught(texts, [photos[0][:3]])
    cosines = (taught.texts(texts) @ taught.images(np.concatenate([others, photos[0][3:]])).T)[0]
    assert cosines.argmax() == 300


def test_concepts_are_taught_together_or_one_after_the_other(alignment: Alignment) -> None:
    texts, photos = lesson(5, [2, 3])
    together = alignment.taught(texts, photos)
    after = alignment.taught(texts[:1], photos[:1]).taught(texts[1:], photos[1:])
    asked = np.concatenate([texts, np.random.default_rng(6).normal(size=(20, TEXT))])
    asked = asked.astype(np.float32)
    assert together.texts(asked) == pytest.approx(after.texts(asked), abs=0.01)  # int8
    seen = np.concatenate(photos)
    assert together.images(seen) == pytest.approx(after.images(seen), abs=0.01)


def test_the_alignment_itself_is_left_as_it_was(alignment: Alignment) -> None:
    texts, photos = lesson(7, [2])
    before = alignment.texts(texts), alignment.images(photos[0]), alignment.digest
    alignment.taught(texts, photos)
    assert (alignment.texts(texts) == before[0]).all()
    assert (alignment.images(photos[0]) == before[1]).all()
    assert alignment.digest == before[2]


@given(seed=seeds)
@settings(max_examples=25, deadline=None)
def test_texts_that_say_something_else_stay_the_same(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Texts at a right angle to the concept, as seen from the mean of all texts."""
    alignment = written(maps() | memory() | names(), tmp_path_factory.mktemp("far"))
    texts, photos = lesson(seed, [3])
    taught = alignment.taught(texts, photos)
    centre = np.full(TEXT, 0.05)
    concept = unit(unit(texts) - centre)[0]
    asked = np.random.default_rng(seed + 1).normal(size=(50, TEXT)).astype(np.float32)
    far = asked[(unit(unit(asked) - centre) @ concept) < 0.2]
    assert len(far) > 5
    assert taught.texts(far) == pytest.approx(alignment.texts(far), abs=1e-6)


def test_what_is_remembered_worked_out_by_hand(tmp_path: Path) -> None:
    """Photos (1, 0) and (0, 1) are examples of (0, 1) in words; nothing else is remembered."""
    tensors: Tensors = {
        "image.weight": np.eye(2, dtype=np.float32),
        "image.bias": np.zeros(2, np.float32),
        "text.0.weight": np.eye(2, dtype=np.float32),
        "text.0.bias": np.zeros(2, np.float32),
        "memory.keys": np.array([[-127, 0]], np.int8),
        "memory.values": np.array([[100, 0]], np.int8),
        "memory.temperature": np.array([0.5], np.float32),
        "memory.weight": np.array([1.0], np.float32),
        "basis": np.eye(4, dtype=np.float32),
    }
    words = np.array([[0, 3]], np.float32)
    taught = written(tensors, tmp_path).taught(words, [np.eye(2, dtype=np.float32)])
    half = np.sqrt(0.5)
    photo = taught.images(np.array([[half, half]], np.float32))[0] * np.sqrt(2)
    other = np.exp((-half - 1) / 0.5)  # how much the photo already remembered counts
    described = np.array([other, 1]) / np.hypot(other, 1)
    assert photo == pytest.approx([half, half, *described], abs=1e-3)
    text = taught.texts(words)[0] * np.sqrt(2)
    moved = np.array([half, 1 + half])
    assert text[:2] == pytest.approx(moved / np.linalg.norm(moved), abs=1e-3)
    assert text[2:] == pytest.approx([0, 1], abs=1e-3)
