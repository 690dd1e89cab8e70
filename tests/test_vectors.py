"""The vector index compared with brute force, after any additions and removals."""

import hashlib
import subprocess
import sys
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import pixquery.engine.vectors
from pixquery.db.errors import LibraryDamaged, StorageFailed
from pixquery.db.records import Floats, Ids
from pixquery.engine.vectors import EXACT_LIMIT, VectorIndex
from tests.conftest import REPOSITORY

DIMENSION = 6


def unit_rows(seed: int, count: int, dimension: int = DIMENSION) -> Floats:
    rows = np.random.default_rng(seed).normal(size=(count, dimension))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def clustered(seed: int, count: int, dimension: int) -> Floats:
    """Unit rows around a few hundred centres, like vectors of photos of the same things."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(300, dimension))  # the same for every seed
    rows = centres[rng.integers(300, size=count)] + 0.5 * rng.normal(size=(count, dimension))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def built(ids: Ids, vectors: Floats, probes: Floats) -> VectorIndex:
    """An index built in batches, as a library's is."""
    batches = ((ids[at : at + 700], vectors[at : at + 700]) for at in range(0, len(ids), 700))
    return VectorIndex.build(vectors.shape[1], len(ids), batches, probes)


def best(stored: dict[int, Floats], query: Floats, k: int) -> list[float]:
    """The true ``k`` largest cosines, by brute force."""
    cosines = np.stack(list(stored.values())).astype(np.float64) @ query.astype(np.float64)
    return sorted(cosines, reverse=True)[:k]


class Machine(RuleBasedStateMachine):
    """After any changes, the index equals a dictionary."""

    limit = EXACT_LIMIT
    tolerance = 1e-5

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[int, Floats] = {}
        self.index = VectorIndex(DIMENSION)

    @initialize(count=st.integers(0, 120), seed=st.integers(0, 2**32 - 1))
    def build(self, count: int, seed: int) -> None:
        ids = np.random.default_rng(seed).choice(10_000, count, replace=False).astype(np.int64)
        vectors = unit_rows(seed, count)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pixquery.engine.vectors, "EXACT_LIMIT", self.limit)
            self.index = built(ids, vectors, np.eye(DIMENSION, dtype=np.float32))
        self.stored = dict(zip(ids.tolist(), vectors, strict=True))

    @rule(
        ids=st.lists(st.integers(0, 10_200), unique=True, max_size=20),
        seed=st.integers(0, 2**32 - 1),
    )
    def add_new_ones(self, ids: list[int], seed: int) -> None:
        self._add(ids, seed)

    @precondition(lambda self: self.stored)
    @rule(data=st.data(), seed=st.integers(0, 2**32 - 1))
    def replace(self, data: st.DataObject, seed: int) -> None:
        known = st.sampled_from(sorted(self.stored))
        self._add(data.draw(st.lists(known, unique=True, max_size=20)), seed)

    @precondition(lambda self: self.stored)
    @rule(data=st.data(), strangers=st.lists(st.integers(20_000, 20_100), max_size=3))
    def remove(self, data: st.DataObject, strangers: list[int]) -> None:
        ids = data.draw(st.lists(st.sampled_from(sorted(self.stored)), max_size=30)) + strangers
        self.index.remove(np.array(ids, np.int64))
        for each in ids:
            self.stored.pop(each, None)

    @rule()
    def remove_everything(self) -> None:
        self.index.remove(np.array(sorted(self.stored), np.int64))
        self.stored.clear()

    @rule(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 300))
    def search(self, seed: int, k: int) -> None:
        queries = unit_rows(seed, 3)
        found = self.index.search(queries, k)
        wanted = min(k, len(self.stored))
        assert found.ids.shape == found.similarities.shape == (3, wanted)
        for query, ids, similarities in zip(queries, *found, strict=True):
            assert set(ids.tolist()) <= self.stored.keys()  # so none is -1
            assert len(set(ids.tolist())) == wanted
            assert (np.diff(similarities) <= 0).all()
            for one, similarity in zip(ids.tolist(), similarities, strict=True):
                assert similarity == pytest.approx(self.stored[one] @ query, abs=self.tolerance)
            if wanted and self.is_exact_for(wanted):
                truth = best(self.stored, query, wanted)
                assert similarities == pytest.approx(truth, abs=self.tolerance)

    def is_exact_for(self, wanted: int) -> bool:
        return self.index.kind == "exact" or wanted == len(self.stored)

    @invariant()
    def holds_the_same(self) -> None:
        assert len(self.index) == len(self.stored)
        assert self.index.ids().tolist() == sorted(self.stored)
        if self.stored:
            ids = np.array(list(self.stored), np.int64)
            wanted = np.stack(list(self.stored.values()))
            assert np.abs(self.index.vectors(ids) - wanted).max() < self.tolerance

    def _add(self, ids: list[int], seed: int) -> None:
        vectors = unit_rows(seed, len(ids))
        self.index.add(np.array(ids, np.int64), vectors)
        self.stored.update(zip(ids, vectors, strict=True))


class InvertedMachine(Machine):
    """The same for the inverted file, which is used for a few dozen vectors here."""

    limit = 30
    tolerance = 1e-3  # half precision


TestExact = Machine.TestCase
TestExact.settings = hypothesis_settings(max_examples=15, stateful_step_count=15)
TestInverted = InvertedMachine.TestCase
TestInverted.settings = hypothesis_settings(max_examples=15, stateful_step_count=15)


def test_deleting_an_inverted_file_does_no_harm() -> None:
    # FAISS has its own rules of ownership, and a mistake there crashes the process.
    program = """
import gc
import numpy as np
import pixquery.engine.vectors as v
ids = np.arange(v.EXACT_LIMIT + 1)
rows = np.random.default_rng(0).normal(size=(len(ids), 4)).astype(np.float32)
rows /= np.linalg.norm(rows, axis=1, keepdims=True)
for _ in range(3):
    index = v.VectorIndex.build(4, len(ids), [(ids, rows)], np.eye(4, dtype=np.float32))
    index.remove(ids[:10])
    del index
    gc.collect()
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


def test_a_search_leaves_the_threads_of_its_caller_alone() -> None:
    index = built(np.arange(3, dtype=np.int64), unit_rows(0, 3), np.eye(6, dtype=np.float32))
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(2)
    try:
        index.search(unit_rows(1, 1), 2)
        assert faiss.omp_get_max_threads() == 2
    finally:
        faiss.omp_set_num_threads(before)


@pytest.fixture(scope="module")
def large() -> tuple[Ids, Floats, VectorIndex]:
    ids = np.arange(EXACT_LIMIT + 5_000, dtype=np.int64) * 3 + 7
    vectors = clustered(0, len(ids), 24)
    return ids, vectors, built(ids, vectors, clustered(1, 256, 24))


def recall(index: VectorIndex, ids: Ids, vectors: Floats, queries: Floats, depth: int) -> float:
    truth = ids[np.argsort(-(queries @ vectors.T), axis=1)[:, :depth]]
    found = index.search(queries, depth).ids
    return float(
        np.mean([len(np.intersect1d(a, b)) / depth for a, b in zip(truth, found, strict=True)])
    )


def test_an_inverted_file_misses_hardly_any_vector(
    large: tuple[Ids, Floats, VectorIndex],
) -> None:
    ids, vectors, index = large
    assert index.kind.startswith("inverted file")
    assert len(index) == len(ids)
    # New queries of the same kind: the index was tuned on others.
    assert recall(index, ids, vectors, clustered(2, 300, 24), 100) >= 0.99
    assert recall(index, ids, vectors, clustered(1, 256, 24), 100) >= 0.993


def test_a_k_beyond_the_searched_lists_gives_all(
    large: tuple[Ids, Floats, VectorIndex],
) -> None:
    ids, _, index = large
    found = index.search(clustered(3, 1, 24), len(ids) + 10)
    assert sorted(found.ids[0].tolist()) == ids.tolist()


def test_the_inverted_file_survives_the_disk(
    large: tuple[Ids, Floats, VectorIndex], tmp_path: Path
) -> None:
    ids, vectors, index = large
    queries = clustered(4, 20, 24)
    size, sha256 = index.save(tmp_path / "v.faiss")
    assert size == (tmp_path / "v.faiss").stat().st_size
    for writable in (False, True):
        loaded = VectorIndex.load(tmp_path / "v.faiss", sha256=sha256, writable=writable)
        assert loaded.kind == index.kind
        assert loaded.dimension == 24
        ours, theirs = loaded.search(queries, 50), index.search(queries, 50)
        assert np.array_equal(ours.ids, theirs.ids)
        assert np.array_equal(ours.similarities, theirs.similarities)
        assert np.array_equal(loaded.vectors(ids), index.vectors(ids))
        assert np.array_equal(loaded.ids(), ids)
    loaded.add(ids[:5], vectors[5:10])
    loaded.remove(ids[10:20])
    assert len(loaded) == len(ids) - 10
    assert np.abs(loaded.vectors(ids[:5]) - vectors[5:10]).max() < 1e-3


def test_building_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    ids = np.arange(EXACT_LIMIT + 1, dtype=np.int64)
    built(ids, clustered(5, len(ids), 8), clustered(6, 16, 8))
    assert capfd.readouterr() == ("", "")


def test_the_kind_follows_the_number_of_vectors() -> None:
    small = built(
        np.arange(10, dtype=np.int64), unit_rows(0, 10), np.eye(DIMENSION, dtype=np.float32)
    )
    assert small.kind == "exact"
    before = small.outgrown
    small.add(np.arange(EXACT_LIMIT + 1, dtype=np.int64), unit_rows(1, EXACT_LIMIT + 1))
    assert (before, small.outgrown) == (False, True)


def test_an_inverted_file_that_shrinks_a_lot_is_outgrown() -> None:
    ids = np.arange(EXACT_LIMIT + 5_000, dtype=np.int64)
    index = built(ids, unit_rows(0, len(ids), 4), np.eye(4, dtype=np.float32))
    before = index.outgrown
    index.remove(ids[2_000:])
    assert len(index) == 2_000
    assert (before, index.outgrown) == (False, True)
    queries = unit_rows(1, 5, 4)
    found = index.search(queries, 2_000)
    assert (found.ids >= 0).all()


@given(count=st.integers(0, 30), k=st.integers(1, 100))
@hypothesis_settings(max_examples=30)
def test_k_above_the_size_gives_all(count: int, k: int) -> None:
    index = built(
        np.arange(count, dtype=np.int64), unit_rows(count, count), np.eye(6, dtype=np.float32)
    )
    found = index.search(unit_rows(7, 2), k)
    assert found.ids.shape == (2, min(k, count))
    assert (found.ids >= 0).all()


def test_unknown_ids_have_no_vectors() -> None:
    index = VectorIndex(DIMENSION)
    index.add(np.array([4, 5]), unit_rows(0, 2))
    with pytest.raises(KeyError):
        index.vectors(np.array([4, 6]))


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, str]:
    index = VectorIndex(DIMENSION)
    index.add(np.arange(9, dtype=np.int64), unit_rows(0, 9))
    _, sha256 = index.save(tmp_path / "v.faiss")
    return tmp_path / "v.faiss", sha256


def test_a_saved_index_is_the_same(saved: tuple[Path, str]) -> None:
    loaded = VectorIndex.load(saved[0], sha256=saved[1])
    assert loaded.ids().tolist() == list(range(9))
    assert np.array_equal(loaded.vectors(np.arange(9, dtype=np.int64)), unit_rows(0, 9))
    assert [file.name for file in saved[0].parent.iterdir()] == ["v.faiss"]


@given(place=st.integers(0), bit=st.integers(0, 7))
@hypothesis_settings(max_examples=50)
def test_one_flipped_bit_is_refused(saved: tuple[Path, str], place: int, bit: int) -> None:
    file, sha256 = saved
    content = file.read_bytes()
    damaged = bytearray(content)
    damaged[place % len(content)] ^= 1 << bit
    try:
        file.write_bytes(damaged)
        with pytest.raises(LibraryDamaged, match="checksum"):
            VectorIndex.load(file, sha256=sha256)
    finally:
        file.write_bytes(content)


@pytest.mark.parametrize("length", [0, 1, 100])
def test_a_truncated_file_is_refused(saved: tuple[Path, str], length: int) -> None:
    file, sha256 = saved
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(LibraryDamaged):
        VectorIndex.load(file, sha256=sha256)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LibraryDamaged, match="cannot be read"):
        VectorIndex.load(tmp_path / "none.faiss", sha256="")


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageFailed, match=r"v\.faiss"):
        VectorIndex(DIMENSION).save(tmp_path / "file" / "v.faiss")


def test_a_failed_save_leaves_only_the_old_file(saved: tuple[Path, str]) -> None:
    resource = pytest.importorskip("resource", reason="file size limits are a thing of POSIX")
    file, sha256 = saved
    larger = VectorIndex(DIMENSION)
    larger.add(np.arange(500, dtype=np.int64), unit_rows(1, 500))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(StorageFailed):
            larger.save(file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(VectorIndex.load(file, sha256=sha256)) == 9
    assert list(file.parent.iterdir()) == [file]


# -- searches among given ids, and within a cosine --------------------------------------------


@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 300),
    share=st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0]),
    k=st.sampled_from([1, 10, 1000]),
    limit=st.sampled_from([20, EXACT_LIMIT]),
)
@hypothesis_settings(max_examples=300)
def test_a_search_among_given_ids_equals_brute_force(
    seed: int, count: int, share: float, k: int, limit: int
) -> None:
    """However few they are and wherever they lie; unknown ids are ignored."""
    rng = np.random.default_rng(seed)
    ids = rng.choice(5_000, count, replace=False).astype(np.int64)
    vectors = unit_rows(seed, count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pixquery.engine.vectors, "EXACT_LIMIT", limit)
        index = built(ids, vectors, np.eye(DIMENSION, dtype=np.float32))
    known = np.sort(ids[rng.random(count) < share])
    among = np.union1d(known, rng.choice(6_000, 5).astype(np.int64))
    stored = {int(i): v for i, v in zip(ids, vectors, strict=True) if i in set(among.tolist())}
    queries = unit_rows(seed + 1, 2)
    found = index.search(queries, k, among=among)
    assert found.ids.shape == found.similarities.shape == (2, min(k, len(stored)))
    for row, query in enumerate(queries):
        assert set(found.ids[row].tolist()) <= stored.keys()
        assert len(set(found.ids[row].tolist())) == found.ids.shape[1]
        if stored:
            wanted = best(stored, query, k)
            assert found.similarities[row] == pytest.approx(wanted, abs=2e-3)


@pytest.mark.parametrize("limit", [EXACT_LIMIT, 100])
def test_within_finds_all_vectors_above_a_cosine(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixquery.engine.vectors, "EXACT_LIMIT", limit)
    vectors = clustered(5, 3000, 16)
    ids = np.arange(7, 3007, dtype=np.int64)
    index = built(ids, vectors, vectors[:200])
    queries = vectors[::60]
    near = index.within(queries, 0.75)
    cosines = queries @ vectors.T
    found = set(zip(near.queries.tolist(), near.ids.tolist(), strict=True))
    rows, places = np.nonzero(cosines >= 0.75)
    truth = set(zip(rows.tolist(), ids[places].tolist(), strict=True))
    borderline = {
        pair for pair in found ^ truth if abs(cosines[pair[0], pair[1] - 7] - 0.75) < 1e-3
    }
    assert len(truth) > 200
    assert found - truth <= borderline
    assert len(truth - found - borderline) <= (0 if limit == EXACT_LIMIT else 0.01 * len(truth))
    exact = cosines[near.queries, near.ids - 7]
    assert near.similarities == pytest.approx(exact, abs=2e-3)
    assert len(index.within(queries[:0], 0.75).ids) == 0


def test_a_file_that_is_no_index_is_refused_whatever_its_checksum(tmp_path: Path) -> None:
    """A writer may replace the file after its bytes are checked and before they are read."""
    file = tmp_path / "vectors.faiss"
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(LibraryDamaged, match="cannot be read"):
        VectorIndex.load(file, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
