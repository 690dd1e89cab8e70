"""Everything a query needs: encoders, alignment, vector index, relevance, library."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from db.records import Filter
    from engine.library import Library
    from engine.search import Part, Query

__all__ = ["Filter", "Library", "Part", "Query"]

_ROOMS = {
    "Filter": "db.records",
    "Library": "engine.library",
    "Part": "engine.search",
    "Query": "engine.search",
}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used: the command line overlaps their loading."""
    if name in _ROOMS:
        return getattr(import_module(_ROOMS[name]), name)
    raise AttributeError(f"module 'engine' has no attribute {name!r}")
