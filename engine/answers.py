"""What a library answers: hits, duplicates, concepts, and a summary of itself."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, overload

from pixquery.db.records import ImageRecord, RootSummary, Skipped, local
from pixquery.engine.mentions import Match
from pixquery.engine.phrasing import Phrase
from pixquery.engine.query import Sort
from pixquery.engine.standing import fits, standing

if TYPE_CHECKING:  # pandas is an extra, and only copies are looked at
    from pixquery.engine.frames import DataFrame
    from pixquery.engine.sightings import LeftOut, Sighting


@dataclass(frozen=True, slots=True)
class Hit:
    """One photo in the answer to a query."""

    rank: int
    """From 1."""
    id: int
    path: Path
    relevance: float | None
    """In [0, 1]: 0 = "does not describe the photo at all", 1 = "describes it"; none if the query is
    more than one text, which people never judged photos for, or if the profile predicts none."""
    similarity: float | None
    """Cosine in the aligned space, [-1, 1]; none if the query describes nothing."""
    width: int
    """In pixels, as seen upright."""
    height: int
    modified: datetime
    """When the file was last modified before it was indexed, UTC."""
    taken: datetime | None = None
    """Camera time from EXIF, without a zone."""
    matched: tuple[Match, ...] = ()
    """Why it is in the answer, the best reason first; empty if nothing was described."""

    @property
    def dated(self) -> datetime:
        """Its place in time: when it was taken, or else modified, by this computer's clock."""
        return self.taken or local(self.modified)

    @property
    def standing(self) -> str | None:
        """The relevance in words, from "fits very well" to "hardly fits"; none without one."""
        return None if self.relevance is None else standing(self.relevance).words


def hit_of(
    rank: int,
    record: ImageRecord,
    relevance: float | None = None,
    similarity: float | None = None,
    matched: tuple[Match, ...] = (),
) -> Hit:
    """The hit of a photo; the fields are those of :class:`Hit`."""
    return Hit(
        rank=rank,
        id=record.id,
        path=record.path,
        relevance=relevance,
        similarity=similarity,
        width=record.width,
        height=record.height,
        modified=record.state.modified,
        taken=record.taken,
        matched=matched,
    )


@dataclass(frozen=True, slots=True)
class Milliseconds:
    """How long each part of a query took."""

    encode: float
    prefilter: float
    rerank: float
    total: float


@dataclass(frozen=True, slots=True)
class Recognised:
    """Words of a query that are a filter."""

    kind: Literal["taken", "place"]
    words: str
    """As they were typed; :attr:`pixquery.engine.query.Query.literal` makes them words again."""
    meaning: str
    """The period as ``--taken`` reads it, or the name of the place."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A library's answer to one query, best first.

    It is a sequence of its hits: ``len(answer)``, ``answer[0]``, and ``answer[:3]``, which is an
    answer again.
    """

    drawing: ClassVar[Callable[["Answer"], str] | None] = None
    """Draws an answer as HTML for notebooks. The package's public face provides it, because no
    photo is opened here."""

    query: str
    """The query in words."""
    profile: str
    candidates: int
    """How many photos were compared with the query."""
    hits: tuple[Hit, ...]
    milliseconds: Milliseconds
    among: int
    """How many photos were searched: all, or those that match the filter."""
    searched: Phrase | None = None
    """What was searched for the text, if that is not word for word what was typed."""
    suggestions: tuple[str, ...] = ()
    """Texts to search for instead, if the text seems to have typing errors."""
    hints: tuple[str, ...] = ()
    """Sentences on how the text was understood."""
    recognised: tuple[Recognised, ...] = ()
    """Words of the query that were taken for a filter."""
    judged: bool = False
    """Whether relevance was predicted; otherwise hits are ordered by similarity, or by time."""
    sort: Sort = "relevance"
    """What hits are sorted by: how well they fit, or their dates."""
    photos: tuple[ImageRecord, ...] = field(default=(), repr=False, compare=False)
    """What the catalogue had of the photos of the hits, in any order."""

    def __len__(self) -> int:
        """How many hits there are."""
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        """The hits, best first."""
        return iter(self.hits)

    @overload
    def __getitem__(self, place: int) -> Hit: ...
    @overload
    def __getitem__(self, place: slice) -> "Answer": ...
    def __getitem__(self, place: int | slice) -> "Hit | Answer":
        """A hit by its place, from 0; of a slice, the answer with those hits alone."""
        if isinstance(place, slice):
            return replace(self, hits=self.hits[place])
        return self.hits[place]

    def _repr_html_(self) -> str | None:
        """The first hits as pictures, for notebooks; none where nothing can draw them."""
        draw = type(self).drawing
        return None if draw is None else draw(self)

    @property
    def fits(self) -> int | None:
        """How many of the hits fit, or fit very well; none if relevance was not predicted."""
        if not self.judged:
            return None
        return sum(hit.relevance is not None and fits(hit.relevance) for hit in self.hits)

    @property
    def nothing_fits(self) -> bool:
        """Whether these are the first hits, and none of them fits."""
        return self.fits == 0 and bool(self.hits) and self.hits[0].rank == 1

    def to_pandas(self) -> "DataFrame":
        """One row per hit, by rank; the columns are the fields of :class:`Hit` and ``standing``.

        Raises:
            MissingExtra: pandas is not installed.
        """
        from pixquery.engine.frames import table

        columns = [*(field.name for field in fields(Hit)), "standing"]
        rows = ([_plain(getattr(hit, name)) for name in columns] for hit in self.hits)
        return table(rows, columns).set_index("rank")


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


@dataclass(frozen=True, slots=True)
class Copy:
    """A photo that duplicates a better one."""

    record: ImageRecord
    exact: bool
    """Whether the two files are equal; otherwise they show the same picture."""
    likeness: float
    """Cosine of the image encoder's vectors of the two, [-1, 1]; 1 if the files are equal."""
    frees: int
    """How many bytes are freed once it and the copies before it are deleted. 0 for a hard link, but
    for the last one if the others are copies too."""
    seen: "Sighting"
    """Which file it was when it was compared."""


@dataclass(frozen=True, slots=True)
class Group:
    """Photos of the same picture."""

    best: ImageRecord
    """The one with the most pixels, then the largest file, then the oldest."""
    copies: tuple[Copy, ...]
    """Photos that are each like the best one, in the same order."""
    seen: "Sighting"
    """Which file the best photo was when it was compared."""


@dataclass(frozen=True, slots=True)
class Duplicates:
    """The photos that a library holds more than once."""

    threshold: float
    """The least likeness of a near copy."""
    among: int
    """How many photos were compared: all, or those that match the filter."""
    groups: tuple[Group, ...]
    """Every file in them was there, and was the indexed one, when it was compared."""
    left_out: "tuple[LeftOut, ...]" = ()
    """Photos that would have been in a group, if what lies at their path now were another file of
    that content."""

    @property
    def copies(self) -> int:
        """How many photos duplicate a better one."""
        return sum(len(group.copies) for group in self.groups)

    @property
    def bytes(self) -> int:
        """How many bytes are freed if they are deleted."""
        return sum(copy.frees for group in self.groups for copy in group.copies)

    def to_pandas(self) -> "DataFrame":
        """One row per photo, the best of each group first.

        Columns: number of the group, kind (best, exact or near), likeness, and the photo's.

        Raises:
            MissingExtra: pandas is not installed.
        """
        from pixquery.engine.frames import PHOTO, photo_row, table

        def rows() -> Iterator[list[Any]]:
            for number, group in enumerate(self.groups, 1):
                yield [number, "best", 1.0, *photo_row(group.best)]
                for copy in group.copies:
                    kind = "exact" if copy.exact else "near"
                    yield [number, kind, copy.likeness, *photo_row(copy.record)]

        return table(rows(), ("group", "kind", "likeness", *PHOTO))


@dataclass(frozen=True, slots=True)
class Concept:
    """Something that a library was taught."""

    name: str
    examples: tuple[Path, ...]
    """Where its example photos were when it was taught."""
    taught: datetime
    """When it got its latest example, UTC."""
    known: bool
    """Whether the library's profile knows it. If the library went over to another image encoder
    while the example photos were missing, it does not."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What became of teaching a concept."""

    concept: Concept
    added: int
    """How many of its examples are new."""
    replaced: bool
    """Whether a concept of this name lost its earlier examples."""
    likeness: float
    """Mean cosine between two examples in the aligned space, [-1, 1]."""
    relevance_before: float | None
    """Mean relevance of the examples for the name if it is not taught, [0, 1]; none if the profile
    predicts no relevance."""
    relevance_after: float | None
    """The same, now that it is."""
    answer: Answer
    """The photos of the library that come up for the name."""
    fits: int | None
    """How many of the first 200 of them fit it; none if the profile predicts no relevance."""
    skipped: tuple[Skipped, ...] = ()
    """Files that could not be used."""


@dataclass(frozen=True, slots=True)
class LibraryInfo:
    """A summary of a library."""

    library: Path
    profile: str
    images: int
    roots: tuple[RootSummary, ...]
    index: str
    """The kind of vector index, in words."""
    dimension: int
    vectors_bytes: int
    catalogue_bytes: int
    updated: datetime | None
    switching: str = ""
    """The profile that photos are being encoded with, while that is unfinished."""
    encoded: int = 0
    """How many photos have been encoded with it."""
    concepts: tuple[Concept, ...] = ()
    """What it was taught, by name."""
    switching_quality: str = "normal"
    """The quality that they are being encoded at."""
    quality: str = "normal"
    """How photos are encoded, "normal" or "high"."""
    earlier: int = 0
    """How many photos are searched by vectors of the profile's earlier image encoder, or of another
    quality; encoding all photos again begins with them."""
    relevance: bool = True
    """Whether the profile predicts relevance."""
    trained: Mapping[str, Any] | None = None
    """What the profile was trained from and on, as its manifest says; None if it does not."""
    reads_text: bool = False
    """Whether indexing reads the text in photos."""
    text_read: int = 0
    """How many photos were read for text."""
