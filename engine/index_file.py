"""The index file of a library: its vectors, derived from the catalogue and kept in step with it.

The file is named by the catalogue's revision and trusted only while its checksum holds. If it is
missing, damaged or older than the catalogue, it is rebuilt or brought up to date.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

import numpy as np

from pixquery.db.catalog import Catalog
from pixquery.db.checksums import sha256_of
from pixquery.db.connections import damaged
from pixquery.db.errors import LibraryDamaged, LibraryLocked, ProfileMismatch, StorageFailed
from pixquery.db.quoting import quoted
from pixquery.db.records import Floats, Generation, Ids
from pixquery.engine.lock import writers_lock
from pixquery.engine.profile import Profile

if TYPE_CHECKING:  # FAISS is loaded with the first index; indexing nothing new needs none
    from pixquery.engine.vectors import VectorIndex


class IndexFile:
    """The published vectors of one library, loaded when they are first used."""

    def __init__(self, folder: Path, catalog: Catalog, profile: Profile) -> None:
        """Reads nothing yet.

        Args:
            folder: The library's, which contains the file.
            catalog: The library's, which the file is derived from.
            profile: Whose encoder and alignment the vectors come from.
        """
        self._folder = folder
        self._catalog = catalog
        self._profile = profile
        self._index: VectorIndex | None = None
        self._revision = 0
        """The catalogue's, when the index was loaded."""
        self._opening = RLock()

    # -- reading --------------------------------------------------------------------------------

    @property
    def index(self) -> "VectorIndex":
        """The vectors, in step with the catalogue unless a writer is at work.

        Raises:
            ProfileMismatch: The library has another profile by now, or no photo has a vector of
                this one.
        """
        index = self._index
        if index is None:
            with self._opening:
                if self._index is None:
                    self._revision = self._catalog.revision
                    self._index = self._open()
                index = self._index
        return index

    def refresh(self) -> None:
        """Loads the vectors again if another process changed the library since."""
        with self._opening:
            revision = self._catalog.revision
            if self._index is not None and self._revision != revision:
                self._index, self._revision = self._open(), revision

    def load(self, published: Generation | None, *, writable: bool = False) -> "VectorIndex | None":
        """The vectors of a published file; none if it is damaged or of another alignment."""
        from pixquery.engine.vectors import VectorIndex

        if published is None or published.space != self._space:
            return None
        try:
            file = self._folder / published.file
            return VectorIndex.load(file, sha256=published.sha256, writable=writable)
        except LibraryDamaged:
            return None

    def aligned(self, *, since: int = 0) -> Iterator[tuple[Ids, Floats]]:
        """The catalogue's vectors, aligned, in batches.

        Args:
            since: Only vectors written after this revision.

        Yields:
            int64[n] ids and unit rows float32[n, a].
        """
        encoders, alignment = self._profile.readable, self._profile.alignment
        last = 0
        while batches := self._catalog.raw_vectors(*encoders, since=since, after=last):
            for ids, raw in batches:
                yield ids, alignment.images(raw.astype(np.float32))
            last = max(int(ids[-1]) for ids, _ in batches)

    def _open(self) -> "VectorIndex":
        for _ in range(3):  # a writer may publish and clean up between our two reads
            published = self._catalog.generation()
            index = self.load(published)
            if index is not None or published == self._catalog.generation():
                break
        in_step = published is not None and published.revision == self._catalog.revision
        if index is not None and in_step:
            return index
        self._check_profile()
        if len(self._catalog) and not len(self._photos()):
            raise ProfileMismatch(
                f"no photo of the library {self._folder} was encoded with the current version of "
                f"the profile {self._profile.name}: encode them again with "
                f"`pixquery index --library {quoted(self._folder)}`"
            )
        with suppress(LibraryLocked, StorageFailed), writers_lock(self._folder):
            before = self._index
            self.publish()
            if self._index is not None and self._index is not before:
                return self._index
            index = self.load(self._catalog.generation())  # another process was quicker
        # A writer is at work, or the folder is read-only: use what there is.
        return index if index is not None else self._build()

    def _check_profile(self) -> None:
        """Refuses to answer with, or to publish, vectors of a profile that is not the library's."""
        own = self._catalog.setting("profile")
        if own and own != self._profile.reference:
            raise ProfileMismatch(
                f"the library {self._folder} answers with the profile {own} and was opened with "
                f"{self._profile.reference}: open it again"
            )

    @property
    def _space(self) -> str:
        """What a file's vectors are from: the digests of encoder and alignment.

        Not the quality: a reader can search photos that were encoded at another one.
        """
        return f"{self._profile.source}-{self._profile.alignment.digest}"

    def _photos(self) -> Ids:
        """The ids int64[n] of the photos that can be searched."""
        return self._catalog.vector_ids(*self._profile.readable)

    # -- writing --------------------------------------------------------------------------------

    def publish(self) -> None:
        """Brings the file in step with the catalogue; for the one writer.

        Raises:
            ProfileMismatch: The library was switched to another profile meanwhile.
            StorageFailed: The file cannot be written; the catalogue is intact.
        """
        published = self._catalog.generation()
        in_step = published is not None and published.revision == self._catalog.revision
        if published is not None and in_step and self._is_intact(published):
            return
        self._check_profile()
        index = self.load(published, writable=True)
        if published is None or index is None:
            self._quarantine(published)
            index = self._build()
        else:
            index = self._caught_up(index, published.revision)
        self._catalog.publish(self._save(index))
        self._tidy()

    def replace(self) -> None:
        """Puts the file aside, whatever is wrong with it, and publishes another."""
        self._quarantine(self._catalog.generation())
        self.publish()

    def adopt(self) -> None:
        """Makes the profile the library's own, and publishes the file of its vectors with it."""
        built = self._save(self._build())
        self._catalog.adopt(self._profile.reference, self._profile.quality, built)
        self._tidy()

    def _save(self, index: "VectorIndex") -> Generation:
        """Writes an index that is in step with the catalogue, and answers from it from now on."""
        revision = self._catalog.revision
        # A new name each time: a reader may still have the last file mapped.
        name = f"vectors-{revision:08d}-{time.time_ns():x}.faiss"
        size, sha256 = index.save(self._folder / name)
        self._index, self._revision = index, revision
        return Generation(name, size, sha256, revision, self._space)

    def _tidy(self) -> None:
        """Removes the files of earlier generations."""
        published = self._catalog.generation()
        for file in self._folder.glob("vectors-*.faiss*"):
            if published and file.name != published.file and ".corrupt-" not in file.name:
                with suppress(OSError):  # Windows removes no file that a reader has mapped
                    file.unlink()

    def _is_intact(self, published: Generation) -> bool:
        """Whether the file is for this profile and matches its checksum."""
        if published.space != self._space:
            return False
        with suppress(OSError):
            return sha256_of(self._folder / published.file) == published.sha256
        return False

    def _quarantine(self, published: Generation | None) -> None:
        """Puts a damaged file aside; one of another alignment is merely out of date."""
        if published is not None and published.space == self._space:
            file = self._folder / published.file
            with suppress(OSError):  # Windows renames no file that a reader has mapped
                file.rename(file.with_name(f"{file.name}.corrupt-{time.time_ns()}"))

    def _build(self) -> "VectorIndex":
        """An index of all photos, from their raw vectors."""
        from pixquery.engine.vectors import VectorIndex

        alignment = self._profile.alignment
        revision = self._catalog.revision
        count = len(self._photos())
        index = VectorIndex.build(alignment.dimension, count, self.aligned(), alignment.probes)
        if len(index) != count and revision == self._catalog.revision:  # else a writer is at work
            raise damaged(self._catalog.file, "vectors cannot be found")
        return index

    def _caught_up(self, index: "VectorIndex", since: int) -> "VectorIndex":
        """The index with the changes made after the revision ``since``."""
        photos = self._photos()
        index.remove(np.setdiff1d(index.ids(), photos))
        for ids, vectors in self.aligned(since=since):
            index.add(ids, vectors)
        # If the numbers differ, the catalogue's record of changes is damaged.
        return self._build() if index.outgrown or len(index) != len(photos) else index
