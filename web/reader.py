"""The library that is served, opened once, read by many threads and always up to date."""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import NamedTuple

from pixquery.db.errors import LibraryNotFound
from pixquery.db.quoting import library_option
from pixquery.db.records import Facets, ImageRecord, OwnersNames, RootSummary, Tally
from pixquery.engine.answers import Answer
from pixquery.engine.home import expanded
from pixquery.engine.library import CATALOGUE, Library
from pixquery.engine.query import ALL, Query
from pixquery.web.batches import SharedProfile
from pixquery.web.descriptions import tallied

_LOOK_AGAIN = 1.0
"""Seconds between checks for changes by other processes."""
_REST = 10
"""Ratio of the time between two checks to the time that a check takes, if checks are slow."""
_LONGEST_REST = 60
"""Upper bound of that time, as a multiple of the usual one."""


class Contents(NamedTuple):
    """What a library contains, with the choices of its filters."""

    folder: Path
    """The library's own folder."""
    profile: str
    relevance: bool
    """Whether the profile predicts relevance."""
    roots: tuple[RootSummary, ...]
    facets: Facets
    places: tuple[Tally, ...]
    """Towns, regions and countries, the most frequent first."""
    named: OwnersNames
    reads_text: bool
    """Whether indexing reads the text in photos."""
    text_read: int
    """How many photos were read for text."""
    updated: str | None
    """ISO 8601, UTC."""


_Identity = tuple[int, int, str, str]
"""Device and inode of the catalogue, profile and quality."""


class Reader:
    """One library, which may be created, grow, be repaired or disappear while it is served."""

    def __init__(self, folder: Path, *, look_again: float = _LOOK_AGAIN) -> None:
        """Opens nothing yet.

        Args:
            folder: The library's folder, which may be created later.
            look_again: Seconds between checks for changes.
        """
        self._folder = expanded(folder).absolute()
        self._library: Library | None = None
        self._shared: SharedProfile | None = None
        """The library's profile without its concepts, whose models all threads share."""
        self._identity: _Identity | None = None
        self._opening = Lock()
        self._look_again = look_again
        self._next_look = 0.0
        self._contents: tuple[tuple[int, int, int], Contents] | None = None

    @property
    def library(self) -> Library:
        """The library, with changes from all but the last second.

        Raises:
            LibraryError: There is no library, or it cannot be used.
            ProfileError: Its models cannot be used.
        """
        if self._library is None or monotonic() >= self._next_look:
            self._look()
        library = self._library
        if library is None:
            raise LibraryNotFound(
                f"there is no library in {self._folder}: create one with "
                f"`pixquery index FOLDER{library_option(self._folder)}`"
            )
        return library

    def warm(self) -> None:
        """Loads what the first query needs."""
        library = self.library
        library.catalog.dates.of(ALL)
        library.profile.texts.encode(["a photo"])
        _ = library.index, library.profile.relevance

    def look_now(self) -> None:
        """Has the next request look for changes."""
        self._next_look = 0.0

    def close(self) -> None:
        """Closes the library."""
        if self._library is not None:
            self._library.close()

    def _look(self) -> None:
        """Opens or refreshes the library. Other threads keep reading the previous state."""
        if not self._opening.acquire(blocking=self._library is None):
            return
        try:
            begin = monotonic()
            if self._library is None or self._identity != _identity(self._library):
                self._open()
            else:
                self._library.refresh()
            end = monotonic()
            rest = min(_REST * (end - begin), _LONGEST_REST * self._look_again)
            self._next_look = end + max(self._look_again, rest)
        finally:
            self._opening.release()

    def _open(self) -> None:
        before, self._library = self._library, None
        if before is not None:
            before.close()
        if not (self._folder / CATALOGUE).is_file():
            return
        try:
            library = Library.open(self._folder)
        except LibraryNotFound:  # it is being created
            return
        own = library.profile
        shared = SharedProfile(own.folder, own.manifest, own.quality)
        self._shared = shared if self._shared != shared else self._shared
        library.profile = self._shared
        self._identity = _identity(library)
        self._library = library

    # -- asking ---------------------------------------------------------------------------------

    def ask(self, query: Query) -> Answer:
        """Answers a query."""
        return self.library.search(query)

    def revision(self, query: Query) -> str:
        """Changes when photos may have come to other places in the answer to a query."""
        return self.library.catalog.dates.state(query.where)

    def photo(self, image_id: int) -> ImageRecord:
        """The catalogue's record of a photo, with its checksum verified.

        Raises:
            NothingFound: There is no photo with this id.
        """
        return self.library.photo(image_id)

    def roots(self) -> Sequence[RootSummary]:
        """The library's folders, which are numbered from 1 in this order."""
        return self.library.catalog.roots()

    def contents(self) -> Contents:
        """What the library contains, counted once per revision but for the text that was read."""
        library = self.library
        catalog = library.catalog
        revision = catalog.revision, catalog.located_revision, catalog.annotated_revision
        kept = self._contents
        if kept is None or kept[0] != revision:
            updated = catalog.updated
            kept = self._contents = (
                revision,
                Contents(
                    folder=self._folder,
                    profile=library.profile.name,
                    relevance=library.profile.predicts_relevance,
                    roots=catalog.roots(),
                    facets=catalog.facets(),
                    places=tallied(catalog.known_localities()),
                    named=catalog.owners_names(),
                    reads_text=False,
                    text_read=0,
                    updated=updated.isoformat(timespec="seconds") if updated else None,
                ),
            )
        read = catalog.read_count()
        return kept[1]._replace(reads_text=library.reads_text, text_read=read)


def _identity(library: Library) -> _Identity | None:
    """Identifies a library, so that its replacement is noticed; none if the files are gone."""
    try:
        status = (library.folder / CATALOGUE).stat()
    except OSError:
        return None
    setting = library.catalog.setting
    return status.st_dev, status.st_ino, setting("profile"), setting("quality")
