"""How to index."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BATCH = 32


@dataclass(frozen=True, slots=True)
class Options:
    """How to index."""

    exclude: tuple[str, ...] = ()
    """Globs of files and folders to leave out."""
    batch_size: int = BATCH
    """Photos per transaction."""
    jobs: int = 0
    """Decoding threads; 0 means one per core."""
    rebuild: bool = False
    """Encode every photo of the library again, or for another profile or quality; if some photos
    were encoded by an earlier encoder or at another quality, only those."""
    progress: Callable[[int, int], object] = lambda done, total: None
    """Called with the number of files done and the number to do."""
    device: str = "auto"
    """Where photos are encoded, one of ``engine.devices.DEVICES``."""
    follow_links: bool = False
    """Follow symbolic links."""
    waiting: Callable[[], object] = lambda: None
    """Called once if the run waits for another process that writes for moments."""
    prune: bool = False
    """Also remove the photos of folders that are out of reach."""
    thumbnails: bool = True
    """Make the pictures that the gallery shows, so that nobody waits for them."""
    moved_from: tuple[Path, ...] = ()
    """Folders that were moved to those that are indexed: their photos keep their ids."""
