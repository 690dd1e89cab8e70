"""The layout of index files: whether a file can be one, before FAISS reads it.

FAISS takes each length in a file at its word, and asks for that much memory. A library's maker
chooses the file and its checksum, so the lengths are compared with the size of the file, and the
places of vectors with the lists they are in. Only the two kinds that pixquery writes are known;
faiss/impl/index_write.cpp has their layout, the same from 1.10 to 1.15.
"""

import os
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

_FLAT, _MAPPED, _INVERTED, _LISTS = b"IxFI", b"IxM2", b"IwSq", b"ilar"
_INNER_PRODUCT = 0
_HALF = 4
"""FAISS's number of the half-precision quantizer."""
_HASHED = 2
"""FAISS's number of the map from ids to places that is a hash table."""
_MOST_DIMENSIONS = 65_536

Places = NDArray[np.uint64]


class NoIndex(ValueError):
    """The file is no index that pixquery writes; the message says what is odd about it."""


def check(file: Path) -> None:
    """Compares the lengths in an index file with each other and with the size of the file.

    Raises:
        NoIndex: They cannot be.
        OSError: The file cannot be read.
    """
    with file.open("rb") as opened:
        layout = _Layout(opened)
        kind = layout.bytes(4)
        if kind == _MAPPED:
            layout.mapped()
        elif kind == _INVERTED:
            layout.inverted()
        else:
            raise NoIndex("its kind is unknown")
        layout.end()


class _Layout:
    """A file that is read from its beginning to its end, without its vectors."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = os.fstat(file.fileno()).st_size

    def bytes(self, count: int) -> bytes:
        content = self._file.read(count) if 0 <= count <= self._left else b""
        if len(content) != count:
            raise NoIndex("it is shorter than it says")
        self._left -= count
        return content

    def skip(self, count: int) -> None:
        if not 0 <= count <= self._left:
            raise NoIndex("it is shorter than it says")
        self._file.seek(count, os.SEEK_CUR)
        self._left -= count

    def numbers(self, form: str) -> tuple[int, ...]:
        return struct.unpack(f"<{form}", self.bytes(struct.calcsize(f"<{form}")))

    def integers(self, each: int = 1) -> Places:
        """uint64[n, each], after their number n."""
        (count,) = self.numbers("Q")
        if count > self._left:
            raise NoIndex("it is shorter than it says")
        return np.frombuffer(self.bytes(8 * each * count), np.uint64).reshape(-1, each)

    def end(self) -> None:
        if self._left:
            raise NoIndex("it is longer than it says")

    def header(self) -> tuple[int, int]:
        """Dimension and number of vectors."""
        dimension, total, _, _, trained, metric = self.numbers("iqqqBi")
        if not 0 < dimension <= _MOST_DIMENSIONS or total < 0:
            raise NoIndex(f"it has {dimension} dimensions and {total} vectors")
        if (trained, metric) != (1, _INNER_PRODUCT):
            raise NoIndex("it does not compare vectors by inner product")
        return dimension, total

    def flat(self) -> tuple[int, int]:
        """An index of whole vectors."""
        if self.bytes(4) != _FLAT:
            raise NoIndex("its vectors are of an unknown kind")
        dimension, total = self.header()
        (count,) = self.numbers("Q")
        if count != dimension * total:
            raise NoIndex(f"{total} vectors of {dimension} numbers are not {count} numbers")
        self.skip(4 * count)
        return dimension, total

    def mapped(self) -> None:
        """Whole vectors, then their ids."""
        header = self.header()
        if self.flat() != header or len(self.integers()) != header[1]:
            raise NoIndex("it has other vectors than ids")

    def inverted(self) -> None:
        """Lists of half-precision vectors and their ids, and where each id is."""
        dimension, total = self.header()
        lists, searched = self.numbers("QQ")
        if not 0 < searched <= lists:
            raise NoIndex(f"it searches {searched} of {lists} lists")
        if self.flat() != (dimension, lists):
            raise NoIndex("it has other lists than centres")
        (mapping,) = self.numbers("B")
        array, places = self.integers(), self.integers(each=2)
        if mapping != _HASHED or len(array) or len(places) != total:
            raise NoIndex("it does not say where each vector is")
        kind, _, _, width, size = self.numbers("iifQQ")
        (trained,) = self.numbers("Q")
        self.skip(4 * trained)
        again, _ = self.numbers("QB")
        if (kind, width) != (_HALF, dimension) or not size == again == 2 * dimension:
            raise NoIndex("its vectors are not of half precision")
        if self.bytes(4) != _LISTS or self.numbers("QQ") != (lists, size):
            raise NoIndex("its lists are of an unknown kind")
        lengths = self._lengths(lists)
        if lengths.max(initial=0) > total or int(lengths.sum()) != total:
            raise NoIndex("its lists hold other vectors than it says")
        if total * (size + 8) != self._left:
            raise NoIndex("its lists hold other vectors than it says")
        self._check_places(places[:, 1], lengths)
        self.skip(self._left)

    def _lengths(self, lists: int) -> Places:
        """How many vectors each list has, uint64[lists]; empty ones may be left out."""
        lengths = np.zeros(lists, np.uint64)
        kind, values = self.bytes(4), self.integers()[:, 0]
        if kind == b"full" and len(values) == lists:
            return values
        if kind != b"sprs" or len(values) % 2 or (values[::2] >= lists).any():
            raise NoIndex("the lengths of its lists are of an unknown kind")
        lengths[values[::2]] = values[1::2]
        return lengths

    @staticmethod
    def _check_places(places: Places, lengths: Places) -> None:
        """Compares the list and the place in it that each id has, 32 bits each, with the lists."""
        lists, offsets = places >> np.uint64(32), places & np.uint64(0xFFFFFFFF)
        if (lists >= len(lengths)).any() or (offsets >= lengths[lists]).any():
            raise NoIndex("it says that vectors are where there are none")
