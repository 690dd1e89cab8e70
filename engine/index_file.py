"""The index file of a library: its vectors, derived from the catalogue and kept in step with it.

The file is named by the catalogue's revision and trusted only while its checksum holds. If it is
missing, damaged or older than the catalogue, it is rebuilt or brought up to date.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

import numpy as np

from pixquery.db.catalog import Catalog
from pixquery.db.checksums import sha256_of
from pixquery.db.connections import damaged
from pixquery.db.errors import LibraryDamaged, LibraryLocked, ProfileMismatch, StorageFailed
from pixquery.db.quoting import library_option
from pixquery.db.records import Floats, Generation, Ids
from pixquery.engine.concepts import names_of, taught
from pixquery.engine.lock import writers_lock
from pixquery.engine.profile import Profile

if TYPE_CHECKING:  # FAISS is loaded with the first index; indexing nothing new needs none
    from pixquery.engine.vectors import VectorIndex


@dataclass(frozen=True, slots=True)
class Loaded:
    """Vectors, and the profile they are from: a query of another one must not meet them."""

    index: "VectorIndex"
    profile: Profile
    """The library's, with its concepts."""
    revision: int
    """The catalogue's, when the vectors were loaded."""


class IndexFile:
    """The published vectors of one library, loaded when they are first used.

    Attributes:
        base: The library's profile without its concepts.
    """

    def __init__(self, folder: Path, catalog: Catalog, profile: Profile) -> None:
        """Reads nothing yet.

        Args:
            folder: The library's, which contains the file.
            catalog: The library's, which the file is derived from.
            profile: Whose encoder and alignment the vectors come from, with the concepts that the
                catalogue holds.
        """
        self._folder = folder
        self._catalog = catalog
        self.base = profile
        self._loaded: Loaded | None = None
        self._current: Profile | None = None
        """What :meth:`_taught` returned last."""
        self._opening = RLock()

    # -- reading --------------------------------------------------------------------------------

    @property
    def loaded(self) -> Loaded:
        """The vectors, in step with the catalogue unless a writer is at work, and their profile.

        Raises:
            ProfileMismatch: The library has another profile by now, or no photo has a vector of
                this one.
        """
        loaded = self._loaded
        if loaded is None:
            with self._opening:
                if self._loaded is None:
                    self._loaded = self._open(self._catalog.revision)
                loaded = self._loaded
        return loaded

    @property
    def profile(self) -> Profile:
        """The profile of the loaded vectors, or the one they will have."""
        return self._taught() if self._loaded is None else self._loaded.profile

    def refresh(self) -> None:
        """Loads the vectors again if another process changed the library since."""
        with self._opening:
            revision = self._catalog.revision
            if self._loaded is not None and self._loaded.revision != revision:
                self._loaded = self._open(revision)

    def load(self, published: Generation | None, *, writable: bool = False) -> "VectorIndex | None":
        """The vectors of a published file; none if it is damaged or of another alignment."""
        return self._load(published, self._taught(), writable=writable)

    def _load(
        self, published: Generation | None, profile: Profile, *, writable: bool = False
    ) -> "VectorIndex | None":
        from pixquery.engine.vectors import VectorIndex

        if published is None or published.space != _space(profile):
            return None
        try:
            file = self._folder / published.file
            return VectorIndex.load(file, sha256=published.sha256, writable=writable)
        except LibraryDamaged:
            return None

    def aligned(
        self, profile: Profile | None = None, *, since: int = 0
    ) -> Iterator[tuple[Ids, Floats]]:
        """The catalogue's vectors, aligned, in batches by id.

        Args:
            profile: Whose alignment to use; by default the library's with its concepts.
            since: Only vectors written after this revision.

        Yields:
            int64[n] ids and unit rows float32[n, a].

        Raises:
            LibraryDamaged: A vector is damaged, of another length than the encoder's, or no number.
        """
        profile = profile or self._taught()
        encoders, alignment = profile.readable, profile.alignment
        lengths = set(encoders.values())
        last = 0
        while batches := self._catalog.raw_vectors(*encoders, since=since, after=last):
            for ids, raw in batches:
                if raw.shape[1] not in lengths:
                    raise damaged(self._catalog.file, "vectors that no encoder computes")
                vectors = raw.astype(np.float32)
                vectors[~np.isfinite(vectors).all(1)] = 0  # like nothing, until `verify` is run
                yield ids, alignment.images(vectors)
            last = max(int(ids[-1]) for ids, _ in batches)

    def _open(self, revision: int) -> Loaded:
        for _ in range(3):  # a writer may publish and clean up between our two reads
            published = self._catalog.generation()
            profile = self._taught()
            index = self._load(published, profile)
            if index is not None or published == self._catalog.generation():
                break
        in_step = published is not None and published.revision == self._catalog.revision
        if index is not None and in_step:
            return Loaded(index, profile, revision)
        self._check_profile()
        self._check_encoded()
        with (
            suppress(LibraryLocked, StorageFailed),
            writers_lock(self._folder, brief=True, patience=0),
        ):
            self._catalog.bring_up_to_date()
            before = self._loaded
            self.publish()
            if self._loaded is not None and self._loaded is not before:
                return self._loaded
            profile = self._taught()
            index = self._load(self._catalog.generation(), profile)  # another process was quicker
        # A writer is at work, or the folder is read-only: use what there is.
        return Loaded(self._build(profile) if index is None else index, profile, revision)

    def _taught(self) -> Profile:
        """The profile with the concepts that the catalogue holds now."""
        self._current = taught(self.base, self._catalog, self._catalog.examples(), self._current)
        return self._current

    def _check_profile(self) -> None:
        """Refuses to answer with, or to publish, vectors of a profile that is not the library's."""
        own = self._catalog.setting("profile")
        if own and own != self.base.reference:
            raise ProfileMismatch(
                f"the library {self._folder} answers with the profile {own} and was opened with "
                f"{self.base.reference}: open it again"
            )

    def _check_encoded(self) -> None:
        """Refuses to answer from photos that another version of the profile has encoded."""
        if len(self._catalog) and not len(self._photos(self.base)):
            raise ProfileMismatch(
                f"no photo of the library {self._folder} was encoded with the current version of "
                f"the profile {self.base.name}: encode them again with "
                f"`pixquery index{library_option(self._folder)}`"
            )

    def _photos(self, profile: Profile) -> Ids:
        """The ids int64[n] of the photos that can be searched."""
        return self._catalog.vector_ids(*profile.readable)

    # -- writing --------------------------------------------------------------------------------

    def publish(self) -> None:
        """Brings the file in step with the catalogue; for the one writer.

        Raises:
            ProfileMismatch: The library was switched to another profile meanwhile.
            StorageFailed: The file cannot be written; the catalogue is intact.
        """
        self.note_names()
        published, profile = self._catalog.generation(), self._taught()
        in_step = published is not None and published.revision == self._catalog.revision
        if published is not None and in_step and self._is_intact(published, profile):
            return
        self._check_profile()
        index = self._load(published, profile, writable=True)
        if published is None or index is None:
            self._quarantine(published, profile)
            index = self._build(profile)
        else:
            index = self._caught_up(index, profile, published.revision)
        self._catalog.publish(self._save(index, profile))
        self._tidy()

    def replace(self) -> None:
        """Puts the file aside, whatever is wrong with it, and publishes another."""
        self._quarantine(self._catalog.generation(), self._taught())
        self.publish()

    def adopt(self) -> None:
        """Makes the profile the library's own, and publishes the file of its vectors with it."""
        self.note_names()
        profile = self._taught()
        built = self._save(self._build(profile), profile)
        self._catalog.adopt(self.base.reference, self.base.quality, built)
        self._tidy()

    def teach(self, profile: Profile, commit: Callable[[Generation], None]) -> None:
        """Publishes the vectors of a profile together with the change of concepts it comes from.

        Args:
            profile: The library's, with the concepts as they will be.
            commit: Writes them and the new file to the catalogue, in one transaction.

        Raises:
            ProfileMismatch: The library has another profile by now, or no photo has a vector of
                this one.
            StorageFailed: The file cannot be written; the catalogue is intact.
        """
        self._check_profile()
        self._check_encoded()
        index, revision = self._build(profile), self._catalog.revision + 1
        commit(self._written(index, profile, revision))
        self._loaded, self._current = Loaded(index, profile, revision), profile
        self._tidy()

    def note_names(self, *new: str) -> None:
        """Notes the vectors of concepts' names that this text encoder has not encoded yet.

        An alignment depends on every bit of them, and not every processor computes the same bits.

        Args:
            new: Concepts that the catalogue will hold.
        """
        concepts = {*new, *(example.concept for example in self._catalog.examples())}
        noted = self._catalog.concept_names(self.base.text_encoder)
        if missing := sorted(concepts - noted.keys()):
            names = names_of(self.base, self._catalog, missing)
            self._catalog.note_names(names, self.base.text_encoder)

    def _save(self, index: "VectorIndex", profile: Profile) -> Generation:
        """Writes an index that is in step with the catalogue, and answers from it from now on."""
        revision = self._catalog.revision
        generation = self._written(index, profile, revision)
        self._loaded = Loaded(index, profile, revision)
        return generation

    def _written(self, index: "VectorIndex", profile: Profile, revision: int) -> Generation:
        # A new name each time: a reader may still have the last file mapped.
        name = f"vectors-{revision:08d}-{time.time_ns():x}.faiss"
        size, sha256 = index.save(self._folder / name)
        return Generation(name, size, sha256, revision, _space(profile))

    def _tidy(self) -> None:
        """Removes the files of earlier generations."""
        published = self._catalog.generation()
        for file in self._folder.glob("vectors-*.faiss*"):
            if published and file.name != published.file and ".corrupt-" not in file.name:
                with suppress(OSError):  # Windows removes no file that a reader has mapped
                    file.unlink()

    def _is_intact(self, published: Generation, profile: Profile) -> bool:
        """Whether the file is for this profile and matches its checksum."""
        if published.space != _space(profile):
            return False
        with suppress(OSError):
            return sha256_of(self._folder / published.file) == published.sha256
        return False

    def _quarantine(self, published: Generation | None, profile: Profile) -> None:
        """Puts a damaged file aside; one of another alignment is merely out of date."""
        if published is not None and published.space == _space(profile):
            file = self._folder / published.file
            with suppress(OSError):  # Windows renames no file that a reader has mapped
                file.rename(file.with_name(f"{file.name}.corrupt-{time.time_ns()}"))

    def _build(self, profile: Profile) -> "VectorIndex":
        """An index of all photos, from their raw vectors."""
        from pixquery.engine.vectors import VectorIndex

        alignment = profile.alignment
        revision = self._catalog.revision
        count = len(self._photos(profile))
        vectors = self.aligned(profile)
        index = VectorIndex.build(alignment.dimension, count, vectors, alignment.probes)
        if len(index) != count and revision == self._catalog.revision:  # else a writer is at work
            raise damaged(self._catalog.file, "vectors cannot be found")
        return index

    def _caught_up(self, index: "VectorIndex", profile: Profile, since: int) -> "VectorIndex":
        """The index with the changes made after the revision ``since``."""
        photos = self._photos(profile)
        index.remove(np.setdiff1d(index.ids(), photos))
        for ids, vectors in self.aligned(profile, since=since):
            index.add(ids, vectors)
        # If the numbers differ, the catalogue's record of changes is damaged.
        return self._build(profile) if index.outgrown or len(index) != len(photos) else index


def _space(profile: Profile) -> str:
    """What a file's vectors are from: the digests of encoder and alignment.

    Not the quality: a reader can search photos that were encoded at another one.
    """
    return f"{profile.source}-{profile.alignment.digest}"
