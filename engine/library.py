"""A library: the catalogue, index file and profile of one folder.

The catalogue is the truth; :mod:`pixquery.engine.index_file` derives the vectors from it.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np  # noqa: F401 - see below

from pixquery.db.catalog import Catalog
from pixquery.db.connections import damaged, is_half_mended, refuse_odd_file
from pixquery.db.date_order import DateOrder
from pixquery.db.errors import LibraryNotFound, NothingFound, PixqueryError, StorageFailed
from pixquery.db.metadata import READS_TEXT
from pixquery.db.quoting import library_option
from pixquery.db.records import Filter, ImageRecord
from pixquery.engine.advice import advised
from pixquery.engine.answers import Answer, Duplicates, LibraryInfo
from pixquery.engine.by_date import by_date, timeline
from pixquery.engine.duplicates import THRESHOLD, duplicates
from pixquery.engine.home import expanded, library_folder
from pixquery.engine.lock import writers_lock
from pixquery.engine.policed import Policed
from pixquery.engine.profile import DEFAULT, NORMAL, load_profile
from pixquery.engine.query import ALL, Query
from pixquery.engine.ranking import Ranking
from pixquery.engine.recognition import recognise, with_hint
from pixquery.engine.search import rank, search
from pixquery.engine.switch import begin, chosen, earlier

if TYPE_CHECKING:  # a query without a policy, a check or a table never loads these
    from pixquery.engine.checkup import Finding
    from pixquery.engine.frames import DataFrame
    from pixquery.engine.vectors import VectorIndex

# NumPy is imported first: below the catalogue's chain of imports, the stack of Python 3.11 is so
# deep that NumPy's calls cross the end of one of its blocks again and again, which takes 15 ms.

CATALOGUE = "catalogue.sqlite"


class Library(Policed):
    """A library of photos; open it with :meth:`open`, close it with ``with`` or :meth:`close`.

    Attributes:
        folder: The folder that holds its files.
        catalog: Its photos.
        profile: The models it was made with, and what it was taught.
        mentions: The words in its photos, and of their owners.
        places: The names of the places in which they were taken.
    """

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        create: bool = False,
        profile: str | None = None,
        quality: str | None = None,
        switch: bool = False,
    ) -> "Library":
        """Opens a library.

        Args:
            folder: The library's folder; ``~`` is expanded.
            create: Create a library if there is none.
            profile: Name or folder of a profile. By default a library keeps its own, and a new one
                gets the shipped one.
            quality: How photos are encoded: ``normal``, or slower and better, ``high``. By default
                a library keeps its own, and a new one gets ``normal``.
            switch: Open the library even if ``profile`` or ``quality`` is not its own, to index it
                with ``rebuild``. With another profile, it answers no query until the switch is
                complete. Without a ``profile``, an interrupted switch resumes with the one it
                began with.

        Raises:
            LibraryNotFound: There is none, and ``create`` is false.
            ProfileMismatch: The library was made with another profile or quality.
            ProfileError: The profile cannot be loaded, or encodes no photos at this quality.
            LibraryError: The library's files cannot be used.
        """
        library = library_folder(folder)
        file = library / CATALOGUE
        if not file.is_file():
            refuse_odd_file(file)
            if is_half_mended(file):
                raise damaged(file, "its repair was interrupted")
            if not create:
                raise _not_found(library)
            return cls._create(library, profile, quality)
        catalog = Catalog(file, lock=lambda: writers_lock(library, brief=True))
        try:
            own = catalog.setting("profile")
            if not own:  # it is being created, or that was interrupted
                rooted = catalog.roots()
                own = catalog.setting("profile")  # again: it is noted before the first root
                if not own and rooted:
                    raise damaged(file, "the name of its profile is missing")
                if not own and not create:
                    raise _not_found(library)
            models = chosen(library, catalog, profile, quality, switch=switch)
            if not own:
                catalog.name_profile(models.reference, models.quality)
        except PixqueryError:
            catalog.close()
            raise
        return cls(library, catalog, models)

    @classmethod
    def _create(cls, folder: Path, profile: str | None, quality: str | None) -> "Library":
        models = load_profile(profile or DEFAULT, quality or NORMAL)
        models.refuse_untrained()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageFailed(
                f"the library folder {folder} cannot be created ({error.strerror}): "
                "choose another with --library DIR"
            ) from error
        catalog = Catalog(folder / CATALOGUE)
        catalog.name_profile(models.reference, models.quality)
        return cls(folder, catalog, models)

    @staticmethod
    def mend(folder: str | Path) -> None:
        """Repairs a catalogue that is too damaged to be opened.

        Raises:
            LibraryDamaged: It was put aside; the message says how to index the photos again.
            LibraryLocked: Another process writes to the library.
            StorageFailed: There is no room to repair it.
        """
        from pixquery.db.salvage import salvage  # few libraries are ever repaired

        library = expanded(folder).absolute()
        with writers_lock(library):
            salvage(library / CATALOGUE)

    def close(self) -> None:
        """Closes the library's files."""
        self._words.close()
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
        """All photos by id, except those with damaged rows, which :meth:`verify` reports."""
        return self.catalog.everything()

    def to_pandas(self) -> "DataFrame":
        """All photos as a table, by id.

        Columns: path, bytes, width, height, format, taken, camera, latitude, longitude, modified.

        Raises:
            MissingExtra: pandas is not installed.
        """
        from pixquery.engine import frames

        return frames.of_photos(self)

    # -- asking ---------------------------------------------------------------------------------

    def search(self, query: Query | str, *, k: int = 10, min_relevance: float = 0.0) -> Answer:
        """Answers a query.

        Args:
            query: A text, or a :class:`Query` with all details.
            k: The largest number of hits, if ``query`` is a text.
            min_relevance: Leaves out hits below this, if ``query`` is a text.

        Raises:
            BadQuery: The query is empty or too long, a number is out of range, a part names a photo
                that the library does not hold, or there is a least relevance and the profile
                predicts none.
            QueryRefused: The library's stop-word policy is on and the text contains a stop word.
            BadData: The policy is on and its list cannot be used; then no query is answered.
        """
        if isinstance(query, str):
            query = Query(query, k=k, min_relevance=min_relevance)
        # As it was typed: what becomes a filter is no text any more.
        self._refuse_stop_words((*query.texts, query.words))
        asked, recognised = recognise(query, self.places)
        answer = self._answer(asked)
        if recognised and not answer.among:  # a wrong filter would hide what is there
            answer, recognised = with_hint(self._answer(query), recognised), ()
        return replace(answer, query=str(query), recognised=recognised)

    def _answer(self, query: Query) -> Answer:
        meant = query.phrased()
        self._refuse_stop_words(meant.texts)
        loaded = self._index_file.loaded
        answer = search(meant, loaded.profile, loaded.index, self.catalog, self.mentions)
        return advised(answer, query, loaded.profile)

    def newest(self, *, k: int = 10, offset: int = 0) -> Answer:
        """The newest photos, for when there is no query."""
        return by_date(Query(k=k, offset=offset, sort="newest"), self.profile, self.catalog)

    def timeline(self, query: Query) -> DateOrder:
        """All photos that a query without a description finds, by date; kept while they stay.

        Words of the text that are a filter count as one, as in :meth:`search`.

        Raises:
            BadQuery: The query describes something.
            QueryRefused: The library's stop-word policy is on and the text contains a stop word.
        """
        self._refuse_stop_words((*query.texts, query.words))
        asked, _ = recognise(query, self.places)
        return timeline(asked, self.catalog, self.mentions)

    def duplicates(
        self,
        threshold: float = THRESHOLD,
        *,
        where: Filter = ALL,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Duplicates:
        """Groups equal files and other files of the same picture, the best first in each group.

        Every file of a group was looked at: it is there, as it was indexed, and no other path of
        the group leads to it. Equal files are compared byte for byte. What fails is left out.

        Args:
            threshold: The least likeness of near copies, in (0, 1]; 1 leaves only equal files.
            where: Which photos are compared.
            progress: Called with the number of comparisons done and the total: files that may be
                equal are read first, then pictures are compared.

        Raises:
            BadQuery: The threshold is out of range.
        """
        return duplicates(
            self.catalog, self.index, self.profile.readable, where, threshold, progress
        )

    def rank(self, text: str, *, candidates: int = 200) -> Ranking:
        """The candidates for a text, with their similarity and relevance.

        For evaluation, which shows nobody a photo: the stop-word policy does not apply here, or
        a library's measures would depend on it. Texts are searched as they are.
        """
        loaded = self._index_file.loaded
        parts = loaded.profile, loaded.index, self.catalog, self.mentions
        return rank(Query(text), candidates, *parts)

    def photo(self, image_id: int) -> ImageRecord:
        """The catalogue's record of a photo.

        Raises:
            NothingFound: The library contains no photo with this id.
        """
        record = self.catalog.records([image_id]).get(image_id) if image_id < 2**63 else None
        if record is None:
            raise NothingFound(
                f"the library contains no photo with the id {image_id}: "
                "take the id of a hit, as --json prints it"
            )
        return record

    def info(self) -> LibraryInfo:
        """Counts and sizes."""
        generation = self.catalog.generation()
        return LibraryInfo(
            library=self.folder,
            profile=self.profile.name,
            images=len(self.catalog),
            roots=self.catalog.roots(),
            index=self.index.kind,
            dimension=self._index_file.base.alignment.dimension,
            vectors_bytes=generation.size if generation else 0,
            catalogue_bytes=sum(file.stat().st_size for file in self.folder.glob(f"{CATALOGUE}*")),
            updated=self.catalog.updated,
            switching=self.catalog.setting("switching"),
            switching_quality=self.catalog.setting("switching_quality", NORMAL),
            encoded=self.catalog.waiting(),
            concepts=self.concepts,
            quality=self.profile.quality,
            earlier=earlier(self.catalog, self.profile),
            relevance=self.profile.predicts_relevance,
            trained=self.profile.manifest.get("trained"),
            reads_text=self.reads_text,
            text_read=self.catalog.read_count(),
        )

    @property
    def reads_text(self) -> bool:
        """Whether its indexings read the text in photos."""
        return self.catalog.setting(READS_TEXT, "off") == "on"

    # -- vectors --------------------------------------------------------------------------------

    @property
    def index(self) -> "VectorIndex":
        """The vectors, in step with the catalogue unless a writer is at work."""
        return self._index_file.loaded.index

    def refresh(self) -> None:
        """Picks up changes written by other processes.

        A long-lived reader calls this before each query; it costs one small read if nothing was
        written. Other threads keep using the earlier vectors until the new ones are loaded.
        """
        self._index_file.refresh()

    def publish(self) -> None:
        """Brings vectors and index file in step with the catalogue; for the one writer.

        Raises:
            ProfileMismatch: The library was switched to another profile meanwhile.
            StorageFailed: The file cannot be written; the catalogue is intact.
        """
        self._index_file.publish()

    def verify(self, *, repair: bool = False) -> "list[Finding]":
        """Checks catalogue, vectors, profile and files against each other.

        Args:
            repair: Repair what can be repaired without reading photos. Photos that lost their
                vector are marked, and the next indexing encodes them again.

        Raises:
            LibraryLocked: ``repair`` while another process writes.
        """
        from pixquery.engine.checkup import check

        if not repair:
            return check(self.catalog, self._index_file, repair=False)
        with self.writing():
            return check(self.catalog, self._index_file, repair=True)

    # -- another profile, or all photos encoded again -------------------------------------------

    def encode_anew(self) -> None:
        """Starts to encode photos again, or with the profile the library was opened with.

        Until :meth:`adopt` the library answers as before; see :func:`pixquery.engine.switch.begin`.
        """
        begin(self.catalog, self.profile)

    def adopt(self) -> int:
        """Answers from the photos encoded since :meth:`encode_anew`, once all have a vector.

        Photos that could not be read keep the vector they had from the same encoder.

        Returns:
            How many photos have no vector yet; until there are none, nothing changes.
        """
        self.catalog.carry_over(self.profile.encoder)
        lacking = self.lacking()
        if not lacking:
            self._index_file.adopt()
        return lacking

    def lacking(self) -> int:
        """How many photos have no vector of the profile that the library was opened with."""
        return self.catalog.lacking(self.profile.encoder)


def _not_found(library: Path) -> LibraryNotFound:
    return LibraryNotFound(
        f"there is no library in {library}: make one with "
        f"`pixquery index FOLDER{library_option(library)}`"
    )
