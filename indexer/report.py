"""What one run of the indexer did."""

from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from pixquery.db.records import Skipped


@dataclass(slots=True)
class Pace:
    """How many photos were decoded and encoded since the encoder was loaded, and in what time."""

    device: str = ""
    """Where they were encoded, as ``pixquery index --device`` names it; empty if none were."""
    photos: int = 0
    seconds: float = 0.0
    _since: float = 0.0

    def begin(self, device: str) -> None:
        """Starts the clock: the encoder is loaded."""
        self.device, self._since = device, perf_counter()

    def add(self, photos: int) -> None:
        """Counts photos that were just encoded."""
        self.photos += photos
        self.seconds = perf_counter() - self._since


@dataclass(frozen=True, slots=True)
class Vanished:
    """A folder whose photos are out of reach; the library keeps them."""

    path: Path
    images: int
    """How many of its photos the library contains."""
    reason: str
    """What is odd about the folder, as words that follow its path."""


@dataclass(frozen=True, slots=True)
class AwayRoot:
    """A root that is out of reach, and whose photos are in folders that were indexed."""

    path: Path
    reason: str
    """What is odd about it, as words that follow its path."""
    images: int
    """How many of its photos the library contained before."""
    found: int
    """How many of them are in the other folders, by content."""
    found_in: tuple[Path, ...]
    """The other folders."""
    moved: int = 0
    """How many of them have their new paths now, with their ids."""
    dropped: bool = False
    """All have, so it is no root any more."""


@dataclass(frozen=True, slots=True)
class OtherName:
    """A folder that was named, or was in the library, under a name that is not used."""

    path: Path
    """The other name."""
    name: Path
    """The name that the library has for it."""
    twice: int = 0
    """How many photos were in the library under both names, and are now under one."""


@dataclass(slots=True)
class Tally:
    """The counts of a run that is still going on; fields as in :class:`IndexReport`."""

    added: int = 0
    updated: int = 0
    moved: int = 0
    unchanged: int = 0
    removed: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    vanished: list[Vanished] = field(default_factory=list)
    linked: int = 0
    passed_over: int = 0
    away: list[AwayRoot] = field(default_factory=list)
    described: int = 0
    pace: Pace = field(default_factory=Pace)

    def add(self, batch: "Tally") -> None:
        """Adds what a batch did with its files."""
        self.added += batch.added
        self.updated += batch.updated
        self.moved += batch.moved
        self.unchanged += batch.unchanged
        self.skipped += batch.skipped


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What one run of the indexer did; ``images`` is how many photos the library has afterwards."""

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
    """Stopped by the user; everything counted here was written."""
    vanished: tuple[Vanished, ...] = ()
    linked: int = 0
    """Additional names of photos that count once: hard links, links followed, folders mounted
    twice."""
    roots: int = 0
    """Folders brought up to date, without the vanished ones."""
    lacking: int = 0
    """Photos without a vector of this profile yet; until then the library uses its former one."""
    quality: str = "normal"
    """How photos are encoded, "normal" or "high"."""
    away: tuple[AwayRoot, ...] = ()
    passed_over: int = 0
    """Other files in the folders, such as films and texts, by name or by their first bytes."""
    unmatched: tuple[str, ...] = ()
    """The patterns of ``options.exclude`` that matched nothing."""
    other_names: tuple[OtherName, ...] = ()
    """Folders with two names, one of which is not used."""
    mended: int = 0
    """Photos that were in the library under two names of one file, and are now there once."""
    described: int = 0
    """Unchanged photos whose owner's words have changed, in a sidecar, or were read for the first
    time."""
    pace: Pace = field(default_factory=Pace)

    @property
    def changes(self) -> int:
        """How many photos were added, removed, moved or changed."""
        return self.added + self.updated + self.moved + self.removed

    @property
    def images_per_second(self) -> float:
        """Photos encoded per second of the whole run."""
        return (self.added + self.updated) / self.seconds if self.seconds > 0 else 0.0
