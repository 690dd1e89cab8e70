"""The vector index: which photos' vectors lie nearest to a query's. The only file that knows FAISS.

Two rungs, chosen by size and never by the user: exact search while that is fast, an inverted file
with half-precision vectors beyond. What FAISS does by surprise stops here: an id added twice is
replaced, no answer holds -1, damaged files are refused before FAISS parses them.
"""

import hashlib
import math
import os
from collections import deque
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from pixquery.db.errors import LibraryDamaged, StorageFailed
from pixquery.db.records import Floats, Ids

EXACT_LIMIT = 20_000
"""Up to this many vectors search is exact: about 1 ms for 256 dimensions on two cores."""

# FAISS's threads wait in a busy loop after each search and take the cores from the encoder: one
# query a time is quicker without them.
_THREADS = faiss.omp_get_max_threads()
"""For building: what the process may use, or $OMP_NUM_THREADS."""
faiss.omp_set_num_threads(1)

_WANTED_RECALL = 0.993
"""Of the probes; other queries of their kind find a little less, and 0.99 is meant for all."""
_RECALL_DEPTH = 100
_TRAINED_ON = 40
"""Vectors for each list, to find the lists' centres."""
_AT_ONCE = 1 << 20
"""Bytes written at a time."""

Halves = NDArray[np.float16]


class Neighbours(NamedTuple):
    """What lies nearest to each query, nearest first."""

    ids: Ids
    """int64[q, k]"""
    similarities: Floats
    """float32[q, k], cosines"""


class Pairs(NamedTuple):
    """What lies near enough to some queries, in no order."""

    queries: Ids
    """int64[m], rows of the queries."""
    ids: Ids
    """int64[m]"""
    similarities: Floats
    """float32[m], cosines"""


class VectorIndex:
    """Unit vectors by id, searched by cosine."""

    def __init__(self, dimension: int) -> None:
        """Begins empty and exact."""
        self._index = _exact(dimension)

    @classmethod
    def build(
        cls, dimension: int, count: int, batches: Iterable[tuple[Ids, Floats]], probes: Floats
    ) -> "VectorIndex":
        """Makes an index on the rung that suits the number of vectors.

        Args:
            dimension: Length of a vector, a.
            count: How many vectors there are.
            batches: int64[n] ids, none twice, and unit rows float32[n, a].
            probes: float32[p, a], typical queries; the inverted file is tuned until it finds
                more than 99 % of their hundred nearest.
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
        """The rung, in words."""
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
        """Whether another rung, or lists trained anew, would now serve better."""
        inner = _inner(self._index)
        if isinstance(inner, faiss.IndexIVF):
            return not _lists(len(self)) / 2 <= inner.nlist <= _lists(len(self)) * 2
        return len(self) > EXACT_LIMIT

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, ids: Ids, vectors: Floats) -> None:
        """Adds vectors float32[n, a] under int64[n] ids; a known id is replaced."""
        self.remove(ids)
        self._index.add_with_ids(np.ascontiguousarray(vectors, np.float32), ids)

    def remove(self, ids: Ids) -> None:
        """Removes int64[n] ids; unknown ones are no error."""
        if len(ids) and len(self):
            self._index.remove_ids(faiss.IDSelectorArray(np.ascontiguousarray(ids, np.int64)))

    def search(self, queries: Floats, k: int, *, among: Ids | None = None) -> Neighbours:
        """Finds the ``k`` nearest of each query, or all where there are fewer.

        Args:
            queries: float32[q, a], unit rows.
            k: At least 1.
            among: Only these int64[n] ids, of which unknown ones are no error. All of them are
                compared then, so that the answer is exact however few they are.
        """
        k = min(k, len(self) if among is None else len(among))
        if k == 0 or not len(self):
            return Neighbours(
                np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32)
            )
        if among is None:
            similarities, ids = self._index.search(queries, k)
            if (ids < 0).any():  # the lists that were searched hold too few: search all of them
                similarities, ids = self._index.search(queries, k, params=self._everywhere())
            return Neighbours(ids, similarities)
        wanted = _bits(among)
        only = faiss.IDSelectorBitmap(wanted)
        similarities, ids = self._index.search(queries, k, params=self._everywhere(sel=only))
        held = int((ids[0] >= 0).sum())  # as many for each query: all that are known
        return Neighbours(ids[:, :held], similarities[:, :held])

    def within(self, queries: Floats, least: float) -> Pairs:
        """Finds all that lie near each query, however many.

        Args:
            queries: float32[q, a], unit rows. They and what they find are in memory at once.
            least: The cosine that is near enough.
        """
        radius = float(np.nextafter(np.float32(least), np.float32(-2)))  # FAISS leaves it out
        faiss.omp_set_num_threads(_THREADS)
        try:
            ends, similarities, ids = self._index.range_search(queries, radius)
        finally:
            faiss.omp_set_num_threads(1)
        rows = np.repeat(np.arange(len(queries)), np.diff(ends.astype(np.int64)))
        return Pairs(rows, ids, similarities)

    def _everywhere(self, **more: Any) -> faiss.SearchParameters:
        """Lets a search look at all vectors."""
        inner = _inner(self._index)
        if isinstance(inner, faiss.IndexIVF):
            return faiss.SearchParametersIVF(nprobe=inner.nlist, **more)
        return faiss.SearchParameters(**more)

    def vectors(self, ids: Ids) -> Floats:
        """The vectors float32[n, a] of int64[n] known ids, as the index holds them.

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
            found = np.concatenate(parts) if parts else np.empty(0, np.int64)
        else:
            found = faiss.vector_to_array(self._index.id_map)
        return np.sort(found.astype(np.int64))

    def save(self, file: Path) -> tuple[int, str]:
        """Writes beside and renames, so that ``file`` is whole or absent.

        Returns:
            Size in bytes and SHA-256.

        Raises:
            StorageFailed: The file cannot be written.
        """
        beside = file.with_name(f"{file.name}.{os.getpid()}.part")
        try:
            with beside.open("wb") as out:
                digest = hashlib.sha256()

                def write(some: bytes) -> None:
                    digest.update(some)
                    out.write(some)

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
        """Reads an index whose bytes are known.

        Args:
            file: The file.
            sha256: Of its bytes, in hexadecimal.
            writable: Vectors will be added or removed. Otherwise those of an inverted file stay
                on the disk, mapped into memory, until a search touches their list.

        Raises:
            LibraryDamaged: The file is missing or its bytes are others.
        """
        try:
            with file.open("rb") as opened:
                digest = hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as error:
            raise LibraryDamaged(f"the vectors {file} cannot be read: {error.strerror}") from error
        if digest != sha256:
            raise LibraryDamaged(f"the vectors {file} are damaged: their checksum differs")
        loaded = cls(1)
        try:
            loaded._index = faiss.read_index(str(file), 0 if writable else faiss.IO_FLAG_MMAP)
        except RuntimeError as error:  # a writer has just replaced it
            raise LibraryDamaged(f"the vectors {file} cannot be read: {error}") from error
        return loaded


def _bits(ids: Ids) -> NDArray[np.uint8]:
    """uint8[(max + 8) // 8]: the bits at the ids' places are set, the lowest first."""
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
    index.cp.min_points_per_centroid = 1  # few points a list are meant, and no cause for a warning
    # Half precision is what the index will hold of them anyway.
    waiting = deque((ids, vectors.astype(np.float16)) for ids, vectors in batches)
    faiss.omp_set_num_threads(_THREADS)
    try:
        index.train(_sample(waiting, _TRAINED_ON * lists))
        index.set_direct_map_type(faiss.DirectMap.Hashtable)
        nearest = _Nearest(probes)
        while waiting:  # each batch is let go of once the index holds it
            ids, vectors = waiting.popleft()
            index.add_with_ids(vectors.astype(np.float32), ids)
            nearest.look_at(ids, vectors.astype(np.float32))
        _tune(index, probes, nearest.ids())
    finally:
        faiss.omp_set_num_threads(1)
    return index


def _sample(batches: Collection[tuple[Ids, Halves]], count: int) -> Floats:
    """Some ``count`` of all vectors, evenly from all batches."""
    total = sum(len(ids) for ids, _ in batches)
    rng = np.random.default_rng(1)
    return np.concatenate(
        [
            vectors[rng.permutation(len(ids))[: math.ceil(count * len(ids) / total)]]
            for ids, vectors in batches
        ]
    ).astype(np.float32)


class _Nearest:
    """The true neighbours of some queries among vectors that come in batches."""

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
        """The nearest, int64[q, 100]."""
        similarities, ids = np.concatenate(self._similarities, 1), np.concatenate(self._ids, 1)
        depth = min(_RECALL_DEPTH, ids.shape[1])
        best = np.argpartition(-similarities, depth - 1, axis=1)[:, :depth]
        return np.take_along_axis(ids, best, 1)


def _tune(index: faiss.IndexIVF, probes: Floats, wanted: Ids) -> None:
    """Searches as few lists as find 99 % of the probes' true neighbours int64[p, depth]."""
    nprobe = 8
    while nprobe < index.nlist:
        index.nprobe = nprobe
        _, found = index.search(probes, wanted.shape[1])
        hits = sum(len(np.intersect1d(a, b)) for a, b in zip(wanted, found, strict=True))
        if hits >= _WANTED_RECALL * wanted.size:
            return
        nprobe = math.ceil(nprobe * 1.2)
    index.nprobe = index.nlist


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # Windows cannot open a folder; its rename is durable without
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
