"""Index files whose lengths cannot be are refused before FAISS reads them."""

import random
import struct
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

import pixquery.engine.vectors
from pixquery.db.errors import LibraryDamaged
from pixquery.engine.index_layout import NoIndex, check
from pixquery.engine.unit import unit
from pixquery.engine.vectors import VectorIndex

WIDTH = 8
HUGE = (1 << 38, (1 << 63) - 1, (1 << 64) - 1, 0)


def saved(folder: Path, count: int, limit: int, *, keep: int | None = None) -> Path:
    """The file of an index of ``count`` vectors; an inverted file if they exceed the limit."""
    rng = np.random.default_rng(1)
    ids = np.arange(1, count + 1)
    vectors = unit(rng.normal(size=(count, WIDTH)).astype(np.float32))
    before = pixquery.engine.vectors.EXACT_LIMIT
    pixquery.engine.vectors.EXACT_LIMIT = limit
    try:
        index = VectorIndex.build(WIDTH, count, [(ids, vectors)], vectors[:4])
    finally:
        pixquery.engine.vectors.EXACT_LIMIT = before
    if keep is not None:
        index.remove(ids[keep:])
    index.save(folder / "index")
    return folder / "index"


KINDS = {"exact": (40, 100, None), "inverted": (200, 10, None), "few left": (200, 10, 3),
         "none left": (200, 10, 0), "empty": (0, 100, None)}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_pixquery_writes_is_an_index(kind: str, tmp_path: Path) -> None:
    count, limit, keep = KINDS[kind]
    file = saved(tmp_path, count, limit, keep=keep)
    check(file)
    loaded = VectorIndex.load(file, sha256=sha256(file.read_bytes()).hexdigest())
    assert len(loaded) == (count if keep is None else keep)


LENGTHS = {
    "exact": {"vectors": 8, "whole vectors": 45, "their numbers": 74},
    "inverted": {"vectors": 8, "lists": 37, "centres": 61, "their numbers": 90},
}
"""Where the lengths are in the file."""


@pytest.mark.parametrize("kind", LENGTHS)
def test_no_length_is_taken_at_its_word(kind: str, tmp_path: Path) -> None:
    count, limit, _ = KINDS[kind]
    content = saved(tmp_path, count, limit).read_bytes()
    assert struct.unpack_from("<Q", content, LENGTHS[kind]["vectors"]) == (count,)
    for what, place in LENGTHS[kind].items():
        for huge in HUGE:
            altered = bytearray(content)
            struct.pack_into("<Q", altered, place, huge)
            file = tmp_path / f"{what} {huge}"
            file.write_bytes(altered)
            with pytest.raises(LibraryDamaged, match="cannot be read"):
                VectorIndex.load(file, sha256=sha256(altered).hexdigest())


def test_an_index_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "index"
    for content in (b"", b"IxF", b"IxFI" + bytes(40), b"Ibwf" + bytes(400), b"IxM2", b"IwSq"):
        file.write_bytes(content)
        with pytest.raises(NoIndex):
            check(file)


def test_a_file_that_goes_on_is_refused(tmp_path: Path) -> None:
    file = saved(tmp_path, 40, 100)
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(NoIndex, match="longer"):
        check(file)


@pytest.mark.parametrize("kind", ["exact", "inverted", "few left"])
def test_a_file_altered_anywhere_is_refused_or_read_without_harm(kind: str, tmp_path: Path) -> None:
    count, limit, keep = KINDS[kind]
    content = saved(tmp_path, count, limit, keep=keep).read_bytes()
    chance = random.Random(1)
    refused = 0
    for number in range(300):
        altered = bytearray(content)
        place = chance.randrange(chance.choice((130, len(content))))
        size = chance.choice((1, 4, 8))
        altered[place : place + size] = chance.choice((b"\xff" * size, chance.randbytes(size)))
        file = tmp_path / str(number)  # mapped while it is used
        file.write_bytes(altered)
        try:
            index = VectorIndex.load(file, sha256=sha256(altered).hexdigest())
        except LibraryDamaged:
            refused += 1
            continue
        index.search(np.ones((1, index.dimension), np.float32), 5)
        for one in index.ids()[:9]:
            try:
                index.vectors(np.array([one]))
            except KeyError:
                break
    assert refused > 20
