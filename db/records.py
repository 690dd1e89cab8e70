"""The catalogue's value types: photos, files, filters and summaries."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Ids: TypeAlias = NDArray[np.int64]
Pixels: TypeAlias = NDArray[np.uint8]
Scales: TypeAlias = tuple[Pixels, ...]
"""One photo at each of the sizes that it is encoded at, uint8[size, size, 3]."""
Orientation: TypeAlias = Literal["landscape", "portrait", "square"]


EARLIEST_NS, LATEST_NS = -(2**63 // 1000) * 1000, 2**63 - 1
"""The times that the catalogue can store, from the year 1677 to 2262, in nanoseconds since the
epoch. File systems have others: 1601 is the zero of NTFS, ext4 counts to 2446, XFS to 2486. The
first is a whole microsecond, so that it is the same time for Python and for pandas."""


class FileState(NamedTuple):
    """What the file system reports of a file; if it is equal, the file is unchanged."""

    size: int
    """In bytes."""
    mtime_ns: int
    """Nanoseconds since the epoch; a time that cannot be stored counts as the nearest that can."""

    @classmethod
    def of(cls, status: os.stat_result) -> "FileState":
        """The state of a file that was looked at; nothing else turns a status into one."""
        return cls(status.st_size, min(max(status.st_mtime_ns, EARLIEST_NS), LATEST_NS))

    @property
    def modified(self) -> datetime:
        """The file's time, UTC. Unlike ``fromtimestamp``, it knows years before 1970 everywhere."""
        return _EPOCH + timedelta(microseconds=self.mtime_ns // 1000)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def local(moment: datetime) -> datetime:
    """A moment by this computer's clock, without a zone."""
    try:
        there = moment.astimezone()
    except (OSError, OverflowError, ValueError):  # Windows knows no zone before 1970
        there = moment
    return there.replace(tzinfo=None)


class Place(NamedTuple):
    """A point on the earth."""

    latitude: float
    """Degrees north, [-90, 90]."""
    longitude: float
    """Degrees east, [-180, 180]."""


class Period(NamedTuple):
    """A period of time."""

    begin: datetime | None
    """The first moment; none if it has no beginning."""
    end: datetime | None
    """The first moment after it; none if it has no end."""


class Near(NamedTuple):
    """A circle on the earth."""

    centre: Place
    kilometres: float


class Stars(NamedTuple):
    """A range of ratings; photos without one count as 0."""

    least: int | None
    """From -1, which is rejected; none if there is no least."""
    most: int | None
    """Up to 5; none if there is no most."""


class Locality(NamedTuple):
    """Where a photo was taken, in names."""

    city: str
    """The nearest town; empty if none is near."""
    region: str
    """State, province or the like; may be empty."""
    country: str
    """Its English name."""
    code: str
    """The country's ISO 3166-1 code of two letters."""

    def __str__(self) -> str:
        """The names, each once, the smallest place first."""
        return ", ".join(dict.fromkeys(filter(None, (self.city, self.region, self.country))))


class City(NamedTuple):
    """A town as the catalogue has it; without the country's name, which its code stands for."""

    city: str
    region: str
    code: str


class Province(NamedTuple):
    """A region as the catalogue has it."""

    region: str
    code: str


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the name of a place can mean; a photo matches that was taken in any of it."""

    cities: frozenset[City] = frozenset()
    regions: frozenset[Province] = frozenset()
    codes: frozenset[str] = frozenset()
    """Of countries, ISO 3166-1."""

    def __bool__(self) -> bool:
        """Whether it means anything."""
        return bool(self.cities or self.regions or self.codes)

    def __or__(self, other: "Meaning") -> "Meaning":
        """All that one or the other means."""
        return Meaning(
            self.cities | other.cities, self.regions | other.regions, self.codes | other.codes
        )

    def matches(self, locality: Locality) -> bool:
        """Whether a photo with this locality matches."""
        city, region, _, code = locality
        return (
            code in self.codes
            or (bool(region) and Province(region, code) in self.regions)
            or (bool(city) and City(city, region, code) in self.cities)
        )

    def within(self, other: "Meaning") -> "Meaning":
        """What of it lies in another place, such as the Paris of Texas."""
        return Meaning(
            frozenset(
                city
                for city in self.cities
                if city.code in other.codes or Province(city.region, city.code) in other.regions
            ),
            frozenset(region for region in self.regions if region.code in other.codes),
        )


@dataclass(frozen=True, slots=True)
class Filter:
    """Which photos to search; a photo matches if it meets every condition."""

    roots: tuple[Path, ...] = ()
    """It is in one of these folders, or below."""
    paths: tuple[str, ...] = ()
    """Its path or its name matches one of these globs, in which ``*`` spans folders."""
    taken: Period | None = None
    """By the camera's clock; leaves out photos without a camera time."""
    modified: Period | None = None
    """By the file's time, on this computer's clock."""
    orientation: Orientation | None = None
    min_width: int = 0
    """In pixels, as seen upright."""
    min_height: int = 0
    formats: tuple[str, ...] = ()
    """Its format is one of these, such as "JPEG", in any case."""
    camera: str = ""
    """Part of the camera's maker and model, in any case."""
    near: Near | None = None
    """It was taken there; leaves out photos without a position."""
    places: tuple[Meaning, ...] = ()
    """It was taken in one of these; leaves out photos without a position."""
    rating: Stars | None = None
    """Its owner gave it as many stars; photos without stars count as 0."""
    keywords: tuple[str, ...] = ()
    """It has each of these keywords, in any case and with or without accents."""
    people: tuple[str, ...] = ()
    """Each of these persons is in it: a name of which these are whole words."""

    def __bool__(self) -> bool:
        """Whether there is any condition."""
        return self != Filter()


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One photo in the catalogue."""

    path: Path
    state: FileState
    content: bytes
    """BLAKE3 of the file's bytes, 32 bytes: the same for every copy of a photo, and for no other.

    16 bytes are XXH3-128, which an earlier version noted: also the same for every copy, but
    different files can be made to have the same.
    """
    width: int
    """In pixels, as seen upright."""
    height: int
    format: str = ""
    """Of the file's content, such as "JPEG"; empty if an older version indexed the photo."""
    taken: datetime | None = None
    """Camera time from EXIF, without a zone."""
    camera: str = ""
    """Maker and model from EXIF; empty if it has none."""
    place: Place | None = None
    """Where it was taken, from EXIF."""
    id: int = 0
    """0 until the photo is in the catalogue; never reused."""

    @property
    def dated(self) -> datetime:
        """Its place in time, as the catalogue orders photos by date: in whole seconds, no zone."""
        moment = self.taken or local(self.state.modified)
        return moment.replace(microsecond=0)


class Line(NamedTuple):
    """A line of text that was read in a photo."""

    text: str
    confidence: float
    """Of the reader, (0, 1]."""
    corners: tuple[float, ...]
    """x and y of the four corners, clockwise from where the text begins: 8 numbers in [0, 1], as
    shares of the upright photo's width and height."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """What the owner wrote about a photo, in its file or in a sidecar."""

    title: str = ""
    caption: str = ""
    keywords: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    """Names of persons in it."""
    rating: int | None = None
    """Stars, 0 to 5; -1 is rejected."""
    label: str = ""
    """A colour label, such as "Red"."""
    location: tuple[str, ...] = ()
    """Names of places as the owner wrote them, the smallest first."""

    def __bool__(self) -> bool:
        """Whether anything was written."""
        return self != Annotation()


class KnownFile(NamedTuple):
    """What the catalogue notes of a file, to detect changes."""

    id: int
    """0 for a file that was skipped."""
    state: FileState
    content: bytes
    reason: str = ""
    """Why it was skipped; empty for a photo."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file with a photo's name that could not be used."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Generation:
    """A published file of vectors, with what is checked before it is trusted."""

    file: str
    size: int
    """In bytes."""
    sha256: str
    revision: int
    """The catalogue's revision that its vectors are from."""
    space: str
    """Digests of the encoder and of the alignment that its vectors are from."""


@dataclass(frozen=True, slots=True)
class RootSummary:
    """An indexed folder, and how many of its photos are in the library."""

    path: Path
    images: int


class Tally(NamedTuple):
    """How many photos have a property in common."""

    name: str
    images: int


class OwnersNames(NamedTuple):
    """What owners named in a library's photos, the most frequent first."""

    keywords: tuple[Tally, ...] = ()
    people: tuple[Tally, ...] = ()
    rated: int = 0
    """Photos with one star or more."""


@dataclass(frozen=True, slots=True)
class Facets:
    """The formats, cameras and years of a library's photos, the most frequent first."""

    formats: tuple[Tally, ...]
    cameras: tuple[Tally, ...]
    """Of photos with a camera in their EXIF."""
    years: tuple[Tally, ...]
    """By the camera's clock, of photos with a camera time; the latest first."""
