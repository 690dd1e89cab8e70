"""What may happen to a photo before somebody indexes it: training shows each photo altered, too."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pixquery.db.records import Pixels


@dataclass(frozen=True, slots=True)
class Alteration:
    """A crop of a photo, perhaps mirrored, made smaller and saved anew."""

    share: float
    """What is kept of each side, in (0, 1]."""
    left: float = 0.5
    """Which share of what is cut off is cut off at the left side, in [0, 1]."""
    top: float = 0.5
    """The same at the top."""
    mirrored: bool = False
    scale: float = 1.0
    """By what the sides are multiplied afterwards, in (0, 1]."""
    quality: int | None = None
    """Of a JPEG, from 1 to 95; None if it is not saved anew."""


class Load(Protocol):
    """Reads photos."""

    def __call__(self, path: Path, size: int, alteration: Alteration | None = None, /) -> Pixels:
        """Reads a photo, altered or as it is, as uint8[size, size, 3]."""
        ...
