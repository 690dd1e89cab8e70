"""A library: catalogue, vector index and profile of one folder, kept in step.

The catalogue is the truth. The index file is derived from it, named by the catalogue's revision,
and trusted only while its checksum holds; when it is missing, damaged, or older than the
catalogue, it is made anew or caught up.
"""

import hashlib
import shlex
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from pixquery.db.catalog import Catalog
from pixquery.db.connections import damaged
from pixquery.db.errors import (
    BadData,
    LibraryDamaged,
    LibraryLocked,
    LibraryNotFound,
    NothingFound,
    ProfileError,
    ProfileMismatch,
    QueryRefused,
    StorageFailed,
)
from pixquery.db.records import Filter, Generation, Ids, ImageRecord
from pixquery.engine.answers import Answer, Duplicates, LibraryInfo
from pixquery.engine.checkup import Finding
from pixquery.engine.duplicates import THRESHOLD, duplicates
from pixquery.engine.profile import DEFAULT, Profile, load_profile
from pixquery.engine.search import ALL, Query, Ranking, newest, rank, search

if TYPE_CHECKING:  # FAISS is loaded with the first index: bringing a library up to date needs none
    from pixquery.engine.frames import DataFrame
    from pixquery.engine.policy import Policy
    from pixquery.engine.vectors import VectorIndex

CATALOGUE = "catalogue.sqlite"


class Library:
    """What one index holds; open it with :meth:`open`, close it with ``with`` or :meth:`close`.

    Attributes:
        folder: Where it lies.
        catalog: Its photos.
        profile: The models it was made with.
    """

    def __init__(self, folder: Path, catalog: Catalog, profile: Profile) -> None:
        """Joins the parts; users call :meth:`open`."""
        self.folder = folder
        self.catalog = catalog
        self.profile = profile
        self._index: VectorIndex | None = None
        self._seen = 0
        self._opening = RLock()

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        create: bool = False,
        profile: str | None = None,
        switch: bool = False,
    ) -> "Library":
        """Opens a library.

        Args:
            folder: Its folder; ``~`` is understood.
            create: Make a new one where there is none.
            profile: Name or folder; none means the library's own, or the shipped one when new.
            switch: Open it with another ``profile`` than its own all the same, to index it with
                ``rebuild``; it answers nothing until that one is its own. No ``profile`` means the
                one that an interrupted run began with.

        Raises:
            LibraryNotFound: There is none, and ``create`` is false.
            ProfileMismatch: It was made with another profile.
            ProfileError: The profile cannot be loaded.
            LibraryError: Its files cannot be used.
        """
        place = Path(folder).expanduser().absolute()
        file = place / CATALOGUE
        if not file.is_file():
            if not create:
                raise LibraryNotFound(
                    f"there is no library in {place}: make one with "
                    f"`pixquery index FOLDER --library {place}`"
                )
            models = load_profile(profile or DEFAULT)
            models.refuse_untrained()
            try:
                place.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StorageFailed(
                    f"the library folder {place} cannot be made ({error.strerror}): "
                    "choose another with --library DIR"
                ) from error
            catalog = Catalog(file)
            catalog.keep("profile", models.reference)
        else:
            catalog = Catalog(file)
            made_with = catalog.setting("profile")
            if not made_with and catalog.roots():
                catalog.close()
                raise damaged(file, "it does not tell its profile")
            begun = catalog.setting("switching") if switch else ""
            models = load_profile(profile or begun or made_with or DEFAULT)
            models.refuse_untrained()
            if not made_with and create:  # whoever made it was stopped before it could say
                made_with = models.reference
                catalog.keep("profile", made_with)
            if made_with and models.reference != made_with and not switch:
                catalog.close()
                raise ProfileMismatch(
                    f"the library {place} was made with the profile {made_with}, not "
                    f"{models.reference}: leave out --profile, or choose another library with "
                    "--library DIR, or go over to it with `pixquery index --rebuild --profile "
                    f"{shlex.quote(str(profile))} --library {shlex.quote(str(place))}`"
                )
        return cls(place, catalog, models)

    @staticmethod
    def mend(folder: str | Path) -> None:
        """Mends a catalogue that is too damaged to be opened.

        Raises:
            LibraryDamaged: It was put aside; the message says how to index the photos again.
            LibraryLocked: Another process writes to the library.
            StorageFailed: There is no room to mend it.
        """
        from pixquery.db.salvage import salvage  # few libraries are ever mended

        place = Path(folder).expanduser().absolute()
        with _lock(place):
            salvage(place / CATALOGUE)

    def close(self) -> None:
        """Lets go of the files."""
        self.catalog.close()

    def __enter__(self) -> "Library":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self.catalog)

    def __iter__(self) -> Iterator[ImageRecord]:
        """All photos by id; those whose rows are damaged are left out, :meth:`verify` tells."""
        return self.catalog.everything()

    def to_pandas(self) -> "DataFrame":
        """All photos as a table, by id.

        Raises:
            MissingExtra: pandas is not installed.
        """
        from pixquery.engine import frames

        return frames.of_photos(self)

    # -- asking ---------------------------------------------------------------------------------

    def search(self, query: Query | str, *, k: int = 10, min_relevance: float = 0.0) -> Answer:
        """Answers a query.

        Args:
            query: A text, or a :class:`Query` that says all.
            k: How many hits at the most, where ``query`` is a text.
            min_relevance: Leaves out hits below, where ``query`` is a text.

        Raises:
            BadQuery: Empty, too long, numbers out of range, or a part that the library does not
                know.
            QueryRefused: The library's stop-word policy is on and the text holds one of its words.
            BadData: The policy is on and its list cannot be used; nothing is answered then.
        """
        if isinstance(query, str):
            query = Query(query, k=k, min_relevance=min_relevance)
        self._refuse_stop_words(part.text for part in query.everything)
        return search(query, self.profile, self.index, self.catalog)

    def newest(self, *, k: int = 10, offset: int = 0) -> Answer:
        """The newest photos, where nothing is asked."""
        return newest(ALL, k, offset, self.profile, self.catalog)

    def duplicates(
        self,
        threshold: float = THRESHOLD,
        *,
        where: Filter = ALL,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Duplicates:
        """Groups equal files and other files of the same picture, the best first in each group.

        Args:
            threshold: The least likeness of near copies, in (0, 1]; 1 leaves only equal files.
            where: Which photos are compared.
            progress: Is told how many photos are done, and of how many.

        Raises:
            BadQuery: The threshold is out of range.
        """
        return duplicates(
            self.catalog, self.index, self.profile.encoder, where, threshold, progress
        )

    def rank(self, text: str, *, candidates: int = 200) -> Ranking:
        """The candidates for a text with what the prefilter and the regressor say of them.

        For measuring, which shows nobody a photo: the stop-word policy does not hold here, or the
        figures of a library would depend on it.
        """
        return rank(Query(text), candidates, self.profile, self.index)

    def photo(self, image_id: int) -> ImageRecord:
        """What the catalogue knows of a photo.

        Raises:
            NothingFound: There is none of that number.
        """
        found = self.catalog.records([image_id]).get(image_id)
        if found is None:
            raise NothingFound(
                f"the library holds no photo with the number {image_id}: "
                "take the id of a hit, as --json prints it"
            )
        return found

    def refresh(self) -> None:
        """Sees what other processes have written since the index was opened.

        A reader that lives long calls this before it asks; it costs one small read where nothing
        was written. Other threads go on asking the index that there was.
        """
        with self._opening:
            revision = self.catalog.revision
            if self._index is not None and self._seen != revision:
                self._index, self._seen = self._open_index(), revision

    def info(self) -> LibraryInfo:
        """Counts and sizes."""
        generation = self.catalog.generation()
        return LibraryInfo(
            library=self.folder,
            profile=self.profile.name,
            images=len(self.catalog),
            roots=self.catalog.roots(),
            index=self.index.kind,
            dimension=self.profile.alignment.dimension,
            vectors_bytes=generation.size if generation else 0,
            catalogue_bytes=sum(file.stat().st_size for file in self.folder.glob(f"{CATALOGUE}*")),
            updated=self.catalog.updated,
            switching=self.catalog.setting("switching"),
            encoded=self.catalog.waiting(),
        )

    # -- the stop-word policy -------------------------------------------------------------------

    @property
    def policed(self) -> bool:
        """Whether queries that hold a stop word are refused; as any process set it last."""
        return self.catalog.setting("policy", "off") == "on"

    @property
    def stop_words(self) -> Path:
        """The list of stop words: the library's own, or the shipped one where it has none."""
        from pixquery.engine.policy import SHIPPED, STOP_WORDS

        own = self.folder / STOP_WORDS
        return own if self.policed or own.exists() else SHIPPED

    def policy(self) -> "Policy":
        """The words of :attr:`stop_words`, read anew.

        Raises:
            BadData: The list cannot be used; the message names file, line and the way out.
        """
        from pixquery.engine.policy import Policy  # a query without a policy does without

        try:
            return Policy.load(self.stop_words)
        except BadData as error:
            library = shlex.quote(str(self.folder))
            raise BadData(
                f"{error}: mend it, or delete it and type `pixquery policy on --library {library}` "
                f"for the shipped one, or do without by `pixquery policy off --library {library}`"
            ) from error

    def switch_policy(self, *, on: bool) -> None:
        """Switches the stop-word policy on or off; off is how libraries begin.

        A library without a list of its own gets a copy of the shipped one, for its user to edit.
        An existing one is never changed, nor removed when the policy is switched off.

        Raises:
            BadData: The library's list cannot be used; the policy stays as it was.
            LibraryLocked: Another process writes.
            StorageFailed: The list or the setting cannot be written.
        """
        from pixquery.engine.policy import SHIPPED, STOP_WORDS

        with self.writing():
            own = self.folder / STOP_WORDS
            if on and not own.exists():
                _copy(SHIPPED, own)
            if on:
                self.policy()
            self.catalog.keep("policy", "on" if on else "off")

    def _refuse_stop_words(self, texts: Iterable[str]) -> None:
        if not self.policed:
            return
        policy = self.policy()
        held = list(dict.fromkeys(word for text in texts for word in policy.matches(text)))
        if held:
            words = ", ".join(repr(word) for word in held)
            raise QueryRefused(
                f"the library's stop-word policy refuses this query for {words}: use other words, "
                f"edit {self.stop_words}, or switch the policy off with "
                f"`pixquery policy off --library {shlex.quote(str(self.folder))}`"
            )

    # -- keeping in step ------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Holds the library's one writer's lock; it dies with the process.

        Raises:
            LibraryLocked: Another process holds it.
            StorageFailed: The lock file cannot be made.
        """
        with _lock(self.folder):
            yield

    @property
    def index(self) -> "VectorIndex":
        """The vectors, in step with the catalogue unless a writer is at work."""
        found = self._index
        if found is None:
            with self._opening:
                if self._index is None:
                    self._seen = self.catalog.revision
                    self._index = self._open_index()
                found = self._index
        return found

    def publish(self) -> None:
        """Brings index and index file in step with the catalogue; for writers.

        Raises:
            ProfileMismatch: The library was switched to another profile meanwhile.
            StorageFailed: The file cannot be written; the catalogue is whole.
        """
        published = self.catalog.generation()
        in_step = published is not None and published.revision == self.catalog.revision
        if published is not None and in_step and self._is_whole(published):
            return
        self._check_own()
        index = self._loaded(published, writable=True)
        if published is None or index is None:
            self._quarantine(published)
            index = self._built()
        else:
            index = self._caught_up(index, published.revision)
        self.catalog.publish(self._saved(index))
        self._tidy()

    def _saved(self, index: "VectorIndex") -> Generation:
        """Writes an index, which is in step with the catalogue, to a file and goes on with it."""
        revision = self.catalog.revision
        # A name of its own for each writing: a reader may still be reading the last one.
        name = f"vectors-{revision:08d}-{time.time_ns():x}.faiss"
        size, sha256 = index.save(self.folder / name)
        self._index, self._seen = index, revision
        return Generation(name, size, sha256, revision, self._space)

    def _tidy(self) -> None:
        """Removes the index files of earlier generations."""
        published = self.catalog.generation()
        for file in self.folder.glob("vectors-*.faiss*"):
            if published and file.name != published.file and ".corrupt-" not in file.name:
                with suppress(OSError):  # where a file that a reader maps cannot go
                    file.unlink()

    # -- another profile, or all anew -----------------------------------------------------------

    def encode_anew(self) -> None:
        """Begins to encode all photos anew, or for the profile the library was opened with.

        Until :meth:`adopt` the library goes on answering as before; what an earlier run left
        unfinished is gone on with. Where the photos' raw vectors serve the new profile as well,
        nothing is to be encoded. For writers.
        """
        encoder, reference = self.profile.encoder, self.profile.reference
        own = self.catalog.setting("profile", reference) == reference
        if len(self.catalog) and (own or not self.catalog.answers_with(encoder)):
            self.catalog.fill_coming(encoder)
        self.catalog.keep("switching", reference)

    def adopt(self) -> int:
        """Lets the photos answer that were encoded since :meth:`encode_anew`, if none lacks.

        Photos that could not be read keep the vector they had from the same encoder.

        Returns:
            How many photos have no vector yet; until there are none, nothing changes.
        """
        self.catalog.carry_over(self.profile.encoder)
        lacking = self.lacking()
        if not lacking:
            self.catalog.adopt(self.profile.reference, self._saved(self._built()))
            self._tidy()
        return lacking

    def lacking(self) -> int:
        """How many photos have no vector of the profile that the library was opened with."""
        return self.catalog.lacking(self.profile.encoder)

    @property
    def _space(self) -> str:
        """Which vectors an index file holds: of which encoder, aligned by what."""
        return f"{self.profile.encoder}-{self.profile.alignment.digest}"

    def _check_own(self) -> None:
        """Refuses to answer with, or to publish, what is not of the library's own profile."""
        own = self.catalog.setting("profile")
        if own and own != self.profile.reference:
            raise ProfileMismatch(
                f"the library {self.folder} answers with the profile {own} by now, not "
                f"{self.profile.reference}: open it again"
            )

    def verify(self, *, repair: bool = False) -> list[Finding]:
        """Checks catalogue, vectors, profile and files against each other.

        Args:
            repair: Mend what can be mended without reading photos. Photos whose vector is gone
                are marked, and the next indexing encodes them anew.

        Raises:
            LibraryLocked: ``repair`` while another process writes.
        """
        if repair:
            with self.writing():
                return self._verify(repair=True)
        return self._verify(repair=False)

    def _verify(self, *, repair: bool) -> list[Finding]:
        problems = self.catalog.problems()
        left = problems
        if repair and problems:
            from pixquery.db.salvage import salvage

            salvage(self.catalog.file)
            left = self.catalog.problems()
        findings = [Finding(f"catalogue: {p}", repaired=p not in left) for p in problems]
        try:
            return findings + self._verify_content(repair=repair)
        except LibraryDamaged as error:  # what cannot be read cannot be compared
            return findings or [Finding(f"catalogue: {error}")]

    def _verify_content(self, *, repair: bool) -> list[Finding]:
        findings: list[Finding] = []
        try:
            self.profile.check()
        except ProfileError as error:
            findings.append(Finding(f"profile: {error}"))
        unsound = self.catalog.unsound(self.profile.dimension, self.profile.encoder)
        if unsound:
            if repair:
                self.catalog.forget_vectors(unsound)
            findings.append(Finding(f"catalogue: {len(unsound)} photos have no sound vector"))
        findings += self._verify_index(repair=repair, sound=repair or not unsound)
        for record in self.catalog.everything():
            try:
                found = record.path.stat()
            except OSError:
                findings.append(Finding(f"file: {record.path} is gone or cannot be read"))
                continue
            if (found.st_size, found.st_mtime_ns) != record.state:
                findings.append(Finding(f"file: {record.path} has changed since it was indexed"))
        return findings

    def _verify_index(self, *, repair: bool, sound: bool) -> list[Finding]:
        published = self.catalog.generation()
        wanted = self.catalog.vector_ids(self.profile.encoder)
        index = self._loaded(published)
        if published is None:
            what = "vectors: there is no index file" if len(wanted) else ""
        elif index is None:
            what = f"vectors: the index file {published.file} is missing, damaged or out of date"
        elif published.revision != self.catalog.revision:
            what = "vectors: the index file is older than the catalogue"
        elif not np.array_equal(index.ids(), wanted):
            what = "vectors: the index file holds other photos than the catalogue"
        elif sound and not self._same_vectors(index):
            what = "vectors: the index file and the catalogue's vectors contradict each other"
        else:
            what = ""
        if not what:
            return []
        if repair:
            self._quarantine(published)
            self.publish()
        return [Finding(what, repaired=repair)]

    def _same_vectors(self, index: "VectorIndex") -> bool:
        """Whether the index holds what the raw vectors align to, but for rounding."""
        return all(
            np.allclose(
                index.vectors(ids),
                self.profile.alignment.images(raw.astype(np.float32)),
                atol=1e-2,
            )
            for ids, raw in self._raw(self.profile.encoder)
        )

    # -- the index file -------------------------------------------------------------------------

    def _open_index(self) -> "VectorIndex":
        for _ in range(3):  # a writer may publish and clean up between our two reads
            published = self.catalog.generation()
            index = self._loaded(published)
            if index is not None or published == self.catalog.generation():
                break
        in_step = published is not None and published.revision == self.catalog.revision
        if index is not None and in_step:
            return index
        self._check_own()
        if len(self.catalog) and not len(self.catalog.vector_ids(self.profile.encoder)):
            raise ProfileMismatch(
                f"no photo of the library {self.folder} was encoded with what the profile "
                f"{self.profile.name} is now: encode them anew with "
                f"`pixquery index --library {shlex.quote(str(self.folder))}`"
            )
        with suppress(LibraryLocked, StorageFailed), self.writing():
            held = self._index
            self.publish()
            if self._index is not None and self._index is not held:
                return self._index
            index = self._loaded(self.catalog.generation())  # another process was quicker
        # A writer is at work, or the folder is read-only: what is there must do.
        return index if index is not None else self._built()

    def _loaded(
        self, published: Generation | None, *, writable: bool = False
    ) -> "VectorIndex | None":
        from pixquery.engine.vectors import VectorIndex

        if published is None or published.space != self._space:
            return None
        try:
            file = self.folder / published.file
            return VectorIndex.load(file, sha256=published.sha256, writable=writable)
        except LibraryDamaged:
            return None

    def _is_whole(self, published: Generation) -> bool:
        """Whether the index file is there, and as it was written for this profile."""
        if published.space != self._space:
            return False
        with suppress(OSError), (self.folder / published.file).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == published.sha256
        return False

    def _quarantine(self, published: Generation | None) -> None:
        """Puts a damaged file aside; one of another alignment is merely out of date."""
        if published is not None and published.space == self._space:
            file = self.folder / published.file
            with suppress(OSError):
                file.rename(file.with_name(f"{file.name}.corrupt-{time.time_ns()}"))

    def _built(self) -> "VectorIndex":
        """An index of all photos, from their raw vectors."""
        from pixquery.engine.vectors import VectorIndex

        encoder, alignment = self.profile.encoder, self.profile.alignment
        aligned = (
            (ids, alignment.images(raw.astype(np.float32))) for ids, raw in self._raw(encoder)
        )
        revision, count = self.catalog.revision, len(self.catalog.vector_ids(encoder))
        index = VectorIndex.build(alignment.dimension, count, aligned, alignment.probes)
        if len(index) != count and revision == self.catalog.revision:  # else a writer is at work
            raise damaged(self.catalog.file, "vectors cannot be found")
        return index

    def _caught_up(self, index: "VectorIndex", since: int) -> "VectorIndex":
        """The index with what changed after the revision ``since``."""
        encoder, alignment = self.profile.encoder, self.profile.alignment
        held = self.catalog.vector_ids(encoder)
        index.remove(np.setdiff1d(index.ids(), held))
        for ids, raw in self._raw(encoder, since=since):
            index.add(ids, alignment.images(raw.astype(np.float32)))
        # Another number than the catalogue's: what was to tell of the changes is damaged.
        return self._built() if index.outgrown or len(index) != len(held) else index

    def _raw(self, encoder: str, *, since: int = 0) -> Iterator[tuple[Ids, np.ndarray]]:
        after = 0
        while True:
            ids, raw = self.catalog.raw_vectors(encoder, since=since, after=after)
            if not len(ids):
                return
            yield ids, raw
            after = int(ids[-1])


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout  # readers do without

    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise LibraryLocked(
            f"the library {folder} is being written to by another pixquery: "
            "try again when it is done"
        ) from None
    except OSError as error:
        raise StorageFailed(
            f"the library {folder} cannot be written ({error.strerror}): "
            "fix its permissions, or choose another with --library DIR"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _copy(source: Path, target: Path) -> None:
    """Copies a small file so that the copy is whole or absent."""
    beside = target.with_name(f"{target.name}.new")
    try:
        beside.write_bytes(source.read_bytes())
        beside.replace(target)
    except OSError as error:
        raise StorageFailed(
            f"{target} cannot be written ({error.strerror}): make room or fix the permissions"
        ) from error
