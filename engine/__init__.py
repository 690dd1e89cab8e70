"""Everything a query needs: encoders, alignment, vector index, relevance, library.

What programs use is here by name; ``docs/python.md`` shows how. Folders are indexed by
:func:`indexer.build.index`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from db.errors import PixqueryError
    from db.records import (
        Answer,
        Copy,
        Duplicates,
        Filter,
        Finding,
        Group,
        Hit,
        ImageRecord,
        LibraryInfo,
        Milliseconds,
        Near,
        Period,
        Place,
        RootSummary,
    )
    from engine.library import Library
    from engine.search import Part, Query

__all__ = [
    "Answer",
    "Copy",
    "Duplicates",
    "Filter",
    "Finding",
    "Group",
    "Hit",
    "ImageRecord",
    "Library",
    "LibraryInfo",
    "Milliseconds",
    "Near",
    "Part",
    "Period",
    "PixqueryError",
    "Place",
    "Query",
    "RootSummary",
]

_ROOMS = {
    **dict.fromkeys(__all__, "db.records"),
    "Library": "engine.library",
    "Part": "engine.search",
    "PixqueryError": "db.errors",
    "Query": "engine.search",
}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used: the command line overlaps their loading."""
    if name in _ROOMS:
        return getattr(import_module(_ROOMS[name]), name)
    raise AttributeError(f"module 'engine' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, for shells that complete them."""
    return sorted(__all__)
