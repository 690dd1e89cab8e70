"""The frozen value types that the rooms hand to each other."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

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
