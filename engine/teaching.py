"""A library that can be taught concepts, by example photos and without training."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from pixquery.db.catalog import Catalog
from pixquery.db.concepts import ExampleRecord
from pixquery.db.errors import BadConcept, NothingFound
from pixquery.db.quoting import library_option, quoted
from pixquery.db.records import Floats
from pixquery.db.words import Words
from pixquery.engine.answers import Concept, Lesson
from pixquery.engine.concepts import (
    LEAST_EXAMPLES,
    MOST_CONCEPTS,
    MOST_EXAMPLES,
    Example,
    concepts_of,
    folded,
    is_photo_of,
    likeness,
    named,
    raw_of,
    records,
    taught,
    usable,
)
from pixquery.engine.features import Vectors
from pixquery.engine.index_file import IndexFile
from pixquery.engine.known_places import KnownPlaces
from pixquery.engine.lock import writers_lock
from pixquery.engine.mentions import Mentions
from pixquery.engine.profile import Profile
from pixquery.engine.query import Query
from pixquery.engine.search import rank, search
from pixquery.engine.standing import fits

_RANKED = 200
"""Candidates for the name among which those that fit are counted."""


class Teachable:
    """The concepts of a library; the base of :class:`pixquery.engine.library.Library`."""

    def __init__(self, folder: Path, catalog: Catalog, profile: Profile) -> None:
        """Joins the parts."""
        self.folder = folder
        self.catalog = catalog
        self._index_file = IndexFile(folder, catalog, profile)
        self._words = Words(folder)
        self.mentions = Mentions(self._words, catalog)
        self.places = KnownPlaces(self._words, catalog)

    @property
    def profile(self) -> Profile:
        """The models that the library answers with, and its concepts."""
        return self._index_file.profile

    @profile.setter
    def profile(self, profile: Profile) -> None:
        """Answers with an equal profile whose models other threads share."""
        self._index_file = IndexFile(self.folder, self.catalog, profile)

    @property
    def concepts(self) -> tuple[Concept, ...]:
        """What the library was taught, by name."""
        return concepts_of(self.catalog, self._index_file.base)

    @contextmanager
    def writing(
        self, *, brief: bool = False, waiting: Callable[[], object] = lambda: None
    ) -> Iterator[None]:
        """Holds the lock that lets one process at a time write to the library.

        The system releases it if the process dies. A catalogue of an earlier version is brought up
        to date first.

        Args:
            brief: Whether it is held for moments, so that others wait; see :mod:`engine.lock`.
            waiting: Called once if another process holds it for moments.

        Raises:
            LibraryLocked: Another process holds it.
            StorageFailed: The lock file cannot be created.
        """
        with writers_lock(self.folder, brief=brief, waiting=waiting):
            self.catalog.bring_up_to_date()
            yield

    def teach(self, name: str, photos: Sequence[Example], *, add: bool = False) -> Lesson:
        """Teaches a concept by example photos; :func:`pixquery.teach` reads them from files.

        The vectors of all photos are derived again, and no photo of the library is read. Queries
        are answered as before until that is done.

        Args:
            name: What queries will call it. Names differ by more than their case.
            photos: 2 to 20 photos of it. Equal files count once.
            add: Keep the examples that the concept has already.

        Raises:
            BadConcept: The name is unusable, or there are too few or too many examples or concepts.
            QueryRefused: The library's stop-word policy is on and the name contains a stop word.
            LibraryLocked: Another process writes.
            ProfileDamaged: A model gives numbers that are not finite.
            ProfileMismatch: The library has another profile by now.
            StorageFailed: The vectors cannot be written; nothing was taught.
        """
        name = named(name)
        self._refuse_stop_words([name])
        base = self._index_file.base
        with self.writing(brief=True):
            rows = self.catalog.examples()
            known = self._stored_name(rows, name)
            mine = [row for row in rows if row.concept == known]
            others = [row for row in rows if row.concept != known]
            if not known and len({row.concept for row in rows}) >= MOST_CONCEPTS:
                raise BadConcept(
                    f"the library knows {MOST_CONCEPTS:,} concepts, and may know no more: forget "
                    f"one with `pixquery models forget-concept NAME"
                    f"{library_option(self.folder)}`"
                )
            kept = mine if add else []
            if kept:
                name = known
            kept = self._proven(kept, photos)
            had = {row.content for row in kept if row.encoder in base.readable}
            new = [p for p in _different(photos) if p.content not in had]
            count = len(had) + len(new)
            if not LEAST_EXAMPLES <= count <= MOST_EXAMPLES:
                raise BadConcept(
                    f"a concept needs {LEAST_EXAMPLES} to {MOST_EXAMPLES} different example photos "
                    f"that can be read, and {name!r} would have {count}: name others with "
                    f"`pixquery models teach {quoted(name)} PHOTO...`"
                )
            raw = np.empty((0, base.dimension), np.float32)
            if new:
                raw = base.photos.encode_all([photo.scales for photo in new])
            kept = [*kept, *records(name, new, raw, base.encoder)]
            self._index_file.note_names(name)
            without = taught(base, self.catalog, others, self._index_file.profile)
            profile = taught(base, self.catalog, [*others, *kept], self._index_file.profile)
            self._index_file.teach(
                profile, lambda published: self.catalog.define(known, kept, published)
            )
        return self._lesson(
            name,
            raw_of(usable(kept, base.readable)[name]),
            without,
            added=len(new),
            replaced=bool(mine) and not add,
        )

    def forget_concept(self, name: str) -> Concept:
        """Forgets a concept; what is returned is what the library knew of it.

        Raises:
            NothingFound: The library was not taught this concept.
            LibraryLocked: Another process writes.
            ProfileMismatch: The library has another profile by now.
            StorageFailed: The vectors cannot be written; nothing was forgotten.
        """
        with self.writing(brief=True):
            rows = self.catalog.examples()
            known = self._stored_name(rows, name)
            if not known:
                raise NothingFound(
                    f"the library was not taught {name!r}: `pixquery info"
                    f"{library_option(self.folder)}` lists what it was taught"
                )
            (concept,) = (concept for concept in self.concepts if concept.name == known)
            others = [row for row in rows if row.concept != known]
            profile = taught(self._index_file.base, self.catalog, others, self._index_file.profile)
            self._index_file.teach(
                profile, lambda published: self.catalog.define(known, [], published)
            )
        return concept

    def _refuse_stop_words(self, texts: Iterable[str]) -> None:
        raise NotImplementedError

    @staticmethod
    def _stored_name(rows: Sequence[ExampleRecord], name: str) -> str:
        """The name as it was typed when it was taught; empty if it was not."""
        wanted = folded(" ".join(name.split()))
        return next((row.concept for row in rows if folded(row.concept) == wanted), "")

    def _proven(
        self, rows: Sequence[ExampleRecord], photos: Sequence[Example]
    ) -> list[ExampleRecord]:
        """Rows with the fingerprints of those photos among some of which they have only hints."""
        base = self._index_file.base
        hints = {row.content: row for row in rows if row.encoder == base.encoder}
        noted = [photo for photo in photos if photo.hint in hints]
        if not noted:
            return list(rows)
        vectors = base.photos.encode([photo.scales for photo in noted])
        proven = {
            photo.hint: photo.content
            for photo, vector in zip(noted, vectors, strict=True)
            if is_photo_of(hints[photo.hint], vector)
        }
        return [row._replace(content=proven.get(row.content, row.content)) for row in rows]

    def _lesson(
        self, name: str, raw: Floats, without: Profile, *, added: int, replaced: bool
    ) -> Lesson:
        """How well the profile knows a concept, before and after it was taught."""
        index, profile = self._index_file.loaded.index, self._index_file.loaded.profile
        text = profile.texts.encode([name])
        raw = profile.alignment.completed(raw)
        (concept,) = (concept for concept in self.concepts if concept.name == name)
        relevances = rank(Query(name), _RANKED, profile, index, self.catalog).relevances
        return Lesson(
            concept=concept,
            added=added,
            replaced=replaced,
            likeness=likeness(without.alignment.images(raw)),
            relevance_before=_mean_relevance(without, text, raw),
            relevance_after=_mean_relevance(profile, text, raw),
            answer=search(Query(name), profile, index, self.catalog, self.mentions),
            fits=None if relevances is None else sum(fits(float(each)) for each in relevances),
        )


def _mean_relevance(profile: Profile, text: Floats, photos: Floats) -> float | None:
    """Of raw photos float32[n, d] for a raw text float32[1, e], if the profile predicts it."""
    if profile.relevance is None:
        return None
    texts = Vectors(profile.alignment.texts(text), lambda: text)
    shown = Vectors(profile.alignment.images(photos), lambda: photos)
    return float(profile.relevance.score(texts, shown).mean())


def _different(photos: Sequence[Example]) -> list[Example]:
    """The photos without those whose file equals an earlier one's."""
    return list({photo.content: photo for photo in reversed(photos)}.values())[::-1]
