"""What a library answers: hits, duplicates, and what it holds."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pixquery.db.records import ImageRecord, RootSummary

if TYPE_CHECKING:
    from pixquery.engine.frames import DataFrame


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer of a query."""

    rank: int
    """From 1."""
    id: int
    path: Path
    relevance: float | None
    """In [0, 1]: 0 = "does not describe the photo at all", 1 = "describes it"; none where the query
    is more than one text, which people were never asked to judge."""
    similarity: float | None
    """Cosine in the aligned space, [-1, 1]; none where nothing was described."""
    width: int
    """In pixels, as seen upright."""
    height: int
    modified: datetime
    """Of the file when it was indexed, UTC."""
    taken: datetime | None = None
    """Camera time from EXIF, without a zone."""


@dataclass(frozen=True, slots=True)
class Milliseconds:
    """Where the time of a query went."""

    encode: float
    prefilter: float
    rerank: float
    total: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a library answers to one query, best first."""

    query: str
    """In words, whatever it is made of."""
    profile: str
    candidates: int
    """How many photos were judged."""
    hits: tuple[Hit, ...]
    milliseconds: Milliseconds
    among: int
    """How many photos were asked: all, or those that the filter lets through."""

    def to_pandas(self) -> "DataFrame":
        """The hits as a table, by rank.

        Raises:
            MissingExtra: pandas is not installed.
        """
        from pixquery.engine import frames

        return frames.of_answer(self)


@dataclass(frozen=True, slots=True)
class Copy:
    """A photo that another one makes superfluous."""

    record: ImageRecord
    exact: bool
    """The two files are equal; otherwise they show the same picture."""
    likeness: float
    """Cosine of the image encoder's vectors of the two, [-1, 1]; 1 where they are equal."""


@dataclass(frozen=True, slots=True)
class Group:
    """Photos of the same picture."""

    best: ImageRecord
    """Of the most pixels, then the largest file, then the oldest."""
    copies: tuple[Copy, ...]
    """Each is like the best one; in the same order."""


@dataclass(frozen=True, slots=True)
class Duplicates:
    """What a library holds more than once."""

    threshold: float
    """The likeness from which a photo counts as a near copy."""
    among: int
    """How many photos were compared: all, or those that the filter lets through."""
    groups: tuple[Group, ...]

    @property
    def copies(self) -> int:
        """How many photos are superfluous."""
        return sum(len(group.copies) for group in self.groups)

    @property
    def bytes(self) -> int:
        """How large their files are together."""
        return sum(copy.record.state.size for group in self.groups for copy in group.copies)

    def to_pandas(self) -> "DataFrame":
        """All photos of all groups as a table, the best of each group first.

        Raises:
            MissingExtra: pandas is not installed.
        """
        from pixquery.engine import frames

        return frames.of_duplicates(self)


@dataclass(frozen=True, slots=True)
class LibraryInfo:
    """What a library holds."""

    library: Path
    profile: str
    images: int
    roots: tuple[RootSummary, ...]
    index: str
    """Kind of vector index, in words."""
    dimension: int
    vectors_bytes: int
    catalogue_bytes: int
    updated: datetime | None
    switching: str = ""
    """The profile that all photos are being encoded with, while that is unfinished."""
    encoded: int = 0
    """How many photos are, by then."""
