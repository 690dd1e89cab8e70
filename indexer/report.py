"""What one run of the indexer did."""

from dataclasses import dataclass
from pathlib import Path

from pixquery.db.records import Skipped


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
