"""What `verify` finds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement that ``verify`` found, and whether it was mended."""

    what: str
    repaired: bool = False
