"""The vector index, which finds the photos nearest to a query. The only file that imports FAISS.

There are two kinds, chosen by size and never by the user: exact search while that is fast, and
beyond that an inverted file with half-precision vectors. It hides FAISS's surprises: an id added
twice is replaced, no answer contains -1, and damaged files are refused before FAISS parses them.
"""

import hashlib
import math
import os
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from pixquery.db.checksums import sha256_of
from pixquery.db.errors import LibraryDamaged, StorageFailed
from pixquery.db.records import Floats, Ids
from pixquery.engine.index_layout import NoIndex, check

EXACT_LIMIT = 20_000
"""Search is exact up to this many vectors: about 1 ms for 256 dimensions on two cores."""

_WANTED_RECALL = 0.993
"""Of the probes; other queries like them find slightly less, and the aim is 0.99 for all."""
_RECALL_DEPTH = 100
_TRAINED_ON = 40
"""Vectors per list to find the lists' centres with."""
_AT_ONCE = 1 << 20
"""Bytes to write at a time."""

Halves = NDArray[np.float16]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keeps FAISS to the calling thread.

    Its other threads wait in a busy loop after each call and take the cores from the encoder: a
    single query is faster without them. OpenMP keeps this setting for each calling thread.
    """
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


class Neighbours(NamedTuple):
    """The vectors nearest to each query, nearest first."""

    ids: Ids
    """int64[q, k]"""
    similarities: Floats
    """float32[q, k], cosines"""


class Pairs(NamedTuple):
    """The vectors near enough to each query, in no order."""

    queries: Ids
    """int64[m], rows of the queries."""
    ids: Ids
    """int64[m]"""
    similarities: Floats
    """float32[m], cosines"""


class VectorIndex:
    """Unit vectors by id, searched by cosine."""

    def __init__(self, dimension: int) -> None:
        """Creates an empty, exact index."""
        self._index = _exact(dimension)

    @classmethod
    def build(
        cls, dimension: int, count: int, batches: Iterable[tuple[Ids, Floats]], probes: Floats
    ) -> "VectorIndex":
        """Builds the kind of index that suits the number of vectors.

        Args:
            dimension: Length of a vector, a.
            count: How many vectors there are.
            batches: int64[n] ids, all different, and unit rows float32[n, a].
            probes: float32[p, a], typical queries; the inverted file is tuned to find more than
                99 % of the hundred vectors nearest to each.
        """
        built = cls(dimension)
        if count > EXACT_LIMIT:
            built._index = _inverted(dimension, count, batches, probes)
        else:
            for ids, vectors in batches:
                built._index.add_with_ids(vectors, ids)
        return built

    @property
    def kind(self) -> str:
        """The kind of index, in words."""
        inner = _inner(self._index)
        if isinstance(inner, faiss.IndexIVF):
            return f"inverted file of {inner.nlist} lists, {inner.nprobe} searched"
        return "exact"

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self._index.d)

    @property
    def outgrown(self) -> bool:
        """Whether another kind of index, or newly trained lists, would serve better by now."""
        inner = _inner(self._index)
        if isinstance(inner, faiss.IndexIVF):
            return not _lists(len(self)) / 2 <= inner.nlist <= _lists(len(self)) * 2
        return len(self) > EXACT_LIMIT

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @_one_thread()
    def add(self, ids: Ids, vectors: Floats) -> None:
        """Adds vectors float32[n, a] under int64[n] ids; a known id is replaced."""
        self.remove(ids)
        self._index.add_with_ids(np.ascontiguousarray(vectors, np.float32), ids)

    @_one_thread()
    def remove(self, ids: Ids) -> None:
        """Removes int64[n] ids; unknown ones are ignored."""
        if len(ids) and len(self):
            self._index.remove_ids(faiss.IDSelectorArray(np.ascontiguousarray(ids, np.int64)))

    @_one_thread()
    def search(self, queries: Floats, k: int, *, among: Ids | None = None) -> Neighbours:
        """Finds the ``k`` vectors nearest to each query, or all if there are fewer.

        Args:
            queries: float32[q, a], unit rows.
            k: At least 1.
            among: Searches only these int64[n] ids; unknown ones are ignored. All of them are
                compared, so that the answer is exact however few there are.
        """
        k = min(k, len(self) if among is None else len(among))
        if k == 0 or not len(self):
            return Neighbours(
                np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32)
            )
        if among is None:
            similarities, ids = self._index.search(queries, k)
            if (ids < 0).any():  # the lists searched contain too few: search all of them
                similarities, ids = self._index.search(queries, k, params=self._everywhere())
            return Neighbours(ids, similarities)
        wanted = _bits(among)
        only = faiss.IDSelectorBitmap(wanted)
        similarities, ids = self._index.search(queries, k, params=self._everywhere(sel=only))
        known = int((ids[0] >= 0).sum())  # the same for each query
        return Neighbours(ids[:, :known], similarities[:, :known])

    def within(self, queries: Floats, least: float) -> Pairs:
        """Finds all vectors near each query, however many, on all cores.

        Args:
            queries: float32[q, a], unit rows. They and their answers are in memory at once.
            least: The least cosine that counts as near.
        """
        radius = float(
            np.nextafter(np.float32(least), np.float32(-2))
        )  # FAISS leaves out the radius itself
        ends, similarities, ids = self._index.range_search(queries, radius)
        rows = np.repeat(np.arange(len(queries)), np.diff(ends.astype(np.int64)))
        return Pairs(rows, ids, similarities)

    def _everywhere(self, **more: Any) -> faiss.SearchParameters:
        """Parameters of a search through all lists."""
        inner = _inner(self._index)
        if isinstance(inner, faiss.IndexIVF):
            return faiss.SearchParametersIVF(nprobe=inner.nlist, **more)
        return faiss.SearchParameters(**more)

    @_one_thread()
    def vectors(self, ids: Ids) -> Floats:
        """The vectors float32[n, a] of int64[n] ids, with the precision of the index.

        Raises:
            KeyError: An id is unknown.
        """
        try:
            return np.asarray(self._index.reconstruct_batch(ids), np.float32)
        except RuntimeError as error:
            raise KeyError(f"not every one of these ids is in the index: {ids}") from error

    def ids(self) -> Ids:
        """All ids int64[n], sorted."""
        inner = _inner(self._index)
        if isinstance(inner, faiss.IndexIVF):
            lists = inner.invlists
            parts = [
                faiss.rev_swig_ptr(lists.get_ids(i), lists.list_size(i)).copy()
                for i in range(inner.nlist)
                if lists.list_size(i)
            ]
            ids = np.concatenate(parts) if parts else np.empty(0, np.int64)
        else:
            ids = faiss.vector_to_array(self._index.id_map)
        return np.sort(ids.astype(np.int64))

    def save(self, file: Path) -> tuple[int, str]:
        """Writes another file and renames it, so that ``file`` is complete or absent.

        Returns:
            Size in bytes and SHA-256.

        Raises:
            StorageFailed: The file cannot be written.
        """
        beside = file.with_name(f"{file.name}.{os.getpid()}.part")
        try:
            with beside.open("wb") as out:
                digest = hashlib.sha256()

                def write(part: bytes) -> None:
                    digest.update(part)
                    out.write(part)

                faiss.write_index(self._index, faiss.PyCallbackIOWriter(write, _AT_ONCE))
                out.flush()
                os.fsync(out.fileno())
                size = out.tell()
            beside.replace(file)
            _sync_folder(file.parent)
        except OSError as error:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise StorageFailed(
                f"the vectors cannot be written to {file} ({error.strerror}): make room or fix "
                "its permissions, then index again; the photos' vectors are safe in the catalogue"
            ) from error
        return size, digest.hexdigest()

    @classmethod
    def load(cls, file: Path, *, sha256: str, writable: bool = False) -> "VectorIndex":
        """Reads an index file and checks its bytes.

        Args:
            file: The file.
            sha256: Of its bytes, in hexadecimal.
            writable: Vectors will be added or removed. Otherwise those of an inverted file stay
                on the disk, mapped into memory, until a search reads their list.

        Raises:
            LibraryDamaged: The file is missing, differs from its checksum, or is no such index.
        """
        try:
            digest = sha256_of(file)
        except OSError as error:
            raise LibraryDamaged(f"the vectors {file} cannot be read: {error.strerror}") from error
        if digest != sha256:
            raise LibraryDamaged(f"the vectors {file} are damaged: their checksum differs")
        try:
            check(file)
        except (NoIndex, OSError) as error:
            raise LibraryDamaged(f"the vectors {file} cannot be read: {error}") from error
        loaded = cls(1)
        try:
            loaded._index = faiss.read_index(str(file), 0 if writable else faiss.IO_FLAG_MMAP)
        except RuntimeError as error:  # a writer has just replaced it
            raise LibraryDamaged(f"the vectors {file} cannot be read: {error}") from error
        return loaded


def _bits(ids: Ids) -> NDArray[np.uint8]:
    """A bitmap uint8[(max + 8) // 8] with the bit of each id set, the lowest bit first."""
    member = np.zeros(int(ids.max()) + 1, np.bool_)
    member[ids] = True
    return np.packbits(member, bitorder="little")


def _exact(dimension: int) -> faiss.Index:
    return faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))


def _inner(index: faiss.Index) -> faiss.Index:
    return faiss.downcast_index(index)


def _lists(count: int) -> int:
    return max(16, int(4 * np.sqrt(count)))


def _inverted(
    dimension: int, count: int, batches: Iterable[tuple[Ids, Floats]], probes: Floats
) -> faiss.Index:
    lists = _lists(count)
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(dimension),
        dimension,
        lists,
        faiss.ScalarQuantizer.QT_fp16,
        faiss.METRIC_INNER_PRODUCT,
    )
    index.cp.spherical = True
    index.cp.niter = 10
    index.cp.seed = 1  # the same photos give the same index
    index.cp.min_points_per_centroid = (
        1  # FAISS would warn of few points per list, which are intended
    )
    # The index stores half precision anyway.
    waiting = deque((ids, vectors.astype(np.float16)) for ids, vectors in batches)
    index.train(_sample(waiting, _TRAINED_ON * lists))
    index.set_direct_map_type(faiss.DirectMap.Hashtable)
    nearest = _Nearest(probes)
    while waiting:  # frees each batch once the index has it
        ids, vectors = waiting.popleft()
        index.add_with_ids(vectors.astype(np.float32), ids)
        nearest.look_at(ids, vectors.astype(np.float32))
    _tune(index, probes, nearest.ids())
    return index


def _sample(batches: Collection[tuple[Ids, Halves]], count: int) -> Floats:
    """About ``count`` of all vectors, the same share of each batch."""
    total = sum(len(ids) for ids, _ in batches)
    rng = np.random.default_rng(1)
    return np.concatenate(
        [
            vectors[rng.permutation(len(ids))[: math.ceil(count * len(ids) / total)]]
            for ids, vectors in batches
        ]
    ).astype(np.float32)


class _Nearest:
    """The true neighbours of queries among vectors that come in batches."""

    def __init__(self, queries: Floats) -> None:
        self._queries = queries
        self._similarities: list[Floats] = []
        self._ids: list[Ids] = []

    def look_at(self, ids: Ids, vectors: Floats) -> None:
        depth = min(_RECALL_DEPTH, len(ids))
        similarities, rows = faiss.knn(
            self._queries, vectors, depth, metric=faiss.METRIC_INNER_PRODUCT
        )
        self._similarities.append(similarities)
        self._ids.append(ids[rows])

    def ids(self) -> Ids:
        """The ids int64[q, 100] of the nearest vectors, in no order."""
        similarities, ids = np.concatenate(self._similarities, 1), np.concatenate(self._ids, 1)
        depth = min(_RECALL_DEPTH, ids.shape[1])
        best = np.argpartition(-similarities, depth - 1, axis=1)[:, :depth]
        return np.take_along_axis(ids, best, 1)


def _tune(index: faiss.IndexIVF, probes: Floats, wanted: Ids) -> None:
    """Sets how many lists to search: as few as find the probes' true neighbours int64[p, depth]."""
    nprobe = 8
    while nprobe < index.nlist:
        index.nprobe = nprobe
        _, ids = index.search(probes, wanted.shape[1])
        hits = sum(len(np.intersect1d(a, b)) for a, b in zip(wanted, ids, strict=True))
        if hits >= _WANTED_RECALL * wanted.size:
            return
        nprobe = math.ceil(nprobe * 1.2)
    index.nprobe = index.nlist


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # Windows cannot open a folder; its renames are durable anyway
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
