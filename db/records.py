"""The frozen value types that the rooms hand to each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pixquery.db.frames import DataFrame

Floats: TypeAlias = NDArray[np.float32]
Ids: TypeAlias = NDArray[np.int64]
Pixels: TypeAlias = NDArray[np.uint8]
Orientation: TypeAlias = Literal["landscape", "portrait", "square"]


class FileState(NamedTuple):
    """What the file system says of a file without reading it; two equal states mean unchanged."""

    size: int
    """In bytes."""
    mtime_ns: int
    """Nanoseconds since the epoch."""


class Place(NamedTuple):
    """A point on the earth."""

    latitude: float
    """Degrees north, [-90, 90]."""
    longitude: float
    """Degrees east, [-180, 180]."""


class Period(NamedTuple):
    """A stretch of time."""

    begin: datetime | None
    """The first moment; none means without a beginning."""
    end: datetime | None
    """The first moment after it; none means without an end."""


class Near(NamedTuple):
    """A circle on the earth."""

    centre: Place
    kilometres: float


@dataclass(frozen=True, slots=True)
class Filter:
    """Which photos a query asks among; every condition that is given must hold."""

    roots: tuple[Path, ...] = ()
    """Below one of these folders."""
    paths: tuple[str, ...] = ()
    """The whole path or its name matches one of these globs; ``*`` spans folders, too."""
    taken: Period | None = None
    """By the camera's clock; a photo that does not tell is left out."""
    modified: Period | None = None
    """By the file's time, on the clock of this computer."""
    orientation: Orientation | None = None
    min_width: int = 0
    """In pixels, as seen upright."""
    min_height: int = 0
    formats: tuple[str, ...] = ()
    """One of these, such as "JPEG", in any case."""
    camera: str = ""
    """Part of the camera's maker and model, in any case."""
    near: Near | None = None
    """Taken there; a photo that does not tell is left out."""

    def __bool__(self) -> bool:
        """Whether it asks for anything."""
        return self != Filter()


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One photo as the catalogue knows it."""

    path: Path
    state: FileState
    content: bytes
    """XXH3-128 of the file's bytes, 16 bytes: the same photo wherever it lies."""
    width: int
    """In pixels, as seen upright."""
    height: int
    format: str = ""
    """Of the file's content, such as "JPEG"; empty in catalogues that did not note it yet."""
    taken: datetime | None = None
    """Camera time from EXIF, without a zone."""
    camera: str = ""
    """Maker and model from EXIF; empty where it tells none."""
    place: Place | None = None
    """Where it was taken, from EXIF."""
    id: int = 0
    """0 until the catalogue gives one; never reused afterwards."""


class KnownFile(NamedTuple):
    """What the catalogue remembers of a file, for telling what changed."""

    id: int
    """0 for a file that was skipped as unreadable."""
    state: FileState
    content: bytes
    reason: str = ""
    """Why it was skipped; empty for an image."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that looked like a photo and could not be used."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Generation:
    """A derived file of vectors, and what it must look like to be trusted."""

    file: str
    size: int
    """In bytes."""
    sha256: str
    revision: int
    """The catalogue's revision that it holds."""
    space: str
    """Digest of the alignment its vectors come from."""


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
        from pixquery.db import frames

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
        from pixquery.db import frames

        return frames.of_duplicates(self)


@dataclass(frozen=True, slots=True)
class Vanished:
    """A folder whose photos are out of reach, and kept."""

    path: Path
    images: int
    """How many photos the library holds of it."""
    reason: str
    """What is odd about the folder, to be read after its path."""


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What one run of the indexer did; ``images`` is what the library holds afterwards."""

    library: Path
    profile: str
    added: int
    updated: int
    moved: int
    unchanged: int
    removed: int
    skipped: tuple[Skipped, ...]
    images: int
    seconds: float
    interrupted: bool = False
    """Stopped by the user; everything counted here is kept."""
    vanished: tuple[Vanished, ...] = ()
    linked: int = 0
    """Further names of photos that count once: hard links, and links that were followed."""
    roots: int = 0
    """Folders that were brought up to date; the vanished are none of them."""
    lacking: int = 0
    """Photos that have no vector of this profile yet: the library answers with its former one."""

    @property
    def changes(self) -> int:
        """How many photos came, went, moved or changed."""
        return self.added + self.updated + self.moved + self.removed

    @property
    def images_per_second(self) -> float:
        """Photos encoded per second of the whole run."""
        return (self.added + self.updated) / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class RootSummary:
    """A folder that was indexed, and how many photos of it the library holds."""

    path: Path
    images: int


class Tally(NamedTuple):
    """How many photos share something."""

    name: str
    images: int


@dataclass(frozen=True, slots=True)
class Facets:
    """What the photos of a library differ in; of each, the most frequent first."""

    formats: tuple[Tally, ...]
    cameras: tuple[Tally, ...]
    """Of those photos that tell."""
    years: tuple[Tally, ...]
    """By the camera's clock, of those photos that tell; the latest first."""


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


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement that ``verify`` found, and whether it was mended."""

    what: str
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """A photo and a text whose relevance is asked for, judged or predicted."""

    image: Path
    text: str
    given: str = ""
    """The image's path as the user wrote it, where that differs."""


@dataclass(frozen=True, slots=True)
class TestQuery:
    """A query whose one relevant photo is known."""

    id: str
    text: str
    image: str
    """File name or path suffix of the relevant photo."""

    __test__ = False  # the name begins with "Test", which pytest would collect


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well a library answers a file of queries, prefilter alone beside re-ranked."""

    queries: int
    images: int
    profile: str
    first_stage: Mapping[str, float]
    reranked: Mapping[str, float]
    ci95: Mapping[str, Mapping[str, tuple[float, float]]]
    p50: float
    """Median time of one query, milliseconds."""
    p95: float
    unmatched: tuple[str, ...] = field(default=())
    """Relevant photos that the library does not hold; their queries count as unanswered."""
